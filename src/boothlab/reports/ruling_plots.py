"""What the verdict on a run looks at, over the steps, with what its gates ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from boothlab.evaluation import thresholds
from boothlab.reports.info import Curve, Limit, LinePlot


def ruling_plots(measured: Sequence[Mapping[str, Any]], recommended: str | None) -> tuple[LinePlot, ...]:
    """The plots of one subject; those without two points are left out."""
    star = next((float(found["step"]) for found in measured if found["name"] == recommended), None)
    plots = (_likeness(measured, star), _prompt(measured, star), _variety(measured, star), _gap(measured, star))
    return tuple(plot for plot in plots if plot.curves)


def _likeness(measured: Sequence[Mapping[str, Any]], star: float | None) -> LinePlot:
    least = thresholds.LIKENESS_LEAST
    return LinePlot(
        "Likeness",
        "likeness",
        _kept(
            _curve("to held-out photos", measured, "likeness", "held-out photos"),
            _curve("to training photos", measured, "likeness_train", "training photos"),
        ),
        "0: as any person of the base model; 1: as two photos of this person.",
        limits=(Limit(least, f"gate: to held-out photos at least {least:.2f}", "held-out photos"),),
        star=star,
    )


def _prompt(measured: Sequence[Mapping[str, Any]], star: float | None) -> LinePlot:
    # The base model is the same beside every snapshot, and so is what may be lost on it.
    last = measured[-1]
    told, base = last["prompt_described"], last["prompt_base"]
    most, beside = thresholds.PROMPT_DROP_MOST, "the base model" if told is None else "the base model told the looks"
    limits: tuple[Limit, ...] = ()
    if (untuned := told or base) is not None:
        limits = (Limit(untuned["value"] - most, f"gate: at most {most:.2f} below {beside}", "this run"),)
    return LinePlot(
        "Prompt following",
        "prompt following",
        _kept(
            _curve("this run", measured, "prompt", "this run"),
            _curve("base model", measured, "prompt_base", "base model", band=False),
            _curve("base model told the looks", measured, "prompt_described", "base model, described", band=False),
        ),
        "1: every picture is nearer to its own prompt than to all others; 0: chance.",
        limits=limits,
        star=star,
    )


def _variety(measured: Sequence[Mapping[str, Any]], star: float | None) -> LinePlot:
    photos, base = thresholds.DIVERSITY_TO_PHOTOS_LEAST, thresholds.DIVERSITY_TO_BASE_LEAST
    curves = _kept(
        _curve("as a share of the training photos' variety", measured, "diversity_photos", "training photos"),
        _curve("as a share of the base model's variety", measured, "diversity_base", "base model"),
    )
    limits = (
        Limit(photos, f"gate: at least {photos:.2f} of the training photos'", "training photos"),
        Limit(base, f"gate: at least {base:.2f} of the base model's", "base model"),
    )
    there = {curve.of for curve in curves}
    return LinePlot(
        "Variety of bare pictures",
        "share",
        curves,
        "How much pictures of the bare prompt differ from one another.",
        limits=tuple(limit for limit in limits if limit.of in there),
        star=star,
    )


def _gap(measured: Sequence[Mapping[str, Any]], star: float | None) -> LinePlot:
    return LinePlot(
        "Loss gap (alone it decides nothing)",
        "share of the base model's loss",
        _kept(_curve("held-out less training photos", measured, "loss_gap", "gap")),
        "Loss on held-out photos less that on training photos, less the same of the base model, in parts of the base "
        "model's loss.",
        star=star,
    )


def _kept(*curves: Curve | None) -> tuple[Curve, ...]:
    return tuple(curve for curve in curves if curve is not None)


def _curve(label: str, measured: Sequence[Mapping[str, Any]], name: str, of: str, band: bool = True) -> Curve | None:
    """A number over the steps, with its intervals where it has some; None where it was measured less than twice."""
    points = [(float(found["step"]), found[name]) for found in measured if found[name] is not None]
    if len(points) < 2:
        return None
    steps = tuple(step for step, _ in points)
    if not isinstance(points[0][1], Mapping):
        return Curve(label, steps, tuple(float(value) for _, value in points), of=of)
    whole = band and all(value["low"] is not None for _, value in points)
    return Curve(
        label,
        steps,
        tuple(value["value"] for _, value in points),
        tuple(value["low"] for _, value in points) if whole else None,
        tuple(value["high"] for _, value in points) if whole else None,
        of,
    )
