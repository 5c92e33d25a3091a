"""The built-in model's CLIP, put together from two folders: its text tower is stored once, in the pipeline.

Separate because every other CLIP loads with one ``from_pretrained``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any


def load(folder: Path) -> Any:
    """``folder`` holds ``clip/`` (vision tower, projections) and ``sd/text_encoder/``. -> transformers.CLIPModel.

    float32, evaluation mode. Raises RuntimeError when the two do not fit together.
    """
    from safetensors.torch import load_file
    from transformers import CLIPConfig, CLIPModel

    model = CLIPModel(CLIPConfig.from_pretrained(folder / "clip"))
    tensors = load_file(folder / "clip" / "model.safetensors")
    tower = load_file(folder / "sd" / "text_encoder" / "model.safetensors")
    tensors |= {f"text_model.{name.removeprefix('text_model.')}": value for name, value in tower.items()}
    model.load_state_dict({name: value.float() for name, value in tensors.items()})
    return model.eval()
