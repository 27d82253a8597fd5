"""One search for all: the same grid of learning rates, the same short schedules, for every experiment.

A trial is a run like any other. An experiment's winner is the rate with the lowest valid nats in a complete schedule of
half the study's epochs or steps, cut short on a large text, on a seed that no study uses. The grid has half decades; a
winner on its edge widens it on that side, until it lies inside or the optimizer refuses what lies beyond. Then a last
round tries a quarter decade to either side, and what is chosen is the lowest point of a parabola there
(`analysis/optimum.py`).
"""

import contextlib
import dataclasses
import itertools
import math
import shlex
from collections.abc import Collection, Iterable
from pathlib import Path

from bakeoff.analysis.optimum import losses, optimum
from bakeoff.analysis.reading import require_undamaged
from bakeoff.analysis.rows import Row, StudyRows
from bakeoff.errors import UserError
from bakeoff.identity import fits, identity, purpose
from bakeoff.records import read_json
from bakeoff.run_folder import FAILED, FINISHED
from bakeoff.runner import folder_name, share_of_cores
from bakeoff.shapes import RATES, Json
from bakeoff.spec import Budget, Experiment, Study
from bakeoff.study_folder import StudyFolder

#: No study uses this seed, so that no result was seen while the rates were chosen.
SEED = 1000
#: The most steps of a trial: what a search costs must not grow with the text.
STEPS = 700
#: Rates above and below the centre: seven in all.
REACH = 3
#: Rates that are added beyond an edge, and the most rounds, the first one included.
WIDENING, ROUNDS = 2, 5
#: Half decades to either side of the winner that the last round tries.
BETWEEN = 0.5

#: The names of a round's study, and of the file that a search leaves in its folder.
ROUND, FILE = "round-{}", "rates.json"


def folder(out: Path, declared: Study, built_in: Study) -> Path:
    """Where the trials for a study lie, and what they led to."""
    return out / f"{folder_name(declared, built_in)}-tune"


def apply(out: Path, declared: Study, built_in: Study, source: Path | None = None) -> Study:
    """The study with the rates that a search in `out` has found for just this study, if there was one.

    Args:
        out: The folder that holds the studies' folders.
        declared: The study, with the options of the command line in it.
        built_in: The study without them.
        source: The user's study file, if it comes from one.

    Raises:
        UserError: What was found is not what was written, or was found by other code of the study file.
    """
    path = folder(out, declared, built_in) / FILE
    searching = command(out, declared, built_in, source)
    found = read_json(path, RATES, f"repeat `{searching}`, which trains nothing twice") if path.is_file() else None
    if not found or not fits(found, declared):
        return declared
    code = found.get("code")  # which earlier versions did not keep
    searched = [e for e in declared.experiments if e.slug in found["rates"]]
    if code is not None and (others := [e.number for e in searched if code.get(e.slug) != e.code]):
        numbers = ",".join(map(str, others))
        raise UserError(
            f"{path} has learning rates of {numbers} by other code than {source} has now: "
            f"`{searching} --again {numbers}` searches anew, and without that file the study's own rates are taken",
            status=1,
        )
    return declared.tuned(found)


def put_aside(folder: Path, round_: Study) -> Path | None:
    """Move a later round out of the way whose trials follow from other results of the rounds before; to where.

    Args:
        folder: Of the search.
        round_: As it is to be now. The first follows from the study alone: where it is another, so is the study.

    Raises:
        UserError: Another command is at work on it.
    """
    there = StudyFolder(folder / round_.name)
    if round_.name == ROUND.format(1) or not there.exists or there.study["identity"] == identity(round_):
        return None
    with there.acquire():
        return there.put_aside()


