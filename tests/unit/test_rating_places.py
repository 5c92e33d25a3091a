"""Where rating pages lie: each run's in a folder of its own, over nobody's files, and found by `forget`."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from boothlab import api
from boothlab.api import rating
from boothlab.cli.main import main
from boothlab.errors import PlanError
from boothlab.reports import rating as page_of
from boothlab.runs.run import Run, create_run
from photos_made import Drawn, photo_folder


def made(place: Path, name: str, digest: str) -> Run:
    """A run folder with a plan of the one subject ``name``; nothing is trained."""
    photo_folder(place / "photos" / name, 2)
    plan = {"name": name, "subjects": [{"name": name, "photos": str(place / "photos" / name)}]}
    return create_run(place / "runs", name, digest * 8, None, plan, "", {"format": 1})


def drawn(shade: int) -> SimpleNamespace:
    """A picture as the evaluation has it: drawn from a prompt with the identifier, judged by one without."""
    picture = Drawn(shade, "a photo of nlwx person wearing a red cap")
    return SimpleNamespace(picture=picture, text="a photo of a person wearing a red cap")


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Run, Run]:
    """Two runs of Ada and Bob in the current folder, whose snapshots have pictures already."""
    monkeypatch.chdir(tmp_path)
    shown = {f"step-00000{k}": {"context": [drawn(k)]} for k in (1, 2)}
    subjects = [SimpleNamespace(name="the one")]
    monkeypatch.setattr(rating, "plan_of", lambda run: SimpleNamespace(subjects=subjects))
    monkeypatch.setattr(rating, "evaluation_pictures", lambda *given: {"the one": shown})
    monkeypatch.setattr(rating, "photo_sets_of", lambda *given: {"the one": SimpleNamespace(photos=(), held_out=())})
    return made(tmp_path, "ada", "1a2b3c4d"), made(tmp_path, "bob", "5e6f7a8b")


def called(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> int:
    """The exit code of ``boothlab ARGUMENTS``."""
    monkeypatch.setattr("sys.argv", ["boothlab", *map(str, arguments)])
    return main()


def answered(folder: str, file: Path) -> Path:
    """The file of one who always preferred the left picture, as the page in a folder of ``rating`` saves it."""
    key = json.loads(Path("rating", folder, "rating-key.json").read_text())
    answers = [{"trial": k, "question": "likeness", "choice": "left"} for k in range(len(key["trials"]))]
    tree = {"format": 1, "kind": "boothlab-rating", "page": key["page"], "rater": "r", "saved": 1, "answers": answers}
    file.write_text(json.dumps(tree))
    return file


TRAINED_ON = "the pictures were learned from these"


@pytest.mark.parametrize("held_out", [0, 2])
def test_raters_compare_with_photos_that_nothing_was_learned_from(
    held_out: int, runs: tuple[Run, Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside the photo that it is a copy of, a copy is the picture that looks more like the person."""
    every = [SimpleNamespace(pixels=np.full((8, 8, 3), shade, np.uint8)) for shade in (10, 60, 120, 200)]
    found = SimpleNamespace(photos=tuple(every), held_out=tuple(every[2 : 2 + held_out]))
    monkeypatch.setattr(rating, "photo_sets_of", lambda *given: {"the one": found})
    text = api.rate(runs[0].path).path.read_text(encoding="utf-8")
    shown = [page_of.data_uri(photo.pixels) in text for photo in every]
    assert shown == ([False, False, True, True] if held_out else [True] * 4)
    assert (TRAINED_ON in " ".join(text.split())) == (held_out == 0)


def test_raters_are_asked_about_the_prompt_without_the_identifier(runs: tuple[Run, Run]) -> None:
    """They were asked which picture shows better "a photo of nlwx person wearing a red cap"."""
    text = api.rate(runs[0].path).path.read_text(encoding="utf-8")
    assert "nlwx" not in text
    assert '"prompt": "a photo of a person wearing a red cap"' in text


def test_each_run_has_a_page_of_its_own(runs: tuple[Run, Run]) -> None:
    pages = [api.rate(run.path).path for run in runs]
    assert pages == [Path("rating", run.name, "rating.html") for run in runs]
    for page, run in zip(pages, runs, strict=True):
        assert json.loads((page.parent / "rating-key.json").read_text())["run"] == run.name


