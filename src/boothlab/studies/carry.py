"""Settings chosen on one subject, applied to another: what that costs against the other's own best. (Torch-free.)

Who personalises a model for many people wants to search once. A study whose runs train on several subjects can say
what the settings chosen on one of them do on the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from boothlab.seeds import derive
from boothlab.statistics.comparisons import compare_paired, differences
from boothlab.statistics.digits import plain, signed
from boothlab.statistics.intervals import Interval, t_interval
from boothlab.statistics.variance import SEEDS_NEEDED
from boothlab.studies.choose import choose
from boothlab.studies.compare import units
from boothlab.studies.points import LIKENESS, PROMPT, Point
from boothlab.studies.settings import setting_of, who_paths

State = Literal["the same settings", "no loss seen", "loses", "not measured"]

AXES = {LIKENESS: "likeness", PROMPT: "prompt following"}


@dataclass(frozen=True, slots=True)
class Carried:
    """The settings chosen on ``source``, applied to ``target``, against the settings of ``target``'s own best.

    ``settings_recommended`` and ``best_recommended`` tell which of the two choices is a recommendation; the other one
    is that of the highest mean likeness, because no run of its subject may be recommended. ``differences`` maps a
    column to (carried over − own best) with its 95 % interval, in the column's unit; ``about`` is "settings" where
    each was measured with three training seeds or more on both sides (intervals over seeds), else "checkpoints" (over
    pictures). ``values`` maps a column to the means (carried over, own best).
    """

    source: str
    target: str
    settings: str
    best: str
    settings_recommended: bool
    best_recommended: bool
    state: State
    about: str
    values: Mapping[str, tuple[float, float]]
    differences: Mapping[str, Interval]

    @property
    def by_verdict(self) -> bool:
        """Whether both choices are recommendations."""
        return self.settings_recommended and self.best_recommended

    @property
    def sentence(self) -> str:
        """What may be said; never that nothing is lost."""
        what = f"Chosen on {self.source}, applied to {self.target}"
        if self.state == "the same settings":
            return f"{what}: the very settings that {self.target} itself would have chosen ({self.settings})."
        if self.state == "not measured":
            return f"{what}: {self.settings}; the two were not measured at the same pictures."
        numbers = "; ".join(_told(AXES[key], found) for key, found in self.differences.items())
        about = "" if self.about == "settings" else f" These runs only: fewer than {SEEDS_NEEDED} seeds."
        return f"{what}: {self.settings} against its own best {self.best}: {self.state}: {numbers}.{about}"


def carried(points: Sequence[Point]) -> list[Carried]:
    """Every ordered pair of subjects that share at least two settings; empty for fewer than two subjects."""
    settings = _by_subject(points)
    known: dict[tuple[str, ...], tuple[str, bool]] = {}

    def best(subject: str, names: Sequence[str]) -> tuple[str, bool]:
        """Of these settings the subject's own; most pairs ask the same, and choosing looks at every picture."""
        if (subject, *names) not in known:
            known[subject, *names] = _best(subject, {name: settings[subject][name] for name in names})
        return known[subject, *names]

    found = []
    for source in settings:
        for target in settings:
            common = [key for key in settings[source] if key in settings[target]]
            if source != target and len(common) >= 2:
                choices = best(source, common), best(target, list(settings[target]))
                found.append(_carry(source, target, *choices, settings[target]))
    return found


def losses(points: Sequence[Point], pairs: Sequence[Carried], key: str) -> NDArray[np.float64]:
    """(carried over − own best) in one column, 0 where both are the same settings. Shape: (pairs, seeds).

    Seeds are those at which every pair was measured; empty where there are none.
    """
    settings = _by_subject(points)
    rows: list[dict[int, float]] = []
    for one in pairs:
        tried, best = (
            {p.seed: p.cells[key].value for p in settings[one.target][name] if key in p.cells}
            for name in (one.settings, one.best)
        )
        both = [seed for seed in tried if seed in best]
        found = differences([best[seed] for seed in both], [tried[seed] for seed in both])
        rows.append(dict(zip(both, found.tolist(), strict=True)))
    seeds = sorted(set.intersection(*(set(row) for row in rows))) if rows else []
    return np.array([[row[seed] for seed in seeds] for row in rows]) if seeds else np.empty((0, 0))


