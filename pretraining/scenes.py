"""In which circumstances somebody is drawn: clothes, expression, background, framing, light, bystanders.

Separate from identities because a context must say nothing about who is in it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pretraining import palette, styles
from pretraining.identities import Identity, choose
from pretraining.styles import Options

PATTERNS = ("plain", "halves", "floor", "diagonal", "stripes")


@dataclass(frozen=True)
class Framing:
    """Where the figure stands: fractions of the picture, degrees, and whether it is mirrored."""

    scale: float
    dx: float
    dy: float
    rotation: float
    flip: bool


@dataclass(frozen=True)
class Thing:
    """A distractor object: shape, centre and size in fractions of the picture, colour."""

    shape: str
    x: float
    y: float
    size: float
    color: str


@dataclass(frozen=True)
class Scene:
    """One context. ``turn`` is the added yaw in degrees (positive = to the picture's right, before a flip)."""

    options: Options
    words: dict[str, str]
    pattern: str
    colors: tuple[str, str]
    framing: Framing
    turn: float
    light: tuple[float, float, float]
    """Gain at the centre, gradient per picture width and height."""
    noise: float
    blur: float
    things: tuple[Thing, ...] = ()
    companion: int | None = None
    """Number of the second person in the stream ``train``, None in most pictures."""


def background(rng: np.random.Generator) -> tuple[str, tuple[str, str], dict[str, str]]:
    """Pattern, two colours, words. 70 % plain; in the others the first colour covers the larger part."""
    first, second = (str(name) for name in rng.choice(list(palette.BACKGROUNDS), 2, replace=False))
    colors = (palette.jitter(palette.BACKGROUNDS[first], rng), palette.jitter(palette.BACKGROUNDS[second], rng))
    if rng.random() < 0.70:
        return "plain", (colors[0], colors[0]), {"background": first}
    return str(choose(rng, PATTERNS[1:])), colors, {"background": first, "background 2": second}


def framing(rng: np.random.Generator, strength: float = 1.0) -> Framing:
    """Mostly a head-and-shoulders picture, now and then from farther away."""
    scale = 1.0 + strength * (rng.uniform(-0.08, 0.22) if rng.random() < 0.85 else rng.uniform(-0.32, -0.08))
    return Framing(
        scale,
        strength * rng.uniform(-0.08, 0.08),
        strength * rng.uniform(-0.04, 0.06),
        strength * float(np.clip(rng.normal(0, 4), -10, 10)),
        bool(rng.random() < 0.5),
    )


def clothes_and_face(identity: Identity, rng: np.random.Generator) -> tuple[Options, dict[str, str]]:
    """What the context decides of the figure itself, as options and words."""
    if identity.noun != "person":
        mood = str(choose(rng, styles.MOUTHS))
        return {"mouthVariant": str(choose(rng, styles.MOUTHS[mood]))}, {"expression": mood}
    sheet = styles.PORTRAITS[identity.style]
    color, kind = str(choose(rng, palette.CLOTHES)), str(choose(rng, sheet.clothes))
    mood = "smiling" if rng.random() < 0.35 else str(choose(rng, sheet.expressions))
    options: Options = {sheet.slots["clothes"] + "Color": palette.jitter(palette.CLOTHES[color], rng)}
    options |= choose(rng, sheet.clothes[kind])  # type: ignore[operator]
    options |= choose(rng, sheet.expressions[mood])  # type: ignore[operator]
    return options, {"clothes": kind, "clothes color": color, "expression": mood}


def things(rng: np.random.Generator) -> tuple[Thing, ...]:
    """No distractor in 86 % of the pictures, else one or two in the upper corners or at the edge."""
    count = int(rng.choice([0, 1, 2], p=[0.86, 0.11, 0.03]))
    made = []
    for _ in range(count):
        x = rng.uniform(0.04, 0.22) if rng.random() < 0.5 else rng.uniform(0.78, 0.96)
        made.append(
            Thing(
                str(choose(rng, ("ball", "box", "frame", "lamp"))),
                x,
                rng.uniform(0.08, 0.9),
                rng.uniform(0.05, 0.11),
                str(choose(rng, palette.BODIES.values())),
            )
        )
    return tuple(made)


def of(identity: Identity, rng: np.random.Generator, clean: bool = False) -> Scene:
    """A context for ``identity``; ``clean`` leaves out distractors, bystanders, noise and blur."""
    pattern, colors, words = background(rng)
    options, own_words = clothes_and_face(identity, rng)
    person = identity.noun == "person"
    turn = float(np.clip(rng.normal(0, 10), -25, 25)) if person else 0.0
    light = (rng.uniform(0.92, 1.06), rng.uniform(-0.14, 0.14), rng.uniform(-0.10, 0.10))
    companion = int(rng.integers(1 << 30)) if not clean and person and rng.random() < 0.03 else None
    if companion is not None:
        words["company"] = "another person"
    return Scene(
        options,
        words | own_words,
        pattern,
        colors,
        framing(rng),
        turn,
        light,
        noise=0.0 if clean or rng.random() < 0.6 else rng.uniform(0.5, 2.5),
        blur=0.0 if clean or rng.random() < 0.8 else rng.uniform(0.2, 0.6),
        things=() if clean else things(rng),
        companion=companion,
    )
