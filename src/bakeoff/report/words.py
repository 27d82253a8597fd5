"""Numbers and durations as a reader wants them."""

from bakeoff.analysis.words import joined

__all__ = ["ABSENT", "count", "duration", "joined", "megabytes", "number", "rate", "small"]

ABSENT = "—"
#: How many decimals a number has that is, so rounded, below a limit.
_DECIMALS = ((2, 100), (1, 1000))


def number(value: float | None) -> str:
    """Three or four significant digits: 94.21, 610.3, 2,051."""
    if value is None:
        return ABSENT
    decimals = next((decimals for decimals, limit in _DECIMALS if round(abs(value), decimals) < limit), 0)
    return f"{value:,.{decimals}f}"


def small(value: float | None) -> str:
    """Three decimals, for losses and bits per byte."""
    return ABSENT if value is None else f"{value:.3f}"


def count(value: float | None) -> str:
    """A whole number with thousands separated."""
    return ABSENT if value is None else f"{value:,.0f}"


def megabytes(value: float | None) -> str:
    """Bytes as millions of bytes."""
    return ABSENT if value is None else f"{value / 1e6:,.0f}"


def duration(seconds: float | None) -> str:
    """Seconds as `8.3 s`, `4 min 05 s` or `3 h 12 min`."""
    if seconds is None:
        return ABSENT
    if round(seconds, 1) < 60:  # noqa: PLR2004
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"  # noqa: PLR2004


def rate(value: float) -> str:
    """A learning rate, as short as it is exact."""
    return f"{value:g}"
