"""How much the learning rate matters: valid perplexity of every trial of the search, a figure an architecture."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bakeoff import words
from bakeoff.analysis.rows import Repeats, StudyRows
from bakeoff.report import text
from bakeoff.report.figures import style
from bakeoff.report.figures.style import Figure, Json, Label, PerplexityAxis

#: Sizes of the point of the rate that was chosen, and of the others.
CHOSEN, TRIED = 100, 20


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a caption tells of an architecture's search for learning rates.

    Attributes:
        tuning: What the search was.
        best: The experiment with the lowest trial, and that trial.
        narrow: Experiments that got below the unigram at no more than half of their rates, with those rates; empty where
            the search has other floors than the study.
        diverged: Whether a trial did.
    """

    tuning: Json
    best: tuple[Repeats, Json]
    narrow: list[tuple[Repeats, list[float]]]
    diverged: bool


def draw(study: StudyRows, folder: Path) -> Iterator[Figure]:
    """Draw a figure for each architecture whose rates were searched; none where they were chosen by hand."""
    for model in study.study["models"]:
        searched = {e: found for e in study.experiments if e.rows[0].model == model["name"] and (found := study.trials(e))}
        if any(trial["valid_loss"] is not None for trials in searched.values() for trial in trials):
            layers, right = _layers(study, searched)
            yield style.write(
                folder,
                layers,
                name=f"rates-{model['name']}",
                right=right,
                title=f"{model['title']}: valid perplexity against learning rate",
                caption=text.say("captions", "rates", _facts(study, searched)),
                model=model["name"],
            )


def _facts(study: StudyRows, searched: dict[Repeats, list[Json]]) -> Facts:
    ended = [(e, trial) for e, trials in searched.items() for trial in trials if trial["valid_loss"] is not None]
    below = {e: [t["lr"] for other, t in ended if other is e and t["valid_loss"] < study.unigram.valid.loss] for e in searched}
    narrow = [(e, rates) for e, rates in below.items() if len(rates) <= len(searched[e]) / 2]
    return Facts(
        tuning=study.study["tuning"],
        best=min(ended, key=lambda pair: float(pair[1]["valid_loss"])),
        narrow=narrow if _same_text(study) else [],
        diverged=len(ended) < sum(map(len, searched.values())),
    )


def _same_text(study: StudyRows) -> bool:
    """Whether the search's trials were measured on the very tokens that the study's floors are."""
    tuning = study.study["tuning"]
    return bool((tuning["study"], tuning["corpus"]) == (study.study["study"], study.study["corpus"]["name"]))


def _layers(study: StudyRows, searched: dict[Repeats, list[Json]]) -> tuple[list[Json], float]:
    known = [trial["valid_loss"] for trials in searched.values() for trial in trials if trial["valid_loss"] is not None]
    ceiling = study.unigram.valid.loss + style.ABOVE_UNIGRAM if _same_text(study) else study.uniform.valid.loss
    low, high = min(known) - style.BELOW_LOWEST, max(min(ceiling, max(known) + style.ABOVE_UNIGRAM), min(known) + style.ABOVE_WORST)
    y = PerplexityAxis(low=low, high=high, title="valid perplexity")
    rates = [trial["lr"] for trials in searched.values() for trial in trials]
    decades = {"grid": False, "format": "~g", "labelOverlap": True, "values": style.decades(min(rates), max(rates))}
    domain = {"type": "log", "domain": [min(rates) / 1.3, max(rates) * 1.3], "nice": False}
    channels = {"x": style.quantity("rate", title="learning rate (log scale)", scale=domain, axis=decades), "y": y.encoding()}
    lines, labels = style.floors(study, y, ("unigram",)) if _same_text(study) else ([], [])
    colours, dashes = style.colours(study), style.dashes(e.rows[0] for e in searched)
    layers = list(lines)
    for e, trials in searched.items():
        first = e.rows[0]
        title, dash = f"{first.optimizer_title}{style.deep(first)}", dashes[first.model_title, first.layers]
        values = [_value(trial, f"#{e.number} {title}", y, chosen=trial["lr"] == first.learning_rate) for trial in trials]
        marks = channels | {"size": style.as_is("size"), "shape": {"field": "shape", "scale": None}, "description": {"field": "told"}}
        shown = {"color": colours[first.optimizer_title]}
        layers.append(style.layer("line", [v for v in values if v["shape"] == "circle"], channels, strokeDash=dash, strokeWidth=1.6, **shown))
        layers.append(style.layer("point", values, marks, filled=True, opacity=1, aria=True, **shown))
        lowest = min(trial["valid_loss"] for trial in trials if trial["valid_loss"] is not None)
        labels.append(Label(text=f"#{e.number} {title}", y=y.place(lowest), dash=dash, colour=colours[first.optimizer_title]))
    right = style.beside(labels)
    return [*layers, *style.column(labels, right)], right


def _value(trial: Json, name: str, y: PerplexityAxis, *, chosen: bool) -> Json:
    """A trial; what is above the axis is drawn at its edge, and what diverged as a cross there."""
    loss = trial["valid_loss"]
    ended = "diverged" if loss is None else words.perplexity(loss)
    return {
        "rate": trial["lr"],
        "perplexity": style.perplexity(y.high if loss is None else min(loss, y.high)),
        "size": CHOSEN if chosen else TRIED,
        "shape": "cross" if loss is None else "circle",
        "told": f"{name}, rate {words.rate(trial['lr'])}: {ended}",
    }
