"""A run that is stopped anywhere and goes on ends as if nothing had happened."""

import dataclasses
import functools
import json
import time

import numpy as np
import psutil
import pytest
import torch

from bakeoff import checkpoints, data, worker
from bakeoff.files import write_json
from bakeoff.measure import Clock, resolve_device
from bakeoff.models import GPT1, LSTM
from bakeoff.optimizers import OPTIMIZERS, SCHEDULES
from bakeoff.records import FAILED, FINISHED, RunFolder
from bakeoff.training import Training, token_nats
from bakeoff.worker import Job, work

CPU = resolve_device("cpu")
MODELS = {
    "lstm": LSTM(layers=2, embedding=16, hidden=16, dropout=0.3),
    "gpt1": GPT1(width=16, heads=2, dropout=0.3),
}


class KilledError(BaseException):
    """Nothing in the code under test may catch it: it stands for a SIGKILL."""


@pytest.fixture(scope="module")
def tokens(tiny_study):
    return data.prepare(tiny_study.corpus, tiny_study.budget)


def training_of(tiny_study, tokens, architecture, optimizer, **hooks):
    torch.manual_seed(0)
    budget, train = tiny_study.budget, tokens.splits["train"]
    model = architecture.build(tokens.vocabulary, budget.sequence_length)
    steps = budget.epochs * -(-train.sequences(budget.sequence_length) // budget.batch_size)
    return Training(
        model=model,
        optimizer=optimizer.build(model),
        schedule=SCHEDULES["linear"](steps),
        train=train,
        measured=hooks.pop("measured", {"train": tokens.train_sample, "valid": tokens.splits["valid"]}),
        budget=budget,
        seed=3,
        device=CPU,
        clock=hooks.pop("clock", Clock()),
        **hooks,
    )


def weights(training):
    return {name: tensor.clone() for name, tensor in training.model.state_dict().items()}


def same(ones, others):
    return ones.keys() == others.keys() and all(torch.equal(ones[name], others[name]) for name in ones)


def facts(evaluation):
    trained = evaluation.trained
    record = trained and (trained.nats, trained.tokens, trained.learning_rate, trained.gradient_norms.tolist())
    return evaluation.epoch, evaluation.step, {name: nats.tolist() for name, nats in evaluation.nats.items()}, record


@pytest.fixture(scope="module")
def beginning(tiny_study, tokens):
    def of(model, optimizer):
        return functools.partial(training_of, tiny_study, tokens, MODELS[model], OPTIMIZERS[optimizer](lr=0.01))

    return of


@pytest.fixture(scope="module")
def undisturbed(beginning):
    """Facts of every evaluation and the last weights, for each model and optimizer; computed once."""
    known = {}

    def run(model, optimizer):
        if (model, optimizer) not in known:
            training = beginning(model, optimizer)()
            known[model, optimizer] = [facts(e) for e in training.evaluations()], weights(training)
        return known[model, optimizer]

    return run


def stopped_at(begin, stop, path):
    """Begin a training that writes a checkpoint at that step, then dies."""

    def on_step(step, loss):
        if step == stop:
            checkpoints.save(path, training.state())
            raise KilledError

    training = begin(on_step=on_step)
    with pytest.raises(KilledError):
        list(training.evaluations())
    return training


@pytest.fixture(params=[(model, optimizer) for model in MODELS for optimizer in OPTIMIZERS], ids="-".join)
def kind(request):
    return request.param


@pytest.mark.parametrize("stop", ["first", "middle", "last of an epoch", "second epoch"])
def test_a_run_goes_on_to_the_bit_from_any_step(beginning, undisturbed, kind, stop, tmp_path):
    evaluations, last = undisturbed(*kind)
    epoch = evaluations[1][1]
    step = {"first": 1, "middle": epoch // 2, "last of an epoch": epoch, "second epoch": epoch + 3}[stop]
    path = tmp_path / "checkpoint.safetensors"
    stopped_at(beginning(*kind), step, path)

    resumed = beginning(*kind)()
    torch.manual_seed(99)
    resumed.restore(checkpoints.load(path))
    expected = [evaluation for evaluation in evaluations if evaluation[1] >= step]
    assert [facts(evaluation) for evaluation in resumed.evaluations()] == expected
    assert same(weights(resumed), last)


def test_a_run_goes_on_from_between_two_epochs(beginning, undisturbed, tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    training = beginning("gpt1", "adam")()
    walk = training.evaluations()
    next(walk), next(walk)
    checkpoints.save(path, training.state())
    resumed = beginning("gpt1", "adam")()
    resumed.restore(checkpoints.load(path))
    evaluations, last = undisturbed("gpt1", "adam")
    assert [facts(evaluation) for evaluation in resumed.evaluations()] == evaluations[2:]
    assert same(weights(resumed), last)


def test_training_time_goes_on_where_it_was_also_when_the_clock_is_set_back(beginning, tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    stopped_at(beginning("lstm", "adam"), 5, path)
    before = checkpoints.load(path).facts["seconds"]["training"]
    yesterday = iter(range(10**6, 0, -1))
    clock = Clock(now=lambda: float(next(yesterday)))
    resumed = beginning("lstm", "adam")(clock=clock)
    resumed.restore(checkpoints.load(path))
    seconds = [clock.seconds["training"] for _ in resumed.evaluations()]
    assert seconds == sorted(seconds)
    assert seconds[0] >= before > 0


@pytest.mark.parametrize("measuring", ["nothing", "after every step", "a checkpoint at every step"])
def test_neither_evaluating_nor_checkpoints_change_a_weight(beginning, tokens, undisturbed, measuring, tmp_path):
    def on_step(step, loss):
        if measuring == "after every step":
            token_nats(training.model, tokens.splits["valid"], training.budget, CPU)
            training.model.train()
        elif measuring == "a checkpoint at every step":
            checkpoints.save(tmp_path / "checkpoint.safetensors", training.state())

    measured = {} if measuring == "nothing" else {"valid": tokens.splits["valid"]}
    training = beginning("gpt1", "adam")(on_step=on_step, measured=measured)
    list(training.evaluations())
    assert same(weights(training), undisturbed("gpt1", "adam")[1])


def timeless(line):
    return {name: value for name, value in line.items() if not name.endswith("seconds")}


def outcome(folder):
    summary = folder.summary
    kept = (summary["status"], summary["best_epoch"], summary["test"])
    documents = (folder.path / "documents.json").read_text()
    return [timeless(line) for line in folder.history()], folder.best_weights.read_bytes(), documents, kept


@pytest.fixture
def job(tiny_study, tmp_path):
    run = dataclasses.replace(tiny_study.runs[0], architecture=MODELS["lstm"])
    return Job(run=run, folder=tmp_path / "run", device="cpu", alone=True)


@pytest.fixture
def calm(job, tmp_path):
    calm = dataclasses.replace(job, folder=tmp_path / "calm")
    work(calm, lambda message: None)
    return outcome(RunFolder(calm.folder))


def dying_after(monkeypatch, steps, error):
    """Let the next training die after so many steps; the ones after it live."""
    original, left = Training._train_step, [steps]

    def step(self, batch, epoch):
        left[0] -= 1
        if left[0] < 0:
            monkeypatch.setattr(Training, "_train_step", original)
            raise error
        return original(self, batch, epoch)

    monkeypatch.setattr(Training, "_train_step", step)


@pytest.mark.parametrize(("interval", "resumed_at"), [(0.0, [3, 43, 113]), (1e9, [0])])
def test_a_killed_worker_ends_as_an_undisturbed_one(job, calm, monkeypatch, interval, resumed_at):
    monkeypatch.setattr(worker, "CHECKPOINT_INTERVAL", interval)
    monkeypatch.setattr(worker, "CHECKPOINT_SHARE", 1e9)
    for steps in (3, 40, 70):
        dying_after(monkeypatch, steps, KilledError())
        with pytest.raises(KilledError):
            work(job, lambda message: None)
    work(job, lambda message: None)
    folder = RunFolder(job.folder)
    assert outcome(folder) == calm
    assert folder.summary["resumed_at_step"] == resumed_at
    assert folder.summary["memory"]["samples"] > 0


def test_evaluations_past_the_checkpoint_are_made_again_not_twice(job, calm, monkeypatch):
    monkeypatch.setattr(worker, "CHECKPOINT_SHARE", 1e9)
    original = worker._Recording._save
    monkeypatch.setattr(
        worker._Recording, "_save", lambda self, training: training.epochs < 1 and original(self, training)
    )
    dying_after(monkeypatch, 10**6, KilledError())
    monkeypatch.setattr(worker._Recording, "_summary", lambda self, training: (_ for _ in ()).throw(KilledError()))
    with pytest.raises(KilledError):
        work(job, lambda message: None)
    assert len(RunFolder(job.folder).history()) == 3
    monkeypatch.undo()
    work(job, lambda message: None)
    assert outcome(RunFolder(job.folder)) == calm


def test_a_failed_run_keeps_its_checkpoint_and_goes_on_from_it(job, calm, monkeypatch):
    monkeypatch.setattr(worker, "CHECKPOINT_INTERVAL", 0.0)
    monkeypatch.setattr(worker, "CHECKPOINT_SHARE", 1e9)
    dying_after(monkeypatch, 30, MemoryError("no more"))
    work(job, lambda message: None)
    folder = RunFolder(job.folder)
    assert folder.status == FAILED
    assert folder.summary["error"].startswith("out of memory")
    assert folder.checkpoint.is_file()
    work(job, lambda message: None)
    assert folder.summary["resumed_at_step"] == [30]
    assert outcome(folder) == calm


def interrupted(job, monkeypatch):
    monkeypatch.setattr(worker, "CHECKPOINT_INTERVAL", 0.0)
    monkeypatch.setattr(worker, "CHECKPOINT_SHARE", 1e9)
    dying_after(monkeypatch, 30, KilledError())
    with pytest.raises(KilledError):
        work(job, lambda message: None)
    return RunFolder(job.folder)


def test_a_run_that_once_shared_the_machine_was_not_alone(job, monkeypatch):
    folder = interrupted(dataclasses.replace(job, alone=False), monkeypatch)
    work(job, lambda message: None)
    assert folder.summary["resumed_at_step"] == [30]
    assert folder.summary["alone"] is False


def test_a_run_begun_on_another_kind_of_device_begins_anew(job, calm, monkeypatch):
    folder = interrupted(job, monkeypatch)
    write_json(folder.path / "environment.json", folder.environment | {"device": "cuda"})
    work(job, lambda message: None)
    assert folder.summary["resumed_at_step"] == []
    assert folder.environment["device"] == "cpu"
    assert outcome(folder) == calm


def test_a_damaged_checkpoint_costs_what_it_held_and_no_more(job, calm, monkeypatch):
    folder = interrupted(job, monkeypatch)
    folder.checkpoint.write_bytes(folder.checkpoint.read_bytes()[:100])
    work(job, lambda message: None)
    assert folder.summary["resumed_at_step"] == []
    assert outcome(folder) == calm


def test_a_checkpoint_of_another_run_is_not_used(job, calm, monkeypatch):
    other = dataclasses.replace(job, run=dataclasses.replace(job.run, seed=1))
    monkeypatch.setattr(worker, "CHECKPOINT_INTERVAL", 0.0)
    monkeypatch.setattr(worker, "CHECKPOINT_SHARE", 1e9)
    dying_after(monkeypatch, 30, KilledError())
    with pytest.raises(KilledError):
        work(other, lambda message: None)
    work(job, lambda message: None)
    assert RunFolder(job.folder).summary["resumed_at_step"] == []
    assert outcome(RunFolder(job.folder)) == calm


def test_a_finished_run_keeps_its_best_weights_and_its_records_alone(job, calm):
    work(job, lambda message: None)
    kept = {path.name for path in job.folder.iterdir()} - {"run.lock"}
    records = {"spec.json", "environment.json", "history.jsonl", "documents.json", "summary.json"}
    assert kept == records | {"best.safetensors"}
    assert RunFolder(job.folder).status == FINISHED


def test_a_hundred_thousand_evaluations_are_read_in_two_seconds_of_a_core(tmp_path):
    tally = {"nats": 123456.789, "tokens": 34567, "words": 20000, "bytes": 100000}
    line = json.dumps({"epoch": 1, "step": 2, "train_seconds": 3.5, "train": tally, "valid": tally})
    (tmp_path / "history.jsonl").write_text(f"{line}\n" * 100_000)
    clock = Clock(now=time.process_time)  # which a busy machine does not change
    with clock.measuring("reading"):
        history = RunFolder(tmp_path).history()
    assert len(history) == 100_000
    assert clock.seconds["reading"] < 2


def test_a_long_run_opens_no_more_files_and_keeps_no_more_readings(job, monkeypatch):
    handles = []
    monkeypatch.setattr(worker, "REPORTING_INTERVAL", 0.0)
    work(job, lambda message: handles.append(psutil.Process().num_fds()))
    quarter = len(handles) // 4
    assert max(handles[-quarter:]) <= max(handles[quarter : 2 * quarter])
    assert np.isscalar(RunFolder(job.folder).summary["memory"]["samples"])
