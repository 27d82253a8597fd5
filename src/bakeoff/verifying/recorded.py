"""What run folders tell: that it is what was written, and that its parts add up."""

import functools
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bakeoff.files import sha256_of
from bakeoff.records import DamagedError, read_json
from bakeoff.run_folder import DIVERGED, FINISHED, RECORDS, Records, RunFolder
from bakeoff.shapes import CHECKSUM, LOOKS, Json
from bakeoff.study_folder import StudyFolder
from bakeoff.verifying.review import ROUNDING, Review

#: The counts of a split.
COUNTS = ("tokens", "words", "bytes")


@dataclass(frozen=True, kw_only=True)
class Over:
    """A run that finished or diverged, as its folder has it."""

    study: StudyFolder
    number: int
    seed: int
    folder: RunFolder
    records: Records

    @property
    def encoded(self) -> Json:
        """What it computes."""
        spec: Json = (self.folder.spec or {})["run"]
        return spec

    @property
    def seconds(self) -> float:
        """What it took where it was computed."""
        told = dict(*self.records.history[-1:]) | self.records.summary
        others = ("processor_seconds", "unix_seconds")  # of all threads; when it was
        return math.fsum(value for key, value in told.items() if key.endswith("_seconds") and key not in others)


def read(review: Review, study: StudyFolder) -> list[Over]:
    """Read all records of a study; the runs that are over, and whose records are what was written, if they can tell."""
    try:
        declared, runs = study.declared, list(study.declared_runs())
        judged = list(study.undeclared_runs())
    except DamagedError as error:
        review.note_damage(error)
        return []
    for name, checksum in (declared.get("code") or {}).items():
        review.compare("records", study.code / name, checksum, sha256_there(study.code / name))
    if study.tokenizer.is_file() and declared.get("tokenizer_sha256"):
        review.compare("records", study.tokenizer, declared["tokenizer_sha256"], sha256_there(study.tokenizer))
    over, files = list[Over](), [study.path / "study.json", *_looks(review, study)]
    for experiment, seed, folder in [*runs, *judged]:
        faults = list(_faults(folder))
        for fault in faults:
            review.note_damage(fault)
        if not faults and (records := folder.read()).status in (FINISHED, DIVERGED):
            over.append(Over(study=study, number=experiment["number"], seed=seed, folder=folder, records=records))
            files += [path for name in RECORDS if (path := folder.path / name).is_file()]
    bare = [path for path in files if not _has_checksum(path)]
    review.checked["records"] += len(files) - len(bare)
    if bare:
        why = "have no checksum, as those of earlier versions"
        review.not_checked.append(f"{study.path}: whether {len(bare)} records are what was written: they {why}")
    if declared.get("tuning"):
        told = "the trials that led to its learning rates: they are studies of their own"
        review.not_checked.append(f"{study.path}: {told}")
    if left := len(runs) - sum(run.seed in declared["seeds"] for run in over):
        others = f"{left} of {len(runs)} declared runs"
        review.not_checked.append(f"{study.path}: {others}, which are missing, running, failed or damaged")
    return over


def _looks(review: Review, study: StudyFolder) -> Iterator[Path]:
    """The records of comparisons that are what a judge wrote."""
    for path in sorted(study.path.glob(study.looks_of("*", "*").name)):
        review.not_checked.append(f"{path}: when its looks were declared; `bakeoff judge` gives its verdict again")
        if fault := _fault(functools.partial(read_json, path, LOOKS)):
            review.note_damage(fault)
        else:
            yield path


def _faults(folder: RunFolder) -> Iterator[DamagedError]:
    """What is wrong with each record of a run, or with what they tell together."""
    reading: list[Callable[[], object]] = [
        lambda: folder.spec,
        lambda: folder.environment,
        lambda: folder.documents,
        lambda: folder.texts,
        folder.history,  # and the summary, which has its checksum
    ]
    faults = [fault for read in reading if (fault := _fault(read))]
    yield from faults or filter(None, [_fault(folder.whole)])
    if folder.ended and not (folder.path / "spec.json").is_file():
        yield DamagedError(folder.path / "spec.json", "it is not there")


def _fault(read: Callable[[], object]) -> DamagedError | None:
    try:
        read()
    except DamagedError as error:
        return error
    return None


def sha256_there(path: Path) -> str:
    """The checksum of a file, or that there is none."""
    return sha256_of(path) if path.is_file() else "no such file"


def _has_checksum(path: Path) -> bool:
    """Whether a whole record has one; that of a history is in the summary."""
    beside, key = (path, CHECKSUM) if path.suffix == ".json" else (path.with_name("summary.json"), "history_sha256")
    return key in json.loads(beside.read_text(encoding="utf-8"))


def add_up(review: Review, run: Over) -> None:
    """Add up what the records of a run tell in parts and as a whole; its counts are those of the floors."""
    history, documents, summary = run.records.history, run.records.documents, run.records.summary
    path, floor = run.folder.path, run.study.declared["baselines"][0]
    counts = {split: {key: floor[split][key] for key in COUNTS} for split in ("train", "valid", "test")}
    for line in history:
        where = f"{path / 'history.jsonl'}, epoch {line['epoch']}"
        for split in ("train", "valid"):
            review.compare("sums", where, {split: line[split]}, {split: counts[split]})
            if deciles := line[split].get("deciles"):
                added = {split: {key: math.fsum(deciles[key]) for key in ("nats", "tokens")}}
                review.compare("sums", where, {split: line[split]}, added, share=ROUNDING)
    if summary["status"] != FINISHED:
        return
    best = min(history, key=lambda line: line["valid"]["nats"])
    measured = {"best_epoch": best["epoch"], "test": {"best": counts["test"], "last": counts["test"]}}
    review.compare("sums", path / "summary.json", summary, measured)
    if documents:
        added = {split: {key: math.fsum(values) for key, values in documents[split].items()} for split in documents}
        whole = {"valid": best["valid"], "test": summary["test"]["best"]}
        review.compare("sums", path / "documents.json", added, whole, share=ROUNDING)
