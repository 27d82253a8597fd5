"""Loss by how frequent a token is in train, for each optimizer: where one optimizer is ahead of another."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import altair as alt

from bakeoff.analysis.measured import Deciles
from bakeoff.analysis.rows import Row, StudyRows
from bakeoff.report import captions, style
from bakeoff.report.style import Figure

Json = dict[str, Any]
LABEL_DISTANCE = 13


def draw(study: StudyRows, folder: Path) -> Iterator[Figure]:
    """Draw a figure for each architecture with finished runs that know what tokens of each decile cost."""
    for model in study.study["models"]:
        shown = comparable(study, model["name"])
        if shown:
            yield style.write(
                _chart(study, shown),
                folder,
                name=f"deciles-{model['name']}",
                title=f"{model['title']}: loss by how frequent a token is in train",
                caption=captions.deciles(study, model["title"], shown),
                model=model["name"],
            )


def comparable(study: StudyRows, model: str) -> list[tuple[Row, Deciles]]:
    """One run of each optimizer at the depth that most of them share: its first seed, with valid's deciles."""
    firsts: dict[tuple[int, str], tuple[Row, Deciles]] = {}
    for row in study.rows:
        deciles = _at_best(row)
        if row.model == model and row.finished and deciles:
            firsts.setdefault((row.layers, row.optimizer), (row, deciles))
    depths = [layers for layers, _ in firsts]
    common = max(depths, key=lambda layers: (depths.count(layers), -layers), default=None)
    return [pair for (layers, _), pair in firsts.items() if layers == common]


def _at_best(row: Row) -> Deciles | None:
    return next((point.valid_deciles for point in row.history if point.epoch == row.best_epoch), None)


def _chart(study: StudyRows, shown: list[tuple[Row, Deciles]]) -> style.Chart:
    values = [value for row, deciles in shown for value in _values(row, deciles)]
    chart = style.chart(values)
    x = alt.X(
        "decile:Q",
        title="decile of train's tokens, the most frequent first",
        scale=alt.Scale(domain=(0.8, 12.6), nice=False),
        axis=alt.Axis(grid=False, values=list(range(1, 11)), format="d"),
    )
    y = alt.Y("loss:Q", title="loss on valid, nats per token", scale=alt.Scale(zero=True))
    colour = alt.Color("optimizer:N", scale=style.colour_scale(study.study), legend=None)
    lines = chart.mark_line(strokeWidth=1.7, point={"size": 18, "aria": True}).encode(
        x=x, y=y, color=colour, description="told:N"
    )
    labels = style.chart(_ends(values)).mark_text(align="left", dx=7, fontSize=10)
    return alt.layer(lines, labels.encode(x=x, y=y, color=colour, text=alt.Text("optimizer:N")))


def _values(row: Row, deciles: Deciles) -> Iterator[Json]:
    for place, loss in enumerate(deciles.losses, start=1):
        if loss is not None:
            told = f"#{row.number} {row.name}, decile {place}: {loss:.2f} nats per token"
            yield {"decile": place, "loss": loss, "optimizer": row.optimizer_title, "told": told}


def _ends(values: list[Json]) -> list[Json]:
    """The last point of each line, moved up or down where two labels would cover each other."""
    lasts = {value["optimizer"]: value for value in values}
    high = max(value["loss"] for value in values)
    heights = {place: last["loss"] for place, last in enumerate(lasts.values())}
    places = style.spread(heights, low=0.0, high=high, distance=high * LABEL_DISTANCE / style.SIZE[1] * 1.3)
    return [{**last, "loss": places[place]} for place, last in enumerate(lasts.values())]
