"""Words per photo: from a text file beside it, or from one table for the folder.

Separate from reading photos because words are matched to photos by name, which can go wrong in ways of its own.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boothlab.config.templates import IT, require_known_words
from boothlab.errors import PhotoError
from boothlab.files import spelled
from boothlab.photos.folder import composed, printable

TABLES = ("captions.csv", "captions.tsv", "metadata.csv", "metadata.jsonl", "captions.jsonl")
"""Names of tables, in the order in which they are looked for; the first one there is used."""

WANTED = "it needs one for the photo and one for its caption"

NAME_COLUMNS = ("file", "file_name", "photo", "name", "image")
WORD_COLUMNS = ("caption", "text", "prompt", "words")

ABSENT, NOBODYS = "not among the photos", "belongs to no photo"
"""Of a row of a table, and of a text file: there is no such photo."""

NAMELESS = "(a row without a name)"

MEANT = "means"


@dataclass(frozen=True, slots=True)
class Words:
    """``captions``: photo name → template. ``fates``: name of a file with words → what became of it.

    Names are :func:`printable`.
    """

    captions: Mapping[str, str]
    fates: Mapping[str, str]


def template(words: str) -> str:
    """A caption as a prompt template: with ``{it}`` it is one already, without it says more about the photo.

    >>> template("wearing a red hat")
    'a photo of {it}, wearing a red hat'
    >>> template("{it} on a beach")
    '{it} on a beach'
    """
    text = " ".join(words.split())
    return text if IT in text else f"a photo of {IT}, {text}"


def read_words(files: Sequence[Path], photos: Iterable[Path]) -> Words:
    """The captions that ``files`` hold for ``photos``. A text file beside a photo wins over the table.

    ``ada.txt`` belongs to ``ada.jpg``; with ``ada.jpg`` and ``ada.png`` in one folder it has to be called
    ``ada.jpg.txt``. Raises PhotoError when it is ambiguous, not UTF-8, a table has no such columns, or a
    caption says a word in braces other than ``{it}``.
    """
    called = [printable(path) for path in photos]
    names = {composed(name): name for name in called}
    captions: dict[str, str] = {}
    fates: dict[str, str] = {}
    tables = [path for wanted in TABLES for path in files if path.name.lower() == wanted]
    for path in files:
        if path in tables[:1]:
            table = {composed(spelled(name)): words for name, words in _table(path).items()}
            captions |= {
                names[name]: template(words) for name, words in table.items() if name in names and words.strip()
            }
            unknown = sorted(name or NAMELESS for name in table.keys() - names)
            known = len(table.keys() & names)
            fates[printable(path)] = f"captions of {known} photo{'' if known == 1 else 's'}"
            if unknown:
                fates[printable(path)] += f"; {', '.join(unknown[:3])} {ABSENT}{_meant(unknown, names)}"
    for path in files:
        if path.suffix.lower() == ".txt":
            _beside(path, names, captions, fates)
        elif path not in tables[:1]:
            fates[printable(path)] = f"not used ({tables[0].name} is)" if path in tables else "not about photos"
    _require_one_owner(captions, called)
    for name, caption in captions.items():
        try:
            require_known_words(f"The caption of {name}", [caption])
        except ValueError as error:
            raise PhotoError(f"{error}.", f"Write {IT} for the subject, or leave the braces out.") from None
    return Words(captions, fates)


def without_photo(fate: str) -> bool:
    """Whether a file with words has some for a photo that is not there."""
    return fate.startswith(NOBODYS) or ABSENT in fate


def misnamed(fate: str) -> bool:
    """Whether a table seems to mean photos that it does not name in full."""
    return MEANT in fate


def _meant(unknown: Sequence[str], names: Mapping[str, str]) -> str:
    """The photo that one of these names seems to mean: without its ending, in other capitals, or with its folder."""
    known = {Path(name).stem.casefold(): own for name, own in names.items()}
    known |= {name.casefold(): own for name, own in names.items()}
    for name in unknown:
        own = known.get(name.replace("\\", "/").rpartition("/")[2].casefold())
        if own is not None:
            return f" ({name} {MEANT} {own}?)"
    return ""


def _require_one_owner(captions: Iterable[str], called: Sequence[str]) -> None:
    """Raises PhotoError for a caption of a name that two photos have, each in a spelling of its own."""
    count = Counter(composed(name) for name in called)
    twice = next((name for name in captions if count[composed(name)] > 1), None)
    if twice is not None:
        raise PhotoError(
            f"{count[composed(twice)]} photos are called {twice}, their accents written in different ways, and the "
            "caption of that name could belong to either.",
            "Give one of them another name.",
        )


def _beside(path: Path, names: Mapping[str, str], captions: dict[str, str], fates: dict[str, str]) -> None:
    stem = composed(spelled(path.stem))
    owners = [names[stem]] if stem in names else [own for name, own in names.items() if Path(name).stem == stem]
    if len(owners) > 1:
        raise PhotoError(
            f"{printable(path)} could belong to {' and '.join(owners)}.",
            f"Call it {owners[0]}.txt or {owners[1]}.txt.",
        )
    if not owners:
        fates[printable(path)] = NOBODYS
        return
    text = _text(path).strip()
    fates[printable(path)] = f"caption of {owners[0]}" if text else "empty"
    if text:
        captions[owners[0]] = template(text)


def _table(path: Path) -> dict[str, str]:
    text = _text(path)
    if path.suffix.lower() == ".jsonl":
        try:
            rows = [dict(json.loads(line)) for line in text.split("\n") if line.strip()]
        except (ValueError, TypeError) as error:
            raise PhotoError(f"{path} is not a list of JSON objects: {error}.") from error
    else:
        rows = _rows(path, text)
    columns = {str(key).strip().lower(): key for row in rows[:1] for key in row}
    name = next((columns[key] for key in NAME_COLUMNS if key in columns), None)
    words = next((columns[key] for key in WORD_COLUMNS if key in columns), None)
    if rows and (name is None or words is None):
        raise PhotoError(f"{path} has the columns {', '.join(columns)}; {WANTED}.", "Call them file and caption.")
    every = ((str(row.get(name) or "").strip(), str(row.get(words) or "")) for row in rows)
    told = [(photo, caption) for photo, caption in every if photo or caption.strip()]
    table_of = dict(told)
    twice = next((photo for photo, caption in told if photo and caption.strip() != table_of[photo].strip()), None)
    if twice is not None:
        raise PhotoError(f"{path} has several captions for {spelled(twice)}.", "Leave one of them.")
    broken = next((photo for photo, caption in table_of.items() if caption != spelled(caption)), None)
    if broken is not None:
        raise PhotoError(
            f"{path}: the caption of {spelled(broken)} has half a character (\\ud800 to \\udfff).",
            "Write characters themselves instead of their codes.",
        )
    return table_of


def _rows(path: Path, text: str) -> list[dict[str, str | None]]:
    """The rows of a table. Its header comes first: with other marks in it, what its rows say of commas is no help."""
    mark, called = ("\t", "tab") if path.suffix.lower() == ".tsv" else (",", "comma")
    table = csv.DictReader(io.StringIO(text), delimiter=mark, strict=True)
    try:
        header = next(csv.reader([text.partition("\n")[0]], delimiter=mark), [])
        if len(header) == 1 and any(other in header[0] for other in (";", "\t", ",")):
            raise PhotoError(
                f"{path} has the columns {header[0]}; {WANTED}.",
                f"Its header has no {called}: put one between the columns.",
            )
        return [_whole(path, table.line_num, row) for row in table]
    except csv.Error as error:
        raise PhotoError(
            f"{path} is no table that can be read, near line {table.line_num}: {error}.",
            "Put quotes around captions with commas, and close every quote.",
        ) from error


def _whole(path: Path, line: int, row: Mapping[str | None, Any]) -> dict[str, str | None]:
    """The row, with nothing cut off: what the csv module sets aside as too many fields is mostly half a caption.

    Empty ones are what spreadsheets leave at the end of a row. Raises PhotoError for all others.
    """
    fields = {name: value for name, value in row.items() if name is not None}
    if any(value.strip() for value in row.get(None, ())):
        raise PhotoError(
            f"{path} has more fields in line {line}, on {next(iter(fields.values()))!r}, than in its header.",
            "Put the caption in quotes: it has a comma or a tab in it.",
        )
    return fields


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise PhotoError(f"Cannot read {path}: {error}.", "Save it as UTF-8 text.") from error
