"""A blind two-choice rating page for people, and what their answers say.

The page is one file that works from disk: pictures inside, no network, keyboard or touch. It knows pictures by number
only; which set a picture belongs to stands in the key, a second file that raters do not get. Answers come back as one
small JSON file per rater.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any, Literal, TypeGuard

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import stats

from boothlab.errors import PlanError, RunDamaged
from boothlab.evaluation.vectors import picture_hash
from boothlab.files import read_json, read_table, sha256_json, write_json, write_text
from boothlab.generation.picture import Picture
from boothlab.reports.filling import filled
from boothlab.seeds import derive
from boothlab.statistics.comparisons import holm
from boothlab.statistics.intervals import Interval, cluster_wilson

Question = Literal["likeness", "prompt"]

QUESTIONS: tuple[Question, Question] = ("likeness", "prompt")
"""Which looks more like the person in the photos; which shows better what was asked for."""

WIDEST = 512
"""Pictures are embedded at no more than so many pixels a side."""

MOST_PHOTOS = 6
"""Photos of the subject on the page; more would push the choice off the screen."""

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Preference:
    """How often B was preferred to A over all raters.

    All raters see the same few pictures, so pictures are the units: of ``pictures`` most raters who could tell
    preferred one side, of ``pictures_b`` B's; ``even`` ones were split in half and say nothing. ``p`` is the
    two-sided sign test of these against a coin, ``adjusted`` the same after Holm over all lines of the page: of
    thirty tosses of a coin one or two look like a preference. ``share`` is B's share of the ``decided`` answers
    with its 95 % interval over pictures, None where none was decided; with one rater it is Wilson's. ``undecided``
    counts answers "cannot tell", which enter neither.
    """

    a: str
    b: str
    question: Question
    pictures_b: int
    pictures: int
    even: int
    wins_b: int
    decided: int
    undecided: int
    raters: int
    share: Interval | None
    p: float
    adjusted: float
    subject: str = "the person"

    @property
    def sentence(self) -> str:
        """In words; never that two are equal."""
        asked = f"more like {self.subject}" if self.question == "likeness" else "closer to what was asked"
        if self.share is None:
            return f"{self.b} against {self.a}, {asked}: nobody could tell ({self._heard})."
        low, high = self.share.low or 0.0, self.share.high or 0.0
        answers = "" if self.decided == self.pictures else f" and {self.wins_b} of {self.decided} answers"
        numbers = (
            f"{self.b} in {self.pictures_b} of {self.pictures} pictures{answers}, 95 % CI {low:.0%} to {high:.0%}"
        )
        numbers += f", sign test p = {self.adjusted:.2g}{' after Holm' if self.adjusted != self.p else ''}"
        numbers += f"; {self._heard}"
        if self.adjusted > 0.05:
            return f"{self.b} against {self.a}, {asked}: no preference found ({numbers})."
        return f"{self.b if 2 * self.pictures_b > self.pictures else self.a} was found {asked} ({numbers})."

    @property
    def _heard(self) -> str:
        """How many were asked, and what decides nothing."""
        told = [_counted(self.raters, "rater")]
        told += [f'{_counted(self.undecided, "answer")} "cannot tell"'] if self.undecided else []
        told += [f"{_counted(self.even, 'picture')} evenly split"] if self.even else []
        return ", ".join(told)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def write_rating(
    folder: Path,
    sets: Mapping[str, Sequence[Picture]],
    photos: Sequence[NDArray[np.uint8]],
    seed: int,
    subject: str = "the person",
    most: int = 60,
    run: str = "",
    held_out: bool = True,
) -> tuple[Path, Path]:
    """``rating.html`` for the raters and ``rating-key.json`` for you, in ``folder``; returns both paths.

    ``sets`` maps a name (run, snapshot) to its pictures, all in the same order of prompts and seeds; raters read the
    prompts, so these say what was asked for without an identifier. Every pair of sets is compared on every row,
    ``most`` comparisons in all, spread evenly over pairs and then chosen by ``seed``; so are the order and the sides.
    The key names the ``run`` and the ``subject``. Where ``photos`` are not ``held_out`` ones the page says so. Raises
    PlanError when the sets cannot be compared, and where ``folder`` has the key of another page: answers to that one
    could not be read any more.
    """
    prompts = _prompts(sets)
    random = np.random.default_rng(derive(seed, "statistics", "rating"))
    chosen = _comparisons(list(sets), len(prompts), most, random)
    used = sorted({(name, row) for a, b, row in chosen for name in (a, b)})
    number = {used[place]: index for index, place in enumerate(random.permutation(len(used)).tolist())}
    trials = [{"left": number[a, row], "right": number[b, row], "prompt": prompts[row]} for a, b, row in chosen]
    sources = [""] * len(used)
    pictures = [""] * len(used)
    for (name, row), index in number.items():
        sources[index] = name
        pictures[index] = data_uri(sets[name][row].pixels())
    shown = {
        "subject": subject,
        "photos": [picture_hash(photo) for photo in photos[:MOST_PHOTOS]],
        "held_out": held_out,
        "pictures": [picture_hash(sets[name][row].pixels()) for name, row in sorted(number, key=number.__getitem__)],
    }
    page = sha256_json({"trials": trials, "sources": sources, "seed": seed, "shown": shown})[:16]
    _require_replaceable(folder / "rating-key.json", page)
    key = {
        "format": FORMAT,
        "kind": "boothlab-rating-key",
        "page": page,
        "run": run,
        "subject": subject,
        "sources": sources,
        "trials": trials,
    }
    html = filled(
        "rating.html",
        subject=subject,
        photos=[data_uri(photo) for photo in photos[:MOST_PHOTOS]],
        held_out=held_out,
        state={"page": page, "trials": trials, "pictures": pictures, "questions": QUESTIONS, "format": FORMAT},
    )
    # The key first: it says whose the page is, so a page without it would belong to nobody.
    write_json(folder / "rating-key.json", key)
    write_text(folder / "rating.html", html)
    return folder / "rating.html", folder / "rating-key.json"


def read_ratings(results: Sequence[Path], key: Path) -> list[Preference]:
    """One line per pair of sets and question, sorted by name.

    Of each rater the file that was saved last counts; files that name none count once per content.
    Raises RunDamaged with one sentence for a file that is no result, or that belongs to another page.
    """
    known = _key(key)
    found = sorted((_answers(path, known) for path in results), key=lambda result: result.get("saved", 0))
    answers = {result.get("rater") or _content(result): result for result in found}
    lines = []
    for a, b in combinations(sorted(set(known["sources"])), 2):
        for question in QUESTIONS:
            found_of = _count(list(answers.values()), known, (a, b), question)
            if found_of is not None:
                lines.append(_preference(a, b, question, *found_of))
    decided = [line for line in lines if line.pictures]
    adjusted = dict(zip(map(id, decided), holm([line.p for line in decided]), strict=True)) if decided else {}
    about = known.get("subject", "the person")
    return [replace(line, adjusted=float(adjusted.get(id(line), line.p)), subject=about) for line in lines]


def _require_replaceable(key: Path, page: str) -> None:
    there = read_table(key).get("page") if key.is_file() else None
    if there not in (None, page):
        raise PlanError(
            f"{key.parent} holds another rating page ({there}; this one is {page}): with the new key, answers to it "
            "could not be read any more.",
            "Name another folder with --out, or give the same --seed as then; where what the page shows has changed "
            "since, only another folder helps.",
        )


def data_uri(pixels: NDArray[np.uint8]) -> str:
    """(H, W, 3) as a JPEG data URI of at most ``WIDEST`` pixels a side; no metadata."""
    image = Image.fromarray(pixels)
    image.thumbnail((WIDEST, WIDEST), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=92, subsampling=0)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def _prompts(sets: Mapping[str, Sequence[Picture]]) -> list[str]:
    """The prompt of each row."""
    if len(sets) < 2:
        raise PlanError(f"A rating compares two sets of pictures or more; there is {len(sets)}.", "Name another run.")
    rows = {name: [(picture.prompt, picture.seed) for picture in pictures] for name, pictures in sets.items()}
    first = next(iter(sets))
    for name, drawn in rows.items():
        if drawn != rows[first] or not drawn:
            raise PlanError(
                f"The pictures of {name} ({len(drawn)}) and {first} ({len(rows[first])}) were not drawn from the "
                "same prompts and seeds, so they cannot be compared one by one.",
                "Evaluate both with the same evaluation settings.",
            )
    return [prompt for prompt, _ in rows[first]]


def _comparisons(
    names: Sequence[str], rows: int, most: int, random: np.random.Generator
) -> list[tuple[str, str, int]]:
    """(left, right, row) of every comparison, in the order in which they are asked.

    Within a pair and over all of them the earlier one is on either side equally often, up to one. There are more than
    ``most`` only where each pair is asked once.
    """
    pairs = list(combinations(names, 2))
    each = min(rows, max(1, most // len(pairs)))
    chosen = []
    # Where a pair is asked an odd number of times, the one too many falls to either side in turn.
    extra = random.permutation(np.arange(len(pairs)) % 2).tolist()
    for (a, b), first in zip(pairs, extra, strict=True):
        sides = random.permutation((np.arange(each) + first) % 2).tolist()
        for row, swapped in zip(random.permutation(rows)[:each].tolist(), sides, strict=True):
            chosen.append((b, a, row) if swapped else (a, b, row))
    return [chosen[place] for place in random.permutation(len(chosen)).tolist()]


def _key(path: Path) -> dict[str, Any]:
    key = read_json(path)
    if not isinstance(key, dict) or key.get("kind") != "boothlab-rating-key" or key.get("format") != FORMAT:
        raise RunDamaged(f"{path} is not the key of a rating page.", "Give the rating-key.json made with the page.")
    sources, trials = key.get("sources"), key.get("trials")
    named = isinstance(key.get("page"), str) and isinstance(key.get("subject", ""), str)
    if not named or not _are_names(sources) or not isinstance(trials, list):
        raise RunDamaged(f"{path} is not a whole key of a rating page.", "Make the page again.")
    odd = [trial for trial in trials if not _is_trial(trial, key["sources"])]
    if odd:
        raise RunDamaged(
            f"{path} is not a whole key of a rating page: no two pictures of it are {_shown(odd[0])}.",
            "Make the page again.",
        )
    return key


def _are_names(sources: object) -> bool:
    return isinstance(sources, list) and all(isinstance(name, str) for name in sources)


def _is_trial(trial: object, sources: Sequence[str]) -> bool:
    """Whether it names two pictures, each of another set."""
    if not isinstance(trial, dict):
        return False
    names = {sources[side] for side in (trial.get("left"), trial.get("right")) if _is_place(side, len(sources))}
    return len(names) == 2


def _is_place(number: object, count: int) -> TypeGuard[int]:
    return isinstance(number, int) and not isinstance(number, bool) and 0 <= number < count


def _shown(value: object) -> str:
    """What stands in a file, as a message can say it."""
    return ascii(value)[:40]


def _content(result: Mapping[str, Any]) -> str:
    """One file's answers and when they were saved; nothing else in it was checked."""
    given = [[answer[name] for name in ("trial", "question", "choice")] for answer in result["answers"]]
    return sha256_json([result.get("saved", 0), given])


