"""The contact sheet: one page on which a newcomer sees what happened to every photo, and why."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from boothlab.photos.photo import Photo, Rejected, Trace
from boothlab.photos.photoset import png_bytes
from boothlab.photos.variety import Variety
from boothlab.preparing.earlier import thumbnail_name
from boothlab.preparing.sheet_picture import draw_sheet

AFTER_PX = 240
"""Side of the prepared photos on the sheet."""

FRAMINGS = ("head", "smart", "letterbox", "center")


@dataclass(frozen=True, slots=True)
class Frame:
    """A rectangle on the photo as it came, in parts of its width and height; ``kind``: crop, subject or other."""

    kind: str
    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Card:
    """One photo on the sheet. ``before`` and ``after`` are JPEG, empty where there is nothing to show."""

    name: str
    state: str
    reason: str
    hint: str
    before: bytes
    after: bytes
    frames: tuple[Frame, ...]
    facts: tuple[str, ...]

    @property
    def before_uri(self) -> str:
        """For an ``<img>``."""
        return _uri(self.before)

    @property
    def after_uri(self) -> str:
        """For an ``<img>``."""
        return _uri(self.after)


def sheet_files(
    kept: Sequence[Photo],
    rejected: Sequence[Rejected],
    held_out: frozenset[str],
    thumbnails: Mapping[str, bytes],
    score: Variety,
    remark: str,
) -> dict[str, bytes]:
    """``contact-sheet.html`` and ``contact-sheet.png``."""
    import jinja2

    cards = [_kept_card(photo, photo.name in held_out, thumbnails) for photo in kept]
    cards += [_rejected_card(item, thumbnails) for item in rejected]
    counts = {state: sum(card.state == state for card in cards) for state in ("train", "held out", "set aside")}
    summary = (
        f"{counts['train']} to train on, {counts['held out']} held out to measure likeness, "
        f"{counts['set aside']} set aside."
    )
    if kept and not held_out:
        summary += " Nothing is held out: scores will be measured on the training photos."
    loader = jinja2.FileSystemLoader(Path(__file__).parent / "templates")
    page = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    html = page.get_template("sheet.html").render(
        groups=[(state, [card for card in cards if card.state == state]) for state in counts],
        summary=summary,
        variety=score,
        remark=remark,
    )
    picture = draw_sheet(cards, f"{summary} {score.sentence}")
    return {"contact-sheet.html": html.encode(), "contact-sheet.png": png_bytes(picture)}


def _kept_card(photo: Photo, held_out: bool, thumbnails: Mapping[str, bytes]) -> Card:
    image = Image.fromarray(photo.pixels)
    if photo.mask is not None:
        # What does not count in the loss is shown hatched; what a spotlight leaves in the dark has a line of its own.
        lit = any(trace.step == "spotlight" for trace in photo.trail)
        counts = np.where(photo.mask > 0, np.uint8(255), np.uint8(0)) if lit else photo.mask
        image = Image.composite(image, _hatched(image.size), Image.fromarray(counts))
    image = image.resize((AFTER_PX, AFTER_PX), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=85)
    state = "held out" if held_out else "train"
    facts = _facts(photo.trail)
    if photo.caption:
        facts = (*facts, f"caption: {photo.caption}")
    before = thumbnails.get(thumbnail_name(photo.source_hash), b"")
    return Card(photo.name, state, "", "", before, buffer.getvalue(), _frames(photo.trail), facts)


def _rejected_card(item: Rejected, thumbnails: Mapping[str, bytes]) -> Card:
    before = thumbnails.get(thumbnail_name(item.source_hash), b"")
    facts = _facts(item.trail)
    return Card(item.name, "set aside", item.reason, item.hint, before, b"", _frames(item.trail), facts)


def _hatched(size: tuple[int, int]) -> Image.Image:
    tile = Image.new("L", (12, 12), 235)
    for offset in range(12):
        tile.putpixel((offset, 11 - offset), 150)
        tile.putpixel((offset, (12 - offset) % 12), 170)
    image = Image.new("L", size)
    for x in range(0, size[0], 12):
        for y in range(0, size[1], 12):
            image.paste(tile, (x, y))
    return image.convert("RGB")


def _frames(trail: Sequence[Trace]) -> tuple[Frame, ...]:
    numbers = {trace.step: trace.numbers for trace in trail}
    if "read" not in numbers or "size" not in numbers["read"]:
        return ()
    width, height = numbers["read"]["size"]
    frames = []
    for index, head in enumerate(numbers.get("look", {}).get("heads", [])):
        kind = "subject" if index == numbers["look"]["subject"] else "other"
        frames.append(_frame(kind, head, width, height))
    crop = next((trace.numbers.get("box") for trace in trail if trace.step in FRAMINGS), None)
    if crop is not None and "level" not in numbers:
        frames.append(_frame("crop", crop, width, height))
    return tuple(frames)


def _frame(kind: str, box: Sequence[float], width: int, height: int) -> Frame:
    x0, y0 = max(box[0], 0) / width, max(box[1], 0) / height
    x1, y1 = min(box[2], width) / width, min(box[3], height) / height
    return Frame(kind, round(x0, 4), round(y0, 4), round(max(x1 - x0, 0), 4), round(max(y1 - y0, 0), 4))


def _facts(trail: Sequence[Trace]) -> tuple[str, ...]:
    """Short lines on what was seen and done, for people."""
    facts = []
    for trace in trail:
        numbers = trace.numbers
        if trace.step == "read":
            width, height = numbers["size"]
            facts.append(f"{width}×{height} {numbers['format']}")
            if numbers["orientation"] != 1:
                facts.append("turned upright" if numbers["upright"] else "EXIF turn ignored")
        elif trace.step == "look":
            facts += _seen_facts(numbers)
        elif trace.step in FRAMINGS:
            facts.append(f"{trace.step} crop" if not numbers.get("border") else f"{trace.step}, with borders")
        elif trace.step == "level":
            facts += [f"levelled by {numbers['degrees']:.0f}°"] if "degrees" in numbers else []
        elif trace.step == "spotlight" and "outside" in numbers:
            facts.append(f"spotlight: the rest counts {100 * numbers['outside']:g} %")
        elif trace.step == "resize" and numbers["scale"] > 1.0:
            facts.append(f"enlarged {numbers['scale']:.1f}×")
    return tuple(facts)


def _seen_facts(numbers: Mapping[str, object]) -> list[str]:
    heads = numbers["heads"]
    count = len(heads) if isinstance(heads, list) else 0
    facts = ["no face seen" if count == 0 else "1 face" if count == 1 else f"{count} faces"]
    if "yaw" in numbers:
        facts.append(f"turned {numbers['yaw']:.0f}°")
    facts.append(f"sharpness {numbers['sharpness']:.2f}")
    return facts


def _uri(data: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(data).decode()}" if data else ""
