"""What a report says, as plain data: the page and the PDF are two ways to show it."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bakeoff import words
from bakeoff.analysis import diagnosis, published
from bakeoff.analysis.rows import Row, StudyRows
from bakeoff.report import protocol, style, table
from bakeoff.report.style import Figure
from bakeoff.report.table import SEVERITIES, SIGNS, Line, Table
from bakeoff.report.text import say

if TYPE_CHECKING:
    from bakeoff.report.figures import Figures

Json = dict[str, Any]
#: What stands in place of a first screen that could not be made.
NO_SCREEN: Json = {"headline": "The answer could not be summed up.", "tiles": [], "notes": []}


def of(
    study: StudyRows,
    *,
    screen: Json,
    findings: Sequence[Json],
    figures: "Figures",
    folder: Path,
    beside_published: bool = False,
) -> Json:
    """Everything that the report says.

    Args:
        study: All rows.
        screen: The first screen, in words.
        findings: The answers, in words.
        figures: What was drawn.
        folder: Of the study.
        beside_published: Whether a study that does not repeat the published one is shown beside it all the same.
    """
    numbers = {figure.name: place for place, figure in enumerate(figures.numbered, start=1)}
    load = protocol.load(study, folder)
    shown = beside_published or study.study["study"] in published.STUDIES
    said: Json = {
        "study": study.study["study"],
        "corpus": study.study["corpus"]["name"],
        "several": study.seeds > 1,
        "screen": screen,
        "setting": protocol.setting(study),
        "next": [found for found in (("Next", screen.get("command")), ("Load the best", load)) if found[1]],
        "findings": [_finding(finding, numbers) for finding in findings],
        "scale": protocol.scale(study),
        "tables": [_table(found) for found in table.tables(study)],
        "captions": [table.caption(study), table.settings(study)],
        **_figures(study, figures, numbers),
        "rules": _rules(study),
        "published": _published(study) if shown else None,
        "protocol": protocol.sentences(study),
        "facts": protocol.facts(study),
        "commands": [*protocol.commands(study, folder.name), *([load] if load else [])],
    }
    return _printable(said)


def _printable(said: Any) -> Any:  # noqa: ANN401 (plain data of any shape)
    """The same without characters that a page or a typesetter could trip over, wherever names brought them in."""
    if isinstance(said, str):
        return words.printable(said)
    if isinstance(said, dict):
        return {key: _printable(value) for key, value in said.items()}
    return [_printable(value) for value in said] if isinstance(said, list | tuple) else said


def _finding(finding: Json, numbers: dict[str, int]) -> Json:
    keys = finding["evidence"]
    return finding | {
        "runs": sorted({key["number"] for key in keys if "number" in key}),
        "floors": [key["baseline"] for key in keys if "baseline" in key],
        "figures": [{"name": name, "number": numbers[name]} for name in finding["figures"] if name in numbers],
    }


def _table(found: Table) -> Json:
    longest = [_longest(found.lines, place) if column.bar else 0.0 for place, column in enumerate(found.columns)]
    seen: set[int] = set()
    return {
        "name": found.name,
        "columns": [{"head": c.head, "short": c.short or c.head, "text": c.text} for c in found.columns],
        "groups": _groups(found),
        "lines": [_line(found, line, longest, seen) for line in found.lines],
        "meanings": found.meanings,
    }


def _longest(lines: Sequence[Line], place: int) -> float:
    values = [line.cells[place].value for line in lines if line.runs]
    return max((value for value in values if value is not None and math.isfinite(value)), default=0.0)


def _groups(found: Table) -> list[Json]:
    """Neighbours with the same head above them, as that head and its width."""
    groups: list[Json] = []
    for column in found.columns:
        if column.group and groups and groups[-1]["title"] == column.group:
            groups[-1]["span"] += 1
        else:
            groups.append({"title": column.group, "span": 1, "first": column.head})
    return groups


def _line(found: Table, line: Line, longest: list[float], seen: set[int]) -> Json:
    cells = []
    for column, cell, most in zip(found.columns, line.cells, longest, strict=True):
        finite = cell.value if cell.value is not None and math.isfinite(cell.value) else None
        share = round(finite / most, 3) if most and finite is not None and line.runs else None
        cells.append({"text": cell.text, "value": finite, "bar": share, "bold": line.best and column.selects})
    about: Json = {"kind": line.kind, "begins": line.begins, "cells": cells, "run": None, "status": ""}
    if line.runs is None:
        return about
    # Only an experiment's first line has the short anchor, to which its number leads.
    row, number = line.runs.rows[0], line.runs.number
    anchor = f"run-{number}" if number not in seen else f"run-{number}-seed-{row.seed}"
    seen.add(number)
    severity, worst = table.severity(line.runs.rows)
    sign = {"rule": worst.diagnosis_rule, "severity": severity, "sign": SIGNS[severity]}
    return about | {"run": number, "anchor": anchor, "status": worst.status, "optimizer": row.optimizer} | sign


def _figures(study: StudyRows, figures: "Figures", numbers: dict[str, int]) -> Json:
    def shown(figure: Figure) -> Json:
        about = {name: getattr(figure, name) for name in ("name", "title", "caption", "experiment", "axis")}
        return about | {"number": numbers[figure.name]}

    runs = {row.number: row for row in reversed(study.rows)}
    small = dict.fromkeys(panel.experiment for panel in figures.panels)
    models = {model["title"]: [n for n in small if runs[n].model == model["name"]] for model in study.study["models"]}
    return {
        "overlays": [shown(figure) for figure in figures.overlays],
        "comparisons": [shown(figure) for figure in figures.study],
        "alone": [shown(figure) for figure in figures.alone],
        "panels": [{"title": title, "runs": found} for title, found in models.items() if found],
        "runs": [
            {name: getattr(row, name) for name in ("number", "name", "layers", "optimizer", "optimizer_title")}
            for _, row in sorted(runs.items())
        ],
        "hues": {name: place % len(style.COLOURS) for place, name in enumerate(_optimizers(study))},
    }


def _optimizers(study: StudyRows) -> list[str]:
    return [optimizer["name"] for optimizer in study.study["optimizers"]]


def _rules(study: StudyRows) -> list[Json]:
    """The rules with the runs that each matched, and what led to it."""
    matched: dict[str | None, list[Row]] = {}
    for row in study.rows:
        matched.setdefault(row.diagnosis_rule, []).append(row)
    return [
        {
            "key": key,
            "name": key.replace("-", " "),
            "meaning": meaning,
            "severity": SEVERITIES[key],
            "sign": SIGNS[SEVERITIES[key]],
            "runs": [
                {"run": row.number, "seed": row.seed if study.seeds > 1 else None, "text": row.diagnosis_text}
                for row in matched.get(key, [])
            ],
        }
        for key, meaning in diagnosis.RULES
    ]


def _published(study: StudyRows) -> Json:
    """The published table, and beside it ours where this study repeats it."""
    facts = published.facts(study)
    assumptions = (say("published", part, facts) for part in ("other_study", "biased", "tokens", "train"))
    return {
        "repeats": facts.repeats,
        "assumptions": [sentence for sentence in assumptions if sentence],
        "runs": [_published_run(study, beside, repeats=facts.repeats) for beside in facts.runs.values()],
        "conclusions": [
            {"claim": say("published", f"{key}_claim", facts), "verdict": verdict, "text": say("published", key, facts)}
            for key, verdict in published.CLAIMS.items()
        ],
    }


def _published_run(study: StudyRows, beside: published.Beside, *, repeats: bool) -> Json:
    run = beside.published
    titles = {named["name"]: named["title"] for kind in ("models", "optimizers") for named in study.study[kind]}
    ours = [form.get(split) for form in (beside.true, beside.biased) for split in ("valid", "test")] if repeats else []
    return {
        "run": f"{run.number} ({run.printed_as})",
        "model": titles.get(run.model, run.model),
        "layers": run.layers,
        "optimizer": titles.get(run.optimizer, run.optimizer),
        "perplexities": [
            words.number(value)
            for value in (run.train, run.valid, run.test, run.true("valid"), run.true("test"), *ours)
        ],
    }
