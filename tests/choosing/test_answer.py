"""What the answer says of its own certainty, against simulated worlds in which the truth is known."""

import dataclasses
import math
from types import SimpleNamespace

import numpy as np
import pytest

from bakeoff import data
from bakeoff.analysis.evaluations import Parts
from bakeoff.choosing import answer, rungs
from bakeoff.choosing.answer import SeedDeviation
from bakeoff.choosing.curve import curve
from bakeoff.choosing.search import SEED, Found, Pace, Search
from bakeoff.data import corpora
from bakeoff.experiments import Contender
from bakeoff.models import LSTM, ngram
from bakeoff.optimizers import AdamW
from bakeoff.run_folder import FINISHED
from bakeoff.spec import Budget, Corpus

CENTRE, DEVIATION = 0.01, 0.004
CONTENDERS = [Contender(architecture=LSTM(), optimizer=AdamW(lr=CENTRE), batch_size=16)] * 4


def documents(nats_D, tokens_D, bytes_D):
    return Parts(nats=tuple(nats_D), tokens=tuple(tokens_D), bytes=tuple(bytes_D))


def drawn_deviation(chance, typical=DEVIATION):
    """How much another seed changes differs from study to study."""
    return typical * math.exp(chance.normal(0, 0.5))


class World:
    """Contenders whose bits per byte fall by a law of their own, each with a best rate of its own."""

    def __init__(self, chance, spread=0.03, apart=0.15, floor=0.8):
        self.chance, self.deviation = chance, drawn_deviation(chance)
        self.floors = floor * np.exp(chance.normal(0, 0.03 if apart else 0, 4))
        self.exponents = 0.25 * np.exp(chance.normal(0, apart, 4))
        self.gains = 2.0 + chance.normal(0, spread, 4) - self.floors
        self.rates = chance.normal(0, 0.7, 4)

    def truth(self, contender, seconds, lr):
        fallen = self.gains[contender] * seconds ** -self.exponents[contender]
        return self.floors[contender] + fallen + 0.02 * (math.log2(lr / CENTRE) - self.rates[contender]) ** 2

    def run(self, contender, rung, lr, seconds, seed):
        valid = self.truth(contender, seconds, lr) + self.chance.normal(0, self.deviation)
        told = {"steps": 1, "seconds": seconds, "measuring": 0.0, "ended": FINISHED, "valid": valid, "folder": ""}
        return Found(contender=contender, rung=rung, lr=lr, seed=seed, **told)

    def searched(self, plan):
        shared = Budget(threads=1, precision="fp32")
        paces = [Pace(step=1.0, measuring=0.0)] * 4
        search = Search(
            corpus=Corpus(name="made"),
            tokens=10**9,
            shared=shared,
            contenders=CONTENDERS,
            paces=paces,
            plan=plan,
            seed=7,
        )
        for number, rung in enumerate(plan):
            for contender in search.left(number):
                tried = {f.lr: f.valid for f in search.found if (f.contender, f.rung) == (contender, number - 1)}
                for lr in rungs.rates(CENTRE, tried)[: rung.rates]:
                    search.found.append(self.run(contender, number, lr, rung.seconds, SEED + number))
        for finalist in search.left(len(plan)):
            best = search.best(finalist, len(plan) - 1)
            again = self.run(finalist, best.rung, best.lr, best.seconds, SEED + 9)
            search.found.append(dataclasses.replace(again, seed=SEED + 9))
        return search

    def deviation_told(self, search):
        return answer.seed_deviation([search.repeated(each) for each in search.left(len(search.plan))], DEVIATION)


WORLDS = {
    "ordinary": {},
    "alike": {"spread": 0.005, "apart": 0.02},
    "apart": {"spread": 0.06, "apart": 0.3},
    "high floor": {"floor": 1.2},
}


def runner_ups(chance, kind, plan, repeated=True, times=1.0):
    """What is said of the runner-up's chance to be better in the end in many worlds of a kind, and whether it was."""
    final = plan[-1].seconds * 8 * times
    for _ in range(400):
        world = World(chance, **WORLDS[kind])
        search = world.searched(plan)
        if not repeated:
            search.found = [found for found in search.found if found.seed < SEED + 9]
        winner, runner_up = search.left(len(plan))
        ends = [world.truth(each, final, search.best(each, len(plan) - 1).lr) for each in (winner, runner_up)]
        yield answer.better(search, runner_up, world.deviation_told(search), times), ends[1] < ends[0]


