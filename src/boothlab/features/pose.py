"""How a head is turned, from five landmarks: roll, yaw and pitch in degrees.

Separate from the detectors because every detector that gives these five points gets its pose here.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

MODEL_MM = np.array(
    [[-31.5, -33.0, -28.0], [31.5, -33.0, -28.0], [0.0, 9.7, 16.0], [-25.0, 37.0, -22.0], [25.0, 37.0, -22.0]]
)
"""Eyes, nose tip, mouth corners of an average adult head in millimetres; x to the picture's right, y down, z to the
viewer. Pupils 63 mm apart, mouth 50 mm wide, nose tip 44 mm before the eyes; its height between eyes and mouth
(0.61) is that of the mean aligned face of CelebA, whose five points the photo detector was trained on."""


def pose(points: NDArray[np.floating]) -> tuple[float, float, float]:
    """(roll, yaw, pitch) in degrees of the face with ``points`` (5, 2).

    Roll is positive when the head leans clockwise in the picture, yaw when the face looks to the picture's right,
    pitch when it looks up. Scaled orthographic projection solved by least squares, then made a rotation.
    Source: DeMenthon and Davis 1995 (POS); on noiseless projections of the model itself exact to 0.1 degree.
    """
    model = MODEL_MM - MODEL_MM.mean(axis=0)
    seen = np.asarray(points, dtype=np.float64) - np.asarray(points, dtype=np.float64).mean(axis=0)
    if float(np.abs(seen).max(initial=0.0)) < 1e-6:
        return 0.0, 0.0, 0.0
    rows = np.linalg.lstsq(model, seen, rcond=None)[0].T
    # The nearest pair of orthogonal rows of equal length (scale times the first two rows of a rotation).
    u, _, vt = np.linalg.svd(rows, full_matrices=False)
    first, second = u @ vt
    third = np.cross(first, second)
    roll = math.degrees(math.atan2(float(second[0]), float(first[0])))
    yaw = -math.degrees(math.asin(max(-1.0, min(1.0, float(third[0])))))
    pitch = math.degrees(math.atan2(float(third[1]), float(third[2])))
    return roll, yaw, pitch
