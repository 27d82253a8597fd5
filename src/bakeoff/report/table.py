"""The tables: a line a run in the order of the study's registry, and the floors below.

The first table fits a page; the second has what is looked up. A column is one record in `_results` or `_details`, and what
it means a line of `text/table.j2`; nothing else knows which columns there are.
"""

import re
import statistics
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import tabulate

from bakeoff import metrics, words
from bakeoff.analysis.evaluations import Baseline
from bakeoff.analysis.rows import Repeats, Row, StudyRows
from bakeoff.analysis.statistics import FEWEST_SEEDS, over_seeds
from bakeoff.analysis.timing import is_timed
from bakeoff.metrics import Tally
from bakeoff.report.text import say

#: Of what a run must hold, by computation; keys of `Row.memory_parts`.
PARTS = ("weights", "gradients", "optimizer_state", "activations", "logits")
#: Where there is less than a word in so many bytes, as in text without spaces, a perplexity per word says nothing.
BYTES_A_WORD = 50
#: Rates that come within so many nats of an experiment's best are as good.
AS_GOOD = 0.05
#: How bad what a rule says of a run is, by the rule's key or the run's status.
SEVERITIES = {
    **dict.fromkeys(("diverged", "failed", "damaged", "dead", "worse-than-unigram", "unigram-plateau"), "bad"),
    **dict.fromkeys(
        ("below-context", "late-instability", "overfitting", "memorizing", "outdone", "underfitting"), "warn"
    ),
    **dict.fromkeys(("undertrained", "capacity", "running", "missing"), "note"),
    "healthy": "good",
}
#: A sign for each, for those who see no colours; the worst first.
SIGNS = {"bad": "✕", "warn": "▲", "note": "◆", "good": "✓"}
#: Stand around what is bold until the table is written; no printable text has them.
BOLD, BOLD_ENDS = "\ue000", "\ue001"


