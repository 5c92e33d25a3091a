"""Who is drawn: the lasting looks of one person, monster or plant, and the streams that reserve them.

An identity keeps what its context (clothes, background, expression, framing) may not change. Streams are
disjoint by construction: an identity is a function of (stream, number), and only ``TRAINING_STREAMS`` may be
drawn for training.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pretraining import palette, styles
from pretraining.randomness import stream
from pretraining.styles import Options

SEED = 20261122
"""The recipe's root seed: all pictures of all editions of ``toon-1`` follow from it."""
TRAINING_STREAMS = ("train", "identity-train")
RESERVED_STREAMS = ("demo", "develop", "test", "study", "held-out")


@dataclass(frozen=True)
class Mark:
    """A mole or scar, in hundredths of the canvas, drawn over the face."""

    kind: str
    x: float
    y: float
    size: float
    angle: float = 0.0


@dataclass(frozen=True)
class Identity:
    """Lasting looks: what words can say (``words``), and what they cannot (colours, parts, marks)."""

    stream: str
    number: int
    noun: str
    style: str
    options: Options
    words: dict[str, str]
    parts: dict[str, tuple[float, float, float]] = field(default_factory=dict)
    """component -> (dx, dy in hundredths of the canvas, scale)."""
    marks: tuple[Mark, ...] = ()


def choose(rng: np.random.Generator, items: object) -> object:
    """One of ``items`` (any sequence or dict of values), uniformly."""
    pool = list(items)  # type: ignore[call-overload]
    return pool[int(rng.integers(len(pool)))]


def of(stream_name: str, number: int) -> Identity:
    """The identity with this number; reserved streams have unsayable looks, others sometimes.

    Raises: ValueError for a stream nobody declared.
    """
    if stream_name not in TRAINING_STREAMS + RESERVED_STREAMS:
        raise ValueError(f"unknown identity stream {stream_name!r}; have {TRAINING_STREAMS + RESERVED_STREAMS}")
    rng = stream(SEED, f"identity/{stream_name}", number)
    if stream_name not in ("train", "held-out"):
        return portrait(rng, stream_name, number, unsayable=1.0)
    noun = str(rng.choice(["person", "monster", "plant"], p=[0.80, 0.11, 0.09]))
    if noun == "monster":
        return monster(rng, stream_name, number)
    if noun == "plant":
        return plant(rng, stream_name, number)
    return portrait(rng, stream_name, number, unsayable=0.2)


def twin(identity: Identity, number: int) -> Identity:
    """Same sayable attributes, other unsayable ones: off-palette shade, part sizes and offsets, marks."""
    rng = stream(SEED, f"twin/{identity.stream}", identity.number * 1000 + number)
    sheet = styles.PORTRAITS[identity.style]
    options = dict(identity.options)
    if "hair color" not in identity.words and sheet.slots["hair"] + "Color" in options:
        options[sheet.slots["hair"] + "Color"] = palette.unnamed_color(rng)
    parts, marks = unsayable_looks(sheet, rng)
    return Identity(
        f"{identity.stream}-twin",
        identity.number * 1000 + number,
        identity.noun,
        identity.style,
        options,
        dict(identity.words),
        parts,
        marks,
    )


def portrait(
    rng: np.random.Generator, stream_name: str, number: int, unsayable: float, style: str | None = None
) -> Identity:
    """A person. ``unsayable``: probability of looks that no caption can tell."""
    sheet = styles.PORTRAITS[style or str(choose(rng, styles.PORTRAITS))]
    words: dict[str, str] = {}
    options: Options = dict(sheet.constant)
    for option, variants in sheet.fixed.items():
        options[option] = str(choose(rng, variants))
    hair_kind = str(choose(rng, sheet.hair))
    options |= choose(rng, sheet.hair[hair_kind])  # type: ignore[operator]
    special = rng.random() < unsayable
    hair_name = str(choose(rng, palette.HAIR))
    hair_hex = palette.jitter(palette.HAIR[hair_name], rng)
    if special:
        hair_hex = palette.unnamed_color(rng)
    elif hair_kind not in sheet.colorless:
        words["hair color"] = hair_name
    options[sheet.slots["hair"] + "Color"] = hair_hex
    skin_name = str(choose(rng, palette.SKIN))
    words["skin"] = skin_name
    words["hair"] = "bald" if skin_name in sheet.looks_bald.get(hair_kind, ()) else hair_kind
    options[sheet.slots["skin"] + "Color"] = palette.jitter(palette.SKIN[skin_name], rng)
    _glasses_and_beard(sheet, options, words, hair_hex, rng)
    parts, marks = unsayable_looks(sheet, rng) if special else (slight_parts(sheet, rng), ())
    return Identity(stream_name, number, "person", sheet.name, options, words, parts, marks)


