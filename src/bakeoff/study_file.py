"""A study by its name, or from a user's Python file; and a run, as its specs were encoded."""

import contextlib
import dataclasses
import enum
import functools
import json
import os
import random
import runpy
import sys
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bakeoff import sources
from bakeoff.data import own_text
from bakeoff.errors import UserError, one_line
from bakeoff.experiments import STUDIES
from bakeoff.files import require_name
from bakeoff.identity import decode, encode, is_bakeoffs, type_name, types
from bakeoff.models import ARCHITECTURES, Transformers
from bakeoff.optimizers import OPTIMIZERS
from bakeoff.shapes import Json
from bakeoff.spec import (
    TRAITS_OF_ARCHITECTURES,
    TRAITS_OF_OPTIMIZERS,
    Architecture,
    Budget,
    Corpus,
    Optimizer,
    Run,
    Study,
)

#: Bakeoff's own classes that an encoded run may name.
BUILT_IN: dict[str, type] = {
    type_name(kind): kind for kind in (Corpus, Budget, Run, Transformers, *ARCHITECTURES.values(), *OPTIMIZERS.values())
}


def find_study(asked: str | Path | Study) -> tuple[Study, Path | None]:
    """The study that is asked for by its name, by a user's file or as itself, and the file where it comes from one.

    Raises:
        UserError: There is none, its file has an error in it, or it has classes that are defined in no study file, or
            fields that no record can hold.
    """
    if isinstance(asked, Study):
        if own := sorted(type_name(kind) for kind in types(asked) if not is_bakeoffs(kind)):
            raise UserError(
                f"runs have processes of their own, which do not know {own[0]}: define it and `study` in a Python file,"
                " and name that file"
            )
        return _with_checksum(_recordable(asked)), None
    if asked in STUDIES:
        return STUDIES[str(asked)], None
    path = Path(asked)
    if path.suffix != ".py":
        known = ", ".join(STUDIES)
        raise UserError(f"unknown study {str(asked)!r}: use {known}, or a Python file that defines `study`")
    require_name(path.absolute())
    if not path.is_file():
        raise UserError(f"no study file {path}")
    return _with_checksum(_recordable(load_study(path))), path.resolve()


def _recordable(study: Study) -> Study:
    """The study, once records give back every field and trait of its models and optimizers as it was.

    Raises:
        UserError: One cannot be told from others by its value, or a record would make something else of it; or another
            part is of a class of one's own, whose code no run knows of.
    """
    for kind, part in [(Study, study), (Corpus, study.corpus), (Budget, study.budget)]:
        if type(part) is not kind:
            raise UserError(
                f"{type(part).__name__} is a class of its own: only models and optimizers can be, use {kind.__name__}"
            )
    for experiment in study.experiments:
        _require_recordable(experiment.architecture, TRAITS_OF_ARCHITECTURES)
        _require_recordable(experiment.optimizer, TRAITS_OF_OPTIMIZERS)
    return study


def _require_recordable(spec: Architecture | Optimizer, traits: Iterable[str]) -> None:
    kind, fields = type(spec).__name__, [field.name for field in dataclasses.fields(spec)]
    mend = "give it a finite number, text, a truth value, None, or a tuple of them"
    for name in (*fields, *traits):
        try:
            value = getattr(spec, name)
            hash(value)
            json.dumps(encode(value), allow_nan=False, ensure_ascii=False).encode()
        except Exception as error:
            why = one_line(error)
            raise UserError(f"{kind} has a field {name} that cannot be kept in records ({why}): {mend}") from error
    try:
        again = decode(json.loads(json.dumps(encode(spec))), {type_name(each): each for each in types(spec)})
    except Exception as error:
        why = one_line(error)
        raise UserError(
            f"{kind} cannot be built again from its fields ({why}): leave init on, and call none of them type"
        ) from error
    for name in {*fields, *_held(spec), *_held(again)}:
        if not _same(getattr(spec, name, None), getattr(again, name, None)):
            what = f"a field {name}" if name in fields else f"an attribute {name}, no field,"
            raise UserError(f"{kind} has {what} that comes back from a record as another value: {mend}")


def _held(spec: object) -> set[str]:
    """Names of what an instance holds, its fields or not, but for what it has only computed of the others."""
    kept = {name: getattr(type(spec), name, None) for name in getattr(spec, "__dict__", {})}
    return {name for name, of_class in kept.items() if not isinstance(of_class, functools.cached_property)}


def _same(given: Any, again: Any) -> bool:  # noqa: ANN401 (whatever a class holds)
    """Whether two values are equal and of equal types, in all their parts; numpy's floats are as good as Python's."""
    if dataclasses.is_dataclass(given):
        names = {*(field.name for field in dataclasses.fields(given)), *_held(given)}
        return type(given) is type(again) and all(_same(getattr(given, n), getattr(again, n, None)) for n in names)
    if isinstance(given, tuple) and type(given) is type(again):
        return len(given) == len(again) and all(map(_same, given, again))
    alike = type(given) is type(again) or (isinstance(given, float) and not isinstance(given, enum.Enum))
    try:
        return alike and bool(given == again)
    except Exception:  # noqa: BLE001 (arrays, say, are equal in parts: they cannot be told to be)
        return False


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
        study = _executed(path).get("study")
        if isinstance(study, Study):
            return with_code(study, path)
    except (Exception, SystemExit) as error:
        raise UserError(f"{path}:{_where(path, error)}") from error
    raise UserError(f"{path} defines no study: it needs a line such as `study = Study.of(...)`")


