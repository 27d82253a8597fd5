"""Captions: what a figure plots, then what to see in this very study, from its own numbers."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from bakeoff.analysis.measured import Deciles, Point
from bakeoff.analysis.rows import Baseline, Row, StudyRows
from bakeoff.analysis.timing import is_timed
from bakeoff.records import DIVERGED, FAILED
from bakeoff import words

if TYPE_CHECKING:
    from bakeoff.report.comparisons import Cost
    from bakeoff.report.style import PerplexityAxis

#: What the caption calls each horizontal axis.
OVER = {"epochs": "epochs", "time": "training time"}
#: Losses that differ by less than this look the same in a figure.
VISIBLE = 0.005


def point(row: Row, evaluation: Point) -> str:
    """One evaluation in words, for whoever points at it."""
    seed = f"seed {row.seed}, " if row.seed else ""
    return (
        f"{seed}epoch {evaluation.epoch}, {words.duration(evaluation.train_seconds)}: "
        f"valid {words.number(evaluation.valid.perplexity)}, train {words.number(evaluation.train.perplexity)}"
    )


def learning_curves(study: StudyRows, rows: list[Row], axis: str, y: "PerplexityAxis") -> str:
    """The caption of one experiment's figure.

    Args:
        study: All rows, for the floors.
        rows: The experiment's runs, one a seed.
        axis: `epochs` or `time`.
        y: The perplexities that the vertical axis shows.
    """
    floors = [floor for floor in study.baselines if floor.name != "uniform"]
    plotted = (
        f"{rows[0].name} on {study.study['corpus']['name']}: train (dashed, a fixed sample) and valid (solid) "
        f"perplexity over {OVER[axis]}, with the same weights; grey lines are the floors on valid.{_cut_off(rows, y)}"
    )
    best = min(rows, key=lowest)
    seen = (_over_epochs if axis == "epochs" else _over_time)(best, floors)
    return f"{plotted} {_over_seeds(rows, best)}{seen}" if len(rows) > 1 else f"{plotted} {seen}"


def _over_seeds(rows: list[Row], best: Row) -> str:
    """How far the seeds lie apart, and which of them the rest of the caption is about."""
    lows = sorted((_best_point(row) for row in rows), key=lambda at: at.valid.nats)
    low, high = (words.number(at.valid.perplexity) for at in (lows[0], lows[-1]))
    epochs = sorted({at.epoch for at in lows})
    when = f"epoch {epochs[0]}" if len(epochs) == 1 else f"epochs {epochs[0]} to {epochs[-1]}"
    ended = "".join(f" Seed {row.seed}:{_ending(row)}" for row in rows if row != best and _ending(row))
    return (
        f"The lowest valid perplexity of its {len(rows)} seeds lies between {low} and {high}, after {when}.{ended} "
        f"Seed {best.seed}, the best of them: "
    )


def _best_point(row: Row) -> Point:
    return min(row.history, key=lambda evaluation: evaluation.valid.nats)


def lowest(row: Row) -> float:
    """Nats of valid at a run's best evaluation, of which it has at least one."""
    return _best_point(row).valid.nats


def _cut_off(rows: list[Row], y: "PerplexityAxis") -> str:
    highest = max(max(p.train.perplexity, p.valid.perplexity) for row in rows for p in row.history)
    return f" Cut off where it rises above the axis, up to {words.number(highest)}." if highest > y.high else ""


def _over_epochs(row: Row, floors: list[Baseline]) -> str:
    best, last = _best_point(row), row.history[-1]
    if best.epoch == 0 and last.epoch > 0:
        seen = (
            f"Valid is lowest before the first step, at {words.number(best.valid.perplexity)}: training made it worse."
        )
    else:
        seen = (
            f"Valid is lowest after epoch {best.epoch} (dot), at {words.number(best.valid.perplexity)}, where train is "
            f"at {words.number(best.train.perplexity)}, {_apart(best)}.{_afterwards(row, best, last)}"
        )
    return f"{seen} {_crossings(row, floors, lambda at: f'after epoch {at.epoch}')}{_ending(row)}"


def _apart(at: Point) -> str:
    gap = at.valid.loss - at.train.loss
    return f"{abs(gap):.2f} nats per token {'below' if gap > 0 else 'above'} it"


def _afterwards(row: Row, best: Point, last: Point) -> str:
    """What the rest of the epochs did, or whether the last one was still going down."""
    if last.epoch == best.epoch:
        before = row.history[-2] if len(row.history) > 1 else last
        fell = before.valid.loss - last.valid.loss
        return f" That is the last epoch, and it still lowered valid by {fell:.2f} nats." if fell > VISIBLE else ""
    rise = last.valid.loss - best.valid.loss
    moved = f"up {rise:.2f} nats" if rise > VISIBLE else "no higher to the eye"
    return (
        f" After epoch {last.epoch} valid is at {words.number(last.valid.perplexity)}, {moved}, and train at "
        f"{words.number(last.train.perplexity)}, {_apart(last)}."
    )


