"""What of a run's place in a study is a setting, and what says who is learned. (Torch-free.)"""

from __future__ import annotations

from collections.abc import Sequence

from boothlab.studies.expand import label
from boothlab.studies.points import Point

WHO = ("name", "photos", "identifier", "description")
"""Parts of a subject's node that say who it is; anything else there (class noun, weight) is a setting."""


def who_paths(points: Sequence[Point]) -> frozenset[str]:
    """The paths of a plan that say who is learned.

    Each person has photos and an identifier of their own, so that these tell people apart. Where one person was
    learned from several sets of photos, or under several identifiers, that is what the study asks about: a setting.
    Rivals are no candidates and baselines no runs; they decide nothing here.
    """
    points = [point for point in points if not point.rival and point.state != "baseline"]
    paths = dict.fromkeys(path for point in points for path in point.values if path.split(".")[0] == "subjects")
    return frozenset(path for path in paths if path == "subjects" or _tells_apart(path, points))


def _tells_apart(path: str, points: Sequence[Point]) -> bool:
    values: dict[str, set[str]] = {}
    for point in points:
        # Where several are learned together, the path is about one of them, whoever the point is about.
        if path in point.values and _together(point) == 1:
            values.setdefault(point.subject, set()).add(repr(point.values[path]))
    return path.split(".")[-1] in WHO and all(len(own) == 1 for own in values.values())


def setting_of(point: Point, who: frozenset[str]) -> str:
    """Names a point's settings, without the paths that say ``who`` is learned; how many together is a setting."""
    others = {path: value for path, value in point.values.items() if path not in who}
    if _together(point) > 1:
        others["subjects together"] = _together(point)
    return label(others) or "the plan as it is"


def _together(point: Point) -> int:
    return str(point.values.get("subjects", "")).count(" + ") + 1
