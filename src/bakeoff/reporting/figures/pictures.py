"""Charts become pictures: SVG by a template, and PNG of it by the typesetter."""

import functools
from importlib.metadata import version

import jinja2
import typst

from bakeoff import templating
from bakeoff.reporting.figures import style
from bakeoff.reporting.figures.style import Chart, Figure
from bakeoff.reporting.reuse import Reuse

#: Pixels of a PNG for each pixel of the SVG. At 1.5 the renderer's lines have steps.
PNG_SCALE = 2
#: A page that is the picture; a point of it is a pixel of the SVG.
_PAGE = "#set page(width: {}pt, height: {}pt, margin: 0pt)\n#image(bytes(sys.inputs.svg), width: 100%)".format(
    *style.SIZE
)
#: What a PNG depends on besides its SVG.
RENDERER = (version("typst"), PNG_SCALE, _PAGE)


def _short(value: float) -> str:
    """A coordinate as precisely as anyone can see."""
    return f"{round(value, 2) + 0.0:g}"  # -0.0 + 0.0 is 0.0


_ENVIRONMENT = templating.environment(jinja2.PackageLoader("bakeoff.reporting"), markup=True)
_ENVIRONMENT.filters["short"] = _short
_ENVIRONMENT.globals["style"] = style


def drawn(chart: Chart) -> str:
    """The chart as SVG."""
    return _ENVIRONMENT.get_template("figure.svg").render(chart.spec, name=chart.name)


def render(chart: Chart, kept: Reuse) -> Figure:
    """The chart with its picture, which is now a file of the report as SVG and as PNG; the PNG may be a kept one."""
    svg = drawn(chart)
    path = f"figures/{chart.name}"
    kept.write(f"{path}.svg", svg.encode())
    kept.file(f"{path}.png", lambda: as_png(svg), RENDERER, svg)
    return Figure(**vars(chart), svg=svg)


def as_png(svg: str) -> bytes:
    """A picture in pixels."""
    made = _typesetter().compile(_PAGE.encode(), format="png", ppi=72 * PNG_SCALE, sys_inputs={"svg": svg})
    assert isinstance(made, bytes), "one page"
    return made


@functools.cache
def _typesetter() -> typst.Compiler:
    """One for all pictures, as it looks for the machine's fonts when it is made."""
    return typst.Compiler()
