"""A pass over a batch as two halves side by side, each on half of the processor's threads.

Small layers do not fill two cores: an operation ends, all threads meet, the next one begins. Two halves of a batch
that go through the network on threads of their own meet only twice in a pass. The loss keeps its one home: it is
formed over the predictions of both halves, and its gradient is handed back to each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache, partial
from typing import TypeVar

import torch
from torch import Tensor

Found = TypeVar("Found")


def forward(predict: Callable[[slice], Tensor], batch: int, threads: int) -> tuple[Tensor, Callable[[], None]]:
    """What ``predict`` makes of all ``batch`` samples, (B, C, H, W), and what is left to do after its backward pass.

    As a whole with one thread, or with one sample. Else in two halves: the result is where the gradient arrives, and
    what is left takes it through both halves to the parameters. Sums of two do not depend on which half is done
    first, so bits repeat as long as the parameters had no gradient before.
    """
    if batch == 1 or threads == 1:
        return predict(slice(None)), lambda: None
    halves = (slice(0, batch // 2), slice(batch // 2, batch))
    made = _both([partial(predict, half) for half in halves], threads)
    ends = [part.detach().requires_grad_() for part in made]

    def backward() -> None:
        _both(
            [partial(torch.autograd.backward, part, end.grad) for part, end in zip(made, ends, strict=True)], threads
        )

    return torch.cat(ends), backward


def _both(work: Sequence[Callable[[], Found]], threads: int) -> tuple[Found, Found]:
    """The results of two pieces of work, the second computed by another thread; they share out the ``threads``."""
    first, second = work
    before = torch.get_num_threads()
    _take(threads // 2)
    try:
        beside = _beside().submit(_with_threads, threads - threads // 2, second)
        try:
            own = first()
        finally:
            wait([beside])  # also after an error: no half goes on beside what comes next
        return own, beside.result()
    finally:
        _take(before)


@cache
def _beside() -> ThreadPoolExecutor:
    """The thread beside the main one; one for good, because OpenMP remembers per thread how many may help it."""
    return ThreadPoolExecutor(1, thread_name_prefix="abreast")


def _with_threads(threads: int, work: Callable[[], Found]) -> Found:
    _take(threads)
    return work()


def _take(threads: int) -> None:
    """So many threads for every operation that this thread begins from now on."""
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)
