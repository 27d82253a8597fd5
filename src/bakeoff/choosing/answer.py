"""The answer: what to use, what to expect of it on unseen text, how sure that is, what another time would change."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from bakeoff.analysis.evaluations import Baseline
from bakeoff.analysis.rows import Row
from bakeoff.choosing.choice import Chosen
from bakeoff.choosing.search import FINAL, Search

#: How sure an interval is.
LEVEL = 0.95
#: Other times, as multiples of the one there was.
OTHER_TIMES = (1 / 3, 3.0, 10.0)
#: A power law that misses the last run by more, in bits per byte, foretells nothing.
BACKTEST = 0.03
#: The fewest documents of which an interval over documents is made.
FEWEST_DOCUMENTS = 10


@dataclass(frozen=True, kw_only=True)
class Expected:
    """Bits per byte, and between what they lie."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """What another time is expected to reach.

    Attributes:
        minutes: That time.
        contender: Who would be chosen.
        expected: Bits per byte of valid.
    """

    minutes: float
    contender: str
    expected: Expected


@dataclass(frozen=True, kw_only=True)
class Answer:
    """All that is said in the end.

    Attributes:
        chosen: The winner; its learning rate, batch size, steps and passes stand in the study.
        study: The folder of the study of its run.
        folder: Its run.
        count_table: Whether the best floor is better on valid than the winner: then that is the answer.
        floor: The best floor.
        valid: Bits per byte of the winner.
        unseen: Bits per byte to expect on unseen text of this kind; None where too few documents were measured.
        runner_up: The contender that came second; None where nothing was compared.
        runner_up_better: How likely it is that it would have been the better choice.
        outlook: What other times would change.
        withheld: Why nothing is said of other times; None where something is.
        cut_off: Whether other programs took so much of the time that the last run was stopped before its end.
    """

    chosen: str
    study: Path
    folder: Path
    count_table: bool
    floor: Baseline
    valid: float
    unseen: Expected | None
    runner_up: str | None
    runner_up_better: float | None
    outlook: tuple[Outlook, ...]
    withheld: str | None
    cut_off: bool


def answer(chosen: Chosen, folder: Path) -> Answer:
    """What a choice has found."""
    search, row, rows = chosen.search, chosen.final, chosen.rows
    floor, valid = rows.lowest_floor, row.best_point.valid
    count_table = floor.valid.nats < valid.nats
    deviation = rows.noise.of(row.model) * valid.tokens / (valid.bytes * math.log(2))
    _, runner_up, *_ = *search.left(len(search.plan)), None, None
    outlook, withheld = _outlook(search, chosen)
    return Answer(
        chosen=search.contenders[search.winner].title,
        study=folder / FINAL,
        folder=folder / FINAL / row.folder,
        count_table=count_table,
        floor=floor,
        valid=valid.bits_per_byte,
        unseen=None if count_table else unseen(row, deviation),
        runner_up=None if runner_up is None else search.contenders[runner_up].title,
        runner_up_better=None if runner_up is None else _better(search, runner_up, deviation),
        outlook=outlook,
        withheld=withheld,
        cut_off=chosen.cut_off,
    )


def unseen(row: Row, deviation: float) -> Expected | None:
    """Bits per byte on unseen text, from test, with an interval that covers other documents and other seeds.

    The choice was made on valid, so test is no part of it. The documents' share is that of a ratio of sums
    (Cochran 1977, section 6.3); both shares are taken to be independent and normal.

    Args:
        row: A run that was measured on test.
        deviation: Of another seed, in bits per byte.
    """
    documents = row.documents.get("test")
    if row.test is None or documents is None or len(documents.nats) < FEWEST_DOCUMENTS:
        return None
    nats_D, tokens_D = np.array(documents.nats), np.array(documents.tokens)
    residuals_D = nats_D - tokens_D * row.test.loss
    count = len(nats_D)
    error = math.sqrt(count / (count - 1) * float(np.square(residuals_D).sum())) / (row.test.bytes * math.log(2))
    reach = float(stats.t.ppf((1 + LEVEL) / 2, count - 1)) * math.hypot(error, deviation)
    mean = row.test.bits_per_byte
    return Expected(mean=mean, low=mean - reach, high=mean + reach)


def _better(search: Search, runner_up: int, deviation: float) -> float:
    """How likely it is that the runner-up's lead was hidden by chance on the last rung, where it was behind."""
    last = len(search.plan) - 1
    behind = search.best(runner_up, last).valid - search.best(search.winner, last).valid
    return float(stats.norm.sf(behind / (math.sqrt(2) * deviation)))


def _outlook(search: Search, chosen: Chosen) -> tuple[tuple[Outlook, ...], str | None]:
    """What other times would reach, by a power law of each finalist that foretold the winner's last run."""
    if len(search.plan) < 2:  # noqa: PLR2004 (two points of a line)
        return (), "too few rungs had time to show how more of it helps"
    if chosen.cut_off:
        return (), "the last run was cut off"
    row, minutes = chosen.final, chosen.kept.minutes
    if row.best_epoch != row.epochs:
        return (), "the last run was best before its end: more time would rather want more text"
    seconds, reached = row.train_seconds or 0.0, row.best_point.valid.bits_per_byte
    missed = reached - power_law(_points(search, search.winner))(seconds)
    if abs(missed) > BACKTEST:
        side = "low" if missed > 0 else "high"
        return (), f"its trials foretold the last run's bits per byte {abs(missed):.3f} too {side}"
    laws = {
        finalist: power_law([*_points(search, finalist), *([(seconds, reached)] if finalist == search.winner else [])])
        for finalist in search.left(len(search.plan))
    }
    told = []
    for factor in OTHER_TIMES:
        best = min(laws, key=lambda finalist: laws[finalist](factor * seconds))
        mean, reach = laws[best](factor * seconds), max(abs(missed), 0.01) * (1 + abs(math.log(factor, 3)))
        expected = Expected(mean=mean, low=mean - reach, high=mean + reach)
        told.append(Outlook(minutes=factor * minutes, contender=search.contenders[best].title, expected=expected))
    return tuple(told), None


def _points(search: Search, contender: int) -> list[tuple[float, float]]:
    """Seconds of training and bits per byte of a contender's best trial on each of its rungs."""
    rungs = sorted({found.rung for found in search.found if found.contender == contender})
    best = [search.best(contender, rung) for rung in rungs]
    return [(found.seconds, found.valid) for found in best if math.isfinite(found.valid)]


def power_law(points: Sequence[tuple[float, float]]) -> "PowerLaw":
    """The law `a x ** -b` through points, by least squares of the logarithms."""
    if len(points) < 2:  # noqa: PLR2004 (a line needs two)
        return PowerLaw(math.inf, 0.0)
    xs, ys = zip(*points, strict=True)
    b = -statistics.linear_regression(*([math.log(value) for value in values] for values in (xs, ys))).slope
    # The line goes through the middle of the points, which is their geometric mean.
    return PowerLaw(statistics.geometric_mean(ys) * statistics.geometric_mean(xs) ** b, b)


@dataclass(frozen=True)
class PowerLaw:
    """`a x ** -b`."""

    a: float
    b: float

    def __call__(self, x: float) -> float:
        """Its value."""
        return self.a * float(x**-self.b)
