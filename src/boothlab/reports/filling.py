"""Templates of pages, filled: whatever is put into one is escaped, and what a template asks for must be there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape


def filled(template: str, filters: Mapping[str, Callable[..., Any]] = MappingProxyType({}), **values: Any) -> str:
    """The text of ``templates/TEMPLATE`` with these values, which it may pass through these filters."""
    environment = Environment(
        loader=PackageLoader("boothlab.reports"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= filters
    return environment.get_template(template).render(**values)
