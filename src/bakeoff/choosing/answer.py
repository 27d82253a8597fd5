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
from bakeoff.choosing.curve import Foretold, curve
from bakeoff.choosing.search import Search

#: How sure an interval is.
LEVEL = 0.95
#: Other times, as multiples of the one there was.
OTHER_TIMES = (1 / 3, 3.0, 10.0)
#: Degrees of freedom for which the typical deviation of another seed counts.
PRIOR = 2
#: How much of what two contenders drew closer or apart from the last rung but one to the last they do so until the end
#: of the last run, and how many bits per byte that is where there was one rung: standard deviations, from simulations.
DRIFT, UNKNOWN_DRIFT = 0.7, 0.06
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
    """What the winner is expected to reach in another time.

    Attributes:
        minutes: That time.
        expected: Bits per byte of valid.
    """

    minutes: float
    expected: Expected


@dataclass(frozen=True, kw_only=True)
class Answer:
    """All that is said in the end.

    Attributes:
        chosen: The winner; its learning rate, batch size, steps and passes stand in the study.
        study: The folder of the study of its run.
        folder: Its run: the last one, or its best trial where that is better.
        count_table: Whether the best floor is better on valid than the winner: then that is the answer.
        floor: The best floor.
        valid: Bits per byte of the winner.
        mixed: Bits per byte of both together, one weight for all targets; None where that was not measured.
        unseen: Bits per byte to expect on unseen text of this kind; None where too few documents were measured.
        runner_up: The contender that came second; None where nothing was compared.
        runner_up_better: How likely it is that it would have been the better choice.
        outlook: What other times would change.
        withheld: Why nothing is said of other times; None where something is.
        cut_off: Whether the time was up before the last run's end.
    """

    chosen: str
    study: Path
    folder: Path
    count_table: bool
    floor: Baseline
    valid: float
    mixed: float | None
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
    finalists = search.left(len(search.plan))
    typical = rows.noise.of(row.model) * valid.tokens / (valid.bytes * math.log(2))
    deviation = seed_deviation([search.repeated(each) for each in finalists] if search.plan else [], typical)
    _, runner_up, *_ = *finalists, None, None
    outlook, withheld = _outlook(search, chosen, deviation)
    return Answer(
        chosen=search.contenders[search.winner].title,
        study=folder / chosen.study,
        folder=folder / chosen.study / row.folder,
        count_table=count_table,
        floor=floor,
        valid=valid.bits_per_byte,
        mixed=row.with_counts.valid.bits_per_byte if row.with_counts else None,
        unseen=None if count_table else unseen(row, deviation),
        runner_up=None if runner_up is None else search.contenders[runner_up].title,
        runner_up_better=None if runner_up is None else better(search, runner_up, deviation),
        outlook=outlook,
        withheld=withheld,
        cut_off=chosen.cut_off,
    )


@dataclass(frozen=True, kw_only=True)
class Deviation:
    """How much another seed changes.

    Attributes:
        bits: Standard deviation, in bits per byte.
        freedom: Degrees of freedom of its square.
    """

    bits: float
    freedom: int


def seed_deviation(repeated: Sequence[Sequence[float]], typical: float) -> Deviation:
    """How much another seed changes, from finalists' repetitions and from what is typical of other studies.

    The typical deviation counts as `PRIOR` degrees of freedom: the scaled inverse chi-squared prior of a variance
    (Gelman et al. 2013, section 2.6).

    Args:
        repeated: Bits per byte of each finalist, by seeds.
        typical: In bits per byte.
    """
    groups = [values for values in repeated if all(map(math.isfinite, values))]
    squares = sum((value - statistics.fmean(values)) ** 2 for values in groups for value in values)
    freedom = PRIOR + sum(len(values) - 1 for values in groups)
    return Deviation(bits=math.sqrt((PRIOR * typical**2 + squares) / freedom), freedom=freedom)


