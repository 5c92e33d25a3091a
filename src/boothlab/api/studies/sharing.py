"""What runs of a study have in common on disk: the beginning of a training, the base model's pictures, features."""

from __future__ import annotations

from typing import Any

from boothlab.api.extending import take_beginning, trained_alike
from boothlab.api.relatives import copy_folder, take_drawn
from boothlab.evaluation.lots import BASE, DESCRIBED
from boothlab.files import sha256_json
from boothlab.plan import RunPlan
from boothlab.runs.events import Extended
from boothlab.runs.run import Run
from boothlab.training import checkpoint


def branch(run: Run, stem: Run, step: int, plan: RunPlan, steps: int) -> int | None:
    """Give a run of ``steps`` that has taken none the first ``step`` steps of ``stem``, which went the same way.

    The step it can go on from, or None where there was nothing to take. What is taken over is what training from the
    start would have given, bit for bit: the rate was the same in every one of these steps.
    """
    if checkpoint.steps_in(run.checkpoints) or step not in checkpoint.steps_in(stem.checkpoints):
        return None
    if not trained_alike(stem):
        return None
    with run.writing():
        taken = take_beginning(run, stem, step, plan, steps)
        if taken is not None:
            run.say(Extended(taken, source=stem.name))
    return taken


class Drawn:
    """The evaluated runs of a study, as givers of what the base model drew and of vectors of pictures.

    What is given is checked by whoever uses it: pictures by their sidecars, vectors by their pictures' hashes. So a
    gift that does not fit costs a copy and changes nothing.
    """

    def __init__(self) -> None:
        self._givers: dict[str, Run] = {}

    def add(self, run: Run, plan: RunPlan, inputs: dict[str, str]) -> None:
        """From now on ``run`` gives."""
        for key in _keys(plan, inputs).values():
            self._givers.setdefault(key, run)

    def give(self, run: Run, plan: RunPlan, inputs: dict[str, str]) -> None:
        """Copy into ``run`` what it would draw and look at again."""
        with run.writing():
            # First, because who drew the run's own snapshots has their vectors, and not the base model's alone.
            take_drawn(run, plan)
            for subject, key in _keys(plan, inputs).items():
                giver = self._givers.get(key)
                if giver is None or giver.path == run.path:
                    continue
                for source in (BASE, DESCRIBED):
                    copy_folder(giver.images / source / subject, run.images / source / subject)
                copy_folder(giver.path / "features", run.path / "features")


def _keys(plan: RunPlan, inputs: dict[str, str]) -> dict[str, str]:
    """Subject → what the base model's pictures for it depend on."""
    common: list[Any] = [inputs["base"], plan.photos.size]
    common += [plan.generation.model_dump(mode="json"), plan.evaluation.model_dump(mode="json")]
    return {s.name: sha256_json([*common, s.name, s.class_noun, s.description]) for s in plan.subjects}
