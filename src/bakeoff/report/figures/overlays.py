"""All runs of an architecture in one figure, over epochs and over training seconds, labelled beside the plot."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from bakeoff import words
from bakeoff.analysis.evaluations import Baseline
from bakeoff.analysis.rows import Repeats, Row, StudyRows
from bakeoff.report import text
from bakeoff.report.figures import style
from bakeoff.report.figures.costs import is_bounded, seconds_to
from bakeoff.report.figures.curves import AXES, at, horizontal, told, way
from bakeoff.report.figures.style import Figure, Json, Label, PerplexityAxis

#: How thick a line is, with one seed and with several.
THICK, THIN = 1.6, 1.1


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a caption tells of all runs of an architecture.

    Attributes:
        title: The architecture's.
        axis: `epochs` or `time`.
        seeds: How many the study has.
        floor: The lowest floor.
        ranked: Its experiments with a finished run, the best first.
        below: Those of them that were seen below that floor: first after so many seconds, and whether that is exact.
        cut_off: Numbers of those that the axis cuts off wholly.
    """

    title: str
    axis: str
    seeds: int
    floor: Baseline
    ranked: list[Repeats]
    below: list[tuple[Repeats, float, bool]]
    cut_off: list[int]

    @property
    def highest(self) -> Repeats:
        """The experiment that ended highest."""
        return max(self.ranked, key=lambda experiment: experiment.loss)


def draw(study: StudyRows, folder: Path) -> Iterator[Figure]:
    """Draw both figures of every architecture that has at least one evaluation."""
    for model in study.study["models"]:
        entered = [experiment.rows for experiment in study.experiments if experiment.rows[0].model == model["name"]]
        groups = [found for rows in entered if (found := [row for row in rows if row.history])]
        for axis in AXES if groups else ():
            yield _figure(study, folder, groups, model["title"], axis)


def _figure(study: StudyRows, folder: Path, groups: list[list[Row]], title: str, axis: str) -> Figure:
    y, model = style.contest(study, [row for rows in groups for row in rows]), groups[0][0].model
    right = style.beside(_labels(study, groups, y))
    return style.write(
        folder,
        _layers(study, groups, axis, y, right),
        linear=_layers(study, groups, axis, replace(y, linear=True), right),
        name=f"overlay-{model}-{axis}",
        right=right,
        title=f"{title}: valid perplexity of every run over {'epochs' if axis == 'epochs' else 'training time'}",
        caption=text.say("captions", "overlay", _facts(study, groups, title, axis, y)),
        model=model,
        axis=axis,
    )


def _layers(study: StudyRows, groups: list[list[Row]], axis: str, y: PerplexityAxis, right: float) -> list[Json]:
    rows = [row for rows in groups for row in rows]
    channels = {"x": horizontal(rows, axis), "y": y.encoding()}
    by_seed, telling = channels | {"detail": {"field": "seed"}}, channels | {"description": {"field": "told"}}
    colours, dashes = style.colours(study), style.dashes(rows)
    layers, _ = style.floors(study, y, style.FEW)
    for runs in groups:
        first = runs[0]
        name, shown = f"run-{first.number}", {"color": colours[first.optimizer_title], "clip": True}
        line = {"strokeDash": dashes[first.model_title, first.layers], "strokeWidth": THIN if study.seeds > 1 else THICK}
        curves = [style.corner(run, x, loss) for run in runs for x, loss in way(run, axis)]
        points = [
            style.corner(run, at(p, axis), p.valid.loss) | {"told": f"#{run.number} {run.name}: {told(run, p)}"}
            for run in runs
            for p in run.history
        ]
        layers.append(style.layer("line", curves, by_seed, name=name, **line, **shown))
        layers.append(style.layer("point", points, telling, name=f"{name}-points", size=12, filled=True, opacity=1, aria=True, **shown))
    return [*layers, *style.column(_labels(study, groups, y), right)]


def _labels(study: StudyRows, groups: list[list[Row]], y: PerplexityAxis) -> list[Label]:
    """The floors, and each experiment where its best run ends, with the lowest perplexity of that run."""
    colours, dashes = style.colours(study), style.dashes(row for rows in groups for row in rows)
    _, labels = style.floors(study, y, style.FEW)
    for best in (min(rows, key=lambda row: row.best_point.valid.nats) for rows in groups):
        last, lowest = best.history[-1].valid.loss, words.number(best.best_point.valid.perplexity)
        model = f"{best.model_title}, " if len({rows[0].model_title for rows in groups}) > 1 else ""
        labels.append(
            Label(
                text=f"#{best.number} {model}{best.optimizer_title}{style.deep(best)} {lowest}{'↑' if y.cuts(last) else ''}",
                y=y.place(last),
                colour=colours[best.optimizer_title],
                dash=dashes[best.model_title, best.layers],
            )
        )
    return labels


def _facts(study: StudyRows, groups: list[list[Row]], title: str, axis: str, y: PerplexityAxis) -> Facts:
    ranked, floor = study.ranked_of(groups[0][0].model), study.lowest_floor
    times = [(e, seconds_to(e, floor.valid.loss)) for e in ranked]
    below = [(e, seconds, not is_bounded(e)) for e, seconds in times if seconds is not None]
    return Facts(
        title=title,
        axis=axis,
        seeds=study.seeds,
        floor=floor,
        ranked=ranked,
        below=sorted(below, key=lambda pair: pair[1]),
        cut_off=[rows[0].number for rows in groups if all(y.cuts(row.best_point.valid.loss) for row in rows)],
    )
