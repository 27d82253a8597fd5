"""A run that is stopped anywhere and goes on ends as if nothing had happened."""

import dataclasses
import errno
import functools
import itertools
import json
import shutil

import numpy as np
import psutil
import pytest
import torch

from bakeoff import checkpoints, data, recorded_run, sampling
from bakeoff.job import Job
from bakeoff.machine import Clock, resolve_device
from bakeoff.models import GLR, GPT1, LSTM
from bakeoff.optimizers import OPTIMIZERS, SCHEDULES
from bakeoff.recorded_run import RecordedRun
from bakeoff.run_folder import FAILED, FINISHED, RunFolder
from bakeoff.spec import Budget
from bakeoff.training import Training, evaluation_steps, steps_a_pass, token_nats
from bakeoff.worker import work

CPU = resolve_device("cpu")
MODELS = {
    "lstm": LSTM(layers=2, embedding=16, hidden=16, dropout=0.3),
    "gpt1": GPT1(width=16, heads=2, dropout=0.3),
    "glr": GLR(width=16, dropout=0.3),
}


class KilledError(BaseException):
    """Nothing in the code under test may catch it: it stands for a SIGKILL."""


@pytest.fixture(scope="module")
def tokens(tiny_study):
    return data.prepare(tiny_study.corpus, tiny_study.budget)


