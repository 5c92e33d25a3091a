"""How a base model's tokenizer takes a word, what else that word means, and which words mean nothing yet.

A DreamBooth identifier should be one token (or the model has to bind several), rare (or it already has a
meaning), and no real word or name. The rank is the token's number in the vocabulary, which for byte-pair merges
runs from frequent to rare.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from boothlab.assets import asset
from boothlab.errors import NoWeights, PlanError
from boothlab.models.config import Base
from boothlab.models.locate import locate

if TYPE_CHECKING:
    from tokenizers import Tokenizer

VOCABULARY, WHOLE = ("vocab.json", "merges.txt"), "tokenizer.json"
"""What a tokenizer's folder holds: transformers 5 writes the one file alone, older ones read the two."""

WORD_END = "</w>"

START, END = "<|startoftext|>", "<|endoftext|>"

WORDS = r"""<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"""
"""What CLIP takes for a word before it merges letters (Radford et al. 2021, simple_tokenizer.py)."""

LANGUAGES = ("en", "de", "es", "fr", "it", "nl", "pl", "pt", "tr", "sv")
"""Languages in Latin script whose words and names an identifier should not be."""

COMMON_FROM = 2.0
"""Zipf frequency (log10 per billion words) from which a word counts as known; most given names lie above 2.5."""

EVERYDAY_FROM = 4.0
"""Zipf frequency of words that everybody uses daily; a suggestion must not contain one."""

MOST_TOKENS = 75
"""CLIP reads 77 tokens, and two of them are the start and the end."""

KNOWN_MEANINGS = {
    "sks": "a rifle (SKS), which base models draw when the class noun leaves room for it",
}

SUGGESTION_LETTERS = range(3, 6)


@dataclass(frozen=True, slots=True)
class Piece:
    """One token of a word: its text as the tokenizer writes it (``</w>`` ends a word) and its rank."""

    text: str
    rank: int


@dataclass(frozen=True, slots=True)
class TokenReport:
    """What is known of a word as an identifier. ``problems`` is empty for a good one."""

    word: str
    pieces: tuple[Piece, ...]
    zipf: float
    language: str
    problems: tuple[str, ...]

    @property
    def good(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.problems


def load_tokenizer(base: Base) -> Tokenizer:
    """The CLIP tokenizer of a base model, without its weights and without transformers. Raises NoWeights, PlanError.

    Parity: transformers ``CLIPTokenizer``, exact (tests/unit/test_clip_words.py).
    """
    path = locate(base)
    if path.is_file():
        # A single-file checkpoint holds no vocabulary; every SD 1.x/2.x model uses CLIP's.
        return read_tokenizer(asset("tokenizer"))
    return read_tokenizer(path / "tokenizer")


def read_tokenizer(folder: Path) -> Tokenizer:
    """CLIP's byte-pair tokenizer from :data:`VOCABULARY`, or else :data:`WHOLE`, not to be changed. Raises NoWeights.

    Read once per process, because a study asks for it with every run; again when one of the files was changed.
    """
    found = [(name, path.stat()) for name in (*VOCABULARY, WHOLE) if (path := folder / name).exists()]
    return _read(folder, tuple((name, state.st_ino, state.st_mtime_ns, state.st_size) for name, state in found))


@lru_cache(maxsize=4)
def _read(folder: Path, state: tuple[tuple[str, int, int, int], ...]) -> Tokenizer:
    """The tokenizer of files in this ``state``."""
    from tokenizers import Tokenizer

    names = [name for name, *_ in state]
    try:
        if WHOLE not in names or set(VOCABULARY) <= set(names):
            return _from_vocabulary(folder)
        tokenizer = Tokenizer.from_file(str(folder / WHOLE))
    except Exception as error:
        raise NoWeights(f"Cannot read the tokenizer in {folder}: {error}") from error
    # Who saved it may have been encoding for the model, with every text cut or filled up to 77 tokens.
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _from_vocabulary(folder: Path) -> Tokenizer:
    from tokenizers import AddedToken, Regex, Tokenizer, normalizers, pre_tokenizers
    from tokenizers.models import BPE

    model = BPE.from_file(
        *(str(folder / name) for name in VOCABULARY),
        continuing_subword_prefix="",
        end_of_word_suffix=WORD_END,
        fuse_unk=False,
        unk_token=END,
    )
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORDS), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in (START, END)])
    return tokenizer


@cache
def best_known(word: str) -> tuple[float, str]:
    """(Zipf frequency, language) where ``word`` is most frequent; (0, "") for a word nobody writes."""
    from wordfreq import zipf_frequency

    # English has the fullest list; the short lists of the others load ten times faster and hold all common words.
    lists = {language: "large" if language == "en" else "small" for language in LANGUAGES}
    found = [(float(zipf_frequency(word, language, size)), language) for language, size in lists.items()]
    frequency, language = max(found, key=lambda pair: pair[0])
    return (frequency, language) if frequency > 0 else (0.0, "")


