"""`export`: a run's weights in the form that other programs load."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from boothlab.api.export_places import MARK, is_export, remember
from boothlab.api.pictures import BASE, choose_snapshot, plan_of, require_same_base, snapshot_model
from boothlab.assets import asset
from boothlab.errors import PlanError
from boothlab.files import (
    expanded,
    first_foreign,
    is_around,
    is_no_folder,
    new_folder,
    write_json,
    write_text,
)
from boothlab.models.adapters import FILE as ADAPTER_FILE
from boothlab.models.adapters import make_portable, merge_adapters
from boothlab.models.config import scheduler_settings
from boothlab.models.locate import base_size, base_variant, locate
from boothlab.models.pipeline_folder import write_pipeline
from boothlab.models.weights import Precision
from boothlab.plan import RunPlan
from boothlab.progress import Progress, silent
from boothlab.runs.run import Run
from boothlab.subjects import fill_tuned

Format = Literal["diffusers", "adapter"]

NOTE = "README.txt"

PICTURE = "picture.png"
"""What the code in an export saves, there where it is run: in the export, by what the note says."""

OWN = re.compile(
    rf"{re.escape(NOTE)}|{re.escape(PICTURE)}|{re.escape(MARK)}|{re.escape(ADAPTER_FILE)}|model_index\.json"
    r"|(unet|vae|scheduler|(text_encoder|tokenizer)(_\d)?)(/[^/]+\.(json|safetensors|txt|jinja|model))?"
)
"""What lies in an export, also after its code was run."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written where, and the Python that loads it."""

    path: Path
    format: Format
    snapshot: str
    size: int
    snippet: str


def export_run(
    run: Run,
    to: Path,
    snapshot: str | None = None,
    format_: Format | None = None,
    precision: Precision | None = None,
    progress: Progress = silent,
) -> Exported:
    """Write a snapshot (the last one if left out) to the folder ``to``, which appears whole or not at all.

    Left out, ``format_`` is "adapter" where only adapters were trained, else "diffusers"; ``precision`` is that of
    the snapshots. The run remembers the place, so that `forget` finds it. Raises PlanError for a folder that holds
    something else, RunDamaged when the base model has changed.
    """
    plan, name = plan_of(run), choose_snapshot(run, snapshot)
    if name == BASE:
        raise PlanError("The base model needs no export: it is there already.", f"Snapshots: {run.snapshot_steps()}.")
    adapters = (run.snapshots / name / ADAPTER_FILE).is_file()
    format_ = format_ or ("adapter" if adapters else "diffusers")
    if format_ == "adapter" and not adapters:
        raise PlanError(
            f"{run.path} was trained with {plan.strategy.kind}, which moves whole weights: there is no adapter.",
            "Use --format diffusers.",
        )
    _require_replaceable(to, run)
    require_same_base(run, plan)
    precision = precision or plan.training.snapshot_precision
    progress("export", 0, 1)
    # Held, so that no removal of the person runs beside it and leaves these weights.
    with run.writing():
        code = _write(run, plan, name, to, format_, precision)
    progress("export", 1, 1)
    size = sum(file.stat().st_size for file in to.rglob("*") if file.is_file())
    return Exported(to, format_, name, size, code)


def _write(run: Run, plan: RunPlan, name: str, to: Path, format_: Format, precision: Precision) -> str:
    """Fill the folder ``to``; returns the Python that loads it from here."""
    remember(run, to)
    with new_folder(to) as folder:
        if format_ == "adapter":
            shutil.copyfile(run.snapshots / name / ADAPTER_FILE, folder / ADAPTER_FILE)
            make_portable(folder / ADAPTER_FILE)
        else:
            _write_whole(run, plan, name, folder, precision)
        base = locate(plan.base)
        code = snippet(plan, str(to.resolve()), str(base), format_, precision)
        # Who gets the folder has it elsewhere, and need not know what it is called here.
        known_by = base.name if expanded(Path(plan.base.model)).is_absolute() else plan.base.model
        shared = snippet(plan, ".", known_by, format_, precision)
        write_text(folder / NOTE, note(run, name, shared, format_))
        write_json(folder / MARK, {"format": 1, "run": run.name, "snapshot": name, "kind": format_})
    return code


