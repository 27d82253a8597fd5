"""Quality against what it costs: the best so far against training time, and what memory and parameters bring."""

import itertools
import math
import statistics
from collections.abc import Callable, Iterator
from typing import NamedTuple

from bakeoff import words
from bakeoff.analysis import timing
from bakeoff.analysis.rows import Repeats, StudyRows
from bakeoff.reporting import text
from bakeoff.reporting.figures import lines, style
from bakeoff.reporting.figures.lines import Corner, Series
from bakeoff.reporting.figures.style import MARGIN, Axis, Chart

#: The opacity of experiments whose times are upper bounds.
PALE = 0.45


class Cost(NamedTuple):
    """Something that quality is weighed against."""

    figure: str
    title: str  # as the table's head has it
    unit: str
    of: Callable[[Repeats], float | None]  # in that unit; None where it was not measured
    written: Callable[[float], str] = style.decimal  # how it is written beside the axis


COSTS = (
    Cost("pareto-memory", "memory, MB", "MB", lambda e: e.memory and e.memory / 1e6),
    Cost(
        "parameters", "trained parameters", "parameters", lambda e: float(e.rows[0].learnable_parameters), style.scaled
    ),
)


def draw(study: StudyRows) -> Iterator[Chart]:
    """Draw quality against each cost, for experiments that finished and lost no run."""
    shown = [experiment for experiment in study.ranked if not experiment.spoiled]
    if shown:
        yield _against_time(study, shown)
    for cost in COSTS:
        priced = [(value, experiment) for experiment in shown if (value := cost.of(experiment))]
        if priced:
            yield _scatter(study, cost, priced)


def path(experiment: Repeats) -> list[Corner]:
    """Seconds of training, and the lowest loss on valid by then: the mean over the seeds that finished."""
    ways = [timing.best_so_far(row) for row in experiment.finished]
    begin = max(way[0][0] for way in ways)
    times = sorted({seconds for way in ways for seconds, _ in way if seconds >= begin})
    return [(t, statistics.fmean(min(loss for s, loss in way if s <= t) for way in ways)) for t in times]


def seconds_to(experiment: Repeats, loss: float) -> float | None:
    """When an experiment was seen at a loss, the median over its finished seeds; None unless all of them were."""
    times = [timing.crossing(row, loss).by for row in experiment.finished]
    known = [seconds for seconds in times if seconds is not None]
    return statistics.median(known) if len(known) == len(times) else None


def _against_time(study: StudyRows, shown: list[Repeats]) -> Chart:
    y = style.contest(study, [row for experiment in shown for row in experiment.finished])
    paths = {experiment: [corner for corner in path(experiment) if corner[0]] for experiment in shown}
    # From when the first one is seen below the upper edge.
    begin = min((s for way in paths.values() for s, loss in way if loss <= y.high), default=1.0)
    end = max(2 * begin, *(s for way in paths.values() for s, _ in way))
    bounded = [experiment for experiment in shown if not timing.is_exact(experiment)]
    colours, shapes = style.colours(study), style.shapes(study)
    dashes, series = style.dashes(experiment.rows[0].layers for experiment in shown), []
    for e, way in paths.items():
        first, (seconds, loss) = e.rows[0], min(way, key=lambda corner: corner[1])
        doubt = "†" if e in bounded else ""
        told = f"#{e.number} {e.name}: {words.perplexity(loss)} by {words.duration(seconds)}{doubt}"
        series.append(
            Series(
                colours[first.optimizer_title],
                [way],
                [(seconds, loss, told)],
                label=f"#{e.number} {first.optimizer_title}, {first.model_title}{lines.deep(first)}{doubt}",
                end=way[-1][1],
                name=f"run-{e.number}",
                dash=dashes[first.layers],
                shape=shapes[first.model_title],
                size=55,
                opacity=PALE if e in bounded and len(bounded) < len(shown) else 1.0,
            )
        )
    x = Axis(low=0.9 * begin, high=1.08 * end, title="training time, seconds (log scale)", log=True)
    facts = {"seeds": study.seeds, "bounded": len(bounded), "shown": len(shown), "twice": timing.twice(shown)}
    caption = text.say("captions", "time", facts | {"turns": timing.turns(timing.by_budget(study).seconds)})
    about = {"title": "Lowest valid perplexity so far against training time", "caption": caption}
    return lines.draw(series, x, y, lines.floors(study, y, lines.few(study)), name="pareto-time", **about)


def _scatter(study: StudyRows, cost: Cost, priced: list[tuple[float, Repeats]]) -> Chart:
    values, losses = [value for value, _ in priced], [experiment.loss for _, experiment in priced]
    low, high = min(*losses, study.lowest_floor.valid.loss), min(max(losses), study.unigram.valid.loss)
    y = style.perplexity(low - MARGIN, high + 2 * MARGIN)
    colours, shapes, best = style.colours(study), style.shapes(study), front(priced)
    steps = [(after[0], before[1].loss) for before, after in itertools.pairwise(best)]
    stairs = sorted([*((value, e.loss) for value, e in best), *steps], key=lambda corner: (corner[0], -corner[1]))
    series = [Series(style.QUIET, [stairs], dash=[4, 3], thick=1.2)]
    series += [Series(colour, label=title, end=y.high) for title, colour in colours.items()]
    for value, e in priced:
        told = f"#{e.number} {e.name}: {words.perplexity(e.loss)} at {words.number(value)} {cost.unit}"
        colour, shape = colours[e.rows[0].optimizer_title], shapes[e.rows[0].model_title]
        point = (value, min(e.loss, y.high), told)
        series.append(Series(colour, points=[point], note=f"#{e.number}", name=f"run-{e.number}", shape=shape, size=60))
    title, low, high = f"{cost.title} (log scale)", min(values) / 1.2, max(values) * 1.2
    x = Axis(low=low, high=high, title=title, log=True, written=cost.written)
    facts = {"seeds": study.seeds, "cost": cost, "front": best, "shapes": shapes}
    title, caption = f"Valid perplexity against {cost.title.split(',')[0]}", text.say("captions", "cost", facts)
    floors = lines.floors(study, y, lines.few(study))
    return lines.draw(series, x, y, floors, name=cost.figure, title=title, caption=caption)


def front(priced: list[tuple[float, Repeats]]) -> list[tuple[float, Repeats]]:
    """Those that no other beats in both, the cheapest first."""
    ordered = sorted(priced, key=lambda pair: (pair[0], pair[1].loss))
    lowest = itertools.accumulate((experiment.loss for _, experiment in ordered), min, initial=math.inf)
    return [pair for pair, before in zip(ordered, lowest, strict=False) if pair[1].loss < before]
