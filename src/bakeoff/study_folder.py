"""A study on disk: what it declares, and the folders of its runs. JSON and safetensors; nothing is ever unpickled.

STUDY/study.json · tokenizer.json · code/ (the user's study file, if there is one)
STUDY/judge-1-2.json (the looks of a comparison) · decisions.txt · live.html · report/ · tensorboard/
STUDY/01-lstm-1-adam/seed-0/ (a run)
STUDY/reported/NAME.json (runs that other programs report: none of ours)
"""

import itertools
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from filelock import Timeout

from bakeoff import shapes
from bakeoff.errors import UserError
from bakeoff.files import require_name
from bakeoff.locks import lock_at
from bakeoff.records import DamagedError, read_json
from bakeoff.run_folder import RunFolder
from bakeoff.shapes import Json

#: Seconds that another command may look at a lock.
GLANCE = 1.0
#: The folder of studies that other ones took the place of.
EARLIER = "earlier"


@dataclass(frozen=True)
class StudyFolder:
    """One study on disk."""

    path: Path

    @property
    def exists(self) -> bool:
        """Whether a study was ever started here."""
        return (self.path / "study.json").is_file()

    @property
    def study(self) -> Json:
        """What was declared, with counts and baselines."""
        return read_json(self.path / "study.json", shapes.STUDY)

    @property
    def declared(self) -> Json:
        """The same, with all that a report needs of it."""
        path = self.path / "study.json"
        declared = read_json(path, shapes.DECLARED)
        experiments, floors = declared["experiments"], {floor["name"] for floor in declared["baselines"]}
        if not (experiments and declared["seeds"]):
            raise DamagedError(path, "it declares no run")
        for kind in ("model", "optimizer"):
            if unknown := {e[kind] for e in experiments} - {named["name"] for named in declared[f"{kind}s"]}:
                raise DamagedError(path, f"it has no title for {min(unknown)}")
        needed = {"uniform", "unigram", *([texts["floor"]] if (texts := declared.get("texts")) else [])}
        if lacking := needed - floors:
            raise DamagedError(path, f"it lacks the floor {min(lacking)}")
        return declared

    @property
    def tokenizer(self) -> Path:
        """The study's tokenizer, in the format of Hugging Face `tokenizers`."""
        return self.path / "tokenizer.json"

    @property
    def code(self) -> Path:
        """The folder with the study file that the study came from, if it came from one, and what lay beside it."""
        return self.path / "code"

    @property
    def report(self) -> Path:
        """The report's folder."""
        return self.path / "report"

    def report_of(self, name: str) -> Path:
        """The record of what another program reports of a run, by its name here."""
        return self.path / "reported" / f"{name}.json"

    @property
    def reported(self) -> list[tuple[str, Json]]:
        """What other programs report of their runs, by name; of one whose record is damaged, the `error` alone."""
        found: list[tuple[str, Json]] = []
        for path in sorted(self.report_of("*").parent.glob("*.json")):
            if not (re.fullmatch(r"[\w.-]+", path.stem) and path.is_file()):
                continue  # what was brought there is called otherwise
            try:
                found.append((path.stem, read_json(path, shapes.REPORTED, "import it again")))
            except DamagedError as error:
                found.append((path.stem, {"error": str(error)}))
        return found

    def run(self, slug: str) -> RunFolder:
        """The folder of one run, by the run's slug."""
        return RunFolder(self.path / slug)

    def undeclare(self) -> None:
        """Forget what was declared, but for the runs: another study can take them over."""
        (self.path / "study.json").unlink()

    def declared_runs(self) -> Iterator[tuple[Json, int, RunFolder]]:
        """Each declared experiment (its entry in `study.json`), with each seed, and the run's folder."""
        return self.runs(self.study)

    def runs(self, study: Json) -> Iterator[tuple[Json, int, RunFolder]]:
        """The same of a declaration that is given: one with other seeds."""
        for experiment in study["experiments"]:
            for seed in study["seeds"]:
                slug = f"{experiment['slug']}/seed-{seed}"
                yield experiment, seed, RunFolder(self.path / slug, (study.get("runs") or {}).get(slug))

    def other_seeds(self) -> dict[str, set[int]]:
        """Seeds that it does not declare, as a comparison of two has trained them, by slugs of its experiments."""
        declared, found = self.study, dict[str, set[int]]()
        for slug in (entry["slug"] for entry in declared["experiments"]):
            names = (run.name.removeprefix("seed-") for run in self.path.glob(f"{slug}/seed-*"))
            if others := {int(name) for name in names if name.isdecimal()} - set(declared["seeds"]):
                found[slug] = others
        return found

    def looks_of(self, one: object, other: object) -> Path:
        """The record of the looks of a comparison, by its two numbers, the lower one first."""
        return self.path / f"judge-{one}-{other}.json"

    @property
    def seeds(self) -> list[int]:
        """All seeds that it declares or has runs of."""
        return sorted({*self.study["seeds"]}.union(*self.other_seeds().values()))

    def undeclared_runs(self) -> Iterator[tuple[Json, int, RunFolder]]:
        """Those runs of its experiments, as `declared_runs` has its own."""
        others = self.other_seeds()
        for experiment in self.study["experiments"]:
            for seed in sorted(others.get(experiment["slug"], ())):
                yield experiment, seed, self.run(f"{experiment['slug']}/seed-{seed}")

    def put_aside(self) -> Path:
        """Move it to where it is not taken for one that is in use: into `earlier` beside it, by a number; to where."""
        numbered = (self.path.with_name(EARLIER) / f"{self.path.name}-{number}" for number in itertools.count(1))
        target = next(path for path in numbered if not path.exists())
        target.parent.mkdir(exist_ok=True)
        return self.path.rename(target)

    def acquire(self) -> AbstractContextManager[object]:
        """The lock of whoever is at work here; the folder is made where it is not there.

        Raises:
            UserError: Another command has it.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        try:
            return lock_at(self.path / ".lock").acquire(timeout=GLANCE)
        except Timeout as error:
            raise UserError(f"another command is at work on {self.path}: wait until it has ended", status=1) from error


def find_studies(path: Path) -> list[StudyFolder]:
    """The study in a folder, or the studies in the folders inside it, by name; without any, those one deeper.

    Raises:
        UserError: There is none, or the path is one that no record can hold.
    """
    require_name(path)
    if StudyFolder(path).exists:
        return [StudyFolder(path)]
    for inside in ("*", "*/*"):
        if studies := [StudyFolder(each) for each in sorted(path.glob(inside)) if StudyFolder(each).exists]:
            return studies
    raise UserError(f"no study in {path}: `bakeoff run` makes one, and --out or [DIR] names where it is")


def only_study(path: Path) -> StudyFolder:
    """The one study in a folder.

    Raises:
        UserError: There is none, or there are several.
    """
    study, *more = find_studies(path)
    if more:
        names = ", ".join(found.path.name for found in (study, *more))
        raise UserError(f"{path} holds several studies: name one of {names}")
    return study
