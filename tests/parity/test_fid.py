"""The Fréchet distance against torch-fidelity and against closed forms; Inception end to end with made weights."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

from boothlab.errors import NoWeights
from boothlab.features import inception
from boothlab.features.inception_network import Inception, legacy_resize, load_state
from boothlab.metrics.fid import METRIC as FID
from boothlab.metrics.frechet import frechet_distance
from clouds_made import clouds
from photos_made import made_photo

GOLDEN = {
    (20, 18, 64): 3.13543869525149,
    (20, 18, 512): 8.185559978104084,
    (300, 250, 64): 0.6668907162630067,
    (300, 250, 256): 1.9526074099628943,
    (20, 18, 2048): 14.352205552330426,
}
"""torch-fidelity 0.4.0 on ``clouds(n, m, d)``; the last one takes it 7 s."""


def theirs(left: np.ndarray, right: np.ndarray) -> float:
    """torch-fidelity's FID of features."""
    fid = pytest.importorskip("torch_fidelity.metric_fid")
    both = [fid.fid_features_to_statistics(torch.from_numpy(rows)) for rows in (left, right)]
    return float(fid.fid_statistics_to_metric(*both, False)["frechet_inception_distance"])


@pytest.mark.parametrize(("n", "m", "d"), GOLDEN)
def test_golden_values(n: int, m: int, d: int) -> None:
    assert frechet_distance(*clouds(n, m, d)) == pytest.approx(GOLDEN[n, m, d], abs=1e-4)


@pytest.mark.parametrize(("n", "m", "d"), [key for key in GOLDEN if key[2] < 2048])
def test_equals_torch_fidelity(n: int, m: int, d: int) -> None:
    left, right = clouds(n, m, d)
    assert frechet_distance(left, right) == pytest.approx(theirs(left, right), abs=1e-3)


def test_equals_the_eigenvalue_form_at_full_rank() -> None:
    left, right = clouds(300, 250, 32)
    first, second = np.cov(left, rowvar=False), np.cov(right, rowvar=False)
    values, vectors = np.linalg.eigh(first)
    root = vectors @ np.diag(np.sqrt(values)) @ vectors.T
    trace = np.sqrt(np.linalg.eigvalsh(root @ second @ root)).sum()
    shift = left.mean(0) - right.mean(0)
    expected = shift @ shift + np.trace(first) + np.trace(second) - 2 * trace
    assert frechet_distance(left, right) == pytest.approx(expected, rel=1e-6)


def test_closed_forms() -> None:
    left, _ = clouds(20, 18, 64)
    spread = np.cov(left, rowvar=False).trace()
    middle = left.mean(0)
    shift = np.linspace(-1, 1, 64)
    assert frechet_distance(left, left + shift) == pytest.approx(shift @ shift, rel=1e-6)
    assert frechet_distance(left, middle + 0.3 * (left - middle)) == pytest.approx(0.49 * spread, rel=1e-6)
    assert frechet_distance(left, left) == pytest.approx(0, abs=1e-6)
    with pytest.raises(ValueError, match="needs two pictures; there are 1 and 20"):
        frechet_distance(left[:1], left)


def made_state() -> dict[str, torch.Tensor]:
    """A state dict in the layout of ``pt_inception-2015-12-05``, from one seed, that keeps signals apart."""
    chance = torch.Generator().manual_seed(5)
    made = {}
    for name, value in Inception().state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        normal = torch.randn(value.shape, generator=chance)
        if name.endswith("running_var"):
            made[name] = 1 + 0.1 * normal.abs()
        elif name.endswith("bn.weight"):
            made[name] = 1 + 0.1 * normal
        elif value.dim() > 1:
            made[name] = normal * (2 / value[0].numel()) ** 0.5
        else:
            made[name] = 0.1 * normal
    return made


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("inception") / "pt_inception-made.pth"
    torch.save(made_state(), path)
    return path


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:8]


def test_end_to_end_with_made_weights(checkpoint: Path, own_home: Path) -> None:
    extractor = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    assert FID.needs.missing() is not None
    assert inception.fetch_inception(checkpoint, digest(checkpoint)) == inception.weights_path()
    assert FID.needs.missing() is None
    assert own_home in inception.weights_path().parents
    pictures = [np.asarray(made_photo(k, (64, 48))) for k in range(4)]
    network = extractor.FeatureExtractorInceptionV3("made", ["2048"], feature_extractor_weights_path=str(checkpoint))
    with torch.no_grad():
        batch = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)
        expected = network(batch)[0].numpy()
    ours = inception.embed(pictures, "legacy")
    assert ours.shape == (4, 2048)
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-4 * np.abs(expected).max())
    assert frechet_distance(ours[:2], ours[2:]) == pytest.approx(theirs(expected[:2], expected[2:]), rel=1e-4)
    clean = inception.extract(pictures[:1])
    assert np.abs(clean - ours[:1]).max() > 1e-3 * np.abs(expected).max(), "the resize is part of the number"


def test_the_legacy_resize_is_tensorflows() -> None:
    like = pytest.importorskip("torch_fidelity.interpolate_compat_tensorflow")
    pixels = torch.rand(2, 3, 37, 50, generator=torch.Generator().manual_seed(0)) * 255
    expected = like.interpolate_bilinear_2d_like_tensorflow1x(pixels, size=(299, 299), align_corners=False)
    torch.testing.assert_close(legacy_resize(pixels, 299), expected, rtol=0, atol=1e-3)


def test_other_files_are_refused(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(NoWeights, match="begins with 6726825d"):
        inception.fetch_inception(checkpoint)
    with pytest.raises(NoWeights, match="is not there"):
        inception.fetch_inception(tmp_path / "none.pth")
    with pytest.raises(NoWeights, match="is a folder, and these weights are one file"):
        inception.fetch_inception(tmp_path)
    torch.save({"fc.weight": torch.zeros(2, 2)}, tmp_path / "other.pth")
    with pytest.raises(NoWeights, match="is not FID's Inception"):
        inception.fetch_inception(tmp_path / "other.pth", digest(tmp_path / "other.pth"))
    torch.save({"code": Path("run")}, tmp_path / "code.pth")
    with pytest.raises(NoWeights, match="is not FID's Inception"):
        inception.fetch_inception(tmp_path / "code.pth", digest(tmp_path / "code.pth"))
    assert not inception.weights_path().exists()
    with pytest.raises(RuntimeError, match="Missing key"):
        load_state({})
