"""The one table: a line a run in the order of the study's registry, and the floors below."""

import dataclasses
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from bakeoff import words
from bakeoff.analysis.rows import Baseline, Experiment, Row, StudyRows
from bakeoff.analysis.statistics import FEWEST_SEEDS, over_seeds
from bakeoff.analysis.timing import is_timed
from bakeoff.metrics import Tally

SPLITS = ("train", "valid", "test")
_BOLD = "**{}**"
#: Keys of columns whose figures are per word or byte of the text, not per token.
PER_TEXT = ("word-perplexity", "bits-per-byte")
MEMORY = ("average_bytes", "peak_bytes")
#: How bad what a rule says of a run is, by the rule's key or the run's status.
SEVERITIES = {
    **dict.fromkeys(("diverged", "failed", "dead", "worse-than-unigram", "unigram-plateau"), "bad"),
    **dict.fromkeys(
        ("below-context", "late-instability", "overfitting", "memorizing", "outdone", "underfitting"), "warn"
    ),
    **dict.fromkeys(("undertrained", "capacity", "running", "missing"), "note"),
    "healthy": "good",
}
#: A sign for each, for those who see no colours.
SIGNS = {"bad": "✕", "warn": "▲", "note": "◆", "good": "✓"}


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column.

    Attributes:
        key: Its name in the page.
        head: Its head.
        group: The head above its head, shared with its neighbours.
        short: Its head below that one.
        meaning: What it shows, for the caption.
        run: Its cell for a run.
        value: What its cell for a run sorts by, and how long its bar is; None for what sorts as text.
        floor: Its cell for a floor.
        bar: Whether size matters enough for a bar.
        text: Whether it holds words.
    """

    key: str
    head: str
    run: Callable[[Row], str]
    value: Callable[[Row], float | None] | None = None
    group: str = ""
    short: str = ""
    meaning: str = ""
    floor: Callable[[Baseline], str] = lambda baseline: ""  # noqa: ARG005
    bar: bool = False
    text: bool = False


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line of the table: its cells, and what sets it apart.

    Attributes:
        cells: One a column.
        kind: `run`; in a study of several seeds `mean` of an experiment's runs, or `seed`, one of them; or `floor`.
        values: What each cell sorts by; None where it was not measured or sorts as text.
        run: The run, or the mean of several; None for a floor.
        best: Whether it is the best of its architecture, or cannot be told from it.
        first: Whether an architecture begins here.
    """

    cells: tuple[str, ...]
    kind: str
    values: tuple[float | None, ...] = ()
    run: Row | None = None
    best: bool = False
    first: bool = False


def columns(study: StudyRows) -> list[Column]:
    """The columns that this study needs: seeds where there are several, and their spread where there are enough.

    ‡ marks what is a figure of the text where a lossy tokenizer has its part in it.
    """
    seeds = len(study.study["seeds"])
    needed = {"seed": seeds > 1, "spread": seeds >= FEWEST_SEEDS}
    marked = PER_TEXT if is_lossy(study) else ()
    shown = [column for column in COLUMNS if needed.get(column.key, True)]
    return [_marked(column) if column.key in marked else column for column in shown]


def _marked(column: Column) -> Column:
    return dataclasses.replace(column, head=f"{column.head} ‡", short=f"{column.short} ‡")


def is_lossy(study: StudyRows) -> bool:
    """Whether the study's tokenizer loses some of the text."""
    return bool(study.study["corpus"].get("lossy"))


def lines(study: StudyRows, *, every_seed: bool = True) -> list[Line]:
    """Every run, then every floor; before the runs of an experiment with several seeds, their mean.

    Args:
        study: All rows.
        every_seed: Whether the single runs stand below their mean.
    """
    winners = {(row.number, row.seed) for model in study.study["models"] for row in study.ties(model["name"])}
    shown, several = columns(study), len(study.study["seeds"]) > 1
    found: list[Line] = []
    for experiment in study.experiments:
        if several:
            found.append(_mean_line(experiment, shown, best=any(number == experiment.number for number, _ in winners)))
        if every_seed or not several:
            kind = "seed" if several else "run"
            found += [_line(row, shown, kind, best=(row.number, row.seed) in winners) for row in experiment.rows]
    models = [None, *(line.run.model for line in found if line.run)]
    begun = [
        dataclasses.replace(line, first=bool(line.run and line.run.model != before))
        for line, before in zip(found, models, strict=False)
    ]
    floors = [Line(cells=tuple(column.floor(b) for column in shown), kind="floor") for b in study.baselines]
    return begun + floors