def test_the_runner_up_is_better_as_often_as_is_said():
    chance, plan = np.random.default_rng(1), rungs.plan(80.0, 4, 1.0)
    said, happened = np.array([list(runner_ups(chance, kind, plan)) for kind in WORLDS]).transpose(2, 0, 1)
    assert said.mean(axis=1) == pytest.approx(happened.mean(axis=1), abs=0.04)
    bins = [happened[(said >= low) & (said < high)].mean() for low, high in ((0, 0.05), (0.05, 0.3), (0.3, 0.51))]
    assert bins[0] < 0.02
    assert 0.05 < bins[1] < 0.2
    assert 0.3 < bins[2] < 0.5


@pytest.mark.parametrize("times", answer.OTHER_TIMES)
def test_in_other_times_too_the_runner_up_is_better_as_often_as_is_said(times):
    chance, plan = np.random.default_rng(1), rungs.plan(80.0, 4, 1.0)
    found = [list(runner_ups(chance, kind, plan, times=times)) for kind in WORLDS]
    said, happened = np.array(found).mean(axis=1).T
    assert said == pytest.approx(happened, abs=0.06)
    assert said.mean() == pytest.approx(happened.mean(), abs=0.02)


@pytest.mark.parametrize("kind", WORLDS)
@pytest.mark.parametrize("plan", [rungs.plan(11.0, 4, 1.8), rungs.plan(4.0, 4, 1.8)])
def test_after_one_rung_the_runner_up_is_not_held_for_worse_than_it_is(kind, plan):
    """How much contenders draw closer or apart is not known then, so more is said than happens where they are alike."""
    assert len(plan) == 1
    said, happened = np.array(list(runner_ups(np.random.default_rng(1), kind, plan, repeated=False))).T
    assert -0.05 < said.mean() - happened.mean() < (0.25 if kind == "alike" else 0.1)


def test_of_a_runner_up_that_diverged_before_as_little_is_known_as_after_one_rung():
    search = World(np.random.default_rng(0)).searched(rungs.plan(80.0, 4, 1.0)[-1:])
    _, runner_up = search.left(1)
    deviation = SeedDeviation(bits=DEVIATION, freedom=2)
    expected = answer.better(search, runner_up, deviation)
    again = [dataclasses.replace(found, rung=1, seed=found.seed + 1) for found in search.found]
    lost = [dataclasses.replace(found, valid=math.inf) for found in search.found if found.contender == runner_up]
    kept = [found for found in search.found if found.contender != runner_up]
    search.plan, search.found = (*search.plan, *search.plan), [*kept, *lost, *again]
    assert answer.better(search, runner_up, deviation) == expected > 0


@pytest.mark.parametrize("kind", WORLDS)
def test_other_times_lie_in_the_interval_that_is_told_of_them(kind):
    chance, plan = np.random.default_rng(2), rungs.plan(80.0, 4, 1.0)
    final = 80.0 * rungs.FINAL_SHARE / (1 - rungs.FINAL_SHARE)
    covered = {factor: [] for factor in answer.OTHER_TIMES}
    for _ in range(400):
        world = World(chance, **WORLDS[kind])
        search = world.searched(plan)
        winner, deviation = search.winner, world.deviation_told(search)
        lr = search.best(winner, len(plan) - 1).lr
        points = [(each.seconds, each.valid) for each in (search.best(winner, rung) for rung in range(len(plan)))]
        reached = world.run(winner, 9, lr, final, 7)
        law = curve([*points, (final, reached.valid)], deviation.bits)
        for factor, found in covered.items():
            expected = answer._around(law(factor * final), deviation.freedom)
            found.append(expected.low <= world.run(winner, 9, lr, factor * final, 8).valid <= expected.high)
    assert all(0.9 < np.mean(found) < 0.99 for found in covered.values())


@pytest.mark.parametrize(
    ("seconds", "few"), [((2.0, 2.0), "of about one length"), ((2.0, 2.5, 2.2), "of about one length"), ((), "none")]
)
def test_rungs_of_nearly_the_same_length_tell_nothing_of_other_times(seconds, few):
    plan = tuple(rungs.Rung(contenders=1, rates=2, seconds=each) for each in seconds)
    search = World(np.random.default_rng(3)).searched(plan or (rungs.Rung(contenders=2, rates=1, seconds=1.0),))
    search.plan = plan
    last = SimpleNamespace(epochs=1, best_epoch=1, train_seconds=9.0, best_point=SimpleNamespace(step=100))
    chosen = SimpleNamespace(search=search, row=last, ended="finished", study="final", contender=0, kept=None)
    told = answer._outlook(chosen, SeedDeviation(bits=0.01, freedom=2), None)
    assert told == ((), f"its trials were {few}, which does not show how more time helps")
    search.tokens = 100 * search.contenders[0].batch_size * search.shared.sequence_length // 20
    told = answer._outlook(chosen, SeedDeviation(bits=0.01, freedom=2), None)
    assert told == ((), "the text was read 20 times, and would not be read more often in more time")
    chosen.study = "rung-1-1-glr"
    assert answer._outlook(chosen, SeedDeviation(bits=0.01, freedom=2), None) == told
    search.tokens *= 10
    _, lower = answer._outlook(chosen, SeedDeviation(bits=0.01, freedom=2), None)
    assert lower == "a trial came lower than the last run, so longer training does not help on this text"


