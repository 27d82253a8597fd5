"""The chunked output layer and cross-entropy, against torch's plain one: values and gradients."""

import pytest
import torch
import torch.nn.functional as F

from bakeoff.models import loss

#: Targets, width, symbols: below, at and above the size of a chunk, with a ragged last one.
SIZES = [(1, 3, 5), (loss.ROWS, 8, 300), (2 * loss.ROWS + 7, 16, 700)]


def inputs(targets, width, symbols):
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(targets, width, generator=generator).requires_grad_()
    weight = torch.randn(symbols, width, generator=generator).requires_grad_()
    return features, weight, torch.randint(symbols, (targets,), generator=generator)


def plain(features, weight, targets):
    return F.cross_entropy(F.linear(features, weight), targets, reduction="sum")


@pytest.mark.parametrize("sizes", SIZES)
def test_it_is_the_plain_cross_entropy_and_so_are_its_gradients(sizes):
    features, weight, targets = inputs(*sizes)
    ours, expected = (f(features, weight, targets) for f in (loss.summed_nats, plain))
    torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-5)
    scaled = [torch.autograd.grad(total / 7, (features, weight)) for total in (ours, expected)]
    for gradient, reference in zip(*scaled, strict=True):
        torch.testing.assert_close(gradient, reference, rtol=1e-4, atol=1e-5)


def test_targets_that_do_not_count_leave_no_trace():
    features, weight, targets = inputs(*SIZES[1])
    targets[3::4] = -100
    loss.summed_nats(features, weight, targets).backward()
    reference = torch.autograd.grad(plain(features, weight, targets), (features, weight))
    assert features.grad[3::4].count_nonzero() == 0
    for gradient, expected in zip((features.grad, weight.grad), reference, strict=True):
        torch.testing.assert_close(gradient, expected, rtol=1e-4, atol=1e-5)


def test_a_frozen_output_layer_costs_no_gradient():
    features, weight, targets = inputs(*SIZES[1])
    (expected,) = torch.autograd.grad(plain(features, weight, targets), features)
    total = loss.summed_nats(features, weight.detach(), targets)
    assert all(saved is None or saved.shape != weight.shape for saved in total.grad_fn.saved_tensors)
    total.backward()
    torch.testing.assert_close(features.grad, expected, rtol=1e-4, atol=1e-5)


def test_in_bfloat16_it_is_the_plain_one_within_the_types_rounding():
    features, weight, targets = inputs(2 * loss.ROWS, 32, 900)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        total = loss.summed_nats(features, weight, targets)
    expected = plain(features, weight, targets)
    # Eight bits of a logit of about 20 are 0.08; they cancel out over many targets.
    torch.testing.assert_close(total, expected, rtol=1e-3, atol=0)
    gradients = [torch.autograd.grad(value, (features, weight)) for value in (total, expected)]
    for gradient, reference in zip(*gradients, strict=True):
        assert gradient.dtype == torch.float32
        assert (gradient - reference).norm() < 0.01 * reference.norm()


def test_a_hopeless_target_costs_much_but_stays_finite_and_nonsense_does_not():
    features, weight = torch.tensor([[1.0]]), torch.tensor([[500.0], [-500.0]])
    total = loss.summed_nats(features.requires_grad_(), weight, torch.tensor([1]))
    assert 80 < total.item() < 90
    (gradient,) = torch.autograd.grad(total, features)
    torch.testing.assert_close(gradient, torch.tensor([[1000.0]]))
    assert loss.summed_nats(features, weight * torch.inf, torch.tensor([1])).isnan()