def _answers(path: Path, key: Mapping[str, Any]) -> dict[str, Any]:
    """The result file, checked: kind, page, and every answer."""
    hint = "Give the file that the page saved."
    found = read_json(path)
    if not isinstance(found, dict) or found.get("kind") != "boothlab-rating" or found.get("format") != FORMAT:
        raise RunDamaged(f"{path} is not the result of a rating page.", hint)
    if found.get("page") != key["page"]:
        raise RunDamaged(
            f"{path} was made with another page ({_shown(found.get('page'))}; the key is for {key['page']}).",
            "Give the key that was made with that page.",
        )
    if not isinstance(found.get("rater", ""), str) or not _is_moment(found.get("saved", 0)):
        raise RunDamaged(f"{path} does not say who saved it as the page would.", hint)
    answers = found.get("answers")
    if not isinstance(answers, list) or not answers:
        raise RunDamaged(f"{path} holds no answers.", hint)
    seen = set()
    for answer in answers:
        if not _is_answer(answer, len(key["trials"])) or (answer["trial"], answer["question"]) in seen:
            raise RunDamaged(f"{path} holds an answer that the page cannot give: {_shown(answer)}.", hint)
        seen.add((answer["trial"], answer["question"]))
    return found


def _is_moment(saved: object) -> bool:
    """Whether it is a number of milliseconds as the page writes; NaN is none, and no file is before or after it."""
    return isinstance(saved, int | float) and not isinstance(saved, bool) and 0 <= saved < 2**63


