"""The generalization gap by depth: whether deeper models fit train more than they gain on valid."""

import itertools
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bakeoff import words
from bakeoff.analysis.rows import Repeats, Row, StudyRows
from bakeoff.report import text
from bakeoff.report.figures import style
from bakeoff.report.figures.style import Figure, Json, Label


@dataclass(frozen=True, kw_only=True, eq=False)
class Line:
    """An architecture with an optimizer at several depths.

    Attributes:
        gaps: Its experiments, the shallowest first, with the gap of each in the end: the mean over seeds.
    """

    gaps: list[tuple[Repeats, float]]

    @property
    def first(self) -> Row:
        """A run of it."""
        return self.gaps[0][0].rows[0]

    @property
    def title(self) -> str:
        """Such as `LSTM, AdamW`."""
        return f"{self.first.model_title}, {self.first.optimizer_title}"

    @property
    def direction(self) -> str:
        """Whether the gap `falls` or `rises` with depth; empty where it does neither throughout."""
        steps = [after - before for (_, before), (_, after) in itertools.pairwise(self.gaps)]
        return "falls" if max(steps) < 0 else "rises" if min(steps) > 0 else ""


def draw(study: StudyRows, folder: Path) -> Iterator[Figure]:
    """Draw the figure where some architecture was trained at more than one depth with the same optimizer."""
    lines = by_depth(study)
    if lines:
        layers, right = _layers(study, lines)
        yield style.write(
            folder,
            layers,
            name="gap-by-depth",
            right=right,
            title="Generalization gap by depth",
            caption=text.say("captions", "depth", {"lines": lines, "seeds": study.seeds}),
        )


def by_depth(study: StudyRows) -> list[Line]:
    """Every architecture and optimizer with finished runs at several depths, all else equal."""
    groups: dict[tuple[str, str], list[Repeats]] = {}
    for experiment in study.experiments:
        if experiment.finished and not experiment.spoiled:
            first = experiment.rows[0]
            groups.setdefault((first.model_title, first.optimizer_title), []).append(experiment)
    return [
        Line(gaps=[(e, statistics.fmean(study.gap(row.history[-1]) for row in e.finished)) for e in found])
        for found in groups.values()
        if len({experiment.rows[0].layers for experiment in found}) > 1
    ]


def _layers(study: StudyRows, lines: list[Line]) -> tuple[list[Json], float]:
    single = {line: [(row, study.gap(row.history[-1])) for e, _ in line.gaps for row in e.finished] for line in lines}
    gaps = [gap for found in single.values() for _, gap in found]
    y = style.Linear(low=min(0.0, *gaps), high=max(0.0, *gaps), field="gap", title="gap, nats per token")
    colours, shapes = style.colours(study), style.shapes(study)
    dashes = dict(zip(shapes, itertools.cycle(style.DASHES), strict=False))
    depths = {"domain": sorted({row.layers for found in single.values() for row, _ in found}), "type": "point"}
    x = {"field": "layers", "type": "ordinal", "title": "layers", "scale": depths, "axis": {"labelAngle": 0}}
    channels, layers, ends = {"x": x, "y": y.encoding()}, [], []
    for line in lines:
        colour, dash = colours[line.first.optimizer_title], dashes[line.first.model_title]
        means = [{"layers": e.rows[0].layers, "gap": gap} for e, gap in line.gaps]
        points = [
            {"layers": row.layers, "gap": gap, "told": f"#{row.number} {row.name}, seed {row.seed}: {words.signed(gap)} nats"}
            for row, gap in single[line]
        ]
        layers.append(style.layer("line", means, channels, strokeWidth=1.8, strokeDash=dash, color=colour))
        layers.append(style.points(points, channels, size=65, shape=shapes[line.first.model_title], color=colour))
        ends.append(Label(text=line.title, y=y.place(line.gaps[-1][1]), colour=colour, dash=dash))
    right = style.beside(ends)
    return [*layers, *style.column(ends, right)], right
