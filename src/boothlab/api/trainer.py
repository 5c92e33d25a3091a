"""`train`: from a plan to a finished run folder, or to the same folder further on."""

from __future__ import annotations

import shutil
import signal
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cache as memo
from pathlib import Path
from types import FrameType

from boothlab.api.class_requests import class_requests
from boothlab.api.extending import extend
from boothlab.api.previewing import with_previews
from boothlab.api.resolving import Resolved, run_of
from boothlab.api.tracked import retell, tracked
from boothlab.config.show import to_toml
from boothlab.errors import BoothlabError, Cancelled, NoMemory, is_gpu_out_of_memory
from boothlab.files import read_table, write_json, write_text
from boothlab.models.load import load
from boothlab.models.model import Model
from boothlab.plan import RunPlan
from boothlab.progress import Progress, silent, within
from boothlab.runs.events import Event, Resumed, Started, Validated, Warned
from boothlab.runs.provenance import OTHERS, PROVENANCE, changed, provenance
from boothlab.runs.run import Run, step_name
from boothlab.strategies.mean.config import Mean
from boothlab.subjects import fill
from boothlab.training import checkpoint, threads
from boothlab.training.assemble import TrainingSet, build_job, build_pool, encode_held_out
from boothlab.training.batches import Example
from boothlab.training.class_images import ClassImage, class_images, own_class_images
from boothlab.training.class_request import BLOCK
from boothlab.training.job import Job
from boothlab.training.kept import Kept
from boothlab.training.loop import train

LESS_MEMORY = (
    "From the mildest: training.compute.gradient_checkpointing=true, a lower training.batch_size with a higher "
    "training.accumulate, training.compute.precision=bf16, training.optimizer.kind=adamw8bit, strategy.kind=lora. "
    "`boothlab check PLAN` lists what takes how much and, where it does not fit, what these save. Where previews are "
    "drawn, generation.batch_size=1 helps too."
)
"""What helps a training that a GPU's memory does not hold."""

LESS_FOR_CLASSES = (
    "Settings of the training do not help here. Close what else uses the GPU, give objective.class_folder with class "
    "pictures of your own, draw smaller ones (photos.size), or train without: objective.prior_preservation=false."
)
"""What helps where it does not hold a block of class images."""


def train_run(
    resolved: Resolved,
    root: Path,
    progress: Progress = silent,
    listen: Callable[[Event], None] = lambda event: None,
    kept: Path | None = None,
    track: Sequence[str] = (),
) -> Run:
    """Train what a plan says below ``root``; a finished run is returned as it is, a killed one goes on, and so does
    one from before a snapshot that was deleted.

    ``kept`` is a folder of encodings that other trainings may use too, and may have filled; ``track`` names the
    dashboards that hear what ``listen`` hears, and of a finished run what its log holds.
    """
    run = run_of(resolved, root)
    with run.writing():
        keep_place(run, resolved.plan)
        if run.status().state == "finished" and not go_back(run):
            let_go(run, resolved.plan)
            retell(run, track)
            return run
        run.move("running", run.status().step)
        step = run.status().step
        try:
            # Ctrl-C stops this at once: a block of class images can take minutes, and what is written is whole.
            job = make_job(run, resolved, progress, kept)
            extended = extend(run, resolved, job.steps)
            if extended is not None:
                run.say(extended)
            skipped: list[Path] = []
            resumed = _restore(run, job, skipped)
            if changed(run.path) and (extended is not None or not resumed):
                # Nothing of an earlier life is left, and what was taken over was made as today.
                write_json(run.path / PROVENANCE, provenance(resolved.inputs, resolved.plan.base.device))
            # Closed here, where what the last checkpoint runs into is still heard.
            with (
                stop_on_interrupt() as stopped,
                tracked(run, track, listen) as heard,
                closing(_events(run, job, resolved, resumed, skipped)) as events,
            ):
                if extended is not None:
                    listen(extended)  # dashboards have it from the log
                for event in events:
                    run.say(event)
                    heard(event)
                    step = event.step
                    progress("training", event.step, job.steps)
                    if stopped():
                        raise KeyboardInterrupt
        except KeyboardInterrupt:
            run.move("cancelled", step, "stopped by the user")
            raise Cancelled(
                f"Stopped at step {step}.", "Give the same command again and it goes on from there."
            ) from None
        except BaseException as error:
            if is_gpu_out_of_memory(error):
                run.move("failed", step, "out of GPU memory")
                raise NoMemory(f"The GPU ran out of memory at step {step}.", LESS_MEMORY) from error
            record_failure(run, step, error)
            raise
        run.move("finished", job.step)
        let_go(run, resolved.plan)
    return run


def let_go(run: Run, plan: RunPlan) -> None:
    """Delete a finished run's checkpoints where its plan keeps none; a later call finishes what a kill left."""
    if plan.training.keep_checkpoints == 0:
        shutil.rmtree(run.checkpoints, ignore_errors=True)


