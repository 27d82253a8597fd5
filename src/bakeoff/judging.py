"""One experiment against another: pairs of runs with the same seed, at looks that are declared before any is seen.

Both are of one study, which `by_folders` makes of two, and so have the same corpus, tokenizer, budget and order of
data. Their runs are runs of that study like any others, in its folder; seeds beyond those that it declares are given to
these two alone. Valid decides. Test is in every run's records, and is told with the verdict, not before.

A run that diverged is a result (`analysis.looks` says of what kind), one that failed is none: there is no verdict until
the same command has tried it again.

The looks are kept in the study's folder as they are declared, with the runs that were over by then: whoever declares
looks, or chooses the two, by results gets the verdict with that reservation.
"""

import dataclasses
import math
import re
import statistics as mathematics
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from bakeoff import provenance, words
from bakeoff.analysis import looks
from bakeoff.analysis.looks import Look
from bakeoff.analysis.questions.contrasts import contrasts
from bakeoff.analysis.reading import read_rows, require_undamaged
from bakeoff.analysis.rows import Repeats, Row, StudyRows
from bakeoff.analysis.statistics import MOST_PLANNED, SAME_WITHIN, UNDECIDED
from bakeoff.errors import UserError
from bakeoff.records import read_json, write_record
from bakeoff.run_folder import DIVERGED, FINISHED
from bakeoff.runner import OtherCodeError, Session
from bakeoff.shapes import LARGEST, LOOKS, Json
from bakeoff.spec import Run, Study

#: How the usual looks are written.
USUAL = ",".join(map(str, looks.USUAL))


@dataclass(frozen=True, kw_only=True)
class Question:
    """Whether the candidate is better than the baseline.

    Attributes:
        study: Whose experiments they are.
        baseline: The number of one.
        candidate: The number of the other.
        looks: Seeds at each.
        margin: Nats per token; smaller differences do not matter.

    Raises:
        UserError: It is none.
    """

    study: Study
    baseline: int
    candidate: int
    looks: tuple[int, ...]
    margin: float = SAME_WITHIN

    def __post_init__(self) -> None:
        for option, number in (("--baseline", self.baseline), ("--candidate", self.candidate)):
            if number not in self.study.numbers:
                known = ", ".join(map(str, self.study.numbers))
                raise UserError(f"{option} takes a number of an experiment; study {self.study.name} has {known}")
        if self.baseline == self.candidate:
            raise UserError(f"a comparison takes two experiments, not {self.baseline} twice")
        if not 0 <= self.margin < LARGEST:
            raise UserError(f"--margin takes nats per token from 0 on, not {self.margin:g}")

    @property
    def pair(self) -> Study:
        """The study with the two alone."""
        two = tuple(e for e in self.study.experiments if e.number in (self.baseline, self.candidate))
        return dataclasses.replace(self.study, experiments=two)


def parse_looks(given: str) -> tuple[int, ...]:
    """Looks as they are written: `3,5,8`.

    Raises:
        UserError: They are not fit for any comparison.
    """
    parts = [part.strip() for part in given.split(",")]
    found = tuple(int(part) if re.fullmatch("[0-9]{1,3}", part) else 0 for part in parts)
    if not looks.are_fit(found):
        raise UserError(
            f"--looks takes two or more numbers of seeds that rise, from 3 to {MOST_PLANNED}, such as {USUAL}; "
            f"not {given!r}"
        )
    return found


@dataclass(frozen=True, kw_only=True, eq=False)
class Judgement:
    """What became of a question.

    Attributes:
        looks: Those that were taken; the last decided, or was the last of all.
        gains: What the baseline pays more, by seed; see `looks.look`.
        baseline: Its runs, with the seeds of the last look.
        candidate: Likewise.
        reservations: What speaks against believing the verdict, and what removes that.
    """

    question: Question
    looks: tuple[Look, ...]
    gains: tuple[float, ...]
    baseline: Repeats
    candidate: Repeats
    reservations: tuple[str, ...]

    @property
    def last(self) -> Look:
        """The look that decided, or the last of all."""
        return self.looks[-1]

    @cached_property
    def smallest_effect(self) -> float | None:
        """The smallest difference that the looks so far find in four of five comparisons; None where a run diverged."""
        if self.last.interval is None:
            return None
        taken, deviation = [look.seeds for look in self.looks], mathematics.stdev(self.gains)
        return looks.smallest_effect(taken, self.last.level, deviation, self.question.margin)

    def as_json(self) -> Json:
        """For programs."""
        interval = self.last.interval
        return {
            "study": self.question.study.name,
            "baseline": _told(self.baseline),
            "candidate": _told(self.candidate),
            "verdict": self.last.verdict,
            "difference": interval and interval.mean,
            **_ends(self.last),
            "seeds": self.last.seeds,
            "gains": list(self.gains) if interval else None,
            "looks": [{"seeds": look.seeds, "level": look.level, **_ends(look)} for look in self.looks],
            "margin": self.question.margin,
            "smallest_effect": self.smallest_effect,
            "reservations": list(self.reservations),
        }


