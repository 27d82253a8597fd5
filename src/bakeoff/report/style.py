"""What all figures share: colours, axes, type, and how they get onto the disk."""

import copy
import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import altair as alt
import vl_convert as vlc

Json = dict[str, Any]

#: Okabe & Ito's colour-blind-safe set, one colour an optimizer in the order of the registry.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
#: The same hues, lighter, for a dark page; the page puts them in place of the ones above.
DARK_COLOURS = ("#4FA8DC", "#F0813A", "#2BC49A", "#DD9DC0", "#F0B93A", "#8CCBF0", "#F2F2F2")
#: Text, what is quiet beside it, and lines of a grid; the page replaces these as well.
INK, QUIET, GRID = "#222222", "#666666", "#e2e2e2"
#: How the lines of different depths are dashed, wherever several are in one figure.
DASHES = ([1, 0], [7, 3], [2, 2], [9, 3, 2, 3])
#: Of a whole figure and of a small one, in pixels.
SIZE, SMALL_SIZE = (400, 275), (184, 138)
#: Pixels of a PNG for each pixel of the SVG.
PNG_SCALE = 2
#: The face that comes with the renderer, so that text is as wide as it was measured.
FONT = "Liberation Sans, Arial, Helvetica, sans-serif"

#: Attributes of SVG that hold coordinates, and numbers in them that are longer than anyone can see.
_COORDINATES = re.compile(r' (?:d|transform|x|y|x2|y2)="[^"]*"')
_LONG = re.compile(r"-?\d+\.\d{3,}")

_INFINITE = (math.inf, -math.inf)
#: How often labels that touch are pushed apart.
_ROUNDS = 40

Chart = alt.LayerChart | alt.FacetChart


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
    """

    name: str
    title: str
    caption: str
    svg: str
    linear: str = ""
    experiment: int | None = None
    model: str | None = None
    axis: str | None = None


@dataclass(frozen=True, kw_only=True)
class PerplexityAxis:
    """The vertical axis of perplexity, from `low` to `high`; a linear one begins at zero and ends at `linear_high`."""

    low: float
    high: float
    linear_high: float
    title: str = "perplexity per token"

    def encoding(self, *, linear: bool = False) -> alt.Y:
        """The axis: logarithmic with ticks at 1, 2 and 5 times the powers of ten, or linear."""
        if linear:
            scale = alt.Scale(domain=(0, self.linear_high), nice=False)
            return alt.Y("perplexity:Q", title=self.title, scale=scale)
        scale = alt.Scale(type="log", domain=(self.low, self.high), nice=False)
        axis = alt.Axis(values=ticks(self.low, self.high))
        return alt.Y("perplexity:Q", title=f"{self.title} (log scale)", scale=scale, axis=axis)


def ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times the powers of ten between two values; where that leaves fewer than two, 1 to 9 times."""
    few, many = (_multiples(low, high, factors) for factors in ((1, 2, 5), range(1, 10)))
    return few if len(few) > 1 else many


def _multiples(low: float, high: float, factors: Iterable[int]) -> list[float]:
    """Those multiples of the powers of ten that lie between two values."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    values = [factor * 10.0**decade for decade in decades for factor in factors]
    return [value for value in values if low <= value <= high]


def steps(high: float, *, whole: bool) -> list[float]:
    """Round places from 0 to `high`, about six."""
    size = 10.0 ** math.floor(math.log10(high / 6)) if high > 0 else 1.0
    step = next(factor * size for factor in (1, 2, 5, 10) if factor * size >= high / 7)
    step = max(step, 1.0) if whole else step
    return [place * step for place in range(math.floor(high / step + 1e-9) + 1)]


def chart(values: list[Json], name: str = "") -> alt.Chart:
    """A chart of some values, to be given a mark.

    The values are handed on as one text, which altair does not copy and check again at every step; a number that no
    float holds is a gap.

    Args:
        values: Records of text and numbers.
        name: What the drawing calls the marks, as a class.
    """
    finite = [{key: None if value in _INFINITE else value for key, value in record.items()} for record in values]
    data = alt.InlineData(values=json.dumps(finite, allow_nan=False), format=alt.JsonDataFormat())
    return alt.Chart(data, name=name) if name else alt.Chart(data)


def write(chart: Chart, folder: Path, *, name: str, y: PerplexityAxis | None = None, **about: Any) -> Figure:  # noqa: ANN401
    """Draw a chart and write it as SVG and PNG.

    Args:
        chart: What to draw, with a logarithmic axis for perplexity if it has one.
        folder: Where to.
        name: Of the figure and its files.
        y: The axis to make linear in the figure's second form; None for a figure that has only one form.
        about: What else `Figure` tells.
    """
    spec = as_spec(chart, title=about["title"])
    svg = draw(spec, name)
    (folder / f"{name}.svg").write_text(svg, encoding="utf-8")
    (folder / f"{name}.png").write_bytes(vlc.svg_to_png(svg, scale=PNG_SCALE))
    linear = draw(with_axis(spec, y.encoding(linear=True)), f"{name}-linear") if y else ""
    return Figure(name=name, svg=svg, linear=linear, **about)


def as_spec(chart: Chart, *, title: str) -> Json:
    """A chart as Vega-Lite, in the house's style and of its size."""
    fit = {"type": "fit", "contains": "padding"}
    about = {"width": SIZE[0], "height": SIZE[1], "title": title, "autosize": fit, "background": "#ffffff"}
    return {**chart.to_dict(validate=False), **about, "config": _config(label=10, title=11)}


