"""Which pictures are drawn, how they are looked at, and what is made of the numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from boothlab.evaluation.config import Evaluation
from boothlab.evaluation.derived import Table, derived, derived_pairs, identity_scale, no_scale
from boothlab.evaluation.evaluate import evaluate
from boothlab.evaluation.lots import Judged, Photos, judged
from boothlab.evaluation.orders import Drawn, by_role, unique, wanted
from boothlab.evaluation.scores import Score
from boothlab.evaluation.summaries import Pairs, summarise
from boothlab.evaluation.vectors import Embedder, picture_hash
from boothlab.features.feature import Feature, Pictures, Vectors
from boothlab.generation.picture import Picture
from boothlab.metrics.distances import over_photos
from boothlab.metrics.metric import Metric, SetMetric
from boothlab.seeds import derive
from boothlab.subjects import Subject

ADA = Subject(name="ada", photos=Path("photos"), identifier="rinn", description="a woman with red hair")
STUDY = Evaluation()


def test_presets_draw_as_many_pictures_as_they_say() -> None:
    for preset, contexts in (("study", 20), ("standard", 80), ("paper", 100)):
        evaluation = Evaluation(preset=preset)
        roles = [w.role for w in wanted(evaluation, ADA, "tuned")]
        assert roles.count("context") == contexts
        assert roles.count("bare") == contexts
        assert roles.count("class") == contexts // 2
        assert roles.count("unrelated") == 10


@pytest.mark.parametrize("noun", ["dog", "plant", "monster", "house", "car"])
def test_a_prompt_that_names_the_class_is_not_unrelated(noun: str) -> None:
    """Of a dog's "drift elsewhere" a fifth was that of "a photo of a dog". The others keep their names and noises."""
    own = ADA.model_copy(update={"class_noun": noun})
    for source in ("tuned", "base"):
        asked, others = ([w for w in wanted(STUDY, who, source) if w.role == "unrelated"] for who in (own, ADA))
        assert [w.order for w in asked] == [w.order for w in others if w.text != f"a photo of a {noun}"]
        assert len(asked) == 8


@pytest.mark.parametrize("template", ["a photo of a dog", "a photo of a CLASS"])
def test_where_nothing_is_unrelated_nothing_is_drawn(template: str) -> None:
    dog = ADA.model_copy(update={"class_noun": "dog"})
    only, none = (Evaluation(unrelated=said) for said in ((template,), ()))
    assert wanted(only, dog, "tuned") == wanted(none, dog, "tuned")


def test_every_source_draws_from_the_same_noises() -> None:
    tuned, base = wanted(STUDY, ADA, "tuned"), wanted(STUDY, ADA, "base")
    assert [(w.role, w.order.seed, w.text) for w in tuned] == [(w.role, w.order.seed, w.text) for w in base]
    described = wanted(STUDY, ADA, "described")
    assert [w.order.seed for w in described] == [w.order.seed for w in tuned[: len(described)]]


def test_the_identifier_is_said_to_the_tuned_model_only() -> None:
    assert all(("rinn" in w.order.prompt) == (w.role in ("context", "bare")) for w in wanted(STUDY, ADA, "tuned"))
    for source in ("base", "described"):
        assert not any("rinn" in w.order.prompt for w in wanted(STUDY, ADA, source))
    assert not any("rinn" in w.text for w in wanted(STUDY, ADA, "tuned")), "CLIP-T with the identifier in the text"
    said = [w.order.prompt for w in wanted(STUDY, ADA, "described") if w.role == "bare"]
    assert set(said) == {"a photo of a woman with red hair"}


def test_an_identifier_alone_is_said_alone_to_the_tuned_model_and_nothing_else_changes() -> None:
    alone = ADA.model_copy(update={"identifier_alone": True})
    for with_noun, without in zip(wanted(STUDY, ADA, "tuned"), wanted(STUDY, alone, "tuned"), strict=True):
        assert without.order.prompt == with_noun.order.prompt.replace("rinn person", "rinn")
        assert without.text == with_noun.text, "what prompts are read against"
    for source in ("base", "described"):
        assert wanted(STUDY, alone, source) == wanted(STUDY, ADA, source)


def test_the_base_model_draws_its_class_pictures_once() -> None:
    asked = wanted(STUDY, ADA, "base")
    assert len(unique(asked)) == 20 + 20 + 10
    assert len(unique(wanted(STUDY, ADA, "tuned"))) == 20 + 20 + 10 + 10
    pictures = [Picture(Path(f"{order.name}.png"), order.prompt, order.seed) for order in unique(asked)]
    sets = by_role(asked, pictures)
    assert [d.picture for d in sets["class"]] == [d.picture for d in sets["bare"]][:10]
    assert all(d.picture.prompt == w.order.prompt for d, w in zip(sets["context"], asked, strict=False))


