"""What all figures share: colours, axes, type, and how they get onto the disk."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import altair as alt
import vl_convert as vlc

#: Okabe & Ito's colour-blind-safe set, one colour an optimizer in the order of the registry.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
QUIET = "#666666"
#: Of the plotting area, in pixels.
WIDTH, HEIGHT = 460, 280
#: Pixels of a PNG for each pixel of the SVG.
PNG_SCALE = 2
PERPLEXITY = "perplexity per token (log scale)"

Chart = alt.LayerChart | alt.FacetChart


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure on disk.

    Attributes:
        name: Such as `01-epochs`: the names of its files.
        title: What it shows.
        caption: What is plotted, then what to see in this very study.
        svg: The picture itself.
    """

    name: str
    title: str
    caption: str
    svg: str


def write(chart: Chart, folder: Path, *, name: str, title: str, caption: str) -> Figure:
    """Draw a chart and write it as SVG and PNG."""
    spec = _styled(chart.properties(width=WIDTH, height=HEIGHT, title=title)).to_dict()
    svg = vlc.vegalite_to_svg(spec)
    (folder / f"{name}.svg").write_text(svg, encoding="utf-8")
    (folder / f"{name}.png").write_bytes(vlc.vegalite_to_png(spec, scale=PNG_SCALE))
    return Figure(name=name, title=title, caption=caption, svg=svg)


def colours(study: dict[str, Any]) -> dict[str, str]:
    """The colour of each optimizer, by its title."""
    titles = [optimizer["title"] for optimizer in study["optimizers"]]
    return {title: COLOURS[place % len(COLOURS)] for place, title in enumerate(titles)}


def perplexity_axis(low: float, high: float) -> alt.Y:
    """A logarithmic axis with ticks at 1, 2 and 5 times the powers of ten."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [factor * 10.0**decade for decade in decades for factor in (1, 2, 5)]
    scale = alt.Scale(type="log", domain=(low, high), nice=False)
    axis = alt.Axis(values=[tick for tick in ticks if low <= tick <= high])
    return alt.Y("perplexity:Q", title=PERPLEXITY, scale=scale, axis=axis)


def _styled(chart: Chart) -> Chart:
    styled: Chart = (
        chart.configure(font="sans-serif", background="#ffffff")
        .configure_view(strokeOpacity=0)
        .configure_title(fontSize=13, anchor="start", fontWeight=600)
        .configure_axis(titleFontWeight="normal", labelFontSize=11, titleFontSize=12)
        .configure_legend(labelFontSize=12, titleFontSize=12, titleFontWeight="normal")
    )
    return styled
