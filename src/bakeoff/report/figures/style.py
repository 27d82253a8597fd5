"""What all figures share: colours, axes, labels, and how they get onto the disk. Charts are Vega-Lite, written as data."""

import itertools
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import vl_convert as vlc

from bakeoff import metrics, words
from bakeoff.analysis.rows import Row, StudyRows

Json = dict[str, Any]

#: Okabe & Ito's colour-blind-safe set, one colour an optimizer in the order of the registry.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
#: The same hues, lighter, for a dark page; the page puts them in place of the ones above.
DARK_COLOURS = ("#4FA8DC", "#F0813A", "#2BC49A", "#DD9DC0", "#F0B93A", "#8CCBF0", "#F2F2F2")
#: Text, what is quiet beside it, lines of a grid, and what is under it all; the page replaces these as well.
INK, QUIET, GRID, PAPER = "#222222", "#666666", "#e2e2e2", "#ffffff"
#: How lines are dashed, and how points are shaped, where several kinds are in one figure.
DASHES = ([1, 0], [6, 2], [2, 2], [8, 2, 2, 2], [1, 3])
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross")
#: Of a figure, and from its edges to the plot, in pixels; how much is to the right depends on the labels there.
SIZE, LEFT, TOP, BOTTOM = (420, 290), 54, 28, 38
HEIGHT = SIZE[1] - TOP - BOTTOM
#: Pixels of a PNG for each pixel of the SVG.
PNG_SCALE = 1.5
#: The face that comes with the renderer, so that text is as wide as it was measured; of a letter of a label, in pixels.
FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
LETTER, LINE = 5.6, 12.0
#: From the plot to its labels, with and without a sample of the line between; and the most that labels may take.
NEAR, FAR, WIDEST = 12, 32, 200
#: The contest is shown from this far above the worst run, in nats per token, but hardly more than the unigram.
ABOVE_WORST, ABOVE_UNIGRAM, BELOW_LOWEST = 0.5, 0.1, 0.06
#: The floors that stay readable beside many runs.
FEW = ("unigram", "kn3", "kn3+cache")
#: No larger perplexity is ever drawn: it would be far outside of any axis, and no coordinate holds it.
LARGEST = 1e12

#: What powers of ten are multiplied with for the ticks of a logarithmic axis: the first of these that is fine enough.
_FACTORS = (
    (1, 2, 5),
    (1, 1.5, 2, 3, 5, 7),
    (1, 1.2, 1.4, 1.6, 1.8, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 9),
    tuple(n / 10 for n in range(10, 100)),
)
#: Attributes of SVG that hold coordinates, and numbers in them that are longer than anyone can see.
_COORDINATES = re.compile(r' (?:d|transform|x|y|x2|y2)="[^"]*"')
_LONG = re.compile(r"-?\d+\.\d{3,}")


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure on disk.

    Attributes:
        name: Such as `01-epochs`: the names of its files.
        title: What it shows.
        caption: What is plotted, then what to see in this very study.
        svg: The picture itself.
        linear: The same with a linear axis for perplexity, for the page; empty where there is none.
        experiment: The number of the one experiment that it shows, if it shows one.
        model: The one architecture that it shows, if it shows one.
        axis: `epochs` or `time`, where the figure exists over both.
        plot: How wide the plot is, in pixels: a small panel shows nothing of what is beside it.
    """

    name: str
    title: str
    caption: str
    svg: str
    linear: str = ""
    experiment: int | None = None
    model: str | None = None
    axis: str | None = None
    plot: float = 0.0


def write(
    folder: Path, layers: list[Json], *, name: str, right: float, linear: list[Json] | None = None, **about: Any
) -> Figure:  # noqa: ANN401
    """Draw a figure and write it as SVG and PNG.

    Args:
        folder: Where to.
        layers: What it consists of, from the back to the front.
        name: Of the figure and its files.
        right: Pixels beside the plot.
        linear: The same with a linear axis, if there is one.
        about: What else `Figure` tells.
    """
    svg = draw(layers, name, about["title"], right)
    (folder / f"{name}.svg").write_text(svg, encoding="utf-8")
    (folder / f"{name}.png").write_bytes(vlc.svg_to_png(svg, scale=PNG_SCALE))
    twin = draw(linear, f"{name}-linear", about["title"], right) if linear else ""
    return Figure(name=name, svg=svg, linear=twin, plot=width(right), **about)


def draw(layers: list[Json], name: str, title: str, right: float) -> str:
    """Layers as SVG that can stand with others in one page.

    Coordinates are rounded to a hundredth of a pixel, and what the picture refers to inside itself gets the figure's
    name, as such names are shared by a whole page.
    """
    spec = {
        **{"width": width(right), "height": HEIGHT, "autosize": "none", "background": PAPER},
        "padding": {"left": LEFT, "top": TOP, "right": right, "bottom": BOTTOM},
        "title": {"text": title, "limit": SIZE[0] - 8},
        **{"config": _CONFIG, "layer": layers},
    }
    rounded = _COORDINATES.sub(lambda match: _LONG.sub(_rounded, match[0]), vlc.vegalite_to_svg(spec))
    return re.sub(r'(id="|url\(#)clip', rf"\g<1>{name}-clip", rounded)


def _rounded(number: re.Match[str]) -> str:
    return f"{float(number[0]):.2f}"


def as_pdf(svg: str) -> bytes:
    """A picture as a PDF of one page, with its fonts."""
    return bytes(vlc.svg_to_pdf(svg))


# --- layers and channels ----------------------------------------------------------------------------------------------


def layer(mark: str, values: list[Json], encoding: Json, *, name: str = "", **options: Any) -> Json:  # noqa: ANN401
    """Marks of one kind.

    Args:
        mark: Their kind.
        values: One a mark, or one a corner of a line.
        encoding: Where and how each is drawn.
        name: What the drawing calls them, as a class: by `run-5` the page finds what belongs to experiment 5.
        options: The same for all of them.
    """
    named = {"name": name} if name else {}
    return {**named, "data": {"values": values}, "mark": {"type": mark, **options}, "encoding": encoding}


def points(values: list[Json], channels: Json, **options: Any) -> Json:  # noqa: ANN401
    """Points that say what each of them has as `told` to whoever points at it."""
    telling = channels | {"description": {"field": "told"}}
    return layer("point", values, telling, **{"filled": True, "opacity": 1, "aria": True, "clip": True} | options)


def corner(row: Row, x: float, loss: float) -> Json:
    """A corner of a run's line, or a point on it."""
    return {"x": x, "perplexity": perplexity(loss), "seed": row.seed}


