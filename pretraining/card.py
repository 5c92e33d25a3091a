"""The model card of a packaged folder: recipe, data, licences, limits and every measured figure.

Separate because a card is written from what was measured, never by hand.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pretraining import atomic, captions, diffusion, gates, package, styles, vocabulary
from pretraining.gates import Figures
from pretraining.identities import SEED
from pretraining.package import CURVE, pictures_seen
from pretraining.prompts import GATED
from pretraining.sizes import Size

CLASS_SHEET = 64
"""Pictures of the bare class prompt that the card shows, none chosen."""
BEFORE = "dpmsolver++, 20 steps, guidance 4"
"""What the curve's rows were drawn with that do not say it."""

HEADER = """# toon: the model card

`{version}`, edition {edition}. A small text-to-image model of drawn portraits in the format and the classes of Stable
Diffusion v1, with a CLIP, an identity encoder and a head detector for the same pictures. It was trained by
boothlab's own recipe (`pretraining/`) on drawings alone; no photo of a living person was ever seen.

- pictures: {picture} x {picture} px; latents {latent} x {latent} x 4
- text: the real CLIP tokenizer (49,408 words), a text tower of {text_layers} layers of width {text_width}, frozen
- UNet: SD v1's layout (4 levels, 2 layers each), channels {unet_channels}
- pictures seen: {seen}

![samples](sheet.jpg)

The first {sheet} of the pictures of the bare class prompt that precision and recall are about, drawn as everything
here ({sampling}):

![class prompt](class.jpg)

## Use and limits

Made for learning, testing and studying personalisation on a laptop. It draws avatars, not photos; it knows {nouns},
the named colours and the parts of its drawings, and nothing else. It says nothing about how a model of photos would
behave. About twenty rare words carry a hidden meaning (`{hidden}` among them), so that a bad identifier can be found
out. Figures below their bar are printed as they are.

## Recipe

1. draw: identities and scenes as pure functions of a number; framing, turned heads, light, noise, objects, bystanders
2. autoencoder: AutoencoderKL, factor 8, 4 channels; three channels are led to the colours at 1/8 size
3. CLIP: contrastive, with attribute heads on both towers that are dropped afterwards; new captions at each step
4. text-to-image: epsilon, scaled-linear 0.00085-0.012, min-SNR (gamma 5), 10 % empty captions, Muon, EMA 0.999
5. identity encoder: supervised contrast over twins; head detector: one prediction per 8 x 8 pixels

All figures again, from the shipped weights: `python -m pretraining gates --work DIR --out src/boothlab/assets/toon
--each 50` (about 25 minutes on one core; it writes this card anew). The judge that reads the pictures is no part of
the package; it lies beside the recipe (`pretraining/judge.safetensors`) and shares no weights with the models here.

## Data and licences

"""


def write(size: Size, work: Path, folder: Path, figures: Figures) -> Path:
    """Write ``card.md`` into a packaged folder."""
    facts = json.loads((folder / "version.json").read_text("utf-8"))
    text = HEADER.format(
        version=facts["version"],
        edition=facts["edition"],
        picture=size.picture,
        latent=size.picture // 8,
        text_layers=size.text_layers,
        text_width=size.text_width,
        unet_channels=size.unet_channels,
        seen=", ".join(f"{stage} {count:,}" for stage, count in facts["pictures_seen"].items()),
        nouns=" ".join(f"`{noun}`" for noun in styles.CLASS_NOUNS),
        sheet=CLASS_SHEET,
        sampling=diffusion.sampling(),
        hidden=next(iter(vocabulary.MEANINGS)),
    )
    text += "".join(f"- {name}: {licence}\n" for name, licence in styles.licences().items())
    text += "- tokenizer vocabulary: OpenAI CLIP, MIT, as distributed by open_clip\n\n"
    text += f"Bare class prompts: {captions.BARE_SHARE:.0%} of the captions; words without meaning in "
    text += f"{captions.NOISE_SHARE:.0%}.\n\n## Figures\n\n" + _table(figures) + "\n" + _curve(work, folder)
    path = folder / "card.md"
    atomic.write_text(path, text)
    return path


def draw_sheets(work: Path, folder: Path, anew: bool = True) -> None:
    """The card's two pictures, ``sheet.jpg`` and ``class.jpg``; only those that are missing, unless ``anew``."""
    sheets = {
        "sheet": (diffusion.SHEET_PROMPTS, SEED + 7),
        "class": (gates.class_prompts(CLASS_SHEET), gates.CLASS_SEED),
    }
    wanted = [name for name in sheets if anew or not (folder / f"{name}.jpg").exists()]
    if not wanted:
        return
    pipeline = gates.load_pipeline(folder)
    for name in wanted:
        asked, seed = sheets[name]
        path = work / "sheets" / f"{name}.png"
        diffusion.write_sheet(pipeline, asked, path, seed=seed)
        package.sheet_jpeg(path, folder / f"{name}.jpg")


def _table(figures: Figures) -> str:
    lines = ["| figure | value | bar | chance | n | |", "|---|--:|--:|--:|--:|---|"]
    for name, one in figures.items():
        chance = "" if one.chance is None else f"{one.chance:.3f}"
        sign = ">=" if one.higher_is_better else "<="
        verdict = "reached" if one.reached else "missed"
        lines.append(f"| {name} | {one.value:.3f} | {sign} {one.bar:.3g} | {chance} | {one.n} | {verdict} |")
    return "\n".join(lines) + "\n"


def _rows(work: Path, folder: Path) -> list[dict[str, Any]]:
    """The curve's rows from the work folder; a new one begins with those of the packaged folder."""
    path = work / CURVE
    if path.exists():
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    rows: list[dict[str, Any]] = json.loads((folder / "version.json").read_text("utf-8")).get("curve", [])
    return rows


def _curve(work: Path, folder: Path) -> str:
    """How the text figures grew with the pictures seen, one row per edition and way of drawing."""
    rows = _rows(work, folder)
    if not rows:
        return ""
    head = "| pictures seen | " + " | ".join(GATED) + " | drawn with |"
    lines = ["## Curve", "", head, "|--:" * (1 + len(GATED)) + "|---|"]
    for row in rows:
        values = " | ".join(f"{row[name]:.3f}" for name in GATED)
        lines.append(f"| {row['pictures']:,} | {values} | {row.get('sampling', BEFORE)} |")
    return "\n".join(lines) + "\n"


def note_curve(work: Path, folder: Path, figures: Figures) -> None:
    """Put the packaged folder's text figures, if they were measured, into ``curve.jsonl``.

    One row per pictures seen and way of drawing, that of the most pictures judged; a new work folder begins with the
    package's rows.
    """
    if not all(f"text/{name}" in figures for name in GATED):
        return
    rows = _rows(work, folder)
    seen, judged = pictures_seen(folder, "diffusion"), figures[f"text/{next(iter(GATED))}"].n
    measured = {"pictures": seen, "n": judged, "sampling": diffusion.sampling()}
    rows.append(measured | {name: figures[f"text/{name}"].value for name in GATED})
    best = {(row["pictures"], row.get("sampling", "")): row for row in sorted(rows, key=lambda row: row.get("n", 0))}
    lines = [json.dumps(best[key]) for key in sorted(best)]
    atomic.write_text(work / CURVE, "\n".join(lines) + "\n")
