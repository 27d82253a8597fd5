"""Learning curves: for each experiment perplexity over epochs and over training seconds, alone and as a small panel."""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from bakeoff import words
from bakeoff.analysis import evaluations
from bakeoff.analysis.evaluations import Point
from bakeoff.analysis.rows import Row, StudyRows
from bakeoff.analysis.timing import is_timed
from bakeoff.metrics import perplexity
from bakeoff.report import text
from bakeoff.report.figures import style
from bakeoff.report.figures.style import Figure, Json, Label, PerplexityAxis

AXES = {"epochs": "epoch", "time": "training time, seconds"}
#: The size of the numbers of a panel, which is shown at less than half its size.
PANEL_FONT = 17

_TITLES = re.compile(r'<g class="mark-text role-(?:axis-)?title[^"]*".*?</g>|<g class="mark-(?:rule|text) role-mark beside.*?</g>')
_TEXTS = re.compile(r'font-size="[\d.]+px"')
_WHOLE = f'width="{style.SIZE[0]}" height="{style.SIZE[1]}" viewBox="0 0 {style.SIZE[0]} {style.SIZE[1]}"'


@dataclass(frozen=True, kw_only=True)
class Panel:
    """An experiment's curves as one of many small pictures: its figure without what is around the plot.

    Attributes:
        experiment: Its number.
        axis: `epochs` or `time`.
        svg: The picture.
    """

    experiment: int
    axis: str
    svg: str


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a caption tells of one experiment over one axis.

    Attributes:
        axis: `epochs` or `time`.
        best: The run that came lowest on valid, which the numbers are of.
        runs: All of its runs that have an evaluation.
        cut_off: The highest perplexity that the axis cuts off; None where it cuts off nothing.
        below: Floors that its best evaluation is below, and `above` those that it is not.
        passed: When valid was first seen below which floors, in seconds, the first first.
        gap: The generalization gap in the end.
        exact: Whether its times are, and not upper bounds.
    """

    axis: str
    best: Row
    runs: list[Row]
    cut_off: float | None
    below: list[str]
    above: list[str]
    passed: list[tuple[float, list[str]]]
    gap: float
    exact: bool

    @property
    def point(self) -> Point:
        """The best evaluation."""
        return self.best.best_point

    @property
    def last(self) -> Point:
        """The last evaluation of the same run."""
        return self.best.history[-1]

    @property
    def fell(self) -> float:
        """By how much its last epoch lowered valid, in nats per token."""
        before = self.best.history[-2] if len(self.best.history) > 1 else self.last
        return before.valid.loss - self.last.valid.loss

    @property
    def range(self) -> list[float]:
        """Its lowest and its highest seed, by the best evaluation of each."""
        lows = [row.best_point.valid.perplexity for row in self.runs]
        return [min(lows), max(lows)]


def draw(study: StudyRows, folder: Path) -> Iterator[Figure]:
    """Draw both figures of every experiment that has at least one evaluation, by number."""
    for experiment in sorted(study.experiments, key=lambda experiment: experiment.number):
        rows = [row for row in experiment.rows if row.history]
        for axis in AXES if rows else ():
            yield _figure(study, folder, rows, axis)


def panel(figure: Figure) -> Panel:
    """The figure of an experiment as a panel: its plot with larger numbers, and nothing beside it."""
    crop = f'viewBox="4 {style.TOP - 10} {style.LEFT + figure.plot + 4} {style.HEIGHT + 36}"'
    bare = _TEXTS.sub(f'font-size="{PANEL_FONT}px"', _TITLES.sub("", figure.svg))
    svg = bare.replace(_WHOLE, crop, 1).replace(f"{figure.name}-clip", f"{figure.name}-small-clip")
    assert figure.experiment is not None and figure.axis is not None, "only experiments have panels"
    return Panel(experiment=figure.experiment, axis=figure.axis, svg=svg)


def _figure(study: StudyRows, folder: Path, rows: list[Row], axis: str) -> Figure:
    best, name = min(rows, key=lambda row: row.best_point.valid.nats), f"{rows[0].number:02d}-{axis}"
    alike = [row for row in study.rows if row.model == best.model and row.history]
    y = style.contest(study, alike, train=True)
    # A run that the axis of its kind would cut off wholly is shown all the same, were it not worse than any guess.
    y = replace(y, high=max(y.high, min(best.best_point.valid.loss, study.uniform.valid.loss) + style.ABOVE_UNIGRAM))
    colour = style.colours(study)[best.optimizer_title]
    lines, floors = style.floors(study, y)
    labels = [*floors, *_ends(best, y, colour)]
    right = style.beside(labels)
    return style.write(
        folder,
        [*lines, *_curves(rows, best, axis, y, colour), *style.column(labels, right)],
        name=name,
        right=right,
        title=f"#{best.number}: {best.name}, lr {words.rate(best.learning_rate)}",
        caption=text.say("captions", "curves", _facts(study, rows, best, axis, y)),
        experiment=best.number,
        model=best.model,
        axis=axis,
    )


def told(row: Row, point: Point) -> str:
    """One evaluation in words, for whoever points at it."""
    seed = f"seed {row.seed}, " if row.seed else ""
    return (
        f"{seed}epoch {point.epoch}, {words.duration(point.train_seconds)}: "
        f"valid {words.number(point.valid.perplexity)}, train {words.number(point.train.perplexity)}"
    )


def at(point: Point, axis: str) -> float:
    """Where an evaluation is on the horizontal axis."""
    return float(point.epoch if axis == "epochs" else point.train_seconds)


def best_so_far(row: Row) -> list[tuple[float, float]]:
    """Seconds of training, and the lowest loss on valid by then."""
    found = evaluations.curve(row.history)
    return list(zip((s for s, _ in found), itertools.accumulate((loss for _, loss in found), min), strict=True))


def way(row: Row, axis: str) -> list[tuple[float, float]]:
    """A run's curve on valid: where, and nats per token; over time as densely as it was measured."""
    if axis == "time":
        return evaluations.curve(row.history)
    return [(at(point, axis), point.valid.loss) for point in row.history]


