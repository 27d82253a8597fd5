"""GPT-1's released embeddings: taken as they are, frozen, and one line where they are missing or wrong."""

import pytest
import torch
from huggingface_hub.errors import LocalEntryNotFoundError
from safetensors.torch import save_file

from bakeoff.data import gpt1, hub
from bakeoff.errors import UserError
from bakeoff.models import GPT1, LSTM

VOCABULARY, LENGTH, WIDTH = 30, 8, 12
ARCHITECTURES = [
    LSTM(embedding=WIDTH, hidden=6, initialization="pytorch", embeddings="gpt1"),
    GPT1(width=WIDTH, heads=2, initialization="pytorch", embeddings="gpt1"),
]
named = pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda a: a.name)


@pytest.fixture(autouse=True)
def no_network(monkeypatch, tmp_path):
    def refuse(*_, **__):
        raise LocalEntryNotFoundError("no network")

    monkeypatch.setattr(hub, "hf_hub_download", refuse)
    monkeypatch.setenv("BAKEOFF_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("BAKEOFF_CACHE", str(tmp_path / "cache"))
    (tmp_path / "data" / "gpt1").mkdir(parents=True)
    (tmp_path / "cache" / "gpt1").mkdir(parents=True)


def released(prefix="", vocabulary=VOCABULARY, positions=2 * LENGTH, width=WIDTH):
    """Like the released file: both embeddings, more positions than are needed, and layers that nobody asks for."""
    generator = torch.Generator().manual_seed(1)
    shapes = {"tokens_embed.weight": (vocabulary, width), "positions_embed.weight": (positions, width), "h.0.x": (3,)}
    return {prefix + name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def save(tmp_path, tensors, place="data"):
    path = tmp_path / place / "gpt1" / "model.safetensors"
    save_file(tensors, path)
    return path


@named
@pytest.mark.parametrize("prefix", ["", "transformer."])
@pytest.mark.parametrize("place", ["data", "cache"])
def test_a_model_has_the_released_weights_and_first_positions(architecture, prefix, place, tmp_path):
    tensors = released()
    save(tmp_path, {prefix + name: tensor for name, tensor in tensors.items()}, place)
    architecture.check(VOCABULARY, LENGTH)
    model = architecture.build(VOCABULARY, LENGTH)
    assert torch.equal(model.embedding.weight, tensors["tokens_embed.weight"])
    if isinstance(architecture, GPT1):
        assert torch.equal(model.positions.weight, tensors["positions_embed.weight"][:LENGTH])


@named
def test_only_the_rest_is_learned_and_from_the_seed_alone(architecture, tmp_path):
    def built():
        torch.manual_seed(3)
        return architecture.build(VOCABULARY, LENGTH).state_dict()

    save(tmp_path, released())
    model = architecture.build(VOCABULARY, LENGTH)
    tokens = torch.randint(VOCABULARY, (2, LENGTH))
    model.loss(tokens, tokens).backward()
    frozen = set(map(id, model.embeddings().values()))
    for module in model.modules():
        for parameter in module.parameters(recurse=False):
            assert (parameter.grad is None) == (id(module) in frozen)
    assert all(torch.equal(one, other) for one, other in zip(built().values(), built().values(), strict=True))


@named
def test_a_model_that_was_trained_is_rebuilt_where_the_released_weights_are_not(architecture, tmp_path):
    path = save(tmp_path, released())
    model = architecture.build(VOCABULARY, LENGTH)
    path.unlink()
    rebuilt = architecture.rebuild(VOCABULARY, LENGTH, model.state_dict())
    tokens = torch.randint(VOCABULARY, (2, LENGTH))
    assert torch.equal(rebuilt(tokens), model(tokens))
    learnable = [[parameter.requires_grad for parameter in each.parameters()] for each in (model, rebuilt)]
    assert learnable[0] == learnable[1]
    assert not all(learnable[0])


def without(name):
    return {key: tensor for key, tensor in released().items() if key != name}


WRONG = {
    "no symbols": (without("tokens_embed.weight"), "it has no tokens_embed.weight"),
    "no positions": (without("positions_embed.weight"), "it has no positions_embed.weight"),
    "more symbols": (released(vocabulary=31), "tokens_embed.weight has shape [31, 12], not [30, 12]"),
    "fewer positions": (released(positions=7), "positions_embed.weight has shape [7, 12], not [8, 12]"),
    "another width": (released(width=16), "tokens_embed.weight has shape [30, 16], not [30, 12]"),
}


@pytest.mark.parametrize(("tensors", "says"), WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("method", ["check", "build"])
def test_a_file_that_does_not_fit_is_named(tensors, says, method, tmp_path):
    path = save(tmp_path, tensors)
    with pytest.raises(UserError) as error:
        getattr(ARCHITECTURES[1], method)(VOCABULARY, LENGTH)
    message = str(error.value)
    assert all(part in message for part in (str(path), says, "openai-community/openai-gpt"))
    assert "\n" not in message


@pytest.mark.parametrize("size", [0, 100, 1500])
def test_a_truncated_file_is_named(size, tmp_path):
    path = save(tmp_path, released())
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(UserError, match=r"\A[^\n]*model\.safetensors is not the released[^\n]*\Z"):
        ARCHITECTURES[0].check(VOCABULARY, LENGTH)


@named
def test_without_a_file_it_is_said_what_to_download_and_where_to_put_it(architecture, tmp_path):
    with pytest.raises(UserError) as error:
        architecture.check(VOCABULARY, LENGTH)
    assert error.value.status == 1
    parts = ("model.safetensors", str(tmp_path / "cache" / "gpt1"), gpt1.PAGE)
    assert all(part in str(error.value) for part in parts)
    assert "\n" not in str(error.value)


def test_what_was_fetched_must_be_the_public_file(tmp_path, monkeypatch):
    path = tmp_path / "fetched.safetensors"
    save_file(released(), path)
    monkeypatch.setattr(hub, "hf_hub_download", lambda repository, name, **_: path)
    with pytest.raises(UserError, match="sha256"):
        ARCHITECTURES[0].check(VOCABULARY, LENGTH)
    assert not path.exists()


def test_learned_embeddings_need_no_file():
    for kind in (LSTM(), GPT1()):
        kind.check(VOCABULARY, LENGTH)


def test_sizes_are_known_without_a_file():
    with torch.device("meta"):
        assert not ARCHITECTURES[0].build(VOCABULARY, LENGTH).embedding.weight.requires_grad
