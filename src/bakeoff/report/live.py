"""What a study at work looks like now: how far it is, what failed, and its curves against the floors."""

from collections.abc import Sequence

import jinja2

from bakeoff import words
from bakeoff.analysis.outlook import count_statuses, seconds_left
from bakeoff.analysis.rows import read_rows
from bakeoff.records import StudyFolder
from bakeoff.report import page
from bakeoff.report.figures import overlays, pictures


def shell() -> str:
    """The page around what changes, which its script asks for again and again."""
    return _template("live.html").render(
        style=page.part("page.css"), palette=page.palette(), script=page.part("live.js")
    )


def links(to: Sequence[tuple[str, str]]) -> str:
    """Where else one can go, names and addresses, as a piece of HTML."""
    return _template("live-links.html").render(links=to)


def of(folder: StudyFolder) -> str:
    """A study as it is now, as a piece of HTML."""
    study = read_rows(folder)
    counts = count_statuses(study)
    return _template("live-study.html").render(
        study=study,
        counts=[f"{count} {status}" for status, count in counts.items() if count],
        left=seconds_left(study),
        floor=study.lowest_floor,
        failed=[row for row in study.rows if row.error],
        several=study.seeds > 1,
        figures=[page.inline(pictures.drawn(chart), chart.title) for chart in overlays.draw(study)],
    )


def _template(name: str) -> jinja2.Template:
    return words.environment(jinja2.PackageLoader("bakeoff.report"), markup=True).get_template(name)
