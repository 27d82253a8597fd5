"""The answer: what to use, what to expect of it on unseen text, how sure that is, what another time would change."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from bakeoff import data
from bakeoff.analysis.evaluations import Baseline, Parts, parts
from bakeoff.analysis.statistics import FEWEST_DOCUMENTS, LEVEL, Interval, quantile, ratio_error
from bakeoff.choosing import rungs
from bakeoff.choosing.choice import Chosen
from bakeoff.choosing.curve import Foretold, curve
from bakeoff.choosing.search import FINAL, Search
from bakeoff.models import ngram
from bakeoff.recording import by_document
from bakeoff.run_folder import DIVERGED, FINISHED

#: Other times, as multiples of the one there was.
OTHER_TIMES = (1 / 3, 3.0, 10.0)
#: How many times as long as the shortest rung the longest must be, to show how more time helps.
APART = 1.5
#: What unseen text is: a file's paragraphs are held out, so what stands around them was trained on.
OF_A_FILE, OF_DOCUMENTS = "on other paragraphs of this text", "on unseen text of this kind"
#: Degrees of freedom for which the typical deviation of another seed counts.
PRIOR = 2
#: How far two contenders draw closer or apart from the last rung to the end of the last run, as standard deviations
#: from simulations: so many times as far as between the last two rungs; so many bits per byte where that is not known;
#: and in a last run of N times the length N to that power times as far.
DRIFT, UNKNOWN_DRIFT, DRIFTING = 0.7, 0.06, 0.3


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """What the winner is expected to reach in another time.

    Attributes:
        minutes: That time.
        expected: Bits per byte of valid.
        runner_up_better: How likely it is that the runner-up would be the better choice then; None where there is none.
    """

    minutes: float
    expected: Interval
    runner_up_better: float | None


@dataclass(frozen=True, kw_only=True)
class Answer:
    """All that is said in the end.

    Attributes:
        chosen: The contender of the run that is the answer; its settings stand in the study.
        study: The folder of that study.
        folder: The run: the winner's last one, or a trial where that is better; None where none is complete.
        count_table: Whether the best floor is better on valid than that run: then it is the answer.
        floor: The best floor.
        valid: Bits per byte of the run.
        mixed: Bits per byte of both together, one weight for all targets; None where that was not measured.
        unseen: Bits per byte to expect of the answer on unseen text; None where too few documents were measured.
        other_better: How likely it is that the other of the two, network and count table, is better there; None where
            they were not compared by documents.
        kind: Of which kind that text is: as the documents that were held out were.
        untried: Contenders that there was no time to try.
        runner_up: The contender that came second; None where nothing was compared, or the last run refuted that.
        runner_up_better: How likely it is that it would have been the better choice.
        outlook: What other times would change.
        withheld: Why nothing is said of other times; None where something is.
        made: What all this is said of.
    """

    chosen: str
    study: Path
    folder: Path | None
    count_table: bool
    floor: Baseline
    valid: float | None
    mixed: float | None
    unseen: Interval | None
    other_better: float | None
    kind: str
    untried: tuple[str, ...]
    runner_up: str | None
    runner_up_better: float | None
    outlook: tuple[Outlook, ...]
    withheld: str | None
    made: Chosen


def answer(chosen: Chosen, folder: Path) -> Answer:
    """What a choice has found."""
    search, row, rows = chosen.search, chosen.row, chosen.rows
    floor, reached = rows.lowest_floor, row.best_point.valid if row else None
    count_table = reached is None or floor.valid.nats < reached.nats
    finalists, deviation = search.left(len(search.plan)), deviation_of(chosen)
    others = (each for each in finalists if each != search.winner and math.isfinite(fmean(search.repeated(each))))
    refuted = row is None or chosen.contender != search.winner or chosen.ended == DIVERGED
    runner_up = None if refuted else next(others, None)
    outlook, withheld = _outlook(chosen, deviation, runner_up)
    network, counts = row.documents.get("test") if row and row.test else None, _counted(search, floor)
    taken, other = (counts, network) if count_table else (network, counts)
    return Answer(
        chosen=search.contenders[chosen.contender].title,
        study=folder / chosen.study,
        folder=folder / chosen.study / row.folder if row else None,
        count_table=count_table,
        floor=floor,
        valid=reached.bits_per_byte if reached else None,
        mixed=row.with_counts.valid.bits_per_byte if row and row.with_counts else None,
        unseen=unseen(taken, None if count_table else deviation) if taken else None,
        other_better=other_better(taken, other) if taken and other else None,
        kind=OF_A_FILE if Path(search.corpus.path or "").is_file() else OF_DOCUMENTS,
        untried=search.untried,
        runner_up=None if runner_up is None else search.contenders[runner_up].title,
        runner_up_better=None if runner_up is None else better(search, runner_up, deviation),
        outlook=outlook,
        withheld=withheld,
        made=chosen,
    )


@dataclass(frozen=True, kw_only=True)
class SeedDeviation:
    """How much another seed changes.

    Attributes:
        bits: Standard deviation, in bits per byte.
        freedom: Degrees of freedom of its square.
    """

    bits: float
    freedom: int


def deviation_of(chosen: Chosen) -> SeedDeviation:
    """How much another seed changes the answer's run."""
    search, rows, valid = chosen.search, chosen.rows, chosen.rows.lowest_floor.valid
    typical = rows.noise.of(rows.rows[0].model) * valid.tokens / (valid.bytes * math.log(2))
    repeated = [search.repeated(each) for each in search.left(len(search.plan))] if search.plan else []
    return seed_deviation(repeated, typical)


