"""What would end a training, or change it silently, is said when the plan is looked at, before a model is loaded."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from boothlab import api
from boothlab.api.remarks import set_aside
from boothlab.api.resolving import resolve
from boothlab.errors import PhotoError, PlanError
from boothlab.models.adapters import AdapterShape, add_adapters
from boothlab.models.config import Base
from boothlab.plan import RunPlan, plan_from
from boothlab.training import libraries
from photos_made import made_photo, photo_folder
from study_made import base_plan


@pytest.fixture
def folder(tmp_path: Path, tiny_sd: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    photo_folder(tmp_path / "ada", 9)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def plan(tiny_sd: Path, **nodes: Any) -> RunPlan:
    tree = base_plan(str(tiny_sd), "ada")
    return plan_from({**tree, **{name: {**tree.get(name, {}), **node} for name, node in nodes.items()}}, "test")


@pytest.mark.parametrize("kind", ["adamw8bit", "prodigy"])
def test_an_optimizer_whose_package_is_not_installed(
    folder: Path, tiny_sd: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(libraries, "find_spec", lambda name: None)
    with pytest.raises(PlanError, match=f"package {libraries.PACKAGES[kind]} is not installed"):
        resolve(plan(tiny_sd, training={"optimizer": {"kind": kind}}))
    monkeypatch.setattr(libraries, "find_spec", lambda name: find_spec("sys"))
    rate = {"learning_rate": 1.0 if kind == "prodigy" else 1e-3}
    found = resolve(plan(tiny_sd, training={"optimizer": {"kind": kind}}, strategy=rate))
    assert found.plan.training.optimizer.kind == kind


@pytest.mark.parametrize(
    ("targets", "wrong"),
    [(["to_q", "to_w"], "to_w"), (["q_proj"], "q_proj"), (["attn2.to_q", "ff.net.2", "to_out.0"], "")],
)
def test_adapters_beside_layers_that_are_not_there(
    folder: Path, tiny_sd: Path, targets: list[str], wrong: str
) -> None:
    tried = plan(tiny_sd)
    strategy = {"kind": "lora", "targets": targets}
    tried = plan_from({**tried.model_dump(mode="json"), "strategy": strategy}, "test")
    if not wrong:
        assert resolve(tried).plan.strategy.kind == "lora"
        return
    with pytest.raises(PlanError, match=f"no layer of the base model's UNet is called '{wrong}'"):
        resolve(tried)


def test_prodigy_takes_one_rate(folder: Path, tiny_sd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libraries, "find_spec", lambda name: find_spec("sys"))
    tree = plan(tiny_sd, training={"optimizer": {"kind": "prodigy"}}).model_dump(mode="json")
    tree["strategy"] = {"kind": "lora", "learning_rate": 1.0, "text_encoder": True, "text_encoder_learning_rate": 0.5}
    with pytest.raises(PlanError, match=r"takes one learning rate, and strategy has \[0\.5, 1\.0\]"):
        resolve(plan_from(tree, "test"))
    tree["strategy"]["text_encoder_learning_rate"] = 1.0
    assert resolve(plan_from(tree, "test")).plan.training.optimizer.kind == "prodigy"


@pytest.mark.parametrize(
    ("strategy", "told"),
    [
        ({"kind": "dreambooth"}, "2e-06"),
        ({"kind": "lora"}, "0.0001"),
        ({"kind": "lora", "learning_rate": 0.4}, "0.4"),
        ({"kind": "dreambooth", "learning_rate": 0.5}, None),
    ],
)
def test_prodigy_at_a_rate_of_other_optimizers_would_train_nothing(
    folder: Path, tiny_sd: Path, monkeypatch: pytest.MonkeyPatch, strategy: dict[str, Any], told: str | None
) -> None:
    """Its own estimate of the rate, which the plan's multiplies, stayed at the 1e-6 that it begins with."""
    monkeypatch.setattr(libraries, "find_spec", lambda name: find_spec("sys"))
    tree = plan(tiny_sd, training={"optimizer": {"kind": "prodigy"}}).model_dump(mode="json")
    tree["strategy"] = strategy
    if told is None:
        assert resolve(plan_from(tree, "test")).plan.training.optimizer.kind == "prodigy"
        return
    with pytest.raises(PlanError) as found:
        resolve(plan_from(tree, "test"))
    assert found.value.message == (
        f"training.optimizer.kind is 'prodigy', which finds the rate itself and multiplies it by the plan's: at "
        f"strategy's {told} it moves next to nothing; 0.5 is the least."
    )
    assert found.value.hint == "Set strategy.learning_rate = 1.0, its authors' advice, or use adamw."


def test_identifiers_that_the_model_reads_alike(tiny_sd: Path) -> None:
    tree = plan(tiny_sd).model_dump(mode="json")
    two = [{"name": name, "photos": name, "identifier": word} for name, word in (("ada", "Ohwx"), ("bob", "ohwx"))]
    with pytest.raises(PlanError, match="different identifiers"):
        plan_from({**tree, "subjects": two}, "test")


