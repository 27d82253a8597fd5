"""The report of a study, whole or not there: built in a folder of its own, then put into place. Imports no torch."""

import functools
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

import polars as pl
from filelock import Timeout

from bakeoff import words
from bakeoff.analysis import answer, published
from bakeoff.analysis.questions import QUESTIONS, Finding, Question, answers
from bakeoff.analysis.reading import read_rows
from bakeoff.analysis.rows import StudyRows
from bakeoff.analysis.statistics import NOT_MEASURED
from bakeoff.errors import UserError, plain
from bakeoff.files import TEMPORARY, write_json
from bakeoff.locks import lock_at
from bakeoff.reporting import contents, figures, page, pdf, table, text
from bakeoff.reporting.reuse import Reuse
from bakeoff.shapes import Json
from bakeoff.study_folder import StudyFolder

Made = TypeVar("Made")
Otherwise = TypeVar("Otherwise")

PAGE, RESULTS = "index.html", "results.json"
#: The files of a report, listed in it: only they are replaced by the next one, whatever else lies beside them.
MANIFEST = ".files"
#: How many seconds to wait for another command that writes the same report.
PATIENCE = 600
#: What stands in place of parts that could not be made.
NO_FIGURES = figures.Figures(overlays=(), study=(), alone=(), panels=())
NO_SCREEN: Json = {"headline": "The answer could not be summed up.", "tiles": [], "notes": []}
#: What begins like this is a formula to a spreadsheet.
FORMULA = r"^[=+\-@]"


class Built(NamedTuple):
    """A report that was written: its page, and a line for each part of it that could not be made."""

    page: Path
    failed: tuple[str, ...]


def build(folder: StudyFolder, out: Path | None = None, *, beside_published: bool = False) -> Built:
    """Write the report of whatever runs exist.

    The report then has index.html, report.pdf, results.json, results.csv, table.md, table.tex and figures/. A part that
    cannot be made is said to have failed, with its reason, and the others are made all the same.

    Args:
        folder: Of the study, in which nothing is written if `out` is another folder.
        out: Where to; by default the study's own `report/`.
        beside_published: Whether a study that does not repeat the published one is shown beside it all the same.

    Raises:
        UserError: A file in `out` that no report made is in the way, or another command is writing there.
    """
    target = (out or folder.report).resolve()
    target.mkdir(parents=True, exist_ok=True)
    try:
        with lock_at(target / ".lock", PATIENCE):
            for leftover in target.glob(f"{TEMPORARY}*"):
                shutil.rmtree(leftover, ignore_errors=True)
            new = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=target))
            try:
                failed = _write(folder, Reuse(new, target), new, beside_published=beside_published)
                _put(new, target, owned=out is None)
            finally:
                shutil.rmtree(new, ignore_errors=True)
    except Timeout as error:
        raise UserError(f"another command is still writing {target}: wait until it is over, or end it") from error
    return Built((out or folder.report) / PAGE, tuple(failed))


def _write(folder: StudyFolder, kept: Reuse, new: Path, *, beside_published: bool) -> list[str]:
    study = read_rows(folder)
    failed = [run.error for run in study.reported if run.error]
    drawn = _tried("Drawing", lambda: figures.draw(study, kept), NO_FIGURES, failed)
    found, said = _findings(study, failed)
    screen = NO_SCREEN | _tried("The first screen", lambda: text.answer(answer.first_screen(study, found)), {}, failed)
    told = contents.of(study, screen, said, drawn, folder.path.resolve()) | {"failed": failed, "published": None}
    if beside_published or study.study["study"] in published.STUDIES:
        told["published"] = _tried("The published table", lambda: contents.beside_published(study), None, failed)
    write_json(new / RESULTS, _results(study, said))
    forms: dict[str, Callable[[Path], object]] = {
        "results.csv": lambda path: (
            flat(study).with_columns(pl.col(pl.String).str.replace(FORMULA, "'$0")).write_csv(path)
        ),
        "table.md": lambda path: path.write_text(table.markdown(told["tables"]), encoding="utf-8"),
        "table.tex": lambda path: path.write_text(table.latex(told["tables"], told["study"]), encoding="utf-8"),
        "report.pdf": lambda path: pdf.write(told, drawn, kept, path.name),
    }
    for name, write in forms.items():
        _tried(name, functools.partial(write, new / name), None, failed)
    kept.write_index()
    (new / PAGE).write_text(page.render(told, drawn), encoding="utf-8")
    return failed


