"""What a verdict stands on is asked for anew when it changes, and what a page hands on says nothing of this disk."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from boothlab import api
from boothlab.errors import PlanError
from boothlab.metrics.dino import METRIC as DINO
from boothlab.plan import plan_from
from boothlab.runs.run import Run
from photos_made import photo_folder
from study_made import base_plan


@pytest.fixture(scope="module")
def scored(tiny_sd: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of ada, alike but for whether chance is said to have parted her photos; read only."""
    place = tmp_path_factory.mktemp("judged")
    photo_folder(place / "photos", 4, size=(72, 64))
    photo_folder(place / "more", 3, size=(64, 72))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BOOTHLAB_HOME", str(place / "home"))
        for chance in (False, True):
            tree: dict[str, Any] = base_plan(tiny_sd, place / "photos", steps=2)
            tree["photos"]["references"] = str(place / "more")
            tree["evaluation"] |= {"references_at_random": chance, "bare": 6}
            run = api.train(plan_from(tree, "test"), place / str(chance))
            api.evaluate(run.path)
            api.report(run.path)
    return place


@pytest.fixture
def run(scored: Path, tmp_path: Path) -> Run:
    """A copy of the first of them."""
    (path,) = (scored / "False").iterdir()
    return Run(shutil.copytree(path, tmp_path / path.name))


def memorisation(scored: Path, chance: bool) -> dict[str, str]:
    (path,) = (scored / str(chance)).iterdir()
    (ruling,) = json.loads((path / "summary.json").read_text())["rulings"]
    (judged,) = ruling["verdict"]["judgements"]
    return next(gate for gate in judged["gates"] if gate["name"] == "memorisation")


def test_given_photos_are_tested_for_memorisation_only_where_chance_is_said_to_have_parted_them(scored: Path) -> None:
    assert memorisation(scored, False)["state"] == "not testable"
    assert "not drawn by chance" in memorisation(scored, False)["reason"]
    assert "not drawn by chance" not in memorisation(scored, True)["reason"]
    assert "4 training and 3 held-out photos" in memorisation(scored, True)["reason"]
    assert "beyond what pictures of the untrained model show" in memorisation(scored, True)["reason"]


def test_a_page_says_nothing_of_where_photos_and_model_lie_on_this_disk(scored: Path) -> None:
    (path,) = (scored / "False").iterdir()
    page = (path / "report.html").read_text()
    plan = page[page.index("The plan, complete") :]
    assert str(scored) not in plan
    assert str(scored / "photos") not in page
    assert "references = &#34;more&#34;" in page


def test_a_page_is_refused_while_a_snapshot_was_never_judged(run: Run) -> None:
    """As after a resume: the verdict would be about the beginning of the training."""
    shutil.copytree(run.snapshots / "step-000002", run.snapshots / "step-000009")
    with pytest.raises(PlanError, match="step-000009 was never judged"):
        api.report(run.path)


def test_other_thresholds_are_another_verdict(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    api.evaluate(run.path)
    before = json.loads((run.path / "summary.json").read_text())["key"]
    monkeypatch.setattr("boothlab.api.scoring.THRESHOLDS_VERSION", 99)
    with pytest.raises(PlanError, match="scored by an older boothlab"):
        api.report(run.path)
    api.evaluate(run.path)
    assert json.loads((run.path / "summary.json").read_text())["key"] != before


def test_other_weights_are_other_scores(own_home: Path) -> None:
    from boothlab.api.scoring import computed_with

    told: list[dict[str, list[str | None]]] = []
    weights: Callable[[], Path] | None = DINO.needs.weights  # type: ignore[union-attr]
    assert weights is not None
    for content in (b"one", b"other"):
        weights().parent.mkdir(parents=True, exist_ok=True)
        weights().write_bytes(content)
        told.append(computed_with([DINO], "photographs"))
    assert told[0] != told[1]


def test_scores_are_the_same_wherever_boothlabs_home_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from boothlab.api.scoring import computed_with
    from boothlab.metrics import METRICS

    told = []
    for name in ("one", "other"):
        monkeypatch.setenv("BOOTHLAB_HOME", str(tmp_path / name))
        told.append(computed_with(METRICS, "photographs"))
    assert any(missing for _, missing in told[0].values())
    assert told[0] == told[1]


def test_a_look_at_the_photos_of_two_says_nothing_of_either(tiny_sd: Path, tmp_path: Path) -> None:
    gaps: dict[tuple[str, ...], set[bool]] = {}
    for names in (("ada",), ("ada", "bob")):
        nodes = [
            {"name": name, "photos": str(photo_folder(tmp_path / name, 2, size=(72, 64))), "identifier": word}
            for name, word in zip(names, ("rinn", "kilt"), strict=False)
        ]
        for name in names:
            photo_folder(tmp_path / "more" / name, 2, size=(64, 72))
        tree: dict[str, Any] = base_plan(tiny_sd, tmp_path, steps=1, validation={"every": 1})
        tree["photos"]["references"] = str(tmp_path / "more")
        run = api.train(plan_from({**tree, "subjects": nodes}, "test"), tmp_path / "runs")
        found = api.evaluate(run.path)
        gaps[names] = {one["loss_gap"] is None for ruling in found.rulings for one in ruling["measured"]}
    assert gaps == {("ada",): {False}, ("ada", "bob"): {True}}