def summary(found: Sequence[Carried]) -> str:
    """One sentence over all pairs; "" where there are none."""
    if not found:
        return ""
    counts = Counter(one.state for one in found)
    times = "time" if len(found) == 1 else "times"
    said = (
        f"Settings were carried from one subject to another {len(found)} {times}: {counts['the same settings']} were "
    )
    said += f"the other's own choice too, {counts['no loss seen']} showed no loss, {counts['loses']} lost."
    unseen = [
        one.differences[LIKENESS] for one in found if one.state == "no loss seen" and LIKENESS in one.differences
    ]
    lows = [difference.low for difference in unseen if difference.low is not None]
    if lows and min(lows) < 0:
        said += f" Where no loss was seen, the test would have missed a loss of up to {-min(lows):.2g} of likeness."
    return said


def _by_subject(points: Sequence[Point]) -> dict[str, dict[str, list[Point]]]:
    """Subject → setting → its finished and measured points, in order of seeds. Means over seeds stand aside: of what
    training again would change they say nothing."""
    found: dict[str, dict[str, list[Point]]] = {}
    who = who_paths(points)
    for point in sorted((p for p in points if p.state == "done"), key=lambda point: point.seed):
        if (LIKENESS in point.cells or PROMPT in point.cells) and not point.rival and not point.over_seeds:
            found.setdefault(point.subject, {}).setdefault(setting_of(point, who), []).append(point)
    return {name: found[name] for name in dict.fromkeys(point.subject for point in points) if name in found}


def _carry(
    source: str, target: str, chosen: tuple[str, bool], own: tuple[str, bool], here: Mapping[str, Sequence[Point]]
) -> Carried:
    """``chosen`` on the source and the target's ``own`` choice, each with whether it is a recommendation."""
    (settings, first), (best, second) = chosen, own
    facts: dict[str, Any] = {"source": source, "target": target, "settings": settings, "best": best}
    facts |= {"settings_recommended": first, "best_recommended": second, "about": "settings"}
    if settings == best:
        return Carried(**facts, state="the same settings", values={}, differences={})
    values, differences = {}, {}
    for key in AXES:
        pair = _pair(here[settings], here[best], key)
        if pair is not None:
            values[key], differences[key], about = pair
            facts["about"] = "checkpoints" if "checkpoints" in (about, facts["about"]) else "settings"
    if not differences:
        return Carried(**facts, state="not measured", values={}, differences={})
    loses = any(found.high is not None and found.high < 0 for found in differences.values())
    return Carried(**facts, state="loses" if loses else "no loss seen", values=values, differences=differences)


def _best(subject: str, settings: Mapping[str, Sequence[Point]]) -> tuple[str, bool]:
    """The settings chosen on a subject, and whether by the verdict; else those of the highest mean."""
    choice = choose([point for own in settings.values() for point in own], subject)
    for name, own in settings.items():
        if choice.run in [point.run for point in own]:
            return name, True
    key = LIKENESS if any(LIKENESS in point.cells for own in settings.values() for point in own) else PROMPT

    def mean(name: str) -> float:
        values = [point.cells[key].value for point in settings[name] if key in point.cells]
        return float(np.mean(values)) if values else -np.inf

    return max(settings, key=mean), False


def _pair(
    tried: Sequence[Point], best: Sequence[Point], key: str
) -> tuple[tuple[float, float], Interval, str] | None:
    """((mean of tried, of best), tried − best, what it is about), over the seeds that both have."""
    own = {point.seed: point for point in best if key in point.pictures}
    pairs = [(point, own[point.seed]) for point in tried if point.seed in own and key in point.pictures]
    pairs = [(a, b) for a, b in pairs if len(a.pictures[key]) == len(b.pictures[key])]
    if not pairs:
        return None
    means = _mean(pairs, 0, key), _mean(pairs, 1, key)
    if len(pairs) >= SEEDS_NEEDED:
        each = differences(*([pair[side].cells[key].value for pair in pairs] for side in (1, 0)))
        return means, t_interval(each), "settings"
    first: NDArray[np.float64] = np.concatenate([b.pictures[key] for _, b in pairs])
    second: NDArray[np.float64] = np.concatenate([a.pictures[key] for a, _ in pairs])
    if not np.isfinite(second - first).any():
        return None
    random = np.random.default_rng(derive(0, "statistics", "carry", key))
    seen = compare_paired(first, second, random, prompts=units(pairs, key))
    return means, Interval(seen.difference, seen.low, seen.high, seen.n), "checkpoints"


def _mean(pairs: Sequence[tuple[Point, Point]], side: int, key: str) -> float:
    return float(np.mean([pair[side].cells[key].value for pair in pairs]))


def _told(title: str, found: Interval) -> str:
    if found.low is None or found.high is None:
        return f"{title} {signed(found.value)}"
    return f"{title} {signed(found.value)}, 95 % CI {plain(found.low)} to {plain(found.high)}"
