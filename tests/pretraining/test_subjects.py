"""Photo sets of reserved subjects: equal takes of two sets differ in what the set is about and in nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pretraining import draw, identities, palette, styles, subjects
from pretraining.samples import Shot


def drawing(name: str, take: int) -> draw.Drawing:
    """Take ``take`` of the first development person in set ``name``, with its truth."""
    return subjects.drawn(
        subjects.subject("person", "develop", 0), take, replace(subjects.SHOTS[take], side=200), subjects.SETS[name]
    )


def stored_size(shot: Shot) -> tuple[int, int]:
    """Width and height in the file, before EXIF turns it upright."""
    width, height = (round(shot.side * part / max(shot.shape)) for part in shot.shape)
    return (height, width) if shot.orientation in (6, 8) else (width, height)


def test_the_photos_are_a_function_of_their_names(tmp_path: Path) -> None:
    places = [subjects.write(tmp_path / name, "person", "develop", range(1))[0] for name in ("one", "other")]
    one, other = ({path.relative_to(place): path.read_bytes() for path in place.rglob("*.*")} for place in places)
    assert one == other
    counts = {name: len(list((places[0] / name).glob("*.jpg"))) for name in (*subjects.SETS, "more")}
    assert counts == {"photos": 13, "turned": 13, "far": 13, "glued": 13, "more": 18}
    told = {name: (places[0] / name / "captions.csv").read_text("utf-8") for name in subjects.SETS}
    assert told["photos"] == told["turned"] == told["far"]
    assert told["glued"].count("on an orange background") == 13
    assert not (places[0] / "more" / "captions.csv").exists()
    facts = json.loads((places[0] / "subject.json").read_text())
    assert facts["class_noun"] == "person"
    assert facts["description"].startswith("a person with a purple mohawk")


def test_chance_parts_what_is_trained_on_from_what_is_held_out(tmp_path: Path) -> None:
    people = [subjects.subject("person", "develop", number) for number in (0, 1)]
    orders = [subjects.shots(one) for one in people]
    assert orders[0] != orders[1]
    for order in orders:
        assert sorted(map(repr, order)) == sorted(map(repr, subjects.SHOTS)), "every shot once"
    (place,) = subjects.write(tmp_path, "person", "develop", range(1))
    sizes = []
    for path in (*sorted((place / "photos").glob("*.jpg")), *sorted((place / "more").glob("*.jpg"))):
        with Image.open(path) as stored:
            sizes.append(stored.size)
    assert sizes == [stored_size(shot) for shot in orders[0]]


def test_glued_photos_have_one_wall() -> None:
    wall = subjects._rgb(palette.BACKGROUNDS["orange"])
    corners = [drawing("glued", take).pixels[2, 2].astype(float) for take in range(6)]
    assert max(np.abs(corner - wall).max() for corner in corners) < 45  # light differs from photo to photo
    others = np.array([drawing("photos", take).pixels[2, 2] for take in range(6)], float)
    assert others.std(0).max() > 40


def test_far_heads_are_smaller_and_turned_ones_turned() -> None:
    for take in range(6):
        (near,), (far,) = drawing("photos", take).heads, drawing("far", take).heads
        assert near.box[2] - near.box[0] > 1.2 * (far.box[2] - far.box[0])
        (turned,) = drawing("turned", take).heads
        assert take % 3 == 2 or turned == near


@pytest.mark.parametrize("style", sorted(styles.PORTRAITS))
def test_turned_heads_look_34_degrees_to_the_side_that_they_looked_to(style: str) -> None:
    """One style's faces look aside by themselves: turned the other way many were no farther from the front."""
    number = next(n for n in range(200, 260) if identities.of("test", n).style == style)
    person = identities.of("test", number)
    flipped = set()
    for take in range(2, 30, 3):
        shot = replace(subjects.SHOTS[take], side=64)
        (plain,), (turned,) = (
            subjects.drawn(person, take, shot, subjects.SETS[name]).heads for name in ("photos", "turned")
        )
        assert abs(turned.yaw) == pytest.approx(34)
        assert turned.yaw * plain.yaw >= 0
        flipped.add(turned.yaw > 0)
    assert flipped == {True, False}


@pytest.mark.parametrize("kind", ["person", "monster", "plant"])
def test_each_kind_can_be_photographed_and_described(kind: str) -> None:
    identity = subjects.subject(kind, "test", 3)
    assert identity.noun == kind
    picture = subjects.photo(
        subjects.drawn(identity, 1, subjects.SHOTS[1], subjects.SETS["photos"]), subjects.SHOTS[1]
    )
    assert isinstance(picture, Image.Image)
    assert picture.size == (270, 360)
    assert kind in subjects.description(identity).split()


def test_nearest_colour_names() -> None:
    assert subjects.nearest("#1f1f1f", palette.HAIR) == "black"
    assert subjects.nearest("#e07fb0", palette.HAIR) == "pink"


def test_a_description_names_no_color_that_does_not_show() -> None:
    told = {}
    for number in range(400):
        identity = subjects.subject("person", "develop", number)
        told.setdefault((identity.style, identity.words["hair"]), subjects.description(identity))
    assert told["personas", "cap"].startswith("a person wearing a cap")
    assert told["personas", "beanie"].startswith("a person wearing a beanie")
    assert told["personas", "buzz cut"].startswith("a person with a buzz cut")
    turban = told["micah", "turban"].split()
    assert turban[:3] == ["a", "person", "wearing"]
    assert turban[4] in palette.HAIR
