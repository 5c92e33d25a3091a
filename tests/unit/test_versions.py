"""Versions of one photo in several folders: by file, by look, by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from boothlab.photos.measures import alikeness, alikenesses, patch
from boothlab.photos.photo import Photo
from boothlab.photos.screening import likeness
from boothlab.photos.versions import Filed, versions
from photos_made import made_photo

LIMIT = 0.97


def filed(path: str, digest: str, seed: int | None = None, head: int | None = None) -> Filed:
    """A photo of a picture made from ``seed``, with a face made from ``head``; None: nobody looked, no face."""
    seen: dict[str, object] = {} if seed is None else {"patch": patch(np.asarray(made_photo(seed)))}
    if head is not None:
        seen |= {"subject": 0, "faces": [{"patch": patch(np.asarray(made_photo(head)))}]}
    return Filed(Path(path), digest, seen)


def groups(*files: Filed) -> list[tuple[set[str], bool]]:
    return [({str(one.path) for one in group.members}, group.by_name) for group in versions(files, LIMIT)]


def test_equal_files_equal_looks_and_equal_names_are_versions() -> None:
    equal = groups(filed("a/1.png", "x"), filed("b/2.png", "x"))
    assert equal == [({"a/1.png", "b/2.png"}, False)]
    look = groups(filed("a/1.png", "x", 1), filed("b/2.png", "y", 1))
    assert look == [({"a/1.png", "b/2.png"}, False)]
    heads = groups(filed("a/1.png", "x", 1, head=9), filed("b/2.png", "y", 2, head=9))
    assert heads == [({"a/1.png", "b/2.png"}, False)]
    name = groups(filed("a/IMG.JPG", "x", 1), filed("b/img.png", "y", 2))
    assert name == [({"a/IMG.JPG", "b/img.png"}, True)]
    spelling = groups(filed("a/Jose\u0301.jpg", "x", 1), filed("b/Jos\u00e9.jpg", "y", 2))
    assert [by_name for _, by_name in spelling] == [True]
    assert len(groups(filed("a/1.png", "x", 1, head=8), filed("b/2.png", "y", 2, head=9))) == 2
    assert len(groups(filed("a/photo.1", "x"), filed("b/photo.2", "y"))) == 2, (
        "an ending of no picture is a name's part"
    )


def test_within_one_folder_equal_files_and_equal_looks_are_one_photo_and_names_say_nothing() -> None:
    assert len(groups(filed("a/1.png", "x", 1), filed("a/1.jpg", "z", 2))) == 2
    assert len(groups(filed("a/1.png", "x"), filed("a/2.png", "x"))) == 1
    look = groups(filed("a/1.png", "x", 1), filed("a/2.png", "y", 1), filed("a/3.png", "z", 2))
    assert look == [({"a/1.png", "a/2.png"}, False), ({"a/3.png"}, False)]


def test_versions_of_a_burst_are_one_picture_though_they_look_alike_in_one_folder_only() -> None:
    """The doctor may keep one photo of a burst here and the other one there: that pair has neither name nor look."""
    found = groups(
        filed("raw/A.jpg", "x", 1), filed("raw/B.jpg", "y", 1), filed("cut/A.jpg", "z", 2), filed("cut/B.jpg", "w", 3)
    )
    assert found == [({"raw/A.jpg", "raw/B.jpg", "cut/A.jpg", "cut/B.jpg"}, True)]


def test_what_a_third_photo_joins_is_one_group() -> None:
    found = groups(
        filed("a/1.png", "x", 1), filed("a/2.png", "y", 2), filed("b/1.png", "z", 2), filed("b/3.png", "w", 3)
    )
    assert found == [({"a/1.png", "a/2.png", "b/1.png"}, True), ({"b/3.png"}, False)]


def test_likeness_of_many_is_that_of_the_photo_doctor_one_by_one() -> None:
    pictures = [np.asarray(made_photo(seed)) for seed in (1, 2, 3, 4)]
    patches = [patch(one) for one in pictures]
    table = alikenesses(patches[:3], patches)
    assert table == pytest.approx(np.array([[alikeness(a, b) for b in patches] for a in patches[:3]]), abs=1e-12)
    photos = [
        Photo(str(k), one, str(k), seen={"patch": text})
        for k, (one, text) in enumerate(zip(pictures, patches, strict=True))
    ]
    assert table[0, 1] == pytest.approx(likeness(photos[0], photos[1]), abs=1e-12)
