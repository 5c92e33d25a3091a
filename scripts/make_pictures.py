"""The pictures of README and tutorial, from the demo's run: `python scripts/make_pictures.py demo docs/pictures`.

Rows: photos trained on, the untrained model, the untrained model told what she looks like, the snapshots. Columns are
the same prompts and initial noises in all rows but the first.
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image, ImageDraw

from boothlab.files import read_json
from boothlab.runs.run import Run

SIDE, LABEL, COLUMNS, QUALITY = 112, 118, 8, 84
NAMES = {"base": "base model", "described": "base, described"}


def row(run: Run, source: str, subject: str) -> list[Path]:
    """The first picture of each context prompt."""
    return sorted((run.images / source / subject).glob("context-*.png"))[::2][:COLUMNS]


def label(source: str) -> str:
    """What the row is called."""
    return NAMES.get(source) or f"step {int(source.removeprefix('step-'))}"


def main() -> None:
    """Write ``demo.jpg`` into the folder given second."""
    (folder,) = (Path(sys.argv[1]) / "runs").iterdir()
    run, out = Run(folder), Path(sys.argv[2])
    subject = read_json(run.path / "plan.json")["plan"]["subjects"][0]["name"]
    sources = [s for s in ("base", "described") if (run.images / s).is_dir()]
    sources += sorted(path.name for path in run.images.glob("step-*"))
    photos = sorted((run.path / "photos" / subject).glob("*.png"))[:COLUMNS]
    rows = [("photos", photos), *((label(source), row(run, source, subject)) for source in sources)]
    sheet = Image.new("RGB", (LABEL + COLUMNS * SIDE, len(rows) * SIDE), "white")
    pen = ImageDraw.Draw(sheet)
    for y, (name, paths) in enumerate(rows):
        pen.text((4, y * SIDE + SIDE / 2 - 7), name, fill="black", font_size=14)
        for x, path in enumerate(paths):
            with Image.open(path) as picture:
                small = picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS)
            sheet.paste(small, (LABEL + x * SIDE, y * SIDE))
    out.mkdir(parents=True, exist_ok=True)
    sheet.save(out / "demo.jpg", quality=QUALITY, optimize=True)
    print(out / "demo.jpg", (out / "demo.jpg").stat().st_size)


if __name__ == "__main__":
    main()
