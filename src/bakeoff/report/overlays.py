"""All runs of an architecture in one figure, over epochs and over training seconds, labelled at their ends."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import altair as alt

from bakeoff.analysis.rows import Row, StudyRows
from bakeoff import words
from bakeoff.report import captions, floors, style
from bakeoff.report.curves import AXES, by_experiment, perplexity_axis
from bakeoff.report.style import Figure, PerplexityAxis

Json = dict[str, Any]
#: Pixels between two labels, and the share of the horizontal axis that they get.
LABEL_DISTANCE, LABEL_SHARE = 12, 0.4


def draw(study: StudyRows, folder: Path) -> Iterator[Figure]:
    """Draw both figures of every architecture that has at least one evaluation."""
    for model in study.study["models"]:
        groups = by_experiment(row for row in study.rows if row.model == model["name"])
        for axis in AXES if groups else ():
            yield _figure(study, folder, groups, axis)


def _figure(study: StudyRows, folder: Path, groups: list[list[Row]], axis: str) -> Figure:
    first = groups[0][0]
    name, y = f"overlay-{first.model}-{axis}", perplexity_axis(study, first.model)
    title = f"{first.model_title}: valid perplexity of every run over {captions.OVER[axis]}"
    caption = captions.overlay(study, groups, axis)
    about: Json = {"title": title, "caption": caption, "model": first.model, "axis": axis}
    linear = style.as_spec(_chart(study, groups, axis, y, linear=True), title=title)
    figure = style.write(_chart(study, groups, axis, y), folder, name=name, **about)
    return Figure(name=name, svg=figure.svg, linear=style.draw(linear, f"{name}-linear"), **about)


def _chart(
    study: StudyRows, groups: list[list[Row]], axis: str, y: PerplexityAxis, *, linear: bool = False
) -> style.Chart:
    dashes = style.dashes([rows[0].layers for rows in groups])
    longest = max(_x(row, place, axis) for rows in groups for row in rows for place in range(len(row.history)))
    reach = max(longest, 1.0) / (1 - LABEL_SHARE)
    ticks = alt.Axis(grid=False, format="~r", values=style.steps(longest, whole=axis == "epochs"))
    x = alt.X("x:Q", title=AXES[axis], scale=alt.Scale(domain=(0, reach), nice=False), axis=ticks)
    height = y.encoding(linear=linear)
    colours = style.colours(study.study)
    curves = [
        _curve(rows, axis, colours[rows[0].optimizer_title], dashes[rows[0].layers]).encode(x=x, y=height)
        for rows in groups
    ]
    ends = _ends(study, groups, axis, y, linear=linear)
    labels = style.chart([{**end, "to": longest + 0.05 * reach} for end in ends])
    leaders = labels.mark_rule(strokeWidth=0.6, color=style.QUIET, clip=True).encode(
        x=x, x2=alt.X2("to"), y=height, y2=alt.Y2("place")
    )
    place = alt.Y("place:Q", **_same(height))
    texts = labels.mark_text(align="left", dx=3, fontSize=10).encode(
        x=alt.X("to:Q", **_same(x)), y=place, text=alt.Text("label:N"), color=alt.Color("colour:N", scale=None)
    )
    return alt.layer(*floors.layers(study, y, floors.FEW, linear=linear, until=(x, longest)), *curves, leaders, texts)


def _same(channel: alt.X | alt.Y) -> Json:
    """The title, scale and axis of a channel, for another field on the same axis."""
    return {key: value for key, value in style.as_json(channel).items() if key not in ("field", "type")}


def _x(row: Row, place: int, axis: str) -> float:
    point = row.history[place]
    return float(point.epoch if axis == "epochs" else point.train_seconds)


def _curve(rows: list[Row], axis: str, colour: str, dash: list[int]) -> alt.Chart:
    values = [
        {"x": _x(row, place, axis), "seed": row.seed, "perplexity": point.valid.perplexity}
        | {"told": f"#{row.number} {row.name}: {captions.point(row, point)}"}
        for row in rows
        for place, point in enumerate(row.history)
    ]
    # The name reaches the drawing as a class, by which the page finds the run that a line belongs to.
    chart = style.chart(values, name=f"run-{rows[0].number}")
    points = {"size": 12, "aria": True, "opacity": 1, "color": colour, "filled": True}
    line = chart.mark_line(color=colour, strokeWidth=1.6, strokeDash=dash, clip=True, point=points)
    encoded: alt.Chart = line.encode(detail=alt.Detail("seed:N"), description=alt.Description("told:N"))
    return encoded


def _ends(study: StudyRows, groups: list[list[Row]], axis: str, y: PerplexityAxis, *, linear: bool) -> Iterator[Json]:
    """The last point of each experiment's best run, and where its label goes."""
    colours = style.colours(study.study)
    lasts = {rows[0].number: min(rows, key=captions.lowest) for rows in groups}
    low, high = (0.0, y.linear_high) if linear else (math.log(y.low), math.log(y.high))
    heights = {number: _height(row, y, linear=linear) for number, row in lasts.items()}
    step = (high - low) * LABEL_DISTANCE / style.SIZE[1] * 1.15
    places = style.spread(heights, low=low + step / 2, high=high - step / 2, distance=step)
    for number, row in lasts.items():
        last = min(max(row.history[-1].valid.perplexity, y.low), y.linear_high if linear else y.high)
        yield {
            "x": _x(row, -1, axis),
            "perplexity": last,
            "place": places[number] if linear else math.exp(places[number]),
            "label": _label(row),
            "colour": colours[row.optimizer_title],
        }


def _height(row: Row, y: PerplexityAxis, *, linear: bool) -> float:
    last = min(max(row.history[-1].valid.perplexity, y.low), y.linear_high if linear else y.high)
    return last if linear else math.log(last)


def _label(row: Row) -> str:
    best = words.number(row.valid.perplexity) if row.valid else words.ABSENT
    deep = f" \N{MULTIPLICATION SIGN}{row.layers}" if row.layers > 1 else ""
    return f"#{row.number} {row.optimizer_title}{deep} {best}"
