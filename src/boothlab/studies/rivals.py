"""What a study recommends against settings that others would take without looking. (Torch-free.)

A study costs more than one training with settings from somewhere. Whether it is worth that is seen where its
recommendation stands beside such settings, subject by subject. The recommendation is read off fresh pictures: those
that chose it flatter it, and the rivals were not chosen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from boothlab.statistics.comparisons import paired_differences
from boothlab.statistics.intervals import Interval, cluster_interval
from boothlab.studies.choose import Choice
from boothlab.studies.points import FACE, LIKENESS, PROMPT, Point

State = Literal["better", "no worse", "worse", "follows prompts worse", "nothing recommended", "not measured"]


@dataclass(frozen=True, slots=True)
class Beside:
    """What is recommended for a subject, beside one rival at the same training seed or the first that it has.

    ``values`` maps a column to (recommended on fresh pictures, rival), ``differences`` to recommended − rival over
    the same prompts, with its 95 % interval and standard error; a picture without a face has a likeness of 0 there,
    or who draws no faces would be judged by the few it has. ``copies`` are the shares of copied pictures
    (recommended, rival) among those that chose it, None where not measured. ``state`` counts in standard errors:
    "better" is more than one above in likeness, "worse" more than one below, and "follows prompts worse" more than
    one below in that alone.
    """

    subject: str
    rival: str
    recommended: str
    state: State
    values: Mapping[str, tuple[float, float]]
    differences: Mapping[str, Interval]
    copies: tuple[float | None, float | None]


def beside_rivals(
    points: Sequence[Point], chosen: Mapping[str, Choice], fresh: Mapping[str, Point | None]
) -> list[Beside]:
    """Every subject beside every rival that was trained on it. ``fresh`` holds the choices on fresh pictures."""
    found = []
    for subject, choice in chosen.items():
        own = [point for point in points if point.subject == subject and point.state != "baseline"]
        best = next((point for point in own if point.run == choice.run), None)
        for name in dict.fromkeys(point.rival for point in own if point.rival):
            trained = sorted((point for point in own if point.rival == name), key=lambda one: one.state != "done")
            done = [point for point in trained if point.state == "done"]
            rival = next((point for point in done if best and point.seed == best.seed), trained[0])
            found.append(_beside(subject, name, best, fresh.get(subject), rival))
    return found


def _beside(subject: str, name: str, best: Point | None, fresh: Point | None, rival: Point) -> Beside:
    if best is None:
        return Beside(subject, name, "", "nothing recommended", {}, {}, (None, _copies(rival)))
    values, differences = {}, {}
    for key in (LIKENESS, PROMPT):
        (ours, prompts), (theirs, asked) = (_pictures(point, key) for point in (fresh, rival))
        if ours is None or theirs is None or len(ours) != len(theirs) or prompts != asked:
            continue
        difference, clusters = paired_differences(theirs, ours, prompts)
        if np.isfinite(difference).any():
            values[key] = float(np.nanmean(ours)), float(np.nanmean(theirs))
            differences[key] = cluster_interval(difference, clusters)
    return Beside(subject, name, best.run, _state(differences), values, differences, (_copies(best), _copies(rival)))


def _pictures(point: Point | None, key: str) -> tuple[NDArray[np.float64] | None, tuple[int, ...]]:
    """The values picture by picture and their prompts; None where the column was not measured.

    Where no picture at all has a face nothing was measured, and each has a likeness of 0 like any other without one.
    """
    if point is None:
        return None, ()
    found = point.pictures.get(key)
    if key != LIKENESS:
        return found, point.prompts.get(key, ())
    if found is not None:
        return np.nan_to_num(found, nan=0.0), point.prompts.get(key, ())
    faces = point.pictures.get(FACE)
    return (None, ()) if faces is None or faces.any() else (np.zeros(len(faces)), point.prompts.get(FACE, ()))


def _state(differences: Mapping[str, Interval]) -> State:
    likeness, prompt = differences.get(LIKENESS), differences.get(PROMPT)
    if likeness is None or prompt is None or likeness.error is None or prompt.error is None:
        return "not measured"
    if likeness.value < -likeness.error:
        return "worse"
    if prompt.value < -prompt.error:
        return "follows prompts worse"
    return "better" if likeness.value > likeness.error else "no worse"


def _copies(point: Point) -> float | None:
    cell = point.cells.get("copied")
    return None if cell is None else cell.value


def rivals_summary(found: Sequence[Beside]) -> str:
    """One sentence per rival and one over all of them; "" where there are none."""
    if not found:
        return ""
    said = []
    for name in dict.fromkeys(one.rival for one in found):
        states = [one.state for one in found if one.rival == name]
        counts = ", ".join(f"{state} on {states.count(state)}" for state in dict.fromkeys(states))
        said.append(f"Against {name}: {counts}.")
    subjects = dict.fromkeys(one.subject for one in found)
    every = [[one.state for one in found if one.subject == subject] for subject in subjects]
    each = [states for states in every if "not measured" not in states]
    unbeaten = sum(all(state in ("better", "no worse") for state in states) for states in each)
    ahead = sum(all(state == "better" for state in states) for states in each)
    if each:
        of = f"{len(each)} subject" + ("" if len(each) == 1 else "s")
        of += "" if len(each) == len(every) else f" of {len(every)}, all on which every rival was measured"
        said.append(
            f"Of {of}, what is recommended is behind no rival on {unbeaten} and ahead of every rival on {ahead}."
        )
    return " ".join(said)
