"""From a TOML file and ``path=value`` overrides to a checked config; every problem at once, with suggestions."""

from __future__ import annotations

import copy
import difflib
import tomllib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from boothlab.config.base import Config
from boothlab.errors import PlanError

C = TypeVar("C", bound=Config)

DEEPEST = 100
"""So many tables and lists may stand within one another, and so many parts may a path have; plans need seven."""

WIDEST = 2**63
"""Whole numbers of TOML have 64 bits. Python reads longer ones, which no file system, clock or float can follow."""

SAID = {
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "must be a whole number"),
    "int_parsing_size": "must be a whole number of fewer digits",
    **dict.fromkeys(("float_type", "float_parsing"), "must be a number"),
    "finite_number": "must be a finite number",
    **dict.fromkeys(("bool_type", "bool_parsing"), "must be true or false"),
    "string_type": "must be text, in quotes",
    "path_type": "must be a path, in quotes",
    "literal_error": "must be {expected}",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be {ge} or more",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be {le} or less",
    "too_short": "must have {min_length} or more entries (given: {actual_length})",
    "too_long": "must have {max_length} or fewer entries (given: {actual_length})",
    "string_too_short": "must have {min_length} or more characters",
    "string_too_long": "must have {max_length} or fewer characters",
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), "a table is expected, in {{ }}"),
    **dict.fromkeys(("tuple_type", "list_type"), "a list is expected, in [ ]"),
}
"""What pydantic finds wrong, in the words of a plan; its own speak of Python's types."""

MOST_GIVEN = 80
"""So many characters of a wrong value are shown."""


def read_toml(path: Path) -> dict[str, Any]:
    """The table in ``path``. Raises PlanError when it is missing or not TOML."""
    try:
        # A pipe, as of `check <(…)`, can be read but once, and a command asks twice: for its kind, then for itself.
        text = path.read_text(encoding="utf-8-sig") if not path.is_fifo() else _piped(path)
    except FileNotFoundError:
        raise PlanError(f"There is no plan at {path}.", "Give the path of a .toml file.") from None
    except UnicodeDecodeError as error:
        raise PlanError(
            f"Cannot read the plan {path}: it is not UTF-8 text ({error}).", "Save it again as UTF-8."
        ) from error
    except IsADirectoryError:
        raise PlanError(f"{path} is a folder, and a plan is a file.", _plan_inside(path)) from None
    except OSError as error:
        raise PlanError(f"Cannot read the plan {path}: {error}.") from error
    try:
        return _parsed(text)
    except ValueError as error:
        hint = ""
        # A backslash before a capital U, as in the path of a home folder, begins a hexadecimal number.
        if "\\" in text and any(word in str(error) for word in ("escape", "hex value")):
            hint = "Write Windows paths in single quotes: photos = 'my\\photos'."
        raise PlanError(f"{path} is not valid TOML: {error}.", hint) from error


def _plan_inside(folder: Path) -> str:
    """What to give instead of a folder: the plan that a run or a study keeps in it, if it is one of these."""
    kept = next((folder / name for name in ("plan.toml", "study.toml") if (folder / name).is_file()), None)
    return f"Give a .toml file, here {kept}." if kept else "Give the path of a .toml file."


@cache
def _piped(path: Path) -> str:
    return path.read_text(encoding="utf-8-sig")


def _parsed(text: str) -> dict[str, Any]:
    """The table in ``text``. Raises ValueError, also for numbers and depths that TOML does not forbid to write."""
    try:
        found = tomllib.loads(text)
        _require_sane(found)
    except RecursionError:
        raise ValueError(f"tables and lists stand more than {DEEPEST} deep within one another") from None
    except tomllib.TOMLDecodeError:
        raise
    except ValueError as error:
        raise ValueError(str(error).partition(";")[0]) from error
    return found


def _require_sane(value: Any, depth: int = 0) -> None:
    if depth > DEEPEST:
        raise RecursionError
    if isinstance(value, int) and not -WIDEST <= value < WIDEST:
        raise ValueError(f"a whole number has {value.bit_length()} bits; 63 and a sign are the most")
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _require_sane(part, depth + 1)