def as_json(channel: alt.X | alt.Y) -> Json:
    """A channel as Vega-Lite."""
    return cast("Json", channel.to_dict(validate=False))


def small(spec: Json, *, longest: float, whole: bool) -> Json:
    """The same as a panel among many: no titles, small type, and a given reach of the horizontal axis.

    Args:
        spec: The figure as Vega-Lite.
        longest: What the horizontal axis has to reach.
        whole: Whether it counts whole things.
    """
    panel = copy.deepcopy(spec) | {"width": SMALL_SIZE[0], "height": SMALL_SIZE[1], "config": _config(label=9, title=9)}
    del panel["title"]
    for layer in panel["layer"]:
        encoding = layer["encoding"]
        if "field" in encoding.get("x", {}):
            ticks = {**encoding["x"]["axis"], "values": steps(longest, whole=whole)[::2]}
            room = {"domain": [0, longest * 1.16], "nice": False}
            encoding["x"] |= {"title": None, "scale": room, "axis": ticks}
        if "title" in encoding.get("y", {}):
            encoding["y"]["title"] = None
        if "strokeDash" in encoding:
            encoding["strokeDash"]["legend"] = None
    return panel


def with_axis(spec: Json, y: alt.Y) -> Json:
    """The same with another vertical axis; a missing title stays missing."""
    changed, other = copy.deepcopy(spec), as_json(y)
    for layer in changed["layer"]:
        old = layer["encoding"].get("y", {})
        if "scale" in old:
            layer["encoding"]["y"] = other | ({} if old.get("title") else {"title": None})
    return changed


def draw(spec: Json, name: str) -> str:
    """A specification as SVG that can stand with others in one page.

    Coordinates are rounded to a hundredth of a pixel, and what the picture refers to inside itself gets the figure's
    name, as such names are shared by a whole page.
    """
    svg = vlc.vegalite_to_svg(spec)
    rounded = _COORDINATES.sub(lambda match: _LONG.sub(_rounded, match[0]), svg)
    return re.sub(r'(id="|url\(#)clip', rf"\g<1>{name}-clip", rounded)


def _rounded(number: re.Match[str]) -> str:
    return f"{float(number[0]):.2f}"


def as_pdf(svg: str) -> bytes:
    """A picture as a PDF of one page, with its fonts."""
    return bytes(vlc.svg_to_pdf(svg))


def colours(study: Json) -> dict[str, str]:
    """The colour of each optimizer, by its title."""
    titles = [optimizer["title"] for optimizer in study["optimizers"]]
    return {title: COLOURS[place % len(COLOURS)] for place, title in enumerate(titles)}


def colour_scale(study: Json) -> alt.Scale:
    """The same as a scale."""
    return alt.Scale(domain=list(colours(study)), range=list(colours(study).values()))


def dashes(depths: list[int]) -> dict[int, list[int]]:
    """How the lines of each depth are dashed."""
    return {depth: DASHES[place % len(DASHES)] for place, depth in enumerate(sorted(set(depths)))}


def spread(places: dict[int, float], *, low: float, high: float, distance: float) -> dict[int, float]:
    """Move labels up and down as little as keeps them a distance apart and between `low` and `high`."""
    keys = sorted(places, key=lambda key: places[key])
    moved = [places[key] for key in keys]
    for _ in range(_ROUNDS):
        for upper in range(1, len(moved)):
            overlap = max(distance - (moved[upper] - moved[upper - 1]), 0.0)
            moved[upper - 1], moved[upper] = moved[upper - 1] - overlap / 2, moved[upper] + overlap / 2
    for place in range(len(moved)):
        moved[place] = max(moved[place], moved[place - 1] + distance if place else low)
    for place in reversed(range(len(moved))):
        moved[place] = min(moved[place], moved[place + 1] - distance if place + 1 < len(moved) else high)
    return dict(zip(keys, moved, strict=True))


def _config(*, label: int, title: int) -> Json:
    axis = {
        "titleFontWeight": "normal",
        "labelFontSize": label,
        "titleFontSize": title,
        "gridColor": GRID,
        "labelFlush": False,
    }
    ink = {"labelColor": INK, "titleColor": INK, "tickColor": QUIET, "domainColor": QUIET}
    legend = {"labelFontSize": label, "titleFontSize": label, "titleFontWeight": "normal", "symbolOpacity": 1}
    return {
        "font": FONT,
        "view": {"stroke": None},
        "axis": axis | ink,
        "legend": legend
        | {"labelColor": INK, "titleColor": INK, "symbolBaseFillColor": INK, "symbolBaseStrokeColor": INK},
        "title": {"fontSize": 12, "anchor": "start", "fontWeight": 600, "color": INK},
        "aria": False,
    }
