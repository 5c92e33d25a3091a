"""Several training seeds: how much comes from the setting, how much from the seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from boothlab.statistics.intervals import Interval, t_interval

SEEDS_NEEDED = 3
"""Training seeds below which nothing is said about a setting: the spread of two may be off tenfold either way."""


@dataclass(frozen=True, slots=True)
class Components:
    """Variance of a score over settings and over training seeds, in squared units of the score.

    ``settings`` holds each setting's mean and t interval over its training seeds (no interval below
    ``SEEDS_NEEDED``). ``between_settings`` is 0 where the seeds explain it all. ``p`` is that of the F test "settings
    do not matter". The three are None where no setting has two seeds, or only one setting exists.
    """

    settings: Mapping[str, Interval]
    between_seeds: float | None
    between_settings: float | None
    p: float | None

    @property
    def about_settings(self) -> bool:
        """Whether statements about settings may be made: every one has ``SEEDS_NEEDED`` seeds."""
        return all(found.n >= SEEDS_NEEDED for found in self.settings.values())

    @property
    def sentence(self) -> str:
        """What the numbers may be taken for."""
        fewest = min(found.n for found in self.settings.values())
        if not self.about_settings:
            seeds = "1 training seed" if fewest == 1 else f"{fewest} training seeds"
            return (
                f"These scores are about these runs. A statement about a setting needs {SEEDS_NEEDED} "
                f"training seeds; one of them has {seeds}."
            )
        if self.between_seeds is None or self.between_settings is None or self.p is None:
            return f"One setting, {fewest} training seeds."
        seeds, settings = np.sqrt(self.between_seeds), np.sqrt(self.between_settings)
        return f"SD between training seeds {seeds:.3g}, between settings {settings:.3g} (F test p = {self.p:.2g})."


def components(scores: Mapping[str, Sequence[float]]) -> Components:
    """Setting → its score at each training seed; numbers of seeds may differ.

    One-way random effects by the method of moments: between seeds = MS_within, between settings =
    max(0, (MS_between − MS_within) / n₀), n₀ = (N − Σnᵢ²/N)/(a − 1) for a settings and N scores.
    Raises ValueError when a setting has no score. Source: Searle, Casella & McCulloch 1992, section 3.6.
    """
    groups = {name: np.asarray(values, dtype=np.float64) for name, values in scores.items()}
    if not groups or min(len(values) for values in groups.values()) == 0:
        raise ValueError("every setting needs a score")
    settings = {}
    for name, values in groups.items():
        found = t_interval(values)
        settings[name] = found if found.n >= SEEDS_NEEDED else Interval(found.value, None, None, found.n)
    sizes = np.array([len(values) for values in groups.values()])
    total, count = int(sizes.sum()), len(groups)
    if count < 2 or total == count:
        return Components(settings, None, None, None)
    within = sum(float(((values - values.mean()) ** 2).sum()) for values in groups.values()) / (total - count)
    grand = float(np.concatenate(list(groups.values())).mean())
    between = sum(len(values) * float(values.mean() - grand) ** 2 for values in groups.values()) / (count - 1)
    balance = (total - float((sizes**2).sum()) / total) / (count - 1)
    p = float(stats.f.sf(between / within, count - 1, total - count)) if within > 0 else float(between == 0)
    return Components(settings, within, max(0.0, (between - within) / balance), p)
