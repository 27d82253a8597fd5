"""A check on its way."""

import contextlib
import dataclasses
import secrets
import tempfile
from pathlib import Path
from typing import Literal

from bakeoff import words
from bakeoff.data import Told
from bakeoff.decisions import going_on
from bakeoff.errors import UserError
from bakeoff.loading import decoded_run
from bakeoff.runner import Observer, Session
from bakeoff.shapes import Json
from bakeoff.spec import Run
from bakeoff.study_file import foreign_types
from bakeoff.study_folder import StudyFolder, find_studies
from bakeoff.verifying import measured, recorded, reported, trained
from bakeoff.verifying.recorded import Over
from bakeoff.verifying.review import Review

#: How far a run is trained again: not at all, to the end of its first epoch, or whole.
HowFar = Literal["not", "first epoch", "whole"]


class Verification:
    """A check on its way: all records are read at once, the rest is done when it is asked for.

    Args:
        path: A study's folder, or a folder of studies.
        number: The experiment of which a run is to be trained again; None for any.
        seed: The run's; None for any.
        training: How far one is to be trained again.
        trust: Whether study files that are kept with the studies may be executed, where runs need them.

    Attributes:
        review: What was found so far.
        studies: Those of the folder.
        over: The runs that are over, and whole.
        again: The one of them that is to be trained again.
        training: How far.

    Raises:
        UserError: There is no study, no run that is over, or none of that number and seed.
    """

    def __init__(
        self,
        path: Path,
        *,
        number: int | None = None,
        seed: int | None = None,
        training: HowFar = "whole",
        trust: bool = False,
    ) -> None:
        self.review, self.training, self.trust = Review(), training, trust
        self.studies = find_studies(path)
        self.over = [run for study in self.studies for run in recorded.read(self.review, study)]
        if not self.over and not self.review.differences:
            raise UserError(
                f"no run in {path} is over, so there is nothing to verify: {going_on(self.studies[0].path)}"
            )
        self.again = self._chosen(number, seed) if training != "not" else None
        if not self.again:
            self.review.not_checked.append("whether a run comes to the same again: none was trained")
        self._session: tuple[Session, Run] | None = None

    def _chosen(self, number: int | None, seed: int | None) -> Over | None:
        """The run that is named, or one that is drawn anew each time, so that nobody knows before which it will be."""
        able = [run for run in self.over if number in (None, run.number) and seed in (None, run.seed)]
        if not able and self.over:
            known = ", ".join(dict.fromkeys(f"{run.number} (seed {run.seed})" for run in self.over))
            raise UserError(f"no run of that number and seed is over and undamaged: choose among {known}")
        if number is None:
            able = [run for run in able if self.trust or not foreign_types(run.encoded)]
        elif len({run.study for run in able}) > 1:
            raise UserError("--run names an experiment of one study, and here are several: give the folder of one")
        return secrets.choice(able) if able else None

    def rebuild(self, told: Told) -> None:
        """Make everything but a run again.

        Args:
            told: Is told what is being done, and the share that is done, if it is known.
        """
        for study in self.studies:
            over = [run for run in self.over if run.study == study]
            told(f"{study.path}: the report", None)
            with self.review.attempting(f"{study.path}, its report"):
                reported.compare(self.review, study)
            for run in over:
                recorded.add_up(self.review, run)
            with self.review.attempting(f"{study.path}, what rests on its text"):
                self._measure(study, over, told)
        self.review.not_checked.append("seconds and memory: they come out otherwise each time")

    def _measure(self, folder: StudyFolder, over: list[Over], told: Told) -> None:
        """Make again what rests on the text, and on the best weights."""
        review, runs = self.review, list[tuple[Over, Run, Path | None]]()
        for each in over:
            with review.attempting(f"{each.folder.path.parent}, all but its records"):
                runs.append((each, *decoded_run(each.folder, folder, trust=self.trust)))
        if not runs:
            return
        study = measured.study_of(folder.declared, {each.number: run for each, run, _ in reversed(runs)})
        tokens = measured.tokens_of(review, folder, study, told)
        for done, (each, run, source) in enumerate(runs):
            told(f"{each.folder.path}: its best weights", done / len(runs))
            with review.attempting(f"{each.folder.path}, its best weights"):
                measured.compare_spec(review, each, run, study)
                measured.compare_counts(review, each, tokens)
                measured.compare_weights(review, each, run, tokens)
            if each is self.again:
                session = Session(
                    study=study,
                    declared=study,
                    folder=folder,
                    tokens=tokens,
                    device=measured.device_of(each),
                    source=source,
                )
                self._session = session, run
        if gone := sum(not each.folder.best_weights.is_file() for each, _, _ in runs):
            review.not_checked.append(f"{folder.path}: the best weights of {words.plural(gone, 'run')}: not there")

    @property
    def to_train(self) -> Run | None:
        """The run that `train` trains; None where there is none, or its text or its code could not be had."""
        return self._session[1] if self._session else None

    def train(self, observer: Observer) -> None:
        """Train the chosen run again, from its seed, in a temporary folder, and compare what it says.

        Args:
            observer: Is told of it.
        """
        assert self.again
        assert self._session
        session, run = self._session

        def told(run: Run, message: Json) -> None:
            observer(run, message)
            if self.training == "first epoch" and message["event"] == "evaluation" and message["epoch"] > 0:
                raise _FarEnoughError

        with tempfile.TemporaryDirectory(prefix="bakeoff-verify-") as temporary:
            elsewhere = dataclasses.replace(session, folder=StudyFolder(Path(temporary)))
            with contextlib.suppress(_FarEnoughError):
                elsewhere.run([run], 1, told)
            with self.review.attempting(f"{self.again.folder.path}, trained again"):
                trained.compare(
                    self.review, self.again, run, elsewhere.folder.run(run.slug), whole=self.training == "whole"
                )


class _FarEnoughError(Exception):
    """The run that is trained again has come as far as was asked for."""