def unseen(row: Row, deviation: Deviation) -> Expected | None:
    """Bits per byte on unseen text, from test, with an interval that covers other documents and other seeds.

    The choice was made on valid, so test is no part of it. The documents' share is that of a ratio of sums
    (Cochran 1977, section 6.3); both shares are taken to be independent and normal, and their sum to have the degrees
    of freedom of Welch and Satterthwaite.

    Args:
        row: A run that was measured on test.
        deviation: Of another seed.
    """
    documents = row.documents.get("test")
    if row.test is None or documents is None or len(documents.nats) < FEWEST_DOCUMENTS:
        return None
    nats_D, tokens_D = np.array(documents.nats), np.array(documents.tokens)
    residuals_D = nats_D - tokens_D * row.test.loss
    count = len(nats_D)
    error = math.sqrt(count / (count - 1) * float(np.square(residuals_D).sum())) / (row.test.bytes * math.log(2))
    shares = (error**2, count - 1), (deviation.bits**2, deviation.freedom)
    total = sum(share for share, _ in shares)
    freedom = total**2 / sum(share**2 / free for share, free in shares)
    return _around(Foretold(row.test.bits_per_byte, math.sqrt(total)), freedom)


def better(search: Search, runner_up: int, deviation: Deviation) -> float:
    """How likely it is that the runner-up would have been better in the last run, though it was behind before.

    Its lead may have been hidden by chance, and contenders draw closer, or apart, as they are trained for longer: by
    `DRIFT` of what changed between the last two rungs. Where there was one rung, that is `UNKNOWN_DRIFT`.
    """
    last, winner = len(search.plan) - 1, search.winner
    mine, others = search.repeated(winner), search.repeated(runner_up)
    behind = statistics.fmean(others) - statistics.fmean(mine)
    ranks = [search.best(runner_up, rung).valid - search.best(winner, rung).valid for rung in range(last + 1)]
    changed = DRIFT * abs(ranks[-1] - ranks[-2]) if last else UNKNOWN_DRIFT
    if not math.isfinite(changed):  # one of them had diverged
        return 0.0 if behind > 0 else 0.5
    chance = deviation.bits * math.sqrt(1 / len(mine) + 1 / len(others))
    return float(stats.norm.sf(behind / math.hypot(chance, changed)))


def _outlook(search: Search, chosen: Chosen, deviation: Deviation) -> tuple[tuple[Outlook, ...], str | None]:
    """What the winner would reach in other times, by a law that foretold its last run from its trials."""
    points = _points(search, search.winner) if search.plan else []
    if len(points) < 2:  # noqa: PLR2004 (two points of a line)
        return (), "too few rungs had time to show how more of it helps"
    if chosen.cut_off:
        return (), "the last run was cut off"
    row, minutes = chosen.final, chosen.kept.minutes
    if row.best_epoch != row.epochs:
        return (), "the last run was best before its end: more time would rather want more text"
    seconds, reached = row.train_seconds or 0.0, row.best_point.valid.bits_per_byte
    foretold = _around(curve(points, deviation.bits)(seconds), deviation.freedom)
    if not foretold.low <= reached <= foretold.high:
        missed = reached - foretold.mean
        side = "low" if missed > 0 else "high"
        return (), f"its trials foretold the last run's bits per byte {abs(missed):.3f} too {side}"
    law = curve([*points, (seconds, reached)], deviation.bits)
    told = ((factor, _around(law(factor * seconds), deviation.freedom)) for factor in OTHER_TIMES)
    return tuple(Outlook(minutes=factor * minutes, expected=expected) for factor, expected in told), None


def _points(search: Search, contender: int) -> list[tuple[float, float]]:
    """Seconds of training and bits per byte of a contender's best trial on each of its rungs."""
    best = [search.best(contender, rung) for rung in range(len(search.plan))]
    return [(found.seconds, found.valid) for found in best if math.isfinite(found.valid)]


def _around(foretold: Foretold, freedom: float) -> Expected:
    reach = float(stats.t.ppf((1 + LEVEL) / 2, freedom)) * foretold.deviation
    return Expected(mean=foretold.mean, low=foretold.mean - reach, high=foretold.mean + reach)
