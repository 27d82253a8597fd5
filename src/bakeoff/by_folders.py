"""Two experiments by their folders: the study in which one is judged against the other.

Where both are of one study it is that one, as its records give it back, with whatever runs it has. Otherwise it is a
new one, of the two as they are, their learning rates and the searches for these included: the baseline is its #1, the
candidate its #2, and both are trained there, so that they see the same batches, by the same code.
"""

import dataclasses
import itertools
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from bakeoff import sources, tuning, words
from bakeoff.analysis.reading import read_rows
from bakeoff.errors import UserError
from bakeoff.experiments import STUDIES
from bakeoff.identity import identity, purpose
from bakeoff.loading import trusted
from bakeoff.run_folder import DAMAGED, DIVERGED, FINISHED, RunFolder
from bakeoff.shapes import Json
from bakeoff.spec import Experiment, Run, Study
from bakeoff.study_file import decode_all, decode_runs, foreign_types, with_code
from bakeoff.study_folder import StudyFolder


class Contest(NamedTuple):
    """Two experiments of a study.

    Attributes:
        study: As it is to be run.
        folder: Where it lies.
        source: The study file that it comes from, if there is one.
        baseline: The number of one.
        candidate: The number of the other.
        remedy: What makes rates that were not searched alike ones that were.
        seen: Seeds of runs of the two that are over elsewhere.
    """

    study: Study
    folder: Path
    source: Path | None
    baseline: int
    candidate: int
    remedy: str
    seen: frozenset[int] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Side:
    """An experiment of a study on disk.

    Attributes:
        study: Its study.
        entry: What that declares of it.
        runs: Those of its runs that were named, and started.
        seen: Seeds of all its runs that are over.
    """

    study: StudyFolder
    entry: Json
    runs: tuple[RunFolder, ...]
    seen: frozenset[int]

    @property
    def path(self) -> Path:
        """Its folder."""
        return self.study.path / str(self.entry["slug"])

    @property
    def encoded(self) -> list[Json]:
        """What its runs compute."""
        return [(folder.spec or {})["run"] for folder in self.runs]

    @property
    def tuning(self) -> Json | None:
        """The search that its study's rates come from."""
        found: Json | None = self.study.declared.get("tuning")
        return found

    @property
    def is_searched(self) -> bool:
        """Whether its rate is what a search for just its study found between lower and higher ones."""
        rows, found = read_rows(self.study), self.tuning
        return bool(found and found["fits"]) and rows.has_interior_rate(rows.experiment(self.entry["number"]))


def contest(baseline: str | Path, candidate: str | Path, out: Path, *, seeds: int, trust: bool = False) -> Contest:
    """What a comparison of two folders is made of.

    Args:
        baseline: The folder of an experiment, or of one of its runs.
        candidate: That of another, of the same study or of another.
        out: The folder that holds the folder of a new study.
        seeds: How many a new study has.
        trust: Whether the study files that are kept with the studies may be executed, if the two need that.

    Raises:
        UserError: They are no such folders or damaged, or not alike but for what is compared, or one and the same.
    """
    sides = _side("--baseline", baseline), _side("--candidate", candidate)
    if sides[0].study.path.resolve() != sides[1].study.path.resolve():
        return _of_two(sides, out, seeds, trust=trust)
    if sides[0].entry == sides[1].entry:
        raise UserError(f"a comparison takes two experiments, not {sides[0].path} twice")
    return _of_one(sides, trust=trust)


def _side(option: str, given: str | Path) -> Side:
    path = Path(os.path.abspath(given))  # noqa: PTH100 (which follows no link)
    found = ((each.parent, each.name, run) for place in (path, path.resolve()) for each, run in _places(place))
    for parent, slug, name in found:
        study = StudyFolder(parent.relative_to(Path.cwd()) if parent.is_relative_to(Path.cwd()) else parent)
        entries = study.study["experiments"] if study.exists else []
        if entry := next((entry for entry in entries if entry["slug"] == slug), None):
            return _read(option, study, entry, name)
    raise UserError(f"{option}: {given} is no folder of an experiment or of a run, such as runs/quick/02-lstm-1-adamw")


def _places(path: Path) -> Iterator[tuple[Path, str]]:
    """The experiment's folder and which runs are meant, if it is an experiment's, and if it is a run's."""
    yield path, "seed-*"
    if re.fullmatch("seed-[0-9]+", path.name):
        yield path.parent, path.name


