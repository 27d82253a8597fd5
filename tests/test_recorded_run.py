"""One run: what its folder holds when it is over, however it ended."""

import dataclasses
import itertools
import json
import random
import time

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from bakeoff import checkpoints, data, provenance, recorded_run, texts, windows
from bakeoff.data.cache import cache_folder
from bakeoff.identity import decode, identity
from bakeoff.job import Job
from bakeoff.models import GPT1, LSTM, ngram
from bakeoff.models.mixture import mixture
from bakeoff.optimizers import SGD, Adam, Momentum
from bakeoff.presence import Presence
from bakeoff.run_folder import DIVERGED, FAILED, FINISHED, RunFolder
from bakeoff.spec import Architecture
from bakeoff.study_file import decode_run
from bakeoff.training import token_nats
from bakeoff.worker import work

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


def test_a_finished_run_is_complete(folder, run):
    names = {path.name for path in folder.path.iterdir()} - {"run.lock"}
    assert names == {
        *(
            "spec.json",
            "environment.json",
            "history.jsonl",
            "documents.json",
            "texts.json",
            "best.safetensors",
            "summary.json",
        )
    }
    assert folder.status == FINISHED
    assert folder.spec["identity"] == identity(run)
    assert decode_run(folder.spec["run"], None) == run
    assert folder.environment["torch"] == torch.__version__
    assert provenance.code().items() <= folder.environment.items()


def test_every_line_of_the_history_keeps_the_contract(folder):
    lines = folder.history()
    assert [line["epoch"] for line in lines] == [0, 1, 2, 3, 4]
    for line in lines:
        assert {"epoch", "step", "train_seconds", "processor_seconds", "train", "valid"} <= set(line)
        for split in ("train", "valid"):
            assert set(line[split]) == SUMS | {"deciles"}
            assert sum(line[split]["deciles"]["nats"]) == pytest.approx(line[split]["nats"], rel=1e-6)
            assert sum(line[split]["deciles"]["tokens"]) == line[split]["tokens"]
            assert len(line[split]["deciles"]["nats"]) == 10
    assert all({"running", "learning_rate", "gradient_norm"} <= set(line) for line in lines[1:])


def test_valid_is_sampled_evenly_between_evaluations_and_at_them(folder):
    history = folder.history()
    for line in history:
        assert all(set(sample) == {"step", "train_seconds", "nats", "tokens"} for sample in line["sample"])
        last = line["sample"][-1]
        assert (last["step"], last["train_seconds"]) == (line["step"], line["train_seconds"])
    samples = [sample for line in history for sample in line["sample"]]
    steps = [sample["step"] for sample in samples]
    assert steps == sorted(set(steps))
    assert max(np.diff(steps)) <= max(1, 0.05 * steps[-1])
    assert len({sample["tokens"] for sample in samples}) == 1
    assert all(earlier["train_seconds"] < later["train_seconds"] for earlier, later in itertools.pairwise(samples))
    sampled = (len(samples) - len(history)) * samples[0]["tokens"]
    assert sampled / 3 <= 0.03 * sum(line["running"]["tokens"] for line in history[1:])


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


def test_a_run_is_also_measured_mixed_with_the_best_floor_under_its_best_weights(folder, tokens, run):
    told, floor = folder.summary["with_counts"], ngram.best(tokens, run.budget.sequence_length)
    model = run.architecture.build(tokens.vocabulary, run.budget.sequence_length)
    model.load_state_dict(load_file(folder.best_weights))
    streams = {split: tokens.splits[split] for split in ("valid", "test")}
    network = {split: token_nats(model, stream, run.budget, torch.device("cpu")) for split, stream in streams.items()}
    weight, nats = mixture(network, floor.nats, streams["valid"].document_of_targets)
    assert (told["floor"], told["weight"]) == (floor.name, weight)
    for split, stream in streams.items():
        counts = {"tokens": stream.targets, "words": stream.words, "bytes": stream.bytes}
        assert told[split] == {"nats": nats[split].sum(), **counts}
        assert nats[split].sum() <= min(network[split].sum(), floor.nats[split].sum()) * (1 + 1e-6)


def test_test_is_also_measured_in_other_windows_under_the_best_weights_and_not_instead(folder, tokens, run):
    model = run.architecture.build(tokens.vocabulary, run.budget.sequence_length)
    model.load_state_dict(load_file(folder.best_weights))
    test, cpu = tokens.splits["test"], torch.device("cpu")
    plain = token_nats(model, test, run.budget, cpu)
    expected = windows.measured(model, test, plain, run.budget, cpu)
    assert set(folder.summary["windows"]) == set(expected) == {"half_stride", "carried_state"}
    counts = {"tokens": test.targets, "words": test.words, "bytes": test.bytes}
    for name, nats in expected.items():
        assert folder.summary["windows"][name] == {"nats": nats.sum(dtype="float64"), **counts}
        assert nats.sum() != plain.sum()
    assert folder.summary["test"]["best"]["nats"] == plain.sum(dtype="float64")


