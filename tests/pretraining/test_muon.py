"""Updates of many tensors at once are those of one after the other."""

from __future__ import annotations

import torch
from torch import nn

from pretraining import labels
from pretraining.muon import Muon, groups, orthogonalise


def test_grouped_updates_follow_the_definition() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(8, 16, 3), nn.GroupNorm(2, 16), nn.Conv2d(16, 8, 3))
    optimizer = Muon(groups(model.named_parameters()), lr=0.02, weight_decay=0.1)
    values = {name: p.detach().clone() for name, p in model.named_parameters()}
    kept = {name: [torch.zeros_like(p), torch.zeros_like(p)] for name, p in values.items()}
    for count in range(1, 4):
        model.zero_grad()
        model(torch.randn(2, 8, 9, 9)).square().mean().backward()
        for name, parameter in model.named_parameters():
            value, (first, second), gradient = values[name], kept[name], parameter.grad
            assert gradient is not None
            if parameter.ndim > 1:
                first.mul_(0.95).add_(gradient, alpha=0.05)
                flat = (0.05 * gradient + 0.95 * first).reshape(len(value), -1)
                move = orthogonalise(flat[None])[0] * 0.2 * max(flat.shape) ** 0.5
                value.mul_(1 - 0.02 * 0.1).sub_(0.02 * move.reshape(value.shape))
            else:
                first.mul_(0.9).add_(gradient, alpha=0.1)
                second.mul_(0.99).add_(gradient.square(), alpha=0.01)
                root = (second / (1 - 0.99**count)).sqrt() + 1e-8
                value.sub_(0.02 * first / (1 - 0.9**count) / root)
        optimizer.step()
        for name, parameter in model.named_parameters():
            torch.testing.assert_close(parameter.detach(), values[name], rtol=1e-4, atol=1e-6)


def test_an_attribute_that_no_drawing_of_the_batch_has_counts_for_nothing() -> None:
    logits = torch.randn(3, labels.total(), generator=torch.Generator().manual_seed(1))
    absent = torch.full((3,), labels.ABSENT)
    targets = dict.fromkeys(labels.VALUES, absent) | {"noun": torch.tensor([0, 1, labels.ABSENT])}
    wanted = nn.functional.cross_entropy(logits[:2, : len(labels.VALUES["noun"])], torch.tensor([0, 1]))
    torch.testing.assert_close(labels.cross_entropy(logits, targets), wanted)
