"""Overfitting: over time, by capacity, and what could be done about it."""

from collections.abc import Sequence

from bakeoff.analysis import statistics, words
from bakeoff.analysis.declared import Declared
from bakeoff.analysis.diagnosis import FLAT
from bakeoff.analysis.findings.depth import ladders
from bakeoff.analysis.findings.finding import (
    CONTRADICTED,
    NOT_DISTINGUISHABLE,
    NOT_MEASURED,
    SUPPORTED,
    Conjecture,
    Finding,
    became,
    evidence,
    link,
    unlearned,
)
from bakeoff.analysis.rows import Experiment, Row, StudyRows

REMEDIES = Conjecture(
    text=(
        "Stopping at the best epoch, which the table already does, costs nothing, and saves only what was lost after "
        "it. Dropout, more weight decay and more train text may lower the best itself."
    ),
    source=(
        "Prechelt 1998, Early Stopping - But When?; Srivastava et al. 2014, Dropout: A Simple Way to Prevent Neural "
        "Networks from Overfitting; Zaremba, Sutskever & Vinyals 2014, Recurrent Neural Network Regularization"
    ),
    decided_by="the run with the largest gap again with dropout 0.2 and then 0.5, all else alike, on valid",
)


def overfitting(study: StudyRows) -> list[Finding]:
    """Who overfits at all; then, for experiments that differ in depth alone, whether capacity decides it."""
    return [_who(study), *(_by_capacity(study, ladder) for ladder in ladders(study))]


def _who(study: StudyRows) -> Finding:
    finished = [row for row in study.rows if row.finished]
    risen = [row for row in finished if row.diagnosis_rule == "overfitting"]
    return Finding(
        name="overfitting",
        question="Do the runs overfit, and what would help?",
        verdict=_who_verdict(finished, risen),
        text=_who_text(study, finished, risen) if finished else "No run has finished.",
        evidence=evidence(finished),
        figures=("gap-by-depth",),
        conjecture=REMEDIES if risen or _memorizing(finished) else None,
    )


def _who_verdict(finished: list[Row], risen: list[Row]) -> str:
    if risen:
        return SUPPORTED
    return CONTRADICTED if finished and not _may_rise(finished, risen) else NOT_MEASURED


def _may_rise(finished: list[Row], risen: list[Row]) -> list[Row]:
    """Runs whose valid ended above its lowest, but not for so long that it can be told from noise."""
    return [row for row in finished if row not in risen and _rise(row) >= FLAT]


def _rise(row: Row) -> float:
    """What going on from the best epoch to the end cost, in nats per token."""
    last = row.last["valid"]
    return last.loss - row.valid.loss if last and row.valid else 0.0


def _memorizing(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row.diagnosis_rule == "memorizing"]


def _who_text(study: StudyRows, finished: list[Row], risen: list[Row]) -> str:
    runs = words.counted(len(finished), "finished run")
    many = words.spelled(len(risen)) if risen else "none"
    rise = f"In {many} of {runs} valid rose again while train went on falling{_costs(risen)}."
    near, late = _memorizing(finished), _may_rise(finished, risen)
    close = f" In {_which(near)} the gap is large, without such a rise." if near else ""
    noise = f" In {_which(late)} valid ended above its lowest, too late to be told from noise." if late else ""
    lost = unlearned(finished)
    number = words.numbers(row.number for row in lost)
    never = f" {number} did not learn enough to overfit, whatever the gap." if lost else ""
    return f"{rise}{close}{noise}{_largest(study, finished)}{never}"


def _which(rows: list[Row]) -> str:
    return f"{words.spelled(len(rows))} ({words.numbers(row.number for row in rows)})"


def _costs(risen: list[Row]) -> str:
    """What going on to the end cost, by experiment."""
    costs: dict[int, list[float]] = {}
    for row in risen:
        costs.setdefault(row.number, []).append(_rise(row))
    parts = [f"#{number} by {_between(found)} nats" for number, found in sorted(costs.items())]
    return f" ({words.joined(parts)} from its lowest)" if parts else ""


def _between(found: list[float]) -> str:
    """The least and the most of some nats; one number where they are the same."""
    return words.joined(list(dict.fromkeys(words.nats(value) for value in (min(found), max(found)))), "to")


