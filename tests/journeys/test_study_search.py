"""A search from its file to its page: rungs go on from one another, a killed search ends as one that was not."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from boothlab import api
from boothlab.api.studies import searching as study_searching
from boothlab.api.studies.reporting import Reported
from boothlab.api.studies.resolving import Study, resolve_study
from boothlab.api.studies.running import Studied
from boothlab.api.studies.search_view import ended, summary
from boothlab.cli.study import lines_of_study
from boothlab.config.show import to_toml
from boothlab.errors import PlanError
from boothlab.files import folder_listing
from boothlab.plan import plan_from
from boothlab.runs.events import Extended, Stepped
from boothlab.studies.search import Search
from boothlab.studies.share import Shared
from boothlab.studies.trials import Trial
from photos_made import photo_folder
from study_made import SEARCH, base_plan, write_study

pytest.importorskip("optuna")

TABLES = ("table.csv", "pictures.csv", "effects.csv", "trials.csv", "choices.json", "trials.json")


@dataclass(frozen=True)
class Journey:
    """A finished search."""

    file: Path
    home: Path
    said: list[str]
    study: Study
    reported: Reported

    @property
    def place(self) -> Path:
        return self.study.place

    def table(self, name: str) -> list[dict[str, str]]:
        with (self.place / f"{name}.csv").open(newline="") as file:
            return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def journey(tiny_sd: Path, tmp_path_factory: pytest.TempPathFactory) -> Journey:
    """Three trials of up to three steps."""
    place = tmp_path_factory.mktemp("search")
    file, home = write_study(place, tiny_sd, search=SEARCH), place / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BOOTHLAB_HOME", str(home))
        study, cost = api.check_study(file, place / "studies")
        said = lines_of_study(study, cost)
        reported = api.study(file, place / "studies")
    return Journey(file, home, said, study, reported)


@pytest.fixture(autouse=True)
def same_home(journey: Journey, own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOOTHLAB_HOME", str(journey.home))


def tables(place: Path) -> dict[str, bytes]:
    return {name: (place / name).read_bytes() for name in TABLES}


def test_check_prints_the_most_it_can_take(journey: Journey) -> None:
    said = "\n".join(journey.said)
    assert "search    3 trials over strategy.learning_rate; rungs at steps 1, 3" in said
    assert not any(line.startswith(("time ", "disk ")) for line in journey.said), "nothing but the search takes any"
    assert "at most 9 steps in 6 trainings" in said
    assert not journey.study.shared.trunks, "nothing but the search"


def test_trials_are_runs_of_the_table_and_pruned_ones_say_where(journey: Journey) -> None:
    assert not journey.reported.failed
    trials = journey.table("trials")
    rows = [row for row in journey.table("table") if row["state"] != "baseline"]
    assert [trial["trial"] for trial in trials] == ["0", "1", "2"]
    assert {trial["state"] for trial in trials} <= {"complete", "pruned"}
    assert trials[0]["state"] == "complete", "the first one is the best so far at every rung"
    names = []
    for trial in trials:
        reached = [rung for rung in (1, 3) if trial[f"score_at_{rung}"]]
        assert trial["last_rung"] == str(reached[-1])
        assert (trial["state"] == "complete") == (reached[-1] == 3)
        names += [f"trial {int(trial['trial']):02d}, steps {rung}" for rung in reached]
    assert [row["run"] for row in rows] == names
    assert [row["steps"] for row in rows] == [name.rpartition(" ")[2] for name in names]
    page = journey.reported.report.read_text()
    for trial in trials:
        ended = "trained to the end"
        if trial["state"] == "pruned":
            ended = "pruned at rung 1 (1)"
        assert ended in page
    assert "3 trials: " in page
    assert "trials.csv" in page


def test_a_rung_goes_on_where_the_one_before_it_ended(journey: Journey, tmp_path: Path) -> None:
    """Every step is taken once, and the last rung is what one whole training gives, bit for bit."""
    taken: dict[str, int] = {}
    for point in journey.reported.points:
        run = api.open_run(journey.place / "runs" / point.folder)
        start = max((event.step for event in run.events() if isinstance(event, Extended)), default=0)
        taken[point.run] = sum(isinstance(event, Stepped) and event.step > start for event in run.events())
    assert all(steps == (1 if run.endswith("steps 1") else 2) for run, steps in taken.items())
    last = next(point for point in journey.reported.points if point.run == "trial 00, steps 3")
    mine = api.open_run(journey.place / "runs" / last.folder)
    alone = api.train(plan_from(mine.plan(), "the run"), tmp_path / "runs")
    assert folder_listing(alone.snapshots / last.snapshot) == folder_listing(mine.snapshots / last.snapshot)


def test_a_search_that_was_stopped_ends_as_one_that_was_not(
    journey: Journey, tiny_sd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = base_plan(tiny_sd, journey.file.parent / "photos")
    file = write_study(tmp_path, tiny_sd, plan=plan, search=SEARCH)
    original, calls = study_searching.train_and_score, list[str]()

    def cut(*given: Any) -> Any:
        if len(calls) in (1, 3):
            calls.append("stopped")
            raise KeyboardInterrupt
        calls.append("trained")
        return original(*given)

    monkeypatch.setattr(study_searching, "train_and_score", cut)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            api.study(file, tmp_path / "studies")
    api.study(file, tmp_path / "studies")
    assert calls[:4] == ["trained", "stopped", "trained", "stopped"]
    mine, whole = tables(tmp_path / "studies" / "rates"), tables(journey.place)
    for tree in (mine, whole):
        record = json.loads(tree["trials.json"])
        del record["key"]  # holds the place of the photos
        tree["trials.json"] = json.dumps(record).encode()
    assert mine == whole


def test_again_nothing_is_trained_and_more_trials_go_on_from_there(
    journey: Journey, tiny_sd: Path, tmp_path: Path
) -> None:
    before = tables(journey.place)
    api.study(journey.file, journey.place.parent)
    assert tables(journey.place) == before
    shutil.copytree(journey.place, tmp_path / "studies" / "rates")
    more = journey.file.with_name("more.toml")
    plan = base_plan(tiny_sd, "photos")
    more.write_text(to_toml({"name": "rates", "search": {**SEARCH, "trials": 4}, "plan": plan}))
    api.study(more, tmp_path / "studies")
    with (tmp_path / "studies" / "rates" / "trials.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[:3] == journey.table("trials")
    assert len(rows) == 4


def test_a_trial_that_fails_is_told_and_the_others_go_on(
    journey: Journey, tiny_sd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = base_plan(tiny_sd, journey.file.parent / "photos")
    file = write_study(tmp_path, tiny_sd, plan=plan, search={**SEARCH, "trials": 2, "rungs": [2]})
    original, calls = study_searching.train_and_score, []

    def broken(*given: Any) -> Any:
        calls.append(1)
        return (None, "training", "the loss is NaN") if len(calls) == 1 else original(*given)

    monkeypatch.setattr(study_searching, "train_and_score", broken)
    reported = api.study(file, tmp_path / "studies")
    assert [outcome.reason for outcome in reported.failed] == ["the loss is NaN"]
    assert "failed: the loss is NaN" in reported.report.read_text()
    assert [(p.run, p.state) for p in reported.points] == [
        ("trial 00, steps 2", "failed"),
        ("trial 01, steps 2", "done"),
    ]
    # The report alone loses none of it, and writes down nothing else.
    before = tables(reported.report.parent)
    told = api.report_study(file, tmp_path / "studies")
    assert [(p.run, p.state) for p in told.points] == [(p.run, p.state) for p in reported.points]
    assert "failed: the loss is NaN" in told.report.read_text()
    assert tables(reported.report.parent) == before
    # The same command tries it again.
    again = api.study(file, tmp_path / "studies")
    assert not again.failed
    assert [point.state for point in again.points] == ["done", "done"]


def test_every_trial_is_judged_by_the_same_held_out_photos(tiny_sd: Path, tmp_path: Path) -> None:
    plan = base_plan(tiny_sd, "photos")
    photo_folder(tmp_path / "photos", 9, size=(72, 64))
    (tmp_path / "some").mkdir()
    for path in sorted((tmp_path / "photos").iterdir())[:7]:
        shutil.copy(path, tmp_path / "some" / path.name)
    ranges = {"photos.number": {"low": 2, "high": 3}, "subjects.0.photos": {"choices": ["photos", "some"]}}
    search = {**SEARCH, "ranges": ranges, "rungs": [1], "trials": 3, "sampler": "random"}
    reported = api.study(write_study(tmp_path, tiny_sd, photos=9, plan=plan, search=search), tmp_path / "studies")
    assert not reported.failed
    assert len({point.values["subjects.0.photos"] for point in reported.points}) == 2
    held = set()
    for point in reported.points:
        folder = tmp_path / "studies" / "rates" / "runs" / point.folder / "photos" / "ada"
        entries = json.loads((folder / "manifest.json").read_text())["photos"]
        held.add(tuple(sorted(e["source_sha256"] for e in entries if e["part"] != "train")))
        assert sum(e["part"] == "train" for e in entries) == point.photos
        plan = json.loads((folder.parents[1] / "plan.json").read_text())["plan"]
        assert plan["evaluation"]["references_at_random"], "chance drew what every trial is judged by"
    assert len(held) == 1


def test_what_is_wrong_with_a_range_is_said_before_anything_starts(tiny_sd: Path, tmp_path: Path) -> None:
    ranges = {"strategy.learning_rat": {"low": 1e-4, "high": 1e-1}, "training.batch_size": {"low": 0, "high": 4}}
    file = write_study(tmp_path, tiny_sd, search={**SEARCH, "ranges": ranges})
    with pytest.raises(PlanError) as caught:
        api.study(file, tmp_path / "studies")
    assert "did you mean 'learning_rate'?" in str(caught.value)
    assert "training.batch_size: must be 1 or more (given: 0)" in str(caught.value)
    assert not (tmp_path / "studies").exists()


@pytest.mark.parametrize(
    ("score", "count", "plan", "said"),
    [
        ("both", 4, {}, "search.score = 'both' measures likeness to held-out photos, and of ada none is held out."),
        ("likeness", 4, {}, "Give 8 photos or more with photos.held_out above 0, or name others in [held_out]"),
        ("both", 9, {"photos": {"domain": "photographs"}}, "needs prompt following, which cannot be measured here:"),
        ("prompt", 4, {"photos": {"domain": "photographs"}}, "`boothlab fetch clip FOLDER`"),
        ("likeness", 9, {"evaluation": {"base": False}}, "likeness from what some person of the base model has"),
        ("prompt", 4, {"evaluation": {"prompts": ["a photo of {it}"]}}, "and evaluation.prompts has one."),
    ],
)
def test_a_score_that_no_trial_can_have_is_said_before_anything_is_trained(
    score: str, count: int, plan: dict[str, Any], said: str, tiny_sd: Path, tmp_path: Path
) -> None:
    """Every trial was trained to the first rung and failed there, and the exit code was 0."""
    base = base_plan(tiny_sd, "photos")
    for name, part in plan.items():
        base[name] |= part
    file = write_study(tmp_path, tiny_sd, count, base, search={**SEARCH, "score": score})
    with pytest.raises(PlanError) as caught:
        api.check_study(file, tmp_path / "studies")
    assert said in str(caught.value)


def test_what_is_wrong_between_the_ends_or_at_the_last_rung_is_said_too(tiny_sd: Path, tmp_path: Path) -> None:
    """Both ends and the first rung passed, and every trial failed."""
    plan = base_plan(tiny_sd, "photos")
    plan["strategy"] = {"kind": "lora"}
    ranges = {"strategy.rank": {"low": 2.0, "high": 8.0}}
    file = write_study(tmp_path, tiny_sd, plan=plan, search={**SEARCH, "ranges": ranges, "rungs": [1, 10**11]})
    with pytest.raises(PlanError) as caught:
        api.check_study(file, tmp_path / "studies")
    assert "strategy.rank: must be a whole number (given: 5.708)" in str(caught.value)
    assert "training.steps: must be 100000000 or less (given: 100000000000)" in str(caught.value)


def test_a_trial_takes_the_named_pool_of_its_own_subject_and_a_bad_one_is_told(
    tiny_sd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, size in (("photos", (72, 64)), ("bob", (90, 64)), ("more-ada", (64, 72)), ("more-bob", (64, 90))):
        photo_folder(tmp_path / name, 3, size=size)
    bob = [{"name": "bob", "photos": "bob", "identifier": "kilt"}]
    runs = [{"name": "bob", "settings": {"subjects": bob}}]
    pools = {"ada": "more-ada", "bob": "more-bob"}
    file = write_study(tmp_path, tiny_sd, plan=base_plan(tiny_sd, "photos"), runs=runs, held_out=pools, search=SEARCH)
    study, search = resolve_study(file, tmp_path / "studies"), Search.model_validate(SEARCH)
    trial = Trial(3, {"strategy.learning_rate": 1e-3}, (0.1,))
    rung = study_searching.planned_rung(study, search, trial)
    assert [run.name for run in rung.runs] == ["trial 03, steps 3"]
    assert [trunk.own for trunk in rung.trunks] == [2]
    assert {p.source_hash for p in rung.resolved[0].sets["ada"].held_out} == {
        p.source_hash for p in study.scouted[0].sets["ada"].held_out
    }

    def bad(*given: Any) -> Any:
        raise PlanError("no such plan")

    monkeypatch.setattr(study_searching, "planned_rung", bad)
    found = study_searching.search_through(Studied(study, ()))
    assert [(o.stage, o.reason) for o in found.failed] == [("planning", "no such plan")] * 3


def test_a_rung_that_was_trained_without_a_score_is_a_failure_and_its_steps_are_counted(
    tiny_sd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(study_searching, "score_of", lambda *given: None)
    reported = api.study(write_study(tmp_path, tiny_sd, search={**SEARCH, "trials": 1}), tmp_path / "studies")
    why = "prompt following could not be measured"
    assert [(o.runs, o.stage, o.reason) for o in reported.failed] == [(("trial 00, steps 1",), "evaluation", why)]
    assert "They took 33% of the steps" in reported.report.read_text(), "1 of 3"


def test_each_setting_is_tried_once_and_each_training_counted_once(tiny_sd: Path, tmp_path: Path) -> None:
    """Of six trials over two settings four were repeats, and the page counted them as trainings. Choices may also
    write one setting in two ways, or the one that a named run has."""
    one = {"kind": "dreambooth", "learning_rate": 1e-3}
    kinds = [one, {**one, "text_encoder": False}]
    search = {**SEARCH, "ranges": {"strategy": {"choices": kinds}}, "rungs": [1], "trials": 6}
    runs = [{"name": "by hand", "settings": {"training.steps": 1}}]
    file = write_study(tmp_path, tiny_sd, search=search, runs=runs)
    said = "\n".join(lines_of_study(*api.check_study(file, tmp_path / "studies")))
    assert "search    2 trials over strategy; rungs at steps 1\n" in said
    assert "          not 6: the ranges hold 2 settings, each tried once" in said
    assert "at most 2 steps in 2 trainings" in said
    reported = api.study(file, tmp_path / "studies")
    names = ["by hand", "trial 00, steps 1", "trial 01, steps 1"]
    assert [point.run for point in reported.points] == names
    assert len(list((tmp_path / "studies" / "rates" / "runs").glob("*/plan.json"))) == 1
    assert "<b>1</b> trainings: 1 steps instead of 3" in reported.report.read_text()
    # Fewer trials are the first of those that were tried, also for the report alone.
    file = write_study(tmp_path, tiny_sd, search={**search, "trials": 1}, runs=runs)
    assert [point.run for point in api.report_study(file, tmp_path / "studies").points] == names[:2]


def test_where_no_trial_can_be_planned_there_is_a_page_all_the_same(
    tiny_sd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bad(*given: Any) -> Any:
        raise PlanError("no such plan")

    monkeypatch.setattr(study_searching, "planned_rung", bad)
    reported = api.study(write_study(tmp_path, tiny_sd, search=SEARCH), tmp_path / "studies")
    assert len(reported.failed) == 3
    page = reported.report.read_text()
    assert "failed: no such plan" in page
    assert "3 trials: 0 trained to the end, 0 pruned, 3 failed" in page


def test_rungs_that_an_older_boothlab_scored_are_scored_again_and_not_trained(
    journey: Journey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "studies"
    shutil.copytree(journey.place.parent, root)
    study = root / journey.place.name
    before, rungs = tables(study), sorted((study / "runs").glob("*/summary.json"))
    for path in rungs:
        old = json.loads(path.read_text())
        path.write_text(json.dumps({**old, "scoring": old["scoring"] - 1, "key": "old"}))

    def trained(*given: Any) -> Any:
        raise AssertionError("a finished rung is trained again")

    monkeypatch.setattr(study_searching, "train_and_score", trained)
    assert not api.study(journey.file, root).failed
    assert tables(study) == before
    assert len({json.loads(path.read_text())["scoring"] for path in rungs}) == 1


@pytest.mark.parametrize(
    ("rate", "share"),
    [("constant", "67%"), ("cosine", "83%")],  # 3 + 1 of 6 steps; where rungs begin anew 1 + 3 + 1
)
def test_a_trial_that_has_not_ended_is_not_called_trained(
    rate: str, share: str, tiny_sd: Path, tmp_path: Path
) -> None:
    plan = base_plan(tiny_sd, "photos", rate={"kind": rate})
    file = write_study(tmp_path, tiny_sd, plan=plan, search=SEARCH)
    study, search = resolve_study(file, tmp_path / "studies"), Search.model_validate(SEARCH)
    done = Trial(0, {"strategy.learning_rate": 1e-2}, (0.5, 0.6), "complete")
    going = Trial(1, {"strategy.learning_rate": 1e-3}, (0.4,))
    rungs = [
        study_searching.planned_rung(study, search, replace(trial, scores=trial.scores[:k]))
        for trial in (done, going)
        for k in range(len(trial.scores))
    ]
    trunks = tuple(trunk for rung in rungs for trunk in rung.trunks)
    assert ended(search, going) == "not ended; 1 of 2 rungs scored"
    said = summary(replace(study, shared=Shared(trunks, 0, 0)), search, [done, going])
    assert said.startswith("2 trials: 1 trained to the end, 0 pruned, 1 not ended.")
    assert f"They took {share} of the steps" in said


def test_the_report_alone_tells_the_trials_so_far_and_tries_nothing(journey: Journey, tmp_path: Path) -> None:
    root = tmp_path / "studies"
    shutil.copytree(journey.place.parent, root)
    study = root / journey.place.name
    before = tables(study)
    api.report_study(journey.file, root)
    assert tables(study) == before
    last = next(point for point in reversed(journey.reported.points) if point.run.startswith("trial 02"))
    shutil.rmtree(study / "runs" / last.folder)
    points = api.report_study(journey.file, root).points
    assert [point.run for point in points] == [p.run for p in journey.reported.points if p.run != last.run]
    assert not (study / "runs" / last.folder).exists()