def test_the_page_of_a_run_may_be_made_again(runs: tuple[Run, Run], tmp_path: Path) -> None:
    page = api.rate(runs[0].path, tmp_path / "out", seed=1).path
    before = page.read_bytes(), (tmp_path / "out" / "rating-key.json").read_bytes()
    page.unlink()
    assert api.rate(runs[0].path, tmp_path / "out", seed=1).path == page
    assert (page.read_bytes(), (tmp_path / "out" / "rating-key.json").read_bytes()) == before
    assert f'"page": "{json.loads(before[1])["page"]}"' in page.read_text()


@pytest.mark.parametrize("changed", ["seed", "photos", "pictures"])
def test_a_page_that_raters_may_have_answered_is_not_replaced_by_another(
    changed: str, runs: tuple[Run, Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was, in silence, and the answers to it were refused: "made with another page"."""
    page = api.rate(runs[0].path).path
    file = answered(runs[0].name, Path("answers.json"))
    before = page.read_bytes(), (page.parent / "rating-key.json").read_bytes()
    if changed == "photos":
        photo = SimpleNamespace(pixels=np.zeros((8, 8, 3), np.uint8))
        found = {"the one": SimpleNamespace(photos=(photo,), held_out=(photo,))}
        monkeypatch.setattr(rating, "photo_sets_of", lambda *given: found)
    if changed == "pictures":
        shown = {f"step-00000{k}": {"context": [drawn(10 + k)]} for k in (1, 2)}
        monkeypatch.setattr(rating, "evaluation_pictures", lambda *given: {"the one": shown})
    with pytest.raises(PlanError, match="holds another rating page") as found_out:
        api.rate(runs[0].path, seed=int(changed == "seed"))
    assert "--out" in found_out.value.hint
    assert (page.read_bytes(), (page.parent / "rating-key.json").read_bytes()) == before
    assert api.read_ratings(runs[0].path, [file])


def test_another_runs_page_is_left_alone(runs: tuple[Run, Run], tmp_path: Path) -> None:
    page = api.rate(runs[0].path, tmp_path / "out").path
    before = page.read_bytes(), (tmp_path / "out" / "rating-key.json").read_bytes()
    with pytest.raises(PlanError, match=f"holds rating.html and rating-key.json .* for {runs[1].name}"):
        api.rate(runs[1].path, tmp_path / "out")
    assert (page.read_bytes(), (tmp_path / "out" / "rating-key.json").read_bytes()) == before
    assert not (runs[1].path / "exports.json").exists(), "the run remembers a place that holds nothing of it"


@pytest.mark.parametrize(("name", "text"), [("rating.html", "mine"), ("rating-key.json", "{}")])
def test_a_users_own_file_is_left_alone(name: str, text: str, runs: tuple[Run, Run], tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / name).write_text(text)
    with pytest.raises(PlanError, match="nothing is overwritten"):
        api.rate(runs[0].path, tmp_path / "site")
    assert [path.name for path in (tmp_path / "site").iterdir()] == [name]
    assert (tmp_path / "site" / name).read_text() == text


def test_a_file_where_the_folder_should_be_is_named(runs: tuple[Run, Run], tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(PlanError, match="out is there and is no folder"):
        api.rate(runs[0].path, tmp_path / "out")


def test_a_page_that_was_cut_short_says_whose_it_is(
    runs: tuple[Run, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(path: Path, text: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(page_of, "write_text", killed)
        with pytest.raises(KeyboardInterrupt):
            api.rate(runs[0].path)
    assert [path.name for path in Path("rating", runs[0].name).iterdir()] == ["rating-key.json"]
    assert api.rate(runs[0].path).path.is_file()


def test_the_pages_of_somebody_forgotten_are_found_wherever_they_went(runs: tuple[Run, Run], tmp_path: Path) -> None:
    pages = [api.rate(runs[0].path).path, api.rate(runs[0].path, tmp_path / "elsewhere").path]
    kept = api.rate(runs[1].path).path
    assert api.forget("ada", tmp_path / "runs").remaining == ()
    assert [page.parent.exists() for page in (*pages, kept)] == [False, False, True]


def test_answers_are_read_with_the_key_of_their_run(
    runs: tuple[Run, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for run in runs:
        api.rate(run.path)
    file = answered(runs[0].name, tmp_path / "answers.json")
    assert called(monkeypatch, "rate", runs[0].path, "--read", file) == 0
    assert capsys.readouterr().out.startswith("step-000002 against step-000001, more like the one: ")
    place = Path("rating", runs[0].name)
    assert called(monkeypatch, "rate", runs[1].path, "--out", place, "--read", file) == 2
    said = capsys.readouterr().err
    assert f"{place} holds the rating page of {runs[0].name}, not of {runs[1].name}." in said


def test_answers_that_are_not_there_are_a_mistake_of_the_command(
    runs: tuple[Run, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    api.rate(runs[0].path)
    assert called(monkeypatch, "rate", runs[0].path, "--read", "answers.json", "--read", tmp_path) == 2
    assert f"--read is given answers.json, {tmp_path}: there is no such file." in capsys.readouterr().err


def test_answers_without_a_page_are_a_mistake_of_the_command(
    runs: tuple[Run, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "answers.json").write_text("{}")
    assert called(monkeypatch, "rate", runs[0].path, "--read", "answers.json") == 2
    said = capsys.readouterr().err
    assert f"{Path('rating', runs[0].name)} holds no rating page of {runs[0].name}" in said
    assert "--out" in said


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run of Ada and Bob in the current folder, whose snapshots have pictures of both already."""
    monkeypatch.chdir(tmp_path)
    shown = {
        name: {f"step-00000{k}": {"context": [drawn(shade + k)]} for k in (1, 2)}
        for name, shade in (("ada", 10), ("bob", 200))
    }
    sets = {name: SimpleNamespace(photos=(), held_out=()) for name in shown}
    monkeypatch.setattr(
        rating, "plan_of", lambda run: SimpleNamespace(subjects=[SimpleNamespace(name=name) for name in shown])
    )
    monkeypatch.setattr(rating, "evaluation_pictures", lambda *given: shown)
    monkeypatch.setattr(rating, "photo_sets_of", lambda *given: sets)
    return made(tmp_path, "both", "9a8b7c6d")


def test_each_subject_of_a_run_has_a_page_of_its_own(
    shared: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first was rated without a word, and nobody else could be."""
    first = api.rate(shared.path)
    assert (first.subject, first.others) == ("ada", ("bob",))
    assert called(monkeypatch, "rate", shared.path, "--subject", "bob") == 0
    assert "--subject" not in capsys.readouterr().out
    pages = [Path("rating", f"{shared.name}-{name}", "rating.html") for name in ("ada", "bob")]
    assert first.path == pages[0]
    texts = [page.read_text(encoding="utf-8") for page in pages]
    assert ["Above you see photos of bob." in text for text in texts] == [False, True]
    assert [page_of.data_uri(Drawn(201).pixels()) in text for text in texts] == [False, True]
    assert called(monkeypatch, "rate", shared.path) == 0
    assert "It asks about ada alone. For bob, add --subject." in capsys.readouterr().out
    with pytest.raises(PlanError, match="has not learned 'eve'") as found_out:
        api.rate(shared.path, subject="eve")
    assert found_out.value.hint == "It has learned ada, bob."


def test_answers_are_read_with_the_key_of_their_subject(
    shared: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("ada", "bob"):
        api.rate(shared.path, subject=name)
        file = answered(f"{shared.name}-{name}", tmp_path / f"{name}.json")
        assert called(monkeypatch, "rate", shared.path, "--subject", name, "--read", file) == 0
        assert f"step-000002 against step-000001, more like {name}: " in capsys.readouterr().out
    assert called(monkeypatch, "rate", shared.path, "--read", tmp_path / "ada.json") == 0
    place = Path("rating", f"{shared.name}-ada")
    command = ("rate", shared.path, "--subject", "bob", "--out", place)
    for more in ((), ("--read", tmp_path / "ada.json")):
        assert called(monkeypatch, *command, *more) == 2
        assert f"{place} holds the rating page of ada, not of bob." in capsys.readouterr().err


def test_pages_made_before_keys_named_their_subject_are_read(shared: Run, tmp_path: Path) -> None:
    """They were of the first one."""
    page = api.rate(shared.path).path
    key = page.with_name("rating-key.json")
    tree = json.loads(key.read_text())
    assert tree.pop("subject") == "ada"
    key.write_text(json.dumps(tree))
    file = answered(f"{shared.name}-ada", tmp_path / "answers.json")
    (line,) = api.read_ratings(shared.path, [file], page.parent, "ada")
    assert ", more like the person: " in line.sentence
    assert api.read_ratings(shared.path, [file], page.parent) == [line]
    with pytest.raises(PlanError, match="holds the rating page of ada, not of bob"):
        api.read_ratings(shared.path, [file], page.parent, "bob")
