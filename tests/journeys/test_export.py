"""What is exported loads in stock diffusers and draws what we draw."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from boothlab import api
from boothlab.api.exporting import snippet
from boothlab.api.pictures import snapshot_model
from boothlab.errors import PlanError, RunDamaged
from boothlab.models.sampling import noise_sources, sample
from boothlab.plan import RunPlan, plan_from
from boothlab.runs.run import Run
from command_line import boothlab
from photos_made import photo_folder
from single_file import write_single_file

STRATEGIES: dict[str, dict[str, Any]] = {
    "dreambooth": {"kind": "dreambooth", "learning_rate": 1e-3, "text_encoder": True},
    "lora": {"kind": "lora", "learning_rate": 1e-2, "rank": 4, "text_encoder": True},
    "dora": {"kind": "lora", "learning_rate": 1e-2, "rank": 2, "dora": True},
}

SAMPLERS = {"dreambooth": "dpm++", "lora": "dpm++sde", "dora": "ddim"}
SPACINGS = {"lora": "leading"}
"""The base model names none, and diffusers' own is not this one: left out on either side, pictures differ."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("export")


def plan(kind: str, base: Path, place: Path) -> RunPlan:
    return plan_from(
        {
            "name": kind,
            "subjects": [{"name": "ada", "photos": str(photo_folder(place / "photos", 3)), "identifier": "nlwx"}],
            "base": {"model": str(base), "device": "cpu"},
            "strategy": STRATEGIES[kind],
            "objective": {"prior_preservation": False},
            "training": {"steps": 3, "snapshots": [1], "threads": 1, "snapshot_precision": "fp32"},
            "generation": {"steps": 3, "sampler": SAMPLERS[kind], "spacing": SPACINGS.get(kind)},
        },
        "test",
    )


@pytest.fixture(scope="module", params=sorted(STRATEGIES))
def run(request: pytest.FixtureRequest, tiny_sd: Path, place: Path) -> Run:
    """A short training of one strategy."""
    return api.train(plan(request.param, tiny_sd, place), place / "runs")


def ours(run: Run, prompt: str) -> np.ndarray[Any, Any]:
    plan = plan_from(run.plan(), "run")
    model = snapshot_model(run, plan, "step-000003")
    drawn = plan.generation
    return sample(model, [prompt], [7], drawn.sampler, 3, 7.5, drawn.spacing)[0].astype(int)


def stock(pipe: Any, prompt: str) -> np.ndarray[Any, Any]:
    pipe.set_progress_bar_config(disable=True)
    found = pipe(prompt, generator=noise_sources([7]), num_inference_steps=3, output_type="np")
    return np.round(found.images[0] * 255).astype(int)


def namespace(snippet: str) -> dict[str, Any]:
    """What the snippet's loading lines define: all but the drawing."""
    lines = [line for line in snippet.splitlines() if not line.startswith("image")]
    names: dict[str, Any] = {}
    exec("\n".join(lines), names)
    return names


PROMPT = "a photo of nlwx person"


def test_a_whole_folder_loads_in_stock_diffusers_and_draws_the_same(run: Run, tmp_path: Path) -> None:
    made = api.export(run.path, tmp_path / "out", format_="diffusers", precision="fp32")
    names = namespace(made.snippet)
    assert type(names["pipe"]).__name__ == "StableDiffusionPipeline"
    assert not any("lora" in name for name in names["pipe"].unet.state_dict())
    difference = np.abs(stock(names["pipe"], PROMPT) - ours(run, PROMPT))
    assert difference.max() <= 1
    note = (tmp_path / "out" / "README.txt").read_text()
    assert str(tmp_path) not in note, "who gets the folder need not know what is called how here"
    assert "from_pretrained('.', torch_dtype=torch.float32)" in note
    assert made.snippet.replace(repr(str((tmp_path / "out").resolve())), "'.'") in note


def test_the_adapter_alone_loads_beside_the_base_model(run: Run, tmp_path: Path) -> None:
    if run.name.startswith("dreambooth"):
        with pytest.raises(PlanError, match="moves whole weights: there is no adapter"):
            api.export(run.path, tmp_path / "out", format_="adapter")
        return
    made = api.export(run.path, tmp_path / "out", precision="fp32")
    assert made.format == "adapter"
    names = namespace(made.snippet)
    assert np.abs(stock(names["pipe"], PROMPT) - ours(run, PROMPT)).max() <= 1


@pytest.mark.parametrize("run", ["lora"], indirect=True)
def test_the_snippet_draws_at_the_size_that_was_tuned(run: Run, tmp_path: Path) -> None:
    plan = plan_from(run.plan(), "run")
    own = plan.model_copy(update={"photos": plan.photos.model_copy(update={"size": 32})})
    assert "height" not in snippet(plan, ".", ".", "diffusers", "fp32")
    assert ", height=32, width=32)" in snippet(own, ".", ".", "diffusers", "fp32")


def as_downloaded(base: Path) -> None:
    """What is fetched of Stable Diffusion v1.5: the checker's config without its weights, which are a gigabyte."""
    index = json.loads((base / "model_index.json").read_text())
    index |= {"safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"], "requires_safety_checker": True}
    index["feature_extractor"] = ["transformers", "CLIPImageProcessor"]
    (base / "model_index.json").write_text(json.dumps(index))
    for part, name in (("safety_checker", "config.json"), ("feature_extractor", "preprocessor_config.json")):
        (base / part).mkdir()
        (base / part / name).write_text("{}")


