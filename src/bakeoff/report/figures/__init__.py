"""All figures of a report."""

from dataclasses import dataclass
from pathlib import Path

from bakeoff.analysis.rows import StudyRows
from bakeoff.report.figures import costs, curves, deciles, depth, overlays, rates
from bakeoff.report.figures.style import Figure


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What was drawn, in the order in which the report shows and numbers it.

    Attributes:
        overlays: All runs of an architecture, over epochs and over time.
        study: Runs side by side: costs, depth, frequency of tokens, learning rates.
        alone: Each experiment over epochs and over time.
        panels: The same small, for the page: they have no number and lie in no file.
    """

    overlays: tuple[Figure, ...]
    study: tuple[Figure, ...]
    alone: tuple[Figure, ...]
    panels: tuple[Figure, ...]

    @property
    def numbered(self) -> tuple[Figure, ...]:
        """All of them; a figure's number is its place here, counted from 1."""
        return (*self.overlays, *self.study, *self.alone)


def draw(study: StudyRows, folder: Path) -> Figures:
    """Draw and write every figure that the rows allow."""
    folder.mkdir(parents=True, exist_ok=True)
    alone = tuple(curves.draw(study, folder))
    return Figures(
        overlays=tuple(overlays.draw(study, folder)),
        study=tuple(figure for kind in (costs, depth, deciles, rates) for figure in kind.draw(study, folder)),
        alone=alone,
        panels=tuple(map(curves.small, alone)),
    )
