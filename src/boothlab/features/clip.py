"""CLIP: pictures and prompts in one space. Photographs: ViT-L/14, supplied by the user; drawings: toon's own.

Vectors have unit length; the cosine is their product. Preprocessing is pinned here (shorter side bicubic, middle
cut out, 8 bits, mean and deviation), not asked of a library. Parity: transformers' CLIPImageProcessor, |Δ| ≤ 1e-5.
Source: Radford et al. 2021 (arXiv:2103.00020).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from boothlab.assets import asset
from boothlab.errors import NoWeights
from boothlab.features.feature import ByDomain, Feature, Pictures, Vectors
from boothlab.features.lpips import ALEXNET_POOLED
from boothlab.features.supplied import configuration, demand, pretrained, remembered, unfit, weights_folder
from boothlab.features.transforms import cropped, standardised

MEAN = (0.48145466, 0.4578275, 0.40821073)
DEVIATION = (0.26862954, 0.26130258, 0.27577711)
"""Per channel, of CLIP's training pictures in 0–1."""

VIT_L_14 = {"hidden_size": 1024, "num_hidden_layers": 24, "patch_size": 14, "image_size": 224}
"""What the vision tower's configuration says; scores of other CLIPs are not comparable with it."""

TOKENS = 77


def folder() -> Path:
    """Where a user puts CLIP ViT-L/14 in transformers' format."""
    return weights_folder() / "clip"


def _photo_weights() -> Path:
    return folder() / "model.safetensors"


def load(where: Path) -> tuple[Any, Any]:
    """CLIP ViT-L/14 and its tokenizer from their folder. Raises NoWeights for what is not that."""
    from transformers import CLIPModel, CLIPTokenizer

    demand(missing_photo(where))
    model = pretrained(CLIPModel, where, "CLIP")
    try:
        return model, CLIPTokenizer.from_pretrained(where, local_files_only=True)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise NoWeights(
            f"CLIP's tokenizer in {where} cannot be read: {error}.", "Get the whole folder again."
        ) from error


_photo_model = remembered(load)


@lru_cache(maxsize=1)
def _toon_model() -> tuple[Any, Any]:
    from transformers import CLIPTokenizer

    from boothlab.features.toon_clip import load

    return load(asset("toon")), CLIPTokenizer.from_pretrained(asset("tokenizer"), local_files_only=True)


def pixels_for(pictures: Pictures, side: int) -> Vectors:
    """(N, 3, side, side) float32 as CLIP's vision tower wants them."""
    return np.stack([standardised(cropped(pixels, side, side), MEAN, DEVIATION) for pixels in pictures])


def embed_pictures(model: Any, pictures: Pictures) -> Vectors:
    """(N, D) float32 of unit length, one picture at a time."""
    import torch

    side = model.config.vision_config.image_size
    rows = []
    with torch.no_grad():
        for pixels in pictures:
            batch = torch.from_numpy(pixels_for([pixels], side))
            pooled = model.vision_model(pixel_values=batch).pooler_output
            rows.append(torch.nn.functional.normalize(model.visual_projection(pooled), dim=1)[0].numpy())
    return np.stack(rows)


def embed_texts(model: Any, tokenizer: Any, prompts: Sequence[str]) -> Vectors:
    """(N, D) float32 of unit length; each prompt is read once. What does not fit into 77 tokens is cut off."""
    import torch

    known: dict[str, Vectors] = {}
    with torch.no_grad():
        for prompt in dict.fromkeys(prompts):
            ids = tokenizer(prompt, truncation=True, max_length=TOKENS, return_tensors="pt").input_ids
            pooled = model.text_model(input_ids=ids).pooler_output
            known[prompt] = torch.nn.functional.normalize(model.text_projection(pooled), dim=1)[0].numpy()
    return np.stack([known[prompt] for prompt in prompts])


def missing_photo(where: Path | None = None) -> str | None:
    """One sentence until the folder holds CLIP ViT-L/14."""
    where = where or folder()
    whole = (where / "tokenizer.json").is_file()  # as transformers 5 saves it
    wanted = ("config.json", "model.safetensors", *(() if whole else ("vocab.json", "merges.txt")))
    lacking = [name for name in wanted if not (where / name).is_file()]
    if lacking:
        return (
            "CLIP ViT-L/14 is not here: `boothlab fetch clip FOLDER` copies its transformers folder "
            f"(openai/clip-vit-large-patch14) beside boothlab's cache; lacking: {', '.join(lacking)}."
        )
    told = configuration(where).get("vision_config")
    told = told if isinstance(told, dict) else {}
    # Sizes that a configuration leaves out have the values of ViT-B/32 in transformers.
    if any(told.get(name) != size for name, size in VIT_L_14.items() if name in told or name != "image_size"):
        return "The model given as CLIP is not ViT-L/14 at 224 px; scores of other CLIPs are not comparable."
    return None


def missing_toon() -> str | None:
    """None: toon's CLIP ships, unless somebody removed it."""
    parts = (("toon", "clip", "model.safetensors"), ("toon", "sd", "text_encoder", "model.safetensors"))
    for part in (*parts, ("tokenizer", "vocab.json")):
        if not asset(*part).is_file():
            return f"The built-in model's {'/'.join(part)} is not in this installation; install boothlab again."
    return None


def _extract_photo(pictures: Pictures) -> Vectors:
    return embed_pictures(_photo_model(folder())[0], pictures)


def _texts_photo(prompts: Sequence[str]) -> Vectors:
    return embed_texts(*_photo_model(folder()), prompts)


def _extract_toon(pictures: Pictures) -> Vectors:
    demand(missing_toon())
    return embed_pictures(_toon_model()[0], pictures)


def _texts_toon(prompts: Sequence[str]) -> Vectors:
    demand(missing_toon())
    return embed_texts(*_toon_model(), prompts)


CLIP_L14 = Feature(
    name="clip-vit-l-14",
    version="1",
    extract=_extract_photo,
    missing=missing_photo,
    source="Radford et al. 2021 (arXiv:2103.00020), openai/clip-vit-large-patch14",
    texts=_texts_photo,
    weights=_photo_weights,
)

TOON_CLIP = Feature(
    name="toon-clip",
    version="toon-1",
    extract=_extract_toon,
    missing=missing_toon,
    source="boothlab's own CLIP for drawings, 2026 (see the card of toon)",
    texts=_texts_toon,
)

CLIP = ByDomain(CLIP_L14, TOON_CLIP)

DRAWINGS_ONLY = "Toon's CLIP has only seen drawings; for photographs there are CLIP-I and CMMD (CLIP ViT-L/14)."

DRAWN_CLIP = ByDomain(
    unfit("toon-clip", "Toon's CLIP has only ever seen drawings; photographs are for CLIP-I and CMMD."), TOON_CLIP
)
"""For metrics that name toon's CLIP."""

TYPICAL = ByDomain(ALEXNET_POOLED, TOON_CLIP)
"""General features that are always at hand, for how sets lie among each other."""
