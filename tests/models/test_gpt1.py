"""GPT-1 against the released implementation in `transformers`, weight for weight."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from transformers import GPT2Config, GPT2LMHeadModel, OpenAIGPTConfig, OpenAIGPTLMHeadModel

from bakeoff.identity import identity
from bakeoff.models import GPT1, gpt1

VOCABULARY = 29
LENGTH = 9
WIDTH = 12
HEADS = 3


def build(layers=1, seed=0, **options):
    torch.manual_seed(seed)
    return GPT1(layers=layers, width=WIDTH, heads=HEADS, **options).build(VOCABULARY, LENGTH)


def tokens(batch=2, length=LENGTH):
    return torch.randint(VOCABULARY, (batch, length), generator=torch.Generator().manual_seed(1))


def scrambled(model):
    """Every parameter, gains and biases too, away from its special starting value."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return model


def pairs(model, reference):
    """Ours, theirs, and whether theirs is stored transposed (Conv1D)."""
    yield model.embedding.weight, reference.transformer.tokens_embed.weight, False
    yield model.positions.weight, reference.transformer.positions_embed.weight, False
    for ours, theirs in zip(model.blocks, reference.transformer.h, strict=True):
        for name, their_name in gpt1.IN_TRANSFORMERS.items():
            module, their = ours.get_submodule(name), theirs.get_submodule(their_name)
            yield module.weight, their.weight, isinstance(module, nn.Linear)
            yield module.bias, their.bias, False


def reference_of(model, layers, gelu="exact"):
    config = OpenAIGPTConfig(
        vocab_size=VOCABULARY,
        n_positions=LENGTH,
        n_embd=WIDTH,
        n_layer=layers,
        n_head=HEADS,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
    )
    reference = OpenAIGPTLMHeadModel(config)
    for block in reference.transformer.h if gelu == "exact" else ():
        block.mlp.act = nn.GELU()  # theirs is the tanh approximation
    for ours, theirs, transposed in pairs(model, reference):
        theirs.data.copy_(ours.data.T if transposed else ours.data)
    return reference


@pytest.mark.parametrize("gelu", gpt1.GELUS)
@pytest.mark.parametrize("layers", [1, 3])
def test_logits_and_gradients_equal_the_released_implementation(layers, gelu):
    model = scrambled(build(layers, gelu=gelu))
    reference = reference_of(model, layers, gelu)
    expected = reference(tokens()).logits
    torch.testing.assert_close(model(tokens()), expected, rtol=0, atol=1e-5)
    targets = tokens().roll(-1, 1)
    model.loss(tokens(), targets).backward()
    F.cross_entropy(expected.flatten(0, 1), targets.flatten()).backward()
    for ours, theirs, transposed in pairs(model, reference):
        torch.testing.assert_close(ours.grad, theirs.grad.T if transposed else theirs.grad, rtol=0, atol=1e-5)


def test_with_pre_norm_it_equals_gpt2s_body():
    model = scrambled(build(2, post_norm=False))
    config = GPT2Config(
        vocab_size=VOCABULARY,
        n_positions=LENGTH,
        n_embd=WIDTH,
        n_layer=2,
        n_head=HEADS,
        activation_function="gelu",
    )
    reference = GPT2LMHeadModel(config).eval()
    state = {"wte.weight": model.embedding.weight, "wpe.weight": model.positions.weight}
    state |= {f"ln_f.{part}": model.get_parameter(f"norm.{part}") for part in ("weight", "bias")}
    for number, block in enumerate(model.blocks):
        for ours, theirs in gpt1.IN_TRANSFORMERS.items():
            module = block.get_submodule(ours)
            state[f"h.{number}.{theirs}.weight"] = module.weight.mT if module.weight.ndim > 1 else module.weight
            state[f"h.{number}.{theirs}.bias"] = module.bias
    reference.transformer.load_state_dict(state)
    torch.testing.assert_close(model(tokens()), reference(tokens()).logits, rtol=0, atol=1e-5)
    first, kept = model.resume(tokens()[:, :4], None)
    later, _ = model.resume(tokens()[:, 4:], kept)
    torch.testing.assert_close(torch.cat([first, later], dim=1), model.features(tokens()), rtol=0, atol=1e-5)


def test_pre_norm_starts_from_the_same_weights_and_is_another_run():
    post, pre = build(2).state_dict(), build(2, post_norm=False).state_dict()
    assert all(torch.equal(pre[name], weight) for name, weight in post.items())
    assert (GPT1().post_norm, GPT1(post_norm=False).post_norm) == (True, False)
    assert identity(GPT1(post_norm=True)) == identity(GPT1()) != identity(GPT1(post_norm=False))
    with pytest.raises(ValueError, match="post norm must be True or False, not 'no'"):
        GPT1(post_norm="no")


def test_the_reference_covers_every_parameter():
    model = build(2)
    covered = [ours for ours, _, _ in pairs(model, reference_of(model, 2))]
    assert {id(p) for p in covered} == {id(p) for p in model.parameters()}


