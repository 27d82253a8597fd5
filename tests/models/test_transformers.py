"""Models of `transformers` against the library's own logits, and which of them are refused."""

import dataclasses
import json
import sys

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, GPT2Config

from bakeoff.errors import UserError
from bakeoff.identity import decode, encode, identity
from bakeoff.models import Transformers
from bakeoff.optimizers import Muon

VOCABULARY = 31
LENGTH = 9
SMALL = {"hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 24}
GROUPED = {**SMALL, "num_key_value_heads": 1, "head_dim": 8}
KINDS = {
    "gpt2": Transformers("gpt2", layers=2, n_embd=16, n_head=2, n_positions=12),
    "llama": Transformers("llama", layers=2, **GROUPED),
    "qwen3": Transformers("qwen3", layers=2, **GROUPED),
    "olmo2": Transformers("olmo2", layers=2, **GROUPED),
}


def build(spec, seed=0):
    torch.manual_seed(seed)
    return spec.build(VOCABULARY, LENGTH)


def tokens():
    return torch.randint(VOCABULARY, (3, LENGTH), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("kind", KINDS)
def test_logits_and_loss_are_the_librarys_own(kind):
    model = build(KINDS[kind]).eval()
    config = AutoConfig.for_model(
        **KINDS[kind].config,
        num_hidden_layers=2,
        vocab_size=VOCABULARY,
        tie_word_embeddings=True,
        **dict.fromkeys(("pad_token_id", "bos_token_id", "eos_token_id")),
    )
    theirs = AutoModelForCausalLM.from_config(config).eval()
    theirs.base_model.load_state_dict(model.body.state_dict())
    theirs.tie_weights()
    torch.testing.assert_close(model(tokens()), theirs(tokens()).logits, rtol=0, atol=1e-5)
    loss = theirs(tokens(), labels=tokens()).loss
    torch.testing.assert_close(model.loss(tokens()[:, :-1], tokens()[:, 1:]), loss, rtol=1e-4, atol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_the_check_leaves_the_weights_as_the_library_drew_them(kind):
    ones, others = (build(KINDS[kind]).state_dict() for _ in range(2))
    torch.manual_seed(0)
    drawn = KINDS[kind]._theirs(VOCABULARY, LENGTH).base_model.state_dict()
    assert all(torch.equal(ones[name], others[name]) for name in ones)
    assert all(torch.equal(ones[f"body.{name}"], drawn[name]) for name in drawn)


def test_every_learnable_parameter_is_there_once_and_gets_a_gradient():
    model = build(KINDS["qwen3"])
    model.loss(tokens(), tokens().roll(-1, 1)).backward()
    parameters = list(model.parameters())
    assert len({id(p) for p in parameters}) == len(parameters)
    assert all(p.grad is not None for p in parameters)
    groups = Muon().build(model).param_groups
    assert sum(len(group["params"]) for group in groups) == len(parameters)


def test_a_configuration_object_is_the_same_as_its_options():
    spec = Transformers(GPT2Config(n_embd=16, n_head=2, n_layer=3, n_positions=12, vocab_size=99))
    assert spec.layers == 3
    assert not {"n_layer", "vocab_size"} & set(spec.config)
    assert build(spec).embedding.weight.shape == (VOCABULARY, 16)
    assert Transformers({"model_type": "gpt2", "num_hidden_layers": 2}) == Transformers("gpt2", layers=2)


def test_it_is_a_spec_like_any_other():
    spec = Transformers("llama", layers=2, rope_parameters={"rope_type": "default", "rope_theta": 1e4}, **SMALL)
    again = decode(json.loads(json.dumps(encode(spec))), {"Transformers": Transformers})
    assert (again, hash(again), identity(again)) == (spec, hash(spec), identity(spec))
    assert dataclasses.replace(spec, layers=3).layers == 3
    assert identity(Transformers("llama", layers=2, hidden_size=32)) != identity(Transformers("llama", layers=2))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("spec", "why"),
    [
        (Transformers("bert", **SMALL), "bert is no causal language model"),
        (Transformers("t5"), "no such causal language model"),
        (Transformers("lama"), "no such causal language model"),
        (Transformers("gemma2", **GROUPED), "gemma2 computes its logits in another way"),
        (Transformers("granite", logits_scaling=8.0, **SMALL), "granite computes its logits in another way"),
        (Transformers("gpt2", n_embd=16, n_head=2, n_positions=4), "gpt2 has 4 positions, too few for 9"),
    ],
    ids=lambda value: value.config["model_type"] if isinstance(value, Transformers) else "",
)
def test_what_cannot_be_compared_is_refused_in_one_line(spec, why):
    with pytest.raises(UserError, match=why) as error:
        spec.check(VOCABULARY, LENGTH)
    assert "\n" not in str(error.value)


def test_without_the_package_one_line_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(UserError, match=r"pip install 'bakeoff\[transformers\]'"):
        KINDS["llama"].check(VOCABULARY, LENGTH)


@pytest.mark.parametrize(
    ("config", "why"), [({"hidden_size": 3}, "model_type"), (7, "model type, a mapping"), ("x", "layers")]
)
def test_what_is_no_configuration_is_refused(config, why):
    with pytest.raises(ValueError, match=why):
        Transformers(config, layers=0)
