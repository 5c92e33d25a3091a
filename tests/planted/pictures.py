"""Pictures as a model would have drawn them: a person in a scene that follows a prompt or does not, softened."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from boothlab.assets import asset
from pretraining import draw, identities, palette, scenes, styles
from pretraining.identities import Identity
from pretraining.randomness import stream, torch_stream
from pretraining.scenes import Scene

SIDE = 128

Pixels = NDArray[np.uint8]

LATENT_NOISE = 0.06
"""Standard deviation of the noise on latents (whose own is about 1): faults of drawing, not of the autoencoder."""


@dataclass(frozen=True)
class Size:
    """How much is drawn: pictures per context prompt, bare ones, class ones; photos of both kinds; how to soften."""

    repeats: int
    bare: int
    of_class: int
    photos: int
    held_out: int
    autoencoder: bool


FULL = Size(repeats=2, bare=20, of_class=10, photos=10, held_out=10, autoencoder=True)
"""As the preset ``study`` has it, through toon's autoencoder with noise on the latents."""
SMALL = Size(repeats=1, bare=10, of_class=10, photos=6, held_out=6, autoencoder=False)
"""For a quick test: fewer pictures, blurred and compressed."""


def chance(*purpose: object) -> np.random.Generator:
    """A generator of its own for every purpose."""
    return stream(identities.SEED, "/".join(("planted", *map(str, purpose))))


def asked_scene(identity: Identity, scene: Scene, prompt: str) -> tuple[Identity, Scene]:
    """The person and the scene changed to what ``prompt`` asks for, as far as the style can show it."""
    sheet = styles.PORTRAITS[identity.style]
    words = prompt.split()
    if words[-1] == "background":
        color = palette.BACKGROUNDS[words[-2]]
        return identity, replace(scene, pattern="plain", colors=(color, color))
    if "black shirt" in prompt:
        kind = "shirt" if "shirt" in sheet.clothes else "t-shirt"
        options = {sheet.slots["clothes"] + "Color": palette.CLOTHES["black"]} | sheet.clothes[kind][0]
        return identity, replace(scene, options=scene.options | options)
    if "smiling" in prompt:
        return identity, replace(scene, options=scene.options | sheet.expressions["smiling"][0])
    if "glasses" in prompt and sheet.glasses:
        return replace(identity, options=identity.options | sheet.glasses["glasses"][0]), scene
    if "red cap" in prompt and "cap" in sheet.hair:
        cap = sheet.hair["cap"][0] | {sheet.slots["hair"] + "Color": palette.CLOTHES["red"]}
        return replace(identity, options=identity.options | cap), scene
    return identity, scene


def painted(identity: Identity, scene: Scene, prompt: str, rng: np.random.Generator) -> Pixels:
    """(128, 128, 3): the person in the scene, with what ``prompt`` asks for; "" asks for nothing."""
    sheet = styles.PORTRAITS[identity.style]
    if prompt:
        identity, scene = asked_scene(identity, scene, prompt)
    drawing = draw.draw(identity, scene, SIDE, rng)
    added = Image.fromarray(drawing.pixels)
    if "glasses" in prompt and not sheet.glasses:
        _glasses(added, drawing.heads[0])
    if "red cap" in prompt and "cap" not in sheet.hair:
        _cap(added, drawing.heads[0])
    return np.array(added)


def _glasses(picture: Image.Image, head: draw.Head) -> None:
    """Two rings and a bridge, for the style that has no glasses."""
    (x0, y0), (x1, y1) = head.points[:2]
    pen, r = ImageDraw.Draw(picture), 0.36 * abs(x1 - x0)
    for x, y in ((x0, y0), (x1, y1)):
        pen.ellipse((x - r, y - r, x + r, y + r), outline="#2b2b33", width=3)
    side = r if x1 > x0 else -r
    pen.line((x0 + side, y0, x1 - side, y1), fill="#2b2b33", width=3)


def _cap(picture: Image.Image, head: draw.Head) -> None:
    """A red dome over the head and its brim, for styles that have no cap."""
    x0, y0, x1, y1 = head.box
    pen, w, h = ImageDraw.Draw(picture), x1 - x0, y1 - y0
    color = palette.CLOTHES["red"]
    pen.pieslice((x0 - 0.08 * w, y0 - 0.2 * h, x1 + 0.08 * w, y0 + 0.75 * h), 180, 360, fill=color)
    pen.rounded_rectangle((x0 - 0.08 * w, y0 + 0.22 * h, x1 + 0.3 * w, y0 + 0.31 * h), 3, fill=color)


def softened(pictures: Sequence[Pixels], size: Size, *purpose: object) -> list[Pixels]:
    """The same pictures as a diffusion model gives them back: soft edges, small faults, never twice the same."""
    rng = chance("soft", *purpose)
    blurred = [_blurred(pixels, rng) for pixels in pictures]
    if not size.autoencoder:
        return [_compressed(pixels, rng) for pixels in blurred]
    return _through_autoencoder(blurred, "/".join(map(str, purpose)))


def _blurred(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    soft = Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 0.7)))
    gain = rng.uniform(0.96, 1.04, 3)
    return np.clip(np.rint(np.asarray(soft) * gain), 0, 255).astype(np.uint8)


def _compressed(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    noisy = np.clip(pixels + rng.normal(0, 3.0, pixels.shape), 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noisy).save(buffer, "JPEG", quality=60)
    return np.asarray(Image.open(buffer))


@cache
def _autoencoder() -> Any:
    from diffusers import AutoencoderKL

    return AutoencoderKL.from_pretrained(asset("toon", "sd", "vae")).eval()


def _through_autoencoder(pictures: Sequence[Pixels], purpose: str) -> list[Pixels]:
    import torch

    from pretraining.autoencoder import to_model, to_pixels

    network, found = _autoencoder(), []
    generator = torch_stream(identities.SEED, f"planted/latents/{purpose}")
    with torch.inference_mode():
        for start in range(0, len(pictures), 10):
            latents = network.encode(to_model(np.stack(pictures[start : start + 10]))).latent_dist.mode()
            latents = latents + LATENT_NOISE * torch.randn(latents.shape, generator=generator)
            found += [np.asarray(pixels) for pixels in to_pixels(network.decode(latents).sample)]
    return found


def cut(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """A part of 76–92 % of the sides, a little off the middle, at full size."""
    side = rng.uniform(0.76, 0.92) * SIDE
    left, top = (SIDE - side) / 2 + rng.uniform(-0.25, 0.25, 2) * (SIDE - side)
    picture = Image.fromarray(pixels)
    return np.asarray(
        picture.resize((SIDE, SIDE), Image.Resampling.BICUBIC, box=(left, top, left + side, top + side))
    )


def between(first: Scene, second: Scene, share: float) -> Scene:
    """The first scene with its framing and the head's turn moved by ``share`` towards the second's."""
    a, b = first.framing, second.framing
    moved = {
        name: (1 - share) * getattr(a, name) + share * getattr(b, name) for name in ("scale", "dx", "dy", "rotation")
    }
    turn = (1 - share) * first.turn + share * second.turn
    return replace(first, framing=replace(a, **moved), turn=turn)


def clean_scene(identity: Identity, rng: np.random.Generator) -> Scene:
    """A scene without bystanders: nobody's photos of one person keep those."""
    return replace(scenes.of(identity, rng), companion=None)