def _read(option: str, study: StudyFolder, entry: Json, name: str) -> Side:
    """An experiment with those of its runs that have such a name."""
    declared, slug, seen = study.study.get("runs") or {}, entry["slug"], set[int]()
    runs = []
    for path in sorted((study.path / slug).glob("seed-*")):
        folder = RunFolder(path, declared.get(f"{slug}/{path.name}"))
        records = folder.read()
        if records.status in (FINISHED, DIVERGED, DAMAGED):
            seen.add(int(path.name.removeprefix("seed-")))
        if path.match(name) and records.status == DAMAGED:
            raise UserError(records.summary["error"], status=1)
        if path.match(name) and folder.spec:
            runs.append(folder)
    if not runs:
        raise UserError(f"{option}: no run of {study.path / slug} was started: bakeoff run does that, or name another")
    return Side(study=study, entry=entry, runs=tuple(runs), seen=frozenset(seen))


def _of_one(sides: tuple[Side, Side], *, trust: bool) -> Contest:
    """The study that both are of."""
    folder, (baseline, candidate) = sides[0].study, (side.entry["number"] for side in sides)
    study, source = _recorded(folder, sides[0].encoded[0]["corpus"], trust=trust)
    remedy = ALONE
    if search := _search(sides[0], study):
        judge = f"bakeoff judge{search} --baseline {baseline} --candidate {candidate}"
        remedy = f"`bakeoff tune{search}` searches for both alike, and `{judge}` then judges with what it finds"
    return Contest(study, folder.path, source, baseline, candidate, remedy)


def _recorded(folder: StudyFolder, corpus: Json, *, trust: bool) -> tuple[Study, Path | None]:
    """A study as it was declared, from its records, and its study file.

    Raises:
        UserError: They do not give it back, or it needs a study file that is not trusted or is not what was kept.
    """
    record = folder.declared
    kept = [{"architecture": e["architecture"], "optimizer": e["optimizer_settings"]} for e in record["experiments"]]
    foreign = foreign_types(kept)
    source = trusted(folder, foreign, trust=trust or not foreign)
    budget, corpus, decoded = _decoded(folder.path, [record["budget"], corpus, kept], source)
    experiments = tuple(
        Experiment(number=e["number"], batch_size=None if (size := e["batch_size"]) == budget.batch_size else size, **d)
        for e, d in zip(record["experiments"], decoded, strict=True)
    )
    tuned = record.get("tuning") and {name: value for name, value in record["tuning"].items() if name != "fits"}
    shared: Json = {"name": record["study"], "corpus": corpus, "seeds": tuple(record["seeds"]), "tuning": tuned}
    shared["options"] = record.get("options")
    study = Study(budget=budget, experiments=experiments, **shared)
    study = with_code(study, source) if source and foreign else study
    # What was resolved where it was started is kept in place of what was declared.
    resolved = ((budget.precision, "auto"), (budget.threads, None), (budget.compile, not budget.compile))
    for precision, threads, compiling in itertools.product(*resolved):
        declared = study.with_shared(precision=precision, threads=threads, compile=compiling)
        if identity(declared) == record["identity"]:
            return declared, source and _place(record, source, executed=bool(foreign))
    raise UserError(f"{folder.path} is of other code than is here, which cannot tell from its records what it is")


def _place(record: Json, kept: Path, *, executed: bool) -> Path:
    """Where a study file is said to lie: that from which the study was made, if it is still what was kept.

    Nothing is executed but what was kept.
    """
    original = Path(record.get("source") or kept)
    try:
        return kept.resolve() if executed or sources.checksums(original) != record["code"] else original
    except (OSError, SyntaxError):
        return kept.resolve()


def _decoded(path: Path, encoded: object, source: Path | None) -> Any:  # noqa: ANN401 (whatever was encoded)
    try:
        return decode_all(encoded, source)
    except (LookupError, TypeError, ValueError) as error:
        raise UserError(f"{path} is of other code than is here, which cannot read it ({error})") from error


def _of_two(sides: tuple[Side, Side], out: Path, seeds: int, *, trust: bool) -> Contest:
    """A study of an experiment of one study and one of another."""
    runs, source = _runs(sides, trust=trust)
    _require_alike(sides, runs)
    experiments = tuple(run.as_experiment(number) for number, run in enumerate(runs, start=1))
    corpora = [run.corpus for run in runs]
    study = Study(
        name=re.sub(r"[^\w.-]+", "-", f"{sides[0].entry['slug']}-against-{sides[1].entry['slug']}"),
        corpus=next((corpus for corpus in corpora if corpus.path and Path(corpus.path).exists()), corpora[0]),
        budget=runs[0].budget,
        experiments=experiments,
        seeds=tuple(range(seeds)),
    )
    study = dataclasses.replace(study, tuning=_tuning(sides, study))
    return Contest(
        study, out / study.name, source, 1, 2, _remedy(sides, study), frozenset().union(*(side.seen for side in sides))
    )


