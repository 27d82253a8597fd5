"""What a study at work looks like now: how far it is, what failed, and its curves against the floors.

`bakeoff watch` serves it, and while a command runs a study it lies beside it as a page that needs no server.
"""

import dataclasses
import functools
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import jinja2

from bakeoff import at_work, decisions, templating
from bakeoff.analysis.outlook import count_statuses, seconds_left, what_is_next
from bakeoff.analysis.questions import reported
from bakeoff.analysis.reading import Known, read_rows
from bakeoff.analysis.rows import StudyRows
from bakeoff.errors import plain
from bakeoff.files import written_atomically
from bakeoff.reporting import page, text
from bakeoff.reporting.build import PAGE
from bakeoff.reporting.figures import overlays, pictures
from bakeoff.reporting.figures import reported as elsewhere
from bakeoff.reporting.figures.style import Chart
from bakeoff.run_folder import RUNNING
from bakeoff.shapes import Json
from bakeoff.spec import Run
from bakeoff.study_folder import StudyFolder

#: The page's name.
NAME = "live.html"
#: Seconds between two drawings, at least, and between two times that it is written down how far runs are.
INTERVAL = 3.0
#: The most that drawing takes of the time of the runs beside it, as a share of a core: without the curves, and they.
SHARE, CURVES_SHARE = 0.0025, 0.0015


@dataclass
class Drawn:
    """What a page was made of, for the next time: little of a study has changed by then.

    Attributes:
        rows: As in `read_rows`.
        curves: What the curves show, and they.
        seconds: Processor seconds that these took the last time; 0 where they were kept.
        due: From when on they are drawn anew if they changed.
    """

    rows: Known = field(default_factory=dict)
    curves: tuple[object, list[str]] = (None, [])
    seconds: float = 0.0
    due: float = 0.0

    def drawn(self, study: StudyRows) -> list[str]:
        """The curves of a study, which take longer than all else, and so may be older."""
        shown, self.seconds = [(row.folder, row.status, len(row.history), row.train_seconds) for row in study.rows], 0.0
        if self.curves[0] != shown and time.monotonic() >= self.due:
            began, first = time.thread_time(), self.curves[0] is None
            self.curves = shown, _inline(overlays.draw(study))
            self.seconds = time.thread_time() - began
            self.due = time.monotonic() + (0.0 if first else self.seconds / CURVES_SHARE)
        return self.curves[1]


def shell(now: str = "") -> str:
    """The page around what changes, which its script asks for again and again: of a server or, from now on, of itself.

    Args:
        now: What it shows at first; without it there is a server to ask.
    """
    return _template("live.html").render(
        style=page.part("page.css"), palette=page.palette(), script=page.part("live.js"), now=now
    )


def links(to: Sequence[tuple[str, str]]) -> str:
    """Where else one can go, names and addresses, as a piece of HTML."""
    return _template("live-links.html").render(links=[(plain(name), address) for name, address in to])


def of(
    folder: StudyFolder,
    drawn: datetime | None = None,
    part: at_work.Part | None = None,
    kept: Drawn | None = None,
) -> str:
    """A study as it is now, as a piece of HTML.

    Args:
        folder: The study's.
        drawn: The time, where that is not the time at which it is read.
        part: What is to be shown of it; by default what is at work.
        kept: What was made for the last one.
    """
    told = at_work.read(folder)
    part = part or told.part
    kept = kept or Drawn()
    study = read_rows(folder, part.seeds if part else (), kept.rows)
    if part:
        study = dataclasses.replace(study, rows=tuple(row for row in study.rows if row.number in part.numbers))
    whole = decisions.whole_of(folder.path)
    counts, found, decided = count_statuses(study), reported.facts(study), decisions.read(folder.path)
    return _template("live-study.html").render(
        study=study,
        whole=None if whole == folder.path else plain(whole.resolve().name),
        counts=[f"{count} {status}" for status, count in counts.items() if count],
        left=seconds_left(study, told.places),
        places=told.places,
        then=what_is_next(study),
        drawn=drawn,
        floor=study.lowest_floor,
        decided=decided,
        over=decisions.over(decided),
        now=[row for row in study.rows if row.status == RUNNING],
        failed=[row for row in study.rows if row.error],
        several=study.seeds > 1,
        figures=kept.drawn(study),
        reported=text.grid("reported", found) if study.reported else None,
        heading=text.say("reported", "heading", found),
        elsewhere=_inline(elsewhere.draw(study)),
    )