def training_of(tiny_study, tokens, architecture, optimizer, *, length=None, **hooks):
    """In large batches, so that whole epochs take few steps; `length` are fields of the budget that say how many."""
    torch.manual_seed(0)
    budget = dataclasses.replace(tiny_study.budget, batch_size=32, **length or {})
    train, valid = tokens.splits["train"], tokens.splits["valid"]
    model = architecture.build(tokens.vocabulary, budget.sequence_length)
    ends = evaluation_steps(train, budget)
    return Training(
        model=model,
        optimizer=optimizer.build(model),
        schedule=SCHEDULES["linear"](budget, ends[-1]),
        train=train,
        measured=hooks.pop("measured", {"train": tokens.train_sample, "valid": valid}),
        sampling=hooks.pop("sampling", sampling.plan(train, valid, budget, ends[0])),
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
    nats = {name: nats.tolist() for name, nats in evaluation.nats.items()}
    samples = [(sample.step, sample.nats, sample.tokens) for sample in evaluation.samples]
    return evaluation.epoch, evaluation.step, nats, record, samples


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
            checkpoints.save(path, *checkpoints.take(training))
            raise KilledError

    training = begin(on_step=on_step)
    with pytest.raises(KilledError):
        list(training.evaluations())
    return training


STOPS = ("first", "middle", "last of an epoch", "second epoch")
KINDS = [*(("lstm", optimizer) for optimizer in OPTIMIZERS), ("gpt1", "adam"), ("glr", "adamw")]
#: Each of them is stopped in one place, the first in all; the others are slow.
FIRST = {*((KINDS[0], stop) for stop in STOPS), *zip(KINDS, STOPS[1:] * len(KINDS), strict=False)}


@pytest.mark.parametrize(
    ("kind", "stop"),
    [
        pytest.param(kind, stop, marks=() if (kind, stop) in FIRST else pytest.mark.slow, id=f"{'-'.join(kind)}-{stop}")
        for kind, stop in itertools.product(KINDS, STOPS)
    ],
)
def test_a_run_goes_on_to_the_bit_from_any_step(beginning, undisturbed, kind, stop, tmp_path):
    evaluations, last = undisturbed(*kind)
    epoch = evaluations[1][1]
    step = {"first": 1, "middle": epoch // 2, "last of an epoch": epoch, "second epoch": epoch + 3}[stop]
    path = tmp_path / "checkpoint.safetensors"
    stopped_at(beginning(*kind), step, path)

    resumed = beginning(*kind)()
    torch.manual_seed(99)
    checkpoints.restore(resumed, checkpoints.load(path))
    expected = [evaluation for evaluation in evaluations if evaluation[1] >= step]
    assert [facts(evaluation) for evaluation in resumed.evaluations()] == expected
    assert same(weights(resumed), last)


@pytest.mark.parametrize("kind", [("gpt1", "adam"), ("lstm", "schedulefree")], ids="-".join)
def test_a_run_goes_on_from_between_two_epochs(beginning, undisturbed, kind, tmp_path):
    evaluations, last = undisturbed(*kind)
    path = tmp_path / "checkpoint.safetensors"
    training = beginning(*kind)()
    walk = training.evaluations()
    next(walk), next(walk)
    checkpoints.save(path, *checkpoints.take(training))
    resumed = beginning(*kind)()
    checkpoints.restore(resumed, checkpoints.load(path))
    assert [facts(evaluation) for evaluation in resumed.evaluations()] == evaluations[2:]
    assert same(weights(resumed), last)


@pytest.mark.parametrize("stop", ["inside a pass", "an evaluation", "the second pass", "the last step"])
def test_a_run_in_steps_goes_on_to_the_bit_from_the_middle_of_a_pass(beginning, tokens, stop, tmp_path):
    a_pass = steps_a_pass(tokens.splits["train"], beginning("gpt1", "adam")().budget)
    end, each = a_pass + 5, a_pass // 2 + 2
    step = {"inside a pass": 2, "an evaluation": each, "the second pass": a_pass + 2, "the last step": end}[stop]
    length = {"epochs": Budget.epochs, "steps": end, "epoch_steps": each, "decay_steps": 4, "average": 0.9}
    begin = functools.partial(beginning("gpt1", "adam"), length=length)
    undisturbed = begin()
    expected = [facts(evaluation) for evaluation in undisturbed.evaluations()]
    path = tmp_path / "checkpoint.safetensors"
    stopped_at(begin, step, path)
    resumed = begin()
    checkpoints.restore(resumed, checkpoints.load(path))
    assert [facts(e) for e in resumed.evaluations()] == [known for known in expected if known[1] >= step]
    assert same(weights(resumed), weights(undisturbed))
    assert same(resumed.average.weights, undisturbed.average.weights)


def test_training_time_goes_on_where_it_was_also_when_the_clock_is_set_back(beginning, tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    stopped_at(beginning("lstm", "adam"), 5, path)
    before = checkpoints.load(path).facts["seconds"]["training"]
    yesterday = iter(range(10**6, 0, -1))
    clock = Clock(now=lambda: float(next(yesterday)))
    resumed = beginning("lstm", "adam")(clock=clock)
    checkpoints.restore(resumed, checkpoints.load(path))
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
            checkpoints.save(tmp_path / "checkpoint.safetensors", *checkpoints.take(training))

    measured = {} if measuring == "nothing" else {"valid": tokens.splits["valid"]}
    options = {"sampling": sampling.Sampling()} if measuring == "nothing" else {}
    training = beginning("gpt1", "adam")(on_step=on_step, measured=measured, **options)
    list(training.evaluations())
    assert same(weights(training), undisturbed("gpt1", "adam")[1])


def timeless(line):
    samples = [{key: value for key, value in sample.items() if key != "train_seconds"} for sample in line["sample"]]
    return {name: value for name, value in line.items() if not name.endswith("seconds")} | {"sample": samples}


def outcome(folder):
    summary = folder.summary
    kept = (summary["status"], summary["best_epoch"], summary["test"], summary.get("averaged"), folder.texts)
    documents = (folder.path / "documents.json").read_text()
    return [timeless(line) for line in folder.history()], folder.best_weights.read_bytes(), documents, kept


def job_in(folder, tiny_study):
    budget = dataclasses.replace(tiny_study.budget, batch_size=8, epoch_steps=20)
    run = dataclasses.replace(tiny_study.runs[0], architecture=MODELS["lstm"], budget=budget)
    return Job(run=run, folder=folder / "run", device="cpu", alone=True)


@pytest.fixture
def job(tiny_study, tmp_path):
    return job_in(tmp_path, tiny_study)


@pytest.fixture(scope="module")
def calm(tiny_study, tmp_path_factory):
    """What that job comes to when nothing disturbs it."""
    calm = job_in(tmp_path_factory.mktemp("calm"), tiny_study)
    work(calm, lambda message: None)
    return outcome(RunFolder(calm.folder))


def dying_after(monkeypatch, steps, error):
    """Let the next training die after so many steps; the ones after it live."""
    original, left = Training._train_step, [steps]

    def step(self, batch):
        left[0] -= 1
        if left[0] < 0:
            monkeypatch.setattr(Training, "_train_step", original)
            raise error
        return original(self, batch)

    monkeypatch.setattr(Training, "_train_step", step)


@pytest.mark.parametrize(("interval", "resumed_at"), [(0.0, [3, 13, 37]), (1e9, [0, 20])])
def test_a_killed_worker_ends_as_an_undisturbed_one(job, calm, monkeypatch, interval, resumed_at):
    monkeypatch.setattr(checkpoints, "INTERVAL", interval)
    monkeypatch.setattr(checkpoints, "SHARE", 1e9)
    for steps in (3, 10, 24):
        dying_after(monkeypatch, steps, KilledError())
        with pytest.raises(KilledError):
            work(job, lambda message: None)
    work(job, lambda message: None)
    folder = RunFolder(job.folder)
    assert outcome(folder) == calm
    assert folder.summary["resumed_at_step"] == resumed_at
    assert folder.summary["memory"]["samples"] > 0


def in_steps(job, steps, falling, folder):
    """The job with a schedule of so many steps, of which the last ones decay."""
    budget = Budget(
        **{name: getattr(job.run.budget, name) for name in ("batch_size", "sequence_length", "vocabulary")},
        steps=steps,
        epoch_steps=20,
        warmup_steps=3,
        decay_steps=falling,
        precision="fp32",
        threads=1,
    )
    return dataclasses.replace(job, run=dataclasses.replace(job.run, budget=budget), folder=job.folder / folder)


def test_a_run_that_is_stopped_and_decays_earlier_is_the_run_that_would_have_from_its_beginning(job, monkeypatch):
    decaying = functools.partial(in_steps, job)
    monkeypatch.setattr(checkpoints, "SHARE", 1e9)  # a checkpoint after every evaluation
    for_comparison = decaying(60, 15, "undisturbed")
    work(for_comparison, lambda message: None)
    dying_after(monkeypatch, 45, KilledError())
    with pytest.raises(KilledError):
        work(decaying(100, 50, "one"), lambda message: None)
    work(decaying(60, 15, "one"), lambda message: None)
    one, undisturbed = RunFolder(job.folder / "one"), RunFolder(job.folder / "undisturbed")
    assert one.summary["resumed_at_step"] == [40]
    assert outcome(one) == outcome(undisturbed)
    assert one.spec == undisturbed.spec

    said = []  # one that has decayed is no other's beginning
    dying_after(monkeypatch, 45, KilledError())
    with pytest.raises(KilledError):
        work(decaying(60, 35, "other"), lambda message: None)
    work(decaying(60, 15, "other"), said.append)
    assert "another run's" in next(message["text"] for message in said if message["event"] == "note")
    assert outcome(RunFolder(job.folder / "other")) == outcome(undisturbed)


def test_what_decays_earlier_goes_on_from_no_checkpoint_of_another_run_and_from_none_past_its_own_decay(
    job, monkeypatch
):
    """The checkpoint is at step 40, and its run would have decayed from 50 on."""
    monkeypatch.setattr(checkpoints, "SHARE", 1e9)
    dying_after(monkeypatch, 45, KilledError())
    with pytest.raises(KilledError):
        work(in_steps(job, 100, 50, "begun"), lambda message: None)
    earlier = in_steps(job, 60, 15, "begun")
    others = {
        "another rate": dataclasses.replace(earlier.run, optimizer=dataclasses.replace(earlier.run.optimizer, lr=0.02)),
        "another seed": dataclasses.replace(earlier.run, seed=earlier.run.seed + 1),
        "decaying from 25 on": in_steps(job, 60, 35, "begun").run,
        "the same": earlier.run,
    }
    resumed = {}
    for name, run in others.items():
        shutil.copytree(earlier.folder, job.folder / name)
        work(dataclasses.replace(job, run=run, folder=job.folder / name), lambda message: None)
        resumed[name] = RunFolder(job.folder / name).summary["resumed_at_step"]
    assert resumed == {name: [40] if name == "the same" else [] for name in others}


def test_a_moving_average_of_the_weights_is_measured_in_the_end_and_goes_on_to_the_bit(job, calm, tmp_path):
    averaged = dataclasses.replace(job.run, budget=dataclasses.replace(job.run.budget, average=0.9))
    one, other = (dataclasses.replace(job, run=averaged, folder=tmp_path / name) for name in ("one", "other"))
    work(one, lambda message: None)
    interrupted(other)
    work(other, lambda message: None)
    found, resumed = outcome(RunFolder(one.folder)), outcome(RunFolder(other.folder))
    assert RunFolder(other.folder).summary["resumed_at_step"] == [10]
    assert found == resumed
    *everything, (*test, sums, written) = found
    assert (*everything, (*test, None, written)) == calm, "it changes nothing else"
    assert sums["valid"]["tokens"] == found[0][-1]["valid"]["tokens"]
    assert sums["valid"]["nats"] != found[0][-1]["valid"]["nats"]
    assert sums["test"]["nats"] not in (test[-1]["best"]["nats"], test[-1]["last"]["nats"])


def test_evaluations_past_the_checkpoint_are_made_again_not_twice(job, calm, monkeypatch):
    monkeypatch.setattr(checkpoints, "SHARE", 1e9)
    original = RecordedRun._save
    monkeypatch.setattr(RecordedRun, "_save", lambda self, training: training.epochs < 1 and original(self, training))
    dying_after(monkeypatch, 10**6, KilledError())
    monkeypatch.setattr(RecordedRun, "_summary", lambda self, training: (_ for _ in ()).throw(KilledError()))
    with pytest.raises(KilledError):
        work(job, lambda message: None)
    assert len(RunFolder(job.folder).history()) == 3
    monkeypatch.undo()
    work(job, lambda message: None)
    assert outcome(RunFolder(job.folder)) == calm


def test_a_failed_run_keeps_its_checkpoint_and_goes_on_from_it(job, calm, monkeypatch):
    monkeypatch.setattr(checkpoints, "INTERVAL", 0.0)
    monkeypatch.setattr(checkpoints, "SHARE", 1e9)
    dying_after(monkeypatch, 10, MemoryError("no more"))
    work(job, lambda message: None)
    folder = RunFolder(job.folder)
    assert folder.status == FAILED
    assert folder.summary["error"].startswith("out of memory")
    assert folder.checkpoint.is_file()
    work(job, lambda message: None)
    assert folder.summary["resumed_at_step"] == [10]
    assert outcome(folder) == calm


def interrupted(job):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoints, "INTERVAL", 0.0)
        patch.setattr(checkpoints, "SHARE", 1e9)
        dying_after(patch, 10, KilledError())
        with pytest.raises(KilledError):
            work(job, lambda message: None)
    return RunFolder(job.folder)


@pytest.fixture(scope="module")
def cut_off(tiny_study, tmp_path_factory):
    """The folder of a job that was killed after 10 steps."""
    return interrupted(job_in(tmp_path_factory.mktemp("cut-off"), tiny_study)).path


@pytest.fixture
def folder(cut_off, job):
    """A copy of it, at the place of the test's own job."""
    return RunFolder(shutil.copytree(cut_off, job.folder))


def test_a_run_that_once_shared_the_machine_was_not_alone(job):
    folder = interrupted(dataclasses.replace(job, alone=False))
    work(job, lambda message: None)
    assert folder.summary["resumed_at_step"] == [10]
    assert folder.summary["alone"] is False


def resumed(job):
    """Work again, and what was said beside progress."""
    messages = []
    work(job, messages.append)
    return [message["text"] for message in messages if message["event"] == "note"]


def test_the_same_text_in_another_place_goes_on_where_it_was(job, calm, folder, tmp_path):
    moved = tmp_path / "moved.txt"
    shutil.copy(job.run.corpus.path, moved)
    corpus = dataclasses.replace(job.run.corpus, path=str(moved))
    assert resumed(dataclasses.replace(job, run=dataclasses.replace(job.run, corpus=corpus))) == []
    assert folder.summary["resumed_at_step"] == [10]
    assert folder.spec["run"]["corpus"]["path"] == str(moved)
    assert outcome(folder) == calm


def test_a_run_folder_in_another_place_goes_on_where_it_was(job, calm, folder, tmp_path):
    folder = RunFolder(folder.path.rename(tmp_path / "elsewhere"))
    assert resumed(dataclasses.replace(job, folder=folder.path)) == []
    assert folder.summary["resumed_at_step"] == [10]
    assert outcome(folder) == calm


@pytest.mark.parametrize("interval", [0.0, 1e9], ids=["at its next checkpoint", "at its next evaluation"])
def test_a_study_that_is_moved_while_a_run_is_at_work_is_not_made_again(job, calm, tmp_path, monkeypatch, interval):
    study, moved = tmp_path / "study", tmp_path / "moved"
    job = dataclasses.replace(job, folder=study / "run")

    def moving(message):
        if message["event"] == "checkpoint" and study.exists():
            study.rename(moved)
            monkeypatch.setattr(checkpoints, "INTERVAL", interval)

    monkeypatch.setattr(checkpoints, "INTERVAL", 0.0)
    monkeypatch.setattr(checkpoints, "SHARE", 1e9)
    with pytest.raises(FileNotFoundError):
        work(job, moving)
    assert not study.exists()
    (moved / "run" / "run.claim").unlink()  # of this very process, which lives on
    monkeypatch.setattr(checkpoints, "INTERVAL", 1e9)
    assert resumed(dataclasses.replace(job, folder=moved / "run")) == []
    assert RunFolder(moved / "run").summary["resumed_at_step"]
    assert outcome(RunFolder(moved / "run")) == calm


def test_going_on_under_other_code_is_recorded(job, folder, monkeypatch):
    before = folder.environment["sources"]
    monkeypatch.setattr(recorded_run, "environment", lambda device: folder.environment | {"sources": "changed"})
    work(job, lambda message: None)
    assert folder.environment["sources"] == f"{before}, changed"


def rewrite(path, **changes):
    """The checkpoint with other facts, as if it had been written so."""
    tensors, facts = checkpoints.load(path)
    checkpoints.save(path, tensors, facts | changes)


def drop(path, name):
    tensors, facts = checkpoints.load(path)
    del tensors[name]
    checkpoints.save(path, tensors, facts)


def flip(path):
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)


def cut_the_first_line(path):
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]))


