"""The loss has one home: no other room computes it or weighs it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from source_tree import Module, modules, parse

OUTSIDE = [module for module in modules() if module.room != "diffusion"]
LOSSES = {"mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "MSELoss", "compute_snr", "get_velocity"}
TABLES = {"alphas_cumprod", "alpha_T", "sigma_T", "cumprod"}


def formulas(module: Module) -> list[str]:
    """Loss functions, noise tables and SNR arithmetic that ``module`` uses itself."""
    found = []
    for node in ast.walk(module.tree):
        name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
        if name in LOSSES | TABLES:
            found.append(f"line {node.lineno}: {name}")
        if isinstance(node, ast.BinOp) and "snr" in ast.unparse(node).lower():
            found.append(f"line {node.lineno}: arithmetic with snr")
    return found


@pytest.mark.parametrize("module", OUTSIDE, ids=lambda module: module.name)
def test_no_formula_outside_diffusion(module: Module) -> None:
    assert formulas(module) == []


@pytest.mark.parametrize(
    "line",
    [
        "loss = functional.mse_loss(a, b)",
        "from torch.nn.functional import mse_loss\nmse_loss(a, b)",
        "w = min(snr, gamma) / snr",
        "x = schedule.alpha_T[t] * x",
        "c = torch.cumprod(1 - betas, 0)",
    ],
)
def test_a_planted_formula_is_caught(line: str) -> None:
    assert formulas(parse(Path("planted.py"), "boothlab.training.planted", line))


def test_the_formulas_are_where_they_belong() -> None:
    homes = {module.name for module in modules() if module.room == "diffusion" and formulas(module)}
    assert homes == {"boothlab.diffusion.objective", "boothlab.diffusion.schedule"}
