"""The questions, one file each: facts and verdicts, no prose.

A file that answers a question has a `PLACE` among the others, and a function of the file's own name that takes the rows
and gives a finding, or several; the words are in a template. Nothing else has to know of it.
"""

import importlib
import pkgutil
from collections.abc import Callable

from bakeoff.analysis.questions.finding import Finding
from bakeoff.analysis.rows import StudyRows

__all__ = ["QUESTIONS", "Finding", "Question", "answers", "findings"]

Question = Callable[[StudyRows], Finding | list[Finding]]
_MODULES = {each.name: importlib.import_module(f"{__name__}.{each.name}") for each in pkgutil.iter_modules(__path__)}
_PLACES = {name: module.PLACE for name, module in _MODULES.items() if hasattr(module, "PLACE")}
#: In the report's order.
QUESTIONS: tuple[Question, ...] = tuple(
    getattr(_MODULES[name], name) for name in sorted(_PLACES, key=lambda name: _PLACES[name])
)


def answers(question: Question, study: StudyRows) -> list[Finding]:
    """What a question finds in the rows, one or several."""
    found = question(study)
    return found if isinstance(found, list) else [found]


def findings(study: StudyRows) -> list[Finding]:
    """Everything that the rows answer."""
    return [finding for question in QUESTIONS for finding in answers(question, study)]
