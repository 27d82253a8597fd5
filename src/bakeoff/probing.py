"""A counter-experiment for a run that learned nothing, or that is behind a smaller model: is it for want of capacity?

If the same model gets clearly further once only its recipe is changed, it was not. What makes that fair:

- The run's own start is repeated, and what is changed is compared with that alone: as many steps, the same batches in
  the same order from the same seed. The changed starts have the same first weights too; the smaller one has its own.
- Each is a complete short schedule, warm-up and decay included, every part of it as much shorter than the run's. The
  first steps of a long run have not decayed, so a high rate would look worse in them than it is.
- What is changed is declared here, for every run alike, and is one thing at a time: a tenth of the rate, and a
  hundredth, as a rate may be that far off; a warm-up four times as long; layer norm before the branches, where the
  architecture has that as an option. Nothing is searched for, so that no lucky find passes for an answer.
- Who is behind a smaller model has to come to what that one's own recipe comes to in as many steps; who learned
  nothing, clearly below the unigram. A change counts that improves more than another seed would. Valid alone judges.
- Where its own start is as good as it should be, the failure is not there to be explained, and no change is credited.

All these are ordinary runs of two ordinary studies, since the runs of one share a warm-up.
"""

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from bakeoff import provenance, tuning
from bakeoff.analysis.probe import Probe
from bakeoff.analysis.reading import read_rows, require_undamaged
from bakeoff.analysis.rows import Row, StudyRows
from bakeoff.data import Tokens
from bakeoff.errors import UserError
from bakeoff.identity import identity
from bakeoff.loading import decoded_run
from bakeoff.run_folder import DAMAGED, FAILED, RunFolder
from bakeoff.runner import Session, open_undeclared
from bakeoff.shapes import Json
from bakeoff.spec import Architecture, Budget, Run, Study
from bakeoff.study_folder import StudyFolder
from bakeoff.training import evaluation_steps

#: The most steps of a start.
STEPS = 400
#: Changes of the rate: by what it is divided.
SLOWER = {"tenth": 10, "hundredth": 100}
#: How many times as long a longer warm-up is.
LONGER = 4
#: Besides the changes: the run as it is, and a smaller model's that did better.
OWN, SMALLER = "own", "smaller"
WARM_UP, PRE_NORM = "warm-up", "pre-norm"


@dataclass(frozen=True, kw_only=True)
class Suspect:
    """A run that is to be probed.

    Attributes:
        study: Its study.
        row: What became of it.
        run: What it computes.
        smaller: The run of a smaller model that it is behind, with that one's number; None where it learned nothing.
        source: The study file as it was kept with the study, where that defines some of it; None where all is
            Bakeoff's own.
    """

    study: StudyFolder
    row: Row
    run: Run
    smaller: Run | None
    source: Path | None

    @property
    def folder(self) -> RunFolder:
        """Where it lies, and where what its probe found is kept."""
        return RunFolder(self.study.path / self.row.folder)

    @property
    def other_code(self) -> bool:
        """Whether another version of Bakeoff computed it; its start is computed anew, so the probe is as fair."""
        told = self.row.environment.get("sources")
        return told is not None and told != provenance.code()["sources"]

    def starts(self) -> dict[str, Run]:
        """Every start that has the budget in common, by what is changed in it, as a run of the whole length.

        Raises:
            UserError: The optimizer refuses a lower rate.
        """
        optimizer, found = self.run.optimizer, {OWN: self.run}
        for change, divisor in SLOWER.items():
            try:
                slower = dataclasses.replace(optimizer, lr=optimizer.lr / divisor)
            except ValueError as error:
                raise UserError(f"#{self.row.number} cannot be tried at a {change} of its rate: {error}") from error
            found[change] = dataclasses.replace(self.run, optimizer=slower)
        if architecture := pre_norm(self.run.architecture):
            found[PRE_NORM] = dataclasses.replace(self.run, architecture=architecture)
        return found | ({SMALLER: self.smaller} if self.smaller else {})

    def studies(self, tokens: Tokens) -> dict[StudyFolder, Study]:
        """What to train, and where: beside the study, the starts, and the one with a longer warm-up."""
        budget = _short(self.run.budget, evaluation_steps(tokens.splits["train"], self.run.budget)[-1])
        declared = (
            self._study("start", budget, self.starts()),
            self._study(WARM_UP, _warmer(budget), {WARM_UP: self.run}),
        )
        beside = self.study.path.resolve()
        return {StudyFolder(beside.with_name(f"{beside.name}-probe") / study.name): study for study in declared}

    def _study(self, kind: str, budget: Budget, starts: Mapping[str, Run]) -> Study:
        experiments = tuple(run.as_experiment(number) for number, run in enumerate(starts.values(), start=1))
        return Study(
            name=f"{self.row.number:02d}-{kind}",
            corpus=self.run.corpus,
            budget=budget,
            experiments=experiments,
            seeds=(self.run.seed,),
            trial=True,
        )

    def keep(self, start: StudyRows, warmer: StudyRows) -> Probe:
        """Keep with the run what its starts came to.

        Returns:
            The same as its report reads it.

        Raises:
            UserError: The records of one are damaged.
        """
        require_undamaged((*start.rows, *warmer.rows))
        rows = {row.number: row for row in start.rows}
        found = {change: _measured(rows[number]) for number, change in enumerate(self.starts(), start=1)}
        own, smaller = found.pop(OWN), found.pop(SMALLER, None)
        record = {
            "steps": start.length,
            "own": own,
            "changed": found | {WARM_UP: _measured(warmer.rows[0])},
            "smaller": {"number": self.smaller.number, "start": smaller} if self.smaller else None,
        }
        self.folder.write_probe(record)
        return next(row.probe for row in read_rows(self.study).rows if row.folder == self.row.folder and row.probe)


