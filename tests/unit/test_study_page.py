"""The page of a large study: quickly made, light enough, everything on it, nothing in it that runs."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from boothlab.api.studies.effects import effects_view
from boothlab.api.studies.overview import overview_view
from boothlab.metrics import METRICS
from boothlab.reports.lacking import lacking
from boothlab.reports.study import (
    AcrossCell,
    AcrossRow,
    AcrossView,
    AgainView,
    CellView,
    ComparedView,
    EffectCell,
    EffectRow,
    EffectsView,
    GridView,
    Head,
    PhotoSetView,
    Picture,
    PublishedView,
    RowView,
    SearchView,
    StudyInfo,
    SubjectView,
    TrialView,
    render_study,
    worth,
)
from boothlab.reports.study_figures import Bar, Forest, HeatMap, Spot
from boothlab.studies.choose import choose
from boothlab.studies.compare import effects
from clock import quickest
from photos_made import photo_folder
from study_made import made_point


def page(
    rows: int,
    pictures: list[Path],
    name: str = "many",
    subjects: tuple[str, ...] = ("ada",),
    carried: bool = True,
    chosen: str | None = None,
    medal: str = "first",
) -> str:
    """A page with so many runs of each subject, as the report fills it; none of them is taken where "" is chosen."""
    random = np.random.default_rng(0)
    axes = ("strategy.learning_rate", "training.steps")
    points = [
        made_point(
            f"run {k}",
            dict(zip(axes, (k // 20, k // 4 % 5), strict=True)),
            k % 4,
            random.normal(0.5 + 0.02 * (k // 20), 0.1, 20),
            random.normal(0.5, 0.1, 20),
        )
        for k in range(rows)
    ]
    choice = choose(points, "ada")
    shown = [Picture(path, f"a photo of a person {k}: run 1") for k, path in enumerate(pictures)]
    cell = CellView(0.5, 0.4, 0.6, 20, medal)
    subject = SubjectView(
        name="ada",
        chosen=choice.run if chosen is None else chosen or None,
        reason=choice.reason,
        passed=(("outdone when both axes count", "run 2"),),
        advice="",
        caution="",
        again=AgainView((("likeness", cell, CellView(0.44, 0.3, 0.5, 20, "")),), "It was chosen by these."),
        strip=tuple(shown),
        rows=tuple(
            RowView(p.run, "ada", "done", p.word, "", p.run == choice.run, (cell,) * 10, (("a", "b"),), (shown[0],))
            for p in points
        ),
        series="One of them had earlier snapshots.",
        baselines=(("photos themselves", (cell,) * 10),),
        spots=tuple(
            Spot(p.run, (0.1 * k, None, None), (0.2, 0.1, 0.3), "good", k < 3, False) for k, p in enumerate(points)
        ),
        effects=effects_view(effects(points), points, "ada", ""),
        set_effects={"steps": (("Vendi: no difference found.", False),)},
        familiar=(),
        forests=(
            Forest(
                "likeness",
                (Bar("steps", "2 against 1", 0.1, 0.0, 0.2, True), Bar("steps", "3 against 2", 0, None, None, False)),
            ),
        ),
        curves=(),
        maps=(HeatMap("likeness", "steps", "rate", ("1", "2"), ("3",), ((0.5, None),)),),
        grid=GridView(
            "ada", tuple(f"t{k}" for k in range(13)), (("a prompt", (pictures[0],) * 12 + (None,)),), rows - 12
        ),
        finals=(("run 1 ★", tuple(shown)), ("run 2", tuple(shown))),
        photo_sets=(PhotoSetView((("framing", "head"),), 12, 4, 1, 3, (0.5, 0.7), None, (pictures[0],)),) * 2,
    )
    heads = tuple(Head(f"number {k}", "↑", k > 7, more=k > 3) for k in range(10))
    first = TrialView(0, ("4",), (0.5,), "trained to the end", True)
    trials = (first, TrialView(1, ("8",), (None,), "failed: NaN", False))
    own = tuple(replace(subject, name=one) for one in subjects)
    claims = (("More helps.", "holds", "likeness +0.1"),)
    return render_study(
        StudyInfo(
            name,
            rows,
            rows,
            0,
            1,
            2,
            claims,
            (),
            heads,
            overview_view(own, ()),
            own,
            AcrossView(
                ("setting", "likeness", "copies"),
                (
                    AcrossRow(("rate 1",), (AcrossCell(0.4, 0.2, 0.6, 0.1), None), False),
                    AcrossRow(("base model",), (AcrossCell(0.05, None, None, None), None), True),
                ),
                EffectsView(
                    ("likeness ↑",),
                    (EffectRow("steps 20 against 10", (EffectCell(0.3, 0.1, 0.5, "better, p = 0.01", True),)),),
                    (),
                ),
                ("Variety is lower.",),
                (HeatMap("likeness", "steps", "rate", ("1", "2"), ("3",), ((0.71, 1.2),)),),
                "n.",
                more=(1,),
            ),
            ComparedView("Two were carried.", ("chosen on",), (("ada",),) if carried else (), "How to read it."),
            ComparedView("Ahead of every rival on 1.", ("rival",), (("CYR_003",),), "How rivals are read."),
            SearchView("Two trials.", ("rank",), ("steps 10",), trials, "How it was searched."),
            lacking(
                [{"metric": "fid", "pictures": "context", "reference": "originals", "reason": "Fetch it."}], METRICS
            ),
            PublishedView(("run", "FID, published"), (("CYR_003", "153 (1)"),), "Only the order compares."),
            ("The prompts are not told.",),
            ("table.csv",),
            "No Parquet here.",
            "plan",
            {"python": "3"},
        )
    )


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    return sorted(photo_folder(tmp_path / "drawn", 4, (128, 128)).iterdir())


def test_a_prompt_of_one_long_word_is_broken_and_the_page_is_printed_whole(pictures: list[Path]) -> None:
    text = page(2, pictures)
    assert re.search(r"\.grid td\.prompt \{[^}]*overflow-wrap: anywhere", text)
    (rules,) = re.findall(r"@media print \{(.*?)</style>", text, re.DOTALL)
    assert re.search(r"\.wide \{[^}]*overflow: visible", rules)
    assert text.count('addEventListener("beforeprint"') == 1


def test_two_hundred_runs_are_a_light_page_in_seconds(pictures: list[Path]) -> None:
    taken, text = quickest(lambda: page(200, pictures))
    assert taken <= 20
    assert len(text) < 5_000_000
    assert len(re.findall(r'<td class="run" data-value', text)) == 200
    assert text.count('<td class="run">photos themselves</td>') == 1
    assert text.count('<svg role="img"') == 4
    for said in (
        "153 (1)",
        "One of them had earlier snapshots.",
        "Only the order compares.",
        "The prompts are not told.",
        '<b>0.05</b><br><span class="soft">same for all subjects</span>',
        "12 trained on",
        "run 1 ★",
        '0.2 to 0.6</span><br><span class="soft">worst 0.1</span>',
    ):
        assert said in text
    assert re.search(r"<b>0.5</b>.*?<b>0.44</b>.*?It was chosen by these", text, re.S)
    assert "No Parquet here." in text
    assert re.search(r"Two trials\..*?0 ★.*?trained to the end.*?failed: NaN.*?How it was searched", text, re.S)
    assert text.index("Two were carried.") < text.index("How to read it.") < text.index("<h2>All runs")
    assert "188 more runs are not shown" in text
    assert re.search(r"<td>fid</td><td>[^<]*\?</td>\s*<td rowspan=\"1\">not measured: Fetch it\.</td>", text)
    assert re.search(r"More helps\.\s*<b>Holds</b>", text)


def test_every_link_of_the_contents_leads_somewhere(pictures: list[Path]) -> None:
    for subjects in ((), ("ada",), ("ada", "bob")):
        text = page(4, pictures, subjects=subjects)
        links = re.findall(r'<a href="#([^"]+)"', text)
        places = re.findall(r'<(?:section|details)[^>]* id="([^"]+)"', text)
        assert set(links) <= set(places)
        assert len(places) == len(set(places))
        contents = re.search(r"<nav.*?</nav>", text, re.S)
        assert contents is not None
        titles = re.findall(r">([^<]+)</a>", contents[0])
        own = ["Which differences are real", "All runs", "Plots", "Pictures", "A card per run"]
        assert titles == [
            *(["What to take"] if subjects else []),
            *("What was expected", "Beside what was published", "The search", "Over all subjects"),
            *("Beside settings taken without looking", "Settings applied to another subject"),
            *(own if len(subjects) == 1 else subjects),
            "Take it with you",
        ]


def test_of_several_subjects_each_is_named_once_with_what_to_take(pictures: list[Path]) -> None:
    assert "Take run 0</h2>" in page(4, pictures, chosen="run 0")
    text = page(4, pictures, subjects=("ada", "bob"), chosen="steps 400")
    assert re.search(r'id="take">\s*<h2 class="big">What to take for 2 subjects</h2>\s*<p>All 2 subjects have', text)
    assert (
        text.index("What to take for 2 subjects") < text.index("<h2>Over all subjects") < text.index("for ada</h2>")
    )
    assert text.count('<details class="subject"') == text.count(" open><summary>ada") + 1 == 2
    assert '<details class="subject" id="subject-3"><summary>cyd' in page(4, pictures, subjects=("ada", "bob", "cyd"))
    assert "Take steps 400 for ada</h2>" in text
    assert "Take steps 400 for bob</h2>" in text
    assert text.count("<summary>Passed over (1)</summary>") == 2
    assert "why none" not in text
    assert '<th scope="col">why none</th>' in page(4, pictures, subjects=("ada", "bob"), chosen="")


def test_a_comparison_without_rows_is_its_summary(pictures: list[Path]) -> None:
    assert '<th scope="col">chosen on</th>' in page(4, pictures)
    text = page(4, pictures, carried=False)
    assert "Two were carried." in text
    assert '<th scope="col">chosen on</th>' not in text


def test_what_a_study_took_is_told_with_its_reason() -> None:
    assert worth(7200, 7200) == "7,200 steps; nothing could be shared"
    assert worth(10496, 30336) == "10,496 steps instead of 30,336, because runs share trainings"


def test_differences_over_subjects_are_a_table_and_what_else_is_real_stands_below(pictures: list[Path]) -> None:
    section = page(4, pictures).split('<section id="across">')[1].split("</section>")[0]
    table = section.split('<table class="changes">')[1].split("</table>")[0]
    assert re.findall(r'<th scope="row">([^<]*)</th>', table) == ["steps 20 against 10"]
    (cell,) = re.findall(r'<td class="real">(.*?)</td>', table)
    assert cell == '+0.3 [0.1, 0.5]<br><span class="soft">better, p = 0.01</span>'
    assert section.index("</table>", section.index("changes")) < section.index("<li>Variety is lower.</li>")


def test_means_over_subjects_are_drawn_in_their_section_on_the_scale_of_all(pictures: list[Path]) -> None:
    section = page(4, pictures).split('<section id="across">')[1].split("</section>")[0]
    (said,) = re.findall(r'<svg role="img" aria-label="([^"]*)"', section)
    assert "0.71 at 1, 1.20 at 2" in said


def test_columns_after_the_first_are_shown_on_demand_in_every_row(pictures: list[Path]) -> None:
    """Four numbers of ten stand there at once; heads, runs and baselines hide the same ones."""
    text = page(4, pictures)
    across = text.split('<section id="across">')[1].split("</table>")[0]
    assert "All 2 numbers</label>" in across
    assert across.count('<th scope="col" class="more">copies</th>') == 1
    assert across.count('<td class="more">–</td>') == 2
    table = text.split('<table class="scores sortable">')[1].split("</table>")[0]
    assert len(re.findall(r'<th scope="col" class="more"', table)) == 6
    assert len(re.findall(r'<td class="first more"', table)) == 4 * 6
    assert len(re.findall(r'<td class="more">', table)) == 6
    assert "All 10 numbers</label>" in text


def test_pictures_open_with_the_keyboard_too(pictures: list[Path]) -> None:
    text = page(4, pictures)
    assert 'class="grid" style="--beside: 3"' in text, "thirteen runs"
    drawn = text.split("<body>")[1].split("<dialog")[0]
    assert 'alt="a photo of a person 3: run 1"' in drawn
    assert drawn.count("<img") == drawn.count('<button type="button" class="zoom"><img') > 0


def test_names_are_text_and_nothing_else(pictures: list[Path]) -> None:
    text = page(4, pictures, name="<script>alert(1)</script>")
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text


def test_colours_and_signs_are_explained_where_there_are_some(pictures: list[Path]) -> None:
    some, none = page(2, pictures), page(2, pictures, chosen="", medal="")
    assert ["Red, orange" in some, "The recommended run (★)" in page(2, pictures, chosen="run 1")] == [True, True]
    assert ["Red, orange" in none, "The recommended run (★)" in none] == [False, False]
