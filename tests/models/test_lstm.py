"""The LSTM against torch's own layers put together by hand, and against the equations, step by step."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from bakeoff.models import LSTM

VOCABULARY = 23
LENGTH = 7


def build(layers=1, seed=0, **options):
    torch.manual_seed(seed)
    return LSTM(layers=layers, embedding=6, hidden=5, **options).build(VOCABULARY, LENGTH)


def tokens(batch=3, length=LENGTH):
    return torch.randint(VOCABULARY, (batch, length), generator=torch.Generator().manual_seed(1))


def by_hand(model, layers):
    """The same model of torch's layers, with the same weights, and its parameters by our names."""
    parts = nn.ModuleDict(
        {
            "embedding": nn.Embedding(VOCABULARY, 6),
            "recurrent": nn.LSTM(6, 5, layers, batch_first=True),
            "projection": nn.Linear(5, 6),
        }
    )
    parts.load_state_dict(model.state_dict())
    return parts


def logits_by_hand(parts, tokens_BxL):
    hidden, _ = parts["recurrent"](parts["embedding"](tokens_BxL))
    return torch.relu(parts["projection"](hidden)) @ parts["embedding"].weight.T


def logits_by_equations(weights, layers, tokens_BxL):
    """Hochreiter & Schmidhuber 1997 with a forget gate, one place after the other, from zero states."""
    inputs = [weights["embedding.weight"][tokens_BxL[:, place]] for place in range(tokens_BxL.shape[1])]
    for layer in range(layers):
        w_ih, w_hh, b_ih, b_hh = (
            weights[f"recurrent.{k}_l{layer}"] for k in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        hidden = cell = torch.zeros(len(tokens_BxL), 5)
        outputs = []
        for x in inputs:
            i, f, g, o = (x @ w_ih.T + b_ih + hidden @ w_hh.T + b_hh).split(5, dim=1)
            cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
            hidden = torch.sigmoid(o) * torch.tanh(cell)
            outputs.append(hidden)
        inputs = outputs
    features = torch.stack(inputs, dim=1) @ weights["projection.weight"].T + weights["projection.bias"]
    return features.clamp(min=0) @ weights["embedding.weight"].T


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


@pytest.mark.parametrize("layers", [1, 3])
def test_logits_equal_the_equations_step_by_step(layers):
    model = build(layers, initialization="pytorch")
    expected = logits_by_equations(model.state_dict(), layers, tokens())
    torch.testing.assert_close(model(tokens()).detach(), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("place", range(1, LENGTH))
def test_a_later_token_never_changes_an_earlier_logit(place):
    model, changed = build(2), tokens()
    changed[:, place] = (changed[:, place] + 1) % VOCABULARY
    before, after = model(tokens()), model(changed)
    assert torch.equal(before[:, :place], after[:, :place])
    assert not torch.allclose(before[:, place], after[:, place], atol=1e-9)


@pytest.mark.parametrize("layers", [1, 2])
def test_a_logits_gradient_reaches_no_later_embedding(layers):
    model = build(layers)
    embedded = []
    model.embedding.register_forward_hook(lambda module, args, output: embedded.append(output) or output.retain_grad())
    model.features(tokens())[:, 3].sum().backward()
    assert embedded[0].grad[:, 4:].abs().max() == 0
    assert (embedded[0].grad[:, :4].abs().amax(dim=(0, 2)) > 0).all()


def test_sequences_of_a_batch_do_not_touch_each_other():
    together = build()(tokens())
    torch.testing.assert_close(together[1:2], build()(tokens()[1:2]), rtol=0, atol=1e-6)


def test_the_forget_gates_bias_is_one_in_exactly_one_of_torchs_two_biases():
    for name, bias in build(3).recurrent.named_parameters():
        if name.startswith("bias"):
            i, f, g, o = bias.detach().split(5)
            assert torch.equal(f, torch.full((5,), 1.0 if "bias_ih" in name else 0.0)), name
            assert not torch.cat((i, g, o)).any(), name


def test_every_gates_recurrent_matrix_is_orthogonal():
    for name, weight in build(3).recurrent.named_parameters():
        for gate in weight.detach().split(5) if name.startswith("weight_hh") else ():
            torch.testing.assert_close(gate @ gate.T, torch.eye(5), rtol=0, atol=1e-5, msg=name)


def test_input_weights_are_glorot_per_gate_and_the_projection_is_he():
    torch.manual_seed(0)
    model = LSTM(embedding=64, hidden=64).build(300, LENGTH)
    limit = math.sqrt(6 / (64 + 64))
    for gate in model.recurrent.weight_ih_l0.detach().split(64):
        assert 0.98 * limit < gate.abs().max() <= limit
    assert model.projection.weight.std().item() == pytest.approx(math.sqrt(2 / 64), rel=0.05)
    assert not model.projection.bias.any()


def test_the_embedding_fills_plus_minus_a_tenth():
    values = build().embedding.weight
    assert values.abs().max() <= 0.1
    assert values.min() < -0.08
    assert values.max() > 0.08


def test_pytorch_initialization_is_torchs_own_from_the_same_seed():
    model = build(2, seed=3, initialization="pytorch")
    torch.manual_seed(3)
    expected = [nn.Embedding(VOCABULARY, 6), nn.LSTM(6, 5, 2, batch_first=True), nn.Linear(5, 6)]
    for ours, theirs in zip(model.parameters(), (p for m in expected for p in m.parameters()), strict=True):
        assert torch.equal(ours, theirs)


def test_the_first_loss_is_close_to_that_of_a_uniform_guess():
    torch.manual_seed(0)
    model = LSTM().build(2048, 64)
    tokens_BxL = torch.randint(2048, (4, 64))
    assert model.loss(tokens_BxL, tokens_BxL.roll(-1, 1)).item() == pytest.approx(math.log(2048), rel=0.01)


@pytest.mark.parametrize("layers", [1, 2])
def test_dropout_acts_in_training_only(layers):
    model, plain = build(layers, dropout=0.5), build(layers)
    assert not torch.allclose(model(tokens()), plain(tokens()))
    assert torch.equal(model.eval()(tokens()), plain.eval()(tokens()))


def logits_with_masks(model, layers, tokens_BxL):
    """The equations with masks drawn beforehand: one a sequence and unit for all places, one a recurrent weight."""
    weights = {name: tensor.detach() for name, tensor in model.state_dict().items()}

    def units(width):
        return F.dropout(torch.ones(len(tokens_BxL), 1, width), 0.4)

    first, after = units(6), []
    for layer in range(layers):
        name = f"recurrent.weight_hh_l{layer}"
        weights[name] = weights[name] * F.dropout(torch.ones_like(weights[name]), 0.3)
        after.append(units(5))
    x = weights["embedding.weight"][tokens_BxL] * first
    for layer in range(layers):
        w_ih, w_hh, b_ih, b_hh = (
            weights[f"recurrent.{k}_l{layer}"] for k in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        hidden = cell = torch.zeros(len(tokens_BxL), 5)
        outputs = []
        for place in x.unbind(1):
            i, f, g, o = (place @ w_ih.T + b_ih + hidden @ w_hh.T + b_hh).split(5, dim=1)
            cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
            hidden = torch.sigmoid(o) * torch.tanh(cell)
            outputs.append(hidden)
        x = torch.stack(outputs, dim=1) * after[layer]
    features = x @ weights["projection.weight"].T + weights["projection.bias"]
    return features.clamp(min=0) @ weights["embedding.weight"].T


@pytest.mark.parametrize("layers", [1, 2])
def test_locked_dropout_and_dropped_weights_equal_the_equations_with_masks(layers):
    model = build(layers, initialization="pytorch", dropout=0.4, locked_dropout=True, weight_drop=0.3)
    torch.manual_seed(7)
    expected = logits_with_masks(model, layers, tokens())
    torch.manual_seed(7)
    torch.testing.assert_close(model(tokens()).detach(), expected, rtol=0, atol=1e-5)
    assert not torch.allclose(model(tokens()), expected)  # others the next time
    torch.testing.assert_close(
        model.eval()(tokens()), build(layers, initialization="pytorch").eval()(tokens()), rtol=0, atol=0
    )


def test_a_dropped_recurrent_weight_gets_no_gradient_and_the_weights_stay():
    model = build(weight_drop=0.5)
    before = model.recurrent.weight_hh_l0.detach().clone()
    model.loss(tokens(), tokens().roll(-1, 1)).backward()
    assert torch.equal(model.recurrent.weight_hh_l0, before)
    share = (model.recurrent.weight_hh_l0.grad == 0).float().mean().item()
    assert 0.3 < share < 0.7
    assert model.recurrent.weight_ih_l0.grad.all()


@pytest.mark.parametrize("wrong", [{"weight_drop": 1.0}, {"weight_drop": -0.1}])
def test_an_impossible_share_of_weights_is_refused(wrong):
    with pytest.raises(ValueError, match="weight drop"):
        LSTM(**wrong)
