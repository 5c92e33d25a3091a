"""Features: pinned resizes, the identity's unit, colours around a person, supplied weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from boothlab.assets import asset
from boothlab.errors import NoWeights, PhotoError
from boothlab.evaluation.vectors import known_by
from boothlab.features import background, identity, supplied, transforms
from boothlab.features.clip import DRAWN_CLIP, TOON_CLIP
from boothlab.features.faces import reader_for
from boothlab.features.feature import Feature
from boothlab.features.identity import TOON_IDENTITY
from boothlab.features.lpips import ALEXNET_POOLED, LPIPS_ALEX
from boothlab.files import sha256_file, sha256_json
from drawings_made import drawn
from photos_made import made_photo

WEIGHTS = {"toon-clip-toon-1": "b2e2e4a94fbe8824", "identity-toon-toon-1-hair-1-0.9": "23a7c7b63e657cb1"}
"""What features of the built-in model are known by → hash of the weights that they are then made with."""


def test_resize_is_antialiased_and_not_rounded() -> None:
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    small = transforms.resized(stripes, 16)
    assert small.dtype == np.float32
    # An antialiased filter sees grey everywhere; without it every fourth column would be black or white.
    np.testing.assert_allclose(small[2:-2, 2:-2], 127.5, atol=1.0)
    ramp = np.repeat(np.arange(64, dtype=np.uint8)[None, :, None], 64, axis=0).repeat(3, axis=2)
    fine = transforms.resized(ramp, 128)
    assert np.abs(fine - np.round(fine)).max() > 0.2, "rounded to 8 bits"
    same = np.asarray(made_photo(0, (32, 32)))
    np.testing.assert_allclose(transforms.resized(same, 32), same, atol=1e-4)


def test_crops_keep_the_middle() -> None:
    picture = np.zeros((40, 80, 3), np.uint8)
    picture[:, 20:60] = 200
    assert (transforms.cropped(picture, 40, 40) == 200).all()
    assert transforms.cropped(picture.transpose(1, 0, 2), 20, 10).shape == (10, 10, 3)
    with pytest.raises(ValueError, match="a crop of 50 px from a picture of 40 px"):
        transforms.cropped(picture, 40, 50)


def test_pictures_of_different_sizes_are_refused_in_words() -> None:
    with pytest.raises(PhotoError, match="different sizes .48×64, 64×64.") as raised:
        LPIPS_ALEX.extract([np.zeros((64, 64, 3), np.uint8), np.zeros((64, 48, 3), np.uint8)])
    assert "photos.size" in raised.value.hint
    mixed = [np.zeros((64, 64, 3), np.uint8), np.zeros((90, 48, 3), np.uint8)]
    assert ALEXNET_POOLED.extract(mixed).shape == (2, 256)


def test_pooled_alexnet_is_the_mean_of_the_fifth_layer() -> None:
    import torch

    from boothlab.features.lpips import _trunk

    pixels = np.asarray(made_photo(3, (224, 224)))
    last = _trunk(torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1)[-1]
    assert last.shape == (1, 256, 13, 13)
    np.testing.assert_allclose(
        ALEXNET_POOLED.extract([pixels])[0], last.mean((2, 3))[0].numpy(), rtol=1e-3, atol=1e-5
    )


def test_identity_is_in_units_of_the_readers_limit() -> None:
    pictures = [*drawn("mira", 2), np.full((128, 128, 3), 90, np.uint8)]
    rows = identity.TOON_IDENTITY.extract(pictures)
    assert rows.shape == (3, 128)
    assert np.isnan(rows[2]).all(), "no face, nothing to describe"
    reader = reader_for("drawings")
    own = reader.identify(pictures[0], reader.find(pictures[0])[0])
    np.testing.assert_allclose(rows[0], own / np.float32(reader.same_person), rtol=1e-6)
    assert np.linalg.norm(rows[0] - rows[1]) < 1 < 2 / reader.same_person
    assert str(reader.same_person) in identity.TOON_IDENTITY.version
    assert "0.6" in identity.PHOTO_IDENTITY.version


def test_lab_of_known_colours() -> None:
    """L*, a*, b* of sRGB white, black, red and mid-grey, as colour scientists tabulate them; L* is halved here."""
    found = background.lab(np.array([[255, 255, 255], [0, 0, 0], [255, 0, 0], [119, 119, 119]]))
    expected = np.array([[100, 0, 0], [0, 0, 0], [53.24, 80.09, 67.20], [50.03, 0, 0]])
    np.testing.assert_allclose(found * [2, 1, 1], expected, atol=0.05)


def test_the_background_is_what_lies_beside_the_head() -> None:
    picture = np.full((100, 100, 3), background.WORDS["teal"], np.uint8)
    picture[20:, 25:75] = 30
    picture[70:] = 200
    picture[3, 3] = 255
    row = background.BACKGROUND.extract([picture])[0]
    np.testing.assert_allclose(row, background.asked_for(["a teal background"])[0], atol=1e-9)


def test_words_for_backgrounds() -> None:
    asked = background.asked_for(
        ["a photo of a person with a Grey background", "a person before a red wall", "a person in a red shirt", ""]
    )
    np.testing.assert_allclose(asked[0, :3], background.lab(np.array(background.WORDS["gray"])))
    np.testing.assert_allclose(asked[1, 3:6], background.lab(np.array(background.WORDS["red"])))
    assert np.isnan(asked[2:]).all()


@pytest.mark.parametrize(
    ("feature", "known", "files"),
    [
        (TOON_CLIP, "toon-clip-toon-1", ("clip/model.safetensors", "sd/text_encoder/model.safetensors")),
        (TOON_IDENTITY, "identity-toon-toon-1-hair-1-0.9", ("heads.safetensors", "identity.safetensors")),
    ],
    ids=lambda given: getattr(given, "name", ""),
)
def test_other_weights_of_the_built_in_model_are_another_version(
    feature: Feature, known: str, files: tuple[str, ...]
) -> None:
    """Kept vectors and scores are known by the version alone: who trains these again gives it another number."""
    assert known_by(feature) == known
    assert sha256_json([sha256_file(asset("toon", *name.split("/"))) for name in files])[:16] == WEIGHTS[known]


def test_supplied_weights_live_below_home(own_home: Path) -> None:
    assert supplied.weights_folder() == own_home / "weights"
    supplied.demand(None)
    with pytest.raises(NoWeights, match="not here"):
        supplied.demand("They are not here.")
    assert supplied.configuration(own_home) == {}


def test_a_feature_for_drawings_says_so_to_photographs() -> None:
    reason = DRAWN_CLIP.photographs.missing()
    assert reason is not None
    assert "drawings" in reason
    with pytest.raises(NoWeights, match="drawings"):
        DRAWN_CLIP.photographs.extract([])
