"""What runs report that were trained elsewhere. They stand beside what was measured, and nothing is decided by them."""

from dataclasses import dataclass

from bakeoff.analysis.evaluations import Baseline
from bakeoff.analysis.questions.finding import Finding, evidence
from bakeoff.analysis.reported import Reported
from bakeoff.analysis.rows import Repeats, StudyRows
from bakeoff.analysis.statistics import ANSWERED, REPORTED

#: Among the questions of a report.
PLACE = 200


@dataclass(frozen=True, kw_only=True)
class Line:
    """A reported run, and the floors that it is below and not below, the easiest first."""

    run: Reported
    below: list[Baseline]
    above: list[Baseline]


@dataclass(frozen=True, kw_only=True)
class Facts:
    """The reported runs, and what was measured beside them.

    Attributes:
        lines: A line a run.
        best: The best experiment that was measured; None where no run finished.
    """

    lines: tuple[Line, ...]
    best: Repeats | None

    @property
    def measured(self) -> list[Reported]:
        """Models that were measured here."""
        return [line.run for line in self.lines if line.run.window]

    @property
    def comparable(self) -> list[Line]:
        """Those in bits per byte."""
        return [line for line in self.lines if line.run.comparable]


def facts(study: StudyRows) -> Facts:
    """What is known of the reported runs of a study."""
    floors = [floor for floor in study.baselines if floor != study.uniform]
    pairs = ((run, run.beside(floors)) for run in study.reported)
    lines = tuple(Line(run=run, below=below, above=above) for run, (below, above) in pairs)
    return Facts(lines=lines, best=study.ranked[0] if study.ranked else None)


def reported(study: StudyRows) -> list[Finding]:
    """The reported runs, if there are any."""
    if not study.reported:
        return []
    found = facts(study)
    floors = [study.lowest_floor.name] if found.comparable else []
    figures = ("reported-bits", "reported-losses")
    return [
        Finding(
            name="reported",
            template="reported",
            verdict=ANSWERED if len(found.measured) == len(found.lines) else REPORTED,
            facts=found,
            evidence=evidence((), floors),
            figures=figures,
        )
    ]
