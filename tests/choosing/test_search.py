"""The search in a world where what a contender reaches is a formula."""

import dataclasses
import math

import pytest

from bakeoff.choosing import rungs
from bakeoff.choosing.rungs import Rung
from bakeoff.choosing.search import FINAL, SEED, Found, Pace, Search
from bakeoff.experiments import Contender
from bakeoff.models import GPT, LSTM
from bakeoff.optimizers import AdamW, Muon
from bakeoff.run_folder import DIVERGED, FINISHED
from bakeoff.spec import Budget, Corpus

CONTENDERS = (
    Contender(architecture=GPT(width=64, heads=2), optimizer=Muon(lr=0.02), batch_size=32),
    Contender(architecture=LSTM(), optimizer=AdamW(lr=3e-3), batch_size=16),
    Contender(architecture=LSTM(layers=2), optimizer=AdamW(lr=3e-3), batch_size=16),
)
#: What each reaches per step at its best rate, and that rate.
BEST = ((1.0, 0.01), (0.8, 0.0015), (1.2, 0.003))


def searching(plan):
    paces = [Pace(step=0.1, measuring=1.0), Pace(step=0.05, measuring=1.0), Pace(step=0.2, measuring=2.0)]
    shared = Budget(threads=1, precision="fp32")
    return Search(
        corpus=Corpus(name="made"),
        tokens=10**9,
        shared=shared,
        contenders=CONTENDERS,
        paces=paces,
        plan=plan,
        seed=7,
    )


def valid(contender, lr, steps):
    quality, best = BEST[contender]
    return quality * (steps / 1000) ** -0.1 + 0.2 * abs(math.log2(lr / best))


def climb(search, slower=()):
    asked = []
    for number, rung in enumerate(search.plan):
        for contender in search.left(number):
            study = search.trials(number, search.planned(number, contender, rung.seconds))
            asked.append(study)
            search.learn(
                [
                    Found(
                        contender=contender,
                        rung=number,
                        lr=experiment.optimizer.lr,
                        seed=study.seeds[0],
                        steps=study.budget.steps,
                        seconds=study.budget.steps * search.paces[contender].step * (3 if contender in slower else 1),
                        measuring=search.paces[contender].measuring * (3 if contender in slower else 1),
                        ended=FINISHED,
                        valid=valid(contender, experiment.optimizer.lr, study.budget.steps),
                        folder="",
                    )
                    for experiment in study.experiments
                ]
            )
    return asked


PLAN = (Rung(contenders=3, rates=1, seconds=30.0), Rung(contenders=2, rates=2, seconds=90.0))


def test_the_better_half_goes_on_for_longer_and_the_best_gets_the_rest():
    search = searching(PLAN)
    asked = climb(search)
    assert [study.name for study in asked[:3]] == ["rung-1-1-gpt", "rung-1-2-lstm", "rung-1-3-lstm"]
    assert {study.name for study in asked[3:]} == {"rung-2-1-gpt", "rung-2-2-lstm"}
    assert search.winner == 1
    final = search.final(search.schedule(600.0, evaluations=4))
    assert (final.name, final.trial) == (FINAL, False)
    assert final.budget.steps - final.budget.decay_steps == 2 * final.budget.epoch_steps
    assert final.seeds == (7,)
    assert final.experiments[0].architecture == CONTENDERS[1].architecture
    assert final.experiments[0].optimizer.lr == pytest.approx(0.0015)


def test_the_last_run_reads_a_small_text_no_more_often_than_helps():
    search = dataclasses.replace(searching(PLAN), tokens=50_000)
    climb(search)
    a_step = CONTENDERS[search.winner].batch_size * search.shared.sequence_length
    assert search.schedule(1e5, evaluations=4).steps * a_step == pytest.approx(rungs.MOST_PASSES * 50_000, rel=0.02)


def test_all_trials_of_a_rung_take_as_long_and_are_complete_schedules():
    search = searching(PLAN)
    for study, pace in zip(climb(search)[:3], search.paces, strict=True):
        budget = study.budget
        assert budget.steps * pace.step + pace.measuring == pytest.approx(30.0, abs=pace.step)
        assert budget.epoch_steps == budget.steps
        assert 0 < budget.warmup_steps < budget.decay_steps < budget.steps
        assert study.seeds == (SEED,)


def test_a_contender_that_is_slower_than_timed_gets_fewer_steps_and_no_shorter_schedule():
    search = searching(PLAN)
    second = next(study for study in climb(search, slower=(1,)) if study.name.startswith("rung-2-2"))
    assert second.budget.steps == rungs.steps(90.0, 0.15, 3.0)


def test_the_best_of_the_last_rung_are_repeated_and_the_lower_mean_wins():
    search = searching(PLAN)
    climb(search)
    study = search.repeats(1, 2)
    best = search.best(1, 1)
    assert (study.name, study.experiments[0].optimizer.lr, study.budget.steps) == ("seeds-2-lstm", best.lr, best.steps)
    assert len({*study.seeds, SEED, SEED + 1, search.seed}) == 5
    for contender, values in ((1, (1.4, 1.6)), (0, (0.8, 0.7))):
        first = search.best(contender, 1)
        search.learn(
            [dataclasses.replace(first, seed=seed, valid=x) for seed, x in zip(study.seeds, values, strict=True)]
        )
        assert search.best(contender, 1) == first
        assert search.repeated(contender) == [first.valid, *values]
    assert search.winner == 0


def test_one_that_diverged_is_behind_all_others():
    search = searching((Rung(contenders=2, rates=1, seconds=30.0),))
    told = {"rung": 0, "lr": 0.1, "seed": SEED, "steps": 1, "seconds": 1.0, "measuring": 1.0, "folder": ""}
    for contender, found in ((0, math.inf), (1, 2.0)):
        ended = FINISHED if math.isfinite(found) else DIVERGED
        search.learn([Found(contender=contender, ended=ended, valid=found, **told)])
    assert search.left(1) == [1, 0]
    assert search.winner == 1


def test_without_rungs_the_first_contender_has_its_usual_rate():
    search = searching(())
    assert (search.winner, search.rate) == (0, 0.02)
    final = search.final(search.schedule(100.0, 1))
    assert final.experiments[0].optimizer == dataclasses.replace(CONTENDERS[0].optimizer, lr=0.02)
