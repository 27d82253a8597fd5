"""A study by its name, or from a user's Python file."""

import contextlib
import dataclasses
import runpy
import sys
import traceback
from pathlib import Path
from typing import Any

from bakeoff.data import own_text
from bakeoff.errors import UserError
from bakeoff.experiments import STUDIES
from bakeoff.identity import decode
from bakeoff.spec import Architecture, Budget, Corpus, Optimizer, Run, Study

Json = dict[str, Any]


def find_study(name_or_path: str) -> tuple[Study, Path | None]:
    """The study that is asked for, and the file it comes from if it is a user's.

    Raises:
        UserError: There is none, or its file has an error in it.
    """
    if name_or_path in STUDIES:
        return STUDIES[name_or_path], None
    path = Path(name_or_path)
    if path.suffix != ".py":
        raise UserError(
            f"unknown study {name_or_path!r}: use {', '.join(STUDIES)}, or a Python file that defines `study`"
        )
    if not path.is_file():
        raise UserError(f"no study file {path}")
    return _with_checksum(load_study(path)), path.resolve()


def _with_checksum(study: Study) -> Study:
    """The study with the checksum of the user's own text in its corpus, so that an edited text is another corpus."""
    corpus = study.corpus
    if corpus.path is None or corpus.sha256:
        return study
    return study.with_shared(corpus=dataclasses.replace(corpus, sha256=own_text.checksum(Path(corpus.path))))


def load_study(path: Path) -> Study:
    """Execute a study file and take what it calls `study`.

    Architectures and optimizers that it defines are known from then on.

    Raises:
        UserError: The file has an error in it (its line is in the message), or defines no study.
    """
    try:
        with contextlib.redirect_stdout(sys.stderr):  # what it prints is no output of ours
            study = runpy.run_path(str(path), run_name="bakeoff_study").get("study")
    except (Exception, SystemExit) as error:
        raise UserError(f"{path}:{_where(path, error)}") from error
    if not isinstance(study, Study):
        raise UserError(f"{path} defines no study: it needs a line such as `study = Study.of(...)`")
    return study


def decode_run(encoded: Json, source: Path | None) -> Run:
    """A run from its JSON, with the architectures and optimizers of a user's study file, if it has one."""
    if source:
        load_study(source)
    kinds = [Corpus, Budget, Run, *_subclasses(Architecture), *_subclasses(Optimizer)]
    run: Run = decode(encoded, {kind.__name__: kind for kind in kinds})
    return run


def _subclasses(base: type) -> list[type]:
    children: list[type] = base.__subclasses__()
    return [found for child in children for found in (child, *_subclasses(child))]


def _where(path: Path, error: BaseException) -> str:
    """Line number, what is wrong, and the text of the line."""
    what = f"{type(error).__name__}: {error}"
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f"{error.lineno}: SyntaxError: {error.msg}: {(error.text or '').strip()}"
    inside = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f"{inside[-1].lineno}: {what}: {inside[-1].line}" if inside else f" {what}"
