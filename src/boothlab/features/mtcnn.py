"""MTCNN in numpy: a face detector that also sees faces turned to the side, with five landmarks per face.

Written out because the three networks are tiny and numpy runs them in tens of milliseconds without importing
torch. Source: Zhang et al. 2016 (arXiv:1604.02878); weights as in PyPI ``facenet-pytorch`` 2.6.0, converted by
``scripts/convert_mtcnn.py``. Two numbers are stricter than there: the least probability at the end is 0.8, not
0.7, and one face is kept of those that overlap by half, not by 0.7.

Shapes: pictures (H, W, 3) uint8; activations (N, H, W, C) float32; boxes (N, 4) as x0, y0, x1, y1 in pixels;
points (N, 5, 2): the eye at the left of the picture, the other eye, nose tip, mouth corners likewise.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from PIL import Image
from safetensors.numpy import load_file

from boothlab.assets import asset

Floats = NDArray[np.float32]

VERSION = "mtcnn-1"

PYRAMID_FACTOR = 0.709
"""Scale between neighbouring levels of the pyramid: halves the area, as in the paper's code."""

THRESHOLDS = (0.6, 0.7, 0.8)
"""Least probability of a face after P-Net, R-Net and O-Net."""


def find_faces(pixels: NDArray[np.uint8], smallest: float) -> tuple[Floats, Floats, Floats]:
    """Faces whose side is at least ``smallest`` pixels: boxes (N, 4), scores (N,) in 0–1, points (N, 5, 2)."""
    picture = Image.fromarray(pixels)
    boxes = _propose(picture, smallest)
    if len(boxes):
        scores, shifts, _ = _look(picture, boxes, "rnet", 24)
        boxes, _ = _kept(boxes, shifts, scores, THRESHOLDS[1], 0.7)
    if not len(boxes):
        return np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros((0, 5, 2), np.float32)
    scores, shifts, inner = _look(picture, boxes, "onet", 48)
    points = _placed(boxes, inner)
    sure = scores > THRESHOLDS[2]
    moved = _shifted(boxes[sure], shifts[sure])
    pick = suppress(moved, scores[sure], 0.5, of_smaller=True)
    return moved[pick], scores[sure][pick], points[sure][pick]


def landmarks(
    pixels: NDArray[np.uint8], box: tuple[float, float, float, float], rounds: int = 3
) -> tuple[Floats, float]:
    """Five points (5, 2) of the face in ``box``, and the probability (0–1) that it is one.

    The box is drawn anew around the points ``rounds`` times and the mirrored picture is asked as well, so that the
    answer hardly depends on the box and not at all on the side a face looks to.
    """
    picture = Image.fromarray(pixels)
    square = _squared(np.asarray([box], dtype=np.float32))
    points, probability = np.zeros((5, 2), np.float32), 0.0
    for _ in range(rounds):
        points, probability = _symmetric_points(picture, square)
        middle = points.mean(axis=0)
        half = BOX_PER_SPREAD * float(np.sqrt(((points - middle) ** 2).sum(axis=1).mean())) / 2
        centre_x, centre_y = float(middle[0]), float(middle[1])
        square = np.asarray([[centre_x - half, centre_y - half, centre_x + half, centre_y + half]], np.float32)
    return points, probability


BOX_PER_SPREAD = 4.4
"""Side of the box drawn around five points, per root-mean-square distance of the points from their mean.

Median of the detector's own boxes on eight frontal and turned faces: 4.4 (4.2–4.8).
"""


def suppress(boxes: Floats, scores: Floats, overlap: float, of_smaller: bool = False) -> NDArray[np.intp]:
    """Indices that survive non-maximum suppression, best first.

    Overlap is intersection over union, or over the smaller box.
    """
    area = (boxes[:, 2] - boxes[:, 0]).clip(0) * (boxes[:, 3] - boxes[:, 1]).clip(0)
    order = np.argsort(-scores, kind="stable")
    kept = []
    while len(order):
        best, rest = order[0], order[1:]
        kept.append(best)
        corner = np.maximum(boxes[best, :2], boxes[rest, :2])
        size = (np.minimum(boxes[best, 2:], boxes[rest, 2:]) - corner).clip(0)
        common = size[:, 0] * size[:, 1]
        whole = np.minimum(area[best], area[rest]) if of_smaller else area[best] + area[rest] - common
        order = rest[common <= overlap * np.maximum(whole, 1e-6)]
    return np.asarray(kept, dtype=np.intp)


