"""Figures that put all runs side by side: quality against time, memory and size, and the gap by depth."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import altair as alt

from bakeoff.analysis import pareto
from bakeoff.analysis.rows import Row, StudyRows
from bakeoff.analysis.timing import is_timed
from bakeoff import words
from bakeoff.report import captions, floors, style, tables
from bakeoff.report.style import Figure, PerplexityAxis

Json = dict[str, Any]
#: One shape an architecture, in the order of the registry.
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross")
#: Pixels that a label takes.
LABEL_WIDTH, LABEL_HEIGHT = 36, 12


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Something that quality is weighed against.

    Attributes:
        figure: The name of the figure.
        words: What it is.
        unit: Its unit.
        of: Its value for a run in that unit, None where it was not measured.
        believed: Whether a run's value can be believed.
        front: Whether the figure shows the front.
        format: How a tick is written.
    """

    figure: str
    words: str
    unit: str
    of: Callable[[Row], float | None]
    believed: Callable[[Row], bool] = lambda row: True  # noqa: ARG005
    front: bool = True
    format: str = "~r"


COSTS = (
    Cost(
        figure="pareto-time",
        words="training time",
        unit="seconds",
        of=lambda row: row.train_seconds,
        believed=is_timed,
    ),
    Cost(
        figure="pareto-memory",
        words="steady memory",
        unit="MB",
        of=lambda row: row.memory["average_bytes"] / 1e6 if row.memory else None,
    ),
    Cost(
        figure="parameters",
        words="learnable parameters",
        unit="parameters",
        of=lambda row: float(row.learnable_parameters),
        front=False,
        format="~s",
    ),
)


def draw(study: StudyRows, folder: Path) -> Iterator[Figure]:
    """Draw every comparison that has at least one finished run."""
    for cost in COSTS:
        shown = measured(study, cost)
        if shown:
            yield style.write(
                _scatter(study, cost, shown),
                folder,
                name=cost.figure,
                title=f"Valid perplexity against {cost.words}",
                caption=captions.cost(study, cost, shown, front(shown, cost)),
            )


def measured(study: StudyRows, cost: Cost) -> list[tuple[float, Row]]:
    """What each finished run cost, and the run; with several seeds each experiment's mean instead."""
    several = len(study.study["seeds"]) > 1
    rows = [tables.mean(experiment) for experiment in study.experiments] if several else study.rows
    pairs = [(cost.of(row), row) for row in rows if row.finished]
    return [(value, row) for value, row in pairs if value and math.isfinite(_perplexity(row))]


def front(shown: list[tuple[float, Row]], cost: Cost) -> list[tuple[float, Row]]:
    """The runs that no other run beats in both, the cheapest first, by what can be believed."""
    values = {id(row): value for value, row in shown if cost.front and cost.believed(row)}
    rows = [row for _, row in shown]
    return [(values[id(row)], row) for row in pareto.front(rows, lambda row: values.get(id(row)))]


def _perplexity(row: Row) -> float:
    return row.valid.perplexity if row.valid else math.inf


def _scatter(study: StudyRows, cost: Cost, shown: list[tuple[float, Row]]) -> style.Chart:
    x_low, x_high = min(value for value, _ in shown) / 1.25, max(value for value, _ in shown) * 1.45
    y = _axis(study, shown)
    scale = alt.Scale(type="log", domain=(x_low, x_high), nice=False)
    ticks = alt.Axis(grid=False, format=cost.format, values=style.ticks(x_low, x_high))
    title = cost.words if cost.words.endswith(cost.unit) else f"{cost.words}, {cost.unit}"
    x = alt.X("x:Q", title=f"{title} (log scale)", scale=scale, axis=ticks)
    values = [_value(study, value, row, cost) for value, row in shown]
    points = style.chart(values).mark_point(size=60, aria=True, filled=True)
    marks = points.encode(
        x=x,
        y=y.encoding(),
        color=alt.Color("optimizer:N", title="optimizer", scale=style.colour_scale(study.study)),
        shape=alt.Shape("model:N", title="architecture", scale=shape_scale(study)),
        opacity=alt.Opacity("weight:Q", scale=None),
        description=alt.Description("told:N"),
    )
    return alt.layer(*floors.layers(study, y, floors.FEW), *_front(shown, cost, x, y), marks, _labels(values, x, y))


