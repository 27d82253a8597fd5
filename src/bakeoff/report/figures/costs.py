"""Quality against what it costs: the best so far against training time, and what memory and parameters bring."""

import math
import statistics
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bakeoff import words
from bakeoff.analysis.rows import Repeats, StudyRows
from bakeoff.analysis.timing import is_timed
from bakeoff.report import text
from bakeoff.report.figures import style
from bakeoff.report.figures.curves import best_so_far
from bakeoff.report.figures.style import Figure, Json, Label, PerplexityAxis

Path_ = list[tuple[float, float]]
Box = tuple[float, float, float, float]
#: How an experiment is drawn whose times are upper bounds.
PALE = 0.5
#: Half the size of a point, and how far from its middle a label may begin, in pixels; first near, then with a leader.
POINT, RINGS = 5.0, (8.0, 20.0)
#: Half the height of a letter.
TALL = 4.0


def draw(study: StudyRows, folder: Path) -> Iterator[Figure]:
    """Draw quality against each cost, for experiments that finished and lost no run."""
    shown = [experiment for experiment in study.ranked if not experiment.spoiled]
    if shown:
        yield _against_time(study, folder, shown)
    for cost in COSTS:
        priced = [(value, experiment) for experiment in shown if (value := cost.of(experiment))]
        if priced:
            yield _scatter(study, folder, cost, priced)


# --- time -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class TimeFacts:
    """What the caption of quality against time tells.

    Attributes:
        seeds: How many the study has.
        leaders: From which round time in seconds on who is lowest, and at which loss by then.
        bounded: Experiments whose times are upper bounds.
        shown: How many experiments there are.
    """

    seeds: int
    leaders: list[tuple[float, Repeats, float]]
    bounded: list[Repeats]
    shown: int


def path(experiment: Repeats) -> Path_:
    """Seconds of training, and the lowest loss on valid by then: the mean over the seeds that finished."""
    ways = [best_so_far(row) for row in experiment.finished]
    begin = max(way[0][0] for way in ways)
    times = sorted({seconds for way in ways for seconds, _ in way if seconds >= begin})
    return [(t, statistics.fmean(min(loss for s, loss in way if s <= t) for way in ways)) for t in times]


def seconds_to(experiment: Repeats, loss: float) -> float | None:
    """When an experiment was first seen below a loss; None where it never was."""
    return next((seconds for seconds, at in path(experiment) if at < loss), None)


def is_bounded(experiment: Repeats) -> bool:
    """Whether its times are upper bounds only, as something else slowed down a run of it."""
    return not all(is_timed(row) for row in experiment.finished)


def _against_time(study: StudyRows, folder: Path, shown: list[Repeats]) -> Figure:
    y = style.contest(study, [row for experiment in shown for row in experiment.finished])
    paths = {experiment: path(experiment) for experiment in shown}
    # From when the first one is seen below the upper edge.
    begin = min((s for steps in paths.values() for s, loss in steps if s and not y.cuts(loss)), default=1.0)
    end = max(2 * begin, *(steps[-1][0] for steps in paths.values()))
    channels = {
        "x": style.log_axis("training time, seconds", 0.9 * begin, 1.03 * end),
        "y": y.encoding(),
    }
    labels = [_ending(study, experiment, paths[experiment], y) for experiment in shown]
    lines, floors = style.floors(study, y, style.FEW)
    labels += floors
    right = style.beside(labels)
    facts = TimeFacts(
        seeds=study.seeds,
        leaders=_leaders(paths, style.ticks(begin, end)),
        bounded=[experiment for experiment in shown if is_bounded(experiment)],
        shown=len(shown),
    )
    return style.write(
        folder,
        [*lines, *_steps(study, paths, channels), *style.column(labels, right)],
        name="pareto-time",
        right=right,
        title="Lowest valid perplexity so far against training time",
        caption=text.say("captions", "time", facts),
    )


def _steps(study: StudyRows, paths: dict[Repeats, Path_], channels: Json) -> list[Json]:
    """The way of each experiment, with its architecture's symbol where it is lowest."""
    layers = []
    doubted = [e for e in paths if is_bounded(e)]
    colours, shapes, dashes = style.colours(study), style.shapes(study), style.by_depth(study)
    for experiment, steps in paths.items():
        first, name = experiment.rows[0], f"run-{experiment.number}"
        bounded = experiment in doubted
        shown = {"color": colours[first.optimizer_title], "opacity": PALE if bounded and len(doubted) < len(paths) else 1.0}
        seconds, loss = min(steps, key=lambda step: step[1])
        told = f"#{experiment.number} {experiment.name}: {words.perplexity(loss)} by {words.duration(seconds)}"
        mark = [{"x": seconds, "perplexity": style.perplexity(loss), "told": f"{told}{'†' if bounded else ''}"}]
        marks = channels | {"description": {"field": "told"}}
        options = {"filled": True, "size": 55, "aria": True, "clip": True, "shape": shapes[first.model_title]}
        corners = [{"x": s, "perplexity": style.perplexity(loss)} for s, loss in steps if s]
        dash = dashes[first.layers]
        layers.append(style.layer("line", corners, channels, name=name, strokeWidth=1.4, strokeDash=dash, clip=True, **shown))
        layers.append(style.layer("point", mark, marks, name=f"{name}-end", **options, **shown))
    return layers


