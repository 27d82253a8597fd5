"""Where valid is sampled between full evaluations: dense enough, cheap enough, and decided by spec and corpus alone."""

import itertools
import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bakeoff.data.sequences import TokenStream
from bakeoff.sampling import plan
from bakeoff.spec import Budget
from bakeoff.training import evaluation_steps


def stream(targets):
    one = np.array([0])
    return TokenStream(tokens_N=np.zeros(targets + 1, dtype=int), starts_D=one, words_D=one, bytes_D=one)


budgets = st.builds(
    Budget,
    epochs=st.integers(1, 12),
    batch_size=st.integers(1, 64),
    sequence_length=st.integers(2, 64),
    epoch_steps=st.none() | st.integers(1, 3000),
)


@st.composite
def runs(draw):
    budget = draw(budgets)
    length = budget.sequence_length
    return stream(draw(st.integers(length, 200_000))), stream(draw(st.integers(length, 50_000))), budget


def planned(train, valid, budget):
    epoch = evaluation_steps(train, budget)[0]
    return plan(train, valid, budget, epoch), epoch, epoch * budget.epochs


@given(runs())
def test_all_samples_of_a_run_cost_at_most_three_percent_of_its_training(run):
    train, _, budget = run
    sampling, epoch, _ = planned(*run)
    # An epoch that is cut short may draw the ragged sequence.
    trained = budget.epochs * min(train.targets, (epoch * budget.batch_size - 1) * budget.sequence_length + 1)
    sampled = len(sampling.places) * len(sampling.sequences) * budget.sequence_length
    assert sampled / 3 <= 0.03 * trained


@given(runs())
def test_no_gap_between_measurements_is_wider_than_a_twentieth_of_the_run(run):
    sampling, epoch, steps = planned(*run)
    measured = sorted({*range(0, steps + 1, epoch), *sampling.places})
    gaps = [later - earlier for earlier, later in itertools.pairwise(measured)]
    thinned = len(sampling.places) < len(unlimited(*run).places)
    assert thinned or max(gaps) <= max(1, 0.05 * steps)


def unlimited(train, valid, budget):
    """The same run with so many sequences a batch that nothing has to be left out."""
    epoch = evaluation_steps(train, budget)[0]
    return plan(stream(10**9), valid, Budget(epochs=budget.epochs, batch_size=10**4, sequence_length=2), epoch)


def test_early_places_lie_evenly_in_log_steps():
    sampling, _, steps = planned(stream(2_000_000), stream(50_000), Budget(epochs=1, batch_size=16, sequence_length=32))
    early = [place for place in sampling.places if 10 < place < steps / 20]
    assert len(early) > 3
    assert all(1.2 < later / earlier < 1.6 for earlier, later in itertools.pairwise(early))


@given(runs())
def test_places_are_in_order_and_none_ends_an_epoch(run):
    sampling, epoch, steps = planned(*run)
    assert list(sampling.places) == sorted(set(sampling.places))
    assert all(0 < place < steps and place % epoch for place in sampling.places)


@given(runs())
def test_the_sample_is_whole_sequences_spread_evenly_over_valid(run):
    _, valid, budget = run
    sampling, _, _ = planned(*run)
    sequences, whole = sampling.sequences, valid.sequences(budget.sequence_length)
    assert 0 <= sequences[0] <= sequences[-1] < whole
    spread = whole / len(sequences)
    assert all(math.floor(spread) <= gap <= math.ceil(spread) for gap in np.diff(sequences))


def test_the_sizes_of_a_built_in_study_leave_room_for_a_useful_sample():
    """As `quick`: 8 epochs over some 90,000 tokens; a few dozen sequences, at a few dozen places."""
    budget = Budget(epochs=8, batch_size=16, sequence_length=32)
    sampling, _, _ = planned(stream(90_000), stream(13_000), budget)
    assert 25 < len(sampling.places) < 60
    assert len(sampling.sequences) * 32 > 1000


def test_the_part_of_all_nats_that_belongs_to_the_sample_is_that_of_its_sequences():
    budget = Budget(epochs=1, batch_size=4, sequence_length=4)
    sampling, _, _ = planned(stream(200), stream(30), budget)
    expected = [place for place in range(30) if place // 4 in sampling.sequences]
    assert sampling.part(np.arange(30), 4).tolist() == expected
    assert 0 < len(expected) < 30