def _line(row: Row, shown: list[Column], kind: str, *, best: bool) -> Line:
    return Line(
        cells=tuple(column.run(row) for column in shown),
        kind=kind,
        values=tuple(column.value(row) if column.value else None for column in shown),
        run=row,
        best=best,
    )


def _mean_line(experiment: Experiment, shown: list[Column], *, best: bool) -> Line:
    line = _line(mean(experiment), shown, "mean", best=best)
    interval = None if experiment.spoiled else over_seeds(list(experiment.losses.values()))
    of = {
        "seed": f"all {len(experiment.rows)}",
        "spread": words.small(interval.half_width) if interval else words.ABSENT,
    }
    cells = [of.get(column.key, cell) for column, cell in zip(shown, line.cells, strict=True)]
    return dataclasses.replace(line, cells=tuple(cells))


def mean(experiment: Experiment) -> Row:
    """The runs of an experiment as one row of means; with nothing measured where one of them was lost or is not over.

    A perplexity of such a row is that of the mean loss, as all runs are measured on the same tokens.
    """
    worst = min(experiment.rows, key=lambda row: list(SIGNS).index(severity(row)))
    rows = experiment.finished if experiment.whole else ()
    memory = [row.memory for row in rows if row.memory]
    return dataclasses.replace(
        worst,
        diagnosis=_remarks(experiment.rows),
        best_epoch=None,
        train=_mean_tally([row.train for row in rows]),
        valid=_mean_tally([row.valid for row in rows]),
        test=_mean_tally([row.test for row in rows]),
        memory={name: _mean([entry[name] for entry in memory]) for name in MEMORY} if memory else None,
        train_seconds=_mean([row.train_seconds for row in rows]),
        tokens_per_second=_mean([row.tokens_per_second for row in rows]),
        alone=all(is_timed(row) for row in rows),
        history=(),
    )


def _remarks(rows: Iterable[Row]) -> str:
    """What became of several runs: what is the same for all, or how many there are of each kind."""
    told, kinds = {remark(row) for row in rows}, Counter(row.kind for row in rows)
    if len(told) == 1:
        return told.pop()
    return next(iter(kinds)) if len(kinds) == 1 else ", ".join(f"{count} {kind}" for kind, count in kinds.items())


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _mean_tally(tallies: list[Tally | None]) -> Tally | None:
    known = [tally for tally in tallies if tally]
    nats = _mean(tally.nats for tally in known)
    return None if nats is None else dataclasses.replace(known[0], nats=nats)


def markdown(study: StudyRows) -> str:
    """The table in Markdown, with its caption below."""
    shown = columns(study)
    head = [column.head for column in shown]
    rule = [":--" if column.text else "--:" for column in shown]
    body = [_emphasized(line) for line in lines(study)]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in [head, rule, *body])
    return f"{table}\n\n{_plain(caption(study))} Columns: {_meanings(study)}.\n"


def caption(study: StudyRows) -> str:
    """What the table shows, and what its lines and symbols mean."""
    corpus, budget = study.study["corpus"], study.study["budget"]
    return (
        f"Study {study.study['study']} on {corpus['name']}: every run by architecture, layers and optimizer, "
        f"{words.epochs(budget)} on {words.count(corpus['train']['tokens'])} train tokens, "
        f"batches of {budget['batch_size']} sequences of {budget['sequence_length']} tokens. "
        f"{_bold(study)} Below the runs, the floors on the same tokens and windows: uniform gives every symbol the "
        "same probability, unigram its share of train (0.1 added to every count); kn2 and kn3 are interpolated "
        "Kneser-Ney of two and three tokens, kn3+cache is kn3 mixed with the counts of the window so far"
        f"{_cache_weight(study)}. A run that is not below the unigram has learned nothing about context. "
        f"{rates(study)}{_lossy(study)} {words.ABSENT}: not measured."
    )


def meanings(study: StudyRows) -> list[tuple[str, str]]:
    """What the heads of columns mean, where they do not say it themselves."""
    return [(column.head, column.meaning) for column in columns(study) if column.meaning]


def _meanings(study: StudyRows) -> str:
    return "; ".join(f"*{head}*: {meaning}" for head, meaning in meanings(study))


