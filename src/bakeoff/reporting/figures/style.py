"""What all figures share: colours, axes and a size."""

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from bakeoff import metrics
from bakeoff.analysis.rows import Row, StudyRows
from bakeoff.shapes import Json

#: Okabe & Ito's colour-blind-safe set, one colour an optimizer of a study, in their order; an eighth has the first.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
#: The same hues, lighter, for a dark page; the page puts them in place of the ones above.
DARK_COLOURS = ("#4FA8DC", "#F0813A", "#2BC49A", "#DD9DC0", "#F0B93A", "#8CCBF0", "#F2F2F2")
#: Text, what is quiet beside it, lines of a grid, and what is under it all; the page replaces these as well.
INK, QUIET, GRID, PAPER = "#222222", "#666666", "#e2e2e2", "#ffffff"
#: The faces of a picture's text, of which the first that there is is taken: their letters are equally wide.
FACE = "Liberation Sans, Arial, Helvetica, sans-serif"
#: How lines are dashed and points are shaped, where several kinds are in one figure.
DASHES = ([1, 0], [6, 2], [2, 2], [8, 2, 2, 2], [1, 3])
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross")
#: Of a figure, and from its edges to the plot, in pixels; how much is to the right depends on what is said there.
SIZE, LEFT, TOP, BOTTOM = (420, 290), 54, 28, 38
HEIGHT = SIZE[1] - TOP - BOTTOM
#: No larger perplexity is ever drawn: it would be far outside of any axis, and no coordinate holds it.
LARGEST = 1e12
#: An axis of perplexity ends this far above the worst run's best, in nats per token, but little above the unigram.
ABOVE_WORST, MARGIN = 0.5, 0.1


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A figure as it is described.

    Attributes:
        name: Such as `01-epochs`: the names of its files.
        title: What it shows.
        caption: What is plotted, then what to see in this very study.
        spec: The picture, as `templates/figure.svg` draws it.
        plot: How wide the plot in it is, in pixels.
        experiment: The number of the one experiment that it shows, if it shows one.
        model: The one architecture that it shows, if it shows one.
        axis: `epochs` or `time`, where the figure exists over both.
    """

    name: str
    title: str
    caption: str
    spec: Json
    plot: float
    experiment: int | None = None
    model: str | None = None
    axis: str | None = None


@dataclass(frozen=True, kw_only=True)
class Figure(Chart):
    """A figure as it is seen: `svg` is the picture itself."""

    svg: str


# --- axes -------------------------------------------------------------------------------------------------------------


def decimal(value: float) -> str:
    """A number beside an axis, in six digits at most and without an exponent: `0.001`, `2000`, `−0.2`."""  # noqa: RUF002
    return format(Decimal(f"{value:.6g}"), "f").replace("-", "−")  # noqa: RUF001 (the sign of minus)


def scaled(value: float) -> str:
    """A large number beside an axis: `500k`, `1.5M`."""
    for factor, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= factor:
            return f"{decimal(value / factor)}{letter}"
    return decimal(value)


@dataclass(frozen=True, kw_only=True)
class Axis:
    """An axis from one value to another; what is outside is cut off.

    Attributes:
        losses: Whether values are losses in nats per token, which are drawn as perplexity.
        log: Whether it is logarithmic.
        ticks: Where its numbers are; None for round places.
        written: How they are written.
    """

    low: float
    high: float
    title: str
    losses: bool = False
    log: bool = False
    ticks: Sequence[float] | None = None
    written: Callable[[float], str] = decimal

    def drawn(self, value: float) -> float:
        """What is drawn for a value."""
        return min(metrics.perplexity(value, 1), LARGEST) if self.losses else value

    def place(self, value: float) -> float:
        """Where a value is on it: 0 at its low end, 1 at its high end."""
        return self._place(self.drawn(value))

    def share(self, value: float) -> float:
        """The same; at an end if it is outside."""
        return min(max(self.place(value), 0.0), 1.0)

    def height(self, value: float) -> float:
        """Where a value is on a vertical axis, in pixels from the top of the plot; at an end if it is outside."""
        return HEIGHT * (1 - self.share(value))

    def numbers(self) -> list[tuple[float, str]]:
        """Its numbers: where they are, from 0 to 1, and how they are written."""
        low, high = self.drawn(self.low), self.drawn(self.high)
        ticks = self.ticks if self.ticks is not None else (log_ticks if self.log else round_ticks)(low, high)
        return [(self._place(tick), self.written(tick)) for tick in ticks if low <= tick <= high]

    def _place(self, drawn: float) -> float:
        ends = self.drawn(self.low), self.drawn(self.high)
        low, high, at = (math.log(x) if self.log else x for x in (*ends, drawn))
        return (at - low) / (high - low)


def contest(study: StudyRows, rows: Sequence[Row], *, train: bool = False) -> Axis:
    """Perplexity from below what is lowest to above the worst run's best: where the first steps lead from is cut off.

    Args:
        study: All rows, for the floors.
        rows: Those that the axis is for; each has a history. Runs that did not finish do not stretch it.
        train: Whether train is shown as well.
    """
    kept = [row for row in rows if row.finished] or rows
    best = [row.best_point.valid.loss for row in kept]
    trained = [point.train.loss for row in kept for point in row.history] if train else []
    low = min(*best, *trained, study.lowest_floor.valid.loss)
    return perplexity(low - MARGIN, min(max(best) + ABOVE_WORST, study.unigram.valid.loss + MARGIN))


def perplexity(low: float, high: float) -> Axis:
    """An axis of perplexity from one loss to another, long enough to show something."""
    high = max(high, low + ABOVE_WORST)
    return Axis(low=low, high=high, title="perplexity per token (log scale)", losses=True, log=True)


def round_ticks(low: float, high: float) -> list[float]:
    """Some six multiples of 1, 2 or 5 times a power of ten between two values."""
    wanted = (high - low) / 6
    size = 10.0 ** math.floor(math.log10(wanted))
    step = size * min((1, 2, 5, 10), key=lambda factor: abs(math.log(wanted / size / factor)))
    return [place * step for place in range(math.ceil(low / step), math.floor(high / step) + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times the powers of ten between two values, or finer where that leaves fewer than four."""
    for factors in ((1, 2, 5), (1, 1.5, 2, 3, 5, 7)):
        found = [factor * power for power in decades(low, high) for factor in factors if low <= factor * power <= high]
        if len(found) > 3:  # noqa: PLR2004
            return found
    # So few are left only where the axis is short, and round places are as good as equal factors.
    size = 10.0 ** math.floor(math.log10((high - low) / 6))
    for step in (10 * size, 5 * size, 2 * size, size):
        found = [place * step for place in range(math.ceil(low / step), math.floor(high / step) + 1)]
        if len(found) > 2:  # noqa: PLR2004
            break
    return found


