"""Crop to head and neck, the framing that worked best in the source study: the whole head stays inside."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from PIL import Image
from pydantic import Field

from boothlab.photos.cut import Square, cut, inside
from boothlab.photos.photo import Affine, Photo, Rejected, to_keep
from boothlab.photos.steps.step import Step

Box = tuple[float, float, float, float]

TIGHTEST = 1.06
"""Side of the smallest crop that is tried to keep a second person out, in head sizes."""

LEAST_INTRUSION = 0.1
"""Share of another face's box that may be inside the crop: an ear, but no eye."""


LEAST_TURN = 0.3
"""Of cos 2·roll: between 36° and 54° a leaning head's box is nearly a square, whatever the head is."""

USUAL_TALLER, MOST_TALLER = 0.257, 0.438
"""(h² - w²) / (h² + w²) of a head 1.3 and 1.6 times as tall as wide."""


class Head(Step):
    """Crop a square around the subject's head and neck; a second person is left outside or the photo set aside."""

    kind: Literal["head"] = "head"
    above: float = Field(0.15, ge=0.0, le=2.0)
    """Room above the hair, as a part of the head's height."""
    below: float = Field(0.45, ge=0.0, le=4.0)
    """Room below the chin, as a part of the head's height; 0.45 takes the neck in."""
    level: bool = False
    """Turn the picture so that the eyes are on one height; corners that appear are white and do not count."""
    alone: bool = True
    """Set the photo aside when another face cannot be kept out of the crop."""

    def apply(self, photo: Photo, size: int) -> Photo | Rejected:
        """Crop; where the head is longer than the photo's shorter side, white borders that do not count are added."""
        if photo.subject is None:
            reason = "has no face, so there is nothing to frame by `head`"
            hint = f'Choose another photo, another photos.framing ("smart"), or keep it: {to_keep(photo.name)}.'
            return Rejected(photo.name, "no-face", reason, hint, photo.source_hash, photo.trail, photo.seen)
        if self.level:
            photo = _levelled(photo)
        square = self._square(photo)
        if square is None:
            reason = "shows a second person so close that no crop of the head leaves them out"
            hint = f"Choose a photo where the subject is alone, or keep it: {to_keep(photo.name)}."
            return Rejected(photo.name, "second-person", reason, hint, photo.source_hash, photo.trail, photo.seen)
        return cut(photo, self.kind, square)

    def _square(self, photo: Photo) -> Square | None:
        """The crop: as wide as asked, smaller or shifted as far as needed to leave others out, None if impossible."""
        width, height = photo.size
        head = visible_head(photo)
        head_w, head_h = head[2] - head[0], head[3] - head[1]
        least = float(np.ceil(max(head_w, head_h))) + 1  # a pixel for rounding the corner down
        wanted = max(head_h * (1 + self.above + self.below), head_w * 1.2)
        side = max(min(wanted, min(width, height)), least)
        if not self.alone or not photo.others:
            return self._placed(photo, head, side, 0.0)
        for part in np.linspace(0.0, 1.0, 9):
            tried = side + (max(least * TIGHTEST, min(side, least * TIGHTEST)) - side) * part
            if tried > side:
                continue
            for shift in (0.0, 0.25, -0.25, 0.5, -0.5):
                square = self._placed(photo, head, float(tried), shift)
                if not _intruders(photo, square):
                    return square
        return None

    def _placed(self, photo: Photo, head: Box, side: float, shift: float) -> Square:
        """A square of ``side`` with the head inside; ``shift`` (-0.5…0.5) moves it sideways within that limit.

        Positive shifts lead away from the nearest other face, whichever side it is on.
        """
        slack_x, slack_y = side - (head[2] - head[0]), side - (head[3] - head[1])
        away = shift * _side_of_others(photo, head) if shift else 0.0
        left = head[0] - slack_x * (0.5 + away)
        share = self.above / (self.above + self.below) if self.above + self.below > 0 else 0.5
        top = head[1] - slack_y * share
        width, height = photo.size
        return inside(np.floor(left), np.floor(top), np.ceil(side), width, height)


