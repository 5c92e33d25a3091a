"""Drawings are functions of their number, their truth is true, and reserved people are never drawn for training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pretraining import dataset, draw, identities, palette, scenes, styles
from pretraining.randomness import batch_indices, stream


def test_a_drawing_is_a_function_of_its_number() -> None:
    first, again = (draw.of("train", 3, 64, with_mask=True) for _ in range(2))
    assert np.array_equal(first.pixels, again.pixels)
    assert first.words == again.words
    assert first.heads == again.heads
    assert not np.array_equal(first.pixels, draw.of("train", 4, 64).pixels)


def test_another_take_of_a_person_keeps_the_lasting_words() -> None:
    takes = [draw.of("test", 5, 64, take) for take in range(4)]
    lasting = set(identities.of("test", 5).words)
    for take in takes[1:]:
        assert {name: take.words[name] for name in lasting} == {name: takes[0].words[name] for name in lasting}
    assert len({take.words["background"] for take in takes}) > 1


def test_streams_are_disjoint_and_closed() -> None:
    people = [
        (one.style, tuple(sorted(one.parts.items())), tuple(sorted((key, str(v)) for key, v in one.options.items())))
        for name in ("train", "demo", "develop", "test")
        for one in (identities.of(name, number) for number in range(150))
        if one.noun == "person" and one.parts
    ]
    assert len(people) > 450
    assert len(set(people)) == len(people)
    with pytest.raises(ValueError, match="unknown identity stream 'other'"):
        identities.of("other", 1)


def test_reserved_people_have_looks_that_words_cannot_say() -> None:
    for number in range(40):
        person = identities.of("demo", number)
        assert person.noun == "person"
        assert "hair color" not in person.words
        assert person.parts
        sheet = styles.PORTRAITS[person.style]
        assert person.options[sheet.slots["hair"] + "Color"] not in palette.HAIR.values()


def test_a_twin_differs_only_in_what_words_cannot_say() -> None:
    person = identities.of("test", 7)
    other = identities.twin(person, 0)
    assert other.words == person.words
    assert other.style == person.style
    assert other.parts != person.parts


def test_every_value_of_every_list_is_drawn() -> None:
    people = [identities.of("train", number) for number in range(3000)]
    share = sum(person.noun != "person" for person in people) / len(people)
    assert 0.15 <= share <= 0.25
    for style, sheet in styles.PORTRAITS.items():
        own = [person for person in people if person.style == style]
        assert {person.words["hair"] for person in own} == set(sheet.hair)
        assert {person.words["glasses"] for person in own if "glasses" in person.words} == set(sheet.glasses)
    assert {person.words["hair color"] for person in people if "hair color" in person.words} == set(palette.HAIR)
    kinds = {kind for sheet in styles.PORTRAITS.values() for kind in sheet.hair}
    assert len(kinds) >= 15
    assert len(palette.BACKGROUNDS) >= 10
    assert len(palette.HAIR) >= 8
    assert len(palette.CLOTHES) >= 8


def bareheaded(style: str, kind: str) -> identities.Identity:
    """A shaven person of this style with this kind of hair."""
    for number in range(5000):
        person = identities.portrait(stream(0, "test/hair", number), "train", number, unsayable=0.0, style=style)
        if person.words["hair"] == kind and "beard" not in person.words and person.words["skin"] == "light":
            return person
    raise AssertionError((style, kind))


@pytest.mark.parametrize("style", sorted(styles.PORTRAITS))
def test_a_hair_color_is_named_where_it_shows_and_nowhere_else(style: str) -> None:
    """It was: captions called the personas' caps and beanies, which have a colour of their own, by the hair's."""
    sheet = styles.PORTRAITS[style]
    slot = sheet.slots["hair"] + "Color"
    for kind in sheet.hair:
        person = bareheaded(style, kind)
        scene = replace(scenes.of(person, stream(0, "test/scene", 1), clean=True), noise=0.0)
        pictures = [
            draw.draw(
                replace(person, options=person.options | {slot: color}), scene, 128, stream(0, "none", 0)
            ).pixels
            for color in ("#3c6fd6", "#e3c06a")
        ]
        moved = (np.abs(pictures[0].astype(int) - pictures[1]).max(2) > 60).mean()
        named = "hair color" in person.words
        assert named == (kind not in sheet.colorless)
        assert moved > 0.01 if named else moved < 0.01, (kind, moved)


def test_who_looks_bald_is_called_bald() -> None:
    people = [identities.of("train", number) for number in range(1500)]
    cropped = [p for p in people if p.options.get("hairVariant") == "buzzcut"]
    assert {p.words["hair"] for p in cropped if p.words["skin"] in ("brown", "dark")} == {"bald"}
    assert {p.words["hair"] for p in cropped if p.words["skin"] not in ("brown", "dark")} == {"buzz cut"}


@pytest.mark.parametrize("number", range(12))
def test_the_head_box_surrounds_the_points(number: int) -> None:
    drawing = draw.of("test", number, 128)
    (x0, y0, x1, y1), points = drawing.heads[0].box, drawing.heads[0].points
    assert all(x0 < x < x1 and y0 < y < y1 for x, y in points)
    assert points[0][0] < points[1][0]
    assert points[3][0] < points[4][0]
    assert abs(drawing.heads[0].yaw) <= 45


def test_flipping_mirrors_points_and_yaw() -> None:
    person = identities.of("test", 2)
    scene = scenes.of(person, stream(1, "flip"), clean=True)
    frame = scenes.Framing(1.0, 0.0, 0.0, 0.0, False)
    plain = scenes.Scene(**{**vars(scene), "framing": frame})
    mirrored = scenes.Scene(**{**vars(scene), "framing": scenes.Framing(1.0, 0.0, 0.0, 0.0, True)})
    first, second = (draw.draw(person, one, 128, stream(1, "noise")).heads[0] for one in (plain, mirrored))
    assert second.yaw == -first.yaw
    assert second.points[0][0] == pytest.approx(128 - first.points[1][0])


def test_the_mask_covers_the_figure_only() -> None:
    drawing = draw.of("test", 3, 64, clean=True, with_mask=True)
    assert drawing.mask is not None
    assert 0.1 < (drawing.mask > 127).mean() < 0.9
    assert drawing.mask[-1].max() == 255


def test_shards_come_back_as_they_were_drawn(tmp_path: Path) -> None:
    dataset.write_shard(tmp_path, 0, 4, 64)
    dataset.write_shard(tmp_path, 1, 4, 64)
    pictures = dataset.Pictures(tmp_path)
    assert len(pictures) == 8
    assert np.array_equal(pictures.at(np.array([5]))[0], draw.of("train", 5, 64).pixels)
    assert pictures.records[5].heads == draw.of("train", 5, 64).heads


def test_every_picture_comes_once_per_epoch() -> None:
    seen = np.concatenate([batch_indices(10, 4, 1, "x", step) for step in range(5)])
    assert sorted(seen[:10]) == list(range(10))
    assert sorted(seen[10:]) == list(range(10))
