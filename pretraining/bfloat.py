"""bfloat16 for the UNet's training, where the processor computes in it: 1.6 times as many pictures a second.

Separate because it is about the machine, not about what is learned: weights, optimizer state, loss and EMA stay
float32, and without AVX-512-BF16 nothing here changes anything.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import Attention
from torch import Tensor


def supported() -> bool:
    """Does this processor multiply bfloat16 in hardware? Without it bf16 is slower than float32."""
    return bool(torch.cpu._is_avx512_bf16_supported())


class PlainAttention:
    """Scaled dot-product attention as two matrix products.

    torch's fused kernel takes three times as long in bf16 on a CPU (its backward pass alone a third of a step), and
    at 256 positions the matrix it avoids is small.
    """

    def __call__(
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
    ) -> Tensor:
        """(B, N, C) attends to itself or to (B, L, D); no masks, as in SD v1."""
        seen = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        query, key, value = (
            part.unflatten(-1, (attn.heads, -1)).transpose(1, 2)
            for part in (attn.to_q(hidden_states), attn.to_k(seen), attn.to_v(seen))
        )
        weights = ((query * attn.scale) @ key.transpose(-1, -2)).softmax(-1)
        mixed: Tensor = attn.to_out[0]((weights @ value).transpose(1, 2).flatten(2))
        return mixed


def prepare(unet: UNet2DConditionModel) -> None:
    """Give ``unet`` the attention that is fast in bf16; its weights and names stay."""
    if supported():
        unet.set_attn_processor(PlainAttention())


def autocast() -> AbstractContextManager[object]:
    """bf16 inside, where the processor has it."""
    return torch.autocast("cpu", dtype=torch.bfloat16) if supported() else nullcontext()
