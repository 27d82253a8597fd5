"""Which runs' clocks can be believed: only those of runs that had the machine to themselves, all the way."""

import itertools
import statistics
from collections.abc import Iterable

from bakeoff import words
from bakeoff.analysis.rows import Row

#: Every epoch of a run is the same work; one that took half again as long as the median had to share the machine.
UNEVEN = 1.5
#: With fewer epochs there is no median to speak of.
FEWEST_EPOCHS = 3


def epoch_seconds(row: Row) -> tuple[float, ...]:
    """Seconds of training of each epoch."""
    times = [point.train_seconds for point in row.history]
    return tuple(after - before for before, after in itertools.pairwise(times))


def typical_epoch(row: Row) -> float | None:
    """Seconds of the median epoch, which a short disturbance does not change."""
    seconds = epoch_seconds(row)
    return statistics.median(seconds) if seconds else None


def unevenness(row: Row) -> float:
    """How much longer the slowest epoch took than the median one; 1 where there is nothing to compare."""
    seconds, typical = epoch_seconds(row), typical_epoch(row)
    return max(seconds) / typical if typical and len(seconds) >= FEWEST_EPOCHS else 1.0


def is_timed(row: Row) -> bool:
    """Whether its times may carry a claim."""
    return row.alone is True and unevenness(row) <= UNEVEN


def disturbed(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Runs that were alone by plan, but whose epochs say that something else ran as well."""
    return tuple(row for row in rows if row.alone is True and unevenness(row) > UNEVEN)


def untimed(rows: Iterable[Row]) -> str | None:
    """In words, which finished runs have no time that counts, and why; None where all have."""
    rows = [row for row in rows if row.finished]
    shared = words.numbers(row.number for row in rows if row.alone is not True)
    uneven = {row.number: unevenness(row) for row in disturbed(rows)}
    parts = [f"{shared} shared the machine with other runs"] if shared else []
    if uneven:
        most = max(uneven.values())
        several = f"the slowest epoch took up to {most:.{0 if most >= 10 else 1}f} times as long as the median one"  # noqa: PLR2004
        parts.append(f"{words.numbers(uneven)} {'was' if len(uneven) == 1 else 'were'} disturbed ({several})")
    return "; ".join(parts) or None
