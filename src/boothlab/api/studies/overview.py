"""What a study of several subjects found, before any of them: how many have a run to take, and what settings do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from boothlab.reports.study import CellView, OverviewRow, OverviewView, SubjectView
from boothlab.statistics.digits import plain, ranged
from boothlab.studies.across import Difference
from boothlab.studies.points import COLUMNS, LIKENESS, PROMPT

MOST_SENTENCES = 4
"""So many differences between settings are told before the table; all of them stand in their own section."""

CALLED = {"": "not judged", "good": "good but for a failed gate"}
"""Words of the verdict that do not explain by themselves why a run may not be taken."""

TITLES = tuple(column.title for column in COLUMNS if column.key in (LIKENESS, PROMPT))


def overview_view(subjects: Sequence[SubjectView], apart: Sequence[Difference]) -> OverviewView | None:
    """The box that the page of several subjects begins with; None for one subject."""
    if len(subjects) < 2:
        return None
    cautions = dict.fromkeys(subject.caution for subject in subjects if subject.caution)
    rows = tuple(_row(subject) for subject in subjects)
    return OverviewView(
        sentences=(_counted(subjects), *_differences(apart)),
        heads=TITLES if any(any(row.cells) for row in rows) else (),
        rows=rows,
        notes=(*_advice(subjects), *cautions),
    )


def _row(subject: SubjectView) -> OverviewRow:
    fresh = {} if subject.again is None else {title: cell for title, _, cell in subject.again.lines}
    cells: list[CellView | None] = [fresh.get(title) for title in TITLES]
    none = "" if subject.chosen else _words([subject]) or "no run is finished"
    return OverviewRow(subject.name, subject.chosen, tuple(cells), none)


def _counted(subjects: Sequence[SubjectView]) -> str:
    lacking = [subject for subject in subjects if not subject.chosen]
    taken = len(subjects) - len(lacking)
    if not lacking:
        return f"All {len(subjects)} subjects have a run to take."
    said = f"{taken or 'None'} of {len(subjects)} subjects {'has' if taken < 2 else 'have'} a run to take."
    words, finished = _words(lacking), sum(len(_finished(subject)) for subject in lacking)
    if not words:
        return said
    whose = f"{lacking[0].name}'s" if len(lacking) == 1 else "their" if not taken else f"the other {len(lacking)}'s"
    return f"{said} Of {whose} {finished} finished run{'' if finished == 1 else 's'} {words}."


def _finished(subject: SubjectView) -> list[str]:
    return [row.word for row in subject.rows if row.state == "done"]


def _words(subjects: Sequence[SubjectView]) -> str:
    """``6 are copying, 1 is overfitted``, the most common first."""
    counts = Counter(word for subject in subjects for word in _finished(subject)).most_common()
    return ", ".join(f"{count} {'is' if count == 1 else 'are'} {CALLED.get(word, word)}" for word, count in counts)


def _differences(apart: Sequence[Difference]) -> list[str]:
    """What settings do to likeness and prompt following over all subjects, the surest first, and what else they
    change."""
    tested = [one for one in apart if one.column.decides]
    shown = sorted((one for one in tested if one.shown), key=lambda one: one.adjusted)
    if not tested:
        return []
    titles = " or ".join(dict.fromkeys(one.column.title for one in tested))
    described = list(dict.fromkeys(one.column.title for one in apart if one.shown and not one.column.decides))
    do = "also" if shown else "do"
    others = [f"Settings {do} change {_listed(described)} by more than chance."] if described else []
    if not shown:
        return [f"Over all subjects no difference in {titles} is more than chance.", *others]
    said = [f"Over all subjects, {_difference(one)}." for one in shown[:MOST_SENTENCES]]
    left = len(shown) - MOST_SENTENCES
    if left > 0:
        more = "difference is real; it stands" if left == 1 else "differences are real; they stand"
        said.append(f"{left} more {more} under Over all subjects.")
    return [*said, *others]


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _difference(one: Difference) -> str:
    """The larger side first, so that the number is above 0."""
    rises, axis, title = one.difference > 0, one.axis, one.column.title
    low, high = (one.low, one.high) if rises or one.low is None or one.high is None else (-one.high, -one.low)
    number = f"{plain(abs(one.difference))} {ranged(low, high)}".rstrip()
    where = f" ({one.where})" if one.where else ""
    if one.values:
        return f"{title} {'rises' if rises else 'falls'} from {axis} {one.a} to {one.b}{where}, by {number}"
    more, less = (one.b, one.a) if rises else (one.a, one.b)
    return f"{title} is higher with {axis} {more} than with {less}{where}, by {number}"


def _advice(subjects: Sequence[SubjectView]) -> list[str]:
    """What to try where nothing may be taken, once for all whom it is about."""
    about: dict[str, list[str]] = {}
    for subject in subjects:
        if subject.advice:
            about.setdefault(subject.advice, []).append(subject.name)
    return [f"What to try for {', '.join(names)}: {said[0].lower()}{said[1:]}" for said, names in about.items()]
