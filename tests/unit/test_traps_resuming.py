"""Traps that other trainers fell into, in resuming and in random numbers; numbered as in docs/traps.md."""

from __future__ import annotations

import ast
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from boothlab import files
from boothlab.models.model import Model
from boothlab.runs.events import Stepped
from boothlab.strategies import DreamBooth
from boothlab.training import checkpoint
from boothlab.training.job import Job
from jobs_made import make_job, pool, run, settings
from source_tree import SOURCE

Fresh = Callable[[], Model]


@pytest.mark.parametrize("compat", ["none", "diffusers"])
def test_r1_r2_a_resume_inside_a_turn_deals_what_was_not_dealt_yet(compat: str, fresh: Fresh, tmp_path: Path) -> None:
    """Seven photos in windows of three: step numbers, passes and turns are three different counters."""
    model = fresh()
    training = settings(7, checkpoint_every=1, accumulate=3, compat=compat)

    def job(folder: Path | None = None) -> tuple[Job, list[list[str]]]:
        made = make_job(fresh(), DreamBooth(), folder, training=training, examples=pool(model.latent_shape, 7, 0))
        seen: list[list[str]] = []
        deal = made.draws.deal

        def noted(step: int) -> object:
            passes = deal(step)
            seen.append([one.example.id for dealt in passes for one in dealt])
            return passes

        object.__setattr__(made.draws, "deal", noted)
        return made, seen

    whole, dealt = job()
    run(whole)
    first, before = job(tmp_path)
    run(first, until=lambda event: isinstance(event, Stepped) and event.step == 4)
    second, after = job(tmp_path)
    found = checkpoint.newest(tmp_path / "checkpoints", pytest.fail)
    assert found is not None
    second.restore(found)
    run(second)
    assert before + after == dealt
    turns = [name for step in dealt for name in step]
    assert [sorted(turns[k : k + 7]) for k in (0, 7, 14)][: len(turns) // 7] == [
        [f"photo-{k}" for k in range(7)] for _ in range(len(turns) // 7)
    ]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_r15_half_written_files_and_folders_are_swept_alike(tmp_path: Path) -> None:
    """A writer that is killed just before its rename leaves a file or a folder, and one sweep takes both."""
    for kind in ("file", "folder"):
        child = os.fork()
        if child == 0:
            files.os.replace = lambda *paths: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[attr-defined]
            if kind == "file":
                files.write_bytes(tmp_path / "status.json", b"{}")
            with files.new_folder(tmp_path / "step-000001") as temporary:
                (temporary / "state").write_bytes(b"x")
        os.waitpid(child, 0)
    left = sorted(tmp_path.iterdir())
    assert [path.is_dir() for path in left] == [False, True]
    assert files.sweep_temporaries(tmp_path) == left
    assert list(tmp_path.iterdir()) == []


GENERATORS = {"rand", "randn", "randint", "randperm", "normal", "bernoulli", "multinomial"}
"""torch's functions that draw; the forms that end in _like take no generator and are not used at all."""

GLOBAL = {"manual_seed", "manual_seed_all", "get_rng_state", "set_rng_state", "get_rng_state_all", "seed_all"}

EXCEPTIONS = {
    "models/adapters.py": "peft draws from the global generator: forked, seeded and put back around its call",
    "models/speed.py": "numbers that are only timed",
}


def draws_of_the_device(tree: ast.AST) -> list[str]:
    """Calls that would read or move the generator of the process or of a device."""
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        name, owner = node.func.attr, ast.unparse(node.func.value)
        keywords = {keyword.arg for keyword in node.keywords}
        if owner == "torch" and name in GENERATORS and "generator" not in keywords:
            found.append(ast.unparse(node))
        if name in GLOBAL and owner.startswith("torch") and not owner.startswith("torch.Generator("):
            found.append(ast.unparse(node))
        if owner == "torch" and name == "Generator" and (node.args or node.keywords):
            found.append(ast.unparse(node))
        if name.endswith("_like") and name.startswith("rand"):
            found.append(ast.unparse(node))
    return found


def test_r11_no_device_has_a_random_stream_of_its_own() -> None:
    """Every draw names a generator, and every generator is the CPU's: the same numbers on every device."""
    found = {}
    for path in sorted(SOURCE.rglob("*.py")):
        calls = draws_of_the_device(ast.parse(path.read_text(encoding="utf-8")))
        if calls:
            found[path.relative_to(SOURCE).as_posix()] = calls
    assert found.keys() == EXCEPTIONS.keys(), found


@pytest.mark.parametrize(
    "line",
    [
        "torch.cuda.manual_seed(1)",
        "torch.randn(3)",
        "torch.randn_like(x)",
        "torch.Generator('cuda')",
        "torch.Generator(device=device)",
        "torch.cuda.set_rng_state(state)",
    ],
)
def test_r11_the_search_finds_what_it_is_for(line: str) -> None:
    assert draws_of_the_device(ast.parse(line)) == [line]
