"""Study and run folders: the only place where results live. JSON and safetensors; nothing is ever unpickled.

STUDY/study.json · tokenizer.json · code/ (the user's study file, if there is one)
STUDY/01-lstm-1-adam/seed-0/spec.json · environment.json · history.jsonl · documents.json · best.safetensors
                           · summary.json (written last: the run is over)
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from bakeoff.errors import UserError
from bakeoff.files import write_json, written_atomically

#: What `summary.json` may say of a run that is over.
FINISHED, DIVERGED, FAILED = "finished", "diverged", "failed"
#: What is said of a run without a summary.
RUNNING, MISSING = "running", "missing"
STATUSES = (FINISHED, RUNNING, DIVERGED, FAILED, MISSING)

Json = dict[str, Any]


def read_json(path: Path) -> Json:
    """Read a JSON object.

    Raises:
        UserError: The file is damaged.
    """
    try:
        data: Json = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} cannot be read ({error}): remove its folder and run the study again", status=1
        ) from error
    return data


@dataclass(frozen=True)
class RunFolder:
    """One run on disk."""

    path: Path

    @property
    def best_weights(self) -> Path:
        """Weights of the epoch that was best on valid."""
        return self.path / "best.safetensors"

    @property
    def checkpoint(self) -> Path:
        """The run in the middle, while it is not over."""
        return self.path / "checkpoint.safetensors"

    @property
    def spec(self) -> Json | None:
        """What the run computes; None before it was first started."""
        path = self.path / "spec.json"
        return read_json(path) if path.is_file() else None

    @property
    def environment(self) -> Json:
        """Where the run was computed."""
        path = self.path / "environment.json"
        return read_json(path) if path.is_file() else {}

    @property
    def summary(self) -> Json | None:
        """How the run ended; None while it has not."""
        path = self.path / "summary.json"
        return read_json(path) if path.is_file() else None

    @property
    def status(self) -> str:
        """One of `STATUSES`."""
        if (summary := self.summary) is not None:
            return str(summary["status"])
        return RUNNING if self.path.is_dir() and is_locked(self.path / "run.lock") else MISSING

    def history(self) -> list[Json]:
        """Every evaluation so far; a last line that was cut off while being written does not count."""
        path = self.path / "history.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.is_file() else []
        return [json.loads(line) for line in lines if line.endswith("\n")]

    @property
    def documents(self) -> Json | None:
        """Nats and counts of every document of valid and test; None before the end."""
        path = self.path / "documents.json"
        return read_json(path) if path.is_file() else None

    def reopen(self) -> None:
        """Forget how an earlier try ended."""
        (self.path / "summary.json").unlink(missing_ok=True)

    def start(self, spec: Json, environment: Json) -> None:
        """Begin anew: whatever an earlier try left behind is removed."""
        for leftover in ("summary.json", "history.jsonl", "documents.json", "best.safetensors"):
            (self.path / leftover).unlink(missing_ok=True)
        self.checkpoint.unlink(missing_ok=True)
        write_json(self.path / "spec.json", spec)
        write_json(self.path / "environment.json", environment)

    def go_on(self, evaluations: int) -> None:
        """Go on from a checkpoint that knew that many evaluations: later ones are cut off, to be made again."""
        self.reopen()
        history = self.path / "history.jsonl"
        lines = history.read_text(encoding="utf-8").splitlines(keepends=True)
        with written_atomically(history) as temporary:
            temporary.write_text("".join(lines[:evaluations]), encoding="utf-8")

    def append(self, evaluation: Json) -> None:
        """Add a line to the history and see it onto the disk."""
        with (self.path / "history.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(evaluation) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def write_documents(self, documents: Json) -> None:
        """Keep nats and counts for every document of valid and test."""
        write_json(self.path / "documents.json", documents)

    def finish(self, summary: Json) -> None:
        """Declare the run over; a failed one keeps its checkpoint to go on from."""
        write_json(self.path / "summary.json", summary)
        if summary["status"] != FAILED:
            self.checkpoint.unlink(missing_ok=True)


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
        return read_json(self.path / "study.json")

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

    def run(self, slug: str) -> RunFolder:
        """The folder of one run, by the run's slug."""
        return RunFolder(self.path / slug)

    def declared_runs(self) -> Iterator[tuple[Json, int, RunFolder]]:
        """Each declared experiment (its entry in `study.json`), with each seed, and the run's folder."""
        study = self.study
        for experiment in study["experiments"]:
            for seed in study["seeds"]:
                yield experiment, seed, self.run(f"{experiment['slug']}/seed-{seed}")

    def lock(self) -> FileLock:
        """Held by whoever runs the study."""
        return FileLock(self.path / ".lock")


def find_studies(path: Path) -> list[StudyFolder]:
    """The study in a folder, or the studies in the folders inside it, by name.

    Raises:
        UserError: There is none.
    """
    if StudyFolder(path).exists:
        return [StudyFolder(path)]
    inside = sorted(path.iterdir()) if path.is_dir() else []
    studies = [StudyFolder(folder) for folder in inside if StudyFolder(folder).exists]
    if not studies:
        raise UserError(f"no study in {path}: `bakeoff run` makes one, and --out or [DIR] names where it is")
    return studies


def is_locked(path: Path) -> bool:
    """Whether some process holds the lock on that file."""
    if not path.is_file():
        return False
    try:
        with FileLock(path, timeout=0):
            return False
    except Timeout:
        return True