def _write_whole(run: Run, plan: RunPlan, name: str, folder: Path, precision: Precision) -> None:
    model = snapshot_model(run, plan, name)
    for module in model.parts().values():
        merge_adapters(module)
    base = locate(plan.base)
    write_pipeline(model, folder, precision, base / "tokenizer" if base.is_dir() else asset("tokenizer"))


def _require_replaceable(to: Path, run: Run) -> None:
    if is_no_folder(to) or (to.is_dir() and any(to.iterdir()) and not is_export(to)):
        raise PlanError(f"{to} holds something that is no export; it is left alone.", "Name a new folder with --to.")
    foreign = first_foreign(to, OWN) if to.is_dir() else None
    if foreign is not None:
        raise PlanError(
            f"{to} is an export, but {foreign} in it is no part of one, and would be lost with the old export.",
            "Move it away, or name a new folder with --to.",
        )
    if run.path.resolve().is_relative_to(to.resolve()):
        raise PlanError(f"{to} holds the run itself.", "Name a new folder with --to.")
    if is_around(to):
        raise PlanError(
            f"{to} is the current folder, or holds it; the export would replace it as a whole.",
            "Name a folder inside it (--to weights).",
        )


def snippet(plan: RunPlan, place: str, base: str, format_: Format, precision: Precision) -> str:
    """The exact Python that loads the export in ``place``, beside the model in ``base`` where it is an adapter, with
    stock diffusers and draws one picture as boothlab does: without a safety checker, which a base model may name
    without having its weights, and with half precision where there is no other. On a CPU half precision draws, but
    diffusers warns that it cannot. (``torch_dtype`` is deprecated, but the one name that older diffusers know.)
    """
    subject, generation = plan.subjects[0], plan.generation
    prompt = fill_tuned("a photo of {it}", subject)
    dtype = f"torch.{'float16' if precision == 'fp16' and plan.base.device != 'cpu' else 'float32'}"
    loaded, options = place, f"torch_dtype={dtype}"
    if format_ == "adapter":
        loaded, variant = base, base_variant(plan.base)
        options += f", variant={variant!r}" if variant else ""
        options += ", safety_checker=None, requires_safety_checker=False"
    load = "from_single_file" if loaded.endswith(".safetensors") else "from_pretrained"
    sampler, settings = scheduler_settings(generation.sampler, generation.spacing)
    more = ", ".join(f"{name}={value!r}" for name, value in settings.items())
    side = plan.photos.size
    drawn = f"num_inference_steps={generation.steps}, guidance_scale={generation.guidance}"
    drawn += "" if side in (None, base_size(plan.base)) else f", height={side}, width={side}"
    lines = [
        "import torch",
        f"from diffusers import {sampler}, StableDiffusionPipeline",
        "",
        f"pipe = StableDiffusionPipeline.{load}({loaded!r}, {options})",
        *([f"pipe.load_lora_weights({place!r})"] if format_ == "adapter" else []),
        f"pipe.scheduler = {sampler}.from_config(pipe.scheduler.config, {more})",
        f"pipe.to({plan.base.device!r})",
        f"image = pipe({prompt!r}, {drawn})",
        f"image.images[0].save({PICTURE!r})",
    ]
    return "\n".join(lines) + "\n"


def note(run: Run, name: str, code: str, format_: Format) -> str:
    """The text beside the weights."""
    where = "Python to run in this folder"
    if format_ == "adapter":
        where += "; the base model's name stands for the place where you have it"
    return (
        f"Made by boothlab from the run {run.name}, {name}.\n"
        "These weights can draw the person they were trained on; treat them as you would treat the photos.\n\n"
        f"{where}:\n\n{code}"
    )
