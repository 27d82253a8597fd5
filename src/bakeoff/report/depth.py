"""The gap between train and valid by depth: whether deeper models fit train more than they gain on valid."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import altair as alt

from bakeoff.analysis.rows import Row, StudyRows
from bakeoff.report import captions, style
from bakeoff.report.comparisons import shape_scale
from bakeoff.report.style import Figure

Json = dict[str, Any]
WHEN = ("at its best epoch", "at the end")


def draw(study: StudyRows, folder: Path) -> Iterator[Figure]:
    """Draw the figure where some architecture was trained at more than one depth."""
    rows = comparable(study)
    if rows:
        yield style.write(
            _chart(study, rows),
            folder,
            name="gap-by-depth",
            title="Gap between valid and train by depth",
            caption=captions.gap_by_depth(study, means(study, rows)),
        )


def comparable(study: StudyRows) -> list[Row]:
    """Finished runs of every architecture and optimizer that was trained at several depths."""
    finished = [row for row in study.rows if row.finished]
    depths: dict[tuple[str, str], set[int]] = {}
    for row in finished:
        depths.setdefault((row.model, row.optimizer), set()).add(row.layers)
    return [row for row in finished if len(depths[row.model, row.optimizer]) > 1]


def gaps(study: StudyRows, row: Row) -> tuple[float, float]:
    """The gap in nats per token at the best epoch and at the end."""
    best = next(point for point in row.history if point.epoch == row.best_epoch)
    return study.gap(best), study.gap(row.history[-1])


def means(study: StudyRows, rows: list[Row]) -> dict[tuple[str, int], tuple[float, float]]:
    """The same averaged over seeds, by architecture with optimizer, and depth."""
    groups: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for row in rows:
        groups.setdefault((f"{row.model_title} with {row.optimizer_title}", row.layers), []).append(gaps(study, row))
    return {key: (_mean(best), _mean(end)) for key, pairs in groups.items() for best, end in [zip(*pairs, strict=True)]}


def _mean(values: tuple[float, ...]) -> float:
    return sum(values) / len(values)


def _chart(study: StudyRows, rows: list[Row]) -> style.Chart:
    chart = style.chart([value for row in rows for value in _values(study, row)])
    x = alt.X("layers:O", title="layers", axis=alt.Axis(labelAngle=0, grid=False))
    y = alt.Y("mean(gap):Q", title="gap, nats per token")
    offset = alt.XOffset("model:N", sort=[model["title"] for model in study.study["models"]])
    colour = alt.Color("optimizer:N", title="optimizer", scale=style.colour_scale(study.study))
    shape = alt.Shape("model:N", title="architecture", scale=shape_scale(study))
    dash = alt.StrokeDash(
        "when:N",
        title=None,
        scale=alt.Scale(domain=list(WHEN), range=[[1, 0], [4, 3]]),
        legend=alt.Legend(orient="top", symbolStrokeColor=style.INK, symbolSize=400),
    )
    detail = [alt.Detail("model:N"), alt.Detail("optimizer:N")]
    lines = chart.mark_line(strokeWidth=1.8).encode(
        x=x, xOffset=offset, y=y, color=colour, strokeDash=dash, detail=detail
    )
    points = chart.mark_point(filled=True, size=75, opacity=1, aria=True)
    marks = points.encode(
        x=x, xOffset=offset, y=alt.Y("gap:Q"), color=colour, shape=shape, description=alt.Description("told:N")
    )
    return alt.layer(lines, marks)


def _values(study: StudyRows, row: Row) -> Iterator[Json]:
    for when, value in zip(WHEN, gaps(study, row), strict=True):
        yield {
            "layers": row.layers,
            "gap": value,
            "optimizer": row.optimizer_title,
            "model": row.model_title,
            "when": when,
            "told": f"#{row.number} {row.name}, seed {row.seed}: {value:.2f} nats {when}",
        }
