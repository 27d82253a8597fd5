"""The questions, one file each: facts and verdicts, no prose."""

from collections.abc import Callable

from bakeoff.analysis.questions.architectures import architectures
from bakeoff.analysis.questions.counting import counting
from bakeoff.analysis.questions.depth import depth
from bakeoff.analysis.questions.finding import Finding
from bakeoff.analysis.questions.generalization import generalization
from bakeoff.analysis.questions.memory import memory
from bakeoff.analysis.questions.optimizers import optimizers
from bakeoff.analysis.questions.overfitting import overfitting
from bakeoff.analysis.questions.transformers import transformers
from bakeoff.analysis.questions.wall_clock import wall_clock
from bakeoff.analysis.rows import StudyRows

__all__ = ["QUESTIONS", "Finding", "Question", "answers", "findings"]

Question = Callable[[StudyRows], Finding | list[Finding]]
#: In the report's order.
QUESTIONS: tuple[Question, ...] = (
    *(counting, wall_clock, generalization, optimizers, architectures),
    *(transformers, depth, memory, overfitting),
)


def answers(question: Question, study: StudyRows) -> list[Finding]:
    """What a question finds in the rows, one or several."""
    found = question(study)
    return found if isinstance(found, list) else [found]


def findings(study: StudyRows) -> list[Finding]:
    """Everything that the rows answer."""
    return [finding for question in QUESTIONS for finding in answers(question, study)]
