"""Learning curves: for each experiment perplexity over epochs and over training seconds, alone and as a small panel."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import altair as alt

from bakeoff.analysis.rows import Row, StudyRows
from bakeoff import words
from bakeoff.report import captions, floors, style
from bakeoff.report.style import Figure, PerplexityAxis

AXES = {"epochs": "epoch", "time": "training time, seconds"}
#: The axis ends this much above the uniform floor; what is higher is cut off, and the caption says so.
HEADROOM = 1.5
#: A linear axis ends this much above the unigram floor: most of what is above it is the first steps.
LINEAR_HEADROOM = 1.1


@dataclass(frozen=True, kw_only=True)
class Panel:
    """An experiment's curves as one of many small pictures, over one axis and with either scale.

    Attributes:
        experiment: Its number.
        axis: `epochs` or `time`.
        svg: With a logarithmic axis.
        linear: With a linear one.
    """

    experiment: int
    axis: str
    svg: str
    linear: str


def draw(study: StudyRows, folder: Path) -> Iterator[tuple[Figure, Panel]]:
    """Draw both figures of every experiment that has at least one evaluation, and each as a panel."""
    for rows in by_experiment(study.rows):
        first, y = rows[0], perplexity_axis(study, rows[0].model)
        for axis in AXES:
            curves = _curves(study, rows, axis, y)
            figure = style.write(
                alt.layer(*floors.layers(study, y), *curves),
                folder,
                name=f"{first.number:02d}-{axis}",
                y=y,
                title=f"Experiment {first.number}: {first.name}, learning rate {words.rate(first.learning_rate)}",
                caption=captions.learning_curves(study, rows, axis, y),
                experiment=first.number,
                model=first.model,
                axis=axis,
            )
            yield figure, _panel(study, curves, first, axis, y)


def by_experiment(rows: Iterable[Row]) -> list[list[Row]]:
    """Rows with a history, those of one experiment together, by its number."""
    groups: dict[int, list[Row]] = {}
    for row in sorted(rows, key=lambda row: (row.number, row.seed)):
        if row.history:
            groups.setdefault(row.number, []).append(row)
    return list(groups.values())


def perplexity_axis(study: StudyRows, model: str) -> PerplexityAxis:
    """The same perplexities for all runs of an architecture: from below the lowest to above the uniform floor."""
    points = [point for row in study.rows if row.model == model for point in row.history]
    lowest = min(min(point.train.perplexity, point.valid.perplexity) for point in points)
    return PerplexityAxis(
        low=min(lowest, study.lowest_floor.valid.perplexity) * 0.85,
        high=study.uniform.valid.perplexity * HEADROOM,
        linear_high=study.unigram.valid.perplexity * LINEAR_HEADROOM,
    )


def _panel(study: StudyRows, curves: list[alt.Chart], row: Row, axis: str, y: PerplexityAxis) -> Panel:
    chart = alt.layer(*floors.layers(study, y, floors.FEWER), *curves)
    spec = style.small(style.as_spec(chart, title=""), longest=_longest(study, row.model, axis), whole=axis == "epochs")
    name = f"{row.number:02d}-{axis}-small"
    linear = style.draw(style.with_axis(spec, y.encoding(linear=True)), f"{name}-linear")
    return Panel(experiment=row.number, axis=axis, svg=style.draw(spec, name), linear=linear)


def _longest(study: StudyRows, model: str, axis: str) -> float:
    """How far the axis reaches that all panels of an architecture share."""
    rows = [row for row in study.rows if row.model == model]
    return max(*(_x(point, axis) for row in rows for point in row.history), 1.0)


def _x(point: Any, axis: str) -> float:  # noqa: ANN401
    return float(point.epoch if axis == "epochs" else point.train_seconds)


def _curves(study: StudyRows, rows: list[Row], axis: str, y: PerplexityAxis) -> list[alt.Chart]:
    colour = style.colours(study.study)[rows[0].optimizer_title]
    # With several seeds every best epoch is a dot, and the lowest of them has its number.
    lowest = min(rows, key=lambda row: min(point.valid.nats for point in row.history))
    curves = style.chart([value for row in rows for value in _values(row, axis, labelled=row is lowest)])
    longest = max(_x(point, axis) for row in rows for point in row.history)
    ticks = alt.Axis(grid=False, format="~r", values=style.steps(longest, whole=axis == "epochs"))
    # The label of a best epoch that is the last one needs room to its right.
    room = alt.Scale(domain=(0, max(longest, 1.0) * 1.06), nice=False)
    x = alt.X("x:Q", title=AXES[axis], scale=room, axis=ticks)
    dash = alt.StrokeDash(
        "curve:N",
        title=None,
        scale=alt.Scale(domain=["valid", "train"], range=[[1, 0], [5, 4]]),
        legend=alt.Legend(orient="top", symbolStrokeColor=colour, symbolSize=400),
    )
    height = y.encoding()
    lines = curves.mark_line(color=colour, strokeWidth=1.7, clip=True).encode(
        x=x, y=height, strokeDash=dash, detail=alt.Detail("seed:N")
    )
    points = curves.transform_filter("datum.curve == 'valid'").mark_point(
        color=colour, filled=True, opacity=1, clip=True, aria=True
    )
    size = alt.Size("size:Q", scale=None)
    marks = points.encode(x=x, y=height, size=size, description=alt.Description("told:N"))
    best = curves.transform_filter("datum.labelled")
    label = best.mark_text(dy=-11, color=style.INK, clip=True).encode(x=x, y=height, text=alt.Text("label:N"))
    return [lines, marks, label]


def _values(row: Row, axis: str, *, labelled: bool = True) -> Iterator[dict[str, Any]]:
    for point in row.history:
        for curve, tally in (("train", point.train), ("valid", point.valid)):
            yield {
                "x": _x(point, axis),
                "seed": row.seed,
                "curve": curve,
                "perplexity": tally.perplexity,
                "labelled": labelled and curve == "valid" and point.epoch == row.best_epoch,
                "size": 60 if curve == "valid" and point.epoch == row.best_epoch else 9,
                "label": words.number(tally.perplexity),
                "told": captions.point(row, point),
            }
