"""Where every random number comes from: a pure function of (seed, purpose, counters).

Nothing in boothlab draws from a global or a running generator, so what is drawn at step 700 depends neither on
the 699 steps before it, nor on whether the run was interrupted, nor on the pictures made in between.
"""

from __future__ import annotations

import hashlib
from typing import Literal

Purpose = Literal[
    "order",  # which photo at which step
    "timestep",
    "noise",
    "posterior",  # the draw from the autoencoder's posterior
    "offset",  # offset noise
    "caption",  # caption dropout
    "instance-prompt",  # the instance prompt in a caption's place
    "augment",
    "adapter",  # initial adapter weights
    "class-images",
    "preview",
    "evaluation",
    "validation",
    "split",  # train / held-out
    "statistics",  # bootstrap and permutations
    "search",  # what a study tries next
]


def derive(seed: int, purpose: Purpose, *counters: int | str) -> int:
    """A 63-bit integer that depends on all arguments and on nothing else.

    ``counters`` say which draw of that purpose is meant (step, index, name …). SHA-256 keeps the streams of
    different purposes disjoint for all practical purposes, whatever the seeds.

    >>> derive(1, "noise", 0) == derive(1, "noise", 0)
    True
    >>> derive(1, "noise", 0) == derive(1, "preview", 0)
    False
    """
    # A name may hold the separator; escaped, no list of counters reads like another.
    names = (c.replace("%", "%25").replace("/", "%2F") if isinstance(c, str) else c for c in counters)
    text = "/".join(["boothlab-1", str(seed), purpose, *(f"{type(c).__name__}:{c}" for c in names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
