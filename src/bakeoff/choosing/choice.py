"""A choice as it is made: the rungs and the winner's run are trained, and what the answer is made of is found."""

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from rich.console import Console

from bakeoff import progress, runner, words
from bakeoff.analysis.reading import read_rows, require_undamaged
from bakeoff.analysis.rows import Row, StudyRows
from bakeoff.choosing import fitting, rungs
from bakeoff.choosing.deadline import Deadline, OverdueError, RescheduledError
from bakeoff.choosing.fitting import STARTING, Request
from bakeoff.choosing.kept import ANSWERING, Kept
from bakeoff.choosing.search import FINAL, NAMES, STOPPED, Found, Schedule, Search, Winner
from bakeoff.costs import START_SECONDS
from bakeoff.decisions import CHOICE_FILE, Decisions
from bakeoff.errors import UserError
from bakeoff.identity import identity
from bakeoff.machine import resolve_precision, usable_cores
from bakeoff.reporting import live
from bakeoff.run_folder import DIVERGED, FAILED, FINISHED
from bakeoff.shapes import Json
from bakeoff.spec import Run, Study
from bakeoff.stopwatch import Stopwatch
from bakeoff.study_folder import StudyFolder, find_studies

#: By what share of the time the answer may be late.
OVER = 0.03
#: The most that full evaluations may take of the last run, and how many there are at least and at most, an even number:
#: without some before its rate falls, and one just then, nobody sees that it will be late.
EVALUATING, FEWEST_EVALUATIONS, MOST_EVALUATIONS = 0.06, 4, 12
#: How a last run ended that was not over when the time was up, and one that nothing led to.
CUT_OFF, NOT_BEGUN = "was cut off", "was not begun, as every trial failed or diverged"


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """What was found.

    Attributes:
        search: With all that the trials found.
        ended: How the winner's last run ended: `finished`, `diverged`, `failed`, `CUT_OFF` or `NOT_BEGUN`.
        error: Why it diverged or failed, or the first trial did.
        contender: Of the answer's run.
        study: The name of that run's study.
        row: That run: the last one, or the best complete trial where the last one was lost or is no better; None where
            there is neither.
        rows: The study's.
        kept: What was decided on the way, and the time that it took.
    """

    search: Search
    ended: str
    error: str | None
    contender: int
    study: str
    row: Row | None
    rows: StudyRows
    kept: Kept


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
            path=folder / CHOICE_FILE,
            asked=request.asked,
            minutes=request.minutes,
            clock=Stopwatch(began),
            threads=usable_cores(),
            precision=resolve_precision("auto", request.device),
        ).resumed()
        self.say = functools.partial(progress.say, console)
        self.decide = Decisions(folder, self.say)
        #: Names of its studies so far.
        self.used = set[str]()

    def make(self) -> Chosen:
        """Do all that is left of it.

        Raises:
            UserError: The time, the memory or the disk is too short for any contender, or the text cannot be used.
        """
        with self.kept.clock.watched():
            search = fitting.planned(self.request, self.kept, self.console)
            for line in fitting.told(self.request, search, self.kept):
                self.decide(line)
            self.say(f"as it goes on: {self.folder / live.NAME}")
            self._climb(search)
            if search.plan and all(trial.ended in (DIVERGED, FAILED) for trial in search.found):
                found = self._nothing(search)
            else:
                self._repeat(search)
                found = self._finish(search)
        for study in find_studies(self.folder):
            if study.path.name not in self.used and any(map(study.path.match, NAMES)):
                self._put_aside(study)
        return found

    def _climb(self, search: Search) -> None:
        """The rungs, as far as the time goes: what the last run is to have is not touched."""
        for number in range(len(search.plan)):
            if number == len(self.kept.trials) and not self._plan_rung(search, number):
                break
            planned = self.kept.trials[number]
            titles = words.joined(search.contenders[trials.contender].title for trials in planned)
            self.decide(f"rung {number + 1}: {titles}")
            for trials in planned:
                search.learn(self._tried(search, search.trials(number, trials), number, trials.contender))
            best = {trials.contender: search.best(trials.contender, number).valid for trials in planned}
            self.decide(f"rung {number + 1}, bits per byte: {_ranked(search, best)}")

    def _plan_rung(self, search: Search, number: int) -> bool:
        """Decide what is tried on a rung; none where the time is too short for longer trials than the last ones."""
        ahead = sum(rung.all_seconds for rung in search.plan[number:])
        share = (self.kept.left - self._reserve(search, rungs.FINAL_SHARE)) / ahead
        seconds = search.plan[number].seconds * max(0.0, min(1.0, share))
        if number and seconds <= search.plan[number - 1].seconds:
            search.plan = self.kept.plan = list(search.plan[:number])
            self.decide("there is no time for longer trials")
        else:
            self.kept.trials.append([search.planned(number, each, seconds) for each in search.left(number)])
        self.kept.write()
        return number < len(search.plan)

    def _repeat(self, search: Search) -> None:
        """Train the best of the last rung with other seeds, as often as leaves the last run its share of the time."""
        if not (search.plan and search.plan[-1].repeated):
            return
        finalists, last = search.left(len(search.plan)), len(search.plan) - 1
        if any(math.isinf(search.best(each, last).valid) for each in finalists):
            self.decide("no other seeds: not both of the best two are complete")
            return
        if self.kept.repeats is None:
            taken = [(search.best(finalist, last).steps, search.paces[finalist]) for finalist in finalists]
            each = sum(pace.seconds(steps) for steps, pace in taken)
            spare = self.kept.left - self._reserve(search, rungs.LEAST_SHARE)
            self.kept.repeats = max(0, min(rungs.MOST_REPEATS, int(spare / each)))
            self.kept.write()
        if not self.kept.repeats:
            self.decide("there is no time for other seeds")
            return
        seeds = words.counted(self.kept.repeats, "other seed")
        self.decide(f"the best {words.spelled(len(finalists))} with {seeds}")
        for finalist in finalists:
            search.learn(self._tried(search, search.repeats(finalist, self.kept.repeats), last, finalist))
        means = {finalist: fmean(search.repeated(finalist)) for finalist in finalists}
        self.decide(f"their means over all seeds: {_ranked(search, means)}")

    def _reserve(self, search: Search, share: float) -> float:
        """Seconds that the last run is to have: a share of all that are trained, or what helps."""
        return min(share * self.kept.trained, search.longest)

    def _tried(self, search: Search, study: Study, rung: int, contender: int) -> list[Found]:
        """What a contender's trials found; those that would take of what the last run is to have are stopped."""
        reserve = self._reserve(search, rungs.KEPT_SHARE)
        steps: list[tuple[int, float]] = []  # of the run at work, with the seconds that were left then

        def observe(message: Json) -> None:
            if message["event"] == "start":
                steps.clear()
            if message["event"] == "step":
                steps.append((message["step"], self.kept.left))
            if message["event"] != "end" and self.kept.left < reserve:
                raise OverdueError

        try:
            rows = self._train(study, observe)
        except OverdueError:
            what = "takes too long and is stopped" if steps else "is not begun"
            self.decide(f"{study.name} {what}: what is left of the time is the last run's")
            rows = read_rows(StudyFolder(self.folder / study.name))
            if len(steps) > 1:
                (first, before), (last, left) = steps[0], steps[-1]
                search.slowed(contender, (before - left) / (last - first))
        require_undamaged(rows.rows)
        return [
            Found(
                contender=contender,
                rung=rung,
                lr=row.learning_rate,
                seed=row.seed,
                steps=row.history[-1].step if row.history else 0,
                seconds=row.train_seconds or 0.0,
                measuring=STARTING + row.seconds - (row.train_seconds or 0.0),
                ended=row.status if row.status in (FINISHED, DIVERGED, FAILED) else STOPPED,
                valid=row.valid.bits_per_byte if row.finished and row.valid else math.inf,
                folder=f"{study.name}/{row.folder}",
            )
            for row in rows.rows
        ]

    def _nothing(self, search: Search) -> Chosen:
        """What there is where every trial was lost: count tables."""
        first = search.found[0]
        study = first.folder.partition("/")[0]
        rows = read_rows(StudyFolder(self.folder / study))
        return Chosen(
            search=search,
            ended=NOT_BEGUN,
            error=rows.rows[0].error,
            contender=first.contender,
            study=study,
            row=None,
            rows=rows,
            kept=self.kept,
        )

    def _finish(self, search: Search) -> Chosen:
        """The winner's run, until the time is up."""
        if self.kept.final is None:
            pace, seconds = search.paces[search.winner], self.kept.left
            affordable = int(EVALUATING * seconds / max(1e-9, pace.measuring - STARTING)) // 2 * 2
            self.kept.final = search.schedule(seconds, min(MOST_EVALUATIONS, max(FEWEST_EVALUATIONS, affordable)))
            self.kept.winner = search.settled = Winner(contender=search.winner, lr=search.rate)
            self.kept.write()
        self.decide(
            f"the last run: {search.contenders[search.winner].title}, learning rate {words.rate(search.rate)}, "
            f"{self.kept.final.steps:,} steps"
        )
        if self.kept.final.steps + MOST_EVALUATIONS > search.most_steps(search.winner):
            passes = round(search.passes(search.winner, self.kept.final.steps))
            self.decide(f"these are {passes} passes over the text: more would not help")
        try:
            rows = self._last(search, self.kept.final)
            ended = rows.rows[0].status
        except OverdueError:
            rows, ended = read_rows(StudyFolder(self.folder / FINAL)), CUT_OFF
        require_undamaged(rows.rows)
        return self._found(search, rows, ended)

    def _found(self, search: Search, rows: StudyRows, ended: str) -> Chosen:
        """The last run if it is complete, or as far as it came; the best of the trials where that is better."""
        last = rows.rows[0]
        trained = last.history and last.history[-1].step and ended in (FINISHED, CUT_OFF)
        contender, study, row = search.winner, FINAL, last if trained else None
        reached = row.best_point.valid.bits_per_byte if row else math.inf
        trial = min(search.found, key=lambda found: found.valid, default=None)
        if trial and trial.valid < reached:
            contender, (study, _, run) = trial.contender, trial.folder.partition("/")
            rows = read_rows(StudyFolder(self.folder / study))
            row = next(each for each in rows.rows if each.folder == run)
        if row is None and ended == CUT_OFF:
            least = fitting.least_minutes(self.kept, search.paces[search.winner])
            told = f"the time was up before the last run: give at least {least:g} minutes, and another --out"
            self.decide.end(told)
            progress.page(StudyFolder(self.folder / FINAL), self.console).draw()
            raise UserError(told)
        return Chosen(
            search=search,
            ended=ended,
            error=last.error,
            contender=contender,
            study=study,
            row=row,
            rows=rows,
            kept=self.kept,
        )

    def _last(self, search: Search, schedule: Schedule) -> StudyRows:
        """The winner's run; where its steps are slower or faster than they were, its rate begins to fall elsewhere.

        It then is the run that has this schedule from its beginning: both are the same until the rate falls.
        """
        study, folder = search.final(schedule), StudyFolder(self.folder / FINAL)
        deadline = Deadline(
            schedule=schedule,
            left=lambda: self.kept.left,
            late=min(OVER * self.kept.seconds, ANSWERING),
            lost=OVER * self.kept.seconds,
            restarting=START_SECONDS + search.paces[search.winner].measuring,
            most=search.most_steps(search.winner),
        )
        try:
            return self._train(study, deadline)
        except RescheduledError as found:
            if folder.run(study.runs[0].slug).ended:  # before it was stopped
                return read_rows(folder)
            folder.undeclare()  # what there is of the run is the other one's as well
            self.kept.final = found.schedule
            self.kept.write()
            steps, falls = found.schedule.steps, found.schedule.steps - found.schedule.decay_steps
            why = f"its steps are {'slower' if steps < schedule.steps else 'faster'} than before"
            self.decide(f"{why}: the learning rate falls from step {falls:,} on, and the last run ends after {steps:,}")
            return self._last(search, found.schedule)

    def _train(self, study: Study, told: Callable[[Json], object]) -> StudyRows:
        """Do what is missing of a study; another one, which an earlier choice has left there, is put aside.

        Args:
            study: Whose runs follow each other, each with the whole machine.
            told: Is told of everything that they say; what it raises stops them.
        """
        folder = StudyFolder(self.folder / study.name)
        self.used.add(study.name)
        if folder.exists and folder.study["identity"] != identity(study):
            self._put_aside(folder)
        with runner.open_session(study, folder.path, self.request.device) as session:
            if missing := session.missing():
                shows = progress.display(missing, self.console), progress.page(session.folder, self.console)
                with progress.following(*shows) as shown:

                    def observe(run: Run, message: Json) -> None:
                        shown(run, message)
                        self.kept.tick()
                        told(message)

                    try:
                        session.run(missing, 1, observe)
                    finally:
                        self.kept.write()
        return read_rows(session.folder)

    def _put_aside(self, study: StudyFolder) -> None:
        """Move a study of an earlier choice, whose records are gone, to where it is not taken for one of this."""
        self.say(f"{study.path.name} is an earlier choice's: moved to {study.put_aside()}")


def _ranked(search: Search, reached: Mapping[int, float]) -> str:
    """Contenders with what they came to, the best first."""
    best_first = sorted(reached.items(), key=lambda item: item[1])
    return words.joined(
        f"{search.contenders[contender].title} {words.small(valid) if math.isfinite(valid) else 'none is complete'}"
        for contender, valid in best_first
    )
