"""Captions in natural words from a drawing's truth: random order, random omission, hidden and empty words.

Separate because a drawing has many captions: CLIP's training draws one anew at every step, the UNet's has eight.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from pretraining import styles, vocabulary
from pretraining.dataset import Record

OPENINGS = ("a photo of", "a portrait of", "a picture of", "")
OPENING_SHARES = (0.45, 0.45, 0.05, 0.05)
BARE_SHARE = 0.12
NOISE_SHARE = 0.10
HIDDEN_SHARE = 0.12
"""How often a rare word with a meaning stands in for an attribute that it means, where there is one."""
KEEP = {
    "background": 0.8,
    "hair": 0.8,
    "glasses": 0.85,
    "beard": 0.8,
    "clothes": 0.6,
    "expression": 0.35,
    "skin": 0.3,
    "style": 0.6,
    "company": 0.5,
    "top": 0.75,
    "eyes": 0.7,
    "bloom": 0.7,
}
HATS = ("turban", "beanie", "cap")
WORDLESS = ("bald", "balding")


@cache
def _meaningless() -> np.ndarray:
    """The words as an array: NumPy would make one of 15,000 at every draw."""
    return np.array(vocabulary.meaningless_words())


def article(words: str) -> str:
    """``a`` or ``an`` in front of ``words``."""
    return ("an " if words[0] in "aeiou" else "a ") + words


def caption(record: Record, rng: np.random.Generator) -> str:
    """One caption of a drawing."""
    opening = str(rng.choice(OPENINGS, p=OPENING_SHARES))
    noise = list(rng.choice(_meaningless(), int(rng.integers(1, 3)))) if rng.random() < NOISE_SHARE else []
    if rng.random() < BARE_SHARE:
        return " ".join(part for part in (opening, "a", *noise, record.noun) if part)
    facts, hidden = _facts(record, rng)
    pieces = [piece for name, piece in facts.items() if rng.random() < KEEP[name]]
    order = rng.permutation(len(pieces))
    subject = " ".join(("a", *noise, *hidden, _noun(record, rng)))
    first = f"{opening} {subject}" if opening else subject
    return _join(first, [pieces[i] for i in order])


def full(record: Record, rng: np.random.Generator) -> str:
    """A caption that leaves nothing out, in random order: the retrieval gate's text."""
    facts, hidden = _facts(record, rng)
    pieces = list(facts.values())
    subject = " ".join(("a", *hidden, _noun(record, rng)))
    return _join(f"a photo of {subject}", [pieces[i] for i in rng.permutation(len(pieces))])


def bare(noun: str, opening: str = "a photo of") -> str:
    """The class prompt."""
    return f"{opening} a {noun}"


def prompt(noun: str, facts: Sequence[str], opening: str = "a photo of", before: Sequence[str] = ()) -> str:
    """A prompt of the same grammar for tests and gates."""
    return _join(" ".join((opening, "a", *before, noun)), list(facts))


def _join(first: str, pieces: list[str]) -> str:
    """First part, then the pieces; commas stand before a change of thought as people write them."""
    text = first
    for index, piece in enumerate(pieces):
        link = " and " if index and piece.startswith("with ") and pieces[index - 1].startswith("with ") else None
        text += (link + piece.removeprefix("with ")) if link else (", " if index else " ") + piece
    return text


def _noun(record: Record, rng: np.random.Generator) -> str:
    """The class noun, for monsters and plants often with its main colour or kind."""
    words = record.words
    if record.noun == "monster" and rng.random() < 0.75:
        return f"{words['body']} monster"
    if record.noun == "plant" and rng.random() < 0.35:
        return f"{words['kind']} plant"
    return record.noun


def background_words(words: dict[str, str]) -> str:
    """``on a red background`` or ``on a red and white background``."""
    second = words.get("background 2")
    return f"on {article(words['background'] + (f' and {second}' if second else ''))} background"


def hair_words(kind: str, color: str | None, rng: np.random.Generator | None = None) -> str:
    """Kind and colour together; with ``rng`` each may be left out, never both."""
    roll = 0.0 if rng is None else rng.random()
    noun_phrase = not kind.endswith("hair")
    if kind in WORDLESS:
        return f"who is {kind}"
    if color and roll > 0.8:
        return f"with a {color} hat" if kind in HATS else f"with {color} hair"
    shown = f"{color} {kind}" if color and roll <= 0.65 else kind
    if kind == "pigtails" or not noun_phrase:
        return f"with {shown}"
    if kind in HATS:
        return f"wearing {article(shown)}"
    return f"with {article(shown)}"


def clothes_words(kind: str | None, color: str | None) -> str:
    """``wearing a red shirt``; without a kind ``wearing red clothes``."""
    if kind is None:
        return f"wearing {color} clothes"
    return f"wearing {article(f'{color} {kind}' if color else kind)}"


def _facts(record: Record, rng: np.random.Generator) -> tuple[dict[str, str], list[str]]:
    """Attribute -> phrase, and the rare words that replace some of them."""
    words = dict(record.words)
    hidden = []
    for word, (name, value) in vocabulary.MEANINGS.items():
        if words.get(name) == value and rng.random() < HIDDEN_SHARE:
            hidden.append(word)
            del words[name]
            break
    facts = {"background": background_words(words)} if "background" in words else {}
    if record.noun == "person":
        facts |= _person_facts(record, words, rng)
    else:
        facts |= _monster_facts(words) if record.noun == "monster" else _plant_facts(words, rng)
    if "expression" in words:
        facts["expression"] = words["expression"]
    return facts, hidden


def _monster_facts(words: dict[str, str]) -> dict[str, str]:
    facts = {}
    if "top" in words:
        facts["top"] = f"with {article(words['top'])}" if words["top"] == "crown" else f"with {words['top']}"
    if "eyes" in words:
        facts["eyes"] = f"with {words['eyes']}"
    return facts


def _plant_facts(words: dict[str, str], rng: np.random.Generator) -> dict[str, str]:
    facts = {"top": f"in a {words['pot']} pot"}
    if "bloom" in words:
        facts["bloom"] = f"with {words['bloom']} blossoms"
    if "kind" in words and rng.random() < 0.6:
        facts["eyes"] = f"which is {article(words['kind'])}"
    return facts


def _person_facts(record: Record, words: dict[str, str], rng: np.random.Generator) -> dict[str, str]:
    facts = {"style": f"in {styles.PORTRAITS[record.style].word} style"}
    if "hair" in words:
        facts["hair"] = hair_words(words["hair"], words.get("hair color"), rng)
    elif "hair color" in words:
        facts["hair"] = f"with {words['hair color']} hair"
    kind = words["clothes"] if rng.random() < 0.6 else None
    color = words.get("clothes color") if kind is None or rng.random() < 0.85 else None
    if kind or color:
        facts["clothes"] = clothes_words(kind, color)
    if "glasses" in words:
        facts["glasses"] = f"with {words['glasses']}"
    elif "glasses" not in record.words and rng.random() < 0.12:
        facts["glasses"] = "without glasses"
    if "beard" in words:
        beard = words["beard"]
        facts["beard"] = "with stubble" if beard == "stubble" else f"with {article(beard)}"
    if "skin" in words:
        facts["skin"] = f"with {words['skin']} skin"
    if "company" in words:
        facts["company"] = "with another person"
    return facts
