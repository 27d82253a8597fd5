"""Charts become pictures: SVG and PNG beside the page, PDF for the typesetter."""

import re
from importlib.metadata import version
from pathlib import Path

import vl_convert as vlc

from bakeoff.report.figures.style import Chart, Figure
from bakeoff.report.kept import Kept

#: Pixels of a PNG for each pixel of the SVG.
PNG_SCALE = 1.5
#: What a picture depends on besides its chart: the renderer, and this file.
RENDERER = (version("vl-convert-python"), Path(__file__).read_text(encoding="utf-8"))

#: Attributes of SVG that hold coordinates, and numbers in them that are longer than anyone can see.
_COORDINATES = re.compile(r' (?:d|transform|x|y|x2|y2)="[^"]*"')
_LONG = re.compile(r"-?\d+\.\d{3,}")


def render(chart: Chart, kept: Kept) -> Figure:
    """The chart with its picture, which is now a file of the report as SVG and as PNG; rendered where none is kept."""
    path = f"figures/{chart.name}"
    svg = kept.file(f"{path}.svg", lambda: _svg(chart).encode(), RENDERER, chart.spec).decode()
    kept.file(f"{path}.png", lambda: vlc.svg_to_png(svg, scale=PNG_SCALE), RENDERER, svg)
    return Figure(**vars(chart), svg=svg)


def _svg(chart: Chart) -> str:
    # Names inside a picture are shared by the whole page that it will stand in, and the renderer counts on from one
    # picture to the next.
    numbers: dict[str, int] = {}
    svg = re.sub(
        r'(id="|url\(#)clip(\d+)',
        lambda found: f"{found[1]}{chart.name}-clip{numbers.setdefault(found[2], len(numbers) + 1)}",
        vlc.vegalite_to_svg(chart.spec),
    )
    return _COORDINATES.sub(lambda match: _LONG.sub(lambda long: f"{float(long[0]):.2f}", match[0]), svg)


def as_pdf(svg: str) -> bytes:
    """A picture as a PDF of one page, with its fonts."""
    return bytes(vlc.svg_to_pdf(svg))
