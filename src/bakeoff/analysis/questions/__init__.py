"""The questions, one file each: facts and verdicts, no prose.

A file that answers a question has a `PLACE` among the others, and a function of the file's own name that takes the rows
and gives a finding, or several; the words are in a template. Nothing else has to know of it.
"""

import importlib
import pkgutil

from bakeoff.analysis.questions.finding import Finding
from bakeoff.analysis.rows import StudyRows

__all__ = ["Finding", "findings"]


def findings(study: StudyRows) -> list[Finding]:
    """Everything that the rows answer, in the order of the questions' places."""
    modules = {
        found.name: importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)
    }
    places = {name: module.PLACE for name, module in modules.items() if hasattr(module, "PLACE")}
    answers = [getattr(modules[name], name)(study) for name in sorted(places, key=lambda name: places[name])]
    return [found for answer in answers for found in (answer if isinstance(answer, list) else [answer])]
