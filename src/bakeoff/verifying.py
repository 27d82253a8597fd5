"""A reviewer's check of study folders: every number made again from what it was made of, and one run trained again.

Nothing is written in them: the rest lies in temporary folders, and what is made of texts in the cache.
"""

import contextlib
import dataclasses
import json
import math
import re
import secrets
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch

from bakeoff import checkpoints, declaration, windows, words
from bakeoff.data import Tokens, Told, corpora
from bakeoff.errors import UserError
from bakeoff.files import sha256_of
from bakeoff.identity import decode, encode, identity
from bakeoff.loading import decoded_run
from bakeoff.measure import compute_in_float32, resolve_device
from bakeoff.recording import Measures, by_document, tally, with_counts
from bakeoff.records import (
    CHECKSUM,
    DIVERGED,
    FINISHED,
    MISSING,
    DamagedError,
    Records,
    RunFolder,
    StudyFolder,
    find_studies,
)
from bakeoff.report.build import MANIFEST, PAGE, build
from bakeoff.runner import Observer, Session, prepare
from bakeoff.spec import Experiment, Run, Study
from bakeoff.study_file import BUILT_IN, foreign_types
from bakeoff.training import Evaluation, token_nats

Json = dict[str, Any]
#: How far a run is trained again: not at all, to the end of its first epoch, or whole.
HowFar = Literal["not", "first epoch", "whole"]

#: Sums of the same numbers in another order, as a share.
ROUNDING = 1e-9
#: By precision, what nats of the same weights may differ by, as a share: other machines add in another order.
EVALUATED = {"fp32": 1e-5, "bf16": 1e-3}
#: By how much more those of a document may, which has so few tokens that such differences do not cancel.
DOCUMENT = 10
#: What losses of a run that is trained again may differ by, as a share, where the same bits are not promised: as much
#: as another seed changes them.
TRAINED = 0.005
#: What of an environment has to be the same for a run to have the same bits again.
PLACE = ("sources", "python", "torch", "numpy", "processor", "device", "device_name")
#: The records of a run, the counts of a split, and by what is made again of a text what `study.json` calls it.
RECORDS = ("spec.json", "environment.json", "summary.json", "documents.json", "texts.json", "history.jsonl")
COUNTS = ("tokens", "words", "bytes")
DECLARED = {"corpus": "corpus", "experiments": "experiments", "floors": "baselines"}
DECLARED |= {"tokenizer": "tokenizer_sha256", "texts": "texts"}
#: Stands for a file's content where that is not what was written.
WRITTEN = "what was written"
#: What is measured anew with every training.
MEASURED = re.compile(r".*seconds|memory|alone|tokens_per_second|resumed_at_step|(history|environment)_sha256")
#: The parts of a report that are read line by line; the others show the same as pictures or in print.
READ = (".json", ".csv", ".md", ".tex", ".html", ".svg")
#: What a report calls its study's folder, which whoever has a copy may have renamed.
PLACED = re.compile(r"\bruns/([\w.-]+)/")
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
#: Characters that are shown of a line that differs, and how many of them before the first difference.
SHOWN, BEFORE = 80, 20


class Difference(NamedTuple):
    """What stands somewhere, in a file and at a place in it, and what should, by that of which it was made."""

    where: str
    recorded: Any
    rebuilt: Any