def change_a_digit(path):
    """In the first line, and so that it is as good a loss."""
    first, rest = path.read_text().split("\n", 1)
    line = json.loads(first)
    line["valid"]["nats"] *= 1.001
    path.write_text(f"{json.dumps(line)}\n{rest}")


DAMAGES = {
    "cut off": lambda folder: folder.checkpoint.write_bytes(folder.checkpoint.read_bytes()[:100]),
    "empty": lambda folder: folder.checkpoint.write_bytes(b""),
    "a flipped bit": lambda folder: flip(folder.checkpoint),
    "a fact is missing": lambda folder: rewrite(folder.checkpoint, samples=[{"step": 2}]),
    "a fact is of another kind": lambda folder: rewrite(folder.checkpoint, seconds=None),
    "a weight is missing": lambda folder: drop(folder.checkpoint, "model.embedding.weight"),
    "random state is missing": lambda folder: drop(folder.checkpoint, "random.cpu"),
    "another run's": lambda folder: rewrite(folder.checkpoint, identity="0" * 12),
    "no history": lambda folder: (folder.path / "history.jsonl").unlink(),
    "a history with a hole": lambda folder: cut_the_first_line(folder.path / "history.jsonl"),
    "a history that is cut off": lambda folder: (folder.path / "history.jsonl").write_text("{"),
    "a history with another loss": lambda folder: change_a_digit(folder.path / "history.jsonl"),
    "no best weights": lambda folder: folder.best_weights.unlink(),
    "damaged best weights": lambda folder: flip(folder.best_weights),
    "weights of another run": lambda folder: rewrite(folder.best_weights, run="another"),
    "weights of another epoch": lambda folder: checkpoints.save(folder.best_weights, {}, {"epoch": 7}),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_what_cannot_be_gone_on_with_is_begun_anew_and_said_so(job, calm, folder, damage):
    damage(folder)
    (said,) = resumed(job)
    assert said.startswith("the checkpoint is deleted and the run begins anew: ")
    assert folder.summary["resumed_at_step"] == []
    assert outcome(folder) == calm


@pytest.mark.parametrize("name", ["spec.json", "environment.json"])
def test_a_damaged_record_beside_a_whole_checkpoint_costs_nothing(job, calm, folder, name):
    (folder.path / name).write_text("{")
    assert resumed(job) == []
    assert folder.summary["resumed_at_step"] == [10]
    assert folder.status == FINISHED
    assert outcome(folder) == calm


def test_a_checkpoint_of_a_version_that_kept_no_checksum_of_the_history_is_gone_on_from(job, calm, folder):
    kept = checkpoints.load(folder.checkpoint).facts["kept"]
    del kept["history_sha256"]
    rewrite(folder.checkpoint, kept=kept)
    assert resumed(job) == []
    assert folder.summary["resumed_at_step"] == [10]
    assert outcome(folder) == calm


def test_a_run_begun_on_another_kind_of_device_begins_anew(job, calm, folder):
    kept = checkpoints.load(folder.checkpoint).facts["kept"]
    rewrite(folder.checkpoint, kept=kept | {"environment": kept["environment"] | {"device": "cuda"}})
    assert resumed(job) == ["the checkpoint is deleted and the run begins anew: ValueError: it was taken on cuda"]
    assert folder.environment["device"] == "cpu"
    assert outcome(folder) == calm


@pytest.mark.parametrize("error", [MemoryError("too small"), OSError(errno.ENOSPC, "No space left on device")])
def test_a_checkpoint_that_memory_or_disk_cannot_hold_now_is_kept(job, calm, folder, monkeypatch, error):
    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "go_on", lambda *_: (_ for _ in ()).throw(error))
        assert resumed(job) == []
    assert folder.status == FAILED
    assert resumed(job) == []
    assert folder.summary["resumed_at_step"] == [10]
    assert outcome(folder) == calm


