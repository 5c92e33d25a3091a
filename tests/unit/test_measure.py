"""What a verdict is made from: put together from scores, and said to be unknown where nothing can be known."""

from __future__ import annotations

import re
from base64 import b64decode
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image, ImageFilter

from boothlab import files
from boothlab.api import relatives
from boothlab.api.scoring import how_dealt
from boothlab.evaluation.config import Evaluation
from boothlab.evaluation.derived import Table
from boothlab.evaluation.lots import BASE, DESCRIBED, PHOTOS, Judged, Lot, Photos, judged
from boothlab.evaluation.measure import Dealt, Measurer, cannot_remember, closeness
from boothlab.evaluation.scores import Score
from boothlab.evaluation.summaries import Pairs
from boothlab.evaluation.verdict import judge
from boothlab.evaluation.verdict_data import Count
from boothlab.generation import generate
from boothlab.generation.config import Generation
from boothlab.generation.picture import Order
from boothlab.photos.measures import patch
from boothlab.photos.photo import Photo
from boothlab.photos.photoset import PhotoSet
from boothlab.reports.page import file_uri
from boothlab.statistics.digits import number
from photos_made import made_photo


def scores(source: str, role: str, seen: list[float]) -> list[Score]:
    return [
        Score("run", source, role, "face_found", "none", f"prompt {k}", k, 1, value)  # type: ignore[arg-type]
        for k, value in enumerate(seen)
    ]


def test_a_subject_without_a_face_has_not_lost_it() -> None:
    """A dog: no face in its photos, none in its pictures. Its training is not judged rather than called ruined."""
    drawn = scores("step-000010", "context", [0.0] * 20) + scores("step-000010", "bare", [0.0] * 20)
    nobody = Judged(lots=(), references={})
    words = {}
    for name, photos in (("dog", [0.0] * 6), ("person", [1.0] * 5 + [0.0])):
        table = Table([*drawn, *scores(PHOTOS, "photos", photos)], [])
        measured = Measurer(nobody, table, "photographs", {}).measured("step-000010", 10, None)
        words[name] = (
            None if measured.faceless is None else measured.faceless.k,
            judge([measured]).judgements[0].word,
        )
    assert words == {"dog": (None, "not judged"), "person": (40, "collapsed")}


def test_likeness_of_bare_pictures_is_theirs_and_on_the_same_scale() -> None:
    def cells(source: str, role: str, values: list[float]) -> list[Score]:
        return [
            Score("run", source, role, "identity", "held_out", f"prompt {k}", k, 1, value)  # type: ignore[arg-type]
            for k, value in enumerate(values)
        ]

    drawn = {"context": [0.7, 0.8, 0.9], "bare": [0.3, 0.2, 0.1]}
    table = Table(
        [
            *cells(BASE, "bare", [0.2] * 3),
            *cells(PHOTOS, "photos", [0.8] * 3),
            *(score for role, values in drawn.items() for score in cells("step-000010", role, values)),
        ],
        [
            Pairs("step-000010", role, "identity", "held_out", np.array(values)[:, None])  # type: ignore[arg-type]
            for role, values in drawn.items()
        ],
    )
    measured = Measurer(Judged(lots=(), references={}), table, "drawings", {}).measured("step-000010", 10, None)
    assert measured.likeness is not None
    assert measured.likeness_bare is not None
    assert (measured.likeness.value, measured.likeness_bare.value) == pytest.approx((1.0, 0.0))


def test_prompts_of_the_base_model_are_known_plain_and_told_the_looks() -> None:
    values = {"step-000010": [0.4, 0.6], BASE: [0.8, 1.0], DESCRIBED: [0.7, 0.9]}
    table = Table(
        [
            Score("run", source, "context", "prompt_following", "prompt", f"prompt {k}", k, 1, value)
            for source, drawn in values.items()
            for k, value in enumerate(drawn)
        ],
        [],
    )
    measured = Measurer(Judged(lots=(), references={}), table, "drawings", {}).measured("step-000010", 10, None)
    means = [found and found.value for found in (measured.prompt, measured.prompt_base, measured.prompt_described)]
    assert means == pytest.approx([0.5, 0.9, 0.8])
    seen = measured.pictures
    assert (seen.prompt, seen.prompt_base, seen.prompt_described) == ((0.4, 0.6), (0.8, 1.0), (0.7, 0.9))


