"""Effects say what they are about, Holm counts them all, and the choice follows its rules."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from boothlab.evaluation.derived import Table
from boothlab.evaluation.scores import Score
from boothlab.evaluation.summaries import Pairs, summarise
from boothlab.reports.study import medals
from boothlab.reports.study_tables import as_csv, as_latex, as_markdown, as_parquet
from boothlab.statistics.comparisons import minimum_detectable
from boothlab.statistics.intervals import Interval
from boothlab.studies.choose import choose, familiar, front
from boothlab.studies.claims import claims_tested
from boothlab.studies.compare import adjusted_together, corrected, effect_of, effects, paired_t, seeds_and_settings
from boothlab.studies.neighbours import neighbours
from boothlab.studies.plan import Claim
from boothlab.studies.points import COLUMNS, LIKENESS, PEOPLE, PROMPT, Point, fill, lines_of_subject, study_scale
from study_made import made_point, made_study

RATE = "strategy.learning_rate"


def grid(seeds: int, gain: float = 0.3, noise: float = 0.01) -> list[Point]:
    """Two learning rates × so many seeds; the higher one gains ``gain`` of likeness, prompt following stays."""
    random = np.random.default_rng(5)
    found = []
    for rate in (1e-6, 2e-6):
        for seed in range(seeds):
            level = (gain if rate == 2e-6 else 0.0) + random.normal(0, noise)
            likeness = 0.4 + level + random.normal(0, 0.05, 12)
            found.append(
                made_point(
                    f"{rate} {seed}", {RATE: rate}, seed, likeness, random.normal(0.5, 0.1, 12), setting=str(rate)
                )
            )
    return found


def test_three_seeds_speak_about_settings() -> None:
    points = grid(3)
    likeness, prompt = effects(points)
    means = {point.run: point.cells[LIKENESS].value for point in points}
    each = np.array([means[f"2e-06 {seed}"] - means[f"1e-06 {seed}"] for seed in range(3)])
    assert (likeness.about, likeness.n, likeness.trainings, likeness.a, likeness.b) == (
        "settings",
        3,
        3,
        "1e-06",
        "2e-06",
    )
    assert likeness.difference == pytest.approx(each.mean(), rel=1e-12)
    assert likeness.p == pytest.approx(stats.ttest_1samp(each, 0.0).pvalue, rel=1e-9)
    assert likeness.adjusted == pytest.approx(2 * likeness.p, rel=1e-12), "two effects, the smaller p doubled"
    assert likeness.detectable == pytest.approx(minimum_detectable(3, 2) * each.std(ddof=1), rel=1e-12)
    assert likeness.shown
    assert not prompt.shown
    assert likeness.sentence.startswith("likeness: learning rate 2e-06 against 1e-06: better (+0.")
    assert "no difference found" in prompt.sentence
    assert "could have been seen" in prompt.sentence


@pytest.mark.parametrize("seeds", [1, 2])
def test_fewer_seeds_speak_about_checkpoints_only(seeds: int) -> None:
    likeness = effects(grid(seeds))[0]
    assert (likeness.about, likeness.n, likeness.trainings) == ("checkpoints", 12 * seeds, seeds)
    assert likeness.shown
    assert likeness.sentence.endswith("These runs only: fewer than 3 training seeds.")


def test_only_what_differs_in_one_setting_is_compared() -> None:
    points = [
        made_point("a", {RATE: 1e-6, "training.steps": 10}, likeness=[0.1, 0.2, 0.3]),
        made_point("b", {RATE: 2e-6, "training.steps": 20}, likeness=[0.1, 0.2, 0.3]),
    ]
    assert effects(points) == []


def test_neighbours_on_an_axis_are_compared_in_order_of_size() -> None:
    points = [made_point(str(s), {"training.steps": s}, likeness=[0.1 * s, 0.2, 0.3 * s]) for s in (30, 10, 20)]
    found = [(effect.a, effect.b) for effect in effects(points) if effect.column.key == LIKENESS]
    assert found == [("10", "20"), ("20", "30")]


def test_values_without_an_order_are_compared_with_the_first() -> None:
    flat = np.linspace(-0.1, 0.1, 20)
    words, rate = ["nlwx", "zl635", "window"], "strategy.learning_rate"
    points = [made_point(w, {"subjects.0.identifier": w}, likeness=k + flat) for k, w in enumerate(words)]
    assert [(one.a, one.b) for one in neighbours(points)] == [("nlwx", "zl635"), ("nlwx", "window")]
    # The third was never tried with the first's rate, but with the second's.
    apart = [{"w": "a", rate: 1}, {"w": "b", rate: 1}, {"w": "b", rate: 2}, {"w": "c", rate: 2}, {"w": "d", rate: 3}]
    points = [made_point(str(k), values, likeness=k + flat) for k, values in enumerate(apart)]
    assert [(one.a, one.b, len(one.pairs)) for one in neighbours(points) if one.axis == "w"] == [
        ("a", "b", 1),
        ("b", "c", 1),
    ]


def test_rivals_stand_on_no_axis_and_none_is_no_value() -> None:
    flat = np.linspace(-0.1, 0.1, 20)
    steps = "training.steps"
    found = [made_point(f"{n}", {steps: n}, likeness=0.5 + flat, prompt=0.5 + flat) for n in (120, 300)]
    found.append(made_point("r", {steps: 210}, likeness=0.5 + flat, prompt=0.5 + flat, rival="r"))
    found.append(made_point("per photo", {steps: None}, likeness=0.5 + flat, prompt=0.5 + flat))
    assert [(one.a, one.b, len(one.pairs)) for one in neighbours(found)] == [(120, 300, 1)]


def test_failed_runs_are_not_compared() -> None:
    points = [replace(point, state="failed") for point in grid(3)]
    assert effects(points) == []


def test_seeds_that_do_not_vary_have_a_p_of_0_or_1() -> None:
    assert paired_t(np.array([0.25, 0.25, 0.25])) == 0.25, "the very same three times: as by sign flips"
    assert paired_t(np.array([0.1 + 0.2, 0.3, 0.3])) == 0.25, "up to rounding"
    assert paired_t(np.zeros(3)) == 1.0


def test_the_spread_over_seeds_is_said() -> None:
    (likeness, spread), _ = seeds_and_settings(grid(3), "ada")
    assert likeness.key == LIKENESS
    assert spread.between_settings is not None
    assert spread.between_seeds is not None
    assert spread.between_settings > 10 * spread.between_seeds


def scored(
    snapshot: str, pictures: str, metric: str, values: list[float], reference: str = "held_out"
) -> list[Score]:
    return [
        Score("r", snapshot, pictures, metric, reference, f"p{k}", str(k), 1, value) for k, value in enumerate(values)
    ]


def test_likeness_is_on_one_scale_over_the_whole_study() -> None:
    """Two runs draw the same face; their own training photos are unequally alike to the held-out ones."""
    tables = []
    for ceiling in (0.6, 0.8):
        scores = scored("step-000100", "context", "identity", [0.5, 0.5])
        scores += scored("base", "bare", "identity", [0.2, 0.2]) + scored(
            "photos", "photos", "identity", [ceiling] * 2
        )
        tables.append((Table(scores), summarise(scores)))
    scale = study_scale([table for table, _ in tables])
    assert scale is not None
    assert (scale.floor, scale.ceiling) == (pytest.approx(0.2), pytest.approx(0.7))
    cells = [
        fill(made_point("a", {}), table, lines_of_subject(lines, "ada", several=False), scale).cells[LIKENESS]
        for table, lines in tables
    ]
    assert cells[0] == cells[1]
    assert cells[0].value == pytest.approx((0.5 - 0.2) / (0.7 - 0.2), rel=1e-12)


def test_a_wall_behind_bare_pictures_is_a_number_of_the_study() -> None:
    scores = scored("step-000100", "bare", "context_glue", [1.0, 1.0, 1.0, 0.0], "train")
    scores += scored("step-000100", "context", "context_glue", [0.0] * 4, "train")
    found = fill(made_point("a", {}), Table(scores), lines_of_subject(summarise(scores), "ada", several=False), None)
    assert found.cells["glue"].value == 0.75


def test_the_study_prints_the_runs_own_interval_on_its_own_scale() -> None:
    """With photos drawn again; a t interval over the same two pictures would be ten times as wide."""
    scores = scored("step-000100", "context", "identity", [0.4, 0.5])
    scores += scored("base", "bare", "identity", [0.2]) + scored("photos", "photos", "identity", [0.7])
    pairs = Pairs("step-000100", "context", "identity", "held_out", np.array([[0.3, 0.5], [0.5, 0.5]]))
    (line,) = (line for line in summarise(scores, pairs=[pairs]) if line.snapshot == "step-000100")
    table = Table(scores)
    lines = lines_of_subject([replace(line, reference="held_out/ada")], "ada", several=True)
    found = fill(made_point("a", {}), table, lines, study_scale([table]))
    assert line.low is not None
    assert line.high is not None
    assert line.kind == found.kinds[LIKENESS] == "pairs"
    assert found.cells[LIKENESS].low == pytest.approx((line.low - 0.2) / 0.5)
    assert found.cells[LIKENESS].high == pytest.approx((line.high - 0.2) / 0.5)
    assert line.error is not None
    assert found.cells[LIKENESS].error == pytest.approx(line.error / 0.5)
    assert found.cells[LIKENESS].value == pytest.approx(0.5)
    np.testing.assert_allclose(found.pictures[LIKENESS], [0.4, 0.6])


def test_prompts_are_numbered_whatever_the_identifier_and_are_the_units_of_effects() -> None:
    """Two learning rates, ten prompts, two pictures of each that differ alike: ten units, none of twenty."""
    random = np.random.default_rng(7)
    gains = np.repeat(random.normal(0.3, 0.05, 10), 2)
    points = []
    for k, rate in enumerate((1e-6, 2e-6)):
        scores = [
            Score(
                "r", "step-000100", "context", "prompt_following", "prompt", f"{'xy'[k]} {i // 2}", str(i), 1, value
            )
            for i, value in enumerate((0.2 + k * gains).tolist())
        ]
        lines = lines_of_subject([replace(line, reference="prompt/ada") for line in summarise(scores)], "ada", True)
        points.append(fill(made_point(str(rate), {RATE: rate}), Table(scores), lines, None))
    assert points[0].prompts[PROMPT] == points[1].prompts[PROMPT] == tuple(i // 2 for i in range(20))
    assert points[0].measured().pictures.prompts == points[0].prompts[PROMPT]
    (effect,) = effects(points)
    once = stats.t.interval(0.95, 9, gains[::2].mean(), stats.sem(gains[::2]))
    assert (effect.n, effect.units, effect.test) == (20, 10, "sign flips")
    assert (effect.low, effect.high) == pytest.approx(once)
    assert effect.p == effect.smallest == effect.adjusted == 1 / 512
    assert effect.detectable == pytest.approx(minimum_detectable(10) * gains[::2].std(ddof=1))
    many, *others = adjusted_together([effect, *[replace(effect, p=1.0)] * 29], corrected)
    assert not many.shown
    # Nine others that are surer leave it the twenty-first step of Holm's procedure instead of the first.
    beside, *_ = adjusted_together([effect, *[replace(effect, p=0.0, smallest=None)] * 9, *others[9:]], corrected)
    assert (beside.adjusted, beside.smallest) == (pytest.approx(21 / 512), pytest.approx(21 / 512))
    assert beside.shown
    assert "better (+0.29" in beside.sentence
    assert "not testable" not in beside.sentence + beside.finding
    assert "not testable" in many.sentence
    assert "could not have been below 0.059" in many.sentence


def test_without_a_scale_there_is_no_likeness() -> None:
    assert study_scale([Table(scored("step-000100", "context", "identity", [0.5]))]) is None


def points_to_choose() -> list[Point]:
    """A good short run, a good long one hardly better, a copying one best in every number, an underfitted one."""
    flat = np.linspace(-0.1, 0.1, 20)
    return [
        made_point("short", {}, likeness=0.80 + flat, prompt=0.6 + flat, step=100),
        made_point("long", {}, likeness=0.81 + flat[::-1], prompt=0.6 + flat[::-1], step=500),
        made_point("copier", {}, likeness=0.99 + flat, prompt=0.7 + flat, step=900, word="copying"),
        made_point("early", {}, likeness=0.2 + flat, prompt=0.8 + flat, step=20, word="underfitted"),
    ]


@pytest.mark.parametrize("prompts", [1, 10])
def test_several_snapshots_of_two_trainings_say_no_more_than_one(prompts: int) -> None:
    """Three lengths of either rate that draw the same: of one prompt the initial noises are the units."""
    random = np.random.default_rng(3)
    drawn = {rate: random.normal(0.6, 0.1, 20) for rate in (1e-6, 2e-6)}
    points = [
        made_point(
            f"{rate} {step}",
            {RATE: rate, "training.steps": step},
            likeness=drawn[rate],
            prompt=drawn[rate],
            step=step,
            prompts=dict.fromkeys((LIKENESS, PROMPT), tuple(k % prompts for k in range(20))),
        )
        for rate in (1e-6, 2e-6)
        for step in (60, 120, 240)
    ]

    def rates(own: list[Point]) -> list[tuple[float, float | None, float | None, float, int]]:
        pairs = [(a, b) for a, b in zip(own[: len(own) // 2], own[len(own) // 2 :], strict=True)]
        found = [effect_of("ada", RATE, column, pairs) for column in COLUMNS if column.key in own[0].pictures]
        return [(one.difference, one.low, one.high, one.p, one.units) for one in found if one is not None]

    once, thrice = rates([points[0], points[3]]), rates(points)
    assert len(once) == 2
    assert thrice == [pytest.approx(values) for values in once]


def test_the_least_trained_good_run_that_is_led_by_one_standard_error_at_most_is_taken() -> None:
    choice = choose(points_to_choose(), "ada")
    assert choice.run == "short"
    assert choice.reason == (
        "Because the highest likeness, 0.81 (long), leads its 0.80 by no more than one standard error (0.03), and it "
        "took fewer steps; prompt following 0.60. 2 of 4 runs may be taken."
    )


@pytest.mark.parametrize("order", [1, -1], ids=["listed first", "listed last"])
def test_of_runs_with_as_few_steps_the_best_is_taken_and_none_is_said_to_have_taken_fewer(order: int) -> None:
    """Two rates at 300 steps within one standard error of each other; equal ones are told apart by prompts, then by
    name."""
    flat = np.linspace(-0.1, 0.1, 20)
    low, high = (
        made_point(f"lr {rate}", {RATE: rate}, likeness=likeness + flat, prompt=0.6 + flat[::-1], step=300)
        for rate, likeness in ((1e-3, 0.58), (2e-3, 0.60))
    )
    choice = choose([low, high][::order], "ada")
    assert choice.run == "lr 0.002"
    assert "fewer steps" not in choice.reason
    assert choice.reason.startswith("Because no run that may be taken has a higher likeness than its 0.60; prompt")
    later = made_point("later", {RATE: 2e-3}, likeness=0.61 + flat[::-1], prompt=0.6 + flat[::-1], step=400)
    choice = choose([low, high, later][::order], "ada")
    assert choice.run == "lr 0.002"
    assert "the highest likeness, 0.61 (later), leads its 0.60 by no more than" in choice.reason
    follows = made_point("z", {}, likeness=0.60 + flat, prompt=0.61 + flat[::-1], step=300)
    assert choose([high, follows][::order], "ada").run == "z"
    assert choose([high, replace(high, run="a")][::order], "ada").run == "a"


def test_the_order_of_runs_does_not_matter_to_the_choice() -> None:
    random = np.random.default_rng(4)
    points = [
        made_point(
            f"{steps} {seed}",
            {},
            likeness=random.normal(0.7, 0.1, 20),
            prompt=random.normal(0.6, 0.1, 20),
            step=steps,
        )
        for steps in (100, 200, 300)
        for seed in range(6)
    ]
    first = choose(points, "ada")
    assert {choose([points[k] for k in random.permutation(len(points))], "ada") for _ in range(4)} == {first}


def test_of_many_equals_the_least_trained_is_taken() -> None:
    """More candidates than are tested against each other: the earliest that is as good is among those that are."""
    random = np.random.default_rng(1)

    def drawn(mean: float) -> np.ndarray:
        noise = random.normal(0, 0.1, 20)
        return mean + noise - noise.mean()

    points = [
        made_point(f"steps {step}", {"training.steps": step}, likeness=drawn(level), prompt=drawn(0.6), step=step)
        for step, level in zip(range(100, 1100, 50), np.linspace(0.780, 0.793, 20), strict=True)
    ]
    choice = choose(points, "ada")
    assert choice.run == "steps 100"
    assert "the highest likeness, 0.79 (steps 1050), leads its 0.78 by no more than" in choice.reason


def test_a_failed_gate_bars_a_good_run() -> None:
    points = [
        replace(point, failed_gates=("leak",)) if point.run == "short" else point for point in points_to_choose()
    ]
    choice = choose(points, "ada")
    assert choice.run == "long"
    assert choice.reason.endswith("1 of 4 runs may be taken; 1 more is called good, but failed a gate.")


def test_what_could_not_be_tested_goes_last_and_is_named() -> None:
    """As in the verdict on one run: copies were looked for in pictures of somebody else."""
    found = [
        replace(point, findings=("not in bare pictures",), untested_gates=("copies", "memorisation"))
        if point.run == "long"
        else point
        for point in points_to_choose()
    ]
    choice = choose(found, "ada")
    assert choice.run == "short"
    assert choice.passed == (("gates that could not be tested", ("long",)),)
    alone = choose([point for point in found if point.run != "short"], "ada")
    assert alone.run == "long"
    assert "Not tested: copies, memorisation." in alone.reason


def test_what_another_dominates_is_named_where_it_has_more_likeness() -> None:
    flat = np.linspace(-0.02, 0.02, 20)
    found = [
        made_point("faithful", {}, likeness=0.70 + flat, prompt=0.95 + flat, step=300),
        made_point("vain", {}, likeness=0.73 + flat, prompt=0.60 + flat, step=300),
    ]
    choice = choose(found, "ada")
    assert choice.run == "faithful"
    assert choice.passed == (("outdone when both axes count", ("vain",)),)
    assert choice.reason == (
        "Because its likeness, 0.70, is the highest but for the 1 passed over; prompt following 0.95. "
        "2 of 2 runs may be taken."
    )


def test_none_is_recommended_where_none_is_good_and_the_reason_counts() -> None:
    points = [replace(p, word="copying", failed_gates=("copies",)) for p in points_to_choose()]
    choice = choose(points, "ada")
    assert choice.run is None
    assert choice.reason == ("Because none of 4 runs may be taken: 4 copying. Gates that failed: copies (4).")
    assert choice.advice == (
        "Take fewer steps, more and more varied photos, or captions that say where each was taken."
    )


def test_what_to_try_follows_the_word_that_most_runs_got() -> None:
    early, *late = points_to_choose()
    words = [replace(early, word="underfitted"), *(replace(point, word="overfitted") for point in late)]
    assert choose(words, "ada").advice == "Take fewer steps, and keep more snapshots of the early ones."
    assert choose([replace(p, word="underfitted") for p in words], "ada").advice.endswith("a higher learning rate.")
    unjudged = choose([replace(p, word="") for p in words], "ada")
    assert (unjudged.reason.endswith("4 not judged."), unjudged.advice) == (True, "")


def test_seeds_that_differ_in_their_last_bits_show_nothing() -> None:
    third = np.full(20, 1 / 3)
    scores = {1e-6: third, 2e-6: third + np.where(np.arange(20) % 3, 5e-17, -1.1e-16)}
    points = [
        made_point(f"{rate} {seed}", {"strategy.learning_rate": rate}, seed, likeness=own, prompt=own)
        for rate, own in scores.items()
        for seed in range(3)
    ]
    shaken = [
        replace(p, cells={key: replace(cell, value=0.1 + 0.2 if "2e-06" in p.run else 0.3)
                          for key, cell in p.cells.items()})
        for p in points
    ]  # fmt: skip
    assert 0.1 + 0.2 != 0.3
    for found in effects(shaken):
        assert (found.about, found.difference, found.low, found.high, found.p) == ("settings", 0, 0, 0, 1)
        assert found.sentence.endswith("no difference found (0, 95 % CI 0 to 0, Holm p = 1).")


def test_the_front_holds_what_no_run_beats() -> None:
    assert [point.run for point in front(points_to_choose())] == ["early", "copier"]


def test_what_the_usual_numbers_would_have_chosen_is_told() -> None:
    values = {"short": (0.7, 180.0), "copier": (0.6, 150.0), "long": (0.65, 140.0)}
    points = [
        replace(
            point,
            cells={
                **point.cells,
                "lpips": Interval(values[point.run][0], None, None, 20),
                "frechet_alexnet": Interval(values[point.run][1], None, None, 20),
            },
        )
        for point in points_to_choose()
        if point.run in values
    ]
    found = [(each.column.key, each.run, each.value, each.word) for each in familiar(points, "ada")]
    assert found == [("lpips", "copier", 0.6, "copying"), ("frechet_alexnet", "long", 140.0, "good")]


def test_measured_carries_what_the_rules_want() -> None:
    found = points_to_choose()[0].measured()
    assert (found.name, found.step) == ("short", 100)
    assert found.likeness is not None
    assert found.likeness.value == pytest.approx(0.8)
    assert len(found.pictures.prompt) == 20
    assert PROMPT in points_to_choose()[0].cells


def test_the_three_best_of_a_column_are_marked_by_its_direction() -> None:
    values = [0.3, None, 0.1, 0.2, 0.1, 0.4, 0.5]
    assert medals(values, "lower") == ["", "", "first", "third", "first", "", ""]
    assert medals(values, "higher") == ["third", "", "", "", "", "second", "first"]
    assert medals(values, "neither") == [""] * 7


@pytest.mark.parametrize(
    ("values", "better", "places"),
    [
        ([0.0, 0.0, 0.0, 0.05], "lower", ["", "", "", ""]),
        ([0.5, 0.6, 0.6, 0.6], "higher", ["", "", "", ""]),
        ([0.7, 0.6, 0.6, 0.5], "higher", ["first", "", "", ""]),
        (
            [0.9111111111111111, 0.9111111111111112, 0.8, 0.7, 0.6, 0.5],
            "higher",
            ["first", "first", "third", "", "", ""],
        ),
        ([0.3, 0.2, 0.1, None], "higher", ["", "", "", ""]),
    ],
    ids=["none copies but one", "one is worse", "a shared second", "equal but for rounding", "three numbers"],
)
def test_what_many_share_is_no_distinction(values: list[float | None], better: str, places: list[str]) -> None:
    """The worst run of a column must not be the only one in colour."""
    assert medals(values, better) == places


def test_tables_read_back_and_escape() -> None:
    head, rows = ["run", "lpips"], [["a_1 & b", 1 / 3], ["c|d", None]]
    assert as_csv(head, rows) == f"run,lpips\na_1 & b,{1 / 3!r}\nc|d,\n"
    assert as_markdown(head, rows).splitlines()[2:] == ["| a_1 & b | 0.333 |", "| c\\|d | – |"]
    assert "a\\_1 \\& b & 0.333 \\\\\n" in as_latex(head, rows)
    assert as_markdown(["run"], [["two\nlines"]]).splitlines()[2:] == ["| two lines |"]
    assert "x\\textasciicircum{}2 \\textasciitilde{} a \\\\\n" in as_latex(["run"], [["x^2 ~\na"]])


def test_parquet_reads_back_with_its_types() -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    head = ["run", "steps", "lpips", "never"]
    found = parquet.read_table(io.BytesIO(as_parquet(head, [["a", 3, 1 / 3, None], ["b", 4, None, None]])))
    assert [str(field.type) for field in found.schema] == ["string", "int64", "double", "double"]
    assert found.to_pydict() == {"run": ["a", "b"], "steps": [3, 4], "lpips": [1 / 3, None], "never": [None] * 2}
    mixed = parquet.read_table(io.BytesIO(as_parquet(["a", "b"], [["all", 1], [3, 0.5]])))
    assert mixed.to_pydict() == {"a": ["all", "3"], "b": [1.0, 0.5]}
    assert as_parquet(head, []), "a study without a finished run has empty tables"


def test_claims_hold_fail_or_stay_undecided() -> None:
    higher = Claim(say="more helps", axis=RATE, at=2e-6, than=1e-6)
    lower = Claim(say="less helps", axis=RATE, at=1e-6, than=2e-6)
    prompt = Claim(say="prompts suffer", axis=RATE, at=1e-6, than=2e-6, column="prompt")
    other = Claim(say="photos help", axis="photos.number", at=13, than=6)
    found = claims_tested(grid(4), [higher, "in words", lower, prompt, other])
    assert [(t.say, t.state) for t in found] == [
        ("more helps", "holds"),
        ("in words", "not tested"),
        ("less helps", "fails"),
        ("prompts suffer", "undecided"),
        ("photos help", "undecided"),
    ]
    assert "4 seeds, Holm p = " in found[0].numbers
    assert found[0].numbers.startswith("likeness +0.")
    assert "no two finished runs differ in this alone" in found[4].numbers


def test_a_difference_that_is_equal_at_every_seed_is_not_tested() -> None:
    """One face more of twenty at each of three seeds: the t test would be certain (p = 0)."""
    points = [
        made_point(f"{rate} {seed}", {RATE: rate}, seed, likeness=np.repeat([1.0, 0.0], [k, 20 - k]))
        for rate, found in ((1e-6, (14, 11, 17)), (2e-6, (15, 12, 18)))
        for seed, k in enumerate(found)
    ]
    claim = Claim(say="higher", axis=RATE, at=2e-6, than=1e-6)
    (equal,) = claims_tested(points, [claim])
    assert (equal.state, equal.numbers) == (
        "undecided",
        "likeness +0.05, 95 % CI 0.05 to 0.05, 3 seeds, equal at all of them, of which a t test would be certain",
    )
    same = [replace(point, cells=points[0].cells) for point in points]
    (none,) = claims_tested(same, [claim])
    assert (none.state, none.numbers) == ("undecided", "likeness 0, 95 % CI 0 to 0, 3 seeds, Holm p = 1")


def test_a_claim_compares_each_subject_with_itself() -> None:
    """Two people of one training have the same places on all axes."""
    points = made_study({"ada": {1e-4: 0.3, 1e-3: 0.4}, "bob": {1e-4: 0.6, 1e-3: 0.7}})
    points = [replace(point, values={RATE: point.values[RATE]}) for point in points]
    claim = Claim(say="higher", axis=RATE, at=1e-3, than=1e-4)
    (found,) = claims_tested(points, [claim])
    assert found.state == "holds"
    assert "likeness +0.1" in found.numbers


def test_a_claim_is_undecided_with_two_seeds_however_large_the_difference() -> None:
    (found,) = claims_tested(grid(2, gain=5.0), [Claim(say="more helps", axis=RATE, at=2e-6, than=1e-6)])
    assert found.state == "undecided"
    assert "fewer than 3 training seeds" in found.numbers


def test_likeness_to_other_held_out_photos_is_not_compared() -> None:
    """Who is easily met on six photos is not learned better than on six others."""
    points = grid(3)
    assert {effect.column.key for effect in effects(points)} == {"likeness", "prompt"}
    others = [replace(p, against={PEOPLE: "six" if p.values[RATE] == 1e-6 else "other six"}) for p in points]
    assert {effect.column.key for effect in effects(others)} == {"prompt"}
    framed = [replace(p, against={PEOPLE: "six", "held_out": str(p.values[RATE])}) for p in points]
    assert effects(framed) == effects(points), "the same photos, framed otherwise"
