"""The PDF: the same contents typeset, with the figures as vectors."""

import tempfile
from importlib.resources import files
from pathlib import Path
from typing import Any

import typst

from bakeoff.files import write_json
from bakeoff.report.figures import Figures, style

Json = dict[str, Any]


def write(contents: Json, figures: Figures, path: Path) -> None:
    """Typeset the report.

    What users named reaches the typesetter as data, so nothing in it can be markup.

    Args:
        contents: What the report says (`contents.of`).
        figures: What was drawn.
        path: The PDF.
    """
    template = (files("bakeoff.report") / "templates" / "report.typ").read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "figures").mkdir()
        (folder / "report.typ").write_text(template, encoding="utf-8")
        write_json(folder / "contents.json", contents)
        for figure in figures.numbered:
            (folder / "figures" / f"{figure.name}.pdf").write_bytes(style.as_pdf(figure.svg))
        path.write_bytes(typst.compile(folder / "report.typ", root=folder))
