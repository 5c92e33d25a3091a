"""Short names where many runs stand side by side: only what tells them apart. (Torch-free.)"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from boothlab.studies.choose import Choice
from boothlab.studies.expand import axis_names, shown, who
from boothlab.studies.points import Point
from boothlab.studies.settings import setting_of, settings, who_paths


def apart(values: Sequence[Any]) -> tuple[str, ...]:
    """Each of these values of an axis in words; of whole nodes only what they do not all share.

    ``{kind = "lora", rank = 4}`` beside ``{kind = "lora", rank = 8}`` is ``rank 4``.
    """
    if len(values) < 2 or not all(isinstance(value, Mapping) for value in values):
        return tuple(shown(value) for value in values)
    nodes = [_leaves(value) for value in values]
    paths = dict.fromkeys(path for node in nodes for path in node)
    differing = [
        path for path in paths if any(path not in node or node[path] != nodes[0].get(path) for node in nodes)
    ]
    return tuple(_parts(node, differing) for node in nodes)


def _leaves(node: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Path within the node → value."""
    found: dict[str, Any] = {}
    for key, value in node.items():
        found |= _leaves(value, f"{above}{key}.") if isinstance(value, Mapping) else {f"{above}{key}": value}
    return found


def _parts(node: Mapping[str, Any], paths: Sequence[str]) -> str:
    own = [path for path in paths if path in node]
    said = [
        shown(node[path]) if path == "kind" else f"{name} {shown(node[path])}"
        for path, name in zip(own, axis_names(own), strict=True)
    ]
    # What has nothing of its own is the one that leaves the others' settings at their defaults.
    return ", ".join(said) or shown(node.get("kind")) or "nothing else"


def setting_labels(points: Sequence[Point], without: Sequence[str] = ()) -> tuple[str, ...]:
    """Each point's place on the axes on which these points differ, but for those ``without``; "" where on none.

    Of an axis on which a point has no place nothing is said.
    """
    paths = dict.fromkeys(path for point in points for path in point.values if path not in without)
    columns = []
    for path, name in zip(paths, axis_names(list(paths)), strict=True):
        own = [point.values.get(path) for point in points]
        values = {repr(value): value for value in own}
        if len(values) > 1:
            said = _column(path, name, own, values)
            columns.append([part if path in p.values else "" for part, p in zip(said, points, strict=True)])
    if not columns:
        return ("",) * len(points)
    return tuple(", ".join(filter(None, parts)) for parts in zip(*columns, strict=True))


def _column(path: str, name: str, own: Sequence[Any], values: Mapping[str, Any]) -> list[str]:
    short = dict(
        zip(values, map(who, values.values()) if path == "subjects" else apart(list(values.values())), strict=True)
    )
    # The parts of a node bring their own names, and subjects are called by theirs.
    bare = path == "subjects" or all(isinstance(value, Mapping) for value in values.values())
    return [short[repr(value)] if bare else f"{name} {short[repr(value)]}" for value in own]


def run_labels(points: Sequence[Point]) -> tuple[str, ...]:
    """The runs of one subject without its name: those of the grid by what differs on it, others by their names."""
    grid = [point for point in points if _on_grid(point)]
    short = dict(zip((point.run for point in grid), setting_labels(grid), strict=True))
    seeds = len({point.seed for point in grid}) > 1
    found = []
    for point in points:
        said = short.get(point.run, "")
        if said and seeds:
            said = f"{said} · seed {point.seed}"
        found.append(said or _named(point))
    return tuple(found)


def setting_names(points: Sequence[Point]) -> dict[str, str]:
    """What :func:`setting_of` calls each setting → what tells it apart from the others, whoever is learned."""
    who = who_paths(points)
    grid = [point for point in points if _on_grid(point) and not point.rival and point.state != "baseline"]
    labels = setting_labels([replace(point, values=settings(point, who)) for point in grid])
    places = {setting_of(point, who): said for point, said in zip(grid, labels, strict=True)}
    # Means and named runs are on no grid, and have names of their own; two of one setting are called by the setting.
    own: dict[str, set[str]] = {}
    for point in points:
        if not _on_grid(point) and point.state != "baseline":
            own.setdefault(setting_of(point, who), set()).add(_whoever(point.setting, point))
    short = {name: next(iter(said)) for name, said in own.items() if len(said) == 1} | places
    return {name: said for name, said in short.items() if said and list(short.values()).count(said) == 1}


def called(points: Sequence[Point]) -> dict[str, str]:
    """Run → :func:`run_labels` of it; a label that would mean two runs gives way to the name."""
    short = dict(zip((point.run for point in points), run_labels(points), strict=True))
    return {run: run if list(short.values()).count(said) > 1 else said for run, said in short.items()}


def renamed(choice: Choice, names: Mapping[str, str]) -> Choice:
    """A subject's choice with its runs under other ``names``."""
    differing = sorted((run for run in names if names[run] != run), key=len, reverse=True)
    # In one pass: what a name has become may hold another name.
    found = re.compile("|".join(map(re.escape, differing)) or "$^")
    return replace(
        choice,
        run=None if choice.run is None else names[choice.run],
        reason=found.sub(lambda match: names[match[0]], choice.reason),
        front=tuple(names[run] for run in choice.front),
        passed=tuple((why, tuple(names[run] for run in runs)) for why, runs in choice.passed),
    )


def _on_grid(point: Point) -> bool:
    """Whether the setting is called by its places on the axes, and not by a name that the plan gives it."""
    rest = point.setting
    for path, value in point.values.items():
        parts = path.replace("_", " ").split(".")
        for name in (*(".".join(parts[-n:]) for n in range(1, len(parts) + 1)), ""):
            said = who(value) if path == "subjects" else f"{name} {shown(value)}".lstrip()
            if (name or path == "subjects") and (rest == said or rest.startswith(f"{said}, ")):
                rest = rest.removeprefix(said).removeprefix(", ")
                break
    return not rest


def _named(point: Point) -> str:
    name = point.run.removeprefix(f"{point.subject}, ").replace(f", {point.subject} ·", " ·")
    return _whoever(name, point) if point.members else name.removesuffix(f", {point.subject}")


def _whoever(name: str, point: Point) -> str:
    """A name of the plan's without the subject, which stands behind it or, in a mean's, among what that has of the
    grid."""
    subjects = str(point.values.get("subjects") or point.subject)
    return f"{name}, ".replace(f", {subjects}, ", ", ", 1).removesuffix(", ")
