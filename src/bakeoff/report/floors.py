"""The floors as thin labelled lines, as every figure of perplexity shows them."""

from typing import Any

import altair as alt

from bakeoff.analysis.rows import StudyRows
from bakeoff.report import style, words

Json = dict[str, Any]


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
    lowest = min(baseline.valid.perplexity for baseline in shown)
    end = until[1] if until else 0.0
    chart = style.chart([_value(b.name, b.valid.perplexity) | {"x": 0, "to": end} for b in shown])
    rule = chart.mark_rule(color=style.QUIET, strokeWidth=0.7, clip=True).encode(y=height)
    rule = rule.encode(x=until[0], x2=alt.X2("to")) if until else rule
    # The lowest is labelled below its line, as the next one is often close above it.
    return [
        rule,
        _labels(chart, height, f"datum.perplexity > {lowest}", "bottom", -2),
        _labels(chart, height, f"datum.perplexity <= {lowest}", "top", 3),
    ]


def _value(name: str, perplexity: float) -> Json:
    return {"perplexity": perplexity, "label": f"{name} {words.number(perplexity)}"}


def _labels(chart: alt.Chart, height: alt.Y, which: str, baseline: Any, dy: int) -> alt.Chart:  # noqa: ANN401
    text = chart.transform_filter(which).mark_text(
        align="left", baseline=baseline, dx=4, dy=dy, fontSize=8.5, color=style.QUIET, clip=True
    )
    encoded: alt.Chart = text.encode(y=height, x=alt.value(0), text=alt.Text("label:N"))
    return encoded
