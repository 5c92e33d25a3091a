"""A run's place on everything that its study varies, so that places are equal where the settings are. (Torch-free.)

What the plans mean decides, not how the file writes it: 1 and 1.0 are one weight, and two folders of one name are two
photo sets. What the file writes is what is shown.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, TypeVar

from boothlab.config.load import validate, whole_number
from boothlab.errors import PlanError
from boothlab.files import expanded
from boothlab.plan import RunPlan, relative_to
from boothlab.studies.expand import Planned, shown, who
from boothlab.studies.plan import NUMBER, STEPS, Carries, Claim
from boothlab.studies.search import Range

if TYPE_CHECKING:
    from boothlab.api.studies.resolving import Study

NOT_SET = "not set"
"""The value of a setting that a plan leaves out, where that means something: no SNR weighting, no running mean."""

_PATHS = (".photos", ".references", ".class_folder")

_MISSING = object()

Spot = tuple[str, str]
"""A run, and a subject in it."""

K = TypeVar("K", bound=str | Spot)


def coordinates(study: Study) -> dict[Spot, dict[str, Any]]:
    """Run and subject → its place on everything that the study varies, whether the run itself sets it or leaves it.

    None where its plan has no such setting: a rank without LoRA, steps of one kind beside steps of the other. Where
    subjects of one name differ in more than their names (photos, identifier), each difference is a coordinate of its
    own, ``subjects.photos``. In these alone do the subjects of one run stand at places of their own.
    """
    asked = {planned.name: _asked(study, planned) for planned in study.runs}
    paths = list(dict.fromkeys(path for planned in study.runs for path in planned.values))
    found: dict[str, dict[str, Any]] = {planned.name: {} for planned in study.runs}
    for path in paths:
        inside = _inside(path, paths)
        exact = {p.name: _less(_exact(p, path, asked[p.name]), inside) for p in study.runs}
        said = {p.name: _less(_said(p, path, exact[p.name]), inside) for p in study.runs}
        if path == "subjects":
            exact = said = {name: who(nodes) for name, nodes in exact.items()}
        for name, value in _named(path, exact, said).items():
            found[name][path] = value
    apart = _apart(asked, paths) if "subjects" in paths else {}
    return {
        (run, node["name"]): found[run] | {path: values[run, node["name"]] for path, values in apart.items()}
        for run, plan in asked.items()
        for node in plan["subjects"]
    }


def placed_claims(study: Study) -> tuple[str | Claim | Carries, ...]:
    """The study's claims, their two values as the runs' places have them.

    Raises PlanError where no run stands at one, or at one alone: after days of training nothing could be said of it.
    What a search draws is not known beforehand; its rungs are, and what it may draw.
    """
    places = coordinates(study) if any(isinstance(claim, Claim) for claim in study.plan.claims) else {}
    found = []
    for claim in study.plan.claims:
        if isinstance(claim, Claim):
            two = {name: _place_of(study, places, claim, getattr(claim, name)) for name in ("at", "than")}
            if two["at"] == two["than"]:
                raise PlanError(
                    f"{study.source}: the claim {claim.say!r} compares {claim.axis} = {shown(claim.at)} with itself.",
                    "Give two values of it.",
                )
            claim = claim.model_copy(update=two)
        elif isinstance(claim, Carries) and len(study.names) < 2:
            raise PlanError(
                f"{study.source}: the claim {claim.say!r} is about settings carried from one subject to another, and "
                f"this study has one: {', '.join(study.names)}.",
                "Give it more subjects (an axis `subjects`), or make the claim in words alone.",
            )
        found.append(claim)
    return tuple(found)


def _place_of(study: Study, places: Mapping[Spot, Mapping[str, Any]], claim: Claim, value: Any) -> Any:
    """The place on the claim's axis that ``value`` means."""
    stand = [own[claim.axis] for own in places.values() if own.get(claim.axis) is not None]
    there = {_key(own): own for own in [*stand, *_lengths(study, claim.axis)]}
    drawn = study.plan.search.ranges.get(claim.axis) if study.plan.search is not None else None
    if not there and drawn is None:
        raise PlanError(
            f"{study.source}: the claim {claim.say!r} is about {claim.axis}, which does not vary in this study.",
            _what_varies(study, places),
        )
    for own in there.values():
        if own == value or (claim.axis.endswith(_PATHS) and _ends_with(study.folder, value, own)):
            return own
    if drawn is not None and (found := _drawn(study, claim.axis, drawn, value)) is not _MISSING:
        return found
    wheres = [f"The runs stand at {', '.join(map(shown, there.values()))}."] if there else []
    wheres += [] if drawn is None else [f"Trials are drawn {_where(claim.axis, drawn)}."]
    raise PlanError(
        f"{study.source}: the claim {claim.say!r} speaks of {claim.axis} = {shown(value)}, where no run stands.",
        " ".join(wheres),
    )