def horizontal(rows: list[Row], axis: str) -> Json:
    """The horizontal axis that some runs need."""
    longest = max(at(row.history[-1], axis) for row in rows)
    return style.linear_axis(AXES[axis], max(longest, 1.0), whole=axis == "epochs")


def _curves(rows: list[Row], best: Row, axis: str, y: PerplexityAxis, colour: str) -> list[Json]:
    channels = {"x": horizontal(rows, axis), "y": y.encoding()}
    by_seed = channels | {"detail": {"field": "seed"}}
    trained = [style.corner(row, at(point, axis), point.train.loss) for row in rows for point in row.history]
    valid = [style.corner(row, x, loss) for row in rows for x, loss in way(row, axis)]
    points = [
        style.corner(row, at(point, axis), point.valid.loss)
        | {"size": 60 if point == row.best_point else 9, "told": told(row, point)}
        for row in rows
        for point in row.history
    ]
    lowest = best.best_point
    label = [style.corner(best, at(lowest, axis), lowest.valid.loss) | {"label": words.number(lowest.valid.perplexity)}]
    text_of = channels | {"text": {"field": "label"}}
    marks = channels | {"size": style.as_is("size"), "description": {"field": "told"}}
    shown = {"color": colour, "clip": True}
    # The lowest of the last epoch has its number beside the plot.
    inside = label if lowest != best.history[-1] else []
    return [
        style.layer("line", trained, by_seed, strokeWidth=1.4, strokeDash=[5, 3], **shown),
        style.layer("line", valid, by_seed, strokeWidth=1.7, **shown),
        style.layer("point", points, marks, filled=True, opacity=1, aria=True, **shown),
        style.layer("text", inside, text_of, dy=-11, fontSize=10.5, stroke=style.PAPER, strokeWidth=3, clip=True),
        style.layer("text", inside, text_of, dy=-11, fontSize=10.5, color=style.INK, clip=True),
    ]


def _ends(row: Row, y: PerplexityAxis, colour: str) -> list[Label]:
    """What the two curves are, and where they end."""
    last = row.history[-1]
    ends = {"valid": last.valid, "train": last.train}
    return [
        Label(
            text=f"{name} {words.number(tally.perplexity)}{' ↑' if y.cuts(tally.loss) else ''}",
            y=y.place(tally.loss),
            colour=colour,
            dash=[1, 0] if name == "valid" else [5, 3],
        )
        for name, tally in ends.items()
    ]


def _facts(study: StudyRows, rows: list[Row], best: Row, axis: str, y: PerplexityAxis) -> Facts:
    floors = [floor for floor in study.baselines if floor != study.uniform]
    below = [floor for floor in floors if best.best_point.valid.nats < floor.valid.nats]
    passed: dict[float, list[str]] = {}
    for floor in below:
        passed.setdefault(next(s for s, loss in best_so_far(best) if loss < floor.valid.loss), []).append(floor.name)
    highest = max(max(p.train.loss, p.valid.loss) for row in rows for p in row.history)
    return Facts(
        axis=axis,
        best=best,
        runs=rows,
        cut_off=perplexity(highest, 1) if highest > y.high else None,
        below=[floor.name for floor in below],
        above=[floor.name for floor in floors if floor not in below],
        passed=sorted(passed.items()),
        gap=study.gap(best.history[-1]),
        exact=is_timed(best),
    )
