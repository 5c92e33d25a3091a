"""The whole way through the real command line: plan, check, train, evaluate, report, generate, show."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from boothlab.api import drawing, pictures
from boothlab.runs.run import open_run
from command_line import boothlab
from photos_made import photo_folder

PLAN = """
name = "ada"

[[subjects]]
name = "ada"
photos = "photos"
class_noun = "person"

[base]
model = "{model}"

[strategy]
kind = "dreambooth"
learning_rate = 1e-3

[objective]
class_images = 4

[training]
steps = 6
snapshots = [3]
checkpoint_every = 2
threads = 1

[generation]
steps = 2

[evaluation]
prompts = ["a photo of {{it}}", "a photo of {{it}} on a red background"]
bare = 2
class_pictures = 1
unrelated = []
"""


@pytest.fixture(scope="module")
def journey(tiny_sd: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """Everything the commands said, and where they left it."""
    place = tmp_path_factory.mktemp("journey")
    photo_folder(place / "photos", 9)
    (place / "photos" / "notes.jpg").write_text("not a picture")
    (place / "ada.toml").write_text(PLAN.format(model=tiny_sd))
    home = place / "home"
    said = {}
    said["check"] = boothlab("check", "ada.toml", home=home, cwd=place)
    said["train"] = boothlab("train", "ada.toml", home=home, cwd=place)
    run = place / said["train"].stdout.strip()
    said["again"] = boothlab("train", "ada.toml", home=home, cwd=place)
    said["evaluate"] = boothlab("evaluate", run, "--json", home=home, cwd=place)
    said["report"] = boothlab("report", run, home=home, cwd=place)
    said["generate"] = boothlab(
        "generate", run, "--prompt", "a drawing of {it}", "--seeds", "2", home=home, cwd=place
    )
    said["show"] = boothlab("show", run, "--json", home=home, cwd=place)
    said["differs"] = boothlab("show", run, "--json", "--diff", home=home, cwd=place)
    for name, result in said.items():
        assert result.returncode == 0, f"{name}: {result.stderr}"
    return {"place": place, "run": run, "said": said}


def test_check_says_what_train_then_does(journey: dict[str, object]) -> None:
    said = journey["said"]
    assert "6 to train on, 3 held out, 1 set aside" in said["check"].stdout
    assert "6 steps, snapshots at 3, 6" in said["check"].stdout
    folder = re.search(r"folder +(\S+)", said["check"].stdout)
    assert folder is not None
    assert folder[1] == said["train"].stdout.strip()


def test_the_same_command_finds_the_same_run(journey: dict[str, object]) -> None:
    said = journey["said"]
    assert said["again"].stdout == said["train"].stdout
    assert len(list((journey["place"] / "runs").iterdir())) == 1


def test_scores_have_every_picture_and_read_back(journey: dict[str, object]) -> None:
    with (journey["run"] / "scores.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    cross = [r for r in rows if r["metric"] == "lpips_cross" and r["reference"] == "held_out"]
    drawn = [r for r in cross if r["pictures"] == "context"]
    # 3 sources (base, two snapshots) × 2 prompts × 2 seeds
    assert len(drawn) == 12
    assert {r["snapshot"] for r in drawn} == {"base", "step-000003", "step-000006"}
    assert all(0.0 < float(r["value"]) < 2.0 for r in drawn)
    # The photos themselves and a cheater that copies them stand beside the models: six photos each.
    assert sorted(r["snapshot"] for r in cross if r["pictures"] == "photos") == ["copies"] * 6 + ["photos"] * 6
    said = json.loads(journey["said"]["evaluate"].stdout)
    wanted = ("base", "context", "lpips_cross", "train")
    names = ("snapshot", "pictures", "metric", "reference")
    one = next(s for s in said["summaries"] if tuple(s[n] for n in names) == wanted)
    values = [float(r["value"]) for r in rows if tuple(r[n] for n in names) == wanted]
    assert one["n"] == len(values) == 4
    assert one["mean"] == pytest.approx(np.mean(values), rel=1e-12)


def test_a_tiny_random_model_is_not_recommended(journey: dict[str, object]) -> None:
    said = json.loads(journey["said"]["evaluate"].stdout)
    (ruling,) = said["rulings"]
    assert ruling["verdict"]["recommended"] is None
    assert [j["name"] for j in ruling["verdict"]["judgements"]] == ["step-000003", "step-000006"]
    likeness = {g["state"] for j in ruling["verdict"]["judgements"] for g in j["gates"] if g["name"] == "likeness"}
    assert likeness == {"not measured"}, "nothing here has a face"
    missing = {line["metric"]: line["reason"] for line in said["unavailable"]}
    assert "boothlab fetch inception" in missing["fid"]


def test_what_has_no_weights_is_a_row_that_says_how_to_get_them(journey: dict[str, object]) -> None:
    place = journey["place"]
    said = boothlab("evaluate", journey["run"], "--all", home=place / "home", cwd=place).stdout
    (row,) = [line for line in said.splitlines() if " fid " in line]
    assert row.split()[:4] == ["–", "fid", "context", "/"]
    assert "not measured: FID's Inception weights are not here" in row
    assert "`boothlab fetch inception FILE`" in row
    assert said.index(" lpips_cross ") < said.index(" fid ") < said.index("Intervals are 95 %")
    (row,) = [line for line in said.splitlines() if line.split()[1:2] == ["kid"]]
    assert "`boothlab fetch inception FILE`" in row

    page = (journey["run"] / "report.html").read_text()
    tables = re.findall(r'<table class="scores">.*?</table>', page, re.S)
    first, others = [
        re.findall(r"<tr>.*?</tr>", table.partition('<tbody class="lacking">')[2], re.S) for table in tables[:2]
    ]
    (fid,) = [row for row in first if "fid · context / " in row]
    assert "not measured: FID&#39;s Inception weights are not here" in fid
    assert "`boothlab fetch inception FILE`" in fid
    assert 'colspan="6"' in fid, "photos, copies, base, two snapshots, and n"
    assert [row for row in others if "kid · context / " in row]
    assert "<b>fid</b>" not in page


def test_what_evaluate_prints_is_the_answer_and_a_small_table(journey: dict[str, object]) -> None:
    place = journey["place"]
    said = boothlab("evaluate", journey["run"], home=place / "home", cwd=place).stdout.splitlines()
    assert said[0].startswith("None of them may be recommended: 2 not judged.")
    start = next(number for number, line in enumerate(said) if line.startswith("verdict"))
    heads = re.split(r" {2,}", said[start - 1].strip())
    assert heads == ["base model", "step 3", "step 6"]
    assert re.split(r" {2,}", said[start]) == ["verdict", "not judged", "not judged"]
    names = [re.split(r" {2,}", line)[0] for line in said[start + 1 : start + 7]]
    assert [name.split()[0] for name in names] == ["Likeness", "Prompt", "Faces", "Copies", "Leak", "Background"]
    assert [line for line in said if line.startswith("Not measured: ")]
    assert "With --all" in said[-1]
    assert len(said) < 20


def test_without_held_out_photos_every_score_is_said_to_be_to_training_photos(tiny_sd: Path, tmp_path: Path) -> None:
    photo_folder(tmp_path / "photos", 3)
    plan = PLAN.format(model=tiny_sd).replace("[evaluation]", "[evaluation]\nseeds_per_prompt = 1")
    (tmp_path / "ada.toml").write_text(plan)
    run = tmp_path / boothlab("train", "ada.toml", home=tmp_path / "home", cwd=tmp_path).stdout.strip()
    short = boothlab("evaluate", run, home=tmp_path / "home", cwd=tmp_path).stdout
    assert "All scores of ada are to training photos: none is held out." in short.splitlines()[0]
    (missing,) = [line for line in short.splitlines() if "there are no held-out photos" in line]
    assert missing.startswith("Not measured: Likeness, Leak: ")
    said = boothlab("evaluate", run, "--all", home=tmp_path / "home", cwd=tmp_path)
    assert "All scores of ada are to training photos: none is held out." in said.stdout
    of_held_out = [line for line in said.stdout.splitlines() if "/ held_out" in line]
    assert all(" not measured: " in line for line in of_held_out)
    bare = {line.split()[1] for line in of_held_out if "there are no held-out photos" in line}
    assert bare >= {"identity", "face_pres"}
    page = boothlab("report", run, home=tmp_path / "home", cwd=tmp_path)
    assert page.returncode == 0
    assert "All scores of ada are to training photos" in (run / "report.html").read_text()


def test_scoring_again_looks_up_what_it_has(journey: dict[str, object]) -> None:
    scores = journey["run"] / "scores.csv"
    before = (scores.read_bytes(), scores.stat().st_mtime_ns)
    place = journey["place"]
    again = boothlab("evaluate", journey["run"], home=place / "home", cwd=place)
    assert again.returncode == 0, again.stderr
    assert (scores.read_bytes(), scores.stat().st_mtime_ns) == before
    assert "Prompt following" in again.stdout
    assert "features" not in again.stderr


def test_pictures_are_drawn_with_the_trainings_threads(
    journey: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a process that never trained, as after a kill: sums depend on the number of threads in their last bits."""
    run, seen, draw = open_run(journey["run"]), [], pictures.generate

    def watched(*given: Any) -> Any:
        seen.append(torch.get_num_threads())
        return draw(*given)

    plan = pictures.plan_of(run)
    assert plan.training.num_threads() == 1
    monkeypatch.setattr(pictures, "generate", watched)
    monkeypatch.setattr(drawing, "generate", watched)
    before = torch.get_num_threads()
    ways = (
        lambda: pictures.evaluation_pictures(run, plan),
        lambda: pictures.fresh_pictures(run, plan, plan.subjects[0], "step-000006"),
        lambda: drawing.draw(run, drawing.Asked(["a drawing of {it}"], 2)),
    )
    try:
        for way in ways:
            torch.set_num_threads(2)
            way()
    finally:
        torch.set_num_threads(before)
    assert seen
    assert set(seen) == {1}
    shutil.rmtree(run.images / "fresh")


