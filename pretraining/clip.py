"""Stage `clip`: a small CLIPModel trained contrastively on drawings and captions; its text tower conditions the UNet.

Separate from the diffusion model because the text tower is frozen before that starts, as in SD v1.
Shapes: pictures (B, 3, H, W) normalised; ids (B, L) int64 with L <= 77.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import CLIPConfig, CLIPModel, CLIPTokenizer

from pretraining import captions, labels, vocabulary
from pretraining.dataset import Pictures, Record
from pretraining.identities import SEED
from pretraining.loop import Losses, Schedule, Training, ema_weights
from pretraining.randomness import batch_indices, stream
from pretraining.sizes import Size

MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)
"""OpenAI CLIP's constants, kept so that one preprocessing serves every CLIP."""
AUXILIARY_WEIGHT = 1.0


def config(size: Size) -> CLIPConfig:
    """Text as in SD v1 (49,408 words, 77 positions, ends at 49407), both towers narrow and shallow."""
    text = {
        "vocab_size": 49408,
        "hidden_size": size.text_width,
        "intermediate_size": 4 * size.text_width,
        "num_hidden_layers": size.text_layers,
        "num_attention_heads": max(1, size.text_width // 32),
        "max_position_embeddings": vocabulary.LENGTH,
        "projection_dim": size.text_width,
        "bos_token_id": 49406,
        "eos_token_id": 49407,
        "pad_token_id": 49407,
    }
    vision = {
        "hidden_size": size.vision_width,
        "intermediate_size": 4 * size.vision_width,
        "num_hidden_layers": size.vision_layers,
        "num_attention_heads": max(1, size.vision_width // 32),
        "image_size": size.picture,
        "patch_size": size.patch,
        "projection_dim": size.text_width,
    }
    return CLIPConfig(text_config=text, vision_config=vision, projection_dim=size.text_width)


def build(size: Size) -> CLIPModel:
    """A fresh CLIPModel."""
    torch.manual_seed(SEED + 1)
    return CLIPModel(config(size))


def normalise(pixels: np.ndarray) -> Tensor:
    """(B, H, W, 3) uint8 -> (B, 3, H, W) float32, CLIP's normalisation."""
    pictures = torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div_(255)
    return (pictures - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]


def token_ids(tokenizer: CLIPTokenizer, texts: Sequence[str], trim: bool = False) -> Tensor:
    """(B, 77) ids padded as the stock pipeline pads; ``trim`` cuts to the longest text (causal: same values)."""
    ids = tokenizer(
        list(texts),
        padding="longest" if trim else "max_length",
        max_length=vocabulary.LENGTH,
        truncation=True,
        return_tensors="pt",
    ).input_ids
    return torch.as_tensor(ids)


def batch_captions(records: Sequence[Record], purpose: str, first: int) -> list[str]:
    """Fresh captions of a batch; ``first`` numbers its first draw."""
    return [captions.caption(record, stream(SEED, purpose, first + i)) for i, record in enumerate(records)]


class Auxiliary(nn.Module):
    """Linear heads that read attributes off both towers while training: sooner a text tower that tells them."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        torch.manual_seed(SEED + 2)
        self.image = nn.Linear(size.vision_width, labels.total())
        self.text = nn.Linear(size.text_width, labels.total())


def training(size: Size, pictures: Pictures, work: Path) -> Training:
    """Symmetric InfoNCE over the batch plus attribute cross entropies from both towers."""
    model, auxiliary, tokenizer = build(size), Auxiliary(size), vocabulary.tokenizer()
    batch = size.clip_batch

    def loss_at(step: int) -> Losses:
        picked = batch_indices(len(pictures), batch, SEED, "clip", step)
        records = [pictures.records[int(i)] for i in picked]
        ids = token_ids(tokenizer, batch_captions(records, "clip/caption", step * batch), trim=True)
        seen = model.vision_model(pixel_values=normalise(pictures.at(picked))).pooler_output
        read = model.text_model(input_ids=ids).pooler_output
        image = F.normalize(model.visual_projection(seen), dim=-1)
        text = F.normalize(model.text_projection(read), dim=-1)
        logits = image @ text.T * model.logit_scale.clamp(max=4.6).exp()
        target = torch.arange(batch)
        contrast = (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
        truth = labels.labels(records)
        from_image = labels.cross_entropy(auxiliary.image(seen), truth)
        from_text = labels.cross_entropy(auxiliary.text(read), truth)
        top1 = (logits.argmax(1) == target).float().mean()
        loss = contrast + AUXILIARY_WEIGHT * (from_image + 0.5 * from_text)
        return {"loss": loss, "contrast": contrast, "image": from_image, "text": from_text, "top1": top1}

    table = model.text_model.embeddings.token_embedding.weight
    rest = [p for m in (model, auxiliary) for p in m.parameters() if p is not table]
    groups = [{"params": rest}, {"params": [table], "weight_decay": 0.0}]
    return Training(
        work / "clip",
        {"clip": model, "auxiliary": auxiliary},
        loss_at,
        Schedule(size.clip_steps, 1.5e-3, warmup=100, decay=0.7, weight_decay=0.05),
        batch,
        ema_decay=0.99,
        adam_groups=groups,
        log_every=25,
    )


def load(size: Size, work: Path) -> CLIPModel:
    """The trained CLIPModel (EMA)."""
    model = build(size)
    model.load_state_dict(ema_weights(work / "clip", "clip"))
    return model.eval()
