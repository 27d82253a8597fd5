"""A choice as it is made: the text is made ready, contenders are timed, the rungs and the winner's run are trained."""

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from bakeoff import costs, progress, runner, words
from bakeoff.analysis.rows import Row, StudyRows, read_rows, require_undamaged
from bakeoff.choosing import rungs
from bakeoff.choosing.clock import Clock
from bakeoff.choosing.deadline import Deadline, EarlierError, OverdueError
from bakeoff.choosing.kept import FILE, Kept
from bakeoff.choosing.search import FINAL, Found, Pace, Schedule, Search
from bakeoff.data import Tokens, corpora
from bakeoff.errors import UserError
from bakeoff.experiments import SCALES, Contender, Scale
from bakeoff.identity import identity
from bakeoff.measure import resolve_precision, usable_cores
from bakeoff.records import StudyFolder
from bakeoff.spec import LARGEST_SEED, Budget, Corpus, Run, Study, real, whole

Json = dict[str, Any]
#: Tokens of a sequence.
LENGTH = 128
#: Bytes of text that are trained on for each minute, at most, and that are measured, each of valid and test: more of it
#: could not be read once, and measuring it would take the time that is for training.
TRAINED, MEASURED = 8_000_000, 10_000
#: The least and the most that are measured.
FEWEST_MEASURED, MOST_MEASURED = 40_000, 1_000_000
#: From so many passes over the text on, so much dropout.
DROPOUT = ((20.0, 0.3), (6.0, 0.2), (2.0, 0.1), (0.0, 0.0))
#: Seconds from a run's start to its first step, and from the last run's end to the answer.
STARTING, ANSWERING = 1.5, 15.0
#: By what share of the time the answer may be late.
OVER = 0.03
#: The most that full evaluations may take of the last run, and how many there are at least and at most: without some
#: before its rate falls nobody sees that it will be late.
EVALUATING, FEWEST_EVALUATIONS, MOST_EVALUATIONS = 0.06, 4, 12
#: What a choice may take: three seconds to a week, and no more bytes than any machine has.
LEAST_MINUTES, MOST_MINUTES, MOST_BYTES = 0.05, 10_081, 10**15


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked.

    Attributes:
        corpus: The text.
        minutes: From the command's start to the answer.
        memory_bytes: What a run may take; None for what is free.
        seed: Of the winner's run.
        device: Where to train.

    Raises:
        ValueError: A number is out of its bounds.
    """

    corpus: Corpus
    minutes: float
    memory_bytes: float | None
    seed: int
    device: torch.device

    def __post_init__(self) -> None:
        real(self, "minutes", above=LEAST_MINUTES, below=MOST_MINUTES)
        if self.memory_bytes is not None:
            real(self, "memory_bytes", above=0, below=MOST_BYTES)
        whole(self, "seed", 0, LARGEST_SEED)

    @property
    def asked(self) -> str:
        """What a choice has in common with an earlier one that it can go on with."""
        return identity([self.corpus, self.minutes, self.memory_bytes, self.seed])


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """What was found.

    Attributes:
        search: With all that the trials found.
        study: The name of the study of the answer's run.
        final: That run: the winner's last one, or its best trial where the last one was stopped before it was better.
        rows: Its study's.
        kept: What took how long.
        cut_off: Whether the time was up before the last run's end.
    """

    search: Search
    study: str
    final: Row
    rows: StudyRows
    kept: Kept
    cut_off: bool


class Choice:
    """A choice in progress.

    Args:
        request: What is asked.
        folder: Where its studies lie.
        began: When the command began, on the monotonic clock.
        console: Where progress is shown.
    """

    def __init__(self, request: Request, folder: Path, began: float, console: Console) -> None:
        self.request, self.folder, self.console = request, folder, console
        self.kept = Kept(
            path=folder / FILE,
            asked=request.asked,
            minutes=request.minutes,
            clock=Clock(began),
            threads=usable_cores(),
            precision=resolve_precision("auto", request.device),
        ).resumed()

    def make(self) -> Chosen:
        """Do all that is left of it.

        Raises:
            UserError: The time, the memory or the disk is too short for any contender, or the text cannot be used.
        """
        with self.kept.clock.watched():
            return self._made()

    def _made(self) -> Chosen:
        largest, corpus = fitted(self.request.corpus, self.request.minutes)
        if self.kept.plan is None:
            self._plan(corpus, largest)
        scale = SCALES[self.kept.scale]
        shared = self._shared(scale)
        tokens = self._prepared(corpus, shared)
        places, train = sorted(self.kept.paces), tokens.splits["train"]
        able = [regularized(scale.contenders[place], self.kept, place, len(train.tokens_N)) for place in places]
        paces = [self.kept.paces[place] for place in places]
        search = Search(
            corpus=corpus,
            shared=shared,
            contenders=able,
            paces=paces,
            plan=self.kept.plan or [],
            seed=self.request.seed,
        )
        self._announce(search)
        self._climb(search)
        self._repeat(search)
        return self._finish(search)

    # --- before anything is trained -----------------------------------------------------------------------------------

    def _prepared(self, corpus: Corpus, shared: Budget) -> Tokens:
        with progress.preparing(corpus.name, self.console) as told:
            return runner.prepare(corpus, shared, told)

    def _shared(self, scale: Scale) -> Budget:
        """What all runs have in common."""
        return Budget(
            sequence_length=LENGTH,
            vocabulary=scale.vocabulary,
            threads=self.kept.threads,
            precision=self.kept.precision,
        )

    def _plan(self, corpus: Corpus, largest: int) -> None:
        """Find the largest scale that is fast enough here, and divide the time among its contenders.

        The memory leaves out some of them; where it leaves out all, the scale is too large as well.
        """
        for place in range(largest, -1, -1):
            scale = SCALES[place]
            shared = self._shared(scale)
            tokens = self._prepared(corpus, shared)
            self.kept.paces, self.kept.left_out = {}, {}
            with self.console.status("timing a few steps of each contender"):
                self._time(scale, corpus, tokens)
            paces, seconds = list(self.kept.paces.values()), self.kept.left - ANSWERING
            shortest = max((pace.measuring + rungs.FEWEST_STEPS * pace.step for pace in paces), default=0.0)
            plan = rungs.plan((1 - rungs.FINAL_SHARE) * seconds, len(paces), shortest)
            final = [rungs.steps(rungs.FINAL_SHARE * seconds, pace.step, pace.measuring) for pace in paces]
            if plan and max(final) >= rungs.ENOUGH_STEPS:
                break
            if place:
                self._say(
                    f"models of width {scale.width} are too large or too slow here, as their last run would have "
                    f"{max(final, default=0):,} steps: smaller ones are timed"
                )
        if not paces:
            raise UserError(f"no contender fits: {words.joined(self.kept.left_out.values())}; allow more --memory")
        self.kept.scale, self.kept.plan = place, list(plan)
        if self.kept.left < _needed(paces[0]):
            few = f"{self.request.minutes:g} minutes are too few for any contender"
            raise UserError(f"{few}: give at least {self._least(paces[0])}")
        self._require_disk([run for run in self._runs(scale, corpus) if run.number in self.kept.paces], tokens)
        self.kept.write()

    def _least(self, pace: Pace) -> int:
        """The minutes that would have been enough for a last run after what is done so far."""
        return math.ceil((self.kept.spent + _needed(pace)) / 60 + 0.5)

    def _require_disk(self, runs: Sequence[Run], tokens: Tokens) -> None:
        """See that the disk has room for all that is planned, were every run the largest."""
        count = 1 + sum(rung.contenders * rungs.TRIALS for rung in self.kept.plan or [])
        count += rungs.FINALISTS * rungs.MOST_REPEATS
        kept, unfinished = map(max, zip(*(costs.files(run, tokens) for run in runs), strict=True))
        needed = costs.REPORT + count * kept + unfinished
        costs.require_disk(
            f"choosing for {runs[0].corpus.name} takes about", needed, self.folder, "choose another --out"
        )

    def _runs(self, scale: Scale, corpus: Corpus) -> list[Run]:
        """A run of each contender, with the contender's place as its number."""
        shared = self._shared(scale)
        return [
            Run(
                number=place,
                corpus=corpus,
                architecture=contender.architecture,
                optimizer=contender.optimizer,
                budget=dataclasses.replace(shared, batch_size=contender.batch_size),
                seed=self.request.seed,
            )
            for place, contender in enumerate(scale.contenders)
        ]

    def _time(self, scale: Scale, corpus: Corpus, tokens: Tokens) -> None:
        valid, test = (tokens.splits[split].targets for split in ("valid", "test"))
        evaluated = 2 * (tokens.train_sample.targets + valid) + valid + 3 * test
        for run, contender in zip(self._runs(scale, corpus), scale.contenders, strict=True):
            probe = next(iter(costs.probe([run], tokens, self.request.device).values()), None)
            most = self.request.memory_bytes
            if probe is None or (most and probe.memory_bytes > most):
                needs = f"{words.megabytes(probe.memory_bytes)}" if probe else "more than is free"
                self.kept.left_out[run.number] = f"{contender.title} needs {needs} of memory"
            else:
                self.kept.paces[run.number] = Pace(
                    step=probe.step,
                    measuring=STARTING + evaluated * probe.evaluated_token,
                    memory_bytes=probe.memory_bytes,
                )

    def _announce(self, search: Search) -> None:
        """Say what is going to be done."""
        say = self._say
        for why in self.kept.left_out.values():
            say(f"left out: {why}")
        for number, rung in enumerate(search.plan, start=1):
            say(
                f"rung {number} of {len(search.plan)}: {words.counted(rung.contenders, 'contender')}, "
                f"{rungs.TRIALS} learning rates each, {words.duration(rung.seconds)} a trial"
            )
        if search.plan and search.plan[-1].repeated:
            say(f"the best {words.spelled(rungs.FINALISTS)} of them once more, with another seed")
        if not search.plan:
            say(f"there is no time to compare anything: {search.contenders[0].title} is taken, at its usual rate")
        rest = self.kept.left - ANSWERING - sum(rung.all_seconds for rung in search.plan if not self.kept.trials)
        say(f"then the best of them for about {words.duration(max(0.0, rest))}")

    def _say(self, text: str) -> None:
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    # --- training -----------------------------------------------------------------------------------------------------

    def _climb(self, search: Search) -> None:
        """The rungs, as far as the time goes: what the last run is to have is not touched."""
        final = rungs.FINAL_SHARE * (self.kept.seconds - ANSWERING)
        for number, rung in enumerate(search.plan):
            titles = words.joined(search.contenders[contender].title for contender in search.left(number))
            self._say(f"rung {number + 1}: {titles}")
            ahead = sum(each.all_seconds for each in search.plan[number:])
            share = min(1.0, (self.kept.left - ANSWERING - final) / ahead)
            for contender in search.left(number):
                study = search.trials(number, contender, rung.seconds * max(0.0, share))
                if study.name not in self.kept.trials:
                    self.kept.trials[study.name] = rung.seconds * max(0.0, share)
                    self.kept.write()
                study = search.trials(number, contender, self.kept.trials[study.name])
                search.learn(self._tried(study, number, contender))
        if search.plan and all(math.isinf(found.valid) for found in search.found):
            raise UserError(
                f"every trial failed or diverged; their reasons are in the folders of {self.folder}", status=1
            )

    def _repeat(self, search: Search) -> None:
        """Train the best of the last rung with other seeds, as often as leaves the last run its share of the time."""
        finalists = search.left(len(search.plan)) if search.plan else []
        last = len(search.plan) - 1
        if len(finalists) < rungs.FINALISTS or any(math.isinf(search.best(each, last).valid) for each in finalists):
            return
        if self.kept.repeats is None:
            taken = [(search.best(finalist, last).steps, search.paces[finalist]) for finalist in finalists]
            each = sum(pace.measuring + steps * pace.step for steps, pace in taken)
            spare = self.kept.left - ANSWERING - rungs.LEAST_SHARE * (self.kept.seconds - ANSWERING)
            self.kept.repeats = max(0, min(rungs.MOST_REPEATS, int(spare / each)))
            self.kept.write()
        if not self.kept.repeats:
            return
        self._say(f"the best {words.spelled(len(finalists))} with {words.counted(self.kept.repeats, 'other seed')}")
        for finalist in finalists:
            search.learn(self._tried(search.repeats(finalist, self.kept.repeats), last, finalist))

    def _tried(self, study: Study, rung: int, contender: int) -> list[Found]:
        rows = self._train(study)
        require_undamaged(rows.rows)
        return [
            Found(
                contender=contender,
                rung=rung,
                lr=row.learning_rate,
                seed=row.seed,
                steps=row.history[-1].step if row.history else 0,
                seconds=row.train_seconds or 0.0,
                valid=row.valid.bits_per_byte if row.finished and row.valid else math.inf,
                folder=f"{study.name}/{row.folder}",
            )
            for row in rows.rows
        ]

    def _finish(self, search: Search) -> Chosen:
        """The winner's run, until the time is up."""
        if self.kept.final is None:
            pace, seconds = search.paces[search.winner], self.kept.left - ANSWERING
            affordable = int(EVALUATING * seconds / max(1e-9, pace.measuring - STARTING))
            self.kept.final = search.schedule(seconds, min(MOST_EVALUATIONS, max(FEWEST_EVALUATIONS, affordable)))
            self.kept.write()
        self._say(
            f"the last run: {search.contenders[search.winner].title}, learning rate {words.rate(search.rate)}, "
            f"{self.kept.final.steps:,} steps"
        )
        try:
            rows = self._last(search, self.kept.final)
        except OverdueError:
            return self._best_so_far(search)
        if not rows.rows[0].valid:
            raise UserError(f"the last run {rows.rows[0].status}: {rows.rows[0].error}", status=1)
        return Chosen(search=search, study=FINAL, final=rows.rows[0], rows=rows, kept=self.kept, cut_off=False)

    def _best_so_far(self, search: Search) -> Chosen:
        """The last run as far as it came, or the winner's best trial while that is better."""
        study, rows = FINAL, read_rows(StudyFolder(self.folder / FINAL))
        row = rows.rows[0]
        reached = row.best_point.valid.bits_per_byte if row.history else math.inf
        if search.plan and (trial := search.best(search.winner, len(search.plan) - 1)).valid < reached:
            study, _, run = trial.folder.partition("/")
            rows = read_rows(StudyFolder(self.folder / study))
            row = next(each for each in rows.rows if each.folder == run)
        elif not row.history:
            least = self._least(search.paces[search.winner])
            raise UserError(f"the time was up before the last run: give at least {least} minutes, and another --out")
        return Chosen(search=search, study=study, final=row, rows=rows, kept=self.kept, cut_off=True)

    def _last(self, search: Search, schedule: Schedule) -> StudyRows:
        """The winner's run; where other programs take of its time, its rate begins to fall earlier than was planned.

        It then is the run that has this schedule from its beginning: both are the same until the rate falls.
        """
        deadline = Deadline(
            schedule=schedule,
            left=lambda: self.kept.left - ANSWERING,
            late=min(OVER * self.kept.seconds, ANSWERING),
            restarting=search.paces[search.winner].measuring,
        )
        try:
            return self._train(search.final(schedule), deadline)
        except EarlierError as found:
            self.kept.final = found.schedule
            self.kept.write()
            falls = found.schedule.steps - found.schedule.decay_steps
            self._say(
                f"other programs take of the time: the learning rate falls from step {falls:,} on, and the last run "
                f"ends after {found.schedule.steps:,} steps"
            )
            return self._last(search, found.schedule)

    def _train(self, study: Study, told: Callable[[Json], object] = lambda _: None) -> StudyRows:
        """Do what is missing of a study; what an earlier choice, whose records are gone, has left there is replaced.

        Args:
            study: Whose runs follow each other, each with the whole machine.
            told: Is told of everything that they say; what it raises stops them.
        """
        folder = StudyFolder(self.folder / study.name)
        with runner.open_anew(study, folder, self.request.device) as session:
            if missing := session.missing():
                with progress.display(missing, self.console) as shown:

                    def observe(run: Run, message: Json) -> None:
                        shown(run, message)
                        self.kept.tick()
                        told(message)

                    session.run(missing, 1, observe)
        return read_rows(session.folder)