def find(study: StudyFolder, number: int, *, trust: bool = False) -> Suspect:
    """The run of an experiment that there is something to be found out about.

    Args:
        study: Its study.
        number: The experiment's.
        trust: Whether the study file that is kept with the study may be executed, if it defines what the run computes.

    Raises:
        UserError: There is no such experiment; it has no run that is over; none learned nothing or is behind a smaller
            model; or it needs a study file that is not trusted or is not what was kept.
    """
    rows = read_rows(study)
    experiment = next((e for e in rows.experiments if e.number == number), None)
    if experiment is None:
        known = ", ".join(str(known) for known in sorted(e.number for e in rows.experiments))
        raise UserError(f"{study.path} has no experiment {number}: it has {known}")
    found = rows.suspect(experiment)
    if found is None:
        raise UserError(_why_not(study, experiment.rows))
    row, smaller = found
    run, source = _run_of(study, row, trust=trust)
    return Suspect(
        study=study,
        row=row,
        run=run,
        smaller=_run_of(study, smaller, trust=trust)[0] if smaller else None,
        source=source,
    )


@contextlib.contextmanager
def open_anew(declared: Study, folder: StudyFolder, device: torch.device, source: Path | None) -> Iterator[Session]:
    """A session of one of a suspect's studies, in place of what an earlier probe of that number has left there.

    Of that those runs stay which this study has as well.
    """
    if folder.exists and folder.study["identity"] != identity(declared):
        folder.undeclare()
    with open_undeclared(declared, folder.path, device, source, again=declared.numbers) as session:
        specs = {run: folder.run(run.slug).spec for run in session.study.runs if folder.run(run.slug).ended}
        others = [run.number for run, spec in specs.items() if spec and spec["identity"] != identity(run)]
        session.declare()
        session.forget(others)
        yield session


def pre_norm(architecture: Architecture) -> Architecture | None:
    """The same with layer norm before each residual branch; None where that is no option of it, or it has it so."""
    before_branches: Json = {"post_norm": False}
    optional = any(field.name in before_branches for field in dataclasses.fields(architecture))
    return dataclasses.replace(architecture, **before_branches) if optional and architecture.post_norm else None


def _why_not(study: StudyFolder, rows: tuple[Row, ...]) -> str:
    """Why there is nothing to probe, in one line."""
    row = next((row for row in rows if not row.finished), rows[0])
    path = study.path / row.folder
    if row.status == DAMAGED:
        return row.error or f"{path} is damaged"
    if row.status == FAILED:
        return f"{path} failed, which says nothing about the model ({row.error}): bakeoff run tries it again"
    if not row.finished:
        return f"{path} is {row.status}: a run can be probed once it is over"
    return f"#{row.number} has learned, and no smaller model of its kind does better: there is nothing to probe"


def _run_of(study: StudyFolder, row: Row, *, trust: bool) -> tuple[Run, Path | None]:
    """What a run computes, and the study file where that defines some of it."""
    folder = RunFolder(study.path / row.folder)
    if folder.spec is None:
        raise UserError(f"{folder.path} has no spec.json, which says what it computes: bakeoff run writes it anew")
    try:
        run, source = decoded_run(folder, study, trust=trust)
        return run, source and source.resolve()
    except (LookupError, TypeError, ValueError) as error:
        raise UserError(f"#{row.number} is of other code than is here, which cannot read it ({error})") from error


def _short(budget: Budget, whole: int) -> Budget:
    """The schedule of a run of so many steps in `STEPS` at most, measured at its end alone."""
    in_steps = dataclasses.replace(budget, epochs=Budget.epochs, steps=whole, epoch_steps=whole)
    return tuning.shortened(in_steps, min(whole, STEPS))


def _warmer(budget: Budget) -> Budget:
    """The same with a longer warm-up, as far as its decay has room for it; where there is none, with one."""
    assert budget.steps is not None, "it is short"
    rising = min(LONGER * budget.rising(budget.steps), budget.steps - (budget.decay_steps or 0))
    schedule = "warmup" if budget.schedule == "constant" else budget.schedule
    return dataclasses.replace(budget, schedule=schedule, warmup_steps=rising)


def _measured(row: Row) -> Json:
    return {"learning_rate": row.learning_rate, "valid": row.valid.sums() if row.finished and row.valid else None}
