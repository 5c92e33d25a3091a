"""What a verdict is made from and what it says, as plain data. (Torch-free.)"""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

from boothlab.statistics.intervals import Interval
from boothlab.statistics.memorisation import Memorisation

State = Literal["passed", "failed", "not testable", "not measured"]

Word = Literal["underfitted", "good", "overfitted", "copying", "collapsed", "not judged"]

Axis = Literal["likeness", "prompt following"]


@dataclass(frozen=True, slots=True)
class Count:
    """``k`` of ``n`` pictures."""

    k: int
    n: int

    def __post_init__(self) -> None:
        if not 0 <= self.k <= self.n or self.n == 0:
            raise ValueError(f"{self.k} of {self.n} pictures is not a share")

    @property
    def share(self) -> float:
        """In [0, 1]."""
        return self.k / self.n


@dataclass(frozen=True, slots=True)
class PerPicture:
    """Values per picture in the order of the evaluation plan, so that snapshots can be compared pair by pair.

    NaN where there is nothing to measure (no face). Empty: not measured. ``prompts`` names the prompt of each
    picture; empty: each has one of its own.
    """

    likeness: tuple[float, ...] = ()
    prompt: tuple[float, ...] = ()
    prompt_base: tuple[float, ...] = ()
    prompt_described: tuple[float, ...] = ()
    prompts: tuple[Hashable, ...] = ()


@dataclass(frozen=True, slots=True)
class Measured:
    """Everything known about one snapshot; None = not measured. Scales: see evaluation/thresholds.py.

    ``likeness`` and ``likeness_train`` are normalised identity to held-out and to training photos, ``likeness_bare``
    that of pictures of the bare prompt to held-out ones, ``alike`` that of the snapshot's own faces to one another.
    ``prompt_base`` and ``prompt_described`` are the prompt following of the base model, asked with the class alone
    and with the subject's description.
    ``faceless`` counts pictures in which no face was found, ``copies`` those flagged by
    :func:`boothlab.statistics.memorisation.copies` with ``COPY_FACTOR`` (None where it had no limit),
    ``copies_expected`` those of them that are to be expected by how near pictures come to held-out photos,
    ``copies_p`` the chance of as many (None where nothing says), ``copies_sure`` how many beyond those to be expected
    lie below ``COPY_SURE``.
    ``at_random`` says that chance decided which photos are held out, which ``memorisation`` needs.
    ``diversity_base`` and ``diversity_photos`` are mean distances between pictures over those of the base model's
    pictures and of the training photos. ``glued`` and ``glued_base`` count bare pictures with the training photos'
    most common background, and ``glued_photos`` is the share of these photos that have it. ``leak`` is the likeness
    that class-prompt pictures gained over the base model's.
    ``loss_gap`` is held-out minus training loss, less the same of the base model, in parts of the base model's loss.
    ``unscaled`` says why likeness has no scale, "" where it has one.
    """

    name: str
    step: int
    likeness: Interval | None = None
    likeness_train: Interval | None = None
    likeness_bare: Interval | None = None
    alike: Interval | None = None
    prompt: Interval | None = None
    prompt_base: Interval | None = None
    prompt_described: Interval | None = None
    faceless: Count | None = None
    memorisation: Memorisation | None = None
    at_random: bool = True
    copies: Count | None = None
    copies_expected: float = 0.0
    copies_p: float | None = None
    copies_sure: float = 0.0
    diversity_base: float | None = None
    diversity_photos: float | None = None
    glued: Count | None = None
    glued_base: Count | None = None
    glued_photos: float | None = None
    leak: Interval | None = None
    loss_gap: float | None = None
    pictures: PerPicture = field(default_factory=PerPicture)
    unscaled: str = ""


def known(found: Measured) -> Measured:
    """The same without numbers that are none: NaN and infinity become None, "not measured".

    A comparison with NaN is always false, so a gate of the form "failed if below" would let it pass.
    """
    holes: dict[str, Any] = {}
    for each in fields(found):
        content = getattr(found, each.name)
        value = content.value if isinstance(content, Interval) else content
        if isinstance(value, float) and not math.isfinite(value):
            holes[each.name] = None
    return replace(found, **holes)


@dataclass(frozen=True, slots=True)
class Gate:
    """One question that a snapshot must pass, how it went, and why in one clause."""

    name: str
    state: State
    reason: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """One snapshot: a word, what else was found, the gates, and the reasons for the word.

    ``findings`` are of "background glued", "another subject", "leaks into the class word", "single copies", "not in
    bare pictures".
    ``called`` is the one name that says most: a finding that explains the word, or the word.
    """

    name: str
    step: int
    word: Word
    findings: tuple[str, ...]
    gates: tuple[Gate, ...]
    reasons: tuple[str, ...]
    called: str

    @property
    def doubtful(self) -> bool:
        """See :func:`doubtful`."""
        return doubtful([gate.name for gate in self.gates if gate.state == "not testable"], self.findings)

    @property
    def may_be_chosen(self) -> bool:
        """Good, and no gate failed. Gates that could not be tested do not bar it, but are said."""
        return self.word == "good" and all(gate.state != "failed" for gate in self.gates)


def doubtful(untested: Collection[str], findings: Collection[str]) -> bool:
    """Whether a snapshot goes last among those that may be chosen: prompt following fell by more than it may, or the
    class word gained more likeness, though the pictures are too few to show it; or copies were looked for in pictures
    of somebody else.

    ``untested`` names the gates that were not testable.
    """
    return not {"prompt following", "leak"}.isdisjoint(untested) or "not in bare pictures" in findings


@dataclass(frozen=True, slots=True)
class Verdict:
    """The snapshots judged, in order of steps, and the one to take.

    ``front`` names the candidates that no other dominates, ``dominated`` pairs (better, worse). ``recommended`` is
    None where none may be chosen; ``reason`` says why in either case, ``caution`` what the scores are not.
    """

    judgements: tuple[Judgement, ...]
    front: tuple[str, ...]
    dominated: tuple[tuple[str, str], ...]
    recommended: str | None
    reason: str
    caution: str
    thresholds: int
