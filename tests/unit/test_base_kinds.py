"""What is no Stable Diffusion for text-to-image is refused by name, from its configs, before anything is loaded."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from boothlab.cli.main import main
from boothlab.config.show import to_toml
from boothlab.errors import NoWeights, PlanError
from boothlab.models.config import Base
from boothlab.models.locate import base_size, part_configs
from photos_made import photo_folder
from study_made import base_plan


@pytest.fixture
def model(tiny_sd: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_sd, tmp_path / "model"))


def change(model: Path, part: str, changes: dict[str, Any]) -> None:
    file = model / part / ("scheduler_config.json" if part == "scheduler" else "config.json")
    tree = json.loads(file.read_text())
    tree = {name: value for name, value in (tree | changes).items() if value is not ...}
    file.write_text(json.dumps(tree))


@pytest.mark.parametrize(
    ("part", "changes", "said"),
    [
        ("unet", {"in_channels": 9}, "takes 9 channels and its autoencoder gives 4: an inpainting model"),
        ("unet", {"in_channels": 8}, "edits a picture"),
        ("unet", {"out_channels": 8}, "gives 8 channels and its autoencoder has 4"),
        ("vae", {"latent_channels": 16}, "takes 4 channels and its autoencoder gives 16"),
        ("unet", {"addition_embed_type": "text_time"}, "SDXL"),
        ("unet", {"class_embed_type": "projection"}, "class or a picture beside the prompt"),
        ("unet", {"num_class_embeds": 1000}, "class or a picture beside the prompt"),
        ("unet", {"encoder_hid_dim_type": "text_proj"}, "in the place of the text encoder's states"),
        ("unet", {"cross_attention_dim": 2048}, "reads text of width 2048 and its text encoder writes 16"),
        ("unet", {"cross_attention_dim": ...}, "reads text of width 1280"),
        ("unet", {"_class_name": "UNet3DConditionModel"}, "describes a UNet3DConditionModel"),
        ("unet", {"sample_size": None}, "sample_size = None"),
        ("unet", {"sample_size": [8, 8]}, "sample_size = [8, 8]"),
        ("vae", {"_class_name": "AutoencoderTiny"}, "describes a AutoencoderTiny"),
        ("vae", {"block_out_channels": ...}, "block_out_channels = None"),
        ("vae", {"block_out_channels": []}, "block_out_channels = []"),
        ("text_encoder", {"model_type": "t5"}, "a 't5' model"),
        ("scheduler", {"beta_start": "low"}, "from 'low' to 0.012"),
        ("scheduler", {"num_train_timesteps": 0}, "0 steps"),
        ("scheduler", {"num_train_timesteps": 10**12}, "1000000000000 steps"),
        ("scheduler", {"trained_betas": [0.1, 0.2]}, "a list of its own"),
        ("scheduler", {"beta_schedule": "sigmoid"}, "noise schedule 'sigmoid'"),
        ("scheduler", {"prediction_type": "flow_prediction"}, "predicts 'flow_prediction'"),
    ],
)
def test_another_make_is_refused_and_said(model: Path, part: str, changes: dict[str, Any], said: str) -> None:
    change(model, part, changes)
    with pytest.raises(PlanError) as caught:
        part_configs(Base(model=str(model)))
    assert said in caught.value.message
    assert "Stable Diffusion 1.x or 2.x" in caught.value.hint


def test_a_second_text_encoder_is_seen_by_its_folder(model: Path) -> None:
    (model / "text_encoder_2").mkdir()
    with pytest.raises(PlanError, match="SDXL"):
        base_size(Base(model=str(model)))


def test_fields_that_have_defaults_may_be_left_out(model: Path) -> None:
    change(model, "unet", {"in_channels": ..., "out_channels": ..., "_class_name": ..., "class_embed_type": ...})
    change(model, "vae", {"latent_channels": ..., "_class_name": ...})
    change(model, "scheduler", {"prediction_type": ..., "num_train_timesteps": ...})
    change(model, "text_encoder", {"model_type": "clip"})
    change(model, "unet", {"cross_attention_dim": [16, 16, 16, 16]})
    assert base_size(Base(model=str(model))) == 64


@pytest.mark.parametrize("text", ["", "{", "[]", "7", "[" * 100_000])
@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder", "scheduler"])
def test_a_damaged_config_is_named(model: Path, part: str, text: str) -> None:
    file = model / part / ("scheduler_config.json" if part == "scheduler" else "config.json")
    file.write_text(text)
    with pytest.raises(NoWeights) as caught:
        part_configs(Base(model=str(model)))
    assert str(file) in caught.value.message


def single_file(path: Path, names: dict[str, tuple[int, ...]]) -> Base:
    save_file({name: np.zeros(shape, np.float16) for name, shape in names.items()}, path)
    return Base(model=str(path))


FIRST = "model.diffusion_model.input_blocks.0.0.weight"
READER = "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ({FIRST: (8, 9, 3, 3)}, "9 channels and its autoencoder gives 4: an inpainting model"),
        ({FIRST: (8, 4, 3, 3), "conditioner.embedders.0.x": (1,)}, "SDXL"),
        ({FIRST: (8, 4, 3, 3), "model.diffusion_model.label_emb.0.0.weight": (1,)}, "beside the prompt"),
        ({FIRST: (320, 4, 3, 3), READER: (320, 1024)}, "Stable Diffusion 2.x does not say what it predicts"),
        ({FIRST: (320, 4, 3, 3), READER: (320, 512)}, "reads text of width 512"),
        ({"lora_unet_down.weight": (1,)}, "adapters and embeddings are no base models"),
    ],
)
def test_a_single_file_is_judged_by_its_tensors(tmp_path: Path, names: dict[str, tuple[int, ...]], said: str) -> None:
    with pytest.raises(PlanError) as caught:
        base_size(single_file(tmp_path / "model.safetensors", names))
    assert said in caught.value.message


def test_a_single_file_of_stable_diffusion_passes_and_a_damaged_one_is_named(tmp_path: Path) -> None:
    base = single_file(tmp_path / "model.safetensors", {FIRST: (320, 4, 3, 3), READER: (320, 768)})
    assert base_size(base) == 512
    (tmp_path / "model.safetensors").write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00{")
    with pytest.raises(NoWeights, match=r"model\.safetensors"):
        base_size(base)


def test_weights_that_are_cut_short_or_of_another_shape_are_one_message(model: Path) -> None:
    """As they load, with torch."""
    from boothlab.models.load import load

    weights = next((model / "unet").glob("*.safetensors"))
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(NoWeights, match="Cannot load the base model"):
        load(Base(model=str(model)))
    weights.write_bytes(whole)
    change(model, "unet", {"block_out_channels": [64, 64, 64, 64]})
    with pytest.raises(NoWeights, match="Cannot load the base model"):
        load(Base(model=str(model)))


def test_check_says_it_before_anything_is_written(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    change(model, "unet", {"in_channels": 9})
    photo_folder(tmp_path / "ada", 8)
    (tmp_path / "plan.toml").write_text(to_toml(base_plan(str(model), "ada")))
    monkeypatch.chdir(tmp_path)
    for command in ("check", "train"):
        monkeypatch.setattr(sys, "argv", ["boothlab", command, "plan.toml"])
        assert main() == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert "an inpainting model" in err
        assert "Traceback" not in err
    assert not (tmp_path / "runs").exists()