@dataclass(frozen=True)
class Review:
    """What was found.

    Attributes:
        checked: How many numbers, or files, of each kind were compared, whatever came out.
        differences: Those that are not what they should be.
        not_checked: What could not be compared, and why.
    """

    checked: Counter[str] = field(default_factory=Counter)
    differences: list[Difference] = field(default_factory=list)
    not_checked: list[str] = field(default_factory=list)

    def compare(
        self,
        what: str,
        where: Path | str,
        recorded: Any,  # noqa: ANN401 (plain data)
        rebuilt: Any,  # noqa: ANN401
        share: float = 0.0,
    ) -> None:
        """Compare all that both have; numbers may differ by a share of the larger one."""
        for place, old, new in _both(recorded, rebuilt):
            self.checked[what] += 1
            numbers = isinstance(old, int | float) and isinstance(new, int | float)
            if old != new and not (numbers and math.isclose(old, new, rel_tol=share)):
                self.differences.append(Difference(": ".join(filter(None, (str(where), place))), old, new))

    @contextlib.contextmanager
    def attempting(self, what: str) -> Iterator[None]:
        """Around what may fail, as it rests on records that anyone may have changed: then it was not checked."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 (whatever they, or a model of one's own, lead to)
            why = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
            if (told := f"{what}: {why}") not in self.not_checked:
                self.not_checked.append(told)

    def note_damage(self, error: DamagedError) -> None:
        """Take note, once, of a file that is not what was written."""
        found = Difference(str(error.path), WRITTEN, error.what)
        if found not in self.differences:
            self.differences.append(found)

    def as_json(self) -> Json:
        """What `bakeoff verify --json` prints."""
        differences = [difference._asdict() for difference in self.differences]
        return {"checked": dict(+self.checked), "differences": differences, "not_checked": self.not_checked}


def _both(recorded: Any, rebuilt: Any, place: str = "") -> Iterator[tuple[str, Any, Any]]:  # noqa: ANN401
    """Each place that both have, with what they have there; of lists that are not equally long, their lengths."""
    if recorded is None:  # by an earlier version, or as it could not be measured: nothing is claimed
        return
    if isinstance(recorded, dict) and isinstance(rebuilt, dict):
        for key in recorded:
            if key in rebuilt and not MEASURED.fullmatch(str(key)):
                yield from _both(recorded[key], rebuilt[key], f"{place}.{key}".lstrip("."))
    elif isinstance(recorded, list) and isinstance(rebuilt, list):
        if len(recorded) == len(rebuilt):
            for number, pair in enumerate(zip(recorded, rebuilt, strict=True)):
                yield from _both(*pair, f"{place}[{number}]")
        else:
            yield place, f"{len(recorded)} items", f"{len(rebuilt)} items"
    else:
        yield place, recorded, rebuilt


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


class Verification:
    """A check on its way: all records are read at once, the rest is done when it is asked for.

    Args:
        path: A study's folder, or a folder of studies.
        number: The experiment of which a run is to be trained again; None for any.
        seed: The run's; None for any.
        training: How far one is to be trained again.
        trust: Whether study files that are kept with the studies may be executed, where runs need them.

    Attributes:
        review: What was found so far.
        studies: Those of the folder.
        over: The runs that are over, and whole.
        again: The one of them that is to be trained again.
        training: How far.

    Raises:
        UserError: There is no study, no run that is over, or none of that number and seed.
    """

    def __init__(
        self,
        path: Path,
        *,
        number: int | None = None,
        seed: int | None = None,
        training: HowFar = "whole",
        trust: bool = False,
    ) -> None:
        self.review, self.training, self.trust = Review(), training, trust
        self.studies = find_studies(path)
        self.over = [run for study in self.studies for run in _records(self.review, study)]
        if not self.over and not self.review.differences:
            raise UserError(f"no run in {path} is over, so there is nothing to verify: bakeoff run trains them")
        self.again = self._chosen(number, seed) if training != "not" else None
        if not self.again:
            self.review.not_checked.append("whether a run comes to the same again: none was trained")
        self._session: tuple[Session, Run] | None = None

    def _chosen(self, number: int | None, seed: int | None) -> Over | None:
        """The run that is named, or one that is drawn anew each time, so that nobody knows before which it will be."""
        able = [run for run in self.over if number in (None, run.number) and seed in (None, run.seed)]
        if not able and self.over:
            known = ", ".join(dict.fromkeys(f"{run.number} (seed {run.seed})" for run in self.over))
            raise UserError(f"no run of that number and seed is over and undamaged: choose among {known}")
        if number is None:
            able = [run for run in able if self.trust or not foreign_types(run.encoded)]
        elif len({run.study for run in able}) > 1:
            raise UserError("--run names an experiment of one study, and here are several: give the folder of one")
        return secrets.choice(able) if able else None

    def rebuild(self, told: Told) -> None:
        """Make everything but a run again.

        Args:
            told: Is told what is being done, and the share that is done, if it is known.
        """
        for study in self.studies:
            over = [run for run in self.over if run.study == study]
            told(f"{study.path}: the report", None)
            with self.review.attempting(f"{study.path}, its report"):
                _report(self.review, study)
            for run in over:
                _sums(self.review, run)
            with self.review.attempting(f"{study.path}, what rests on its text"):
                self._measure(study, over, told)
        self.review.not_checked.append("seconds and memory: they come out otherwise each time")

    def _measure(self, folder: StudyFolder, over: list[Over], told: Told) -> None:
        """Make again what rests on the text, and on the best weights."""
        review, runs = self.review, list[tuple[Over, Run, Path | None]]()
        for each in over:
            with review.attempting(f"{each.folder.path.parent}, all but its records"):
                runs.append((each, *decoded_run(each.folder, folder, trust=self.trust)))
        if not runs:
            return
        study = _study(folder.declared, {each.number: run for each, run, _ in reversed(runs)})
        tokens = _tokens(review, folder, study, told)
        for done, (each, run, source) in enumerate(runs):
            told(f"{each.folder.path}: its best weights", done / len(runs))
            with review.attempting(f"{each.folder.path}, its best weights"):
                _spec(review, each, run, study)
                _counts(review, each, tokens)
                _weights(review, each, run, tokens)
            if each is self.again:
                session = Session(
                    study=study, declared=study, folder=folder, tokens=tokens, device=_device(each), source=source
                )
                self._session = session, run
        if gone := sum(not each.folder.best_weights.is_file() for each, _, _ in runs):
            review.not_checked.append(f"{folder.path}: the best weights of {words.plural(gone, 'run')}: not there")

    @property
    def to_train(self) -> Run | None:
        """The run that `train` trains; None where there is none, or its text or its code could not be had."""
        return self._session[1] if self._session else None

    def train(self, observer: Observer) -> None:
        """Train the chosen run again, from its seed, in a temporary folder, and compare what it says.

        Args:
            observer: Is told of it.
        """
        assert self.again
        assert self._session
        session, run = self._session

        def told(run: Run, message: Json) -> None:
            observer(run, message)
            if self.training == "first epoch" and message["event"] == "evaluation" and message["epoch"] > 0:
                raise _FarEnoughError

        with tempfile.TemporaryDirectory(prefix="bakeoff-verify-") as temporary:
            elsewhere = dataclasses.replace(session, folder=StudyFolder(Path(temporary)))
            with contextlib.suppress(_FarEnoughError):
                elsewhere.run([run], 1, told)
            with self.review.attempting(f"{self.again.folder.path}, trained again"):
                _training(self.review, self.again, run, elsewhere.folder.run(run.slug), whole=self.training == "whole")


class _FarEnoughError(Exception):
    """The run that is trained again has come as far as was asked for."""


def _records(review: Review, study: StudyFolder) -> list[Over]:
    """Read all records of a study; the runs that are over, and whose records are what was written, if they can tell."""
    try:
        declared, runs = study.declared, list(study.declared_runs())
        judged = list(study.undeclared_runs())
    except DamagedError as error:
        review.note_damage(error)
        return []
    for name, checksum in (declared.get("code") or {}).items():
        review.compare("records", study.code / name, checksum, _sha256(study.code / name))
    if study.tokenizer.is_file() and declared.get("tokenizer_sha256"):
        review.compare("records", study.tokenizer, declared["tokenizer_sha256"], _sha256(study.tokenizer))
    over, files = list[Over](), [study.path / "study.json"]
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
    _note_past(review, study, declared)
    if left := len(runs) - sum(run.seed in declared["seeds"] for run in over):
        others = f"{left} of {len(runs)} declared runs"
        review.not_checked.append(f"{study.path}: {others}, which are missing, running, failed or damaged")
    return over


def _note_past(review: Review, study: StudyFolder, declared: Json) -> None:
    """Say what went before the runs, and cannot be read off them."""
    if declared.get("tuning"):
        review.not_checked.append(
            f"{study.path}: the trials that led to its learning rates: they are studies of their own"
        )
    for path in sorted(study.path.glob(study.looks_of("*", "*").name)):
        review.not_checked.append(f"{path}: when its looks were declared; `bakeoff judge` gives its verdict again")


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


def _sha256(path: Path) -> str:
    return sha256_of(path) if path.is_file() else "no such file"


def _has_checksum(path: Path) -> bool:
    """Whether a whole record has one; that of a history is in the summary."""
    beside, key = (path, CHECKSUM) if path.suffix == ".json" else (path.with_name("summary.json"), "history_sha256")
    return key in json.loads(beside.read_text(encoding="utf-8"))


def _sums(review: Review, run: Over) -> None:
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


def _report(review: Review, study: StudyFolder) -> None:
    """Write the report again, elsewhere, and compare it line by line."""
    recorded = study.report
    if not (recorded / PAGE).is_file():
        review.not_checked.append(f"{study.path}: a report; none was written there")
        return
    if any(found.recorded == WRITTEN and Path(found.where).is_relative_to(study.path) for found in review.differences):
        review.not_checked.append(f"{recorded}: it is made of records that are not what was written")
        return
    page, before = (recorded / PAGE).read_text(encoding="utf-8", errors="replace"), len(review.differences)
    with tempfile.TemporaryDirectory(prefix="bakeoff-verify-") as temporary:
        rebuilt, here, named = Path(temporary, "report"), study.path.resolve(), study
        if (called := next(iter(PLACED.findall(page)), here.name)) != here.name:
            named = StudyFolder(Path(temporary, "study", called))
            named.path.mkdir(parents=True)
            for each in here.iterdir():
                (named.path / each.name).symlink_to(each)
        built = build(named, rebuilt, beside_published='<section id="published"' in page)
        names = (rebuilt / MANIFEST).read_text(encoding="utf-8").splitlines()
        for name in sorted(names):
            if name[0] != "." and name.endswith(READ):
                _lines(review, recorded / name, rebuilt / name)
    review.not_checked.extend(f"{recorded}: {reason}" for reason in built.failed)
    review.not_checked.append(f"{recorded}: its PDF and its pictures in PNG, which show the same once more")
    if len(review.differences) > before:
        review.not_checked.append(f"{recorded}: which version wrote it; another may say the same in other words")
        written = (recorded / PAGE).stat().st_mtime
        records = (path for path in sorted(study.path.rglob("*.json")) if not path.is_relative_to(recorded))
        if newer := next((path for path in records if path.stat().st_mtime > written), None):
            review.not_checked.append(
                f"{recorded}: whether it was right when it was written, as {newer} is newer: "
                f"`bakeoff report {study.path}` writes it anew"
            )


def _lines(review: Review, recorded: Path, rebuilt: Path) -> None:
    """Compare two texts; numbers may differ by rounding."""
    if not recorded.is_file():
        review.differences.append(Difference(str(recorded), "no such file", "a part of the report"))
        return
    old_text, new_text = (path.read_text(encoding="utf-8", errors="replace") for path in (recorded, rebuilt))
    review.checked["report"] += len(NUMBER.findall(new_text))
    old_lines, new_lines = old_text.splitlines(), new_text.splitlines()
    if len(old_lines) != len(new_lines):
        review.differences.append(Difference(str(recorded), f"{len(old_lines)} lines", f"{len(new_lines)} lines"))
        return
    for number, (old, new) in enumerate(zip(old_lines, new_lines, strict=True), start=1):
        if old != new and not _same_but_for_rounding(old, new):
            apart = next(place for place, (a, b) in enumerate(zip_longest(old, new)) if a != b)
            shown = slice(max(0, apart - BEFORE), max(0, apart - BEFORE) + SHOWN)
            review.differences.append(Difference(f"{recorded}, line {number}", old[shown], new[shown]))


def _same_but_for_rounding(old: str, new: str) -> bool:
    numbers = zip(NUMBER.findall(old), NUMBER.findall(new), strict=False)
    return NUMBER.split(old) == NUMBER.split(new) and all(
        math.isclose(float(a), float(b), rel_tol=ROUNDING) for a, b in numbers
    )


def _study(declared: Json, runs: Mapping[int, Run]) -> Study:
    """A study as a run of each of its experiments says, by their numbers: of those that have any."""
    budget = decode(declared["budget"], BUILT_IN)
    experiments = tuple(
        Experiment(
            number=number,
            architecture=run.architecture,
            optimizer=run.optimizer,
            batch_size=None if run.budget.batch_size == budget.batch_size else run.budget.batch_size,
            code=run.code,
        )
        for number, run in sorted(runs.items())
    )
    corpus, seeds = next(iter(runs.values())).corpus, tuple(declared["seeds"])
    return Study(name=declared["study"], corpus=corpus, budget=budget, experiments=experiments, seeds=seeds)


def _tokens(review: Review, folder: StudyFolder, study: Study, told: Told) -> Tokens:
    """Read the text again, and compare what is declared of it, its tokenizer, its floors, and the experiments."""
    declared, where = folder.declared, folder.path / "study.json"
    told(f"{study.corpus.name}: its checksum", None)
    text = corpora.load(dataclasses.replace(study.corpus, sha256=None))
    review.compare("corpus", where, {"corpus": declared["corpus"]}, {"corpus": {"sha256": text.sha256}})
    if study.corpus.path is None:
        _ = text.splits  # a built-in corpus is compared with its checksum when it is read
    tokens = prepare(study.corpus, study.budget, told)
    made = declaration.declare(study, tokens, study, None)
    for what, name in DECLARED.items():
        recorded, rebuilt = ({name: _by_name(each.get(name))} for each in (declared, made))
        review.compare(what, where, recorded, rebuilt, share=ROUNDING)
    return tokens


def _by_name(entries: Any) -> Any:  # noqa: ANN401 (plain data)
    """A list of experiments or floors by what they are called: not all are known in every version."""
    named = isinstance(entries, list)
    return {entry.get("number", entry.get("name")): entry for entry in entries} if named else entries


def _spec(review: Review, over: Over, run: Run, study: Study) -> None:
    """Compare a run's spec with its place in the study."""
    where = over.folder.path / "spec.json"
    experiment = next(each for each in study.experiments if each.number == over.number)
    review.compare("experiments", where, over.folder.spec, {"identity": identity(run)})
    review.compare("experiments", where, over.encoded, encode(study.run(experiment, over.seed)))


