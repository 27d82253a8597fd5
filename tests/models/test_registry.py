"""Every registered model with every registered optimizer: counted exactly, optimized exactly once."""

import itertools

import pytest
import torch

from bakeoff.experiments import STUDIES
from bakeoff.models import ARCHITECTURES, GLR, GPT, GPT1, GRU, LSTM, Transformers, count_parameters
from bakeoff.optimizers import OPTIMIZERS
from bakeoff.spec import LanguageModel

COMBINATIONS = list(itertools.product(ARCHITECTURES.values(), OPTIMIZERS.values()))


def small(kind, layers=2):
    recurrent, attending = {"embedding": 8, "hidden": 12}, {"width": 8, "heads": 2}
    if kind is Transformers:
        return Transformers("gpt2", layers=layers, n_embd=8, n_head=2)
    sizes = {LSTM: recurrent, GRU: recurrent, GPT1: attending, GPT: attending, GLR: {"width": 8}}
    return kind(layers=layers, **sizes.get(kind, {}))


def expected_count(architecture, vocabulary, length):
    """Parameters by the arithmetic of the published architectures."""
    if isinstance(architecture, LSTM | GRU):
        e, h, gates = architecture.embedding, architecture.hidden, 4 if isinstance(architecture, LSTM) else 3
        cells = gates * sum(h * (width + h) + 2 * h for width in [e, *[h] * (architecture.layers - 1)])
        return vocabulary * e + cells + h * e + e
    e = architecture.width
    if isinstance(architecture, GPT | GLR):
        return vocabulary * e + architecture.layers * (12 * e * e + e * isinstance(architecture, GLR))
    return (vocabulary + length) * e + architecture.layers * (12 * e * e + 13 * e)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_names_and_titles_are_the_registrys(name):
    assert ARCHITECTURES[name].name == name
    assert ARCHITECTURES[name].title


@pytest.mark.parametrize("registry", [ARCHITECTURES, OPTIMIZERS], ids=["models", "optimizers"])
def test_no_two_classes_are_called_alike(registry):
    assert len({kind.__qualname__ for kind in registry.values()}) == len(registry)


@pytest.mark.parametrize("kind", [LSTM, GPT1, GPT, GLR, GRU])
@pytest.mark.parametrize("layers", [1, 3])
def test_counts_are_the_real_modules_and_the_arithmetics(kind, layers):
    architecture = small(kind, layers)
    built = sum(parameter.numel() for parameter in architecture.build(31, 10).parameters())
    assert count_parameters(architecture, 31, 10) == (built, built)
    assert built == expected_count(architecture, 31, 10)


@pytest.mark.parametrize("experiment", STUDIES["seed"].experiments, ids=lambda e: e.slug)
def test_the_seed_studys_frozen_embeddings_are_counted_but_not_learnable(experiment):
    vocabulary, length = 40_478, 256
    total, learnable = count_parameters(experiment.architecture, vocabulary, length)
    assert total == expected_count(experiment.architecture, vocabulary, length)
    frozen = vocabulary + (length if isinstance(experiment.architecture, GPT1) else 0)
    assert learnable == total - 768 * frozen


@pytest.mark.parametrize("kind", ARCHITECTURES.values())
def test_counting_allocates_nothing_and_draws_nothing(kind):
    state = torch.get_rng_state()
    count_parameters(small(kind), 10**9, 8)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("kind", ARCHITECTURES.values())
def test_the_same_seed_builds_the_same_weights_and_another_does_not(kind):
    def built(seed):
        torch.manual_seed(seed)
        return small(kind).build(31, 10).embedding.weight

    assert torch.equal(built(1), built(1))
    assert not torch.equal(built(1), built(2))


@pytest.mark.parametrize("kind", ARCHITECTURES.values())
def test_models_answer_what_the_training_loop_asks(kind):
    model = small(kind).build(31, 10)
    assert all(callable(getattr(model, name)) for name in ("loss", "token_nats") if hasattr(LanguageModel, name))


@pytest.mark.parametrize("kind", ARCHITECTURES.values())
def test_the_matrices_inside_the_layers_are_all_but_embeddings_and_stack_whole_ones(kind):
    model = small(kind).build(31, 10)
    embeddings = {parameter for module in model.embeddings().values() for parameter in module.parameters()}
    assert set(model.matrices()) == {p for p in model.parameters() if p.ndim == 2} - embeddings
    assert all(len(matrix) % stacked == 0 for matrix, stacked in model.matrices().items())
    square = [tuple(m[: len(m) // stacked].shape) for m, stacked in model.matrices().items() if stacked > 1]
    assert set(square) <= {(8, 8), (12, 8), (12, 12)}
    assert square or kind is Transformers


@pytest.mark.parametrize(("kind", "optimizer"), COMBINATIONS)
@pytest.mark.parametrize("decayed", ["matrices", "all"])
def test_every_learnable_parameter_is_optimized_exactly_once(kind, optimizer, decayed):
    model = small(kind).build(31, 10)
    model.freeze_embeddings()
    groups = optimizer(lr=0.1, weight_decay=0.2, decayed=decayed).build(model).param_groups
    optimized = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(optimized) == sorted(id(p) for p in model.parameters() if p.requires_grad)


@pytest.mark.parametrize(("kind", "optimizer"), COMBINATIONS)
def test_decay_acts_on_matrices_alone_unless_all_is_asked_for(kind, optimizer):
    model = small(kind).build(31, 10)

    def decay_of(decayed):
        groups = optimizer(lr=0.1, weight_decay=0.2, decayed=decayed).build(model).param_groups
        return {id(parameter): group["weight_decay"] for group in groups for parameter in group["params"]}

    matrices, everything = decay_of("matrices"), decay_of("all")
    for name, parameter in model.named_parameters():
        assert matrices[id(parameter)] == (0.2 if parameter.ndim == 2 else 0.0), name
        assert everything[id(parameter)] == 0.2, name
