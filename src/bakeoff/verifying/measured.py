"""What rests on the text and on the best weights: made and measured again."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from bakeoff import checkpoints, declaration, windows
from bakeoff.data import Tokens, Told, corpora
from bakeoff.errors import UserError, one_line
from bakeoff.identity import decode, encode, identity
from bakeoff.machine import compute_in_float32, resolve_device
from bakeoff.recording import Measures, by_document, tally, with_counts
from bakeoff.runner import prepare
from bakeoff.shapes import Json
from bakeoff.spec import Run, Study
from bakeoff.study_file import BUILT_IN
from bakeoff.study_folder import StudyFolder
from bakeoff.training import Evaluation, token_nats
from bakeoff.verifying.recorded import Over
from bakeoff.verifying.review import ROUNDING, WRITTEN, Difference, Review

#: By precision, what nats of the same weights may differ by, as a share: other machines add in another order.
EVALUATED = {"fp32": 1e-5, "bf16": 1e-3}
#: By how much more those of a document may, which has so few tokens that such differences do not cancel.
DOCUMENT = 10
#: By what is made again of a text what `study.json` calls it.
DECLARED = {
    "corpus": "corpus",
    "experiments": "experiments",
    "floors": "baselines",
    "tokenizer": "tokenizer_sha256",
    "texts": "texts",
}


def study_of(declared: Json, runs: Mapping[int, Run]) -> Study:
    """A study as a run of each of its experiments says, by their numbers: of those that have any."""
    budget = decode(declared["budget"], BUILT_IN)
    sizes = {
        n: None if run.budget.batch_size == budget.batch_size else run.budget.batch_size for n, run in runs.items()
    }
    experiments = tuple(
        dataclasses.replace(run.as_experiment(number), batch_size=sizes[number]) for number, run in sorted(runs.items())
    )
    corpus, seeds = next(iter(runs.values())).corpus, tuple(declared["seeds"])
    return Study(name=declared["study"], corpus=corpus, budget=budget, experiments=experiments, seeds=seeds)


def tokens_of(review: Review, folder: StudyFolder, study: Study, told: Told) -> Tokens:
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


def compare_spec(review: Review, over: Over, run: Run, study: Study) -> None:
    """Compare a run's spec with its place in the study."""
    where = over.folder.path / "spec.json"
    experiment = next(each for each in study.experiments if each.number == over.number)
    review.compare("experiments", where, over.folder.spec, {"identity": identity(run)})
    review.compare("experiments", where, over.encoded, encode(study.run(experiment, over.seed)))


def compare_counts(review: Review, over: Over, tokens: Tokens) -> None:
    """Compare the counts of every document of valid and test."""
    for split, recorded in over.records.documents.items():
        stream = tokens.splits[split]
        counts = by_document(stream, np.zeros(stream.targets, np.float32))
        del counts["nats"]
        review.compare("tokens", over.folder.path / "documents.json", {split: recorded}, {split: counts})


def compare_weights(review: Review, over: Over, run: Run, tokens: Tokens) -> None:
    """Measure the best weights of a run again, if they were kept."""
    path, budget, device = over.folder.best_weights, run.budget, device_of(over)
    if not path.is_file():
        return
    try:
        weights, facts = checkpoints.load(path)
        model = run.architecture.rebuild(tokens.vocabulary, budget.sequence_length, weights).to(device)
    except (ValueError, RuntimeError) as error:  # damaged, or of another shape
        review.differences.append(Difference(str(path), WRITTEN, one_line(error)))
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


def device_of(over: Over) -> torch.device:
    """The kind of device that a run was computed on, where it is here."""
    try:
        return resolve_device(over.records.environment.get("device", "cpu"))
    except UserError:
        return torch.device("cpu")
