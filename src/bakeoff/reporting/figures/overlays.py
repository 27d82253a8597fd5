"""All runs of an architecture in one figure, over epochs and over training seconds, labelled beside the plot."""

from collections.abc import Iterator

from bakeoff import words
from bakeoff.analysis import timing
from bakeoff.analysis.rows import Row, StudyRows
from bakeoff.reporting import text
from bakeoff.reporting.figures import lines, style
from bakeoff.reporting.figures.costs import seconds_to
from bakeoff.reporting.figures.curves import AXES, dot, horizontal, way
from bakeoff.reporting.figures.lines import Series
from bakeoff.reporting.figures.style import Axis, Chart
from bakeoff.shapes import Json


def draw(study: StudyRows) -> Iterator[Chart]:
    """Draw both figures of every architecture that has at least one evaluation."""
    for model in study.study["models"]:
        entered = [experiment.rows for experiment in study.experiments if experiment.rows[0].model == model["name"]]
        groups = [found for rows in entered if (found := [row for row in rows if row.history])]
        for axis in AXES if groups else ():
            yield _figure(study, groups, model["title"], axis)


def _figure(study: StudyRows, groups: list[list[Row]], title: str, axis: str) -> Chart:
    rows, model, colours = [row for rows in groups for row in rows], groups[0][0].model, style.colours(study)
    y, dashes = style.contest(study, rows), style.dashes((row.layers, row.model_title) for row in rows)
    caption = text.say("captions", "overlay", _facts(study, groups, title, axis, y))
    several, series = len({row.model_title for row in rows}) > 1, []
    for runs in groups:
        best = min(runs, key=lambda row: row.best_point.valid.nats)
        end, lowest = best.history[-1].valid.loss, words.number(best.best_point.valid.perplexity)
        called = f"{best.optimizer_title}{lines.deep(best)}{f', {best.model_title}' if several else ''}"
        series.append(
            Series(
                colours[best.optimizer_title],
                [way(row, axis) for row in runs],
                [dot(row, point, axis) for row in runs for point in row.history],
                label=f"#{best.number} {lowest}{'↑' if end > y.high else ''} {called}",
                end=end,
                name=f"run-{best.number}",
                dash=dashes[best.layers, best.model_title],
                thick=1.6 if study.seeds == 1 else 1.1,
            )
        )
    title = f"{title}: valid perplexity of every run over {f'{study.unit}s' if axis == 'epochs' else 'training time'}"
    about = {"name": f"overlay-{model}-{axis}", "title": title, "caption": caption, "model": model, "axis": axis}
    return lines.draw(series, horizontal(rows, axis), y, lines.floors(study, y, lines.few(study)), **about)


def _facts(study: StudyRows, groups: list[list[Row]], title: str, axis: str, y: Axis) -> Json:
    """Its experiments, the best first, those wholly above the axis, and who was below the lowest floor by when."""
    ranked, floor = study.ranked_of(groups[0][0].model), study.lowest_floor
    times = [(experiment, seconds_to(experiment, floor.valid.loss)) for experiment in ranked]
    below = [(experiment, seconds, timing.is_exact(experiment)) for experiment, seconds in times if seconds is not None]
    return {
        "title": title,
        "axis": axis,
        "unit": study.unit,
        "seeds": study.seeds,
        "ranked": ranked,
        "cut_off": [rows[0].number for rows in groups if min(row.best_point.valid.loss for row in rows) > y.high],
        "floor": floor,
        "below": sorted(below, key=lambda found: found[1]),
        "twice": timing.twice(ranked),
    }
