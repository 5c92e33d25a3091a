"""Whether a base model is Stable Diffusion 1.x or 2.x for text-to-image, read from its configs. (Torch-free.)

What is of another make loads without a complaint and fails somewhere in the first step, or, worse, trains something
else: an inpainting UNet wants nine channels, SDXL a second text encoder, an unCLIP one a picture beside the prompt.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

BETA_SCHEDULES = ("scaled_linear", "linear")

PREDICTIONS = ("epsilon", "v_prediction", "sample")

PARTS = ("unet", "vae", "text_encoder", "scheduler")
"""The parts whose configs say what the model is."""

MOST_STEPS = 100_000
"""Of a noise schedule; models have 1,000."""

MAKES = {
    9: "an inpainting model",
    8: "a model that edits a picture (or enlarges one)",
    7: "a model that enlarges pictures",
    5: "a model that goes by depth",
}
"""What is known to have a UNet of so many input channels, where the autoencoder gives four."""

SINGLE_FILE_UNET = "model.diffusion_model."

SINGLE_FILE_TEXT = 768
"""Width of the text that Stable Diffusion 1.x reads; single files are read as such."""

Config = Mapping[str, Any]


def objections(configs: Mapping[str, Config], parts: Sequence[str] = ()) -> Iterator[str]:
    """Why a folder in diffusers format cannot be trained here, in clauses; nothing where it can.

    ``configs`` holds those of :data:`PARTS`, ``parts`` the names of all its folders. Fields that diffusers and
    transformers have defaults for may be left out.
    """
    unet, vae, text, scheduler = (configs[part] for part in PARTS)
    if "text_encoder_2" in parts or unet.get("addition_embed_type") is not None:
        yield "it has a second text encoder or wants more than a prompt, as SDXL does"
    yield from _classes(unet, vae, text)
    yield from _shapes(unet, vae, text)
    if unet.get("class_embed_type") is not None or unet.get("num_class_embeds") is not None:
        yield "its UNet wants a class or a picture beside the prompt (class-conditional, unCLIP or upscaling)"
    if unet.get("encoder_hid_dim_type") is not None:
        yield "its UNet takes something else in the place of the text encoder's states"
    yield from schedule_objections(scheduler)


def _classes(unet: Config, vae: Config, text: Config) -> Iterator[str]:
    for name, config, wanted in (("unet", unet, "UNet2DConditionModel"), ("vae", vae, "AutoencoderKL")):
        found = config.get("_class_name", wanted)
        if found != wanted:
            yield f"{name}/config.json describes a {found}, not a {wanted}"
    if text.get("model_type", "clip_text_model") not in ("clip_text_model", "clip"):
        yield f"text_encoder/config.json describes a {text['model_type']!r} model, not CLIP's text encoder"


def _shapes(unet: Config, vae: Config, text: Config) -> Iterator[str]:
    levels = vae.get("block_out_channels")
    if not isinstance(levels, list) or not levels or not all(_whole(width) for width in levels):
        yield f"vae/config.json has block_out_channels = {levels!r}, which should be a list of widths"
    if not _whole(unet.get("sample_size")):
        yield f"unet/config.json has sample_size = {unet.get('sample_size')!r}, which should be a whole number"
    latent = vae.get("latent_channels", 4)
    taken, given = unet.get("in_channels", 4), unet.get("out_channels", 4)
    if taken != latent:
        yield _channels(taken, latent)
    if given != latent:
        yield f"its UNet gives {given} channels and its autoencoder has {latent}"
    width, states = unet.get("cross_attention_dim", 1280), text.get("hidden_size", 512)
    widths = set(map(str, width)) if isinstance(width, list) else {str(width)}
    if widths != {str(states)}:
        yield f"its UNet reads text of width {width} and its text encoder writes {states}"


def _channels(taken: Any, given: Any) -> str:
    what = MAKES.get(taken) if _whole(taken) else None
    return f"its UNet takes {taken} channels and its autoencoder gives {given}" + (f": {what}" if what else "")


def schedule_objections(scheduler: Config) -> Iterator[str]:
    """Why a scheduler's config describes no noise schedule that is known here."""
    start, end = scheduler.get("beta_start", 0.0001), scheduler.get("beta_end", 0.02)
    if not all(isinstance(beta, (int, float)) and 0 < beta < 1 for beta in (start, end)):
        yield f"its noise schedule goes from {start!r} to {end!r}, which should be numbers between 0 and 1"
    steps = scheduler.get("num_train_timesteps", 1000)
    if not _whole(steps) or steps > MOST_STEPS:
        yield f"its noise schedule has {steps!r} steps, which should be a whole number up to {MOST_STEPS:,}"
    kind = scheduler.get("beta_schedule", "linear")
    if kind not in BETA_SCHEDULES:
        yield f"it has the noise schedule {kind!r}; {' and '.join(BETA_SCHEDULES)} are known here"
    if scheduler.get("trained_betas") is not None:
        yield "its noise schedule is a list of its own (trained_betas)"
    prediction = scheduler.get("prediction_type", "epsilon")
    if prediction not in PREDICTIONS:
        yield f"it predicts {prediction!r}; {', '.join(PREDICTIONS)} are known here"


def single_file_objections(path: Path) -> Iterator[str]:
    """The same of a single .safetensors file, by the names and shapes of its tensors.

    Raises OSError and safetensors' own error for a file that is none.
    """
    from safetensors import safe_open

    with safe_open(path, framework="np") as file:
        names = set(file.keys())
        first = f"{SINGLE_FILE_UNET}input_blocks.0.0.weight"
        if any(name.startswith("conditioner.embedders.") for name in names):
            yield "it has two text encoders, as SDXL does"
        elif first not in names:
            yield "it holds no UNet of Stable Diffusion (adapters and embeddings are no base models)"
        elif (taken := file.get_slice(first).get_shape()[1]) != 4:
            yield _channels(taken, 4)
        if any(name.startswith(f"{SINGLE_FILE_UNET}label_emb.") for name in names):
            yield "its UNet wants a class or a picture beside the prompt"
        reader = f"{SINGLE_FILE_UNET}input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"
        width = file.get_slice(reader).get_shape()[-1] if reader in names else SINGLE_FILE_TEXT
        if width == 1024:
            yield "a single file of Stable Diffusion 2.x does not say what it predicts, and a folder of it does"
        elif width != SINGLE_FILE_TEXT:
            yield f"its UNet reads text of width {width}, and that of Stable Diffusion 1.x is {SINGLE_FILE_TEXT}"


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
