"""Loss by how frequent a token is in train: at which tokens one optimizer is ahead of another."""

import statistics
from collections.abc import Iterator

from bakeoff import words
from bakeoff.analysis.rows import Repeats, StudyRows
from bakeoff.reporting import text
from bakeoff.reporting.figures import lines, style
from bakeoff.reporting.figures.lines import Series
from bakeoff.reporting.figures.style import Axis, Chart

#: By decile, counted from 1, nats per token.
ByDecile = list[tuple[int, float]]


def draw(study: StudyRows) -> Iterator[Chart]:
    """Draw a figure for each architecture of which several optimizers can be compared by decile."""
    for model in study.study["models"]:
        found = comparable(study, model["name"])
        if len(found) > 1:
            yield _figure(study, model["name"], found)


def comparable(study: StudyRows, model: str) -> dict[Repeats, ByDecile]:
    """What experiments pay that differ in their optimizer alone, at the depth that most share; the best first."""
    groups: dict[tuple[str, int], dict[Repeats, ByDecile]] = {}
    for experiment in study.ranked_of(model):
        losses, first = _losses(experiment), experiment.rows[0]
        if losses and not experiment.spoiled:
            groups.setdefault((first.model_title, first.layers), {})[experiment] = losses
    return max(groups.values(), key=len, default={})


def _losses(experiment: Repeats) -> ByDecile:
    """Loss at the best epoch in every decile that has tokens, the mean over seeds; empty where it is not recorded."""
    known = [row.best_point.valid_deciles for row in experiment.finished]
    columns = zip(*(deciles.losses for deciles in known if deciles), strict=True)
    whole = ((place, [loss for loss in losses if loss is not None]) for place, losses in enumerate(columns, start=1))
    return [(place, statistics.fmean(losses)) for place, losses in whole if losses]


def _figure(study: StudyRows, model: str, found: dict[Repeats, ByDecile]) -> Chart:
    """What each pays more than the best of them."""
    best, colours, series = next(iter(found)), style.colours(study), []
    behind = {e: [(d, loss - dict(found[best])[d]) for d, loss in losses] for e, losses in found.items()}
    for e, line in behind.items():
        points = [(d, gain, f"#{e.number} {e.name}, decile {d}: {words.signed(gain)} nats") for d, gain in line]
        title = e.rows[0].optimizer_title
        series.append(Series(colours[title], [line], points, f"#{e.number} {title}", line[-1][1]))
    gains = [gain for line in behind.values() for _, gain in line]
    room = 0.05 * (max(gains) - min(gains)) or 1.0
    return lines.draw(
        series,
        Axis(low=0.8, high=10.1, title="decile of train's tokens, the most frequent first", ticks=range(1, 11)),
        Axis(low=min(gains) - room, high=max(gains) + room, title=f"nats per token behind #{best.number}"),
        name=f"deciles-{model}",
        title=f"{best.rows[0].model_title}: where optimizers differ, by how frequent a token is",
        caption=text.say("captions", "deciles", {"paid": found[best], "behind": behind, "seeds": study.seeds}),
        model=model,
    )