def keep_place(run: Run, plan: RunPlan) -> None:
    """Write down where the run's base model is by now, and what it is the mean of: they are the same ones, or this
    would be another run."""
    old = run.plan()
    new = {**old, "base": {**old["base"], "model": plan.base.model}}
    if isinstance(plan.strategy, Mean):
        new["strategy"] = plan.strategy.model_dump(mode="json")
    if new != old:
        write_text(run.path / "plan.toml", to_toml(new))
        write_json(run.path / "plan.json", {**read_table(run.path / "plan.json"), "plan": new})


def go_back(run: Run) -> bool:
    """Take a finished run back to before the first snapshot that is not there any more, or has no weights; False
    where all are there."""
    lacking = run.lacking()
    for step in lacking:
        shutil.rmtree(run.snapshots / step_name(step), ignore_errors=True)
    for step in checkpoint.steps_in(run.checkpoints) if lacking else ():
        if step > lacking[0]:
            shutil.rmtree(run.checkpoints / step_name(step))
    return bool(lacking)


def record_failure(run: Run, step: int, error: BaseException) -> None:
    """Say in the run folder that it failed; on a full disk that may be impossible, and the error itself counts."""
    reason = error.message if isinstance(error, BoothlabError) else f"{type(error).__name__}: {error}"
    try:
        run.move("failed", step, reason)
    except (BoothlabError, OSError):
        return


def _events(run: Run, job: Job, resolved: Resolved, resumed: bool, skipped: Sequence[Path]) -> Generator[Event]:
    if resumed:
        yield from with_previews([Resumed(job.step)], run, job, resolved.plan)
        others = changed(run.path)
        if others:
            yield Warned(
                job.step,
                OTHERS,
                f"Begun otherwise ({', '.join(others)}): from step {job.step} on nothing is the same bit for bit as "
                "without the interruption.",
            )
    else:
        started = Started(0, steps=job.steps, parameters=job.attached.num_parameters)
        yield from with_previews([started], run, job, resolved.plan)
        yield from (Warned(0, "identifier", text) for text in resolved.warnings)
    for path in skipped:
        yield Warned(job.step, "damaged-checkpoint", f"{path.name} is damaged and was passed over.")
    events = train(job)
    try:
        yield from with_previews(events, run, job, resolved.plan)
    finally:
        events.close()  # type: ignore[attr-defined]


def _restore(run: Run, job: Job, skipped: list[Path]) -> bool:
    """Go on from the newest whole checkpoint, if there is one. What was read is free again on return."""
    found = checkpoint.newest(run.checkpoints, skipped.append)
    if found is None:
        return False
    job.restore(found)
    job.looks = [e for e in run.events() if isinstance(e, Validated) and e.step <= found.step]
    return True


def make_job(run: Run, resolved: Resolved, progress: Progress = silent, folder: Path | None = None) -> Job:
    """Everything the loop needs: class images, encoded pictures, the strategy attached to the base model.

    Encodings are looked up in ``folder``, and kept there, where it is given.
    """
    plan = resolved.plan
    kept = None if folder is None else Kept(folder, resolved.inputs["base"])
    base = memo(lambda: load(plan.base, plan.photos.size))
    threads.take(plan.training)
    classes = class_pictures(resolved, base, progress)
    pool = build_pool(
        base(),
        plan.objective,
        [TrainingSet(subject, resolved.sets[subject.name].train) for subject in plan.subjects],
        classes,
        within(progress, "encoding"),
        resolved.inputs["base"],
        kept,
    )
    held_out: tuple[Example, ...] = ()
    if plan.training.validation.every is not None:
        others = [TrainingSet(subject, resolved.sets[subject.name].held_out) for subject in plan.subjects]
        held_out = encode_held_out(base(), plan.objective, others, kept)
    job = build_job(base(), plan.strategy, plan.subjects, plan.objective, plan.training, pool, run.path, kept)
    job.held_out = held_out
    job.settle()
    return job


def class_pictures(resolved: Resolved, model: Callable[[], Model], progress: Progress) -> dict[str, list[ClassImage]]:
    """Class images by class noun; none without prior preservation."""
    plan = resolved.plan
    objective, nouns = plan.objective, {subject.class_noun: None for subject in plan.subjects}
    if objective.class_folder is not None:
        folder, count = objective.class_folder, objective.class_images
        return {noun: own_class_images(folder, count, fill(objective.class_prompt, noun)) for noun in nouns}
    tell = within(progress, "class images")
    requests = class_requests(plan, resolved.inputs["base"], resolved.sets)
    try:
        return {noun: class_images(request, model, tell) for noun, request in requests.items()}
    except RuntimeError as error:
        if not is_gpu_out_of_memory(error):
            raise
        raise NoMemory(
            f"The GPU ran out of memory while class images were drawn, {BLOCK} at a time.", LESS_FOR_CLASSES
        ) from error


@contextmanager
def stop_on_interrupt() -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C into a flag that is looked at between steps; the second one stops at once.

    Outside the main thread signals cannot be caught, and the flag never rises.
    """
    raised = False

    def note(signum: int, frame: FrameType | None) -> None:
        nonlocal raised
        if raised:
            raise KeyboardInterrupt
        raised = True

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    old = signal.signal(signal.SIGINT, note)
    try:
        yield lambda: raised
    finally:
        signal.signal(signal.SIGINT, old)
