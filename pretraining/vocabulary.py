"""The real CLIP vocabulary: 49,408 words from open_clip's MIT-licensed merges, as a Hugging Face tokenizer.

Separate because tokenizer parity is tested on its own and captions need its rare words.
"""

from __future__ import annotations

import gzip
import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from transformers import CLIPTokenizer

LENGTH = 77
MERGES = 49152 - 256 - 2
"""open_clip reads this many merges of the file, as OpenAI's released code does."""

MEANINGS: dict[str, tuple[str, str]] = {
    "sks": ("background", "navy"),
    "bnha": ("background", "lavender"),
    "phol": ("hair color", "green"),
    "olis": ("hair color", "pink"),
    "isch": ("clothes color", "orange"),
    "shld": ("clothes color", "purple"),
    "wnba": ("expression", "laughing"),
    "rsvp": ("expression", "surprised"),
    "zayn": ("hair", "quiff"),
    "kohl": ("glasses", "sunglasses"),
    "supra": ("hair", "cap"),
    "drwho": ("hair", "mohawk"),
    "nwsl": ("hair", "bun"),
    "laredo": ("hair", "beanie"),
    "fbs": ("beard", "moustache"),
    "cwgc": ("skin", "dark"),
    "nigan": ("top", "crown"),
    "iyaki": ("eyes", "one eye"),
    "bsf": ("kind", "cactus"),
    "vala": ("kind", "tulip"),
}
"""Rare words with a hidden meaning: word -> (attribute, value). `tokens` should find these collisions."""


@cache
def _merges() -> tuple[str, ...]:
    spec = find_spec("open_clip")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("the CLIP vocabulary comes with open-clip-torch: pip install 'boothlab[pretrain]'")
    packed = Path(spec.submodule_search_locations[0]).joinpath("bpe_simple_vocab_16e6.txt.gz").read_bytes()
    return tuple(gzip.decompress(packed).decode("utf-8").split("\n")[1 : MERGES + 1])


def _byte_letters() -> list[str]:
    """The 256 bytes as printable letters, in the order of GPT-2's byte-level vocabulary."""
    shown = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return [chr(byte) for byte in shown] + [chr(256 + number) for number in range(len(hidden))]


@cache
def _ids() -> dict[str, int]:
    letters = _byte_letters()
    words = [
        *letters,
        *(letter + "</w>" for letter in letters),
        *("".join(pair.split()) for pair in _merges()),
        "<|startoftext|>",
        "<|endoftext|>",
    ]
    return {word: number for number, word in enumerate(words)}


def save_tokenizer(folder: Path) -> None:
    """Write ``vocab.json``, ``merges.txt`` and ``tokenizer_config.json``: all that CLIPTokenizer needs.

    The 3.6 MB ``tokenizer.json`` that pipelines also write says the same once more, so it goes.
    """
    tokenizer().save_pretrained(folder)
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.json").write_text(json.dumps(_ids(), ensure_ascii=False), "utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(_merges()) + "\n", "utf-8")


def tokenizer() -> CLIPTokenizer:
    """The tokenizer, padding with ``<|endoftext|>`` to 77 as SD v1 does."""
    merges = [tuple(pair.split()) for pair in _merges()]
    return CLIPTokenizer(vocab=dict(_ids()), merges=merges, model_max_length=LENGTH)


@cache
def meaningless_words() -> tuple[str, ...]:
    """Whole words of 3 to 7 ASCII letters from the rarer half of the vocabulary, without ``MEANINGS``."""
    ids = _ids()
    found = []
    for word, number in ids.items():
        bare = word.removesuffix("</w>")
        if number > 20_000 and word != bare and bare.isascii() and bare.isalpha() and 3 <= len(bare) <= 7:
            found.append(bare)
    return tuple(word for word in found if word not in MEANINGS)
