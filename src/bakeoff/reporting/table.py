"""The tables: a line a run in the order of the study's registry; below, models from elsewhere, and the floors.

The first fits a page, the second has what is looked up. A column is one record in `_results` or `_details`, and what it
means one line of `text/table.j2`; nothing else knows which columns there are.
"""

import itertools
import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

import tabulate

from bakeoff import words
from bakeoff.analysis import diagnosis
from bakeoff.analysis.evaluations import Baseline, WithCounts
from bakeoff.analysis.questions.optimizers import rate_ranges
from bakeoff.analysis.reported import Reported
from bakeoff.analysis.rows import Repeats, Row, StudyRows
from bakeoff.analysis.statistics import FEWEST_SEEDS, over_seeds
from bakeoff.analysis.timing import is_timed
from bakeoff.errors import plain
from bakeoff.metrics import BYTES_A_WORD, Tally
from bakeoff.reporting.text import say
from bakeoff.shapes import Json

SPLITS = ("train", "valid", "test")
#: Of what a run must hold, by computation; keys of `Row.memory_parts`.
PARTS = ("weights", "gradients", "optimizer_state", "activations", "logits")
#: A sign for each severity, for those who see no colours; the worst first.
SIGNS = {diagnosis.BAD: "✕", diagnosis.WARN: "▲", diagnosis.NOTE: "◆", diagnosis.GOOD: "✓"}
#: Stand around what is bold until the table is written; no text that is shown has them (`errors.plain`).
BOLD, BOLD_ENDS = "\ue000", "\ue001"


@dataclass(frozen=True)
class Cell:
    """What stands in a place of a table, and what it sorts by: None where it was not measured, or sorts as text."""

    text: str = ""
    value: float | None = None


