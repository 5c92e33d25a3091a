"""The one dial of the recipe: every width, depth, count and rate of a size, in one place.

`small` is what ships; `tiny` is the same recipe for the tests, minutes become seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Size:
    """All numbers that follow from the dial. Steps count optimizer steps."""

    name: str
    picture: int
    shard: int
    shards: int
    captions: int
    ae_channels: tuple[int, ...]
    ae_steps: int
    decoder_steps: int
    ae_batch: int
    ae_crop: int
    text_width: int
    text_layers: int
    vision_width: int
    vision_layers: int
    patch: int
    clip_steps: int
    clip_batch: int
    unet_channels: tuple[int, int, int, int]
    unet_heads: int
    unet_steps: int
    unet_batch: int
    identity_people: int
    identity_block: int
    identity_width: int
    identity_steps: int
    heads_width: int
    heads_steps: int
    judge_width: int
    judge_steps: int
    judge_batch: int
    norm_groups: int


SMALL = Size(
    name="small",
    picture=128,
    shard=1024,
    shards=160,
    captions=8,
    ae_channels=(16, 32, 64, 64),
    ae_steps=1869,
    decoder_steps=1600,
    ae_batch=64,
    ae_crop=128,
    text_width=128,
    text_layers=4,
    vision_width=160,
    vision_layers=5,
    patch=16,
    clip_steps=1300,
    clip_batch=64,
    unet_channels=(48, 80, 112, 128),
    unet_heads=2,
    unet_steps=107_000,
    unet_batch=48,
    identity_people=1000,
    identity_block=100,
    identity_width=24,
    identity_steps=450,
    heads_width=16,
    heads_steps=450,
    judge_width=24,
    judge_steps=4000,
    judge_batch=128,
    norm_groups=8,
)
TINY = Size(
    name="tiny",
    picture=64,
    shard=32,
    shards=2,
    captions=2,
    ae_channels=(8, 8, 8, 8),
    ae_steps=6,
    decoder_steps=3,
    ae_batch=2,
    ae_crop=32,
    text_width=32,
    text_layers=1,
    vision_width=32,
    vision_layers=1,
    patch=16,
    clip_steps=6,
    clip_batch=8,
    unet_channels=(16, 16, 16, 16),
    unet_heads=2,
    unet_steps=6,
    unet_batch=2,
    identity_people=8,
    identity_block=4,
    identity_width=8,
    identity_steps=4,
    heads_width=16,  # 8 channels crash oneDNN's backward convolution on AVX-512 (torch 2.14.1)
    heads_steps=4,
    judge_width=16,
    judge_steps=4,
    judge_batch=4,
    norm_groups=8,
)
SIZES = {size.name: size for size in (SMALL, TINY)}


def in_batches(size: Size, batch: int) -> Size:
    """The same size with ``batch`` pictures in a step of the UNet's training, and as many pictures in all."""
    return replace(size, unet_batch=batch, unet_steps=-(-size.unet_steps * size.unet_batch // batch))
