"""Who is in the picture: the identity of the largest face, scaled so that 1 is the reader's limit of "one person".

Two rows at a distance of at most 1 are one person to the reader: dlib's network for photographs (its own limit is
an L2 distance of 0.6; its vectors are not of unit length and their cosine tells nobody apart), toon's encoder for
drawings (0.9). A picture without a face is a row of NaN.
"""

from __future__ import annotations

import numpy as np

from boothlab.features.faces import Domain, reader_for
from boothlab.features.feature import ByDomain, Feature, Pictures, Vectors
from boothlab.features.supplied import demand

DIMENSIONS = 128


def _extract(pictures: Pictures, domain: Domain) -> Vectors:
    """(N, 128) float32: identity divided by the reader's ``same_person``; NaN where no face was found."""
    reader = reader_for(domain)
    demand(reader.missing())
    rows = np.full((len(pictures), DIMENSIONS), np.nan, dtype=np.float32)
    for index, pixels in enumerate(pictures):
        faces = reader.find(pixels)
        if faces:
            rows[index] = reader.identify(pixels, faces[0]) / np.float32(reader.same_person)
    return rows


def _feature(domain: Domain, name: str, source: str) -> Feature:
    reader = reader_for(domain)
    return Feature(
        name=name,
        version=f"{reader.version}/{reader.same_person}",
        extract=lambda pictures: _extract(pictures, domain),
        missing=lambda: reader_for(domain).missing(),
        source=source,
    )


PHOTO_IDENTITY = _feature(
    "photographs", "identity-dlib", "King 2009; dlib_face_recognition_resnet_model_v1 (LFW 0.9938, 2017)"
)

TOON_IDENTITY = _feature("drawings", "identity-toon", "boothlab's own encoder for drawings, 2026 (see toon's card)")

IDENTITY = ByDomain(PHOTO_IDENTITY, TOON_IDENTITY)
