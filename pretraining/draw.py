"""Draw one identity in one scene: an RGB picture and its ground truth.

Only `pretraining` and tests may read the truth; the runtime package sees pixels.
Shapes: pictures (H, W, 3) uint8 sRGB; masks (H, W) uint8; coordinates in pixels, x to the right, y down.
"""

from __future__ import annotations

import io
import math
import re
from dataclasses import dataclass

import numpy as np
import resvg_py
from dicebear import Avatar
from PIL import Image, ImageFilter

from pretraining import identities, scenes, styles
from pretraining.identities import Identity, Mark
from pretraining.randomness import stream
from pretraining.scenes import Scene, Thing

Affine = tuple[float, float, float, float, float, float]
"""SVG order: x' = a x + c y + e, y' = b x + d y + f."""

_USE = re.compile(r'<use(?: transform="([^"]*)")? href="#([A-Za-z]+)-')
_HIGHLIGHT = re.compile(r'<mask id="personas-a".*?</mask><g mask="url\(#personas-a\)">.*?</g>', re.S)
_BACKDROP = re.compile(r'(<g clip-path="[^"]*">)<rect [^>]*/>')


@dataclass(frozen=True)
class Head:
    """Truth of one head: box (x0, y0, x1, y1), five points (eyes, nose, mouth corners), yaw in degrees."""

    box: tuple[float, float, float, float]
    points: tuple[tuple[float, float], ...]
    yaw: float


@dataclass(frozen=True)
class Drawing:
    """A picture with everything that is true of it; ``heads[0]`` is the subject's."""

    pixels: np.ndarray
    noun: str
    style: str
    words: dict[str, str]
    heads: tuple[Head, ...]
    mask: np.ndarray | None = None


def draw(identity: Identity, scene: Scene, size: int, rng: np.random.Generator, with_mask: bool = False) -> Drawing:
    """Render. ``rng`` only feeds the sensor noise; ``with_mask`` adds the figure's coverage."""
    figure, heads = _figure(identity, scene, size)
    layers = [_backdrop(scene, size), *(_thing(thing, size) for thing in scene.things)]
    if scene.companion is not None:
        extra, extra_heads = _companion(scene, size)
        layers.append(extra)
        heads = (*heads, *extra_heads)
    pixels = _rasterise("".join((*layers, figure)), size)[..., :3]
    mask = _rasterise(figure, size)[..., 3] if with_mask else None
    words = identity.words | scene.words
    return Drawing(_photograph(pixels, scene, rng), identity.noun, identity.style, words, heads, mask)


def of(
    stream_name: str, number: int, size: int, take: int = 0, clean: bool = False, with_mask: bool = False
) -> Drawing:
    """Drawing ``take`` of identity ``number``: a pure function of its arguments."""
    identity = identities.of(stream_name, number)
    rng = stream(identities.SEED, f"scene/{stream_name}/{number}", take)
    return draw(identity, scenes.of(identity, rng, clean), size, rng, with_mask)


def _matrix(scene: Scene, canvas: float, size: int, noun: str) -> Affine:
    """Canvas to pixels. The canvas' lower edge is kept beneath the picture's, so no figure floats."""
    frame = scene.framing
    unit = size / canvas * frame.scale
    angle = math.radians(frame.rotation)
    a, b = unit * math.cos(angle), unit * math.sin(angle)
    c, d = -b, a
    if frame.flip:
        a, b = -a, -b
    centre = canvas / 2
    e = size * (0.5 + frame.dx) - (a * centre + c * centre)
    f = size * (0.5 + frame.dy) - (b * centre + d * centre)
    reach = (0.12, 0.88) if noun == "person" else (0.05, 0.95)
    lowest = min(b * canvas * x + d * canvas + f for x in reach)
    return a, b, c, d, e, f + max(0.0, size + 1 - lowest)


def _at(matrix: Affine, x: float, y: float) -> tuple[float, float]:
    a, b, c, d, e, f = matrix
    return a * x + c * y + e, b * x + d * y + f


