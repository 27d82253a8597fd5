"""Whether more layers help, per architecture and optimizer."""

from collections.abc import Sequence

from bakeoff.analysis import words
from bakeoff.analysis.comparison import NO, UNKNOWN, YES, Comparison, certainty, compare, in_words
from bakeoff.analysis.declared import Declared, declared, has_interior_rate
from bakeoff.analysis.diagnosis import FLAT
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
from bakeoff.analysis.rows import StudyRows

POST_NORM = Conjecture(
    text=(
        "With layer norm after each residual sum, gradients near the output are large at the start, and a deep model "
        "wants a longer warm-up or smaller rates, with which it learns less in the same number of steps."
    ),
    source="Xiong et al. 2020, On Layer Normalization in the Transformer Architecture",
    decided_by="the deepest of them with a warm-up four times as long, and with layer norm before each residual branch",
)
DEGRADATION = Conjecture(
    text="Layers that are stacked without shortcuts around them are harder to optimize, and fit even train less well.",
    source="He et al. 2016, Deep Residual Learning for Image Recognition",
    decided_by="the deepest of them for twice as many epochs, and with a shortcut around every layer but the first",
)
NO_DROPOUT = Conjecture(
    text="More layers can know more of a small train text by heart; without dropout, large recurrent networks overfit.",
    source="Zaremba, Sutskever & Vinyals 2014, Recurrent Neural Network Regularization",
    decided_by="the deepest of them with dropout 0.2 between its layers",
)


def ladders(study: StudyRows) -> list[list[Declared]]:
    """Experiments that differ in the number of layers alone (and in what rate suits them), the shallowest first."""
    groups: dict[tuple[str, str], list[Declared]] = {}
    for found in declared(study):
        row = found.experiment.rows[0]
        kind = repr((found.size, found.settings, found.decay))
        groups.setdefault((f"{row.model} {row.optimizer}", kind), []).append(found)
    return [_by_layers(group) for group in groups.values() if len({_layers(found) for found in group}) > 1]


def _by_layers(group: list[Declared]) -> list[Declared]:
    return sorted(group, key=_layers)


def _layers(found: Declared) -> int:
    return found.experiment.rows[0].layers


def depths(study: StudyRows) -> list[Finding]:
    """One finding for every such row of experiments."""
    return [_finding(study, ladder) for ladder in ladders(study)]


def _finding(study: StudyRows, ladder: list[Declared]) -> Finding:
    row = ladder[0].experiment.rows[0]
    compared = _compared(ladder)
    withheld = _withheld(study, ladder)
    return Finding(
        name=link("depth", row.model, row.optimizer, str(row.number)),
        question=f"{row.model_title} with {row.optimizer_title}: do more layers help?",
        verdict=NOT_MEASURED if withheld else _verdict(compared),
        text=_text(ladder, compared, withheld),
        evidence=evidence(row for found in ladder for row in found.experiment.rows),
        figures=(f"overlay-{row.model}-epochs", "gap-by-depth", "parameters"),
        conjecture=None if withheld else _why(ladder, compared),
    )


def _compared(ladder: list[Declared]) -> list[Comparison]:
    """Every deeper one against the shallowest."""
    shallowest, *deeper = [found.experiment for found in ladder]
    return [found for experiment in deeper if (found := compare(experiment, shallowest))]


def _withheld(study: StudyRows, ladder: list[Declared]) -> str:
    """Why no claim about depth can be made, as a sentence; empty if one can."""
    lost = sorted({row.number: row for found in ladder for row in unlearned(found.experiment.rows)}.items())
    if lost:
        named = words.joined([became(row) for _, row in lost])
        return f" {named}: a run that did not learn shows a failed optimization, and nothing about depth."
    if not all(has_interior_rate(study, found.entry) for found in ladder):
        return (
            " The learning rates were not searched for each depth, with lower and higher ones tried; the best rate "
            "changes with depth, so nothing is claimed about depth itself."
        )
    return ""


def _verdict(compared: Sequence[Comparison]) -> str:
    answers = {found.answer for found in compared}
    if not answers:
        return NOT_MEASURED
    if YES in answers:
        return SUPPORTED
    if UNKNOWN in answers:
        return NOT_MEASURED
    return CONTRADICTED if answers == {NO} else NOT_DISTINGUISHABLE


def _text(ladder: list[Declared], compared: list[Comparison], withheld: str) -> str:
    finished = [found for found in ladder if found.experiment.finished]
    missing = words.numbers(found.experiment.number for found in ladder if not found.experiment.finished)
    gone = f" Without a finished run: {missing}." if missing else ""
    if not compared:
        return f"There are no two depths to compare.{gone}{withheld}"
    values = [f"{words.perplexity(found.experiment.loss)} (#{found.experiment.number})" for found in finished]
    layers = words.joined([str(_layers(found)) for found in finished])
    return (
        f"With {layers} layers, valid comes to {words.joined(values)}. {_best_of(compared, claims=not withheld)}"
        f"{_fit(finished)}"
        f"{_changes(finished)}{gone}{withheld}"
    )


def _best_of(compared: list[Comparison], *, claims: bool) -> str:
    """The best of the deeper ones against the shallowest; one that is surely better, if there is such a one."""
    best = max(compared, key=lambda found: (found.answer == YES, found.gain))
    openings = {YES: "More layers help: ", NO: "No deeper one is better: "} if claims else {}
    which = openings.get(best.answer, "")
    if not which and len(compared) > 1:
        which = "The best of the deeper ones against the shallowest: "
    text = f"{which}{in_words(best)}.{certainty(best)}"
    return words.sentence(text)


def _changes(finished: list[Declared]) -> str:
    """The rates, where they differ: a deeper model that wants a smaller rate is no news, but has to be known."""
    rates = [words.rate(found.entry["learning_rate"]) for found in finished]
    return f" Their rates, each found for its depth, are {words.joined(rates)}." if len(set(rates)) > 1 else ""


def _why(ladder: list[Declared], compared: list[Comparison]) -> Conjecture | None:
    """Why the deeper ones may not be better, if they are not: they fit train less, or they know it by heart."""
    if not compared or max(found.gain for found in compared) > 0:
        return None
    finished = [found for found in ladder if found.experiment.finished]
    if finished[-1].experiment.train_loss <= finished[0].experiment.train_loss + FLAT:
        return NO_DROPOUT
    return POST_NORM if ladder[0].attends else DEGRADATION


def _fit(finished: list[Declared]) -> str:
    """What each depth makes of train: a deeper model that is worse on train as well does not overfit."""
    trains = [found.experiment.train_loss for found in finished]
    worse = trains[-1] > trains[0] + FLAT and finished[-1].experiment.loss > finished[0].experiment.loss + FLAT
    reading = ": the deepest is worse on train as well, so it does not lose by overfitting" if worse else ""
    return f" Train ends at {words.joined([words.perplexity(loss) for loss in trains])}{reading}."
