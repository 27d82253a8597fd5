"""Studies of two arms that were never run, in worlds whose truth is known: how often is what is said of them false?

What is simulated is the whole way to a verdict: a search for the learning rate on noisy trials, runs with seeds whose
noise has heavy tails or is skewed, the best of several evaluations, divergences. It is judged by the report's own
functions. `python tests/simulated.py` prints the table of `docs/how-sure.md`.
"""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

from bakeoff import rates, tuning
from bakeoff.analysis import looks, power, statistics
from bakeoff.analysis.noise import typical_deviation
from bakeoff.analysis.optimum import left_open, optimum
from bakeoff.analysis.statistics import Comparison

#: In each cell of the table.
STUDIES = 10_000
SEEDS = (1, 2, 3, 5, 8, 10)
#: Of a run between seeds, in nats per token: as of the LSTMs of `quick`.
DEVIATION = 0.02
#: The same where "the same" is put to the test: as of the GPT-1s of `quick`. With more noise it is hardly ever said.
QUIETER = 0.2
#: A difference that nobody would overlook, in nats per token: a tenth of a perplexity.
CLEAR = 0.1
#: What the kept deviation is off by from that of the experiments at hand, a standard deviation of its logarithm: as
#: within an architecture in `quick`, where three seeds' own noise is taken out.
OFF = 0.8
#: By how many half decades the best rate of a trial is above that of a whole run: mean and standard deviation, as
#: `tools/drift.py` has measured.
DRIFT = 0.11, 0.24
#: By how much an evaluation is above the last.
CURVE = np.array([0.3, 0.1, 0.02, 0.0])

Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


def normal(generator, shape):
    return generator.standard_normal(shape)


def heavy(generator, shape):
    """Student's t with three degrees of freedom, of variance 1."""
    return generator.standard_t(3, shape) / np.sqrt(3)


def skewed(generator, shape):
    """One seed in twenty is worse by several deviations; the mean is 0."""
    bad = (generator.random(shape) < 0.05) * generator.exponential(6.0, shape)
    return generator.standard_normal(shape) + bad - 0.05 * 6.0


@dataclass(frozen=True, kw_only=True)
class World:
    """How the losses of two arms come about.

    Attributes:
        noise: Of a run between seeds, of the first arm and of the second, in deviations; of mean 0.
        wobble: Likewise of a single evaluation, of which the best counts.
        searched: Which of `SEARCHES` has chosen each arm's rate; None where that is the best.
        limit: In deviations, from where on a run's noise lets it diverge.
    """

    noise: tuple[Draw, Draw] = (normal, normal)
    wobble: tuple[float, float] = (0.0, 0.0)
    searched: str | None = None
    limit: float = np.inf

    def arm(self, generator, which, shape):
        """The best losses of runs, of an arm that is as good as the other; NaN where one diverged."""
        own = self.noise[which](generator, shape)
        evaluations = CURVE + DEVIATION * (
            own[..., None] + self.wobble[which] * generator.standard_normal((*shape, len(CURVE)))
        )
        return np.where(own < self.limit, evaluations.min(axis=-1), np.nan)

    def gains(self, generator, seeds):
        """What the second arm pays more than the first, and what it would pay more on average over seeds.

        Returns:
            Studies by seeds, NaN where a run diverged; by study; and what the searches leave open, studies by arms.
        """
        first, second = (self.arm(generator, which, (STUDIES, seeds)) for which in (0, 1))
        truth = np.subtract(*(np.nanmean(self.arm(generator, which, (400_000,))) for which in (1, 0)))
        cost, open_ = SEARCHES[self.searched]() if self.searched else (np.zeros((STUDIES, 2)),) * 2
        excess = cost[:, 1] - cost[:, 0]
        return second - first + excess[:, None], truth + excess, open_


def curves():
    """What rates cost around the best, in nats per token: the kept searches of the built-in studies, made continuous.

    Returns:
        Pairs of places, in half decades from the best rate, and losses above the lowest.
    """
    for study in ("quick", "modern", "wikitext-2"):
        for found in rates.chosen(study)["rates"].values():
            ended = [(2 * math.log10(t["lr"]), t["valid_loss"]) for t in found["trials"] if t["valid_loss"] is not None]
            places, losses = np.array(ended).T
            fine = np.linspace(places[0], places[-1], 1000)
            smooth = PchipInterpolator(places, losses)(fine)
            yield fine - fine[smooth.argmin()], smooth - smooth.min()