def parse_override(text: str) -> tuple[list[str], Any]:
    """``"training.steps=300"`` → ``(["training", "steps"], 300)``; the value is TOML, or else plain text.

    List items are addressed by number: ``subjects.0.class_noun=person``.
    """
    path, equals, value = text.partition("=")
    if not equals or not path.strip():
        raise PlanError(f"--set {text!r} is not of the form path=value.", "Example: --set training.steps=300")
    parts = [part.strip() for part in path.split(".")]
    if len(parts) > DEEPEST:
        raise PlanError(f"--set {path[:40]}…: the path has {len(parts)} parts; {DEEPEST} are the most.")
    try:
        parsed = _parsed(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value.strip()
    except ValueError as error:
        raise PlanError(f"--set {path}={value[:40]}…: {error}.") from error
    return parts, parsed


def apply_override(tree: dict[str, Any], path: Sequence[str], value: Any) -> None:
    """Set ``value`` at ``path`` inside ``tree``, making tables on the way."""
    node: Any = tree
    for depth, part in enumerate(path):
        last = depth == len(path) - 1
        where = ".".join(path[: depth + 1])
        if isinstance(node, list):
            number = whole_number(part)
            if number is None or number >= len(node):
                raise PlanError(f"--set {where[:80]}: there is no item {part[:40]!r}; the list has {len(node)}.")
            if last:
                node[number] = value
            else:
                node = node[number]
        elif isinstance(node, dict):
            if last:
                node[part] = value
            else:
                node = node.setdefault(part, {})
        else:
            raise PlanError(f"--set {where}: {'.'.join(path[:depth])} is a value, not a table.")


def whole_number(text: str) -> int | None:
    """The number that up to 18 digits write, else None: other scripts have digits that ``int`` does not read, and
    thousands of digits are too many for it.

    >>> whole_number("000250"), whole_number("²"), whole_number("9" * 5000)
    (250, None, None)
    """
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else None


def validate(kind: type[C], tree: dict[str, Any], source: str) -> C:
    """Build ``kind`` from ``tree``. Raises one PlanError that lists every problem found in ``source``."""
    try:
        return kind.model_validate(tree)
    except ValidationError:
        raise problem_error(problems(kind, tree), source) from None


def problem_error(lines: Sequence[str], source: str) -> PlanError:
    """The error that lists all problems of ``source``."""
    count = "1 problem" if len(lines) == 1 else f"{len(lines)} problems"
    return PlanError(f"{source} has {count}:\n" + "\n".join(f"  - {line}" for line in lines))


def problems(kind: type[Config], tree: dict[str, Any]) -> list[str]:
    """Every problem of ``tree`` in words; none where it is right.

    A misspelt kind hides what else is wrong with its node: that is looked for as of the kind that was meant.
    """
    try:
        kind.model_validate(tree)
    except ValidationError as error:
        errors = _own_problems(error.errors(include_url=False))
    else:
        return []
    found = [_problem(kind, details) for details in errors]
    meant = _as_meant(kind, tree, errors)
    if meant is not None:
        found += [line for line in problems(kind, meant) if line not in found]
    return found


def _as_meant(kind: type[Config], tree: dict[str, Any], errors: Sequence[Any]) -> dict[str, Any] | None:
    """A copy of ``tree`` with misspelt kinds as they were probably meant; None where there is none of these."""
    corrected = False
    tree = copy.deepcopy(tree)
    for details in errors:
        near = _kind_meant(details) if details["type"] == "union_tag_invalid" else None
        if near is None:
            continue
        node: Any = tree
        for part in _without_tags(kind, details["loc"]):
            node = node[part]
        node["kind"] = near
        corrected = True
    return tree if corrected else None


def _kinds(details: Any) -> list[str]:
    return [choice.strip(" '") for choice in details["ctx"]["expected_tags"].split(",")]


def _kind_meant(details: Any) -> str | None:
    """The kind that was probably meant by one that there is not."""
    near = difflib.get_close_matches(str(details["ctx"]["tag"]), _kinds(details), n=1, cutoff=0.5)
    return near[0] if near else None


def load(kind: type[C], path: Path, overrides: Sequence[str] = ()) -> C:
    """Read ``path``, apply ``overrides``, validate: defaults < plan file < ``--set``."""
    tree = read_toml(path)
    for text in overrides:
        apply_override(tree, *parse_override(text))
    return validate(kind, tree, str(path))


def _own_problems(errors: Sequence[Any]) -> list[Any]:
    """``errors`` without the remark that a list is too short when only its items are wrong, and with one for what is
    neither a whole number nor another."""
    places = [details["loc"] for details in errors]
    return [
        details
        for details in errors
        if (details["type"] != "too_short" or not any(_is_below(place, details["loc"]) for place in places))
        and not (details["loc"][-1:] == ("int",) and (*details["loc"][:-1], "float") in places)
    ]


def _is_below(place: Sequence[int | str], above: Sequence[int | str]) -> bool:
    return len(place) > len(above) and list(place[: len(above)]) == list(above)


def _problem(kind: type[BaseModel], details: Any) -> str:
    location = details["loc"]
    shown = ".".join(str(part) for part in _without_tags(kind, location)) or "(plan)"
    if details["type"] == "extra_forbidden":
        near = difflib.get_close_matches(str(location[-1]), _fields_at(kind, location[:-1]), n=1, cutoff=0.5)
        return f"{shown}: unknown setting" + (f" (did you mean '{near[0]}'?)" if near else "")
    if details["type"] == "missing":
        return f"{shown}: required, but missing"
    if details["type"] == "union_tag_not_found":
        kinds = [str(model.model_fields["kind"].default) for model in _models_at(kind, location)]
        return f"{shown}.kind: required, but missing (one of {', '.join(kinds)})"
    if details["type"] == "union_tag_invalid":
        meant = _kind_meant(details)
        hint = f" (did you mean '{meant}'?)" if meant else ""
        return f"{shown}.kind: '{details['ctx']['tag']}' is not one of {', '.join(_kinds(details))}{hint}"
    value = details.get("input")
    if details["type"] in ("tuple_type", "list_type") and isinstance(value, dict):
        return f"{shown}: a list of tables is expected: write [[{shown}]], in two brackets"
    if location[-1:] in (("int",), ("float",)):  # pydantic's name for one of the kinds of number that may stand here
        shown = shown.rpartition(".")[0]
    return f"{shown}: {_said(details)}{_given(value)}"


def _said(details: Any) -> str:
    """What is wrong with a value: :data:`SAID`, or what a validator of the house says."""
    message = details["msg"].removeprefix("Value error, ")
    # A limit of 1.0 is 1 to people; those of whole numbers are shown to their last digit.
    limits = {k: f"{v:g}" if isinstance(v, float) else v for k, v in details.get("ctx", {}).items()}
    return SAID.get(details["type"], "").format_map(limits) or message[0].lower() + message[1:]


def _given(value: Any) -> str:
    """The wrong value, cut where it is long; "" for a table or a list, which its path names."""
    if isinstance(value, dict | list | tuple):
        return ""
    said = repr(value)
    return f" (given: {said if len(said) <= MOST_GIVEN else said[:MOST_GIVEN] + '…'})"


def _models(annotation: Any) -> list[type[BaseModel]]:
    """The config classes that may stand where ``annotation`` is written."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) in (Union, UnionType, Annotated, tuple, list):
        return [model for part in get_args(annotation) for model in _models(part)]
    return []


def _step(models: list[type[BaseModel]], part: int | str) -> list[type[BaseModel]]:
    if isinstance(part, int):
        return models
    tagged = [m for m in models if "kind" in m.model_fields and m.model_fields["kind"].default == part]
    if tagged:
        return tagged
    fields = [m.model_fields[part] for m in models if part in m.model_fields]
    # A discriminated field keeps its union in ``annotation`` and the discriminator beside it.
    return [model for field in fields for model in _models(field.annotation)]


def _models_at(kind: type[BaseModel], location: Sequence[int | str]) -> list[type[BaseModel]]:
    models = [kind]
    for part in location:
        models = _step(models, part)
    return models


def _fields_at(kind: type[BaseModel], location: Sequence[int | str]) -> list[str]:
    return [name for model in _models_at(kind, location) for name in model.model_fields]


def _without_tags(kind: type[BaseModel], location: Sequence[int | str]) -> list[int | str]:
    """``location`` without the union tags that pydantic puts between a field and its members' fields."""
    shown: list[int | str] = []
    models = [kind]
    for part in location:
        following = _step(models, part)
        is_tag = isinstance(part, str) and any(
            "kind" in m.model_fields and m.model_fields["kind"].default == part for m in models
        )
        if not (is_tag and not any(part in m.model_fields for m in models)):
            shown.append(part)
        models = following
    return shown
