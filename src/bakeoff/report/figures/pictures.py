"""Charts become pictures: SVG and PNG beside the page, PDF for the typesetter."""

from importlib.metadata import version

import jinja2
import vl_convert as vlc

from bakeoff.report.figures import style
from bakeoff.report.figures.style import Chart, Figure
from bakeoff.report.kept import Kept

#: Pixels of a PNG for each pixel of the SVG.
PNG_SCALE = 1.5
#: What a picture depends on besides its SVG.
RENDERER = (version("vl-convert-python"), PNG_SCALE)
#: The face that comes with the renderer first, so that text is as wide as it was reckoned.
FACE = "Liberation Sans, Arial, Helvetica, sans-serif"


def _short(value: float) -> str:
    """A coordinate as precisely as anyone can see."""
    return f"{round(value, 2) + 0.0:g}"  # -0.0 + 0.0 is 0.0


_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.PackageLoader("bakeoff.report"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters["short"] = _short
_ENVIRONMENT.globals |= {
    name.lower(): getattr(style, name) for name in ("INK", "QUIET", "GRID", "PAPER", "SIZE", "LEFT", "TOP", "HEIGHT")
} | {"face": FACE}


def render(chart: Chart, kept: Kept) -> Figure:
    """The chart with its picture, which is now a file of the report as SVG and as PNG; rendered where none is kept."""
    svg = _ENVIRONMENT.get_template("figure.svg").render(chart.spec, name=chart.name)
    path = f"figures/{chart.name}"
    kept.write(f"{path}.svg", svg.encode())
    kept.file(f"{path}.png", lambda: bytes(vlc.svg_to_png(svg, scale=PNG_SCALE)), RENDERER, svg)
    return Figure(**vars(chart), svg=svg)


def as_pdf(svg: str) -> bytes:
    """A picture as a PDF of one page, with its fonts."""
    return bytes(vlc.svg_to_pdf(svg))
