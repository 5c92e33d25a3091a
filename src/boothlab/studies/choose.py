"""Which run of a whole study to take, which ones nothing beats, and what usual numbers would have chosen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from boothlab.evaluation.thresholds import DOMINANCE_MARGIN
from boothlab.evaluation.verdict_choice import advice_for, dominated, error_of_lead, higher_than, least_trained
from boothlab.evaluation.verdict_data import Measured
from boothlab.seeds import derive
from boothlab.studies.points import COLUMNS, FRECHET, LIKENESS, PROMPT, Column, Point

MOST_CONTESTANTS = 12
"""So many of the best candidates are tested against each other, and so many of the least trained that could be taken
in place of one of these; the others are left out by their means."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The run to take for one subject, and why; ``run`` is None where none may be recommended.

    ``passed`` are those of more likeness that were not taken: (why, names). ``advice`` says what to try where none
    may be recommended.
    """

    subject: str
    run: str | None
    reason: str
    front: tuple[str, ...]
    passed: tuple[tuple[str, tuple[str, ...]], ...] = ()
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Familiar:
    """What one usual number alone would have chosen, and what the verdict says of that run."""

    column: Column
    run: str
    value: float
    word: str


def choose(points: Sequence[Point], subject: str) -> Choice:
    """The least trained of the best good runs of ``subject``, over all runs.

    Only good runs that failed no gate are candidates, and no rivals; as in the verdict on one run those that are
    doubtful, because a gate could not be tested, go last. Those that another one dominates are left out (paired
    tests, Holm); of the rest the one of fewest steps that the highest likeness leads by no more than one
    standard error is taken, and of several with as few steps the best. The order of ``points`` does not matter.
    """
    done = [point for point in points if point.subject == subject and point.state == "done" and not point.rival]
    allowed = [point for point in done if point.may_be_chosen]
    if not allowed:
        return Choice(subject, None, _none(done), (), advice=advice_for([point.word for point in done]))
    firm = [point for point in allowed if not point.doubtful] or allowed
    # Random sign flips and the cut at the most contestants go by the order: it is that of steps and names.
    good = sorted((point.measured() for point in firm), key=lambda found: (found.step, found.name))
    contestants = _contestants(good)
    random = np.random.default_rng(derive(0, "statistics", "study", subject))
    beaten = {worse for _, worse in dominated(contestants, random)}
    front = [found for found in contestants if found.name not in beaten] or contestants
    prefer = "likeness" if any(found.likeness for found in front) else "prompt following"
    chosen, best = least_trained(front, "likeness" if prefer == "likeness" else "prompt following")
    names = tuple(found.name for found in front)
    tested = {found.name for found in good}
    passed = passed_over(
        chosen,
        [found for found in good if found.name not in names],
        [point.measured() for point in allowed if point.run not in tested],
    )
    own = next(point for point in firm if point.run == chosen.name)
    said = f"{_because(chosen, best, passed, bool(own.members))} {_counted(allowed, done)}"
    if own.doubtful and own.untested_gates:
        said += f" Not tested: {', '.join(own.untested_gates)}."
    return Choice(subject, chosen.name, said, names, passed)


def _counted(allowed: Sequence[Point], done: Sequence[Point]) -> str:
    """How many may be taken; the table beside it may call more of them good."""
    said = f"{len(allowed)} of {len(done)} runs may be taken."
    barred = sum(point.word == "good" for point in done) - len(allowed)
    if not barred:
        return said
    return f"{said[:-1]}; {barred} more {'is' if barred == 1 else 'are'} called good, but failed a gate."


def passed_over(
    chosen: Measured, outdone: Sequence[Measured], untested: Sequence[Measured]
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """(why, names) of those with more likeness than what was chosen: who is outdone, and whose gates were not
    tested."""
    found = []
    for others, why in ((outdone, "outdone when both axes count"), (untested, "gates that could not be tested")):
        higher = higher_than(chosen, "likeness", others)
        if higher:
            found.append((why, higher))
    return tuple(found)


def _contestants(good: Sequence[Measured]) -> list[Measured]:
    """Candidates worth testing: none that another one beats on both axes by more than the margin; of the others the
    best on likeness, and whoever could be taken in place of the best."""
    kept = [found for found in good if not any(_clearly(other, found) for other in good)]
    ranked = sorted(kept, key=lambda found: (-(found.likeness.value if found.likeness else -np.inf), found.step))
    best = ranked[:MOST_CONTESTANTS]
    # Whichever of the best turns out to be on the front: whom it leads by little may be taken.
    near = [found for found in ranked if any(_led_by_little(found, one) for one in best)]
    early = sorted(near, key=lambda found: found.step)[:MOST_CONTESTANTS]
    chosen = {found.name for found in (*best, *early)}
    return [found for found in good if found.name in chosen]


def _led_by_little(found: Measured, best: Measured) -> bool:
    if found.likeness is None or best.likeness is None:
        return False
    return best.likeness.value - found.likeness.value <= error_of_lead("likeness", best, found)


def _clearly(other: Measured, found: Measured) -> bool:
    pairs = [(other.likeness, found.likeness), (other.prompt, found.prompt)]
    known = [(a.value, b.value) for a, b in pairs if a is not None and b is not None]
    return len(known) == 2 and all(a - b > DOMINANCE_MARGIN for a, b in known)


def _because(chosen: Measured, best: Measured, passed: Sequence[tuple[str, tuple[str, ...]]], mean: bool) -> str:
    """Why this one, in one sentence; ``mean`` tells that its weights are the mean of other runs'."""
    prompt = "" if chosen.prompt is None else f"; prompt following {chosen.prompt.value:.2f}"
    if chosen.likeness is None:
        return f"Because it follows the prompts best with the fewest steps; likeness is not measured{prompt}."
    own = f"{chosen.likeness.value:.2f}"
    if best.name != chosen.name and best.likeness is not None:
        return (
            f"Because the highest likeness, {best.likeness.value:.2f} ({best.name}), leads its {own} by no more than "
            f"one standard error ({error_of_lead('likeness', best, chosen):.2f}), and "
            f"{'no training that it is the mean of took as many' if mean else 'it took fewer'} steps{prompt}."
        )
    if passed:
        count = sum(len(names) for _, names in passed)
        return f"Because its likeness, {own}, is the highest but for the {count} passed over{prompt}."
    return f"Because no run that may be taken has a higher likeness than its {own}{prompt}."


