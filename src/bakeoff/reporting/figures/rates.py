"""How much the learning rate matters: valid perplexity of every trial of the search, a figure an architecture."""

from collections.abc import Iterator

from bakeoff import words
from bakeoff.analysis.rows import Repeats, StudyRows
from bakeoff.reporting import text
from bakeoff.reporting.figures import lines, style
from bakeoff.reporting.figures.lines import Series
from bakeoff.reporting.figures.style import MARGIN, Axis, Chart
from bakeoff.shapes import Json

Searched = dict[Repeats, list[Json]]


def draw(study: StudyRows) -> Iterator[Chart]:
    """Draw a figure for each architecture whose rates were searched; none where they were chosen by hand."""
    for model in study.study["models"]:
        mine = [experiment for experiment in study.experiments if experiment.rows[0].model == model["name"]]
        searched = {experiment: trials for experiment in mine if (trials := study.trials(experiment))}
        if any(trial["valid_loss"] is not None for trials in searched.values() for trial in trials):
            yield _figure(study, model, searched)


def _figure(study: StudyRows, model: Json, searched: Searched) -> Chart:
    """A line a search; what is above the axis is drawn at its edge, and what diverged as a cross there."""
    trials = [trial for found in searched.values() for trial in found]
    losses, rates = [t["valid_loss"] for t in trials if t["valid_loss"] is not None], [t["lr"] for t in trials]
    # Only a search on this very corpus has the study's floors.
    tuning = study.study["tuning"]
    worst = study.unigram.valid.loss if tuning["fits"] else study.uniform.valid.loss
    y = style.perplexity(min(losses) - MARGIN, min(max(losses), worst) + MARGIN)
    colours, series = style.colours(study), []
    dashes = style.dashes((e.rows[0].layers, e.rows[0].model_title) for e in searched)
    for e, found in searched.items():
        first, name = e.rows[0], f"#{e.number} {e.rows[0].optimizer_title}{lines.deep(e.rows[0])}"
        colour, dash = colours[first.optimizer_title], dashes[first.layers, first.model_title]
        ended = [_point(trial, y, name) for trial in found if trial["valid_loss"] is not None]
        lost = [_point(trial, y, name) for trial in found if trial["valid_loss"] is None]
        taken = [point for point in ended if point[0] == first.learning_rate]
        line, end = [(rate, loss) for rate, loss, _ in ended], min((loss for _, loss, _ in ended), default=y.high)
        series += [
            Series(colour, [line], ended, name, end, name=f"run-{e.number}", dash=dash),
            Series(colour, points=taken, size=100),
            Series(colour, points=lost, shape="cross", size=60),
        ]
    decades, low, high = style.decades(min(rates), max(rates)), min(rates) / 1.3, max(rates) * 1.3
    x = Axis(low=low, high=high, title="learning rate (log scale)", log=True, ticks=decades)
    floors = lines.floors(study, y, ("unigram",)) if tuning["fits"] else ()
    best = next((e, t) for e, found in searched.items() for t in found if t["valid_loss"] == min(losses))
    facts = {"tuning": tuning, "best": best, "diverged": len(losses) < len(trials)}
    title, caption = f"{model['title']}: valid perplexity against learning rate", text.say("captions", "rates", facts)
    about = {"name": f"rates-{model['name']}", "title": title, "caption": caption, "model": model["name"]}
    return lines.draw(series, x, y, floors, **about)


def _point(trial: Json, y: Axis, name: str) -> tuple[float, float, str]:
    loss = trial["valid_loss"]
    ended = trial["status"] if loss is None else words.perplexity(loss)
    return trial["lr"], y.high if loss is None else min(loss, y.high), f"{name}, lr {words.rate(trial['lr'])}: {ended}"