def command(out: Path, declared: Study, built_in: Study | None, source: Path | None) -> str:
    """What searches in `out` for just this study; where it is not known without its options, all are named."""
    options = {"--out": str(out)}
    if built_in is None or declared.corpus != built_in.corpus:
        options["--corpus"] = declared.corpus.path or declared.corpus.name
    for name in ("epochs", "precision", "threads"):
        value = getattr(declared.budget, name)
        if value not in (None, "auto") if built_in is None else value != getattr(built_in.budget, name):
            options[f"--{name}"] = str(value)
    return shlex.join(["bakeoff", "tune", str(source or declared.name), *itertools.chain(*options.items())])


def threads(folder: Path, jobs: int | None) -> int:
    """Threads of a trial: those that the search was started with, or else its share of the cores."""
    begun = StudyFolder(folder / ROUND.format(1))
    return int(begun.study["budget"]["threads"]) if begun.exists else share_of_cores(jobs)


def rate(half_decades: float) -> float:
    """The learning rate so many half decades above 1: 0.3, 0.56, 1, 1.8, 3, 5.6, 10, ... a quarter decade apart."""
    digits = 0 if float(half_decades).is_integer() else 1
    return float(f"{10 ** (half_decades / 2):.{digits}e}")


def half_decades(learning_rate: float) -> int:
    """The inverse of `rate`, for the nearest whole one."""
    return round(2 * math.log10(learning_rate))


