"""All figures of a report."""

from dataclasses import dataclass
from pathlib import Path

from altair.utils.schemapi import debug_mode

from bakeoff.analysis.rows import StudyRows
from bakeoff.report import comparisons, curves, deciles, depth, overlays, sensitivity
from bakeoff.report.curves import Panel
from bakeoff.report.style import Figure


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What was drawn, in the order in which the report shows and numbers it.

    Attributes:
        overlays: All runs of an architecture, over epochs and over time.
        study: Runs side by side: costs, depth, frequency of tokens, learning rates.
        alone: Each experiment over epochs and over time.
        panels: The same small; they have no number and lie in no file.
    """

    overlays: tuple[Figure, ...]
    study: tuple[Figure, ...]
    alone: tuple[Figure, ...]
    panels: tuple[Panel, ...]

    @property
    def numbered(self) -> tuple[Figure, ...]:
        """All of them; a figure's number is its place here, counted from 1."""
        return (*self.overlays, *self.study, *self.alone)


def draw(study: StudyRows, folder: Path) -> Figures:
    """Draw and write every figure that the rows allow."""
    folder.mkdir(parents=True, exist_ok=True)
    # Checking every part of a chart against the schema at every step takes longer than drawing it.
    with debug_mode(False):
        return _draw(study, folder)


def _draw(study: StudyRows, folder: Path) -> Figures:
    pairs = list(curves.draw(study, folder))
    kinds = (comparisons, depth, deciles, sensitivity)
    return Figures(
        overlays=tuple(overlays.draw(study, folder)),
        study=tuple(figure for kind in kinds for figure in kind.draw(study, folder)),
        alone=tuple(figure for figure, _ in pairs),
        panels=tuple(panel for _, panel in pairs),
    )
