"""`generate`: pictures of one's own prompts, with one snapshot or several, and a page that shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache as memo
from pathlib import Path

from boothlab.api.pictures import (
    BASE,
    choose_snapshot,
    choose_subject,
    keep_threads,
    plan_of,
    require_same_base,
    snapshot_model,
    snapshots_of,
    weights_hash,
)
from boothlab.api.remarks import shows_nothing, too_long
from boothlab.api.resolving import require_sampling
from boothlab.config.load import apply_override, parse_override, validate
from boothlab.config.templates import require_known_words
from boothlab.errors import PlanError
from boothlab.evaluation.lots import spoken
from boothlab.files import sha256_json, write_text
from boothlab.generation.config import Generation
from boothlab.generation.generate import generate
from boothlab.generation.picture import Order, Picture, is_black
from boothlab.plan import RunPlan
from boothlab.progress import Progress, silent, within
from boothlab.reports.drawn import Row, drawn_page
from boothlab.runs.run import Run
from boothlab.seeds import derive
from boothlab.subjects import Subject, fill, fill_tuned

ALL = "all"
"""Stands for the base model and every snapshot."""

PAGE = "pictures.html"
"""Page of what was asked for last, beside the folders of pictures."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be drawn: ``seeds`` pictures of each prompt, with each snapshot (none named: the last one).

    ``subject`` is whom {it} names, left out the plan's first; ``negative`` is what pictures are steered away from;
    ``overrides`` are what is to be other than in the plan's ``[generation]``, such as "generation.guidance=5".
    """

    prompts: Sequence[str]
    seeds: int = 4
    snapshots: Sequence[str] = ()
    subject: str | None = None
    negative: str = ""
    overrides: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Drawn:
    """The pictures, prompt by prompt and in each snapshot by snapshot, and the page that shows them.

    ``warnings`` name prompts whose end the model never saw, and snapshots that draw nothing.
    """

    pictures: tuple[Picture, ...]
    page: Path
    warnings: tuple[str, ...] = ()


def draw(run: Run, asked: Asked, progress: Progress = silent) -> Drawn:
    """Pictures in ``images/prompts/SNAPSHOT`` of the run, and the page beside these folders.

    A picture's noise depends on its prompt as it was asked and its number alone: it is the same for every snapshot,
    subject and setting. What is there already is not drawn again. The run is held meanwhile: what is drawn into a
    folder that `forget` removes would come back.
    """
    plan = plan_of(run)
    _require_drawable(asked)
    require_same_base(run, plan)
    settings = _settings(plan.generation, asked)
    require_sampling(settings, plan.base)
    subject = choose_subject(plan, asked.subject)
    names = _snapshots(run, asked.snapshots)
    keep_threads(plan)
    prompts = tuple(dict.fromkeys(asked.prompts))
    folder = run.images / "prompts"
    found: dict[str, list[Picture]] = {}
    told = within(progress, "pictures")
    total, before = len(names) * len(prompts) * asked.seeds, 0
    with run.writing():
        for name in names:

            def tick(count: int, of: int, before: int = before) -> None:
                told(before + count, total)

            orders = [
                _order(plan, settings, asked.negative, subject, template, k, tuned=name != BASE)
                for template in prompts
                for k in range(asked.seeds)
            ]
            model = memo(lambda name=name: snapshot_model(run, plan, name))
            found[name] = generate(model, weights_hash(run, plan, name), orders, settings, folder / name, tick)
            before += len(orders)
        groups = {
            template: [
                Row("base model" if name == BASE else spoken(name), name, found[name][first : first + asked.seeds])
                for name in names
            ]
            for template, first in zip(prompts, range(0, len(prompts) * asked.seeds, asked.seeds), strict=True)
        }
        page = folder / PAGE
        write_text(page, drawn_page(_title(plan, subject, run), groups, _told(settings, asked)))
    pictures = tuple(one for rows in groups.values() for row in rows for one in row.pictures)
    told_of = [*(picture.prompt for picture in pictures), asked.negative]
    black = {name: [is_black(picture.pixels()) for picture in drawn] for name, drawn in found.items()}
    return Drawn(pictures, page, (*too_long(plan.base, told_of), *shows_nothing(black)))


def _require_drawable(asked: Asked) -> None:
    if asked.seeds < 1 or not asked.prompts:
        raise PlanError(f"Nothing is asked for: {len(asked.prompts)} prompts, {asked.seeds} pictures of each.")
    try:
        require_known_words("--prompt", asked.prompts)
        require_known_words("--negative", [asked.negative])
        "".join([*asked.prompts, asked.negative]).encode("utf-8")
    except UnicodeEncodeError:
        raise PlanError("A prompt is not UTF-8 text.", "Write it again on a terminal set to UTF-8.") from None
    except ValueError as error:
        raise PlanError(f"{error}.") from error


def _settings(own: Generation, asked: Asked) -> Generation:
    tree = {"generation": own.model_dump()}
    for path, value in map(parse_override, asked.overrides):
        if path[0] != "generation" or len(path) == 1:
            raise PlanError(
                f"--set {'.'.join(path)[:80]}: only what stands under generation says how a trained run draws.",
                "Example: --set generation.guidance=5",
            )
        apply_override(tree, path, value)
    settings = validate(Generation, tree["generation"], "What is to be drawn")
    if asked.negative and settings.guidance == 1.0:
        raise PlanError(
            "A negative prompt works through guidance, and guidance 1 is none.",
            "Give --set generation.guidance=2 or more.",
        )
    return settings


def _snapshots(run: Run, wanted: Sequence[str]) -> list[str]:
    """Each once, as they were asked for; "all" is the base model and every snapshot."""
    if isinstance(wanted, str):
        wanted = [wanted]
    if not wanted:
        return [choose_snapshot(run, None)]
    named = [[BASE, *snapshots_of(run)] if one == ALL else [choose_snapshot(run, one)] for one in wanted]
    return list(dict.fromkeys(name for names in named for name in names))


def _order(
    plan: RunPlan, settings: Generation, negative: str, subject: Subject, template: str, k: int, tuned: bool
) -> Order:
    prompt, negative = (
        fill_tuned(text, subject) if tuned else fill(text, subject.class_noun) for text in (template, negative)
    )
    seed = derive(plan.evaluation.seed, "evaluation", "own", template, k)
    # Pictures made otherwise lie beside those of the plan's settings, not in their place.
    other = [settings.as_made(), negative] if negative or settings != plan.generation else []
    return Order(sha256_json([prompt, seed, *other])[:12], prompt, seed, negative)


def _title(plan: RunPlan, subject: Subject, run: Run) -> str:
    return f"{run.name}: {subject.name}" if len(plan.subjects) > 1 else run.name


def _told(settings: Generation, asked: Asked) -> list[str]:
    told = [f"{settings.sampler}, {settings.steps} sampling steps", f"guidance {settings.guidance:g}"]
    return [*told, f"steered away from: {asked.negative}"] if asked.negative else told
