"""Findings: questions answered from rows, each with a verdict and what it rests on."""

from bakeoff.analysis.findings.counting import beats_counting
from bakeoff.analysis.findings.finding import Conjecture, Finding
from bakeoff.analysis.rows import StudyRows

__all__ = ["Conjecture", "Finding", "findings"]


def findings(study: StudyRows) -> list[Finding]:
    """Everything that the rows answer, in the report's order."""
    return [beats_counting(study)]
