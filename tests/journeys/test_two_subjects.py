"""Several subjects: two in one run are scored apart; three in a study tell what to expect of the next."""

from __future__ import annotations

import csv
import itertools
import json
from pathlib import Path

import pytest

from boothlab import api
from boothlab.errors import PlanError
from boothlab.evaluation import crossing
from boothlab.plan import plan_from
from photos_made import photo_folder
from study_made import base_plan, write_study


def test_the_page_shows_whose_photos_the_pictures_are_like(
    tiny_sd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ada", "bob"):
        photo_folder(tmp_path / name, 3)
    plan = plan_from(
        {
            "subjects": [{"name": name, "photos": str(tmp_path / name)} for name in ("ada", "bob")],
            "base": {"model": str(tiny_sd)},
            "objective": {"prior_preservation": False},
            "training": {"steps": 1, "threads": 1},
            "generation": {"steps": 1},
            "evaluation": {"prompts": ["a photo of {it} smiling"], "seeds_per_prompt": 2, "bare": 2, "unrelated": []},
        },
        "test",
    )
    run = api.train(plan, tmp_path / "runs")
    made = [
        crossing.Crossing("step-000001", a, b, 0.75 if a == b else 0.25, 2, 3) for a in ("ada", "bob") for b in "x"
    ]
    made += [crossing.Crossing("step-000001", "ada", "bob", 0.125, 2, 3)]
    monkeypatch.setattr("boothlab.api.scoring.crossings", lambda seen, domain, features: made)
    found = api.evaluate(run.path)
    references = {line.reference for line in found.summaries if line.metric == "lpips_cross"}
    assert references == {"train/ada", "originals/ada", "train/bob", "originals/bob"}
    assert [ruling["subject"] for ruling in found.rulings] == ["ada", "bob"]
    nulls = json.loads((run.path / "summary.json").read_text())["nulls"]
    assert {line["reference"] for line in nulls} == {"originals/ada", "originals/bob"}, "each beside its own photos"
    silent = {line.reason for line in found.unavailable if line.metric == "background_asked"}
    assert "no prompt says anything that it looks for" in silent
    assert len(json.loads((run.path / "summary.json").read_text())["crossings"]) == 3
    page = api.report(run.path).read_text()
    assert "Who was drawn?" in page
    assert "<td>0.125</td>" in page
    assert "photos of bob" in page
    assert page.count("not measured: there are no held-out photos") == 2, "once in each table"
    tree = json.loads((run.path / "summary.json").read_text())
    assert {line["kind"] for line in tree["summaries"]} >= {"t", "Wilson", "pairs"}
    assert "two-way bootstrap over prompts (over pictures where all are of one prompt) and photos" in page
    for older in ({**tree, "scoring": tree["scoring"] - 1}, {k: v for k, v in tree.items() if k != "crossings"}):
        (run.path / "summary.json").write_text(json.dumps(older))
        with pytest.raises(PlanError, match="scored by an older boothlab"):
            api.report(run.path)


def test_a_study_of_three_subjects_tells_what_carries_over_and_what_to_expect(tiny_sd: Path, tmp_path: Path) -> None:
    names = ("ada", "bob", "cyd")
    for index, name in enumerate(names):
        photo_folder(tmp_path / name, 4, size=(72 - 4 * index, 64))
    nodes = [[{"name": name, "photos": name}] for name in names]
    axes = {"subjects": nodes, "strategy.learning_rate": [1e-3, 1e-2], "training.steps": [2]}
    file = write_study(tmp_path, tiny_sd, plan=base_plan(tiny_sd, "photos"), axes=axes)
    found = api.study(file, tmp_path / "studies")
    assert not found.failed
    place = tmp_path / "studies" / "rates"
    with (place / "carried.csv").open(newline="") as table:
        rows = list(csv.DictReader(table))
    assert [(row["chosen_on"], row["applied_to"]) for row in rows] == list(itertools.permutations(names, 2))
    settings = ["learning rate 0.001, steps 2", "learning rate 0.01, steps 2"]
    assert {row["settings"] for row in rows} <= set(settings)
    page = found.report.read_text()
    assert "Settings were carried from one subject to another 6 times" in page
    assert "carried.csv" in page

    with (place / "subjects.csv").open(newline="") as table:
        means = [row for row in csv.DictReader(table) if row["baseline"] == "false"]
    assert [(row["setting"], row["subjects"], row["trainings"]) for row in means] == [(s, "3", "3") for s in settings]
    each = [point.cells["prompt"].value for point in found.points if point.values["strategy.learning_rate"] == 1e-2]
    assert float(means[1]["prompt"]) == pytest.approx(sum(each) / 3, rel=1e-12)
    assert float(means[1]["prompt_lowest_subject"]) == min(each)
    with (place / "subject_differences.csv").open(newline="") as table:
        (apart,) = [row for row in csv.DictReader(table) if row["column"] == "prompt"]
    gained = float(means[1]["prompt"]) - float(means[0]["prompt"])
    assert float(apart["difference"]) == pytest.approx(gained, rel=1e-9, abs=1e-12)
    assert "<h2>Over all subjects</h2>" in page
    assert f'<th scope="row">learning rate {apart["b"]} against {apart["a"]}</th>' in page.split('id="across"')[1]
    assert (place / "subjects.md").read_text().startswith("| setting | subjects, trainings | ")
