"""What a study measured: one point per run and subject, read from the run folders' score files. (Torch-free.)"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boothlab.evaluation.derived import IDENTITY, Scale, Table, identity_scale
from boothlab.evaluation.lots import BASE, COPIES, DESCRIBED, PHOTOS
from boothlab.evaluation.scores import Score
from boothlab.evaluation.summaries import Cell, Kind, Summary
from boothlab.evaluation.verdict_data import Measured, PerPicture, doubtful
from boothlab.metrics.metric import Better
from boothlab.statistics.intervals import UNBOUNDED, Interval


@dataclass(frozen=True, slots=True)
class Column:
    """One number of the study's tables: a metric on pictures of one role against one reference.

    ``bounds`` are the least and the most that its values can be; likeness, on a scale of the study's own, has none.
    ``decides`` tells the two numbers that a choice stands on; ``familiar`` ones are what other studies print, and
    decide nothing.
    """

    key: str
    title: str
    metric: str
    pictures: str
    reference: str
    better: Better
    bounds: tuple[float, float] = UNBOUNDED
    decides: bool = False
    familiar: bool = False

    @property
    def identity(self) -> tuple[str, ...]:
        """What number it is: what is kept of a column holds for these words and no others."""
        return (self.key, self.metric, self.pictures, self.reference)

    @property
    def arrow(self) -> str:
        """Which way it is better, for the head of a column; "" where neither is."""
        return {"higher": "↑", "lower": "↓", "neither": ""}[self.better]

    def word(self, difference: float) -> str:
        """What a shown difference of this number, not 0, is called: better or worse where that is known."""
        word = "higher" if difference > 0 else "lower"
        if self.better == "neither":
            return word
        return "better" if word == self.better else "worse"


PEOPLE = "held_out files"
"""Name of the held-out photos as the files they came as, whatever was cut from them: whom likeness is measured to."""

LIKENESS = "likeness"
PROMPT = "prompt"
FACE = "face"
FRECHET = {
    "fid": "FID",
    "frechet_alexnet": "Fréchet distance (AlexNet)",
    "frechet_toon_clip": "Fréchet distance (toon's CLIP)",
}
"""Fréchet distances and their titles, the usual one first; the first that could be computed stands for "what FID
says"."""

SHARE, SIZE = (0.0, 1.0), (0.0, float("inf"))

COLUMNS: tuple[Column, ...] = (
    Column(LIKENESS, "likeness", "identity", "context", "held_out", "higher", decides=True),
    Column(PROMPT, "prompt following", "prompt_following", "context", "prompt", "higher", (-1.0, 1.0), decides=True),
    Column("likeness_train", "likeness to training photos", "identity", "context", "train", "neither"),
    Column("background", "background asked for", "background_asked", "context", "prompt", "higher", SHARE),
    Column("glue", "the photos' background", "context_glue", "bare", "train", "lower", SHARE),
    Column(FACE, "face found", "face_found", "context", "none", "higher", SHARE),
    Column("variety", "variety", "lpips_intra", "bare", "none", "higher", SIZE),
    Column("copied", "copies", "copied", "bare", "train", "lower", SHARE),
    Column("memorisation", "memorisation p", "memorisation_p", "bare", "held_out", "neither", SHARE),
    Column("leak", "class face like the subject", "face_pres", "class", "held_out", "lower", SHARE),
    Column("class_variety", "variety of the class", "lpips_intra", "class", "none", "higher", SIZE),
    Column("drift", "drift elsewhere", "drift_lpips", "unrelated", "base", "lower", SIZE),
    Column("lpips", "LPIPS to all photos", "lpips_cross", "context", "originals", "lower", SIZE, familiar=True),
    *(
        Column(name, title, name, "context", "originals", "lower", SIZE, familiar=True)
        for name, title in FRECHET.items()
    ),
)
"""Columns of the table, in order. Likeness is scaled per subject over the whole study: 0 = the base model's people,
1 = two photos of this person, so that runs with different training photos are on one scale."""

KERNELS = {"kid": "KID × 1000", "mmd_alexnet": "MMD × 1000 (AlexNet)", "mmd_toon_clip": "MMD × 1000 (toon's CLIP)"}
"""Kernel distances and their titles, the usual one first; the first that could be computed is compared between
runs."""

