"""What a GPU computes and measures, beside what a processor does; skipped where there is no GPU."""

import dataclasses
import itertools
import os

import numpy as np
import pytest
import torch

from bakeoff import checkpoints, costs, data, models, sampling
from bakeoff.executors.local import SAME_BITS_ON_CUDA
from bakeoff.machine import (
    Clock,
    compute_in_float32,
    environment,
    in_precision,
    resolve_device,
    resolve_precision,
    synchronizer,
)
from bakeoff.memory import SamplingMeter, meter
from bakeoff.models import GLR, GPT, GPT1, GRU, LSTM
from bakeoff.optimizers import OPTIMIZERS, SCHEDULES
from bakeoff.run_folder import FINISHED
from bakeoff.runner import open_session
from bakeoff.training import Training, evaluation_steps, on_device, token_nats

pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU"),
    # Of layers whose weights are dropped, and so are new at every step.
    pytest.mark.filterwarnings("ignore:RNN module weights are not part of single contiguous chunk"),
]

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
MEGABYTE = 2**20
MODELS = {
    "lstm": LSTM(layers=2, embedding=32, hidden=32),
    "locked-lstm": LSTM(layers=2, embedding=32, hidden=32, locked_dropout=True),
    "gru": GRU(embedding=32, hidden=32),
    "gpt1": GPT1(width=32, heads=2, layers=2),
    "gpt": GPT(width=32, heads=2, layers=2),
    "glr": GLR(width=32, layers=2),
}
#: Those that draw from the random state.
DROPPING = {
    "lstm": LSTM(layers=2, embedding=32, hidden=32, dropout=0.3),
    "awd-lstm": LSTM(layers=2, embedding=32, hidden=32, dropout=0.3, locked_dropout=True, weight_drop=0.3),
    "gpt1": GPT1(width=32, heads=2, layers=2, dropout=0.3),
    "glr": GLR(width=32, layers=2, dropout=0.3),
}


@pytest.fixture(scope="module", autouse=True)
def in_the_environment_of_a_worker():
    os.environ.update(SAME_BITS_ON_CUDA)  # for good, as it is read once


@pytest.fixture(autouse=True)
def as_in_a_worker():
    before = torch.backends.cudnn.allow_tf32
    compute_in_float32()
    yield
    torch.backends.cudnn.allow_tf32 = before


@pytest.fixture(scope="module")
def tokens(tiny_study):
    return data.prepare(tiny_study.corpus, tiny_study.budget)


def training_of(tiny_study, tokens, architecture, optimizer, device, *, clip=1.0, average=None, **hooks):
    torch.manual_seed(0)
    budget = dataclasses.replace(tiny_study.budget, batch_size=16, clip=clip, average=average)
    train, valid = tokens.splits["train"], tokens.splits["valid"]
    model = models.build(architecture, budget, tokens.vocabulary, device)
    ends = evaluation_steps(train, budget)
    return Training(
        model=model,
        optimizer=optimizer.build(model),
        schedule=SCHEDULES["linear"](budget, ends[-1]),
        train=train,
        measured={"valid": valid},
        sampling=sampling.plan(train, valid, budget, ends[0]),
        budget=budget,
        seed=3,
        device=device,
        clock=Clock(synchronizer(device)),
        **hooks,
    )


def weights(training):
    return {name: tensor.cpu() for name, tensor in training.model.state_dict().items()}


def same(ones, others):
    return ones.keys() == others.keys() and all(torch.equal(ones[name], others[name]) for name in ones)


def means(training):
    return [float(evaluation.nats["valid"].mean()) for evaluation in training.evaluations()]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("name", MODELS)
def test_a_run_on_a_gpu_is_the_one_on_a_processor_up_to_rounding(name, optimizer, tiny_study, tokens):
    found = OPTIMIZERS[optimizer](lr=0.003)
    ours, theirs = (means(training_of(tiny_study, tokens, MODELS[name], found, device)) for device in (CUDA, CPU))
    assert ours[0] == pytest.approx(theirs[0], rel=1e-6)
    assert ours == pytest.approx(theirs, rel=1e-4)


@pytest.mark.parametrize("name", MODELS)
def test_float32_is_float32_on_a_gpu(name, tiny_study, tokens):
    """TF32, with its 10 bits, is torch's default where cuDNN computes, and would be wrong by 1e-3."""
    of = {
        device: training_of(tiny_study, tokens, MODELS[name], OPTIMIZERS["sgd"](lr=1.0), device)
        for device in (CUDA, CPU)
    }
    first = np.arange(16)
    gradients = {}
    for device, training in of.items():
        training._loss(training.train.batch(first, training.budget.sequence_length)).backward()
        gradients[device] = {name: p.grad.cpu() for name, p in training.model.named_parameters()}
    for parameter, gradient in gradients[CPU].items():
        scale = float(gradient.abs().max())
        assert float((gradients[CUDA][parameter] - gradient).abs().max()) < 2e-5 * max(scale, 1e-3), parameter


@pytest.mark.parametrize("name", MODELS)
def test_bfloat16_measures_what_float32_does_within_a_hundredth(name, tiny_study, tokens):
    training = training_of(tiny_study, tokens, MODELS[name], OPTIMIZERS["adamw"](lr=0.003), CUDA)
    list(training.evaluations())
    valid = tokens.splits["valid"]
    nats = {
        precision: token_nats(training.model, valid, dataclasses.replace(training.budget, precision=precision), CUDA)
        for precision in ("fp32", "bf16")
    }
    assert nats["bf16"].mean() == pytest.approx(nats["fp32"].mean(), rel=0.01)
    assert not np.array_equal(nats["bf16"], nats["fp32"])  # it was one


