"""The floors as thin labelled lines, as every figure of perplexity shows them."""

import math

import altair as alt

from bakeoff.analysis.rows import StudyRows
from bakeoff.report import style, words

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
    height = y.encoding(linear=linear)
    end = until[1] if until else 0.0
    lines = style.chart([{"perplexity": floor.valid.perplexity, "x": 0, "to": end} for floor in shown])
    rule = lines.mark_rule(color=style.QUIET, strokeWidth=0.7, clip=True).encode(y=height)
    rule = rule.encode(x=until[0], x2=alt.X2("to")) if until else rule
    places = _places([floor.valid.perplexity for floor in shown], y, linear=linear)
    labels = [
        {"perplexity": place, "label": f"{floor.name} {words.number(floor.valid.perplexity)}"}
        for floor, place in zip(shown, places, strict=True)
    ]
    text = style.chart(labels).mark_text(align="left", dx=4, fontSize=8.5, color=style.QUIET, clip=True)
    return [rule, text.encode(y=height, x=alt.value(0), text=alt.Text("label:N"))]


def _places(perplexities: list[float], y: style.PerplexityAxis, *, linear: bool) -> list[float]:
    """Where the labels go: above their lines, the lowest below its own; further off where two would touch."""
    low, high = (0.0, y.linear_high) if linear else (math.log(y.low), math.log(y.high))
    pixel = (high - low) / style.SIZE[1]
    height, lowest = LABEL_HEIGHT * pixel, min(perplexities)
    wanted = {
        place: (value if linear else math.log(value)) + LABEL_OFFSET * (-pixel if value == lowest else pixel)
        for place, value in enumerate(perplexities)
    }
    moved = style.spread(wanted, low=low + height / 2, high=high - height / 2, distance=height)
    return [moved[place] if linear else math.exp(moved[place]) for place in wanted]
