"""Numbers and lists as they stand in sentences."""

import math
from collections.abc import Iterable, Sequence

#: How many decimals a number has that is, so rounded, below a limit.
_DECIMALS = ((2, 100), (1, 1000))
#: Up to here counts are spelled out.
_SPELLED = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def number(value: float) -> str:
    """Three or four significant digits, as a perplexity is read: 94.21, 610.3, 2,051."""
    decimals = next((decimals for decimals, limit in _DECIMALS if round(abs(value), decimals) < limit), 0)
    return f"{value:,.{decimals}f}"


def perplexity(loss: float) -> str:
    """A loss in nats per token as a perplexity; too large a one as a power."""
    return number(math.exp(loss)) if loss < 30 else f"e^{loss:.0f}"  # noqa: PLR2004


def nats(value: float) -> str:
    """Two decimals, three where that is needed to tell it from zero; without a sign."""
    size = abs(value)
    return f"{size:.2f}" if round(size, 2) >= 0.1 else f"{size:.3f}"  # noqa: PLR2004


def signed(value: float) -> str:
    """The same with a minus where there is one."""
    return _minus(f"{'-' if value < 0 else ''}{nats(value)}")


def fine(value: float) -> str:
    """Three decimals, for a difference in nats beside its interval."""
    return _minus(f"{value:.3f}")


def spread(low: float, high: float) -> str:
    """An interval in nats: `0.551 to 0.629`."""
    return f"{fine(low)} to {fine(high)}"


def _minus(digits: str) -> str:
    """Digits with a proper minus, and none before nothing but zeros."""
    bare = digits.removeprefix("-")
    return bare if digits == bare or not bare.strip("0.") else f"−{bare}"  # noqa: RUF001 (the sign of minus)


def percent(share: float) -> str:
    """A share as a percentage of two significant digits: 0.28 %, 4.3 %, 76 %."""
    value = 100 * share
    decimals = next((decimals for decimals, limit in ((2, 1), (1, 9.95)) if abs(value) < limit), 0)
    return f"{value:.{decimals}f} %"


def duration(seconds: float) -> str:
    """Seconds as `8.3 s`, `45 s`, `4 min 05 s` or `3 h 12 min`."""
    if round(seconds, 1) < 60:  # noqa: PLR2004
        return f"{seconds:.1f} s" if round(seconds, 1) < 20 else f"{seconds:.0f} s"  # noqa: PLR2004
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"  # noqa: PLR2004


def megabytes(size: float) -> str:
    """Bytes as millions of bytes: 0.4 MB, 3.3 MB, 95 MB, 1,240 MB."""
    value = size / 1e6
    return f"{value:.1f} MB" if value < 10 else f"{value:,.0f} MB"  # noqa: PLR2004


def rate(value: float) -> str:
    """A learning rate, as short as it is exact."""
    return f"{value:g}"


def joined(parts: Sequence[str], last: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    if len(parts) < 2:  # noqa: PLR2004
        return "".join(parts)
    return f"{', '.join(parts[:-1])} {last} {parts[-1]}"


def spelled(count: int) -> str:
    """A small count as a word, a larger one in digits."""
    return _SPELLED[count] if count < len(_SPELLED) else f"{count:,}"


def counted(count: int, noun: str) -> str:
    """`one run`, `three runs`, `36 runs`."""
    return f"{spelled(count)} {noun}{'' if count == 1 else 's'}"


def sentence(text: str) -> str:
    """The text with a capital at its start."""
    return text[:1].upper() + text[1:]


def numbers(found: Iterable[int]) -> str:
    """Experiments by number: `#3`, `#3 and #4`; each once, in order."""
    return joined([f"#{number}" for number in sorted(set(found))])
