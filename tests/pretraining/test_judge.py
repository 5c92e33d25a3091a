"""The judge that lies beside the recipe reads real drawings, and training may soften what it sees."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from boothlab.features.toon_identity import to_input
from pretraining import gates, judge
from pretraining.sizes import SMALL, TINY


def test_half_of_the_pictures_are_blurred_as_scipy_blurs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge, "BLUR", (0.8, 0.8))
    pictures = torch.rand(16, 3, 24, 24, generator=torch.Generator().manual_seed(1))
    shown = judge.softened(pictures, torch.Generator().manual_seed(2))
    blurred = [i for i in range(16) if not torch.equal(shown[i], pictures[i])]
    assert 4 <= len(blurred) <= 12
    for i in blurred:
        wanted = gaussian_filter(pictures[i].numpy(), (0, 0.8, 0.8), mode="nearest", radius=judge.REACH)
        assert np.allclose(shown[i].numpy(), wanted, atol=1e-5)


def test_without_a_judge_of_its_size_the_stage_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="run the stage 'judge' first"):
        judge.load(TINY, tmp_path)


def test_the_kept_judge_reads_drawings_that_nobody_trained_on(tmp_path: Path) -> None:
    figures = gates.judge_figures(judge.load(SMALL, tmp_path), SMALL, 120)
    assert all(one.value >= 0.9 for one in figures.values()), figures


def test_a_picture_and_its_mirror_image_are_read_alike(tmp_path: Path) -> None:
    model = judge.load(SMALL, tmp_path)
    pictures = np.stack([one.pixels for one in gates.held_out(24, SMALL, first=600_000)])
    plain, mirrored = judge.verdicts(model, pictures), judge.verdicts(model, pictures[:, :, ::-1])
    assert all(np.array_equal(plain[name], mirrored[name]) for name in plain)
    with torch.no_grad():
        once, turned = (model(to_input(shown)) for shown in (pictures, pictures[:, :, ::-1]))
    assert not torch.allclose(once, turned, atol=0.1)
