"""The plan of a study: a run plan, and what is varied in it. (Torch-free.)"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from boothlab.config.base import Config
from boothlab.config.load import apply_override, parse_override, read_toml, validate
from boothlab.errors import PlanError
from boothlab.files import expanded
from boothlab.models.config import placed
from boothlab.studies.ridge import Ridge
from boothlab.studies.search import Search

NUMBER = "photos.number"
"""A setting that only studies know: how many of the usable training photos of each subject are trained on."""

SEED = "training.seed"

STEPS = ("training.steps_per_photo", "training.steps")
"""The two ways to give a training's length; a plan has one of them."""

MOST_RUNS = 10_000
"""Ten seconds of planning. Whoever has more settings to try does not try them all."""

SEEDS = "seeds"
"""What the study's training seeds are called where they are named beside axes."""

ONLY_IN_STUDIES = (
    *("plan", "axes", "runs", "ridge", "means", "seeds", "held_out", "claims", "search", "notes", "published"),
)
"""Tables and settings that no run plan has; any of them makes a file a study."""

PLACES = ("photos", "references", "class_folder", "model", "held_out")
"""Last parts of the paths of settings that are, or hold, places on this disk."""


class Named(Config):
    """One run with a name of its own."""

    name: str = Field(min_length=1, max_length=48)
    """What it is called in tables and on the page."""
    settings: dict[str, Any] = {}
    """What differs from the base plan: tables as in a run plan, or dotted paths in quotes. A table with a ``kind``
    replaces the whole node; any other changes only what it names."""
    each_subject: bool = False
    """Once for every value of the axis ``subjects``, not for the subjects of the base plan."""
    rival: bool = False
    """What others would take without looking: never chosen, but what is chosen is compared with it."""

    @model_validator(mode="after")
    def _whom(self) -> Named:
        if self.each_subject and any(path.split(".")[0] == "subjects" for path in changes(self.settings)):
            raise ValueError(f"run {self.name!r}: each_subject takes the subjects of the axis; settings name others")
        return self


class Means(Config):
    """Runs that are not trained: their weights are the mean of other runs' (Wortsman et al. 2022).

    Either over axes, one for every point of the rest of the grid, or of named runs. They are candidates like any
    other run, and their members stay candidates too.
    """

    name: str = Field(min_length=1, max_length=48)
    """What it is called in tables and on the page."""
    over: tuple[str, ...] = ()
    """Axes over whose values the mean goes, by their paths; ``seeds`` for the training seeds."""
    of: tuple[str, ...] = ()
    """Names of runs, in place of axes; each training seed has its own mean, or one is over all: over = ["seeds"]."""
    at: dict[str, Any] = {}
    """Dotted path → list of values: means are made at these points of the grid alone."""

    @model_validator(mode="after")
    def _of_something(self) -> Means:
        if not self.over and not self.of:
            raise ValueError(f'means {self.name!r}: say over which axes: over = ["strategy", "seeds"]')
        if self.of and set(self.over) - {SEEDS}:
            raise ValueError(f"means {self.name!r}: give axes (over) or names of runs (of), not both")
        if self.of and self.at:
            raise ValueError(f"means {self.name!r}: at is about the grid, and of names runs")
        if len(set(self.of)) + (SEEDS in self.over) < 2 and self.of:
            raise ValueError(f"means {self.name!r}: of must name two different runs or more: {list(self.of)}")
        lists = axis_values(self.at)
        wrong = next((path for path, values in lists.items() if not isinstance(values, list)), None)
        if wrong is not None:
            raise ValueError(f"means {self.name!r}: at.{wrong} must be a list of values")
        both = next((path for path in lists if path in self.over), None)
        if both is not None and len(lists[both]) < 2:
            raise ValueError(f"means {self.name!r}: over {both} at one value of it is no mean")
        return self


class Claim(Config):
    """Something expected that the study can test: a number is higher at one value of an axis than at another."""

    say: str = Field(min_length=1)
    """The claim in words."""
    axis: str
    """Dotted path of the setting."""
    at: Any
    """Where the number is said to be higher."""
    than: Any
    """Where it is said to be lower."""
    column: Literal["likeness", "prompt"] = "likeness"
    """Which number: likeness to held-out photos, or prompt following."""


class Carries(Config):
    """Something expected of several subjects: the settings chosen on one are as good on the others as their own."""

    say: str = Field(min_length=1)
    """The claim in words."""
    carries: Literal["likeness", "prompt"]
    """Which number must not suffer: likeness to held-out photos, or prompt following."""
    margin: float = Field(0.1, gt=0, lt=1)
    """How much less than with a subject's own best settings still counts as carried over."""