@pytest.mark.parametrize("name", DROPPING)
def test_a_run_done_twice_ends_with_the_same_bits(name, tiny_study, tokens):
    ends = []
    for _ in range(2):
        training = training_of(tiny_study, tokens, DROPPING[name], OPTIMIZERS["adamw"](lr=0.003), CUDA)
        list(training.evaluations())
        ends.append(weights(training))
    assert same(*ends)


def test_a_wide_lstm_in_bfloat16_does_so_too():
    torch.manual_seed(0)
    inputs, targets = torch.randint(0, 2000, (2, 16, 256)).to(CUDA)
    ends = []
    for _ in range(2):
        torch.manual_seed(0)
        model = LSTM(embedding=768, hidden=1024).build(2000, 256).to(CUDA)
        optimizer = OPTIMIZERS["adam"](lr=0.001).build(model)
        for _ in range(20):
            with in_precision("bf16", CUDA):
                model.loss(inputs, targets).backward()
            optimizer.step()
            optimizer.zero_grad()
        ends.append({name: tensor.cpu() for name, tensor in model.state_dict().items()})
    assert same(*ends)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("name", DROPPING)
def test_a_run_that_is_stopped_and_goes_on_ends_with_the_same_bits(name, optimizer, tiny_study, tokens, tmp_path):
    def begin(**hooks):
        return training_of(
            tiny_study, tokens, DROPPING[name], OPTIMIZERS[optimizer](lr=0.003), CUDA, average=0.9, **hooks
        )

    def stop(step, loss):
        if step == stopped.ends[0] + 3:
            checkpoints.save(tmp_path / "checkpoint", *checkpoints.take(stopped))
            raise KeyboardInterrupt

    undisturbed = begin()
    list(undisturbed.evaluations())
    stopped = begin(on_step=stop)
    with pytest.raises(KeyboardInterrupt):
        list(stopped.evaluations())
    resumed = begin()
    torch.manual_seed(1)  # as another process might have
    checkpoints.restore(resumed, checkpoints.load(tmp_path / "checkpoint"))
    list(resumed.evaluations())
    assert same(weights(resumed), weights(undisturbed))
    averages = [{n: w.cpu() for n, w in training.average.weights.items()} for training in (resumed, undisturbed)]
    assert same(*averages)


def test_a_batch_comes_to_the_gpu_as_it_is(tokens):
    stream = tokens.splits["train"]
    for batch in itertools.islice(stream.batches(np.arange(64), 16, 16), 4):
        inputs, targets = on_device(batch, CUDA)
        assert inputs.device.type == targets.device.type == "cuda"
        assert np.array_equal(inputs.cpu(), batch.inputs_BxL)
        assert np.array_equal(targets.cpu(), batch.targets_BxL)


def test_the_clock_waits_for_the_work_that_was_asked_for():
    large = torch.randn(8192, 8192, device=CUDA)
    _ = large @ large
    clock = Clock(synchronizer(CUDA))
    begun, done = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    with clock.measuring("training"):
        begun.record()
        for _ in range(10):
            _ = large @ large
        done.record()
    with clock.measuring("evaluation"):
        pass
    assert clock.seconds["training"] >= begun.elapsed_time(done) / 1000 > 0.01
    assert clock.seconds["evaluation"] < clock.seconds["training"] / 10


def test_memory_is_what_torch_allocated_and_its_peak_is_between_readings_too():
    torch.cuda.empty_cache()
    found = meter(CUDA, compiled=False)
    assert isinstance(found, SamplingMeter)
    with found.window():
        for _ in range(100):
            _ = torch.empty(64 * MEGABYTE, dtype=torch.uint8, device=CUDA)
            del _
        kept = torch.empty(16 * MEGABYTE, dtype=torch.uint8, device=CUDA)
    seen = found.as_json()
    assert 64 * MEGABYTE <= seen["peak_bytes"] < 70 * MEGABYTE
    assert 0 < seen["average_bytes"] <= seen["peak_bytes"]
    assert seen["kind"] == "CUDA memory allocated by torch"
    assert seen["process_bytes"] is None or seen["process_bytes"] >= seen["peak_bytes"]
    assert kept.numel() == 16 * MEGABYTE


def test_auto_is_the_gpu_in_bfloat16_which_is_named():
    assert resolve_device("auto").type == "cuda"
    assert resolve_precision("auto", CUDA) == (
        "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    )
    assert environment(CUDA)["device_name"] == torch.cuda.get_device_name()


@pytest.mark.parametrize("name", MODELS)
def test_what_a_study_costs_is_estimated_on_it(name, tiny_study, tokens):
    run = dataclasses.replace(next(iter(tiny_study.runs)), architecture=MODELS[name])
    [probe] = costs.time_steps([run], tokens, CUDA)
    assert min(probe.step, probe.evaluated_token, probe.memory_bytes) > 0


def test_a_study_is_run_on_it_and_two_at_a_time_end_with_the_same_bits(tiny_study, tmp_path):
    found = []
    for jobs in (1, 2):
        with open_session(tiny_study, tmp_path / str(jobs), CUDA) as session:
            session.run(session.missing(), jobs, lambda run, message: None)
            runs = [run for _, _, run in session.folder.declared_runs()]
            summaries = [run.summary for run in runs]
        assert [summary["status"] for summary in summaries] == [FINISHED] * len(summaries)
        assert all(run.environment["device"] == "cuda" for run in runs)
        assert all(summary["memory"]["kind"] == "CUDA memory allocated by torch" for summary in summaries)
        found.append([summary["test"] for summary in summaries])
    assert found[0] == found[1]
