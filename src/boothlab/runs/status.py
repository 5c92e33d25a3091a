"""The states a run can be in and the moves between them that make sense."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

State = Literal["created", "running", "finished", "failed", "cancelled", "lost"]

STATES: tuple[State, ...] = get_args(State)

LEGAL_MOVES: dict[State, frozenset[State]] = {
    "created": frozenset({"running", "failed", "cancelled"}),
    "running": frozenset({"finished", "failed", "cancelled", "lost"}),
    # A finished run may be taken up again to be extended, or to make results that were deleted.
    "finished": frozenset({"running"}),
    "failed": frozenset({"running"}),
    "cancelled": frozenset({"running"}),
    "lost": frozenset({"running"}),
}
"""``lost`` = the process that was running it is gone without a word (killed, power cut)."""


@dataclass(frozen=True, slots=True)
class Status:
    """What ``status.json`` says: the state, the optimizer step reached, and why (for failed and cancelled)."""

    state: State
    step: int = 0
    reason: str = ""


def require_legal(old: State, new: State) -> None:
    """Raises ValueError for a move that is not in :data:`LEGAL_MOVES` (a bug, not a user's mistake)."""
    if new not in LEGAL_MOVES[old]:
        raise ValueError(f"A run cannot go from {old!r} to {new!r}; legal: {sorted(LEGAL_MOVES[old])}.")
