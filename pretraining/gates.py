"""Stage `gates`: every figure of the model card, measured on a packaged folder and held-out drawings.

Separate from the stages because it reads only what ships (and a judge that shares no weights with it).
Each figure is a dict: value, bar, n, chance (None where none is meaningful), unit where it has one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from scipy.spatial.distance import cdist

from boothlab.features import toon_clip, toon_heads, toon_identity
from boothlab.files import sha256_bytes, sha256_file
from pretraining import (
    atomic,
    autoencoder,
    captions,
    clip,
    dataset,
    diffusion,
    draw,
    identities,
    identity,
    judge,
    labels,
    package,
    prompts,
    vocabulary,
)
from pretraining.identities import SEED
from pretraining.randomness import stream
from pretraining.sizes import Size


@dataclass(frozen=True)
class Figure:
    """One measured figure beside its bar."""

    value: float
    bar: float
    n: int
    chance: float | None = None
    higher_is_better: bool = True

    @property
    def reached(self) -> bool:
        """Is the bar reached?"""
        return self.value >= self.bar if self.higher_is_better else self.value <= self.bar


Figures = dict[str, Figure]


def held_out(count: int, size: Size, first: int = 0, with_mask: bool = False) -> list[draw.Drawing]:
    """Drawings of the reserved stream ``held-out``."""
    return [draw.of("held-out", first + i, size.picture, with_mask=with_mask) for i in range(count)]


def records(drawings: Sequence[draw.Drawing]) -> list[dataset.Record]:
    """The drawings' truth in the form of the shards."""
    return [dataset.Record(i, one.noun, one.style, one.words, one.heads) for i, one in enumerate(drawings)]


def accuracy(found: dict[str, np.ndarray], truth: dict[str, torch.Tensor], name: str) -> tuple[float, int]:
    """Share of right verdicts where the attribute exists, and how many those are."""
    known = truth[name].numpy() != labels.ABSENT
    return float((found[name] == truth[name].numpy())[known].mean()), int(known.sum())


def judge_figures(model: judge.Judge, size: Size, count: int) -> Figures:
    """The judge itself on real held-out drawings."""
    drawings = held_out(count, size, first=100_000)
    found = judge.verdicts(model, np.stack([one.pixels for one in drawings]))
    truth = labels.labels(records(drawings))
    figures = {}
    for name in prompts.GATED:
        value, n = accuracy(found, truth, name)
        figures[f"judge/{name}"] = Figure(value, 0.98, n, 1 / len(labels.VALUES[name]))
    return figures


@torch.no_grad()
def autoencoder_figures(pipeline: StableDiffusionPipeline, model: judge.Judge, size: Size, count: int) -> Figures:
    """PSNR (dB, from the mean squared error over all pictures) and what the judge still reads."""
    drawings = held_out(count, size, first=200_000, with_mask=True)
    pixels = np.stack([one.pixels for one in drawings])
    rebuilt = []
    for start in range(0, count, 32):
        latents = pipeline.vae.encode(autoencoder.to_model(pixels[start : start + 32])).latent_dist.mode()
        rebuilt.append(autoencoder.to_pixels(pipeline.vae.decode(latents).sample))
    output = np.concatenate(rebuilt)
    error = (pixels.astype(np.float64) - output) ** 2
    figure = np.stack([one.mask for one in drawings if one.mask is not None]) > 127
    truth = labels.labels(records(drawings))
    before, after = judge.verdicts(model, pixels), judge.verdicts(model, output)
    ratios = [_ratio(accuracy(after, truth, name)[0], accuracy(before, truth, name)[0]) for name in prompts.GATED]
    return {
        "autoencoder/psnr overall": Figure(_psnr(error.mean()), 27.0, count),
        "autoencoder/psnr figure": Figure(_psnr(error[figure].mean()), 24.0, count),
        "autoencoder/judge ratio, worst attribute": Figure(min(ratios), 0.98, count),
    }


def _ratio(after: float, before: float) -> float:
    """0 where the judge was never right to begin with: such a judge proves nothing."""
    return after / before if before else 0.0


