"""Runs that go on from a common stem are those that they would be alone, and cost what they cost."""

from __future__ import annotations

from pathlib import Path

from boothlab import api
from boothlab.api.studies.reading import trunk_run
from boothlab.files import folder_listing
from boothlab.runs.run import step_name
from study_made import base_plan, write_study


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