class RateSearch:
    """The search for one study: asks for rounds of trials, learns from their rows, and ends with rates.

    Args:
        study: What the rates are for; its own rates do not matter.
        threads: Of a trial, whose times mean nothing: the fewer they are, the more work the cores get done together.
    """

    def __init__(self, study: Study, threads: int = 1) -> None:
        self.study, self.threads = study, max(1, threads)
        self.rounds = 0
        #: Nats per token of valid under the symbols' frequencies alone; None before the first round.
        self.unigram: float | None = None
        self.trials: dict[str, dict[float, Json]] = {experiment.slug: {} for experiment in study.experiments}

    def next_round(self) -> Study | None:
        """The trials to do next, as a study; None when nothing is left to try.

        Raises:
            UserError: An optimizer takes none of the rates that are tried first.
        """
        wanted = [(e, place) for e in self.study.experiments for place in self._wanted(e)]
        if not wanted:
            return None
        self.rounds += 1
        self._asked = [(experiment.slug, place) for experiment, place in wanted]
        trials = tuple(
            dataclasses.replace(e, number=number, optimizer=dataclasses.replace(e.optimizer, lr=rate(place)))
            for number, (e, place) in enumerate(wanted, start=1)
        )
        return Study(
            name=ROUND.format(self.rounds),
            corpus=self.study.corpus,
            budget=self._budget(),
            experiments=trials,
            seeds=(SEED,),
            trial=True,
        )

    def trials_of(self, numbers: Collection[int]) -> list[int]:
        """The numbers that the trials of those experiments have in the last round."""
        slugs = {experiment.slug for experiment in self.study.experiments if experiment.number in numbers}
        return [number for number, (slug, _) in enumerate(self._asked, start=1) if slug in slugs]

    def experiments_of(self, trials: Collection[int]) -> list[int]:
        """The numbers of the experiments that trials of the last round are of, by the trials' numbers."""
        slugs = {self._asked[trial - 1][0] for trial in trials}
        return [experiment.number for experiment in self.study.experiments if experiment.slug in slugs]

    def learn(self, rows: StudyRows) -> None:
        """Take note of what a round's trials found; their numbers tell which is which.

        Raises:
            UserError: The records of one are damaged.
        """
        require_undamaged(rows.rows)
        self.unigram = rows.unigram.valid.loss
        by_number = {row.number: row for row in rows.rows}
        for number, (slug, place) in enumerate(self._asked, start=1):
            self.trials[slug][place] = _trial(place, by_number[number])

    def failed(self) -> list[str]:
        """Experiments of which every trial so far failed; one that diverged has told something."""
        return [slug for slug, trials in self.trials.items() if all(t["status"] == FAILED for t in trials.values())]

    @property
    def left_out(self) -> int:
        """How many trials failed, for whatever reason, and so had no say."""
        return sum(trial["status"] == FAILED for trials in self.trials.values() for trial in trials.values())

    def result(self) -> Json:
        """The rates, and how they were found."""
        return {
            "study": self.study.name,
            "for": purpose(self.study),
            "code": {experiment.slug: experiment.code for experiment in self.study.experiments if experiment.code},
            "corpus": self.study.corpus.name,
            "epochs": self._budget().epochs,
            "epoch_steps": self._budget().epoch_steps,
            "steps": self._budget().steps,
            "seed": SEED,
            "rates": {slug: self._chosen(slug) for slug in self.trials},
        }

    def on_edge(self, slug: str) -> bool:
        """Whether an experiment's winner is the lowest or the highest rate that was searched."""
        return self._best(slug) in (min(self.trials[slug]), max(self.trials[slug]))

    def has_learned(self, slug: str) -> bool:
        """Whether an experiment's winner came below the unigram; else its rate is the best of chance."""
        lowest = self.trials[slug][self._best(slug)]["valid_loss"]
        return self.unigram is None or (lowest is not None and lowest < self.unigram)

    def _budget(self) -> Budget:
        budget = dataclasses.replace(self.study.budget, threads=self.study.budget.threads or self.threads)
        if budget.steps is not None:
            return shortened(budget, max(1, min(budget.steps // 2, STEPS)))
        epochs = max(1, budget.epochs // 2)
        steps = min(-(-STEPS // epochs), budget.epoch_steps or STEPS)
        return dataclasses.replace(budget, epochs=epochs, epoch_steps=steps)

    def _wanted(self, experiment: Experiment) -> Iterable[float]:
        places = self.trials[experiment.slug]
        if not places:
            centre = half_decades(type(experiment.optimizer).lr)
            around = range(centre - REACH, centre + REACH + 1)
            if not (taken := _taken(experiment, around)):
                raise UserError(
                    f"#{experiment.number} takes none of the rates from {rate(around[0]):g} to {rate(around[-1]):g} "
                    "that a search tries first: give its lr a default among those that it takes"
                )
            return taken
        best = self._best(experiment.slug)
        if self.on_edge(experiment.slug):
            beyond = range(1, WIDENING + 1) if best == max(places) else range(-WIDENING, 0)
            if taken := _taken(experiment, [best + away for away in beyond]):
                return taken if self.rounds < ROUNDS else ()
        return () if any(place % 1 for place in places) else _taken(experiment, (best - BETWEEN, best + BETWEEN))

    def _best(self, slug: str) -> float:
        """The place of the lowest valid nats; of the lowest rate, where nothing was finished."""
        trials = self.trials[slug]
        return min(sorted(trials), key=lambda place: trials[place]["valid_loss"] or math.inf)

    def _chosen(self, slug: str) -> Json:
        trials = [self.trials[slug][place] for place in sorted(self.trials[slug])]
        found = optimum(losses(trials))
        return {"lr": found.rate if found else rate(self._best(slug)), "trials": trials}


def shortened(budget: Budget, steps: int) -> Budget:
    """A budget in steps with fewer of them: the same schedule, every part of it as much less."""
    whole = budget.steps or steps
    parts = {name: getattr(budget, name) for name in ("epoch_steps", "warmup_steps", "decay_steps")}
    shorter = {name: part and max(1, part * steps // whole) for name, part in parts.items()}
    return dataclasses.replace(budget, steps=steps, **shorter)


def _taken(experiment: Experiment, places: Iterable[float]) -> list[float]:
    """Those places whose rates the optimizer does not refuse: on the side where it does, the search has an end."""
    taken = []
    for place in places:
        with contextlib.suppress(ValueError):
            dataclasses.replace(experiment.optimizer, lr=rate(place))
            taken.append(place)
    return taken


def _trial(place: float, row: Row) -> Json:
    valid = row.valid.as_json() if row.valid and row.status == FINISHED else {}
    return {
        "lr": rate(place),
        "status": row.status,
        "valid_loss": valid.get("loss"),
        "valid_perplexity": valid.get("perplexity"),
    }
