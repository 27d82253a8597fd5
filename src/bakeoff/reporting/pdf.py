"""The PDF: the same contents typeset, with the figures as vectors."""

import tempfile
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

import typst

from bakeoff.files import write_json
from bakeoff.reporting.figures import Figures
from bakeoff.reporting.reuse import Reuse
from bakeoff.shapes import Json


def write(contents: Json, figures: Figures, kept: Reuse, name: str) -> None:
    """Typeset the report, unless the one before it says and shows the same.

    What users named reaches the typesetter as data, so nothing in it can be markup.

    Args:
        contents: What the report says (`contents.of`).
        figures: What was drawn.
        kept: Where to, and what there was before.
        name: Of the file.
    """
    template = (files("bakeoff.reporting") / "templates" / "report.typ").read_text(encoding="utf-8")
    drawn = {figure.name: figure.svg for figure in figures.numbered}

    def typeset() -> bytes:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            (folder / "figures").mkdir()
            (folder / "report.typ").write_text(template, encoding="utf-8")
            write_json(folder / "contents.json", contents)
            for figure, svg in drawn.items():
                (folder / "figures" / f"{figure}.svg").write_text(svg, encoding="utf-8")
            return bytes(typst.compile(folder / "report.typ", root=folder))

    kept.file(name, typeset, version("typst"), template, contents, drawn)
