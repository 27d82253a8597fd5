"""Loss by how frequent a token is in train: at which tokens one optimizer is ahead of another."""

import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bakeoff import words
from bakeoff.analysis.rows import Repeats, StudyRows
from bakeoff.report import text
from bakeoff.report.figures import style
from bakeoff.report.figures.style import Figure, Json, Label


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Experiments that differ in their optimizer alone, by decile of token frequency.

    Attributes:
        best: The lowest of them on valid, which the others are measured against.
        losses: What each paid in nats per token, by decile: the mean over seeds; None where there is no token.
        seeds: How many the study has.
    """

    best: Repeats
    losses: dict[Repeats, list[float | None]]
    seeds: int

    @property
    def ends(self) -> list[float]:
        """What the best pays for the most frequent tokens, and for the rarest."""
        known = [loss for loss in self.losses[self.best] if loss is not None]
        return [known[0], known[-1]]

    @property
    def furthest(self) -> list[tuple[Repeats, int, float]]:
        """In which decile each of the others is furthest behind, and by how much."""
        return [(e, *max(self.behind(e), key=lambda pair: pair[1])) for e in self.losses if e is not self.best]

    def behind(self, experiment: Repeats) -> list[tuple[int, float]]:
        """By how much an experiment is behind the best, by decile."""
        pairs = zip(self.losses[experiment], self.losses[self.best], strict=True)
        return [(d, a - b) for d, (a, b) in enumerate(pairs, start=1) if a is not None and b is not None]


def draw(study: StudyRows, folder: Path) -> Iterator[Figure]:
    """Draw a figure for each architecture of which several optimizers can be compared by decile."""
    for model in study.study["models"]:
        found = comparable(study, model["name"])
        if found:
            layers, right = _layers(study, found)
            yield style.write(
                folder,
                layers,
                name=f"deciles-{model['name']}",
                right=right,
                title=f"{found.best.rows[0].model_title}: where optimizers differ, by how frequent a token is",
                caption=text.say("captions", "deciles", found),
                model=model["name"],
            )


def comparable(study: StudyRows, model: str) -> Facts | None:
    """The experiments of an architecture that differ in their optimizer alone, at the depth that most of them share."""
    groups: dict[tuple[str, int], dict[Repeats, list[float | None]]] = {}
    for experiment in study.ranked_of(model):
        losses = _losses(experiment)
        if losses and not experiment.spoiled:
            first = experiment.rows[0]
            groups.setdefault((first.model_title, first.layers), {})[experiment] = losses
    found = max(groups.values(), key=len, default={})
    # They are ranked: the first is the best.
    return Facts(best=next(iter(found)), losses=found, seeds=study.seeds) if len(found) > 1 else None


def _losses(experiment: Repeats) -> list[float | None]:
    """Loss by decile at the best epoch; empty where a history does not tell it."""
    known = [row.best_point.valid_deciles for row in experiment.finished]
    columns = zip(*(deciles.losses for deciles in known if deciles), strict=True)
    return [statistics.fmean(losses) if None not in losses else None for losses in columns]


def _layers(study: StudyRows, found: Facts) -> tuple[list[Json], float]:
    behind, colours = {e: found.behind(e) for e in found.losses}, style.colours(study)
    gains = [gain for line in behind.values() for _, gain in line]
    title = f"nats per token behind {found.best.rows[0].optimizer_title}"
    y = style.Linear(low=min(gains), high=max(gains), field="gain", title=title)
    title, ticked = "decile of train's tokens, the most frequent first", {"grid": False, "values": list(range(1, 11))}
    x = style.quantity("decile", title=title, scale={"domain": [0.8, 10.1], "nice": False}, axis=ticked)
    channels, layers, ends = {"x": x, "y": y.encoding()}, [], []
    for e, line in behind.items():
        colour = colours[e.rows[0].optimizer_title]
        values = [
            {"decile": decile, "gain": gain, "told": f"#{e.number} {e.name}, decile {decile}: {words.signed(gain)} nats"}
            for decile, gain in line
        ]
        layers.append(style.layer("line", values, channels, strokeWidth=1.7, color=colour))
        layers.append(style.points(values, channels, size=20, color=colour))
        ends.append(Label(text=e.rows[0].optimizer_title, y=y.place(line[-1][1]), colour=colour))
    right = style.beside(ends)
    return [*layers, *style.column(ends, right)], right