def _glasses_and_beard(
    sheet: styles.StyleSheet, options: Options, words: dict[str, str], hair_hex: str, rng: np.random.Generator
) -> None:
    """Add glasses (35 % where the style has them) and a beard (20 %) to ``options`` and ``words``."""
    if sheet.glasses and rng.random() < 0.35:
        words["glasses"] = str(choose(rng, sheet.glasses))
        options |= choose(rng, sheet.glasses[words["glasses"]])  # type: ignore[operator]
    if rng.random() < 0.20:
        words["beard"] = str(choose(rng, sheet.beards))
        options |= choose(rng, sheet.beards[words["beard"]])  # type: ignore[operator]
        component = next(iter(sheet.beards[words["beard"]][0])).removesuffix("Variant")
        options[f"{component}Probability"] = 100
    if "beard" in sheet.slots:
        options[sheet.slots["beard"] + "Color"] = hair_hex


def slight_parts(sheet: styles.StyleSheet, rng: np.random.Generator) -> dict[str, tuple[float, float, float]]:
    """Everybody differs a little: offsets within 0.6 hundredths, sizes within 5 %."""
    return {
        part: (rng.uniform(-0.6, 0.6), rng.uniform(-0.6, 0.6), rng.uniform(0.95, 1.05)) for part in sheet.face.moving
    }


def unsayable_looks(
    sheet: styles.StyleSheet,
    rng: np.random.Generator,
) -> tuple[dict[str, tuple[float, float, float]], tuple[Mark, ...]]:
    """Unusual part sizes and offsets, and a mole (60 %) or scar (30 %) on the face."""
    parts = {
        part: (rng.uniform(-1.2, 1.2), rng.uniform(-1.8, 1.8), float(rng.choice([0.78, 0.88, 1.12, 1.25])))
        for part in sheet.face.moving
    }
    left, top, right, bottom = sheet.face.box
    roll = rng.random()
    if roll >= 0.9:
        return parts, ()
    place = [(0.22, 0.72), (0.80, 0.70), (0.35, 0.24), (0.66, 0.25), (0.34, 0.85), (0.68, 0.86)][int(rng.integers(6))]
    x, y = left + place[0] * (right - left), top + place[1] * (bottom - top)
    kind = "mole" if roll < 0.6 else "scar"
    return parts, (Mark(kind, x, y, rng.uniform(1.5, 2.3), rng.uniform(-60, 60)),)


def monster(rng: np.random.Generator, stream_name: str, number: int) -> Identity:
    """A creature of the style ``critters`` (CC0)."""
    color, top = str(choose(rng, palette.BODIES)), str(choose(rng, styles.MONSTER_TOPS))
    eyes = str(rng.choice(list(styles.MONSTER_EYES), p=[0.25, 0.5, 0.25]))
    accent = str(choose(rng, [name for name in palette.BODIES if name != color]))
    options: Options = {
        "bodyColor": palette.jitter(palette.BODIES[color], rng),
        "accentColor": palette.BODIES[accent],
        "bodyVariant": str(choose(rng, styles.MONSTER_SHAPES)),
        "topProbability": 100,
        "topVariant": str(choose(rng, styles.MONSTER_TOPS[top])),
        "patternProbability": 30,
        "cheeksProbability": 0,
        "eyesVariant": str(choose(rng, styles.MONSTER_EYES[eyes])),
        "animationVariant": "none",
    }
    return Identity(stream_name, number, "monster", "critters", options, {"body": color, "top": top, "eyes": eyes})


def plant(rng: np.random.Generator, stream_name: str, number: int) -> Identity:
    """A pot plant with a face, of the style ``sprouts`` (CC0)."""
    pot, kind, bloom = (str(choose(rng, pool)) for pool in (palette.BODIES, styles.PLANTS, palette.BLOOMS))
    options: Options = {
        "potColor": palette.jitter(palette.BODIES[pot], rng),
        "plantColor": palette.jitter(palette.LEAVES, rng, 2.0),
        "bloomColor": palette.BLOOMS[bloom],
        "plantVariant": str(choose(rng, styles.PLANTS[kind])),
        "potVariant": str(choose(rng, styles.PLANT_POTS)),
        "patternProbability": 30,
        "cheeksProbability": 0,
        "eyesVariant": str(choose(rng, styles.PLANT_EYES)),
        "animationVariant": "none",
    }
    words = {"pot": pot, "kind": kind}
    if kind in ("flower", "tulip"):
        words["bloom"] = bloom
    return Identity(stream_name, number, "plant", "sprouts", options, words)
