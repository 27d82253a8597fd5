"""The answer first: what to use, under which goal, by how much, how sure; and what must not be overlooked."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from bakeoff.analysis import pareto, words
from bakeoff.analysis.comparison import CHANCE, NO, UNKNOWN, Comparison, behind, compare, named
from bakeoff.analysis.declared import about_rates, declared, describe
from bakeoff.analysis.findings.contrasts import contrasts
from bakeoff.analysis.findings.counting import against_floor, lost_but_below
from bakeoff.analysis.findings.finding import CONTRADICTED, FLOOR_TITLES, NOT_DISTINGUISHABLE, SUPPORTED, unlearned
from bakeoff.analysis.findings.speed import first_arrival
from bakeoff.analysis.rows import Baseline, Experiment, Row, StudyRows
from bakeoff.analysis.statistics import FEWEST_SEEDS
from bakeoff.analysis.timing import untimed
from bakeoff.records import FAILED, MISSING, RUNNING

#: The study that is made to be seen in minutes, not to be believed about anything larger.
DEMONSTRATION = "quick"
#: From here on the interval of a mean is narrower than the differences' own standard deviation.
ENOUGH_SEEDS = 7
#: Diagnoses that are no trouble: what a run may well end with.
FINE = ("healthy", "undertrained", "memorizing", "capacity")


@dataclass(frozen=True, kw_only=True)
class Goal:
    """What is best under one goal.

    Attributes:
        name: `quality`, `time`, `memory`, `parameters` or `trouble`.
        value: A short number, such as "66.1".
        unit: What it counts.
        row: The run, if there is one.
        text: One or two sentences: by how much, and how sure.
    """

    name: str
    value: str
    unit: str
    row: Row | None
    text: str


def is_demonstration(study: StudyRows) -> bool:
    """Whether this is the study that only shows what a report looks like."""
    return bool(study.study["study"] == DEMONSTRATION)


def headline(study: StudyRows) -> str:
    """One sentence that answers the question which model and optimizer to use here."""
    floor = study.lowest_floor
    if not study.ranked:
        return "No run has finished, so there is no answer yet."
    experiment = study.ranked[0]
    title, verdict = FLOOR_TITLES[floor.name], against_floor(experiment, floor)
    figures = f"{_ppl(floor)} on valid against {words.perplexity(experiment.loss)} of the best, {named(experiment)}"
    if verdict == CONTRADICTED:
        return f"{words.sentence(title)}, a count table, is better than {_every_model(study)}: {figures}."
    if verdict == NOT_DISTINGUISHABLE:
        return f"Seeds cannot tell the best model from {title}, a count table: {figures}."
    return f"{_recommendation(study, experiment)}; {title} comes to {_ppl(floor)}."


def _every_model(study: StudyRows) -> str:
    return "every model of which no run was lost" if lost_but_below(study) else "every model here"


def _recommendation(study: StudyRows, best: Experiment) -> str:
    """What to use, and whether that is more than an observation."""
    reached, compared = f"{words.perplexity(best.loss)} on valid", _against_all(study)
    if len(best.losses) < FEWEST_SEEDS or any(found.answer in (UNKNOWN, NO) for found in compared):
        return f"{describe(study, best.number)} did best, with {reached}, in {words.counted(len(best.losses), 'run')}"
    tied = [found.second for found in compared if found.answer == CHANCE]
    if tied:
        others = words.joined([named(other) for other in tied], "or")
        return f"Use {describe(study, best.number)}, at {reached}, or {others}, which seeds or text cannot tell from it"
    return f"Use {describe(study, best.number)}, at {reached}"


def _ppl(floor: Baseline) -> str:
    return words.number(floor.valid.perplexity)


def _against_all(study: StudyRows) -> list[Comparison]:
    """The best experiment against every other, the nearest first."""
    ranked = study.ranked
    return [found for other in ranked[1:] if (found := compare(ranked[0], other))]


def goals(study: StudyRows) -> list[Goal]:
    """The best run under each goal, and what went wrong."""
    return [
        _quality(study),
        _time(study),
        _least(study, "memory", pareto.memory, words.megabytes, "on average in training"),
        _least(study, "parameters", pareto.parameters, lambda count: f"{count:,.0f}", "trained parameters"),
        _trouble(study),
    ]


def _nothing(name: str, text: str) -> Goal:
    return Goal(name=name, value="none", unit="", row=None, text=text)


def _quality(study: StudyRows) -> Goal:
    best = study.best_of_all
    if best is None:
        return _nothing("quality", "No run has finished.")
    return Goal(
        name="quality",
        value=words.perplexity(study.ranked[0].loss),
        unit="perplexity on valid",
        row=best,
        text=f"{describe(study, best.number)}{_on_test(study.ranked[0])}. {_ahead(study)}",
    )


def _on_test(experiment: Experiment) -> str:
    losses = [row.test.loss for row in experiment.finished if row.test]
    return f"; {words.perplexity(sum(losses) / len(losses))} on test" if losses else ""


def _ahead(study: StudyRows) -> str:
    """By how much the best is ahead of the next, and how sure that is."""
    compared = _against_all(study)
    if not compared:
        return "There is no other finished run to compare it with."
    nearest = compared[0]
    few = f" {words.sentence(words.counted(len(nearest.gains), 'seed'))}: no ranking."
    doubt = " They cannot be told apart." if nearest.answer == CHANCE else ""
    sure = few if len(nearest.gains) < FEWEST_SEEDS else doubt
    return f"The next, {named(nearest.second)}, is {behind(nearest)}.{sure}"


def _time(study: StudyRows) -> Goal:
    found = first_arrival(study)
    if found is None:
        left_out = untimed(study.rows)
        reason = f": {left_out}" if left_out else ""
        return _nothing("time", f"No finished run has a time that counts{reason}.")
    target, arrival, doubt = found
    row = next(experiment.best for experiment in study.experiments if experiment.number == arrival.number)
    return Goal(
        name="time",
        value=words.duration(arrival.by or 0.0),
        unit=f"of training until as good as {target}",
        row=row,
        text=f"{describe(study, arrival.number)} was first seen there {arrival.window}.{doubt}",
    )


def _least(
    study: StudyRows, name: str, cost: Callable[[Row], float | None], written: Callable[[float], str], unit: str
) -> Goal:
    """The cheapest experiment among those below the hardest floor that any is below."""
    costs = {e.number: mean for e in study.ranked if (mean := _mean_cost(e, cost)) is not None}
    priced = [experiment for experiment in study.ranked if experiment.number in costs]
    bar = _bar(study, priced)
    if bar is None:
        return _nothing(name, "No experiment is below any floor.")
    below = [experiment for experiment in priced if experiment.loss < bar.valid.loss]
    least, most = (pick(below, key=lambda e: costs[e.number]) for pick in (min, max))
    value, largest = written(costs[least.number]), written(costs[most.number])
    others = f"; the most of them is {largest} (#{most.number})" if largest != value else ""
    title = FLOOR_TITLES[bar.name]
    of_them = f"needs the least of the {words.counted(len(below), 'experiment')} below {title}{others}"
    text = f"{describe(study, least.number)} {of_them if len(below) > 1 else f'is the only one below {title}'}."
    return Goal(name=name, value=value, unit=unit, row=least.best, text=text)


def _mean_cost(experiment: Experiment, cost: Callable[[Row], float | None]) -> float | None:
    """The mean over the finished runs that have a cost."""
    costs = [found for row in experiment.finished if (found := cost(row)) is not None]
    return sum(costs) / len(costs) if costs else None


def _bar(study: StudyRows, experiments: list[Experiment]) -> Baseline | None:
    """The hardest floor that some experiment is below."""
    beaten = [floor for floor in study.baselines if any(e.loss < floor.valid.loss for e in experiments)]
    return min(beaten, key=lambda floor: floor.valid.nats, default=None)


def _trouble(study: StudyRows) -> Goal:
    troubled = [row for row in study.rows if _what(row)]
    ahead = sum(row.status in (RUNNING, MISSING) for row in study.rows)
    unfinished = f" {words.sentence(words.counted(ahead, 'run'))} {'has' if ahead == 1 else 'have'} not finished yet."
    if not troubled:
        over = "Of those that are over, none" if ahead else "Every run finished, and none"
        return _nothing("trouble", f"{over} is diagnosed with more than a gap to train.{unfinished if ahead else ''}")
    by_kind: dict[str, list[Row]] = {}
    for row in troubled:
        by_kind.setdefault(_what(row) if len(study.study["seeds"]) == 1 else row.kind, []).append(row)
    parts = [f"{_which(study, rows)}: {kind}" for kind, rows in by_kind.items()]
    return Goal(
        name="trouble",
        value=f"{len(troubled)} of {len(study.rows)}",
        unit="runs",
        row=None,
        text=f"{'; '.join(parts)}.{unfinished if ahead else ''}",
    )


def _which(study: StudyRows, rows: list[Row]) -> str:
    """Experiments by number, with how many of their seeds where it is not all."""
    seeds = len(study.study["seeds"])
    counts = Counter(row.number for row in rows)
    shares = {number: f" ({count} of {seeds} seeds)" for number, count in counts.items() if count < seeds}
    return words.joined([f"#{number}{shares.get(number, '')}" for number in sorted(counts)])


def _what(row: Row) -> str:
    """What is wrong with a run, in a few words; empty if nothing is."""
    if row.diagnosis is None:
        return FAILED if row.status == FAILED else ""
    return "" if row.diagnosis_rule in FINE else row.diagnosis


def caveats(study: StudyRows) -> list[str]:
    """What keeps the reader from believing too much, the gravest first."""
    found = (_demonstration, _floors, _unfinished, _seeds, _learned, _clocks, _rates, _chances)
    return [text for caveat in found if (text := caveat(study))]


def _demonstration(study: StudyRows) -> str:
    if not is_demonstration(study):
        return ""
    return (
        "This study is a demonstration: small models on an excerpt, made to be seen in minutes. What it finds need not "
        "hold for larger models or more text."
    )


def _floors(study: StudyRows) -> str:
    floor = study.lowest_floor
    if not study.ranked or (verdict := against_floor(study.ranked[0], floor)) == SUPPORTED:
        return ""
    surely = "surely " if verdict == NOT_DISTINGUISHABLE else ""
    which = " of which no run was lost" if lost_but_below(study) else ""
    return f"No model{which} is {surely}better than {FLOOR_TITLES[floor.name]}, which only counts."


def _unfinished(study: StudyRows) -> str:
    statuses = Counter(row.status for row in study.rows if not row.finished)
    counts = words.joined([f"{count} {status}" for status, count in statuses.items()])
    return f"Of {words.counted(len(study.rows), 'run')}, {counts}." if statuses else ""


def _seeds(study: StudyRows) -> str:
    seeds = len(study.study["seeds"])
    if seeds >= ENOUGH_SEEDS:
        return ""
    if seeds >= FEWEST_SEEDS:
        return (
            f"{words.sentence(words.counted(seeds, 'seed'))}: their intervals are wide, and what they cannot tell "
            "apart may differ all the same."
        )
    return (
        f"{words.sentence(words.counted(seeds, 'seed'))}: how much of a difference is chance is not known, and nothing "
        "is ranked. Intervals over documents say what other text might change, not what another seed might."
    )


def _learned(study: StudyRows) -> str:
    lost = [row for row in unlearned(study.rows) if row.finished]
    if not lost:
        return ""
    return (
        f"{words.numbers(row.number for row in lost)} learned nothing about context: that says something about "
        "settings, and nothing about a model or an optimizer."
    )


def _clocks(study: StudyRows) -> str:
    left_out = untimed(study.rows)
    return f"Some times are no basis for a claim about speed: {left_out}." if left_out else ""


def _rates(study: StudyRows) -> str:
    return about_rates(study, declared(study)).strip()


def _chances(study: StudyRows) -> str:
    """That many intervals at 95 % are bound to miss now and then."""
    planned = len(contrasts(study))
    if len(study.study["seeds"]) < FEWEST_SEEDS or planned < 2:  # noqa: PLR2004
        return ""
    return (
        f"{words.sentence(words.spelled(planned))} comparisons of optimizers were planned, each with a 95 % interval "
        "of its own: of twenty such intervals one is expected to miss."
    )