@pytest.mark.parametrize(
    ("ceiling", "floor", "why"),
    [
        (
            None,
            0.3,
            "held-out one, both with a face, can be compared; it takes eight usable photos",
        ),
        (0.9, None, "no face by the base model says what some person is like; evaluation.base draws them"),
        (0.90, 0.885, r"people are as like the photos \(0.89\) as these are one another \(0.90\), and it takes 0.02"),
        (0.9, 0.3, "too few of its pictures show a face"),
    ],
)
def test_why_likeness_was_not_measured_is_said(ceiling: float | None, floor: float | None, why: str) -> None:
    ends = {(PHOTOS, "photos"): ceiling, (BASE, "bare"): floor}
    scores = [
        Score("run", source, role, "identity", "held_out", f"prompt {k}", str(k), 1, value)
        for (source, role), value in ends.items()
        if value is not None
        for k in range(3)
    ]
    measured = Measurer(Judged(lots=(), references={}), Table(scores, []), "drawings", {})
    (judged_one,) = judge([measured.measured("step-000010", 10, None)]).judgements
    gate = next(gate for gate in judged_one.gates if gate.name == "likeness")
    assert gate.state == "not measured"
    assert re.search(why, gate.reason)
    assert judged_one.word == "not judged"


def test_pictures_of_held_out_photos_are_no_copies_and_excuse_as_many() -> None:
    """Three training and two held-out photos; drawn: each of these again, softened."""
    photos = [np.asarray(made_photo(seed, (64, 64))) for seed in range(5)]
    again = [np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(0.4))) for pixels in photos]
    seen = judged({}, Photos(photos[:3], photos[3:]))
    drawn = Lot("step-000010", "bare", tuple(again), tuple("abcde"))
    near = closeness(seen, drawn)
    assert near is not None
    assert [flag.flagged for flag in near.copies.flags] == [True, True, True, False, False]
    assert near.copies.expected == pytest.approx(2 * 3 / 2)
    measured = Measurer(seen, Table([], []), "drawings", {}).measured("step-000010", 10, near)
    assert measured.copies == Count(3, 5)
    assert measured.copies_expected == pytest.approx(3)
    assert measured.copies_p == 1.0, "near every photo there is one, whichever are chosen"
    assert measured.copies_sure == 0, "three are very near photos trained on, and two very near the two others"
    alone = closeness(judged({}, Photos(photos[:3], [])), drawn)
    assert alone is not None
    without = Measurer(seen, Table([], []), "drawings", {}).measured("step-000010", 10, alone)
    assert (without.copies_p, without.copies_sure) == (None, 3.0)


def test_memory_is_looked_for_beside_the_untrained_models_pictures_told_the_looks_where_they_were() -> None:
    photos = [np.asarray(made_photo(seed, (64, 64))) for seed in range(7)]
    lots = {
        name: Lot(
            name, "bare", tuple(np.asarray(made_photo(seed + k, (64, 64))) for k in range(3)), tuple(f"{name}abc")
        )
        for name, seed in ((BASE, 20), (DESCRIBED, 30), ("step-000010", 40))
    }
    seen = judged({}, Photos(photos[:4], photos[4:]))

    def beside(*sources: str) -> float | None:
        drawn = replace(seen, lots=(*seen.lots, *(lots[name] for name in sources)))
        near = closeness(drawn, lots["step-000010"], cannot_remember(drawn))
        assert near is not None
        assert near.memorisation is not None
        assert near.memorisation.p_alone == alone.p
        return near.memorisation.p_control

    near = closeness(seen, lots["step-000010"])
    assert near is not None
    alone = near.memorisation
    assert alone is not None
    own = {name: closeness(replace(seen, lots=()), lots[name]) for name in (BASE, DESCRIBED)}
    expected = {
        name: None if one is None or one.memorisation is None else one.memorisation.p for name, one in own.items()
    }
    assert expected[BASE] != expected[DESCRIBED]
    assert beside() is None
    assert beside(BASE) == expected[BASE]
    assert beside(BASE, DESCRIBED) == expected[DESCRIBED]
    assert cannot_remember(judged({}, Photos(photos, []))) is None