def searched(between):
    """What the rates that searches chose cost over the best ones, and what the searches leave open; studies by arms.

    A trial has one seed, and is shorter than a run, for which another rate is the best: `DRIFT` of the kept runs.

    Args:
        between: Whether a search looks between the rates of its grid.
    """
    generator, known = np.random.default_rng(0), list(curves())
    found = [_search(generator, *known[kind], between) for kind in generator.integers(len(known), size=2 * STUDIES)]
    return tuple(np.array(found).reshape(STUDIES, 2, 2).transpose(2, 0, 1))


def _search(generator, places, losses, between):
    best = generator.uniform(-0.5, 0.5)
    short = best + generator.normal(*DRIFT)
    trials = {}

    def tried(place):
        return np.interp(place - short, places, losses) + DEVIATION * generator.standard_normal()

    wanted = range(-tuning.REACH, tuning.REACH + 1)
    for _ in range(tuning.ROUNDS):
        trials |= {place: tried(place) for place in wanted}
        lowest = min(trials, key=trials.get)
        beyond = {max(trials): 1, min(trials): -1}.get(lowest)
        if beyond is None:
            break
        wanted = [lowest + beyond * (away + 1) for away in range(tuning.WIDENING)]
    if between and beyond is None:
        trials |= {place: tried(place) for place in (lowest - tuning.BETWEEN, lowest + tuning.BETWEEN)}
    by_rate = {10 ** (place / 2): loss for place, loss in trials.items()}
    at_lowest = optimum(by_rate) if between else None
    rate = at_lowest.rate if at_lowest else min(by_rate, key=by_rate.get)
    return np.interp(2 * math.log10(rate) - best, places, losses), left_open(by_rate, rate) or 0.0


#: Searches by whether they look between the half decades of their grid.
SEARCHES = {
    "coarse": functools.cache(functools.partial(searched, between=False)),
    "fine": functools.cache(functools.partial(searched, between=True)),
}


WORLDS = {
    "normal": World(),
    "heavy tails": World(noise=(heavy, heavy)),
    "bad seeds": World(noise=(skewed, skewed)),
    "bad seeds of one arm": World(noise=(skewed, normal)),
    "bad seeds diverge": World(noise=(skewed, skewed), limit=4.0),
    "best of evaluations": World(wobble=(1.0, 0.2)),
    "half decades": World(searched="coarse"),
    "quarter decades": World(searched="fine"),
    "all": World(noise=(heavy, skewed), wobble=(1.0, 0.2), searched="fine", limit=4.0),
}


def verdicts(generator, gains, left_open=None):
    """The verdict of each study; the kept deviation is that of a single run, and off.

    Args:
        left_open: By the searches for the rates, studies by arms; without it, verdicts are of the two at their rates.
    """
    kept = DEVIATION * np.exp(OFF * generator.standard_normal(len(gains)))
    left_open = np.zeros((len(gains), 2)) if left_open is None else left_open
    return [
        Comparison(first_loss=0.0, second_loss=0.0, gains=tuple(each), deviation=off, left_open=tuple(open_)).verdict
        for each, off, open_ in zip(gains.tolist(), kept.tolist(), left_open.tolist(), strict=True)
    ]


def share(found, *words):
    return sum(verdict in words for verdict in found) / len(found)


