"""A study's means of weights with nothing left open: of which snapshots of which trainings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from boothlab.api.means import Part, with_parts
from boothlab.api.resolving import Resolved
from boothlab.errors import PlanError
from boothlab.plan import digest, trunk_digest
from boothlab.runs.run import folder_name, step_name
from boothlab.strategies.mean.config import Mean
from boothlab.studies.expand import Planned
from boothlab.studies.share import Shared, Trunk


def with_means(
    runs: Sequence[Planned], resolved: Sequence[Resolved], shared: Shared, root: Path
) -> tuple[tuple[Resolved, ...], Shared]:
    """The resolved runs, means with their snapshots in ``root`` named, and the trainings with a trunk for each mean.

    A member's snapshot is that of the training that gives it, which may be longer and may give others too. Raises
    PlanError where two members are one snapshot.
    """
    giver = {name: index for index, trunk in enumerate(shared.trunks) for name in trunk.members}
    known: dict[int, tuple[str, str]] = {}
    settled, trunks = [], list(shared.trunks)
    for planned, found in zip(runs, resolved, strict=True):
        if planned.members:
            for name in planned.members:
                if giver[name] not in known:
                    known[giver[name]] = _known_by(shared.trunks[giver[name]])
            snapshots, parts = [], []
            for name in planned.members:
                trunk, (training, folder) = shared.trunks[giver[name]], known[giver[name]]
                step = trunk.members[name]
                snapshots.append(str(root / folder / "snapshots" / step_name(step)))
                parts.append(Part(training, step, trunk.plan.training.snapshot_precision))
            _require_different(planned, parts)
            plan, inputs = with_parts(found.plan, found.inputs, parts)
            plan = plan.model_copy(update={"strategy": Mean(of=tuple(snapshots))})
            found = replace(found, plan=plan, inputs=inputs)
            steps = plan.training.total_steps(found.training_photos)
            trunks.append(Trunk(plan, inputs, steps, {planned.name: steps}, own=0, of=planned.members))
        settled.append(found)
    return tuple(settled), replace(shared, trunks=tuple(trunks))


def _known_by(trunk: Trunk) -> tuple[str, str]:
    """What a training's snapshots are known by, whatever its length, and its folder's name."""
    inputs = dict(trunk.inputs)
    whole = digest(trunk.plan, inputs)
    return trunk_digest(trunk.plan, inputs) or whole, folder_name(trunk.plan.name, whole)


def _require_different(planned: Planned, parts: Sequence[Part]) -> None:
    for index, part in enumerate(parts):
        if part in parts[:index]:
            one, other = planned.members[parts.index(part)], planned.members[index]
            raise PlanError(
                f"The mean {planned.name!r} is of {one} and of {other}, which are one snapshot of one training.",
                "Leave one of the two out.",
            )