def _largest(study: StudyRows, finished: list[Row]) -> str:
    row = max(finished, key=lambda row: study.gap(row.history[-1]))
    return (
        f" The largest gap in the end is that of #{row.number} ({row.name}): valid costs "
        f"{words.nats(study.gap(row.history[-1]))} nats more than train at equal mix of tokens."
    )


def _by_capacity(study: StudyRows, ladder: list[Declared]) -> Finding:
    row = ladder[0].experiment.rows[0]
    finished = [found.experiment for found in ladder if found.experiment.finished]
    lost = [row for experiment in finished for row in unlearned(experiment.finished)]
    comparable = len(finished) > 1 and not lost
    return Finding(
        name=link("capacity", row.model, row.optimizer, str(row.number)),
        question=f"{row.model_title} with {row.optimizer_title}: does a larger model overfit more easily?",
        verdict=_verdict(_widenings(study, finished)) if comparable else NOT_MEASURED,
        text=_capacity_text(study, finished, lost),
        evidence=evidence(row for experiment in finished for row in experiment.finished),
        figures=("gap-by-depth",),
    )


def _widenings(study: StudyRows, finished: list[Experiment]) -> list[float]:
    """How much wider the gap of the largest model is than that of the smallest, by the seeds that both finished."""
    small, large = (_gaps(study, finished[place]) for place in (0, -1))
    return [large[seed] - small[seed] for seed in sorted(small.keys() & large.keys())]


def _gaps(study: StudyRows, experiment: Experiment) -> dict[int, float]:
    return {row.seed: study.gap(row.history[-1]) for row in experiment.finished}


def _verdict(widenings: list[float]) -> str:
    interval = statistics.over_seeds(widenings)
    if interval is None:
        return NOT_MEASURED
    if interval.holds_zero:
        return NOT_DISTINGUISHABLE
    return SUPPORTED if interval.mean > 0 else CONTRADICTED


def _capacity_text(study: StudyRows, finished: list[Experiment], lost: list[Row]) -> str:
    if lost:
        named = words.joined(sorted({became(row) for row in lost}))
        return f"{named}: where nothing was learned, train and valid agree, and nothing overfits."
    if len(finished) < 2:  # noqa: PLR2004
        return "There are no two sizes to compare."
    gaps = [_mean(list(_gaps(study, experiment).values())) for experiment in finished]
    layers = words.joined([str(experiment.rows[0].layers) for experiment in finished])
    sizes = words.joined([f"{experiment.rows[0].learnable_parameters:,}" for experiment in finished])
    return (
        f"With {layers} layers ({sizes} trained parameters) valid costs "
        f"{words.joined([words.signed(g) for g in gaps])} nats more than train in the end, at equal mix of tokens, and "
        f"is lowest after epoch {_epochs(finished)}.{_change(_widenings(study, finished))}{_fit(finished)}"
    )


def _fit(finished: list[Experiment]) -> str:
    """That a narrower gap is no merit where the larger model fits train less, if that is so."""
    small, large = finished[0].train_loss, finished[-1].train_loss
    if large <= small + FLAT:
        return ""
    return (
        f" But the largest also fits train less, ending at {words.perplexity(large)} where the smallest ends at "
        f"{words.perplexity(small)}: it has learned less within this budget, which is no protection."
    )


def _epochs(finished: list[Experiment]) -> str:
    """The best epoch of each size; of the best seed, where there are several."""
    return words.joined([str(experiment.best.best_epoch) for experiment in finished])


def _change(widenings: list[float]) -> str:
    """What that says about the largest against the smallest, as a sentence."""
    if not widenings:
        return ""
    mean, interval = _mean(widenings), statistics.over_seeds(widenings)
    wider = "wider" if mean > 0 else "narrower"
    if interval and interval.holds_zero:
        change = words.spread(interval.low, interval.high)
        return (
            f" From the smallest to the largest it changes by {change} (95 % interval over seeds): perhaps not at all."
        )
    if interval:
        by = words.spread(*sorted((abs(interval.low), abs(interval.high))))
        return f" From the smallest to the largest it gets {wider} by {by} (95 % interval over seeds)."
    if abs(mean) < FLAT:
        return " It hardly changes from the smallest to the largest."
    runs = words.counted(len(widenings), "run")
    return f" It gets {wider} from the smallest to the largest, in {runs} of each; chance was not measured."


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
