"""The gates' arithmetic on cases with known answers, and balanced prompts."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from boothlab.assets import asset
from boothlab.features import toon_heads
from boothlab.models.sampling import make_scheduler
from pretraining import card, diffusion, draw, gates, heads, identity, labels, prompts, styles
from pretraining.draw import Head
from pretraining.muon import orthogonalise


def test_auc_is_the_chance_of_a_right_order() -> None:
    assert gates.auc(np.array([2.0, 3.0]), np.array([0.0, 1.0])) == 1.0
    assert gates.auc(np.array([1.0]), np.array([1.0])) == 0.5
    assert gates.auc(np.array([0.0, 3.0]), np.array([1.0, 2.0])) == 0.5


def test_coverage_of_a_set_by_itself_and_by_a_far_one() -> None:
    points = np.random.default_rng(0).normal(size=(50, 4))
    assert gates._covered(points, points) == 1.0
    assert gates._covered(points + 100, points) == 0.0


def test_prompts_are_balanced_over_styles_and_values() -> None:
    asked = [one for one in prompts.balanced(60) if one.attribute == "background"]
    assert len(asked) == 60
    assert set(Counter(one.style for one in asked).values()) == {20}
    assert {one.value for one in asked} == set(labels.VALUES["background"])
    assert all(f"{one.value} background" in one.text for one in asked)


def test_a_rare_word_changes_only_the_prompt() -> None:
    plain, rare = prompts.balanced(6), prompts.balanced(6, rare=True)
    assert [(a.attribute, a.value, a.style) for a in plain] == [(b.attribute, b.value, b.style) for b in rare]
    assert all(len(b.text.split()) == len(a.text.split()) + 1 for a, b in zip(plain, rare, strict=True))


def test_glasses_are_asked_only_where_a_style_has_them() -> None:
    named = {one.style for one in prompts.balanced(12) if one.attribute == "glasses"}
    assert named == {sheet.name for sheet in styles.PORTRAITS.values() if sheet.glasses}


def test_true_maps_decode_to_the_true_heads() -> None:
    truth = [
        Head((20.0, 24.0, 76.0, 90.0), ((36.0, 50.0), (60.0, 50.0), (48.0, 60.0), (40.0, 75.0), (56.0, 75.0)), 12.0)
    ]
    values, _ = heads.targets(truth)
    maps = values.copy()
    maps[0] = np.where(values[0] > 0, 9.0, -9.0)
    (found,) = toon_heads.decode(maps, 0.5)
    assert found.box == pytest.approx(truth[0].box, abs=1e-4)
    assert np.allclose(found.points, truth[0].points, atol=1e-4)
    assert found.yaw_degrees == pytest.approx(12.0, abs=1e-4)


def test_placing_a_drawing_moves_its_truth_along() -> None:
    drawing = draw.of("test", 1, 128)
    rng = np.random.default_rng(3)
    frame, (moved, *_) = heads.placed(drawing.pixels, drawing.heads, rng)
    assert frame.shape == (128, 128, 3)
    ratio = (moved.box[2] - moved.box[0]) / (drawing.heads[0].box[2] - drawing.heads[0].box[0])
    assert 0.4 < ratio <= 1.0
    assert moved.yaw == drawing.heads[0].yaw


def test_contrast_is_least_when_only_own_views_agree() -> None:
    names = torch.tensor([0, 0, 1, 1])
    good = torch.eye(2).repeat_interleave(2, 0)
    bad = torch.eye(2).repeat(2, 1)
    assert identity.contrast(good, names)[0] < identity.contrast(bad, names)[0]
    assert float(identity.contrast(good, names)[1]) == 1.0


def test_orthogonalised_updates_have_singular_values_near_one() -> None:
    for shape in ((12, 40), (40, 12)):
        singular = torch.linalg.svdvals(
            orthogonalise(torch.randn(3, *shape, generator=torch.Generator().manual_seed(1)))
        )
        assert float(singular.min()) > 0.5
        assert float(singular.max()) < 1.3


def test_the_curve_keeps_one_row_per_measurement(tmp_path: Path) -> None:
    """The package's own rows come first in a new work folder; of two measurements the larger one stays."""
    old = {"pictures": 500} | dict.fromkeys(prompts.GATED, 0.25)

    def measured(pictures: int, n: int, value: float) -> None:
        facts = {"pictures_seen": {"diffusion": pictures}, "curve": [old]}
        (tmp_path / "version.json").write_text(json.dumps(facts), "utf-8")
        figures = {f"text/{name}": gates.Figure(value, bar, n) for name, bar in prompts.GATED.items()}
        card.note_curve(tmp_path, tmp_path, figures)

    (tmp_path / "version.json").write_text(json.dumps({"curve": [old]}), "utf-8")
    first = card._curve(tmp_path, tmp_path)
    assert "| 500 | 0.250 |" in first
    assert first.endswith(f"| {card.BEFORE} |\n")
    measured(2000, 10, 0.5)
    measured(1000, 10, 0.5)
    measured(1000, 50, 0.75)
    measured(1000, 3, 1.0)
    rows = [json.loads(line) for line in (tmp_path / "curve.jsonl").read_text("utf-8").splitlines()]
    assert [(row["pictures"], row["hair"]) for row in rows] == [(500, 0.25), (1000, 0.75), (2000, 0.5)]
    last = card._curve(tmp_path, tmp_path)
    assert "| 2,000 | 0.500 |" in last
    assert last.endswith(f"| {diffusion.sampling()} |\n")
    measured(500, 50, 1.0)
    rows = [json.loads(line) for line in (tmp_path / "curve.jsonl").read_text("utf-8").splitlines()]
    assert [row["hair"] for row in rows if row["pictures"] == 500] == [0.25, 1.0], "drawn otherwise is another row"


