"""Runs that go on from a common stem are those that they would be alone, and cost what they cost."""

from __future__ import annotations

from pathlib import Path

import pytest

from boothlab import api
from boothlab.api import estimating
from boothlab.api.studies.reading import trunk_run
from boothlab.cli.check import gigabytes, saving
from boothlab.cli.study import lines_of_study
from boothlab.files import folder_listing
from boothlab.runs.run import step_name
from study_made import SEARCH, base_plan, write_study


def test_a_branched_run_has_the_previews_of_one_trained_alone(tiny_sd: Path, tmp_path: Path) -> None:
    """What its stem drew was left there."""
    looking = {"validation": {"preview": {"every": 2, "prompts": ["a photo of {it}"]}}}
    decay = {"rate": {"kind": "stable_decay", "decay": 2}}
    runs = [{"name": f"{steps}", "settings": {"training": {"steps": steps, **decay}}} for steps in (6, 8)]
    plan = base_plan(tiny_sd, "photos", **looking)
    file = write_study(tmp_path, tiny_sd, plan=plan, runs=runs)
    study, _ = api.check_study(file, tmp_path / "studies")
    assert [trunk.branch for trunk in study.shared.trunks] == [5, 7]
    api.study(file, tmp_path / "studies")
    for trunk, steps in zip(study.shared.trunks, (6, 8), strict=True):
        shown = folder_listing(api.train(study.of(trunk).plan, tmp_path / "alone").path / "previews")
        assert {name.partition("/")[0] for name in shown} == {step_name(step) for step in range(0, steps + 1, 2)}
        together = folder_listing(trunk_run(study, trunk).path / "previews")
        assert {n: d for n, d in together.items() if n.endswith("png")} == {
            n: d for n, d in shown.items() if n.endswith("png")
        }


def test_the_estimate_of_disk_counts_the_stems(tiny_sd: Path, tmp_path: Path) -> None:
    """They have run folders and checkpoints of their own, and were half of what is written."""
    decay = {"rate": {"kind": "stable_decay", "decay": 2}}
    runs = [{"name": f"{steps}", "settings": {"training": {"steps": steps, **decay}}} for steps in (6, 8)]
    file = write_study(tmp_path, tiny_sd, runs=runs)
    _, cost = api.check_study(file, tmp_path / "studies")
    alone = [
        api.check_study(write_study(tmp_path, tiny_sd, runs=[one]), tmp_path / "studies")[1].disk for one in runs
    ]
    assert cost.disk > 1.5 * sum(alone), "two stems beside two runs"


def small_disk(patch: pytest.MonkeyPatch, free: float) -> None:
    patch.setattr(estimating.shutil, "disk_usage", lambda path: type("Usage", (), {"free": free}))


def test_a_study_that_is_too_large_is_told_what_would_make_it_fit(
    tiny_sd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was told that it does not fit, and nothing more."""
    plan = base_plan(tiny_sd, "photos", checkpoint_every=1)
    file = write_study(tmp_path, tiny_sd, plan=plan, axes={"strategy.learning_rate": [1e-3, 2e-3]}, seeds=[0, 1])
    _, plenty = api.check_study(file, tmp_path / "studies")
    assert (plenty.fits, plenty.remedies) == (True, ())
    small_disk(monkeypatch, 0.9 * plenty.disk)
    study, cost = api.check_study(file, tmp_path / "studies")
    assert not cost.fits
    told = {remedy.setting: remedy for what, remedy in cost.remedies if what == "disk"}
    assert list(told) == [
        "training.keep_checkpoints=1",
        "training.keep_checkpoints=0",
        "training.snapshot_precision=fp16",
    ], "what the runs differ in is no remedy: the strategy"
    for setting, remedy in told.items():
        _, then = api.check_study(file, tmp_path / "studies", [setting])
        assert then.disk == pytest.approx(cost.disk - remedy.saves)
        assert then.fits == remedy.fits
    lines = lines_of_study(study, cost)
    saved = gigabytes(told["training.keep_checkpoints=0"].saves)
    assert {remedy.fits for remedy in told.values()} == {True, False}
    enough = "then it fits" if told["training.keep_checkpoints=0"].fits else "not enough alone"
    assert f"          less disk: --set training.keep_checkpoints=0 saves {saved}; {enough}" in lines
    assert lines[-1] == "warning   this study does not fit on this machine as it is now"


def test_a_search_that_is_too_large_is_told_the_same(
    tiny_sd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ranges = {"strategy.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}}
    search = {**SEARCH, "trials": 4, "ranges": ranges, "rungs": [1, 2]}
    file = write_study(tmp_path, tiny_sd, search=search)
    _, plenty = api.check_study(file, tmp_path / "studies")
    assert plenty.search is not None
    more = write_study(tmp_path / "more", tiny_sd, search={**search, "trials": 8})
    _, twice = api.check_study(more, tmp_path / "studies")
    assert twice.search is not None
    # Two rungs of each trial leave a run; what only the one that trains takes is counted once.
    alone = twice.search.disk - plenty.search.disk
    assert alone < plenty.search.disk < 1.2 * alone
    small_disk(monkeypatch, plenty.search.disk)
    _, cost = api.check_study(file, tmp_path / "studies")
    told = {remedy.setting: remedy for _, remedy in cost.remedies}
    assert "training.keep_checkpoints=0" not in told, "a rung goes on from the checkpoint of the one before it"
    _, then = api.check_study(file, tmp_path / "studies", ["training.keep_checkpoints=1"])
    assert then.search is not None
    saves = told["training.keep_checkpoints=1"].saves
    assert then.search.disk == pytest.approx(plenty.search.disk - saves)


def test_on_a_gpu_the_machines_own_memory_is_told_too(
    tiny_sd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_study(tmp_path, tiny_sd, axes={"strategy.learning_rate": [1e-3, 2e-3]})
    monkeypatch.setattr(estimating, "host_of", lambda plan, costs: {"libraries": 0.9e9})
    monkeypatch.setattr(estimating, "free_bytes", lambda device: 1.1e9)
    study, cost = api.check_study(file, tmp_path / "studies")
    assert cost.host == {"libraries": 0.9e9, "pictures' vectors": 128e6}
    assert not cost.fits, "1.03 of 1.1 GB is more than nine tenths"
    line = "main memory about 1.0 GB of 1.1 GB free: libraries 900 MB, pictures' vectors 128 MB; too little: "
    assert any(line in one for one in lines_of_study(study, cost))


def test_a_study_that_spends_its_time_on_checkpoints_is_told_so(
    tiny_sd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(estimating, "SAVED_PER_SECOND", 1e6)
    plan = base_plan(tiny_sd, "photos", steps=300, checkpoint_every=1)
    file = write_study(tmp_path, tiny_sd, plan=plan, axes={"strategy.learning_rate": [1e-3, 2e-3]})
    study, cost = api.check_study(file, tmp_path / "studies")
    assert cost.rarer is not None
    alone = api.check(study.of(study.shared.trunks[0]).plan, tmp_path / "studies" / "runs").estimate.rarer
    assert cost.rarer == alone
    said = [line for line in lines_of_study(study, cost) if "writing checkpoints takes long" in line]
    assert said == [saving(cost.rarer)]
