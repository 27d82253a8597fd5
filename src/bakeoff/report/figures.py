"""Learning curves: for each experiment perplexity over epochs and over training seconds, as SVG and PNG."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import altair as alt
import vl_convert as vlc

from bakeoff.analysis.rows import Baseline, Row, StudyRows
from bakeoff.report import captions, words

#: Okabe & Ito's colour-blind-safe set, one colour an optimizer in the order of the registry.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
FLOOR_COLOUR = "#666666"
#: Pixels of a PNG for each pixel of the SVG.
PNG_SCALE = 2
#: Of the plotting area, in pixels.
WIDTH = 460
HEIGHT = 280
#: The axis ends this much above the uniform floor; what is higher is cut off, and the caption says so.
HEADROOM = 1.25
AXES = {"epochs": "epoch", "time": "training time, seconds"}


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure on disk.

    Attributes:
        name: Such as `01-epochs`.
        number: The experiment's.
        title: What it shows.
        caption: What is plotted, then what to see in this very run.
        svg: The picture itself.
    """

    name: str
    number: int
    title: str
    caption: str
    svg: str


def draw(study: StudyRows, folder: Path) -> list[Figure]:
    """Draw and write both figures of every experiment that has at least one evaluation."""
    folder.mkdir(parents=True, exist_ok=True)
    return [figure for rows in _by_experiment(study.rows) for figure in _draw_experiment(study, rows, folder)]


def _by_experiment(rows: Iterable[Row]) -> list[list[Row]]:
    """Rows with a history, those of one experiment together, by its number."""
    groups: dict[int, list[Row]] = {}
    for row in sorted(rows, key=lambda row: (row.number, row.seed)):
        if row.history:
            groups.setdefault(row.number, []).append(row)
    return list(groups.values())


def _draw_experiment(study: StudyRows, rows: list[Row], folder: Path) -> Iterator[Figure]:
    first = rows[0]
    for axis in AXES:
        name = f"{first.number:02d}-{axis}"
        title = f"Experiment {first.number}: {first.name}, learning rate {words.rate(first.learning_rate)}"
        spec = _chart(study, rows, axis, title).to_dict()
        svg = vlc.vegalite_to_svg(spec)
        (folder / f"{name}.svg").write_text(svg, encoding="utf-8")
        (folder / f"{name}.png").write_bytes(vlc.vegalite_to_png(spec, scale=PNG_SCALE))
        yield Figure(
            name=name,
            number=first.number,
            title=title,
            caption=captions.learning_curves(study, rows, axis, _domain(study, first.model)),
            svg=svg,
        )


def _chart(study: StudyRows, rows: list[Row], axis: str, title: str) -> alt.LayerChart | alt.FacetChart:
    optimizers = [optimizer["name"] for optimizer in study.study["optimizers"]]
    colour = COLOURS[optimizers.index(rows[0].optimizer) % len(COLOURS)]
    curves = alt.Chart(alt.InlineData(values=[value for row in rows for value in _values(row, axis)]))
    step, numbers = (1, "d") if axis == "epochs" else (0, "~r")
    x = alt.X("x:Q", title=AXES[axis], axis=alt.Axis(grid=False, tickMinStep=step, format=numbers))
    low, high = _domain(study, rows[0].model)
    scale = alt.Scale(type="log", domain=(low, high), nice=False)
    y = alt.Y(
        "perplexity:Q", title="perplexity per token (log scale)", scale=scale, axis=alt.Axis(values=_ticks(low, high))
    )
    dash = alt.StrokeDash(
        "curve:N",
        title=None,
        scale=alt.Scale(domain=["valid", "train"], range=[[1, 0], [5, 4]]),
        legend=alt.Legend(orient="top", symbolStrokeColor=colour, symbolSize=400),
    )
    lines = curves.mark_line(color=colour, strokeWidth=2, clip=True).encode(x=x, y=y, strokeDash=dash, detail="seed:N")
    best = (
        curves.transform_filter("datum.best").mark_point(color=colour, filled=True, size=60, opacity=1).encode(x=x, y=y)
    )
    labels = best.mark_text(align="right", dy=-11, color="#222222").encode(text=alt.Text("label:N"))
    layered = alt.layer(lines, *_floor(study.unigram), best, labels)
    return _styled(layered.properties(width=WIDTH, height=HEIGHT, title=title))


def _styled(chart: alt.LayerChart | alt.FacetChart) -> alt.LayerChart | alt.FacetChart:
    styled: alt.LayerChart | alt.FacetChart = (
        chart.configure(font="sans-serif", background="#ffffff")
        .configure_view(strokeOpacity=0)
        .configure_title(fontSize=13, anchor="start", fontWeight=600)
        .configure_axis(titleFontWeight="normal", labelFontSize=11, titleFontSize=12)
        .configure_legend(labelFontSize=12)
    )
    return styled


def _values(row: Row, axis: str) -> Iterator[dict[str, Any]]:
    for point in row.history:
        x = point.epoch if axis == "epochs" else point.train_seconds
        best = point.epoch == row.best_epoch
        shared = {"x": x, "seed": row.seed}
        yield shared | {"curve": "train", "perplexity": point.train.perplexity, "best": False}
        valid = {"curve": "valid", "perplexity": point.valid.perplexity, "best": best}
        yield shared | valid | {"label": words.number(point.valid.perplexity)}


def _floor(unigram: Baseline) -> tuple[alt.Chart, alt.Chart]:
    value = unigram.valid.perplexity
    rule = alt.Chart(alt.InlineData(values=[{"perplexity": value, "label": f"unigram {words.number(value)}"}]))
    y = alt.Y("perplexity:Q")
    text = rule.mark_text(align="right", baseline="bottom", dy=-2, color=FLOOR_COLOUR)
    return (
        rule.mark_rule(color=FLOOR_COLOUR, strokeWidth=1).encode(y=y),
        text.encode(y=y, x=alt.value(WIDTH), text="label:N"),
    )


def _domain(study: StudyRows, model: str) -> tuple[float, float]:
    """The same perplexities for all runs of an architecture: from below the lowest to above the uniform floor."""
    points = [point for row in study.rows if row.model == model for point in row.history]
    lowest = min(min(point.train.perplexity, point.valid.perplexity) for point in points)
    return min(lowest, study.unigram.valid.perplexity) * 0.85, study.uniform.valid.perplexity * HEADROOM


def _ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times the powers of ten."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [factor * 10.0**decade for decade in decades for factor in (1, 2, 5)]
    return [tick for tick in ticks if low <= tick <= high]
