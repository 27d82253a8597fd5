"""Findings: questions answered from rows, each with a verdict and what it rests on."""

from bakeoff.analysis.findings.architectures import architectures
from bakeoff.analysis.findings.contrasts import optimizers
from bakeoff.analysis.findings.counting import beats_counting
from bakeoff.analysis.findings.depth import depths
from bakeoff.analysis.findings.finding import Conjecture, Finding
from bakeoff.analysis.findings.generalization import generalizes_best
from bakeoff.analysis.findings.memory import memory
from bakeoff.analysis.findings.overfitting import overfitting
from bakeoff.analysis.findings.speed import wall_clock
from bakeoff.analysis.findings.transformers import transformers
from bakeoff.analysis.rows import StudyRows

__all__ = ["Conjecture", "Finding", "findings"]


def findings(study: StudyRows) -> list[Finding]:
    """Everything that the rows answer, in the report's order."""
    return [
        beats_counting(study),
        wall_clock(study),
        generalizes_best(study),
        *optimizers(study),
        *architectures(study),
        *transformers(study),
        *depths(study),
        memory(study),
        *overfitting(study),
    ]