@lru_cache(maxsize=1)
def _weights() -> dict[str, Floats]:
    return load_file(asset("faces", "mtcnn.safetensors"))


def _convolved(x: Floats, net: str, layer: str) -> Floats:
    """Valid convolution, stride 1."""
    weight, bias = _weights()[f"{net}.{layer}.weight"], _weights()[f"{net}.{layer}.bias"]
    height, width, _, out = weight.shape
    if height == width == 1:
        return np.asarray(x @ weight[0, 0] + bias)
    windows = sliding_window_view(x, (height, width), axis=(1, 2))
    columns = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, weight[..., 0].size)
    return np.asarray(columns @ weight.reshape(-1, out) + bias).reshape(*windows.shape[:3], out)


def _bent(x: Floats, net: str, layer: str) -> Floats:
    """Parametric ReLU per channel."""
    return np.asarray(np.maximum(x, 0) + _weights()[f"{net}.{layer}.weight"] * np.minimum(x, 0))


def _pooled(x: Floats, side: int) -> Floats:
    """Maximum over ``side`` x ``side`` windows two apart; windows that leave the map count what is inside."""
    extra = [(-(n - side)) % 2 if n > side else max(0, side - n) for n in x.shape[1:3]]
    padded = np.pad(x, ((0, 0), (0, extra[0]), (0, extra[1]), (0, 0)), constant_values=-np.inf)
    height, width = ((n - side) // 2 + 1 for n in padded.shape[1:3])
    best = padded[:, : 2 * height - 1 : 2, : 2 * width - 1 : 2]
    for row in range(side):
        for column in range(side):
            best = np.maximum(best, padded[:, row : row + 2 * height - 1 : 2, column : column + 2 * width - 1 : 2])
    return best


def _dense(x: Floats, net: str, layer: str) -> Floats:
    return np.asarray(x @ _weights()[f"{net}.{layer}.weight"] + _weights()[f"{net}.{layer}.bias"])


def _probability(logits: Floats) -> Floats:
    """Probability of the second of two classes."""
    return np.asarray(1 / (1 + np.exp((logits[..., 0] - logits[..., 1]).clip(-60, 60))))


def _pnet(x: Floats) -> tuple[Floats, Floats]:
    x = _pooled(_bent(_convolved(x, "pnet", "conv1"), "pnet", "prelu1"), 2)
    x = _bent(_convolved(x, "pnet", "conv2"), "pnet", "prelu2")
    x = _bent(_convolved(x, "pnet", "conv3"), "pnet", "prelu3")
    return _probability(_convolved(x, "pnet", "conv4_1")), _convolved(x, "pnet", "conv4_2")


def _rnet(x: Floats) -> tuple[Floats, Floats, Floats]:
    x = _pooled(_bent(_convolved(x, "rnet", "conv1"), "rnet", "prelu1"), 3)
    x = _pooled(_bent(_convolved(x, "rnet", "conv2"), "rnet", "prelu2"), 3)
    x = _bent(_convolved(x, "rnet", "conv3"), "rnet", "prelu3")
    x = _bent(_dense(x.reshape(len(x), -1), "rnet", "dense4"), "rnet", "prelu4")
    return _probability(_dense(x, "rnet", "dense5_1")), _dense(x, "rnet", "dense5_2"), np.zeros((len(x), 10), x.dtype)


def _onet(x: Floats) -> tuple[Floats, Floats, Floats]:
    x = _pooled(_bent(_convolved(x, "onet", "conv1"), "onet", "prelu1"), 3)
    x = _pooled(_bent(_convolved(x, "onet", "conv2"), "onet", "prelu2"), 3)
    x = _pooled(_bent(_convolved(x, "onet", "conv3"), "onet", "prelu3"), 2)
    x = _bent(_convolved(x, "onet", "conv4"), "onet", "prelu4")
    x = _bent(_dense(x.reshape(len(x), -1), "onet", "dense5"), "onet", "prelu5")
    return _probability(_dense(x, "onet", "dense6_1")), _dense(x, "onet", "dense6_2"), _dense(x, "onet", "dense6_3")


def _normal(pixels: NDArray[np.uint8]) -> Floats:
    return (pixels.astype(np.float32) - np.float32(127.5)) / np.float32(128)


def _propose(picture: Image.Image, smallest: float) -> Floats:
    """Square boxes that P-Net takes for faces, over all scales."""
    width, height = picture.size
    scale = 12.0 / smallest
    boxes, shifts, scores = [], [], []
    while min(width, height) * scale >= 12:
        level = picture.resize((int(width * scale) + 1, int(height * scale) + 1), Image.Resampling.BOX)
        probability, regression = _pnet(_normal(np.asarray(level))[None])
        rows, columns = np.nonzero(probability[0] > THRESHOLDS[0])
        corner = np.stack([columns, rows], axis=1).astype(np.float32) * 2
        found = np.concatenate([(corner + 1) / scale, (corner + 12) / scale], axis=1).astype(np.float32)
        chosen = suppress(found, probability[0, rows, columns], 0.5)
        boxes.append(found[chosen])
        shifts.append(regression[0, rows, columns][chosen])
        scores.append(probability[0, rows, columns][chosen])
        scale *= PYRAMID_FACTOR
    if not boxes:
        return np.zeros((0, 4), np.float32)
    return _kept(np.concatenate(boxes), np.concatenate(shifts), np.concatenate(scores), THRESHOLDS[0], 0.7)[0]


def _kept(boxes: Floats, shifts: Floats, scores: Floats, least: float, overlap: float) -> tuple[Floats, Floats]:
    """Boxes that are sure enough, suppressed, shifted by the network's correction and made square."""
    sure = scores > least
    boxes, shifts, scores = boxes[sure], shifts[sure], scores[sure]
    pick = suppress(boxes, scores, overlap)
    return _squared(_shifted(boxes[pick], shifts[pick])), scores[pick]


def _shifted(boxes: Floats, shifts: Floats) -> Floats:
    size = boxes[:, 2:] - boxes[:, :2]
    return np.asarray(boxes + shifts * np.concatenate([size, size], axis=1))


def _squared(boxes: Floats) -> Floats:
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True) / 2
    return np.concatenate([centre - half, centre + half], axis=1)