def test_seeds_are_of_a_stream_of_their_own() -> None:
    """Trap E10: pictures judged from the noises that the model was trained with."""
    seeds = {w.order.seed for w in wanted(STUDY, ADA, "tuned")}
    assert len(seeds) == 20 + 20 + 10  # class pictures share the bare pictures' noises
    others = {derive(0, purpose, k) for purpose in ("noise", "class-images", "preview") for k in range(1000)}
    assert not seeds & others


def mean_colour(pictures: Pictures) -> Vectors:
    return np.stack([image.reshape(-1, 3).mean(axis=0) for image in pictures])


def counting(calls: list[int]) -> Feature:
    def extract(pictures: Pictures) -> Vectors:
        calls.append(len(pictures))
        return mean_colour(pictures)

    return Feature(
        "colour", "1", extract, lambda: None, "test 2026", lambda texts: np.eye(3)[[len(t) % 3 for t in texts]]
    )


def picture(red: int, green: int = 0) -> np.ndarray:
    return np.full((4, 4, 3), (red, green, 0), np.uint8)


def test_vectors_are_kept_by_content(tmp_path: Path) -> None:
    calls: list[int] = []
    images = [picture(1), picture(2), picture(1)]
    hashes = [picture_hash(image) for image in images]
    first = Embedder(counting(calls), tmp_path)
    assert first.look(images, hashes)[:, 0].tolist() == [1, 2, 1]
    first.keep()
    assert calls == [2]
    again = Embedder(counting(calls), tmp_path)
    assert again.look(images[::-1], hashes[::-1])[:, 0].tolist() == [1, 2, 1]
    assert calls == [2], "looked at again"
    changed = Embedder(replace(counting(calls), version="2"), tmp_path)
    changed.look(images, hashes)
    assert calls == [2, 2], "another version of the feature must look again"
    (tmp_path / "colour-1.npz").write_bytes(b"torn")
    damaged = Embedder(counting(calls), tmp_path)
    assert damaged.look(images, hashes)[:, 0].tolist() == [1, 2, 1]
    damaged.keep()
    assert Embedder(counting(calls), tmp_path).look(images[:1], hashes[:1])[0, 0] == 1
    assert calls == [2, 2, 2]


def test_a_picture_is_its_pixels_and_its_shape() -> None:
    assert picture_hash(np.zeros((2, 8, 3), np.uint8)) != picture_hash(np.zeros((4, 4, 3), np.uint8))
    assert picture_hash(picture(1)) != picture_hash(picture(2))


def redness(generated: Vectors, references: Vectors) -> np.ndarray:
    return generated[:, 0] - (references[:, 0].mean() if len(references) else 0.0)


def each(**changes: object) -> Metric:
    facts: dict[str, object] = {
        "name": "red",
        "question": "How red is it?",
        "better": "higher",
        "unit": "red",
        "bounds": (-255.0, 255.0),
        "needs": counting([]),
        "references": ("held_out",),
        "values": redness,
        "source": "test 2026",
        "on": ("context", "bare"),
    }
    return Metric(**{**facts, **changes})  # type: ignore[arg-type]


def drawn(folder: Path, role: str, reds: Sequence[int], source: str) -> list[Drawn]:
    made = []
    for index, red in enumerate(reds):
        path = folder / f"{source}-{role}-{index}.png"
        Image.fromarray(picture(red)).save(path)
        made.append(Drawn(role, Picture(path, f"{role} {index}", index), "a" * index))  # type: ignore[arg-type]
    return made


@pytest.fixture
def seen(tmp_path: Path) -> Judged:
    sources = {
        "base": {"context": drawn(tmp_path, "context", [10, 20], "base")},
        "step-000005": {
            "context": drawn(tmp_path, "context", [30, 50], "tuned"),
            "class": drawn(tmp_path, "class", [7], "tuned"),
        },
    }
    return judged(sources, Photos([picture(100), picture(110)], [picture(200)]))  # type: ignore[arg-type]


def test_scores_of_all_sources(seen: Judged) -> None:
    scores, missing, _ = evaluate("run", seen, [each()], "photographs")
    assert missing == []
    values = {(s.snapshot, s.pictures, s.prompt): s.value for s in scores}
    assert values == {
        ("base", "context", "context 0"): -190.0,
        ("base", "context", "context 1"): -180.0,
        ("step-000005", "context", "context 0"): -170.0,
        ("step-000005", "context", "context 1"): -150.0,
        ("photos", "photos", "photo 1"): -100.0,
        ("photos", "photos", "photo 2"): -90.0,
        ("copies", "photos", "photo 1"): -100.0,
        ("copies", "photos", "photo 2"): -90.0,
    }
    assert {s.seed for s in scores if s.snapshot == "base"} == {"0", "1"}