def test_weights_of_an_evaluation_that_was_cut_off_are_not_the_best_ones(job, monkeypatch):
    """As on a GPU, where what is repeated may come out differently: here the second epoch is worse the second time."""
    monkeypatch.setattr(checkpoints, "SHARE", 1e9)
    original = RecordedRun._save
    monkeypatch.setattr(RecordedRun, "_save", lambda self, t: t.epochs < 2 and original(self, t))
    monkeypatch.setattr(RecordedRun, "_summary", lambda self, training: (_ for _ in ()).throw(KilledError()))
    with pytest.raises(KilledError):
        work(job, lambda message: None)
    folder = RunFolder(job.folder)
    assert checkpoints.load(folder.best_weights).facts["epoch"] == 2
    assert checkpoints.load(folder.earlier_weights).facts["epoch"] == 1
    before = folder.history()
    monkeypatch.undo()

    def worse(self, stream, sequences=None):
        return measure(self, stream, sequences) * (1 if self.epochs < 1 else 2)

    measure = Training._nats
    monkeypatch.setattr(Training, "_nats", worse)
    assert resumed(job) == []
    assert folder.summary["best_epoch"] == 1
    assert checkpoints.load(folder.best_weights).facts["epoch"] == 1
    assert not folder.earlier_weights.exists()
    assert folder.history()[1] == before[1]


