"""The GRU against torch's own layers put together by hand."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from bakeoff.models import GRU

VOCABULARY = 23
LENGTH = 7


def build(layers=1, **options):
    torch.manual_seed(0)
    return GRU(layers=layers, embedding=6, hidden=5, **options).build(VOCABULARY, LENGTH)


def tokens(batch=3):
    return torch.randint(VOCABULARY, (batch, LENGTH), generator=torch.Generator().manual_seed(1))


def by_hand(model, layers):
    """The same model of torch's layers, with the same weights, and its parameters by our names."""
    parts = nn.ModuleDict(
        {
            "embedding": nn.Embedding(VOCABULARY, 6),
            "recurrent": nn.GRU(6, 5, layers, batch_first=True),
            "projection": nn.Linear(5, 6),
        }
    )
    parts.load_state_dict(model.state_dict())
    return parts


def logits_by_hand(parts, tokens_BxL):
    hidden, _ = parts["recurrent"](parts["embedding"](tokens_BxL))
    return torch.relu(parts["projection"](hidden)) @ parts["embedding"].weight.T


@pytest.mark.parametrize("layers", [1, 3])
def test_logits_and_gradients_equal_torchs_layers_composed_by_hand(layers):
    model = build(layers, initialization="pytorch")
    reference = by_hand(model, layers)
    targets = tokens().roll(-1, 1)
    torch.testing.assert_close(model(tokens()), logits_by_hand(reference, tokens()), rtol=0, atol=1e-5)
    model.loss(tokens(), targets).backward()
    F.cross_entropy(logits_by_hand(reference, tokens()).flatten(0, 1), targets.flatten()).backward()
    for name, parameter in reference.named_parameters():
        torch.testing.assert_close(model.get_parameter(name).grad, parameter.grad, rtol=0, atol=1e-5, msg=name)


@pytest.mark.parametrize("place", range(1, LENGTH))
def test_a_later_token_never_changes_an_earlier_logit(place):
    model, changed = build(2), tokens()
    changed[:, place] = (changed[:, place] + 1) % VOCABULARY
    before, after = model(tokens()), model(changed)
    torch.testing.assert_close(before[:, :place], after[:, :place], rtol=0, atol=1e-6)
    assert not torch.allclose(before[:, place], after[:, place], atol=1e-9)


def test_recurrent_matrices_are_orthogonal_per_gate_and_biases_zero():
    for name, parameter in build(2).recurrent.named_parameters():
        for gate in parameter.detach().split(5):
            if name.startswith("weight_hh"):
                torch.testing.assert_close(gate @ gate.T, torch.eye(5), rtol=0, atol=1e-5)
            elif name.startswith("bias"):
                assert not gate.any()


@pytest.mark.parametrize("options", [{"dropout": 0.5}, {"dropout": 0.5, "locked_dropout": True}, {"weight_drop": 0.5}])
def test_dropout_acts_in_training_only(options):
    model, plain = build(2, **options), build(2)
    assert not torch.allclose(model(tokens()), plain(tokens()))
    assert torch.equal(model.eval()(tokens()), plain.eval()(tokens()))