def test_the_best_weights_go_on_after_prompts(folder, tokens, run):
    model = run.architecture.build(tokens.vocabulary, run.budget.sequence_length)
    model.load_state_dict(load_file(folder.best_weights))
    assert folder.texts == texts.of_network(model, tokens)
    assert len(folder.texts["texts"]) == texts.PROMPTS


def test_a_trial_is_measured_by_itself_and_in_its_own_windows_alone(run, folder, tmp_path):
    trial = RunFolder(tmp_path)
    work(Job(run=run, folder=trial.path, device="cpu", alone=True, trial=True), lambda message: None)
    assert (trial.texts, trial.status) == (None, FINISHED)
    assert trial.summary["windows"] is trial.summary["with_counts"] is None
    for same in ("test", "best_epoch"):
        assert trial.summary[same] == folder.summary[same]


def test_throughput_times_time_is_the_tokens_trained(folder, tokens):
    summary = folder.summary
    assert summary["tokens_per_second"] * summary["train_seconds"] == pytest.approx(4 * tokens.splits["train"].targets)
    for clock in ("train_seconds", "processor_seconds"):
        assert summary[clock] == folder.history()[-1][clock] > 0


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


def test_the_best_weights_carry_their_epoch(folder):
    assert checkpoints.load(folder.best_weights).facts == {"epoch": folder.summary["best_epoch"]}


def test_progress_tells_the_start_and_every_evaluation(done):
    _, messages = done
    events = [message["event"] for message in messages if message["event"] not in ("step", "checkpoint")]
    assert events == ["start", *["evaluation"] * 5]
    assert messages[0]["steps"] == messages[-1]["step"]


def test_a_checkpoint_is_told_once_it_is_written(done):
    _, messages = done
    assert {"event": "checkpoint", "step": 0} in messages


def test_a_diverging_run_is_recorded_with_the_history_until_then(run, tmp_path):
    wild = dataclasses.replace(run.budget, clip=None)
    folder, _ = worked(dataclasses.replace(run, optimizer=SGD(lr=1e30), budget=wild), tmp_path)
    assert folder.status == DIVERGED
    assert folder.summary["epoch"] == 1
    assert folder.summary["step"] >= 1
    assert "not finite" in folder.summary["error"]
    assert folder.summary["last_losses"]
    assert folder.summary["last_gradient_norms"]
    assert [line["epoch"] for line in folder.history()] == [0]


def test_what_was_sampled_before_a_run_diverged_is_kept(run, tmp_path):
    wild = dataclasses.replace(run.budget, clip=None)
    folder, _ = worked(dataclasses.replace(run, optimizer=SGD(lr=1e9), budget=wild), tmp_path)
    assert folder.status == DIVERGED
    steps = [sample["step"] for sample in folder.summary["sample"]]
    assert steps
    assert folder.history()[-1]["step"] < steps[0] <= steps[-1] <= folder.summary["step"]


def infinite(measure, *, after=0):
    """The measure, but that the last target costs infinitely much once it was called so often."""
    calls = itertools.count()

    def measured(*arguments, **options):
        nats = measure(*arguments, **options)
        nats[-1] = np.inf if next(calls) >= after else nats[-1]
        return nats

    return measured


def test_a_loss_on_test_that_is_not_finite_ends_the_run_as_a_result(run, tmp_path, monkeypatch):
    monkeypatch.setattr(recorded_run, "token_nats", infinite(token_nats))
    folder, _ = worked(dataclasses.replace(run, budget=dataclasses.replace(run.budget, epochs=1)), tmp_path)
    assert folder.status == DIVERGED
    assert folder.summary["error"] == "the loss on test was not finite in the end"
    assert [line["epoch"] for line in folder.history()] == [0, 1]
    assert not folder.checkpoint.exists()


def broken(*arguments):
    raise RuntimeError("a model of one's own")


