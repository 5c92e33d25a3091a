"""Precision and recall of every screen on made-up defects, per domain; the tables of docs/photo-doctor.md.

    python scripts/measure_screens.py photographs PHOTO [PHOTO …]     clean photographs of one person each
    python scripts/measure_screens.py drawings                        the sample subjects of the package

Every clean photo is also given each defect in a known strength. "caught" is the share of defective photos that are
set aside for that reason, "false" the share of clean photos that are set aside for it.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from boothlab.assets import asset
from boothlab.features.faces import Domain, FaceReader, reader_for
from boothlab.photos.config import Screen
from boothlab.photos.measures import from_text
from boothlab.photos.photo import Photo, Rejected
from boothlab.photos.read import read_photo
from boothlab.photos.screening import DOMAINS, fault, likeness, strangers
from boothlab.preparing.look import look

Change = Callable[[Image.Image, float], Image.Image]


def blurred(image: Image.Image, side: float, part: float) -> Image.Image:
    """Gaussian blur with a radius of ``part`` of the face's side."""
    return image.filter(ImageFilter.GaussianBlur(part * side))


def exposed(image: Image.Image, factor: float) -> Image.Image:
    """Linear gain on the sRGB values, clipped."""
    return Image.fromarray(np.clip(np.asarray(image) * factor, 0, 255).astype(np.uint8))


def again(image: Image.Image, quality: int) -> Image.Image:
    """Through JPEG."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def defects(image: Image.Image, side: float, head: list[float]) -> dict[str, dict[str, Image.Image]]:
    """reason → what was done → the defective photo."""
    width, height = image.size
    room = min(head[0], head[1], width - head[2], height - head[3], 0.08 * width)
    cut = max(room, 0.0)
    return {
        "blurred": {f"blur, {part:.0%} of the face": blurred(image, side, part) for part in (0.01, 0.02, 0.03, 0.05)},
        "dark": {f"gain {gain}": exposed(image, gain) for gain in (0.4, 0.2, 0.1)},
        "overexposed": {f"gain {gain}": exposed(image, gain) for gain in (1.5, 3.0, 5.0)},
        "duplicate": {
            "JPEG quality 40": again(image, 40),
            "half the size": image.resize((width // 2, height // 2), Image.Resampling.BOX),
            "cropped": image.crop((int(cut), int(cut), width, int(height - cut / 2))),
            "mirrored": image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
            "turned by 5°": image.rotate(5, Image.Resampling.BICUBIC),
            "20 % brighter": exposed(image, 1.2),
        },
    }


def seen(image: Image.Image, name: str, reader: FaceReader) -> Photo:
    """A photo that was looked at."""
    photo = Photo(name, np.array(image.convert("RGB")), name)
    return look(photo, reader)


def main(domain: Domain, files: list[Path]) -> None:
    """Measure and print the tables."""
    reader = reader_for(domain)
    clean: list[Photo] = []
    for path in files:
        read = read_photo(path)
        if isinstance(read, Rejected):
            raise SystemExit(f"{path} {read.reason}")
        clean.append(look(replace(read, name=str(path)), reader))
    with_face = [photo for photo in clean if photo.subject is not None]
    print(f"{domain}: {len(clean)} clean, a face in {len(with_face)}; reader {reader.version}")
    screen, limit = Screen(), DOMAINS[domain].duplicate
    false = {code: 0 for code in ("blurred", "dark", "overexposed", "turned")}
    for photo in with_face:
        wrong = fault(photo, screen, domain)
        if wrong is not None:
            false[wrong.code] += 1
    caught: dict[tuple[str, str], list[bool]] = {}
    for photo in with_face:
        subject = photo.subject
        assert subject is not None
        made = defects(Image.fromarray(photo.pixels), subject["pixels"], subject["head"])
        for code, cases in made.items():
            for label, image in cases.items():
                other = seen(image, f"{photo.name} {label}", reader)
                wrong = fault(other, screen, domain)
                hit = likeness(photo, other) >= limit if code == "duplicate" else bool(wrong and wrong.code == code)
                caught.setdefault((code, label), []).append(hit)
    pairs = [(a, b) for i, a in enumerate(with_face) for b in with_face[:i]]
    alike = sum(likeness(a, b) >= limit for a, b in pairs)
    print("| screen | defect | caught | of | false alarms on clean photos |\n|---|---|--:|--:|---|")
    for (code, label), hits in caught.items():
        wrongly = f"{alike} of {len(pairs)} pairs" if code == "duplicate" else f"{false[code]} of {len(with_face)}"
        print(f"| {code} | {label} | {sum(hits)} | {len(hits)} | {wrongly} |")
    print(f"\nturned too far on clean photos: {false['turned']} of {len(with_face)}")
    _roll(with_face, reader)
    _people(with_face, reader, domain)


def _roll(photos: list[Photo], reader: FaceReader) -> None:
    """Photos turned in the plane by known angles: is the head found, and is its roll right?"""
    print("\n| turned by | face found | of | median error of the roll |\n|--:|--:|--:|--:|")
    for angle in (-30, -15, 15, 30, 45):
        errors = []
        for photo in photos:
            before = photo.subject
            assert before is not None
            middle = ((before["head"][0] + before["head"][2]) / 2, (before["head"][1] + before["head"][3]) / 2)
            turned = Image.fromarray(photo.pixels).rotate(-angle, Image.Resampling.BICUBIC, center=middle)
            after = seen(turned, "turned", reader).subject
            if after is not None and abs(after["head"][0] + after["head"][2] - 2 * middle[0]) < 2 * before["pixels"]:
                errors.append(abs(after["roll"] - before["roll"] - angle))
        median = f"{np.median(errors):.1f}°" if errors else "–"
        print(f"| {angle}° | {len(errors)} | {len(photos)} | {median} |")


def _people(photos: list[Photo], reader: FaceReader, domain: Domain) -> None:
    """Identity distances, and strangers mixed into sets where several photos of one person are at hand."""
    known = [photo for photo in photos if photo.subject is not None and photo.subject["identity"]]
    vectors = [from_text((photo.subject or {})["identity"]) for photo in known]
    owners = [Path(photo.name).parent.parent.name if domain == "drawings" else photo.name for photo in known]
    same, different = [], []
    for i, first in enumerate(vectors):
        for j in range(i):
            (same if owners[i] == owners[j] else different).append(float(np.linalg.norm(first - vectors[j])))
    for label, values in (("one person", same), ("two people", different)):
        if values:
            print(f"\nidentity distance, {label}: {min(values):.2f}–{max(values):.2f}, {len(values)} pairs")
    print(
        f"limit {reader.same_person:g}; too far for one person: {sum(v > reader.same_person for v in same)}, ", end=""
    )
    print(f"too near for two: {sum(v <= reader.same_person for v in different)}")
    names = sorted(set(owners))
    if domain == "drawings" and len(names) > 1:
        for owner in names:
            own = [photo for photo, o in zip(known, owners, strict=True) if o == owner]
            foreign = [photo for photo, o in zip(known, owners, strict=True) if o != owner][:3]
            found = {item.name for item in strangers([*own, *foreign], reader.same_person)}
            right = len(found & {photo.name for photo in foreign})
            print(f"{len(foreign)} strangers among {len(own)} photos of {owner}: {right} found")


if __name__ == "__main__":
    given = [Path(name) for name in sys.argv[2:]] or sorted(asset("samples").glob("*/more/*.jpg"))
    main("drawings" if sys.argv[1] == "drawings" else "photographs", given)
