"""Forgetting a subject: everything goes, others stay, the user's photos are not touched, a search proves it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from filelock import FileLock

from boothlab import api
from boothlab.api import forgetting, rating
from boothlab.api.export_places import remember
from boothlab.api.studies import exports as study_exports
from boothlab.api.studies.across import ACROSS, ACROSS_DIFFERENCES
from boothlab.api.studies.carrying import CARRY
from boothlab.api.studies.reporting import plan_text
from boothlab.api.studies.resolving import resolve_study
from boothlab.api.studies.rivals import RIVALS
from boothlab.api.studies.running import OUTCOMES, held, train_and_score
from boothlab.api.studies.search_view import SEARCH
from boothlab.api.studies.searching import TRIALS
from boothlab.api.studies.sharing import Drawn as Sharing
from boothlab.api.studies.traces import FILES, TABLES, is_copy, mark
from boothlab.api.traces import look
from boothlab.config.show import to_toml
from boothlab.errors import Cancelled, NoAccess, PlanError, RunBusy
from boothlab.files import sha256_file, write_bytes
from boothlab.home import cache, home
from boothlab.photos.config import Photos
from boothlab.plan import plan_from
from boothlab.reports.rating import write_rating
from boothlab.runs.run import Run
from photos_made import Drawn, made_photo, photo_folder
from study_made import base_plan

CANARY = "Xanthippe"


def trained(base: Path, place: Path, *subjects: str, **training: Any) -> Run:
    """A short training of the named subjects; the canary's photos differ from everybody else's."""
    nodes = []
    for index, name in enumerate(subjects):
        folder = place / "photos" / f"of-{name}"
        if not folder.exists():
            photo_folder(folder, 0)
            for k in range(3):
                made_photo(100 * (sum(map(ord, name)) % 97) + k).save(folder / f"{k}.png")
        word = ["nlwx", "bsgo"][index]
        nodes.append({"name": name, "photos": str(folder), "identifier": word})
    tree = {
        "name": "-".join(subjects).lower(),
        "subjects": nodes,
        "base": {"model": str(base), "device": "cpu"},
        "objective": {"class_images": 2},
        "training": {"steps": 2, "threads": 1, **training},
        "generation": {"steps": 1},
        "evaluation": {"prompts": ["a photo of {it}"], "seeds_per_prompt": 1},
    }
    return api.train(plan_from(tree, "test"), place / "runs")


@pytest.fixture(scope="module")
def once(tiny_sd: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place where the canary was trained: ``runs/``, ``home/`` and ``photos/``; read only."""
    place = tmp_path_factory.mktemp("once")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BOOTHLAB_HOME", str(place / "home"))
        trained(tiny_sd, place, CANARY)
    return place


@pytest.fixture
def run(once: Path, tmp_path: Path, own_home: Path) -> Run:
    """The canary's run, copied with everything it shares."""
    shutil.copytree(once / "photos", tmp_path / "photos")
    shutil.copytree(once / "home", own_home, dirs_exist_ok=True)
    (path,) = (once / "runs").iterdir()
    return Run(shutil.copytree(path, tmp_path / "runs" / path.name))


def everything(*places: Path) -> dict[str, str]:
    """Path → hash of every file below the places."""
    return {str(p): sha256_file(p) for place in places for p in place.rglob("*") if p.is_file()}


def traces(name: str, photos: Path, *places: Path) -> list[str]:
    """An independent search: the name in paths and bytes, the photos' bytes and hashes."""
    needles = [name.lower().encode()]
    needles += [sha256_file(path).encode() for path in photos.iterdir()]
    whole = {sha256_file(path) for path in photos.iterdir()}
    found = []
    for path, digest in everything(*places).items():
        data = Path(path).read_bytes().lower()
        if name.lower() in path.lower() or digest in whole or any(needle in data for needle in needles):
            found.append(path)
    return found


