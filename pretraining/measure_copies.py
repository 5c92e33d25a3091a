"""How well distances tell copies of training photos from new pictures of the same subject, on drawings.

    python -m pretraining.measure_copies

For each of twelve development subjects: twelve photos, and pictures of known kinds. ``new``: the same subject in
other contexts; ``same``: photos as the built-in autoencoder gives them back; ``mirror``, ``crop``: those mirrored, or
cut to 70–95 % of their sides around a place near the middle. For every way to look: the share of copies nearer to a
photo than 95 % of the new pictures are, and the distance that separates best.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from diffusers import AutoencoderKL
from PIL import Image

from boothlab.assets import asset
from boothlab.features import lpips
from boothlab.features.faces import reader_for
from boothlab.metrics import copies
from boothlab.metrics.distances import squared_distances
from pretraining import draw, identities
from pretraining.autoencoder import to_model, to_pixels

SUBJECTS, PHOTOS, NEW, SIDE = 12, 12, 12, 128


def people() -> list[int]:
    """Development subjects that are persons."""
    return [n for n in range(60) if identities.of("develop", n).noun == "person"][:SUBJECTS]


def rebuilt(vae: AutoencoderKL, pictures: list[np.ndarray]) -> list[np.ndarray]:
    """What the built-in autoencoder makes of the pictures."""
    with torch.no_grad():
        latents = vae.encode(to_model(np.stack(pictures))).latent_dist.mode()
        return list(to_pixels(vae.decode(latents).sample))


def cut(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A part of 70–95 % of the sides, a little off the middle, at full size."""
    share = rng.uniform(0.70, 0.95)
    side = share * SIDE
    left, top = (SIDE - side) / 2 + rng.uniform(-0.25, 0.25, 2) * (SIDE - side)
    box = (left, top, left + side, top + side)
    return np.asarray(Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BICUBIC, box=box))


def whole(pictures: list[np.ndarray]) -> np.ndarray:
    """LPIPS of whole pictures at 64 px, no views."""
    return lpips.extract(
        [np.asarray(Image.fromarray(p).resize((64, 64), Image.Resampling.BICUBIC)) for p in pictures]
    )


def heads(pictures: list[np.ndarray]) -> np.ndarray:
    """LPIPS of the largest head at 64 px; the whole picture where no head is found."""
    reader, found = reader_for("drawings"), []
    for pixels in pictures:
        faces = reader.find(pixels)
        box = faces[0].head if faces else (0, 0, SIDE, SIDE)
        inside = (max(0, box[0]), max(0, box[1]), min(SIDE, box[2]), min(SIDE, box[3]))
        found.append(np.asarray(Image.fromarray(pixels).resize((64, 64), Image.Resampling.BICUBIC, box=inside)))
    return lpips.extract(found)


def mirrored_too(features: Callable[[list[np.ndarray]], np.ndarray]) -> Callable[..., np.ndarray]:
    """Distances (n, m) by ``features``, the smaller of the photo's and its mirror's."""

    def distances(pictures: list[np.ndarray], photos: list[np.ndarray]) -> np.ndarray:
        turned = [photo[:, ::-1].copy() for photo in photos]
        rows = features(pictures)
        return np.minimum(*(squared_distances(rows, features(side)) for side in (photos, turned)))

    return distances


def main() -> None:
    """Measure and print."""
    vae = AutoencoderKL.from_pretrained(asset("toon", "sd", "vae"))
    ways: dict[str, Callable[..., np.ndarray]] = {
        "whole": lambda a, b: squared_distances(whole(a), whole(b)),
        "whole, mirror": mirrored_too(whole),
        "head, mirror": mirrored_too(heads),
        "copy_distances": lambda a, b: copies.copy_distances(a, b),
    }
    nearest: dict[str, dict[str, list[float]]] = {name: {} for name in ways}
    for number in people():
        rng = np.random.default_rng(number)
        takes = [draw.of("develop", number, SIDE, take=k).pixels for k in range(PHOTOS + NEW)]
        photos, new = takes[:PHOTOS], rebuilt(vae, takes[PHOTOS:])
        same = rebuilt(vae, photos)
        kinds = {
            "new": new,
            "same": same,
            "mirror": [p[:, ::-1].copy() for p in same],
            "crop": [cut(p, rng) for p in same],
            "both": [cut(p, rng)[:, ::-1].copy() for p in same],
        }
        for name, way in ways.items():
            for kind, pictures in kinds.items():
                nearest[name].setdefault(kind, []).extend(way(pictures, photos).min(axis=1))
    for name, kinds_found in nearest.items():
        new_ones = np.array(kinds_found["new"])
        limit = np.quantile(new_ones, 0.05)
        shares = {kind: float((np.array(d) < limit).mean()) for kind, d in kinds_found.items() if kind != "new"}
        copied = np.concatenate([d for kind, d in kinds_found.items() if kind != "new"])
        cuts = np.linspace(0, new_ones.max(), 500)
        errors = [max((copied >= c).mean(), (new_ones < c).mean()) for c in cuts]
        best = int(np.argmin(errors))
        told = ", ".join(f"{kind} {share:.2f}" for kind, share in shares.items())
        print(f"{name}: below the 5 % of new ({limit:.3f}): {told}; cut at {cuts[best]:.3f} errs {errors[best]:.3f}")
        quantiles = {k: np.quantile(d, (0.05, 0.5, 0.95)).round(3).tolist() for k, d in kinds_found.items()}
        print("  5, 50, 95 %:", quantiles)


if __name__ == "__main__":
    main()
