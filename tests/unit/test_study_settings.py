"""What tells people apart is no setting; what one person was learned with in several ways is one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from boothlab.studies.across import differences, over_subjects
from boothlab.studies.carry import carried
from boothlab.studies.expand import label
from boothlab.studies.points import LIKENESS, Point
from boothlab.studies.settings import setting_of, who_paths
from study_made import RATE, made_point

IDENTIFIER, PHOTOS = "subjects.0.identifier", "subjects.0.photos"


def points_of(person: str, values: list[dict[str, Any]], likeness: list[float]) -> list[Point]:
    return [
        made_point(
            f"{person} {k}", {"subjects": person, **own}, likeness=[mean - 0.01, mean, mean + 0.01], subject=person
        )
        for k, (own, mean) in enumerate(zip(values, likeness, strict=True))
    ]


def test_who_is_learned_is_no_setting_but_how_many_together_is() -> None:
    alone = made_point("a", {"subjects": "ada", PHOTOS: "x/y", RATE: 1e-6, "subjects.0.class_noun": "dog"})
    both = made_point("b", {"subjects": "ada + bob", RATE: 1e-6})
    assert setting_of(alone, who_paths([alone])) == "learning rate 1e-06, class noun dog"
    assert setting_of(both, who_paths([both])) == "learning rate 1e-06, subjects together 2"
    node = [{"name": "ada", "photos": "p"}, {"name": "bob", "photos": "q"}]
    assert label({"subjects": node, RATE: 1e-6}) == "ada + bob, learning rate 1e-06"


def test_each_persons_own_photos_and_identifier_tell_who_it_is() -> None:
    people = [
        point
        for k, person in enumerate(["ada", "bob", "cyd"])
        for point in points_of(person, [{IDENTIFIER: f"w{k}", PHOTOS: person, RATE: r} for r in (1, 2)], [0.3, 0.5])
    ]
    assert who_paths(people) == {"subjects", IDENTIFIER, PHOTOS}
    nothing = {"subjects": "–", IDENTIFIER: "–", PHOTOS: "–", RATE: "–"}
    base = [made_point("base", nothing, likeness=[0.0], subject=p, state="baseline") for p in ("ada", "bob", "cyd")]
    rows = [row.setting for row in over_subjects([*people, *base])]
    assert rows == ["learning rate 1", "learning rate 2", "base"]
    both = made_point("both", {"subjects": "ada + bob", PHOTOS: "ada", RATE: 1}, likeness=[0.1], subject="bob")
    assert who_paths([*people, both]) == {"subjects", IDENTIFIER, PHOTOS}, "the path is about ada there"


def test_identifiers_tried_on_every_person_are_rows_and_differences_of_their_own() -> None:
    words = [{IDENTIFIER: "nlwx"}, {IDENTIFIER: "window"}]
    people = [p for k, name in enumerate(["ada", "bob", "cyd"]) for p in points_of(name, words, [0.6 + k / 10, 0.2])]
    assert who_paths(people) == {"subjects"}
    rare, common = over_subjects(people)
    assert (rare.setting, common.setting) == ("identifier nlwx", "identifier window")
    assert [round(row.cells[LIKENESS].value, 6) for row in (rare, common)] == [0.7, 0.2]
    (one,) = (found for found in differences(people) if found.column.key == LIKENESS)
    assert (one.axis, one.a, one.b, round(one.difference, 6)) == ("identifier", "nlwx", "window", -0.5)
    assert {(one.settings, one.best) for one in carried(people)} == {("identifier nlwx", "identifier nlwx")}


def test_two_sets_of_photos_of_one_person_are_not_taken_for_one_setting() -> None:
    people = [
        point
        for name in ("ada", "bob", "cyd")
        for point in points_of(name, [{PHOTOS: f"{name}/few"}, {PHOTOS: f"{name}/many"}], [0.2, 0.8])
    ]
    assert who_paths(people) == {"subjects"}
    assert over_subjects(people) == [], "no set was learned for three people"
    rival = replace(people[0], values={"subjects": "ada", PHOTOS: "elsewhere"}, rival=True)
    assert who_paths([*people[::2], rival]) == {"subjects", PHOTOS}