def _ends(look: Look) -> Json:
    return {"low": look.interval and look.interval.low, "high": look.interval and look.interval.high}


class Judge:
    """Answers a question: says which runs the next look needs, and what it sees once they are there.

    Args:
        question: What is asked.
        session: Of its study.
        remedy: What makes learning rates that were not searched alike ones that were.
        seen: Seeds of runs of the two that are over elsewhere.

    Attributes:
        whole: The session for all that may be needed: the two experiments, with the seeds of the last look.
        first: That for the first look.
    """

    def __init__(self, question: Question, session: Session, remedy: str, seen: Collection[int] = ()) -> None:
        self.question, self.remedy, self.seen = question, remedy, seen
        self._session = session
        self.whole, self.first = self._with(question.looks[-1]), self._with(question.looks[0])
        self._over: list[str] | None = None
        self._looks: list[Look] = []

    def begin(self, again: Collection[int] = ()) -> None:
        """Declare the study; make runs of one of the two, or both, missing, once nothing speaks against a verdict.

        Raises:
            UserError: Records of another run are damaged, or different code has computed it.
        """
        if again and self._session.folder.exists:
            rows = [row for side in self._sides(self._read(self.whole)) for row in side.rows if row.number not in again]
            require_undamaged(rows)
            self._require_one_code(rows, self.missing(self.whole, again))
        self._session.declare()
        self._over = self._declared()  # before some are forgotten
        self.whole.forget(again)

    def next_look(self) -> Session | None:
        """The session for the next look; None once the answer is known, or all looks were taken.

        Raises:
            UserError: Records of a run are damaged, or the look would compare what different code has computed.
        """
        if self._over is None:
            self._over = self._declared()
        taken = len(self._looks)
        if taken == len(self.question.looks) or (taken and self._looks[-1].verdict != UNDECIDED):
            return None
        part = self._with(self.question.looks[taken])
        rows = [row for side in self._sides(self._read(part)) for row in side.rows]
        require_undamaged(rows)
        self._require_one_code(rows, self.missing(part))
        return part

    def missing(self, part: Session, again: Collection[int] = ()) -> list[Run]:
        """The runs to do of a look, or of all; those of `again` as well, whether they are over or not.

        Raises:
            OtherCodeError: Some are of other code; it names the command that trains these seeds anew.
        """
        try:
            return part.missing(again=again)
        except OtherCodeError as error:
            raise OtherCodeError(self.whole.folder.path, error.numbers, part.source, "bakeoff judge") from error

    def learn(self) -> Look:
        """Look at the runs that the last `next_look` asked for, all of which are over."""
        part = self._with(self.question.looks[len(self._looks)])
        self._rows = self._read(part)
        baseline, candidate = ({row.seed: _loss(row) for row in side.rows} for side in self._sides(self._rows))
        self._gains = tuple(baseline[seed] - candidate[seed] for seed in part.study.seeds)
        self._looks.append(looks.look(self._gains, looks.level(self.question.looks), self.question.margin))
        return self._looks[-1]

    def judgement(self) -> Judgement:
        """What the last look says, with what speaks against it."""
        baseline, candidate = self._sides(self._rows)
        return Judgement(
            question=self.question,
            looks=tuple(self._looks),
            gains=self._gains,
            baseline=baseline,
            candidate=candidate,
            reservations=tuple(self._reservations()),
        )

    def _with(self, seeds: int) -> Session:
        """The session for the two experiments alone, with so many seeds."""
        pair = self.question.pair.with_seeds(seeds)
        study = dataclasses.replace(self._session.study, experiments=pair.experiments, seeds=pair.seeds)
        return dataclasses.replace(self._session, study=study)

    def _read(self, part: Session) -> StudyRows:
        return read_rows(part.folder, part.study.seeds)

    def _sides(self, rows: StudyRows) -> tuple[Repeats, Repeats]:
        return rows.experiment(self.question.baseline), rows.experiment(self.question.candidate)

    def _declared(self) -> list[str]:
        """Which runs were over when these looks were first declared, which is now unless the folder says otherwise."""
        question, folder = self.question, self.whole.folder
        path = folder.looks_of(*sorted((question.baseline, question.candidate)))
        declared: list[Json] = read_json(path, LOOKS)["declared"] if path.is_file() else []
        for earlier in declared:
            if (earlier["looks"], earlier["margin"]) == (list(question.looks), question.margin):
                return list(earlier["over"])
        here = [run for run in self.whole.study.runs if folder.run(run.slug).status in (FINISHED, DIVERGED)]
        over = [run.slug for run in self.whole.study.runs if run in here or run.seed in self.seen]
        this = {"looks": question.looks, "margin": question.margin, "over": over}
        write_record(path, {"declared": [*declared, this]})
        return over

    def _require_one_code(self, rows: Iterable[Row], missing: Sequence[Run]) -> None:
        """See that all runs of a look were computed by the same code, those included that are to be done now."""
        codes = {row.environment.get("sources") for row in rows if row.status in (FINISHED, DIVERGED)}
        if len(codes | ({provenance.code()["sources"]} if missing else set())) > 1:
            numbers = f"{self.question.baseline},{self.question.candidate}"
            raise UserError(
                f"{self.whole.folder.path} has runs of {numbers} that different code computed, Bakeoff as it is now "
                f"included: --again {numbers} trains them anew, and another --out keeps both",
                status=1,
            )

    def _reservations(self) -> Iterator[str]:
        """What speaks against believing the verdict, and what removes that."""
        study, sides = self._rows, self._sides(self._rows)
        if seen := {run.seed for run in self._with(self._looks[-1].seeds).study.runs if run.slug in (self._over or ())}:
            yield (
                f"runs of {_seeds(seen)} were over before these looks were declared: "
                "whoever chose looks or experiments by them gets more false alarms than stated; other seeds, which a "
                "study file can name, are free of that"
            )
        for side in sides:
            if unlearned := {row.seed for row in side.unlearned if not row.lost}:
                yield (
                    f"#{side.number} learned nothing about context with {_seeds(unlearned)}: that says something about "
                    "its settings alone"
                )
        if unsearched := [side.number for side in sides if not study.has_interior_rate(side)]:
            yield (
                f"the learning rate of {words.numbers(unsearched)} is not what a search found between lower and higher "
                f"ones: {self.remedy}"
            )
        elif not study.study["tuning"]["fits"]:
            yield f"the learning rates were found for another text or another budget: {self.remedy}"
        elif len({_grid(study.trials(side)) for side in sides}) > 1:
            tried = words.joined(f"{len(study.trials(side))} for #{side.number}" for side in sides)
            yield f"the search tried {tried}, as it goes on where the best rate is on the edge"
        last = self._looks[-1]
        if last.verdict in (looks.BETTER, looks.WORSE) and last.interval:
            behind = sides[0] if last.verdict == looks.BETTER else sides[1]
            two = dataclasses.replace(study, rows=tuple(row for side in sides for row in side.rows))
            if any(contrast.undertuned for contrast in contrasts(two)):
                yield (
                    f"#{behind.number} lost to its own special case, to which it could not lose if it were tuned as "
                    "well: the verdict is of its settings, not of its optimizer"
                )
            if study.left_open(behind) >= abs(last.interval.mean) - last.interval.half_width:
                yield (
                    f"the search has not looked closely enough around the learning rate of #{behind.number} to rule "
                    "out that a better one makes up for it: the verdict is of the two at theirs"
                )


def _told(side: Repeats) -> Json:
    """One of the two, with what it came to in nats per token; test is not told where a run of it diverged."""
    losses = [row.valid.loss if row.valid else None for row in side.rows]
    test = None if any(row.lost for row in side.rows) else side.test_loss
    return {"number": side.number, "experiment": side.described, "valid": losses, "test": test}


def _seeds(found: Collection[int]) -> str:
    return f"{'seed' if len(found) == 1 else 'seeds'} {words.joined(map(str, sorted(found)))}"


def _grid(trials: Sequence[Json]) -> tuple[int, int]:
    """How many rates were tried, over how many half decades."""
    rates = [trial["lr"] for trial in trials]
    return len(rates), round(2 * math.log10(max(rates) / min(rates)))


def _loss(row: Row) -> float:
    """Nats per token of valid at its best; above all others where it diverged."""
    return math.inf if row.status == DIVERGED or row.valid is None else row.valid.loss