def _over_time(row: Row, floors: list[Baseline]) -> str:
    best, last = _best_point(row), row.history[-1]
    crossed = _crossings(row, floors, lambda at: f"after {words.duration(at.train_seconds)}")
    return f"{_pace(row)}{crossed}{_rest(best, last)}{_ending(row)}"


def _pace(row: Row) -> str:
    if not row.epochs or row.train_seconds is None:
        return ""
    rate = f" ({words.count(row.tokens_per_second)} tokens a second)" if row.tokens_per_second else ""
    beside = ", measured beside other runs and so no basis for a claim about speed" if row.alone is False else ""
    return f"An epoch takes {words.duration(row.train_seconds / row.epochs)} of training{rate}{beside}. "


def _rest(best: Point, last: Point) -> str:
    """How much of the training time led to the best epoch."""
    if not best.train_seconds or not last.train_seconds:
        return ""
    reached = f" Valid is lowest after {words.duration(best.train_seconds)}"
    if best.epoch == last.epoch:
        return f"{reached}, the whole of the training time."
    share = best.train_seconds / last.train_seconds
    return (
        f"{reached}, {share:.0%} of the training time; the {words.duration(last.train_seconds - best.train_seconds)} "
        "after that do not lower it."
    )


def _crossings(row: Row, floors: list[Baseline], when: Callable[[Point], str]) -> str:
    """When valid is first seen below each floor, floors that are passed together in one breath."""
    passed: dict[str, list[str]] = {}
    for floor in floors:
        below = next((at for at in row.history if at.valid.nats < floor.valid.nats), None)
        passed.setdefault(when(below) if below else "", []).append(floor.name)
    never = passed.pop("", [])
    parts = [f"below {words.joined(names)} {time}" for time, names in passed.items()]
    if never:
        parts.append(f"never below {words.joined(never, 'or')}")
    return f"Valid is first seen {', '.join(parts)}." if passed else f"Valid is {parts[0]}."


def _ending(row: Row) -> str:
    became = row.status if row.status in (DIVERGED, FAILED) else f"is {row.status}"
    return "" if row.finished else f" The run {became}{f': {row.error}' if row.error else ''}."


def overlay(study: StudyRows, groups: list[list[Row]], axis: str) -> str:
    """The caption of all runs of an architecture in one figure."""
    first = groups[0][0]
    rows = [row for group in groups for row in group if row.valid]
    best = min(rows, key=_loss)
    worst = max(rows, key=_loss)
    plotted = (
        f"Valid perplexity of every {first.model_title} over {OVER[axis]}: colour is the optimizer, the dash the "
        f"number of layers, the number at a label the lowest valid perplexity of {_labelled(study)}. The lowest is "
        f"#{best.number} at {_perplexity(best)}, the highest #{worst.number} at {_perplexity(worst)}{_seeds(study)}."
    )
    soonest = axis == "time" and len(study.study["seeds"]) == 1
    return f"{plotted} {_below(rows, study.lowest_floor)}{_soonest(rows, study.lowest_floor) if soonest else ''}"


def _labelled(study: StudyRows) -> str:
    return "the run" if len(study.study["seeds"]) == 1 else "the experiment's best seed"


def _below(rows: list[Row], floor: Baseline) -> str:
    count = sum(row.valid is not None and row.valid.nats < floor.valid.nats for row in rows)
    told = {0: "None", len(rows): "Every one" if len(rows) == 1 else "All"}.get(count, f"{count} of {len(rows)} runs")
    return f"{told} came below {floor.name}, the lowest floor ({words.number(floor.valid.perplexity)})."


def _soonest(rows: list[Row], floor: Baseline) -> str:
    """Which run is first seen below the lowest floor, among those whose clock can be believed."""
    times = {
        row.number: at.train_seconds
        for row in reversed(rows)
        if is_timed(row)
        and (at := next((at for at in row.history if at.valid.nats < floor.valid.nats), None)) is not None
    }
    if not times:
        return ""
    number = min(times, key=lambda key: times[key])
    return f" The first to be seen below it is #{number}, after {words.duration(times[number])} of training."


def _loss(row: Row) -> float:
    return row.valid.loss if row.valid else float("inf")


def _perplexity(row: Row) -> str:
    return words.number(row.valid.perplexity if row.valid else None)


def _seeds(study: StudyRows) -> str:
    return " (one seed)" if len(study.study["seeds"]) == 1 else ""