def test_where_in_the_model_a_layer_lies_is_seen_when_adapters_are_put_in() -> None:
    import torch

    module = torch.nn.ModuleDict({"one": torch.nn.ModuleDict({"to_q": torch.nn.Linear(4, 4)})})
    with pytest.raises(PlanError, match="called 'two.to_q'"):
        add_adapters(module, AdapterShape(2, 2.0, ("to_q", "two.to_q"), False), seed=0)
    assert len(add_adapters(module, AdapterShape(2, 2.0, ("one.to_q",), False), seed=0)) == 2


def test_an_empty_folder_of_class_images(folder: Path, tiny_sd: Path) -> None:
    (folder / "people").mkdir()
    tried = plan(tiny_sd, objective={"prior_preservation": True, "class_folder": "people"})
    with pytest.raises(PhotoError, match="objective.class_folder is people; it holds no pictures"):
        resolve(tried)
    made_photo(1, (64, 64)).save(folder / "people" / "one.png")
    assert resolve(tried).inputs["class_folder"]


def test_class_images_too_few_for_their_prompts_are_said(folder: Path, tiny_sd: Path) -> None:
    few = {"prior_preservation": True, "class_images": 2, "class_contexts": ["a CLASS at sea", "a CLASS at night"]}
    (said,) = [text for text in resolve(plan(tiny_sd, objective=few)).warnings if "class image" in text]
    assert said.endswith("Set objective.class_images to 4 or more, so that each has one.")


def test_snapshots_beyond_the_last_step_are_said(folder: Path, tiny_sd: Path) -> None:
    tree = plan(tiny_sd).model_dump(mode="json")
    tree["training"] |= {"steps": None, "steps_per_photo": 2, "snapshots": [3, 12, 13, 500]}
    found = resolve(plan_from(tree, "test"))
    total = 2 * found.training_photos
    beyond = [step for step in (3, 12, 13, 500) if step > total]
    assert 500 in beyond
    assert 3 not in beyond
    (said,) = [text for text in found.warnings if "snapshot" in text]
    assert said == (
        f"The training ends at step {total}, so there will be no snapshot at {', '.join(map(str, beyond))} "
        "(training.snapshots)."
    )
    tree["training"]["snapshots"] = [3, total]
    assert not [text for text in resolve(plan_from(tree, "test")).warnings if "snapshot" in text]


def test_a_rate_that_is_still_rising_at_the_end_is_said(folder: Path, tiny_sd: Path) -> None:
    tree = plan(tiny_sd).model_dump(mode="json")
    tree["training"] |= {"steps": 30, "rate": {"kind": "constant", "warmup": 40}}
    (said,) = [text for text in resolve(plan_from(tree, "test")).warnings if "rises" in text]
    assert said == (
        "The training ends at step 30, while the learning rate rises until step 40 (training.rate.warmup): it "
        "reaches 75% of what is asked for."
    )
    tree["training"]["steps"] = 40
    assert not [text for text in resolve(plan_from(tree, "test")).warnings if "rises" in text]


def test_photos_that_cannot_be_used_are_named(folder: Path, tiny_sd: Path) -> None:
    (folder / "ada" / "zz.jpg").write_bytes(b"nothing")
    (folder / "ada" / "more").mkdir()
    (said,) = [text for text in api.check(plan(tiny_sd)).warnings if "Set aside" in text]
    assert said.startswith("Set aside of ada:\n  ")
    assert "\n  zz.jpg is not a picture" in said
    assert "\n  more is a folder" in said
    for number in range(9):
        (folder / "ada" / f"zz{number}.jpg").write_bytes(b"nothing")
    (said,) = [text for text in api.check(plan(tiny_sd)).warnings if "Set aside" in text]
    assert said.endswith("\n  and 8 more")


def test_a_photo_that_may_not_be_read_is_set_aside_and_named(
    folder: Path, tiny_sd: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stopped everything, with the folder's name. Root may read all, so the system's answer is given here."""
    locked = sorted((folder / "ada").iterdir())[2]

    def refusing(way: Callable[..., Any]) -> Callable[..., Any]:
        def tried(self: Path, *given: Any, **named: Any) -> Any:
            if self.name == locked.name:
                raise PermissionError(13, "Permission denied", str(self))
            return way(self, *given, **named)

        return tried

    monkeypatch.setattr(Path, "open", refusing(Path.open))
    monkeypatch.setattr(Path, "read_bytes", refusing(Path.read_bytes))
    found = resolve(plan(tiny_sd))
    assert [one.name for one in found.sets["ada"].rejected] == [locked.name]
    assert any(f"{locked.name} cannot be read: Permission denied" in text for text in set_aside(found.sets))
    assert not any("Set aside" in text for text in found.warnings)
    before = found.inputs["photos/ada"]
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    assert resolve(plan(tiny_sd)).inputs["photos/ada"] != before, "as soon as it may be read it is used"


def test_no_suggestions_are_none() -> None:
    assert api.tokens(["sks"], Base(), 0)[1] == []
    assert len(api.tokens(["sks"], Base(), 2)[1]) == 2
    for word in ("<|startoftext|>", "<|endoftext|>"):
        with pytest.raises(PlanError, match="begins or ends every prompt"):
            api.tokens([word], Base(), 0)


def test_photos_of_somebody_to_forget_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="--photos is .*nowhere: there is no such folder"):
        api.forget("ada", tmp_path, tmp_path / "nowhere")