def test_what_scores_are_means_over_comes_with_them(seen: Judged) -> None:
    def gaps(generated: Vectors, references: Vectors) -> np.ndarray:
        return generated[:, :1] - references[:, 0][None, :]

    metric = each(values=over_photos(gaps), pairs=gaps, references=("train",))
    scores, _, pairs = evaluate("run", seen, [metric], "photographs")
    found = {(one.snapshot, one.pictures): one.matrix.tolist() for one in pairs}
    assert found["base", "context"] == [[10 - 100, 10 - 110], [20 - 100, 20 - 110]]
    assert [s.value for s in scores if s.snapshot == "base"] == [-95.0, -85.0]
    assert {one.cell for one in pairs} == {(s.snapshot, s.pictures, s.metric, s.reference) for s in scores}


def test_paired_references_meet_their_own_row(seen: Judged) -> None:
    paired = each(references=("base",), values=lambda g, r: g[:, 0] - r[:, 0])
    scores, _, _ = evaluate("run", seen, [paired], "photographs")
    assert [(s.snapshot, s.value) for s in scores] == [("step-000005", 20.0), ("step-000005", 30.0)]
    texts = each(references=("prompt",), values=lambda g, r: r.argmax(axis=1).astype(float))
    scores, _, _ = evaluate("run", seen, [texts], "photographs")
    assert [s.value for s in scores if s.snapshot == "base"] == [0.0, 1.0], "text k belongs to picture k"
    assert not [s for s in scores if s.snapshot in ("photos", "copies")], "photos have no prompt"


def test_the_base_model_may_be_absent(seen: Judged) -> None:
    without = Judged(tuple(lot for lot in seen.lots if lot.source != "base"), seen.references)
    scores, missing, _ = evaluate("run", without, [each(references=("base",))], "photographs")
    assert scores == []
    assert "evaluation.base" in missing[0].reason


def test_what_cannot_be_computed_says_so(seen: Judged) -> None:
    gone = each(needs=replace(counting([]), missing=lambda: "the weights are not here; fetch them"))
    assert evaluate("run", seen, [gone], "photographs")[1][0].reason == "the weights are not here; fetch them"
    many = SetMetric(
        "spread", "Is it wide?", "higher", "red", (0, 1), counting([]), ("none",), lambda g, r: 1.0, 3, "test 2026"
    )
    scores, missing, _ = evaluate("run", seen, [many], "photographs")
    reason = "it needs 3 pictures that show something; there are 2"
    assert [(m.pictures, m.reference, m.reason) for m in missing] == [
        ("context", "none", reason),
        ("photos", "none", reason),
    ]
    two = replace(many, minimum=2)
    scores, missing, _ = evaluate("run", seen, [two], "photographs")
    assert missing == []
    assert {(s.snapshot, s.n) for s in scores} == {("base", 2), ("step-000005", 2), ("photos", 2), ("copies", 2)}
    few = each(minimum_references=2)
    assert evaluate("run", seen, [few], "photographs")[1][0].reason.startswith("it needs 2 photos to compare with")


def faces(snapshot: str, role: str, values: Sequence[float], reference: str = "held_out") -> list[Score]:
    return [
        Score("r", snapshot, role, "identity", reference, f"p{k}", str(k), 1, value) for k, value in enumerate(values)
    ]


def test_identity_is_measured_between_some_person_and_this_person() -> None:
    nan = float("nan")
    scores = faces("base", "bare", [0.1, 0.3, nan]) + faces("photos", "photos", [0.7, 0.9])
    scores += faces("step-000005", "context", [0.2, 0.5, nan]) + faces("step-000005", "bare", [0.8], "train")
    scale = identity_scale(Table(scores))
    assert scale is not None
    assert (scale.floor, scale.ceiling) == (pytest.approx(0.2), pytest.approx(0.8))
    table = Table(derived(scores))
    np.testing.assert_allclose(
        table.values("step-000005", "context", "identity_normalised", "held_out"), [0, 0.5, nan]
    )
    np.testing.assert_allclose(table.values("step-000005", "context", "identity_strict", "held_out"), [0, 0.5, 0])
    np.testing.assert_allclose(table.values("step-000005", "bare", "identity_normalised", "train"), [1.0])
    assert table.mean("base", "bare", "identity_normalised", "held_out") == pytest.approx(0.0)
    assert table.mean("photos", "photos", "identity_normalised", "held_out") == pytest.approx(1.0)