SETS: tuple[Column, ...] = (
    Column("different", "different pictures (Vendi)", "vendi", "bare", "none", "higher"),
    *(Column(name, title, name, "context", "originals", "lower") for name, title in KERNELS.items()),
    Column("cmmd", "CMMD", "cmmd", "context", "originals", "lower"),
    Column("debiased", "LPIPS debiased", "lpips_debiased", "context", "originals", "lower"),
    *(
        Column(name, name, name, "context", "held_out", "higher")
        for name in ("precision", "recall", "density", "coverage")
    ),
)
"""More scores of whole sets: compared between runs and exported, but no columns of the page's table."""


@dataclass(frozen=True, slots=True)
class Point:
    """One run of the study at its last step, for one subject.

    ``values`` are its places on everything the study varies. ``state`` is "done", "failed", "not yet" or "baseline",
    ``reason`` why. ``cells`` holds means with the 95 % intervals of the run's own table, ``kinds`` what these are,
    ``pictures`` the values behind them, in the order of the evaluation plan, NaN where a picture has none;
    ``prompts`` says which of the plan's prompts each is of, counted from 0, whatever the identifier in it. ``word``,
    ``findings``, ``failed_gates`` and ``untested_gates`` are the verdict, ``earlier`` what it was held against for
    overfitting by the series: earlier snapshots of its training that had learned the subject. ``noun`` is the class
    noun that the run was trained with; ``against`` names the photos behind each reference by what they show;
    ``rival`` names a setting that is no candidate, "" for all others. ``members`` are the runs whose weights are
    averaged where it is a mean, ``over_seeds`` tells that they are of several training seeds: ``seed`` is then the
    first one's.
    """

    run: str
    setting: str
    seed: int
    values: Mapping[str, Any]
    subject: str
    folder: str
    snapshot: str
    step: int
    photos: int
    state: str
    reason: str = ""
    word: str = ""
    findings: tuple[str, ...] = ()
    failed_gates: tuple[str, ...] = ()
    untested_gates: tuple[str, ...] = ()
    earlier: tuple[str, ...] = ()
    cells: Mapping[str, Interval] = field(default_factory=dict)
    pictures: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    prompts: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    noun: str = ""
    rival: str = ""
    members: tuple[str, ...] = ()
    over_seeds: bool = False
    against: Mapping[str, str] = field(default_factory=dict)

    @property
    def may_be_chosen(self) -> bool:
        """Good, no gate failed, and no rival."""
        return self.word == "good" and not self.failed_gates and not self.rival

    @property
    def doubtful(self) -> bool:
        """See :func:`boothlab.evaluation.verdict_data.doubtful`."""
        return doubtful(self.untested_gates, self.findings)

    def measured(self) -> Measured:
        """The point as the rules of choice want it."""
        return Measured(
            name=self.run,
            step=self.step,
            likeness=self.cells.get(LIKENESS),
            prompt=self.cells.get(PROMPT),
            pictures=PerPicture(
                likeness=tuple(self.pictures.get(LIKENESS, np.zeros(0)).tolist()),
                prompt=tuple(self.pictures.get(PROMPT, np.zeros(0)).tolist()),
                prompts=self.prompts.get(PROMPT) or self.prompts.get(LIKENESS, ()),
            ),
        )


def of_subject(scores: Sequence[Score], subject: str, several: bool) -> list[Score]:
    """The scores of one subject. With several in a run, their names stand behind the references."""
    if not several:
        return list(scores)
    return [
        replace(score, reference=score.reference.removesuffix(f"/{subject}"))
        for score in scores
        if score.reference.endswith(f"/{subject}")
    ]


def study_scale(tables: Sequence[Table]) -> Scale | None:
    """The likeness scale of one subject over all runs: the mean of the runs' own ends; None where none has one.

    Each run's upper end is how alike its own training photos are to the held-out ones, which differs with the photos.
    """
    scales = [scale for scale in map(identity_scale, tables) if scale is not None]
    if not scales:
        return None
    return Scale(
        float(np.mean([scale.floor for scale in scales])), float(np.mean([scale.ceiling for scale in scales]))
    )


