"""Numbers, counts and lists as they stand in sentences and tables; what was not measured is a dash."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from bakeoff.metrics import perplexity as perplexity_of

ABSENT = "—"
#: The precisions of a budget, in full.
PRECISIONS = {"fp32": "float32", "bf16": "bfloat16"}
#: From here on a number is written as a power of ten, so that no figure of hundreds of digits is ever printed.
LARGEST = 1e7
#: From here on a count in millions has no decimals.
WHOLE_MILLIONS = 1e8
#: How many decimals a number has that is, so rounded, below a limit.
_DECIMALS = ((2, 100), (1, 1000))
#: Up to here counts are spelled out.
_SPELLED = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def number(value: float | None) -> str:
    """Three or four significant digits, as a perplexity is read: 94.21, 610.3, 2,051; 3.2e+12 where it is huge."""
    if value is None:
        return ABSENT
    if not math.isfinite(value):
        return "∞"
    if abs(value) >= LARGEST:
        return f"{value:.1e}"
    decimals = next((decimals for decimals, limit in _DECIMALS if round(abs(value), decimals) < limit), 0)
    return f"{value:,.{decimals}f}"


def perplexity(loss: float | None) -> str:
    """A loss in nats per token as a perplexity."""
    return ABSENT if loss is None else number(perplexity_of(loss, 1))


def small(value: float | None) -> str:
    """Three decimals, for losses, bits per byte, and differences in nats beside their interval."""
    return ABSENT if value is None else _minus(f"{value:.3f}")


def nats(value: float) -> str:
    """Two decimals, three where that is needed to tell it from zero; without a sign."""
    size = abs(value)
    return f"{size:,.2f}" if round(size, 2) >= 0.1 else f"{size:.3f}"  # noqa: PLR2004


def signed(value: float) -> str:
    """The same with a minus where there is one."""
    return _minus(f"{'-' if value < 0 else ''}{nats(value)}")


def spread(low: float, high: float) -> str:
    """An interval in nats: `0.551 to 0.629`."""
    return f"{small(low)} to {small(high)}"


def _minus(digits: str) -> str:
    """Digits with a proper minus, and none before nothing but zeros."""
    bare = digits.removeprefix("-")
    return bare if digits == bare or not bare.strip("0.") else f"−{bare}"  # noqa: RUF001 (the sign of minus)


def percent(share: float) -> str:
    """A share as a percentage of two significant digits: 0.28 %, 4.3 %, 76 %."""
    value = 100 * share
    decimals = next((decimals for decimals, limit in ((2, 1), (1, 9.95)) if abs(value) < limit), 0)
    return f"{value:.{decimals}f} %"


def duration(seconds: float | None) -> str:
    """Seconds as `8.3 s`, `45 s`, `4 min 05 s`, `5 min` or `3 h 12 min`."""
    if seconds is None:
        return ABSENT
    if round(seconds, 1) < 60:  # noqa: PLR2004
        return f"{seconds:.1f} s" if round(seconds, 1) < 20 else f"{seconds:.0f} s"  # noqa: PLR2004
    minutes, rest = divmod(round(seconds), 60)
    written = f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"  # noqa: PLR2004
    return written.removesuffix(" 00 s").removesuffix(" 00 min")


def megabytes(size: float | None) -> str:
    """Bytes as millions of bytes, with the unit: 0.4 MB, 3.3 MB, 95 MB, 1,240 MB."""
    return ABSENT if size is None else f"{in_megabytes(size)} MB"


def in_megabytes(size: float | None) -> str:
    """The same without the unit, for a column whose head has it."""
    if size is None:
        return ABSENT
    value = size / 1e6
    return f"{value:.1f}" if value < 10 else f"{value:,.0f}"  # noqa: PLR2004


def count(value: float | None) -> str:
    """A whole number with thousands separated."""
    return ABSENT if value is None else f"{value:,.0f}"


def millions(value: float | None) -> str:
    """A count in millions, to three significant digits or more."""
    if value is None:
        return ABSENT
    return f"{value / 1e6:,.0f}" if value >= WHOLE_MILLIONS else f"{value / 1e6:#.3g}"


def rate(value: float) -> str:
    """A learning rate or a decay, as short as it is exact."""
    return f"{value:g}"


def joined(parts: Iterable[str], last: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    listed = list(parts)
    if len(listed) < 2:  # noqa: PLR2004
        return "".join(listed)
    return f"{', '.join(listed[:-1])} {last} {listed[-1]}"


def spelled(count: int) -> str:
    """A small count as a word, a larger one in digits."""
    return _SPELLED[count] if count < len(_SPELLED) else f"{count:,}"


def counted(count: int, noun: str) -> str:
    """`one run`, `three runs`, `36 runs`."""
    return f"{spelled(count)} {noun}{'' if count == 1 else 's'}"


def plural(number: int, noun: str) -> str:
    """`1 thread`, `2 threads`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def sentence(text: str) -> str:
    """The text with a capital at its start."""
    return text[:1].upper() + text[1:]


def numbers(found: Iterable[int], last: str = "and") -> str:
    """Experiments by number: `#3`, `#3 and #4`; each once, in order."""
    return joined([f"#{number}" for number in sorted(set(found))], last)


def epochs(schedule: Mapping[str, Any]) -> str:
    """How long a budget or a search trains: `10 epochs`, `5 epochs of at most 140 steps`, or `700 steps`."""
    if steps := schedule.get("steps"):
        return f"{steps:,} {'step' if steps == 1 else 'steps'}"
    steps = schedule.get("epoch_steps")
    return f"{plural(schedule['epochs'], 'epoch')}{f' of at most {steps} steps' if steps else ''}"
