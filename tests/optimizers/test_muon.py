"""Muon against torch's own, whose products are made float32, and against the singular value decomposition."""

import pytest
import torch
from torch import nn

from bakeoff.errors import UserError
from bakeoff.models import GLR, GPT1, LSTM
from bakeoff.optimizers import Muon
from bakeoff.optimizers.muon import orthogonalized

STEPS = 30


class Model(nn.Module):
    """A wide matrix, a tall one, and one of three stacked; an embedding, and a bias."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.embedding = nn.Embedding(7, 4)
        self.wide = nn.Linear(6, 4)
        self.tall = nn.Linear(4, 12, bias=False)
        self.stacked = nn.Linear(4, 12, bias=False)

    def matrices(self):
        return {self.wide.weight: 1, self.tall.weight: 1, self.stacked.weight: 3}


def gradients_of(step, parameters):
    generator = torch.Generator().manual_seed(step)
    return [torch.randn(p.shape, generator=generator) for p in parameters]


@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_thirty_steps_are_those_of_torchs_muon_and_torchs_adamw(decay, monkeypatch):
    monkeypatch.setattr(torch.Tensor, "bfloat16", torch.Tensor.clone)
    model, reference = Model(), Model()
    optimizer = Muon(lr=0.02, weight_decay=decay, adamw_share=0.1).build(model)
    gates = [nn.Parameter(gate.clone()) for gate in reference.stacked.weight.detach().chunk(3)]
    matrices = [reference.wide.weight, reference.tall.weight, *gates]
    muon = torch.optim.Muon(matrices, lr=0.02, weight_decay=decay)
    groups = [
        {"params": [reference.embedding.weight], "weight_decay": decay},
        {"params": [reference.wide.bias], "weight_decay": 0.0},
    ]
    adamw = torch.optim.AdamW(groups, lr=0.002, betas=(0.9, 0.95))
    for step in range(STEPS):
        for p, gradient in zip(model.parameters(), gradients_of(step, model.parameters()), strict=True):
            p.grad = gradient
        for p, gradient in zip(reference.parameters(), gradients_of(step, reference.parameters()), strict=True):
            p.grad = gradient
        for gate, gradient in zip(gates, reference.stacked.weight.grad.chunk(3), strict=True):
            gate.grad = gradient.clone()
        for each in (optimizer, muon, adamw):
            each.step()
    with torch.no_grad():
        reference.stacked.weight.copy_(torch.cat(gates))
    for (name, ours), theirs in zip(model.named_parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5, msg=name)


@pytest.mark.parametrize("shape", [(4, 4), (3, 8), (8, 3)])
def test_an_orthogonalized_matrix_has_the_same_singular_vectors_and_values_near_one(shape):
    matrices = torch.randn(2, *shape, generator=torch.Generator().manual_seed(3))
    for before, after in zip(matrices, orthogonalized(matrices), strict=True):
        left, _, right = torch.linalg.svd(before, full_matrices=False)
        inside = left.T @ after @ right.T
        assert (inside.diagonal() - 0.95).abs().max() < 0.35
        torch.testing.assert_close(inside, torch.diag(inside.diagonal()), rtol=0, atol=1e-4)


def test_products_are_in_the_type_of_those_around_them():
    matrices = torch.randn(2, 16, 16, generator=torch.Generator().manual_seed(0))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = orthogonalized(matrices)
    assert not torch.equal(rough, orthogonalized(matrices))
    torch.testing.assert_close(rough.float(), orthogonalized(matrices), rtol=0, atol=0.1)


def test_a_state_is_that_of_both():
    model = Model()
    optimizer, other = Muon().build(model), Muon().build(Model())
    for p in model.parameters():
        p.grad = torch.ones_like(p)
    optimizer.step()
    other.load_state_dict(optimizer.state_dict())
    assert [set(state) for state in other.state.values()] == [set(state) for state in optimizer.state.values()]
    assert {"mean"} in [set(state) for state in other.optimizers[0].state.values()]
    assert other.optimizers[1].param_groups[0] is other.param_groups[-2]


@pytest.mark.parametrize(
    "spec", [LSTM(embedding=4, hidden=8), GPT1(width=8, heads=2), GLR(width=8)], ids=lambda s: s.name
)
def test_the_rest_of_a_model_has_the_stated_share_of_the_rate(spec):
    model = spec.build(11, 5)
    groups = Muon(lr=0.5, adamw_share=0.2).build(model).param_groups
    rates = {id(p): group["lr"] for group in groups for p in group["params"]}
    for p in model.parameters():
        assert rates[id(p)] == (0.5 if p in model.matrices() else 0.1)


def test_a_model_without_matrices_is_refused_in_one_line():
    with pytest.raises(UserError, match=r"Muon has nothing to do in Embedding.*another optimizer") as error:
        Muon().check(nn.Embedding(3, 2))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("wrong", [{"momentum": 1.0}, {"adamw_share": 0.0}, {"betas": (0.9, 1.0)}])
def test_impossible_numbers_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong)).replace("_", " ")):
        Muon(**wrong)