class StudyPlan(Config):
    """Many runs from one plan: a grid over axes and ridge, named runs, each with every seed."""

    name: str = Field("study", min_length=1, max_length=48)
    """Name of the study and of its folder."""
    plan: str | dict[str, Any]
    """The run plan that everything starts from: written here as tables, or the path of its file."""
    axes: dict[str, Any] = {}
    """Dotted path → list of values; the runs are all combinations. ``photos.number``: how many photos to train on."""
    ridge: Ridge | None = None
    """A walk along learning rate × steps, combined with the axes."""
    runs: tuple[Named, ...] = ()
    """Named runs, beside the grid."""
    means: tuple[Means, ...] = ()
    """Means of the weights of runs, beside these."""
    seeds: tuple[int, ...] = Field((0,), min_length=1)
    """Training seeds of every setting, in place of the base plan's; left out, that one alone. A statement about a
    setting needs three."""
    held_out: dict[str, str] = {}
    """Subject → folder of photos that no run trains on and all are judged by. Left out, they are drawn from the
    subject's photos before any selection among them is made."""
    search: Search | None = None
    """Trials whose settings are drawn from ranges, beside what else the study runs."""
    claims: tuple[str | Claim | Carries, ...] = ()
    """What is expected, said on the page before any number: in words, or as a table that the study tests."""

    notes: tuple[str, ...] = ()
    """What a reader must know, said on the page: what a source does not tell, what a design confounds."""
    published: dict[str, dict[str, float]] = {}
    """Run → name of a number → value that others published of it; printed beside one's own."""
    folder: str | None = None
    """Where relative paths of this file start; left out, where the file lies. Copies beside pages have it."""

    @field_validator("axes")
    @classmethod
    def _lists(cls, tree: dict[str, Any]) -> dict[str, Any]:
        for path, values in axis_values(tree).items():
            if not isinstance(values, list) or not values:
                raise ValueError(f"{path} must be a list of values")
            if any(value in values[:index] for index, value in enumerate(values)):
                raise ValueError(f"{path} lists a value twice: {values}")
            if path == SEED:
                raise ValueError("give training seeds as `seeds`, not as an axis: they are no setting")
        return tree

    @model_validator(mode="after")
    def _names_differ(self) -> StudyPlan:
        names = [run.name for run in self.runs]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"runs must have different names: {', '.join(twice)}")
        whole = "subjects" in axis_values(self.axes)
        alone = next((run.name for run in self.runs if run.each_subject and not whole), None)
        if alone is not None:
            raise ValueError(f"run {alone!r}: each_subject = true needs the subjects as an axis: axes.subjects")
        seeded = next((run.name for run in self.runs if SEED in changes(run.settings)), None)
        if seeded is not None:
            raise ValueError(
                f"run {seeded!r}: give training seeds as `seeds` of the study: all its runs have the same"
            )
        if len(set(self.seeds)) < len(self.seeds) or min(self.seeds) < 0:
            raise ValueError(f"seeds must be different and not negative: {list(self.seeds)}")
        return self

    @model_validator(mode="after")
    def _ridge_or_axis(self) -> StudyPlan:
        walked = () if self.ridge is None else (self.ridge.rate, *STEPS)
        both = next((path for path in axis_values(self.axes) if path in walked), None)
        if both is not None:
            raise ValueError(
                f"axes.{both}: the ridge gives it; leave it out here, or list all in axes without a ridge"
            )
        return self

    @model_validator(mode="after")
    def _whom_trials_learn(self) -> StudyPlan:
        if self.search is not None and "subjects" in axis_values(self.axes):
            raise ValueError(
                "search: its trials learn the subjects of the base plan, and none of the axis `subjects`: name them "
                "in [[plan.subjects]], where they are learned together, or make it a study for each"
            )
        return self

    @model_validator(mode="after")
    def _means_of_what_is_there(self) -> StudyPlan:
        axes = axis_values(self.axes)
        taken = [run.name for run in self.runs]
        for mean in self.means:
            if mean.name in taken:
                raise ValueError(f"means {mean.name!r}: another run is called so")
            taken.append(mean.name)
            if "subjects" in mean.over:
                raise ValueError(f"means {mean.name!r}: the weights of different subjects are not averaged")
            walked = () if self.ridge is None else (self.ridge.rate, self.ridge.steps)
            asked = (*(path for path in mean.over if path != SEEDS), *axis_values(mean.at))
            unknown = next((path for path in asked if path not in (*axes, *walked)), None)
            if unknown is not None:
                there = ", ".join((*axes, *walked))
                raise ValueError(f"means {mean.name!r}: {unknown} is no axis of this study ({there})")
            if SEEDS in mean.over and len(self.seeds) < 2:
                raise ValueError(f"means {mean.name!r}: over seeds, and the study has one: {list(self.seeds)}")
            strange = next((name for name in mean.of if name not in [run.name for run in self.runs]), None)
            if strange is not None:
                raise ValueError(f"means {mean.name!r}: there is no run called {strange!r} among [[runs]]")
        return self

    @model_validator(mode="after")
    def _runs_to_plan(self) -> StudyPlan:
        lists = [len(values) for values in axis_values(self.axes).values()]
        points = 1 if self.ridge is None else len(self.ridge.exposures) * len(self.ridge.learning_rates)
        runs = (math.prod(lists) * points + len(self.runs)) * len(self.seeds)
        if runs > MOST_RUNS:
            factors = " × ".join(f"{n:,}" for n in (*lists, points, len(self.seeds)) if n > 1)
            raise ValueError(
                f"{factors} are {runs:,} runs, and {MOST_RUNS:,} are planned at most: draw them by a search"
            )
        return self


