"""Learning curves: for each experiment perplexity over epochs and over training seconds, with the floors."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import altair as alt

from bakeoff.analysis.rows import Row, StudyRows
from bakeoff.report import captions, style, words
from bakeoff.report.style import Figure

AXES = {"epochs": "epoch", "time": "training time, seconds"}
#: The axis ends this much above the uniform floor; what is higher is cut off, and the caption says so.
HEADROOM = 1.25


def draw(study: StudyRows, folder: Path) -> Iterator[Figure]:
    """Draw both figures of every experiment that has at least one evaluation."""
    for rows in _by_experiment(study.rows):
        first, domain = rows[0], _domain(study, rows[0].model)
        for axis in AXES:
            yield style.write(
                _chart(study, rows, axis, domain),
                folder,
                name=f"{first.number:02d}-{axis}",
                title=f"Experiment {first.number}: {first.name}, learning rate {words.rate(first.learning_rate)}",
                caption=captions.learning_curves(study, rows, axis, domain),
            )


def _by_experiment(rows: Iterable[Row]) -> list[list[Row]]:
    """Rows with a history, those of one experiment together, by its number."""
    groups: dict[int, list[Row]] = {}
    for row in sorted(rows, key=lambda row: (row.number, row.seed)):
        if row.history:
            groups.setdefault(row.number, []).append(row)
    return list(groups.values())


def _domain(study: StudyRows, model: str) -> tuple[float, float]:
    """The same perplexities for all runs of an architecture: from below the lowest to above the uniform floor."""
    points = [point for row in study.rows if row.model == model for point in row.history]
    lowest = min(min(point.train.perplexity, point.valid.perplexity) for point in points)
    return min(lowest, study.lowest_floor.valid.perplexity) * 0.85, study.uniform.valid.perplexity * HEADROOM


def _chart(study: StudyRows, rows: list[Row], axis: str, domain: tuple[float, float]) -> style.Chart:
    colour = style.colours(study.study)[rows[0].optimizer_title]
    curves = alt.Chart(alt.InlineData(values=[value for row in rows for value in _values(row, axis)]))
    step, numbers = (1, "d") if axis == "epochs" else (0, "~r")
    x = alt.X("x:Q", title=AXES[axis], axis=alt.Axis(grid=False, tickMinStep=step, format=numbers))
    y = style.perplexity_axis(*domain)
    dash = alt.StrokeDash(
        "curve:N",
        title=None,
        scale=alt.Scale(domain=["valid", "train"], range=[[1, 0], [5, 4]]),
        legend=alt.Legend(orient="top", symbolStrokeColor=colour, symbolSize=400),
    )
    lines = curves.mark_line(color=colour, strokeWidth=2, clip=True).encode(x=x, y=y, strokeDash=dash, detail="seed:N")
    chosen = curves.transform_filter("datum.best")
    best = chosen.mark_point(color=colour, filled=True, size=60, opacity=1, clip=True).encode(x=x, y=y)
    labels = best.mark_text(align="right", dy=-11, color="#222222").encode(text=alt.Text("label:N"))
    return alt.layer(*_floors(study), lines, best, labels)


def _values(row: Row, axis: str) -> Iterator[dict[str, Any]]:
    for point in row.history:
        x = point.epoch if axis == "epochs" else point.train_seconds
        for curve, tally in (("train", point.train), ("valid", point.valid)):
            yield {
                "x": x,
                "seed": row.seed,
                "curve": curve,
                "perplexity": tally.perplexity,
                "best": curve == "valid" and point.epoch == row.best_epoch,
                "label": words.number(tally.perplexity),
            }


def _floors(study: StudyRows) -> Iterator[alt.Chart]:
    """A thin line for each floor on valid, labelled above at the left; the lowest below, as it is close to the next."""
    for baseline in study.baselines:
        value = baseline.valid.perplexity
        label = f"{baseline.name} {words.number(value)}"
        rule = alt.Chart(alt.InlineData(values=[{"perplexity": value, "label": label}]))
        below = baseline == study.lowest_floor
        text = rule.mark_text(
            align="left", baseline="top" if below else "bottom", dy=3 if below else -2, dx=4, fontSize=9
        )
        yield rule.mark_rule(color=style.QUIET, strokeWidth=0.7).encode(y="perplexity:Q")
        yield text.encode(y="perplexity:Q", x=alt.value(0), text="label:N", color=alt.value(style.QUIET))