def in_half_precision_alone(base: Path) -> None:
    """Named as on the hub where a model has both."""
    for path in list(base.rglob("*.safetensors")):
        path.rename(path.with_suffix(".fp16.safetensors"))


def one_part_in_half_precision_alone(base: Path) -> None:
    (weights,) = (base / "unet").glob("*.safetensors")
    weights.rename(weights.with_suffix(".fp16.safetensors"))


def beside(run: Run, base: Path, place: Path, config: Path | None = None) -> Any:
    """The pipeline of the snippet for the run's adapter in ``place`` and a base model that lies in ``base`` now."""
    before = plan_from(run.plan(), "run")
    moved = before.model_copy(update={"base": before.base.model_copy(update={"model": str(base)})})
    code = snippet(moved, str(place), str(base), "adapter", "fp32")
    if config is not None:  # what diffusers would look for on the hub
        code = code.replace(", torch_dtype=", f", config={str(config)!r}, torch_dtype=")
    return namespace(code)["pipe"]


@pytest.mark.parametrize("run", ["lora"], indirect=True)
@pytest.mark.parametrize("change", [as_downloaded, in_half_precision_alone, one_part_in_half_precision_alone])
def test_the_adapter_loads_beside_base_models_as_they_are_found(
    run: Run, tiny_sd: Path, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    base = shutil.copytree(tiny_sd, tmp_path / "base")
    change(base)
    pipe = beside(run, base, api.export(run.path, tmp_path / "out").path)
    assert pipe.safety_checker is None
    assert np.abs(stock(pipe, PROMPT) - ours(run, PROMPT)).max() <= 1


@pytest.mark.parametrize("run", ["lora"], indirect=True)
def test_the_adapter_loads_beside_a_single_file(
    run: Run, tiny_sd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("boothlab.models.families.sd_config.SINGLE_FILE_TEXT", 16)
    config = shutil.copytree(tiny_sd, tmp_path / "config")
    as_downloaded(config)
    file = write_single_file(tiny_sd, tmp_path / "tiny.safetensors")
    pipe = beside(run, file, api.export(run.path, tmp_path / "out").path, config)
    assert np.abs(stock(pipe, PROMPT) - ours(run, PROMPT)).max() <= 1


@pytest.mark.parametrize("run", ["dora"], indirect=True)
def test_half_precision_is_half_as_large(run: Run, tmp_path: Path) -> None:
    sizes = [
        api.export(run.path, tmp_path / kind, "1", "diffusers", kind).path.joinpath("text_encoder/model.safetensors")
        for kind in ("fp32", "fp16")
    ]
    full, half = (path.stat().st_size for path in sizes)
    assert half == pytest.approx(full / 2, rel=0.01)
    from safetensors.torch import load_file

    assert {tensor.dtype for tensor in load_file(sizes[1]).values()} == {torch.float16}


@pytest.mark.parametrize("run", ["lora"], indirect=True)
def test_nothing_of_the_users_is_overwritten_but_an_export_is(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "diary.txt").write_text("dear diary")
    with pytest.raises(PlanError, match="holds something that is no export"):
        api.export(run.path, tmp_path / "mine")
    assert (tmp_path / "mine" / "diary.txt").read_text() == "dear diary"
    api.export(run.path, tmp_path / "out", snapshot="1")
    api.export(run.path, tmp_path / "out", snapshot="3")
    assert json.loads((tmp_path / "out" / "export.json").read_text())["snapshot"] == "step-000003"
    assert [path.name for path in tmp_path.iterdir() if ".partial-" in path.name] == []
    api.export(run.path, tmp_path / "out", format_="diffusers")
    api.export(run.path, tmp_path / "out", format_="diffusers")
    (tmp_path / "out" / "unet" / ".DS_Store").write_text("")
    api.export(run.path, tmp_path / "out", format_="diffusers")
    (tmp_path / "out" / "unet" / "thesis.doc").write_text("years of work")
    with pytest.raises(PlanError, match=r"but unet/thesis\.doc in it"):
        api.export(run.path, tmp_path / "out")
    assert (tmp_path / "out" / "unet" / "thesis.doc").read_text() == "years of work"
    (tmp_path / "mine" / "export.json").write_text('{"theme": "dark"}')
    with pytest.raises(PlanError, match="holds something that is no export"):
        api.export(run.path, tmp_path / "mine")


@pytest.mark.parametrize("run", ["lora"], indirect=True)
def test_an_export_is_a_folder_or_goes_through_a_link_to_one(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    for name in ("pipe", "nowhere"):
        with pytest.raises(PlanError, match="is no export"):
            api.export(run.path, tmp_path / name)
    assert (tmp_path / "pipe").is_fifo()
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    assert api.export(run.path, tmp_path / "link").size > 0
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "disk" / "export.json").is_file()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(PlanError, match="is the current folder"):
        api.export(run.path, Path())


def test_a_changed_base_model_is_refused(tiny_sd: Path, place: Path, tmp_path: Path) -> None:
    base = shutil.copytree(tiny_sd, tmp_path / "base")
    made = api.train(plan("lora", base, place), tmp_path / "runs")
    with (base / "unet" / "config.json").open("a") as file:
        file.write(" ")
    with pytest.raises(RunDamaged, match="is not the one that lora-"):
        api.export(made.path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("run", ["lora"], indirect=True)
def test_the_command_says_how_to_load_it(run: Run, tmp_path: Path) -> None:
    done = boothlab("export", run.path, "--to", "out", "--snapshot", "1", home=tmp_path / "home", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "step-000001 as adapter" in done.stdout
    assert "StableDiffusionPipeline.from_pretrained(" in done.stdout
