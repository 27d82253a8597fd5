"""What all figures share: colours, axes and a size. Charts are Vega-Lite, written as data."""

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bakeoff import metrics
from bakeoff.analysis.rows import Row, StudyRows

Json = dict[str, Any]

#: Okabe & Ito's colour-blind-safe set, one colour an optimizer in the order of the registry.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
#: The same hues, lighter, for a dark page; the page puts them in place of the ones above.
DARK_COLOURS = ("#4FA8DC", "#F0813A", "#2BC49A", "#DD9DC0", "#F0B93A", "#8CCBF0", "#F2F2F2")
#: Text, what is quiet beside it, lines of a grid, and what is under it all; the page replaces these as well.
INK, QUIET, GRID, PAPER = "#222222", "#666666", "#e2e2e2", "#ffffff"
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

_CONFIG = {
    # The face that comes with the renderer, so that text is as wide as it was measured.
    "font": "Liberation Sans, Arial, Helvetica, sans-serif",
    "aria": False,
    "autosize": "none",
    "background": PAPER,
    "view": {"stroke": None},
    "text": {"fontSize": 10},
    "title": {"fontSize": 12, "anchor": "start", "frame": "bounds", "fontWeight": 600, "color": INK},
    "axis": {"titleFontWeight": "normal", "titleFontSize": 11, "labelFlush": False, "gridColor": GRID}
    | {"tickColor": QUIET, "domainColor": QUIET, "labelColor": INK, "titleColor": INK},
}


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A figure as it is described.

    Attributes:
        name: Such as `01-epochs`: the names of its files.
        title: What it shows.
        caption: What is plotted, then what to see in this very study.
        spec: The picture, in Vega-Lite.
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


def chart(layers: list[Json], plot: float, **about: Any) -> Chart:  # noqa: ANN401
    """A figure of its layers, the backmost first; `about` as in `Chart`."""
    spec = {
        "width": plot,
        "height": HEIGHT,
        "padding": {"left": LEFT, "top": TOP, "right": SIZE[0] - LEFT - plot, "bottom": BOTTOM},
        "title": {"text": about["title"], "limit": SIZE[0] - 8},
        "layer": layers,
        "config": _CONFIG,
    }
    return Chart(spec=spec, plot=plot, **about)


def layer(mark: str, values: list[Json], channels: Json, name: str = "", **options: Any) -> Json:  # noqa: ANN401
    """Marks of one kind; by a name such as `run-5`, which is their class, the page finds what belongs to a run."""
    named = {"name": name} if name else {}
    return {**named, "data": {"values": values}, "mark": {"type": mark, **options}, "encoding": channels}


def as_is(field: str) -> Json:
    """A channel that values give as it is drawn: in pixels, or as a dash."""
    return {"field": field, "type": "quantitative", "scale": None, "axis": None}


# --- axes -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Axis:
    """An axis from one value to another; values above a vertical one, and below it, are cut off.

    Attributes:
        losses: Whether values are losses in nats per token, which are drawn as perplexity.
        log: Whether it is logarithmic.
        ticks: Where its numbers are; None for round places.
        format: How d3 writes them.
    """

    low: float
    high: float
    title: str
    losses: bool = False
    log: bool = False
    ticks: Sequence[float] | None = None
    format: str = "~r"

    def drawn(self, value: float) -> float:
        """What is drawn for a value."""
        return min(metrics.perplexity(value, 1), LARGEST) if self.losses else value

    def share(self, value: float) -> float:
        """Where a value is on it, from 0 at its low end to 1 at its high end; at an end if it is outside."""
        low, high, at = (math.log(x) if self.log else x for x in map(self.drawn, (self.low, self.high, value)))
        return min(max((at - low) / (high - low), 0.0), 1.0)

    def height(self, value: float) -> float:
        """Where a value is on a vertical axis, in pixels from the top of the plot."""
        return HEIGHT * (1 - self.share(value))

    def channel(self, field: str) -> Json:
        """The axis for a chart: of `x` or of `y`, which has a grid."""
        low, high = self.drawn(self.low), self.drawn(self.high)
        places = log_ticks(low, high) if self.log and self.ticks is None else self.ticks
        axis = {"grid": field == "y", "format": self.format, "tickCount": 6} | (
            {"values": list(places)} if places else {}
        )
        scale = {"type": "log" if self.log else "linear", "domain": [low, high], "nice": False}
        return {"field": field, "type": "quantitative", "title": self.title, "scale": scale, "axis": axis}


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


def dashes(kinds: Iterable[Any]) -> dict[Any, list[int]]:
    """How the lines of some kinds are dashed, such as those of some depths; the lowest are solid."""
    return dict(zip(sorted(set(kinds)), itertools.cycle(DASHES), strict=False))