def test_best_weights_that_are_not_of_the_best_epoch_fail_the_run(job, monkeypatch):
    original = RecordedRun._final_measures

    def exchanged(self, training):
        checkpoints.save(self.folder.best_weights, training.model.state_dict(), {"epoch": 1})
        return original(self, training)

    monkeypatch.setattr(RecordedRun, "_final_measures", exchanged)
    measure = Training._nats
    monkeypatch.setattr(Training, "_nats", lambda self, s, q=None: measure(self, s, q) * (1 + max(0, self.epochs + 1)))
    work(job, lambda message: None)
    assert (
        RunFolder(job.folder).summary["error"] == "ValueError: the weights of epoch 0, the best so far, are not there"
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Normed(LSTM):
    """A model with running statistics."""

    def build(self, vocabulary, sequence_length):
        model = super().build(vocabulary, sequence_length)
        model.norm = torch.nn.BatchNorm1d(self.hidden)
        inner = model.features
        model.features = lambda tokens: model.norm(inner(tokens).transpose(1, 2)).transpose(1, 2)
        return model


def test_a_model_with_running_statistics_goes_on_to_the_bit(job, tmp_path):
    normed = Normed(embedding=16, hidden=16)
    job = dataclasses.replace(job, run=dataclasses.replace(job.run, architecture=normed))
    calm = dataclasses.replace(job, folder=tmp_path / "calm")
    work(calm, lambda message: None)
    folder = interrupted(job)
    work(job, lambda message: None)
    assert folder.summary["resumed_at_step"] == [10]
    assert outcome(folder) == outcome(RunFolder(calm.folder))


def test_a_finished_run_keeps_its_best_weights_and_its_records_alone(job, calm):
    work(job, lambda message: None)
    kept = {path.name for path in job.folder.iterdir()} - {"run.lock"}
    records = {"spec.json", "environment.json", "history.jsonl", "documents.json", "texts.json", "summary.json"}
    assert kept == records | {"best.safetensors"}
    assert RunFolder(job.folder).status == FINISHED


def test_a_long_run_opens_no_more_files_and_keeps_no_more_readings(job, monkeypatch):
    handles, long = [], dataclasses.replace(job.run.budget, epoch_steps=60)
    job = dataclasses.replace(job, run=dataclasses.replace(job.run, budget=long))
    monkeypatch.setattr(recorded_run, "REPORTING_INTERVAL", 0.0)
    work(job, lambda message: handles.append(psutil.Process().num_fds()))
    quarter = len(handles) // 4
    # The least, as the thread that reads the memory has a file open now and then.
    assert min(handles[-quarter:]) <= min(handles[quarter : 2 * quarter])
    assert np.isscalar(RunFolder(job.folder).summary["memory"]["samples"])
