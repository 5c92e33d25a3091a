"""What ``--help`` says fits its line, and names what is to be typed."""

from __future__ import annotations

import re

import pytest
from typer.testing import CliRunner

from boothlab.cli.main import app
from boothlab.photos.variety import Variety

NAMES = sorted(str(command.name) for command in app.registered_commands)


def said(*words: str) -> str:
    return CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "80"}).output


def test_no_summary_is_cut_off() -> None:
    commands = said().split("Commands:")[1]
    assert "..." not in commands
    lines = re.findall(r"^  (\w+) +(.+)$", commands, re.M)
    assert {name for name, _ in lines} >= set(NAMES)
    assert [text for _, text in lines if len(text) > 60] == []
    assert dict(lines)["fetch"] == "Import weights that you downloaded, for a metric."


@pytest.mark.parametrize("name", NAMES)
def test_usage_names_what_is_to_be_typed(name: str) -> None:
    usage, rest = said(name).split("\n", 1)
    assert "{" not in usage
    assert "<list[str]>" not in rest.partition("--set")[2].partition("\n")[0]


def test_usage_of_a_run_and_of_settings() -> None:
    assert said("report").startswith("Usage: boothlab report [OPTIONS] RUN\n")
    assert "--set PATH=VALUE" in said("train")


@pytest.mark.parametrize(
    ("worth", "ending"), [(4.2, "as varied as 4 quite different ones."), (1.1, "as varied as one alone.")]
)
def test_what_photos_are_worth_is_said_of_their_variety(worth: float, ending: str) -> None:
    assert Variety(7, worth, (), ()).sentence == f"Your 7 training photos are {ending}"
