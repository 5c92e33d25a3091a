"""The contact sheet as one picture, for chats and slides where a page cannot be opened."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from boothlab.preparing.sheet import Card

CELL = (312, 262)
"""Width and height of one photo's place."""
PICTURE = 146
"""Side of the square that each of the two pictures of a photo is fitted into."""
COLUMNS = 4
MARGIN = 16
HEADER = 70
MOST_CARDS = 120
"""More photos than this are not drawn; the page has them all."""

INKS = {"train": (22, 101, 52), "held out": (29, 78, 137), "set aside": (153, 27, 27)}
FRAME_INKS = {"crop": (22, 163, 74), "subject": (250, 204, 21), "other": (220, 38, 38)}


def draw_sheet(cards: Sequence[Card], headline: str) -> NDArray[np.uint8]:
    """(H, W, 3): before and after of every photo, its name, its state and the reason."""
    shown = cards[:MOST_CARDS]
    rows = max(1, -(-len(shown) // COLUMNS))
    size = (2 * MARGIN + COLUMNS * CELL[0], HEADER + MARGIN + rows * CELL[1])
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    left_out = f" ({len(cards) - len(shown)} more photos on the page.)" if len(cards) > len(shown) else ""
    for line, text in enumerate(textwrap.wrap(headline + left_out, 130)[:2]):
        draw.text((MARGIN, 14 + 24 * line), text, (20, 20, 20), _font(18))
    for index, card in enumerate(shown):
        place = (MARGIN + index % COLUMNS * CELL[0], HEADER + index // COLUMNS * CELL[1])
        _draw_card(sheet, draw, card, place)
    return np.asarray(sheet)


def _draw_card(sheet: Image.Image, draw: ImageDraw.ImageDraw, card: Card, place: tuple[int, int]) -> None:
    x, y = place
    ink = INKS[card.state]
    if card.before:
        with Image.open(io.BytesIO(card.before)) as opened:
            before = opened.convert("RGB")
        before.thumbnail((PICTURE, PICTURE), Image.Resampling.BICUBIC)
        if card.state == "set aside":
            before = Image.blend(before, Image.new("RGB", before.size, "white"), 0.35)
        frames = ImageDraw.Draw(before)
        for frame in card.frames:
            box = [frame.left * before.width, frame.top * before.height]
            box += [box[0] + frame.width * before.width - 1, box[1] + frame.height * before.height - 1]
            if box[2] > box[0] and box[3] > box[1]:
                frames.rectangle(box, outline=FRAME_INKS[frame.kind], width=2)
        sheet.paste(before, (x, y + PICTURE - before.height))
    if card.after:
        with Image.open(io.BytesIO(card.after)) as opened:
            after = opened.convert("RGB").resize((PICTURE, PICTURE), Image.Resampling.BICUBIC)
        sheet.paste(after, (x + PICTURE + 6, y))
    name = card.name if len(card.name) <= 34 else f"{card.name[:20]}…{card.name[-12:]}"
    draw.text((x, y + PICTURE + 6), name, (20, 20, 20), _font(14))
    draw.text((x, y + PICTURE + 24), card.state.upper(), ink, _font(13))
    lines = textwrap.wrap(card.reason or ", ".join(card.facts).replace("×", "x"), 46)
    lines = lines if len(lines) <= 4 else [*lines[:3], lines[3][:43] + "…"]
    for line, text in enumerate(lines):
        draw.text((x, y + PICTURE + 42 + 16 * line), text, (70, 70, 70), _font(12))


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
