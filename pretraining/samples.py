"""Command `samples`: plain good 'photos' of the reserved demo subjects, as a phone would save them.

Separate because these pictures ship as sample input; no training ever sees their identities.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from pretraining import atomic, draw, identities, scenes
from pretraining.randomness import stream

SUBJECTS = {"mira": 11, "tomo": 20}
"""Name of the sample set -> number in the reserved stream ``demo``."""
COUNT = 8
SIZES_PX = (400, 320, 288, 360, 240, 200, 336, 272)
QUALITY = 90


def photo(number: int, take: int) -> Image.Image:
    """Take ``take`` of a demo subject: alone, undisturbed, its own framing, clothes and background."""
    identity = identities.of("demo", number)
    rng = stream(identities.SEED, f"samples/{number}", take)
    drawing = draw.draw(identity, scenes.of(identity, rng, clean=True), SIZES_PX[take % len(SIZES_PX)], rng)
    return Image.fromarray(drawing.pixels)


def write(folder: Path) -> list[Path]:
    """Write ``<folder>/<name>/photo-01.jpg`` and so on; JPEG quality 90, no metadata."""
    written = []
    for name, number in SUBJECTS.items():
        for take in range(COUNT):
            path = folder / name / f"photo-{take + 1:02d}.jpg"
            made = photo(number, take)
            atomic.write(path, lambda target, image=made: image.save(target, "JPEG", quality=QUALITY))
            written.append(path)
    return written
