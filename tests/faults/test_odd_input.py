"""What nobody means to hand in, and some machine does one day: one message and an exit code, never a traceback."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest

from boothlab.cli.main import main
from boothlab.config.load import apply_override, parse_override, read_toml
from boothlab.errors import NoWeights, PlanError, RunDamaged
from boothlab.files import read_json
from boothlab.models.config import Base
from boothlab.models.locate import part_configs
from boothlab.runs.events import from_line


def said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str | Path) -> tuple[int, str]:
    """Exit code of a command and the one message that it left."""
    monkeypatch.setattr(sys, "argv", ["boothlab", *map(str, words)])
    code = main()
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err
    assert err.count("boothlab: ") == 1, err
    return code, " ".join(err.split())


def test_a_working_folder_that_was_deleted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    try:
        code, text = said(capsys, monkeypatch, "show", "runs")
    finally:
        os.chdir(tmp_path)
    assert code == 1
    assert "is not there any more" in text
    assert "Change to another folder" in text


def test_a_name_that_is_too_long_to_be_read_is_the_one_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, text = said(capsys, monkeypatch, "show", "x" * 300)
    assert code == 1
    assert "a name in " + "x" * 300 in text
    assert str(tmp_path) not in text
    assert "write results" not in text


def test_an_output_that_is_not_utf_8(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    monkeypatch.setattr(sys, "argv", ["boothlab", "tokens", "zwxq"])
    assert main() == 0
    sys.stdout.flush()
    assert b"\\xb7" in written.getvalue()


ODD_TOML = {
    "digits": ("x = " + "9" * 5000, "limit"),
    "bits": ("x = 0x" + "f" * 5000, "20000 bits"),
    "brackets": ("x = " + "[" * 3000 + "]" * 3000, "more than 100 deep"),
    "tables": ("x" + ".x" * 3000 + " = 1", "more than 100 deep"),
}


@pytest.mark.parametrize("case", ODD_TOML)
def test_toml_that_is_too_large(case: str, tmp_path: Path) -> None:
    text, message = ODD_TOML[case]
    (tmp_path / "odd.toml").write_text(text)
    with pytest.raises(PlanError, match=message) as caught:
        read_toml(tmp_path / "odd.toml")
    assert len(str(caught.value)) < 300
    with pytest.raises(PlanError) as caught:
        apply_override({"x": 1}, *parse_override(text))
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("part", ["²", "9" * 5000])
def test_an_item_of_a_list_that_is_no_number(part: str) -> None:
    with pytest.raises(PlanError, match="there is no item") as caught:
        apply_override({"subjects": [{}]}, *parse_override(f"subjects.{part}.name=ada"))
    assert len(str(caught.value)) < 300


NESTED = "[" * 200_000 + "]" * 200_000


def test_json_nested_beyond_all_measure(tmp_path: Path) -> None:
    (tmp_path / "odd.json").write_text(NESTED)
    with pytest.raises(RunDamaged, match="odd.json"):
        read_json(tmp_path / "odd.json")
    assert from_line(NESTED) is None
    for part in ("tokenizer", "text_encoder", "vae", "unet", "scheduler"):
        (tmp_path / part).mkdir()
        (tmp_path / part / "model.safetensors").write_bytes(b"")
        (tmp_path / part / "config.json").write_text(NESTED)
    with pytest.raises(NoWeights, match="configs of the base model"):
        part_configs(Base(model=str(tmp_path)))
