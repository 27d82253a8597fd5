"""Studies of two arms that were never run, in worlds whose truth is known: how often is what is said of them false?

What is simulated is the whole way to a verdict: a search for the learning rate on noisy trials, runs with seeds whose
noise has heavy tails or is skewed, the best of several evaluations, divergences. It is judged by the report's own
functions. `python tests/simulated.py` prints the table of `docs/how-sure.md`.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bakeoff import rates, tuning
from bakeoff.analysis import power, statistics

#: In each cell of the table.
STUDIES = 10_000
SEEDS = (1, 2, 3, 5, 8, 10)
#: Of a run between seeds, in nats per token: as of the LSTMs of `quick`.
DEVIATION = 0.02
#: The same where "the same" is put to the test: as of the GPT-1s of `quick`. With more noise it is hardly ever said.
QUIETER = 0.2
#: What the kept deviation is off by from that of the experiments at hand, a standard deviation of its logarithm: as
#: within an architecture in `quick`, where three seeds' own noise is taken out.
OFF = 0.8
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
        searched: Whether each arm has the rate that a search of noisy trials chose.
        limit: In deviations, from where on a run's noise lets it diverge.
    """

    noise: tuple[Draw, Draw] = (normal, normal)
    wobble: tuple[float, float] = (0.0, 0.0)
    searched: bool = False
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
            Studies by seeds, NaN where a run diverged; and by study.
        """
        first, second = (self.arm(generator, which, (STUDIES, seeds)) for which in (0, 1))
        truth = np.subtract(*(np.nanmean(self.arm(generator, which, (400_000,))) for which in (1, 0)))
        excess = np.subtract(*search(generator).T) if self.searched else np.zeros(STUDIES)
        return second - first + excess[:, None], truth + excess


def search(generator):
    """What the rate that a search chose costs each of two arms, over their best one; studies by arms.

    Losses are parabolas over the half decades of the rate, as steep as in the kept searches; somewhat above its best
    rate an arm diverges. A trial has one seed, and is shorter than a run, for which a higher rate is the best.
    """
    shape = (STUDIES, 2)
    best, steepness = generator.uniform(-2, 2, shape), np.exp(generator.uniform(np.log(0.1), np.log(0.6), shape))
    places = np.arange(-tuning.REACH - 2 * tuning.ROUNDS, tuning.REACH + 2 * tuning.ROUNDS + 1)
    short = best + generator.normal(0.15, 0.1, shape)
    trials = steepness[..., None] * (places - short[..., None]) ** 2
    trials += DEVIATION * generator.standard_normal(trials.shape)
    trials[places > (best + generator.uniform(1.5, 3.5, shape))[..., None]] = np.inf
    low, high = np.full(shape, -tuning.REACH), np.full(shape, tuning.REACH)
    for _ in range(tuning.ROUNDS):
        tried = (places >= low[..., None]) & (places <= high[..., None])
        chosen = places[np.where(tried, trials, np.inf).argmin(axis=-1)]
        low, high = low - tuning.WIDENING * (chosen == low), high + tuning.WIDENING * (chosen == high)
    return steepness * (chosen - best) ** 2


WORLDS = {
    "normal": World(),
    "heavy tails": World(noise=(heavy, heavy)),
    "bad seeds": World(noise=(skewed, skewed)),
    "bad seeds of one arm": World(noise=(skewed, normal)),
    "bad seeds diverge": World(noise=(skewed, skewed), limit=4.0),
    "best of evaluations": World(wobble=(1.0, 0.2)),
    "searched rates": World(searched=True),
    "all": World(noise=(heavy, skewed), wobble=(1.0, 0.2), searched=True, limit=4.0),
}


def verdicts(generator, gains):
    """The verdict of each study; the kept deviation is that of a single run, and off."""
    kept = DEVIATION * np.exp(OFF * generator.standard_normal(len(gains)))
    return [statistics.verdict(*judged) for judged in zip(gains.tolist(), kept.tolist(), strict=True)]


def share(found, *words):
    return sum(verdict in words for verdict in found) / len(found)


@functools.cache
def cell(name, seeds):
    """What is false, by what is said, as shares of all studies that can be judged; None where that is never said."""
    generator = np.random.default_rng(seeds)
    gains, truth = WORLDS[name].gains(generator, seeds)
    judged = ~np.isnan(gains).any(axis=1)
    gains, truth = gains[judged], truth[judged]
    noise = gains - truth[:, None]
    equal = verdicts(generator, noise)
    found = {
        "judged": judged.mean(),
        "yes or no": share(equal, "yes", "no"),
        "leaning": share(equal, "leaning yes", "leaning no"),
        "best rates": share(verdicts(generator, gains), "yes", "no"),
        **dict.fromkeys(("the same", "misses", "found")),
    }
    if seeds < statistics.FEWEST_SEEDS:
        return found
    intervals = [(statistics.over_seeds(each), right) for each, right in zip(gains.tolist(), truth, strict=True)]
    edges = [verdicts(generator, QUIETER * noise + edge) for edge in (-statistics.SAME_WITHIN, statistics.SAME_WITHIN)]
    planned = power.smallest_effect(rates.typical_deviation(noise[:1000].tolist()), seeds)
    return found | {
        "leaning": None,
        "the same": max(share(edge, "the same") for edge in edges),
        "misses": np.mean([not i.low <= right <= i.high for i, right in intervals]),
        "found": share(verdicts(generator, noise + planned), "yes"),
    }


COLUMNS = ("judged", "yes or no", "leaning", "the same", "misses", "found", "best rates")


def table():
    """All cells in percent, as Markdown."""
    lines = [f"| world | seeds | {' | '.join(COLUMNS)} |", f"|---|--:{'|--:' * len(COLUMNS)}|"]
    for name in WORLDS:
        for seeds in SEEDS:
            found = cell(name, seeds)
            cells = ["" if found[key] is None else f"{100 * found[key]:.1f}" for key in COLUMNS]
            lines.append(f"| {name} | {seeds} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())  # noqa: T201 (it is what the command is for)
