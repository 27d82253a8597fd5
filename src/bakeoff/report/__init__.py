"""The report of a study, computed from its rows alone; `build` writes it. Nothing here imports torch."""

import shutil
from pathlib import Path

import polars as pl

from bakeoff.analysis.findings import findings
from bakeoff.analysis.rows import StudyRows, read_rows
from bakeoff.files import write_json, written_atomically
from bakeoff.records import StudyFolder
from bakeoff.report import figures, page, tables


def build(folder: StudyFolder) -> Path:
    """Write the report of whatever runs exist, and name its page.

    `report/` then holds index.html, results.json, results.csv, table.md and figures/.
    """
    rows = read_rows(folder)
    report = folder.report
    shutil.rmtree(report, ignore_errors=True)  # a figure of a run that is gone must not stay
    drawn = figures.draw(rows, report / "figures")
    write_json(report / "results.json", _results(rows))
    _table(rows).write_csv(report / "results.csv")
    _write(report / "table.md", tables.markdown(rows))
    _write(report / "index.html", page.render(rows, drawn))
    return report / "index.html"


def _results(rows: StudyRows) -> dict[str, object]:
    return {
        "study": rows.study["study"],
        "corpus": rows.study["corpus"],
        "budget": rows.study["budget"],
        "rows": [row.as_json() for row in rows.rows],
        "baselines": [baseline.as_json() for baseline in rows.baselines],
        "findings": [finding.as_json() for finding in findings(rows)],
    }


def _table(rows: StudyRows) -> pl.DataFrame:
    """One line a run, nested values as columns such as `valid_perplexity`."""
    return pl.DataFrame([_flat(row.as_json()) for row in rows.rows], infer_schema_length=None)


def _flat(nested: dict[str, object], prefix: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for name, value in nested.items():
        flat |= _flat(value, f"{prefix}{name}_") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat


def _write(path: Path, text: str) -> None:
    with written_atomically(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
