"""Planted models through the whole evaluation: pictures on disk, features, scores, measured numbers, the verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image

from boothlab.evaluation.derived import Table, derived
from boothlab.evaluation.evaluate import evaluate
from boothlab.evaluation.lots import BASE, DESCRIBED, Photos, judged
from boothlab.evaluation.measure import Measurer, cannot_remember, closeness
from boothlab.evaluation.orders import Drawn, Sets
from boothlab.evaluation.prompts import BARE
from boothlab.evaluation.verdict import judge
from boothlab.evaluation.verdict_data import Judgement, Measured
from boothlab.generation.picture import Picture
from boothlab.metrics import METRICS
from boothlab.metrics.metric import Role
from boothlab.subjects import fill
from planted.cases import EXPECTED, Planted, Subject, models
from planted.pictures import Size

NEEDED = ("context_glue", "face_found", "face_pres", "identity", "lpips_intra", "prompt_following")
"""The metrics that a verdict reads."""

STEPS = {BASE: 0, "underfitted": 100, "half-way": 200, "overfitted": 1600, "copied": 6400}
"""Planted model → its step; 400 for all others."""

GAPS = {100: 0.0, 200: 0.002, 400: 0.004, 1600: 0.03, 6400: 0.1}
"""Step → held-out loss gap. No model was trained, so it is set: alone it makes nobody overfitted."""

BEFORE = {"overfitted": ("good",)}
"""Planted model → earlier snapshots of its run. All others are judged alone."""


def measured(stream: str, number: int, size: Size, folder: Path) -> dict[str, Measured]:
    """The base model and every planted one of a subject, measured. Pictures and vectors are kept in ``folder``."""
    subject = Subject(stream, number, size)
    places = folder / "pictures"
    if not places.is_dir():
        for name, planted in models(subject).items():
            _write(planted, places / name)
    sources = {name: _sets(subject, size, places / name) for name in (BASE, DESCRIBED, *EXPECTED)}
    seen = judged(sources, Photos(subject.train, subject.held_out))
    metrics = [replace(m, on=("bare",)) if m.name == "lpips_intra" else m for m in METRICS if m.name in NEEDED]
    scores, missing, pairs = evaluate("planted", seen, metrics, "drawings", folder / "features")
    assert not [line for line in missing if line.metric in NEEDED], missing
    measurer = Measurer(seen, Table([*scores, *derived(scores)], pairs), "drawings", GAPS, folder / "features")
    result, near, control = {}, {}, cannot_remember(seen)
    assert control is not None
    for name in (BASE, *EXPECTED):
        lot = seen.lot(name, "bare")
        assert lot is not None
        if lot.hashes not in near:
            near[lot.hashes] = closeness(seen, lot, control)
        result[name] = measurer.measured(name, STEPS.get(name, 400), near[lot.hashes])
    return result


def judgement(found: Mapping[str, Measured], name: str) -> Judgement:
    """What the verdict says of one planted model, after the earlier snapshots of its run."""
    verdict = judge([*(found[before] for before in BEFORE.get(name, ())), found[name]])
    return next(each for each in verdict.judgements if each.name == name)


def recommended(found: Mapping[str, Measured]) -> str | None:
    """The snapshot to take of a run that goes from hardly anything to copies."""
    return judge([found[name] for name in ("underfitted", "half-way", "good", "overfitted", "copied")]).recommended


def confusion(called: Sequence[tuple[str, str]]) -> str:
    """(planted, called) of all subjects → a table in Markdown, planted models down and names across."""
    names = list(dict.fromkeys((*EXPECTED.values(), *(name for _, name in called))))
    count = Counter(called)
    lines = [f"| planted | {' | '.join(names)} |", "|---|" + "--:|" * len(names)]
    for planted, expected in EXPECTED.items():
        cells = [f"**{n}**" if name == expected else str(n or "") for name in names for n in [count[planted, name]]]
        lines.append(f"| {planted} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _write(planted: Planted, folder: Path) -> None:
    folder.mkdir(parents=True)
    for role, pictures in (("context", planted.context), ("bare", planted.bare), ("class", planted.of_class)):
        for k, pixels in enumerate(pictures):
            Image.fromarray(pixels).save(folder / f"{role}-{k:02d}.png", compress_level=1)


def _sets(subject: Subject, size: Size, folder: Path) -> Sets:
    """One source's pictures as the evaluation gets them: prompts and seeds by role, texts without the identifier."""
    asked: tuple[tuple[Role, list[str]], ...] = (
        ("context", list(subject.prompts)),
        ("bare", [BARE] * size.bare),
        ("class", ["a photo of a person"] * size.of_class),
    )
    return {
        role: [
            Drawn(role, Picture(folder / f"{role}-{k:02d}.png", prompt, k), fill(prompt, "person"))
            for k, prompt in enumerate(prompts)
        ]
        for role, prompts in asked
        if (folder / f"{role}-00.png").exists()
    }