def seed_deviation(repeated: Sequence[Sequence[float]], typical: float) -> SeedDeviation:
    """How much another seed changes, from finalists' repetitions and from what is typical of other studies.

    The typical deviation counts as `PRIOR` degrees of freedom: the scaled inverse chi-squared prior of a variance
    (Gelman et al. 2013, section 2.6).

    Args:
        repeated: Bits per byte of each finalist, by seeds.
        typical: In bits per byte.
    """
    groups = [values for values in repeated if all(map(math.isfinite, values))]
    squares = sum((value - fmean(values)) ** 2 for values in groups for value in values)
    freedom = PRIOR + sum(len(values) - 1 for values in groups)
    return SeedDeviation(bits=math.sqrt((PRIOR * typical**2 + squares) / freedom), freedom=freedom)


def _counted(search: Search, floor: Baseline) -> Parts | None:
    """What each document of test costs under a count table; None of one without a cache, of which that is not kept."""
    tokens = data.prepare(search.corpus, search.shared)
    name, nats = ngram.best(tokens, search.shared.sequence_length)
    return parts(by_document(tokens.splits["test"], nats["test"])) if name == floor.name else None


def unseen(documents: Parts, deviation: SeedDeviation | None = None) -> Interval | None:
    """Bits per byte on unseen text, from test, with an interval that covers other documents and another seed.

    The choice was made on valid, so test is no part of it. The shares of documents and of the seeds of two runs, that
    which was measured and another, are taken to be independent and normal, and their sum to have the degrees of freedom
    of Welch and Satterthwaite.

    Args:
        documents: Of test.
        deviation: Of another seed; None of what counts, which has none.
    """
    if len(documents.nats) < FEWEST_DOCUMENTS:
        return None
    error = ratio_error(documents.nats, documents.bytes) / math.log(2)
    shares = [(error**2, len(documents.nats) - 1)] + ([(2 * deviation.bits**2, deviation.freedom)] if deviation else [])
    total = sum(share for share, _ in shares)
    freedom = total**2 / sum(share**2 / free for share, free in shares)
    mean = sum(documents.nats) / sum(documents.bytes) / math.log(2)
    return _around(Foretold(mean, math.sqrt(total)), freedom)


def other_better(first: Parts, second: Parts) -> float | None:
    """How likely it is that the second of two models is better on unseen text, by Student's t over documents of test.

    They are these very models: other seeds are not asked about.
    """
    differences = [other - one for one, other in zip(first.nats, second.nats, strict=True)]
    if len(differences) < FEWEST_DOCUMENTS or not any(differences):
        return None
    from scipy import special  # noqa: PLC0415 (importing it takes longer than all else that `run` needs here)

    lead, error = -sum(differences) / sum(first.bytes), ratio_error(differences, first.bytes)
    return float(special.stdtr(len(differences) - 1, lead / error if error else math.copysign(math.inf, lead)))