def _drawn(study: Study, axis: str, drawn: Range, value: Any) -> Any:
    """The value of a search's range that ``value`` means; ``_MISSING`` where no trial may stand there."""
    if drawn.choices is None:
        return value if drawn.holds(value) else _MISSING
    if axis == "subjects":
        return value if value in map(who, drawn.choices) else _MISSING
    if axis.endswith(_PATHS) and isinstance(value, str):
        whole = _whole(study.folder, value)
        return next((one for one in drawn.choices if _whole(study.folder, str(one)) == whole), _MISSING)
    return value if value in drawn.choices else _MISSING


def _where(axis: str, drawn: Range) -> str:
    if drawn.choices is not None:
        return f"among {', '.join(map(who if axis == 'subjects' else shown, drawn.choices))}"
    steps = "" if drawn.step is None else f" in steps of {shown(drawn.step)}"
    return f"from {shown(drawn.low)} to {shown(drawn.high)}{steps}"


def _lengths(study: Study, axis: str) -> list[int]:
    """Where ``axis`` is what a search's rungs count: the rungs, and the lengths of runs beside the search, which need
    not vary among themselves."""
    search = study.plan.search
    if search is None or axis != search.steps:
        return []
    lengths = [getattr(planned.plan.training, axis.rpartition(".")[2]) for planned in study.runs]
    return sorted({*search.rungs, *(length for length in lengths if length is not None)})


def _what_varies(study: Study, places: Mapping[Spot, Mapping[str, Any]]) -> str:
    paths = dict.fromkeys(path for own in places.values() for path in own)
    if study.plan.search is not None:
        paths |= dict.fromkeys([*study.plan.search.ranges, study.plan.search.steps])
    if not paths:
        return "Nothing varies in it: give it axes or runs of other settings, or make the claim in words alone."
    return f"What varies: {', '.join(paths)}."


def _ends_with(folder: Path, value: Any, own: Any) -> bool:
    if not isinstance(value, str) or not isinstance(own, str):
        return False
    return f"/{_whole(folder, value)}".endswith(f"/{own}")


def _whole(folder: Path, value: str) -> str:
    return PurePath(os.path.normpath(folder / expanded(Path(value)))).as_posix()


def _asked(study: Study, planned: Planned) -> dict[str, Any]:
    """The run's plan as a tree with every default, as its file asks for it: before held-out photos were taken out."""
    plan = relative_to(validate(RunPlan, dict(planned.tree), "the plan"), study.folder)
    return plan.model_dump(mode="json")


def _exact(planned: Planned, path: str, asked: Mapping[str, Any]) -> Any:
    """What the setting is; ``_MISSING`` where the plan has none."""
    if path == NUMBER:
        return "all" if planned.number is None else planned.number
    if path in planned.over:
        return _MISSING  # the members of a mean differ in it
    value = look_up(asked, path)
    if value is None and path in STEPS:
        return _MISSING  # the length is given in the other way
    if path.endswith(_PATHS) and isinstance(value, str):
        return os.path.normpath(value)
    return value


def _said(planned: Planned, path: str, exact: Any) -> Any:
    """The same as the file says it, without the defaults of a whole node."""
    if not isinstance(exact, Mapping | list):
        return exact
    said = planned.values[path] if path in planned.values else look_up(planned.tree, path)
    return exact if said is _MISSING else said