def _leaders(paths: dict[Repeats, Path_], times: list[float]) -> list[tuple[float, Repeats, float]]:
    """Who is lowest by each of some times, where that changes."""
    found: list[tuple[float, Repeats, float]] = []
    for time in times:
        by_then = {e: min((loss for s, loss in steps if s <= time), default=math.inf) for e, steps in paths.items()}
        leader = min(by_then, key=lambda experiment: by_then[experiment])
        if math.isfinite(by_then[leader]) and (not found or found[-1][1] is not leader):
            found.append((time, leader, by_then[leader]))
    return found


def _ending(study: StudyRows, experiment: Repeats, steps: Path_, y: PerplexityAxis) -> Label:
    first, loss = experiment.rows[0], steps[-1][1]
    doubt = f"{'†' if is_bounded(experiment) else ''}{'↑' if y.cuts(loss) else ''}"
    return Label(
        text=f"#{first.number} {first.model_title}{style.deep(first)}, {first.optimizer_title}{doubt}",
        y=y.place(loss),
        colour=style.colours(study)[first.optimizer_title],
        dash=style.by_depth(study)[first.layers],
    )


# --- memory and parameters --------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Something that quality is weighed against.

    Attributes:
        figure: The name of the figure.
        title: What it is, with its unit, as the table's head has it.
        unit: Its unit.
        of: Its value for an experiment in that unit; None where it was not measured.
        format: How d3 writes a tick.
    """

    figure: str
    title: str
    unit: str
    of: Callable[[Repeats], float | None]
    format: str = "~r"


def _memory(experiment: Repeats) -> float | None:
    known = [row.memory["average_bytes"] / 1e6 for row in experiment.finished if row.memory]
    return statistics.fmean(known) if known else None


COSTS = (
    Cost(figure="pareto-memory", title="steady memory, MB", unit="MB", of=_memory),
    Cost(
        figure="parameters",
        title="trained parameters",
        unit="parameters",
        of=lambda experiment: float(experiment.rows[0].learnable_parameters),
        format="~s",
    ),
)


@dataclass(frozen=True, kw_only=True)
class CostFacts:
    """What the caption of quality against a cost tells.

    Attributes:
        cost: The cost.
        seeds: How many the study has.
        front: Those that no other beats in both, with what they cost, the cheapest first.
    """

    cost: Cost
    seeds: int
    front: list[tuple[float, Repeats]]


def front(priced: list[tuple[float, Repeats]]) -> list[tuple[float, Repeats]]:
    """Those that no other beats in both, the cheapest first."""
    lowest, found = math.inf, []
    for value, experiment in sorted(priced, key=lambda pair: (pair[0], pair[1].loss)):
        if experiment.loss < lowest:
            lowest = experiment.loss
            found.append((value, experiment))
    return found


def _scatter(study: StudyRows, folder: Path, cost: Cost, priced: list[tuple[float, Repeats]]) -> Figure:
    losses, values = [experiment.loss for _, experiment in priced], [value for value, _ in priced]
    floor, worst = study.lowest_floor.valid.loss, min(max(losses), study.unigram.valid.loss + style.ABOVE_UNIGRAM)
    y = PerplexityAxis(low=min(*losses, floor) - 0.12, high=max(worst, floor + 0.2) + 0.12, title="valid perplexity")
    low, high = min(values) / 1.2, max(values) * 1.2
    colours, shapes = style.colours(study), style.shapes(study)
    right = 36 + min(style.LETTER * max(map(len, [*colours, *shapes, "architecture"])), style.WIDEST)
    channels = {"x": style.log_axis(cost.title, low, high, cost.format), "y": y.encoding()}
    points = [
        {
            "x": value,
            "perplexity": min(style.perplexity(e.loss), style.perplexity(y.high)),
            "model": e.rows[0].model_title,
            "optimizer": e.rows[0].optimizer_title,
            "told": f"#{e.number} {e.name}: {words.perplexity(e.loss)} at {words.number(value)} {cost.unit}",
        }
        for value, e in priced
    ]
    kinds = {
        "color": style.named("optimizer", "optimizer", colours),
        "shape": style.named("model", "architecture", shapes),
        "description": {"field": "told"},
    }
    found = front(priced)
    corners = [{"x": value, "perplexity": style.perplexity(e.loss)} for value, e in found]
    lines, _ = style.floors(study, y, style.FEW)
    at = {e: (style.width(right) * math.log(v / low) / math.log(high / low), y.place(e.loss)) for v, e in priced}
    stairs = {"interpolate": "step-after", "color": style.QUIET, "strokeWidth": 1.2, "strokeDash": [4, 3], "clip": True}
    return style.write(
        folder,
        [
            *lines,
            style.layer("line", corners, channels, **stairs),
            style.layer("point", points, channels | kinds, size=60, filled=True, opacity=1, aria=True),
            *_names(study, at, y, found, style.width(right)),
        ],
        name=cost.figure,
        right=right,
        title=f"Valid perplexity against {cost.title.split(',')[0]}",
        caption=text.say("captions", "cost", CostFacts(cost=cost, seeds=study.seeds, front=found)),
    )


def _names(
    study: StudyRows,
    at: dict[Repeats, tuple[float, float]],
    y: PerplexityAxis,
    found: list[tuple[float, Repeats]],
    width: float,
) -> list[Json]:
    """The floors' names along their lines and the experiments' numbers beside their points, where there is room."""
    taken = [(x - POINT, at_y - POINT, x + POINT, at_y + POINT) for x, at_y in at.values()]
    corners = [at[experiment] for _, experiment in found]
    for (x, top), (after, bottom) in zip(corners, corners[1:], strict=False):
        taken += [(x, top - 1, after, top + 1), (after - 1, top, after + 1, bottom)]
    taken += [(-999.0, -999.0, width + 999, 0.0), (-999.0, style.HEIGHT, width + 999, 9999.0)]
    taken += [(-999.0, -999.0, 0.0, 9999.0), (width, -999.0, width + 999, 9999.0)]
    labels = []
    floors = style.floors(study, y, style.FEW)[1]
    taken += [(0.0, label.y - 1, width, label.y + 1) for label in floors]
    for label in floors:
        size = style.LETTER * len(label.text)
        sides = (7, -7) if label is floors[-1] else (-7, 7)
        rows = [(4 + x, label.y + dy) for dy in sides for x in range(0, int(width - size), 12)]
        box = free([(x, middle - TALL, x + size, middle + TALL) for x, middle in rows], taken)
        labels.append(_text(label.text, box, style.QUIET))
    leaders = []
    for experiment, (x, middle) in at.items():
        name = f"#{experiment.number}"
        box = free(list(around(x, middle, style.LETTER * len(name) + 2)), taken)
        labels.append(_text(name, box, style.INK))
        end = min(max(x, box[0]), box[2]), min(max(middle, box[1]), box[3])
        if math.dist(end, (x, middle)) > 2 * POINT:
            leaders.append({"x": x, "y": middle, "x2": end[0], "y2": end[1]})
    channels = {"x": style.as_is("x"), "y": style.as_is("y")}
    texts = channels | {"text": {"field": "text"}, "color": {"field": "colour", "type": "nominal", "scale": None}}
    ends = channels | {"x2": {"field": "x2"}, "y2": {"field": "y2"}}
    return [
        style.layer("rule", leaders, ends, color=style.QUIET, strokeWidth=0.6),
        style.layer("text", labels, texts, baseline="middle"),
    ]


def _text(text: str, box: Box, colour: str) -> Json:
    return {"text": text, "x": (box[0] + box[2]) / 2, "y": (box[1] + box[3]) / 2, "colour": colour}


def around(x: float, y: float, size: float) -> Iterator[Box]:
    """Places for a label of some width around a point: beside it, above and below; then further away."""
    for ring in RINGS:
        for dx, dy in ((1, 0), (-1, 0), (0, -1), (0, 1), (1, -1), (1, 1), (-1, -1), (-1, 1)):
            left = x + dx * ring - (0 if dx > 0 else size if dx < 0 else size / 2)
            middle = y + dy * (ring + 3)
            yield (left, middle - TALL, left + size, middle + TALL)


def free(candidates: Iterable[Box], taken: list[Box]) -> Box:
    """The first candidate that covers nothing that is taken, or else the one that covers least; it is taken then."""

    def covered(box: Box) -> float:
        widths = ((min(box[2], other[2]) - max(box[0], other[0]), min(box[3], other[3]) - max(box[1], other[1])) for other in taken)
        return sum(w * h for w, h in widths if w > 0 and h > 0)

    chosen = min(candidates, key=covered)
    taken.append(chosen)
    return chosen