OfRuns = Callable[[Repeats], Cell]
OfFloor = Callable[[Baseline], Cell]
OfReported = Callable[[Reported], Cell]


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        head: Its head.
        cell: What it shows of runs: those of an experiment, or a single one; `floor` what of a floor, and `elsewhere`
            what of a model that was trained elsewhere and measured here.
        text: Whether it holds words.
        bar: Whether size matters enough for a bar.
        selects: Whether it is by this that the best are chosen: theirs is bold.
        needed: Whether this study needs it.
    """

    head: str
    cell: OfRuns
    floor: OfFloor = lambda floor: Cell()  # noqa: ARG005
    elsewhere: OfReported = lambda model: Cell()  # noqa: ARG005
    text: bool = False
    bar: bool = False
    selects: bool = False
    needed: bool = True


def _tried_between(trials: Sequence[Json]) -> bool:
    """Whether rates lie closer together than half a decade: the last round of a search tries such."""
    rates = sorted(trial["lr"] for trial in trials)
    return any(higher / lower < 10**0.4 for lower, higher in itertools.pairwise(rates))


def tables(study: StudyRows) -> list[Json]:
    """The table that fits a page, `results`, and the one with the `details`, as plain data.

    Each has a caption, what its heads mean where they do not say it, columns (`head`, and whether it is `text`), and
    lines. The `kind` of a line is `run`; in a study of several seeds `mean` of an experiment's runs, or `seed`, one of
    them; `elsewhere`, for a model that was trained elsewhere; or `floor`. A cell has its `text`, the `value` that it
    sorts by, its `bar` as a share of the longest, and whether it is `bold`.
    """
    tried = {experiment.number: len(study.trials(experiment)) for experiment in study.experiments}
    facts = {
        "study": study,
        "cache_weights": {
            floor.name: floor.cache_weight for floor in study.baselines if floor.cache_weight is not None
        },
        "bytes_a_word": _bytes_a_word(study),
        "wordless": _bytes_a_word(study) > BYTES_A_WORD,
        "trials": sorted({count for count in tried.values() if count}),
        "finer": any(map(_tried_between, (study.trials(experiment) for experiment in study.experiments))),
        "unsearched": [number for number, count in tried.items() if not count],
        "settings": {e.rows[0].model_title: e.size for e in study.experiments}
        | {e.rows[0].optimizer_title: e.settings for e in study.experiments},
    }
    kinds = {"results": _results(study), "details": _details(study)}
    made = {name: _table(study, columns) for name, columns in kinds.items()}
    return [{"name": name, "caption": say("table", name, facts | table)} | table for name, table in made.items()]


def markdown(tables: list[Json]) -> str:
    """The tables in Markdown, with their captions and what their heads mean."""
    parts = []
    for table in tables:
        heads = [_escaped(column["head"]) for column in table["columns"]]
        rows = [[_bold(cell, _escaped(cell["text"]), "**", "**") for cell in line["cells"]] for line in table["lines"]]
        meanings = "; ".join(f"*{_escaped(head)}*: {_escaped(meaning)}" for head, meaning in table["meanings"])
        parts += [_tabulated(table, heads, rows, "pipe"), _escaped(table["caption"]), f"Columns: {meanings}."]
    return "\n\n".join(parts) + "\n"


def latex(tables: list[Json], name: str) -> str:
    """The tables of the study of that name for LaTeX; they need the packages `booktabs` and `graphicx`."""
    to_escape, label = str.maketrans(tabulate.LATEX_ESCAPE_RULES), re.sub("[^A-Za-z0-9-]", "-", name)
    parts = [r"% \usepackage{booktabs,graphicx}"]
    for table in tables:
        rows: list[list[str]] = []
        for line in (line for line in table["lines"] if line["kind"] != "seed"):
            rows += [[tabulate.SEPARATING_LINE]] if line["begins"] and rows else []
            rows.append([_bold(cell, cell["text"], BOLD, BOLD_ENDS) for cell in line["cells"]])
        drawn = _tabulated(table, [column["head"] for column in table["columns"]], rows, "latex_booktabs")
        meanings = "; ".join(f"{head}: {meaning}" for head, meaning in table["meanings"])
        told = f"{table['caption']} Columns: {meanings}.".translate(to_escape)
        parts += [r"\begin{table*}", r"\centering", rf"\caption{{{told}}}", rf"\label{{tab:{label}-{table['name']}}}"]
        parts += [r"\resizebox{\textwidth}{!}{%", drawn.replace(BOLD, r"\textbf{").replace(BOLD_ENDS, "}") + "}"]
        parts += [r"\end{table*}", ""]
    return "\n".join(parts)


def html(study: StudyRows) -> str:
    """The table that fits a page as HTML, for a notebook; of an experiment's seeds it shows the mean."""
    made = _table(study, _results(study))
    lines = [line["cells"] for line in made["lines"] if line["kind"] != "seed"]
    rows = [[_bold(cell, cell["text"], BOLD, BOLD_ENDS) for cell in cells] for cells in lines]
    drawn = _tabulated(made, [column["head"] for column in made["columns"]], rows, "html")
    return drawn.replace(BOLD, "<b>").replace(BOLD_ENDS, "</b>")


def _tabulated(table: Json, heads: list[str], rows: list[list[str]], form: str) -> str:
    aligned = ["left" if column["text"] else "right" for column in table["columns"]]
    return tabulate.tabulate(rows, heads, tablefmt=form, disable_numparse=True, colalign=aligned)


def _bold(cell: Json, text: str, begin: str, end: str) -> str:
    return f"{begin}{text}{end}" if cell["bold"] else text


def _escaped(text: str) -> str:
    """Text that Markdown and its tables take as it is: what could be markup is escaped."""
    return re.sub(r"([\\`*_\[\]<>|#$])", r"\\\1", text)


