"""What is compared, as frozen data that cannot be nonsense, with traits."""

import dataclasses

import pytest
import torch

from bakeoff.models import GPT1, LSTM
from bakeoff.optimizers import SGD, Adam, AdamW, Momentum
from bakeoff.spec import Architecture, Budget, Optimizer


@pytest.mark.parametrize(("count", "seeds"), [(1, (42,)), (2, (42, 0)), (4, (42, 0, 1, 2))])
def test_more_seeds_join_the_studys_own(tiny_study, count, seeds):
    assert dataclasses.replace(tiny_study, seeds=(42,)).with_seeds(count).seeds == seeds
    assert dataclasses.replace(tiny_study, seeds=(0,)).with_seeds(count).seeds == tuple(range(count))


def test_a_study_numbers_its_contenders_and_runs_them_seed_by_seed(tiny_study):
    study = dataclasses.replace(tiny_study, seeds=(5, 2))
    assert study.numbers == (1, 2)
    assert [run.slug for run in study.runs] == [
        "01-lstm-1-adam/seed-5",
        "02-gpt1-1-sgd/seed-5",
        "01-lstm-1-adam/seed-2",
        "02-gpt1-1-sgd/seed-2",
    ]


def test_rates_are_given_by_slug_and_their_search_is_remembered(tiny_study):
    tuning = {"rates": {"01-lstm-1-adam": {"lr": 0.25}, "02-gpt1-1-sgd": {"lr": 0.5}}}
    tuned = tiny_study.tuned(tuning)
    assert [experiment.optimizer.lr for experiment in tuned.experiments] == [0.25, 0.5]
    assert tuned.tuning == tuning


class Bare(Optimizer):
    name = title = "bare"

    def build(self, model):
        raise NotImplementedError


class Blank(Architecture):
    name = title = "blank"

    def build(self, vocabulary, sequence_length):
        raise NotImplementedError


@pytest.mark.parametrize(
    ("optimizer", "traits"),
    [
        (Adam(), (True, "adam", False, False, None)),
        (AdamW(), (True, "adam", False, True, None)),
        (SGD(), (False, "sgd", False, False, 1)),
        (Momentum(momentum=0.75), (False, "momentum", True, False, 4)),
        (Bare(), (None, "", None, None, None)),
    ],
)
def test_what_an_optimizer_is_stands_on_its_class(optimizer, traits):
    names = ("adaptive", "rule", "heavy_ball", "decoupled_decay", "step_scale")
    assert tuple(getattr(optimizer, name) for name in names) == traits


@pytest.mark.parametrize(
    ("architecture", "attends", "recurrent", "post_norm"),
    [(LSTM(), False, True, False), (GPT1(), True, False, True), (Blank(), None, None, None)],
)
def test_what_a_model_is_stands_on_its_class(architecture, attends, recurrent, post_norm):
    assert (architecture.attends, architecture.recurrent, architecture.post_norm) == (attends, recurrent, post_norm)


@pytest.mark.parametrize("optimizer", [SGD(lr=0.1), Momentum(lr=0.1), Momentum(lr=0.1, momentum=0.5)])
def test_a_steady_gradient_moves_a_weight_by_the_rate_times_the_step_scale(optimizer):
    weight = torch.nn.Parameter(torch.zeros(1, 1, dtype=torch.float64))
    moved = optimizer.build(torch.nn.ParameterList([weight]))
    for _ in range(300):
        before = weight.item()
        weight.grad = torch.ones_like(weight)
        moved.step()
    assert before - weight.item() == pytest.approx(optimizer.lr * optimizer.step_scale)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Budget(epochs=0),
        lambda: Budget(batch_size=0),
        lambda: Budget(sequence_length=-1),
        lambda: Budget(vocabulary=255),
        lambda: Budget(clip=0.0),
        lambda: Budget(precision="fp16"),
        lambda: Budget(threads=0),
        lambda: Budget(epoch_steps=0),
        lambda: LSTM(layers=0),
        lambda: Adam(lr=0.0),
        lambda: Adam(lr=float("nan")),
        lambda: SGD(weight_decay=-0.1),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(make):
    with pytest.raises(ValueError, match=r"\A[^\n]+\Z"):
        make()


@pytest.mark.parametrize(
    "change",
    [
        lambda s: {"name": "../up"},
        lambda s: {"name": ""},
        lambda s: {"experiments": ()},
        lambda s: {"seeds": ()},
        lambda s: {"seeds": (1, 1)},
        lambda s: {"experiments": (s.experiments[0], s.experiments[0])},
    ],
)
def test_a_study_that_could_not_be_compared_or_kept_is_refused(change, tiny_study):
    with pytest.raises(ValueError, match=r"\A[^\n]+\Z"):
        dataclasses.replace(tiny_study, **change(tiny_study))
