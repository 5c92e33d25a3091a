"""What tells people apart is no setting; what one person was learned with in several ways is one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from boothlab.studies.across import differences, over_subjects
from boothlab.studies.carry import carried
from boothlab.studies.claims import claims_tested
from boothlab.studies.expand import label
from boothlab.studies.labels import setting_names
from boothlab.studies.plan import Carries
from boothlab.studies.points import LIKENESS, Point
from boothlab.studies.settings import setting_of, who_paths
from study_made import RATE, made_point, made_study

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
    assert who_paths(people).keys() == {"subjects", IDENTIFIER, PHOTOS}
    nothing = {"subjects": "–", IDENTIFIER: "–", PHOTOS: "–", RATE: "–"}
    base = [made_point("base", nothing, likeness=[0.0], subject=p, state="baseline") for p in ("ada", "bob", "cyd")]
    rows = [row.setting for row in over_subjects([*people, *base])]
    assert rows == ["learning rate 1", "learning rate 2", "base"]
    both = made_point("both", {"subjects": "ada + bob", PHOTOS: "ada", RATE: 1}, likeness=[0.1], subject="bob")
    assert who_paths([*people, both]).keys() == {"subjects", IDENTIFIER, PHOTOS}, "the path is about ada there"


def test_identifiers_tried_on_every_person_are_rows_and_differences_of_their_own() -> None:
    words = [{IDENTIFIER: "nlwx"}, {IDENTIFIER: "window"}]
    people = [p for k, name in enumerate(["ada", "bob", "cyd"]) for p in points_of(name, words, [0.6 + k / 10, 0.2])]
    assert who_paths(people).keys() == {"subjects"}
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
    assert who_paths(people).keys() == {"subjects"}
    assert over_subjects(people) == [], "no set was learned for three people"
    rival = replace(people[0], values={"subjects": "ada", PHOTOS: "elsewhere"}, rival=True)
    assert who_paths([*people[::2], rival]).keys() == {"subjects", PHOTOS}


PEOPLE = ("ada", "bob", "cyd", "dan", "eve")


def with_own_photos(rates: tuple[float, ...] = (1e-3, 2e-3)) -> list[Point]:
    means = {name: {rate: 0.5 + k / 100 + 20 * rate for rate in rates} for k, name in enumerate(PEOPLE)}
    return [replace(p, values={**p.values, PHOTOS: f"photos/{p.subject}"}) for p in made_study(means)]


def other(name: str, path: str, value: str, rate: float = 1e-3) -> Point:
    """A named run that gives one subject something else."""
    values = {"subjects": name, RATE: rate, path: value}
    return made_point(f"{name} {value}", values, likeness=[0.4, 0.5, 0.6], prompt=[0.4, 0.5, 0.6], subject=name)


def test_other_photos_of_one_person_take_no_setting_from_all_others() -> None:
    """Each person's own folder had become part of its settings' names, so that no two people shared any."""
    people = with_own_photos()
    more = [*people, other("ada", PHOTOS, "cropped/ada")]
    assert over_subjects(more) == over_subjects(people)
    assert [(row.setting, row.subjects) for row in over_subjects(more)] == [
        ("learning rate 0.001", 5),
        ("learning rate 0.002", 5),
    ]
    assert len(carried(more)) == len(carried(people)) == 20
    assert differences(more) == differences(people)
    assert setting_of(more[-1], who_paths(more)) == "learning rate 0.001, photos cropped/ada"
    assert setting_of(more[0], who_paths(more)) == "learning rate 0.001"


def test_whose_photos_are_whose_hangs_on_no_failed_run() -> None:
    """Of ada as many runs on cropped photos as on her own; one of the latter fails."""
    means = {name: {1e-3: 0.5, 2e-3: 0.8} for name in PEOPLE} | {"ada": {1e-3: 0.8, 2e-3: 0.5}}
    people = [replace(p, values={**p.values, PHOTOS: f"photos/{p.subject}"}) for p in made_study(means)]
    crops = [
        replace(p, run=f"crop {p.run}", values={**p.values, PHOTOS: "cropped/ada"}, cells={}, pictures={})
        for p in people
        if p.subject == "ada"
    ]
    first, *others = people
    failed = replace(first, state="failed", cells={}, pictures={})
    claim = Carries(say="Settings carry over.", carries="likeness", margin=0.1)
    (alone,), (beside,) = (claims_tested([failed, *others, *more], [claim]) for more in ([], crops))
    assert "over 20 pairs" in alone.numbers
    assert (beside.state, beside.numbers) == (alone.state, alone.numbers)


def test_where_a_person_has_one_run_of_each_the_first_photos_are_its_own() -> None:
    alone = [point for point in with_own_photos((1e-3,)) if point.seed == 0]
    (row,) = over_subjects([*alone, other("ada", PHOTOS, "cropped/ada")])
    assert (row.setting, row.subjects) == ("learning rate 0.001", 5)


def test_other_photos_of_everybody_leave_the_grid_comparable() -> None:
    people = with_own_photos()
    found = over_subjects([*people, *(other(name, PHOTOS, f"cropped/{name}") for name in PEOPLE)])
    assert [(row.setting, row.subjects) for row in found] == [("learning rate 0.001", 5), ("learning rate 0.002", 5)]


def test_of_sets_that_everybody_was_learned_from_none_is_somebodys_own() -> None:
    """One more run of one person's second set made it her own: it was pooled with the first sets of the others."""
    sets = [{PHOTOS: "{}/few"}, {PHOTOS: "{}/many"}]
    people = [
        point
        for name in ("ada", "bob", "cyd")
        for point in points_of(name, [{PHOTOS: own[PHOTOS].format(name)} for own in sets * 2], [0.2, 0.8] * 2)
    ]
    assert over_subjects(people) == []
    assert over_subjects([*people, other("ada", PHOTOS, "ada/many")]) == []
    assert over_subjects([*people, other("ada", PHOTOS, "ada/few")]) == []


