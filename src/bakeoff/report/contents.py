"""What a report says, as plain data: the page and the PDF are two ways to show it."""

import math
import re
from collections.abc import Iterable
from typing import Any

from bakeoff import words
from bakeoff.analysis import diagnosis, published, summary
from bakeoff.analysis.findings import Finding, findings
from bakeoff.analysis.published.beside import SEED
from bakeoff.analysis.published.table import TOKENS
from bakeoff.analysis.rows import Row, StudyRows
from bakeoff.report import protocol, tables
from bakeoff.report.figures import Figures
from bakeoff.report.style import Figure, colours

Json = dict[str, Any]
#: What each goal is called above its number.
GOALS = {
    "quality": "Best on valid",
    "time": "Soonest",
    "memory": "Least memory",
    "parameters": "Fewest parameters",
    "trouble": "Went wrong",
}
_MARKUP = re.compile(r"#(\d+)\b|`([^`]+)`")


def of(study: StudyRows, figures: Figures, environments: Iterable[Json], folder: str) -> Json:
    """Everything that the report says.

    Args:
        study: All rows.
        figures: What was drawn.
        environments: What each run recorded of where it was computed.
        folder: The name of the study's folder.
    """
    told = Text(study)
    numbers = {figure.name: place for place, figure in enumerate(figures.numbered, start=1)}
    return {
        "study": study.study["study"],
        "corpus": study.study["corpus"]["name"],
        "demonstration": summary.is_demonstration(study),
        **_answer(study, told),
        **_table(study, told),
        **_figures(study, figures, numbers, told),
        "findings": [_finding(finding, numbers, told) for finding in findings(study)],
        **_diagnoses(study, told),
        "published": _published(study),
        "protocol": protocol.sentences(study),
        "facts": protocol.facts(study, environments),
        "commands": protocol.commands(study, folder),
    }


class Text:
    """Sentences cut into pieces: plain text, code, and the numbers of experiments, which become links."""

    def __init__(self, study: StudyRows | None) -> None:
        self._numbers = {row.number for row in study.rows} if study else set()

    def __call__(self, text: str) -> list[Json]:
        """The pieces of a text, each with what it is: `code`, the number of a `run`, or neither."""
        pieces, end = [], 0
        for match in _MARKUP.finditer(text):
            number = int(match[1]) if match[1] else None
            if number is None or number in self._numbers:
                pieces += [_piece(text[end : match.start()]), _piece(match[2] or match[0], number, code=number is None)]
                end = match.end()
        return [piece for piece in [*pieces, _piece(text[end:])] if piece["text"]]


def _piece(text: str, run: int | None = None, *, code: bool = False) -> Json:
    return {"text": text, "run": run, "code": code}


def _answer(study: StudyRows, told: Text) -> Json:
    goals = [
        {
            "kind": goal.name,
            "label": GOALS.get(goal.name, goal.name),
            "value": goal.value,
            "unit": goal.unit,
            "run": goal.row.number if goal.row else None,
            "name": goal.row.name if goal.row else "",
            "text": told(goal.text),
        }
        for goal in summary.goals(study)
    ]
    caveats = [told(caveat) for caveat in summary.caveats(study)]
    return {"headline": told(summary.headline(study)), "goals": goals, "caveats": caveats, "setting": _setting(study)}


def _setting(study: StudyRows) -> str:
    """Corpus, budget, machine and seeds in one line."""
    declared, devices = study.study, sorted({row.device for row in study.rows if row.device})
    seeds = len(declared["seeds"])
    return (
        f"{len(study.rows)} runs of {len(declared['experiments'])} experiments on {declared['corpus']['name']}, "
        f"{words.epochs(declared['budget'])} on {words.count(declared['corpus']['train']['tokens'])} tokens, "
        f"{'one seed' if seeds == 1 else f'{seeds} seeds'}, {words.plural(declared['budget']['threads'], 'thread')}, "
        f"{declared['budget']['precision']}{', ' if devices else ''}{', '.join(devices)}"
    )


def _table(study: StudyRows, told: Text) -> Json:
    columns, lines = tables.columns(study), tables.lines(study)
    longest = [_longest(lines, place) if column.bar else 0.0 for place, column in enumerate(columns)]
    seen: set[int] = set()
    return {
        "columns": [
            {"key": c.key, "head": c.head, "group": c.group, "short": c.short or c.head, "text": c.text}
            for c in columns
        ],
        "groups": _groups(columns),
        "lines": [_line(line, longest, seen) for line in lines],
        "table_caption": told(tables.caption(study)),
        "meanings": tables.meanings(study),
    }


def _longest(lines: list[tables.Line], place: int) -> float:
    values = [line.values[place] or 0.0 for line in lines if line.run]
    return max((value for value in values if math.isfinite(value)), default=0.0)


def _groups(columns: list[tables.Column]) -> list[Json]:
    """Neighbours with the same head above them, as that head and its width."""
    groups: list[Json] = []
    for column in columns:
        if column.group and groups and groups[-1]["title"] == column.group:
            groups[-1]["span"] += 1
        else:
            groups.append({"title": column.group, "span": 1})
    return groups


