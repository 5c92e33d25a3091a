"""A whole model as a folder that stock ``StableDiffusionPipeline.from_pretrained`` loads."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

from diffusers import __version__ as diffusers_version

from boothlab.files import write_json
from boothlab.models.model import Model
from boothlab.models.tokens import VOCABULARY
from boothlab.models.weights import Precision, folder_of, save_module


def write_pipeline(model: Model, folder: Path, precision: Precision, tokenizer: Path) -> None:
    """Write every part into the empty ``folder``. Adapters must have been merged.

    ``tokenizer`` is the folder of the base model's own tokenizer; its vocabulary is copied as it is.
    """
    index: dict[str, Any] = {
        "_class_name": "StableDiffusionPipeline",
        "_diffusers_version": diffusers_version,
        "feature_extractor": [None, None],
        "image_encoder": [None, None],
        "requires_safety_checker": False,
        "safety_checker": [None, None],
    }
    for role, module in model.parts().items():
        save_module(module, folder, role, precision)
        library = "diffusers" if type(module).__module__.startswith("diffusers") else "transformers"
        index[folder_of(role)] = [library, type(module).__name__]
    for role, words in model.tokenizers().items():
        name = role.replace("text_encoder", "tokenizer")
        words.save_pretrained(folder / name)
        for file in VOCABULARY:
            if (tokenizer / file).is_file() and not (folder / name / file).exists():
                shutil.copyfile(tokenizer / file, folder / name / file)
        index[name] = ["transformers", type(words).__name__]
    # Infinities are diffusers' own defaults, and no JSON.
    scheduler = {name: value for name, value in model.scheduler_config().items() if not _infinite(value)}
    kind = str(scheduler.get("_class_name", "DDIMScheduler"))
    (folder / "scheduler").mkdir()
    write_json(folder / "scheduler" / "scheduler_config.json", {**scheduler, "_class_name": kind})
    index["scheduler"] = ["diffusers", kind]
    write_json(folder / "model_index.json", dict(sorted(index.items())))


def _infinite(value: object) -> bool:
    return isinstance(value, float) and not math.isfinite(value)
