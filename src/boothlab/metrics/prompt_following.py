"""Prompt following: is a picture nearer to its own prompt than to the other prompts of the plan?

CLIP-T has no scale: 0.30 is much for one model and little for another, and half of it is said by "a photo of a
person" alone. Here only what tells the prompts apart counts, and of that only what tells the set's pictures apart:
every picture of somebody who wears glasses is like "with glasses", which says who it is and not what was asked for.
"""

from __future__ import annotations

import numpy as np

from boothlab.features.clip import CLIP
from boothlab.features.feature import Vectors
from boothlab.metrics.distances import present, same_rows, unit
from boothlab.metrics.metric import Metric, Values

DIGITS = 12
"""Cosines that differ by less are ties: equal pictures must not win by the last bits of a sum."""


def values(generated: Vectors, references: Vectors) -> Values:
    """2·P − 1 with P the share of the other prompts that the picture is less like than its own, (n,).

    Likeness to a prompt counts from what the set's pictures have of it on average, so what all of them show tells
    nothing. 1: nearest to its own prompt; 0: as good as chance, as when pictures do not differ with their prompts.
    NaN where picture or prompt is missing, and everywhere when there is a single prompt. Ties count half.
    """
    same_rows(generated, references)
    pictures, own = unit(generated), unit(references)
    texts = np.unique(present(own), axis=0)
    found = np.full(len(pictures), np.nan)
    if len(texts) < 2:
        return found
    there = ~np.isnan(pictures).any(axis=1) & ~np.isnan(own).any(axis=1)
    if not there.any():
        return found
    # The own prompt is one of the texts: known by its numbers.
    is_own = (own[there, None, :] == texts[None]).all(axis=2)
    alike = pictures[there] @ texts.T
    # From the mean over the prompts' own means, so that a prompt with more pictures weighs no more than another.
    asked = is_own.any(axis=0)
    alike = alike - (is_own.T.astype(float) / np.maximum(is_own.sum(axis=0), 1)[:, None] @ alike)[asked].mean(axis=0)
    alike = alike.round(DIGITS)
    mine = alike[is_own]
    won = np.where(is_own, 0.0, (alike < mine[:, None]) + 0.5 * (alike == mine[:, None]))
    found[there] = 2.0 * won.sum(axis=1) / (len(texts) - 1) - 1.0
    return found


METRIC = Metric(
    name="prompt_following",
    question="Is the picture nearer to its own prompt than to the other prompts?",
    better="higher",
    unit="0: chance, 1: nearest to its own",
    bounds=(-1.0, 1.0),
    needs=CLIP,
    references=("prompt",),
    values=values,
    source="boothlab 2026; R-precision (Park et al. 2021, NeurIPS datasets track), averaged over ranks, centred",
    caution="Depends on the prompts of the plan: compare only runs of one plan.",
    on=("context",),
    ranks=True,
)
