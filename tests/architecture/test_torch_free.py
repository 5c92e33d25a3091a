"""Plans, lists and help texts load in milliseconds: no heavy library behind them."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from source_tree import SOURCE, modules

HEAVY = ("torch", "diffusers", "transformers", "peft")

LIGHT = sorted(
    [module.name for module in modules() if module.path.name in ("config.py", "plan.py")]
    + [
        "boothlab",
        "boothlab.api",
        "boothlab.api.class_requests",
        "boothlab.api.forgetting",
        "boothlab.config.load",
        "boothlab.config.show",
        "boothlab.evaluation.orders",
        "boothlab.evaluation.scores",
        "boothlab.evaluation.verdict",
        "boothlab.metrics",
        "boothlab.photos.read",
        "boothlab.photos.steps",
        "boothlab.reports.rating",
        "boothlab.runs.events",
        "boothlab.runs.run",
        "boothlab.statistics.memorisation",
        "boothlab.strategies",
        "boothlab.training.class_request",
    ]
)

SPY = """
import importlib, json, sys
found = {}
for name in json.loads(sys.argv[1]):
    importlib.import_module(name)
    found[name] = [heavy for heavy in json.loads(sys.argv[2]) if heavy in sys.modules]
    if found[name]:
        break
print(json.dumps(found))
"""


def heavy_after_import(names: list[str]) -> dict[str, list[str]]:
    """Heavy libraries loaded after each import, in a process of its own; stops at the first culprit."""
    command = [sys.executable, "-c", SPY, json.dumps(names), json.dumps(HEAVY)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return dict(json.loads(done.stdout))


def test_light_modules_stay_light() -> None:
    found = heavy_after_import(LIGHT)
    assert found == dict.fromkeys(LIGHT, []), "the last one named pulls in what stands behind it"


def test_the_list_is_complete() -> None:
    rooms_with_config = {path.parent.name for path in SOURCE.rglob("config.py")}
    assert {"photos", "training", "strategies", "lora", "dreambooth", "models", "diffusion"} <= rooms_with_config
    assert "boothlab.strategies.lora.config" in LIGHT
    assert "boothlab.plan" in LIGHT


@pytest.mark.parametrize("heavy", ["boothlab.diffusion.schedule", "boothlab.models.load"])
def test_the_spy_sees_torch(heavy: str) -> None:
    assert "torch" in heavy_after_import([heavy])[heavy]