def split(tokenizer: Tokenizer, word: str) -> tuple[Piece, ...]:
    """The tokens of ``word`` without start and end."""
    found = tokenizer.encode(word, add_special_tokens=False)
    return tuple(Piece(text, rank) for text, rank in zip(found.tokens, found.ids, strict=True))


def cut_off(tokenizer: Tokenizer, prompt: str) -> str:
    """The end of ``prompt`` that the model never sees, because it reads :data:`MOST_TOKENS` tokens; mostly empty."""
    lost = split(tokenizer, prompt)[MOST_TOKENS:]
    return "".join(piece.text.replace(WORD_END, " ") for piece in lost).strip()


def inspect_word(tokenizer: Tokenizer, word: str) -> TokenReport:
    """Everything known of ``word``. Raises PlanError for words of no tokens or with spaces."""
    pieces = split(tokenizer, word)
    if not pieces or any(character.isspace() for character in word):
        raise PlanError(f"{word!r} is not one word.")
    if word in (START, END):
        raise PlanError(f"{word!r} begins or ends every prompt, so it can name nobody.", "Take another word.")
    zipf, language = best_known(word.lower())
    problems = []
    if len(pieces) > 1:
        parts = " ".join(piece.text.removesuffix(WORD_END) for piece in pieces)
        problems.append(f"is {len(pieces)} tokens ({parts}), each with a meaning of its own")
        problems += [
            f"contains the word {text!r}"
            for piece in pieces
            if len(text := piece.text.removesuffix(WORD_END)) >= 3
            and text.isalpha()
            and best_known(text)[0] >= COMMON_FROM + 1
        ]
    if word.lower() in KNOWN_MEANINGS:
        problems.append(f"already means {KNOWN_MEANINGS[word.lower()]}")
    if zipf >= COMMON_FROM:
        problems.append(f"is a word or name (Zipf frequency {zipf:.1f} in '{language}'; unknown words have 0)")
    if word != word.lower():
        problems.append("has capital letters, which the tokenizer makes small")
    return TokenReport(word, pieces, zipf, language, tuple(problems))


def require_one_token(word: str, tokens: Sequence[str]) -> None:
    """Raises PlanError for an identifier of several tokens, which other words share: no vector is its own."""
    if len(tokens) != 1:
        parts = " ".join(token.removesuffix(WORD_END) for token in tokens)
        raise PlanError(
            f"The identifier {word!r} is {len(tokens)} tokens ({parts}), shared with other words; "
            "strategy.identifier_learning_rate learns the vector of one token.",
            "Take another identifier (`boothlab tokens`), or leave identifier_learning_rate out.",
        )


def _holds_a_word(text: str) -> bool:
    """Whether a part of three letters or more is an everyday word ("foxtv", "erose")."""
    parts = {text[i:j] for i in range(len(text)) for j in range(i + 3, len(text) + 1) if j - i < len(text)}
    return any(best_known(part)[0] >= EVERYDAY_FROM for part in parts)


def suggest(tokenizer: Tokenizer, count: int, taken: Sequence[str] = ()) -> list[str]:
    """The ``count`` rarest single-token words of 3–5 letters that mean nothing, rarest first.

    Left out is what a language above knows, and what is part of another token: "anese" is rare, but the model has
    met it as the end of "japanese".
    """
    return list(_rarest(tokenizer, count, frozenset(taken)))


@lru_cache(maxsize=64)
def _rarest(tokenizer: Tokenizer, count: int, taken: frozenset[str]) -> tuple[str, ...]:
    """As :func:`suggest`, once per tokenizer: it goes through the whole vocabulary."""
    vocabulary: dict[str, int] = tokenizer.get_vocab()
    candidates = []
    for text, rank in vocabulary.items():
        word = text.removesuffix(WORD_END)
        usable = text.endswith(WORD_END) and word.isascii() and word.isalpha() and word not in taken
        if usable and len(word) in SUGGESTION_LETTERS and rank > len(vocabulary) // 2:
            candidates.append((rank, word))
    texts = [text.removesuffix(WORD_END) for text in vocabulary]
    wholes, everything = Counter(texts), "\n".join(texts)
    good: list[str] = []
    for _, word in sorted(candidates, reverse=True) if count else ():
        if everything.count(word) > wholes[word] or _holds_a_word(word):
            continue
        if word in KNOWN_MEANINGS or best_known(word)[0] >= COMMON_FROM - 1:
            continue
        # A word that the tokenizer would split again after all (because of merge order) is of no use.
        if len(split(tokenizer, word)) == 1:
            good.append(word)
        if len(good) == count:
            break
    return tuple(good)
