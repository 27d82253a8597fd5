"""The questions, one file each: facts and verdicts, no prose."""

from collections.abc import Callable

from bakeoff.analysis.questions.finding import Finding
from bakeoff.analysis.questions.generalization import generalization
from bakeoff.analysis.rows import StudyRows

__all__ = ["QUESTIONS", "Finding", "Question"]

Question = Callable[[StudyRows], Finding | list[Finding]]
#: Everything that the rows answer, in the report's order.
QUESTIONS: tuple[Question, ...] = (generalization,)
