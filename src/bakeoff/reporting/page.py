"""The page: one HTML file that holds everything and fetches nothing."""

import re
from collections.abc import Callable, Collection
from importlib.resources import files

import jinja2
from markupsafe import Markup, escape

from bakeoff import templating
from bakeoff.reporting.figures import Figures, style
from bakeoff.shapes import Json

#: The face of a picture; in the page it has the page's.
_FACE = re.compile(r' font-family="[^"]*"')
#: The number of an experiment, or code, in a sentence.
_MARKUP = re.compile(r"(#\d+\b|`[^`]+`)")


def render(contents: Json, figures: Figures) -> str:
    """The whole page as text, of what the report says (`contents.of`) and what was drawn."""
    environment = templating.environment(jinja2.PackageLoader("bakeoff.reporting"), markup=True)
    environment.filters["said"] = said({run["number"] for run in contents["runs"]})
    titles = {run["number"]: f"#{run['number']}, {run['name']}" for run in contents["runs"]}
    return environment.get_template("index.html").render(
        contents,
        style=part("page.css"),
        palette=palette(),
        script=part("page.js"),
        named={run["number"]: run for run in contents["runs"]},
        size=style.SIZE,
        svg={figure.name: inline(figure.svg, figure.title, f"drawn-{figure.name}") for figure in figures.numbered},
        small={(panel.experiment, panel.axis): inline(panel.svg, titles[panel.experiment]) for panel in figures.panels},
    )


def said(numbers: Collection[int]) -> Callable[[str], Markup]:
    """A filter for sentences: numbers of experiments that exist become links, and what stands in backticks is code."""

    def marked(found: str) -> Markup:
        if found.startswith("`"):
            return Markup("<code>{}</code>").format(found[1:-1])
        exists = int(found[1:]) in numbers
        return Markup('<a href="#run-{}">{}</a>').format(int(found[1:]), found) if exists else escape(found)

    def sentence(text: str) -> Markup:
        pieces = enumerate(_MARKUP.split(text))
        return Markup("").join(marked(piece) if place % 2 else escape(piece) for place, piece in pieces)

    return sentence


def inline(svg: str, title: str, name: str = "") -> Markup:
    """A picture as a part of the page: its type and background are the page's; it has a title, and a name for links."""
    slim = _FACE.sub("", svg)
    named = f'id="{name}" ' if name else ""
    drawn = slim.replace("<svg ", f'<svg {named}role="img" aria-label="{escape(title)}" ', 1)
    return Markup(drawn)  # noqa: S704 (the renderer escaped it)


def part(name: str) -> Markup:
    """A file of the page that is ours, as it is."""
    return Markup((files("bakeoff.reporting") / "templates" / name).read_text(encoding="utf-8"))  # noqa: S704 (our own file)


def palette() -> Markup:
    """The optimizers' colours as variables, and every colour in a picture as the variable that it stands for."""
    light = "".join(f"--o{place}:{colour};" for place, colour in enumerate(style.COLOURS))
    dark = "".join(f"--o{place}:{colour};" for place, colour in enumerate(style.DARK_COLOURS))
    shared = {style.INK: "--text", style.QUIET: "--quiet", style.GRID: "--rule", style.PAPER: "--page"}
    named = shared | {colour: f"--o{place}" for place, colour in enumerate(style.COLOURS)}
    rules = [
        f'svg [{attribute}="{colour}"]{{{attribute}:var({name})}}'
        for colour, name in named.items()
        for attribute in ("fill", "stroke")
    ]
    at_night = f"@media (prefers-color-scheme:dark){{@media not print{{:root{{{dark}}}}}}}"
    return Markup("\n".join([f":root{{{light}}}", at_night, *rules]))  # noqa: S704 (made of our own colours)