@pytest.fixture(autouse=True)
def nowhere(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders that nobody names are looked for in the current one, where a checkout may have a demo of its own."""
    monkeypatch.chdir(tmp_path_factory.mktemp("nowhere"))


def test_the_canary_is_found_nowhere_and_everybody_else_is_untouched(tiny_sd: Path, tmp_path: Path) -> None:
    other = trained(tiny_sd, tmp_path, "Bob")
    classes = everything(cache("class-images"))
    bobs = everything(other.path, *cache("photo-sets").iterdir())
    run = trained(tiny_sd, tmp_path, CANARY)
    api.evaluate(run.path)
    api.export(run.path, tmp_path / "elsewhere")
    own = tmp_path / "photos" / f"of-{CANARY}"
    photos = everything(own)
    places = (tmp_path / "runs", home())
    assert traces(CANARY, own, *places)

    done = api.forget(CANARY, tmp_path / "runs")

    assert traces(CANARY, own, *places) == []
    assert done.remaining == ()
    assert done.searched == len(everything(*places))
    assert not run.path.exists()
    assert not (tmp_path / "elsewhere").exists()
    assert everything(own) == photos
    after = everything(*places)
    assert bobs.items() <= after.items()
    assert everything(cache("class-images")).keys() >= classes.keys() != set()
    contents = next(item.contents for item in done.removed if item.path == run.path)
    assert {"photos", "checkpoints", "snapshots", "images", "scores"} <= contents.keys()


def test_a_run_with_several_subjects_goes_as_a_whole_and_is_announced(tiny_sd: Path, tmp_path: Path) -> None:
    run = trained(tiny_sd, tmp_path, CANARY, "Bob")
    asked = []
    api.forget(CANARY, tmp_path / "runs", confirm=lambda found: asked.append(found) or True)
    assert asked[0].also == {str(run.path): ("Bob",)}
    assert not run.path.exists()


def test_the_same_photos_under_another_name_go_too(run: Run, tiny_sd: Path, tmp_path: Path) -> None:
    shutil.copytree(tmp_path / "photos" / f"of-{CANARY}", tmp_path / "photos" / "of-Alias")
    alias = trained(tiny_sd, tmp_path, "Alias")
    assert api.forget(CANARY, tmp_path / "runs").remaining == ()
    assert not alias.path.exists()


@pytest.mark.parametrize("name", ["me", "ada"])
def test_short_names_are_not_found_in_packed_pictures(name: str, tiny_sd: Path, tmp_path: Path) -> None:
    """Two or three letters turn up by chance in every few megabytes of pictures, also of those within pages."""
    trained(tiny_sd, tmp_path, name)
    other = trained(tiny_sd, tmp_path, "Bob")
    packed = b"\x89PNG\r\n\x1a\n\x00+" + name.upper().encode() + b"/\x00"
    (other.path / "images").mkdir(exist_ok=True)
    (other.path / "images" / "00000.png").write_bytes(packed)
    page = f'<img src="data:image/png;base64,AAAA+{name}/AAAA=="> nobody'
    (other.path / "report.html").write_text(page)
    (other.path / "notes.txt").write_text(f"sat beside {name}, who smiled")
    done = api.forget(name, tmp_path / "runs")
    assert done.remaining == (f"{other.path / 'notes.txt'}: says the name",)


def test_what_cannot_be_searched_or_removed_hides_nothing_else(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link to itself ended it after everything was removed, with "cannot go on" and not a word of what had gone."""
    (tmp_path / "runs" / "loop").symlink_to("loop")
    locked = tmp_path / "runs" / "locked.txt"
    locked.write_text("?")
    own = Path.read_bytes

    def read(path: Path) -> bytes:
        if path == locked:
            raise PermissionError(13, "Permission denied", str(path))
        return own(path)

    monkeypatch.setattr(Path, "read_bytes", read)
    real, sets = forgetting.remove, []

    def remove(path: Path, *given: object) -> object:
        if path.parent.name == "photo-sets":
            sets.append(path)
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(forgetting, "remove", remove)
    done = api.forget(CANARY, tmp_path / "runs")
    assert [item.path for item in done.removed] == [run.path]
    assert f"{locked}: could not be searched (Permission denied)" in done.remaining
    assert done.remaining[0].startswith(f"{sets[0]}: not removed, or only in part. Cannot remove {sets[0]}")


def test_a_run_of_others_that_shares_a_photo_says_so(run: Run, tiny_sd: Path, tmp_path: Path) -> None:
    """It was announced as trained together, which it never was."""
    first = min((tmp_path / "photos" / f"of-{CANARY}").iterdir())
    photo_folder(tmp_path / "photos" / "of-Bob", 3)
    shutil.copy(first, tmp_path / "photos" / "of-Bob" / "group.png")
    bob = trained(tiny_sd, tmp_path, "Bob")
    asked: list[Any] = []
    api.forget(CANARY, tmp_path / "runs", confirm=lambda found: asked.append(found) or True)
    assert asked[0].shared == {str(bob.path): (1, 4)}


def test_no_means_no_and_a_busy_run_is_refused_before_anything_goes(run: Run, tmp_path: Path) -> None:
    before = everything(tmp_path, home())
    with pytest.raises(Cancelled, match="Nothing was removed"):
        api.forget(CANARY, tmp_path / "runs", confirm=lambda found: False)
    with FileLock(run.path / ".lock"), pytest.raises(RunBusy, match="nothing was removed"):
        api.forget(CANARY, tmp_path / "runs")
    assert everything(tmp_path, home()) == before


@pytest.mark.parametrize("verb", ["generate", "report", "rate", "export"])
def test_whoever_writes_of_a_run_holds_it(verb: str, run: Run, tmp_path: Path) -> None:
    (run.path / "scores.csv").write_text("")
    (run.path / "summary.json").write_text("{}")
    verbs = {
        "generate": lambda: api.generate(run.path, ["a photo of {it}"], 1),
        "report": lambda: api.report(run.path),
        "rate": lambda: api.rate(run.path, tmp_path / "rating"),
        "export": lambda: api.export(run.path, tmp_path / "out"),
    }
    before = everything(tmp_path)
    with FileLock(run.path / ".lock"), pytest.raises(RunBusy, match="Another process is working on"):
        verbs[verb]()
    assert everything(tmp_path) == before


def test_nobody_is_forgotten_while_pictures_are_drawn(run: Run, tmp_path: Path) -> None:
    def forget(*told: Any) -> None:
        with pytest.raises(RunBusy, match="nothing was removed"):
            api.forget(CANARY, tmp_path / "runs")

    (picture,) = api.generate(run.path, ["a photo of {it}"], 1, progress=forget).pictures
    assert picture.path.is_file()
    assert api.forget(CANARY, tmp_path / "runs").remaining == ()
    assert not run.path.exists()


def test_a_misspelt_name_is_no_success(run: Run, tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=f"(?s)nothing of 'Xantippe'.*Subjects there: {CANARY}"):
        api.forget("Xantippe", tmp_path / "runs")


def test_a_misspelt_name_is_no_success_beside_what_a_killed_preparation_left(run: Run, tmp_path: Path) -> None:
    left = cache("photo-sets") / "0123456789abcdef.partial-99999999-00c0ffee"
    left.mkdir()
    with pytest.raises(PlanError, match="nothing of 'Xantippe'"):
        api.forget("Xantippe", tmp_path / "runs")
    assert left.exists()


def test_a_rating_page_that_cannot_be_noted_is_not_written(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`forget` would not find it. (A folder that is only read is open to root, so the disk is made to refuse.)"""

    def refused(*given: Any) -> None:
        raise NoAccess("exports.json cannot be written.")

    (subject,) = rating.plan_of(run).subjects
    shown = {f"step-00000{k}": {"context": [SimpleNamespace(picture=Drawn(k), text="a photo")]} for k in (1, 2)}
    monkeypatch.setattr(rating, "evaluation_pictures", lambda *given: {subject.name: shown})
    monkeypatch.setattr("boothlab.api.export_places.write_json", refused)
    with pytest.raises(NoAccess):
        api.rate(run.path, tmp_path / "rating")
    assert not (tmp_path / "rating").exists()


@pytest.mark.parametrize(
    "plan",
    [
        '{"plan": {"subjects": ["x"]}}',
        '{"plan": {"subjects": [{"name": "Bob"}]}}',
        '{"plan": {"subjects": [{"name": "Bob", "photos": 1}]}}',
        '{"plan": {"subjects": [{"name": "Bob", "photos": "of-bob"}, {"name": "Eve"}]}}',
        '{"plan": {"subjects": 1}}',
        '["plan"]',
        "[" * 100_000,
    ],
)
def test_a_damaged_plan_stops_nobody_elses_and_is_told(plan: str, run: Run, tmp_path: Path) -> None:
    damaged = tmp_path / "runs" / "bob-00000000"
    damaged.mkdir()
    (damaged / "plan.json").write_text(plan)
    (damaged / "plan.toml").write_text("a = " + plan)
    (damaged / "status.json").write_text("{}")
    with pytest.raises(PlanError, match="nothing of 'Xantippe'") as caught:
        api.forget("Xantippe", tmp_path / "runs")
    assert f"{damaged} could not be looked through" in caught.value.hint
    assert api.forget(CANARY, tmp_path / "runs").found.damaged == (damaged,)
    assert (damaged.exists(), run.path.exists()) == (True, False)


def test_prepared_photos_that_no_run_knows_are_found_by_their_hashes(run: Run, tmp_path: Path) -> None:
    shutil.rmtree(run.path)
    own = tmp_path / "photos" / f"of-{CANARY}"
    assert list(cache("photo-sets").iterdir())
    done = api.forget(CANARY, tmp_path / "runs", photos=own)
    assert done.remaining == ()
    assert traces(CANARY, own, home()) == []


def test_a_run_whose_making_was_interrupted_is_found(run: Run, tmp_path: Path) -> None:
    (run.path / "plan.json").unlink()
    assert api.forget(CANARY, tmp_path / "runs").remaining == ()
    assert not run.path.exists()


def test_what_others_say_about_the_subject_is_reported_not_removed(run: Run, tmp_path: Path) -> None:
    (tmp_path / "runs" / "table.csv").write_text(f"run,subject\n1,{CANARY.lower()}\n")
    (tmp_path / "runs" / "other.csv").write_text(f"{CANARY}ine\n")
    assert api.forget(CANARY, tmp_path / "runs").remaining == (f"{tmp_path / 'runs' / 'table.csv'}: says the name",)


def test_an_export_place_that_holds_something_else_by_now_is_left_alone(run: Run, tmp_path: Path) -> None:
    api.export(run.path, tmp_path / "out")
    (tmp_path / "out" / "export.json").write_text(json.dumps({"run": "another-00000000"}))
    api.forget(CANARY, tmp_path / "runs")
    assert (tmp_path / "out").exists()


def test_what_a_killed_preparation_left_goes_too(run: Run, tmp_path: Path) -> None:
    left = cache("photo-sets") / "0123456789abcdef.partial-99999999-00c0ffee"
    live = cache("photo-sets") / f"0123456789abcdef.partial-{os.getpid()}-00c0ffee"
    far = cache("photo-sets") / "0123456789abcdef.partial-99999999-00c0ffee-abcdef"
    for folder in (left, live, far):
        folder.mkdir()
        (folder / "000-a.png").write_bytes(b"a photo")
    api.forget(CANARY, tmp_path / "runs")
    assert not left.exists()
    assert live.exists(), "somebody is writing it"
    assert far.exists(), "and of another machine, nobody here knows"


def test_class_images_under_the_subjects_captions_go_and_plain_ones_stay(
    tiny_sd: Path, tmp_path: Path, own_home: Path
) -> None:
    trained(tiny_sd, tmp_path, "Bob")
    plain = {path.name for path in cache("class-images").iterdir()}
    folder = photo_folder(tmp_path / "photos" / f"of-{CANARY}", 0)
    for k in range(3):
        made_photo(k).save(folder / f"{k}.png")
    words = ("{it} at the clinic", "a photo of {it}", "{it} at the clinic")
    rows = "".join(f"{k}.png,{text}\n" for k, text in enumerate(words))
    (folder / "captions.csv").write_text(f"file,caption\n{rows}")
    trained(tiny_sd, tmp_path, CANARY)
    assert len(list(cache("class-images").iterdir())) == len(plain) + 1
    shutil.copytree(folder, tmp_path / "photos" / "of-Eve")
    (tmp_path / "photos" / "of-Eve" / "captions.csv").write_text("file,caption\n0.png,{it} in a clinic elsewhere\n")
    trained(tiny_sd, tmp_path, "Eve")  # the same photos, so the same person
    api.forget(CANARY, tmp_path / "runs")
    assert {path.name for path in cache("class-images").iterdir()} == plain
    assert not [path for path in home().rglob("*.json") if "clinic" in path.read_text("utf-8")]


def test_somebody_elses_photo_that_was_set_aside_costs_nobody_a_run(run: Run, tiny_sd: Path, tmp_path: Path) -> None:
    bob = trained(tiny_sd, tmp_path, "Bob")
    photo = json.loads((bob.path / "photos" / "Bob" / "manifest.json").read_text())["photos"][0]
    manifest = run.path / "photos" / CANARY / "manifest.json"
    tree = json.loads(manifest.read_text())
    tree["rejected"].append({"name": "stray.png", "code": "second-person", "source_hash": photo["source_sha256"]})
    manifest.write_text(json.dumps(tree))
    api.forget(CANARY, tmp_path / "runs")
    assert bob.path.exists()
    assert not run.path.exists()


def test_a_prepared_set_that_a_plan_named_goes_and_its_photos_stay(tiny_sd: Path, tmp_path: Path) -> None:
    photos = tmp_path / "photos" / f"of-{CANARY}"
    photo_folder(photos, 0)
    for k in range(3):
        made_photo(900 + k).save(photos / f"{k}.png")
    prepared = tmp_path / "sets" / "hers"
    api.prepare(photos, prepared, Photos(size=64))
    tree = {
        "name": "one",
        "subjects": [{"name": CANARY, "photos": str(prepared), "identifier": "nlwx"}],
        "base": {"model": str(tiny_sd), "device": "cpu"},
        "objective": {"prior_preservation": False},
        "training": {"steps": 1, "threads": 1},
    }
    api.train(plan_from(tree, "test"), tmp_path / "runs")
    before = everything(photos)
    assert api.forget(CANARY, tmp_path / "runs").remaining == ()
    assert not prepared.exists()
    assert everything(photos) == before
    assert traces(CANARY, photos, tmp_path / "runs", home()) == []


def test_a_rating_page_goes_and_what_lies_beside_it_stays(run: Run, tiny_sd: Path, tmp_path: Path) -> None:
    page, key = tmp_path / "rating" / "rating.html", tmp_path / "rating" / "rating-key.json"
    pictures = {f"step-00000{k}": [Drawn(k)] for k in (1, 2)}
    write_rating(page.parent, pictures, [np.zeros((8, 8, 3), np.uint8)], 0, CANARY, run=run.name)
    remember(run, page.parent)
    (page.parent / "answers.json").write_text("{}")
    other = tmp_path / "others"
    write_rating(other, pictures, [np.zeros((8, 8, 3), np.uint8)], 0, "Bob", run="bob-00000000")
    remember(run, other)
    api.forget(CANARY, tmp_path / "runs")
    assert (page.exists(), key.exists(), (page.parent / "answers.json").exists()) == (False, False, True)
    assert (other / "rating.html").exists(), "by now it is another run's"


@pytest.mark.parametrize(("answer", "code", "gone"), [("n\n", 130, False), ("y\n", 0, True)])
def test_the_command_asks(answer: str, code: int, gone: bool, run: Run, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "boothlab", "forget", CANARY]
    done = subprocess.run(command, cwd=tmp_path, env=dict(os.environ), input=answer, capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    assert run.path.exists() != gone
    if gone:
        assert "found nothing" in done.stdout
        assert "(your own photos)" in done.stdout


def test_what_the_demo_made_goes_too(run: Run, tmp_path: Path) -> None:
    """`forget` found nothing to do where one's photos had only been through `demo --photos`, and beside other runs it
    said that nothing was left."""

    def told(*options: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "boothlab", "forget", CANARY, "--yes", *options]
        return subprocess.run(command, cwd=tmp_path, env=dict(os.environ), capture_output=True, text=True)

    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "runs").rename(tmp_path / "elsewhere" / "runs")
    assert told().returncode == 2
    (tmp_path / "elsewhere").rename(tmp_path / "demo")
    done = told()
    assert done.returncode == 0, done.stderr
    assert "files below runs, studies and demo and in the shared cache" in " ".join(done.stdout.split())
    assert not (tmp_path / "demo" / "runs" / run.name).exists()
    assert told("--demo", "demo").returncode == 2, "it is gone"


COPY = to_toml({"folder": "/home/me", "name": "rates", "plan": {"subjects": [{"name": CANARY}]}})
"""The file of a study as it is written beside the study's page."""


def test_a_studys_pages_go_and_the_runs_of_others_stay(run: Run, tmp_path: Path) -> None:
    study = tmp_path / "studies" / "rates"
    shutil.copytree(run.path, study / "runs" / run.path.name)
    for name in ("report.html", "table.csv", "effects.csv", "choices.json", "outcomes.json"):
        (study / name).write_text(f"about {CANARY}")
    (study / "study.toml").write_text(COPY)
    (study / "held-out" / CANARY).mkdir(parents=True)
    shutil.copy2(next((tmp_path / "photos" / f"of-{CANARY}").iterdir()), study / "held-out" / CANARY / "0.png")
    other = study / "runs" / "bob-00000000"
    other.mkdir()
    tree = {"digest": "0" * 64, "plan": {"subjects": [{"name": "Bob", "photos": "x"}]}}
    (other / "plan.json").write_text(json.dumps(tree))

    done = api.forget(CANARY, tmp_path / "studies")

    assert done.remaining == ()
    assert sorted(path.name for path in study.iterdir()) == ["runs"]
    assert list((study / "runs").iterdir()) == [other]
    (removed,) = (item for item in done.removed if item.path == study)
    assert removed.contents["report"] == 1
    assert removed.contents["held-out"] == 1


def test_a_study_of_nobody_else_goes_whole(run: Run, tmp_path: Path) -> None:
    study = tmp_path / "studies" / "rates"
    shutil.copytree(run.path, study / "runs" / run.path.name)
    (study / "study.toml").write_text(COPY)
    mark(study, [CANARY])
    assert api.forget(CANARY, tmp_path / "studies").remaining == ()
    assert not study.exists()


def own_photos(place: Path) -> Path:
    """The canary's own eight photos."""
    return photo_folder(place / f"of-{CANARY}", 8, size=(72, 64), first=40)


def study_of(file: Path, tiny_sd: Path, photos: Path, **tree: Any) -> Path:
    """A study about the canary."""
    plan = base_plan(tiny_sd, photos, steps=2)
    plan["subjects"][0]["name"] = CANARY
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(to_toml({"name": "rates", **tree, "plan": plan}))
    return file


NUMBERS = {"axes": {"photos.number": [2, 3]}}
"""What makes a study draw held-out photos, and choose among the others."""


@pytest.mark.parametrize("marks", [True, False])
def test_a_study_that_was_only_checked_goes_with_its_copies(marks: bool, tiny_sd: Path, tmp_path: Path) -> None:
    """Also one from before there were marks."""
    own, studies = own_photos(tmp_path), tmp_path / "studies"
    study = resolve_study(study_of(tmp_path / "rates.toml", tiny_sd, own, **NUMBERS), studies).place
    assert sorted(path.name for path in study.iterdir()) == ["held-out", "photos", "study.json"]
    assert traces(CANARY, own, studies)
    assert traces(CANARY, own, cache("photo-sets"))
    if not marks:
        (study / "study.json").unlink()
    photos = everything(own)
    done = api.forget(CANARY, tmp_path / "runs", studies=studies)
    assert (done.remaining, traces(CANARY, own, studies, home())) == ((), [])
    assert not study.exists()
    assert everything(own) == photos
    with pytest.raises(PlanError, match=f"nothing of '{CANARY}'"):
        api.forget(CANARY, tmp_path / "runs", studies=studies)


@pytest.mark.parametrize("left", ["everything", "no mark", "no runs"])
def test_a_study_that_was_stopped_before_its_report_goes_with_its_encodings(
    left: str, tiny_sd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one from before there were marks; and one of which a removal that was killed had taken the runs."""

    def stopped(*given: Any) -> Any:
        raise Cancelled("Stopped at step 0.")

    monkeypatch.setattr("boothlab.api.trainer._events", stopped)
    own, studies = own_photos(tmp_path), tmp_path / "studies"
    study = resolve_study(study_of(tmp_path / "rates.toml", tiny_sd, own), studies)
    (trunk,) = study.shared.trunks
    with pytest.raises(Cancelled), held(study):
        train_and_score(study, trunk, study.of(trunk), Sharing())
    assert list((study.place / "encoded" / "latents").rglob("*.safetensors"))
    assert not (study.place / "study.toml").exists()
    write_bytes(study.place / ".pairs" / "pair.npz", b"of pictures")
    if left == "no mark":
        (study.place / "study.json").unlink()
    if left == "no runs":
        shutil.rmtree(study.root)
    photos = everything(own)
    done = api.forget(CANARY, tmp_path / "runs", photos=own, studies=studies)
    assert (done.remaining, traces(CANARY, own, studies, home())) == ((), [])
    assert not study.place.exists()
    assert everything(own) == photos


def test_copies_under_another_name_in_a_study_go_too(run: Run, tiny_sd: Path, tmp_path: Path) -> None:
    file = study_of(tmp_path / "rates.toml", tiny_sd, tmp_path / "photos" / f"of-{CANARY}", **NUMBERS)
    file.write_text(file.read_text().replace(f'"{CANARY}"', '"Alias"').replace("[2, 3]", "[1, 2]"))
    place = resolve_study(file, tmp_path / "studies").place
    other = tmp_path / "studies" / "other"
    shutil.copytree(photo_folder(tmp_path / "bob", 2, first=70), other / "held-out" / "Bob")
    mark(other, ["Bob"])
    assert api.forget(CANARY, tmp_path / "runs", studies=tmp_path / "studies").remaining == ()
    assert not place.exists()
    assert len(everything(other)) == 3


def test_a_study_that_somebody_works_on_is_refused_before_anything_goes(tiny_sd: Path, tmp_path: Path) -> None:
    studies = tmp_path / "studies"
    file = study_of(tmp_path / "rates.toml", tiny_sd, own_photos(tmp_path), **NUMBERS)
    study = resolve_study(file, studies)
    with held(study):
        before = everything(studies, home())
        with pytest.raises(RunBusy, match="nothing was removed"):
            api.forget(CANARY, studies)
        assert everything(studies, home()) == before


def test_a_folder_with_a_study_file_and_photos_of_the_users_is_no_studys_folder(run: Run, tmp_path: Path) -> None:
    """Who looks through the whole project must not lose it."""
    mine = [tmp_path / "study.toml", tmp_path / "held-out" / "more.png", tmp_path / "encoded" / "notes.txt"]
    for path in mine:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
    photos = everything(tmp_path / "photos")
    api.forget(CANARY, tmp_path)
    assert not run.path.exists()
    assert all(path.exists() for path in mine)
    assert everything(tmp_path / "photos") == photos


def test_what_the_user_keeps_in_a_studys_folder_stays(tiny_sd: Path, tmp_path: Path) -> None:
    """The study's file may lie there, and the photos where it puts its own copies."""
    place = tmp_path / "studies" / "rates"
    own = photo_folder(place / "photos", 8, size=(72, 64), first=40)
    (place / "originals").mkdir()
    (place / "originals" / "raw.dng").write_text("raw")
    (place / "portrait.png").write_bytes((own / "photo-40.png").read_bytes())
    for name in (f"{CANARY}.toml", "notes.txt", "paper.pdf", "my-table.csv"):
        (place / name).write_text("mine")
    (place / "held-out").mkdir()
    (place / "held-out" / "list.txt").write_text("mine")
    file = study_of(place / "study.toml", tiny_sd, own, **NUMBERS)
    before = everything(place)
    study = resolve_study(file, tmp_path / "studies")
    assert list(own.glob(f"{CANARY}-*"))
    (place / "rivals.csv").write_text("a table")
    done = api.forget(CANARY, tmp_path / "runs", photos=own, studies=tmp_path / "studies")
    assert everything(place) == before
    mine = {place / "portrait.png": "is a photo", place / f"{CANARY}.toml": "its name", file: "says the name"}
    assert set(done.remaining) == {f"{path}: {why}" for path, why in mine.items()}
    file.write_text(plan_text(study))
    assert is_copy(file), "what stands beside a page is no file of the user's"


def test_photos_of_the_users_within_what_goes_stay(run: Run, tiny_sd: Path, tmp_path: Path) -> None:
    """Whoever's they are: a plan names them."""
    for name, place in ((CANARY, run.path / "originals"), ("Bob", tmp_path / "studies" / "rates" / "encoded" / "of")):
        shutil.copytree(tmp_path / "photos" / f"of-{CANARY}", place / name)
        plan = {"digest": "0" * 64, "plan": {"subjects": [{"name": name, "photos": str(place / name)}]}}
        other = tmp_path / "runs" / f"{name}-00000000"
        other.mkdir()
        (other / "plan.json").write_text(json.dumps(plan))
    mark(tmp_path / "studies" / "rates", [CANARY])
    photos = everything(run.path / "originals", tmp_path / "studies" / "rates" / "encoded")
    api.forget(CANARY, tmp_path / "runs", studies=tmp_path / "studies")
    assert everything(run.path, tmp_path / "studies") == photos


def test_a_foreign_manifest_makes_no_photo_set_of_the_users_photos(run: Run, tmp_path: Path) -> None:
    own = tmp_path / "photos" / f"of-{CANARY}"
    plan = json.loads((run.path / "plan.json").read_text())
    plan["plan"]["subjects"][0]["photos"] = str(own)
    (run.path / "plan.json").write_text(json.dumps(plan))
    ours = (run.path / "photos" / CANARY / "manifest.json").read_text()
    for text in ("{}", "[]", '{"photos": 1}', '{"name": "an app", "photos": []}', ours):
        (own / "manifest.json").write_text(text)
        assert look(CANARY, [tmp_path / "runs"]).own == (own,)
    photos = everything(own)
    api.forget(CANARY, tmp_path / "runs")
    assert everything(own) == photos


def test_a_folder_with_a_date_and_a_plan_is_no_run(run: Run, tmp_path: Path) -> None:
    mine = tmp_path / "runs" / f"{CANARY}-20261127"
    mine.mkdir()
    shutil.copy2(run.path / "plan.toml", mine / "plan.toml")
    (mine / "raw.dng").write_text("raw")
    before = everything(mine)
    api.forget(CANARY, tmp_path / "runs")
    assert not run.path.exists()
    assert everything(mine) == before


def test_a_run_that_was_renamed_goes_with_its_export(run: Run, tmp_path: Path) -> None:
    api.export(run.path, tmp_path / "out")
    renamed = run.path.rename(run.path.with_name("final"))
    assert api.forget(CANARY, tmp_path / "runs").remaining == ()
    assert not renamed.exists()
    assert not (tmp_path / "out").exists()


def test_files_of_another_program_make_no_run_of_a_folder(run: Run, tmp_path: Path) -> None:
    mine = tmp_path / "runs" / "notes"
    mine.mkdir()
    shutil.copy2(run.path / "plan.toml", mine / "plan.toml")
    (mine / "plan.json").write_text(json.dumps({"digest": "0" * 64, "plan": {"subjects": []}}))
    (mine / "status.json").write_text("{}")
    (mine / "raw.dng").write_text("raw")
    (mine / "plan.json").write_text("{}")
    before = everything(mine)
    api.forget(CANARY, tmp_path / "runs")
    assert everything(mine) == before


def test_what_speaks_of_somebody_is_searched_before_nothing_is_claimed(run: Run, tmp_path: Path) -> None:
    alone = tmp_path / "runs" / "copy" / "events.jsonl"
    alone.parent.mkdir()
    alone.write_text(f'{{"subject": "{CANARY}"}}\n')
    shutil.rmtree(run.path)
    shutil.rmtree(home() / "cache")
    with pytest.raises(PlanError, match="these speak of it") as caught:
        api.forget(CANARY, tmp_path / "runs")
    assert f"{alone}: says the name" in caught.value.message


def test_what_lies_below_the_users_own_photos_is_searched(run: Run, tmp_path: Path) -> None:
    """As with photos = ".": the runs lie in the folder of the photos."""
    place = tmp_path / "place"
    shutil.copytree(tmp_path / "photos" / f"of-{CANARY}", place)
    made = Run(shutil.move(run.path, place / "runs" / run.name))
    tree = json.loads((made.path / "plan.json").read_text())
    tree["plan"]["subjects"][0]["photos"] = str(place)
    (made.path / "plan.json").write_text(json.dumps(tree))
    copy = shutil.copy2(place / "0.png", place / "runs" / "copy.png")
    (place / "runs" / "notes.txt").write_text(f"{CANARY} was here\n")
    done = api.forget(CANARY, place / "runs")
    assert set(done.remaining) == {f"{copy}: is a photo", f"{place / 'runs' / 'notes.txt'}: says the name"}
    assert (place / "0.png").is_file()


def test_the_users_own_photos_are_no_remains_where_runs_are_looked_for_beside_them(run: Run, tmp_path: Path) -> None:
    own = tmp_path / "photos" / f"of-{CANARY}"
    tree = json.loads((run.path / "plan.json").read_text())
    tree["plan"]["subjects"][0]["photos"] = str(own)
    (run.path / "plan.json").write_text(json.dumps(tree))
    assert api.forget(CANARY, tmp_path).remaining == ()
    assert (own / "0.png").is_file()


def test_a_place_that_an_old_plan_names_without_its_beginning_is_nowhere(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From today's folder it would be another place, and another person's photos."""
    tree = json.loads((run.path / "plan.json").read_text())
    tree["plan"]["subjects"][0]["photos"] = "of-Bob"
    (run.path / "plan.json").write_text(json.dumps(tree))
    photo_folder(tmp_path / "of-Bob", 2)
    monkeypatch.chdir(tmp_path)
    found = look(CANARY, [tmp_path / "runs"])
    assert found.own == ()
    assert not found.hashes & {sha256_file(path) for path in (tmp_path / "of-Bob").iterdir()}


def test_every_table_of_a_study_is_known_to_be_its_own() -> None:
    assert {*study_exports.TABLES, ACROSS, ACROSS_DIFFERENCES, CARRY, RIVALS, SEARCH} == set(TABLES)
    assert {*study_exports.TEXTS, OUTCOMES, TRIALS} - FILES == {"study.toml"}


def test_without_anybody_to_ask_the_answer_is_named(run: Run, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "boothlab", "forget", CANARY]
    done = subprocess.run(
        command, cwd=tmp_path, env=dict(os.environ), stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "Give --yes" in done.stderr
    assert run.path.exists()


@pytest.mark.parametrize("moved", ["", "snapshots", "checkpoints", "snapshots/step-000002", "photos"])
def test_what_lies_behind_a_link_goes_too(moved: str, run: Run, tmp_path: Path) -> None:
    place, there = tmp_path / "big" / "there", run.path / moved
    place.parent.mkdir()
    shutil.move(there, place)
    there.symlink_to(place)
    done = api.forget(CANARY, tmp_path / "runs")
    assert done.remaining == ()
    assert not place.exists()
    assert not os.path.lexists(run.path)
    contents = next(item.contents for item in done.removed if item.path == run.path)
    assert {"snapshots", "checkpoints", "photos"} <= contents.keys()


@pytest.mark.parametrize("name", ["snapshots", "mine"])
def test_what_is_not_only_the_subjects_behind_a_link_stays_and_is_told(name: str, run: Run, tmp_path: Path) -> None:
    place, link = tmp_path / "big", run.path / name
    if link.exists():
        shutil.move(link, place)
    place.mkdir(exist_ok=True)
    (place / "thesis.txt").write_text("nobody else has it")
    link.symlink_to(place)
    before = everything(place)
    done = api.forget(CANARY, tmp_path / "runs")
    assert everything(place) == before
    assert [text for text in done.remaining if text.startswith(f"{place}: ")], done.remaining


def test_links_round_in_a_circle_and_to_what_is_found_anyway_change_nothing(run: Run, tmp_path: Path) -> None:
    (tmp_path / "runs" / "again").symlink_to(run.path)
    (tmp_path / "runs" / "up").symlink_to(tmp_path)
    (run.path / "images").mkdir(exist_ok=True)
    (run.path / "images" / "round").symlink_to(run.path)
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / "runs").symlink_to(tmp_path / "runs")
    done = api.forget(CANARY, tmp_path / "runs", studies=tmp_path / "studies")
    assert done.found.runs == (run.path,)
    assert done.remaining == ()
    assert not run.path.exists()


def test_an_export_that_was_moved_is_told(run: Run, tmp_path: Path) -> None:
    api.export(run.path, tmp_path / "one")
    shutil.move(tmp_path / "one", tmp_path / "two")
    command = [sys.executable, "-m", "boothlab", "forget", CANARY, "--yes"]
    done = subprocess.run(command, cwd=tmp_path, env=dict(os.environ), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"gone      {tmp_path / 'one'}" in done.stdout
    assert "if you moved it" in done.stdout
