"""The share of pictures that show a word's hidden meaning, per identifier and subject."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from boothlab.files import write_json
from pretraining import draw, identities, measure_meaning
from pretraining.sizes import SMALL

SHOWN = {"mohawk": [n for n in range(400) if identities.of("develop", n).words.get("hair") == "mohawk"][:8]}
SHOWN["other"] = [n for n in range(40) if identities.of("develop", n).words.get("hair") in ("bald", "bun")][:8]


def run_of(study: Path, name: str, identifier: str, subject: str, hair: str) -> None:
    """A run folder with bare pictures that are drawings of people with that hair, and a context picture."""
    place = study / "runs" / name
    pictures = place / "images" / "step-000020" / subject
    pictures.mkdir(parents=True)
    write_json(place / "plan.json", {"plan": {"subjects": [{"name": subject, "identifier": identifier}]}})
    for k, number in enumerate(SHOWN[hair]):
        Image.fromarray(draw.of("develop", number, SMALL.picture).pixels).save(pictures / f"bare-{k:03}.png")
    Image.fromarray(draw.of("develop", SHOWN["mohawk"][0], SMALL.picture).pixels).save(pictures / "context-00-00.png")


def test_hidden_meanings_are_counted_in_bare_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_of(tmp_path, "a", "drwho", "ada", "mohawk")
    run_of(tmp_path, "b", "drwho", "bob", "other")
    run_of(tmp_path, "c", "nlwx", "ada", "other")
    run_of(tmp_path, "d", "nlwx", "bob", "other")
    run_of(tmp_path, "e", "drwho", "ada", "other")
    found = measure_meaning.shares(tmp_path)
    assert found[("nlwx", 20)] == {"ada": 0.0, "bob": 0.0}
    assert found[("drwho", 20)]["bob"] == 0.0
    all_of_them = len(SHOWN["mohawk"]) / sum(map(len, SHOWN.values()))
    assert all_of_them - 0.07 <= found[("drwho", 20)]["ada"] <= all_of_them, "one training of two shows it"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["measure_meaning", str(tmp_path)])
        measure_meaning.main()
    said = capsys.readouterr().out
    assert "hair read as 'mohawk'" in said
    assert "ada 0.00, bob 0.00" in said
    difference = measure_meaning.differences(found)["nlwx"]
    assert difference.value == pytest.approx(found[("drwho", 20)]["ada"] / 2)
    assert f"drwho − nlwx, over all steps: {difference.value:.3f} [" in said