def test_what_one_person_has_of_its_own_and_another_tried_is_a_setting() -> None:
    """Or "its own" would mean two things: the word of one person, and what another was tried with."""
    rare, common = ["nlwx", "nlwx", "window"], ["window", "window", "nlwx"]
    words = {"ada": rare, "bob": common, "cyd": rare}
    people = [p for name in words for p in points_of(name, [{IDENTIFIER: w} for w in words[name]], [0.2, 0.2, 0.6])]
    assert who_paths(people).keys() == {"subjects"}
    assert {(row.setting, row.subjects) for row in over_subjects(people)} == {
        ("identifier nlwx", 3),
        ("identifier window", 3),
    }


def test_a_word_tried_on_all_who_share_one_is_compared_over_them() -> None:
    """Though a fourth has a word of its own."""
    people = [p for name in ("ada", "bob", "cyd") for p in points_of(name, [{IDENTIFIER: "rinn"}], [0.6])]
    people += [p for name in ("ada", "bob", "cyd") for p in points_of(name, [{IDENTIFIER: "window"}], [0.2])]
    people += points_of("dan", [{IDENTIFIER: "kilt"}], [0.5])
    assert [(row.setting, row.subjects) for row in over_subjects(people)] == [
        ("the plan as it is", 4),
        ("identifier window", 3),
    ]
    (one,) = (found for found in differences(people) if found.column.key == LIKENESS)
    assert (one.axis, one.a, one.b, one.n, round(one.difference, 6)) == ("identifier", "rinn", "window", 3, -0.4)


def test_in_a_run_of_several_a_path_is_about_the_one_that_it_names() -> None:
    people = with_own_photos()
    both = {"subjects": "ada + bob", RATE: 1e-3}
    mixes, crops = (
        [made_point(run, {**both, PHOTOS: photos}, likeness=[0.1], subject=name) for name in ("ada", "bob")]
        for run, photos in (("mix", "photos/ada"), ("crop", "cropped/ada"))
    )
    who = who_paths([*people, *mixes, *crops])
    assert {setting_of(point, who) for point in mixes} == {"learning rate 0.001, subjects together 2"}
    assert {setting_of(point, who) for point in crops} == {
        "learning rate 0.001, photos cropped/ada, subjects together 2"
    }
    assert len(over_subjects([*people, *mixes, *crops])) == 2


def test_short_names_of_settings_tell_of_other_photos_alone() -> None:
    grid = [
        replace(p, setting=f"{p.subject}, learning rate {p.values[RATE]:g}")
        for p in made_study({name: {1e-3: 0.5, 2e-3: 0.6} for name in ("ada", "bob")}, seeds=1)
    ]
    grid = [replace(p, values={**p.values, "subjects.photos": f"photos/{p.subject}"}) for p in grid]
    crops = [replace(p, values={**p.values, "subjects.photos": "cropped/ada"}) for p in grid if p.subject == "ada"]
    crops = [replace(p, setting=f"{p.setting}, photos cropped/ada") for p in crops]
    grid = [replace(p, setting=f"{p.setting}, photos photos/{p.subject}") for p in grid]
    assert setting_names([*grid, *grid, *crops]) == {
        "learning rate 0.001": "learning rate 0.001",
        "learning rate 0.002": "learning rate 0.002",
        "learning rate 0.001, photos cropped/ada": "learning rate 0.001, photos cropped/ada",
        "learning rate 0.002, photos cropped/ada": "learning rate 0.002, photos cropped/ada",
    }