def _bold(study: StudyRows) -> str:
    seeds = len(study.study["seeds"])
    if seeds == 1:
        return (
            "In bold: the run of each architecture with the lowest valid perplexity (test never selects). "
            "One seed: small differences may be chance."
        )
    means = (
        f"Each experiment has a line with the mean of its {seeds} seeds (the perplexity is that of the mean loss; "
        f"{words.ABSENT} where a run was lost)."
    )
    if seeds < FEWEST_SEEDS:
        return (
            f"{means} In bold: each architecture's best experiment by mean loss on valid, and its best run (test never "
            "selects)."
        )
    return (
        f"{means} In bold: each architecture's best experiment by mean loss on valid, and those that the seeds cannot "
        "tell from it (test never selects)."
    )


def rates(study: StudyRows) -> str:
    """Where the learning rates come from."""
    tuning = study.study["tuning"]
    if tuning is None:
        return "Learning rates were chosen by hand."
    trials = [len(found["trials"]) for found in tuning["rates"].values()]
    tried = f"{min(trials)} to {max(trials)}" if min(trials) < max(trials) else f"{max(trials)}"
    searched = (
        f"Learning rates come from one search for study {tuning['study']} on {tuning['corpus']}: {tried} rates an "
        f"experiment, half a decade apart, {words.epochs(tuning)} each, seed {tuning['seed']}, chosen on valid."
    )
    if tuning["fits"]:
        return searched
    return (
        f"{searched} That was another corpus or budget than this: `bakeoff tune`, with the options that `bakeoff run` "
        "got, finds the rates for this one."
    )


def _lossy(study: StudyRows) -> str:
    """What a figure per byte or word leaves out, where the tokenizer loses some of the text."""
    if not is_lossy(study):
        return ""
    return (
        " ‡: this study's tokenizer is lossy, it never pays for case, accents, line ends or the width of spaces; "
        "these figures compare with each other, and with no other tokenizer's."
    )


def _cache_weight(study: StudyRows) -> str:
    weights = [baseline.cache_weight for baseline in study.baselines if baseline.cache_weight is not None]
    return f" (share {weights[0]:g}, chosen on valid)" if weights else ""


def _emphasized(line: Line) -> list[str]:
    cells = [_plain(cell) for cell in line.cells]
    return [_BOLD.format(cell) if line.best and cell else cell for cell in cells]


def _plain(text: str) -> str:
    """Text that Markdown and its tables take as it is: what could be markup is escaped."""
    return re.sub(r"([\\`*_\[\]<>|#$])", r"\\\1", text)


def _perplexity(tally: Tally) -> str:
    return words.number(tally.perplexity)


def _loss(tally: Tally) -> str:
    return words.small(tally.loss)


def _word_perplexity(tally: Tally) -> str:
    return words.number(tally.word_perplexity)


def _bits_per_byte(tally: Tally) -> str:
    return words.small(tally.bits_per_byte)


def _measure(
    split: str,
    quotient: Callable[[Tally], float],
    form: Callable[[float | None], str],
    **about: Any,  # noqa: ANN401
) -> Column:
    """A column of one figure of one split, which floors have as well."""

    def value(measured: Row | Baseline) -> float | None:
        tally: Tally | None = getattr(measured, split)
        return quotient(tally) if tally else None

    return Column(run=lambda row: form(value(row)), floor=lambda floor: form(value(floor)), value=value, **about)


def _perplexity_of(split: str, meaning: str) -> Column:
    return _measure(
        split,
        lambda tally: tally.perplexity,
        words.number,
        key=f"{split}-perplexity",
        head=f"{split} ppl",
        group="perplexity",
        short=split,
        meaning=meaning,
        bar=True,
    )


def _loss_of(split: str, meaning: str = "") -> Column:
    return _measure(
        split,
        lambda tally: tally.loss,
        words.small,
        key=f"{split}-loss",
        head=f"{split} loss",
        group="loss, nats",
        short=split,
        meaning=meaning,
    )


def remark(row: Row) -> str:
    """What became of a run: its diagnosis, or why it has none."""
    return row.diagnosis or row.status


def severity(row: Row) -> str:
    """How bad that is: `bad`, `warn`, `note` or `good`."""
    return SEVERITIES.get(row.diagnosis_rule or row.status, "note")


def _seconds(row: Row) -> str:
    """Training seconds, marked where the clock cannot be believed."""
    return words.ABSENT if row.train_seconds is None else f"{row.train_seconds:,.1f}{_mark(row)}"


