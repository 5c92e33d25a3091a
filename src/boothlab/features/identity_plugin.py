"""Identity by an encoder that somebody else's package brings, for example one of ArcFace's class.

The best encoders' weights may not be shipped or used freely, so none is here. A package offers one by an entry point
in the group ``boothlab.faces`` that names a callable without arguments returning a
:class:`boothlab.features.faces.FaceReader`::

    [project.entry-points."boothlab.faces"]
    arcface = "my_package:reader"
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points

import numpy as np

from boothlab.features.faces import FaceReader
from boothlab.features.feature import ByDomain, Feature, Pictures, Vectors
from boothlab.features.supplied import demand, unfit

GROUP = "boothlab.faces"


def installed() -> EntryPoint | None:
    """The plug-in: the first in the order of names, if there are several."""
    return min(entry_points(group=GROUP), key=lambda point: point.name, default=None)


@cache
def _reader() -> FaceReader:
    point = installed()
    demand(None if point is not None else missing())
    reader: FaceReader = point.load()()  # type: ignore[union-attr]
    return reader


def missing() -> str | None:
    """One sentence while no package offers an encoder, or what the encoder itself lacks."""
    if installed() is None:
        return "No package with another face encoder is installed (an entry point in the group boothlab.faces)."
    return _reader().missing()


def variant() -> str:
    """Which package's encoder, in which version, and its limit: other encoders' vectors are not this one's."""
    point = installed()
    if point is None or missing() is not None:
        return ""
    reader = _reader()
    return f"{point.name}-{point.value}-{reader.version}-{reader.same_person:g}".replace(":", "-")


def extract(pictures: Pictures) -> Vectors:
    """(N, D) identity of the largest face in units of the reader's ``same_person``; NaN where no face was found."""
    reader = _reader()
    found = [(pixels, reader.find(pixels)) for pixels in pictures]
    rows = [reader.identify(pixels, faces[0]) if faces else None for pixels, faces in found]
    width = next((len(row) for row in rows if row is not None), 1)
    empty = np.full(width, np.nan, np.float32)
    return np.stack([empty if row is None else row / np.float32(reader.same_person) for row in rows])


PLUGIN = Feature(
    name="identity-plugin",
    version="1",
    extract=extract,
    missing=missing,
    variant=variant,
    source="the plug-in's own, see its documentation (2026)",
)

PLUGIN_IDENTITY = ByDomain(PLUGIN, unfit("identity-plugin", "Other face encoders are for photographs."))