def _placed(boxes: Floats, inner: Floats) -> Floats:
    """Points from the networks' order (five x, five y, as parts of the box) to pixels."""
    size, corner = boxes[:, 2:] - boxes[:, :2], boxes[:, :2]
    return np.stack([inner[:, :5], inner[:, 5:]], axis=2) * size[:, None] + corner[:, None]


def _crops(picture: Image.Image, boxes: Floats, side: int) -> Floats:
    """The square ``boxes`` at ``side`` x ``side``; what lies outside the picture is black."""
    crops = np.empty((len(boxes), side, side, 3), np.float32)
    width, height = picture.size
    for index, (x0, y0, x1, y1) in enumerate(boxes.tolist()):
        inside = x0 >= 0 and y0 >= 0 and x1 <= width and y1 <= height
        if inside and x1 - x0 >= 1:
            crop = picture.resize((side, side), Image.Resampling.BOX, box=(x0, y0, x1, y1))
        else:
            whole = picture.crop((int(np.floor(x0)), int(np.floor(y0)), int(np.ceil(x1)) + 1, int(np.ceil(y1)) + 1))
            left, top = x0 - np.floor(x0), y0 - np.floor(y0)
            box = (left, top, left + max(x1 - x0, 1.0), top + max(y1 - y0, 1.0))
            crop = whole.resize((side, side), Image.Resampling.BOX, box=box)
        crops[index] = _normal(np.asarray(crop))
    return crops


def _look(picture: Image.Image, boxes: Floats, net: str, side: int) -> tuple[Floats, Floats, Floats]:
    """Probability, box correction and points of each box, in batches that fit into a small cache."""
    run = _rnet if net == "rnet" else _onet
    parts = [run(_crops(picture, boxes[start : start + 64], side)) for start in range(0, len(boxes), 64)]
    scores, shifts, points = (np.concatenate(values) for values in zip(*parts, strict=True))
    return scores, shifts, points


def _symmetric_points(picture: Image.Image, square: Floats) -> tuple[Floats, float]:
    crop = _crops(picture, square, 48)
    scores, _, inner = _onet(np.concatenate([crop, crop[:, :, ::-1]]))
    other = inner[1:].copy()
    other[:, :5] = 1 - inner[1:, [1, 0, 2, 4, 3]]
    other[:, 5:] = inner[1:, [6, 5, 7, 9, 8]]
    points: Floats = _placed(square, (inner[:1] + other) * np.float32(0.5))[0]
    return points, float(scores.mean())
