"""Which run to take when only the loss on unseen text matters."""

from bakeoff.analysis import words
from bakeoff.analysis.comparison import CHANCE, Comparison, behind, certainty, compare, named, repeated
from bakeoff.analysis.declared import describe
from bakeoff.analysis.diagnosis import FLAT
from bakeoff.analysis.findings.finding import NOT_DISTINGUISHABLE, NOT_MEASURED, VERDICTS, Finding, evidence
from bakeoff.analysis.rows import Experiment, StudyRows

NAME = "generalization"
QUESTION = "Which run, and so which optimizer and settings, when generalization matters most?"


def generalizes_best(study: StudyRows) -> Finding:
    """The best experiment on valid, what it is on test, and whether the next one can be told from it."""
    ranked = study.ranked
    if not ranked:
        return Finding(
            name=NAME, question=QUESTION, verdict=NOT_MEASURED, text="No run has finished.", evidence=(), figures=()
        )
    best, rest = ranked[0], ranked[1:]
    compared = [found for other in rest if (found := compare(best, other))]
    return Finding(
        name=NAME,
        question=QUESTION,
        verdict=_verdict(compared),
        text=f"{_best(study, best)}{_next(compared)}{_on_test(best, rest)}{_gap(study, best, rest)}",
        evidence=evidence(row for experiment in ranked[:2] for row in experiment.finished),
        figures=("pareto-time", f"overlay-{best.rows[0].model}-epochs"),
    )


def _verdict(compared: list[Comparison]) -> str:
    """Whether the best can be told from every other; the next one stands for those that are further off."""
    if any(found.answer == CHANCE for found in compared):
        return NOT_DISTINGUISHABLE
    return VERDICTS[compared[0].answer] if compared else NOT_MEASURED


def _best(study: StudyRows, best: Experiment) -> str:
    seeds = len(best.losses)
    over = f" (mean loss of {seeds} seeds)" if seeds > 1 else ""
    return (
        f"{describe(study, best.number)} is lowest on valid, which selects, at {words.perplexity(best.loss)}{over}"
        f"{_test(best)}."
    )


def _test(best: Experiment) -> str:
    losses = _test_losses(best)
    if not losses:
        return ""
    return f", and comes to {words.perplexity(sum(losses) / len(losses))} on test, which does not"


def _test_losses(experiment: Experiment) -> list[float]:
    return [row.test.loss for row in experiment.finished if row.test]


def _next(compared: list[Comparison]) -> str:
    if not compared:
        return " No other run has finished to compare it with."
    tied = [found.second.number for found in compared if found.answer == CHANCE]
    others = [number for number in tied if number != compared[0].second.number]
    also = f" Nor can {words.numbers(others)} be told from it." if others else ""
    nearest = compared[0]
    return (
        f" Next comes {named(nearest.second)} at {words.perplexity(nearest.second.loss)}; {repeated(nearest)} it is "
        f"{behind(nearest)}.{certainty(nearest)}{also}"
    )


def _on_test(best: Experiment, rest: tuple[Experiment, ...]) -> str:
    """Whether test agrees, said without letting it choose."""
    means = {e.number: sum(losses) / len(losses) for e in (best, *rest) if (losses := _test_losses(e))}
    lower = [number for number in means if best.number in means and means[number] < means[best.number]]
    if not lower:
        return ""
    return f" On test {words.numbers(lower)} {'is' if len(lower) == 1 else 'are'} lower, which changes no choice here."


def _gap(study: StudyRows, best: Experiment, rest: tuple[Experiment, ...]) -> str:
    """That a small gap between train and valid is not what generalization means, where the rows show it."""
    row = best.best
    closest = min((e.best for e in rest), key=lambda other: study.gap(other.history[-1]), default=None)
    if closest is None or closest.valid is None or study.gap(row.history[-1]) - study.gap(closest.history[-1]) < FLAT:
        return ""
    return (
        f" A small gap between train and valid is no merit by itself: #{closest.number} has the smallest, "
        f"{words.signed(study.gap(closest.history[-1]))} nats against {words.signed(study.gap(row.history[-1]))}, at "
        f"{words.number(closest.valid.perplexity)} on valid."
    )