def _tried(what: str, make: Callable[[], Made], otherwise: Otherwise, failed: list[str]) -> Made | Otherwise:
    """What was made; where that fails the reason is kept, so that the report has all its other parts."""
    try:
        return make()
    except Exception as error:  # noqa: BLE001 (whatever it was)
        reason = f"{what} failed: {type(error).__name__}: {error}"
        failed.append(plain(" ".join(reason.split())))
        return otherwise


def _findings(study: StudyRows, failed: list[str]) -> tuple[list[Finding], list[Json]]:
    """Every answer, as facts and in words; a question that fails has the reason for an answer."""

    def answered(question: Question) -> list[tuple[Finding, Json]]:
        return [(found, text.finding(found)) for found in answers(question, study)]

    facts: list[Finding] = []
    said: list[Json] = []
    for question in QUESTIONS:
        name = question.__name__.replace("_", "-")
        what = words.sentence(name.replace("-", " "))
        pairs = _tried(f"The answer about {name}", functools.partial(answered, question), None, failed)
        facts += [found for found, _ in pairs or []]
        said += [told for _, told in pairs] if pairs is not None else [_unanswered(name, what, failed[-1])]
    return facts, said


def _unanswered(name: str, what: str, reason: str) -> Json:
    empty: Json = {"evidence": [], "figures": [], "table": None, "conjecture": None, "command": None}
    return {
        "name": name,
        "question": what,
        "verdict": NOT_MEASURED,
        "brief": "Not measured",
        "text": f"{reason}.",
    } | empty


def _put(new: Path, target: Path, *, owned: bool) -> None:
    """Put a whole report into its place. The page goes first and comes last: without it there is no report.

    Args:
        new: The report.
        target: Where to.
        owned: Whether the folder is the study's own, where what has a name of ours is ours.

    Raises:
        UserError: A file that no report made is in the way, or a folder.
    """
    made = [path.relative_to(new).as_posix() for path in sorted(new.rglob("*")) if path.is_file()]
    (new / MANIFEST).write_text("".join(f"{name}\n" for name in [*made, MANIFEST]), encoding="utf-8")
    try:
        known = (target / MANIFEST).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeError):  # there is none, or none that can be read
        known = []
    if not owned and (alien := next((name for name in made if name not in known and (target / name).exists()), None)):
        raise UserError(f"{target / alien} was not made by a report: move it away, or name another folder")
    if folder := next((name for name in [*made, MANIFEST] if (target / name).is_dir()), None):
        raise UserError(f"{target / folder} is a folder where a report has a file: move it away, or name another --out")
    (target / PAGE).unlink(missing_ok=True)
    stale = set(known) - {*made, MANIFEST}
    for path in target.rglob("*"):  # only what is there, as the list may have been tampered with, and name anything
        if path.relative_to(target).as_posix() in stale and path.is_file():
            path.unlink(missing_ok=True)
    for name in [MANIFEST, *(name for name in made if name != PAGE), PAGE]:
        (target / name).parent.mkdir(exist_ok=True)
        (new / name).replace(target / name)


def _results(study: StudyRows, findings: list[Json]) -> Json:
    declared = {name: study.study[name] for name in ("study", "corpus", "budget")}
    rows, floors = [row.as_json() for row in study.rows], [floor.as_json() for floor in study.baselines]
    elsewhere = [vars(run) for run in study.reported]
    return declared | {"rows": rows, "baselines": floors, "reported": elsewhere, "findings": findings}


def flat(study: StudyRows) -> pl.DataFrame:
    """A line a run, nested values as columns such as `valid_perplexity`."""
    return pl.json_normalize([row.as_json() for row in study.rows], separator="_", infer_schema_length=None)