def test_the_training_changed_the_pictures_and_the_seeds_are_shared(journey: dict[str, object]) -> None:
    images = journey["run"] / "images"
    names = ("base", "step-000006")
    sidecars = {name: json.loads((images / name / "ada" / "context-00-00.json").read_text()) for name in names}
    assert sidecars["base"]["seed"] == sidecars["step-000006"]["seed"]
    assert sidecars["base"]["prompt"] == "a photo of a person"
    assert re.fullmatch(r"a photo of \w+ person", sidecars["step-000006"]["prompt"])
    base, tuned = (np.array(Image.open(images / n / "ada" / "context-00-00.png"), int) for n in names)
    assert base.shape == (64, 64, 3)
    assert np.abs(base - tuned).max() > 0


def test_the_report_is_one_file_with_everything_in_it(journey: dict[str, object]) -> None:
    page = (journey["run"] / "report.html").read_text()
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    # 9 photos; contexts 3 × 4, bare 3 × 2, class 3 × 1; 4 + 2 in the filmstrip, 2 pairs beside the verdict.
    assert page.count("data:image/webp;base64,") == 9 + 12 + 6 + 3 + 5 + 2 * 2
    assert "Take none of these snapshots" in page
    assert page.count('<svg role="img"') == 2, "variety and the training loss: nothing else can be measured here"
    assert "notes.jpg is not a picture" in page
    assert "learning_rate = 0.001" in page


