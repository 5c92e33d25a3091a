"""Metrics that have no number here, as rows of the tables: which, why, and how to get them. (Torch-free.)"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from boothlab.metrics.metric import AnyMetric

Place = tuple[str, str, str]
"""(metric, pictures, reference)."""


@dataclass(frozen=True, slots=True)
class Lacking:
    """A metric that could not be measured in ``places``. ``reason`` is a sentence with the remedy in it."""

    metric: AnyMetric
    places: tuple[Place, ...]
    reason: str

    @property
    def where(self) -> str:
        """Kinds of pictures / references, as the rows with numbers name them."""
        roles = dict.fromkeys(pictures for _, pictures, _ in self.places)
        references = dict.fromkeys(reference for _, _, reference in self.places)
        return f"{', '.join(roles)} / {', '.join(references)}"

    @property
    def said(self) -> str:
        """What stands in place of numbers."""
        return f"not measured: {self.reason}"


def lacking(
    unavailable: Sequence[Mapping[str, str]], metrics: Sequence[AnyMetric], measured: Collection[Place] = ()
) -> tuple[Lacking, ...]:
    """A row per metric and reason, rows of one reason together, else in the order of ``metrics``.

    ``unavailable`` are lines of ``summary.json``: metric, pictures, reference, reason. What somebody has a number for
    (``measured``) is a row already, and photos judged as if drawn have none of their own.
    """
    found: dict[str, dict[str, list[Place]]] = {}
    for metric in metrics:
        for line in (line for line in unavailable if line["metric"] == metric.name):
            place = metric.name, line["pictures"], line["reference"]
            places = found.setdefault(line["reason"], {}).setdefault(metric.name, [])
            if place not in places and place not in measured and line["pictures"] != "photos":
                places.append(place)
    by_name = {metric.name: metric for metric in metrics}
    return tuple(
        Lacking(by_name[name], tuple(places), reason)
        for reason, own in found.items()
        for name, places in own.items()
        if places
    )


def parted(rows: Sequence[Lacking], first: Collection[Place]) -> tuple[tuple[Lacking, ...], tuple[Lacking, ...]]:
    """Rows with one of their places in ``first``, and all others."""
    named = tuple(row for row in rows if any(place in first for place in row.places))
    return named, tuple(row for row in rows if row not in named)