def _figure(identity: Identity, scene: Scene, size: int) -> tuple[str, tuple[Head, ...]]:
    """The figure as an SVG group in pixels, and its head's truth (none for monsters and plants)."""
    style = styles.load_style(identity.style)
    canvas = float(style.canvas().width())
    seed = f"{identity.stream}-{identity.number}"
    svg = Avatar(style, {"seed": seed, "size": size} | identity.options | scene.options).to_string()
    svg = _BACKDROP.sub(r"\1", _HIGHLIGHT.sub("", svg))
    defs = svg[svg.find("<defs>") : svg.find("</defs>") + 7]
    body = re.sub(r"^<g[^>]*>", "", svg[svg.find("</defs>") + 7 : svg.rfind("</svg>")])[: -len("</g>")]
    matrix = _matrix(scene, canvas, size, identity.noun)
    heads: tuple[Head, ...] = ()
    shift = 0.0
    if identity.noun == "person":
        face = styles.PORTRAITS[identity.style].face
        shift = _feature_shift(face, scene.turn)
        heads = (_head(identity, face, shift, matrix, canvas, scene),)
    body = _USE.sub(lambda found: _moved(found, identity, shift, canvas), body)
    marks = "".join(_mark(mark, shift, canvas) for mark in identity.marks)
    numbers = " ".join(f"{value:.4f}" for value in matrix)
    return f'{defs}<g fill="none" transform="matrix({numbers})">{body}{marks}</g>', heads


def _feature_shift(face: styles.Face, turn: float) -> float:
    """How far the features slide (hundredths of the canvas) when the head turns by ``turn`` degrees.

    A sphere of half the head's width seen from the front moves a surface point by r (sin(y0+t) - sin(y0));
    0.6 of it, since features of a drawing are not on its very surface.
    """
    radius = (face.box[2] - face.box[0]) / 2
    return 0.6 * radius * (math.sin(math.radians(face.yaw + turn)) - math.sin(math.radians(face.yaw)))


def _head(identity: Identity, face: styles.Face, shift: float, matrix: Affine, canvas: float, scene: Scene) -> Head:
    unit = canvas / 100
    left, top, right, bottom = face.box
    corners = [_at(matrix, x * unit, y * unit) for x in (left, right) for y in (top, bottom)]
    middle_x, middle_y = (sum(values) / 4 for values in zip(*corners, strict=True))
    size_x = (right - left) / 2 * math.hypot(matrix[0], matrix[1]) * unit
    size_y = (bottom - top) / 2 * math.hypot(matrix[2], matrix[3]) * unit
    owners = ("eyes", "eyes", "nose", "mouth", "mouth")
    points = []
    for owner, (x, y) in zip(owners, face.points, strict=True):
        dx, dy, _ = identity.parts.get(owner, (0.0, 0.0, 1.0))
        points.append(_at(matrix, (x + shift + dx) * unit, (y + dy) * unit))
    yaw = face.yaw + scene.turn
    if scene.framing.flip:
        points = [points[i] for i in (1, 0, 2, 4, 3)]
        yaw = -yaw
    return Head((middle_x - size_x, middle_y - size_y, middle_x + size_x, middle_y + size_y), tuple(points), yaw)


def _moved(found: re.Match[str], identity: Identity, shift: float, canvas: float) -> str:
    """One ``<use>`` with the head's turn and the identity's part size and offset applied."""
    transform, component = found.group(1) or "", found.group(2)
    dx, dy, scale = identity.parts.get(component, (0.0, 0.0, 1.0))
    if identity.noun == "person" and component in styles.PORTRAITS[identity.style].face.moving:
        dx += shift
    if (dx, dy, scale) == (0.0, 0.0, 1.0):
        return found.group(0)
    unit = canvas / 100
    part = styles.load_style(identity.style).components()[component]
    x, y = part.width() / 2, part.height() / 2
    inner = f"translate({x:.3f} {y:.3f}) scale({scale:.4f}) translate({-x:.3f} {-y:.3f})"
    return f'<use transform="translate({dx * unit:.3f} {dy * unit:.3f}) {transform} {inner}" href="#{component}-'


def _mark(mark: Mark, shift: float, canvas: float) -> str:
    unit = canvas / 100
    x, y, size = (mark.x + shift) * unit, mark.y * unit, mark.size * unit
    if mark.kind == "mole":
        return f'<circle cx="{x:.2f}" cy="{y:.2f}" r="{size:.2f}" fill="#2a1512"/>'
    box = f'x="{x - 3 * size:.2f}" y="{y - size / 2:.2f}" width="{6 * size:.2f}" height="{size:.2f}"'
    turned = f'<g transform="rotate({mark.angle:.1f} {x:.2f} {y:.2f})">'
    return f'{turned}<rect {box} rx="{size / 2:.2f}" fill="#8e2f3a"/></g>'


