"""How much the learning rate matters: valid perplexity of every trial of the search, a figure an architecture."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import altair as alt

from bakeoff.analysis.rows import StudyRows
from bakeoff import words
from bakeoff.report import captions, style
from bakeoff.report.style import Figure


def draw(study: StudyRows, folder: Path) -> Iterator[Figure]:
    """Draw a figure for each architecture whose rates were searched; none where they were chosen by hand."""
    if study.study["tuning"] is None:
        return
    for model in study.study["models"]:
        trials = list(_trials(study, model["name"]))
        if trials:
            yield style.write(
                _chart(study, trials),
                folder,
                name=f"rates-{model['name']}",
                title=f"{model['title']}: valid perplexity against learning rate",
                caption=captions.sensitivity(study, model["title"], trials),
                model=model["name"],
            )


def _trials(study: StudyRows, model: str) -> Iterator[dict[str, Any]]:
    """Every trial of an architecture that ended with a result."""
    titles = {optimizer["name"]: optimizer["title"] for optimizer in study.study["optimizers"]}
    for experiment in study.study["experiments"]:
        found = study.study["tuning"]["rates"].get(experiment["slug"])
        if experiment["model"] != model or found is None:
            continue
        for trial in found["trials"]:
            if trial["valid_perplexity"] is not None:
                yield {
                    "rate": trial["lr"],
                    "perplexity": trial["valid_perplexity"],
                    "optimizer": titles[experiment["optimizer"]],
                    "layers": str(experiment["layers"]),
                    "chosen": trial["lr"] == found["lr"],
                    "size": 110 if trial["lr"] == found["lr"] else 20,
                    "told": f"{titles[experiment['optimizer']]}, {experiment['layers']} layers, rate "
                    f"{words.rate(trial['lr'])}: {words.number(trial['valid_perplexity'])}",
                }


def _chart(study: StudyRows, trials: list[dict[str, Any]]) -> style.Chart:
    high = study.uniform.valid.perplexity  # what is worse learned nothing, and is drawn there
    shown = [{**trial, "perplexity": min(trial["perplexity"], high)} for trial in trials]
    dashes = style.dashes([int(trial["layers"]) for trial in shown])
    dash = alt.StrokeDash(
        "layers:N",
        title="layers",
        scale=alt.Scale(domain=[str(depth) for depth in dashes], range=list(dashes.values())),
        legend=alt.Legend(symbolSize=400, symbolStrokeColor=style.INK),
    )
    colour = alt.Color("optimizer:N", title="optimizer", scale=style.colour_scale(study.study))
    ticks = alt.Axis(grid=False, format="~g")
    x = alt.X("rate:Q", title="learning rate (log scale)", scale=alt.Scale(type="log"), axis=ticks)
    low = min(trial["perplexity"] for trial in shown) * 0.85
    y = style.PerplexityAxis(low=low, high=high, linear_high=high, title="valid perplexity").encoding()
    chart = style.chart(shown)
    lines = chart.mark_line(strokeWidth=1.8).encode(x=x, y=y, color=colour, strokeDash=dash)
    points = chart.mark_point(filled=True, opacity=1, aria=True).encode(
        x=x,
        y=y,
        color=colour,
        size=alt.Size("size:Q", scale=None),
        description=alt.Description("told:N"),
    )
    return alt.layer(lines, points)
