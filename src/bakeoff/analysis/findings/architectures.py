"""Architectures at equal budget: two configurations at a time, never classes."""

import itertools

from bakeoff.analysis import words
from bakeoff.analysis.comparison import NO, YES, Comparison, certainty, compare, in_words
from bakeoff.analysis.declared import Declared, about_rates, declared
from bakeoff.analysis.findings.finding import (
    NOT_MEASURED,
    VERDICTS,
    Conjecture,
    Finding,
    became,
    evidence,
    link,
    unlearned,
)
from bakeoff.analysis.rows import Experiment, Row, StudyRows

#: Sizes that differ by less than this are called equal.
SAME_SIZE = 0.05

RECURRENCE = Conjecture(
    text=(
        "A recurrent network knows the order of tokens by its form, where attention has to learn from the text what "
        "positions mean, and learns structure less surely; on little text that costs more than it brings."
    ),
    source="Tran, Bisazza & Monz 2018, The Importance of Being Recurrent for Modeling Hierarchical Structure",
    decided_by="both on several times as much train text, rates searched anew: the difference should shrink",
)
ATTENTION = Conjecture(
    text=(
        "Attention reaches every token of the window directly, where a recurrent network keeps little of the order of "
        "what is more than some fifty tokens back."
    ),
    source="Khandelwal et al. 2018, Sharp Nearby, Fuzzy Far Away: How Neural Language Models Use Context",
    decided_by="both with windows of 16 tokens: the difference should shrink",
)


def architectures(study: StudyRows) -> list[Finding]:
    """One finding for every two architectures with a declared experiment."""
    models = [entry["name"] for entry in study.study["models"]]
    present = [name for name in models if any(row.model == name for row in study.rows)]
    return [_finding(study, first, second) for first, second in itertools.combinations(present, 2)]


def _finding(study: StudyRows, first: str, second: str) -> Finding:
    best = [_best(study, model) for model in (first, second)]
    titles = [next(row.model_title for row in study.rows if row.model == model) for model in (first, second)]
    found = compare(best[0].experiment, best[1].experiment) if best[0] and best[1] else None
    return Finding(
        name=link(first, "against", second),
        question=f"At equal budget, which of the two does better: {titles[0]} or {titles[1]}?",
        verdict=_verdict(best, found),
        text=_text(study, best, found, titles),
        evidence=evidence(row for one in best if one for row in one.experiment.rows),
        figures=(f"overlay-{first}-epochs", f"overlay-{second}-epochs", "parameters"),
        conjecture=_why(best, found),
    )


def _best(study: StudyRows, model: str) -> Declared | None:
    """The best experiment of an architecture, with its entry."""
    ranked = [experiment for experiment in study.ranked if experiment.rows[0].model == model]
    numbers = {found.experiment.number: found for found in declared(study)}
    return numbers[ranked[0].number] if ranked else None


def _unlearned(best: list[Declared | None]) -> list[Row]:
    """The runs of the two that say something about their settings, and nothing about their kind."""
    return [row for one in best if one for row in unlearned(one.experiment.rows)]


def _verdict(best: list[Declared | None], found: Comparison | None) -> str:
    if found is None or _unlearned(best):
        return NOT_MEASURED
    # The answer names the better one: that either of them is, is what the verdict speaks of.
    return VERDICTS[YES] if found.answer == NO else VERDICTS[found.answer]


def _text(study: StudyRows, best: list[Declared | None], found: Comparison | None, titles: list[str]) -> str:
    missing = [title for title, one in zip(titles, best, strict=True) if one is None]
    if missing or found is None:
        return f"No {words.joined(missing, 'or')} has finished." if missing else "The two share no finished seed."
    return (
        f"These two configurations, the best of each on valid: {in_words(found)}.{certainty(found)}{_withheld(best)}"
        f"{_pairs(study, titles)}{_sizes(found.first.best, found.second.best)}"
        f"{about_rates(study, [one for one in best if one])}"
    )


def _withheld(best: list[Declared | None]) -> str:
    named = words.joined(list(dict.fromkeys(became(row) for row in _unlearned(best))))
    return f" {named}: where no context was learned, nothing is said about a kind of model." if named else ""


def _pairs(study: StudyRows, titles: list[str]) -> str:
    """In how many settings that both were given the first is ahead, as a sentence."""
    groups: dict[tuple[int, str], dict[str, Experiment]] = {}
    for experiment in study.experiments:
        row = experiment.rows[0]
        if experiment.finished and row.model_title in titles and not unlearned(experiment.rows):
            groups.setdefault((row.layers, row.optimizer), {})[row.model_title] = experiment
    pairs = [(pair[titles[0]], pair[titles[1]]) for pair in groups.values() if len(pair) == len(titles)]
    if not pairs:
        return ""
    first = pairs[0]
    return (
        f" With equal layers and optimizer the {titles[0]} is {_share(pairs)}; #{first[0].number} and "
        f"#{first[1].number} come to {words.perplexity(first[0].loss)} and {words.perplexity(first[1].loss)}."
    )


def _share(pairs: list[tuple[Experiment, Experiment]]) -> str:
    """In how many pairs the first is ahead: `ahead in two of three pairs`."""
    ahead = sum(first.loss < second.loss for first, second in pairs)
    if len(pairs) == 1:
        return f"{'ahead' if ahead else 'behind'} in the one pair"
    share = "all" if ahead == len(pairs) else f"{words.spelled(ahead) if ahead else 'none'} of"
    return f"ahead in {share} {words.counted(len(pairs), 'pair')}"


def _sizes(first: Row, second: Row) -> str:
    a, b = first.learnable_parameters, second.learnable_parameters
    if abs(a - b) <= SAME_SIZE * max(a, b):
        return f" They train about as many parameters ({a:,} and {b:,})."
    return (
        f" They train {a:,} and {b:,} parameters, so this compares two configurations that were given the same text, "
        "not two kinds of model."
    )


def _why(best: list[Declared | None], found: Comparison | None) -> Conjecture | None:
    """Why the better one may be better, where one of the two attends and the other does not."""
    if found is None or _unlearned(best) or best[0] is None or best[1] is None:
        return None
    better, worse = best if found.gain > 0 else reversed(best)
    if better is None or worse is None or better.attends == worse.attends:
        return None
    return ATTENTION if better.attends else RECURRENCE
