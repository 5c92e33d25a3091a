"""The rating page: blind, self-contained, seeded; and what its result files say."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy import stats

from boothlab.errors import PlanError, RunDamaged
from boothlab.generation.picture import Picture
from boothlab.reports import rating as page_of
from boothlab.reports.rating import Preference, _comparisons, data_uri, read_ratings, write_rating
from boothlab.statistics.intervals import Interval, cluster_wilson, wilson

SHADES = {"base": 40, "lora-8": 120, "full": 200}
"""Every set has its own grey, so that a picture on the page tells where it came from."""


def drawn(folder: Path, count: int = 6) -> dict[str, list[Picture]]:
    sets: dict[str, list[Picture]] = {}
    for name, shade in SHADES.items():
        sets[name] = []
        for k in range(count):
            path = folder / f"{name}-{k}.png"
            Image.new("RGB", (32, 32), (shade, shade, 10 * k)).save(path)
            sets[name].append(Picture(path, f"a photo of a person no. {k}", seed=k))
    return sets


def state_of(page: Path) -> dict[str, Any]:
    text = page.read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" id="state">(.*?)</script>', text, re.S)
    assert found is not None
    return dict(json.loads(found[1]))


def shade_of(uri: str) -> int:
    image = Image.open(io.BytesIO(base64.b64decode(uri.removeprefix("data:image/jpeg;base64,"))))
    return int(np.array(image)[16, 16, 0])


@pytest.fixture
def page(tmp_path: Path) -> tuple[Path, Path]:
    photos = [np.full((48, 40, 3), 90, np.uint8)] * 8
    return write_rating(tmp_path, drawn(tmp_path), photos, seed=3, subject="Ada & Bob")


def result(page: Path, path: Path, choose: Any, questions: tuple[str, ...] = ("likeness", "prompt")) -> Path:
    """A result file; ``choose(left shade, right shade)`` answers left, right or None."""
    state = state_of(page)
    answers = []
    for index, trial in enumerate(state["trials"]):
        shades = [shade_of(state["pictures"][trial[side]]) for side in ("left", "right")]
        answers += [{"trial": index, "question": asked, "choice": choose(*shades)} for asked in questions]
    path.write_text(json.dumps({"format": 1, "kind": "boothlab-rating", "page": state["page"], "answers": answers}))
    return path


def test_the_page_is_blind_and_needs_nothing_else(page: tuple[Path, Path]) -> None:
    text = page[0].read_text(encoding="utf-8")
    for name in ("lora-8", '"base"', '"full"', ".png"):
        assert name not in text
    assert not re.search(r"""(?:src|href)=["'](?!data:)|https?://|@import|url\(""", text)
    assert "Ada &amp; Bob" in text
    assert text.count('alt="photo ') == 2 * 6, "six photos, at the start and beside the choice"


def test_answers_can_be_saved_before_the_last_question(page: tuple[Path, Path], tmp_path: Path) -> None:
    """Whoever stopped at the twentieth question could not hand in the first nineteen."""
    text = " ".join(page[0].read_text(encoding="utf-8").split())
    asking = text[text.index('<section id="ask"') : text.index('<section class="card" id="end"')]
    assert '<button class="quiet" id="part"></button>' in asking
    assert "You may stop at any time: save, and hand the file in as it is. Or open this page again later" in asking
    assert 'at("part").onclick = save;' in text
    assert "`Save ${answers.length} of ${steps.length} answers`" in text
    path = result(page[0], tmp_path / "part.json", lambda left, right: "left")
    tree = json.loads(path.read_text())
    path.write_text(json.dumps({**tree, "answers": tree["answers"][:3]}))
    assert sum(line.decided for line in read_ratings([path], page[1])) == 3


