"""What people hand in by mistake: one clear message, the right exit code, nothing half-written."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from command_line import boothlab
from training_made import Place, make_place, only_message


def no_photos(place: Place) -> list[str]:
    for path in (place.path / "photos").iterdir():
        path.unlink()
    return []


def text_called_jpg(place: Place) -> list[str]:
    no_photos(place)
    (place.path / "photos" / "notes.jpg").write_text("This is no picture.")
    return []


def too_few(place: Place) -> list[str]:
    return ["--set", "photos.minimum=4"]


def photos_are_a_file(place: Place) -> list[str]:
    return ["--set", "subjects.0.photos=ada.toml"]


def pickled_file(place: Place) -> list[str]:
    class Evil:
        def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
            return exec, (f"open({str(place.path / 'it-ran')!r}, 'w')",)

    (place.path / "sd.ckpt").write_bytes(pickle.dumps(Evil()))
    return ["--set", "base.model=sd.ckpt"]


def pickled_folder(place: Place) -> list[str]:
    model = Path(next(line for line in (place.path / "ada.toml").read_text().splitlines() if "model" in line)[9:-1])
    shutil.copytree(model, place.path / "copy")
    unet = place.path / "copy" / "unet"
    (unet / "diffusion_pytorch_model.safetensors").rename(unet / "diffusion_pytorch_model.bin")
    return ["--set", "base.model=copy"]


def not_toml(place: Place) -> list[str]:
    (place.path / "ada.toml").write_text("name: ada\nphotos: [photos]\n")
    return []


CASES: dict[str, tuple[Callable[[Place], list[str]], int, str]] = {
    "no photos": (no_photos, 2, "has no usable photo; at least 1 is needed"),
    "text called .jpg": (text_called_jpg, 2, "notes.jpg is not a picture"),
    "too few photos": (too_few, 2, "has 3 usable photos; at least 4 are needed"),
    "missing folder": (lambda place: ["--set", "subjects.0.photos=nowhere"], 2, "nowhere does not exist"),
    "nobody's home": (lambda place: ["--set", "subjects.0.photos=~no-body/ada"], 2, "the home folder of nobody here"),
    "not UTF-8": (lambda place: ["--set", "name=a\udcff"], 2, "name=a\\udcff is not UTF-8 text"),
    "photos are a file": (photos_are_a_file, 2, "ada.toml is a file, not a folder"),
    "unknown plan key": (lambda place: ["--set", "training.stepz=3"], 2, "training.stepz: unknown setting"),
    "plan not TOML": (not_toml, 2, "is not valid TOML"),
    "pickle as model": (pickled_file, 2, "a pickle can run any code"),
    "folder of pickles": (pickled_folder, 2, "only .safetensors is read, because a pickle can run any code"),
    "no such model": (lambda place: ["--set", "base.model=./nowhere"], 2, "there is no such folder or file"),
    "model not here": (lambda place: ["--set", "base.model=owner/name"], 1, "is not on this machine"),
    "no such device": (lambda place: ["--set", "base.device=mps"], 2, "this machine has none"),
}


@pytest.mark.parametrize("case", CASES)
def test_one_message_and_nothing_written(case: str, tiny_sd: Path, tmp_path: Path) -> None:
    spoil, code, message = CASES[case]
    place = make_place(tmp_path, tiny_sd)
    options = spoil(place)
    done = place.train(*options)
    said = only_message(done)
    assert done.returncode == code, said
    assert message in " ".join(said.split())
    assert len(said.splitlines()) <= 4
    assert not (tmp_path / "runs").exists()
    assert not (tmp_path / "it-ran").exists()
    assert [path for path in tmp_path.rglob("*") if ".partial-" in path.name] == []


def test_every_problem_of_a_plan_in_one_message(tiny_sd: Path, tmp_path: Path) -> None:
    place = make_place(tmp_path, tiny_sd)
    done = place.train("--set", "training.stepz=3", "--set", "strategy.learning_rate=-1", "--set", "nam=x")
    said = only_message(done)
    assert done.returncode == 2
    assert "has 3 problems" in said
    for line in ("training.stepz: unknown setting (did you mean 'steps'?)", "strategy.learning_rate: ", "nam: unkn"):
        assert line in said


def test_one_photo_is_enough(tiny_sd: Path, tmp_path: Path) -> None:
    place = make_place(tmp_path, tiny_sd, photos=1, steps=2)
    (tmp_path / "photos" / "broken.jpg").write_text("no picture")
    done = place.train()
    assert done.returncode == 0, done.stderr
    assert place.run().status().state == "finished"
    assert place.run().snapshot_steps() == [1, 2]


def test_usage_errors_exit_with_2(tmp_path: Path, tiny_sd: Path) -> None:
    place = make_place(tmp_path, tiny_sd)
    done = place.train("--unknown-option")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "--unknown-option" in done.stderr


def test_a_home_of_nobody_is_one_message(tmp_path: Path) -> None:
    done = boothlab("show", tmp_path, home=Path("~no-body/kept"), cwd=tmp_path)
    assert done.returncode == 2
    assert "BOOTHLAB_HOME begins with the home folder of nobody here" in only_message(done)
    assert list(tmp_path.iterdir()) == []


def test_the_sample_is_not_described_anew(tmp_path: Path) -> None:
    done = boothlab("demo", "--description", "a woman with a red quiff", home=tmp_path / "home", cwd=tmp_path)
    assert done.returncode == 2
    assert "The sample photos have their own description" in only_message(done)
    assert not (tmp_path / "demo").exists()