def axis_values(tree: dict[str, Any], path: str = "") -> dict[str, Any]:
    """Dotted path → what stands there, through tables down to the lists."""
    found: dict[str, Any] = {}
    for key, value in tree.items():
        here = f"{path}.{key}" if path else key
        found |= axis_values(value, here) if isinstance(value, dict) else {here: value}
    return found


def changes(tree: dict[str, Any], path: str = "") -> dict[str, Any]:
    """Dotted path → value of the settings of a named run; a table with a ``kind`` stays whole."""
    found: dict[str, Any] = {}
    for key, value in tree.items():
        here = f"{path}.{key}" if path else key
        deeper = isinstance(value, dict) and value and "kind" not in value
        found |= changes(value, here) if deeper else {here: value}
    return found


def is_study(path: Path) -> bool:
    """Whether the file at ``path`` is a study and not a run plan. Raises PlanError when it cannot be read."""
    return any(name in ONLY_IN_STUDIES for name in read_toml(path))


def start_of_paths(study: StudyPlan, path: Path) -> Path:
    """Where relative paths in the study's file ``path`` start."""
    return path.resolve().parent / expanded(Path(study.folder or "."))


def load_study(path: Path, overrides: tuple[str, ...] | list[str] = ()) -> tuple[StudyPlan, dict[str, Any]]:
    """The study in a TOML file, and the tree of its base plan with paths taken from the file that holds them.

    Overrides change the base plan. Raises PlanError.
    """
    found = read_toml(path)
    if "subjects" in found and not any(name in ONLY_IN_STUDIES for name in found):
        raise PlanError(f"{path} is a run plan, not a study.", f"Train it: boothlab train {path}")
    study = validate(StudyPlan, found, str(path))
    folder = start_of_paths(study, path)
    if isinstance(study.plan, str):
        file = folder / study.plan
        if not file.is_file():
            raise PlanError(
                f"{path}: plan = {study.plan!r}: there is no such file.", "Paths start at the study's file."
            )
        tree, folder = read_toml(file), file.parent
    else:
        tree = study.plan
    tree = anchored(tree, folder)
    for text in overrides:
        setting, value = parse_override(text)
        if ".".join(setting) == SEED and "seeds" in study.model_fields_set:
            raise PlanError(
                f"--set {text}: the study's training seeds are {list(study.seeds)}, whatever its plan says.",
                "Change `seeds` in the study's file.",
            )
        # A place that is typed is meant from where it is typed.
        typed = setting == ["base", "model"] and isinstance(value, str)
        apply_override(tree, setting, placed(value, Path.cwd()) if typed else value)
    return _with_own_seed(study, tree), tree


def _with_own_seed(study: StudyPlan, tree: Mapping[str, Any]) -> StudyPlan:
    """Where the study names no seeds, its base plan's is the only one; a malformed one is left for validation."""
    training = tree.get("training")
    seed = training.get("seed") if isinstance(training, dict) else None
    if "seeds" in study.model_fields_set or not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        return study
    return study.model_copy(update={"seeds": (seed,)})


def anchored(tree: dict[str, Any], folder: Path) -> dict[str, Any]:
    """A copy of a plan's tree with relative paths taken from ``folder``; what is malformed is left for validation."""
    found: dict[str, Any] = deep(tree)
    subjects = found.get("subjects")
    nodes = [(node, "photos") for node in subjects if isinstance(node, dict)] if isinstance(subjects, list) else []
    for table, key in (("objective", "class_folder"), ("photos", "references")):
        if isinstance(found.get(table), dict):
            nodes.append((found[table], key))
    for node, key in nodes:
        if isinstance(node.get(key), str):
            node[key] = str(folder / expanded(Path(node[key])))
    base = found.get("base")
    if isinstance(base, dict) and isinstance(base.get("model"), str):
        base["model"] = placed(base["model"], folder)
    return found


def without_places(tree: Any, place: bool = False) -> Any:
    """A study's tree for pages: of every place on this disk its last part alone. Relative paths stay as written.

    ``place`` says whether the strings in it are places, as those of an axis ``subjects.0.photos`` are.
    """
    if isinstance(tree, dict):
        place = place or _is_place(tree.get("axis"))  # a claim names its axis beside the values
        return {key: without_places(part, place or _is_place(key)) for key, part in tree.items()}
    if isinstance(tree, list):
        return [without_places(part, place) for part in tree]
    whole = place and isinstance(tree, str) and (tree.startswith("~") or Path(tree).is_absolute())
    return Path(tree).name if whole else tree


def _is_place(path: Any) -> bool:
    return str(path).rpartition(".")[2] in PLACES


def deep(value: Any) -> Any:
    """A copy of a JSON tree; only its tables and lists are copied."""
    if isinstance(value, dict):
        return {key: deep(part) for key, part in value.items()}
    return [deep(part) for part in value] if isinstance(value, list) else value
