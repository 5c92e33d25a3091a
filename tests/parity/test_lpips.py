"""LPIPS against the package of its authors, with the same trunk, and against its published kind of value."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from boothlab.features import lpips
from boothlab.metrics.distances import squared_distances
from boothlab.models.weights import load_tensors

GOLDEN_MEAN = 0.148562


@pytest.fixture(scope="module")
def pairs() -> tuple[Tensor, Tensor]:
    """Ten pairs of random pictures in [−1, 1], from one stated seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(123)
        return torch.rand(10, 3, 100, 100) * 2 - 1, torch.rand(10, 3, 100, 100) * 2 - 1


@pytest.fixture(scope="module")
def authors() -> torch.nn.Module:
    """The authors' own network with its own heads and our trunk, so that nothing is downloaded."""
    package = pytest.importorskip("lpips")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchvision's remarks on how it is called by the package
        network = package.LPIPS(net="alex", pnet_rand=True, verbose=False)
    ours = load_tensors(lpips.weights_path())
    convolutions = [m for m in network.net.modules() if isinstance(m, torch.nn.Conv2d)]
    assert len(convolutions) == 5
    with torch.no_grad():
        for index, layer in enumerate(convolutions):
            layer.weight.copy_(ours[f"trunk.{index}.weight"])
            layer.bias.copy_(ours[f"trunk.{index}.bias"])
    return network.eval()


def direct(left: Tensor, right: Tensor) -> Tensor:
    """Squared distance of each pair, summed without the Gram form."""
    return ((lpips.embed(left).double() - lpips.embed(right).double()) ** 2).sum(1)


def test_heads_are_the_authors(authors: torch.nn.Module) -> None:
    ours = load_tensors(lpips.weights_path())
    for index in range(5):
        head = getattr(authors, f"lin{index}").model[-1].weight
        torch.testing.assert_close(ours[f"head.{index}"].flatten(), head.detach().flatten(), rtol=0, atol=0)
        assert float(ours[f"head.{index}"].min()) >= 0, "the embedding takes roots of the heads"


def test_equals_the_authors(authors: torch.nn.Module, pairs: tuple[Tensor, Tensor]) -> None:
    with torch.no_grad():
        theirs = authors(*pairs).flatten().double()
    assert float((direct(*pairs) - theirs).abs().max()) <= 1e-5


def test_golden_mean(pairs: tuple[Tensor, Tensor]) -> None:
    assert float(direct(*pairs).mean()) == pytest.approx(GOLDEN_MEAN, abs=1e-5)


AUTHORS_PICTURES = os.environ.get("LPIPS_AUTHORS_PICTURES", "")
"""A folder with ``imgs/`` of richzhang/PerceptualSimilarity, which is not ours to ship."""


@pytest.mark.skipif(not AUTHORS_PICTURES, reason="LPIPS_AUTHORS_PICTURES does not name the authors' imgs folder")
def test_published_values() -> None:
    """Their README and ``test_network.py``: 0.722 and 0.138."""
    names = ("ex_ref", "ex_p0", "ex_p1")
    pictures = [np.asarray(Image.open(Path(AUTHORS_PICTURES) / f"{name}.png").convert("RGB")) for name in names]
    rows = lpips.extract(pictures)
    assert squared_distances(rows[:1], rows[1:])[0].tolist() == pytest.approx([0.721881, 0.137566], abs=1e-5)


def test_gram_form_equals_the_direct_sum(pairs: tuple[Tensor, Tensor]) -> None:
    left, right = (lpips.embed(half).numpy() for half in pairs)
    gram = squared_distances(left, right)
    assert gram.shape == (10, 10)
    summed = np.array([[((a.astype(float) - b) ** 2).sum() for b in right] for a in left])
    np.testing.assert_allclose(gram, summed, rtol=0, atol=1e-5)
    np.testing.assert_allclose(np.diag(squared_distances(left, left)), 0, atol=1e-9)


def test_identical_pictures_are_at_zero_and_the_order_does_not_matter(pairs: tuple[Tensor, Tensor]) -> None:
    left, right = pairs
    assert float(direct(left, left).max()) == 0.0
    torch.testing.assert_close(direct(left, right), direct(right, left), rtol=0, atol=0)


def test_wrong_inputs_are_refused() -> None:
    with pytest.raises(ValueError, match=r"from 0.000 to 255.000"):
        lpips.embed(torch.linspace(0, 255, 3 * 64 * 64).reshape(1, 3, 64, 64))
    with pytest.raises(ValueError, match="at least 32 px"):
        lpips.embed(torch.zeros(1, 3, 31, 64))
    with pytest.raises(ValueError, match="different sizes"):
        squared_distances(np.zeros((1, 4)), np.zeros((1, 5)))


def test_pictures_are_scaled_as_the_authors_scale_them() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 40, 40, 3), dtype=np.uint8)
    tensor = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1
    np.testing.assert_allclose(lpips.extract(list(pixels)), lpips.embed(tensor).numpy(), rtol=1e-5, atol=1e-7)