def _inline(charts: Iterable[Chart]) -> list[str]:
    return [page.inline(pictures.drawn(chart), chart.title) for chart in charts]


def path(folder: StudyFolder) -> Path:
    """Where a study's page lies: with the study, or with the choice or the search that it is a part of."""
    return decisions.whole_of(folder.path) / NAME


def write(folder: StudyFolder, part: at_work.Part | None = None, kept: Drawn | None = None) -> None:
    """Write a study's page as it is now, or of a part of it, with a link to its report where there is one."""
    page, report = path(folder), folder.report / PAGE
    to = [("report", report.relative_to(page.parent).as_posix())] if report.is_file() else []
    whole = shell(links(to) + of(folder, datetime.now(UTC), part, kept))
    with written_atomically(page) as temporary:
        temporary.write_text(whole, encoding="utf-8")


class Page:
    """The page of a study while its runs are at work: drawn anew when there is something new, and in the end.

    Drawing is done by the process of the command, while its workers train, and takes processor time that they may need:
    the more it takes, the more rarely it is done. Whatever goes wrong with it is said once, and disturbs nothing.

    Args:
        folder: The study's.
        say: Shows a line.
        part: What is at work of it, where that is not what it declares.

    Attributes:
        teller: Writes down how far each run is, for this page and for whoever else looks, while there are runs.
        seconds: Processor seconds that all of it has taken.
        drawings: How many there were.
    """

    def __init__(self, folder: StudyFolder, say: Callable[[str], object], part: at_work.Part | None = None) -> None:
        self.folder, self.say, self.part, self.kept = folder, say, part, Drawn()
        self.teller: at_work.Teller | None = None
        self.seconds, self.drawings = 0.0, 0
        self._news, self._due, self._told, self._failed = False, 0.0, 0.0, False

    def __enter__(self) -> Self:
        self.teller = at_work.Teller(self.folder, self.part)
        self.draw()
        return self

    def __exit__(self, *exception: object) -> None:
        if self.teller:
            self._try(self.teller.close)
        self.teller, self.kept.due = None, 0.0
        self.draw()

    def __call__(self, run: Run, message: Json) -> None:
        """Draw it, if a run has got on or has ended since the last time, and that was long enough ago.

        Not when a run ends: the next one would have to wait.
        """
        if self.teller:
            self.teller(run, message)
            if time.monotonic() >= self._told + INTERVAL:
                began = time.thread_time()
                self._tell()
                self.seconds += time.thread_time() - began
        self._news |= message["event"] in ("evaluation", "step", "end")
        if self._news and message["event"] != "end" and time.monotonic() >= self._due:
            self.draw()

    def draw(self) -> None:
        """Draw it now."""
        began, self._news = time.thread_time(), False
        self._tell()
        self._try(lambda: write(self.folder, self.part, self.kept))
        took = time.thread_time() - began
        self.seconds, self.drawings = self.seconds + took, self.drawings + 1
        # The first, before anything is trained, imports and compiles what the others find there.
        wait = (took - self.kept.seconds) / SHARE if self.drawings > 1 else 0.0
        self._due = time.monotonic() + max(INTERVAL, wait)

    def _tell(self) -> None:
        """Write down how far runs are, which costs next to nothing."""
        self._told = time.monotonic()
        if self.teller:
            self._try(self.teller.write)

    def _try(self, do: Callable[[], object]) -> None:
        """Do something for the page; whatever goes wrong is said once."""
        try:
            do()
        except Exception as error:  # noqa: BLE001 (whatever it was)
            if not self._failed and self.folder.path.is_dir():  # where the study is gone, its runs end and say so
                self.say(f"{path(self.folder)} could not be drawn: {plain(' '.join(str(error).split()))}")
            self._failed = True


@functools.cache
def _template(name: str) -> jinja2.Template:
    return templating.environment(jinja2.PackageLoader("bakeoff.reporting"), markup=True).get_template(name)
