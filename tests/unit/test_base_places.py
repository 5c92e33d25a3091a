"""Base models as people have them: a single file, half precision alone, a hub cache with only what is needed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from boothlab.api.pictures import _here
from boothlab.assets import asset
from boothlab.errors import NoWeights, PlanError
from boothlab.models import load as room
from boothlab.models.config import Base
from boothlab.models.costs import SD15
from boothlab.models.families import sd_config
from boothlab.models.load import load
from boothlab.models.locate import fingerprint, locate, part_configs
from single_file import write_single_file


def test_a_single_file_loads_without_anybodys_cache(
    tiny_sd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """diffusers looks for its configs on the hub, and fetches them although it is told not to."""
    file = write_single_file(tiny_sd, tmp_path / "tiny.safetensors")
    monkeypatch.setattr(sd_config, "SINGLE_FILE_TEXT", 16)
    monkeypatch.setattr(room, "asset", lambda name: tiny_sd if name == "sd15" else asset(name))
    found, expected = load(Base(model=str(file))), load(Base(model=str(tiny_sd)))
    for role, module in expected.parts().items():
        own = found.parts()[role].state_dict()
        assert own.keys() == module.state_dict().keys()
        assert all(torch.equal(own[name], tensor) for name, tensor in module.state_dict().items()), role
    words = ["a photo of a dog"]
    assert torch.equal(found.encode_text(words).states_BLD, expected.encode_text(words).states_BLD)


def test_the_configs_that_come_with_boothlab_are_those_of_stable_diffusion() -> None:
    """By the numbers of weights that it is known to have."""
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    told = {part: json.loads((asset("sd15") / part / "config.json").read_text()) for part in SD15}
    with torch.device("meta"):
        made = {
            "unet": UNet2DConditionModel.from_config(told["unet"]),
            "vae": AutoencoderKL.from_config(told["vae"]),
            "text_encoder": CLIPTextModel(CLIPTextConfig(**told["text_encoder"])),
        }
    counted = {name: sum(parameter.numel() for parameter in module.parameters()) for name, module in made.items()}
    assert counted == {"unet": 859_520_964, "vae": 83_653_863, "text_encoder": 123_060_480}
    assert all(told[part][name] == value for part, facts in SD15.items() for name, value in facts.items())
    scheduler = json.loads((asset("sd15") / "scheduler" / "scheduler_config.json").read_text())
    assert list(sd_config.objections({**told, "scheduler": scheduler})) == []


def test_weights_in_half_precision_alone(tiny_sd: Path, tmp_path: Path) -> None:
    half = Path(shutil.copytree(tiny_sd, tmp_path / "half"))
    for part in ("unet", "vae", "text_encoder"):
        (file,) = (half / part).glob("*.safetensors")
        tensors = {
            name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in load_file(file).items()
        }
        save_file(tensors, file.with_name(file.name.replace(".safetensors", ".fp16.safetensors")), {"format": "pt"})
        file.unlink()
    found, whole = load(Base(model=str(half))), load(Base(model=str(tiny_sd)))
    for role, module in whole.parts().items():
        for name, tensor in module.state_dict().items():
            own = found.parts()[role].state_dict()[name]
            assert own.dtype == tensor.dtype
            assert torch.equal(own, tensor.half().to(tensor.dtype) if tensor.is_floating_point() else tensor)


def cached(folder: Path, tiny_sd: Path, listed: list[str]) -> Base:
    """A hub cache with the parts that are read, of a repository that lists more."""
    from huggingface_hub._tree_cache import TreeCacheEntry, write_tree_cache

    commit = "b" * 40
    place = folder / "models--owner--name"
    shutil.copytree(tiny_sd, place / "snapshots" / commit)
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text(commit)
    there = [p.relative_to(tiny_sd).as_posix() for p in tiny_sd.rglob("*") if p.is_file()]
    entry = TreeCacheEntry(size=1, blob_id="0" * 40, lfs_sha256=None, lfs_size=None, xet_hash=None)
    write_tree_cache(str(place), commit, dict.fromkeys([*there, *listed], entry))
    return Base(model="owner/name")


def test_a_hub_cache_with_what_is_needed_is_enough(
    tiny_sd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the repository's forty-seven gigabytes five are read; the rest was demanded."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    listed = ["unet/diffusion_pytorch_model.bin", "unet/diffusion_pytorch_model.fp16.safetensors", "vae/x.bin"]
    base = cached(tmp_path / "hub", tiny_sd, listed)
    assert locate(base).name == "b" * 40
    assert part_configs(base) is not None
    (weights,) = (locate(base) / "unet").glob("*.safetensors")
    weights.unlink()
    with pytest.raises(PlanError, match="unet holds no weights"):
        locate(base)
    with pytest.raises(NoWeights, match=r"hf download owner/other --include '\*\.json' --include '\*\.txt'"):
        locate(Base(model="owner/other"))


def test_what_is_not_read_is_no_part_of_a_models_identity(tiny_sd: Path, tmp_path: Path) -> None:
    """Deleting a pickle that nobody reads made it another model, and every run began anew."""
    model = Path(shutil.copytree(tiny_sd, tmp_path / "model"))
    before = fingerprint(Base(model=str(model)))
    (model / "v1-5-pruned.ckpt").write_bytes(b"pickle")
    (model / "README.md").write_text("read me")
    (model / "safety_checker").mkdir()
    (model / "safety_checker" / "model.safetensors").write_bytes(b"x")
    (model / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"x")
    (model / "unet" / "diffusion_pytorch_model.fp16.safetensors").write_bytes(b"x")
    (model / "unet" / "diffusion_pytorch_model.non_ema.safetensors").write_bytes(b"x")
    assert fingerprint(Base(model=str(model))) == before
    (model / "unet" / "config.json").write_text((model / "unet" / "config.json").read_text() + " ")
    assert fingerprint(Base(model=str(model))) != before


def test_a_run_of_a_gpu_is_drawn_from_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert _here(Base(device="cuda")).device == "auto"
    assert _here(Base(device="cpu")).device == "cpu"
