"""A new metric, photo step or strategy costs one file (or folder) and one line, and is tested by itself.

The package and its contract suites are copied, a newcomer is added, and the suites run on the copy in a process of
their own. A newcomer that breaks its promise must fail there.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from source_tree import ROOT

METRIC = '''
"""Distance between mean features: a toy."""

import numpy as np

from boothlab.features.lpips import LPIPS_ALEX
from boothlab.metrics.distances import over_photos
from boothlab.metrics.metric import Metric


def distances(generated, references):
    return np.sqrt(((generated.astype(float)[:, None] - references[None]) ** 2).sum(2)){spoilt}


METRIC = Metric(
    name="toy_distance",
    question="How far apart are the pictures and the photos?",
    better="lower",
    unit="toy",
    bounds=(0.0, float("inf")),
    needs=LPIPS_ALEX,
    references=("held_out", "train"),
    values=over_photos(distances),
    pairs=distances,
    source="invented in 2026",
    copies=0.0,
)
'''

STEP = '''
"""Mirror the photo: a toy."""

from typing import Literal

from boothlab.photos.photo import Photo, Rejected
from boothlab.photos.steps.step import Step


class Mirror(Step):
    """Swap left and right."""

    kind: Literal["mirror"] = "mirror"

    def apply(self, photo: Photo, size: int) -> Photo | Rejected:
        mask = None if photo.mask is None else photo.mask[:, ::-1].copy()
        pixels = photo.pixels[:, ::-1].copy()
        {spoilt}
        return photo.after(self.kind, pixels, mask, width=photo.size[0])
'''

STRATEGY_CONFIG = '''
"""Settings of a toy."""

from typing import Literal

from pydantic import Field

from boothlab.strategies.config import Strategy


class LastLayer(Strategy):
    """Move the last convolution only."""

    kind: Literal["last_layer"] = "last_layer"
    learning_rate: float = Field(1e-3, gt=0)
    """Learning rate."""

    def attach(self, model, subjects, seed):
        from boothlab.strategies.last_layer.method import attach

        return attach(self, model)

    def restore(self, model, folder):
        from boothlab.models.weights import load_module

        load_module(model.backbone(), folder, "backbone")
'''

STRATEGY_METHOD = '''
"""Move the last convolution only: a toy."""

import torch

from boothlab.models.weights import save_module, state_bytes
from boothlab.strategies.attached import Attached, ParamGroup


def attach(config, model):
    unet = model.backbone()
    parameters = {{f"backbone.conv_out.{{n}}": p for n, p in unet.conv_out.named_parameters()}}
    for parameter in parameters.values():
        parameter.requires_grad_(True)

    def hold():
        with torch.no_grad():
            {spoilt}

    return Attached(
        groups=(ParamGroup("backbone", parameters, config.learning_rate),),
        export=lambda folder, precision: save_module(unet, folder, "backbone", precision),
        export_bytes=lambda precision: state_bytes(unet, precision),
        hold=hold,
    )
'''


@dataclass(frozen=True)
class Newcomer:
    """Files to add, the one line that lists them, the suite that must notice, and how to break the promise."""

    files: dict[str, str]
    listed_in: str
    line: str
    suite: str
    name: str
    fine: str
    spoilt: str
    must_fail: str


NEWCOMERS = {
    "metric": Newcomer(
        files={"metrics/toy_distance.py": METRIC},
        listed_in="metrics/__init__.py",
        line="from boothlab.metrics.toy_distance import METRIC as TOY_DISTANCE",
        suite="test_metric.py",
        name="toy_distance",
        fine="",
        spoilt=" - 1.0",
        must_fail="test_values_are_numbers_within_bounds",
    ),
    "step": Newcomer(
        files={"photos/steps/mirror.py": STEP},
        listed_in="photos/steps/__init__.py",
        line="from boothlab.photos.steps.mirror import Mirror",
        suite="test_photo_step.py",
        name="mirror",
        fine="pass",
        spoilt="mask = photo.mask",
        must_fail="test_mask_and_pixels_move_together",
    ),
    "strategy": Newcomer(
        files={
            "strategies/last_layer/__init__.py": "",
            "strategies/last_layer/config.py": STRATEGY_CONFIG,
            "strategies/last_layer/method.py": STRATEGY_METHOD,
        },
        listed_in="strategies/__init__.py",
        line="from boothlab.strategies.last_layer.config import LastLayer",
        suite="test_strategy.py",
        name="last_layer",
        fine="pass",
        spoilt="unet.conv_in.bias.add_(1e-4)",
        must_fail="test_what_is_not_declared_stays_bit_for_bit",
    ),
}


def copied_house(folder: Path, spoilt: bool) -> Path:
    """The package and its contract suites in ``folder``, with all newcomers in."""
    litter = shutil.ignore_patterns("__pycache__", "toon", "samples")
    shutil.copytree(ROOT / "src", folder / "src", ignore=litter)
    shutil.copytree(ROOT / "tests" / "contracts", folder / "tests" / "contracts", ignore=litter)
    for path in (ROOT / "tests").glob("*.py"):
        shutil.copy(path, folder / "tests")
    shutil.copy(ROOT / "pyproject.toml", folder)
    package = folder / "src" / "boothlab"
    for newcomer in NEWCOMERS.values():
        for name, text in newcomer.files.items():
            (package / name).parent.mkdir(exist_ok=True)
            filled = text.replace("{spoilt}", newcomer.spoilt if spoilt else newcomer.fine)
            (package / name).write_text(filled.replace("{{", "{").replace("}}", "}"))
        add_one_line(package / newcomer.listed_in, newcomer.line)
    return folder


def add_one_line(path: Path, line: str) -> None:
    """Put the import where imports are sorted: the only line outside the newcomer's own files."""
    before = path.read_text().splitlines()
    place = max(i for i, text in enumerate(before) if text.startswith("from ") and text < line)
    path.write_text("\n".join([*before[: place + 1], line, *before[place + 1 :]]) + "\n")
    assert len(path.read_text().splitlines()) == len(before) + 1


