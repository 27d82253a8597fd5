"""A run on disk: its records, its weights, and what they say of how far it is.

STUDY/01-lstm-1-adam/seed-0/spec.json · environment.json · history.jsonl · documents.json · texts.json
                           · best.safetensors · summary.json (written last: the run is over)
                           · probe.json (short counter-experiments) · log.txt
                           · checkpoint.safetensors · earlier.safetensors (the best weights before it), until it is over
"""

import hashlib
import itertools
import json
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from bakeoff import shapes
from bakeoff.files import remove_leftovers, sha256_of, written_atomically
from bakeoff.locks import is_locked
from bakeoff.records import MEND, DamagedError, checked, read_json, write_record
from bakeoff.shapes import Json, Shape, fault

#: What `summary.json` may say of a run that is over.
FINISHED, DIVERGED, FAILED = "finished", "diverged", "failed"
#: What is said of a run without a summary, and of one whose records are not what was written.
RUNNING, MISSING, DAMAGED = "running", "missing", "damaged"
STATUSES = (FINISHED, RUNNING, DIVERGED, FAILED, DAMAGED, MISSING)

#: What sums of the same numbers in another order may differ by, as a share.
ROUNDING = 1e-6
#: By what a summary says of its run: what else it has to say.
ENDINGS = {FINISHED: shapes.FINISHED, DIVERGED: shapes.DIVERGED, FAILED: shapes.FAILED}
PROBE = "probe.json"
#: What a run leaves beside its weights, of which its summary has checksums; and all its records.
LEFT = ("history.jsonl", "environment.json", "documents.json", "texts.json")
RECORDS = ("spec.json", "summary.json", *LEFT, PROBE)
#: What its worker printed.
LOG = "log.txt"
#: How to go on without what the summary has a checksum of.
MEND_LEFT = "remove the summary.json beside it and repeat the command"


def _history_fault(history: list[Json], summary: Json) -> str | None:
    if found := fault(history, [shapes.EVALUATION]):
        return found
    if [line["epoch"] for line in history] != list(range(len(history))):
        return "its epochs do not follow one another"
    if any(after["step"] <= before["step"] for before, after in itertools.pairwise(history)):
        return "its steps do not follow one another"
    # A run that diverged did so before the evaluation of its last epoch.
    status, last = summary.get("status", ""), {FINISHED: summary.get("epochs"), DIVERGED: summary.get("epoch")}
    if (epochs := last.get(status)) is None or len(history) == (expected := epochs + (status == FINISHED)):
        return None
    return f"it has {len(history)} evaluations of {expected}"


def _documents_fault(documents: Json, summary: Json, history: list[Json]) -> str | None:
    """Where a finished run's documents do not add up to what was measured of the whole."""
    if not (documents and history and summary.get("status") == FINISHED):
        return None
    best = min((line["valid"] for line in history), key=lambda sums: sums["nats"])
    for split, whole in (("valid", best), ("test", summary["test"]["best"])):
        for name, values in documents[split].items():
            if not math.isclose(math.fsum(values), whole[name], rel_tol=ROUNDING):
                return f"its {name} of {split} add up to others than were measured"
    return None


class Records(NamedTuple):
    """What is known of a run: one of `STATUSES`, and its records, empty where there is none yet or none at all."""

    status: str
    summary: Json
    environment: Json
    documents: Json
    texts: Json
    history: list[Json]
    probe: Json


