"""The tied output layer and its cross-entropy, against torch's plain one."""

import shutil

import pytest
import torch
import torch.nn.functional as F

from bakeoff.models import GLR, GPT, GPT1, GRU, LSTM, build, loss
from bakeoff.spec import Budget

ARCHITECTURES = [
    *(LSTM(embedding=8, hidden=8), GRU(embedding=8, hidden=8)),
    *(GPT1(width=8, heads=2), GPT(width=8, heads=2), GLR(width=8)),
]
#: Few and many symbols and places.
SIZES = [(11, 2, 5), (300, 8, 40)]


def model_and_batch(architecture, vocabulary, batch, length):
    torch.manual_seed(0)
    model = architecture.build(vocabulary, length)
    inputs, targets = torch.randint(vocabulary, (2, batch, length))
    targets[-1, -2:] = -100
    targets[0, 1] = -100
    return model, inputs, targets


def plain_loss(model, inputs, targets):
    return F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten(), ignore_index=-100)


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda a: a.name)
@pytest.mark.parametrize("sizes", SIZES)
def test_loss_equals_plain_cross_entropy_in_value_and_gradients(architecture, sizes):
    model, inputs, targets = model_and_batch(architecture, *sizes)
    value, expected = model.loss(inputs, targets), plain_loss(model, inputs, targets)
    torch.testing.assert_close(value, expected, rtol=1e-5, atol=0)
    gradients = torch.autograd.grad(value, list(model.parameters()))
    for ours, plain in zip(gradients, torch.autograd.grad(expected, list(model.parameters())), strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda a: a.name)
@pytest.mark.parametrize("at_once", [1, 700, loss.LOGITS_AT_ONCE])
def test_token_nats_are_the_targets_own_whatever_the_chunks(architecture, at_once, monkeypatch):
    monkeypatch.setattr(loss, "LOGITS_AT_ONCE", at_once)
    model, inputs, targets = model_and_batch(architecture, 300, 3, 7)
    log_probabilities = model(inputs).detach().double().log_softmax(-1)
    expected = -log_probabilities.gather(-1, targets.clamp(min=0)[..., None])[..., 0] * (targets >= 0)
    nats = model.token_nats(inputs, targets)
    assert nats.dtype == torch.float32
    torch.testing.assert_close(nats.double(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda a: a.name)
def test_loss_is_the_mean_of_token_nats_over_real_targets(architecture):
    model, inputs, targets = model_and_batch(architecture, 50, 4, 6)
    mean = model.token_nats(inputs, targets).sum() / (targets != -100).sum()
    torch.testing.assert_close(model.loss(inputs, targets), mean, rtol=1e-5, atol=0)


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda a: a.name)
def test_ignored_targets_leave_no_trace_in_the_loss_of_the_others(architecture):
    model, inputs, targets = model_and_batch(architecture, 50, 2, 6)
    targets[1] = -100
    torch.testing.assert_close(model.loss(inputs, targets), model.loss(inputs[:1], targets[:1]), rtol=1e-5, atol=0)


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda a: a.name)
def test_a_frozen_embedding_gets_no_gradient_and_the_rest_still_the_right_one(architecture):
    model, inputs, targets = model_and_batch(architecture, 50, 2, 6)
    model.freeze_embeddings()
    model.loss(inputs, targets).backward()
    assert model.embedding.weight.grad is None
    learnable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    assert learnable
    for parameter, plain in zip(
        learnable, torch.autograd.grad(plain_loss(model, inputs, targets), learnable), strict=True
    ):
        torch.testing.assert_close(parameter.grad, plain, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda a: a.name)
def test_in_bfloat16_the_loss_is_nearly_the_same_and_gradients_are_in_float32(architecture):
    if isinstance(architecture, LSTM) and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        pytest.skip("this processor does not compute an LSTM in bfloat16")
    model, inputs, targets = model_and_batch(architecture, 50, 4, 6)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = model.loss(inputs, targets)
    value.backward()
    torch.testing.assert_close(value, model.loss(inputs, targets), rtol=0.02, atol=0)
    assert {parameter.grad.dtype for parameter in model.parameters()} == {torch.float32}


@pytest.mark.parametrize(
    "wrong", [{"dropout": 1.0}, {"dropout": -0.1}, {"initialization": "zeros"}, {"embeddings": "bert"}, {"layers": 0}]
)
def test_an_impossible_option_is_refused_by_name(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        LSTM(**wrong)


def compiled_model(monkeypatch, backend):
    model, inputs, targets = model_and_batch(GPT1(width=8, heads=2), 50, 4, 6)
    calls = []
    if backend == "counted":
        monkeypatch.setattr(torch, "compile", lambda function, **_: lambda *a: calls.append(a) or function(*a))
    model.compile_for((4, 6))
    return model, inputs, targets, calls


def test_only_whole_batches_of_training_go_through_compiled_code(monkeypatch):
    model, inputs, targets, calls = compiled_model(monkeypatch, "counted")
    model.token_nats(inputs, targets)
    model.loss(inputs[:3], targets[:3])
    model.loss(inputs[:, :5], targets[:, :5])
    assert not calls
    model.loss(inputs, targets)
    assert len(calls) == 1


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's compiler uses what torch deprecates
@pytest.mark.skipif(shutil.which("c++") is None, reason="compiling needs a C++ compiler")
def test_compiled_code_gives_the_same_loss_and_gradients(monkeypatch):
    model, inputs, targets, _ = compiled_model(monkeypatch, "inductor")
    gradients = torch.autograd.grad(model.loss(inputs, targets), list(model.parameters()))
    expected = torch.autograd.grad(plain_loss(model, inputs, targets), list(model.parameters()))
    for ours, plain in zip(gradients, expected, strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-4, atol=1e-5)


def test_a_model_is_compiled_if_the_budget_says_so_and_it_can_be(monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda function, **_: function)
    for architecture in ARCHITECTURES:
        for wanted in (True, False):
            budget = Budget(batch_size=4, sequence_length=6, compile=wanted)
            model = build(architecture, budget, 50, torch.device("cpu"))
            assert model.compiled_shape == ((4, 6) if wanted and architecture.compiles else None)
