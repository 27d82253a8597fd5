"""The estimate before a study: measured, of the right size, and without a trace."""

import dataclasses
import itertools
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
import torch

import fakes
from bakeoff import cli, costs, data, sampling, verbs
from bakeoff.data import corpora
from bakeoff.errors import UserError
from bakeoff.experiments import QUICK
from bakeoff.identity import encode, identity
from bakeoff.job import Job
from bakeoff.models import GPT1
from bakeoff.optimizers import OPTIMIZERS
from bakeoff.runner import open_session
from bakeoff.sampling import Sampling
from bakeoff.spec import Architecture, Budget
from bakeoff.training import Training, evaluation_steps
from bakeoff.worker import work

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def study(tiny_study):
    return tiny_study.with_shared(precision="fp32", threads=1)


@pytest.fixture(scope="module")
def tokens(study):
    return data.prepare(study.corpus, study.budget)


@pytest.fixture(scope="module")
def cost(study, tokens):
    return costs.estimate(study.runs, tokens, CPU)


def told(cost, tried=None):
    """Instead of timing: this, and which runs were asked for."""

    def time_steps(runs, *_):
        (tried if tried is not None else []).extend(runs)
        return [cost] * len(runs)

    return time_steps


def test_time_is_that_of_all_runs_one_after_the_other(cost, study):
    assert len(study.runs) * costs.START_SECONDS < cost.seconds < len(study.runs) * (costs.START_SECONDS + 60)


def test_memory_holds_at_least_a_process_with_torch(cost):
    assert 50 * 2**20 < cost.memory_bytes < 4 * 2**30


@pytest.mark.parametrize(
    "name", [name if name == "sgd" else pytest.param(name, marks=pytest.mark.slow) for name in OPTIMIZERS]
)
def test_disk_holds_a_run_at_its_largest(name, study, tokens, tmp_path, monkeypatch):
    """Whatever is written is synchronized while what it replaces is still there."""
    sizes = []

    def held():
        return sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())

    monkeypatch.setattr("os.fsync", lambda handle: sizes.append(held()))
    monkeypatch.setattr("bakeoff.checkpoints.Due.due", lambda self, least=0.0: not least)  # after every evaluation
    run = dataclasses.replace(study.runs[1], architecture=GPT1(width=64, heads=2), optimizer=OPTIMIZERS[name](lr=1e-3))
    work(Job(run=run, folder=tmp_path, device="cpu", alone=True), lambda message: None)
    cost = costs.estimate([run], tokens, CPU)
    off = 0.25 if name == "schedulefree" else 0.05  # it keeps one more copy of the weights while others are measured
    assert cost.disk_bytes(at_once=1) - costs.REPORT == pytest.approx(max(sizes), rel=off)
    assert cost.kept_bytes - costs.REPORT == pytest.approx(held(), rel=0.05)


def test_each_run_at_a_time_takes_its_part_of_the_disk(cost, study):
    alone, together, more = map(cost.disk_bytes, (1, 2, 64))
    assert more == together == alone + cost.unfinished_bytes > cost.kept_bytes + cost.unfinished_bytes
    assert len(study.runs) == cost.runs == 2


def test_runs_that_the_disk_does_not_hold_are_not_begun(text, tmp_path, monkeypatch):
    data.prepare(text[0], QUICK.budget)
    monkeypatch.setattr(costs.shutil, "disk_usage", lambda path: SimpleNamespace(free=10_000_000))
    with pytest.raises(UserError, match=r"\Awhat is to do of quick takes about \d+ MB of disk, and 10 MB are free in "):
        cli.run(corpus=text[0].path, only="1", epochs=1, out=tmp_path)
    assert not list(tmp_path.rglob("history.jsonl"))


def test_runs_that_are_to_be_done_again_stay_where_the_disk_does_not_hold_new_ones(study, tmp_path, monkeypatch):
    folder = tmp_path / "tiny"
    with open_session(study, folder, CPU) as session:
        for run in session.study.runs:
            fakes.begin(session.folder.run(run.slug), {"identity": identity(run), "run": encode(run)}, {})
            session.folder.run(run.slug).finish({"status": "diverged", "error": "a reason"})
    monkeypatch.setattr(costs.shutil, "disk_usage", lambda path: SimpleNamespace(free=10_000))
    with pytest.raises(UserError, match="MB of disk"):
        verbs.run(study, again=[1], out=tmp_path)
    assert len(list(folder.rglob("summary.json"))) == len(study.experiments)


