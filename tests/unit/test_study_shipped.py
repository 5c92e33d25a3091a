"""The source study's series as files, and the studies in the documentation: valid, and of the cost that was said."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from boothlab.api.studies.resolving import resolve_study
from boothlab.config.load import validate
from boothlab.studies.expand import Planned, expand
from boothlab.studies.plan import NUMBER, Claim, StudyPlan, load_study

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "docs" / "studies").glob("*.toml"))
SOURCE_CYR = {"001": (2e-6, 100), "002": (2e-6, 150), "003": (2e-5, 100), "004": (5e-6, 100), "005": (2e-6, 75),
              "006": (2e-6, 250), "007": (2e-6, 500)}  # fmt: skip
SOURCE_ZL635 = {"001": (2e-6, 100), "002": (2e-6, 150), "003": (2e-6, 150), "004": (2e-6, 500), "005": (2e-6, 1000),
                "006": (2e-6, 300), "007": (2e-7, 900), "008": (2e-6, 500), "009": (2e-6, 700)}  # fmt: skip


def runs_of(name: str) -> tuple[Planned, ...]:
    file = ROOT / "docs" / "studies" / f"{name}.toml"
    study, tree = load_study(file)
    return expand(study, tree, file.parent, str(file))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_file_is_a_study_of_its_own_name(file: Path) -> None:
    runs = runs_of(file.stem)
    assert load_study(file)[0].name == file.stem
    assert len(runs) == {"zl635-factorial": 36, "zl635": 9, "zl635-toon": 9, "claims-toon": 24}.get(file.stem, 8)


@pytest.mark.parametrize(
    ("name", "source", "lr", "steps"),
    [
        ("cyr", SOURCE_CYR, 1, 1),
        ("cyr-fast-dreambooth", SOURCE_CYR, 1, 1),
        ("cyr-toon", SOURCE_CYR, 250, 25),
        ("cyr-fast-dreambooth-toon", SOURCE_CYR, 250, 25),
        ("zl635", SOURCE_ZL635, 1, 1),
        ("zl635-toon", SOURCE_ZL635, 250, 25),
    ],
)
def test_rates_and_steps_are_the_slides_by_one_factor_each(
    name: str, source: dict[str, tuple[float, int]], lr: int, steps: int
) -> None:
    found = {run.name.rpartition("_")[2]: run for run in runs_of(name) if "mix" not in run.name}
    assert found.keys() == source.keys()
    for number, (rate, length) in source.items():
        plan = found[number].plan
        assert plan.strategy.learning_rate == pytest.approx(rate * lr, rel=1e-9)
        assert plan.training.steps_per_photo * steps == length


SLIDES = {"CYR_001": (0.6780, 181.207), "CYR_002": (0.6830, 183.073), "CYR_003": (0.6044, 152.951),
          "CYR_004": (0.6526, 180.524), "CYR_005": (0.6891, 184.895), "CYR_006": (0.6662, 185.094),
          "CYR_007": (0.6590, 204.161), "CYR_mix": (0.6601, 189.179)}  # fmt: skip


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_published_values_stand_in_the_series_and_what_is_not_told_is_said(file: Path) -> None:
    study, _ = load_study(file)
    published = {name: (numbers["LPIPS"], numbers["FID"]) for name, numbers in study.published.items()}
    assert published == (SLIDES if file.stem.startswith("cyr") else {})
    assert study.notes
    assert ("The slides do not tell" in " ".join(study.notes)) == (
        file.stem not in ("zl635-factorial", "claims-toon")
    )
    assert ("Confounded" in " ".join(study.notes)) == (file.stem in ("zl635", "zl635-toon"))


@pytest.mark.parametrize("name", ["cyr-fast-dreambooth", "cyr-fast-dreambooth-toon"])
def test_the_notebooks_way_shares_nothing_and_keeps_no_prior(name: str) -> None:
    for run in runs_of(name):
        assert run.plan.training.rate.looks_ahead
        assert not run.plan.objective.prior_preservation
        assert run.plan.strategy.text_encoder


def test_001_is_prepared_as_it_was() -> None:
    first = runs_of("zl635")[0].plan.photos
    assert (first.orientation, first.framing, first.screen.enabled) == ("ignore", "smart", False)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "executes", "asked"), [("cyr-toon", 444, 743), ("zl635-toon", 1228, 1648)])
def test_the_toon_series_cost_what_they_must(name: str, executes: int, asked: int, tmp_path: Path) -> None:
    shared = resolve_study(ROOT / "docs" / "studies" / f"{name}.toml", tmp_path).shared
    assert (shared.executes, shared.asked) == (executes, asked)


def test_studies_in_the_docs_are_valid() -> None:
    blocks = [
        text
        for page in sorted((ROOT / "docs").rglob("*.md"))
        for text in re.findall(r"^```toml study\n(.*?)^```", page.read_text(), re.M | re.S)
    ]
    assert len(blocks) >= 2
    for text in blocks:
        tree = tomllib.loads(text)
        study = validate(StudyPlan, tree, "docs")
        # As the README's plan, on which these build: with snapshots, beyond which no length may lie.
        base = study.plan if isinstance(study.plan, dict) else {"subjects": [{"name": "ada", "photos": "p"}],
                                                                "training": {"snapshots": [200, 400]},
                                                                "strategy": {"kind": "dreambooth"}}  # fmt: skip
        assert len(expand(study, base, ROOT)) >= 6 or study.search is not None


def test_every_claim_of_the_toon_study_has_two_sides_that_differ_in_it_alone() -> None:
    study, _ = load_study(ROOT / "docs" / "studies" / "claims-toon.toml")
    runs = runs_of("claims-toon")
    assert study.seeds == (0, 1, 2)
    for claim in study.claims:
        if isinstance(claim, Claim):
            sides = {"at": set(), "than": set()}
            for run in runs:
                varied = {path: value for path, value in run.values.items() if path != claim.axis}
                place = _place(run, claim.axis)
                key = (run.seed, str(sorted((k, str(v)) for k, v in varied.items())))
                for side in sides:
                    if place == getattr(claim, side):
                        sides[side].add(key)
            assert len(sides["at"] & sides["than"]) >= 3, claim.say


def _place(run: Planned, axis: str) -> object:
    if axis == NUMBER:
        return "all" if run.number is None else run.number
    node: object = run.plan
    for part in axis.split("."):
        node = getattr(node, part)
    return node
