"""What nobody means to hand in, and some machine does one day: one message and an exit code, never a traceback."""

from __future__ import annotations

import io
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from boothlab import api
from boothlab.api.export_places import exports_of
from boothlab.api.pictures import choose_snapshot, require_same_base
from boothlab.api.scoring import SCORING, summaries_of, summary_of
from boothlab.cli.main import main
from boothlab.config.load import apply_override, parse_override, read_toml, validate
from boothlab.config.show import to_toml
from boothlab.errors import NoAccess, NoWeights, PlanError, RunDamaged
from boothlab.files import new_folder, read_json, require_writable, write_json
from boothlab.home import cache
from boothlab.models.config import Base
from boothlab.models.locate import part_configs
from boothlab.models.speed import known, machine_key
from boothlab.plan import RunPlan, load_plan
from boothlab.runs.events import Stepped, Warned, from_line, to_line
from boothlab.runs.run import Run, create_run, open_run
from boothlab.studies.plan import StudyPlan, load_study
from boothlab.studies.ridge import Ridge
from boothlab.studies.search import Range
from boothlab.training import checkpoint
from boothlab.training.config import Training
from photos_made import photo_folder


def said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str | Path) -> tuple[int, str]:
    """Exit code of a command and the one message that it left."""
    monkeypatch.setattr(sys, "argv", ["boothlab", *map(str, words)])
    code = main()
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err
    assert err.count("boothlab: ") == 1, err
    return code, " ".join(err.split())


def test_a_working_folder_that_was_deleted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    try:
        code, text = said(capsys, monkeypatch, "show", "runs")
    finally:
        os.chdir(tmp_path)
    assert code == 1
    assert "is not there any more" in text
    assert "Change to another folder" in text