@pytest.mark.parametrize("seeds", [None, 3])
def test_where_the_disk_does_not_hold_it_a_study_stays_as_it_is(study, tmp_path, monkeypatch, seeds):
    if seeds:
        with open_session(study, tmp_path / "tiny", CPU):
            pass
    monkeypatch.setattr(costs.shutil, "disk_usage", lambda path: SimpleNamespace(free=10_000))
    kept = {path: path.read_bytes() for path in tmp_path.rglob("*.json")}
    with pytest.raises(UserError, match="MB of disk"):
        verbs.run(study, seeds=seeds, tensorboard=True, out=tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.json")} == kept
    assert not list(tmp_path.rglob("tensorboard"))


def test_more_epochs_take_longer_and_more_at_once_less(study, tokens, monkeypatch):
    monkeypatch.setattr(costs, "time_steps", told(costs.StepCost(step=1.0, evaluated_token=0.0)))
    monkeypatch.setattr(costs.sampling, "plan", lambda *of_a_run: Sampling())
    long = study.with_shared(epochs=20)
    steps = -(-tokens.splits["train"].sequences(study.budget.sequence_length) // study.budget.batch_size)
    expected = 2 * (costs.START_SECONDS + 20 * steps)
    cost = costs.estimate(long.runs, tokens, CPU)
    assert cost.seconds == cost.wait(1) == pytest.approx(expected)
    assert cost.wait(2) == cost.wait(64) == pytest.approx(expected / 2)


def test_steps_of_larger_batches_are_timed_for_themselves(study, tokens, monkeypatch):
    tried = []
    monkeypatch.setattr(costs, "time_steps", told(costs.StepCost(step=1.0, evaluated_token=0.0), tried))
    experiments = tuple(
        dataclasses.replace(study.experiments[0], number=number, batch_size=size)
        for number, size in ((1, 2), (2, 4), (3, 4))
    )
    costs.estimate(dataclasses.replace(study, experiments=experiments).runs, tokens, CPU)
    assert [run.budget.batch_size for run in tried] == [2, 4]


def test_each_kind_of_optimizer_is_timed_for_itself(study, tokens, monkeypatch):
    tried = []
    monkeypatch.setattr(costs, "time_steps", told(costs.StepCost(step=1.0, evaluated_token=0.0), tried))
    experiments = tuple(
        dataclasses.replace(study.experiments[0], number=number, optimizer=OPTIMIZERS[name](lr=rate))
        for number, (name, rate) in enumerate([("sgd", 0.1), ("adam", 0.1), ("adam", 0.2)], start=1)
    )
    costs.estimate(dataclasses.replace(study, experiments=experiments).runs, tokens, CPU)
    assert [run.optimizer.name for run in tried] == ["sgd", "adam"]


def test_models_that_are_compared_take_turns_and_what_a_slow_moment_took_does_not_count(study, tokens, monkeypatch):
    steps, slow, train_step = [], itertools.chain([0, 0, 1, 0], itertools.repeat(0)), Training._train_step

    def step(training, batch):
        steps.append(training)
        time.sleep(1.5 * next(slow))  # on average 0.3 of five
        return train_step(training, batch)

    monkeypatch.setattr(Training, "_train_step", step)
    found = costs.time_steps(study.runs, tokens, CPU)
    first, second = steps[:2]
    assert steps == [first, second] * (1 + costs.COMPARED_STEPS), "one that is not timed, and then those that are"
    assert 0 < max(cost.step for cost in found) < 0.25
    assert min(cost.evaluated_token for cost in found) > 0


#: In a process of its own, as what it sets is never unset.
ALIKE = """
import dataclasses, sys, torch
from bakeoff import costs, data
from bakeoff.data import corpora
from bakeoff.models import LSTM
from bakeoff.optimizers import SGD
from bakeoff.spec import Budget, Run
corpus, budget = corpora.choose(sys.argv[1]), Budget(vocabulary=300, sequence_length=16, threads=1, precision="fp32")
lstm = LSTM(embedding=1000, hidden=1000)
one = Run(number=1, corpus=corpus, architecture=lstm, optimizer=SGD(), budget=budget, seed=0)
runs = [one, dataclasses.replace(one, number=2)]
print(*(cost.memory_bytes for cost in costs.time_steps(runs, data.prepare(corpus, budget), torch.device("cpu"))))
"""


def test_models_that_take_turns_take_as_much_memory_as_each_other(tiny_corpus_file):
    command = [sys.executable, "-c", ALIKE, tiny_corpus_file]
    one, other = map(int, subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())
    assert one == pytest.approx(other, rel=0.1)


def test_a_model_that_fails_while_it_is_timed_costs_nothing_and_the_others_what_they_do(study, tokens, monkeypatch):
    train_step = Training._train_step

    def step(training, batch):
        if training.step == 2 and isinstance(training.optimizer, torch.optim.SGD):
            raise SystemExit("no more")
        return train_step(training, batch)

    monkeypatch.setattr(Training, "_train_step", step)
    run = study.runs[0]
    runs = [dataclasses.replace(run, optimizer=OPTIMIZERS[name](lr=0.1)) for name in ("sgd", "adam")]
    failed, timed = costs.time_steps(runs, tokens, CPU)
    assert failed is None
    assert timed.step > 0


def test_what_is_measured_between_epochs_takes_its_time(study, tokens, monkeypatch):
    monkeypatch.setattr(costs, "time_steps", told(costs.StepCost(step=0.0, evaluated_token=1e-3)))
    run = study.runs[0]
    with_samples = costs.estimate([run], tokens, CPU).seconds
    train, valid = tokens.splits["train"], tokens.splits["valid"]
    between = sampling.plan(train, valid, run.budget, evaluation_steps(train, run.budget)[0])
    monkeypatch.setattr(costs.sampling, "plan", lambda *of_a_run: Sampling())
    sampled = len(between.places) * len(between.sequences) * run.budget.sequence_length
    without = costs.estimate([run], tokens, CPU).seconds
    assert with_samples - without == pytest.approx(sampled * 1e-3)
    more = tokens.splits["valid"].targets + 2 * tokens.splits["test"].targets
    assert without - costs.estimate([run], tokens, CPU, trial=True).seconds == pytest.approx(more * 1e-3)
    assert sampled > 0


def test_a_model_that_this_machine_cannot_hold_is_not_tried(study, tokens, monkeypatch):
    monkeypatch.setattr(costs, "available_memory", lambda: 1000)
    monkeypatch.setattr(costs, "build", lambda *_: pytest.fail("it would have been killed"))
    assert costs.estimate(study.runs, tokens, CPU).seconds == 0
    lines = list(costs.too_large([*study.runs, *study.runs], tokens.vocabulary, CPU))
    assert [line[:3] for line in lines] == ["#1 ", "#2 "]
    assert lines[0].endswith(" MB of memory for a step, and 0.0 MB are free: it will fail")


def test_a_model_that_this_machine_can_hold_is_not_said_to_fail(study, tokens):
    assert not list(costs.too_large(study.runs, tokens.vocabulary, CPU))


def test_random_state_is_left_as_it_was(study, tokens):
    torch.manual_seed(4)
    state = torch.get_rng_state()
    costs.estimate(study.runs[:1], tokens, CPU)
    assert torch.equal(torch.get_rng_state(), state)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Unbuildable(Architecture):
    name = "unbuildable"
    title = "Unbuildable"

    def build(self, vocabulary, sequence_length):
        raise RuntimeError("no way")


def test_a_model_that_fails_does_not_stop_the_estimate_of_the_others(study, tokens):
    costs.estimate([*study.runs, dataclasses.replace(study.runs[0], architecture=Unbuildable())], tokens, CPU)


@pytest.fixture
def text(tmp_path, tiny_corpus_file, monkeypatch):
    """A user's text of which nothing is kept yet, and its budget."""
    monkeypatch.setenv("BAKEOFF_CACHE", str(tmp_path / "cache"))
    return corpora.choose(str(tiny_corpus_file)), Budget(vocabulary=300, sequence_length=16)


def test_a_text_that_memory_or_disk_cannot_hold_is_refused_before_it_is_read(text, monkeypatch):
    costs.require_room(*text)
    monkeypatch.setattr("bakeoff.data.own_text._cut", lambda *of_a_text, **how: pytest.fail("it is read"))
    monkeypatch.setattr(costs, "available_memory", lambda: 50_000_000)
    with pytest.raises(UserError, match=r"\Amaking [^\n]* MB of memory, and 50 MB are free: close [^\n]*\Z"):
        costs.require_room(*text)
    monkeypatch.setattr(costs, "available_memory", lambda: 50_000_000_000)
    monkeypatch.setattr(costs.shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    with pytest.raises(UserError, match=r"\Amaking [^\n]* MB of disk, and [^\n]* are free in [^\n]*\Z"):
        costs.require_room(*text)


def test_what_was_made_ready_before_needs_no_room(text, monkeypatch):
    data.prepare(*text)
    monkeypatch.setattr(costs, "available_memory", lambda: 0)
    costs.require_room(*text)
