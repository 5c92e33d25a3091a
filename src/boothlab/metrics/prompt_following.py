"""Prompt following: is a picture nearer to its own prompt than to the other prompts of the plan?

CLIP-T has no scale: 0.30 is much for one model and little for another, and half of it is said by "a photo of a
person" alone. Here only what tells the prompts apart counts.
"""

from __future__ import annotations

import numpy as np

from boothlab.features.clip import CLIP
from boothlab.features.feature import Vectors
from boothlab.metrics.distances import present, same_rows, unit
from boothlab.metrics.metric import Metric, Values


def values(generated: Vectors, references: Vectors) -> Values:
    """2·P − 1 with P the share of the other prompts that the picture is less like than its own, (n,).

    1: nearest to its own prompt; 0: as good as chance. NaN where picture or prompt is missing, and everywhere when
    there is a single prompt. Ties count half.
    """
    same_rows(generated, references)
    pictures, own = unit(generated), unit(references)
    texts = np.unique(present(own), axis=0)
    found = np.full(len(pictures), np.nan)
    if len(texts) < 2:
        return found
    mine = (pictures * own).sum(axis=1)
    alike = pictures @ texts.T
    # The own prompt is one of the texts: known by its numbers, since products differ in their last bits.
    others = np.abs(own[:, None, :] - texts[None]).max(axis=2) > 0
    won = np.where(others, (alike < mine[:, None]) + 0.5 * (alike == mine[:, None]), 0.0)
    there = ~np.isnan(mine)
    found[there] = 2.0 * won[there].sum(axis=1) / (len(texts) - 1) - 1.0
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
    source="boothlab 2026; R-precision as in Park et al. 2021 (SOA, NeurIPS datasets track), averaged over ranks",
    caution="Depends on the prompts of the plan: compare only runs of one plan.",
    on=("context",),
    ranks=True,
)