def test_every_pair_is_asked_on_the_same_rows_from_both_sides(page: tuple[Path, Path]) -> None:
    state, key = state_of(page[0]), json.loads(page[1].read_text())
    assert len(state["trials"]) == 18
    counts: dict[frozenset[str], list[bool]] = {}
    for trial in state["trials"]:
        left, right = (key["sources"][trial[side]] for side in ("left", "right"))
        for side, name in (("left", left), ("right", right)):
            assert abs(shade_of(state["pictures"][trial[side]]) - SHADES[name]) <= 3
        assert trial["prompt"].startswith("a photo of a person no. ")
        counts.setdefault(frozenset((left, right)), []).append(left < right)
    assert {len(sides) for sides in counts.values()} == {6}
    assert {sum(sides) for sides in counts.values()} == {3}
    assert len(counts) == 3
    # Neither the pictures' numbers nor the order of questions follow the sets.
    assert key["sources"] != sorted(key["sources"])
    pairs = [frozenset(key["sources"][trial[side]] for side in ("left", "right")) for trial in state["trials"]]
    assert any(pairs[k] != pairs[0] for k in range(1, 6))


def test_the_seed_decides_order_and_sides(tmp_path: Path) -> None:
    sets, photos = drawn(tmp_path), [np.zeros((8, 8, 3), np.uint8)]
    pages = []
    for k, seed in enumerate((3, 3, 4)):
        folder = tmp_path / str(k)
        pages.append(write_rating(folder, sets, photos, seed)[0].read_bytes())
    assert pages[0] == pages[1]
    assert pages[0] != pages[2]


def test_most_limits_the_work_and_spreads_it(tmp_path: Path) -> None:
    html, key = write_rating(tmp_path, drawn(tmp_path), [], seed=0, most=7)
    state, sources = state_of(html), json.loads(key.read_text())["sources"]
    pairs = [frozenset(sources[trial[side]] for side in ("left", "right")) for trial in state["trials"]]
    assert sorted(pairs.count(pair) for pair in set(pairs)) == [2, 2, 2]
    assert len(state["pictures"]) == len(sources) <= 12


def test_pictures_are_made_small_and_keep_no_metadata() -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (700, 1400, 3), dtype=np.uint8)
    image = Image.open(io.BytesIO(base64.b64decode(data_uri(pixels).split(",")[1])))
    assert image.size == (512, 256)
    assert not image.getexif()


def test_answers_become_preferences(page: tuple[Path, Path], tmp_path: Path) -> None:
    """One rater likes what is brighter; another does so for half and cannot tell in the other half."""
    sure = result(page[0], tmp_path / "one.json", lambda left, right: "left" if left > right else "right")
    unsure = result(
        page[0], tmp_path / "two.json", lambda left, right: None if left > right else "right", ("likeness",)
    )
    found = {(line.a, line.b, line.question): line for line in read_ratings([sure, unsure, sure], page[1])}
    assert list(found) == [
        (a, b, q)
        for a, b in (("base", "full"), ("base", "lora-8"), ("full", "lora-8"))
        for q in ("likeness", "prompt")
    ]
    clear = found["base", "full", "prompt"]
    assert (clear.wins_b, clear.decided, clear.undecided, clear.raters) == (6, 6, 0, 1)
    assert clear.share == wilson(6, 6)
    assert clear.p == pytest.approx(stats.binomtest(6, 6).pvalue)
    both = found["full", "lora-8", "likeness"]
    assert (both.wins_b, both.decided, both.undecided, both.raters) == (0, 9, 3, 2)
    assert (both.pictures_b, both.pictures, both.even) == (0, 6, 0)
    assert both.share == cluster_wilson([False] * 9, [0, 0, 1, 1, 2, 2, 3, 4, 5])
    assert both.adjusted == pytest.approx(6 * stats.binomtest(0, 6).pvalue)
    assert "(lora-8 in 0 of 6 pictures and 0 of 9 answers, 95 % CI 0% to" in both.sentence


def test_raters_are_told_apart_and_a_corrected_file_takes_the_place_of_the_first(
    page: tuple[Path, Path], tmp_path: Path
) -> None:
    """Ten agree; one of them, who saved twice, agrees only in the end."""

    def saved(name: str, rater: str, at: int, brighter: bool) -> Path:
        path = result(
            page[0],
            tmp_path / name,
            lambda left, right: "left" if (left > right) == brighter else "right",
            ("prompt",),
        )
        path.write_text(json.dumps({**json.loads(path.read_text()), "rater": rater, "saved": at}))
        return path

    files = [saved(f"{k}.json", f"rater-{k}", 5, True) for k in range(10)]
    files.insert(0, saved("first.json", "rater-0", 3, False))
    found = {(line.a, line.b): line for line in read_ratings(files, page[1])}
    clear = found["base", "full"]
    assert (clear.wins_b, clear.decided, clear.raters) == (60, 60, 10)
    assert clear.p == pytest.approx(stats.binomtest(6, 6).pvalue), "six pictures are six tosses, however many look"
    assert clear.share == Interval(1.0, wilson(6, 6).low, 1.0, 6)


