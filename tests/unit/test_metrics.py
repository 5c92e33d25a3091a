"""What single metrics say of cases whose answer is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter

from boothlab.features.background import WORDS, asked_for, extract, lab
from boothlab.features.clip import TOON_CLIP
from boothlab.features.identity import PHOTO_IDENTITY, TOON_IDENTITY
from boothlab.features.lpips import LPIPS_ALEX
from boothlab.metrics import METRICS, background_asked, context_glue, copies, identity, lpips_debiased, lpips_intra
from boothlab.metrics.clip_t import METRIC as CLIP_T
from boothlab.metrics.distances import cosines, paired_squared_distances, present, squared_distances
from boothlab.metrics.drift_lpips import METRIC as DRIFT
from boothlab.metrics.face_found import METRIC as FACE_FOUND
from boothlab.metrics.lpips_cross import METRIC as CROSS
from boothlab.metrics.lpips_nearest import METRIC as NEAREST
from boothlab.metrics.match import METRIC as MATCH
from drawings_made import drawn
from photos_made import made_photo


@pytest.fixture(scope="module")
def people() -> dict[str, np.ndarray]:
    """Identities of the eight drawings of each sample subject."""
    return {name: TOON_IDENTITY.extract(drawn(name)) for name in ("mira", "tomo")}


def test_the_list_is_complete() -> None:
    """What the evaluation promises by name; a metric that is dropped is noticed here."""
    names = {metric.name for metric in METRICS}
    assert names >= {"lpips_cross", "lpips_intra", "lpips_debiased", "lpips_nearest", "lpips_vgg_cross"}
    assert names >= {"fid", "kid", "frechet_alexnet", "frechet_toon_clip", "mmd_alexnet", "mmd_toon_clip"}
    assert names >= {"precision", "recall", "density", "coverage", "vendi", "cmmd", "clip_i", "clip_t", "dino"}
    assert names >= {"identity", "match", "face_found", "pres", "pres_dino", "face_pres", "drift_lpips"}
    assert names >= {"context_glue", "background_asked"}
    assert [m.name for m in METRICS if "fid" in m.name] == ["fid"], "no other Fréchet distance is called FID"


def test_identity_tells_two_people_apart(people: dict[str, np.ndarray]) -> None:
    mira, tomo = people["mira"], people["tomo"]
    own = identity.METRIC.values(mira[:4], mira[4:])
    other = identity.METRIC.values(tomo, mira)
    assert own.min() > 0.5 > other.max()
    assert MATCH.values(mira[:4], mira[4:]).tolist() == [1.0] * 4
    assert MATCH.values(tomo, mira).tolist() == [0.0] * 8


def photographs() -> tuple[Image.Image, Image.Image]:
    """Two people in photographs that packages bring along, at 512 px."""
    data = pytest.importorskip("skimage.data")
    matplotlib = pytest.importorskip("matplotlib")
    with Image.open(Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg") as image:
        hopper = image.convert("RGB").crop((0, 0, 512, 512))
    return Image.fromarray(data.astronaut()), hopper


def test_identity_of_photographs() -> None:
    """The same person mirrored and in other light lies above 0.8, another person below 0.5, dlib's limit."""
    ada, hopper = photographs()
    mirrored = ImageEnhance.Brightness(ada.transpose(Image.Transpose.FLIP_LEFT_RIGHT)).enhance(1.2)
    blank = Image.new("RGB", (512, 512), (200, 180, 160))
    rows = PHOTO_IDENTITY.extract([np.asarray(image) for image in (ada, mirrored, hopper, blank)])
    values = identity.METRIC.values(rows[1:], rows[:1])
    assert values[0] > 0.8
    assert values[1] < 0.5
    np.testing.assert_array_equal(MATCH.values(rows[1:], rows[:1]), [1.0, 0.0, np.nan])
    assert FACE_FOUND.values(rows, rows[:0]).tolist() == [1.0, 1.0, 1.0, 0.0]
    norms = np.linalg.norm(rows[:3], axis=1) * 0.6
    assert norms.min() > 1.2, "not of unit length, so a cosine would mislead"
    assert float((rows[0] @ rows[2]) / np.linalg.norm(rows[0]) / np.linalg.norm(rows[2])) > 0.7