def test_generate_draws_what_was_asked(journey: dict[str, object]) -> None:
    *paths, last = journey["said"]["generate"].stdout.splitlines()
    assert len(paths) == 2
    assert last == f"Look at {journey['run']}/images/prompts/pictures.html"
    pictures = [np.array(Image.open(journey["place"] / path), int) for path in paths]
    assert np.abs(pictures[0] - pictures[1]).max() > 0


def test_show_tells_state_and_snapshots(journey: dict[str, object]) -> None:
    shown = json.loads(journey["said"]["show"].stdout)
    assert shown["status"] == {"state": "finished", "step": 6, "reason": ""}
    assert shown["snapshots"] == [3, 6]
    assert shown["plan"]["photos"]["size"] == 64
    differing = json.loads(journey["said"]["differs"].stdout)
    differs = {one["setting"]: (one["value"], one["default"]) for one in differing}
    assert differs["photos.size"] == (64, None)
    assert "photos.held_out" not in differs


def reported(journey: dict[str, object], run: Path) -> Any:
    return boothlab("report", run, home=journey["place"] / "home", cwd=run.parent)


def test_a_report_says_that_the_snapshot_it_would_show_is_gone(journey: dict[str, object], tmp_path: Path) -> None:
    """It was a KeyError; that other snapshots are gone stops no page."""
    run = shutil.copytree(journey["run"], tmp_path / "run")
    (run / "snapshots" / "step-000003").rename(tmp_path / "step-000003")
    assert reported(journey, run).returncode == 0
    (tmp_path / "step-000003").rename(run / "snapshots" / "step-000003")
    shutil.rmtree(run / "snapshots" / "step-000006")
    (run / "report.html").unlink()
    said = reported(journey, run)
    assert said.returncode == 2
    assert "the snapshot step-000006 was scored, the page shows it, and it is not there any more" in " ".join(
        said.stderr.split()
    )
    assert not (run / "report.html").exists()


def test_a_report_does_not_show_other_pictures_than_were_scored(journey: dict[str, object], tmp_path: Path) -> None:
    run = shutil.copytree(journey["run"], tmp_path / "run")
    picture = next(path for path in sorted((run / "images").rglob("bare-*.png")) if "step-000006" in str(path))
    with Image.open(picture) as image:
        Image.new("RGB", image.size, (255, 0, 0)).save(picture)
    said = reported(journey, run)
    assert said.returncode == 2
    assert "its pictures or photos are not those that were scored" in " ".join(said.stderr.split())


def test_a_report_says_that_other_weights_are_here_by_now(journey: dict[str, object], tmp_path: Path) -> None:
    run = shutil.copytree(journey["run"], tmp_path / "run")
    tree = json.loads((run / "summary.json").read_text())
    assert "Scored with other weights" not in (run / "report.html").read_text()
    tree["features"]["clip_t"][1] = "it was not here then"
    (run / "summary.json").write_text(json.dumps(tree))
    assert reported(journey, run).returncode == 0
    assert "Scored with other weights than are here by now (clip_t)" in (run / "report.html").read_text()
