"""A study's means of weights with nothing left open: of which snapshots of which trainings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from boothlab.api.means import Part, with_parts
from boothlab.api.resolving import Resolved
from boothlab.plan import digest
from boothlab.runs.run import folder_name, step_name
from boothlab.strategies.mean.config import Mean
from boothlab.studies.expand import Planned
from boothlab.studies.share import Shared, Trunk


def with_means(
    runs: Sequence[Planned], resolved: Sequence[Resolved], shared: Shared, root: Path
) -> tuple[tuple[Resolved, ...], Shared]:
    """The resolved runs, means with their snapshots in ``root`` named, and the trainings with a trunk for each mean.

    A member's snapshot is that of the training that gives it, which may be longer and may give others too.
    """
    trunk_of = {name: trunk for trunk in shared.trunks for name in trunk.members}
    settled, trunks = [], list(shared.trunks)
    for planned, found in zip(runs, resolved, strict=True):
        if planned.members:
            givers = [(trunk_of[name], trunk_of[name].members[name]) for name in planned.members]
            parts = [Part(digest(trunk.plan, dict(trunk.inputs)), step) for trunk, step in givers]
            snapshots = tuple(
                str(root / folder_name(trunk.plan.name, part.digest) / "snapshots" / step_name(part.step))
                for (trunk, _), part in zip(givers, parts, strict=True)
            )
            plan, inputs = with_parts(found.plan, found.inputs, parts)
            plan = plan.model_copy(update={"strategy": Mean(of=snapshots)})
            found = replace(found, plan=plan, inputs=inputs)
            steps = plan.training.total_steps(found.training_photos)
            trunks.append(Trunk(plan, inputs, steps, {planned.name: steps}, own=0, of=planned.members))
        settled.append(found)
    return tuple(settled), replace(shared, trunks=tuple(trunks))
