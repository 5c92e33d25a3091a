"""Short names where many runs stand side by side."""

from __future__ import annotations

from boothlab.studies.choose import Choice
from boothlab.studies.expand import axis_names
from boothlab.studies.labels import apart, called, renamed, run_labels, setting_labels, setting_names
from study_made import RATE, made_point


def test_of_whole_nodes_only_what_differs_is_said() -> None:
    assert apart([{"kind": "lora", "rank": 4, "alpha": 8}, {"kind": "lora", "rank": 16, "alpha": 8}]) == (
        "rank 4",
        "rank 16",
    )
    assert apart([{"kind": "lora"}, {"kind": "lora", "rank": 8}]) == ("lora", "rank 8")
    assert apart([{"kind": "lora", "rank": 8}, {"kind": "dreambooth"}]) == ("lora, rank 8", "dreambooth")
    assert apart([{"a": {"rate": 1, "steps": 2}}, {"a": {"rate": 3, "steps": 2}}]) == ("rate 1", "rate 3")
    assert apart([{"kind": "lora", "rank": 4}]) == ("lora (rank 4)",), "alone it differs from nothing"


def test_what_is_no_node_is_said_as_everywhere() -> None:
    assert apart([5e-5, 0.0005, "all", None, True]) == ("5e-05", "0.0005", "all", "–", "true")
    assert apart([{"kind": "lora", "rank": 4}, None]) == ("lora (rank 4)", "–")


def test_settings_are_called_by_the_axes_on_which_they_differ() -> None:
    places = ({"a.rate": 1, "b.rate": 2, "c": 3}, {"a.rate": 4, "b.rate": 2, "c": 5})
    points = [made_point(str(place), place) for place in places]
    assert setting_labels(points) == ("a.rate 1, c 3", "a.rate 4, c 5")
    assert setting_labels(points, without=("c",)) == ("a.rate 1", "a.rate 4")
    assert setting_labels(points[:1]) == ("",)
    assert setting_labels([]) == ()


def test_runs_with_a_name_keep_it_without_their_subject() -> None:
    grid = [
        made_point(
            f"ada, steps {steps} · seed {seed}",
            {"subjects": "ada", "training.steps": steps, "photos.framing": "head"},
            seed,
            setting=f"ada, steps {steps}",
        )
        for steps in (1, 2)
        for seed in (0, 1)
    ]
    named = made_point("best, ada · seed 1", {"subjects": "ada", "training.steps": 7}, 1, setting="best, ada")
    assert run_labels([*grid, named]) == (
        "steps 1 · seed 0",
        "steps 1 · seed 1",
        "steps 2 · seed 0",
        "steps 2 · seed 1",
        "best · seed 1",
    )
    assert run_labels([grid[0]]) == ("steps 1 · seed 0",)


def test_a_label_that_would_mean_two_runs_gives_way_to_their_names() -> None:
    twice = [made_point(run, {}, subject="ada") for run in ("ada, head", "head", "ada, smart")]
    assert called(twice) == {"ada, head": "ada, head", "head": "head", "ada, smart": "smart"}


def test_in_a_subjects_own_section_a_choice_speaks_of_its_runs_by_their_labels() -> None:
    """Longest name first and in one pass: one run's name is the beginning of another's, and a part of a label."""
    names = {"ada, steps 100": "steps 100", "ada, steps 1000": "steps 1000", "steps 1": "steps 1"}
    choice = Choice(
        "ada",
        "ada, steps 100",
        "Because 0.80 is near 0.81 (ada, steps 1000), and it took fewer steps than steps 1.",
        ("ada, steps 100", "ada, steps 1000"),
        (("outdone", ("ada, steps 1000",)),),
    )
    assert renamed(choice, names) == Choice(
        "ada",
        "steps 100",
        "Because 0.80 is near 0.81 (steps 1000), and it took fewer steps than steps 1.",
        ("steps 100", "steps 1000"),
        (("outdone", ("steps 1000",)),),
    )
    assert renamed(Choice("ada", None, "None.", ()), {}) == Choice("ada", None, "None.", ())


