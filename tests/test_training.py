"""The loop: what a run computes depends on its spec and seed, and on nothing that is measured beside it."""

import contextlib
import dataclasses
import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from bakeoff import checkpoints, sampling
from bakeoff import training as loop
from bakeoff.data.sequences import TokenStream
from bakeoff.machine import Clock
from bakeoff.memory import LiveMeter
from bakeoff.models import GPT1, LSTM
from bakeoff.optimizers import SCHEDULES, SGD, Adam
from bakeoff.sampling import Sampling
from bakeoff.spec import Budget
from bakeoff.training import SETTLING_STEPS, DivergedError, Training, evaluation_steps, token_nats
from processor import bf16_lstm

CPU = torch.device("cpu")
VOCABULARY = 17
BUDGET = Budget(epochs=2, batch_size=4, sequence_length=6, vocabulary=256, precision="fp32", threads=1)
MODELS = {"lstm": LSTM(embedding=8, hidden=8), "gpt1": GPT1(width=8, heads=2)}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def stream(tokens, seed=0):
    """Tokens of which each says much about the next, so that there is something to learn."""
    steps = np.random.default_rng(seed).integers(1, 3, tokens)
    one = np.array([0])
    return TokenStream(tokens_N=np.cumsum(steps) % VOCABULARY, starts_D=one, words_D=one, bytes_D=one)


TRAIN, VALID = stream(6 * 4 * 5 + 3, seed=0), stream(100, seed=1)
STEPS_AN_EPOCH = 6