def fitted(corpus: Corpus, minutes: float) -> tuple[int, Corpus]:
    """The place of the largest scale for the time and the text, and as much of the text as the time is enough for."""
    measured = min(max(MEASURED * minutes, FEWEST_MEASURED), MOST_MEASURED)
    limits = {"train": TRAINED * minutes, "valid": measured, "test": measured}
    splits = corpora.load(corpus).splits
    kept = {split: _first(splits[split], most) for split, most in limits.items()}
    megabytes = kept["train"][1] / 1e6
    largest = max(p for p, scale in enumerate(SCALES) if scale.minutes <= minutes and scale.megabytes <= megabytes)
    counts = kept["train"][0], kept["valid"][0], kept["test"][0]
    return largest, dataclasses.replace(corpus, documents=counts)


def _needed(pace: Pace) -> float:
    """Seconds of the shortest last run, and of the answer."""
    return ANSWERING + pace.measuring + rungs.FEWEST_STEPS * pace.step


def _first(documents: Sequence[str], most: float) -> tuple[int, int]:
    """How many of the first documents have no more bytes than that, one at least, and how many these are."""
    count = size = 0
    for document in documents:
        if count and size + len(document.encode()) > most:
            break
        count, size = count + 1, size + len(document.encode())
    return count, size


def regularized(contender: Contender, kept: Kept, place: int, train_tokens: int) -> Contender:
    """The contender with the dropout for as many passes as the last run will make over the text."""
    steps = rungs.FINAL_SHARE * kept.seconds / kept.paces[place].step
    passes = steps * contender.batch_size * LENGTH / train_tokens
    dropout = next(share for least, share in DROPOUT if passes >= least)
    return dataclasses.replace(contender, architecture=dataclasses.replace(contender.architecture, dropout=dropout))