def _backdrop(scene: Scene, size: int) -> str:
    first, second = scene.colors
    base = f'<rect width="{size}" height="{size}" fill="{first}"/>'
    if scene.pattern == "halves":
        return base + f'<rect x="{0.6 * size}" width="{0.4 * size}" height="{size}" fill="{second}"/>'
    if scene.pattern == "floor":
        return base + f'<rect y="{0.65 * size}" width="{size}" height="{0.35 * size}" fill="{second}"/>'
    if scene.pattern == "diagonal":
        return base + f'<path d="M{size} {0.1 * size}V{size}H{0.1 * size}Z" fill="{second}"/>'
    if scene.pattern == "stripes":
        bars = (f'<rect x="{x * size / 8}" width="{size / 16}" height="{size}" fill="{second}"/>' for x in range(8))
        return base + "".join(bars)
    return base


def _thing(thing: Thing, size: int) -> str:
    x, y, r = thing.x * size, thing.y * size, thing.size * size
    if thing.shape == "ball":
        return f'<circle cx="{x}" cy="{y}" r="{r}" fill="{thing.color}"/>'
    if thing.shape == "box":
        return f'<rect x="{x - r}" y="{y - r}" width="{2 * r}" height="{2 * r}" fill="{thing.color}"/>'
    if thing.shape == "frame":
        return (
            f'<rect x="{x - r}" y="{y - r}" width="{2 * r}" height="{1.5 * r}" fill="#f7f2e6" '
            f'stroke="{thing.color}" stroke-width="{r / 3}"/>'
        )
    return (
        f'<rect x="{x - r / 8}" y="0" width="{r / 4}" height="{y}" fill="#55504a"/>'
        f'<path d="M{x - r} {y + r}L{x} {y - r}L{x + r} {y + r}Z" fill="{thing.color}"/>'
    )


def _companion(scene: Scene, size: int) -> tuple[str, tuple[Head, ...]]:
    """A second, smaller person at one side behind the subject."""
    assert scene.companion is not None
    rng = stream(identities.SEED, "companion", scene.companion)
    other = identities.portrait(rng, "train", scene.companion, unsayable=0.2)
    side = -1 if rng.random() < 0.5 else 1
    frame = scenes.Framing(rng.uniform(0.5, 0.65), side * rng.uniform(0.3, 0.38), 0.1, 0.0, bool(rng.random() < 0.5))
    options, _ = scenes.clothes_and_face(other, rng)
    small = scenes.Scene(options, {}, "plain", scene.colors, frame, 0.0, scene.light, 0.0, 0.0)
    return _figure(other, small, size)


def _rasterise(content: str, size: int) -> np.ndarray:
    """SVG content in pixel units -> (size, size, 4) uint8 with straight alpha."""
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}" width="{size}" height="{size}">'
        f"{content}</svg>"
    )
    with Image.open(io.BytesIO(resvg_py.svg_to_bytes(svg_string=svg, skip_system_fonts=True))) as picture:
        return np.asarray(picture.convert("RGBA"))


def _photograph(pixels: np.ndarray, scene: Scene, rng: np.random.Generator) -> np.ndarray:
    """Light gradient, blur and sensor noise, as a plain camera adds them."""
    size = pixels.shape[0]
    ramp = np.linspace(-0.5, 0.5, size, dtype=np.float32)
    gain = scene.light[0] + scene.light[1] * ramp[None, :] + scene.light[2] * ramp[:, None]
    if scene.blur > 0:
        soften = ImageFilter.GaussianBlur(scene.blur * size / 128)
        pixels = np.asarray(Image.fromarray(np.ascontiguousarray(pixels)).filter(soften))
    lit = pixels.astype(np.float32) * gain[..., None]
    if scene.noise > 0:
        lit += rng.normal(0, scene.noise, lit.shape).astype(np.float32)
    return np.clip(np.rint(lit), 0, 255).astype(np.uint8)
