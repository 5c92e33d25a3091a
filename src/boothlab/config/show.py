"""What a config says: differences from the defaults, TOML text, JSON Schema."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from boothlab.config.base import Config


def flatten(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Leaves of a nested JSON value as (dotted path, value)."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from flatten(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for index, inner in enumerate(value):
            yield from flatten(inner, f"{path}.{index}")
    else:
        yield path, value


def difference(old: Config, new: Config) -> list[tuple[str, Any, Any]]:
    """(path, old value, new value) for every leaf that differs, sorted by path."""
    before = dict(flatten(old.model_dump(mode="json")))
    after = dict(flatten(new.model_dump(mode="json")))
    missing = "(not set)"
    return [
        (path, before.get(path, missing), after.get(path, missing))
        for path in sorted(before.keys() | after.keys())
        if before.get(path, missing) != after.get(path, missing)
    ]


def toml_key(key: str) -> str:
    """A key of a TOML table, quoted where a dot or anything else in it would mean something.

    >>> toml_key("training"), toml_key("training.steps")
    ('training', '"training.steps"')
    """
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else toml_value(key)


def toml_value(value: Any) -> str:
    """One TOML value (booleans, numbers, strings, lists, inline tables)."""
    if isinstance(value, dict):
        inner = ", ".join(f"{toml_key(key)} = {toml_value(item)}" for key, item in value.items() if item is not None)
        return "{ " + inner + " }" if inner else "{}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(toml_value(item) for item in value) + "]"
    # TOML wants what JSON leaves as it is, the character DEL, written in numbers.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def to_toml(tree: dict[str, Any]) -> str:
    """A JSON tree as TOML that reads back to the same tree; fields that are ``None`` are left out."""
    lines: list[str] = []

    def table(node: dict[str, Any], path: str) -> None:
        plain = {k: v for k, v in node.items() if v is not None and not _is_table(v)}
        if path and (plain or not node):
            lines.append(f"\n[{path}]")
        lines.extend(f"{toml_key(key)} = {toml_value(value)}" for key, value in plain.items())
        for key, value in node.items():
            name = f"{path}.{toml_key(key)}" if path else toml_key(key)
            if isinstance(value, dict):
                table(value, name)
            elif _is_table(value):
                for item in value:
                    lines.append(f"\n[[{name}]]")
                    lines.extend(f"{toml_key(k)} = {toml_value(v)}" for k, v in item.items() if v is not None)

    table(tree, "")
    return "\n".join(lines).strip() + "\n"


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) or (
        isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)
    )


def json_schema(kind: type[Config]) -> dict[str, Any]:
    """JSON Schema of a config class; descriptions are the attribute docstrings."""
    return kind.model_json_schema()