def lines_of_subject(lines: Sequence[Summary], subject: str, several: bool) -> dict[Cell, Summary]:
    """The summary lines of one subject by their cells; with several in a run see :func:`of_subject`."""
    ending = f"/{subject}" if several else ""
    own = [
        replace(line, reference=line.reference.removesuffix(ending))
        for line in lines
        if line.reference.endswith(ending)
    ]
    return {(line.snapshot, line.pictures, line.metric, line.reference): line for line in own}


def fill(point: Point, table: Table, lines: Mapping[Cell, Summary], scale: Scale | None) -> Point:
    """``point`` with its numbers: values from ``table``, means and intervals from the run's own ``lines``.

    Without a scale there is no likeness. Photos stand in for pictures of every role where they are what is judged.
    """
    cells: dict[str, Interval] = {}
    kinds: dict[str, Kind] = {}
    pictures: dict[str, NDArray[np.float64]] = {}
    prompts: dict[str, tuple[int, ...]] = {}
    for column in (*COLUMNS, *SETS):
        role = "photos" if point.snapshot in (PHOTOS, COPIES) else column.pictures
        cell = (point.snapshot, role, column.metric, column.reference)
        line = lines.get(cell)
        if line is None or line.mean is None:
            continue
        values = table.values(*cell)
        if column.metric == IDENTITY:
            if scale is None:
                continue
            values = scale(values)
            line = _scaled(line, scale)
        cells[column.key] = Interval(float(line.mean or 0.0), line.low, line.high, line.n, line.error)
        kinds[column.key] = line.kind
        if table.cells[cell][0].prompt:
            pictures[column.key] = values
            prompts[column.key] = _numbered([score.prompt for score in table.cells[cell]])
    return replace(point, cells=cells, pictures=pictures, kinds=kinds, prompts=prompts)


def _numbered(prompts: Sequence[str]) -> tuple[int, ...]:
    """Each prompt's number in the order of first appearance."""
    numbers = {prompt: index for index, prompt in enumerate(dict.fromkeys(prompts))}
    return tuple(numbers[prompt] for prompt in prompts)


BASELINES = (BASE, DESCRIBED, PHOTOS, COPIES)
"""What a run's numbers are read beside: the model without any training, prompted with the class or with the subject's
description; and photos judged as if they had been drawn, once each or copied as often as there are pictures."""


def baselines(point: Point, table: Table, lines: Mapping[Cell, Summary], scale: Scale | None) -> list[Point]:
    """The baselines that one finished point was scored beside, as points of state "baseline"."""
    found = []
    for source in BASELINES:
        empty = replace(
            point, run=source, setting="", values=dict.fromkeys(point.values, "–"), snapshot=source, step=0,
            state="baseline", word="", findings=(), failed_gates=(), untested_gates=(), earlier=(),
            members=(), over_seeds=False,
        )  # fmt: skip
        filled = fill(empty, table, lines, scale)
        if filled.cells:
            found.append(filled)
    return found


def _scaled(line: Summary, scale: Scale) -> Summary:
    """The line on the scale of likeness."""
    error = None if line.error is None else line.error / (scale.ceiling - scale.floor)
    return replace(
        line, mean=_on(scale, line.mean), low=_on(scale, line.low), high=_on(scale, line.high), error=error
    )


def _on(scale: Scale, value: float | None) -> float | None:
    return None if value is None else scale(value)


def judged(point: Point, rulings: Sequence[Mapping[str, Any]]) -> Point:
    """``point`` with the verdict's word on its snapshot, from ``summary.json``."""
    for ruling in rulings:
        for found in ruling["verdict"]["judgements"] if ruling["subject"] == point.subject else []:
            if found["name"] == point.snapshot:
                failed, untested = (
                    tuple(gate["name"] for gate in found["gates"] if gate["state"] == state)
                    for state in ("failed", "not testable")
                )
                return replace(
                    point,
                    word=found["word"],
                    findings=tuple(found["findings"]),
                    failed_gates=failed,
                    untested_gates=untested,
                    earlier=_learned_before(ruling["verdict"]["judgements"], point.step),
                )
    return point


def _learned_before(judgements: Sequence[Mapping[str, Any]], step: int) -> tuple[str, ...]:
    """The snapshots before ``step`` that had learned the subject: the verdict takes no others for a series."""
    return tuple(
        found["name"]
        for found in judgements
        if found["step"] < step
        and any((gate["name"], gate["state"]) == ("likeness", "passed") for gate in found["gates"])
    )
