"""Command `subjects`: photo sets of reserved people, monsters and plants, for studies of the built-in model.

Per subject a folder with the sets that a study compares (`SETS`), the photos nobody trains on (``more``), and
``subject.json``: class noun and description. Streams: `develop` to choose settings on, `test` for tables; what else
has looked at which numbers of it is told in docs/toon-phenomena.md. Separate from the shipped samples because here
nothing is spoilt by accident: each set differs from the plain one in one thing.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from pretraining import atomic, captions, draw, identities, palette, samples, scenes, styles
from pretraining.identities import SEED, Identity
from pretraining.randomness import stream
from pretraining.samples import LANDSCAPE, PORTRAIT, SQUARE, Shot

TRAINED = 13
"""How many of a subject's photos can be trained on; the others are held out."""
SHOTS = tuple(
    Shot(side, shape, orientation)
    for side, shape, orientation in zip(
        (400, 360, 380, 340, 400, 420, 360, 380, 340, 400, 360, 380, 400, 320, 288, 360, 340, 300) * 2,
        (SQUARE, PORTRAIT, SQUARE, LANDSCAPE, SQUARE, PORTRAIT, SQUARE, SQUARE, LANDSCAPE) * 4,
        (1, 1, 1, 1, 1, 6, 1, 1, 3, 1, 1, 1, 8) * 3,
        strict=False,
    )
)[:31]
"""All photos of a subject, for training and held out; two in thirteen were stored lying, one upside down."""
FAR = 0.62
"""Scale of the figure in the set ``far``: heads at half the size, so that the crop decides."""
TURN = 34.0
"""Degrees from the front, as the picture shows it."""

Change = Callable[[scenes.Scene, int, Identity], scenes.Scene]


def _turned(scene: scenes.Scene, index: int, identity: Identity) -> scenes.Scene:
    """Every third head far to the side, always to the side it already looks to.

    A style may draw faces that look aside by themselves, so what is added differs from style to style.
    """
    if index % 3 != 2:
        return scene
    own = styles.PORTRAITS[identity.style].face.yaw
    return replace(scene, turn=(TURN if own + scene.turn >= 0 else -TURN) - own)


def _far(scene: scenes.Scene, index: int, identity: Identity) -> scenes.Scene:
    """The head in half its size and off the middle."""
    side = 0.16 if index % 2 else -0.16
    return replace(scene, framing=replace(scene.framing, scale=FAR, dx=side))


def _glued(scene: scenes.Scene, index: int, identity: Identity) -> scenes.Scene:
    """All before one wall, in the orange that the subject's first photo would never tell apart from the person."""
    wall = palette.BACKGROUNDS["orange"]
    words = {key: value for key, value in scene.words.items() if key != "background 2"} | {"background": "orange"}
    return replace(scene, pattern="plain", colors=(wall, wall), words=words)


def _same(scene: scenes.Scene, index: int, identity: Identity) -> scenes.Scene:
    return scene


SETS: dict[str, Change] = {"photos": _same, "turned": _turned, "far": _far, "glued": _glued}
"""Set -> what it changes of the plain scenes; contexts, clothes and shapes are those of the plain set."""


def subject(kind: str, stream_name: str, number: int) -> Identity:
    """A reserved person, or a monster or plant from a stream that no training draws from."""
    if kind == "person":
        return identities.of(stream_name, number)
    make = {"monster": identities.monster, "plant": identities.plant}[kind]
    return make(stream(SEED, f"identity/{stream_name}/{kind}", number), f"{stream_name}-{kind}", number)


def description(identity: Identity) -> str:
    """The subject in words that the model knows, but for beard and skin, which most have nothing to say of; an
    off-palette hair colour is called by the nearest name."""
    words = identity.words
    if identity.noun == "monster":
        return f"a {words['body']} monster with {words['top']}, with {words['eyes']}"
    if identity.noun == "plant":
        return f"a {words['kind']} plant in a {words['pot']} pot"
    sheet = styles.PORTRAITS[identity.style]
    shade = str(identity.options[sheet.slots["hair"] + "Color"])
    color = None if words["hair"] in sheet.colorless else words.get("hair color") or nearest(shade, palette.HAIR)
    pieces = [captions.hair_words(words["hair"], color)]
    pieces += [f"with {words['glasses']}"] if "glasses" in words else []
    pieces += [f"in {sheet.word} style"]
    return captions.prompt("person", pieces).removeprefix("a photo of ")


def nearest(shade: str, names: dict[str, str]) -> str:
    """The name of the nearest colour (Euclidean in sRGB)."""
    here = _rgb(shade)
    return min(names, key=lambda name: float(np.square(_rgb(names[name]) - here).sum()))


def _rgb(shade: str) -> np.ndarray:
    return np.array([int(shade.lstrip("#")[i : i + 2], 16) for i in (0, 2, 4)], float)


def shots(identity: Identity) -> list[Shot]:
    """The subject's photos in the order of their takes: first those to train on, then those held out.

    The order is by chance, so that the two parts differ by nothing else: what is asked of pictures beside both
    (docs/decisions/038) may then take any other parting for as good as this one.
    """
    order = stream(SEED, f"subjects/{identity.stream}/{identity.number}/shots", 0).permutation(len(SHOTS))
    return [SHOTS[index] for index in order]


def drawn(identity: Identity, take: int, shot: Shot, change: Change) -> draw.Drawing:
    """Take ``take`` of ``identity``, its scene changed; equal takes of two sets differ in the change alone."""
    rng = stream(SEED, f"subjects/{identity.stream}/{identity.number}", take)
    return draw.draw(identity, change(samples.scene(identity, shot, rng), take, identity), shot.side, rng)


def photo(drawing: draw.Drawing, shot: Shot) -> Image.Image:
    """The drawing cut to the shot's shape."""
    return Image.fromarray(drawing.pixels).crop(samples.window(drawing, shot))


def write(folder: Path, kind: str, stream_name: str, numbers: range) -> list[Path]:
    """Write ``<folder>/<kind>-<number>/<set>/IMG_0001.jpg`` …; returns the subjects' folders."""
    made = []
    for number in numbers:
        identity = subject(kind, stream_name, number)
        place = folder / f"{kind}-{number:02d}"
        sets = SETS if kind == "person" else {name: SETS[name] for name in ("photos", "glued")}
        for name, change in sets.items():
            _write_set(place / name, identity, range(TRAINED), change)
        _write_set(place / "more", identity, range(TRAINED, len(SHOTS)), _same)
        facts = {"class_noun": identity.noun, "description": description(identity), "style": identity.style}
        atomic.write(place / "subject.json", lambda path, facts=facts: path.write_text(json.dumps(facts, indent=2)))
        made.append(place)
    return made


def _write_set(folder: Path, identity: Identity, takes: range, change: Change) -> None:
    chosen = shots(identity)[takes.start : takes.stop]
    made = [drawn(identity, take, shot, change) for take, shot in zip(takes, chosen, strict=True)]
    for take, drawing, shot in zip(takes, made, chosen, strict=True):
        samples.write_photo(folder, photo(drawing, shot), shot, take)
    if takes.start == 0:
        samples.write_captions(folder, chosen, [samples.caption(drawing) for drawing in made])
