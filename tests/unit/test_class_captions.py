"""Photos' captions are the class prompts too, without the identifier: nothing else then tells the subject."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from boothlab.api.class_requests import class_requests, too_few_class_images
from boothlab.api.demonstration import CONTEXTS, demo_plan
from boothlab.api.studies.resolving import resolve_study
from boothlab.config.show import to_toml
from boothlab.diffusion.config import Objective
from boothlab.errors import PlanError
from boothlab.evaluation.prompts import TEN
from boothlab.models.config import Base
from boothlab.models.model import Model
from boothlab.photos.photo import Photo
from boothlab.photos.photoset import PhotoSet
from boothlab.plan import RunPlan, _without_places, digest, plan_from
from boothlab.strategies.dreambooth.config import DreamBooth
from boothlab.subjects import Subject
from boothlab.training.assemble import TrainingSet, build_pool, photos_as_class
from jobs_made import make_job, run
from photos_made import photo_folder
from study_made import base_plan

CAPTIONS = ("a photo of {it} at sea", None, "{it}, asleep", "a photo of {it} at sea")
PROMPTS = ("a photo of an owl at sea", "a photo of an owl", "An owl, asleep")


def photos(size: int) -> tuple[Photo, ...]:
    random = np.random.default_rng(0)
    return tuple(
        Photo(f"{k}.png", random.integers(0, 256, (size, size, 3), dtype=np.uint8), "", caption=caption)
        for k, caption in enumerate(CAPTIONS)
    )


def plan(**objective: object) -> RunPlan:
    return plan_from({"subjects": [{"name": "ada", "photos": ".", "class_noun": "owl"}], "objective": objective}, "t")


@pytest.fixture
def photo_set(tmp_path: Path) -> PhotoSet:
    every = photos(8)
    held_out = replace(every[0], name="held.png", caption="a photo of {it} on the moon")
    return PhotoSet(tmp_path, (*every, held_out), (), frozenset({"held.png"}), "hash")


def test_class_images_are_drawn_by_the_captions_of_the_training_photos(photo_set: PhotoSet) -> None:
    assert class_requests(plan(), "base", {"ada": photo_set})["owl"].prompts == (
        PROMPTS[1], PROMPTS[0], PROMPTS[1], PROMPTS[2]
    )  # fmt: skip


def test_they_are_all_of_the_class_prompt_where_that_is_asked_for(photo_set: PhotoSet) -> None:
    asked = plan(class_captions=False, class_prompt="a CLASS")
    assert class_requests(asked, "base", {"ada": photo_set})["owl"].prompts == ("an owl",)


def test_contexts_are_class_prompts_too_each_once_and_in_turn_with_the_plain_one(photo_set: PhotoSet) -> None:
    contexts = ["a photo of a CLASS by a fire", "a photo of a CLASS at sea", "a photo of a CLASS"]
    prompts = class_requests(plan(class_contexts=contexts), "base", {"ada": photo_set})["owl"].prompts
    assert prompts == (PROMPTS[1], PROMPTS[0], PROMPTS[1], PROMPTS[2], PROMPTS[1], "a photo of an owl by a fire")
    alone = plan(class_contexts=contexts[:1], class_captions=False)
    assert class_requests(alone, "base", {"ada": photo_set})["owl"].prompts == (
        "a photo of an owl", "a photo of an owl by a fire"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("objective", "said"),
    [
        ({"class_contexts": ["a photo of a dog"]}, "'a photo of a dog' does not say CLASS"),
        ({"class_contexts": ["a CLASS at sea"], "prior_preservation": False}, "there are none without prior"),
        ({"class_contexts": ["a CLASS at sea"], "prior_from": "prediction"}, "with prior_from 'prediction'"),
        ({"class_contexts": ["a CLASS at sea"], "class_folder": "own"}, "with a class_folder"),
    ],
)
def test_contexts_that_nothing_is_drawn_under_are_refused(objective: dict[str, object], said: str) -> None:
    with pytest.raises(PlanError, match=said):
        plan(**objective)


def test_prompts_that_no_class_image_is_drawn_by_are_said(photo_set: PhotoSet) -> None:
    """The last of them, class_contexts first, went without a word where class images are few."""

    def told(count: int, **objective: object) -> list[str]:
        asked = plan(class_contexts=["a CLASS by a fire", "a CLASS at night"], class_images=count, **objective)
        return too_few_class_images(asked, "base", {"ada": photo_set})

    # plain, at sea, plain, asleep, plain, fire, plain, night
    assert told(8) == []
    assert told(7) == [
        "objective.class_images = 7 is too few for all prompts of owl: no class image shows 'an owl at night', so "
        "what it says is not preserved. Set objective.class_images to 8 or more, so that each has one."
    ]
    assert "no class image shows 'An owl, asleep' and 2 others, so what they say is not preserved" in told(3)[0]
    assert told(3, class_captions=False)[0].endswith("Set objective.class_images to 4 or more, so that each has one.")
    assert too_few_class_images(plan(class_images=1), "base", {"ada": replace(photo_set, photos=())}) == []
    assert too_few_class_images(plan(class_images=1, prior_preservation=False), "base", {"ada": photo_set}) == []


def test_the_demo_draws_by_all_its_prompts(photo_set: PhotoSet) -> None:
    """13 training photos, as the sample photos have, with a caption each."""
    demo = demo_plan(None, "person", Base(model="toon"))
    told = tuple(replace(photo_set.photos[0], name=f"{k}", caption=f"a photo of {{it}}, {k}") for k in range(13))
    sets = {demo.subjects[0].name: replace(photo_set, photos=told, held_out_names=frozenset())}
    (request,) = class_requests(demo, "base", sets).values()
    assert (len(request.prompts), request.count) == (60, 96)
    assert too_few_class_images(demo, "base", sets) == []


def test_a_plan_without_contexts_is_the_run_that_it_was() -> None:
    assert "class_contexts" not in _without_places(plan())["objective"], "plans from before had no such setting"
    digests = [digest(plan(**said), {}) for said in ({}, {"class_contexts": []}, {"class_contexts": ["a CLASS"]})]
    assert digests[0] == digests[1] != digests[2]


def test_the_demos_contexts_are_none_that_is_scored() -> None:
    contexts = demo_plan(None, "person", Base(model="toon")).objective.class_contexts
    assert len(contexts) == len(CONTEXTS) == 17
    assert not {c.rpartition("CLASS")[2] for c in contexts} & {prompt.rpartition("{it}")[2] for prompt in TEN}


@pytest.mark.parametrize("follow", [True, False])
def test_a_photo_stands_in_for_its_class_under_its_own_caption(fresh: Callable[[], Model], follow: bool) -> None:
    model = fresh()
    subject = Subject(name="ada", photos=Path("."), class_noun="owl", identifier="nlwx")
    wanted = Objective(prior_from="prediction", class_captions=follow)
    pool = build_pool(model, wanted, [TrainingSet(subject, photos(model.size))], {})
    assert [example.prompt for example in pool.instances] == [
        "a photo of nlwx owl at sea", "a photo of nlwx owl", "nlwx owl, asleep", "a photo of nlwx owl at sea"
    ]  # fmt: skip
    expected = [PROMPTS[0], PROMPTS[1], PROMPTS[2], PROMPTS[0]] if follow else [PROMPTS[1]] * 4
    assert [example.prompt for example in photos_as_class(pool.instances, "a CLASS")["owl"]] == expected


def test_photos_of_an_identifier_alone_are_beside_class_images_that_say_the_noun(fresh: Callable[[], Model]) -> None:
    model = fresh()
    subject = Subject(name="ada", photos=Path("."), class_noun="owl", identifier="nlwx", identifier_alone=True)
    wanted = Objective(prior_from="prediction", instance_prompt_share=0.5)
    pool = build_pool(model, wanted, [TrainingSet(subject, photos(model.size))], {})
    assert [example.prompts for example in pool.instances] == [
        ("a photo of nlwx at sea", "a photo of nlwx"),
        ("a photo of nlwx",),
        ("nlwx, asleep", "a photo of nlwx"),
        ("a photo of nlwx at sea", "a photo of nlwx"),
    ]
    assert [example.class_prompt for example in pool.instances] == [PROMPTS[0], PROMPTS[1], PROMPTS[2], PROMPTS[0]]
    assert [example.bare_prompt for example in pool.classes["owl"]] == [PROMPTS[1], "", PROMPTS[1], PROMPTS[1]]


def test_captioned_photos_and_what_stands_in_for_their_class_also_have_prompts_without_captions(
    fresh: Callable[[], Model],
) -> None:
    """Else the identifier, and the class noun, would mean something beside the captions' words only."""
    model = fresh()
    subject = Subject(name="ada", photos=Path("."), class_noun="owl", identifier="nlwx")
    wanted = Objective(prior_from="prediction", instance_prompt_share=0.5)
    pool = build_pool(model, wanted, [TrainingSet(subject, photos(model.size))], {})
    assert [example.bare_prompt for example in pool.instances] == [
        "a photo of nlwx owl",
        "",
        *["a photo of nlwx owl"] * 2,
    ]
    assert [example.bare_prompt for example in pool.classes["owl"]] == [PROMPTS[1], "", PROMPTS[1], PROMPTS[1]]
    assert pool.instances[0].prompts == ("a photo of nlwx owl at sea", "a photo of nlwx owl")
    assert pool.instances[1].prompts == ("a photo of nlwx owl",)


