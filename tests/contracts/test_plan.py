"""What a plan promises: closed, typed, every problem at once with a suggestion, there and back through TOML."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from boothlab.config.base import Config
from boothlab.config.load import SAID, apply_override, parse_override, validate
from boothlab.config.show import difference, json_schema, to_toml
from boothlab.errors import NoWeights, PlanError
from boothlab.models.config import Base
from boothlab.models.locate import locate
from boothlab.photos.steps import STEPS
from boothlab.plan import RunPlan, _without_places, digest, for_others, load_plan, plan_from
from boothlab.strategies import STRATEGIES, Lora
from boothlab.strategies.mean.config import Mean

ADA = {"name": "ada", "photos": "photos"}
MINIMAL = {"subjects": [ADA]}
KINDS = [str(kind.model_fields["kind"].default) for kind in STRATEGIES]


def problems(tree: dict[str, Any]) -> list[str]:
    """Every problem of a plan, one line each."""
    with pytest.raises(PlanError) as caught:
        plan_from(tree, "ada.toml")
    first, *lines = caught.value.message.splitlines()
    assert first.startswith("ada.toml has ")
    assert first.startswith(f"ada.toml has {len(lines)} problem")
    return [line.removeprefix("  - ") for line in lines]


def written(folder: Path, text: str) -> Path:
    path = folder / "ada.toml"
    path.write_text(text, encoding="utf-8")
    return path


def nodes(kind: type[Config], path: str = "") -> list[tuple[str, type[Config]]]:
    """Every node of the plan tree as (path, class), unions and lists looked into."""
    from boothlab.config.load import _models

    found = [(path, kind)]
    for name, field in kind.model_fields.items():
        for model in _models(field.annotation):
            found += nodes(model, f"{path}.{name}".strip("."))  # type: ignore[arg-type]
    return found


NODES = nodes(RunPlan)


def test_the_tree_has_its_nodes() -> None:
    assert {path for path, _ in NODES} >= {
        "", "subjects", "base", "photos", "photos.steps", "strategy", "objective", "training",
        "training.optimizer", "training.rate", "generation", "evaluation",
    }  # fmt: skip
    assert {kind for path, kind in NODES if path == "strategy"} == {*STRATEGIES, Mean}
    assert {kind for path, kind in NODES if path == "photos.steps"} == set(STEPS)


@pytest.mark.parametrize(("path", "kind"), NODES, ids=[f"{p or 'plan'}-{k.__name__}" for p, k in NODES])
def test_every_node_is_closed_frozen_and_documented(path: str, kind: type[Config]) -> None:
    assert kind.model_config["extra"] == "forbid"
    assert kind.model_config["frozen"] is True
    for name, field in kind.model_fields.items():
        if name != "kind":
            assert len(field.description or "") > 3, f"{path}.{name} has no help"


def test_defaults() -> None:
    plan = plan_from(MINIMAL, "ada.toml")
    assert plan.strategy.kind == "dreambooth"
    assert plan.objective.prior_preservation is True
    assert plan.training.total_steps(5) == 500
    assert plan.training.snapshot_steps(500) == (500,)
    assert plan.subjects[0].class_noun == "person"
    with pytest.raises(ValidationError):
        plan.training.steps = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        ({}, "subjects: required, but missing"),
        ({"subjects": []}, "subjects: "),
        ({"subjects": [{"name": "ada"}]}, "subjects.0.photos: required, but missing"),
        ({**MINIMAL, "traning": {}}, "traning: unknown setting (did you mean 'training'?)"),
        (
            {**MINIMAL, "training": {"setps": 3}},
            "training.setps: unknown setting (did you mean 'steps'?)",
        ),
        (
            {**MINIMAL, "training": {"optimizer": {"weight_deca": 3}}},
            "training.optimizer.weight_deca: unknown setting (did you mean 'weight_decay'?)",
        ),
        (
            {"subjects": [{**ADA, "identifer": "rinn"}]},
            "subjects.0.identifer: unknown setting (did you mean 'identifier'?)",
        ),
        (
            {**MINIMAL, "strategy": {"kind": "lora", "rnak": 8}},
            "strategy.rnak: unknown setting (did you mean 'rank'?)",
        ),
        ({**MINIMAL, "strategy": {"kind": "lora", "rank": 0}}, "strategy.rank: "),
        ({**MINIMAL, "strategy": {"kind": "loraa"}}, "(did you mean 'lora'?)"),
        (
            {**MINIMAL, "photos": {"steps": [{"kind": "center"}, {"kind": "resize", "largest_enlargment": 2}]}},
            "photos.steps.1.largest_enlargment: unknown setting (did you mean 'largest_enlargement'?)",
        ),
        ({**MINIMAL, "photos": {"steps": [{"kind": "resise"}]}}, "(did you mean 'resize'?)"),
        ({**MINIMAL, "training": {"steps": "many"}}, "training.steps: must be a whole number (given: 'many')"),
        ({**MINIMAL, "training": {"steps": 0.5}}, "training.steps: must be a whole number (given: 0.5)"),
        ({**MINIMAL, "training": {"steps": 0}}, "training.steps: must be 1 or more (given: 0)"),
        ({**MINIMAL, "training": {"batch_size": 300}}, "training.batch_size: must be 256 or less (given: 300)"),
        ({**MINIMAL, "training": {"rate": {"floor": 1.0}}}, "training.rate.floor: must be less than 1 (given: 1.0)"),
        ({**MINIMAL, "training": {"rate": {"power": 0}}}, "training.rate.power: must be greater than 0 (given: 0)"),
        ({**MINIMAL, "training": {"snapshots": 3}}, "training.snapshots: a list is expected, in [ ] (given: 3)"),
        ({**MINIMAL, "training": 3}, "training: a table is expected, in { } (given: 3)"),
        ({**MINIMAL, "strategy": "lora"}, "strategy: a table is expected, in { } (given: 'lora')"),
        ({**MINIMAL, "generation": {"guidance": "high"}}, "generation.guidance: must be a number (given: 'high')"),
        (
            {**MINIMAL, "base": {"device": "tpu"}},
            "base.device: must be 'auto', 'cpu', 'cuda' or 'mps' (given: 'tpu')",
        ),
        ({**MINIMAL, "base": {"model": 3}}, "base.model: must be text, in quotes (given: 3)"),
        ({"subjects": [{**ADA, "photos": 3}]}, "subjects.0.photos: must be a path, in quotes (given: 3)"),
        ({**MINIMAL, "name": ""}, "name: must have 1 or more characters (given: '')"),
        ({**MINIMAL, "name": "x" * 49}, "name: must have 48 or fewer characters (given: 'xxx"),
        ({**MINIMAL, "evaluation": {"prompts": []}}, "evaluation.prompts: must have 1 or more entries (given: 0)"),
        ({**MINIMAL, "evaluation": {"base": "maybe"}}, "evaluation.base: must be true or false (given: 'maybe')"),
        ({**MINIMAL, "training": {"steps": "9" * 5000}}, f"fewer digits (given: '{'9' * 79}…)"),
        ({**MINIMAL, "training": {"steps": 5, "steps_per_photo": 5}}, "give steps or steps_per_photo, not both"),
        ({**MINIMAL, "training": {"steps": 5, "snapshots": [6]}}, "must lie between 1 and steps (5)"),
        ({"subjects": [ADA, ADA]}, "subjects must have different names"),
        ({"subjects": [{**ADA, "identifier": "two words"}]}, "one word without spaces"),
        (
            {**MINIMAL, "strategy": {"kind": "lora", "learning_rate": float("nan")}},
            "must be a finite number (given: nan)",
        ),
        ({**MINIMAL, "strategy": {"rank": 3}}, "strategy.kind: required, but missing (one of dreambooth, lora"),
        ({**MINIMAL, "objective": {"prior_weight": float("inf")}}, "objective.prior_weight: "),
        ({**MINIMAL, "objective": {"instance_prompt": "{id} here"}}, "instance_prompt: '{id} here' says {id}"),
        ({**MINIMAL, "objective": {"class_prompt": "a {class}"}}, "class_prompt: 'a {class}' says {class}; {it} is"),
        ({**MINIMAL, "evaluation": {"prompts": ["{it}", "{} at sea"]}}, "prompts: '{} at sea' says {}; {it} is"),
        ({**MINIMAL, "evaluation": {"prompts": ["{it}", " "]}}, "prompts: one of them is empty"),
        ({**MINIMAL, "evaluation": {"unrelated": [""]}}, "unrelated: one of them is empty"),
        ({**MINIMAL, "training": {"validation": {"preview": {"prompts": ["{It}"]}}}}, "prompts: '{It}' says {It}"),
    ],
)
def test_each_mistake_is_named_where_it_is(tree: dict[str, Any], expected: str) -> None:
    (line,) = problems(tree)
    assert expected in line


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("training.steps", True, "training.steps: must be a whole number (given: true)"),
        ("training.snapshots", [5, True], "training.snapshots.1: must be a whole number (given: true)"),
        ("training.optimizer.ema_decay", False, "training.optimizer.ema_decay: must be a number (given: false)"),
        ("photos.held_out", False, "photos.held_out: must be a number (given: false)"),
        ("strategy", {"kind": "lora", "rank": True}, "strategy.rank: must be a whole number (given: true)"),
    ],
)
def test_true_and_false_are_no_numbers(path: str, value: Any, expected: str) -> None:
    """Python counts true as 1: a training of one step began without a word."""
    tree: dict[str, Any] = {"subjects": [dict(ADA)]}
    apply_override(tree, path.split("."), value)
    assert problems(tree) == [expected]
    truths = {"training": {"compute": {"gradient_checkpointing": True}}, "evaluation": {"base": False}}
    plan = plan_from(MINIMAL | truths, "ada.toml")
    assert (plan.training.compute.gradient_checkpointing, plan.evaluation.base) == (True, False)


def test_no_limit_is_said_in_the_words_of_a_library() -> None:
    """Whatever a field may ask of a value, the table has plain words for it."""
    limits = {"ge", "gt", "le", "lt", "min_length", "max_length"}
    asked = {
        name
        for _, kind in NODES
        for field in kind.model_fields.values()
        for limit in field.metadata
        for name in limits
        if getattr(limit, name, None) is not None
    }
    words = {
        "ge": "greater_than_equal", "gt": "greater_than", "le": "less_than_equal", "lt": "less_than",
        "min_length": "too_short", "max_length": "too_long",
    }  # fmt: skip
    assert {words[name] for name in asked} <= SAID.keys()


def test_all_problems_at_once() -> None:
    tree = {
        "subjects": [{"name": "ada"}],
        "traning": {},
        "strategy": {"kind": "lora", "rnak": 8, "rank": -1},
        "training": {"steps": 0, "rate": {"kind": "cosin"}},
        "photos": {"steps": [{"kind": "center", "size": 3}]},
    }
    lines = problems(tree)
    assert len(lines) == 7
    places = sorted(line.split(":")[0] for line in lines)
    assert places == [
        "photos.steps.0.size", "strategy.rank", "strategy.rnak", "subjects.0.photos", "training.rate.kind",
        "training.steps", "traning",
    ]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_every_strategy_can_be_chosen(kind: str) -> None:
    plan = plan_from({**MINIMAL, "strategy": {"kind": kind}}, "ada.toml")
    assert plan.strategy.kind == kind
    assert type(plan.strategy) in STRATEGIES


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("training.steps=300", ["training", "steps"], 300),
        ("strategy.learning_rate=2e-6", ["strategy", "learning_rate"], 2e-6),
        ("name=ada", ["name"], "ada"),
        ('name="ada"', ["name"], "ada"),
        ("base.model = owner/name", ["base", "model"], "owner/name"),
        ("objective.prior_preservation=false", ["objective", "prior_preservation"], False),
        ("training.snapshots=[3, 5]", ["training", "snapshots"], [3, 5]),
        ("evaluation.prompts=['a = b']", ["evaluation", "prompts"], ["a = b"]),
        ("base.model=C:\\models\\sd", ["base", "model"], "C:\\models\\sd"),
    ],
)
def test_overrides_are_read(text: str, path: list[str], value: object) -> None:
    assert parse_override(text) == (path, value)


@pytest.mark.parametrize("text", ["training.steps", "=3", " =3"])
def test_bad_overrides_are_refused(text: str) -> None:
    with pytest.raises(PlanError, match="path=value"):
        parse_override(text)


def test_overrides_reach_into_lists_and_make_tables() -> None:
    tree: dict[str, Any] = {"subjects": [dict(ADA), {**ADA, "name": "bob"}]}
    apply_override(tree, ["subjects", "1", "class_noun"], "dog")
    apply_override(tree, ["training", "rate", "kind"], "linear")
    assert tree["subjects"] == [ADA, {**ADA, "name": "bob", "class_noun": "dog"}]
    assert tree["training"] == {"rate": {"kind": "linear"}}
    with pytest.raises(PlanError, match="no item '2'; the list has 2"):
        apply_override(tree, ["subjects", "2", "name"], "eve")
    with pytest.raises(PlanError, match="no item 'ada'"):
        apply_override(tree, ["subjects", "ada", "name"], "eve")
    apply_override(tree, ["training", "steps"], 3)
    with pytest.raises(PlanError, match="training.steps is a value, not a table"):
        apply_override(tree, ["training", "steps", "deep"], 3)


def test_the_command_line_wins_over_the_file_and_the_file_over_the_default(tmp_path: Path) -> None:
    path = written(tmp_path, "subjects = [{name = 'ada', photos = 'p'}]\n[training]\nsteps = 5\nseed = 3\n")
    plan = load_plan(path, ["training.steps=7", "subjects.0.class_noun=dog"])
    assert (plan.training.steps, plan.training.seed, plan.training.batch_size) == (7, 3, 1)
    assert plan.subjects[0].class_noun == "dog"
    with pytest.raises(PlanError, match="training.stepz: unknown setting"):
        load_plan(path, ["training.stepz=7"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name = ", "is not valid TOML"),
        ("[[subjects]]\nname = 'ada'\nphotos = \"C:\\Users\\me\"\n", "not valid TOML"),
        ("name = 'ada'\nname = 'bob'\n", "not valid TOML"),
    ],
)
def test_what_is_no_toml_is_said_to_be_none(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(PlanError, match=expected) as caught:
        load_plan(written(tmp_path, text))
    assert ("single quotes" in caught.value.hint) == ("\\" in text)


def test_missing_and_binary_plans(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="There is no plan at"):
        load_plan(tmp_path / "nowhere.toml")
    (tmp_path / "x.toml").write_bytes(b"\xff\xfe\x00name")
    with pytest.raises(PlanError, match="Cannot read the plan"):
        load_plan(tmp_path / "x.toml")
    with pytest.raises(PlanError, match="is a folder, and a plan is a file") as caught:
        load_plan(tmp_path)
    assert caught.value.hint == "Give the path of a .toml file."
    (tmp_path / "plan.toml").write_text("")
    with pytest.raises(PlanError) as caught:
        load_plan(tmp_path)
    assert caught.value.hint == f"Give a .toml file, here {tmp_path / 'plan.toml'}."


def test_where_a_list_belongs_it_is_said_in_the_words_of_the_file() -> None:
    assert problems({"subjects": ADA}) == [
        "subjects: a list of tables is expected: write [[subjects]], in two brackets"
    ]
    assert problems({**MINIMAL, "training": {"snapshots": 2}}) == [
        "training.snapshots: a list is expected, in [ ] (given: 2)"
    ]


@pytest.mark.parametrize("field", ["identifier", "class_noun"])
def test_what_stands_for_it_in_prompts_has_no_braces(field: str) -> None:
    (line,) = problems({"subjects": [{**ADA, field: "{it}"}]})
    assert "has no braces: it stands where prompts say {it}" in line


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    (tmp_path / "ada.toml").write_bytes(b"\xef\xbb\xbf[[subjects]]\nname='ada'\nphotos='p'\n")
    assert load_plan(tmp_path / "ada.toml").subjects[0].name == "ada"


EVERYTHING = {
    "name": 'Ada "the first" \\ Ünï',
    "subjects": [
        {"name": "ada", "photos": "C:\\Users\\me\\photos", "identifier": "rinn", "class_noun": "person"},
        {"name": "rex", "photos": "/photos/rex", "class_noun": "dog", "weight": 0.5},
    ],
    "photos": {"size": 64, "steps": [{"kind": "letterbox", "masked": False}, {"kind": "resize"}]},
    "strategy": {"kind": "lora", "rank": 3, "targets": ["to_k", "to_v"], "learning_rate": 1e-5},
    "objective": {"instance_prompt": "a photo of {it}, 'quoted'\nsecond line\t\x7f.", "snr_gamma": 5.0},
    "training": {"steps": 9, "snapshots": [3, 6], "optimizer": {"weight_decay": 0.0}, "rate": {"warmup": 2}},
}


@pytest.mark.parametrize("tree", [MINIMAL, EVERYTHING], ids=["minimal", "everything"])
def test_there_and_back_through_toml(tree: dict[str, Any]) -> None:
    plan = plan_from(tree, "plan")
    text = to_toml(plan.model_dump(mode="json"))
    again = validate(RunPlan, tomllib.loads(text), "written")
    assert again == plan
    assert to_toml(again.model_dump(mode="json")) == text
    assert difference(plan, again) == []


def test_every_setting_can_be_written_in_toml() -> None:
    """A field that may be None must have None as its default, for TOML has no null."""
    for path, kind in NODES:
        for name, field in kind.model_fields.items():
            if type(None) in getattr(field.annotation, "__args__", ()):
                assert field.default is None, f"{path}.{name} cannot be set to None in a plan"


FASTER = {"kind": "dreambooth", "learning_rate": 1.0}


def test_differences_are_the_changed_leaves() -> None:
    plain = plan_from(MINIMAL, "plan")
    changed = plan_from({**MINIMAL, "training": {"rate": {"warmup": 3}}, "strategy": FASTER}, "plan")
    assert difference(plain, changed) == [("strategy.learning_rate", 2e-6, 1.0), ("training.rate.warmup", 0, 3)]


def test_relative_paths_are_meant_from_the_plan(tmp_path: Path) -> None:
    (tmp_path / "plans").mkdir()
    (tmp_path / "plans" / "model").mkdir()
    path = written(
        tmp_path / "plans",
        "subjects = [{name='a', photos='../p'}, {name='b', photos='/abs/p'}, {name='c', photos='~/p'}]\n"
        "[base]\nmodel = 'model'\n[objective]\nclass_folder = 'class'\n",
    )
    plan = load_plan(path)
    base = path.resolve().parent
    assert [s.photos for s in plan.subjects] == [base / "../p", Path("/abs/p"), Path("~/p").expanduser()]
    assert plan.base.model == str(base / "model")
    assert plan.objective.class_folder == base / "class"
    named = load_plan(path, ["base.model=owner/name"])
    assert named.base.model == "owner/name"


INPUTS = {"photos/ada": "1" * 64, "base": "2" * 64}


@pytest.mark.parametrize(
    ("model", "shown"),
    [
        ("~/clients/jane/sd15", "sd15"),
        ("../jane/sd15", "sd15"),
        ("/home/jane/sd15/", "sd15"),
        ("clients/jane/sd15.safetensors", "sd15.safetensors"),
        ("C:\\jane\\sd15", "sd15"),
        ("owner/name", "owner/name"),
        ("toon", "toon"),
    ],
)
def test_pages_show_no_place_of_a_base_model(model: str, shown: str) -> None:
    plan = plan_from({"subjects": [{"name": "ada", "photos": "p"}], "base": {"model": model}}, "test")
    assert for_others(plan)["base"]["model"] == shown


def test_a_local_base_model_is_one_place_from_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, plans = tmp_path / "here", tmp_path / "plans"
    for folder in (here / "jane" / "sd15", here / "only-here", plans / "jane" / "sd15"):
        folder.mkdir(parents=True)
    monkeypatch.chdir(here)
    monkeypatch.setenv("HOME", str(tmp_path))

    def loaded(model: str, *overrides: str) -> str:
        text = f"[[subjects]]\nname = 'ada'\nphotos = 'p'\n[base]\nmodel = '{model}'\n"
        return load_plan(written(plans, text), overrides).base.model

    assert loaded("jane/sd15") == str(plans / "jane" / "sd15")
    assert loaded("toon", "base.model=jane/sd15") == str(here / "jane" / "sd15"), "typed there"
    assert loaded("~/plans/jane/sd15") == str(plans / "jane" / "sd15")
    assert loaded("./gone") == str(plans / "gone"), "not there, and never looked for elsewhere"
    assert loaded("owner/name") == "owner/name"
    assert loaded("toon") == "toon"
    assert loaded("only-here") == "only-here"
    for model in ("jane/sd15", "only-here", "./only-here"):
        with pytest.raises((PlanError, NoWeights)):
            locate(Base(model=model))


def test_the_digest_is_of_content_not_of_place_or_name() -> None:
    one = plan_from({**MINIMAL, "base": {"model": "one/place"}}, "plan")
    other = plan_from({"name": "other", "subjects": [{**ADA, "photos": "elsewhere"}]}, "plan")
    assert digest(one, INPUTS) == digest(other, dict(reversed(INPUTS.items())))
    assert len(digest(one, INPUTS)) == 64


@pytest.mark.parametrize(
    "change",
    [
        {"training": {"steps": 3}},
        {"training": {"seed": 1}},
        {"training": {"threads": 1}},
        {"strategy": FASTER},
        {"strategy": {"kind": "lora"}},
        {"objective": {"prior_weight": 0.5}},
        {"subjects": [{**ADA, "class_noun": "dog"}]},
        {"subjects": [{**ADA, "identifier": "rinn"}]},
        {"subjects": [{**ADA, "identifier_alone": True}]},
        {"photos": {"size": 64}},
        {"evaluation": {"seed": 1}},
    ],
)
def test_the_digest_changes_with_every_setting(change: dict[str, Any]) -> None:
    assert digest(plan_from({**MINIMAL, **change}, "plan"), INPUTS) != digest(plan_from(MINIMAL, "plan"), INPUTS)


def test_plans_from_before_identifiers_stood_alone_are_the_runs_that_they_were() -> None:
    (subject,) = _without_places(plan_from(MINIMAL, "plan"))["subjects"]
    assert set(subject) == {"name", "class_noun", "identifier", "description", "weight"}


@pytest.mark.parametrize("name", INPUTS)
def test_the_digest_changes_with_every_input(name: str) -> None:
    plan = plan_from(MINIMAL, "plan")
    assert digest(plan, {**INPUTS, name: "3" * 64}) != digest(plan, INPUTS)


def test_the_schema_carries_the_help() -> None:
    schema = json_schema(RunPlan)
    rank = schema["$defs"]["Lora"]["properties"]["rank"]
    assert rank["description"] == "Rank of the update."
    assert (rank["minimum"], rank["maximum"], rank["default"]) == (1, 1024, Lora().rank)
