"""The gated linear recurrence against a loop over places, in value and gradients."""

import pytest
import torch
import torch.nn.functional as F
from torch.autograd import gradcheck

from bakeoff.models import GLR, glr

VOCABULARY = 23
LENGTH = 7
WIDTH = 6


def build(layers=1, **options):
    torch.manual_seed(0)
    return GLR(layers=layers, width=WIDTH, **options).build(VOCABULARY, LENGTH)


def tokens(batch=3):
    return torch.randint(VOCABULARY, (batch, LENGTH), generator=torch.Generator().manual_seed(1))


def scrambled(model):
    """Every parameter away from its special starting value."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return model


def gates(*shape, dtype=torch.double):
    generator = torch.Generator().manual_seed(2)
    forget, update = (
        torch.rand(shape, generator=generator, dtype=dtype),
        torch.randn(shape, generator=generator).to(dtype),
    )
    return forget.requires_grad_(), update.requires_grad_()


def scan_by_loop(forget, update):
    state, states = torch.zeros_like(update[:, 0]), []
    for place in range(update.shape[1]):
        state = forget[:, place] * state + (1 - forget[:, place]) * update[:, place]
        states.append(state)
    return torch.stack(states, dim=1)


def norm(x):
    return x / (x.pow(2).mean(-1, keepdim=True) + 1e-6).sqrt()


def shift(x):
    """Half of the channels from the place before, one place after the other."""
    half = x.shape[-1] // 2
    places = [torch.zeros_like(x[:, 0]), *x.unbind(1)]
    return torch.stack([torch.cat((places[t][:, :half], places[t + 1][:, half:]), -1) for t in range(x.shape[1])], 1)


def logits_by_loop(model, tokens_BxL, token_shift):
    """The equations of the docstring, with a matrix for each gate."""
    weights = model.state_dict()
    read = (lambda x: shift(norm(x))) if token_shift else norm
    x = norm(weights["embedding.weight"][tokens_BxL])
    for layer in range(len(model.blocks)):
        w = {name.removeprefix(f"blocks.{layer}."): v for name, v in weights.items() if f"blocks.{layer}." in name}
        forget, update, gate = w["mixer.inputs.weight"].split(WIDTH)
        y = read(x)
        states = scan_by_loop(torch.sigmoid(y @ forget.T + w["mixer.forget_bias"]), y @ update.T)
        x = x + (states * F.silu(y @ gate.T)) @ w["mixer.output.weight"].T
        x = x + F.relu(read(x) @ w["expand.weight"].T) ** 2 @ w["contract.weight"].T
    return norm(x) @ weights["embedding.weight"].T


@pytest.mark.parametrize("length", [1, 2, 9])
def test_the_scan_is_a_loop_over_places_in_value_and_gradients(length):
    forget, update = gates(2, length, 3)
    states, expected = glr.scan(forget, update), scan_by_loop(forget, update)
    torch.testing.assert_close(states, expected)
    upstream = torch.randn_like(states)
    for ours, plain in zip(
        *(torch.autograd.grad(y, (forget, update), upstream) for y in (states, expected)), strict=True
    ):
        torch.testing.assert_close(ours, plain)
    assert gradcheck(glr.scan, (forget, update))


def test_the_scan_reads_inputs_that_are_parts_of_a_larger_tensor():
    both = torch.rand(2, 5, 8, dtype=torch.double, requires_grad=True)
    parts = both.chunk(2, dim=-1)
    torch.testing.assert_close(glr.scan(*parts), scan_by_loop(*parts))
    assert gradcheck(lambda x: glr.scan(*x.chunk(2, dim=-1)), (both,))


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("token_shift", [True, False])
def test_logits_equal_the_equations_place_by_place(layers, token_shift):
    model = scrambled(build(layers, token_shift=token_shift))
    expected = logits_by_loop(model, tokens(), token_shift)
    torch.testing.assert_close(model(tokens()).detach(), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("place", range(1, LENGTH))
def test_a_later_token_never_changes_an_earlier_logit(place):
    model, changed = scrambled(build(2)), tokens()
    changed[:, place] = (changed[:, place] + 1) % VOCABULARY
    before, after = model(tokens()), model(changed)
    torch.testing.assert_close(before[:, :place], after[:, :place], rtol=0, atol=1e-6)
    assert (before[:, place] - after[:, place]).abs().max() > 1e-3


def test_the_first_token_reaches_the_last_place():
    model, changed = scrambled(build()), tokens()
    changed[:, 0] = (changed[:, 0] + 1) % VOCABULARY
    assert (model(tokens())[:, -1] - model(changed)[:, -1]).abs().max() > 1e-6


def test_memories_begin_spread_from_short_to_long():
    bias = build().blocks[0].mixer.forget_bias
    assert bias.tolist() == pytest.approx([-1, 0, 1, 2, 3, 4])


def test_states_stay_in_float32_whatever_the_products_are_in():
    model, seen = scrambled(build()), []
    model.blocks[0].mixer.output.register_forward_pre_hook(lambda module, args: seen.append(args[0].dtype))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model(tokens())
    assert seen == [torch.float32]
    torch.testing.assert_close(logits.float(), model(tokens()), rtol=0.1, atol=0.2)