@pytest.mark.parametrize(
    ("failing", "absent", "why"),
    [
        ((windows, "carried_state", broken), "windows", "in other windows: RuntimeError: a model of one's own"),
        ((windows, "carried_state", infinite(windows.carried_state)), "windows", "in other windows: ValueError: its"),
        ((recorded_run, "with_counts", broken), "with_counts", "with counts: RuntimeError"),
        ((texts, "of_network", broken), "texts", "by texts of its own: RuntimeError: a model of one's own"),
        # measured before are test, under weights that are the best and the last, and valid
        (
            (recorded_run, "token_nats", infinite(token_nats, after=2)),
            "averaged",
            "under the averaged weights: ValueError",
        ),
    ],
)
def test_a_measure_that_fails_or_is_not_finite_is_absent_and_the_run_is_not_lost(
    run, tmp_path, *, failing, absent, why
):
    budget = dataclasses.replace(run.budget, epochs=1, average=0.9)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(*failing)
        folder, messages = worked(dataclasses.replace(run, budget=budget), tmp_path)
    assert folder.read().status == FINISHED
    kept = folder.summary | {"texts": folder.texts}
    assert {key for key in ("windows", "with_counts", "averaged", "texts") if not kept.get(key)} == {absent}
    (note,) = (message["text"] for message in messages if message["event"] == "note")
    assert note.startswith(f"not measured {why}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Drawn(LSTM):
    """Keeps what it drew from the generators that Python and numpy share with everybody."""

    def build(self, vocabulary, sequence_length):
        model = super().build(vocabulary, sequence_length)
        drawn = torch.tensor([random.random(), np.random.random()])  # noqa: NPY002, S311 (as a user's model may)
        model.register_buffer("drawn", drawn)
        return model


def test_what_a_model_draws_from_any_global_generator_follows_from_the_runs_seed(run, tmp_path):
    budget = dataclasses.replace(run.budget, epochs=1, epoch_steps=1)
    drawing = dataclasses.replace(run, architecture=Drawn(embedding=16, hidden=16), budget=budget)
    drawn = []
    for number, seed in enumerate((3, 3, 4)):
        folder, _ = worked(dataclasses.replace(drawing, seed=seed), tmp_path / str(number))
        drawn.append(load_file(folder.best_weights)["drawn"])
    assert torch.equal(drawn[0], drawn[1])
    assert (drawn[0] != drawn[2]).all()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Unbuildable(Architecture):
    name = "unbuildable"
    title = "Unbuildable"

    def build(self, vocabulary, sequence_length):
        raise {1: RuntimeError("first line\nsecond line"), 2: MemoryError(), 3: SystemExit(0)}[self.layers]


@pytest.mark.parametrize(
    ("layers", "reason"), [(1, "RuntimeError: first line"), (2, "out of memory: "), (3, "SystemExit: 0")]
)
def test_a_run_that_cannot_be_trained_is_recorded_as_failed_with_its_reason(run, tmp_path, layers, reason):
    folder, _ = worked(dataclasses.replace(run, architecture=Unbuildable(layers=layers)), tmp_path)
    assert folder.status == FAILED
    assert folder.summary["error"] == reason
    assert "Traceback" in folder.summary["traceback"]
    assert folder.history() == []


def test_a_run_beside_one_of_another_command_was_not_alone(run, tmp_path):
    with Presence(cache_folder() / "at-work"):
        folder, _ = worked(dataclasses.replace(run, budget=dataclasses.replace(run.budget, epochs=1)), tmp_path)
    assert folder.summary["alone"] is False


def test_a_run_that_began_beside_one_that_was_killed_soon_was_not_alone(run, tmp_path):
    short = dataclasses.replace(run, budget=dataclasses.replace(run.budget, epochs=1))
    with Presence(cache_folder() / "at-work") as other:
        time.sleep(0.05)
        job = Job(run=short, folder=tmp_path, device="cpu", alone=True)
        work(job, lambda message: other.held.close())  # at its first word, and no file tells of that
        other.path.unlink()
    assert RunFolder(tmp_path).summary["alone"] is False


def test_a_second_try_leaves_nothing_of_the_first(run, tmp_path):
    worked(dataclasses.replace(run, architecture=Unbuildable()), tmp_path)
    (tmp_path / "history.jsonl").write_text('{"epoch": 77}\n')
    folder, _ = worked(dataclasses.replace(run, budget=dataclasses.replace(run.budget, epochs=1)), tmp_path)
    assert folder.status == FINISHED
    assert folder.history()[0]["epoch"] == 0


def test_an_option_added_later_with_a_default_keeps_old_runs_readable(run, folder):
    old = json.loads(json.dumps(folder.spec["run"]))
    del old["architecture"]["dropout"]
    assert identity(decode_run(old, None)) == identity(run)
    with pytest.raises(KeyError):
        decode(old, {})