def test_similarity_is_a_function_of_distance_alone() -> None:
    origin = np.zeros((1, 3))
    others = np.array([[0, 0, 0], [0.5, 0, 0], [0, 1.0, 0], [0, 0, 2.0]])
    np.testing.assert_allclose(identity.similarities(origin, others)[0], [1, 2**-0.25, 0.5, 1 / 16])


def test_match_wants_half_of_the_photos() -> None:
    photos = np.array([[0.0, 0], [0.2, 0], [3.0, 0], [4.0, 0]])
    faces = np.array([[0.1, 0], [1.15, 0], [1.4, 0], [np.nan, np.nan]])
    np.testing.assert_array_equal(MATCH.values(faces, photos), [1.0, 0.0, 0.0, np.nan])
    np.testing.assert_array_equal(FACE_FOUND.values(faces, photos[:0]), [1.0, 1.0, 1.0, 0.0])


def test_cross_is_debiased_plus_both_spreads() -> None:
    rows = LPIPS_ALEX.extract([np.asarray(made_photo(k, (64, 64))) for k in range(7)]).astype(np.float64)
    left, right = rows[:4], rows[4:]
    shift = left.mean(0) - right.mean(0)
    spreads = sum(((side - side.mean(0)) ** 2).sum() / (len(side) - 1) for side in (left, right))
    debiased = lpips_debiased.METRIC.value(left, right)
    # The squared distance of the means carries each spread over n; the unbiased value does not.
    noise = sum(((side - side.mean(0)) ** 2).sum() / (len(side) - 1) / len(side) for side in (left, right))
    assert debiased == pytest.approx(shift @ shift - noise, abs=1e-9)
    assert CROSS.values(left, right).mean() == pytest.approx(debiased + spreads, abs=1e-9)
    assert lpips_intra.METRIC.value(left, left[:0]) == pytest.approx(
        2 * ((left - left.mean(0)) ** 2).sum() / 3, abs=1e-9
    )


def test_lpips_grows_with_damage() -> None:
    original = made_photo(0, (64, 64))
    rows = LPIPS_ALEX.extract([np.asarray(original)])
    blurred = [np.asarray(original.filter(ImageFilter.GaussianBlur(radius))) for radius in (0, 1, 3, 9)]
    values = NEAREST.values(LPIPS_ALEX.extract(blurred), rows)
    assert values[0] == pytest.approx(0, abs=1e-9)
    assert (np.diff(values) > 1e-3).all()


def test_diversity_within_prompts() -> None:
    rows = np.array([[0.0], [1.0], [10.0], [13.0]])
    assert lpips_intra.intra_within(rows, ["a", "a", "b", "b"]) == pytest.approx((1 + 9) / 2)
    assert np.isnan(lpips_intra.intra_within(rows, ["a", "b", "c", "d"]))
    assert lpips_intra.METRIC.value(rows, rows[:0]) == pytest.approx((1 + 100 + 169 + 81 + 144 + 9) / 6)


def test_drift_is_row_by_row() -> None:
    base, tuned = np.array([[0.0, 0], [1, 1], [2, 2]]), np.array([[3.0, 4], [1, 1], [np.nan, 0]])
    np.testing.assert_allclose(DRIFT.values(tuned, base), [25.0, 0.0, np.nan])
    with pytest.raises(ValueError, match="belong together"):
        DRIFT.values(tuned, base[:2])