def visible_head(photo: Photo) -> Box:
    """The part of the subject's head box that is inside the photo."""
    subject = photo.subject
    assert subject is not None
    width, height = photo.size
    x0, y0, x1, y1 = subject["head"]
    x0, y0 = min(max(x0, 0.0), width - 1.0), min(max(y0, 0.0), height - 1.0)
    return x0, y0, max(min(x1, float(width)), x0 + 1.0), max(min(y1, float(height)), y0 + 1.0)


def _side_of_others(photo: Photo, head: Box) -> float:
    """+1 when the nearest other face is to the right of the head, -1 when it is to the left."""
    middle = (head[0] + head[2]) / 2
    centres = [(face["box"][0] + face["box"][2]) / 2 - middle for face in photo.others]
    return 1.0 if min(centres, key=abs) >= 0 else -1.0


def _intruders(photo: Photo, square: Square) -> bool:
    left, top, side = square
    for face in photo.others:
        x0, y0, x1, y1 = face["box"]
        common = max(0.0, min(x1, left + side) - max(x0, left)) * max(0.0, min(y1, top + side) - max(y0, top))
        if common > LEAST_INTRUSION * (x1 - x0) * (y1 - y0):
            return True
    return False


def _levelled(photo: Photo) -> Photo:
    """The surroundings of the head turned about its middle by its roll."""
    subject = photo.subject
    assert subject is not None
    x0, y0, x1, y1 = subject["head"]
    reach = 1.5 * max(x1 - x0, y1 - y0)
    left, top = int((x0 + x1) / 2 - reach), int((y0 + y1) / 2 - reach)
    around = cut(photo, "level", (left, top, max(1, int(2 * reach))))
    angle = np.radians(subject["roll"])
    cos, sin = float(np.cos(angle)), float(np.sin(angle))
    middle = around.size[0] / 2
    # PIL asks where each new pixel comes from (turn by +roll); coordinates go the other way (turn by -roll).
    back = (cos, -sin, middle - cos * middle + sin * middle, sin, cos, middle - sin * middle - cos * middle)
    moved: Affine = (cos, sin, middle - cos * middle - sin * middle, -sin, cos, middle + sin * middle - cos * middle)
    turned = Image.fromarray(around.pixels).transform(
        around.size, Image.Transform.AFFINE, back, Image.Resampling.BICUBIC, fillcolor=(255, 255, 255)
    )
    known = np.full(around.pixels.shape[:2], 255, np.uint8) if around.mask is None else around.mask
    mask = Image.fromarray(known).transform(around.size, Image.Transform.AFFINE, back, Image.Resampling.NEAREST)
    level = around.after("level", np.array(turned), np.array(mask), moved, degrees=round(-subject["roll"], 2))
    return _with_head(level, upright_head(around.seen["faces"][around.seen["subject"]]["head"], subject["roll"]))


def upright_head(leaning: Box, roll: float) -> Box:
    """The box of a head, turned upright about its middle, that leaned by ``roll`` degrees in the box ``leaning``.

    A head is round: the upright box around a leaning ellipse with half axes w and h has half sides W and H with
    W² + H² = w² + h² and H² - W² = (h² - w²) cos 2·roll. Turning the box's corners instead would make it a fifth
    larger at 20°, and the head in the crop that much smaller.
    """
    x0, y0, x1, y1 = leaning
    wide, tall = ((x1 - x0) / 2) ** 2, ((y1 - y0) / 2) ** 2
    whole, turn = wide + tall, float(np.cos(np.radians(2 * roll)))
    taller = (tall - wide) / turn if abs(turn) > LEAST_TURN else USUAL_TALLER * whole
    taller = min(max(taller, 0.0), MOST_TALLER * whole)
    half_w, half_h = float(np.sqrt((whole - taller) / 2)), float(np.sqrt((whole + taller) / 2))
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    return x - half_w, y - half_h, x + half_w, y + half_h


def _with_head(photo: Photo, head: Box) -> Photo:
    index = photo.seen["subject"]
    faces = list(photo.seen["faces"])
    faces[index] = {**faces[index], "head": [round(value, 2) for value in head]}
    return replace(photo, seen={**photo.seen, "faces": faces})