def _named(path: str, exact: Mapping[K, Any], said: Mapping[K, Any]) -> dict[K, Any]:
    """The value of each run, or of each subject in it, the same where the exact ones are: the shortest of what the
    file says, or of a path the end."""
    if path.endswith(_PATHS):
        exact = dict(zip(exact, _ends(list(exact.values())), strict=True))
        said = exact
    groups: dict[str, list[Any]] = {}
    for name, value in exact.items():
        groups.setdefault(_key(value), []).append(said[name])
    short = {key: min(own, key=lambda value: len(shown(value))) for key, own in groups.items()}
    if len({_key(value) for value in short.values()}) < len(short):  # what differs is not in the file's words
        short = {_key(value): value for value in exact.values()}
    values = {name: short[_key(value)] for name, value in exact.items()}
    return {name: None if v is _MISSING else NOT_SET if v is None else v for name, v in values.items()}


def _key(value: Any) -> str:
    return "" if value is _MISSING else json.dumps(value, sort_keys=True)


def _ends(paths: Sequence[Any]) -> list[Any]:
    """Paths by their last two parts, or as many more as tell them apart; what is no path stays."""
    whole = {path for path in paths if isinstance(path, str)}
    for count in range(2, max((len(PurePath(path).parts) for path in whole), default=2) + 1):
        ends = {path: "/".join(PurePath(path).parts[-count:]) for path in whole}
        if len(set(ends.values())) == len(whole):
            break
    return [ends[path] if isinstance(path, str) else path for path in paths]


def _apart(asked: Mapping[str, Mapping[str, Any]], paths: Sequence[str]) -> dict[str, dict[Spot, Any]]:
    """Path → run and subject → value of every part in which subjects of one name differ from run to run."""
    nodes = {(run, node["name"]): _normal(node) for run, plan in asked.items() for node in plan["subjects"]}
    alike: dict[str, list[Mapping[str, Any]]] = {}
    for (_, name), node in nodes.items():
        alike.setdefault(name, []).append(node)
    parts = dict.fromkeys(part for own in alike.values() for part in own[0] if len({_key(n[part]) for n in own}) > 1)
    covered = {match[1] for path in paths if (match := re.fullmatch(r"subjects\.\d+\.(\w+)", path))}
    together = {run: tuple(node["name"] for node in plan["subjects"]) for run, plan in asked.items()}
    found = {}
    for part in (part for part in parts if part not in covered):
        exact = {spot: node[part] for spot, node in nodes.items()}
        found[f"subjects.{part}"] = _with_others(_named(f"subjects.{part}", exact, exact), together)
    return found


def _normal(node: Mapping[str, Any]) -> dict[str, Any]:
    return {**node, "photos": os.path.normpath(node["photos"])}


def _with_others(own: Mapping[Spot, Any], together: Mapping[str, tuple[str, ...]]) -> dict[Spot, Any]:
    """Each subject's own value, and those of all in its run where another's is not the usual one beside it.

    With its own alone a subject stands at one place whether it is learned alone or with others, so that the two can
    be compared; but two runs of the same subjects never stand at one place where they differ.
    """
    seen: dict[tuple[tuple[str, ...], str], Counter[str]] = {}
    for (run, name), value in own.items():
        seen.setdefault((together[run], name), Counter())[_key(value)] += 1
    usual = {beside: values.most_common(1)[0][0] for beside, values in seen.items()}
    found = {}
    for (run, name), value in own.items():
        names = together[run]
        plain = all(_key(own[run, other]) == usual[names, other] for other in names if other != name)
        found[run, name] = value if plain else " + ".join(shown(own[run, each]) for each in names)
    return found


def _inside(path: str, paths: Sequence[str]) -> list[list[str]]:
    """The other coordinates that lie within the node at ``path``, as the parts of their paths from there."""
    return [other.removeprefix(f"{path}.").split(".") for other in paths if other.startswith(f"{path}.")]


def _less(node: Any, inside: Sequence[Sequence[str]]) -> Any:
    """The node without what is a coordinate by itself: two values of that must not make two values of the node."""
    for head, *rest in inside:
        if isinstance(node, Mapping) and head in node:
            kept = {head: _less(node[head], [rest])} if rest else {}
            node = {name: kept.get(name, value) for name, value in node.items() if name != head or rest}
    return node


def look_up(tree: Any, path: str) -> Any:
    """What stands at a dotted path of a JSON tree; ``_MISSING`` where nothing does."""
    for part in path.split("."):
        number = whole_number(part)
        if isinstance(tree, list) and number is not None and number < len(tree):
            tree = tree[number]
        elif isinstance(tree, Mapping) and part in tree:
            tree = tree[part]
        else:
            return _MISSING
    return tree