def _is_answer(answer: object, trials: int) -> bool:
    if not isinstance(answer, dict):
        return False
    return (
        _is_place(answer.get("trial"), trials)
        and answer.get("question") in QUESTIONS
        and answer.get("choice", "") in ("left", "right", None)
    )


def _count(
    results: Sequence[Mapping[str, Any]], key: Mapping[str, Any], pair: tuple[str, str], question: Question
) -> tuple[dict[int, list[bool]], int, int] | None:
    """(comparison → whether each rater who could tell chose the second, undecided, raters) for one pair; None where
    it was not asked. A pair is asked once per row, so its comparisons are of different pictures."""
    chosen: dict[int, list[bool]] = {}
    undecided = raters = 0
    for result in results:
        heard = False
        for answer in result["answers"]:
            trial = key["trials"][answer["trial"]]
            sides = {side: key["sources"][trial[side]] for side in ("left", "right")}
            if answer["question"] != question or set(sides.values()) != set(pair):
                continue
            heard = True
            if answer["choice"] is None:
                undecided += 1
            else:
                chosen.setdefault(answer["trial"], []).append(sides[answer["choice"]] == pair[1])
        raters += heard
    return (chosen, undecided, raters) if raters else None


def _preference(
    a: str, b: str, question: Question, chosen: Mapping[int, Sequence[bool]], undecided: int, raters: int
) -> Preference:
    answers = [choice for choices in chosen.values() for choice in choices]
    units = [trial for trial, choices in chosen.items() for _ in choices]
    leads = [2 * sum(choices) - len(choices) for choices in chosen.values()]
    wins, pictures = sum(lead > 0 for lead in leads), sum(lead != 0 for lead in leads)
    p = float(stats.binomtest(wins, pictures).pvalue) if pictures else 1.0
    return Preference(
        a,
        b,
        question,
        pictures_b=wins,
        pictures=pictures,
        even=len(leads) - pictures,
        wins_b=sum(answers),
        decided=len(answers),
        undecided=undecided,
        raters=raters,
        share=cluster_wilson(answers, units) if answers else None,
        p=p,
        adjusted=p,
    )
