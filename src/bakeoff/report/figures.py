"""Learning curves: for each experiment perplexity over epochs and over training seconds, as SVG and PNG."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import altair as alt
import vl_convert as vlc

from bakeoff.analysis.rows import Baseline, Point, Row, StudyRows
from bakeoff.report import words

#: Okabe & Ito's colour-blind-safe set, one colour an optimizer in the order of the registry.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
FLOOR_COLOUR = "#666666"
#: Pixels of a PNG for each pixel of the SVG.
PNG_SCALE = 2
#: Of the plotting area, in pixels.
WIDTH = 460
AXES = {"epochs": "epoch", "time": "training seconds"}


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
    for axis, label in AXES.items():
        name = f"{first.number:02d}-{axis}"
        title = f"Experiment {first.number}: {first.name}, learning rate {words.rate(first.learning_rate)}"
        spec = _chart(study, rows, axis, title).to_dict()
        svg = vlc.vegalite_to_svg(spec)
        (folder / f"{name}.svg").write_text(svg, encoding="utf-8")
        (folder / f"{name}.png").write_bytes(vlc.vegalite_to_png(spec, scale=PNG_SCALE))
        yield Figure(name=name, number=first.number, title=title, caption=_caption(study, rows, label), svg=svg)


def _chart(study: StudyRows, rows: list[Row], axis: str, title: str) -> alt.LayerChart | alt.FacetChart:
    optimizers = [optimizer["name"] for optimizer in study.study["optimizers"]]
    colour = COLOURS[optimizers.index(rows[0].optimizer) % len(COLOURS)]
    curves = alt.Chart(alt.InlineData(values=[value for row in rows for value in _values(row, axis)]))
    x = alt.X("x:Q", title=AXES[axis], axis=alt.Axis(tickMinStep=1 if axis == "epochs" else 0, grid=False))
    y = alt.Y("perplexity:Q", title="perplexity per token (log scale)", scale=alt.Scale(type="log", nice=False))
    dash = alt.StrokeDash(
        "curve:N",
        title=None,
        scale=alt.Scale(domain=["valid", "train"], range=[[1, 0], [5, 4]]),
        legend=alt.Legend(orient="top", symbolStrokeColor=colour, symbolSize=400),
    )
    lines = curves.mark_line(color=colour, strokeWidth=2).encode(x=x, y=y, strokeDash=dash, detail="seed:N")
    best = (
        curves.transform_filter("datum.best").mark_point(color=colour, filled=True, size=60, opacity=1).encode(x=x, y=y)
    )
    labels = best.mark_text(align="center", dy=16, color="#222222").encode(text=alt.Text("label:N"))
    layered = alt.layer(lines, *_floor(study.unigram), best, labels)
    return _styled(layered.properties(width=WIDTH, height=280, title=title))


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


def _caption(study: StudyRows, rows: list[Row], label: str) -> str:
    corpus = study.study["corpus"]["name"]
    plotted = (
        f"{rows[0].name} on {corpus}: perplexity per token over the {label}, on a fixed sample of whole train "
        "documents (dashed) and on valid (solid), both with the same weights; the grey line is the unigram on valid."
    )
    return " ".join([plotted, *(_what_to_see(row, study.unigram, several=len(rows) > 1) for row in rows)])


def _what_to_see(row: Row, unigram: Baseline, *, several: bool) -> str:
    best = min(row.history, key=lambda point: point.valid.nats)
    last = row.history[-1]
    seen = (
        f"Valid is lowest after epoch {best.epoch}, at {words.number(best.valid.perplexity)}, where train is at "
        f"{words.number(best.train.perplexity)}; after epoch {last.epoch} they are at "
        f"{words.number(last.valid.perplexity)} and {words.number(last.train.perplexity)}. "
        f"{_crossing(row.history, unigram)}{_pace(row)}{_ending(row)}"
    )
    return f"Seed {row.seed}: {seen}" if several else seen


def _crossing(history: tuple[Point, ...], unigram: Baseline) -> str:
    below = [point.epoch for point in history if point.valid.nats < unigram.valid.nats]
    floor = words.number(unigram.valid.perplexity)
    if not below:
        return f"It never gets below the unigram ({floor}): it has learned nothing about context."
    return f"It is first seen below the unigram ({floor}) after epoch {below[0]}."


def _pace(row: Row) -> str:
    if not row.epochs or row.train_seconds is None:
        return ""
    beside = "" if row.alone else ", measured beside other runs" if row.alone is False else ""
    return f" An epoch takes {words.duration(row.train_seconds / row.epochs)} of training{beside}."


def _ending(row: Row) -> str:
    return "" if row.status == "finished" else f" The run is {row.status}{f': {row.error}' if row.error else ''}."
