"""``boothlab forget``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from boothlab.api.traces import Found


def forget(
    subject: Annotated[str, typer.Argument(metavar="SUBJECT", help="Name of the subject, as plans call it.")],
    runs: Annotated[Path, typer.Option(help="Folder whose run folders are looked through, at any depth.")] = Path(
        "runs"
    ),
    studies: Annotated[
        Path, typer.Option(help="Folder whose studies are looked through, also such as were only checked.")
    ] = Path("studies"),
    demo: Annotated[Path, typer.Option(help="Folder of `boothlab demo`; it is looked through too.")] = Path("demo"),
    photos: Annotated[
        Path | None, typer.Option(help="The subject's photos, if no run knows them; they are only read.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove everything of a person, and prove it.

    Prepared photos, weights, pictures, scores and reports.

    Looks through --runs, --studies, --demo, the shared cache, and wherever plans took prepared photos from and
    exports and rating pages went. Your own folder of photos is never touched. A run with several subjects is removed
    as a whole, and so are the pages, photos and encodings of a study; what lies behind a link in it goes too, if
    boothlab made all of it. A set of `prepare --out` that no plan names, and copies that you made, are yours to
    delete.

    Example: boothlab forget ada
    """
    from boothlab import api
    from boothlab.cli.screen import say
    from boothlab.errors import PlanError

    def confirm(found: Found) -> bool:
        for path in found.folders:
            partly = "  (only what boothlab wrote there)" if path in (*found.studies, *found.ratings) else ""
            say(f"remove    {path}{partly}{_of_others(found, path)}")
        for line in _beside(found):
            say(line)
        try:
            return yes or typer.confirm("Remove all of this for good?")
        except typer.Abort:
            if sys.stdin.isatty():
                raise
            raise PlanError("Nobody is there to ask; nothing was removed.", "Give --yes to remove it.") from None

    done = api.forget(subject, runs, photos, confirm, studies, demo)
    for item in done.removed:
        contents = ", ".join(f"{count} {kind}" for kind, count in sorted(item.contents.items()))
        say(f"removed   {item.path}: {item.size / 1e6:.1f} MB; files: {contents}")
    for text in done.remaining:
        say(f"remains   {text}")
    result = "nothing" if not done.remaining else f"{len(done.remaining)} places, listed above"
    say(
        f"searched  {done.searched} files below {runs}, {studies} and {demo} and in the shared cache for the name "
        f"{subject!r} and {len(done.found.hashes)} hashes of photos: found {result}"
    )
    if done.remaining:
        raise typer.Exit(1)


def _beside(found: Found) -> list[str]:
    """What is not removed and should be known of, a line each."""
    gone = "an export or a rating page went there, which is not there any more: if you moved it, delete it"
    unknown = "its plan is damaged: it could not be looked through"
    return [
        *(f"keep      {path}  (your own photos)" for path in found.own),
        *(f"unknown   {path}  ({unknown})" for path in found.damaged),
        *(f"gone      {path}  ({gone})" for path in found.gone),
    ]


def _of_others(found: Found, path: Path) -> str:
    """Who else loses this folder, and why; "" for nobody."""
    others = ", ".join(found.also.get(str(path), ()))
    if str(path) in found.shared:
        count, total = found.shared[str(path)]
        return f"  (of {others}: {count} of its {total} photos are also {found.subject}'s)"
    return f"  (with {others}, trained together)" if others else ""