def training(architecture=MODELS["lstm"], *, optimizer=None, budget=BUDGET, seed=0, train=TRAIN, **options):
    torch.manual_seed(seed)
    model = architecture.build(VOCABULARY, budget.sequence_length)
    steps = budget.steps or budget.epochs * -(-train.sequences(budget.sequence_length) // budget.batch_size)
    return Training(
        model=model,
        optimizer=(optimizer or Adam(lr=0.02)).build(model),
        schedule=SCHEDULES[budget.schedule](budget, steps),
        train=train,
        budget=budget,
        seed=seed,
        device=CPU,
        **{"clock": Clock(), "measured": {"valid": VALID}, **options},
    )


def trained(*args, **options):
    """The weights after the whole budget."""
    run = training(*args, **options)
    list(run.evaluations())
    return run.model.state_dict()


def assert_identical(one, other):
    assert all(torch.equal(one[name], other[name]) for name in one)


# --- the same steps, written out --------------------------------------------------------------------------------------


def sequences_by_hand(tokens_N, length):
    """Pairs of inputs and targets, the last one shorter."""
    starts = range(0, len(tokens_N) - 1, length)
    pairs = [(tokens_N[s : s + length], tokens_N[s + 1 : s + length + 1]) for s in starts]
    return [(torch.tensor(i[: len(t)]), torch.tensor(t)) for i, t in pairs]


def train_by_hand(architecture, lr, clip, seed):
    """Plain SGD with clipping, warm-up and decay, one sequence at a time; weights, losses and norms before clipping."""
    torch.manual_seed(seed)
    model = architecture.build(VOCABULARY, BUDGET.sequence_length)
    sequences = sequences_by_hand(TRAIN.tokens_N, BUDGET.sequence_length)
    losses, norms, total = [], [], BUDGET.epochs * STEPS_AN_EPOCH
    for epoch in range(1, BUDGET.epochs + 1):
        order = np.random.default_rng((seed, epoch)).permutation(len(sequences))
        for first in range(0, len(order), BUDGET.batch_size):
            batch = [sequences[i] for i in order[first : first + BUDGET.batch_size]]
            summed = sum(F.cross_entropy(model(i[None])[0], t, reduction="sum") for i, t in batch)
            loss = summed / sum(len(t) for _, t in batch)
            gradients = torch.autograd.grad(loss, list(model.parameters()))
            norm = torch.sqrt(sum(g.square().sum() for g in gradients))
            rate = lr * (total - len(losses)) / total  # the warm-up of so few steps is the first one
            with torch.no_grad():
                for parameter, gradient in zip(model.parameters(), gradients, strict=True):
                    parameter.sub_(rate * gradient * min(1.0, clip / norm))
            losses.append(loss.item())
            norms.append(norm.item())
    return model.state_dict(), losses, norms


@pytest.mark.parametrize(("name", "clip"), [("lstm", 0.06), ("gpt1", 1.0)])
def test_weights_losses_and_norms_equal_a_loop_written_out(name, clip):
    losses, budget = [], dataclasses.replace(BUDGET, clip=clip)
    on_step = lambda step, loss: losses.append(loss)  # noqa: E731
    run = training(MODELS[name], optimizer=SGD(lr=3.0), budget=budget, seed=5, on_step=on_step)
    evaluations = list(run.evaluations())
    weights, expected_losses, expected_norms = train_by_hand(MODELS[name], 3.0, clip, 5)
    norms = np.concatenate([e.trained.gradient_norms for e in evaluations[1:]])
    np.testing.assert_allclose(losses, expected_losses, rtol=1e-4)
    np.testing.assert_allclose(norms, expected_norms, rtol=1e-3)
    assert min(norms) < clip < max(norms), "steps with and without clipping must both be here"
    for key, value in run.model.state_dict().items():
        torch.testing.assert_close(value, weights[key], rtol=1e-3, atol=1e-5, msg=key)


GOLDEN = {
    "lstm": [2.831991, 2.829311, 2.832518, 2.832103, 2.821219, 2.823012, 2.811112, 2.792059],
    "gpt1": [2.812242, 2.809814, 2.843343, 2.80457, 2.762007, 2.783591, 2.618332, 2.60073],
}


@pytest.mark.parametrize("name", MODELS)
def test_the_first_steps_are_those_of_the_golden_trace(name):
    losses = []
    list(training(MODELS[name], on_step=lambda step, loss: losses.append(loss)).evaluations())
    found = losses[: len(GOLDEN[name])]
    assert found == pytest.approx(GOLDEN[name], rel=1e-4), (
        f"Training computes something else than before. If that was meant, put {[round(x, 6) for x in losses[:8]]} "
        f"into GOLDEN[{name!r}] and say in the commit why old results do not compare with new ones."
    )


# --- evaluation -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_nats_are_the_same_at_every_evaluation_batch_size(name, monkeypatch):
    model = training(MODELS[name]).model
    found = []
    for sequences in (1, 7, 64):
        monkeypatch.setattr(loop, "EVALUATED_AT_ONCE", sequences * BUDGET.sequence_length)
        found.append(token_nats(model, VALID, BUDGET, CPU))
    one, *others = found
    assert len(one) == VALID.targets
    for other in others:
        np.testing.assert_allclose(other, one, rtol=1e-5)
        assert other.sum(dtype=float) == pytest.approx(one.sum(dtype=float), rel=1e-6)


@pytest.mark.parametrize("name", MODELS)
def test_nats_are_those_of_each_sequence_on_its_own_in_order(name):
    model = training(MODELS[name]).model
    pairs = sequences_by_hand(VALID.tokens_N, 6)
    expected = torch.cat([F.cross_entropy(model(i[None])[0], t, reduction="none") for i, t in pairs])
    np.testing.assert_allclose(token_nats(model, VALID, BUDGET, CPU), expected.detach().numpy(), rtol=1e-5)


def test_evaluations_come_before_the_first_step_and_after_every_epoch():
    run = training()
    found = [(e.epoch, e.step, run.step, e.trained is None) for e in run.evaluations()]
    assert found == [(0, 0, 0, True), (1, 6, 6, False), (2, 12, 12, False)]


def test_an_epoch_counts_every_target_once_and_sums_its_nats():
    losses = []
    evaluations = list(training(on_step=lambda step, loss: losses.append(loss)).evaluations())
    assert [e.trained.tokens for e in evaluations[1:]] == [TRAIN.targets] * 2
    assert [e.trained.nats / TRAIN.targets for e in evaluations[1:]] == pytest.approx(
        [np.mean(losses[:6]), np.mean(losses[6:])], rel=0.05
    )


@pytest.mark.parametrize(("limit", "steps"), [(1, 1), (4, 4), (6, 6), (100, 6), (None, 6)])
def test_an_epoch_has_no_more_steps_than_its_limit(limit, steps):
    run = training(budget=dataclasses.replace(BUDGET, epoch_steps=limit))
    assert [*evaluation_steps(TRAIN, run.budget)] == [steps, 2 * steps]
    assert [(e.epoch, e.step) for e in run.evaluations()] == [(0, 0), (1, steps), (2, 2 * steps)]


def test_epochs_that_are_cut_short_see_different_parts_of_train():
    run = training(budget=dataclasses.replace(BUDGET, epoch_steps=1))
    one, other = (next(run._pass(epoch)).inputs_BxL for epoch in (1, 2))
    assert not np.array_equal(one, other)


def test_training_learns():
    before, *_, after = training(budget=dataclasses.replace(BUDGET, epochs=8)).evaluations()
    assert after.nats["valid"].sum() < 0.7 * before.nats["valid"].sum()


@pytest.mark.parametrize("name", [pytest.param(n, marks=bf16_lstm) if n == "lstm" else n for n in MODELS])
def test_evaluation_in_bfloat16_is_that_in_float32_but_for_its_rounding(name):
    model = training(MODELS[name]).model
    exact = token_nats(model, VALID, BUDGET, CPU)
    rounded = token_nats(model, VALID, dataclasses.replace(BUDGET, precision="bf16"), CPU)
    assert rounded.dtype == np.float32
    assert not np.array_equal(rounded, exact)
    np.testing.assert_allclose(rounded, exact, atol=0.05)
    assert rounded.mean() == pytest.approx(exact.mean(), abs=2e-3)


# --- what must not change a weight ------------------------------------------------------------------------------------

DROPOUT = [LSTM(layers=2, embedding=8, hidden=8, dropout=0.3), GPT1(width=8, heads=2, dropout=0.3)]
ALL = [*MODELS.values(), *DROPOUT]


@pytest.mark.parametrize("architecture", ALL, ids=str)
def test_the_same_seed_gives_bit_identical_weights(architecture):
    assert_identical(trained(architecture), trained(architecture))


def test_another_seed_gives_other_weights():
    assert not torch.equal(trained(seed=0)["embedding.weight"], trained(seed=1)["embedding.weight"])


@pytest.mark.parametrize("architecture", ALL, ids=str)
@pytest.mark.parametrize("measured", [{}, {"valid": VALID, "train": TRAIN, "test": stream(50, seed=2)}])
def test_measuring_more_or_nothing_changes_no_weight(architecture, measured):
    assert_identical(trained(architecture), trained(architecture, measured=measured))


@pytest.mark.parametrize("architecture", DROPOUT, ids=str)
def test_evaluation_is_without_dropout_and_training_is_with_it_again_afterwards(architecture):
    modes = []
    run = training(architecture, on_step=lambda step, loss: modes.append(run.model.training))
    for evaluation in run.evaluations():
        np.testing.assert_array_equal(evaluation.nats["valid"], token_nats(run.model, VALID, run.budget, CPU))
    assert modes == [True] * 12


@pytest.mark.parametrize("architecture", ALL, ids=str)
def test_the_warm_up_leaves_no_trace(architecture):
    run = training(architecture)
    weights, state = {k: v.clone() for k, v in run.model.state_dict().items()}, torch.get_rng_state()
    run._warm_up()
    assert_identical(weights, run.model.state_dict())
    assert torch.equal(torch.get_rng_state(), state)
    assert not run.optimizer.state
    assert all(parameter.grad is None for parameter in run.model.parameters())


def test_the_warm_up_trains_a_model_that_was_just_measured(monkeypatch):
    """cuDNN's layers, for one, refuse to go backward otherwise."""
    run, modes = training(DROPOUT[0]), []
    run.model.eval()
    loss = run.model.loss
    monkeypatch.setattr(run.model, "loss", lambda *batch: modes.append(run.model.training) or loss(*batch))
    run._warm_up()
    assert modes == [True]


class Counting(torch.nn.Module):
    """A model with running statistics, which draws random numbers even where it is only measured."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner
        self.register_buffer("batches", torch.zeros(()))

    def loss(self, inputs, targets):
        self.batches += 1
        return self.inner.loss(inputs, targets)

    def token_nats(self, inputs, targets):
        torch.rand(3)
        return self.inner.token_nats(inputs, targets)


def counting(**options):
    run = training(DROPOUT[0], **options)
    run.model = Counting(run.model)
    return run


def test_the_warm_up_leaves_running_statistics_as_they_were():
    run = counting()
    before = {name: buffer.clone() for name, buffer in run.model.named_buffers()}
    run._warm_up()
    assert_identical(before, dict(run.model.named_buffers()))


def test_running_statistics_that_no_checkpoint_would_hold_are_refused():
    run = counting()
    run.model.register_buffer("batches", torch.zeros(()), persistent=False)
    with pytest.raises(ValueError, match="changes its buffer batches, which it does not keep: register it persistent"):
        run._warm_up()


@pytest.mark.parametrize("look", [lambda run: run._evaluate(None), checkpoints.take])
def test_such_a_buffer_that_changes_later_is_refused_at_the_next_evaluation_or_checkpoint(look):
    run = counting()
    run.model.register_buffer("late", torch.zeros((2,), dtype=torch.bool), persistent=False)
    run._warm_up()
    look(run)
    run.model.late[1] = True
    with pytest.raises(ValueError, match="changes its buffer late, which it does not keep"):
        look(run)


class Late(Counting):
    """A model that makes a buffer in its first step."""

    def __init__(self, inner, persistent):
        super().__init__(inner)
        self.persistent = persistent

    def loss(self, inputs, targets):
        if not hasattr(self, "mean"):
            self.register_buffer("mean", torch.zeros(()), persistent=self.persistent)
        return super().loss(inputs, targets)


@pytest.mark.parametrize("persistent", [True, False])
def test_a_buffer_that_is_made_while_training_is_refused(persistent):
    run = training(DROPOUT[0])
    run.model = Late(run.model, persistent)
    with pytest.raises(ValueError, match="the model makes or drops mean while it trains: register it in __init__"):
        run._warm_up()


class Wrong(Counting):
    """A model whose nats are something else."""

    def __init__(self, inner, made):
        super().__init__(inner)
        self.made = made

    def token_nats(self, inputs, targets):
        return self.made(self.inner.token_nats(inputs, targets))


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (lambda nats: -nats, "less than 0, and -log of a probability is not: mind its sign"),
        (lambda nats: nats - 10, "less than 0"),
        (lambda nats: nats[..., None], r"gives torch.float32 \(\d+, \d+, 1\) for \(\d+, \d+\): give the nats of each"),
        (lambda nats: nats.flatten(), "give the nats of each target"),
        (lambda nats: nats.mean(), "give the nats of each target"),
        (lambda nats: nats.long(), "gives torch.int64"),
        (lambda nats: nats.tolist(), "gives list"),
    ],
)
def test_what_are_no_nats_of_each_target_is_refused(made, told):
    run = training(DROPOUT[0])
    with pytest.raises(ValueError, match=told):
        token_nats(Wrong(run.model, made), VALID, run.budget, CPU)


def test_nats_may_be_below_zero_by_rounding():
    run = training(DROPOUT[0])
    token_nats(Wrong(run.model, lambda nats: nats * 0 - 1e-6), VALID, run.budget, CPU)


def test_an_optimizer_that_was_not_given_all_weights_is_refused():
    run = training(DROPOUT[0])
    name, kept = next(iter(run.model.named_parameters()))
    with pytest.raises(ValueError, match=f"was not given {name}, a weight that can be learned"):
        dataclasses.replace(
            run, optimizer=torch.optim.SGD([p for p in run.model.parameters() if p is not kept], lr=0.1)
        )
    kept.requires_grad_(requires_grad=False)
    dataclasses.replace(run, optimizer=torch.optim.SGD([p for p in run.model.parameters() if p is not kept], lr=0.1))


class Halving(torch.optim.SGD):
    def step(self, closure=None):
        super().step(closure)
        self.param_groups[0]["lr"] /= 2


def test_an_optimizer_with_a_schedule_of_its_own_is_refused():
    run = training(DROPOUT[0])
    run = dataclasses.replace(run, optimizer=Halving(run.model.parameters(), lr=0.1))
    with pytest.raises(ValueError, match="changes its learning rate, which the budget's schedule sets"):
        list(run.evaluations())


SAMPLING = Sampling(places=(2, 4, 7, 8), sequences=np.array([0, 3, 16]))


def test_sampling_changes_no_weight_no_random_state_and_not_the_training_clock():
    def end(**options):
        run = counting(**options)
        now = run.clock.now = SlowTime(run.model)
        list(run.evaluations())
        return run.model.state_dict(), torch.get_rng_state(), run.clock.seconds["training"], now.seconds

    (weights, random, seconds, plain), (same_weights, same_random, same_seconds, sampled) = (
        end(),
        end(sampling=SAMPLING),
    )
    assert_identical(weights, same_weights)
    assert torch.equal(random, same_random)
    assert seconds == same_seconds == 12
    assert sampled - plain == 4 * 1000, "four samples cost a batch each"


def test_every_evaluation_tells_the_samples_since_the_one_before_and_its_own_last():
    run = training(sampling=SAMPLING)
    run.clock.now = SlowTime(run.model)
    evaluations = list(run.evaluations())
    assert [[sample.step for sample in e.samples] for e in evaluations] == [[0], [2, 4, 6], [7, 8, 12]]
    assert [sample.train_seconds for e in evaluations for sample in e.samples] == [0, 2, 4, 6, 7, 8, 12]
    for evaluation in evaluations:
        parts = [evaluation.nats["valid"][s * 6 : s * 6 + 6] for s in (0, 3, 16)]
        assert evaluation.samples[-1].tokens == sum(map(len, parts)) == 6 + 6 + 3
        assert evaluation.samples[-1].nats == pytest.approx(sum(part.sum(dtype=float) for part in parts))


def test_a_sample_is_what_an_evaluation_at_its_step_would_have_found():
    run, whole = training(sampling=SAMPLING), {}
    run.on_step = lambda step, loss: (
        whole.setdefault(step, token_nats(run.model, VALID, BUDGET, CPU)),
        run.model.train(),
    )
    for evaluation in run.evaluations():
        for sample in evaluation.samples[:-1]:
            assert sample.nats == pytest.approx(SAMPLING.part(whole[sample.step], 6).sum(dtype=float), rel=1e-6)


def test_a_sample_that_is_not_finite_is_left_out_and_ends_nothing():
    run = training(sampling=SAMPLING)
    nats = run.model.token_nats
    run.model.token_nats = lambda i, t: nats(i, t) * (float("nan") if run.step == 2 else 1.0)
    assert [[sample.step for sample in e.samples] for e in run.evaluations()] == [[0], [4, 6], [7, 8, 12]]


@pytest.mark.parametrize("architecture", ALL, ids=str)
def test_a_moving_average_of_the_weights_changes_none_of_them(architecture):
    averaged = training(architecture, budget=dataclasses.replace(BUDGET, average=0.9))
    list(averaged.evaluations())
    assert_identical(averaged.model.state_dict(), trained(architecture))
    assert not torch.equal(averaged.average.weights["embedding.weight"], averaged.model.embedding.weight)


def orders(**options):
    run = training(**options)
    return [[batch.inputs_BxL.tolist() for batch in run._pass(epoch)] for epoch in (1, 2)]


def test_the_order_of_the_data_depends_on_seed_and_epoch_alone():
    first, second = orders()
    assert first != second
    assert orders(architecture=MODELS["gpt1"], optimizer=SGD(lr=1.0)) == [first, second]
    assert orders(budget=dataclasses.replace(BUDGET, epochs=9)) == [first, second]
    assert orders(seed=1) != [first, second]


@pytest.mark.parametrize("epoch", [1, 2])
def test_every_epoch_sees_every_sequence_once(epoch):
    seen = [row[row >= 0].tolist() for batch in training()._pass(epoch) for row in batch.targets_BxL]
    assert sorted(seen) == sorted(t.tolist() for _, t in sequences_by_hand(TRAIN.tokens_N, 6))


# --- budgets in steps -------------------------------------------------------------------------------------------------


def in_steps(steps, epoch_steps, **budget):
    shared = {"batch_size": 4, "sequence_length": 6, "vocabulary": 256, "precision": "fp32", "threads": 1}
    return Budget(steps=steps, epoch_steps=epoch_steps, **shared | budget)


def told(evaluation):
    record = evaluation.trained
    trained = record and (record.nats, record.tokens, record.learning_rate, record.gradient_norms.tolist())
    return evaluation.epoch, evaluation.step, {name: nats.tolist() for name, nats in evaluation.nats.items()}, trained


@given(steps=st.integers(1, 300), each=st.integers(1, 400))
def test_a_run_of_so_many_steps_is_evaluated_in_between_and_after_the_last(steps, each):
    *between, last = evaluation_steps(TRAIN, in_steps(steps, each))
    assert last == steps
    assert between == [step for step in range(1, steps) if step % each == 0]


@given(sequences=st.integers(1, 30), size=st.integers(1, 9), steps=st.integers(1, 40), begun=st.integers(0, 40))
def test_the_batches_are_one_stream_of_passes_each_of_which_is_a_permutation(sequences, size, steps, begun):
    numbered = np.arange(2 * sequences + 1)  # two tokens a sequence, of which the first tells which it is
    one = np.array([0])
    train = TokenStream(tokens_N=numbered, starts_D=one, words_D=one, bytes_D=one)
    run = training(train=train, budget=in_steps(steps, 3, batch_size=size, sequence_length=2))
    run.step = min(begun, steps)
    drawn = [(batch.inputs_BxL[:, 0] // 2).tolist() for batch in itertools.islice(run._batches(), steps)]
    whole = [np.random.default_rng((0, number)).permutation(sequences).tolist() for number in range(1, 100)]
    expected = [order[first : first + size] for order in whole for first in range(0, sequences, size)]
    assert drawn == expected[run.step : run.step + steps]
    assert all(sorted(order) == list(range(sequences)) for order in whole)


@pytest.mark.parametrize("architecture", ALL, ids=str)
def test_as_many_steps_as_epochs_have_compute_what_the_epochs_compute(architecture):
    def come_to(budget):
        run = training(architecture, budget=budget)
        return [told(e) for e in run.evaluations()], run.model.state_dict()

    (by_epochs, weights), (by_steps, same_weights) = map(
        come_to, (BUDGET, in_steps(2 * STEPS_AN_EPOCH, STEPS_AN_EPOCH))
    )
    assert by_steps == by_epochs
    assert_identical(weights, same_weights)


def test_a_run_in_steps_may_be_shorter_than_a_pass_and_end_inside_of_one():
    def tokens(steps):
        return [e.trained.tokens for e in training(budget=in_steps(steps, 4)).evaluations() if e.trained]

    assert tokens(2) == [sum(batch.targets for batch in itertools.islice(training()._pass(1), 2))]
    *whole, last = tokens(2 * STEPS_AN_EPOCH + 1)
    assert sum(whole) == 2 * TRAIN.targets
    assert last == next(training()._pass(3)).targets


@pytest.mark.parametrize("architecture", ALL, ids=str)
def test_runs_in_steps_are_the_same_to_the_bit_until_one_of_them_decays(architecture):
    """So that a run may begin its decay earlier than was planned, as long as it has not begun."""

    def seen(steps, decay):
        run, states = training(architecture, budget=in_steps(steps, 5, warmup_steps=3, decay_steps=decay)), []
        run.on_step = lambda step, loss: states.append(
            (loss, {k: v.clone() for k, v in run.model.state_dict().items()})
        )
        return [told(e) for e in run.evaluations()], states

    (early, early_states), (late, late_states) = seen(14, 3), seen(23, 8)
    common = 14 - 3
    assert early[:3] == late[:3], "the evaluations before the first step, after 5 and after 10"
    for (loss, weights), (same_loss, same_weights) in zip(early_states[:common], late_states[:common], strict=True):
        assert loss == same_loss
        assert_identical(weights, same_weights)
    assert not torch.equal(early_states[common][1]["embedding.weight"], late_states[common][1]["embedding.weight"])


def test_valid_is_not_sampled_between_the_evaluations_of_a_run_in_steps():
    planned = sampling.plan(stream(200_000), stream(50_000), in_steps(5000, 500), 500)
    assert not planned.places
    assert not len(planned.sequences)


def test_divergence_of_a_run_in_steps_is_told_with_its_step_alone():
    run = training(optimizer=SGD(lr=1e30), budget=in_steps(12, 6, clip=None, schedule="constant"))
    with pytest.raises(DivergedError, match=r"^the \w+ was not finite at step \d+$"):
        list(run.evaluations())


# --- clock, memory, divergence ----------------------------------------------------------------------------------------


class SlowTime:
    """A clock by which a loss takes 1 second and an evaluated batch 1000."""

    def __init__(self, model):
        self.seconds = 0.0
        self.cost(model, "loss", 1.0)
        self.cost(model, "token_nats", 1000.0)

    def __call__(self):
        return self.seconds

    def cost(self, model, name, seconds):
        method = getattr(model, name)

        def costly(*args):
            self.seconds += seconds
            return method(*args)

        setattr(model, name, costly)


def test_the_training_clock_stands_still_during_evaluation_warm_up_and_whatever_the_caller_does():
    run = training()
    run.clock.now = now = SlowTime(run.model)
    seconds = []
    for _ in run.evaluations():
        seconds.append(run.clock.seconds["training"])
        now.seconds += 10**6
    assert seconds == [0, 6, 12]
    assert run.clock.seconds["warmup"] == 1
    assert run.clock.seconds["evaluation"] == 3 * 1000


def test_a_first_step_that_compiles_is_called_that():
    run = training(compiled=True)
    list(run.evaluations())
    assert run.clock.seconds["compiling"] > 0
    assert "warmup" not in run.clock.seconds


def test_the_steady_state_leaves_out_the_first_steps_and_every_evaluation():
    windows, run = [], training()

    @contextlib.contextmanager
    def steady():
        windows.append([run.step])
        yield
        assert run.model.training
        windows[-1].append(run.step)

    run.steady = steady
    list(run.evaluations())
    assert windows == [[SETTLING_STEPS, 6], [6, 12]]


def test_the_first_steady_step_and_that_of_every_epoch_after_it_are_watched():
    watched = []

    @contextlib.contextmanager
    def watch():
        watched.append(run.step)
        yield
        assert run.step == watched[-1] + 1

    run = training(budget=dataclasses.replace(BUDGET, epochs=3))
    run.watched = watch
    list(run.evaluations())
    assert watched == [SETTLING_STEPS, STEPS_AN_EPOCH, 2 * STEPS_AN_EPOCH]


@pytest.mark.parametrize("name", MODELS)
def test_reading_the_memory_of_a_step_changes_no_weight(name):
    dropping = dataclasses.replace(MODELS[name], layers=2, dropout=0.3)
    metered = LiveMeter()
    assert_identical(trained(dropping), trained(dropping, watched=metered.watch))
    assert metered.readings.count == BUDGET.epochs


def test_the_steady_state_leaves_out_every_sample():
    windows, run = [], training(sampling=SAMPLING)

    @contextlib.contextmanager
    def steady():
        windows.append([run.step])
        yield
        windows[-1].append(run.step)

    run.steady = steady
    list(run.evaluations())
    assert windows == [[3, 4], [4, 6], [6, 7], [7, 8], [8, 12]]


@pytest.mark.parametrize("name", MODELS)
def test_divergence_is_told_with_its_epoch_and_step(name):
    budget = dataclasses.replace(BUDGET, clip=None, schedule="constant")
    run = training(MODELS[name], optimizer=SGD(lr=1e30), budget=budget)
    with pytest.raises(DivergedError, match="not finite at step") as caught:
        list(run.evaluations())
    assert (caught.value.epoch, caught.value.step) == (1, run.step)
    assert 1 <= run.step < STEPS_AN_EPOCH


def test_divergence_in_the_last_step_of_an_epoch_is_seen_by_its_evaluation():
    budget = dataclasses.replace(BUDGET, batch_size=64, clip=None)
    run = training(optimizer=SGD(lr=1e38), budget=budget)
    with pytest.raises(DivergedError, match="an evaluated loss") as caught:
        list(run.evaluations())
    assert (caught.value.epoch, caught.value.step) == (1, 1)


def test_no_step_is_taken_with_a_gradient_that_is_not_finite():
    run = training()
    before = run.model.embedding.weight.detach().clone()
    run.model.projection.bias.register_hook(lambda gradient: gradient * float("inf"))
    with pytest.raises(DivergedError, match="the gradient"):
        list(run.evaluations())
    assert torch.equal(run.model.embedding.weight, before)