def test_prompts_are_told_apart() -> None:
    """toon's CLIP: a picture fits the colour that it shows better than the others."""
    pictures = drawn("mira") + drawn("tomo")
    images = TOON_CLIP.extract(pictures)
    assert TOON_CLIP.texts is not None
    anchors = lab(np.array(list(WORDS.values())))
    words = list(WORDS)
    right = 0
    for picture, image in zip(pictures, images, strict=True):
        cells = extract([picture])[0].reshape(-1, 3)
        shown = words[int(((np.median(cells, axis=0) - anchors) ** 2).sum(axis=1).argmin())]
        wrong = words[(words.index(shown) + 4) % len(words)]
        texts = TOON_CLIP.texts([f"a photo of a person with a {word} background" for word in (shown, wrong)])
        scores = CLIP_T.values(np.stack([image, image]), texts)
        right += scores[0] > scores[1]
    assert right >= 13, f"{right} of {len(pictures)}"


def plain(color: str, figure: int = 20) -> np.ndarray:
    """A dark figure before a plain background."""
    picture = np.full((64, 64, 3), WORDS[color], np.uint8)
    picture[20:, 18:46] = figure
    return picture


def test_background_as_asked() -> None:
    pictures = extract([plain("red"), plain("red"), plain("navy"), plain("white")])
    prompts = ["{} with a red background", "{} with a blue background", "{} smiling", "{} before a white wall"]
    found = background_asked.METRIC.values(pictures, asked_for(prompts))
    np.testing.assert_array_equal(found, [1.0, 0.0, np.nan, 1.0])


def test_context_glue_finds_the_common_background() -> None:
    photos = extract([plain("teal"), plain("orange"), plain("teal", 200), plain("pink"), plain("teal", 90)])
    index, share = context_glue.most_common(photos)
    assert index in (0, 2, 4)
    assert share == pytest.approx(3 / 5)
    dimmed = (plain("teal") * 0.9).astype(np.uint8)
    found = context_glue.METRIC.values(extract([plain("teal", 60), dimmed, plain("orange"), plain("blue")]), photos)
    np.testing.assert_array_equal(found, [1.0, 1.0, 0.0, 0.0])


def test_a_mirrored_background_is_the_same_one() -> None:
    picture = plain("yellow")
    picture[:, 40:] = WORDS["navy"]
    rows = extract([picture, picture[:, ::-1]])
    assert context_glue.background_distances(rows[:1], rows[1:])[0, 0] == pytest.approx(0, abs=1e-9)
    assert context_glue.background_distances(rows[:1], extract([plain("yellow")]))[0, 0] > context_glue.SAME


@pytest.mark.parametrize("spoilt", ["same", "mirror", "crop", "jpeg"])
def test_copies_are_near_however_they_are_turned(spoilt: str) -> None:
    photos = drawn("mira")
    images = [Image.fromarray(pixels) for pixels in photos[:3]]
    if spoilt == "mirror":
        images = [image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for image in images]
    elif spoilt == "crop":
        images = [image.resize((128, 128), Image.Resampling.BICUBIC, box=(12, 10, 118, 116)) for image in images]
    elif spoilt == "jpeg":
        images = [image.resize((96, 96)).resize((128, 128)) for image in images]
    distances = copies.copy_distances([np.asarray(image) for image in images], photos)
    assert distances.shape == (3, 8)
    assert distances.argmin(axis=1).tolist() == [0, 1, 2]
    strangers = copies.copy_distances(drawn("tomo"), photos)
    assert distances.min(axis=1).max() < 0.5 * strangers.min()
    if spoilt == "same":
        np.testing.assert_allclose(np.diag(distances), 0, atol=1e-6)


def test_copies_of_nothing() -> None:
    assert copies.copy_distances([], drawn("mira")[:2]).shape == (0, 2)
    assert copies.copy_distances(drawn("mira")[:2], []).shape == (2, 0)


def test_distances_and_cosines() -> None:
    left, right = np.array([[3.0, 4.0], [0.0, 2.0]]), np.array([[3.0, 0.0]])
    np.testing.assert_allclose(squared_distances(left, right), [[16.0], [13.0]])
    np.testing.assert_allclose(cosines(left, right), [[0.6], [0.0]])
    np.testing.assert_allclose(paired_squared_distances(left, left[::-1]), [13.0, 13.0])
    assert present(np.array([[1.0, np.nan], [1.0, 2.0]])).tolist() == [[1.0, 2.0]]