def _axis(study: StudyRows, shown: list[tuple[float, Row]]) -> PerplexityAxis:
    values = [_perplexity(row) for _, row in shown]
    low = min(*values, study.lowest_floor.valid.perplexity) * 0.88
    high = min(max(values), study.uniform.valid.perplexity) * 1.2
    return PerplexityAxis(low=low, high=max(high, 1.5 * low), linear_high=high, title="valid perplexity")


def _value(study: StudyRows, value: float, row: Row, cost: Cost) -> Json:
    seeds = len(study.study["seeds"])
    of = f" (mean of {seeds} seeds)" if seeds > 1 else ""
    told = f"#{row.number} {row.name}{of}: valid {words.number(_perplexity(row))} at {words.number(value)}"
    return {
        "x": value,
        "perplexity": min(_perplexity(row), study.uniform.valid.perplexity),
        "number": row.number,
        "label": f"#{row.number}",
        "optimizer": row.optimizer_title,
        "model": row.model_title,
        "weight": 1.0 if cost.believed(row) else 0.35,
        "told": f"{told} {cost.unit}",
    }


def shape_scale(study: StudyRows) -> alt.Scale:
    """The shape of each architecture, by its title."""
    titles = [model["title"] for model in study.study["models"]]
    return alt.Scale(domain=titles, range=[SHAPES[place % len(SHAPES)] for place in range(len(titles))])


def _front(shown: list[tuple[float, Row]], cost: Cost, x: alt.X, y: PerplexityAxis) -> list[alt.Chart]:
    """The front as steps: below and left of it, no run was found."""
    values = [{"x": value, "perplexity": _perplexity(row)} for value, row in front(shown, cost)]
    line = style.chart(values).mark_line(
        interpolate="step-after", color=style.QUIET, strokeWidth=1.2, strokeDash=[4, 3], clip=True
    )
    return [line.encode(x=x, y=y.encoding())] if values else []


def _labels(values: list[Json], x: alt.X, y: PerplexityAxis) -> alt.Chart:
    """The number of each experiment beside its first run, moved up or down where two would cover each other."""
    firsts = {value["number"]: value for value in reversed(values)}
    pixel = (math.log(y.high) - math.log(y.low)) / style.SIZE[1]
    places: dict[int, float] = {}
    for group in _neighbours(list(firsts.values())):
        heights = {value["number"]: math.log(value["perplexity"]) for value in group}
        low, high = math.log(y.low), math.log(y.high)
        places |= style.spread(heights, low=low, high=high, distance=LABEL_HEIGHT * pixel)
    labels = [{**value, "perplexity": math.exp(places[number])} for number, value in firsts.items()]
    text = style.chart(labels).mark_text(align="left", dx=7, fontSize=10, color=style.INK)
    encoded: alt.Chart = text.encode(x=x, y=y.encoding(), text=alt.Text("label:N"))
    return encoded


def _neighbours(values: list[Json]) -> list[list[Json]]:
    """Points in groups of those whose labels are beside each other, from left to right."""
    ordered = sorted(values, key=lambda value: float(value["x"]))
    width = math.log(ordered[-1]["x"] / ordered[0]["x"] * 1.8) * LABEL_WIDTH / style.SIZE[0]
    groups: list[list[Json]] = []
    for value in ordered:
        if groups and math.log(value["x"] / groups[-1][-1]["x"]) < width:
            groups[-1].append(value)
        else:
            groups.append([value])
    return groups
