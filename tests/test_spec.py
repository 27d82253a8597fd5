"""What is compared, as frozen data, and the identity that decides whether two runs are the same."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakeoff.models import ARCHITECTURES, GPT1, LSTM
from bakeoff.optimizers import OPTIMIZERS, SGD, Adam, AdamW, Momentum
from bakeoff.spec import Budget, Corpus, Experiment, Run, Study, decode, encode, identity, purpose

TYPES = {
    kind.__name__: kind
    for kind in (Corpus, Budget, Experiment, Run, Study, *ARCHITECTURES.values(), *OPTIMIZERS.values())
}
GOLDEN = Run(
    experiment=Experiment(
        number=1,
        corpus=Corpus(name="tiny", sha256="0" * 64),
        architecture=LSTM(layers=2, embedding=16, hidden=16),
        optimizer=AdamW(lr=0.01, weight_decay=0.1),
        budget=Budget(epochs=2, precision="fp32", threads=2),
    ),
    seed=7,
)


def golden(**fields):
    return dataclasses.replace(GOLDEN, experiment=dataclasses.replace(GOLDEN.experiment, **fields))


def replaced(part, **fields):
    return golden(**{part: dataclasses.replace(getattr(GOLDEN.experiment, part), **fields)})


def test_identity_of_a_pinned_run_is_what_it_was():
    assert identity(GOLDEN) == "13d1fe059d59", (
        "the identity of runs has changed: every run folder on users' disks now counts as another run. If that is "
        "meant (the same spec computes something else now), pin the new value here and say so in the commit; if not, "
        "give the new field a default that stands for what was computed before"
    )


@pytest.mark.parametrize(
    "same",
    [
        golden(number=9),
        replaced("corpus", path="/somewhere/else.txt"),
        replaced("budget", sequence_length=Budget().sequence_length, clip=1.0),
        replaced("architecture", dropout=0.0),
        replaced("optimizer", betas=(0.9, 0.999)),
    ],
)
def test_identity_ignores_number_path_and_defaults(same):
    assert identity(same) == identity(GOLDEN)


@pytest.mark.parametrize(
    "other",
    [
        dataclasses.replace(GOLDEN, seed=8),
        replaced("corpus", name="other"),
        replaced("corpus", sha256="1" * 64),
        replaced("corpus", documents=(1, 1, 1)),
        replaced("architecture", layers=1),
        replaced("optimizer", lr=0.02),
        replaced("optimizer", weight_decay=0.0),
        replaced("budget", epochs=3),
        replaced("budget", precision="bf16"),
        replaced("budget", threads=1),
        replaced("budget", epoch_steps=1),
        replaced("budget", clip=None),
        golden(optimizer=Adam(lr=0.01, weight_decay=0.1)),
        golden(architecture=GPT1(layers=2, width=16)),
    ],
)
def test_identity_tells_apart_what_computes_something_else(other):
    assert identity(other) != identity(GOLDEN)


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values())
def test_the_default_rate_is_part_of_an_identity_so_that_a_better_default_is_another_run(optimizer):
    encoded = encode(optimizer(), minimal=True)
    assert encoded["lr"] == optimizer().lr
    assert set(encoded) == {"type", "lr"}


@pytest.mark.parametrize(("count", "seeds"), [(1, (42,)), (2, (42, 0)), (4, (42, 0, 1, 2))])
def test_more_seeds_join_the_studys_own(tiny_study, count, seeds):
    assert dataclasses.replace(tiny_study, seeds=(42,)).with_seeds(count).seeds == seeds
    assert dataclasses.replace(tiny_study, seeds=(0,)).with_seeds(count).seeds == tuple(range(count))


def test_identity_of_a_study_ignores_seeds_and_where_its_rates_come_from(tiny_study):
    seeded = dataclasses.replace(tiny_study, seeds=(3, 4), tuning={"for": "x"})
    assert identity(seeded) == identity(tiny_study)
    assert identity(tiny_study.with_shared(epochs=3)) != identity(tiny_study)


def test_purpose_is_the_study_but_for_its_rates(tiny_study):
    slugs = [experiment.slug for experiment in tiny_study.experiments]
    assert purpose(tiny_study.with_rates(dict.fromkeys(slugs, 0.5))) == purpose(tiny_study)
    assert purpose(tiny_study.with_shared(batch_size=8)) != purpose(tiny_study)


positive = st.floats(1e-6, 1e3)
sizes = st.integers(1, 10**6)
architectures = st.one_of(
    st.builds(LSTM, layers=sizes, embedding=sizes, hidden=sizes, dropout=st.floats(0, 0.9)),
    st.integers(1, 16).flatmap(
        lambda h: st.builds(GPT1, layers=sizes, width=sizes.map(lambda w: w * h), heads=st.just(h))
    ),
)
optimizers = st.one_of(
    st.builds(kind, lr=positive, weight_decay=st.floats(0, 1)) for kind in (Adam, AdamW, SGD, Momentum)
)
corpora = st.builds(
    Corpus,
    name=st.text(),
    documents=st.none() | st.tuples(sizes, sizes, sizes),
    path=st.none() | st.text(),
    sha256=st.none() | st.text(),
)
budgets = st.builds(
    Budget,
    epochs=sizes,
    batch_size=sizes,
    sequence_length=sizes,
    vocabulary=st.integers(256, 10**6),
    clip=st.none() | positive,
    precision=st.sampled_from(["auto", "fp32", "bf16"]),
    threads=st.none() | sizes,
    epoch_steps=st.none() | sizes,
)
experiments = st.builds(
    Experiment, number=sizes, corpus=corpora, architecture=architectures, optimizer=optimizers, budget=budgets
)


@given(st.builds(Run, experiment=experiments, seed=st.integers(0, 2**63)))
def test_a_run_survives_json_with_its_identity(run):
    decoded = decode(json.loads(json.dumps(encode(run))), TYPES)
    assert decoded == run
    assert identity(decoded) == identity(run)


@given(experiments, experiments)
def test_identities_are_equal_exactly_where_the_specs_are(one, other):
    def told(experiment):
        return dataclasses.replace(experiment, number=1, corpus=dataclasses.replace(experiment.corpus, path=None))

    assert (identity(one) == identity(other)) == (told(one) == told(other))


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
        lambda: dataclasses.replace(GOLDEN, seed=-1),
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
        lambda s: {
            "experiments": (s.experiments[0], dataclasses.replace(s.experiments[1], corpus=Corpus(name="other")))
        },
        lambda s: {"experiments": (s.experiments[0], dataclasses.replace(s.experiments[1], budget=Budget(epochs=77)))},
    ],
)
def test_a_study_that_could_not_be_compared_or_kept_is_refused(change, tiny_study):
    with pytest.raises(ValueError, match=r"\A[^\n]+\Z"):
        dataclasses.replace(tiny_study, **change(tiny_study))