def _counts(review: Review, over: Over, tokens: Tokens) -> None:
    """Compare the counts of every document of valid and test."""
    for split, recorded in over.records.documents.items():
        stream = tokens.splits[split]
        counts = by_document(stream, np.zeros(stream.targets, np.float32))
        del counts["nats"]
        review.compare("tokens", over.folder.path / "documents.json", {split: recorded}, {split: counts})


def _weights(review: Review, over: Over, run: Run, tokens: Tokens) -> None:
    """Measure the best weights of a run again, if they were kept."""
    path, budget, device = over.folder.best_weights, run.budget, _device(over)
    if not path.is_file():
        return
    try:
        weights, facts = checkpoints.load(path)
        model = run.architecture.rebuild(tokens.vocabulary, budget.sequence_length, weights).to(device)
    except (ValueError, RuntimeError) as error:  # damaged, or of another shape
        review.differences.append(Difference(str(path), WRITTEN, " ".join(str(error).split())))
        return
    torch.set_num_threads(budget.threads or 1)
    compute_in_float32()
    measures, test = Measures(tokens), tokens.splits["test"]
    nats = {
        split: token_nats(model, each, budget, device) for split, each in (measures.streams | {"test": test}).items()
    }
    share, records = EVALUATED[budget.precision], over.records
    best = min(records.history, key=lambda line: line["valid"]["nats"])
    again = Evaluation(epoch=facts["epoch"], step=best["step"], nats=nats, trained=None, samples=())
    line = measures.line(again, budget.clip)
    where = f"{over.folder.path / 'history.jsonl'}, epoch {best['epoch']}"
    review.compare("weights", where, best, {key: line[key] for key in ("epoch", "train", "valid")}, share=share)
    mixed = with_counts(tokens, budget.sequence_length, nats) or {}
    otherwise = windows.measured(model, test, nats["test"], budget, device)
    summary = {
        "test": {"best": tally(test, nats["test"]).sums()},
        "with_counts": {key: mixed[key] for key in mixed if key != "weight"},
        "windows": {name: tally(test, each).sums() for name, each in otherwise.items()},
    }
    review.compare("weights", over.folder.path / "summary.json", records.summary, summary, share=share)
    documents = {split: {"nats": by_document(tokens.splits[split], nats[split])["nats"]} for split in ("valid", "test")}
    review.compare("weights", over.folder.path / "documents.json", records.documents, documents, share=DOCUMENT * share)


