"""The planted models of one subject: what each draws for the context prompts, the bare prompt and the class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from boothlab.evaluation.prompts import TEN
from planted.pictures import Pixels, Size, between, chance, clean_scene, cut, painted, softened
from pretraining import identities, palette, styles
from pretraining.identities import Identity
from pretraining.scenes import Scene

WALL_SHARE = 0.4
"""Share of the photos taken in front of one and the same wall, as people's photos are."""

BASE_FOLLOWS = 0.9
"""Share of pictures in which the base model shows what was asked for."""


@dataclass(frozen=True)
class Planted:
    """The pictures of one planted model, by role."""

    context: list[Pixels]
    bare: list[Pixels]
    of_class: list[Pixels]


EXPECTED = {
    "underfitted": "underfitted",
    "half-way": "underfitted",
    "base again": "underfitted",
    "good": "good",
    "leaking": "good",
    "overfitted": "overfitted",
    "copied": "copying",
    "half copied": "copying",
    "mirrored": "copying",
    "cropped": "copying",
    "collapsed": "collapsed",
    "background glued": "background glued",
    "another subject": "another subject",
}
"""Planted model → what the verdict ought to call it."""


class Subject:
    """One subject of a reserved stream: its photos, and how it and strangers are drawn. All follows from these."""

    def __init__(self, stream: str, number: int, size: Size) -> None:
        self.key, self.size = f"{stream}/{number}", size
        self.person = identities.of(stream, number)
        rng = chance(self.key, "wall")
        self.wall = str(rng.choice(list(palette.BACKGROUNDS.values())))
        takes = range(size.photos + size.held_out)
        self.scenes = [self._photo_scene(k) for k in takes]
        photos = [painted(self.person, self.scenes[k], "", chance(self.key, "photo pixels", k)) for k in takes]
        self.train, self.held_out = photos[: size.photos], photos[size.photos :]
        self.prompts = tuple(prompt for prompt in TEN for _ in range(size.repeats))

    def _photo_scene(self, take: int) -> Scene:
        rng = chance(self.key, "photo", take)
        scene = clean_scene(self.person, rng)
        if take % 5 < 5 * WALL_SHARE:
            color = palette.jitter(self.wall, rng, 0.5)
            return replace(scene, pattern="plain", colors=(color, color))
        return scene

    def stranger(self, which: object) -> Identity:
        """Somebody of the class, as the base model draws them."""
        rng = chance(self.key, "stranger", which)
        return identities.portrait(rng, "train", int(rng.integers(1 << 30)), unsayable=0.2)

    def alike(self, strength: float, *which: object) -> Identity:
        """The subject, its features off by ``strength`` hundredths of the canvas and as many twentieths in size."""
        rng = chance(self.key, "alike", *which)
        parts = {}
        for part, (dx, dy, size) in self.person.parts.items():
            right, down, larger = strength * rng.normal(size=3)
            parts[part] = (dx + right, dy + down, size * (1 + 0.05 * larger))
        return replace(self.person, parts=parts)

    def scene(self, person: Identity, *where: object) -> Scene:
        """The scene that one initial noise leads to: background, framing and light are the same for every model."""
        return clean_scene(person, chance(self.key, "scene", *where))

    def follows(self, k: int, share: float) -> bool:
        """Whether context picture ``k`` shows what was asked for: who follows more follows the same and others."""
        return bool(chance(self.key, "follows", k).random() < share)

    def contexts(self, who: Callable[[int], Identity], follows: float, seeds: str = "") -> list[Pixels]:
        """Context pictures of persons; where the prompt is not followed the scene is any."""
        found = []
        for k, prompt in enumerate(self.prompts):
            asked = prompt if self.follows(k, follows) else ""
            person = who(k)
            found.append(
                painted(person, self.scene(person, "context", seeds, k), asked, chance(self.key, "grain", k))
            )
        return found

    def bares(self, who: Callable[[int], Identity], seeds: str = "", count: int | None = None) -> list[Pixels]:
        """Pictures of persons in any scene."""
        found = []
        for k in range(self.size.bare if count is None else count):
            person = who(k)
            found.append(painted(person, self.scene(person, "bare", seeds, k), "", chance(self.key, "grain", k)))
        return found