def cost(study: StudyRows, what: "Cost", shown: list[tuple[float, Row]], front: list[tuple[float, Row]]) -> str:
    """The caption of quality against a cost.

    Args:
        study: All rows.
        what: The cost.
        shown: What each run in the figure cost, and the run.
        front: Those that no other beats in both.
    """
    plotted = (
        f"Lowest valid perplexity of every finished {_unit(study)} against {what.words}; colour is the optimizer, "
        "shape the architecture."
    )
    doubted = [f"#{row.number}" for value, row in shown if not what.believed(row)]
    pale = f" Pale, as the clock cannot be believed, and not on the front: {words.joined(doubted)}." if doubted else ""
    if what.front and not front:
        return f"{plotted} There is no front, as no clock can be believed.{pale}"
    if what.front:
        kept = words.joined(
            [f"#{row.number} ({_perplexity(row)} at {words.number(value)} {what.unit})" for value, row in front]
        )
        return f"{plotted} The dashed front joins what nothing else beats in both{_seeds(study)}: {kept}.{pale}"
    (low, lowest), (most, largest) = (min(shown, key=lambda pair: _loss(pair[1])), max(shown, key=lambda pair: pair[0]))
    if lowest.number == largest.number:
        return f"{plotted} The largest, #{largest.number} with {words.count(most)}, is also the lowest{_seeds(study)}."
    return (
        f"{plotted} The lowest is #{lowest.number} with {words.count(low)}, at {_perplexity(lowest)}; the largest, "
        f"#{largest.number} with {words.count(most)}, comes to {_perplexity(largest)}{_seeds(study)}."
    )


def _unit(study: StudyRows) -> str:
    seeds = len(study.study["seeds"])
    return "run" if seeds == 1 else f"experiment (mean of its {seeds} seeds)"


def gap_by_depth(study: StudyRows, gaps: dict[tuple[str, int], tuple[float, float]]) -> str:
    """The caption of the gap by depth.

    Args:
        study: All rows.
        gaps: The mean gap at the best epoch and at the end, by architecture with optimizer, and depth.
    """
    kinds = dict.fromkeys(kind for kind, _ in gaps)
    told = [_by_depth(kind, {depth: pair for (other, depth), pair in gaps.items() if other == kind}) for kind in kinds]
    return (
        "How many nats per token valid costs more than train, were their mixes of frequent and rare tokens equal, "
        f"against depth: at each run's best epoch (solid) and at the end (dashed){_seeds(study)}. {' '.join(told)}"
    )


def _by_depth(kind: str, gaps: dict[int, tuple[float, float]]) -> str:
    best, end = ([f"{pair[place]:.2f}" for pair in gaps.values()] for place in (0, 1))
    depths = words.joined([str(depth) for depth in gaps])
    return f"{kind}, {depths} layers: {words.joined(best)} nats at the best epoch, {words.joined(end)} at the end."


def deciles(study: StudyRows, model: str, shown: list[tuple[Row, Deciles]]) -> str:
    """The caption of loss by frequency.

    Args:
        study: All rows.
        model: The architecture's title.
        shown: The runs in the figure with what valid's tokens of each decile cost.
    """
    depth = shown[0][0].layers
    which = f" (seed {shown[0][0].seed})" if len(study.study["seeds"]) > 1 else _seeds(study)
    plotted = (
        f"Loss on valid at the best epoch by how frequent a token is in train, for the {depth}-layer {model} with each "
        "optimizer. Symbols are sorted by their count in train and cut into ten groups of about equal share of its "
        "tokens."
    )
    return f"{plotted} {_widest(shown)}{which}."


def _widest(shown: list[tuple[Row, Deciles]]) -> str:
    """Where optimizers are furthest apart, and where they are closest."""
    ends = words.joined([f"{_ends(d)} for {row.optimizer_title}" for row, d in shown])
    spreads = {
        place: (max(losses, key=lambda pair: pair[0]), min(losses, key=lambda pair: pair[0]))
        for place, losses in enumerate(zip(*(_named(row, d) for row, d in shown), strict=True), start=1)
    }
    if len(shown) == 1:
        return f"From the most frequent to the rarest it rises from {ends}"
    apart = {place: high[0] - low[0] for place, (high, low) in spreads.items()}
    wide, narrow = max(apart, key=lambda place: apart[place]), min(apart, key=lambda place: apart[place])
    high, low = spreads[wide]
    return (
        f"From the most frequent to the rarest: {ends}. Optimizers are furthest apart in decile {wide}, where "
        f"{high[1]} pays {apart[wide]:.2f} nats more than {low[1]}, and closest in decile {narrow} "
        f"({apart[narrow]:.2f})"
    )


def _ends(values: Deciles) -> str:
    known = [loss for loss in values.losses if loss is not None]
    return f"{known[0]:.2f} to {known[-1]:.2f}"


def _named(row: Row, values: Deciles) -> Iterable[tuple[float, str]]:
    return [(loss or 0.0, row.optimizer_title) for loss in values.losses]


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
        f"{model}: valid perplexity after {words.epochs(tuning)} on {tuning['corpus']} (seed {tuning['seed']}, "
        f"study {tuning['study']}) against the learning rate; colour is the optimizer, the dash the number of layers, "
        f"the large dot the rate that was chosen. The best of all is {best['optimizer']} with {best['layers']} layer"
        f"{'s' if best['layers'] != '1' else ''} at {words.rate(best['rate'])}, at {words.number(best['perplexity'])}. "
        "Trials that diverged are missing, and what is worse than uniform is drawn at the upper edge."
    )
