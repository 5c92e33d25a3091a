"""``boothlab tokens``."""

from __future__ import annotations

from typing import Annotated

import typer


def tokens(
    words: Annotated[list[str] | None, typer.Argument(metavar="WORD", help="Identifiers to look at.")] = None,
    base: Annotated[str, typer.Option(help="Base model whose tokenizer is asked.")] = "toon",
    suggestions: Annotated[int, typer.Option(min=0, max=100, help="How many better words to suggest.")] = 5,
) -> None:
    """Show how a base model splits a word.

    Also what it already means, and which words mean nothing yet.

    Example: boothlab tokens zl635 sks
    """
    from boothlab import api
    from boothlab.cli.screen import say
    from boothlab.models.config import Base

    reports, better = api.tokens(words or [], Base(model=base), suggestions)
    for found in reports:
        pieces = " ".join(f"{piece.text.removesuffix('</w>')}·{piece.rank}" for piece in found.pieces)
        say(f"{found.word}: {'good' if found.good else 'not good'}; tokens {pieces}")
        for problem in found.problems:
            say(f"  {problem}")
    if better:
        say(f"rare single tokens without a meaning: {', '.join(better)}")