@pytest.fixture
def many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[NDArray[np.bool_]], Preference]:
    """The line on two sets, of which (raters, pictures) says who preferred the second on which picture."""
    key = {"format": 1, "kind": "boothlab-rating-key", "page": "p", "sources": [], "trials": []}
    files: dict[Path, Any] = {tmp_path / "key.json": key}
    monkeypatch.setattr(page_of, "read_json", files.__getitem__)

    def read(chosen: NDArray[np.bool_]) -> Preference:
        raters, pictures = chosen.shape
        key["sources"] = ["a", "b"] * pictures
        key["trials"] = [{"left": 2 * k, "right": 2 * k + 1} for k in range(pictures)]
        for rater, row in enumerate(chosen.tolist()):
            answers = [
                {"trial": k, "question": "likeness", "choice": "right" if liked else "left"}
                for k, liked in enumerate(row)
            ]
            result = {"format": 1, "kind": "boothlab-rating", "page": "p", "rater": str(rater), "answers": answers}
            files[tmp_path / f"{rater}.json"] = result
        (line,) = read_ratings([tmp_path / f"{rater}.json" for rater in range(raters)], tmp_path / "key.json")
        return line

    return read


@pytest.mark.parametrize("raters", [1, 10])
def test_chance_makes_no_preference_however_many_look_at_the_same_pictures(
    raters: int, many: Callable[[NDArray[np.bool_]], Preference]
) -> None:
    """Of pictures of equal sets each has its own share of people who prefer it. Ten raters' answers
    counted as 200 tosses: a quarter of such pages showed a preference, and intervals were half as wide as is true."""
    random = np.random.default_rng(0)
    lines = [many(random.random((raters, 20)) < random.beta(2, 2, 20)) for _ in range(400)]
    assert np.mean([line.p <= 0.05 for line in lines]) <= 0.07
    assert 0.93 <= np.mean([inside(line.share, 0.5) for line in lines]) <= 0.98


def inside(share: Interval | None, truth: float) -> bool:
    assert share is not None
    assert share.low is not None
    assert share.high is not None
    return share.low <= truth <= share.high


def test_with_one_rater_each_answer_is_a_toss(many: Callable[[NDArray[np.bool_]], Preference]) -> None:
    line = many(np.arange(20)[None] < 14)
    assert (line.pictures_b, line.pictures, line.even, line.wins_b, line.decided) == (14, 20, 0, 14, 20)
    assert line.share == wilson(14, 20)
    assert line.p == stats.binomtest(14, 20).pvalue


def test_pictures_on_which_raters_are_split_are_no_tosses(many: Callable[[NDArray[np.bool_]], Preference]) -> None:
    """Two raters: both for B on 7 pictures, both for A on one, and of two minds on four."""
    line = many(np.array([[1] * 7 + [0] + [0, 1, 0, 1], [1] * 7 + [0] + [1, 0, 1, 0]], dtype=bool))
    assert (line.pictures_b, line.pictures, line.even, line.wins_b, line.decided) == (7, 8, 4, 18, 24)
    assert line.p == pytest.approx(stats.binomtest(7, 8).pvalue)
    assert line.share is not None
    assert (line.share.value, line.share.n) == (0.75, 12)
    split = many(np.array([[True, False, True], [False, True, False]]))
    assert (split.pictures, split.even, split.p, split.adjusted) == (0, 3, 1.0, 1.0)
    assert split.share is not None
    assert (split.share.low, split.share.high) == pytest.approx((0.5 - 0.3746, 0.5 + 0.3746), abs=1e-4), (
        "as one of three"
    )
    assert "no preference found (b in 0 of 0 pictures and 3 of 6 answers" in split.sentence


