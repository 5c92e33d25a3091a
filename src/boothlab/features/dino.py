"""DINO ViT-S/16, the image similarity that DreamBooth prefers. The weights are supplied by the user.

Vectors have unit length. Preprocessing as in Custom Diffusion's and DINO's evaluation code: shorter side 256
bicubic, middle 224, ImageNet mean and deviation. Source: Caron et al. 2021 (arXiv:2104.14294).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from boothlab.features.feature import Feature, Pictures, Vectors
from boothlab.features.supplied import configuration, demand, pretrained, remembered, weights_folder
from boothlab.features.transforms import cropped, standardised

MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)
"""Per channel, of ImageNet in 0–1."""

SHORTEST, SIDE = 256, 224

VIT_S_16 = {"hidden_size": 384, "num_hidden_layers": 12, "patch_size": 16}


def folder() -> Path:
    """Where a user puts DINO ViT-S/16 in transformers' format."""
    return weights_folder() / "dino"


def load(where: Path) -> Any:
    """DINO ViT-S/16 from its folder. Raises NoWeights for what is not that."""
    from transformers import ViTModel

    demand(missing(where))
    return pretrained(ViTModel, where, "DINO", add_pooling_layer=False)


_model = remembered(load)


def extract(pictures: Pictures) -> Vectors:
    """(N, 384) float32 of unit length: the class token after the last normalisation, one picture at a time."""
    import torch

    demand(missing())
    model, rows = _model(folder()), []
    with torch.no_grad():
        for pixels in pictures:
            batch = torch.from_numpy(standardised(cropped(pixels, SHORTEST, SIDE), MEAN, DEVIATION))[None]
            token = model(pixel_values=batch).last_hidden_state[:, 0]
            rows.append(torch.nn.functional.normalize(token, dim=1)[0].numpy())
    return np.stack(rows)


def missing(where: Path | None = None) -> str | None:
    """One sentence until the folder holds DINO ViT-S/16."""
    where = where or folder()
    lacking = [name for name in ("config.json", "model.safetensors") if not (where / name).is_file()]
    if lacking:
        return (
            "DINO ViT-S/16 is not here: `boothlab fetch dino FOLDER` copies its transformers folder "
            f"(facebook/dino-vits16), saved as safetensors, beside boothlab's cache; lacking: {', '.join(lacking)}."
        )
    told = configuration(where)
    if any(told.get(name) != size for name, size in VIT_S_16.items()):
        return "The model that was given is not DINO ViT-S/16; scores of other sizes are not comparable."
    return None


DINO = Feature(
    name="dino-vit-s-16",
    version="1",
    extract=extract,
    missing=missing,
    source="Caron et al. 2021 (arXiv:2104.14294), facebook/dino-vits16",
    weights=lambda: folder() / "model.safetensors",
)
