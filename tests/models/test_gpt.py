"""GPT against nanochat as `transformers` has it, weight for weight."""

import cmath
import math

import pytest
import torch
from torch import nn

from bakeoff.models import GLR, GPT, gpt
from bakeoff.models.decoder import BlockState
from bakeoff.models.transformers import of_library

VOCABULARY = 29
LENGTH = 9
WIDTH = 12
HEADS = 3


def build(layers=1, **options):
    torch.manual_seed(0)
    return GPT(layers=layers, width=WIDTH, heads=HEADS, **options).build(VOCABULARY, LENGTH)


def tokens(batch=2, length=LENGTH):
    return torch.randint(VOCABULARY, (batch, length), generator=torch.Generator().manual_seed(1))


def scrambled(model):
    """Every parameter away from its special starting value."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return model


def reference_of(model, layers):
    """nanochat with the model's weights."""
    counterpart = GPT(layers=layers, width=WIDTH, heads=HEADS).to_transformers(model)
    reference = of_library(counterpart.config).eval()
    reference.base_model.load_state_dict(counterpart.weights)
    return reference


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("length", [LENGTH, 4])
def test_logits_equal_nanochats_body_with_a_tied_head(layers, length):
    model = scrambled(build(layers))
    expected = reference_of(model, layers)(tokens(length=length), use_cache=False).logits
    torch.testing.assert_close(model(tokens(length=length)), expected, rtol=0, atol=1e-5)


def test_rotary_positions_turn_complex_numbers():
    """Su et al. 2021, equation 13: channel i and its partner are one number, times e to the i m theta."""
    x = torch.randn(1, 1, 5, 6, generator=torch.Generator().manual_seed(0))
    ours = gpt.rotated(x)[0, 0]
    for place in range(5):
        for i in range(3):
            number = complex(x[0, 0, place, i], x[0, 0, place, 3 + i]) * cmath.exp(1j * place * 10_000 ** (-2 * i / 6))
            assert complex(ours[place, i], ours[place, 3 + i]) == pytest.approx(number, abs=1e-5)


def test_products_of_rotated_parts_depend_on_the_distance_alone():
    query, key = torch.randn(2, 1, 1, 1, 8, generator=torch.Generator().manual_seed(0))
    everywhere = [gpt.rotated(part.expand(1, 1, 12, 8))[0, 0] for part in (query, key)]
    products = everywhere[0] @ everywhere[1].T
    for distance in range(-11, 12):
        diagonal = products.diagonal(distance)
        torch.testing.assert_close(diagonal, diagonal[:1].expand_as(diagonal), rtol=0, atol=1e-4)


@pytest.mark.parametrize("place", range(1, LENGTH))
@pytest.mark.parametrize("token_shift", [True, False])
def test_a_later_token_never_changes_an_earlier_logit(place, token_shift):
    model, changed = scrambled(build(2, token_shift=token_shift)), tokens()
    changed[:, place] = (changed[:, place] + 1) % VOCABULARY
    before, after = model(tokens()), model(changed)
    torch.testing.assert_close(before[:, :place], after[:, :place], rtol=0, atol=1e-6)
    assert (before[:, place] - after[:, place]).abs().max() > 1e-3


def test_with_the_token_shift_the_first_place_sees_nothing_before_it():
    model = scrambled(build(token_shift=True))
    torch.testing.assert_close(model(tokens())[:, :1], model(tokens()[:, :1]), rtol=0, atol=1e-5)
    assert not torch.allclose(model(tokens()), scrambled(build())(tokens()), atol=1e-3)


def test_every_block_begins_as_the_identity():
    model = build(3)
    x = torch.randn(2, LENGTH, WIDTH)
    assert all(torch.equal(block(x, BlockState())[0], x) for block in model.blocks)


@pytest.mark.parametrize(
    "spec", [GPT(layers=2, width=64, heads=4), GLR(layers=2, width=64)], ids=lambda spec: spec.name
)
def test_matrices_begin_uniform_with_the_deviation_that_keeps_a_unit_variance(spec):
    torch.manual_seed(0)
    model = spec.build(500, 32)
    for block in model.blocks:
        for module in (block.expand, block.mixer.inputs):
            assert module.weight.std().item() == pytest.approx(1 / math.sqrt(64), rel=0.03)
            assert module.weight.abs().max().item() == pytest.approx(math.sqrt(3 / 64), rel=0.01)
        assert not block.mixer.output.weight.any()
        assert not block.contract.weight.any()
    assert model.embedding.weight.std().item() == pytest.approx(0.02, rel=0.03)


@pytest.mark.parametrize("spec", [GPT(), GLR()], ids=lambda spec: spec.name)
def test_the_first_loss_is_close_to_that_of_a_uniform_guess(spec):
    torch.manual_seed(0)
    tokens_BxL = torch.randint(2048, (4, 64))
    assert spec.build(2048, 64).loss(tokens_BxL, tokens_BxL.roll(-1, 1)).item() == pytest.approx(
        math.log(2048), rel=0.02
    )


@pytest.mark.parametrize("spec", [GPT(width=12, heads=2), GLR(width=12)], ids=lambda spec: spec.name)
def test_pytorch_initialization_is_torchs_own(spec):
    torch.manual_seed(3)
    model = type(spec)(**{**vars(spec), "initialization": "pytorch"}).build(VOCABULARY, LENGTH)
    torch.manual_seed(3)
    expected = [nn.Embedding(VOCABULARY, 12), nn.Linear(12, 36, bias=False)]
    ours = [model.embedding, model.blocks[0].mixer.inputs]
    assert all(torch.equal(a.weight, b.weight) for a, b in zip(ours, expected, strict=True))


@pytest.mark.parametrize(
    "spec", [GPT(layers=2, heads=2, width=12), GLR(layers=2, width=12)], ids=lambda spec: spec.name
)
def test_dropout_acts_in_training_only(spec):
    def scrambled_build(**options):
        torch.manual_seed(0)
        return scrambled(type(spec)(**{**vars(spec), **options}).build(VOCABULARY, LENGTH))

    model, plain = scrambled_build(dropout=0.5), scrambled_build()
    assert not torch.allclose(model(tokens()), plain(tokens()))
    assert torch.equal(model.eval()(tokens()), plain.eval()(tokens()))


def test_heads_must_divide_the_width_into_even_parts():
    assert GPT(width=12, heads=6)
    for heads in (4, 5):
        with pytest.raises(ValueError, match=f"heads must divide the width into even parts.*{heads} x 2"):
            GPT(width=12, heads=heads)
