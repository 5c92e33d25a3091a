"""``boothlab check``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from boothlab.api.estimating import Estimate
    from boothlab.api.remedies import Remedy


def check(
    plan: Annotated[Path, typer.Argument(metavar="PLAN", help="Plan file or study file (TOML).")],
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="PATH=VALUE", help="Change a setting of the plan: path=value. May be repeated."
        ),
    ] = None,
    runs: Annotated[Path, typer.Option(help="Folder for run folders.")] = Path("runs"),
    studies: Annotated[Path, typer.Option(help="Folder for study folders.")] = Path("studies"),
) -> None:
    """Say what is wrong with a plan or study, and what it takes.

    No model is loaded. Wrong settings, a base model and photos that are not there are said in one list; what can only
    be seen in the photos themselves (too few, unusable) comes after that. The first check on a machine measures how
    fast it computes (some seconds) and remembers it.

    Example: boothlab check ada.toml
    """
    from boothlab import api
    from boothlab.api.checking import plan_to_check
    from boothlab.cli.screen import progress_screen, say
    from boothlab.cli.study import lines_of_study
    from boothlab.studies.plan import is_study
    from boothlab.subjects import called

    if is_study(plan):
        with progress_screen() as progress:
            whole = api.check_study(plan, studies, set_ or [], progress)
        for line in lines_of_study(*whole):
            say(line)
        return
    with progress_screen() as progress:
        found = api.check(plan_to_check(plan, set_ or []), runs, progress)
    for subject in found.plan.subjects:
        say(f"subject   {subject.name}: {called(subject)}")
    say(
        f"photos    {found.training_photos} to train on, {found.held_out_photos} held out, "
        f"{found.rejected_photos} set aside"
    )
    if found.estimate.trained:
        say(f"training  {steps(found.steps)}, snapshots at {', '.join(map(str, found.snapshots))}")
    else:
        say(f"training  none: the mean of other runs' weights, as step {found.steps}")
    say(f"pictures  {found.pictures} for the evaluation")
    for line in lines_of(found.estimate):
        say(line)
    say(f"folder    {found.folder}")
    for text in found.warnings:
        say(f"warning   {text}")


def lines_of(found: Estimate) -> list[str]:
    """The estimate for people."""
    from boothlab.statistics.digits import seconds

    per_step = (
        f"          {found.teraflops_per_step:.3g} TFLOP a step (counted), "
        f"{seconds(found.seconds_per_step)} s a step (at the rate measured on this machine)"
    )
    lines = [
        f"weights   {number(found.trained)} of {number(found.parameters)} numbers are trained",
        f"time      about {duration(sum(found.seconds.values()))}: {parts(found.seconds, duration)}",
        *([per_step] if found.trained else []),
        *(f"          {text}" for text in found.assumed),
        *([saving(found.rarer)] if found.rarer else []),
        f"memory    about {gigabytes(sum(found.memory.values()))} of {gigabytes(found.free_memory)} free: "
        f"{parts(found.memory, gigabytes)}",
        *([main_memory(found.host, found.free_host)] if found.host else []),
        f"disk      at most {gigabytes(sum(found.disk.values()))} of {gigabytes(found.free_disk)} free: "
        f"{parts(found.disk, gigabytes)}",
    ]
    lines += lines_of_remedies(found.remedies)
    if not found.fits:
        lines.append("warning   this plan does not fit on this machine as it is now")
    return lines


def lines_of_remedies(found: Sequence[tuple[str, Remedy]]) -> list[str]:
    """What saves how much of what there is too little of."""
    return [
        f"          less {what}: --set {remedy.setting} saves {gigabytes(remedy.saves)}; "
        + ("then it fits" if remedy.fits else "not enough alone")
        for what, remedy in found
    ]


def saving(rarer: int) -> str:
    """Where saving takes long, what makes it shorter."""
    return (
        f"          writing checkpoints takes long beside the steps: --set training.checkpoint_every={rarer} "
        "writes fewer (a training that is killed goes on from the last one)"
    )


def main_memory(host: Mapping[str, float], free: float) -> str:
    """What a plan for a GPU takes of the machine's own memory, by item."""
    from boothlab.api.remedies import ROOM

    taken = sum(host.values())
    short = "; too little: close other programs" if taken > ROOM * free else ""
    return (
        f"          main memory about {gigabytes(taken)} of {gigabytes(free)} free: {parts(host, gigabytes)}{short}"
    )


def parts(found: Mapping[str, float], shown: Callable[[float], str]) -> str:
    """The items that make a hundredth or more, largest first."""
    least = sum(found.values()) / 100
    items = sorted(found.items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {shown(value)}" for name, value in items if value > least)


def number(count: float) -> str:
    """A count of numbers, to three digits."""
    for size, unit in ((1e9, " billion"), (1e6, " million"), (1e3, " thousand")):
        if count >= size:
            return f"{count / size:.3g}{unit}"
    return f"{count:.0f}"


def steps(count: int) -> str:
    """``1 step``, ``300 steps``."""
    return f"{count} step{'' if count == 1 else 's'}"


def gigabytes(size: float) -> str:
    """Bytes, in GB of 10⁹ or MB of 10⁶."""
    # 999.5 MB and more would be written as 1e+03 MB.
    return f"{size / 1e9:.1f} GB" if size >= 0.9995e9 else f"{size / 1e6:.3g} MB"


def duration(length: float) -> str:
    """A length in seconds, in the unit that people would say."""
    from boothlab.statistics.digits import seconds

    if length >= 2 * 3600:
        return f"{length / 3600:.1f} h"
    return f"{length / 60:.1f} min" if length >= 120 else f"{seconds(length)} s"