def test_derived_numbers_have_pairs_too() -> None:
    nan = float("nan")
    scores = faces("base", "bare", [0.2]) + faces("photos", "photos", [0.8])
    matrix = np.array([[0.2, 0.8], [nan, nan]])
    scores += faces("step-000005", "context", [0.5, nan])
    pairs = [Pairs("step-000005", "context", "identity", "held_out", matrix)]
    normalised, strict = derived_pairs(scores, pairs)
    assert (normalised.metric, strict.metric) == ("identity_normalised", "identity_strict")
    np.testing.assert_allclose(normalised.matrix, [[0.0, 1.0], [nan, nan]], atol=1e-12)
    np.testing.assert_allclose(strict.matrix, [[0.0, 1.0], [0.0, 0.0]], atol=1e-12)
    lines = {
        line.metric: line
        for line in summarise([*scores, *derived(scores)], (), [*pairs, normalised, strict])
        if line.snapshot == "step-000005"
    }
    assert lines["identity_strict"].mean == pytest.approx(strict.matrix.mean())
    assert derived_pairs(faces("photos", "photos", [0.8]), pairs) == []


def test_likeness_has_the_interval_of_identity_on_its_own_scale() -> None:
    """Three photos leave few degrees of freedom, and an interval that goes beyond what a likeness can be is cut."""
    scores = faces("base", "bare", [0.3]) + faces("photos", "photos", [0.8])
    matrix = np.array([[0.95, 0.9, 0.6]] * 6) + np.linspace(0, 0.02, 6)[:, None]
    scores += faces("step-000005", "context", matrix.mean(axis=1).tolist())
    pairs = [Pairs("step-000005", "context", "identity", "held_out", matrix)]
    found = {
        line.metric: line
        for line in summarise(
            [*scores, *derived(scores)], (), [*pairs, *derived_pairs(scores, pairs)], {"identity": (0, 1)}
        )
        if line.snapshot == "step-000005"
    }
    raw, own = found["identity"], found["identity_normalised"]
    assert raw.high == 1.0
    assert raw.low is not None
    assert (own.low, own.high) == (pytest.approx((raw.low - 0.3) / 0.5), pytest.approx(0.7 / 0.5))


def test_a_reader_that_learns_its_width_from_the_first_face(seen: Judged) -> None:
    """A plug-in gives one column where it saw no face, and a lot without any was compared at that width."""

    def extract(pictures: Sequence[np.ndarray]) -> Vectors:
        rows = [[float(p[0, 0, 0])] * 3 if p[0, 0, 0] >= 100 else [np.nan] for p in pictures]
        width = max(map(len, rows))
        return np.array([row * width if np.isnan(row[0]) else row for row in rows])

    metric = each(
        needs=replace(counting([]), extract=extract),
        values=over_photos(lambda g, r: g[:, :1] - r[:, 0][None, :]),
        pairs=lambda g, r: (g[:, None, :] - r[None, :, :]).sum(axis=2),
    )
    scores, missing, _ = evaluate("run", seen, [metric], "photographs")
    assert missing == []
    assert all(np.isnan(score.value) for score in scores if score.snapshot == "base")
    assert [score.value for score in scores if score.snapshot == "photos"] == [-300.0, -270.0]


def test_no_scale_without_its_ends() -> None:
    photos = faces("photos", "photos", [0.8])
    assert identity_scale(Table(photos)) is None
    assert identity_scale(Table([*photos, *faces("base", "bare", [0.79])])) is None, "a span of 0.01 is noise"
    assert identity_scale(Table([*photos, *faces("base", "bare", [0.5])])) is not None
    assert derived(photos) == []
    unseen = [Score("r", "photos", "photos", "face_found", "none", "", f"{k}", 1, 0.0) for k in range(3)]
    assert no_scale(Table(unseen)) == "no photo shows a face, and likeness is that of faces"
    assert "it takes eight usable photos" in no_scale(Table([replace(unseen[0], value=1.0), *unseen[1:]]))


def test_changes_are_against_the_base_at_the_same_seed() -> None:
    def row(source: str, metric: str, role: str, values: Sequence[float]) -> list[Score]:
        reference = "prompt" if metric == "clip_t" else "none"
        names = [f"p{k}" for k in range(len(values))] if metric == "clip_t" else [""]
        return [Score("r", source, role, metric, reference, n, n, 1, v) for n, v in zip(names, values, strict=True)]

    scores = row("base", "clip_t", "context", [0.3, 0.2]) + row("step-000005", "clip_t", "context", [0.1, 0.3])
    scores += row("base", "lpips_intra", "class", [0.5]) + row("step-000005", "lpips_intra", "class", [0.4])
    table = Table(derived(scores))
    np.testing.assert_allclose(table.values("step-000005", "context", "clip_t_change", "prompt"), [-0.2, 0.1])
    np.testing.assert_allclose(table.values("step-000005", "class", "diversity_ratio", "none"), [0.8])
    assert len(table.values("base", "context", "clip_t_change", "prompt")) == 0