def _none(done: Sequence[Point]) -> str:
    if not done:
        return "No run is finished."
    words = ", ".join(
        f"{count} {word or 'not judged'}" for word, count in Counter(p.word for p in done).most_common()
    )
    gates = Counter(gate for point in done for gate in point.failed_gates)
    failed = f" Gates that failed: {', '.join(f'{gate} ({n})' for gate, n in gates.most_common(4))}." if gates else ""
    return f"Because none of {len(done)} runs may be taken: {words}.{failed}"


def front(points: Sequence[Point]) -> list[Point]:
    """The points of one subject that no other one beats on both means: the Pareto front, by likeness."""
    placed = [p for p in points if p.state == "done" and LIKENESS in p.cells and PROMPT in p.cells]

    def place(point: Point) -> tuple[float, float]:
        return point.cells[LIKENESS].value, point.cells[PROMPT].value

    kept = [
        point
        for point in placed
        if not any(
            place(other) != place(point) and all(o >= p for o, p in zip(place(other), place(point), strict=True))
            for other in placed
        )
    ]
    return sorted(kept, key=place)


def familiar(points: Sequence[Point], subject: str) -> list[Familiar]:
    """The run that LPIPS alone, and that a Fréchet distance alone, would have called best."""
    done = [point for point in points if point.subject == subject and point.state == "done"]
    frechet = next((key for key in FRECHET if any(key in point.cells for point in done)), None)
    found = []
    for column in COLUMNS:
        if column.key not in ("lpips", frechet):
            continue
        having = [point for point in done if column.key in point.cells]
        if having:
            best = min(having, key=lambda point: point.cells[column.key].value)
            found.append(Familiar(column, best.run, best.cells[column.key].value, best.word))
    return found