def _runs(sides: tuple[Side, Side], *, trust: bool) -> tuple[tuple[Run, Run], Path | None]:
    """What each of the two computes, whatever the seed, and the study file where one defines some of it."""
    foreign = [foreign_types(side.encoded) for side in sides]
    found = [trusted(side.study, f, trust=trust) for side, f in zip(sides, foreign, strict=True) if f]
    files = [file.resolve() for file in found if file]
    for place, source in enumerate(files or [None], start=1):
        try:
            decoded = decode_runs([*sides[0].encoded, *sides[1].encoded], source)
        except UserError as error:
            if place < len(files):
                continue
            if place == 1:
                raise
            told = " and ".join(map(str, files))
            raise UserError(
                f"{told} define a class each for one of the two: put both into one study file, and judge its study"
            ) from error
        except (LookupError, TypeError, ValueError) as error:
            told = " or ".join(str(side.path) for side in sides)
            raise UserError(f"{told} is of other code than is here, which cannot read it ({error})") from error
        break
    first, second = decoded[: len(sides[0].runs)], decoded[len(sides[0].runs) :]
    for side, its in zip(sides, (first, second), strict=True):
        if len({_whatever_the_seed(run) for run in its}) > 1:
            raise UserError(f"{side.path} has runs of different settings or code: name the folder of one", status=1)
    return (first[0], second[0]), source


def _whatever_the_seed(run: Run) -> str:
    return identity(dataclasses.replace(run, seed=0))


def _require_alike(sides: tuple[Side, Side], runs: tuple[Run, Run]) -> None:
    """See that the two have text and budget in common, and nothing else does not differ.

    Raises:
        UserError: They have not; it names what differs.
    """
    corpora, budgets = [dataclasses.replace(run.corpus, path=None) for run in runs], [vars(run.budget) for run in runs]
    told = [f"{name.replace('_', ' ')} {one} against {budgets[1][name]}" for name, one in budgets[0].items()]
    told = [each for each, name in zip(told, budgets[0], strict=True) if budgets[0][name] != budgets[1][name]]
    if corpora[0] != corpora[1]:
        names = [corpus.name for corpus in corpora]
        other = f"{names[0]} against {names[1]}" if names[0] != names[1] else f"{names[0]} with other content"
        told.insert(0, f"the text ({other})")
    if told:
        raise UserError(
            f"{sides[0].path} and {sides[1].path} differ in more than what is compared: {words.joined(told)}; run both "
            "with the same text and budget"
        )
    if _whatever_the_seed(runs[0]) == _whatever_the_seed(runs[1]):
        raise UserError(f"{sides[0].path} and {sides[1].path} compute the same: a comparison takes two experiments")


def _tuning(sides: tuple[Side, Side], study: Study) -> Json | None:
    """The searches that the rates of both come from, as one for the new study; None where there was none."""
    found = [
        (experiment, side.tuning, side.tuning["rates"][side.entry["slug"]])
        for side, experiment in zip(sides, study.experiments, strict=True)
        if side.tuning and side.entry["slug"] in side.tuning["rates"]
    ]
    if not found:
        return None
    searched = dataclasses.replace(study, experiments=tuple(experiment for experiment, _, _ in found))
    fits = all(search["fits"] for _, search, _ in found)
    said = {name: value for name, value in found[0][1].items() if name not in ("fits", "code")}
    rates = {experiment.slug: its for experiment, _, its in found}
    return said | {"rates": rates, "for": purpose(searched) if fits else "another study"}


#: Where no command searches for one of the two.
ALONE = "in one study file with both, `bakeoff tune` searches for them alike"


def _remedy(sides: tuple[Side, Side], study: Study) -> str:
    """What searches for rates where that was not done."""
    searches = [_search(side, study) for side in sides if not side.is_searched]
    if not all(searches):
        return ALONE
    tune, run = (words.joined(f"`bakeoff {verb}{search}`" for search in searches) for verb in ("tune", "run"))
    return f"search with {tune}, train with {run} what was found, and judge the folders that these then name"


def _search(side: Side, study: Study) -> str | None:
    """What follows `bakeoff tune` in the command that searches for its study; None where none does.

    Args:
        side: Whose study it is.
        study: One with its text and its budget.
    """
    record, place = side.study.declared, side.study.path
    source, built_in = record.get("source"), STUDIES.get(record["study"])
    if not (source or built_in):
        return None
    named = study.with_shared(name=record["study"])
    plain = named if place.name == named.name else None if source else built_in
    return tuning.command(place.parent, named, plain, source and Path(source)).removeprefix("bakeoff tune")
