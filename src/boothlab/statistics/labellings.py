"""How often chance, dealing photos into two groups, gives one of them as many of what lies near photos."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb


def share_of_labellings(near: Sequence[int], drawn: int, least: int) -> float:
    """The share of all choices of ``drawn`` photos to which ``least`` or more things are near.

    ``near`` counts the things near each photo. Chance parts photos, not the things: however many lie near one photo,
    they come or stay together. Exact, by counting choices (Fisher 1935's permutation test with weights); at least
    one in all choices wherever the true one has as many. Raises ValueError for a choice that cannot be made.
    """
    if not 0 <= drawn <= len(near):
        raise ValueError(f"{drawn} of {len(near)} photos cannot be drawn")
    weights = [weight for weight in near if weight]
    # ways[k][s]: choices of k of the photos seen so far, with s things near them
    ways = [[0] * (sum(weights) + 1) for _ in range(min(drawn, len(weights)) + 1)]
    ways[0][0] = 1
    for weight in weights:
        for k in range(len(ways) - 1, 0, -1):
            for s in range(len(ways[k]) - 1, weight - 1, -1):
                ways[k][s] += ways[k - 1][s - weight]
    plain = len(near) - len(weights)
    found = sum(comb(plain, drawn - k) * sum(row[max(least, 0) :]) for k, row in enumerate(ways))
    return found / comb(len(near), drawn)