def better(search: Search, runner_up: int, deviation: SeedDeviation, times: float = 1.0) -> float:
    """How likely it is that the runner-up would have been better in the last run, though it was behind before.

    Its lead may have been hidden by chance, and contenders draw closer, or apart, as they are trained for longer: by
    `DRIFT` of what changed between the last two rungs. Where there was one rung, or one of the two had diverged on the
    last but one, that is `UNKNOWN_DRIFT`.

    Args:
        search: What was tried.
        runner_up: Who.
        deviation: Of another seed.
        times: How many times as long as it was the last run would be.
    """
    last, winner = len(search.plan) - 1, search.winner
    mine, others = search.repeated(winner), search.repeated(runner_up)
    behind = fmean(others) - fmean(mine)
    ranks = [search.best(runner_up, rung).valid - search.best(winner, rung).valid for rung in range(last + 1)]
    known = DRIFT * abs(ranks[-1] - ranks[-2]) if last else math.inf
    changed = (known if math.isfinite(known) else UNKNOWN_DRIFT) * times**DRIFTING
    chance = deviation.bits * math.sqrt(1 / len(mine) + 1 / len(others))
    return statistics.NormalDist().cdf(-behind / math.hypot(chance, changed))


def _outlook(chosen: Chosen, deviation: SeedDeviation, runner_up: int | None) -> tuple[tuple[Outlook, ...], str | None]:
    """What the winner would reach in other times, by a law that foretold its last run from its trials.

    Preparations would take as long, and the last run the share of the rest that is planned for it, or as long as helps.
    """
    search, row, kept = chosen.search, chosen.row, chosen.kept
    if row is None or chosen.ended != FINISHED:
        return (), f"the last run {chosen.ended}"
    times = round(search.passes(chosen.contender, row.best_point.step))
    passes = f"the text was read {times} times, and would not be read more often in more time"
    if chosen.study != FINAL:
        lower = "a trial came lower than the last run, so longer training does not help on this text"
        return (), passes if times >= rungs.MOST_PASSES else lower
    points = _points(search, search.winner) if search.plan else []
    lengths = [seconds for seconds, _ in points]
    if not lengths or max(lengths) <= APART * min(lengths):
        few = f"its trials were {'of about one length' if lengths else 'none'}, which does not show how more time helps"
        return (), passes if times >= rungs.MOST_PASSES else few
    if row.best_epoch != row.epochs:
        return (), "the last run was best before its end, so longer training does not help on this text"
    seconds, reached = row.train_seconds or 0.0, row.best_point.valid.bits_per_byte
    foretold = _around(curve(points, deviation.bits)(seconds), deviation.freedom)
    if not foretold.low <= reached <= foretold.high:
        missed = reached - foretold.mean
        side = "low" if missed > 0 else "high"
        return (), f"its trials foretold the last run's bits per byte {abs(missed):.3f} too {side}"
    law = curve([*points, (seconds, reached)], deviation.bits)
    longest = search.paces[search.winner].seconds(search.most_steps(search.winner))
    lasts = {
        factor: min(rungs.FINAL_SHARE * (kept.trained + (factor - 1) * kept.seconds), longest)
        for factor in (1.0, *OTHER_TIMES)
    }
    outlook = [
        Outlook(
            minutes=factor * kept.minutes,
            expected=_around(law(times * seconds), deviation.freedom),
            runner_up_better=None if runner_up is None else better(search, runner_up, deviation, times),
        )
        for factor, times in ((factor, last / lasts[1.0]) for factor, last in lasts.items())
        if times > 0 and times != 1.0
    ]
    return tuple(outlook), None if outlook else passes


def _points(search: Search, contender: int) -> list[tuple[float, float]]:
    """Seconds of training and bits per byte of a contender's best trial on each of its rungs."""
    best = [search.best(contender, rung) for rung in range(len(search.plan))]
    return [(found.seconds, found.valid) for found in best if math.isfinite(found.valid)]


def _around(foretold: Foretold, freedom: float) -> Interval:
    reach = quantile(freedom, LEVEL) * foretold.deviation
    return Interval(mean=foretold.mean, low=foretold.mean - reach, high=foretold.mean + reach)
