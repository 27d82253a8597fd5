"""The floors as thin labelled lines, as every figure of perplexity shows them."""

import math
from typing import Any

import altair as alt

from bakeoff.analysis.rows import StudyRows
from bakeoff import words
from bakeoff.report import style

#: Pixels from one label to the next, and from a line to the middle of its label.
LABEL_HEIGHT, LABEL_OFFSET = 11, 7
#: The floors that stay readable beside many curves, and in a small panel.
FEW, FEWER = ("unigram", "kn3", "kn3+cache"), ("unigram", "kn3+cache")


def layers(
    study: StudyRows,
    y: style.PerplexityAxis,
    names: tuple[str, ...] = (),
    *,
    linear: bool = False,
    until: tuple[alt.X, float] | None = None,
) -> list[alt.Chart]:
    """A line for each floor on valid that the axis reaches, labelled at the left.

    Args:
        study: All rows.
        y: The axis.
        names: Of the floors to show; all of them if empty.
        linear: Whether the axis is.
        until: The horizontal axis, and where on it the lines end; None for lines over the whole width.
    """
    low, high = (0.0, y.linear_high) if linear else (y.low, y.high)
    shown = [b for b in study.baselines if (not names or b.name in names) and low < b.valid.perplexity < high]
    if not shown:
        return []
    axis = y.encoding(linear=linear)
    end = until[1] if until else 0.0
    lines = style.chart([{"perplexity": floor.valid.perplexity, "x": 0, "to": end} for floor in shown])
    rule = lines.mark_rule(color=style.QUIET, strokeWidth=0.7, clip=True).encode(y=axis)
    rule = rule.encode(x=until[0], x2=alt.X2("to")) if until else rule
    places = _places([floor.valid.perplexity for floor in shown], y, linear=linear)
    labels = style.chart(
        [
            {"perplexity": place, "label": f"{floor.name} {words.number(floor.valid.perplexity)}"}
            for floor, place in zip(shown, places, strict=True)
        ]
    )
    # The lowest is labelled below its line, as the next one is often close above it.
    return [
        rule,
        _labels(labels, axis, f"datum.perplexity > {min(places)}", "bottom", -2),
        _labels(labels, axis, f"datum.perplexity <= {min(places)}", "top", 3),
    ]


def _labels(chart: alt.Chart, axis: alt.Y, which: str, baseline: Any, dy: int) -> alt.Chart:  # noqa: ANN401
    text = chart.transform_filter(which).mark_text(
        align="left", baseline=baseline, dx=4, dy=dy, fontSize=8.5, color=style.QUIET, clip=True
    )
    encoded: alt.Chart = text.encode(y=axis, x=alt.value(0), text=alt.Text("label:N"))
    return encoded


def _places(perplexities: list[float], y: style.PerplexityAxis, *, linear: bool) -> list[float]:
    """The perplexities whose lines the labels stand at: their own, but for labels that would touch."""
    low, high = (0.0, y.linear_high) if linear else (math.log(y.low), math.log(y.high))
    pixel, lowest = (high - low) / style.SIZE[1], min(perplexities)
    heights = dict(enumerate(value if linear else math.log(value) for value in perplexities))
    offsets = [LABEL_OFFSET * (-pixel if value == lowest else pixel) for value in perplexities]
    middles = {place: height + offsets[place] for place, height in heights.items()}
    distance = LABEL_HEIGHT * pixel
    moved = style.spread(middles, low=low + distance / 2, high=high - distance / 2, distance=distance)
    own = [moved[place] - offset for place, offset in enumerate(offsets)]
    return own if linear else [math.exp(height) for height in own]
