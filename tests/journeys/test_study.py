"""A study from its file to its page: what is shared is what separate runs give, bit for bit, and made once."""

from __future__ import annotations

import csv
import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image, ImageOps

from boothlab import api
from boothlab.api.studies import ahead as study_ahead
from boothlab.api.studies import costs as study_costs
from boothlab.api.studies import looking as study_looking
from boothlab.api.studies import reporting as study_reporting
from boothlab.api.studies.ahead import Ahead
from boothlab.api.studies.costs import StudyCost, costs_of_study
from boothlab.api.studies.exports import TABLES
from boothlab.api.studies.reading import trunk_run
from boothlab.api.studies.reporting import Reported
from boothlab.api.studies.resolving import Study, resolve_study
from boothlab.api.studies.running import noted
from boothlab.cli.study import lines_of_study
from boothlab.errors import Cancelled, NoSpace, NoWeights, PlanError
from boothlab.evaluation.vectors import Embedder
from boothlab.files import folder_listing, read_json, write_json
from boothlab.generation import generate
from boothlab.reports.study_tables import has_parquet
from boothlab.runs.events import Extended, Stepped
from boothlab.runs.run import step_name
from boothlab.statistics.digits import number
from boothlab.studies.points import COLUMNS, Column, Point
from photos_made import photo_folder
from study_made import base_plan, write_study

EARLY = {"validation": {"every": 1, "patience": 1}}

DECAY = {"rate": {"kind": "stable_decay", "decay": 2}}

RUNS = [
    {"name": "short decay", "settings": {"training": {"steps": 6, **DECAY}}},
    {"name": "long decay", "settings": {"training": {"steps": 8, **DECAY}}},
]


@dataclass(frozen=True)
class Journey:
    """A finished study."""

    file: Path
    home: Path
    study: Study
    said: list[str]
    reported: Reported
    cost: StudyCost
    ahead: dict[str, Any]
    """The comparisons that were kept when its page was begun."""

    @property
    def place(self) -> Path:
        return self.study.place

    def table(self, baselines: bool = False) -> list[dict[str, str]]:
        with (self.place / "table.csv").open(newline="") as file:
            return [row for row in csv.DictReader(file) if (row["state"] == "baseline") == baselines]


@pytest.fixture(scope="module")
def journey(tiny_sd: Path, tmp_path_factory: pytest.TempPathFactory) -> Journey:
    """Constant rates at three lengths and two falling ones, checked, trained, scored, reported."""
    place = tmp_path_factory.mktemp("study")
    file = write_study(place, tiny_sd, axes={"training.steps": [2, 4, 6]}, runs=RUNS, claims=["Longer is better."])
    home = place / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BOOTHLAB_HOME", str(home))
        study, cost = api.check_study(file, place / "studies")
        said = lines_of_study(study, cost)
        ahead: dict[str, Any] = {}
        effects = study_reporting.set_effects

        def watched(*given: Any, **named: Any) -> Any:
            ahead.update(read_json(study.place / "compared.json")["tested"])
            return effects(*given, **named)

        patch.setattr(study_reporting, "set_effects", watched)
        reported = api.study(file, place / "studies")
    return Journey(file, home, study, said, reported, cost, ahead)