def _line(line: tables.Line, longest: list[float], seen: set[int]) -> Json:
    values = line.values or (None,) * len(line.cells)
    shares = [_share(value, most) for value, most in zip(values, longest, strict=True)]
    finite = [value if value is not None and math.isfinite(value) else None for value in values]
    cells = [
        {"text": cell, "value": value, "bar": share}
        for cell, value, share in zip(line.cells, finite, shares, strict=True)
    ]
    return {"cells": cells, "kind": line.kind, "best": line.best, "first": line.first, **_about(line.run, seen)}


def _share(value: float | None, most: float) -> float | None:
    return round(min(value / most, 1.0), 3) if value is not None and most and math.isfinite(value) else None


def _about(row: Row | None, seen: set[int]) -> Json:
    """Which run a line is, and the sign of its diagnosis; only an experiment's first run has the short anchor."""
    if row is None:
        return {"run": None, "anchor": None, "rule": None, "severity": None, "sign": None, "status": "floor"}
    anchor = f"run-{row.number}" if row.number not in seen else f"run-{row.number}-seed-{row.seed}"
    seen.add(row.number)
    severity = tables.severity(row)
    sign = {"rule": row.diagnosis_rule, "severity": severity, "sign": tables.SIGNS[severity]}
    return {"run": row.number, "anchor": anchor, "status": row.status, "optimizer": row.optimizer_title, **sign}


def _figures(study: StudyRows, figures: Figures, numbers: dict[str, int], told: Text) -> Json:
    def shown(figure: Figure) -> Json:
        about = {"experiment": figure.experiment, "model": figure.model, "axis": figure.axis}
        caption = told(figure.caption)
        return {"name": figure.name, "number": numbers[figure.name], "title": figure.title, "caption": caption} | about

    optimizers = colours(study.study)
    runs = {row.number: row for row in reversed(study.rows)}
    return {
        "colours": optimizers,
        "architectures": [
            {
                "title": model["title"],
                "overlays": [shown(figure) for figure in figures.overlays if figure.model == model["name"]],
                "panels": [number for number in _numbers(figures) if runs[number].model == model["name"]],
            }
            for model in study.study["models"]
            if any(figure.model == model["name"] for figure in figures.overlays)
        ],
        "comparisons": [shown(figure) for figure in figures.study],
        "alone": [shown(figure) for figure in figures.alone],
        "runs": [
            {"number": row.number, "name": row.name, "optimizer": row.optimizer_title, "layers": row.layers}
            for row in sorted(runs.values(), key=lambda row: row.number)
        ],
    }


def _numbers(figures: Figures) -> list[int]:
    return list(dict.fromkeys(panel.experiment for panel in figures.panels))


def _finding(finding: Finding, numbers: dict[str, int], told: Text) -> Json:
    why = finding.conjecture
    return {
        "name": finding.name,
        "question": finding.question,
        "verdict": finding.verdict,
        "text": told(finding.text),
        "runs": sorted({key["number"] for key in finding.evidence if "number" in key}),
        "floors": [key["baseline"] for key in finding.evidence if "baseline" in key],
        "figures": [{"name": name, "number": numbers[name]} for name in finding.figures if name in numbers],
        "conjecture": {
            "text": told(why.text),
            "source": told(why.source),
            "decided_by": told(why.decided_by),
        }
        if why
        else None,
    }


def _diagnoses(study: StudyRows, told: Text) -> Json:
    """The rules with the runs that each matched, and what led to it."""
    matched: dict[str, list[Row]] = {}
    for row in study.rows:
        matched.setdefault(row.diagnosis_rule or "", []).append(row)
    several = len(study.study["seeds"]) > 1
    rules = [
        {
            "key": key,
            "name": key.replace("-", " "),
            "meaning": meaning,
            "severity": tables.SEVERITIES.get(key, "note"),
            "sign": tables.SIGNS[tables.SEVERITIES.get(key, "note")],
            "runs": [
                {"run": row.number, "seed": row.seed if several else None, "text": told(row.diagnosis_text or "")}
                for row in matched.get(key, [])
            ],
        }
        for key, meaning in diagnosis.RULES
    ]
    return {"rules": rules}


def _published(study: StudyRows) -> Json:
    """The published table, and beside it ours where this study repeats it."""
    repeats = published.is_comparable(study)
    # A published run's number is a link only where ours of that number is the same experiment.
    told = Text(study if repeats else None)
    return {
        "open": study.study["study"] == SEED,
        "repeats": repeats,
        "assumptions": [told(sentence) for sentence in published.assumptions(study)],
        "runs": [_published_run(study, entry, repeats=repeats) for entry in published.beside(study)],
        "conclusions": [
            {"claim": told(c.claim), "verdict": c.verdict, "text": told(c.text)} for c in published.conclusions(study)
        ],
    }


def _published_run(study: StudyRows, entry: published.Beside, *, repeats: bool) -> Json:
    run = entry.published
    titles = {named["name"]: named["title"] for kind in ("models", "optimizers") for named in study.study[kind]}
    true = [published.true_perplexity(getattr(run, split), TOKENS[split]) for split in ("valid", "test")]
    ours = [form.get(split) if repeats else None for form in (entry.true, entry.biased) for split in ("valid", "test")]
    return {
        "number": run.number,
        "printed_as": run.printed_as,
        "model": titles.get(run.model, run.model),
        "layers": run.layers,
        "optimizer": titles.get(run.optimizer, run.optimizer),
        "printed": [words.number(value) for value in (run.train, run.valid, run.test)],
        "true": [words.number(value) for value in true],
        "ours": [words.number(value) for value in ours],
    }
