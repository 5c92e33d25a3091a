"""What is dealt at each step: every photo once per turn, partners of the same class, draws of their own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from boothlab.diffusion.config import Objective
from boothlab.training.batches import Dealt, Pool, deal, deal_by_epoch, draw, noised, pick, prompts, seeded_draws
from boothlab.training.config import Training
from jobs_made import example, pool

SHAPE = (4, 2, 2)


@pytest.mark.parametrize("count", [1, 2, 7])
@pytest.mark.parametrize("seed", [0, 1])
def test_each_photo_once_per_turn(count: int, seed: int) -> None:
    dealt = [pick(seed, "instance", k, count) for k in range(5 * count)]
    turns = [dealt[k * count : (k + 1) * count] for k in range(5)]
    assert all(sorted(turn) == list(range(count)) for turn in turns)
    if count == 7:
        assert len({tuple(turn) for turn in turns}) > 1, "each turn has an order of its own"
        assert dealt != [pick(seed + 1, "instance", k, count) for k in range(5 * count)]


@pytest.mark.parametrize(("batch_size", "accumulate"), [(1, 1), (2, 1), (1, 3), (2, 2), (5, 1)])
def test_turns_run_through_steps_and_passes(batch_size: int, accumulate: int) -> None:
    photos = pool(SHAPE, photos=4, class_images=3)
    per_step, ids = batch_size * accumulate, []
    for step in range(8):
        passes = deal(photos, 0, step, batch_size, accumulate)
        assert len(passes) == accumulate
        for batch in passes:
            assert [d.role for d in batch] == ["instance"] * batch_size + ["class"] * batch_size
        slots = [d.slot for batch in passes for d in batch if d.role == "instance"]
        assert slots == list(range(per_step))
        ids += [d.example.id for batch in passes for d in batch if d.role == "instance"]
    counts = Counter(ids[: len(ids) // 4 * 4])
    assert set(counts.values()) == {len(ids) // 4}


def test_accumulation_deals_the_big_batch() -> None:
    photos = pool(SHAPE, photos=5, class_images=7)

    def slots(batch_size: int, accumulate: int, step: int) -> set[tuple[str, str, int]]:
        dealt = (d for batch in deal(photos, 3, step, batch_size, accumulate) for d in batch)
        return {(d.role, d.example.id, d.slot) for d in dealt}

    assert all(slots(1, 3, step) == slots(3, 1, step) for step in range(9))


def test_partners_are_of_the_photos_class() -> None:
    people = [example(f"p{k}", SHAPE, k, "a photo of nlwx person") for k in range(2)]
    dogs = [example(f"d{k}", SHAPE, 9 + k, "a photo of vexo dog", "dog") for k in range(3)]
    classes = {
        noun: tuple(example(f"{noun}-{k}", SHAPE, 50 + k, f"a {noun}", noun) for k in range(4))
        for noun in ("person", "dog")
    }
    for step in range(12):
        (batch,) = deal(Pool((*people, *dogs), classes), 0, step, 2, 1)
        photos, partners = batch[:2], batch[2:]
        assert [d.example.class_noun for d in partners] == [d.example.class_noun for d in photos]
        assert [d.slot for d in partners] == [d.slot for d in photos]


def two_nouns(people: int, dogs: int, class_images: int) -> Pool:
    """Photos of people and dogs, and so many class images of each noun."""
    photos = [example(f"person-{k}", SHAPE, k, "a photo of nlwx person") for k in range(people)]
    photos += [example(f"dog-{k}", SHAPE, 50 + k, "a photo of vexo dog", "dog") for k in range(dogs)]
    classes = {
        noun: tuple(example(f"{noun}-{k}", SHAPE, 100 + k, f"a {noun}", noun) for k in range(class_images))
        for noun in ("person", "dog")
    }
    return Pool(tuple(photos), classes)


@pytest.mark.parametrize(("people", "dogs"), [(5, 5), (3, 8), (1, 4)])
def test_with_two_nouns_each_class_image_comes_once_per_turn_too(people: int, dogs: int) -> None:
    photos, batch_size = two_nouns(people, dogs, 20), 2
    seen: dict[str, list[str]] = {"person": [], "dog": []}
    for step in range(300):
        for d in (d for batch in deal(photos, 0, step, batch_size, 2) for d in batch if d.role == "class"):
            seen[d.example.class_noun].append(d.example.id)
    for noun, ids in seen.items():
        whole = len(ids) // 20 * 20
        assert whole >= 100, f"{noun}: too few for this test"
        turns = [ids[k : k + 20] for k in range(0, whole, 20)]
        assert all(len(set(turn)) == 20 for turn in turns), f"{noun}: some come twice in a turn, others never"


@pytest.mark.parametrize(("people", "dogs", "class_images"), [(5, 5, 20), (3, 8, 20), (1, 4, 7), (6, 2, 1)])
def test_with_two_nouns_an_epoch_of_the_script_has_every_class_image(
    people: int, dogs: int, class_images: int
) -> None:
    photos = two_nouns(people, dogs, class_images)
    first = [d for step in range(200) for batch in deal_by_epoch(photos, 0, step, 1, 1) for d in batch]
    ids = {d.example.id for d in first if d.role == "class"}
    assert len(ids) == 2 * class_images


@pytest.mark.parametrize(
    ("dealer", "recorded"),
    [
        (deal, ["p2 p1 c3 c5 p0 p3 c0 c6", "p2 p0 c4 c1 p3 p1 c2 c3", "p1 p3 c6 c5 p0 p2 c3 c4"]),
        (deal_by_epoch, ["p0 p3 c4 c3 p0 p1 c0 c5", "p1 p2 c1 c6 p2 c2", "p1 p1 c1 c5 p3 c3"]),
    ],
)
def test_with_one_noun_everything_is_dealt_as_it_was(dealer: Callable[..., Any], recorded: list[str]) -> None:
    """Recorded before nouns were counted apart: such a training goes on as it was begun."""
    photos = pool(SHAPE, photos=4, class_images=7)
    for step, expected in zip((0, 1, 5), recorded, strict=True):
        dealt = (d.example.id for batch in dealer(photos, 3, step, 2, 2) for d in batch)
        assert " ".join(one[0] + one[-1] for one in dealt) == expected


def test_every_number_goes_with_its_own_example() -> None:
    photos = pool(SHAPE, photos=4, class_images=4)
    (batch,) = deal(photos, 0, 2, 3, 1)
    draws = [draw(d, 0, 2, Objective(), 1000) for d in batch]
    sample = noised(batch, draws, 0.5, torch.device("cpu"))
    for row, (dealt, drawn) in enumerate(zip(batch, draws, strict=True)):
        expected = dealt.example.posterior.draw(drawn.posterior_CHW[None])[0]
        torch.testing.assert_close(sample.clean_BCHW[row], expected, rtol=0, atol=0)
        torch.testing.assert_close(sample.noise_BCHW[row], drawn.noise_CHW, rtol=0, atol=0)
        assert int(sample.timestep_B[row]) == drawn.timestep
    assert prompts(batch, draws) == [d.example.prompt for d in batch]
    assert sample.weight_B.tolist() == [1.0] * 3 + [0.5] * 3
    assert sample.num_instance == 3


def test_both_ends_of_the_schedule_are_drawn() -> None:
    (batch,) = deal(pool(SHAPE), 0, 0, 1, 1)
    seen = Counter(draw(batch[0], 0, step, Objective(), 20).timestep for step in range(4000))
    assert set(seen) == set(range(20))
    assert all(130 < count < 280 for count in seen.values()), "about 200 each"


def test_draws_are_their_own_functions() -> None:
    photos = pool(SHAPE)
    (batch,) = deal(photos, 0, 0, 1, 1)
    plain = draw(batch[0], 0, 5, Objective(), 1000)
    offset = draw(batch[0], 0, 5, Objective(offset_noise=0.1, caption_dropout=0.5), 1000)
    assert plain.timestep == offset.timestep
    assert torch.equal(plain.posterior_CHW, offset.posterior_CHW)
    difference = offset.noise_CHW - plain.noise_CHW
    assert float(difference.abs().max()) > 0
    torch.testing.assert_close(difference, difference[:, :1, :1].expand_as(difference), rtol=0, atol=1e-6)
    others = [draw(d, seed, step, Objective(), 1000) for d in batch for seed in (0, 1) for step in (5, 6)]
    assert len({tuple(o.noise_CHW.flatten().tolist()) for o in others}) == len(others)


def test_captions_are_dropped_as_often_as_asked() -> None:
    (batch,) = deal(pool(SHAPE), 0, 0, 1, 1)
    dropped = [draw(batch[0], 0, step, Objective(caption_dropout=0.3), 10).without_prompt for step in range(3000)]
    assert sum(dropped) / 3000 == pytest.approx(0.3, abs=0.03)
    assert prompts(batch[:1], [draw(batch[0], 0, dropped.index(True), Objective(caption_dropout=0.3), 10)]) == [""]


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_captioned_photo_is_trained_under_the_instance_prompt_as_often_as_asked(share: float) -> None:
    told = replace(example("photo-0", SHAPE, 0, "a photo of nlwx owl at sea"), bare_prompt="a photo of nlwx owl")
    objective = Objective(instance_prompt_share=share)
    drawn = [draw(Dealt(told, "instance", 0), 0, step, objective, 10) for step in range(3000)]
    said = Counter(prompts([Dealt(told, "instance", 0)], [one])[0] for one in drawn)
    assert said["a photo of nlwx owl"] / 3000 == pytest.approx(share, abs=0.03)
    assert said.keys() <= {told.prompt, told.bare_prompt}


def test_a_photo_without_a_caption_has_one_prompt_and_a_dropped_one_has_none() -> None:
    plain = example("photo-0", SHAPE, 0, "a photo of nlwx owl")
    drawn = draw(Dealt(plain, "instance", 0), 0, 0, Objective(instance_prompt_share=1.0), 10)
    assert not drawn.without_caption
    assert prompts([Dealt(plain, "instance", 0)], [drawn]) == ["a photo of nlwx owl"]
    told = replace(plain, prompt="a photo of nlwx owl at sea", bare_prompt="a photo of nlwx owl")
    both = replace(drawn, without_caption=True, without_prompt=True)
    assert prompts([Dealt(told, "instance", 0)], [both]) == [""]


def test_each_sample_has_the_mask_of_what_is_said() -> None:
    told = replace(
        example("photo-0", SHAPE, 0, "a photo of nlwx owl at sea"),
        bare_prompt="a photo of nlwx owl",
        silent_mask_11HW=torch.full((1, 1, *SHAPE[1:]), 0.25),
    )
    batch = [Dealt(told, "instance", slot) for slot in range(3)]
    said = draw(batch[0], 0, 0, Objective(), 10)
    draws = [said, replace(said, without_caption=True), replace(said, without_prompt=True)]
    mask = noised(batch, draws, 1.0, torch.device("cpu")).mask_B1HW
    assert mask is not None
    assert mask.mean((1, 2, 3)).tolist() == [1.0, 0.25, 0.25]
    assert noised(batch[:1], draws[:1], 1.0, torch.device("cpu")).mask_B1HW is None


def test_as_the_script_does_it_captions_are_never_left_out() -> None:
    told = replace(example("photo-0", SHAPE, 0, "a photo of nlwx owl at sea"), bare_prompt="a photo of nlwx owl")
    draws = seeded_draws(
        Pool((told,), {}), Objective(instance_prompt_share=1.0), Training(steps=9, compat="diffusers"), 10
    )
    assert not any(draws.draw(step, Dealt(told, "instance", 0)).without_caption for step in range(20))
