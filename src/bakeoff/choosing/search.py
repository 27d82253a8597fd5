"""The search for a contender: what its rungs try next, what they found, and which one is to get most of the time."""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean

from bakeoff.choosing import rungs
from bakeoff.choosing.rungs import Rung
from bakeoff.experiments import Contender
from bakeoff.run_folder import DIVERGED, FINISHED
from bakeoff.spec import Budget, Corpus, Study

#: Seeds of the trials begin here, as those of a search for rates: no study uses them.
SEED = 1000
#: The share of a run's steps in which the learning rate rises, and in which it falls.
WARMUP, DECAY = 0.05, 0.5

#: How a trial ended that took too long.
STOPPED = "stopped"
#: The names of the study of a contender's trials on a rung, of a finalist's with other seeds, and of the last one.
TRIALS, REPEATS, FINAL = "rung-{}-{}-{}", "seeds-{}-{}", "final"
#: Patterns of these.
NAMES = tuple(name.format(*"***") for name in (TRIALS, REPEATS, FINAL))


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How fast a contender is here.

    Attributes:
        step: Seconds of a step.
        measuring: Seconds of a trial in which no step is taken: from its start to its end.
    """

    step: float
    measuring: float

    def seconds(self, steps: int) -> float:
        """Of a trial of so many steps."""
        return self.measuring + steps * self.step


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """A complete schedule in steps: up, constant, and down to nothing. Its fields are the budget's."""

    steps: int
    epoch_steps: int
    warmup_steps: int
    decay_steps: int

    @classmethod
    def of(cls, steps: int, evaluations: int) -> "Schedule":
        """The schedule of a run of about so many steps, which is evaluated so often, after equally many.

        Where that is an even number, it is evaluated when its rate begins to fall: the last moment to end elsewhere.
        """
        each = max(1, steps // evaluations)
        steps = each * evaluations
        return cls(
            steps=steps,
            epoch_steps=each,
            warmup_steps=max(1, round(WARMUP * steps)),
            decay_steps=round(DECAY * steps),
        )

    def undecayed(self, step: int) -> bool:
        """Whether the rate has not begun to fall after so many steps."""
        return self.warmup_steps <= step <= self.steps - self.decay_steps

    def ending(self, step: int, more: int) -> "Schedule":
        """A schedule that is the same for so many steps, and ends after so many more; half of it decays, or these."""
        steps = step + more
        return dataclasses.replace(self, steps=steps, decay_steps=min(round(DECAY * steps), more))


@dataclass(frozen=True, kw_only=True)
class Trials:
    """What a contender's trials on a rung are to be.

    Attributes:
        contender: Its place among the contenders.
        steps: Of each.
        rates: Their learning rates.
    """

    contender: int
    steps: int
    rates: Sequence[float]


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a trial found.

    Attributes:
        contender: Its place among the contenders.
        rung: Counted from 0.
        lr: Its learning rate.
        seed: Its seed.
        steps: The steps that it took.
        seconds: What these took.
        measuring: What all else took.
        ended: `finished`, `diverged`, `failed` or `STOPPED`.
        valid: Bits per byte of valid; infinite where it is not finished.
        folder: The run's folder.
    """

    contender: int
    rung: int
    lr: float
    seed: int
    steps: int
    seconds: float
    measuring: float
    ended: str
    valid: float
    folder: str


@dataclass(frozen=True, kw_only=True)
class Winner:
    """Who gets the last run.

    Attributes:
        contender: Its place among the contenders.
        lr: Its learning rate.
    """

    contender: int
    lr: float


@dataclass(kw_only=True)
class Search:
    """Asks for trials, a contender's at a time, and learns from what they found.

    Attributes:
        corpus: What is trained on.
        tokens: How many tokens of it.
        shared: What all runs have in common: tokens, sequences, precision, threads.
        contenders: Those that take part.
        paces: Of each.
        plan: The rungs; none where there is no time to compare.
        seed: Of the winner's run.
        settled: The winner, once its run is planned: what a trial finds that is done again then changes nothing.
        found: What the trials so far found.
    """

    corpus: Corpus
    tokens: int
    shared: Budget
    contenders: Sequence[Contender]
    paces: list[Pace]
    plan: Sequence[Rung]
    seed: int
    settled: Winner | None = None
    found: list[Found] = field(default_factory=list)

    def left(self, rung: int) -> list[int]:
        """The contenders that are on a rung, the best of those that were tried on the one below first."""
        if rung == 0:
            return list(range(self.plan[0].contenders if self.plan else 1))
        tried = dict.fromkeys(found.contender for found in self.found if found.rung == rung - 1)
        best = {contender: self.best(contender, rung - 1).valid for contender in tried}
        ordered = sorted(best, key=lambda contender: best[contender])
        if rung < len(self.plan):
            return ordered[: self.plan[rung].contenders]
        return sorted(ordered[: rungs.FINALISTS], key=lambda finalist: fmean(self.repeated(finalist)))

    @property
    def untried(self) -> tuple[str, ...]:
        """Contenders that there is no time to try."""
        tried = self.plan[0].contenders if self.plan else 1
        return tuple(contender.title for contender in self.contenders[tried:])

    def best(self, contender: int, rung: int) -> Found:
        """The best of a contender's trials on a rung, which have one seed."""
        trials = [found for found in self.found if (found.contender, found.rung) == (contender, rung)]
        return min((found for found in trials if found.seed == SEED + rung), key=lambda found: found.valid)

    def repeated(self, contender: int) -> list[float]:
        """Bits per byte of a contender's best trial of the last rung, and of its repetitions with other seeds.

        A repetition that failed or was stopped says nothing; one that diverged does.
        """
        last = len(self.plan) - 1
        best = self.best(contender, last)
        trials = (each for each in self.found if (each.contender, each.rung) == (contender, last))
        others = (each for each in trials if each.seed != best.seed and each.ended in (FINISHED, DIVERGED))
        return [best.valid, *(each.valid for each in others)]

    @property
    def winner(self) -> int:
        """The contender that was best on the last rung, over all seeds; the first where there was none."""
        return self.settled.contender if self.settled else self.left(len(self.plan))[0]

    @property
    def rate(self) -> float:
        """The winner's learning rate: the best of its last trials that did not diverge."""
        if self.settled:
            return self.settled.lr
        best = (self.best(self.winner, rung) for rung in reversed(range(len(self.plan))))
        complete = (trial.lr for trial in best if math.isfinite(trial.valid))
        return next(complete, self.contenders[self.winner].optimizer.lr)

    def planned(self, rung: int, contender: int, seconds: float) -> Trials:
        """A contender's trials on a rung: complete schedules that take so long each."""
        chosen, pace = self.contenders[contender], self.paces[contender]
        before = [found for found in self.found if (found.contender, found.rung) == (contender, rung - 1)]
        tried = {found.lr: found.valid for found in before}
        steps = min(rungs.steps(seconds, pace.step, pace.measuring), self.most_steps(contender))
        lrs = rungs.rates(chosen.optimizer.lr, tried)[: self.plan[rung].rates]
        return Trials(contender=contender, steps=steps, rates=lrs)

    def trials(self, rung: int, planned: Trials) -> Study:
        """These trials on a rung, as a study."""
        name = TRIALS.format(rung + 1, planned.contender + 1, self.contenders[planned.contender].architecture.name)
        schedule = Schedule.of(planned.steps, evaluations=1)
        trials = self.study(name, planned.contender, schedule, planned.rates, (SEED + rung,))
        return dataclasses.replace(trials, trial=True)

    def repeats(self, contender: int, count: int) -> Study:
        """A contender's best trial of the last rung again, with so many other seeds."""
        best, chosen = self.best(contender, len(self.plan) - 1), self.contenders[contender]
        name, first = REPEATS.format(contender + 1, chosen.architecture.name), SEED + rungs.MOST_RUNGS
        schedule, seeds = Schedule.of(best.steps, evaluations=1), tuple(range(first, first + count))
        return dataclasses.replace(self.study(name, contender, schedule, [best.lr], seeds), trial=True)

    def most_steps(self, contender: int) -> int:
        """Steps of a contender after which more passes over the text do not help."""
        return rungs.most_steps(self.tokens, self.contenders[contender].batch_size * self.shared.sequence_length)

    def passes(self, contender: int, steps: int) -> float:
        """How often a contender reads the text in so many steps."""
        return steps * self.contenders[contender].batch_size * self.shared.sequence_length / self.tokens

    @property
    def longest(self) -> float:
        """Seconds of the longest last run that helps, whoever of those that are tried wins."""
        return max(self.paces[contender].seconds(self.most_steps(contender)) for contender in self.left(0))

    def schedule(self, seconds: float, evaluations: int) -> Schedule:
        """The schedule of a run of the winner that takes so long, or as long as helps."""
        pace = self.paces[self.winner]
        steps = rungs.steps(seconds, pace.step, pace.measuring * (1 + evaluations) / 2)
        return Schedule.of(min(steps, self.most_steps(self.winner)), evaluations)

    def final(self, schedule: Schedule) -> Study:
        """The winner's run."""
        return self.study(FINAL, self.winner, schedule, [self.rate], (self.seed,))

    def study(
        self, name: str, contender: int, schedule: Schedule, lrs: Sequence[float], seeds: tuple[int, ...]
    ) -> Study:
        """Runs of a contender, one for each learning rate and seed."""
        chosen = self.contenders[contender]
        return Study.of(
            name,
            corpus=self.corpus,
            budget=dataclasses.replace(self.shared, batch_size=chosen.batch_size, **dataclasses.asdict(schedule)),
            contenders=[(chosen.architecture, dataclasses.replace(chosen.optimizer, lr=lr)) for lr in lrs],
            seeds=seeds,
        )

    def slowed(self, contender: int, step: float) -> None:
        """Take note of how long a step of a contender took whose trial was stopped."""
        pace = self.paces[contender]
        self.paces[contender] = dataclasses.replace(pace, step=max(pace.step, step))

    def learn(self, found: Sequence[Found]) -> None:
        """Take note of what a contender's trials on a rung found, and of how fast it really was."""
        self.found += found
        complete = [each for each in found if math.isfinite(each.valid)]
        if complete:
            pace = Pace(
                step=sum(each.seconds for each in complete) / sum(each.steps for each in complete),
                measuring=fmean(each.measuring for each in complete),
            )
            self.paces[complete[0].contender] = pace