def _executed(path: Path) -> Json:
    """What a study file defines. Meanwhile modules beside it can be imported, after those of all other places."""
    sources.require_imports_at_the_top(path)
    for module in sources.beside(path):
        sys.modules.pop(module, None)
    before, working = (sys.path, sys.dont_write_bytecode), Path.cwd()
    sys.path, sys.dont_write_bytecode = [*sources.places(), str(path.resolve().parent)], True  # no traces are left
    ours = {each: dict(vars(each)) for kind in BUILT_IN.values() for each in kind.mro() if is_bakeoffs(each)}
    try:
        # What it prints is no output of ours. What it draws is the same each time that it is executed.
        with contextlib.redirect_stdout(sys.stderr), _seeded():
            defined = runpy.run_path(str(path), run_name=sources.MODULE)
    finally:
        sys.path, sys.dont_write_bytecode = before
        os.chdir(working)
    # Runs of nothing but Bakeoff's classes do not execute the file.
    if changed := [kind.__name__ for kind, was in ours.items() if dict(vars(kind)) != was]:
        raise ValueError(
            f"it changes {changed[0]}, a class of Bakeoff's, which runs would not do: derive one of your own"
        )
    return defined


@contextlib.contextmanager
def _seeded() -> Iterator[None]:
    """Seed 0 in all global generators, and afterwards what was there."""
    numpys, pythons = np.random.get_state(), random.getstate()  # noqa: NPY002 (what a study file may draw from)
    with torch.random.fork_rng(devices=[]):  # drawing on a GPU while a file is executed is nobody's habit
        for seed in (torch.default_generator.manual_seed, np.random.seed, random.seed):
            seed(0)
        try:
            yield
        finally:
            np.random.set_state(numpys)  # noqa: NPY002
            random.setstate(pythons)


def with_code(study: Study, path: Path) -> Study:
    """The study with the fingerprint of the source of each experiment's own classes.

    Raises:
        ValueError: Two classes could not be told apart: in what is recorded, or in the report.
    """
    for kind in types(study):
        if not is_bakeoffs(kind) and kind.__module__.partition(".")[0] == __name__.partition(".")[0]:
            raise ValueError(
                f"class {kind.__name__} says that it is of {kind.__module__}, and it is not: leave that out"
            )
    names = Counter(map(type_name, types(study)))
    if twice := [name for name, count in names.items() if count > 1]:
        raise ValueError(f"two classes are called {twice[0]}: rename one")
    for kind in {type(spec) for e in study.experiments for spec in (e.architecture, e.optimizer)}:
        ours = (ARCHITECTURES if issubclass(kind, Architecture) else OPTIMIZERS).get(kind.name)
        if ours not in (None, kind):
            raise ValueError(f"class {kind.__name__} has the name {kind.name!r}, as one of Bakeoff's: rename it")
    experiments = tuple(
        dataclasses.replace(e, code=_code(path, (e.architecture, e.optimizer))) for e in study.experiments
    )
    return dataclasses.replace(study, experiments=experiments)


def _code(path: Path, specs: tuple[Architecture, Optimizer]) -> str | None:
    own = [kind for kind in types(specs) if not is_bakeoffs(kind)]
    return sources.fingerprint(path, own) if own else None


def foreign_types(encoded: object) -> set[str]:
    """The classes of an encoded spec that are not Bakeoff's own."""
    if isinstance(encoded, dict):
        own = {encoded["type"]} - set(BUILT_IN) if "type" in encoded else set()
        return own.union(*map(foreign_types, encoded.values()))
    return set[str]().union(*map(foreign_types, encoded)) if isinstance(encoded, list) else set()


def decode_all(encoded: object, source: Path | None) -> Any:  # noqa: ANN401 (whatever was encoded)
    """What is encoded. A study file is executed only if something of it is of classes that are not Bakeoff's, and once.

    Raises:
        UserError: The file does not define them.
    """
    kinds = dict(BUILT_IN)
    if foreign := foreign_types(encoded):
        kinds |= _defined(source.resolve(), tuple(sources.read(source).items())) if source else {}
        if missing := foreign - set(kinds):
            raise UserError(f"{source or 'no study file'} defines {', '.join(sorted(missing))}, which a run needs")
    return decode(encoded, kinds)


@functools.cache
def _defined(source: Path, content: tuple[tuple[str, bytes], ...]) -> Mapping[str, type]:  # noqa: ARG001 (by which it is known)
    """The classes that a study file defines, by their names: the same ones each time, while it is what it is."""
    return {type_name(kind): kind for kind in types(load_study(source))}


def decode_runs(encoded: list[Json], source: Path | None) -> tuple[Run, ...]:
    """Runs from their JSON; see `decode_all`.

    Raises:
        UserError: The file does not define their classes, or not as when they were declared.
    """
    runs: tuple[Run, ...] = decode_all(encoded, source)
    if source and any(run.code != _code(source, (run.architecture, run.optimizer)) for run in runs):
        raise UserError(
            f"{source} has other code than this run was declared with: start anew with `bakeoff run`", status=1
        )
    return runs


def decode_run(encoded: Json, source: Path | None) -> Run:
    """One of them."""
    return decode_runs([encoded], source)[0]


def _where(path: Path, error: BaseException) -> str:
    """Line number, what is wrong, and the text of the line."""
    what = f"{type(error).__name__}: {error}"
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f"{error.lineno}: SyntaxError: {error.msg}: {(error.text or '').strip()}"
    inside = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f"{inside[-1].lineno}: {what}: {inside[-1].line}" if inside else f" {what}"