@dataclass(frozen=True)
class Cell:
    """What stands in a place of a table, and what it sorts by: None where it was not measured, or sorts as text."""

    text: str = ""
    value: float | None = None


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        head: Its head; in a group of neighbours `group` stands above them, and `short` is its head below that.
        cell: What it shows of runs: those of an experiment, or a single one.
        floor: What it shows of a floor.
        text: Whether it holds words.
        bar: Whether size matters enough for a bar.
        selects: Whether it is by this that the best are chosen: theirs is bold.
        needed: Whether this study needs it.
    """

    head: str
    cell: Callable[[Repeats], Cell]
    floor: Callable[[Baseline], Cell] = lambda floor: Cell()  # noqa: ARG005
    group: str = ""
    short: str = ""
    text: bool = False
    bar: bool = False
    selects: bool = False
    needed: bool = True


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line of a table.

    Attributes:
        cells: One a column.
        kind: `run`; in a study of several seeds `mean` of an experiment's runs, or `seed`, one of them; or `floor`.
        runs: Whose it is; None for a floor.
        best: Whether it is the best of its architecture, or cannot be told from it.
        begins: Whether an architecture, or the floors, begin here.
    """

    cells: tuple[Cell, ...]
    kind: str
    runs: Repeats | None = None
    best: bool = False
    begins: bool = False


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table: `results` or `details`; `meanings` has its heads with what they mean, where they do not say it."""

    name: str
    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    meanings: tuple[tuple[str, str], ...]


def tables(study: StudyRows) -> list[Table]:
    """The table that fits a page, and the one with the details."""
    return [_table(study, "results", _results(study)), _table(study, "details", _details(study))]


def caption(study: StudyRows) -> str:
    """What the tables show, and what their lines and symbols mean."""
    tried = {experiment.number: len(study.trials(experiment)) for experiment in study.experiments}
    facts = {
        "study": study,
        "cache_weight": next((floor.cache_weight for floor in study.baselines if floor.cache_weight is not None), None),
        "bytes_a_word": _bytes_a_word(study),
        "wordless": _bytes_a_word(study) > BYTES_A_WORD,
        "trials": sorted({count for count in tried.values() if count}),
        "unsearched": [number for number, count in tried.items() if not count],
    }
    return say("table", "caption", facts)


def settings(study: StudyRows) -> str:
    """What the architectures and the optimizers are set to, but for what has a column."""
    models = {experiment.rows[0].model_title: experiment.size for experiment in study.experiments}
    optimizers = {experiment.rows[0].optimizer_title: experiment.settings for experiment in study.experiments}
    listed = {
        title: ", ".join(
            f"{name.replace('_', ' ')} {_short(value)}"
            for name, value in values.items()
            if name not in ("type", "weight_decay")
        )
        for title, values in (*models.items(), *optimizers.items())
    }
    return say("table", "settings", listed)


def markdown(study: StudyRows) -> str:
    """The tables in Markdown, with their caption and what their heads mean."""
    parts = []
    for table in tables(study):
        meanings = "; ".join(f"*{_escaped(head)}*: {_escaped(meaning)}" for head, meaning in table.meanings)
        rows = [[_escaped(text) for text in _texts(table, line)] for line in table.lines]
        heads = [_escaped(column.head) for column in table.columns]
        parts += [_tabulated(table, heads, rows, "pipe"), f"Columns: {meanings}."]
    parts = [*parts[:1], _escaped(caption(study)), *parts[1:], _escaped(settings(study))]
    return "\n\n".join(parts).replace(BOLD, "**").replace(BOLD_ENDS, "**") + "\n"


def latex(study: StudyRows) -> str:
    """The tables for LaTeX, each a `table*` with caption and label; they need the packages `booktabs` and `graphicx`."""
    to_escape, name = str.maketrans(tabulate.LATEX_ESCAPE_RULES), re.sub("[^A-Za-z0-9-]", "-", study.study["study"])
    parts = [r"% \usepackage{booktabs,graphicx}"]
    for table in tables(study):
        rows: list[list[str]] = []
        for line in [line for line in table.lines if line.kind != "seed"]:
            rows += [[tabulate.SEPARATING_LINE]] if line.begins and rows else []
            rows.append(_texts(table, line))
        drawn = _tabulated(table, [column.head for column in table.columns], rows, "latex_booktabs")
        meanings = "; ".join(f"{head}: {meaning}" for head, meaning in table.meanings)
        told = f"{caption(study) if table.name == 'results' else settings(study)} Columns: {meanings}.".translate(
            to_escape
        )
        parts += [r"\begin{table*}", r"\centering", rf"\caption{{{told}}}", rf"\label{{tab:{name}-{table.name}}}"]
        parts += [r"\resizebox{\textwidth}{!}{%", drawn.replace(BOLD, r"\textbf{").replace(BOLD_ENDS, "}") + "}"]
        parts += [r"\end{table*}", ""]
    return "\n".join(parts)


def severity(rows: Iterable[Row]) -> tuple[str, Row]:
    """How bad the worst of several runs is, `bad`, `warn`, `note` or `good`, and which one that is."""
    judged = [(SEVERITIES.get(row.diagnosis_rule or row.status, "note"), row) for row in rows]
    return min(judged, key=lambda found: list(SIGNS).index(found[0]))


def _tabulated(table: Table, heads: list[str], rows: list[list[str]], form: str) -> str:
    aligned = ["left" if column.text else "right" for column in table.columns]
    return tabulate.tabulate(rows, heads, tablefmt=form, disable_numparse=True, colalign=aligned)


def _texts(table: Table, line: Line) -> list[str]:
    """The cells of a line as text, marked where they are bold."""
    bold = [line.best and column.selects for column in table.columns]
    return [f"{BOLD}{c.text}{BOLD_ENDS}" if marked else c.text for c, marked in zip(line.cells, bold, strict=True)]


def _escaped(text: str) -> str:
    """Text that Markdown and its tables take as it is: what could be markup is escaped."""
    return re.sub(r"([\\`*_\[\]<>|#$])", r"\\\1", text)


def _table(study: StudyRows, name: str, columns: list[Column]) -> Table:
    """Every run, then every floor; before the runs of an experiment with several seeds, their mean."""
    columns = [column for column in columns if column.needed]
    best = {experiment.number for model in study.models for experiment in _best(study, model)}
    found: list[Line] = []
    for experiment in study.experiments:
        single = [Repeats(rows=(row,)) for row in experiment.rows]
        several = [("mean", experiment), *(("seed", runs) for runs in single)]
        for kind, runs in several if study.seeds > 1 else [("run", experiment)]:
            cells = (column.cell(runs) for column in columns)
            before = found[-1].runs if found else None
            found.append(
                Line(
                    cells=tuple(replace(cell, text=words.printable(cell.text)) for cell in cells),
                    kind=kind,
                    runs=runs,
                    best=kind != "seed" and experiment.number in best,
                    begins=before is None or before.rows[0].model != runs.rows[0].model,
                )
            )
    for floor in study.baselines:
        cells = (column.floor(floor) for column in columns)
        found.append(Line(cells=tuple(cells), kind="floor", begins=floor is study.baselines[0]))
    meanings = [(c.head, say("table", "meaning", {"head": c.head, "corpus": study.study["corpus"]})) for c in columns]
    told = tuple((head, meaning) for head, meaning in meanings if meaning)
    return Table(name=name, columns=tuple(columns), lines=tuple(found), meanings=told)


def _best(study: StudyRows, model: str) -> tuple[Repeats, ...]:
    """The best of an architecture, and what cannot be told from it; none that lost a run."""
    ranked = [experiment for experiment in study.ranked_of(model) if not experiment.spoiled]
    return (ranked[0], *study.ties(ranked[0], ranked[1:])) if ranked else ()


# --- columns ----------------------------------------------------------------------------------------------------------


def _results(study: StudyRows) -> list[Column]:
    """The table that fits a page."""
    differ = any(row.learnable_parameters != row.parameters for row in study.rows)
    steady = _mean(lambda row: row.memory["average_bytes"] if row.memory else None, words.in_megabytes)
    per_word = _measured("valid", lambda tally: tally.nats / tally.words, words.number, _perplexity)
    gap = _mean(lambda row: study.gap(row.history[-1]) if row.finished else None, words.signed)
    return [
        Column("#", _said(lambda row: row.number)),
        Column("model", _said(lambda row: row.model_title), _name, text=True),
        Column("optimizer", _said(lambda row: row.optimizer_title), text=True),
        Column("layers", _said(lambda row: row.layers)),
        Column("lr", _said(lambda row: row.learning_rate, words.rate)),
        Column("decay", _said(lambda row: row.weight_decay, words.rate)),
        Column("seed", _seed, needed=study.seeds > 1),
        *(
            Column(f"{split} ppl", *_per_token(split), "perplexity", split, bar=True, selects=split == "valid")
            for split in ("train", "valid", "test")
        ),
        Column("±, nats", _spread, needed=study.seeds >= FEWEST_SEEDS),
        Column("bpb", *_measured("valid", lambda tally: tally.bits_per_byte, words.small)),
        Column("word ppl", *per_word, needed=_bytes_a_word(study) <= BYTES_A_WORD),
        Column("gap, nats", gap),
        Column("best epoch", _best_epoch),
        Column("params, M", _mean(lambda row: row.parameters, words.millions)),
        Column("trained, M", _mean(lambda row: row.learnable_parameters, words.millions), needed=differ),
        Column("memory, MB", steady, bar=True),
        Column(
            "train s", _timed(lambda row: row.train_seconds, _seconds), lambda f: Cell(_seconds(f.seconds)), bar=True
        ),
        Column("diagnosis", _remark, text=True),
    ]


def _details(study: StudyRows) -> list[Column]:
    """The table of what is looked up."""
    peak = _mean(lambda row: row.memory["peak_bytes"] if row.memory else None, words.in_megabytes)
    return [
        Column("#", _said(lambda row: row.number)),
        Column("run", _said(lambda row: row.name), _name, text=True),
        Column("seed", _seed, needed=study.seeds > 1),
        Column("good lr", lambda runs: _good_rates(study, runs)),
        Column("clipped", _mean(lambda row: row.clipped, words.percent)),
        *(
            Column(
                f"{split} loss", *_measured(split, _loss, words.small), "loss, nats", split, selects=split == "valid"
            )
            for split in ("train", "valid", "test")
        ),
        Column("tokens/s", _timed(lambda row: row.tokens_per_second, words.count)),
        Column("peak, MB", peak),
        *(_part(name) for name in PARTS),
    ]


def _said(of: Callable[[Row], Any], form: Callable[[Any], str] = str) -> Callable[[Repeats], Cell]:
    """What an experiment declares."""

    def cell(runs: Repeats) -> Cell:
        value = of(runs.rows[0])
        return Cell(form(value), None if isinstance(value, str) else value)

    return cell


def _mean(
    of: Callable[[Row], float | None], form: Callable[[float], str], then: Callable[[float], float] = float
) -> Callable[[Repeats], Cell]:
    """What was measured of a run, or the mean over those of several that finished, none if one was lost; then a function."""

    def cell(runs: Repeats) -> Cell:
        counted = runs.rows if len(runs.rows) == 1 else () if runs.spoiled else runs.finished
        known = [value for row in counted if (value := of(row)) is not None]
        if not known:
            return Cell(words.ABSENT)
        value = then(statistics.fmean(known))
        return Cell(form(value), value)

    return cell


def _timed(of: Callable[[Row], float | None], form: Callable[[float], str]) -> Callable[[Repeats], Cell]:
    """The mean of a time or a speed, marked where the clock counted more than this run."""

    def cell(runs: Repeats) -> Cell:
        found, stalled = _mean(of, form)(runs), any(row.alone is not None and not is_timed(row) for row in runs.rows)
        return replace(found, text=f"{found.text}†") if stalled and found.value is not None else found

    return cell


def _measured(
    split: str, quotient: Callable[[Tally], float], form: Callable[[float], str], then: Callable[[float], float] = float
) -> tuple[Callable[[Repeats], Cell], Callable[[Baseline], Cell]]:
    """One figure of one split, of runs and of floors."""

    def of(measured: Row | Baseline) -> float | None:
        tally: Tally | None = getattr(measured, split)
        return quotient(tally) if tally else None

    return _mean(of, form, then), lambda floor: Cell(form(then(quotient(getattr(floor, split)))))


def _per_token(split: str) -> tuple[Callable[[Repeats], Cell], Callable[[Baseline], Cell]]:
    return _measured(split, _loss, words.number, _perplexity)


def _loss(tally: Tally) -> float:
    return tally.loss


def _perplexity(nats: float) -> float:
    return metrics.perplexity(nats, 1)


def _seconds(seconds: float) -> str:
    return f"{seconds:,.1f}"


def _short(value: object) -> str:
    return (
        "/".join(map(_short, value))
        if isinstance(value, list)
        else words.rate(value)
        if isinstance(value, float)
        else str(value)
    )


def _name(floor: Baseline) -> Cell:
    return Cell(floor.name)


def _bytes_a_word(study: StudyRows) -> float:
    valid = study.study["corpus"]["valid"]
    return float(valid["bytes"] / valid["words"])


def _part(name: str) -> Column:
    title = name.replace("_", " ")
    cell = _mean(lambda row: (row.memory_parts or {}).get(name), words.in_megabytes)
    return Column(f"{title}, MB", cell, group="memory by computation, MB", short=title)


def _seed(runs: Repeats) -> Cell:
    seeds = [row.seed for row in runs.rows]
    return Cell(f"{len(runs.finished)} of {len(seeds)}") if len(seeds) > 1 else Cell(str(seeds[0]), seeds[0])


def _spread(runs: Repeats) -> Cell:
    interval = None if runs.spoiled else over_seeds(list(runs.losses.values()))
    absent = words.ABSENT if len(runs.rows) > 1 else ""
    return Cell(words.small(interval.half_width), interval.half_width) if interval else Cell(absent)


def _best_epoch(runs: Repeats) -> Cell:
    epochs = [row.best_epoch for row in runs.rows if row.best_epoch is not None]
    if not epochs:
        return Cell(words.ABSENT)
    return Cell(f"{_range(epochs, str)}/{max(row.epochs for row in runs.rows)}", statistics.fmean(epochs))


def _good_rates(study: StudyRows, runs: Repeats) -> Cell:
    losses = {t["lr"]: t["valid_loss"] for t in study.trials(runs) if t["valid_loss"] is not None}
    good = [rate for rate, loss in losses.items() if loss <= min(losses.values()) + AS_GOOD]
    return Cell(_range(good, words.rate), min(good)) if good else Cell(words.ABSENT)


def _range(values: list[Any], form: Callable[[Any], str]) -> str:
    return "–".join(form(value) for value in sorted({min(values), max(values)}))  # noqa: RUF001 (from, to)


def _remark(runs: Repeats) -> Cell:
    """What became of runs: what is the same for all, or how many there are of each kind."""
    told = {row.diagnosis or row.status for row in runs.rows}
    kinds = Counter(row.kind for row in runs.rows)
    counted = next(iter(kinds)) if len(kinds) == 1 else ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    return Cell(told.pop() if len(told) == 1 else counted)