def foretold(tokens, law=lambda seconds: 1.0 + 2.6 * seconds**-0.3, reached=0.0, runner_up=0.0):
    """What is told of other times by a choice of ten minutes that learned by a law, on a text of so many tokens."""
    plan = tuple(rungs.Rung(contenders=1, rates=1, seconds=seconds) for seconds in (20.0, 60.0))
    search = Search(
        corpus=Corpus(name="made"),
        tokens=tokens,
        shared=Budget(threads=1, precision="fp32", sequence_length=128),
        contenders=CONTENDERS[:1],
        paces=[Pace(step=0.1, measuring=1.0)],
        plan=plan,
        seed=0,
    )
    told = {"contender": 0, "lr": CENTRE, "steps": 1, "measuring": 1.0, "ended": FINISHED, "folder": ""}
    for number, rung in enumerate(plan):
        found = Found(rung=number, seed=SEED + number, seconds=rung.seconds, valid=law(rung.seconds), **told)
        search.found.append(found)
        if runner_up:
            other = dataclasses.replace(found, contender=1, valid=found.valid + runner_up * (1 + number))
            search.found.append(other)
    seconds = min(400.0, 0.1 * search.most_steps(0))
    best = SimpleNamespace(valid=SimpleNamespace(bits_per_byte=law(seconds) + reached), step=round(seconds / 0.1))
    last = SimpleNamespace(epochs=4, best_epoch=4, train_seconds=seconds, best_point=best)
    kept = SimpleNamespace(seconds=600.0, trained=560.0, minutes=10.0)
    chosen = SimpleNamespace(search=search, row=last, ended=FINISHED, study="final", contender=0, kept=kept)
    return answer._outlook(chosen, SeedDeviation(bits=0.003, freedom=30), 1 if runner_up else None)


def test_other_times_are_told_by_the_law_of_the_trials_and_the_last_run():
    outlook, withheld = foretold(tokens=10**9)
    assert withheld is None
    assert [round(told.minutes, 1) for told in outlook] == [3.3, 30.0, 100.0]
    for told, factor in zip(outlook, answer.OTHER_TIMES, strict=True):
        seconds = 400.0 * (560 + (factor - 1) * 600) / 560
        assert told.expected.low < 1.0 + 2.6 * seconds**-0.3 < told.expected.high
    assert outlook[0].expected.mean > outlook[1].expected.mean > outlook[2].expected.mean
    assert [told.runner_up_better for told in outlook] == [None] * 3


def test_of_other_times_it_is_told_how_likely_the_second_is_the_better_one_then():
    outlook, _ = foretold(tokens=10**9, runner_up=0.01)
    said = [told.runner_up_better for told in outlook]
    assert 0 < said[0] < said[1] < said[2] < 0.5


def test_no_time_is_told_of_in_which_the_last_run_would_read_the_text_no_more_often():
    outlook, withheld = foretold(tokens=100_000)
    assert [round(told.minutes, 1) for told in outlook] == []
    times = f"the text was read {rungs.MOST_PASSES} times"
    assert withheld == f"{times}, and would not be read more often in more time"
    outlook, withheld = foretold(tokens=1_400_000)
    assert withheld is None
    least = 1.0 + 2.6 * (0.1 * rungs.most_steps(1_400_000, 16 * 128)) ** -0.3
    assert outlook[-1].expected.mean == outlook[-2].expected.mean == pytest.approx(least, abs=0.02)


def test_nothing_is_told_of_other_times_where_the_trials_foretold_another_end():
    outlook, withheld = foretold(tokens=10**9, reached=0.3)
    assert outlook == ()
    assert withheld.startswith("its trials foretold the last run's bits per byte 0.")
    assert withheld.endswith(" too low")


