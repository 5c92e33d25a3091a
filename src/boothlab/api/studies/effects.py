"""What a study's page says of the differences between one subject's runs: a table, and what holds for all of it."""

from __future__ import annotations

from collections.abc import Sequence

from boothlab.reports.study import EffectCell, EffectRow, EffectsView
from boothlab.statistics.comparisons import LEVEL
from boothlab.statistics.variance import SEEDS_NEEDED
from boothlab.studies.across import Difference
from boothlab.studies.compare import Effect, seeds_and_settings
from boothlab.studies.points import COLUMNS, LIKENESS, PROMPT, Point

DECIDING = tuple(column for column in COLUMNS if column.decides)


def effects_view(found: Sequence[Effect], points: Sequence[Point], subject: str, caution: str) -> EffectsView:
    """The section of one subject; ``found`` are the comparisons of the whole study, ``points`` the subject's own.

    ``caution`` is what was said already of too few training seeds.
    """
    own = [effect for effect in found if effect.subject == subject]
    rows = [(f"{effect.name}: {effect.b} against {effect.a}", effect) for effect in own]
    notes = tuple(_spread(points, subject, caution) + (_reach(own, len(found)) if rows else [_untested(points)]))
    return changes_view(rows, notes)


def changes_view(found: Sequence[tuple[str, Effect | Difference]], notes: Sequence[str] = ()) -> EffectsView:
    """A row per change, in their order, with a cell for each number that decides; ``found`` names the changes."""
    rows: dict[str, dict[str, EffectCell]] = {}
    for change, one in found:
        cell = EffectCell(one.difference, one.low, one.high, one.finding, one.shown)
        rows.setdefault(change, {})[one.column.key] = cell
    heads = [column for column in DECIDING if any(column.key in cells for cells in rows.values())]
    lines = (EffectRow(change, tuple(cells.get(column.key) for column in heads)) for change, cells in rows.items())
    return EffectsView(tuple(f"{column.title} ↑" for column in heads), tuple(lines), tuple(notes))


def _spread(points: Sequence[Point], subject: str, caution: str) -> list[str]:
    """How much comes from training seeds, by column; once where that cannot be told, not at all after ``caution``."""
    parts = [(column.title, found) for column, found in seeds_and_settings(points, subject)]
    if any(not found.about_settings for _, found in parts):
        said = [found.sentence for _, found in parts if not found.about_settings]
        return [] if caution else list(dict.fromkeys(said))
    return [f"{title}: {found.sentence}" for title, found in parts]


def _reach(own: Sequence[Effect], comparisons: int) -> list[str]:
    """Whether these comparisons could have shown anything after the correction for all of the study's."""
    beyond = [effect for effect in own if effect.smallest is not None and effect.smallest > LEVEL]
    if not beyond:
        return []
    least = min(effect.smallest for effect in beyond if effect.smallest is not None)
    units = sorted({effect.units or effect.n for effect in beyond})
    prompts = f"{units[0]} prompts" if len(units) == 1 else f"{units[0]} to {units[-1]} prompts"
    every = len(beyond) == len(own)
    which = "no difference here can" if every else f"{len(beyond)} of {len(own)} differences here cannot"
    return [
        f"Fewer than {SEEDS_NEEDED} training seeds: what is tested are {prompts}, and with so few {which} pass the "
        f"correction for the study's {comparisons} comparisons (p could not have been below {least:.2g}). The "
        "numbers say how large a difference seems, and decide nothing."
    ]


def _untested(points: Sequence[Point]) -> str:
    """Why no two runs are compared."""
    if not any(key in point.cells for point in points for key in (LIKENESS, PROMPT)):
        return "Neither likeness nor prompt following could be measured, so no difference is tested."
    return "No two finished runs differ in one setting only, so nothing can be said about any setting."
