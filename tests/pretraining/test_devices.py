"""Training in bf16 changes how the UNet is computed, not what it computes."""

from __future__ import annotations

import pytest
import torch

from pretraining import devices, diffusion
from pretraining.sizes import TINY

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")


def inputs() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    noisy, text = (torch.randn(shape, generator=generator) for shape in ((2, 4, 8, 8), (2, 77, TINY.text_width)))
    return noisy, torch.tensor([3, 700]), text


def test_plain_attention_is_the_stock_attention() -> None:
    unet, given = diffusion.build(TINY), inputs()
    with torch.no_grad():
        stock = unet(*given).sample
        unet.set_attn_processor(devices.PlainAttention())
        plain = unet(*given).sample
    assert torch.allclose(plain, stock, atol=2e-6)
    assert not torch.equal(stock, torch.zeros_like(stock))


@pytest.mark.parametrize("there", [True, False])
def test_weights_and_gradients_stay_float32(monkeypatch: pytest.MonkeyPatch, there: bool) -> None:
    monkeypatch.setattr(devices, "has_bfloat16", lambda device: there)
    unet = diffusion.build(TINY)
    forward = devices.forward_of(unet)
    with devices.autocast():
        predicted = forward(*inputs(), return_dict=False)[0]
    assert predicted.dtype == (torch.bfloat16 if there else torch.float32)
    predicted.float().square().mean().backward()
    assert {value.dtype for p in unet.parameters() for value in (p, p.grad) if value is not None} == {torch.float32}


def test_a_card_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert devices.chosen("cpu") == devices.CPU
    with pytest.raises(ValueError, match="no CUDA card"):
        devices.chosen("cuda")


def test_the_rate_goes_with_the_root_of_the_batch_up_to_a_limit() -> None:
    assert diffusion.rate(48) == 2e-3
    assert diffusion.rate(12) == pytest.approx(1e-3)
    assert diffusion.rate(96) == pytest.approx(2e-3 * 2**0.5)
    assert diffusion.rate(512) == 3e-3