def decades(low: float, high: float) -> list[float]:
    """The powers of ten around two values."""
    return [10.0**place for place in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]


# --- colours, dashes, shapes ------------------------------------------------------------------------------------------


def colours(study: StudyRows) -> dict[str, str]:
    """The colour of each optimizer, by its title."""
    return dict(zip(study.optimizer_titles, itertools.cycle(COLOURS), strict=False))


def shapes(study: StudyRows) -> dict[str, str]:
    """The shape of each architecture, by its title."""
    return dict(zip(dict.fromkeys(row.model_title for row in study.rows), itertools.cycle(SHAPES), strict=False))


def outline(shape: str, area: float) -> str:
    """The path of a shape around 0, 0: about so many square pixels of it."""
    half = math.sqrt(area) / 2
    return {
        "circle": f"M{half:.2f},0A{half:.2f},{half:.2f},0,1,1,{-half:.2f},0A{half:.2f},{half:.2f},0,1,1,{half:.2f},0Z",
        "square": f"M{-half:.2f},{-half:.2f}h{2 * half:.2f}v{2 * half:.2f}h{-2 * half:.2f}Z",
        "triangle-up": f"M0,{-0.87 * half:.2f}L{-half:.2f},{0.87 * half:.2f}H{half:.2f}Z",
        "diamond": f"M{-half:.2f},0L0,{-half:.2f}L{half:.2f},0L0,{half:.2f}Z",
        "cross": "M{0},{1}V{2}H{1}V{0}H{2}V{1}H{3}V{2}H{2}V{3}H{1}V{2}H{0}Z".format(
            *(f"{half * share:.2f}" for share in (-1, -0.4, 0.4, 1))
        ),
    }[shape]


def dashes(kinds: Iterable[Any]) -> dict[Any, list[int]]:
    """How the lines of some kinds are dashed, such as those of some depths; the lowest are solid."""
    return dict(zip(sorted(set(kinds)), itertools.cycle(DASHES), strict=False))
