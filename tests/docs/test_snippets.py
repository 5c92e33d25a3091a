"""What the documentation tells people to type works: plans are valid, commands and their options exist."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from boothlab.cli.main import app
from boothlab.config.load import validate
from boothlab.plan import RunPlan
from command_line import boothlab

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(language: str) -> list[tuple[str, str]]:
    """(page, text) of every fenced block of a language."""
    found = []
    for page in PAGES:
        for match in re.finditer(rf"^```{language}\n(.*?)^```", page.read_text(), re.M | re.S):
            found.append((str(page.relative_to(ROOT)), match[1]))
    return found


def commands() -> list[tuple[str, str]]:
    """(page, command line) of every boothlab command in a shell block, without its comment."""
    return [
        (page, line.split("  #")[0].strip())
        for page, text in blocks("sh")
        for line in text.splitlines()
        if line.strip().startswith("boothlab ")
    ]


@pytest.mark.parametrize(("page", "text"), blocks("toml"))
def test_plans_in_the_docs_are_valid(page: str, text: str) -> None:
    import tomllib

    assert validate(RunPlan, tomllib.loads(text), page).subjects


@pytest.mark.parametrize("text", [text for page, text in blocks("toml") if page == "README.md"])
def test_plans_of_the_readme_keep_all_their_snapshots_with_eight_photos(text: str) -> None:
    """Five of eight are trained on; a newcomer's first plan must not begin with a warning."""
    import tomllib

    training = validate(RunPlan, tomllib.loads(text), "README.md").training
    assert len(training.snapshots) == 2
    assert max(training.snapshots) <= training.total_steps(5)


@pytest.mark.parametrize(("page", "text"), blocks("python"))
def test_python_in_the_docs_runs(page: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(text, page, "exec"), {})


@pytest.mark.parametrize(("page", "line"), commands())
def test_commands_in_the_docs_exist_with_their_options(page: str, line: str, tmp_path: Path) -> None:
    words = shlex.split(line)
    names = {command.name for command in app.registered_commands}
    assert words[1] in names, f"{page}: {line}"
    help_text = boothlab(words[1], "--help", home=tmp_path, cwd=tmp_path).stdout
    for option in (word.split("=")[0] for word in words[2:] if word.startswith("--")):
        assert re.search(rf"{option}\b", help_text), f"{page}: {line}: {option}"


def test_the_docs_have_snippets_to_test() -> None:
    assert len(blocks("toml")) >= 1
    assert len(commands()) >= 5


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_ci_runs_the_readmes_commands(tmp_path: Path) -> None:
    script = (ROOT / ".ci" / "run").read_text()
    function = script[script.index("readme_command()") : script.index("rm -rf")]
    for name, ending in (("demo", "boothlab demo"), ("test", "pytest")):
        result = subprocess.run(
            ["bash", "-c", f"{function}\nreadme_command {name}"], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert result.stdout.strip().endswith(ending)
        assert result.stdout.strip() in (ROOT / "README.md").read_text()
