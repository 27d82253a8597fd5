"""The report of a study, computed from its rows alone; `build` writes it. Nothing here imports torch."""

import shutil
from pathlib import Path

import polars as pl

from bakeoff.analysis.findings import findings
from bakeoff.analysis.rows import StudyRows, read_rows
from bakeoff.files import TEMPORARY, write_json
from bakeoff.metrics import Tally
from bakeoff.records import StudyFolder
from bakeoff.report import contents, figures, latex, page, pdf, tables

_TALLY = tuple(Tally(nats=0, tokens=1, words=1, bytes=1).as_json())
#: The columns of what may be there or not.
NESTED = {
    **dict.fromkeys(("train", "valid", "test"), _TALLY),
    "memory": ("average_bytes", "peak_bytes", "baseline_bytes", "kind", "samples", "process_bytes"),
    "memory_parts": ("weights", "gradients", "optimizer_state", "activations", "logits"),
}


def build(folder: StudyFolder, out: Path | None = None) -> Path:
    """Write the report of whatever runs exist, and name its page.

    `out`, or else the study's `report/`, then holds index.html, report.pdf, results.json, results.csv, table.md,
    table.tex and figures/.
    """
    rows = read_rows(folder)
    report = out or folder.report
    new = report.with_name(f"{TEMPORARY}{report.name}")
    shutil.rmtree(new, ignore_errors=True)
    drawn = figures.draw(rows, new / "figures")
    environments = [run.environment for _, _, run in folder.declared_runs()]
    said = contents.of(rows, drawn, [told for told in environments if told], folder.path.resolve().name)
    write_json(new / "results.json", _results(rows))
    _table(rows).write_csv(new / "results.csv")
    (new / "table.md").write_text(tables.markdown(rows), encoding="utf-8")
    (new / "table.tex").write_text(latex.table(rows), encoding="utf-8")
    (new / "index.html").write_text(page.render(said, drawn), encoding="utf-8")
    pdf.write(said, drawn, new / "report.pdf")
    # The old report goes only now that the new one is whole.
    shutil.rmtree(report, ignore_errors=True)
    new.rename(report)
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
    """Nested values under joined names; what is not measured yet has its columns all the same."""
    flat: dict[str, object] = {}
    for name, value in nested.items():
        unmeasured = dict.fromkeys(NESTED[name]) if value is None and name in NESTED else value
        flat |= _flat(unmeasured, f"{prefix}{name}_") if isinstance(unmeasured, dict) else {f"{prefix}{name}": value}
    return flat
