"""The questions, one file each: facts and verdicts, no prose."""

from bakeoff.analysis.questions.architectures import architectures
from bakeoff.analysis.questions.counting import counting
from bakeoff.analysis.questions.finding import Finding
from bakeoff.analysis.questions.generalization import generalization
from bakeoff.analysis.questions.optimizers import optimizers
from bakeoff.analysis.questions.wall_clock import wall_clock
from bakeoff.analysis.rows import StudyRows

__all__ = ["Finding", "findings"]


def findings(study: StudyRows) -> list[Finding]:
    """Everything that the rows answer, in the report's order."""
    return [counting(study), wall_clock(study), generalization(study), *optimizers(study), *architectures(study)]