def _mark(row: Row) -> str:
    return "†" if row.train_seconds is not None and row.alone is not None and not is_timed(row) else ""


def _bytes(name: str) -> Callable[[Row], float | None]:
    return lambda row: row.memory[name] if row.memory else None


def _memory(name: str) -> Callable[[Row], str]:
    return lambda row: words.megabytes(_bytes(name)(row))


COLUMNS = (
    Column(
        key="number",
        head="#",
        meaning="the experiment's number",
        run=lambda row: str(row.number),
        value=lambda row: row.number,
    ),
    Column(key="model", head="model", run=lambda row: row.model_title, floor=lambda floor: floor.name, text=True),
    Column(key="optimizer", head="optimizer", run=lambda row: row.optimizer_title, text=True),
    Column(
        key="rate",
        head="lr",
        meaning="peak learning rate",
        run=lambda row: words.rate(row.learning_rate),
        value=lambda row: row.learning_rate,
    ),
    Column(key="layers", head="layers", run=lambda row: str(row.layers), value=lambda row: row.layers),
    Column(
        key="seed",
        head="seed",
        meaning="decides initial weights and the order of the data",
        run=lambda row: str(row.seed),
        value=lambda row: row.seed,
    ),
    _perplexity_of("train", "perplexity per token, exp(nats / tokens), on a fixed sample of train"),
    _perplexity_of("valid", "the same on valid"),
    _perplexity_of("test", "the same on test; all three with the weights of the best epoch"),
    _loss_of("train", "nats per token"),
    _loss_of("valid"),
    Column(
        key="spread",
        head="±",
        group="loss, nats",
        short="±",
        meaning="half the width of the 95 % interval of the mean valid loss, over seeds",
        run=lambda row: "",  # noqa: ARG005
    ),
    _loss_of("test"),
    _measure(
        "valid",
        lambda tally: tally.word_perplexity,
        words.number,
        key="word-perplexity",
        head="word ppl",
        group="valid, per",
        short="word",
        meaning="exp(nats / whitespace-separated words), on valid",
    ),
    _measure(
        "valid",
        lambda tally: tally.bits_per_byte,
        words.small,
        key="bits-per-byte",
        head="bpb",
        group="valid, per",
        short="byte, bits",
        meaning="bits per UTF-8 byte, on valid",
    ),
    Column(
        key="best-epoch",
        head="best epoch",
        meaning="where valid was lowest, of the epochs trained; 0 is before the first step",
        run=lambda row: words.ABSENT if row.best_epoch is None else f"{row.best_epoch}/{row.epochs}",
        value=lambda row: row.best_epoch,
    ),
    Column(
        key="parameters",
        head="params, M",
        group="parameters, M",
        short="all",
        meaning="parameters of the model, in millions",
        run=lambda row: words.millions(row.parameters),
        value=lambda row: row.parameters,
    ),
    Column(
        key="learnable",
        head="learnable, M",
        group="parameters, M",
        short="learned",
        meaning="those of them that are trained",
        run=lambda row: words.millions(row.learnable_parameters),
        value=lambda row: row.learnable_parameters,
    ),
    Column(
        key="memory",
        head="memory, MB",
        group="memory, MB",
        short="steady",
        meaning="average in steady training above the process before the model existed, in millions of bytes",
        run=_memory("average_bytes"),
        value=_bytes("average_bytes"),
        bar=True,
    ),
    Column(
        key="peak",
        head="peak, MB",
        group="memory, MB",
        short="peak",
        meaning="the highest reading of the same",
        run=_memory("peak_bytes"),
        value=_bytes("peak_bytes"),
    ),
    Column(
        key="seconds",
        head="train s",
        group="training",
        short="seconds",
        meaning="seconds of training and nothing else; †: not alone or disturbed, so no basis for a claim about speed",
        run=_seconds,
        value=lambda row: row.train_seconds,
        floor=lambda floor: f"{floor.seconds:,.1f}",
        bar=True,
    ),
    Column(
        key="speed",
        head="tokens/s",
        group="training",
        short="tokens/s",
        meaning="trained tokens per second of training",
        run=lambda row: words.count(row.tokens_per_second) + _mark(row),
        value=lambda row: row.tokens_per_second,
    ),
    Column(key="diagnosis", head="diagnosis", run=remark, text=True),
)
