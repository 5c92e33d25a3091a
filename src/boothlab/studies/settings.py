"""What of a run's place in a study is a setting, and what says who is learned. (Torch-free.)"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from boothlab.studies.expand import label
from boothlab.studies.points import Point

WHO = ("name", "photos", "identifier", "description")
"""Parts of a subject's node that say who it is; anything else there (class noun, weight) is a setting."""

NOBODY = repr(None)
"""Where a run has no such subject."""


def who_paths(points: Sequence[Point]) -> dict[str, frozenset[str]]:
    """The paths of a plan that say who is learned, each with the values (their ``repr``) by which it does.

    Each person has photos and an identifier of their own, so that these tell people apart. Where one person was
    learned from several sets of photos, the one that most of its runs have is its own, and another is a setting. The
    whole path is one, and stands not here, where own values tell nobody apart: all have the same, or one person's own
    was another's to try; and where several people were learned in several ways, unless all of these have the same own
    one, or each one's first is its most common. Else the own of one might be the other way of the next.
    Rivals are no candidates and baselines no runs; they decide nothing here.
    """
    candidates = [point for point in points if not point.rival and point.state != "baseline"]
    paths = dict.fromkeys(path for point in candidates for path in point.values if path.split(".")[0] == "subjects")
    found = {path: _own(path, candidates) for path in paths if path.split(".")[-1] in WHO}
    if "subjects" in paths:
        found["subjects"] = frozenset(repr(point.values.get("subjects")) for point in points)
    return {path: own for path, own in found.items() if own}


def settings(point: Point, who: Mapping[str, frozenset[str]]) -> dict[str, Any]:
    """The point's places without those that say ``who`` is learned."""
    return {path: value for path, value in point.values.items() if not says_who(path, value, who)}


def says_who(path: str, value: Any, who: Mapping[str, frozenset[str]]) -> bool:
    """Whether this value says who is learned, and is no setting."""
    return path in who and repr(value) in who[path]


def setting_of(point: Point, who: Mapping[str, frozenset[str]]) -> str:
    """Names a point's settings, without what says ``who`` is learned; how many together is a setting."""
    others = settings(point, who)
    if _together(point) > 1:
        others["subjects together"] = _together(point)
    return label(others) or "the plan as it is"


def _own(path: str, points: Sequence[Point]) -> frozenset[str]:
    """Each subject's own value; none where the path is a setting."""
    tried: dict[str, Counter[str]] = {}
    for point in points:
        if point.values.get(path) is not None and _about(path, point) == point.subject:
            tried.setdefault(point.subject, Counter())[repr(point.values[path])] += 1
    # Of values that are equally common the first: the plan's, or the grid's, before those of named runs.
    first = {subject: values.most_common(1)[0][0] for subject, values in tried.items()}
    own = frozenset(first.values())
    several = [subject for subject, values in tried.items() if len(values) > 1]
    if several:
        others = {value for subject in several for value in tried[subject] if value != first[subject]}
        alike = len({first[subject] for subject in several}) == 1
        sure = all(_leads_at_first(tried[subject]) for subject in several)
        if len(own) == 1 or own & others or not (alike or sure):
            return frozenset()
    return own | {NOBODY}


def _leads_at_first(values: Counter[str]) -> bool:
    """Whether the value that came first is more common than any other."""
    (value, count), *others = values.most_common(2)
    return value == next(iter(values)) and all(count > other for _, other in others)


def _about(path: str, point: Point) -> str:
    """Whom the path is about: where several are learned together, ``subjects.0.photos`` is about the first of them,
    whoever the point is about."""
    names, part = str(point.values.get("subjects", "")).split(" + "), path.split(".")[1]
    return names[int(part)] if len(names) > 1 and part.isdigit() and int(part) < len(names) else point.subject


def _together(point: Point) -> int:
    return str(point.values.get("subjects", "")).count(" + ") + 1