@pytest.mark.parametrize("seeds", [0.0, 0.2, 1.0, 5.0])  # how much runs differ; those of a count table do not
@pytest.mark.parametrize("spread", [0.0, 0.3])  # of tokens a byte, from document to document
def test_the_interval_on_unseen_text_covers_what_it_states(spread, seeds):
    """Documents differ in length, difficulty and tokens a byte, runs by seed; another run reads endless text."""
    chance, difficulty, typical = np.random.default_rng(0), 0.4, seeds * 0.02 / (4 * math.log(2))
    covered, tries = 0, 2000
    for _ in range(tries):
        deviation = drawn_deviation(chance, typical)
        bytes_D = chance.integers(200, 2000, size=60)
        tokens_D = bytes_D / 4 * np.exp(chance.normal(-(spread**2) / 2, spread, size=60))
        this, another = chance.normal(0, deviation * 4 * math.log(2), size=2)
        losses_D = 3.0 + chance.normal(0, difficulty, size=60) + this
        told = answer.seed_deviation(chance.normal(1.0, deviation, size=(2, 2)).tolist(), typical)
        expected = answer.unseen(documents(losses_D * tokens_D, tokens_D, bytes_D), told if seeds else None)
        covered += expected.low <= (3.0 + another) / (4 * math.log(2)) <= expected.high
    assert 0.92 <= covered / tries <= 0.98


def test_the_deviation_of_seeds_is_pooled_with_what_is_typical():
    told = answer.seed_deviation([[1.0, 1.2], [2.0, math.inf]], 0.1)
    assert told.freedom == answer.PRIOR + 1
    assert told.bits == pytest.approx(math.sqrt((answer.PRIOR * 0.01 + 0.02) / told.freedom))
    assert answer.seed_deviation([], 0.1) == SeedDeviation(bits=pytest.approx(0.1), freedom=answer.PRIOR)


def test_a_few_documents_say_nothing_of_others():
    assert answer.unseen(documents([1.0] * 9, [1] * 9, [4] * 9), SeedDeviation(bits=0.0, freedom=2)) is None


def test_of_a_count_table_is_expected_what_the_documents_of_test_cost(tiny_corpus_file, monkeypatch):
    monkeypatch.setattr(answer, "FEWEST_DOCUMENTS", 2)
    corpus, shared = corpora.choose(str(tiny_corpus_file)), Budget(sequence_length=16, vocabulary=300)
    tokens = data.prepare(corpus, shared)
    tables = [table for table in ngram.baselines(tokens, 16) if "cache_weight" in table]
    best, other, *_ = sorted(tables, key=lambda table: table["valid"]["nats"])
    search = SimpleNamespace(corpus=corpus, shared=shared)
    expected = answer.unseen(answer._counted(search, SimpleNamespace(name=best["name"])))
    assert expected.mean == pytest.approx(best["test"]["nats"] / best["test"]["bytes"] / math.log(2), rel=1e-6)
    assert expected.low < expected.mean < expected.high
    assert answer._counted(search, SimpleNamespace(name=other["name"])) is None


def test_of_two_models_that_are_alike_the_second_is_better_by_any_probability_as_often_as_by_another():
    chance, said = np.random.default_rng(0), []
    for _ in range(2000):
        bytes_D = chance.integers(200, 2000, size=12)
        one, other = ((0.7 + chance.normal(0, 0.1, size=12)) * bytes_D for _ in range(2))
        said.append(answer.other_better(documents(one, bytes_D, bytes_D), documents(other, bytes_D, bytes_D)))
    for level in (0.025, 0.25, 0.5, 0.75, 0.975):
        assert np.mean(np.array(said) < level) == pytest.approx(level, abs=0.03)


def test_the_other_is_better_where_it_costs_less_of_every_document_and_few_say_nothing():
    one, other = ([cost + place / 100 for place in range(12)] for cost in (1.0, 0.8))
    first, second = (documents(nats, [1] * 12, [1] * 12) for nats in (one, [n + 0.01 * (n > 0.9) for n in other]))
    assert answer.other_better(first, second) > 0.999
    assert answer.other_better(second, first) < 0.001
    few = documents([1.0] * 9, [1] * 9, [1] * 9)
    assert answer.other_better(few, documents([2.0] * 9, [1] * 9, [1] * 9)) is None
    assert answer.other_better(first, first) is None
    alike = documents([1.5] * 12, [1] * 12, [1] * 12), documents([1.25] * 12, [1] * 12, [1] * 12)
    assert answer.other_better(*alike) == 1
    assert answer.other_better(*reversed(alike)) == 0
