"""Captions: what a figure plots, then what to see in this very run, from its own numbers."""

from typing import Any

from bakeoff.analysis.rows import Baseline, Point, Row, StudyRows
from bakeoff.report import words

#: What the caption calls each horizontal axis.
OVER = {"epochs": "epochs", "time": "training time"}


def learning_curves(study: StudyRows, rows: list[Row], axis: str, domain: tuple[float, float]) -> str:
    """The caption of one experiment's figure.

    Args:
        study: All rows, for the floors.
        rows: The experiment's runs, one a seed.
        axis: `epochs` or `time`.
        domain: The perplexities that the vertical axis shows.
    """
    plotted = (
        f"{rows[0].name} on {study.study['corpus']['name']}: perplexity per token over {OVER[axis]}, on a fixed sample "
        "of whole train documents (dashed) and on valid (solid), both with the same weights; grey lines are the "
        f"floors on valid.{_cut_off(rows, domain)}"
    )
    return " ".join([plotted, *(_what_to_see(row, study.baselines, several=len(rows) > 1) for row in rows)])


def sensitivity(study: StudyRows, model: str, trials: list[dict[str, Any]]) -> str:
    """The caption of one architecture's figure of the search for learning rates.

    Args:
        study: All rows, for what the search was.
        model: The architecture's title.
        trials: The points of the figure.
    """
    tuning = study.study["tuning"]
    best = min(trials, key=lambda trial: float(trial["perplexity"]))
    return (
        f"{model}: valid perplexity after {tuning['epochs']} epochs on {tuning['corpus']} (seed {tuning['seed']}, "
        f"study {tuning['study']}) against the learning rate; colour is the optimizer, the dash the number of layers, "
        f"the large dot the rate that was chosen. The best of all is {best['optimizer']} with {best['layers']} layer"
        f"{'s' if best['layers'] != '1' else ''} at {words.rate(best['rate'])}, at {words.number(best['perplexity'])}. "
        "Trials that diverged are missing, and what is worse than uniform is drawn at the upper edge."
    )


def _cut_off(rows: list[Row], domain: tuple[float, float]) -> str:
    highest = max(max(p.train.perplexity, p.valid.perplexity) for row in rows for p in row.history)
    return (
        f" The curve is cut off where it rises above the axis, up to {words.number(highest)}."
        if highest > domain[1]
        else ""
    )


def _what_to_see(row: Row, floors: tuple[Baseline, ...], *, several: bool) -> str:
    best = min(row.history, key=lambda point: point.valid.nats)
    last = row.history[-1]
    seen = (
        f"Valid is lowest after epoch {best.epoch}, at {words.number(best.valid.perplexity)}, where train is at "
        f"{words.number(best.train.perplexity)}; after epoch {last.epoch} they are at "
        f"{words.number(last.valid.perplexity)} and {words.number(last.train.perplexity)}. "
        f"{_crossings(row.history, floors)}{_pace(row)}{_ending(row)}"
    )
    return f"Seed {row.seed}: {seen}" if several else seen


def _crossings(history: tuple[Point, ...], floors: tuple[Baseline, ...]) -> str:
    """After which epoch valid is first seen below each floor but the uniform one."""
    parts = [_crossing(history, floor) for floor in floors if floor.name != "uniform"]
    return f"It is first seen {', '.join(parts)}."


def _crossing(history: tuple[Point, ...], floor: Baseline) -> str:
    below = [point.epoch for point in history if point.valid.nats < floor.valid.nats]
    return f"below {floor.name} after epoch {below[0]}" if below else f"below {floor.name} never"


def _pace(row: Row) -> str:
    if not row.epochs or row.train_seconds is None:
        return ""
    beside = "" if row.alone else ", measured beside other runs" if row.alone is False else ""
    return f" An epoch takes {words.duration(row.train_seconds / row.epochs)} of training{beside}."


def _ending(row: Row) -> str:
    return "" if row.status == "finished" else f" The run is {row.status}{f': {row.error}' if row.error else ''}."
