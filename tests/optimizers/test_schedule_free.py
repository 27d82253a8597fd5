"""Schedule-Free AdamW against its authors' reference, and that measuring leaves no trace in it."""

import sys

import pytest
import torch
from schedulefree import AdamWScheduleFreeReference
from torch import nn

from bakeoff.errors import UserError
from bakeoff.optimizers import SCHEDULES, ScheduleFreeAdamW
from bakeoff.training import Averaging

STEPS = 30


def model():
    torch.manual_seed(0)
    return nn.Linear(3, 2)


def take_steps(ours, *optimizers, measured=()):
    """The same gradients for all; the weights of the first while it is measured."""
    seen = []
    for step in range(STEPS):
        generator = torch.Generator().manual_seed(step)
        gradients = [torch.randn(p.shape, generator=generator) for p in ours[0].parameters()]
        for module, optimizer in (ours, *optimizers):
            for p, gradient in zip(module.parameters(), gradients, strict=True):
                p.grad = gradient.clone()
            optimizer.step()
        if step in measured:
            ours[1].eval()
            seen.append([p.detach().clone() for p in ours[0].parameters()])
            ours[1].eval()
            ours[1].train()
            ours[1].train()
    return seen


def test_thirty_steps_are_those_of_the_authors_reference():
    module, other = model(), model()
    ours = ScheduleFreeAdamW(lr=0.05, weight_decay=0.2, decayed="all").build(module)
    reference = AdamWScheduleFreeReference(other.parameters(), lr=0.05, weight_decay=0.2)
    reference.train()
    take_steps((module, ours), (other, reference))
    for optimizer in (ours, reference):
        optimizer.eval()
    for mine, theirs in zip(module.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-5)


def test_measuring_changes_the_weights_meanwhile_and_leaves_no_trace():
    undisturbed, measured = model(), model()
    take_steps((undisturbed, ScheduleFreeAdamW(lr=0.05).build(undisturbed)))
    optimizer = ScheduleFreeAdamW(lr=0.05).build(measured)
    seen = take_steps((measured, optimizer), measured=range(0, STEPS, 3))
    for mine, expected, average in zip(measured.parameters(), undisturbed.parameters(), seen[-1], strict=True):
        assert torch.equal(mine, expected)
        assert not torch.allclose(mine, average)
    assert all(set(state) == {"z", "exp_avg_sq"} for state in optimizer.state.values())


def test_it_is_measured_by_the_training_loops_protocol_and_schedules_itself():
    assert isinstance(ScheduleFreeAdamW().build(model()), Averaging)
    assert ScheduleFreeAdamW.schedule in SCHEDULES


def test_without_the_package_one_line_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "schedulefree", None)
    with pytest.raises(UserError, match=r"pip install 'bakeoff\[optimizers\]'"):
        ScheduleFreeAdamW().check(model())
