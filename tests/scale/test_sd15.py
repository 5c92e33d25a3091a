"""The full Stable Diffusion v1.5 architecture, with random weights: trained, killed, resumed exactly, within 16 GB.

Slow: about a quarter of an hour on two idle cores, and 14 GB of disk.
"""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
import torch

from boothlab.assets import asset
from boothlab.files import folder_listing
from command_line import command, environment
from photos_made import made_photo
from tiny import write_configs

pytestmark = [pytest.mark.slow, pytest.mark.timeout(7200)]

STEPS = 20
MOST_BYTES = 16e9

PLAN = """
name = "sd15"
[[subjects]]
name = "ada"
photos = "photos"
[base]
model = "sd15"
[photos]
size = 256
domain = "drawings"
[strategy]
kind = "dreambooth"
[objective]
class_folder = "class"
[training]
steps = {steps}
checkpoint_every = 10
keep_checkpoints = 1
snapshot_precision = "fp16"
compute = {{ gradient_checkpointing = true }}
"""


def build_sd15(folder: Path) -> None:
    """Stable Diffusion v1.5 from its published sizes, with seeded random weights, in diffusers format."""
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    torch.manual_seed(0)
    CLIPTextModel(
        CLIPTextConfig(
            vocab_size=49408,
            hidden_size=768,
            intermediate_size=3072,
            num_hidden_layers=12,
            num_attention_heads=12,
            projection_dim=768,
            bos_token_id=49406,
            eos_token_id=49407,
            pad_token_id=49407,
        )
    ).save_pretrained(folder / "text_encoder")
    AutoencoderKL(
        block_out_channels=(128, 256, 512, 512),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=4,
        layers_per_block=2,
        sample_size=512,
    ).save_pretrained(folder / "vae")
    UNet2DConditionModel(sample_size=64, cross_attention_dim=768).save_pretrained(folder / "unet")
    shutil.copytree(asset("tokenizer"), folder / "tokenizer")
    write_configs(folder, "epsilon")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the model, photos, class pictures and the plan."""
    folder = tmp_path_factory.mktemp("sd15")
    build_sd15(folder / "sd15")
    for kind, first in (("photos", 0), ("class", 100)):
        (folder / kind).mkdir()
        for index in range(4):
            made_photo(first + index, (300, 280)).save(folder / kind / f"{index}.png")
    (folder / "plan.toml").write_text(PLAN.format(steps=STEPS))
    return folder


def watch(place: Path, root: str, kill_at_step: int | None = None) -> tuple[int, float]:
    """Run ``boothlab train``; (exit code, peak bytes of its memory). Kills it once it has logged the step."""
    arguments = command("train", "plan.toml", "--runs", root)
    peak = 0.0
    with subprocess.Popen(arguments, cwd=place, env=environment(place / "home")) as process:
        while process.poll() is None:
            status = Path(f"/proc/{process.pid}/status")
            if status.exists():
                found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
                peak = max(peak, float(found[1]) * 1024 if found else 0.0)
            logs = list((place / root).glob("*/events.jsonl"))
            if kill_at_step is not None and logs and f'"stepped", "step": {kill_at_step},' in logs[0].read_text():
                process.send_signal(signal.SIGKILL)
            time.sleep(0.2)
        return process.wait(), peak


def test_twenty_steps_fit_into_16_gb_and_resume_exactly(place: Path) -> None:
    code, peak = watch(place, "whole")
    assert code == 0
    assert peak <= MOST_BYTES, f"{peak / 1e9:.1f} GB"
    code, _ = watch(place, "killed", kill_at_step=14)
    assert code == -signal.SIGKILL
    code, peak = watch(place, "killed")
    assert code == 0
    assert peak <= MOST_BYTES, f"{peak / 1e9:.1f} GB after the resume"
    whole, killed = (next((place / root).glob("*/snapshots")) for root in ("whole", "killed"))
    assert folder_listing(whole) == folder_listing(killed)