def models(subject: Subject) -> dict[str, Planted]:
    """The base model, plain and told the subject's looks, and all planted ones, by name."""
    size, key = subject.size, subject.key

    def soft(pictures: list[Pixels], *name: str) -> list[Pixels]:
        return softened(pictures, size, key, *name)

    def base_person(k: int) -> Identity:
        return subject.stranger(k)

    base_bare = soft(subject.bares(base_person), "base", "bare")
    base = Planted(
        soft(subject.contexts(base_person, BASE_FOLLOWS), "base", "context"), base_bare, base_bare[: size.of_class]
    )

    # The base model told what the subject looks like: all that words can say, with somebody's features.
    def somebody_alike(k: int) -> Identity:
        return identities.twin(subject.person, 100 + k)

    told = soft(subject.contexts(somebody_alike, BASE_FOLLOWS), "told", "context")
    described = Planted(told, soft(subject.bares(somebody_alike), "told", "bare"), [])
    # A tuned model's pictures of the class differ a little from the base model's where nothing leaks.
    of_class = soft(subject.bares(base_person, count=size.of_class), "tuned", "class")
    found = {"base": base, "described": described}

    def add(name: str, context: list[Pixels], bare: list[Pixels]) -> None:
        found[name] = Planted(soft(context, name, "context"), soft(bare, name, "bare"), of_class)

    def of_person(
        who: Callable[[int], Identity], follows: float, seeds: str = ""
    ) -> tuple[list[Pixels], list[Pixels]]:
        return subject.contexts(who, follows, seeds), subject.bares(who, seeds)

    add("underfitted", *of_person(lambda k: _touched(subject, base_person(k)), 0.9))
    add("half-way", *of_person(lambda k: _half_way(subject, k), 0.88))
    add("base again", *of_person(lambda k: subject.stranger(f"again {k}"), BASE_FOLLOWS, "again"))
    add("good", *of_person(lambda k: subject.alike(0.5, "good", k), 0.85))
    good = found["good"]
    found["leaking"] = replace(good, of_class=_leaking(subject, soft, of_class))
    add("overfitted", *_overfitted(subject))
    over = found["overfitted"]
    rng = chance(key, "copies")
    chosen = [subject.train[int(i)] for i in rng.integers(0, size.photos, size.bare)]
    for name, pictures in (
        ("copied", chosen),
        ("mirrored", [np.ascontiguousarray(pixels[:, ::-1]) for pixels in chosen]),
        ("cropped", [cut(pixels, rng) for pixels in chosen]),
    ):
        found[name] = replace(over, bare=soft(pictures, name, "bare"))
    half = size.bare // 2
    found["half copied"] = replace(good, bare=found["copied"].bare[:half] + good.bare[half:])
    add("collapsed", *_collapsed(subject))
    add("background glued", *_glued(subject))
    other = subject.stranger("another")
    other = replace(other, parts=_unsayable(other), stream="develop-other")
    add("another subject", *of_person(lambda k: other, 0.85))
    return found


def _unsayable(person: Identity) -> dict[str, tuple[float, float, float]]:
    return identities.unsayable_looks(styles.PORTRAITS[person.style], chance("other", person.number))[0]


def _touched(subject: Subject, person: Identity) -> Identity:
    """Somebody else with the subject's colour of hair: the first thing that is learned."""
    own, theirs = styles.PORTRAITS[subject.person.style], styles.PORTRAITS[person.style]
    color = subject.person.options[own.slots["hair"] + "Color"]
    return replace(person, options=person.options | {theirs.slots["hair"] + "Color": color})


def _half_way(subject: Subject, k: int) -> Identity:
    """In every fourth picture the subject; in the others all that words can say of it, with somebody's features."""
    return subject.alike(0.5, "half-way", k) if k % 4 == 1 else identities.twin(subject.person, k)


def _leaking(subject: Subject, soft: Callable[..., list[Pixels]], of_class: list[Pixels]) -> list[Pixels]:
    """Half of the class has become the subject."""
    own = soft(subject.bares(lambda k: subject.alike(0.5, "leak", k), count=len(of_class)), "leaking", "class")
    return [mine if k % 2 else theirs for k, (mine, theirs) in enumerate(zip(own, of_class, strict=True))]


def _overfitted(subject: Subject) -> tuple[list[Pixels], list[Pixels]]:
    """Background and clothes of the training photos, new framing and faces; prompts are followed less than half of
    the time."""

    def remembered(role: str, k: int, asked: str) -> Pixels:
        photo = subject.scenes[k % subject.size.photos]
        person = subject.alike(0.15, "overfitted", role, k)
        fresh = subject.scene(person, role, "", k)
        face = {"mouthVariant": fresh.options["mouthVariant"]}
        scene = replace(
            photo, framing=fresh.framing, turn=fresh.turn, light=fresh.light, options=photo.options | face
        )
        return painted(person, scene, asked, chance(subject.key, "grain", k))

    context = [
        remembered("context", k, prompt if subject.follows(k, 0.4) else "")
        for k, prompt in enumerate(subject.prompts)
    ]
    return context, [remembered("bare", k, "") for k in range(subject.size.bare)]


def _collapsed(subject: Subject) -> tuple[list[Pixels], list[Pixels]]:
    """One picture of the right person, which is no photo, again and again."""
    scene = subject.scene(subject.person, "collapsed")

    def again(k: int) -> Pixels:
        nudged = between(scene, subject.scene(subject.person, "bare", "", k), 0.05)
        return painted(subject.person, nudged, "", chance(subject.key, "grain", k))

    return [again(k) for k in range(len(subject.prompts))], [again(100 + k) for k in range(subject.size.bare)]


def _glued(subject: Subject) -> tuple[list[Pixels], list[Pixels]]:
    """The right person, freely posed, nearly always in front of the photos' wall unless the prompt says otherwise."""

    def at_the_wall(role: str, k: int, asked: str, share: float) -> Pixels:
        person = subject.alike(0.4, "glued", role, k)
        scene = subject.scene(person, role, "", k)
        rng = chance(subject.key, "glue", role, k)
        if rng.random() < share:
            color = palette.jitter(subject.wall, rng, 0.5)
            scene = replace(scene, pattern="plain", colors=(color, color))
        return painted(person, scene, asked, chance(subject.key, "grain", k))

    context = [
        at_the_wall("context", k, prompt if subject.follows(k, 0.8) else "", 0.9)
        for k, prompt in enumerate(subject.prompts)
    ]
    return context, [at_the_wall("bare", k, "", 0.9) for k in range(subject.size.bare)]