@pytest.mark.parametrize(("sets", "rows"), [(2, 20), (3, 3), (5, 3), (8, 20), (9, 20), (12, 20), (4, 1)])
def test_either_side_has_the_earlier_one_equally_often(sets: int, rows: int) -> None:
    """With nine snapshots and more it was always on the left."""
    for seed in range(5):
        asked = _comparisons([f"step-{k:02d}" for k in range(sets)], rows, 60, np.random.default_rng(seed))
        assert abs(2 * sum(left < right for left, right, _ in asked) - len(asked)) <= 1
        for pair in {tuple(sorted(found[:2])) for found in asked}:
            own = [left < right for left, right, _ in asked if {left, right} == set(pair)]
            assert abs(2 * sum(own) - len(own)) <= 1


def test_of_many_lines_chance_makes_none_a_preference(page: tuple[Path, Path], tmp_path: Path) -> None:
    """Six lines: what one alone would show at p = 0.02 is not shown beside the others."""
    random = np.random.default_rng(0)

    def answer(left: int, right: int) -> str:
        liked = "left" if left < right else "right"
        return liked if {left, right} == {40, 120} else str(random.choice(["left", "right"]))

    lines = read_ratings([result(page[0], tmp_path / "a.json", answer, ("likeness",))], page[1])
    by_p = sorted(lines, key=lambda line: line.p)
    assert by_p[0].adjusted == pytest.approx(min(1.0, by_p[0].p * len(lines)))
    assert all(line.adjusted >= line.p for line in lines)
    told = Preference("a", "b", "likeness", 9, 10, 0, 9, 10, 0, 1, wilson(9, 10), 0.02, 0.12)
    assert told.sentence.startswith("b against a, more like the person: no preference found")
    assert "sign test p = 0.12 after Holm" in told.sentence
    sure = Preference("a", "b", "likeness", 10, 10, 0, 10, 10, 0, 1, wilson(10, 10), 0.002, 0.012)
    assert sure.sentence.startswith("b was found more like the person")


def test_sentences() -> None:
    none = Preference("a", "b", "prompt", 5, 10, 0, 5, 10, 0, 1, wilson(5, 10), 1.0, 1.0)
    assert none.sentence.startswith(
        "b against a, closer to what was asked: no preference found (b in 5 of 10 pictures, 95 % CI 24% to"
    )
    assert Preference("a", "b", "prompt", 0, 0, 0, 0, 0, 3, 1, None, 1.0, 1.0).sentence.endswith(
        'nobody could tell (1 rater, 3 answers "cannot tell").'
    )


def test_a_sentence_says_how_many_could_not_tell_and_how_many_were_asked() -> None:
    """Six answers and four "cannot tell" of ten questions were "0 of 6"."""
    one = Preference("a", "b", "prompt", 0, 6, 0, 0, 6, 4, 1, wilson(0, 6), 0.031, 0.031)
    assert one.sentence == (
        "a was found closer to what was asked (b in 0 of 6 pictures, 95 % CI 0% to 39%, sign test p = 0.031; "
        '1 rater, 4 answers "cannot tell").'
    )
    several = Preference("a", "b", "prompt", 3, 5, 1, 8, 13, 1, 3, wilson(3, 6), 1.0, 1.0)
    assert several.sentence.endswith(
        "(b in 3 of 5 pictures and 8 of 13 answers, 95 % CI 19% to 81%, sign test p = 1; "
        '3 raters, 1 answer "cannot tell", 1 picture evenly split).'
    )


