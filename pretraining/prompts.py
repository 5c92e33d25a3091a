"""Balanced prompts of the text gates: one attribute asked for at a time, all values and styles alike.

Separate because generation during training, the gates and the card show the same questions.
"""

from __future__ import annotations

from dataclasses import dataclass

from pretraining import captions, labels, styles, vocabulary
from pretraining.identities import SEED, choose
from pretraining.randomness import stream

GATED = {
    "background": 0.95,
    "hair color": 0.85,
    "hair": 0.70,
    "glasses": 0.85,
    "clothes color": 0.80,
    "style": 0.98,
    "noun": 0.98,
}
"""Attribute -> the bar on its share of right pictures."""


@dataclass(frozen=True)
class Asked:
    """A prompt, the attribute that it asks for, the right value, and the style it names (if it does)."""

    text: str
    attribute: str
    value: str
    style: str | None


def balanced(each: int, rare: bool = False) -> list[Asked]:
    """``each`` prompts per gated attribute; values and styles take turns; ``rare`` adds a meaningless word."""
    asked = []
    for name in GATED:
        for turn in range(each):
            rng = stream(SEED, f"gates/prompt/{name}", turn)
            before = [str(choose(rng, vocabulary.meaningless_words()))] if rare else []
            asked.append(_ask(name, turn, before))
    return asked


def _ask(name: str, turn: int, before: list[str]) -> Asked:
    """Prompt number ``turn`` of an attribute."""
    opening = ("a photo of", "a portrait of")[turn % 2]
    if name == "noun":
        value = styles.CLASS_NOUNS[turn % 3]
        return Asked(captions.prompt(value, [], opening, before), name, value, None)
    sheets = [sheet for sheet in styles.PORTRAITS.values() if name != "glasses" or sheet.glasses]
    sheet = sheets[turn % len(sheets)]
    step = turn // len(sheets)
    in_style = f"in {sheet.word} style"
    if name == "style":
        return Asked(captions.prompt("person", [in_style], opening, before), name, sheet.name, sheet.name)
    if name == "hair":
        kinds = sorted(sheet.hair)
        value = kinds[step % len(kinds)]
        fact = captions.hair_words(value, None)
    elif name == "glasses":
        value = ("none", *sorted(sheet.glasses))[step % (1 + len(sheet.glasses))]
        fact = "without glasses" if value == "none" else f"with {value}"
    else:
        value = labels.VALUES[name][step % len(labels.VALUES[name])]
        fact = {
            "background": captions.background_words({"background": value}),
            "hair color": f"with {value} hair",
            "clothes color": captions.clothes_words(None, value),
        }[name]
    return Asked(captions.prompt("person", [fact, in_style], opening, before), name, value, sheet.name)
