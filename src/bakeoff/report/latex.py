"""The one table for LaTeX, with the rules of `booktabs`."""

import re

from bakeoff.analysis.rows import StudyRows
from bakeoff.report import tables

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "—": "---",
    "†": r"\dag{}",
    "‡": r"\ddag{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}
_TO_ESCAPE = re.compile("|".join(map(re.escape, _SPECIAL)))


def escape(text: str) -> str:
    """Text that LaTeX prints as it is."""
    return _TO_ESCAPE.sub(lambda match: _SPECIAL[match[0]], text)


def table(study: StudyRows) -> str:
    """A `table*` with a caption and a label; it needs the packages `booktabs` and `graphicx`."""
    columns, lines = tables.columns(study), tables.lines(study, every_seed=False)
    shape = "".join("l" if column.text else "r" for column in columns)
    meanings = "; ".join(rf"\emph{{{escape(head)}}}: {escape(meaning)}" for head, meaning in tables.meanings(study))
    return "\n".join(
        [
            r"% \usepackage{booktabs,graphicx}",
            r"\begin{table*}",
            r"\centering",
            rf"\caption{{{escape(tables.caption(study))} Columns: {meanings}.}}",
            rf"\label{{tab:{re.sub('[^A-Za-z0-9-]', '-', study.study['study'])}}}",
            r"\resizebox{\textwidth}{!}{%",
            rf"\begin{{tabular}}{{{shape}}}",
            r"\toprule",
            _row([escape(column.head) for column in columns]),
            r"\midrule",
            *_body(lines),
            r"\bottomrule",
            r"\end{tabular}}",
            r"\end{table*}",
            "",
        ]
    )


def _body(lines: list[tables.Line]) -> list[str]:
    """The lines, with a rule where an architecture begins and where the floors do."""
    body: list[str] = []
    for line, before in zip(lines, [None, *lines], strict=False):
        begins = line.first or (line.run is None and (before is None or before.run is not None))
        if before and begins:
            body.append(r"\midrule")
        cells = [escape(cell) for cell in line.cells]
        body.append(_row([rf"\textbf{{{cell}}}" if line.best and cell else cell for cell in cells]))
    return body


def _row(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"