def _table(study: StudyRows, columns: list[Column]) -> Json:
    """Every run, before those of an experiment with several seeds their mean; then what they stand beside."""
    columns = [column for column in columns if column.needed]
    best = {experiment.number for model in study.models for experiment in _best(study, model)}
    lines: list[Json] = []
    begun = None
    for experiment in study.experiments:
        single = [Repeats(rows=(row,)) for row in experiment.rows]
        several = [("mean", experiment), *(("seed", runs) for runs in single)]
        for kind, runs in several if study.seeds > 1 else [("run", experiment)]:
            bold = kind != "seed" and runs.number in best
            cells = [_as_json(column.cell, runs, bold=bold and column.selects) for column in columns]
            lines.append(_about(kind, runs) | {"cells": cells, "begins": runs.rows[0].model != begun})
            begun = runs.rows[0].model
    for place, column in enumerate(columns):
        shown = [line["cells"][place] for line in lines]
        most = max((cell["value"] or 0.0 for cell in shown), default=0.0)
        for cell in shown if column.bar and most else []:
            cell["bar"] = None if cell["value"] is None else round(cell["value"] / most, 3)
    below: dict[str, Sequence[Baseline | Reported]] = {"elsewhere": study.measured_elsewhere, "floor": study.baselines}
    for kind, beside in below.items():
        for place, each in enumerate(beside):
            cells = [_as_json(getattr(column, kind), each, bold=False) for column in columns]
            if any(cell["text"] for cell in cells):  # of a model from elsewhere there are no details
                lines.append({"kind": kind, "run": None, "status": "", "begins": place == 0, "cells": cells})
    told = {"corpus": study.study["corpus"], "heads": [column.head for column in columns]}
    meanings = ((column.head, say("table", "meaning", told | {"head": column.head})) for column in columns)
    heads = [{"head": column.head, "text": column.text} for column in columns]
    return {"columns": heads, "lines": lines, "meanings": [pair for pair in meanings if pair[1]]}


def _as_json(of: Callable[[Any], Cell], what: Repeats | Baseline | Reported, *, bold: bool) -> Json:
    """A cell as plain data; one that fails says why, and takes no other with it."""
    try:
        cell = of(what)
    except Exception as error:  # noqa: BLE001 (whatever it was)
        cell = Cell(plain(f"failed: {error!r}"))
    value = cell.value if cell.value is not None and math.isfinite(cell.value) else None
    return {"text": cell.text, "value": value, "bar": None, "bold": bold and cell.value is not None}


def _about(kind: str, runs: Repeats) -> Json:
    """Whose line it is, where links to it lead, and the worst that became of its runs."""
    row, worst = runs.rows[0], min(runs.rows, key=lambda row: list(SIGNS).index(row.severity))
    anchor = f"run-{row.number}-seed-{row.seed}" if kind == "seed" else f"run-{row.number}"
    about = {"kind": kind, "run": row.number, "anchor": anchor, "optimizer": row.optimizer_title}
    sign = {"rule": worst.diagnosis_rule, "severity": worst.severity, "sign": SIGNS[worst.severity]}
    return about | sign | {"status": worst.status}


def _best(study: StudyRows, model: str) -> tuple[Repeats, ...]:
    """The best of an architecture, and what cannot be told from it; none that lost a run."""
    ranked = [experiment for experiment in study.ranked_of(model) if not experiment.spoiled]
    return (ranked[0], *study.ties(ranked[0], ranked[1:])) if ranked else ()


# --- columns ----------------------------------------------------------------------------------------------------------


