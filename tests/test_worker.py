"""One run: what its folder holds when it is over, however it ended."""

import dataclasses
import itertools
import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from bakeoff import data
from bakeoff.identity import decode, identity
from bakeoff.models import GPT1
from bakeoff.optimizers import SGD, Adam, Momentum
from bakeoff.records import DIVERGED, FAILED, FINISHED, RunFolder
from bakeoff.spec import Architecture
from bakeoff.study_file import decode_run
from bakeoff.training import token_nats
from bakeoff.worker import Job, work

SUMS = {"nats", "tokens", "words", "bytes"}


@pytest.fixture(scope="module")
def run(tiny_study):
    """The study's first run, resolved as the runner would, of an LSTM that soon learns the text by heart."""
    study = tiny_study.with_shared(precision="fp32", threads=1, epochs=4)
    return dataclasses.replace(study.runs[0], optimizer=Momentum(lr=1.0), seed=3)


def worked(run, path):
    messages = []
    work(Job(run=run, folder=path, device="cpu", alone=True), messages.append)
    return RunFolder(path), messages


@pytest.fixture(scope="module")
def done(run, tmp_path_factory):
    return worked(run, tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def folder(done):
    return done[0]


@pytest.fixture(scope="module")
def tokens(run):
    return data.prepare(run.corpus, run.budget)


@pytest.mark.parametrize("source", [True, False])
def test_a_job_survives_its_line(run, tmp_path, source):
    study_file = tmp_path / "study.py"
    study_file.write_text("from bakeoff.experiments import QUICK as study\n")
    job = Job(run=run, folder=tmp_path / "ä b", device="cpu", alone=False, source=study_file if source else None)
    assert "\n" not in job.to_line()
    assert Job.from_line(job.to_line()) == job


def test_a_finished_run_is_complete(folder, run):
    names = {path.name for path in folder.path.iterdir()} - {"run.lock"}
    assert names == {
        *("spec.json", "environment.json", "history.jsonl", "documents.json", "best.safetensors", "summary.json")
    }
    assert folder.status == FINISHED
    assert folder.spec["identity"] == identity(run)
    assert decode_run(folder.spec["run"], None) == run
    assert folder.environment["torch"] == torch.__version__


def test_every_line_of_the_history_keeps_the_contract(folder):
    lines = folder.history()
    assert [line["epoch"] for line in lines] == [0, 1, 2, 3, 4]
    for line in lines:
        assert {"epoch", "step", "train_seconds", "train", "valid"} <= set(line)
        for split in ("train", "valid"):
            assert set(line[split]) == SUMS | {"deciles"}
            assert sum(line[split]["deciles"]["nats"]) == pytest.approx(line[split]["nats"], rel=1e-6)
            assert sum(line[split]["deciles"]["tokens"]) == line[split]["tokens"]
            assert len(line[split]["deciles"]["nats"]) == 10
    assert all({"running", "learning_rate", "gradient_norm"} <= set(line) for line in lines[1:])


def test_a_decile_holds_the_targets_that_are_as_frequent_in_train(folder, tokens):
    counts = np.bincount(tokens.splits["train"].tokens_N, minlength=tokens.vocabulary)
    mass, decile_of = 0, {}
    for symbol in sorted(range(len(counts)), key=lambda symbol: -counts[symbol]):
        decile_of[symbol], mass = min(9, 10 * mass // counts.sum()), mass + counts[symbol]
    targets = [decile_of[symbol] for symbol in tokens.splits["valid"].tokens_N[1:]]
    assert folder.history()[-1]["valid"]["deciles"]["tokens"] == [targets.count(decile) for decile in range(10)]


def test_training_seconds_and_steps_never_go_back(folder):
    lines = folder.history()
    assert lines[0]["train_seconds"] == lines[0]["step"] == 0
    for earlier, later in itertools.pairwise(lines):
        assert earlier["train_seconds"] < later["train_seconds"]
        assert later["step"] - earlier["step"] == lines[1]["step"]


def test_counts_are_the_corpuss_own(folder, tokens):
    for split, stream in (("train", tokens.train_sample), ("valid", tokens.splits["valid"])):
        counts = {"tokens": len(stream.tokens_N) - 1, "words": stream.words, "bytes": stream.bytes}
        assert all(counts.items() <= line[split].items() for line in folder.history())


def test_the_summary_keeps_the_contract(folder, tokens):
    summary = folder.summary
    assert {"status", "epochs", "best_epoch", "memory", "train_seconds", "tokens_per_second", "alone"} <= set(summary)
    assert set(summary["test"]) == {"best", "last"}
    assert all(set(sums) == SUMS for sums in summary["test"].values())
    assert set(summary["memory"]) >= {"average_bytes", "peak_bytes", "baseline_bytes", "kind"}
    assert summary["alone"] is True
    assert summary["epochs"] == 4
    assert summary["test"]["best"]["tokens"] == tokens.splits["test"].targets


def test_throughput_times_time_is_the_tokens_trained(folder, tokens):
    summary = folder.summary
    assert summary["tokens_per_second"] * summary["train_seconds"] == pytest.approx(4 * tokens.splits["train"].targets)
    assert summary["train_seconds"] == folder.history()[-1]["train_seconds"]


def test_documents_sum_to_their_splits(folder, tokens):
    documents = json.loads((folder.path / "documents.json").read_text())
    best = folder.history()[folder.summary["best_epoch"]]["valid"]
    for split, sums in (("valid", best), ("test", folder.summary["test"]["best"])):
        assert len(documents[split]["nats"]) == len(tokens.splits[split].starts_D)
        for key in SUMS:
            assert sum(documents[split][key]) == pytest.approx(sums[key], rel=1e-6), (split, key)


def test_the_best_weights_are_those_of_the_best_epoch_on_valid(folder, run, tokens):
    budget, valid = run.budget, [line["valid"]["nats"] for line in folder.history()]
    model = run.architecture.build(tokens.vocabulary, budget.sequence_length)
    model.load_state_dict(load_file(folder.best_weights))
    assert folder.summary["best_epoch"] == int(np.argmin(valid))
    for split, recorded in (("valid", min(valid)), ("test", folder.summary["test"]["best"]["nats"])):
        nats = token_nats(model, tokens.splits[split], budget, torch.device("cpu"))
        assert nats.sum(dtype=np.float64) == pytest.approx(recorded, rel=1e-6)


def test_where_an_earlier_epoch_was_best_its_weights_are_kept_and_the_last_are_measured_too(run, tmp_path):
    worsening = dataclasses.replace(run.budget, schedule="constant", epochs=1)
    gpt1 = GPT1(width=16, heads=2)
    folder, _ = worked(dataclasses.replace(run, architecture=gpt1, optimizer=Adam(lr=10.0), budget=worsening), tmp_path)
    valid = [line["valid"]["nats"] for line in folder.history()]
    assert folder.status == FINISHED
    assert valid[0] < valid[1]
    assert folder.summary["best_epoch"] == 0
    assert folder.summary["test"]["best"]["nats"] < folder.summary["test"]["last"]["nats"]


def test_progress_tells_the_start_every_evaluation_and_the_end(done):
    _, messages = done
    events = [message["event"] for message in messages if message["event"] != "step"]
    assert events == ["start", *["evaluation"] * 5, "end"]
    assert messages[0]["steps"] == messages[-2]["step"]
    assert messages[-1] == {"event": "end", "status": FINISHED, "error": None}


def test_a_diverging_run_is_recorded_with_the_history_until_then(run, tmp_path):
    wild = dataclasses.replace(run.budget, clip=None)
    folder, messages = worked(dataclasses.replace(run, optimizer=SGD(lr=1e30), budget=wild), tmp_path)
    assert folder.status == messages[-1]["status"] == DIVERGED
    assert folder.summary["epoch"] == 1
    assert folder.summary["step"] >= 1
    assert "not finite" in folder.summary["error"]
    assert [line["epoch"] for line in folder.history()] == [0]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Unbuildable(Architecture):
    name = "unbuildable"
    title = "Unbuildable"

    def build(self, vocabulary, sequence_length):
        raise MemoryError if self.layers == 2 else RuntimeError("first line\nsecond line")


@pytest.mark.parametrize(("layers", "reason"), [(1, "RuntimeError: first line"), (2, "out of memory: ")])
def test_a_run_that_cannot_be_trained_is_recorded_as_failed_with_its_reason(run, tmp_path, layers, reason):
    folder, messages = worked(dataclasses.replace(run, architecture=Unbuildable(layers=layers)), tmp_path)
    assert folder.status == messages[-1]["status"] == FAILED
    assert folder.summary["error"] == reason
    assert "Traceback" in folder.summary["traceback"]
    assert folder.history() == []


def test_a_second_try_leaves_nothing_of_the_first(run, tmp_path):
    worked(dataclasses.replace(run, architecture=Unbuildable()), tmp_path)
    (tmp_path / "history.jsonl").write_text('{"epoch": 77}\n')
    folder, _ = worked(dataclasses.replace(run, budget=dataclasses.replace(run.budget, epochs=1)), tmp_path)
    assert folder.status == FINISHED
    assert folder.history()[0]["epoch"] == 0


def test_a_worker_ends_at_once_when_its_parent_is_gone(run, tmp_path):
    long = dataclasses.replace(run.budget, epochs=100_000)
    job = Job(run=dataclasses.replace(run, budget=long), folder=tmp_path, device="cpu", alone=True)
    command = [sys.executable, "-m", "bakeoff.worker"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        process.stdin.write(job.to_line() + "\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["event"] == "start"
        process.stdin.close()
        process.stdout.read()
        assert process.wait(10) != 0
    assert RunFolder(tmp_path).summary is None
    assert RunFolder(tmp_path).status == "missing"


def test_an_option_added_later_with_a_default_keeps_old_runs_readable(run, folder):
    old = json.loads(json.dumps(folder.spec["run"]))
    del old["architecture"]["dropout"]
    assert identity(decode_run(old, None)) == identity(run)
    with pytest.raises(KeyError):
        decode(old, {})