def test_the_shipped_model_is_sampled_as_its_gates_were(tmp_path: Path) -> None:
    """Stock diffusers draws what the card shows, and a plan without fresh noise at every step still has none."""
    diffusion.sampler().save_pretrained(tmp_path)
    written, ships = (
        json.loads(path.read_text("utf-8"))
        for path in (tmp_path / "scheduler_config.json", asset("toon", "sd", "scheduler") / "scheduler_config.json")
    )
    told = ships.keys() - {"_diffusers_version"}
    assert {name: ships[name] for name in told} == {name: written.get(name) for name in told}
    assert make_scheduler("dpm++", ships).config.algorithm_type == "dpmsolver++"


def test_figures_are_kept_from_one_process_to_the_next_as_long_as_pictures_are_drawn_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """diffusers' note of what was left at its default comes in another order in every process."""
    marks = dict.fromkeys((*gates.FILES, "judge"), "same") | {"sampling": gates._sampling_mark()}
    one = {"value": 1.0, "bar": 0.5, "n": 3, "chance": None, "higher_is_better": True, "reached": True}
    figures = dict.fromkeys(("judge/hair", "text/hair", "class/recall"), one)
    (tmp_path / "gates.json").write_text(json.dumps({"weights": marks, "figures": figures}), "utf-8")
    config = dict(diffusion.sampler().config)

    def drawn_with(**other: object) -> set[str]:
        monkeypatch.setattr(diffusion, "sampler", lambda: SimpleNamespace(config=config | other))
        return {*gates._measured_before(tmp_path, marks | {"sampling": gates._sampling_mark()})}

    assert drawn_with(_use_default_values=["another", "order"]) == set(figures)
    assert drawn_with(algorithm_type="dpmsolver++") == {"judge/hair"}
    monkeypatch.undo()
    monkeypatch.setattr(diffusion, "GUIDANCE", 4.0)
    assert {*gates._measured_before(tmp_path, marks | {"sampling": gates._sampling_mark()})} == {"judge/hair"}


def test_bars_with_a_rare_word_follow_the_plain_figures_as_they_are_now() -> None:
    """A plain figure that was measured anew left the bar that an earlier one had set."""
    plain, rare = gates.Figure(0.80, 0.5, 50, 0.1), gates.Figure(0.50, 0.475, 50, 0.1)
    figures = {"text/hair": plain, f"text/hair{gates.RARE}": rare, f"text/hair/micah{gates.RARE}": rare}
    found = gates.with_rare_bars(figures)
    assert found["text/hair"] == plain
    assert [found[key].bar for key in list(figures)[1:]] == [pytest.approx(0.76)] * 2
    assert [one.reached for one in found.values()] == [True, False, False]