@dataclass(frozen=True)
class RunFolder:
    """One run on disk. Reading a record raises `DamagedError` where it is not what was written.

    A summary names the run that it is of and the checksum of everything that the run left, so that none of it is taken
    for another run's. Folders of earlier versions do not say.

    Attributes:
        declared: The identity of the run that its study declares there; None where no study says.
    """

    path: Path
    declared: str | None = None

    @property
    def best_weights(self) -> Path:
        """Weights of the epoch that was best on valid."""
        return self.path / "best.safetensors"

    @property
    def earlier_weights(self) -> Path:
        """Those of the epoch that was best when the last checkpoint was written, while there are better ones."""
        return self.path / "earlier.safetensors"

    @property
    def checkpoint(self) -> Path:
        """The run in the middle, while it is not over."""
        return self.path / "checkpoint.safetensors"

    @property
    def progress(self) -> Path:
        """What its worker says on another machine, while it is at work."""
        return self.path / "progress.jsonl"

    @property
    def spec(self) -> Json | None:
        """What the run computes; None before it was first started."""
        return self._read("spec.json", shapes.SPEC)

    @property
    def identity(self) -> str | None:
        """Of the run that it holds, as spec.json or else the summary says; None where neither does."""
        return (self.spec or self.summary or {}).get("identity")

    @property
    def environment(self) -> Json:
        """Where the run was computed."""
        return self._read_left("environment.json", shapes.ENVIRONMENT) or {}

    @property
    def ended(self) -> bool:
        """Whether it is over, however it ended and whatever became of its records."""
        return (self.path / "summary.json").is_file()

    @property
    def obstacle(self) -> Path | None:
        """What keeps its records from being written: a folder in the place of one, or another thing in a folder's."""
        for folder in (self.path.parent, self.path):
            if (folder.exists() or folder.is_symlink()) and not folder.is_dir():
                return folder
        weights = self.checkpoint, self.best_weights, self.earlier_weights
        files = (*(self.path / name for name in (*RECORDS, LOG)), *weights, self.progress)
        return next((path for path in files if path.is_dir()), None)

    @property
    def summary(self) -> Json | None:
        """How the run ended; None while it has not."""
        if (summary := self._read("summary.json", {"status": [*ENDINGS].__contains__})) is None:
            return None
        told = summary.get("identity")
        if told is not None and told != (self.spec or summary)["identity"]:
            raise DamagedError(self.path / "summary.json", "it is of another run than the spec.json beside it")
        return checked(summary, ENDINGS[summary["status"]], self.path / "summary.json")

    @property
    def documents(self) -> Json | None:
        """Nats and counts of every document of valid and test; None before the end."""
        if (found := self._read_left("documents.json", shapes.DOCUMENTS)) is None:
            return None
        documents = {split: {name: found[split][name] for name in shapes.BY_DOCUMENT} for split in shapes.DOCUMENTS}
        if any(len({len(values) for values in split.values()}) > 1 for split in documents.values()):
            raise DamagedError(self.path / "documents.json", "its lists are not equally long")
        return documents

    @property
    def texts(self) -> Json | None:
        """How its model goes on after some prompts; None before the end, or where that was not asked."""
        return self._read_left("texts.json", shapes.TEXTS)

    @property
    def probe(self) -> Json | None:
        """What short counter-experiments to it came to; None where there were none since it was trained."""
        found = self._read(PROBE, shapes.PROBE)
        if found and self.identity not in (None, found.get("identity")):
            raise DamagedError(self.path / PROBE, "it is of another run than the spec.json beside it")
        return found

    def history(self) -> list[Json]:
        """Every evaluation so far; a last line that was cut off while being written does not count.

        Raises:
            DamagedError: A line is no evaluation, or they are not all those that the summary speaks of.
        """
        path, summary = self.path / "history.jsonl", self.summary
        history: list[Json] = []
        try:
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.is_file() else []
            history = [json.loads(line) for line in lines if line.endswith("\n")]
            fault = _history_fault(history, summary or {})
            told = (summary or {}).get("history_sha256")
            if told is not None and not fault and told != sha256_of(path):
                fault = "its checksum is another"
        except (OSError, ValueError, RecursionError) as error:
            fault = str(error)
        if fault:
            raise DamagedError(path, fault, MEND_LEFT if summary else "it is begun anew by repeating the command")
        return history

    @property
    def status(self) -> str:
        """One of `STATUSES`."""
        return self.read().status

    def read(self) -> "Records":
        """All records together; of a run in which one is damaged, that alone.

        Of a run that is not what the study declares, and is to be done anew, there is nothing but how it ended.
        """
        try:
            return self.whole()
        except DamagedError as error:
            return Records(DAMAGED, {"error": str(error)}, {}, {}, {}, [], {})

    def whole(self) -> "Records":
        """All records together.

        Raises:
            DamagedError: One is not what was written, they contradict each other, or they are of another run.
        """
        if obstacle := self.obstacle:
            what = "it is a folder, and no file" if obstacle.is_dir() else "it is no folder"
            raise DamagedError(obstacle, what, "move it away and repeat the command")
        # Whoever has let go of the lock has written the summary, which is therefore read afterwards.
        alive = self.path.is_dir() and is_locked(self.path / "run.lock")
        summary = self.summary or {}
        history, documents = self.history(), self.documents or {}
        if fault := _documents_fault(documents, summary, history):
            raise DamagedError(self.path / "documents.json", fault)
        status = summary.get("status", RUNNING if alive else MISSING)
        if status in (FINISHED, DIVERGED):
            self.require_declared()
        elif not self._is_declared:
            return Records(status, summary, {}, {}, {}, [], {})
        return Records(status, summary, self.environment, documents, self.texts or {}, history, self.probe or {})

    @property
    def _is_declared(self) -> bool:
        return self.declared is None or self.identity in (None, self.declared)

    def require_declared(self) -> None:
        """See that it holds the run that its study declares there, as far as both tell.

        Raises:
            DamagedError: It holds another.
        """
        if not self._is_declared:
            what = "it holds another run than study.json declares, by its settings or its code"
            raise DamagedError(self.path, what, f"move it to where it belongs, or {MEND}")

    def require_left(self, path: Path, mend: str = MEND_LEFT) -> None:
        """See that a file is what the run left there when it was over, as far as its summary tells.

        Raises:
            DamagedError: It is another, or is not there; the error says how to go on.
        """
        if (told := (self.summary or {}).get(f"{path.stem}_sha256")) is None:
            return
        if not path.is_file():
            raise DamagedError(path, "it is not there", mend)
        if told != sha256_of(path):
            raise DamagedError(path, "its checksum is another", mend)

    def _read(self, name: str, shape: Shape) -> Json | None:
        path = self.path / name
        return read_json(path, shape) if path.is_file() else None

    def _read_left(self, name: str, shape: Shape) -> Json | None:
        """A record that does not go alone: where the summary tells of it, without it the run is to be done anew."""
        path = self.path / name
        self.require_left(path)
        return self._read(name, shape)

    def reopen(self) -> None:
        """Forget how an earlier try ended."""
        (self.path / "summary.json").unlink(missing_ok=True)

    def clear(self) -> None:
        """Forget an earlier try: its checkpoint first, so that nobody goes on from it, then all else that it left."""
        names = ("summary.json", *LEFT, PROBE)
        for leftover in (
            self.checkpoint,
            *(self.path / name for name in names),
            self.best_weights,
            self.earlier_weights,
        ):
            leftover.unlink(missing_ok=True)

    def start(self, spec: Json, environment: Json) -> None:
        """Begin anew: whatever an earlier try left behind is removed."""
        self.clear()
        write_record(self.path / "spec.json", spec)
        write_record(self.path / "environment.json", environment)

    @property
    def history_sha256(self) -> str:
        """The checksum of the history as it is, whatever ends its lines here."""
        return hashlib.sha256((self.path / "history.jsonl").read_text(encoding="utf-8").encode()).hexdigest()

    def go_on(self, spec: Json, environment: Json, evaluations: int, sha256: str | None) -> None:
        """Go on from a checkpoint that knew that many evaluations: later ones are cut off, to be made again.

        Args:
            spec: What the run computes.
            environment: Where.
            evaluations: How many the checkpoint knew.
            sha256: The checksum of a history of them alone; None where the checkpoint does not tell.

        Raises:
            ValueError: They are not there, or they are others.
        """
        history = self.history()
        if len(history) < evaluations:
            raise ValueError(f"its history has {len(history)} evaluations of {evaluations}")
        known = "".join(map(_as_line, history[:evaluations]))
        if sha256 not in (None, hashlib.sha256(known.encode()).hexdigest()):
            raise ValueError("its history is not what it was when the checkpoint was taken")
        self.reopen()
        write_record(self.path / "spec.json", spec)
        write_record(self.path / "environment.json", environment)
        with written_atomically(self.path / "history.jsonl") as temporary:
            temporary.write_text(known, encoding="utf-8")

    def append(self, evaluation: Json) -> None:
        """Add a line to the history and see it onto the disk."""
        with (self.path / "history.jsonl").open("a", encoding="utf-8") as file:
            file.write(_as_line(evaluation))
            file.flush()
            os.fsync(file.fileno())

    def write_documents(self, documents: Json) -> None:
        """Keep nats and counts for every document of valid and test."""
        write_record(self.path / "documents.json", documents)

    def write_texts(self, texts: Json) -> None:
        """Keep how its model goes on after some prompts."""
        write_record(self.path / "texts.json", texts)

    def write_probe(self, probe: Json) -> None:
        """Keep what short counter-experiments to it came to."""
        write_record(self.path / PROBE, ({"identity": self.identity} if self.identity else {}) | probe)

    def finish(self, summary: Json) -> None:
        """Declare the run over, with its identity if it has a result, and the checksum of everything that it left.

        A failed one keeps its checkpoint to go on from.
        """
        left = [path for name in (*LEFT, self.best_weights.name) if (path := self.path / name).is_file()]
        bound: Json = {f"{path.stem}_sha256": sha256_of(path) for path in left}
        if summary["status"] != FAILED:
            bound["identity"] = (self.spec or {}).get("identity")
        write_record(self.path / "summary.json", summary | bound)
        if summary["status"] != FAILED:
            self.tidy()

    def tidy(self) -> None:
        """Remove what a run that is over does not need; a killed process may have left it."""
        remove_leftovers(self.path)
        self.checkpoint.unlink(missing_ok=True)
        self.earlier_weights.unlink(missing_ok=True)


def _as_line(evaluation: Json) -> str:
    return json.dumps(evaluation, allow_nan=False) + "\n"
