"""``boothlab prepare``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def prepare(
    photos: Annotated[Path, typer.Argument(metavar="PHOTOS", help="Folder of photos as they come from the camera.")],
    out: Annotated[Path, typer.Option(help="Folder for the photo set.")],
    base: Annotated[str, typer.Option(help="Base model that the photos are sized for.")] = "toon",
    size: Annotated[int | None, typer.Option(help="Side in pixels, instead of the base model's.")] = None,
    domain: Annotated[str, typer.Option(help="photographs, drawings, or auto: drawings for toon.")] = "auto",
    framing: Annotated[str, typer.Option(help="auto, head, smart, letterbox or center.")] = "auto",
    keep: Annotated[
        list[str] | None, typer.Option(help="Use this photo whatever screening says; repeatable.")
    ] = None,
    references: Annotated[Path | None, typer.Option(help="Folder of photos to hold out, never trained on.")] = None,
) -> None:
    """Turn a folder of photos into a photo set.

    Says what became of every file.

    Example: boothlab prepare photos/ada --out sets/ada
    """
    from boothlab import api
    from boothlab.cli.screen import progress_screen, say
    from boothlab.config.load import validate
    from boothlab.files import read_json
    from boothlab.models.config import Base, placed_base
    from boothlab.photos.captions import without_photo
    from boothlab.photos.config import Photos

    given: dict[str, Any] = {"domain": domain, "framing": framing, "keep": keep or [], "size": size}
    settings = validate(Photos, given, "the command line").model_copy(update={"references": references})
    with progress_screen() as progress:
        made = api.prepare(photos, out, settings, placed_base(Base(model=base), Path.cwd()), progress)
    photos_kept = f"{len(made.photos)} photo{'' if len(made.photos) == 1 else 's'} kept"
    say(f"{photos_kept} ({len(made.held_out)} held out), {len(made.rejected)} set aside → {out}")
    for item in made.rejected:
        say(f"  {item.name} {item.reason}")
    about = read_json(out / "manifest.json")
    for other in about["other_files"]:
        if without_photo(other["fate"]):
            say(f"  {other['name']}: {other['fate']}")
    if about["remark"]:
        say(about["remark"])
    say(about["variety"]["says"])
    if about["variety"]["shared"]:
        say(f"All of them share: {', '.join(about['variety']['shared'])}.")
    for line in about["variety"]["next"]:
        say(f"  {line}")
    say(f"Look at {out / 'contact-sheet.html'}")
