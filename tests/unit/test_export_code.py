"""The code in an export: what it loads the weights as, and what it leaves in the folder."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from boothlab.api.export_places import MARK
from boothlab.api.exporting import _require_replaceable, snippet
from boothlab.errors import PlanError
from boothlab.files import write_json
from boothlab.plan import RunPlan, plan_from
from boothlab.runs.run import create_run


def plan(base: Path, device: str = "cpu") -> RunPlan:
    tree = {"subjects": [{"name": "ada", "photos": "photos", "identifier": "zuv"}]}
    return plan_from({**tree, "base": {"model": str(base), "device": device}}, "test")


@pytest.mark.parametrize(
    ("device", "precision", "dtype"),
    [
        ("cpu", "fp16", "float32"),
        ("cpu", "fp32", "float32"),
        ("cuda", "fp16", "float16"),
        ("cuda", "fp32", "float32"),
    ],
)
def test_half_precision_is_for_gpus(device: str, precision: str, dtype: str, tiny_sd: Path) -> None:
    """On a CPU it draws, but diffusers warns three times that it cannot."""
    code = snippet(plan(tiny_sd, device), ".", "base", "diffusers", precision)  # type: ignore[arg-type]
    assert f"torch_dtype=torch.{dtype})" in code
    assert f"pipe.to({device!r})" in code


def test_an_export_whose_code_was_run_there_may_be_made_again(tiny_sd: Path, tmp_path: Path) -> None:
    """The note says to run it in this folder, and the picture that it saves there was "no part of" an export."""
    run = create_run(tmp_path / "runs", "ada", "1a2b3c4d" * 8, None, {}, "", {})
    out = tmp_path / "out"
    write_json(out / MARK, {"format": 1, "run": run.name, "snapshot": "step-000001", "kind": "diffusers"})
    saved = re.search(r"save\('(.+)'\)", snippet(plan(tiny_sd), ".", "base", "diffusers", "fp32"))
    assert saved is not None
    (out / saved[1]).write_bytes(b"")
    _require_replaceable(out, run)
    (out / "mine.png").write_bytes(b"")
    with pytest.raises(PlanError, match=r"mine\.png in it is no part of one"):
        _require_replaceable(out, run)