def _device(over: Over) -> torch.device:
    """The kind of device that a run was computed on, where it is here."""
    try:
        return resolve_device(over.records.environment.get("device", "cpu"))
    except UserError:
        return torch.device("cpu")


def _training(review: Review, over: Over, run: Run, again: RunFolder, *, whole: bool) -> None:
    """Compare a run with what came of training it again, or of its beginning where that was stopped on purpose."""
    records, made, path = over.records, again.read(), over.folder.path
    beginning = not whole and len(made.history) > 1  # also of a run that was over before it could be stopped
    if made.status not in (FINISHED, DIVERGED) and not beginning:
        raise UserError(made.summary.get("error", made.status))
    why = _not_to_the_bit(over, run, made.environment)
    if beginning:
        review.not_checked.append(f"{path}, trained again past its first epoch: that was not asked for")
        records, made = (
            each._replace(status=MISSING, summary={}, documents={}, texts={}, history=each.history[:2])
            for each in (records, made)
        )
    if not why:
        review.compare("trained", path / "history.jsonl", records.history, made.history)
        review.compare("trained", path / "summary.json", records.summary, made.summary)
        review.compare("trained", path / "documents.json", records.documents, made.documents)
        review.compare("trained", path / "texts.json", records.texts, made.texts)
        if not beginning and over.folder.best_weights.is_file():
            kept, made_again = _sha256(over.folder.best_weights), _sha256(again.best_weights)
            review.compare("trained", over.folder.best_weights, kept, made_again)
        return
    review.not_checked.append(
        f"{path}, trained again to the bit: {words.joined(why)}; its losses may differ by {words.percent(TRAINED)}"
    )
    review.compare("trained", path / "summary.json", {"status": records.status}, {"status": made.status})
    review.compare("trained", path / "history.jsonl", _losses(records), _losses(made), share=TRAINED)


def _not_to_the_bit(over: Over, run: Run, here: Json) -> list[str]:
    """Why a run may have other bits than before."""
    there = over.records.environment
    told = {key: (there.get(key, "not recorded"), here[key]) for key in PLACE}
    why = [f"{key} was {before} and is {now}" for key, (before, now) in told.items() if before != now]
    if run.budget.compiles(run.architecture):
        why.append("it is compiled")
    if here["device"] != "cpu":
        why.append(f"it is computed on {here['device']}")
    return why


def _losses(records: Records) -> Json:
    """What a run reached, in nats per token."""
    splits = {
        f"epoch {line['epoch']}": {split: line[split] for split in ("train", "valid")} for line in records.history
    }
    found = splits | {"test": records.summary.get("test") or {}}
    return {
        place: {name: sums["nats"] / sums["tokens"] for name, sums in each.items()} for place, each in found.items()
    }
