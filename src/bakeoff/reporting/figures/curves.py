"""Learning curves: each experiment's perplexity over epochs or steps and over seconds, alone and as a small panel."""

import re
from collections.abc import Iterator
from dataclasses import replace

from bakeoff import words
from bakeoff.analysis import evaluations, timing
from bakeoff.analysis.evaluations import Point
from bakeoff.analysis.rows import Row, StudyRows
from bakeoff.metrics import Tally
from bakeoff.reporting import text
from bakeoff.reporting.figures import lines, style
from bakeoff.reporting.figures.lines import Corner, Series
from bakeoff.reporting.figures.style import Axis, Chart, Figure
from bakeoff.shapes import Json

#: Over how much was trained, in epochs or, where the budget is in steps, in these; and over how long that took.
AXES = ("epochs", "time")
TRAIN = [5, 3]
#: The size of the numbers of a panel, which is shown at less than half its size.
PANEL_FONT = 17
_AROUND = re.compile(r'<g class="around".*?</g>', re.DOTALL)


def draw(study: StudyRows) -> Iterator[Chart]:
    """Draw both figures of every experiment that has at least one evaluation, by number."""
    for experiment in sorted(study.experiments, key=lambda experiment: experiment.number):
        rows = [row for row in experiment.rows if row.history]
        for axis in AXES if rows else ():
            yield _figure(study, rows, axis)


def small(figure: Figure) -> Figure:
    """The same as one of many panels: cropped to its plot, with larger numbers and nothing around."""
    crop = f'viewBox="4 {style.TOP - 10} {style.LEFT + figure.plot + 4} {style.HEIGHT + 36}"'
    svg = re.sub(r'width="\d+" height="\d+" viewBox="[^"]*"', crop, _AROUND.sub("", figure.svg), count=1)
    svg = re.sub(r'font-size="\d+"', f'font-size="{PANEL_FONT}"', svg)
    return replace(figure, svg=svg.replace(f"{figure.name}-clip", f"{figure.name}-small-clip"))


def _figure(study: StudyRows, rows: list[Row], axis: str) -> Chart:
    best = min(rows, key=lambda row: row.best_point.valid.nats)
    lowest, last = best.best_point, best.history[-1]
    y = style.contest(study, [row for row in study.rows if row.model == best.model and row.history], train=True)
    # Of a run itself only the start may be cut off, or what is worse than any guess.
    first = max(max(point.train.loss, point.valid.loss) for row in rows for point in row.history[:2][-1:])
    y = replace(y, high=max(y.high, min(first, study.uniform.valid.loss) + style.MARGIN))
    colour = style.colours(study)[best.optimizer_title]
    train = [[(at(point, axis), point.train.loss) for point in row.history] for row in rows]
    points = [dot(row, point, axis) for row in rows for point in row.history]
    # What is lowest at either end of a run has its number beside the plot, or none.
    inside = words.number(lowest.valid.perplexity) if 0 < lowest.epoch < last.epoch else ""
    dots = [dot(row, row.best_point, axis) for row in sorted(rows, key=lambda row: row is not best)]
    series = [
        Series(colour, train, label=_ending("train", last.train, y), end=last.train.loss, dash=TRAIN, thick=1.4),
        Series(colour, [way(row, axis) for row in rows], points, _ending("valid", last.valid, y), last.valid.loss),
        Series(colour, points=dots, note=inside, size=60),
    ]
    return lines.draw(
        series,
        horizontal(rows, axis),
        y,
        lines.floors(study, y),
        name=f"{best.number:02d}-{axis}",
        title=f"#{best.number}: {best.name}, lr {words.rate(best.learning_rate)}",
        caption=text.say("captions", "curves", _facts(study, rows, best, axis, y)),
        experiment=best.number,
        model=best.model,
        axis=axis,
    )


def at(point: Point, axis: str) -> float:
    """Where an evaluation is on the horizontal axis."""
    return float(point.place if axis == "epochs" else point.train_seconds)


def way(row: Row, axis: str) -> list[Corner]:
    """A run's curve on valid, in nats per token; over time as densely as it was measured."""
    if axis == "time":
        return evaluations.curve(row.history)
    return [(point.place, point.valid.loss) for point in row.history]


def dot(row: Row, point: Point, axis: str) -> tuple[float, float, str]:
    """An evaluation on valid as a point of a figure, with what it tells."""
    seed = f", seed {row.seed}" if row.seed else ""
    train, valid = (words.number(tally.perplexity) for tally in (point.train, point.valid))
    when = f"{point.when}, {words.duration(point.train_seconds)}"
    return at(point, axis), point.valid.loss, f"#{row.number} {row.name}{seed}: {when}: valid {valid}, train {train}"


def horizontal(rows: list[Row], axis: str) -> Axis:
    """The horizontal axis that some runs need, with room for a point at its end."""
    longest = max(1.0, *(at(row.history[-1], axis) for row in rows))
    if axis == "time":
        return Axis(low=0, high=1.02 * longest, title="training time, seconds")
    whole = range(0, int(longest) + 1, max(1, round(longest / 8)))
    return Axis(low=0, high=1.02 * longest, title=rows[0].unit, ticks=whole)


def _ending(split: str, tally: Tally, y: Axis) -> str:
    return f"{split} {words.number(tally.perplexity)}{' ↑' if tally.loss > y.high else ''}"


def _facts(study: StudyRows, rows: list[Row], best: Row, axis: str, y: Axis) -> Json:
    """The best run and all others, what the axis cuts off, which floors it passed and when, and its gap in the end."""
    floors = [floor for floor in study.baselines if floor != study.uniform]
    below = [floor for floor in floors if best.best_point.valid.loss <= floor.valid.loss]
    passed: dict[float, list[str]] = {}
    for floor in below:
        passed.setdefault(timing.crossing(best, floor.valid.loss).by or 0.0, []).append(floor.name)
    highest = max(max(point.train.loss, point.valid.loss) for row in rows for point in row.history)
    return {
        "axis": axis,
        "unit": study.unit,
        "best": best,
        "runs": rows,
        "cut_off": highest if highest > y.high else None,
        "below": [floor.name for floor in below],
        "above": [floor.name for floor in floors if floor not in below],
        "passed": sorted(passed.items()),
        "gap": study.gap(best.history[-1]),
        "unigram": study.unigram,
        "exact": timing.is_timed(best),
    }
