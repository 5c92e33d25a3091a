"""Numbers as pages print them: three digits, and for readers a real minus. (Torch-free.)"""

from __future__ import annotations


def number(value: float) -> str:
    """Three significant digits, no more than three decimals; what is not 0 is never printed as 0."""
    if value and round(value, 3) == 0.0:
        return f"{value:.1g}"
    return f"{value:.3g}" if abs(value) >= 0.1 else f"{round(value, 3) + 0.0:.3f}".rstrip("0").rstrip(".")


def seconds(value: float) -> str:
    """Seconds as people write them: two digits, from 10 on whole ones, never a power of ten."""
    return f"{value:.0f}" if value >= 10 else f"{float(f'{value:.2g}'):.6f}".rstrip("0").rstrip(".")


def plain(value: float) -> str:
    """As :func:`number`, with a minus that is as wide as a digit and not broken off at the end of a line."""
    said = number(value)
    return "−" + said[1:] if said.startswith("-") else said


def signed(value: float) -> str:
    """A difference with its sign; 0 has none."""
    return plain(value) if value <= 0 else f"+{plain(value)}"


def ranged(low: float | None, high: float | None) -> str:
    """``[low, high]``; "" where there is no interval."""
    return "" if low is None or high is None else f"[{plain(low)}, {plain(high)}]"