def test_ctrl_c_that_no_room_hears_is_one_message(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """typer makes an exit of it, which said nothing."""

    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(api, "doctor", interrupted)
    assert said(capsys, monkeypatch, "doctor") == (
        130,
        "boothlab: stopped. Give the same command again and it goes on.",
    )


def test_a_grid_that_nobody_could_run(tmp_path: Path) -> None:
    """Forty to the sixth points were planned one by one, without an end."""
    numbers = list(range(1, 41))
    axes = {name: numbers for name in ("a", "b", "c", "d", "e", "f")}
    (tmp_path / "study.toml").write_text(to_toml({"axes": axes, "seeds": [0, 1], "plan": {}}))
    with pytest.raises(PlanError) as caught:
        load_study(tmp_path / "study.toml")
    assert "40 × 40 × 40 × 40 × 40 × 40 × 2 are 8,192,000,000 runs, and 10,000 are planned at most" in str(
        caught.value
    )
    (tmp_path / "study.toml").write_text(
        to_toml({"axes": {"a": list(range(100)), "b": list(range(50))}, "seeds": [0, 1], "plan": {}})
    )
    assert len(load_study(tmp_path / "study.toml")[0].seeds) == 2


def test_more_pictures_than_anybody_looks_at(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["boothlab", "generate", str(tmp_path), "--seeds", str(10**11)])
    assert main() == 2
    assert "10000" in capsys.readouterr().err


def test_a_name_that_is_too_long_to_be_read_is_the_one_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, text = said(capsys, monkeypatch, "show", "x" * 300)
    assert code == 1
    assert "a name in " + "x" * 300 in text
    assert str(tmp_path) not in text
    assert "write results" not in text


def test_an_output_that_is_not_utf_8(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    monkeypatch.setattr(sys, "argv", ["boothlab", "tokens", "zwxq"])
    assert main() == 0
    sys.stdout.flush()
    assert b"\\xb7" in written.getvalue()


ODD_TOML = {
    "digits": ("x = " + "9" * 5000, "limit"),
    "bits": ("x = 0x" + "f" * 5000, "20000 bits"),
    "brackets": ("x = " + "[" * 3000 + "]" * 3000, "more than 100 deep"),
    "tables": ("x" + ".x" * 3000 + " = 1", "more than 100 deep"),
}


@pytest.mark.parametrize("case", ODD_TOML)
def test_toml_that_is_too_large(case: str, tmp_path: Path) -> None:
    text, message = ODD_TOML[case]
    (tmp_path / "odd.toml").write_text(text)
    with pytest.raises(PlanError, match=message) as caught:
        read_toml(tmp_path / "odd.toml")
    assert len(str(caught.value)) < 300
    with pytest.raises(PlanError) as caught:
        apply_override({"x": 1}, *parse_override(text))
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("part", ["²", "9" * 5000])
def test_an_item_of_a_list_that_is_no_number(part: str) -> None:
    with pytest.raises(PlanError, match="there is no item") as caught:
        apply_override({"subjects": [{}]}, *parse_override(f"subjects.{part}.name=ada"))
    assert len(str(caught.value)) < 300


NESTED = "[" * 200_000 + "]" * 200_000


def test_json_nested_beyond_all_measure(tmp_path: Path) -> None:
    (tmp_path / "odd.json").write_text(NESTED)
    with pytest.raises(RunDamaged, match="odd.json"):
        read_json(tmp_path / "odd.json")
    assert from_line(NESTED) is None
    for part in ("tokenizer", "text_encoder", "vae", "unet", "scheduler"):
        (tmp_path / part).mkdir()
        (tmp_path / part / "model.safetensors").write_bytes(b"")
        (tmp_path / part / "config.json").write_text(NESTED)
    with pytest.raises(NoWeights, match="incomplete or damaged"):
        part_configs(Base(model=str(tmp_path)))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return create_run(tmp_path, "ada", "0" * 64, None, {"name": "ada"}, "", {"format": 1})


@pytest.mark.parametrize("text", ["[]", '{"plan": 3}', "3"])
def test_a_plan_that_is_no_table(text: str, run: Run) -> None:
    (run.path / "plan.json").write_text(text)
    with pytest.raises(RunDamaged, match="damaged or of a newer boothlab"):
        run.plan()


def test_a_folder_whose_plan_is_no_table_is_not_taken(run: Run) -> None:
    (run.path / "plan.json").write_text("[]")
    with pytest.raises(RunDamaged, match="damaged or of a newer boothlab"):
        create_run(run.path.parent, "ada", "0" * 64, None, {}, "", {})


def test_a_status_at_no_step(run: Run) -> None:
    (run.path / "status.json").write_text('{"state": "created", "step": Infinity, "reason": ""}')
    with pytest.raises(RunDamaged, match="is damaged"):
        run.status()


@pytest.mark.parametrize("text", ["[]", '{"inputs": []}', '{"inputs": {"base": 3}}'])
def test_a_provenance_that_is_none(text: str, run: Run) -> None:
    (run.path / "provenance.json").write_text(text)
    subject = {"name": "ada", "photos": "p", "class_noun": "person"}
    with pytest.raises(RunDamaged, match="damaged or of a newer boothlab"):
        require_same_base(run, RunPlan.model_validate({"subjects": [subject]}))


@pytest.mark.parametrize("text", ["{}", "[]", '{"places": [3]}'])
def test_exports_that_are_none(text: str, run: Run) -> None:
    (run.path / "exports.json").write_text(text)
    with pytest.raises(RunDamaged, match="damaged or of a newer boothlab"):
        exports_of(run)


def test_a_checkpoint_of_no_step_is_passed_over(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, 3, {}, keep=2)
    tree = read_json(tmp_path / "step-000003" / "checkpoint.json")
    write_json(tmp_path / "step-000003" / "checkpoint.json", {**tree, "step": "x"})
    skipped: list[Path] = []
    assert checkpoint.newest(tmp_path, skipped.append) is None
    assert [path.name for path in skipped] == ["step-000003"]


def test_events_of_odd_types_are_passed_over() -> None:
    good = json.loads(to_line(Stepped(3, 0.5, 0.5, None, 1, 1e-4, 0.1)))
    assert from_line(json.dumps(good)) == Stepped(3, 0.5, 0.5, None, 1, 1e-4, 0.1)
    assert from_line(json.dumps(good | {"more": 1})) is not None
    for odd in ({"step": "3"}, {"step": 3.5}, {"step": True}, {"loss": None}, {"loss": []}, {"seconds": 10**400}):
        assert from_line(json.dumps(good | odd)) is None
    assert from_line(json.dumps({"kind": "warned", "step": 1, "code": "a", "message": {}})) is None
    assert from_line(to_line(Warned(1, "a", "b"))) == Warned(1, "a", "b")


EMPTY: dict[str, object] = {
    "scoring": SCORING, "summaries": [], "unavailable": [], "rulings": [], "nulls": [], "crossings": [],
    "remarks": [],
}  # fmt: skip

RULING = {"subject": "ada", "verdict": {"thresholds": 1, "judgements": []}}
NEAR = {"source": "step-000003", "picture": 0, "photo": 1, "distance": 0.5, "flagged": False}

ODD_SUMMARIES: dict[str, object] = {
    "no table": [],
    "newer": {**EMPTY, "scoring": SCORING + 1},
    "newer, with less": {"scoring": SCORING + 1},
    "scoring": {**EMPTY, "scoring": "x"},
    "rulings": {**EMPTY, "rulings": 3},
    "verdict": {**EMPTY, "rulings": [{"subject": "ada", "verdict": 3}]},
    "thresholds": {**EMPTY, "rulings": [{"subject": "ada", "verdict": {"thresholds": 10**6, "judgements": []}}]},
    "near": {**EMPTY, "rulings": [{**RULING, "near": 3}]},
    "nearest": {**EMPTY, "rulings": [{**RULING, "near": [NEAR, {**NEAR, "distance": None}]}]},
    "nulls": {**EMPTY, "nulls": [{}]},
    "remarks": {**EMPTY, "remarks": [3]},
    "line": {**EMPTY, "summaries": [{"snapshot": "base"}]},
    "field": {**EMPTY, "summaries": [{"colour": "red"}]},
}


@pytest.mark.parametrize("case", ODD_SUMMARIES)
def test_scores_that_are_damaged_or_newer_are_not_called_older(case: str, run: Run) -> None:
    write_json(run.path / "summary.json", ODD_SUMMARIES[case])
    with pytest.raises(RunDamaged, match="damaged or of a newer boothlab"):
        summaries_of(summary_of(run))


def test_older_scores_are_called_older(run: Run) -> None:
    write_json(run.path / "summary.json", {**EMPTY, "scoring": SCORING - 1})
    with pytest.raises(PlanError, match="scored by an older boothlab"):
        summary_of(run)


def test_steps_that_are_no_numbers(run: Run) -> None:
    checkpoint.save(run.checkpoints, 3, {}, keep=2)
    for name in ("step-000003", "step-²", "step-" + "9" * 200, "step-3"):
        (run.snapshots / name).mkdir(parents=True)
        (run.checkpoints / name).mkdir(exist_ok=True)
    assert run.snapshot_steps() == [3]
    assert checkpoint.steps_in(run.checkpoints) == [3]
    assert choose_snapshot(run, "3") == "step-000003"
    for wanted in ("²", "9" * 5000, "4"):
        with pytest.raises(PlanError, match="has no snapshot") as caught:
            choose_snapshot(run, wanted)
        assert len(str(caught.value)) < 300


def test_a_study_of_subjects_that_are_a_number(tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text("plan = {subjects = 3}")
    assert load_study(tmp_path / "study.toml")[1] == {"subjects": 3}


def test_an_axis_within_the_subjects_is_not_the_subjects() -> None:
    runs = [{"name": "all", "each_subject": True}]
    with pytest.raises(ValidationError, match="needs the subjects as an axis"):
        StudyPlan.model_validate({"plan": {}, "axes": {"subjects": {"x": [1]}}, "runs": runs})


@pytest.mark.parametrize(("exposure", "rate"), [(1e308, 1e-308), (1e3, 1e-6), (1.0, float("nan")), (1.0, 10**400)])
def test_a_ridge_beyond_all_numbers(exposure: float, rate: float) -> None:
    with pytest.raises(ValidationError):
        Ridge(learning_rates=(rate,), exposures=(exposure,))


@pytest.mark.parametrize("high", [10**400, float("inf"), float("nan")])
def test_a_range_beyond_all_numbers(high: float) -> None:
    with pytest.raises(ValidationError, match="64 bits|finite"):
        Range(low=1, high=high)


@pytest.mark.parametrize(
    "path", ["steps", "steps_per_photo", "checkpoint_every", "keep_checkpoints", "threads", "validation.every"]
)
def test_more_than_any_training_takes(path: str) -> None:
    for most in (10**400, 2**40):
        tree: dict[str, Any] = {}
        apply_override(tree, path.split("."), most)
        with pytest.raises(PlanError, match=rf"{path}: must be \d+ or less"):
            validate(Training, tree, "the plan")


def test_a_run_plan_is_no_study(tmp_path: Path) -> None:
    (tmp_path / "ada.toml").write_text('name = "ada"\n[[subjects]]\nname = "ada"\nphotos = "photos"\n')
    with pytest.raises(PlanError, match="is a run plan, not a study") as caught:
        load_study(tmp_path / "ada.toml")
    assert "boothlab train" in str(caught.value)


def test_remembered_rates_of_another_shape_are_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOOTHLAB_HOME", str(tmp_path))
    good = {name: {"8": 1e9} for name in ("conv", "linear", "attention")} | dict.fromkeys(
        ("pointwise", "layer", "copied"), 1.0
    )
    path = cache("speed") / f"{machine_key('cpu', 1)}.json"
    write_json(path, {"speed": good})
    assert known("cpu", 1) is not None
    odd: list[Any] = [{}, {"8": 0}, {"0": 1.0}, [], 3, {"x": 1}, {"8": 10**400}]
    for tree in ([], {"speed": []}, *({"speed": {**good, "conv": conv}} for conv in odd)):
        write_json(path, tree)
        assert known("cpu", 1) is None


@pytest.fixture
def loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A link to itself, in the current folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "ada.toml").write_text("[[subjects]]\nname = 'ada'\nphotos = 'photos'\n")
    photo_folder(tmp_path / "photos", 3)
    return tmp_path / "loop"


@pytest.mark.parametrize(
    "words",
    ["prepare loop --out x", "train ada.toml --runs loop", "forget ada --runs loop", "check ada.toml --runs loop"],
)
def test_a_link_that_leads_back_to_itself_is_one_message(
    words: str, loop: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, text = said(capsys, monkeypatch, *words.split())
    assert code == 1
    assert "is a link that leads back to itself" in text


def test_a_home_that_is_a_link_to_itself_is_one_message(
    loop: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOOTHLAB_HOME", "loop")
    code, text = said(capsys, monkeypatch, "check", "ada.toml")
    assert code == 1
    assert "is a link that leads back to itself" in text


def test_a_folder_that_the_system_does_not_make_is_one_error() -> None:
    place = "/proc/x/y"
    for write in (lambda: write_json(Path(place) / "a.json", 1), lambda: new_folder(Path(place)).__enter__()):
        with pytest.raises(NoAccess, match="makes no folder"):
            write()


def test_places_that_cannot_be_written_are_told_before_anything_is_done(loop: Path) -> None:
    plan = load_plan(loop.with_name("ada.toml"))
    with pytest.raises(NoAccess, match="run folders"):
        api.check(plan, Path("/proc/x"))
    (loop.with_name("file")).write_text("")
    with pytest.raises(NoAccess, match="run folders"):
        api.check(plan, loop.with_name("file") / "runs")
    require_writable(loop.with_name("new") / "runs", "run folders")
    assert sorted(path.name for path in loop.parent.iterdir()) == ["ada.toml", "file", "loop", "photos"]


def test_doctor_tells_of_every_feature_and_of_places(loop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOOTHLAB_HOME", "/proc/x")
    found = {finding.name: finding for finding in api.doctor()}
    assert not found["place for shared results"].works
    assert found["place for runs"].works
    assert not found["feature inception-2015"].works
    assert "boothlab fetch inception" in found["feature inception-2015"].detail
    assert found["feature lpips-alex"].works


def test_a_plan_is_asked_for_where_a_run_is_wanted(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"nothere\.toml is not there") as caught:
        open_run(tmp_path / "nothere.toml")
    assert "a study's TOML" in caught.value.hint


def test_a_plan_in_another_encoding_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "ada.toml").write_text("name = 'ada'", encoding="utf-16")
    with pytest.raises(PlanError, match="it is not UTF-8 text") as caught:
        read_toml(tmp_path / "ada.toml")
    assert caught.value.hint == "Save it again as UTF-8."


def test_a_plan_in_a_pipe_may_be_asked_for_twice(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=("name = 'ada'\n",), daemon=True)
    writer.start()
    assert read_toml(pipe) == read_toml(pipe) == {"name": "ada"}
    writer.join()


def test_a_file_that_may_not_be_read_is_not_called_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*given: Any, **more: Any) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", refused)
    with pytest.raises(RunDamaged, match="may not be read") as caught:
        read_json(tmp_path / "plan.json")
    assert caught.value.hint == "Change its permissions."


def test_lpips_vgg_takes_no_file(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """It was passed over without a word."""
    monkeypatch.setattr("sys.argv", ["boothlab", "fetch", "lpips-vgg", "vgg.pth"])
    assert main() == 2
    assert "lpips-vgg needs no file; vgg.pth would not be read" in capsys.readouterr().err