def quantity(field: str, **about: Any) -> Json:  # noqa: ANN401
    """A channel that is a number of each value."""
    return {"field": field, "type": "quantitative", **about}


def as_is(field: str) -> Json:
    """A channel that each value already gives as it is drawn: pixels, a colour, a size."""
    return {"field": field, "type": "quantitative", "scale": None, "axis": None}


def named(field: str, title: str, kinds: Mapping[str, object], **legend: Any) -> Json:  # noqa: ANN401
    """A channel that is a name of each value, such as an optimizer's title, by how each name is drawn."""
    scale = {"domain": list(kinds), "range": list(kinds.values())}
    return {"field": field, "type": "nominal", "title": title, "scale": scale, "legend": legend}


def linear_axis(title: str, high: float, *, whole: bool) -> Json:
    """A horizontal axis of `x` from zero, with room for a point at its end."""
    ticked = {"grid": False, "format": "~r", "values": steps(high, whole=whole)}
    return quantity("x", title=title, scale={"domain": [0, high * 1.02], "nice": False}, axis=ticked)


def log_axis(title: str, low: float, high: float, style: str = "~r") -> Json:
    """A horizontal logarithmic axis of `x`, with numbers in some style of d3."""
    ticked = {"grid": False, "format": style, "values": ticks(low, high)}
    scale = {"type": "log", "domain": [low, high], "nice": False}
    return quantity("x", title=f"{title} (log scale)", scale=scale, axis=ticked)


