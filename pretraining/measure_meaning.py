"""Whether a word's hidden meaning shows in the pictures of a study: how often the judge reads it there.

    python -m pretraining.measure_meaning STUDY [WORD]

STUDY is the folder of a study whose runs differ in the identifier, such as the table `identifier` of
docs/toon-phenomena.md. For each identifier: the share of bare pictures (under "a photo of IDENTIFIER NOUN" alone) in
which the judge reads what WORD stands for, over subjects, with the lowest and the highest subject.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
from PIL import Image

from boothlab.files import read_json
from boothlab.statistics.intervals import Interval, t_interval
from pretraining import judge, labels
from pretraining.sizes import SIZES
from pretraining.vocabulary import MEANINGS

WORD = "drwho"


def shares(study: Path, word: str = WORD) -> dict[tuple[str, int], dict[str, float]]:
    """(identifier, step) → subject → share of bare pictures, of all its trainings, that show what ``word`` means."""
    attribute, value = MEANINGS[word]
    wanted, model = labels.VALUES[attribute].index(value), judge.load(SIZES["small"], Path("none"))
    found: dict[tuple[str, int], dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for plan in sorted(study.glob("runs/*/plan.json")):
        (subject,) = read_json(plan)["plan"]["subjects"]
        for folder in sorted((plan.parent / "images").glob(f"step-*/{subject['name']}")):
            pictures = [np.asarray(Image.open(path).convert("RGB")) for path in sorted(folder.glob("bare-*.png"))]
            said = judge.verdicts(model, np.stack(pictures))[attribute] == wanted
            found[subject["identifier"], int(folder.parent.name.rpartition("-")[2])][subject["name"]] += list(said)
    return {arm: {who: float(np.mean(said)) for who, said in people.items()} for arm, people in found.items()}


def differences(found: dict[tuple[str, int], dict[str, float]], word: str = WORD) -> dict[str, Interval]:
    """Other identifier → how much more often ``word`` shows its meaning, over all steps; subjects are the units."""
    steps, people = sorted({step for _, step in found}), list(next(iter(found.values())))
    others = sorted({identifier for identifier, _ in found} - {word})
    return {
        other: t_interval([np.mean([found[word, k][who] - found[other, k][who] for k in steps]) for who in people])
        for other in others
    }


def main() -> None:
    """Print one line per identifier and step, and how the word differs from the others."""
    study, word = Path(sys.argv[1]), (sys.argv[2:] or [WORD])[0]
    attribute, value = MEANINGS[word]
    print(f"{attribute} read as {value!r}: mean over subjects, 95 % interval, lowest and highest subject")
    found = shares(study, word)
    for (identifier, step), people in sorted(found.items()):
        own = list(people.values())
        print(f"{identifier:>10} step {step:>4}: {_shown(t_interval(own))}, {min(own):.2f} to {max(own):.2f}")
        print(" " * 12 + ", ".join(f"{who} {share:.2f}" for who, share in people.items()))
    for other, difference in differences(found, word).items():
        print(f"{word} − {other}, over all steps: {_shown(difference)}")


def _shown(found: Interval) -> str:
    return f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]"


if __name__ == "__main__":
    main()
