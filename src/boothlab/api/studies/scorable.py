"""Whether the trials of a search can be scored at all: looked at before the first of them is trained."""

from __future__ import annotations

from collections.abc import Sequence

from boothlab.api.resolving import Resolved, domain_of
from boothlab.errors import PlanError
from boothlab.metrics.identity import METRIC as IDENTITY
from boothlab.metrics.metric import AnyMetric, feature_of
from boothlab.metrics.prompt_following import METRIC as PROMPT_FOLLOWING
from boothlab.photos.config import HELD_OUT_FROM
from boothlab.studies.search import Search


def require_score(search: Search, scouted: Sequence[Resolved]) -> None:
    """Raises PlanError where the search's score could be measured of no trial: each would be trained for nothing.

    ``scouted`` are samples of the ranges. What only the pictures tell (no face in any) is seen when they are drawn.
    """
    for found in scouted:
        if search.score != "prompt":
            _require_likeness(search, found)
        if search.score != "likeness":
            _require_prompts(search, found)


def _require_likeness(search: Search, found: Resolved) -> None:
    bare = [name for name, photos in found.sets.items() if not photos.held_out]
    if bare:
        raise PlanError(
            f"search.score = {search.score!r} measures likeness to held-out photos, and of {', '.join(bare)} none is "
            "held out.",
            f"Give {HELD_OUT_FROM} photos or more with photos.held_out above 0, or name others in [held_out]; or "
            'take search.score = "prompt".',
        )
    evaluation = found.plan.evaluation
    if not evaluation.base or not evaluation.num_bare() + evaluation.num_class():
        raise PlanError(
            f"search.score = {search.score!r} measures likeness from what some person of the base model has, and "
            "nobody is drawn by it.",
            "Leave evaluation.base, evaluation.bare and evaluation.class_pictures out; or take "
            'search.score = "prompt".',
        )
    _require_feature(search, IDENTITY, found, "likeness")


def _require_prompts(search: Search, found: Resolved) -> None:
    if len(set(found.plan.evaluation.contexts())) < 2:
        raise PlanError(
            f"search.score = {search.score!r} measures which of the prompts a picture follows, and "
            "evaluation.prompts has one.",
            'Give two prompts or more; or take search.score = "likeness".',
        )
    _require_feature(search, PROMPT_FOLLOWING, found, "prompt following")


def _require_feature(search: Search, metric: AnyMetric, found: Resolved, what: str) -> None:
    missing = feature_of(metric, domain_of(found.plan.photos, found.plan.base)).missing()
    if missing is not None:
        other = "likeness" if metric is PROMPT_FOLLOWING else "prompt"
        raise PlanError(
            f"search.score = {search.score!r} needs {what}, which cannot be measured here: {missing}",
            f'Or take search.score = "{other}".',
        )