def ticks(low: float, high: float) -> list[float]:
    """Round places between two values, at least four if any: such as 1, 2 and 5 times the powers of ten."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found = ([f * 10.0**d for d in decades for f in factors if low <= f * 10.0**d <= high] for factors in _FACTORS)
    return next((places for places in found if len(places) > 3), [low, high])  # noqa: PLR2004


def decades(low: float, high: float) -> list[float]:
    """The powers of ten around two values."""
    return [10.0**place for place in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]


def steps(high: float, *, whole: bool) -> list[float]:
    """Round places from 0 to `high`, about six."""
    size = 10.0 ** math.floor(math.log10(high / 6)) if high > 0 else 1.0
    step = next(factor * size for factor in (1, 2, 5, 10) if factor * size >= high / 7)
    step = max(step, 1.0) if whole else step
    return [place * step for place in range(math.floor(high / step + 1e-9) + 1)]


# --- perplexity -------------------------------------------------------------------------------------------------------


def perplexity(loss: float) -> float:
    """Of a loss in nats per token; never more than a coordinate can hold."""
    return min(metrics.perplexity(loss, 1), LARGEST)


@dataclass(frozen=True, kw_only=True)
class PerplexityAxis:
    """The vertical axis of `perplexity`, between two losses in nats per token."""

    low: float
    high: float
    title: str = "perplexity per token"
    linear: bool = False

    def encoding(self) -> Json:
        """The channel: logarithmic with ticks at 1, 2 and 5 times the powers of ten, or linear."""
        low, high = perplexity(self.low), perplexity(self.high)
        if self.linear:
            return quantity("perplexity", title=self.title, scale={"domain": [low, high], "nice": False})
        scale = {"type": "log", "domain": [low, high], "nice": False}
        return quantity(
            "perplexity", title=f"{self.title} (log scale)", scale=scale, axis={"values": ticks(low, high)}
        )

    def place(self, loss: float) -> float:
        """Where a loss is, in pixels from the top of the plot; at the edge if it is outside."""
        low, high, at = (perplexity(x) if self.linear else x for x in (self.low, self.high, loss))
        return HEIGHT * min(max((high - at) / (high - low), 0.0), 1.0)

    def cuts(self, loss: float) -> bool:
        """Whether a loss is above the axis."""
        return loss > self.high


@dataclass(frozen=True, kw_only=True)
class Linear:
    """A vertical axis of some field, a little longer than from `low` to `high`."""

    low: float
    high: float
    field: str
    title: str

    @property
    def domain(self) -> tuple[float, float]:
        """Its ends; zero stays one."""
        room = 0.05 * (self.high - self.low) or 1.0
        return self.low - room if self.low else 0.0, self.high + room

    def encoding(self) -> Json:
        """The channel."""
        return quantity(self.field, title=self.title, scale={"domain": list(self.domain), "nice": False})

    def place(self, value: float) -> float:
        """Where a value is, in pixels from the top of the plot."""
        low, high = self.domain
        return HEIGHT * (high - value) / (high - low)


def contest(study: StudyRows, rows: Iterable[Row], *, train: bool = False) -> PerplexityAxis:
    """From below what is lowest to above the worst run's best evaluation: where the first steps led is cut off.

    Args:
        study: All rows, for the floors.
        rows: Those that the axis is for; each has a history. Runs that are not over do not stretch it.
        train: Whether train is shown as well.
    """
    over = [row for row in rows if row.finished] or list(rows)
    lowest = [row.best_point.valid.loss for row in over]
    trained = [point.train.loss for row in over for point in row.history] if train else []
    low = min(*lowest, *trained, study.lowest_floor.valid.loss)
    high = min(max(lowest) + ABOVE_WORST, study.unigram.valid.loss + ABOVE_UNIGRAM)
    return PerplexityAxis(low=low - BELOW_LOWEST, high=max(high, low + ABOVE_WORST))


# --- labels -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Label:
    """A label to the right of the plot.

    Attributes:
        text: What it says.
        y: Where what it names is, in pixels from the top.
        colour: Of the text.
        dash: How the line that it names is dashed: a sample stands before the text. None for a line that ends where
            the plot does, from which a leader comes.
    """

    text: str
    y: float
    colour: str = QUIET
    dash: list[int] | None = None

    @property
    def offset(self) -> int:
        """Pixels from the plot to the text."""
        return FAR if self.dash else NEAR


def beside(labels: Sequence[Label]) -> float:
    """Pixels that labels need beside the plot."""
    return min(max((label.offset + LETTER * len(label.text) + 12 for label in labels), default=NEAR), WIDEST)


def width(right: float) -> float:
    """Of the plot, with so much beside it."""
    return SIZE[0] - LEFT - right


def column(labels: Sequence[Label], right: float) -> list[Json]:
    """Labels beside the plot, each as near to what it names as the others allow, after a leader or a sample."""
    edge = width(right)
    places = spread([label.y for label in labels], distance=LINE, low=LINE / 2, high=HEIGHT - LINE / 2 + 6)
    values = [
        {"text": label.text, "y": label.y, "place": place, "colour": label.colour, "dash": label.dash or [1, 0]}
        | {"x": edge + label.offset, "limit": right - label.offset}
        for label, place in zip(labels, places, strict=True)
    ]
    leaders, samples = ([v for v, label in zip(values, labels, strict=True) if bool(label.dash) == sampled] for sampled in (False, True))
    colour, y = {"field": "colour", "type": "nominal", "scale": None}, as_is("place")
    leading = {"x": {"value": edge}, "x2": {"value": edge + NEAR - 2}, "y": as_is("y"), "y2": {"field": "place"}}
    dashed = {"x": {"value": edge + NEAR}, "x2": {"value": edge + FAR - 4}, "y": y, "color": colour}
    return [
        layer("rule", leaders, leading, name="beside-1", strokeWidth=0.6, color=QUIET),
        layer("rule", samples, dashed | {"strokeDash": {"field": "dash", "scale": None}}, name="beside-2", strokeWidth=1.6),
        layer(
            "text",
            values,
            {"x": as_is("x"), "y": y, "text": {"field": "text"}, "color": colour},
            name="beside-3",
            align="left",
            baseline="middle",
            limit={"expr": "datum.limit"},
        ),
    ]


def spread(places: Sequence[float], *, distance: float, low: float, high: float) -> list[float]:
    """Move labels as little as keeps them a distance apart, in order, and between `low` and `high`.

    The least squares of what they are moved by: an isotonic regression, by pooling neighbours that violate the order.
    """
    distance = min(distance, (high - low) / max(1, len(places) - 1))
    order = sorted(range(len(places)), key=lambda place: places[place])
    pools: list[tuple[float, int]] = []
    for rank, place in enumerate(order):
        pool = (places[place] - rank * distance, 1)
        while pools and pools[-1][0] >= pool[0]:
            (mean, count), (other, more) = pools.pop(), pool
            pool = ((mean * count + other * more) / (count + more), count + more)
        pools.append(pool)
    means = [mean for mean, count in pools for _ in range(count)]
    highest = high - distance * (len(places) - 1)
    moved = {place: min(max(means[rank], low), highest) + rank * distance for rank, place in enumerate(order)}
    return [moved[place] for place in range(len(places))]


def deep(row: Row) -> str:
    """What a label adds for a model of several layers."""
    return f" \N{MULTIPLICATION SIGN}{row.layers}" if row.layers > 1 else ""


def floors(study: StudyRows, y: PerplexityAxis, names: tuple[str, ...] = ()) -> tuple[list[Json], list[Label]]:
    """A thin line for each floor on valid that the axis reaches, and its label.

    Args:
        study: All rows.
        y: The axis.
        names: Of the floors to show; all of them if empty.
    """
    shown = [f for f in study.baselines if (not names or f.name in names) and y.low < f.valid.loss < y.high]
    values = [{"perplexity": floor.valid.perplexity} for floor in shown]
    labels = [Label(text=f"{f.name} {words.number(f.valid.perplexity)}", y=y.place(f.valid.loss)) for f in shown]
    return [layer("rule", values, {"y": y.encoding()}, color=QUIET, strokeWidth=0.7)] if shown else [], labels


# --- colours ----------------------------------------------------------------------------------------------------------


def colours(study: StudyRows) -> dict[str, str]:
    """The colour of each optimizer, by its title."""
    return dict(zip(study.optimizer_titles, itertools.cycle(COLOURS), strict=False))


def shapes(study: StudyRows) -> dict[str, str]:
    """The shape of each architecture, by its title."""
    return dict(zip(dict.fromkeys(row.model_title for row in study.rows), itertools.cycle(SHAPES), strict=False))


def by_depth(study: StudyRows) -> dict[int, list[int]]:
    """How the lines of each depth are dashed, where architectures differ otherwise."""
    return dict(zip(sorted({row.layers for row in study.rows}), itertools.cycle(DASHES), strict=False))


def dashes(rows: Iterable[Row]) -> dict[tuple[str, int], list[int]]:
    """How the lines of each architecture and depth are dashed, in one figure; the shallowest are solid."""
    kinds = sorted({(row.model_title, row.layers) for row in rows}, key=lambda kind: (kind[1], kind[0]))
    return dict(zip(kinds, itertools.cycle(DASHES), strict=False))


_INK = {"labelColor": INK, "titleColor": INK}
_CONFIG = {
    "font": FONT,
    "aria": False,
    "view": {"stroke": None},
    "text": {"fontSize": 10},
    "axis": {
        **{"titleFontWeight": "normal", "labelFontSize": 10, "titleFontSize": 11, "labelFlush": False},
        **{"gridColor": GRID, "tickColor": QUIET, "domainColor": QUIET, **_INK},
    },
    "legend": {
        **{"labelFontSize": 10, "titleFontSize": 10, "titleFontWeight": "normal", "symbolOpacity": 1, "offset": 10},
        **{"symbolBaseFillColor": INK, "symbolBaseStrokeColor": INK, **_INK},
    },
    "title": {"fontSize": 12, "anchor": "start", "frame": "bounds", "fontWeight": 600, "color": INK},
}