def _psnr(mean_squared_error: float) -> float:
    return float(10 * np.log10(255**2 / mean_squared_error))


RARE = ", with a rare word"
"""End of the names of figures that were asked for with a meaningless word in the prompt."""


def text_figures(
    pipeline: StableDiffusionPipeline, model: judge.Judge, each: int, plain: Figures | None = None
) -> Figures:
    """Does a picture show what its prompt says? Balanced over styles and values; per-style rows beside.

    With the figures of the ``plain`` prompts the same is asked with a meaningless rare word in each prompt; the
    bars are then 0.95 times those figures.
    """
    rare = plain is not None
    asked = prompts.balanced(each, rare)
    pictures = diffusion.generate(pipeline, [one.text for one in asked], SEED + (12 if rare else 11))
    found = judge.verdicts(model, pictures)
    suffix = RARE if rare else ""
    figures: Figures = {}
    for name in prompts.GATED:
        rows = [i for i, one in enumerate(asked) if one.attribute == name]
        hits = np.array([found[name][i] == labels.VALUES[name].index(asked[i].value) for i in rows])
        bar, chance = prompts.GATED[name], 1 / len(labels.VALUES[name])
        if plain is not None:
            bar = 0.95 * plain[f"text/{name}"].value
        figures[f"text/{name}{suffix}"] = Figure(float(hits.mean()), bar, len(rows), chance)
        for style in sorted({asked[i].style for i in rows if asked[i].style}):
            part = np.array([asked[i].style == style for i in rows])
            figures[f"text/{name}/{style}{suffix}"] = Figure(float(hits[part].mean()), bar, int(part.sum()), chance)
    return figures


CLASS_SEED = SEED + 13


def class_prompts(count: int) -> list[str]:
    """The bare class prompt, ``a photo of`` and ``a portrait of`` in turn."""
    return [captions.bare("person", ("a photo of", "a portrait of")[i % 2]) for i in range(count)]


