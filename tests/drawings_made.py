"""Sample drawings of the package as a metric sees them."""

from __future__ import annotations

import numpy as np
from PIL import Image

from boothlab.assets import asset


def drawn(name: str, count: int = 8) -> list[np.ndarray]:
    """The clean sample drawings of one subject, at 128 px."""
    found = []
    for path in sorted(asset("samples", name, "more").iterdir())[:count]:
        with Image.open(path) as image:
            found.append(np.asarray(image.convert("RGB").resize((128, 128), Image.Resampling.BICUBIC)))
    assert len(found) == count
    return found