def suite_results(folder: Path, wanted: str) -> dict[str, str]:
    """Test → PASSED, FAILED or ERROR, of the tests that ``wanted`` selects in the three suites."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", *(f"tests/contracts/{n.suite}" for n in NEWCOMERS.values())),
            *("-k", wanted, "-rA", "--no-header", "-p", "no:cacheprovider", "--rootdir", str(folder)),
        ],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder / "src"), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    found = {test: state for state, test in re.findall(r"^(PASSED|FAILED|ERROR) (\S+)", done.stdout, re.M)}
    assert found, done.stdout + done.stderr
    return found


def name_of(test: str) -> str:
    """The function of a test's full name."""
    return re.split(r"::|\[", test)[1]


def own_tests(newcomer: Newcomer) -> set[str]:
    """Names of the tests in the suite that every member of the list must run."""
    text = (ROOT / "tests" / "contracts" / newcomer.suite).read_text()
    return set(re.findall(r"^def (test_\w+)\(", text, re.M))


def test_newcomers_are_tested_by_themselves(tmp_path: Path) -> None:
    names = " or ".join(newcomer.name for newcomer in NEWCOMERS.values())
    found = suite_results(copied_house(tmp_path, spoilt=False), names)
    assert {test for test, state in found.items() if state != "PASSED"} == set()
    for newcomer in NEWCOMERS.values():
        ran = {name_of(test) for test in found if newcomer.suite in test and newcomer.name in test}
        assert ran == own_tests(newcomer), "a test of the suite did not reach the newcomer"


def test_newcomers_that_break_their_promises_are_caught(tmp_path: Path) -> None:
    wanted = " or ".join(f"({n.name} and {n.must_fail})" for n in NEWCOMERS.values())
    found = suite_results(copied_house(tmp_path, spoilt=True), wanted)
    assert {name_of(test) for test in found} == {newcomer.must_fail for newcomer in NEWCOMERS.values()}
    assert set(found.values()) == {"FAILED"}
