"""CLIP-I, CLIP-T and DINO against transformers' own processors and forward passes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import CLIPConfig, CLIPModel, CLIPTokenizer, ViTConfig, ViTImageProcessor, ViTModel
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from boothlab.assets import asset
from boothlab.errors import NoWeights
from boothlab.features import clip, dino
from boothlab.features.toon_clip import load
from boothlab.metrics.clip_i import METRIC as CLIP_I
from boothlab.metrics.clip_t import METRIC as CLIP_T
from photos_made import made_photo

PROMPTS = ["a photo of a person with a red background", "a plant in a blue pot", "a photo of a person"]


def pictures(size: tuple[int, int] = (150, 150)) -> list[np.ndarray]:
    return [np.asarray(made_photo(k, size)) for k in range(3)]


@pytest.mark.parametrize("size", [(128, 128), (150, 201), (301, 160), (90, 64)])
@pytest.mark.parametrize("side", [128, 224])
def test_pixels_are_those_of_clips_own_processor(size: tuple[int, int], side: int) -> None:
    processor = CLIPImageProcessorPil(
        size={"shortest_edge": side}, crop_size={"height": side, "width": side}, resample=3
    )
    expected = processor(images=pictures(size), return_tensors="np")["pixel_values"]
    np.testing.assert_allclose(clip.pixels_for(pictures(size), side), expected, rtol=0, atol=1e-5)


def test_scores_are_the_models_own_cosines() -> None:
    model, tokenizer = clip._toon_model()
    ids = tokenizer(PROMPTS, padding="max_length", max_length=77, return_tensors="pt").input_ids
    pixels = torch.from_numpy(clip.pixels_for(pictures(), 128))
    with torch.no_grad():
        output = model(input_ids=ids, pixel_values=pixels)
    cosines = (output.logits_per_image / model.logit_scale.exp()).detach().numpy()
    images, texts = clip.TOON_CLIP.extract(pictures()), clip.TOON_CLIP.texts(PROMPTS)  # type: ignore[misc]
    np.testing.assert_allclose(CLIP_T.values(images, texts), np.diag(cosines), rtol=0, atol=1e-5)
    between = (output.image_embeds @ output.image_embeds.T).numpy()
    np.testing.assert_allclose(CLIP_I.values(images, images), between.mean(axis=1), rtol=0, atol=1e-5)


def test_clip_t_is_the_raw_cosine_of_each_row() -> None:
    """× 100 it is torchmetrics' CLIPScore, × 2.5 that of Hessel et al. 2021 (both cut off below 0)."""
    images, texts = clip.TOON_CLIP.extract(pictures()), clip.TOON_CLIP.texts(PROMPTS)  # type: ignore[misc]
    theirs = 100 * torch.nn.functional.cosine_similarity(torch.from_numpy(images), torch.from_numpy(texts), dim=1)
    np.testing.assert_allclose(100 * CLIP_T.values(images, texts), theirs.numpy(), rtol=0, atol=1e-4)


def small_clip(folder: Path) -> None:
    """A random CLIP in transformers' format with the real vocabulary."""
    told = json.loads((asset("toon", "clip") / "config.json").read_text())
    for tower in ("text_config", "vision_config"):
        told[tower] |= {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    told["vision_config"] |= {"image_size": 32, "patch_size": 16}
    torch.manual_seed(0)
    CLIPModel(CLIPConfig(**told)).save_pretrained(folder)
    for name in ("vocab.json", "merges.txt", "tokenizer_config.json"):
        (folder / name).write_bytes((asset("tokenizer") / name).read_bytes())


def test_clip_for_photographs_is_what_lies_in_the_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    feature = clip.CLIP_L14
    assert "openai/clip-vit-large-patch14" in str(feature.missing())
    assert "lacking: config.json, model.safetensors, vocab.json, merges.txt" in str(feature.missing())
    small_clip(clip.folder())
    assert "is not ViT-L/14" in str(feature.missing())
    with pytest.raises(NoWeights, match="is not ViT-L/14"):
        feature.extract(pictures())
    monkeypatch.setattr(clip, "VIT_L_14", {"hidden_size": 32})
    assert feature.missing() is None
    model = CLIPModel.from_pretrained(clip.folder()).eval()
    with torch.no_grad():
        expected = model.get_image_features(torch.from_numpy(clip.pixels_for(pictures(), 32))).pooler_output
    expected = torch.nn.functional.normalize(expected, dim=1).numpy()
    np.testing.assert_allclose(feature.extract(pictures()), expected, rtol=0, atol=1e-5)
    assert feature.texts is not None
    assert feature.texts(PROMPTS).shape == (3, 128)
    assert feature.weights is not None
    assert feature.weights().is_file()


def test_a_folder_that_transformers_5_saved_has_its_tokenizer_in_one_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clip, "VIT_L_14", {"hidden_size": 32})
    small_clip(clip.folder())
    texts = clip.CLIP_L14.texts
    assert texts is not None
    before = texts(PROMPTS)
    whole = CLIPTokenizer.from_pretrained(clip.folder(), local_files_only=True)
    for name in ("vocab.json", "merges.txt"):
        (clip.folder() / name).unlink()
    assert "lacking: vocab.json, merges.txt" in str(clip.missing_photo())
    whole.save_pretrained(clip.folder())
    assert not (clip.folder() / "vocab.json").exists()
    assert clip.missing_photo() is None
    np.testing.assert_array_equal(texts(PROMPTS), before)


def test_a_broken_folder_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    clip.folder().mkdir(parents=True)
    for name in ("config.json", "model.safetensors", "vocab.json", "merges.txt"):
        (clip.folder() / name).write_text("nonsense")
    assert "is not ViT-L/14" in str(clip.missing_photo())
    monkeypatch.setattr(clip, "VIT_L_14", {})
    with pytest.raises(NoWeights, match="cannot be read"):
        clip.CLIP_L14.extract(pictures())


def test_the_toon_clip_reads_long_prompts_to_their_77th_token() -> None:
    long = " ".join(["red"] * 200)
    rows = clip.TOON_CLIP.texts([long, long + " blue"])  # type: ignore[misc]
    np.testing.assert_array_equal(rows[0], rows[1])
    assert load(asset("toon")).config.text_config.max_position_embeddings == clip.TOKENS


def test_dino_is_the_class_token_of_what_lies_in_the_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "facebook/dino-vits16" in str(dino.DINO.missing())
    config = ViTConfig(
        hidden_size=24, num_hidden_layers=1, num_attention_heads=2, intermediate_size=24, patch_size=32
    )
    torch.manual_seed(0)
    network = ViTModel(config, add_pooling_layer=False).eval()
    network.save_pretrained(dino.folder())
    assert "is not DINO ViT-S/16" in str(dino.DINO.missing())
    monkeypatch.setattr(dino, "VIT_S_16", {"hidden_size": 24})
    square = pictures((256, 256))
    processor = ViTImageProcessor(
        do_resize=False, image_mean=list(dino.MEAN), image_std=list(dino.DEVIATION), do_rescale=True
    )
    middle = [pixels[16:240, 16:240].copy() for pixels in square]
    with torch.no_grad():
        token = network(processor(images=middle, return_tensors="pt")["pixel_values"]).last_hidden_state[:, 0]
    expected = torch.nn.functional.normalize(token, dim=1).numpy()
    np.testing.assert_allclose(dino.DINO.extract(square), expected, rtol=0, atol=1e-5)