@pytest.mark.parametrize(
    ("held_out", "said", "expected"),
    [("b.png", False, True), ("references/b.png", False, False), ("references/b.png", True, True)],
)
def test_held_out_photos_are_parted_by_chance_unless_somebody_gave_others(
    held_out: str, said: bool, expected: bool
) -> None:
    pixels = np.zeros((8, 8, 3), np.uint8)
    pixels = np.random.default_rng(0).integers(0, 255, (2, 64, 64, 3), dtype=np.uint8)
    found = PhotoSet(Path("."), (seen("a.png", pixels[0]), seen(held_out, pixels[1])), (), frozenset({held_out}), "")
    assert how_dealt(found, Evaluation(references_at_random=said), 0.9) == Dealt(expected)
    twice = replace(found, photos=(*found.photos, seen("a2.png", pixels[0])))
    assert how_dealt(twice, Evaluation(references_at_random=said), 0.9) == Dealt(expected, (0, 0, 1)), "two are one"


def test_near_equal_photos_are_known_to_have_been_dealt_together() -> None:
    first, second, third = np.random.default_rng(0).integers(0, 255, (3, 64, 64, 3), dtype=np.uint8)
    photos = (seen("a", first), seen("b", second), seen("c", first // 2 + 60), seen("d", third))
    found = how_dealt(PhotoSet(Path("."), photos, (), frozenset({"a", "c"}), ""), Evaluation(), 0.9)
    b, d, a, c = found.groups
    assert found.at_random
    assert a == c
    assert len({a, b, d}) == 3
    given = (*photos[:3], seen("references/d", third))
    found = how_dealt(PhotoSet(Path("."), given, (), frozenset({"references/d"}), ""), Evaluation(), 0.9)
    assert found == Dealt(False, (0, 1, 0, 2)), "who gives others has bursts as well"


def seen(name: str, pixels: np.ndarray) -> Photo:
    return Photo(name, pixels, name, seen={"patch": patch(pixels)})


def test_what_is_not_nothing_is_not_printed_as_nothing() -> None:
    assert [number(value) for value in (0.0, 0.0001, -0.0002, 0.0012, 0.5)] == [
        "0",
        "0.0001",
        "-0.0002",
        "0.001",
        "0.5",
    ]


@pytest.mark.parametrize("left", [0, 9, 60, 500])
def test_a_picture_that_cannot_be_read_is_said_on_the_page(left: int, tmp_path: Path) -> None:
    """It ended the report of hundreds of others."""
    path = tmp_path / "<a>.png"
    made_photo(1).save(path)
    assert file_uri(path).startswith("data:image/webp")
    path.write_bytes(path.read_bytes()[:left])
    kind, _, code = file_uri(path).partition(";base64,")
    assert kind == "data:image/svg+xml"
    assert {"cannot be read", f"{tmp_path.name}/<a>.png"} <= set(ElementTree.fromstring(b64decode(code)).itertext())
    path.unlink()
    assert file_uri(path).startswith("data:image/svg+xml")


@pytest.mark.parametrize("text", ["[]", "{}", "{", "3"])
def test_a_picture_whose_sidecar_is_damaged_was_not_drawn(text: str, tmp_path: Path) -> None:
    order, settings = Order("one", "a photo", 1), Generation()
    (tmp_path / "one.png").touch()
    files.write_json(tmp_path / "one.json", generate._sidecar(order, "weights", settings))
    assert generate._is_there(tmp_path, order, "weights", settings)
    (tmp_path / "one.json").write_text(text)
    assert not generate._is_there(tmp_path, order, "weights", settings)
    assert not relatives._drawn_with(tmp_path, "weights")