def test_settings_of_all_subjects_are_called_by_what_tells_them_apart() -> None:
    """What all share is left out, whoever is learned; a rival has a name of its own."""
    points = [
        made_point(
            f"{name}, framing {framing}, number 5",
            {"subjects": name, "photos.framing": framing, "photos.number": 5},
            setting=f"{name}, framing {framing}, number 5",
            subject=name,
        )
        for name in ("ada", "bob")
        for framing in ("head", "smart")
    ]
    rival = made_point("usual, ada", {"subjects": "ada", "photos.framing": "letterbox"}, rival="usual", subject="ada")
    assert setting_names([*points, rival]) == {
        "framing head, number 5": "framing head",
        "framing smart, number 5": "framing smart",
        "framing letterbox": "usual",
    }
    assert setting_names(points[:1]) == {}


def test_settings_with_one_last_name_are_called_by_as_much_as_tells_them_apart() -> None:
    paths = ["training.steps", "strategy.rank", "a.validation.preview.seeds", "b.validation.preview.seeds"]
    assert axis_names(paths) == [
        "steps", "rank", "a.validation.preview.seeds", "b.validation.preview.seeds",
    ]  # fmt: skip
    assert axis_names([*paths[:2], "generation.steps"]) == ["training.steps", "rank", "generation.steps"]
    assert axis_names(["subjects.0.class_noun", "subjects.1.class_noun"]) == ["0.class noun", "1.class noun"]
    assert axis_names(["steps", "training.steps"]) == ["steps", "training.steps"]


def test_means_are_called_by_their_own_names_whoever_is_learned() -> None:
    """Over all subjects a mean was called by every setting in which it differs from a rival."""
    points = []
    for name in ("ada", "bob"):
        own = {"subject": name, "folder": name}
        for rate in (1e-3, 2e-3):
            places = {"subjects": name, RATE: rate, "photos.framing": "auto"}
            points.append(made_point(f"{name}, learning rate {rate:g}", places, likeness=[0.1], **own))
        mean = {"subjects": name, RATE: None, "photos.framing": "auto", "strategy": {"kind": "mean", "of": ["m"]}}
        points.append(made_point(f"m, {name}, steps 4", mean, likeness=[0.1], members=("a", "b"), **own))
        rival = {"subjects": name, RATE: 5e-3, "photos.framing": "head"}
        points.append(made_point(f"old, {name}", rival, likeness=[0.1], rival="old", **own))
    names = setting_names(points)
    assert "m, steps 4" in names.values()
    assert [said for run, said in called([p for p in points if p.subject == "bob"]).items()][2] == "m, steps 4"


def test_named_runs_are_called_by_their_own_names_whoever_is_learned() -> None:
    """Over all subjects rivals were called by all their settings, one after the other."""
    points = []
    for name in ("ada", "bob"):
        for rate in (1e-3, 2e-3):
            places = {"subjects": name, RATE: rate}
            points.append(made_point(f"{name}, learning rate {rate:g}", places, subject=name))
        named = {"subjects": name, RATE: 5e-3, "photos.framing": "head", "training.steps": 9}
        points.append(made_point(f"zl635_008, {name}", named, subject=name, rival="zl635_008"))
        points.append(made_point(f"slow, {name}", named | {"training.steps": 99}, subject=name))
        # Of each subject alone, in a setting of both: no one name is right.
        points.append(made_point(f"best {name}", named | {"training.steps": 7}, subject=name))
    assert setting_names(points) == {
        "learning rate 0.001": "learning rate 0.001",
        "learning rate 0.002": "learning rate 0.002",
        "learning rate 0.005, framing head, steps 9": "zl635_008",
        "learning rate 0.005, framing head, steps 99": "slow",
    }


def test_a_named_run_at_a_place_of_the_grid_is_called_by_the_place() -> None:
    grid = [made_point(f"ada, learning rate {rate:g}", {"subjects": "ada", RATE: rate}) for rate in (1e-3, 2e-3)]
    again = made_point("again, ada", {"subjects": "ada", RATE: 1e-3}, rival="again")
    assert setting_names([*grid, again])["learning rate 0.001"] == "learning rate 0.001"