def _results(study: StudyRows) -> list[Column]:
    """The table that fits a page."""
    differ = any(row.learnable_parameters != row.parameters for row in study.rows)
    return [
        Column("#", _declared(lambda row: row.number)),
        Column("model", _declared(lambda row: row.model_title), _name, _name, text=True),
        Column("optimizer", _declared(lambda row: row.optimizer_title), text=True),
        Column("layers", _declared(lambda row: row.layers)),
        Column("lr", _declared(lambda row: row.learning_rate, words.rate)),
        Column("decay", _declared(lambda row: row.weight_decay, words.rate)),
        Column("batch", _declared(lambda row: row.entry["batch_size"]), needed=len(study.batch_sizes) > 1),
        Column("seed", _seed, needed=study.seeds > 1),
        *(_per_token(split, "ppl", words.perplexity) for split in SPLITS),
        *(_averaged(study, split) for split in ("valid", "test")),
        Column("±, nats", _spread, needed=study.seeds >= FEWEST_SEEDS),
        _mixed(study, "with counts", lambda mixed: mixed.valid.loss, words.perplexity),
        Column("bpb", *_of_text(lambda tally: tally.bits_per_byte, words.small)),
        _mixed(study, "bpb with counts", lambda mixed: mixed.valid.bits_per_byte, words.small),
        Column(
            "word ppl",
            *_of_text(lambda tally: tally.nats / tally.words, words.perplexity),
            needed=_bytes_a_word(study) <= BYTES_A_WORD,
        ),
        Column("gap, nats", _mean(lambda row: study.gap(row.history[-1]) if row.finished else None, words.signed)),
        Column(f"best {study.unit}", _best_place),
        Column(
            "params, M",
            _declared(lambda row: row.parameters, words.millions),
            elsewhere=lambda model: Cell(words.millions(model.parameters), model.parameters),
        ),
        Column("trained, M", _declared(lambda row: row.learnable_parameters, words.millions), needed=differ),
        Column("memory, MB", _memory("average_bytes"), bar=True),
        Column(
            "train s", _timed(lambda row: row.train_seconds, _seconds), lambda f: Cell(_seconds(f.seconds)), bar=True
        ),
        Column("diagnosis", _remark, elsewhere=lambda model: Cell("trained elsewhere"), text=True),  # noqa: ARG005
    ]


def _details(study: StudyRows) -> list[Column]:
    """The table of what is looked up."""
    ends = {number: sorted({found.low, found.high}) for number, found in rate_ranges(study).items()}
    process_known = any((row.memory or {}).get("process_bytes") for row in study.rows)
    ranges = {number: " to ".join(map(words.rate, found)) for number, found in ends.items()}
    return [
        Column("#", _declared(lambda row: row.number)),
        Column("run", _declared(lambda row: row.name), _name, text=True),
        Column("seed", _seed, needed=study.seeds > 1),
        Column("good lr", lambda runs: Cell(ranges.get(runs.number, words.ABSENT)), needed=bool(ranges)),
        Column("clipped", _mean(lambda row: row.clipped, words.percent)),
        *(_per_token(split, "loss", words.small) for split in SPLITS),
        *(_windowed(study, kind) for kind in ("half_stride", "carried_state")),
        _mixed(study, "counts' share", lambda mixed: mixed.weight, words.percent),
        _mixed(study, "test with counts", lambda mixed: mixed.test.loss, words.perplexity),
        Column(
            "processor s",
            _mean(lambda row: row.processor_seconds, _seconds),
            needed=any(row.processor_seconds is not None for row in study.rows),
        ),
        Column("tokens/s", _timed(lambda row: row.tokens_per_second, words.count)),
        Column("peak, MB", _memory("peak_bytes")),
        Column("process, MB", _memory("process_bytes"), needed=process_known),
        *(Column(f"{name.replace('_', ' ')}, MB", _part(name)) for name in PARTS),
    ]


def _declared(of: Callable[[Row], Any], form: Callable[[Any], str] = str) -> OfRuns:
    """What is the same for all runs of an experiment."""

    def cell(runs: Repeats) -> Cell:
        value = of(runs.rows[0])
        return Cell(words.ABSENT if value is None else form(value), None if isinstance(value, str) else value)

    return cell


def _mean(of: Callable[[Row], float | None], form: Callable[[float], str]) -> OfRuns:
    """What was measured of a run, or the mean over those of several that finished; nothing if one of them was lost."""

    def cell(runs: Repeats) -> Cell:
        counted = runs.rows if len(runs.rows) == 1 else () if runs.spoiled else runs.finished
        known = [value for row in counted if (value := of(row)) is not None]
        return Cell(form(fmean(known)), fmean(known)) if known else Cell(words.ABSENT)

    return cell


def _mixed(study: StudyRows, head: str, of: Callable[[WithCounts], float], form: Callable[[float], str]) -> Column:
    """A column about runs mixed with counts, where there are any."""
    cell = _mean(lambda row: of(row.with_counts) if row.with_counts else None, form)
    return Column(head, cell, needed=any(row.with_counts for row in study.rows))


