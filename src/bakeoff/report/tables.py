"""The one table: a line a run in the order of the study's registry, and the floors below."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import markupsafe

from bakeoff.analysis.rows import Baseline, Row, StudyRows
from bakeoff.metrics import Tally
from bakeoff.report import words

SPLITS = ("train", "valid", "test")
_BOLD = "**{}**"


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column: its head, its meaning for the caption, and its cell for a run and for a floor."""

    head: str
    meaning: str
    run: Callable[[Row], str]
    floor: Callable[[Baseline], str] = lambda baseline: ""  # noqa: ARG005
    text: bool = False


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line of the table: its cells, and what sets it apart."""

    cells: tuple[str, ...]
    best: bool = False
    floor: bool = False
    status: str = ""


def lines(study: StudyRows) -> list[Line]:
    """Every run, then every floor."""
    winners = [study.best(model["name"]) for model in study.study["models"]]
    runs = [
        Line(cells=tuple(column.run(row) for column in COLUMNS), best=row in winners, status=row.status)
        for row in study.rows
    ]
    floors = [Line(cells=tuple(column.floor(b) for column in COLUMNS), floor=True) for b in study.baselines]
    return runs + floors


def markdown(study: StudyRows) -> str:
    """The table in Markdown, with its caption below."""
    head = [column.head for column in COLUMNS]
    rule = [":--" if column.text else "--:" for column in COLUMNS]
    body = [_emphasized(line) for line in lines(study)]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in [head, rule, *body])
    return f"{table}\n\n{caption(study)}\n"


def caption(study: StudyRows) -> str:
    """What the table shows, and what each column and symbol means."""
    corpus, budget = study.study["corpus"], study.study["budget"]
    meanings = "; ".join(f"*{column.head}*: {column.meaning}" for column in COLUMNS if column.meaning)
    return (
        f"Study {study.study['study']} on {corpus['name']}: every run by architecture, layers and optimizer, "
        f"{budget['epochs']} epochs of {words.count(corpus['train']['tokens'])} train tokens, "
        f"batches of {budget['batch_size']} sequences of {budget['sequence_length']} tokens. "
        "In bold: the run of each architecture with the lowest valid perplexity (test never selects). "
        f"{_seeds(study)} Below the runs, the floors on the same tokens and windows: uniform gives every symbol the "
        "same probability, unigram its share of train (0.1 added to every count); kn2 and kn3 are interpolated "
        "Kneser-Ney of two and three tokens, kn3+cache is kn3 mixed with the counts of the window so far"
        f"{_cache_weight(study)}. A run that is not below the unigram has learned nothing about context. "
        f"{rates(study)}{_lossy(study)} Columns: {meanings}. {words.ABSENT}: not measured."
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
        f"experiment, half a decade apart, {tuning['epochs']} epochs each, seed {tuning['seed']}, chosen on valid."
    )
    if tuning["fits"]:
        return searched
    return (
        f"{searched} That was another corpus or budget than this: `bakeoff tune`, with the options that `bakeoff run` "
        "got, finds the rates for this one."
    )


def _lossy(study: StudyRows) -> str:
    """What a figure per byte or word leaves out, where the tokenizer loses some of the text."""
    if not study.study["corpus"].get("lossy"):
        return ""
    return (
        " This study's tokenizer is lossy: it never pays for letter case, accents, line ends or the width of spaces. "
        "Its bits per byte and word perplexities compare with each other, and with no other tokenizer's."
    )


def _cache_weight(study: StudyRows) -> str:
    weights = [baseline.cache_weight for baseline in study.baselines if baseline.cache_weight is not None]
    return f" (share {weights[0]:g}, chosen on valid)" if weights else ""


def _seeds(study: StudyRows) -> str:
    seeds = study.study["seeds"]
    if len(seeds) == 1:
        return "One seed: small differences may be chance."
    return f"{len(seeds)} seeds, each in its own line."


def _emphasized(line: Line) -> list[str]:
    return [_BOLD.format(cell) if line.best and cell else cell for cell in line.cells]


def _perplexity(tally: Tally) -> str:
    return words.number(tally.perplexity)


def _loss(tally: Tally) -> str:
    return words.small(tally.loss)


def _word_perplexity(tally: Tally) -> str:
    return words.number(tally.word_perplexity)


def _bits_per_byte(tally: Tally) -> str:
    return words.small(tally.bits_per_byte)


def _quotient(split: str, quotient: Callable[[Tally], str], head: str, meaning: str = "") -> Column:
    """A column of one figure of one split, which floors have as well."""

    def cell(measured: Row | Baseline) -> str:
        tally: Tally | None = getattr(measured, split)
        return quotient(tally) if tally else words.ABSENT

    return Column(head=head, meaning=meaning, run=cell, floor=cell)


def _status(row: Row) -> str:
    return row.diagnosis or ("" if row.status == "finished" else row.status)


def _seconds(row: Row) -> str:
    """Training seconds, marked where another run had a share of the machine."""
    mark = "†" if row.alone is False else ""
    return words.ABSENT if row.train_seconds is None else f"{row.train_seconds:,.1f}{mark}"


def _rate(row: Row) -> str:
    return words.count(row.tokens_per_second) + ("†" if row.alone is False else "")


def _memory(name: str) -> Callable[[Row], str]:
    return lambda row: words.megabytes(row.memory[name] if row.memory else None)


COLUMNS = (
    Column(head="#", meaning="the experiment's number", run=lambda row: str(row.number)),
    Column(head="model", meaning="", run=lambda row: row.model_title, floor=lambda floor: floor.name, text=True),
    Column(head="layers", meaning="", run=lambda row: str(row.layers)),
    Column(head="optimizer", meaning="", run=lambda row: row.optimizer_title, text=True),
    Column(head="lr", meaning="peak learning rate", run=lambda row: words.rate(row.learning_rate)),
    Column(head="seed", meaning="decides initial weights and the order of the data", run=lambda row: str(row.seed)),
    _quotient(
        "train", _perplexity, "train ppl", "perplexity per token, exp(nats / tokens), on a fixed sample of train"
    ),
    _quotient("valid", _perplexity, "valid ppl", "the same on valid"),
    _quotient("test", _perplexity, "test ppl", "the same on test; all three with the weights of the best epoch"),
    _quotient("train", _loss, "train loss", "nats per token"),
    _quotient("valid", _loss, "valid loss"),
    _quotient("test", _loss, "test loss"),
    _quotient("valid", _word_perplexity, "word ppl", "exp(nats / whitespace-separated words), on valid"),
    _quotient("valid", _bits_per_byte, "bpb", "bits per UTF-8 byte, on valid"),
    Column(
        head="best epoch",
        meaning="where valid was lowest, of the epochs trained; 0 is before the first step",
        run=lambda row: words.ABSENT if row.best_epoch is None else f"{row.best_epoch} of {row.epochs}",
    ),
    Column(head="params", meaning="parameters of the model", run=lambda row: words.count(row.parameters)),
    Column(
        head="learnable",
        meaning="those of them that are trained",
        run=lambda row: words.count(row.learnable_parameters),
    ),
    Column(
        head="memory, MB",
        meaning="average in steady training above the process before the model existed, in millions of bytes",
        run=_memory("average_bytes"),
    ),
    Column(head="peak, MB", meaning="the highest reading of the same", run=_memory("peak_bytes")),
    Column(
        head="train s",
        meaning="seconds of training alone; †: measured beside other runs, no basis for a claim about speed",
        run=_seconds,
        floor=lambda floor: f"{floor.seconds:,.1f}",
    ),
    Column(head="tokens/s", meaning="trained tokens per second of training", run=_rate),
    Column(head="remark", meaning="", run=_status, text=True),
)


def html_caption(study: StudyRows) -> str:
    """The caption with its emphasis as HTML."""
    emphasized = re.sub(r"\*([^*]+)\*", r"<em>\1</em>", str(markupsafe.escape(caption(study))))
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", emphasized)