def class_figures(pipeline: StableDiffusionPipeline, model: judge.Judge, size: Size, count: int) -> Figures:
    """Precision and recall (Kynkaanniemi et al. 2019, k = 3) of the bare class prompt in the judge's features."""
    drawings = [one for one in held_out(count * 5 // 4 + 20, size, first=300_000) if one.noun == "person"][:count]
    real = judge.features(model, np.stack([one.pixels for one in drawings]))
    made = judge.features(model, diffusion.generate(pipeline, class_prompts(min(count, 192)), CLASS_SEED))
    return {
        "class/precision": Figure(_covered(made, real), 0.8, len(made)),
        "class/recall": Figure(_covered(real, made), 0.5, len(real)),
    }


def _covered(queries: np.ndarray, support: np.ndarray, k: int = 3) -> float:
    """Share of ``queries`` within the k-th neighbour's distance of some member of ``support``."""
    radius = np.sort(cdist(support, support), axis=1)[:, k]
    return float((cdist(queries, support) <= radius[None]).any(1).mean())


@torch.no_grad()
def clip_figures(folder: Path, size: Size, rounds: int) -> Figures:
    """Caption retrieval among 100 held-out drawings, full captions of one scene each."""
    model, tokenizer = toon_clip.load(folder), vocabulary.tokenizer()
    hits = []
    for number in range(rounds):
        drawings = held_out(100, size, first=400_000 + 100 * number)
        texts = [captions.full(record, stream(SEED, "gates/clip", 100 * number + i))
                 for i, record in enumerate(records(drawings))]  # fmt: skip
        pixels = clip.normalise(np.stack([one.pixels for one in drawings]))
        output = model(input_ids=clip.token_ids(tokenizer, texts), pixel_values=pixels)
        hits.append(output.logits_per_image.argmax(1).numpy() == np.arange(100))
    return {"clip/top-1 among 100": Figure(float(np.mean(hits)), 0.80, 100 * rounds, 0.01)}


def auc(same: np.ndarray, other: np.ndarray) -> float:
    """Probability that a pair of one kind is more alike than a pair of the other; ties count half."""
    ordered = np.sort(other)
    below, upto = np.searchsorted(ordered, same, "left"), np.searchsorted(ordered, same, "right")
    return float(((below + upto) / 2 / len(other)).mean())


def identity_figures(folder: Path, size: Size, people: int) -> Figures:
    """AUC over unseen people in unseen contexts, over twins, and of a shared background among strangers."""
    encoder = toon_identity.load(folder / "identity.safetensors")
    rows = [identities.of("test", number) for number in range(people)]

    def embed(who: Sequence[identities.Identity], take: int, background: Callable[[int], int | None]) -> np.ndarray:
        crops = [identity.view(one, take, "gates/identity", size.picture, background(i)) for i, one in enumerate(who)]
        with torch.no_grad():
            return np.asarray(encoder(toon_identity.to_input(np.stack(crops))))

    own = [embed(rows, take, lambda i: None) for take in range(3)]
    twin = embed([identities.twin(one, 0) for one in rows], 3, lambda i: None)
    shared = embed(rows, 4, lambda i: i // 2)
    apart = embed(rows, 5, lambda i: people + i)
    same = np.concatenate([(own[a] * own[b]).sum(1) for a, b in ((0, 1), (0, 2), (1, 2))])
    others = np.concatenate([(own[0] * np.roll(own[1], shift, 0)).sum(1) for shift in range(1, 8)])
    even, odd = slice(0, people - 1, 2), slice(1, people, 2)
    blind = auc((shared[even] * shared[odd]).sum(1), (apart[even] * apart[odd]).sum(1))
    return {
        "identity/auc unseen": Figure(auc(same, others), 0.99, len(same), 0.5),
        "identity/auc twins": Figure(auc(same, (own[0] * twin).sum(1)), 0.95, len(same), 0.5),
        "identity/auc same background": Figure(blind, 0.6, people // 2, 0.5, higher_is_better=False),
    }


def detector_figures(folder: Path, size: Size, count: int) -> Figures:
    """Recall at IoU 0.5, mean yaw error of what was found, and boxes drawn where no person is."""
    detector = toon_heads.load(folder / "heads.safetensors")
    heads, hits, wrong, empty, yaws = 0, 0, 0, 0, []
    for drawing in held_out(count, size, first=500_000):
        found = detector.detect(drawing.pixels)
        if drawing.noun != "person":
            empty, wrong = empty + 1, wrong + bool(found)
            continue
        head = drawing.heads[0]
        heads += 1
        best = max(found, key=lambda one: toon_heads.overlap(one.box, head.box), default=None)
        if best is not None and toon_heads.overlap(best.box, head.box) >= 0.5:
            hits += 1
            yaws.append(abs(best.yaw_degrees - head.yaw))
    return {
        "heads/recall at IoU 0.5": Figure(hits / heads, 0.98, heads),
        "heads/yaw error, 95th percentile (degrees)": Figure(
            float(np.percentile(yaws or [180.0], 95)), 10.0, len(yaws), higher_is_better=False
        ),
        "heads/false alarms without a person": Figure(wrong / empty, 0.02, empty, higher_is_better=False),
    }


def load_pipeline(folder: Path) -> StableDiffusionPipeline:
    """The packaged pipeline in float32 with the gates' sampler."""
    pipeline = StableDiffusionPipeline.from_pretrained(folder / "sd", dtype=torch.float32)
    pipeline.scheduler = diffusion.sampler()
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


GROUPS = ("judge", "autoencoder", "clip", "identity", "heads", "text", "rare", "class")
FILES = {
    "text tower": "sd/text_encoder/model.safetensors",
    "autoencoder": "sd/vae/diffusion_pytorch_model.safetensors",
    "unet": "sd/unet/diffusion_pytorch_model.safetensors",
    "clip": "clip/model.safetensors",
    "identity": "identity.safetensors",
    "heads": "heads.safetensors",
}
"""Part -> its weights in the packaged folder."""
PAINTED = ("judge", "text tower", "autoencoder", "unet", "sampling")
DEPENDS = {
    "judge": ("judge",),
    "autoencoder": ("judge", "autoencoder"),
    "clip": ("clip", "text tower"),
    "identity": ("identity",),
    "heads": ("heads",),
    "text": PAINTED,
    "class": PAINTED,
}
"""First word of a figure's name -> what it was measured with: parts' weights, and how pictures were drawn."""


def fingerprints(folder: Path, model: judge.Judge) -> dict[str, str]:
    """Part -> a short hash of its weights; the judge's are ``model``'s, and the sampler's is of its settings."""
    found = {part: sha256_file(folder / name) for part, name in FILES.items() if (folder / name).exists()}
    found["judge"] = sha256_bytes(b"".join(value.numpy().tobytes() for value in model.state_dict().values()))
    found["sampling"] = _sampling_mark()
    return {part: mark[:16] for part, mark in found.items()}


def _sampling_mark() -> str:
    """Hash of how pictures are drawn, without what diffusers notes for itself: it differs from process to process."""
    settings = {name: value for name, value in diffusion.sampler().config.items() if not name.startswith("_")}
    return sha256_bytes(f"{diffusion.sampling()} {sorted(settings.items())}".encode())


def run(size: Size, work: Path, folder: Path, each: int, only: Sequence[str] = GROUPS) -> Figures:
    """The gates named in ``only``, ``each`` pictures per attribute; ``gates.json`` is written after every group.

    Figures of other groups that were measured before are kept where the weights they depend on are the same, and the
    sampler where pictures were drawn.
    """
    model, pipeline = judge.load(size, work), load_pipeline(folder)
    seen = package.pictures_seen(folder, "diffusion")
    weights = fingerprints(folder, model)
    figures = _measured_before(work, weights)
    measures: dict[str, Callable[[], Figures]] = {
        "judge": lambda: judge_figures(model, size, 8 * each),
        "autoencoder": lambda: autoencoder_figures(pipeline, model, size, 4 * each),
        "clip": lambda: clip_figures(folder, size, max(1, each // 10)),
        "identity": lambda: identity_figures(folder, size, 4 * each),
        "heads": lambda: detector_figures(folder, size, 6 * each),
        "text": lambda: text_figures(pipeline, model, each),
        "rare": lambda: text_figures(pipeline, model, each, plain=figures),
        "class": lambda: class_figures(pipeline, model, size, 20 * each),
    }
    if "rare" in only and "text" not in only and "text/background" not in figures:
        raise SystemExit("The bars of `rare` are 0.95 times the figures of `text`: measure these too.")
    for name in (group for group in GROUPS if group in only):
        figures = with_rare_bars(figures | measures[name]())
        saved = {key: asdict(one) | {"reached": one.reached} for key, one in figures.items()}
        facts = {"unet_pictures": seen, "sampling": diffusion.sampling(), "weights": weights, "figures": saved}
        atomic.write_text(work / "gates.json", json.dumps(facts, indent=1) + "\n")
    return figures


def with_rare_bars(figures: Figures) -> Figures:
    """``figures`` with the bars of prompts with a rare word set by those of plain prompts as they are now."""
    bars = {
        f"text/{name}": 0.95 * figures[f"text/{name}"].value for name in prompts.GATED if f"text/{name}" in figures
    }
    found = dict(figures)
    for key, one in figures.items():
        asked = "/".join(key.split("/")[:2]).removesuffix(RARE)
        if key.endswith(RARE) and asked in bars:
            found[key] = replace(one, bar=bars[asked])
    return found


def _measured_before(work: Path, weights: dict[str, str]) -> Figures:
    path = work / "gates.json"
    if not path.exists():
        return {}
    saved = json.loads(path.read_text("utf-8"))
    then = saved.get("weights", {})
    same = {part for part, mark in weights.items() if then.get(part) == mark}
    return {
        name: Figure(**{key: value for key, value in one.items() if key != "reached"})
        for name, one in saved["figures"].items()
        if same.issuperset(DEPENDS[name.split("/")[0]])
    }
