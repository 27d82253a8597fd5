"""All figures of a report."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass

from bakeoff.analysis.rows import StudyRows
from bakeoff.reporting.figures import costs, curves, deciles, depth, overlays, pictures, rates, reported
from bakeoff.reporting.figures.style import Chart, Figure
from bakeoff.reporting.reuse import Reuse

#: The renderer can be in one thread at a time.
ONE_AT_A_TIME = threading.Lock()


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


def draw(study: StudyRows, kept: Reuse) -> Figures:
    """Draw every figure that the rows allow, as files of the report; what is kept of the one before is not rendered."""

    def drawn(charts: Iterable[Chart]) -> tuple[Figure, ...]:
        return tuple(pictures.render(chart, kept) for chart in charts)

    with ONE_AT_A_TIME:
        alone = drawn(curves.draw(study))
        return Figures(
            overlays=drawn(overlays.draw(study)),
            study=drawn(chart for kind in (costs, depth, deciles, rates, reported) for chart in kind.draw(study)),
            alone=alone,
            panels=tuple(map(curves.small, alone)),
        )
