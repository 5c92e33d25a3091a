"""The one base class of every node in a plan: frozen, closed, documented in place.

Config classes live with the code that they configure, in files that never import torch, so that a plan can be
checked in milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Union

from pydantic import BaseModel, ConfigDict, Field


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
