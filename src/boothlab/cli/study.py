"""``boothlab study``, and what ``boothlab check`` says of a study."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from boothlab.api.studies.costs import StudyCost
    from boothlab.api.studies.resolving import Study
    from boothlab.studies.share import Trunk

STUDIES = Path("studies")

MOST_LINES = 40
"""So many runs are listed one by one; of more only how many there are."""

NAME_PART = re.compile(r", (?![^(]*\))| · ")
"""What stands between the parts of a run's name: a comma, but not one within brackets, or the dot before its seed."""


def study(
    plan: Annotated[Path, typer.Argument(metavar="STUDY", help="Study file (TOML).")],
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="PATH=VALUE", help="Change a setting of the base plan: path=value. May be repeated."
        ),
    ] = None,
    studies: Annotated[Path, typer.Option(help="Folder for study folders.")] = STUDIES,
    ray: Annotated[
        str | None, typer.Option(help="Address of a Ray cluster that does the trainings; auto: this machine's.")
    ] = None,
) -> None:
    """Train and score all runs of a study, and write its page.

    Runs share what they have in common.
    Stopped or killed, the same command goes on. Runs that fail do not stop the others (exit code 3); the same command
    tries them again. `boothlab check STUDY` says beforehand what it takes.

    Example: boothlab study rates.toml
    """
    from boothlab import api
    from boothlab.cli.screen import progress_screen, say, warn
    from boothlab.errors import PartialStudy

    with progress_screen() as progress:
        found = api.study(plan, studies, set_ or [], progress, ray, warn)
    say(str(found.report))
    if found.failed:
        lines = [f"{', '.join(outcome.runs)}: {outcome.stage} failed: {outcome.reason}" for outcome in found.failed]
        raise PartialStudy(
            f"{len(found.failed)} of {len(found.outcomes)} trainings failed; the others are complete.\n"
            + "\n".join(f"  - {line}" for line in lines),
            "Give the same command again to try them again.",
        )


def lines_of_study(study: Study, cost: StudyCost) -> list[str]:
    """What `check` says of a study, for people."""
    from boothlab.cli.check import duration, gigabytes, lines_of_remedies, main_memory, parts, saving

    runs, shared = study.runs, study.shared
    settings = len({planned.setting for planned in runs if not planned.members})
    means = sum(bool(planned.members) for planned in runs)
    seeds = len(study.plan.seeds)
    times = "1 training seed" if seeds == 1 else f"{seeds} training seeds"
    lines = [f"study     {study.plan.name}: {len(runs)} runs, {settings} settings × {times}"]
    if means:
        lines[0] += f", and {means} means of weights"
    if seeds < 3:
        lines.append("          a statement about a setting needs 3 training seeds; this study can compare its runs")
    lines += [f"photos    {pool.sentence}" for pool in study.pools if pool.sentence]
    lines += lines_of_trainings(shared.trunks)
    done = sum(one.finished for trunk, one in zip(shared.trunks, cost.costs, strict=True) if not trunk.of)
    there = sum(one.there for one in cost.costs)
    if shared.asked:
        lines.append(
            f"steps     executes {shared.executes} of {shared.asked} steps ({shared.executes / shared.asked:.0%}), "
            f"in {sum(not trunk.of for trunk in shared.trunks)} trainings"
            + (f"; {done} of them are done" if done else "")
            + (f"; {there} steps{' of the others' if done else ''} are there already" if there else "")
        )
    lines += lines_of_search(study, cost)
    memory = cost.memory if cost.search is None else max(cost.memory, cost.search.memory)
    lines += [
        "shared    class images, photo sets, latents, text embeddings, the base model's pictures, vectors: made once",
    ]
    more = "; the search comes on top" if cost.search is not None else ""
    if cost.seconds:
        lines.append(f"time      about {duration(sum(cost.seconds.values()))}: {parts(cost.seconds, duration)}{more}")
        lines += [f"          {text}" for text in cost.assumed]
    lines += [] if cost.rarer is None else [saving(cost.rarer)]
    lines.append(f"memory    about {gigabytes(memory)} of {gigabytes(cost.free_memory)} free")
    lines += [main_memory(cost.host, cost.free_host)] if cost.host else []
    if cost.seconds or cost.search is None:
        lines.append(f"disk      at most {gigabytes(cost.disk)} of {gigabytes(cost.free_disk)} free{more}")
    lines += lines_of_remedies(cost.remedies)
    lines.append(f"folder    {study.place}")
    lines += [f"warning   {text}" for text in study.warnings]
    if not cost.fits:
        lines.append("warning   this study does not fit on this machine as it is now")
    return lines


def lines_of_trainings(trunks: Sequence[Trunk]) -> list[str]:
    """What is trained, and what is made of it."""
    from boothlab.cli.check import steps

    lines = []
    trained = [trunk for trunk in trunks if not trunk.of]
    averaged = [trunk for trunk in trunks if trunk.of]
    for trunk in trained[:MOST_LINES]:
        parted = f"; from step {trunk.branch} of a common stem" if trunk.stem is not None else ""
        lines.append(f"training  {steps(trunk.steps)}{parted} → {members_in_words(trunk.members)}")
    if len(trained) > MOST_LINES:
        lines.append(f"          and {len(trained) - MOST_LINES} trainings more")
    for trunk in averaged[:MOST_LINES]:
        lines.append(f"mean      of the weights of {len(trunk.of)} runs → {next(iter(trunk.members))}")
    if len(averaged) > MOST_LINES:
        lines.append(f"          and {len(averaged) - MOST_LINES} means more")
    return lines


def members_in_words(members: Mapping[str, int]) -> str:
    """The runs that are snapshots of one training (name → step): what their names share is said once.

    "ada, lr 0.001: steps 120, 240" for "ada, steps 120, lr 0.001" at 120 and the same at 240; "a (120), b (240)" for
    names that share nothing.
    """
    if len(members) == 1:
        return next(iter(members))
    names = [NAME_PART.split(name) for name in members]
    if len(set(map(len, names))) == 1:
        places = list(zip(*names, strict=True))
        common = [parts[0] for parts in places if len(set(parts)) == 1]
        varied = [parts for parts in places if len(set(parts)) > 1]
        if len(varied) == 1 and list(varied[0]) == [f"steps {step}" for step in members.values()]:
            return f"{', '.join(common)}{': ' if common else ''}steps {', '.join(map(str, members.values()))}"
        if common:
            own = zip(*varied, strict=True)
            each = (f"{', '.join(parts)} ({step})" for parts, step in zip(own, members.values(), strict=True))
            return f"{', '.join(common)}: {', '.join(each)}"
    return ", ".join(f"{name} ({step})" for name, step in members.items())


def lines_of_search(study: Study, cost: StudyCost) -> list[str]:
    """The most that a search can take; nothing without one."""
    from boothlab.cli.check import duration, gigabytes

    search, most = study.plan.search, cost.search
    if search is None or most is None:
        return []
    rungs = ", ".join(map(str, search.rungs))
    what = search.steps.rpartition(".")[2].replace("_", " ")
    seeds = "" if len(study.plan.seeds) == 1 else f" × {len(study.plan.seeds)} training seeds"
    few = search.most < search.trials
    return [
        f"search    {search.most} trials{seeds} over {', '.join(search.ranges)}; rungs at {what} {rungs}",
        *([f"          not {search.trials}: the ranges hold {search.most} settings, each tried once"] if few else []),
        f"          at most {most.steps} steps in {most.trainings} trainings, about {duration(most.seconds)}, "
        f"{gigabytes(most.disk)} of disk; one trial in {search.reduction} goes on at each rung, so usually less",
    ]