def test_a_sequence_may_be_shorter_than_the_longest():
    model = scrambled(build(2))
    torch.testing.assert_close(model(tokens()[:, :4]), model(tokens())[:, :4], rtol=0, atol=1e-5)


@pytest.mark.parametrize("place", range(1, LENGTH))
def test_a_later_token_never_changes_an_earlier_logit(place):
    model, changed = scrambled(build(2)), tokens()
    changed[:, place] = (changed[:, place] + 1) % VOCABULARY
    before, after = model(tokens()), model(changed)
    torch.testing.assert_close(before[:, :place], after[:, :place], rtol=0, atol=1e-6)
    assert (before[:, place] - after[:, place]).abs().max() > 1e-3


def test_a_logits_gradient_reaches_no_later_embedding():
    model = scrambled(build(3))
    embedded = []
    model.embedding.register_forward_hook(lambda module, args, output: embedded.append(output) or output.retain_grad())
    (model.features(tokens())[:, 3] * torch.randn(WIDTH)).sum().backward()
    assert embedded[0].grad[:, 4:].abs().max() == 0
    assert (embedded[0].grad[:, :4].abs().amax(dim=(0, 2)) > 0).all()


def test_initialization_is_the_published_one():
    torch.manual_seed(0)
    model = GPT1(layers=2, width=64, heads=4).build(500, 32)
    for name, parameter in model.named_parameters():
        if parameter.ndim == 2:
            assert parameter.std().item() == pytest.approx(0.02, rel=0.08), name
            assert abs(parameter.mean().item()) < 0.002, name
        else:
            assert torch.equal(parameter, torch.full_like(parameter, float("norm.weight" in name))), name


def test_pytorch_initialization_is_torchs_own_from_the_same_seed():
    model = build(1, seed=3, initialization="pytorch")
    torch.manual_seed(3)
    expected = [
        *(nn.Embedding(VOCABULARY, WIDTH), nn.Embedding(LENGTH, WIDTH)),
        *(nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH), nn.LayerNorm(WIDTH)),
        *(nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH), nn.LayerNorm(WIDTH)),
    ]
    for ours, theirs in zip(model.parameters(), (p for m in expected for p in m.parameters()), strict=True):
        assert torch.equal(ours, theirs)


def test_the_first_loss_is_close_to_that_of_a_uniform_guess():
    torch.manual_seed(0)
    model = GPT1().build(2048, 64)
    tokens_BxL = torch.randint(2048, (4, 64))
    assert model.loss(tokens_BxL, tokens_BxL.roll(-1, 1)).item() == pytest.approx(math.log(2048), rel=0.02)


def test_frozen_embeddings_freeze_the_positions_too():
    model = build()
    model.freeze_embeddings()
    frozen = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    assert frozen == {"embedding.weight", "positions.weight"}


def test_dropout_acts_in_training_only():
    model, plain = build(2, dropout=0.5), build(2)
    assert not torch.allclose(model(tokens()), plain(tokens()))
    assert torch.equal(model.eval()(tokens()), plain.eval()(tokens()))


def test_the_forms_of_gelu_differ_and_there_are_no_others():
    exact, tanh = (scrambled(build(gelu=gelu))(tokens()) for gelu in gpt1.GELUS)
    assert 1e-4 < (exact - tanh).abs().max() < 1e-1
    with pytest.raises(ValueError, match="gelu must be one of exact, tanh, not 'new'"):
        GPT1(gelu="new")


def test_heads_must_divide_the_width():
    with pytest.raises(ValueError, match="5 does not divide 12"):
        GPT1(width=12, heads=5)


@pytest.mark.parametrize("length", [1, 7, 64])
def test_attention_written_out_is_torchs_own_in_value_and_gradients(length):
    shape = (2, 3, length, 8)
    parts = [torch.randn(shape, generator=torch.Generator().manual_seed(seed)).requires_grad_() for seed in range(3)]
    ours = gpt1.causal_attention(*parts, dropout=0.0)
    fused = F.scaled_dot_product_attention(*parts, is_causal=True)
    torch.testing.assert_close(ours, fused, rtol=1e-5, atol=1e-6)
    upstream = torch.randn(shape, generator=torch.Generator().manual_seed(9))
    for gradient, expected in zip(*(torch.autograd.grad(y, parts, upstream) for y in (ours, fused)), strict=True):
        torch.testing.assert_close(gradient, expected, rtol=1e-4, atol=1e-5)


def test_long_sequences_do_not_write_their_scores_out(monkeypatch):
    monkeypatch.setattr(gpt1, "WRITTEN_OUT", 4)
    monkeypatch.setattr(torch, "baddbmm", None)
    parts = [torch.randn(1, 1, 5, 2) for _ in range(3)]
    expected = F.scaled_dot_product_attention(*parts, is_causal=True)
    torch.testing.assert_close(gpt1.causal_attention(*parts, dropout=0.0), expected)
