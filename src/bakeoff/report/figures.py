"""All figures of a report."""

from pathlib import Path

from bakeoff.analysis.rows import StudyRows
from bakeoff.report import curves, sensitivity
from bakeoff.report.style import Figure


def draw(study: StudyRows, folder: Path) -> list[Figure]:
    """Draw and write every figure that the rows allow."""
    folder.mkdir(parents=True, exist_ok=True)
    return [*curves.draw(study, folder), *sensitivity.draw(study, folder)]