def _windowed(study: StudyRows, kind: str) -> Column:
    """A column about test in other windows, where it was measured."""
    cell = _mean(lambda row: row.windows[kind].loss if kind in row.windows else None, words.perplexity)
    return Column(f"test ppl, {kind.replace('_', ' ')}", cell, needed=any(kind in row.windows for row in study.rows))


def _timed(of: Callable[[Row], float | None], form: Callable[[float], str]) -> OfRuns:
    """The mean of a time or a speed, marked where the clock counted more than the run itself."""

    def cell(runs: Repeats) -> Cell:
        found, stalled = _mean(of, form)(runs), any(row.alone is not None and not is_timed(row) for row in runs.rows)
        return replace(found, text=f"{found.text}†") if stalled and found.value is not None else found

    return cell


def _measured(split: str, per: Callable[[Tally], float], form: Callable[[float], str]) -> tuple[OfRuns, OfFloor]:
    """One figure of one split, of runs and of floors."""

    def of(measured: Row | Baseline) -> float | None:
        tally: Tally | None = getattr(measured, split)
        return per(tally) if tally else None

    return _mean(of, form), lambda floor: Cell(form(per(getattr(floor, split))))


def _of_text(per: Callable[[Tally], float], form: Callable[[float], str]) -> tuple[OfRuns, OfFloor, OfReported]:
    """One figure of valid that does not depend on the tokens, of everything that was measured on it."""
    runs, floor = _measured("valid", per, form)

    def elsewhere(model: Reported) -> Cell:
        return Cell(form(per(model.cost)), per(model.cost)) if model.cost else Cell()

    return runs, floor, elsewhere


def _per_token(split: str, what: str, form: Callable[[float], str]) -> Column:
    return Column(f"{split} {what}", *_measured(split, lambda tally: tally.loss, form), selects=split == "valid")


def _averaged(study: StudyRows, split: str) -> Column:
    cell = _mean(lambda row: row.averaged[split].loss if row.averaged else None, words.perplexity)
    return Column(f"averaged {split} ppl", cell, needed=any(row.averaged for row in study.rows))


def _seconds(seconds: float) -> str:
    return f"{seconds:,.1f}"


def _name(beside: Baseline | Reported) -> Cell:
    return Cell(beside.name)


def _bytes_a_word(study: StudyRows) -> float:
    valid = study.study["corpus"]["valid"]
    return float(valid["bytes"] / max(1, valid["words"]))


def _memory(name: str) -> OfRuns:
    return _mean(lambda row: (row.memory or {}).get(name), words.in_megabytes)


def _part(name: str) -> OfRuns:
    return _declared(lambda row: (row.memory_parts or {}).get(name), words.in_megabytes)


def _seed(runs: Repeats) -> Cell:
    seeds = [row.seed for row in runs.rows]
    return Cell(f"{len(runs.finished)} of {len(seeds)}") if len(seeds) > 1 else Cell(str(seeds[0]), seeds[0])


def _spread(runs: Repeats) -> Cell:
    interval = None if runs.spoiled else over_seeds(list(runs.losses.values()))
    absent = words.ABSENT if len(runs.rows) > 1 else ""
    return Cell(words.small(interval.half_width), interval.half_width) if interval else Cell(absent)


def _best_place(runs: Repeats) -> Cell:
    places = [row.best_point.place for row in runs.rows if row.history]
    if not places:
        return Cell(words.ABSENT)
    best = "-".join(map(str, sorted({min(places), max(places)})))
    return Cell(f"{best}/{max(row.done for row in runs.rows)}", fmean(places))


def _remark(runs: Repeats) -> Cell:
    """What became of runs: what is the same for all, or how many there are of each kind."""
    told = {row.diagnosis or row.status for row in runs.rows}
    kinds = Counter(row.kind for row in runs.rows)
    counted = next(iter(kinds)) if len(kinds) == 1 else ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    return Cell(told.pop() if len(told) == 1 else counted)
