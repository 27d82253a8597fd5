"""How much the learning rate matters: valid perplexity of every trial of the search, a figure an architecture."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import altair as alt

from bakeoff.analysis.rows import StudyRows
from bakeoff.report import captions, style
from bakeoff.report.style import Figure

#: Perplexities above this many times the uniform floor are drawn there: the run learned nothing.
CEILING = 1.0


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
                }


def _chart(study: StudyRows, trials: list[dict[str, Any]]) -> style.Chart:
    high = study.uniform.valid.perplexity * CEILING
    shown = [{**trial, "perplexity": min(trial["perplexity"], high)} for trial in trials]
    colours = style.colours(study.study)
    colour = alt.Color("optimizer:N", scale=alt.Scale(domain=list(colours), range=list(colours.values())))
    depths = sorted({trial["layers"] for trial in shown})
    patterns = [[1, 0], [6, 3], [2, 2], [8, 2, 2, 2]]
    dash = alt.StrokeDash(
        "layers:N",
        scale=alt.Scale(domain=depths, range=patterns[: len(depths)]),
        legend=alt.Legend(symbolSize=400, symbolStrokeColor="#444444"),
    )
    x = alt.X(
        "rate:Q", title="learning rate (log scale)", scale=alt.Scale(type="log"), axis=alt.Axis(grid=False, format="~g")
    )
    y = style.perplexity_axis(min(trial["perplexity"] for trial in shown) * 0.85, high)
    chart = alt.Chart(alt.InlineData(values=shown))
    lines = chart.mark_line(strokeWidth=1.8).encode(x=x, y=y, color=colour, strokeDash=dash)
    points = chart.mark_point(filled=True, opacity=1).encode(
        x=x, y=y, color=colour, size=alt.condition("datum.chosen", alt.value(110), alt.value(20))
    )
    return alt.layer(lines, points)
