"""The tutorial, typed by a reader: every command in its order, in one folder, with the plan saved where it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from boothlab.files import read_json

PAGE = Path(__file__).parents[2] / "docs" / "tutorial" / "first-light.md"


def blocks() -> list[tuple[str, str]]:
    """(language, text) of every fenced block, in order."""
    return [(found[1], found[2]) for found in re.finditer(r"^```(\w+)\n(.*?)^```", PAGE.read_text(), re.M | re.S)]


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_every_command_of_the_tutorial_works(tmp_path: Path) -> None:
    scripts = tmp_path / "bin"
    scripts.mkdir()
    for name, words in (("python", [sys.executable]), ("boothlab", [sys.executable, "-m", "boothlab"])):
        (scripts / name).write_text(f'#!/bin/sh\nexec {" ".join(words)} "$@"\n')
        (scripts / name).chmod(0o755)
    place = tmp_path / "place"
    place.mkdir()
    names = {**os.environ, "PATH": f"{scripts}:{os.environ['PATH']}", "BOOTHLAB_HOME": str(tmp_path / "home")}
    said: dict[str, str] = {}
    for language, text in blocks():
        if language == "toml":
            (place / "tomo.toml").write_text(text)
        for line in text.splitlines() if language == "sh" else []:
            print(line, flush=True)
            done = subprocess.run(["bash", "-c", line], cwd=place, env=names, capture_output=True, text=True)
            assert done.returncode == 0, f"{line}\n{done.stderr}"
            said[line] = done.stdout
    assert "report.html" in said["boothlab demo"]
    assert "snapshots: 120, 180, 240, 300" in said["boothlab show demo/runs/demo-*"]
    (demo,) = (place / "demo" / "runs").iterdir()
    page = (demo / "report.html").read_text()
    assert "10 to train on, 18 held out" in page
    for name, why in (("IMG_0004", "is blurred"), ("IMG_0010", "is nearly the same"), ("IMG_0012", "is too dark")):
        assert re.search(rf"{name}\.jpg {why}", page), name
    assert "sks: not good" in said["boothlab tokens sks nlwx"]
    assert "nlwx: good" in said["boothlab tokens sks nlwx"]
    runs = sorted((place / "runs").iterdir())
    assert [read_json(run / "status.json")["step"] for run in runs if "tomo" in run.name].count(60) == 1