@pytest.mark.parametrize("lifts", [False, True])
def test_a_caption_lifts_what_a_mask_weighs_less_but_not_what_it_leaves_out(
    fresh: Callable[[], Model], lifts: bool
) -> None:
    model = fresh()
    subject = Subject(name="ada", photos=Path("."), class_noun="owl", identifier="nlwx")
    mask = np.full((model.size, model.size), 51, dtype=np.uint8)
    mask[:, : model.size // 2] = 255
    hole = mask.copy()
    hole[model.size // 2 :] = 0
    told, untold = photos(model.size)[:2]
    shown = (replace(told, mask=mask), replace(told, mask=hole), replace(untold, mask=mask), told)
    wanted = Objective(caption_lifts_mask=lifts, instance_prompt_share=0.5)
    spot, holed, bare, plain = build_pool(model, wanted, [TrainingSet(subject, shown)], {}).instances
    weighed = {0.2, 1.0}
    assert values(spot.mask_11HW) == ({1.0} if lifts else weighed)
    assert values(holed.mask_11HW) == ({0.0, 1.0} if lifts else {0.0, 0.2, 1.0})
    assert values(bare.mask_11HW) == weighed, "nothing is said around the subject"
    assert [values(each.silent_mask_11HW) for each in (spot, holed, bare)] == [weighed, {0.0, 0.2, 1.0}, weighed]
    assert plain.mask_11HW is None
    assert plain.silent_mask_11HW is None


def test_bars_that_end_within_a_latent_are_as_much_left_out_as_without_lifting(fresh: Callable[[], Model]) -> None:
    """Lifted latents instead of pixels would train on bars of half a latent as if they were photo."""
    model = fresh()
    subject = Subject(name="ada", photos=Path("."), class_noun="owl", identifier="nlwx")
    cell = model.size // model.latent_shape[-1]
    mask = np.full((model.size, model.size), 255, dtype=np.uint8)
    mask[:, : cell // 2] = 0
    told = replace(photos(model.size)[0], mask=mask)
    for lifts in (False, True):
        wanted = Objective(caption_lifts_mask=lifts)
        (example,) = build_pool(model, wanted, [TrainingSet(subject, (told,))], {}).instances
        assert example.mask_11HW is not None
        torch.testing.assert_close(
            example.mask_11HW[0, 0, :, 0], torch.full((model.latent_shape[1],), 0.5), atol=0.01, rtol=0
        )


def values(mask: Tensor | None) -> set[float]:
    """The values of a mask; all ones where there is none."""
    return {1.0} if mask is None else {round(value, 4) for value in mask.flatten().tolist()}


def test_without_a_share_there_is_no_second_prompt_to_encode(fresh: Callable[[], Model]) -> None:
    model = fresh()
    subject = Subject(name="ada", photos=Path("."), class_noun="owl", identifier="nlwx")
    pool = build_pool(model, Objective(), [TrainingSet(subject, photos(model.size))], {})
    assert {example.bare_prompt for example in pool.instances} == {""}


def test_a_frozen_text_encoder_has_encoded_both_prompts_before_it_is_given_back(fresh: Callable[[], Model]) -> None:
    """Every sample here asks for the instance prompt, which no caption is."""
    model = fresh()
    objective = Objective(prior_preservation=False, instance_prompt_share=1.0)
    subject = Subject(name="ada", photos=Path("."), class_noun="owl", identifier="nlwx")
    pool = build_pool(model, objective, [TrainingSet(subject, tuple(p for p in photos(model.size) if p.caption))], {})
    job = make_job(model, DreamBooth(learning_rate=1e-3), objective=objective, examples=pool)
    job.settle()
    assert job.text_cache.keys() == {"", "a photo of nlwx owl at sea", "a photo of nlwx owl", "nlwx owl, asleep"}
    run(job)
    assert job.step == 3


def test_a_study_says_it_of_the_runs_that_it_is_true_of(tiny_sd: Path, tmp_path: Path) -> None:
    made = base_plan(tiny_sd, photo_folder(tmp_path / "ada", 8), steps=2)
    made["objective"] = {**made.get("objective", {}), "prior_preservation": True}
    made["objective"]["class_contexts"] = ["a photo of a CLASS at sea", "a photo of a CLASS asleep"]
    study = {"name": "few", "seeds": [0, 1], "axes": {"objective.class_images": [2, 4]}, "plan": made}
    (tmp_path / "few.toml").write_text(to_toml(study))
    found = resolve_study(tmp_path / "few.toml", tmp_path / "studies").resolved
    told = {
        (one.plan.objective.class_images, one.plan.training.seed): sum(
            "is too few for" in said for said in one.warnings
        )
        for one in found
    }
    assert told == {(2, 0): 1, (2, 1): 1, (4, 0): 0, (4, 1): 0}