def test_sets_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    sets = drawn(tmp_path)
    with pytest.raises(PlanError, match="there is 1"):
        write_rating(tmp_path, {"base": sets["base"]}, [], 0)
    with pytest.raises(PlanError, match="same prompts and seeds"):
        write_rating(tmp_path, {"base": sets["base"], "full": sets["full"][:3]}, [], 0)
    with pytest.raises(PlanError, match="same prompts and seeds"):
        write_rating(tmp_path, {"base": [], "full": []}, [], 0)
    other = [replace(picture, prompt="a drawing") for picture in sets["full"]]
    with pytest.raises(PlanError, match="same prompts and seeds"):
        write_rating(tmp_path, {"base": sets["base"], "full": other}, [], 0)
    assert not (tmp_path / "rating.html").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "something"}, "is not the result"),
        ({"format": 2}, "is not the result"),
        ({"page": "0" * 16}, "another page"),
        ({"answers": []}, "holds no answers"),
        ({"answers": {}}, "holds no answers"),
        ({"answers": [{"trial": 99, "question": "likeness", "choice": "left"}]}, "cannot give"),
        ({"answers": [{"trial": True, "question": "likeness", "choice": "left"}]}, "cannot give"),
        ({"answers": [{"trial": 0, "question": "beauty", "choice": "left"}]}, "cannot give"),
        ({"answers": [{"trial": 0, "question": "likeness", "choice": "up"}]}, "cannot give"),
        ({"answers": [{"trial": 0, "question": "likeness"}]}, "cannot give"),
        ({"answers": [{"trial": 0, "question": ["likeness"], "choice": ["left"]}]}, "cannot give"),
        ({"answers": ["left"]}, "cannot give"),
        ({"answers": [{"trial": 0, "question": "\ud800" * 99, "choice": "left"}]}, "cannot give"),
        ({"rater": 3}, "who saved it"),
        ({"saved": float("nan")}, "who saved it"),
        ({"saved": float("inf")}, "who saved it"),
        ({"saved": 10**400}, "who saved it"),
        ({"saved": True}, "who saved it"),
        ({"saved": "today"}, "who saved it"),
        ({"answers": [{"trial": 0, "question": "likeness", "choice": "left"}] * 2}, "cannot give"),
    ],
)
def test_bad_result_files_give_one_message(
    page: tuple[Path, Path], tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    path = result(page[0], tmp_path / "bad.json", lambda left, right: "left")
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(RunDamaged, match=message) as caught:
        read_ratings([path], page[1])
    assert "bad.json" in caught.value.message
    assert len(caught.value.message.replace(str(path), "").encode()) < 120
    assert caught.value.hint


def test_what_a_file_holds_beside_its_answers_is_not_looked_at(page: tuple[Path, Path], tmp_path: Path) -> None:
    """A file without a rater counts once per content; text that is not UTF-8 and NaN in it were tracebacks."""
    path = result(page[0], tmp_path / "odd.json", lambda left, right: "left")
    same = tmp_path / "same.json"
    tree = json.loads(path.read_text())
    path.write_text(json.dumps({**tree, "note": "\ud800", "more": [float("nan")]}))
    same.write_text(json.dumps(tree))
    other = result(page[0], tmp_path / "other.json", lambda left, right: "right")
    lines = read_ratings([path, same, other], page[1])
    assert {line.raters for line in lines} == {2}


@pytest.mark.parametrize(
    "change",
    [
        {"trials": 5},
        {"trials": [1]},
        {"trials": [{"left": 999, "right": 0}]},
        {"trials": [{"left": -1, "right": 0}]},
        {"trials": [{"left": True, "right": 0}]},
        {"trials": [{"left": 0}]},
        {"sources": None},
        {"sources": []},
        {"sources": [["a"], "b"]},
        {"sources": {"a": 1}},
        {"page": 3},
        {"subject": ["Ada"]},
    ],
)
def test_a_damaged_key_gives_one_message(page: tuple[Path, Path], tmp_path: Path, change: dict[str, Any]) -> None:
    path = result(page[0], tmp_path / "good.json", lambda left, right: "left")
    page[1].write_text(json.dumps({**json.loads(page[1].read_text()), **change}))
    with pytest.raises(RunDamaged, match=r"rating-key\.json is not a whole key") as caught:
        read_ratings([path], page[1])
    assert caught.value.hint


def test_no_json_and_a_wrong_key(page: tuple[Path, Path], tmp_path: Path) -> None:
    good = result(page[0], tmp_path / "good.json", lambda left, right: "left")
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    with pytest.raises(RunDamaged, match=r"broken\.json"):
        read_ratings([broken], page[1])
    with pytest.raises(RunDamaged, match="is not the key"):
        read_ratings([good], good)
    torn = tmp_path / "torn.json"
    torn.write_text(json.dumps({"format": 1, "kind": "boothlab-rating-key"}))
    with pytest.raises(RunDamaged, match="not a whole key"):
        read_ratings([good], torn)
    with pytest.raises(RunDamaged, match=r"none\.json"):
        read_ratings([tmp_path / "none.json"], page[1])
