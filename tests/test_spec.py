"""What is compared, as frozen data that cannot be nonsense, with traits."""

import dataclasses
import itertools
import json
import math
import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bakeoff.identity import encode, identity
from bakeoff.models import ARCHITECTURES, GLR, GPT1, LSTM
from bakeoff.optimizers import OPTIMIZERS, SGD, Adam, AdamW, Momentum
from bakeoff.spec import Architecture, Budget, Corpus, Experiment, Optimizer, Study


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


def texts(documents):
    return Corpus(name="text", documents=documents)


#: What somebody may write by mistake.
ANYTHING = (
    *(0, -1, 1.5, math.inf, math.nan, 10**400, 1j, None, True, "x", "\x1b[2J", b"x", [], {}, (), [1, [2]], {"a": 1}),
    *([1, 2, 3], [0.5, 0.9], "a\nb", {1}, range(3), object(), Adam, float, ("x", None), (math.nan, 0.5), "x" * 10**5),
)


@pytest.mark.parametrize(
    "spec",
    [Budget(), Corpus(name="a text", path="text.txt")]
    + [kind() for kind in (*ARCHITECTURES.values(), *OPTIMIZERS.values())],
    ids=lambda spec: type(spec).__name__,
)
def test_every_field_refuses_what_no_record_can_hold(spec):
    wrong = {}
    for name, value in itertools.product([field.name for field in dataclasses.fields(spec)], ANYTHING):
        try:
            changed = dataclasses.replace(spec, **{name: value})
        except ValueError as error:
            if "\n" in str(error):
                wrong[name, repr(value)] = error
            continue
        try:
            hash(changed), identity(changed), json.dumps(encode(changed), allow_nan=False)
        except Exception as error:  # noqa: BLE001 (each is counted)
            wrong[name, repr(value)] = error
    assert wrong == {}


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Budget(epochs=0), "epochs must be a whole number from 1 to 1,000,000,000, not 0"),
        (lambda: Budget(epochs=True), "epochs must be a whole number from 1 to 1,000,000,000, not True"),
        (lambda: Budget(batch_size="16"), "batch size must be a whole number from 1 to 1,000,000,000, not '16'"),
        (lambda: Budget(sequence_length=-1), "sequence length must be a whole number from 1 to 1,000,000,000, not -1"),
        (lambda: Budget(vocabulary=255), "vocabulary must be a whole number from 256 to 1,000,000, not 255"),
        (lambda: Budget(vocabulary=10**9), "vocabulary must be a whole number from 256 to 1,000,000, not 1000000000"),
        (lambda: Budget(threads=0), "threads must be a whole number from 1 to 1,024, not 0"),
        (lambda: Budget(threads=10**6), "threads must be a whole number from 1 to 1,024, not 1000000"),
        (lambda: Budget(epoch_steps=0), "epoch steps must be a whole number from 1 to 1,000,000,000, not 0"),
        (lambda: Budget(steps=0, epoch_steps=1), "steps must be a whole number from 1 to 1,000,000,000, not 0"),
        (
            lambda: Budget(steps=10),
            "a budget in steps needs epoch_steps as well: after how many of them each evaluation follows",
        ),
        (
            lambda: Budget(steps=10, epoch_steps=5, epochs=3),
            "a budget has steps or epochs, not both: leave out epochs=3 or steps=10",
        ),
        (
            lambda: Budget(warmup_steps=3),
            "a warm-up or a decay in steps needs a budget in steps: give steps as well",
        ),
        (
            lambda: Budget(steps=10, epoch_steps=5, schedule="constant", warmup_steps=3),
            "the schedule constant has no warm-up to give steps",
        ),
        (
            lambda: Budget(steps=10, epoch_steps=5, schedule="warmup", decay_steps=3),
            "the schedule warmup has no decay to give steps",
        ),
        (
            lambda: Budget(steps=1000, epoch_steps=500, decay_steps=951),
            "50 steps of warm-up and 951 of decay are more than all 1,000: give fewer",
        ),
        (lambda: Budget(average=1), "average must be a finite number above 0 and below 1, not 1"),
        (lambda: Budget(clip=0.0), "clip must be a finite number above 0, not 0.0"),
        (lambda: Budget(clip=math.inf), "clip must be a finite number above 0, not inf"),
        (lambda: Budget(precision="fp16"), "precision must be one of auto, fp32, bf16, not 'fp16'"),
        (lambda: Budget(compile=1), "compile must be True or False, not 1"),
        (lambda: Budget(compile=Adam), "compile must be True or False, not <class"),
        (lambda: Budget(tokenizer=None), "the name of a tokenizer must be text of characters"),
        (lambda: Budget(schedule=["linear"]), "schedule must be one of linear, "),
        (lambda: LSTM(locked_dropout="no"), "locked dropout must be True or False, not 'no'"),
        (lambda: GLR(token_shift=None), "token shift must be True or False, not None"),
        (lambda: GPT1(gelu=["tanh"]), "gelu must be one of exact, tanh, not ['tanh']"),
        (lambda: GPT1(post_norm=0), "post norm must be True or False, not 0"),
        (lambda: LSTM(layers=0), "layers must be a whole number from 1 to 1,000, not 0"),
        (lambda: LSTM(layers=10**9), "layers must be a whole number from 1 to 1,000, not 1000000000"),
        (lambda: LSTM(layers=1.5), "layers must be a whole number from 1 to 1,000, not 1.5"),
        (lambda: LSTM(hidden=0), "hidden must be a whole number from 1 to 65,536, not 0"),
        (lambda: LSTM(embedding=10**9), "embedding must be a whole number from 1 to 65,536, not 1000000000"),
        (lambda: LSTM(dropout=math.nan), "dropout must be a finite number from 0 and below 1, not nan"),
        (lambda: GPT1(width=0), "width must be a whole number from 1 to 65,536, not 0"),
        (lambda: GPT1(width=8, heads=0), "heads must be a whole number from 1 to 8, not 0"),
        (lambda: Adam(lr=0.0), "learning rate must be a finite number above 0, not 0.0"),
        (lambda: Adam(lr=1e305), "learning rate must be a finite number above 0 and below 1e+300, not 1e+305"),
        (lambda: Adam(lr=math.nan), "learning rate must be a finite number above 0, not nan"),
        (lambda: Adam(lr="0.1"), "learning rate must be a finite number above 0, not '0.1'"),
        (lambda: Adam(betas=(0.9, 1.0)), r"betas must be a tuple of two numbers from 0 and below 1, not (0.9, 1.0)"),
        (
            lambda: Adam(betas=(False, 0.9)),
            r"betas must be a tuple of two numbers from 0 and below 1, not (False, 0.9)",
        ),
        (lambda: Adam(betas=0.9), r"betas must be a tuple of two numbers from 0 and below 1, not 0.9"),
        (lambda: Adam(betas=("a", "b")), r"betas must be a tuple of two numbers from 0 and below 1, not ('a', 'b')"),
        (lambda: Adam(betas=(0.9,)), r"betas must be a tuple of two numbers from 0 and below 1, not (0.9,)"),
        (lambda: Adam(eps=math.inf), "eps must be a finite number from 0, not inf"),
        (lambda: SGD(weight_decay=-0.1), "weight decay must be a finite number from 0, not -0.1"),
        (lambda: Momentum(momentum=1), "momentum must be a finite number from 0 and below 1, not 1"),
        (
            lambda: texts((1, 0, 1)),
            "documents must be three whole numbers from 1 to 1,000,000,000, one a split, not (1, 0",
        ),
        (
            lambda: texts((1, 1)),
            "documents must be three whole numbers from 1 to 1,000,000,000, one a split, not (1, 1)",
        ),
        (lambda: Corpus(name="text", path=0), "a corpus's path must be text, not 0"),
        (lambda: texts((1, 1, 1.5)), "documents must be three whole numbers from 1 to 1,000,000,000, one a split"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line_with_its_bounds(make, says):
    with pytest.raises(ValueError, match=rf"\A{re.escape(says)}[^\n]*\Z"):
        make()


@pytest.mark.parametrize("seed", [-1, 2**32, 0.5])
def test_a_seed_is_what_every_generator_takes(tiny_study, seed):
    with pytest.raises(ValueError, match="seed must be a whole number from 0 to 4,294,967,295, not"):
        _ = dataclasses.replace(tiny_study, seeds=(seed,)).runs


@pytest.mark.parametrize("count", [0, 1001, 3 * 10**9, "2", 2.0, True])
def test_more_seeds_than_anyone_runs_are_refused_before_they_take_memory(tiny_study, count):
    told = f"{count:,}" if type(count) is int else repr(count)
    with pytest.raises(ValueError, match=f"a study has from 1 to 1,000 seeds, not {told}"):
        tiny_study.with_seeds(count)


@given(st.integers(1, 1000))
def test_a_whole_number_is_the_same_setting_as_the_float(number):
    assert identity(Budget(clip=number)) == identity(Budget(clip=float(number)))
    assert identity(SGD(lr=number)) == identity(SGD(lr=float(number)))
    assert identity(Adam(betas=(0, 0.9))) == identity(Adam(betas=(0.0, 0.9)))


def test_two_classes_of_one_name_cannot_be_told_apart(tiny_study):
    class Other(LSTM):
        pass

    second = dataclasses.replace(tiny_study.experiments[1], architecture=Other())
    with pytest.raises(ValueError, match="two classes with the name 'lstm': rename one"):
        dataclasses.replace(tiny_study, experiments=(tiny_study.experiments[0], second))


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


@pytest.mark.parametrize("text", ["a\x1b[2Jb", "two\nlines", "\u202eturned", "", " ", 7, None])
def test_names_and_titles_have_only_what_is_there_to_be_seen(text):
    with pytest.raises(ValueError, match=r"\Aa corpus's name must be text of characters [^\n]*\Z"):
        Corpus(name=text)
    for attribute in ("name", "title"):
        kind = type("Mine", (LSTM,), {attribute: text})
        with pytest.raises(ValueError, match=rf"\Athe {attribute} of Mine must be text of characters [^\n]*\Z"):
            Study.of("mine", corpus=Corpus(name="c"), budget=Budget(), contenders=[(kind(), Adam())])


@pytest.mark.parametrize("name", ["../x", "a/b", "..", ".hidden", "a\\b"])
def test_names_that_lead_to_another_folder_are_refused(name):
    with pytest.raises(ValueError, match=r"\Aa corpus's name becomes a folder's"):
        Corpus(name=name)
    kind = type("Mine", (LSTM,), {"name": name})
    with pytest.raises(ValueError, match=r"\Athe name of Mine becomes a folder's"):
        Study.of("mine", corpus=Corpus(name="c"), budget=Budget(), contenders=[(kind(), Adam())])


def test_the_name_of_a_class_is_no_longer_than_a_folders(tiny_study):
    kind = type("Mine", (LSTM,), {"name": "long" * 30})
    with pytest.raises(ValueError, match="the name of Mine becomes a part of a folder's: at most 100 bytes"):
        Study.of("mine", corpus=Corpus(name="c"), budget=Budget(), contenders=[(kind(), Adam())])


def test_an_experiment_in_other_batches_has_the_same_epochs_and_the_same_tokens_in_each(tiny_study):
    usual, other = tiny_study.experiments
    study = dataclasses.replace(
        tiny_study.with_shared(batch_size=6, epoch_steps=10),
        experiments=(usual, dataclasses.replace(other, batch_size=4)),
    )
    first, second = (run.budget for run in study.runs)
    assert (first.batch_size, first.epoch_steps, second.batch_size, second.epoch_steps) == (6, 10, 4, 15)
    assert dataclasses.replace(second, batch_size=6, epoch_steps=10) == first == study.budget
    assert Budget(batch_size=6).in_batches_of(4).epoch_steps is None
    assert identity(study) != identity(dataclasses.replace(study, experiments=(usual, other)))


def test_other_batches_in_a_budget_in_steps_are_refused(tiny_study):
    experiments = tuple(dataclasses.replace(e, batch_size=4) for e in tiny_study.experiments)
    in_steps = tiny_study.with_shared(epochs=Budget.epochs, steps=10, epoch_steps=5)
    with pytest.raises(
        ValueError, match="budget in steps, which are not as many tokens in batches of another size: give"
    ):
        dataclasses.replace(in_steps, experiments=experiments)
    with pytest.raises(ValueError, match="batch size must be a whole number from 1"):
        Experiment(number=1, architecture=LSTM(), optimizer=Adam(), batch_size=0)


def test_a_notebook_shows_a_study_as_a_table_with_what_is_not_as_by_default(tiny_study):
    html = tiny_study._repr_html_()
    assert "Study tiny: tiny, 2 epochs, batches of 16 sequences of 16 tokens, 1 seed" in html
    assert re.findall(r"<td>\s*(.*?)\s*</td>", html) == [
        *("1", "LSTM (layers 1, embedding 16, hidden 16)", "Adam (learning rate 0.01)"),
        *("2", "GPT-1 (layers 1, width 16, heads 2)", "SGD (learning rate 0.1)"),
    ]
