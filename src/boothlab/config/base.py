"""The one base class of every node in a plan: frozen, closed, documented in place.

Config classes live with the code that they configure, in files that never import torch, so that a plan can be
checked in milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Annotated, Any, Union, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Config(BaseModel):
    """A node of the plan tree. Unknown fields are errors; the docstring under a field is its only help text."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        validate_default=True,
        allow_inf_nan=False,
        protected_namespaces=(),
    )

    @model_validator(mode="before")
    @classmethod
    def _truth_is_no_number(cls, tree: Any) -> Any:
        # Python counts true as 1. As the word that it was written with it is refused like any other word.
        if not isinstance(tree, dict):
            return tree
        return {name: _in_words(value) if name in _numbers(cls) else value for name, value in tree.items()}


@cache
def _numbers(kind: type[Config]) -> frozenset[str]:
    """The fields that are numbers, or hold some."""
    found = {name: set(_leaves(field.annotation)) for name, field in kind.model_fields.items()}
    return frozenset(name for name, leaves in found.items() if leaves & {int, float} and bool not in leaves)


def _leaves(annotation: Any) -> Iterator[Any]:
    """The types that an annotation is made of."""
    parts = get_args(annotation)
    if not parts:
        yield annotation
    for part in parts:
        yield from _leaves(part)


class _Truth(str):
    """The word of a truth value, shown in messages as it was written, without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _in_words(value: Any) -> Any:
    """``value`` with "true" and "false" for truth values, however deep they stand in it."""
    if isinstance(value, bool):
        return _Truth(str(value).lower())
    if isinstance(value, list | tuple):
        return [_in_words(part) for part in value]
    return {name: _in_words(part) for name, part in value.items()} if isinstance(value, dict) else value


def members(namespace: dict[str, Any], base: type) -> tuple[Any, ...]:
    """The subclasses (or instances) of ``base`` that a module's own lines name, in the order of those lines.

    This is what makes an extension cost one line: the line that imports it into the list module.
    """
    found: list[Any] = []
    for value in namespace.values():
        is_subclass = isinstance(value, type) and issubclass(value, base) and value is not base
        if (is_subclass or isinstance(value, base)) and value not in found:
            found.append(value)
    return tuple(found)


def closed_union(kinds: Iterable[type[Config]]) -> Any:
    """The type "one of these nodes, told apart by their ``kind``", for use as a field's annotation."""
    choices = tuple(kinds)
    if len(choices) == 1:
        return choices[0]
    return Annotated[Union[choices], Field(discriminator="kind")]  # noqa: UP007 - built from a tuple
