"""Imports go down the floors only."""

from __future__ import annotations

from pathlib import Path

import pytest

from source_tree import ALSO_ALLOWED, FLOORS, SOURCE, Module, floor_violations, modules, parse

ALL = modules()


def planted(name: str, line: str) -> Module:
    return parse(Path(name.replace(".", "/") + ".py"), name, line)


@pytest.mark.parametrize("module", ALL, ids=lambda module: module.name)
def test_imports_go_down_only(module: Module) -> None:
    assert floor_violations(module) == []


def test_every_room_has_a_floor() -> None:
    rooms = {path.stem for path in SOURCE.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    assert rooms - {"__init__"} <= FLOORS.keys()
    assert len(ALL) > 60, "the source was not found"


def test_sideways_permissions_are_one_way_and_on_one_floor() -> None:
    assert all(FLOORS[a] == FLOORS[b] for a, b in ALSO_ALLOWED)
    targets = {b for _, b in ALSO_ALLOWED}
    assert targets.isdisjoint(a for a, _ in ALSO_ALLOWED), "a chain of them could close into a circle"


@pytest.mark.parametrize(
    ("name", "line", "problem"),
    [
        ("boothlab.models.load", "from boothlab.training.loop import train", "models (floor 2) imports training"),
        ("boothlab.models.load", "import boothlab.training.loop", "models (floor 2) imports training (floor 4)"),
        ("boothlab.models.load", "from boothlab import training", "models (floor 2) imports training (floor 4)"),
        ("boothlab.models.load", "from ..training import loop", "models (floor 2) imports training (floor 4)"),
        ("boothlab.models.load", "def f():\n    from boothlab.api import train", "imports api (floor 6)"),
        ("boothlab.models.load", "import importlib\nimportlib.import_module('boothlab.cli.main')", "imports cli"),
        ("boothlab.training.loop", "from boothlab.evaluation.scores import Score", "imports evaluation (floor 4)"),
        ("boothlab.plan", "from boothlab.reports import page", "plan (floor 5) imports reports (floor 5)"),
        ("boothlab.models.load", "from boothlab.features.lpips import embed", "imports features (floor 2)"),
        ("boothlab.photos.read", "from boothlab.diffusion import schedule", "never import each other"),
        ("boothlab.diffusion.schedule", "import boothlab.photos.photo", "never import each other"),
        ("boothlab.training.loop", "import diffusers", "only models may import diffusers"),
        ("boothlab.features.lpips", "from peft import LoraConfig", "only models may import peft"),
        ("boothlab.strategies.lora.method", "from transformers import CLIPModel", "only models and features may"),
        ("boothlab.features.clip", "from pretraining.run import main", "nothing that ships may import pretraining"),
        ("boothlab.models.load", "from boothlab import __version__, load_plan", "models (floor 2) imports plan"),
        ("boothlab.models.load", "import boothlab", "public door"),
        ("boothlab.newroom.thing", "from boothlab.files import write_json", "newroom has no floor"),
    ],
)
def test_planted_violation_is_caught(name: str, line: str, problem: str) -> None:
    found = floor_violations(planted(name, line))
    assert len(found) == 1
    assert problem in found[0]


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("boothlab.reports.page", "from boothlab.plan import RunPlan"),
        ("boothlab.training.loop", "from boothlab.training import rates"),
        ("boothlab.api.trainer", "from boothlab.plan import RunPlan"),
        ("boothlab.features.clip", "from transformers import CLIPModel"),
        ("boothlab.cli.main", "from boothlab import __version__"),
    ],
)
def test_allowed_import_is_left_alone(name: str, line: str) -> None:
    assert floor_violations(planted(name, line)) == []