@functools.cache
def cell(name, seeds):
    """What is false, by what is said, as shares of all studies that can be judged; None where that is never said."""
    generator = np.random.default_rng(seeds)
    gains, truth, left_open = WORLDS[name].gains(generator, seeds)
    judged = ~np.isnan(gains).any(axis=1)
    gains, truth, left_open = gains[judged], truth[judged], left_open[judged]
    noise = gains - truth[:, None]
    equal = verdicts(generator, noise)
    found = {
        "judged": judged.mean(),
        "yes or no": share(equal, "yes", "no"),
        "leaning": share(equal, "leaning yes", "leaning no"),
        "best rates": share(verdicts(generator, gains, left_open), "yes", "no"),
        "0.1 apart": share(verdicts(generator, gains + CLEAR, left_open), "yes"),
        **dict.fromkeys(("the same", "misses", "found")),
    }
    if seeds < statistics.FEWEST_SEEDS:
        return found
    intervals = [(statistics.over_seeds(each), right) for each, right in zip(gains.tolist(), truth, strict=True)]
    edges = [verdicts(generator, QUIETER * noise + edge) for edge in (-statistics.SAME_WITHIN, statistics.SAME_WITHIN)]
    planned = power.smallest_effect(typical_deviation(noise[:1000].tolist()), seeds)
    return found | {
        "leaning": None,
        "the same": max(share(edge, "the same") for edge in edges),
        "misses": np.mean([not i.low <= right <= i.high for i, right in intervals]),
        "found": share(verdicts(generator, noise + planned), "yes"),
    }


COLUMNS = ("judged", "yes or no", "leaning", "the same", "misses", "found", "best rates", "0.1 apart")


def table():
    """All cells in percent, as Markdown."""
    lines = [f"| world | seeds | {' | '.join(COLUMNS)} |", f"|---|--:{'|--:' * len(COLUMNS)}|"]
    for name in WORLDS:
        for seeds in SEEDS:
            found = cell(name, seeds)
            cells = ["" if found[key] is None else f"{100 * found[key]:.1f}" for key in COLUMNS]
            lines.append(f"| {name} | {seeds} | {' | '.join(cells)} |")
    return "\n".join(lines)


#: Seeds at the looks of `bakeoff judge`, unless others are asked for.
LOOKS = (3, 5, 8)


def last_looks(gains):
    """The look at which a judge of each study stops."""
    level = looks.level(LOOKS)
    for each in gains.tolist():
        taken = (looks.look(each[:seeds], level, statistics.SAME_WITHIN) for seeds in LOOKS)
        last = next(taken)
        while last.verdict == statistics.UNDECIDED and (another := next(taken, None)):
            last = another
        yield last


def is_reserved(look, left_open):
    """Whether the search for the rate of the one that is behind leaves open what the verdict rests on."""
    behind = left_open[1] if look.verdict == looks.BETTER else left_open[0]
    return behind >= abs(look.interval.mean) - look.interval.half_width


@functools.cache
def judged(name):
    """How often a judge is wrong, as shares of studies in which nothing diverged; the first arm is the candidate."""
    gains, truth, left_open = WORLDS[name].gains(np.random.default_rng(0), LOOKS[-1])
    whole = ~np.isnan(gains).any(axis=1)
    gains, left_open = gains[whole], left_open[whole]
    noise = gains - truth[whole, None]
    equal = [look.verdict for look in last_looks(noise)]
    edges = [
        [look.verdict for look in last_looks(QUIETER * noise + edge)]
        for edge in (-statistics.SAME_WITHIN, statistics.SAME_WITHIN)
    ]
    told = [
        is_reserved(look, open_)
        for look, open_ in zip(last_looks(gains), left_open, strict=True)
        if look.verdict in (looks.BETTER, looks.WORSE)
    ]
    level = looks.level(LOOKS)
    taken = {n: [looks.look(each[:n], level, statistics.SAME_WITHIN) for each in noise.tolist()] for n in LOOKS}
    return {
        **{f"at {n}": sum(not look.interval.holds_zero for look in found) / len(found) for n, found in taken.items()},
        "better or worse": share(equal, looks.BETTER, looks.WORSE),
        "one of them": max(share(equal, looks.BETTER), share(equal, looks.WORSE)),
        "the same": max(share(edge, statistics.SAME) for edge in edges),
        "best rates": len(told) / len(gains),
        "without reservation": told.count(False) / len(gains),
    }


def table_of_judges():
    """All worlds in percent, as Markdown."""
    columns = tuple(judged("normal"))
    lines = [f"| world | {' | '.join(columns)} |", f"|---{'|--:' * len(columns)}|"]
    lines += [f"| {name} | {' | '.join(f'{100 * each:.1f}' for each in judged(name).values())} |" for name in WORLDS]
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(), table_of_judges(), sep="\n\n")  # noqa: T201 (it is what the command is for)
