"""Numbers and durations as a table wants them, where what was not measured is a dash."""

from collections.abc import Mapping
from typing import Any

from bakeoff.analysis import words
from bakeoff.analysis.words import joined, rate

__all__ = [
    "ABSENT",
    "PRECISIONS",
    "count",
    "duration",
    "epochs",
    "joined",
    "megabytes",
    "millions",
    "number",
    "plural",
    "rate",
    "small",
]

ABSENT = "—"
#: The precisions of a budget, in full.
PRECISIONS = {"fp32": "float32", "bf16": "bfloat16"}


def epochs(schedule: Mapping[str, Any]) -> str:
    """How long a budget or a search trains: `10 epochs`, or `5 epochs of at most 140 steps`."""
    steps = schedule.get("epoch_steps")
    return f"{plural(schedule['epochs'], 'epoch')}{f' of at most {steps} steps' if steps else ''}"


def plural(number: int, noun: str) -> str:
    """`1 thread`, `2 threads`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def number(value: float | None) -> str:
    """Three or four significant digits: 94.21, 610.3, 2,051."""
    return ABSENT if value is None else words.number(value)


def small(value: float | None) -> str:
    """Three decimals, for losses and bits per byte."""
    return ABSENT if value is None else f"{value:.3f}"


def count(value: float | None) -> str:
    """A whole number with thousands separated."""
    return ABSENT if value is None else f"{value:,.0f}"


def millions(value: float | None) -> str:
    """A count in millions, to three significant digits."""
    return ABSENT if value is None else f"{value / 1e6:#.3g}"


def megabytes(value: float | None) -> str:
    """Bytes as millions of bytes, without the unit, to three significant digits at least."""
    return ABSENT if value is None else f"{value / 1e6:,.0f}" if value >= 1e8 else f"{value / 1e6:.3g}"  # noqa: PLR2004


def duration(seconds: float | None) -> str:
    """Seconds as `8.3 s`, `4 min 05 s` or `3 h 12 min`."""
    return ABSENT if seconds is None else words.duration(seconds)