@pytest.fixture(autouse=True)
def same_home(journey: Journey, own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The journey's own shared results."""
    monkeypatch.setenv("BOOTHLAB_HOME", str(journey.home))


def stepped(run: Any) -> list[int]:
    """Steps that a run says it took itself, after what it took over."""
    events = run.events()
    taken = max((event.step for event in events if isinstance(event, Extended)), default=0)
    return [event.step for event in events if isinstance(event, Stepped) and event.step > taken]


def test_check_says_what_is_executed(journey: Journey) -> None:
    said = "\n".join(journey.said)
    # A stem to step 7, with the constant rates on the way, then what is left of the falling ones: 1 of 6 and 1 of 8.
    assert "executes 9 of 26 steps (35%), in 3 trainings" in said
    assert "a statement about a setting needs 3 training seeds" in said
    assert "steps 2, 4, 6" in said


def test_check_counts_the_pictures_that_confirm_the_choice(journey: Journey) -> None:
    seconds = journey.cost.seconds
    # Two context pictures of the one subject; five snapshots' and the base model's whole evaluation beside them.
    drawn = sum(cost.evaluation for cost in journey.cost.costs)
    assert 10 < drawn / seconds["fresh pictures"] < 20
    assert costs_of_study(resolve_study(journey.file, journey.place.parent)).seconds == {}, "all is done"


def test_check_counts_the_vectors_that_are_held_beside_a_training(
    journey: Journey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOOTHLAB_HOME", str(tmp_path))  # where class images are still to be drawn, as they were then
    alone = max(
        sum(api.check(journey.study.of(trunk).plan, journey.place).estimate.memory.values())
        for trunk in journey.study.shared.trunks
    )
    assert journey.cost.memory == pytest.approx(alone + 128e6)


def test_as_many_steps_are_taken_as_were_said(journey: Journey) -> None:
    folders = sorted((journey.place / "runs").glob("*/plan.json"))
    taken = [stepped(api.open_run(path.parent)) for path in folders]
    assert sum(map(len, taken)) == journey.study.shared.executes == 9


def test_shared_results_are_those_of_separate_trainings(journey: Journey, tmp_path: Path) -> None:
    trunk_of = {name: trunk for trunk in journey.study.shared.trunks for name in trunk.members}
    for planned in journey.study.runs:
        alone = api.train(planned.plan, tmp_path / planned.name.replace(" ", "-"))
        trunk = trunk_of[planned.name]
        name = step_name(trunk.members[planned.name])
        mine = folder_listing(trunk_run(journey.study, trunk).snapshots / name)
        assert len(mine) >= 2
        assert mine == folder_listing(alone.snapshots / name), planned.name


def test_the_base_models_pictures_are_drawn_once(journey: Journey) -> None:
    pictures = [sorted(path.glob("images/base/ada/*.png")) for path in sorted((journey.place / "runs").iterdir())]
    drawn = [found for found in pictures if found]
    assert len(drawn) == 3
    assert len({tuple(path.read_bytes() for path in found) for found in drawn}) == 1
    sidecars = {path.stat().st_ino for found in drawn for path in found}
    assert len(sidecars) == sum(map(len, drawn)), "every run has its own copy"


def test_the_table_has_every_run_with_its_numbers(journey: Journey) -> None:
    rows = journey.table()
    assert [row["run"] for row in rows] == ["steps 2", "steps 4", "steps 6", "short decay", "long decay"]
    assert [row["training.steps"] for row in rows] == ["2", "4", "6", "6", "8"]
    assert {row["state"] for row in rows} == {"done"}
    # Each run's numbers are those in its own score file.
    for row, point in zip(rows, journey.reported.points, strict=True):
        with (journey.place / "runs" / point.folder / "scores.csv").open(newline="") as file:
            values = [
                float(score["value"])
                for score in csv.DictReader(file)
                if (score["snapshot"], score["metric"], score["pictures"], score["reference"])
                == (point.snapshot, "lpips_cross", "context", "originals")
            ]
        assert len(values) == int(row["lpips_n"]) == 2
        assert float(row["lpips"]) == pytest.approx(sum(values) / 2, rel=1e-12)
    assert len({row["lpips"] for row in rows}) == 5


def test_the_page_stands_alone_and_says_what_may_be_said(journey: Journey) -> None:
    page = journey.reported.report.read_text()
    assert "https://" not in page
    leads_to = set(re.findall(r'(?:src|[^:]href)="(?!data:|#)([^"]*)"', page))
    tables = {f"{name}.csv" for name in TABLES}
    parquet = {f"{name}.parquet" for name in TABLES} if has_parquet() else set()
    assert leads_to == {*tables, *parquet, "table.md", "table.tex", "study.toml"}
    assert ("Parquet files are left out" in page) is not has_parquet()
    assert all((journey.place / name).is_file() for name in leads_to)
    assert "Longer is better." in page
    assert "9 steps instead of 26" in page
    assert "Take none of these runs" in page, "random weights draw nobody"
    assert "a statement about a setting needs 3 training seeds" in page.replace("\n", " ").replace("A st", "a st")
    assert page.count("data:image/webp") >= 2 * 6
    assert "of the bare prompt, nearest to a training photo" in page
    below = page.split("</nav>")[1]  # the contents name them all
    assert below.index("Take none of these") < below.index("What was expected") < below.index("Which differences")
    assert "Final comparison" in page
    assert str(journey.file.parent) not in page
    assert (journey.place / "table.md").read_text().count("\n") == 2 + 5 + 3
    assert (journey.place / "table.tex").read_text().count("\\\\\n") == 1 + 5 + 3


def test_runs_are_read_beside_their_baselines(journey: Journey) -> None:
    """The model without training, photos as if drawn, and copies of them: the numbers of the first run's page."""
    rows = {row["run"]: row for row in journey.table(baselines=True)}
    assert list(rows) == ["base", "photos", "copies"]
    first = journey.reported.points[0]
    tree = read_json(journey.place / "runs" / first.folder / "summary.json")
    lines = {
        line["snapshot"]: line
        for line in tree["summaries"]
        if (line["metric"], line["reference"]) == ("lpips_cross", "originals")
    }
    assert float(rows["base"]["lpips"]) == lines["base"]["mean"]
    assert (float(rows["base"]["lpips_low"]), rows["base"]["lpips_interval"]) == (lines["base"]["low"], "pairs")
    assert float(rows["copies"]["lpips"]) == lines["copies"]["mean"] < float(rows["base"]["lpips"])
    assert (rows["copies"]["lpips_low"], rows["copies"]["lpips_interval"]) == ("", "none")
    assert float(rows["photos"]["variety"]) > 0
    page = journey.reported.report.read_text()
    assert page.count('<td class="soft">baseline</td>') == 3
    assert "copied photos" in page


def test_what_cannot_be_measured_here_is_said_and_never_silent(journey: Journey) -> None:
    page = journey.reported.report.read_text()
    said = page.split("Not measured in any run")[1].split("</details>")[0]
    named = re.findall(r"<tr><td>(\w+)</td>", said)
    assert {"fid", "kid", "dino"} <= set(named)
    assert "fetch inception" in said
    assert "lpips_cross" not in named
    assert len(named) == len(set(named))


SETS = {"variety", "different", "frechet_alexnet", "mmd_alexnet", "cmmd", "debiased"}


def test_scores_of_sets_are_compared_by_swaps(journey: Journey) -> None:
    """Two pictures each: all swaps are tried, and none can show anything. The differences are the table's."""
    with (journey.place / "effects.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["test"] == "swaps"]
    assert {row["column"] for row in rows} == SETS
    found = {(row["axis"], row["a"], row["b"], row["column"]): row for row in rows}
    table = {row["training.steps"]: row for row in journey.table() if row["run"].startswith("steps")}
    for column in SETS:
        row = found["training.steps", "2", "4", column]
        expected = float(table["4"][column]) - float(table["2"][column])
        assert float(row["difference"]) == pytest.approx(expected, rel=1e-6, abs=1e-9)
        assert (row["n"], row["about"]) == ("2", "checkpoints")
        assert float(row["p"]) in (0.5, 1.0)
        assert float(row["smallest_holm_p"]) == 1.0
    page = journey.reported.report.read_text()
    assert f"Scores of whole sets ({len(rows)} comparisons)" in page
    assert "not testable" in page


def test_what_is_looked_at_again_is_looked_at_with_the_trainings_threads(
    journey: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by a report alone, or by who leaves all trainings to a cluster: last bits depend on the threads."""
    seen, look = [], study_looking.Embedder.look

    def watched(*given: Any) -> Any:
        seen.append(torch.get_num_threads())
        return look(*given)

    monkeypatch.setattr(study_looking.Embedder, "look", watched)
    column = next(column for column in COLUMNS if column.key == "variety")
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert study_looking.Looking(journey.study)(journey.reported.points[0], column) is not None
    finally:
        torch.set_num_threads(before)
    assert set(seen) == {1}


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """For which columns vectors of a set were asked for from now on, one key each time."""
    keys: list[str] = []
    look = study_looking.Looking.__call__

    def watched(self: study_looking.Looking, point: Point, column: Column) -> Any:
        keys.append(column.key)
        return look(self, point, column)

    monkeypatch.setattr(study_looking.Looking, "__call__", watched)
    return keys


def test_a_page_made_again_looks_at_no_pictures_for_its_scores_of_sets(journey: Journey, looked: list[str]) -> None:
    """In a study of 200 runs their vectors take minutes. Other pictures, and what is missing, are looked at."""
    before = (journey.place / "effects.csv").read_bytes()
    api.report_study(journey.file, journey.place.parent)
    assert looked == []
    kept = read_json(journey.place / "compared.json")
    assert set(kept["tested"]) == SETS
    gone = min(SETS)
    del kept["tested"][gone]
    write_json(journey.place / "compared.json", kept)
    api.report_study(journey.file, journey.place.parent)
    assert set(looked) == {gone}
    assert len(looked) == len({(point.folder, point.snapshot) for point in journey.reported.points})
    assert (journey.place / "effects.csv").read_bytes() == before


def test_pictures_are_compared_as_runs_come_in_and_the_page_has_nothing_to_look_at(
    journey: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert journey.ahead == read_json(journey.place / "compared.json")["tested"]
    assert set(journey.ahead) == SETS
    assert not (journey.place / ".pairs").exists(), "what was kept of pairs of runs is for the last of them alone"
    looked: list[tuple[str, str]] = []
    look = Embedder.look

    def watched(self: Embedder, *given: Any) -> Any:
        if self.feature.name.startswith("lpips"):
            looked.append((self.feature.name, given[1][0]))
        return look(self, *given)

    monkeypatch.setattr(Embedder, "look", watched)
    outcomes = noted(journey.study)
    assert len(outcomes) == 3
    called_again = Ahead(journey.study)
    for outcome in outcomes:
        called_again(outcome)
    assert looked == []
    (journey.place / "compared.json").unlink()
    monkeypatch.setattr(study_ahead, "is_finished", lambda run: False)
    ahead = Ahead(journey.study)
    for outcome in outcomes:
        ahead(outcome)
    assert not (journey.place / ".pairs").exists(), "each of these comparisons is of one pair"
    assert read_json(journey.place / "compared.json")["tested"] == journey.ahead
    assert looked, "large vectors are no part of the run folders"
    assert len(set(looked)) == len(looked), "and are held while there is room"


def test_sets_too_large_to_hold_are_left_to_the_page(
    journey: Journey, looked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = (journey.place / "compared.json").read_bytes()
    (journey.place / "compared.json").unlink()
    monkeypatch.setattr(study_ahead, "LARGEST", 100_000)
    monkeypatch.setattr(study_ahead, "is_finished", lambda run: False)
    ahead = Ahead(journey.study)
    for outcome in noted(journey.study):
        ahead(outcome)
    lpips = {"variety", "debiased"}
    assert set(read_json(journey.place / "compared.json")["tested"]) == SETS - lpips
    assert [looked.count(key) for key in sorted(lpips)] == [1, 1], "one look tells how large they are"
    (journey.place / "compared.json").write_bytes(kept)


def test_what_cannot_be_compared_ahead_does_not_stop_the_study(
    journey: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*given: Any) -> Any:
        raise error

    monkeypatch.setattr(study_looking.Looking, "__call__", broken)
    monkeypatch.setattr(study_ahead, "is_finished", lambda run: False)
    kept = (journey.place / "compared.json").read_bytes()
    (journey.place / "compared.json").unlink()
    ahead, outcomes = Ahead(journey.study), noted(journey.study)
    error: Exception = ValueError("no such picture")
    for outcome in outcomes:
        ahead(outcome)
    assert not (journey.place / "compared.json").exists()
    error = NoSpace("The disk is full.", "Make room.")
    with pytest.raises(NoSpace):
        ahead(outcomes[0])
    (journey.place / "compared.json").write_bytes(kept)


def test_again_nothing_is_done_and_the_tables_are_the_same(journey: Journey) -> None:
    before = {name: (journey.place / name).read_bytes() for name in ("table.csv", "pictures.csv", "effects.csv")}
    events = {path: path.read_bytes() for path in journey.place.glob("runs/*/events.jsonl")}
    again = api.study(journey.file, journey.place.parent)
    assert not again.failed
    assert {name: (journey.place / name).read_bytes() for name in before} == before
    assert {path: path.read_bytes() for path in journey.place.glob("runs/*/events.jsonl")} == events
    assert "3 of them are done" in "\n".join(lines_of_study(*api.check_study(journey.file, journey.place.parent)))


def test_a_longer_run_added_later_goes_on_from_what_is_there(journey: Journey, tiny_sd: Path, tmp_path: Path) -> None:
    shutil.copytree(journey.place, tmp_path / "studies" / "rates")
    plan = base_plan(tiny_sd, journey.file.parent / "photos")
    file = write_study(tmp_path, tiny_sd, plan=plan, axes={"training.steps": [2, 4, 6, 9]})
    api.study(file, tmp_path / "studies")
    study = resolve_study(file, tmp_path / "studies")
    (trunk,) = study.shared.trunks
    assert stepped(trunk_run(study, trunk)) == [8, 9], "the stem of the falling rates had reached 7"


def test_other_lengths_draw_and_look_at_new_snapshots_only(
    tiny_sd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lengths of 2 and 6 become 2, 4, 6 and 8: another folder, trained from step 4 on, with the numbers of a study
    that never was another one. 2 context pictures, 2 bare ones and 1 of the class are drawn of each new snapshot."""
    drawn: list[str] = []
    looked: list[str] = []
    draw, look = generate.sample, Embedder.look

    def drawing(model: Any, prompts: list[str], *rest: Any) -> Any:
        drawn.extend(prompts)
        return draw(model, prompts, *rest)

    def looking(self: Embedder, pictures: Any, hashes: Any) -> Any:
        looked.extend(h for h in hashes if self.feature.name == "toon-clip" and h not in self._rows)
        return look(self, pictures, hashes)

    def study(place: Path, lengths: list[int]) -> Path:
        file = write_study(place, tiny_sd, axes={"training.steps": lengths})
        drawn.clear()
        looked.clear()
        assert not api.study(file, place / "studies").failed
        return place / "studies" / "rates"

    rates = study_costs.speed("cpu", 1)
    monkeypatch.setattr(study_costs, "speed", lambda *machine: rates)
    monkeypatch.setattr(generate, "sample", drawing)
    monkeypatch.setattr(Embedder, "look", looking)
    study(tmp_path, [2, 6])
    # With the base model's, which is asked the same for bare pictures and for those of the class.
    assert len(drawn) == 2 * 5 + 4
    new = write_study(tmp_path, tiny_sd, axes={"training.steps": [2, 4, 6, 8]})
    found, cost = api.check_study(new, tmp_path / "studies")
    said = "\n".join(lines_of_study(found, cost))
    assert "executes 8 of 20 steps (40%), in 1 trainings; 4 steps are there already" in said
    whole = api.check_study(new, tmp_path / "elsewhere")[1].seconds
    assert cost.seconds["training"] == pytest.approx(whole["training"] * 4 / 8)
    assert cost.seconds["evaluation pictures"] == pytest.approx(whole["evaluation pictures"] * (2 * 5) / (4 * 5 + 4))
    place = study(tmp_path, [2, 4, 6, 8])
    (trunk,) = found.shared.trunks
    assert stepped(trunk_run(found, trunk)) == [5, 6, 7, 8]
    assert len(drawn) == 2 * 5
    again = set(looked)
    assert 0 < len(again) <= 2 * 5
    (tmp_path / "alone").mkdir()
    alone = study(tmp_path / "alone", [2, 4, 6, 8])
    assert len(drawn) == 4 * 5 + 4
    assert len(set(looked)) > 2 * 5
    for name in ("table.csv", "pictures.csv", "effects.csv"):
        assert (place / name).read_bytes() == (alone / name).read_bytes()
    study(tmp_path, [8])
    assert drawn == []
    (last,) = resolve_study(new, tmp_path / "studies").shared.trunks
    assert stepped(trunk_run(found, last)) == []


def test_no_training_encodes_what_another_has_encoded(
    tiny_sd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four trainings on the same photos: photos, held-out ones, class images and prompts are encoded by the first."""
    from boothlab.api import trainer
    from boothlab.models.families.sd import StableDiffusion
    from boothlab.training.job import Job

    monkeypatch.setenv("BOOTHLAB_HOME", str(tmp_path / "home"))
    counts: list[dict[str, int]] = []
    making, image, text = trainer.make_job, StableDiffusion.encode_image, StableDiffusion.encode_text

    def make_job(*given: Any) -> Job:
        counts.append({"images": 0, "texts": 0})
        job = making(*given)
        counts.append({"images": 0, "texts": 0})
        return job

    def count(what: str, original: Any) -> Any:
        def counted(self: Any, given: Any) -> Any:
            if counts:
                counts[-1][what] += len(given)
            return original(self, given)

        return counted

    monkeypatch.setattr(trainer, "make_job", make_job)
    monkeypatch.setattr(StableDiffusion, "encode_image", count("images", image))
    monkeypatch.setattr(StableDiffusion, "encode_text", count("texts", text))
    plan = base_plan(tiny_sd, "photos", validation={"every": 2})
    axes = {"strategy.learning_rate": [1e-3, 2e-3], "strategy.kind": ["dreambooth", "lora"], "training.steps": [2]}
    file = write_study(tmp_path, tiny_sd, photos=8, plan=plan, axes=axes)
    (study, _), reported = api.check_study(file, tmp_path / "studies"), api.study(file, tmp_path / "studies")
    assert not reported.failed
    made = counts[::2]
    assert len(study.resolved[0].sets["ada"].photos) == 8
    # Eight photos (some of them held out) and four class images; "", the instance and the class prompt.
    assert made[0]["images"] == 8 + 4
    assert made[0]["texts"] >= 3
    assert made[1:] == [{"images": 0, "texts": 0}] * 3


def test_the_recommended_checkpoint_is_scored_again_on_fresh_pictures(
    journey: Journey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from boothlab.api.studies import reporting as study_reporting
    from boothlab.api.studies.reporting import report_study
    from boothlab.api.studies.running import Studied
    from boothlab.studies.choose import Choice

    shutil.copytree(journey.place, tmp_path / "studies" / "rates")
    study = resolve_study(journey.file, tmp_path / "studies")
    # Random weights draw nobody, so no run may be recommended; this one is, as if it were good.
    monkeypatch.setattr(study_reporting, "choose", lambda points, name: Choice(name, "steps 6", "Because.", ()))
    points = report_study(Studied(study, ()))
    page = (study.place / "report.html").read_text()
    (fresh,) = json.loads((study.place / "choices.json").read_text())["fresh"].values()
    point = next(p for p in points if p.run == "steps 6")
    folder = study.root / point.folder / "images"
    drawn = [json.loads(path.read_text()) for path in (folder / "fresh" / point.snapshot / "ada").glob("*.json")]
    first = [json.loads(path.read_text()) for path in (folder / point.snapshot / "ada").glob("*.json")]
    assert len(drawn) == 2, "two contexts, one picture each"
    assert {p["prompt"] for p in drawn} <= {p["prompt"] for p in first}
    assert {p["seed"] for p in drawn}.isdisjoint(p["seed"] for p in first)
    for value in (fresh["face"]["value"], point.cells["face"].value):
        assert f"<b>{number(value)}</b>" in page.split("on fresh pictures")[1].split("</table>")[0]
    assert "chosen from 5 runs" in page
    # Again nothing is drawn or computed.
    kept = {path: path.stat().st_mtime_ns for path in folder.parent.glob("fresh/*/*")}
    report_study(Studied(study, ()))
    assert {path: path.stat().st_mtime_ns for path in folder.parent.glob("fresh/*/*")} == kept
    assert {path.name for path in kept} == {"scores.csv", "summary.json"}
    assert len(kept) == 2


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (torch.OutOfMemoryError("CUDA out of memory."), "OutOfMemoryError: CUDA out of memory."),
        (NoWeights("The head detector is not here."), "The head detector is not here."),
        (NoSpace("The disk is full."), None),
        (Cancelled("Stopped."), None),
    ],
)
def test_what_goes_wrong_on_fresh_pictures_stops_no_report(
    error: Exception, said: str | None, journey: Journey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every run is done by then; a full disk and Ctrl-C alone concern the whole study."""
    from boothlab.api.studies import fresh as study_fresh
    from boothlab.api.studies import reporting as study_reporting
    from boothlab.api.studies.running import Studied
    from boothlab.studies.choose import Choice

    def broken(*given: Any) -> Any:
        raise error

    shutil.copytree(journey.place, tmp_path / "studies" / "rates")
    study = resolve_study(journey.file, tmp_path / "studies")
    for name in ("report.html", "table.csv", "effects.csv"):
        (study.place / name).unlink()
    monkeypatch.setattr(study_reporting, "choose", lambda points, name: Choice(name, "steps 6", "Because.", ()))
    monkeypatch.setattr(study_fresh, "fresh_pictures", broken)
    if said is None:
        with pytest.raises(type(error)):
            study_reporting.report_study(Studied(study, ()))
        return
    study_reporting.report_study(Studied(study, ()))
    assert f"It could not be scored again: {said}" in (study.place / "report.html").read_text()
    assert (study.place / "table.csv").read_bytes() == (journey.place / "table.csv").read_bytes()


def test_without_pyarrow_the_page_says_what_to_install(
    journey: Journey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from boothlab.api.studies import exports as study_exports
    from boothlab.api.studies import reporting as study_reporting
    from boothlab.api.studies.running import Studied

    shutil.copytree(journey.place, tmp_path / "studies" / "rates")
    study = resolve_study(journey.file, tmp_path / "studies")
    monkeypatch.setattr(study_exports, "has_parquet", lambda: False)
    study_reporting.report_study(Studied(study, ()))
    page = (study.place / "report.html").read_text()
    assert "pyarrow is not installed (pip install &#39;boothlab[parquet]&#39;)" in page
    assert not list(study.place.glob("*.parquet"))
    assert "parquet" not in "".join(re.findall(r'href="([^"]*)"', page))


def test_one_other_photo_is_another_table(tiny_sd: Path, tmp_path: Path) -> None:
    """No number on the page is kept anywhere: it is what these photos give."""

    def rows(place: Path) -> list[dict[str, str]]:
        api.study(write_study(place, tiny_sd, axes={"training.steps": [2]}), place / "studies")
        with (place / "studies" / "rates" / "table.csv").open(newline="") as file:
            return list(csv.DictReader(file))

    for name in ("one", "same", "other"):
        (tmp_path / name).mkdir()
        write_study(tmp_path / name, tiny_sd)
    with Image.open(tmp_path / "other" / "photos" / "photo-00.png") as photo:
        changed = ImageOps.invert(photo.convert("RGB"))
    changed.save(tmp_path / "other" / "photos" / "photo-00.png")
    one, same, other = (rows(tmp_path / name) for name in ("one", "same", "other"))
    assert one == same
    assert one[0]["run"] == other[0]["run"]
    assert one[0]["lpips"] != other[0]["lpips"]


def test_rivals_are_trained_on_every_subject_and_stand_beside_the_choice(tiny_sd: Path, tmp_path: Path) -> None:
    """Nobody's face is known to the tiny model's drawings, so nothing is recommended, and that is what is said."""
    people = []
    for first, name in ((0, "ada"), (20, "bob")):
        photo_folder(tmp_path / "photos" / name, 4, size=(72, 64), first=first)
        people.append([{"name": name, "photos": f"photos/{name}", "identifier": "rinn"}])
    taken = {"strategy.learning_rate": 1e-2, "training.steps": 1}
    runs = [{"name": "taken", "each_subject": True, "rival": True, "settings": taken}]
    axes = {"subjects": people, "training.steps": [1, 2]}
    file = write_study(tmp_path, tiny_sd, plan=base_plan(tiny_sd, "photos/ada"), axes=axes, runs=runs)
    reported = api.study(file, tmp_path / "studies")
    assert [(p.run, p.subject) for p in reported.points if p.rival] == [("taken, ada", "ada"), ("taken, bob", "bob")]
    assert all(point.state == "done" for point in reported.points)
    place = reported.report.parent
    with (place / "rivals.csv").open(newline="") as table:
        rows = [(row["subject"], row["rival"], row["state"]) for row in csv.DictReader(table)]
    assert rows == [("ada", "taken", "nothing recommended"), ("bob", "taken", "nothing recommended")]
    page = reported.report.read_text()
    assert "beside settings taken without looking" in page
    assert "Against taken: nothing recommended on 2." in page
    assert 'href="rivals.csv"' in page
    assert (place / "rivals.md").is_file()


def test_the_report_alone_tells_what_is_done_and_trains_nothing(journey: Journey, tmp_path: Path) -> None:
    root = tmp_path / "studies"
    shutil.copytree(journey.place.parent, root)
    study = root / journey.place.name
    before = (study / "table.csv").read_bytes()
    again = api.report_study(journey.file, root)
    assert again.report == study / "report.html"
    assert (study / "table.csv").read_bytes() == before
    gone = next(point.folder for point in again.points if point.run == "long decay")
    shutil.rmtree(study / "runs" / gone)
    states = {point.run: point.state for point in api.report_study(journey.file, root).points}
    assert states.pop("long decay") == "not yet"
    assert set(states.values()) == {"done"}
    assert not (study / "runs" / gone).exists()
    shutil.rmtree(study / "runs")
    with pytest.raises(PlanError, match="has been trained and scored in ") as refused:
        api.report_study(journey.file, root)
    assert str(study) in refused.value.message
    assert "--studies" in refused.value.hint


def test_the_copy_beside_the_page_is_the_same_study_and_is_never_written_over(
    journey: Journey, tmp_path: Path
) -> None:
    root = tmp_path / "studies"
    shutil.copytree(journey.place.parent, root)
    copy = root / journey.place.name / "study.toml"
    copy.write_text("# My remarks.\n" + copy.read_text())
    text = copy.read_bytes()
    again = api.report_study(copy, root)
    assert [(p.run, p.folder, p.state) for p in again.points] == [
        (p.run, p.folder, "done") for p in journey.reported.points
    ]
    assert copy.read_bytes() == text
    copy.unlink()
    api.report_study(journey.file, root)
    assert copy.read_bytes() == (journey.place / "study.toml").read_bytes(), "another file's copy is written"


def test_a_training_that_ended_early_has_its_numbers(tiny_sd: Path, tmp_path: Path) -> None:
    """With patience the last snapshot stands where the training ended, not where the plan would have had it end."""
    plan = base_plan(tiny_sd, "photos", **EARLY)
    plan["strategy"]["learning_rate"] = 1e-12
    file = write_study(tmp_path, tiny_sd, photos=9, plan=plan, axes={"training.steps": [6, 12]})
    reported = api.study(file, tmp_path / "studies")
    assert not reported.failed
    assert [point.state for point in reported.points] == ["done", "done"]
    for point in reported.points:
        run = api.open_run(tmp_path / "studies" / "rates" / "runs" / point.folder)
        assert [point.step] == run.snapshot_steps()
        assert point.step < 6
    assert "Not all runs are complete" not in reported.report.read_text()
