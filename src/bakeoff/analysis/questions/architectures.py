"""Architectures at equal budget: first with nothing else changed, then the best of each."""

import dataclasses
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import fmean

from bakeoff.analysis import timing
from bakeoff.analysis.evaluations import Baseline, curve
from bakeoff.analysis.questions.finding import Finding, evidence, link
from bakeoff.analysis.questions.pair import Pair
from bakeoff.analysis.rows import Repeats, StudyRows
from bakeoff.analysis.statistics import Comparison

#: Sizes that differ by no more than this are called equal.
SAME_SIZE = 0.1


@dataclass(frozen=True, kw_only=True)
class Match(Pair):
    """An experiment of one architecture against one of another.

    Attributes:
        alike: Whether optimizer and depth are the same; else each is the best of its architecture.
    """

    alike: bool

    @property
    def floors(self) -> tuple[tuple[Baseline | None, Baseline | None], ...]:
        """For each side the lowest floor that it beats on valid, and the next that it does not."""
        ...

    @property
    def microseconds(self) -> tuple[float, float] | None:
        """Of training a token, on each side; None where the clock of a run does not count."""

    @property
    def same_size(self) -> bool:
        """..."""

    @property
    def by_settings(self) -> ...
