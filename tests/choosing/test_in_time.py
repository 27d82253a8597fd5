"""A whole choice on a clock of its own: it is over when it should be, however slow the machine becomes."""

import io
import math
from types import SimpleNamespace

import pytest
import torch
from rich.console import Console

from bakeoff.choosing import answer, choice, fitting, rungs
from bakeoff.choosing.answer import SeedDeviation
from bakeoff.choosing.choice import CUT_OFF, OVER, Choice
from bakeoff.choosing.kept import ANSWERING, Kept
from bakeoff.choosing.search import FINAL, Pace, Search
from bakeoff.data import corpora
from bakeoff.experiments import SCALES
from bakeoff.run_folder import FINISHED, MISSING
from bakeoff.spec import Budget

#: Seconds of a step of each contender, and of an evaluation and of the start of a run.
STEPS, EVALUATION, START = {"glr": 0.05, "gpt": 0.06, "lstm": 0.03}, 1.0, 1.5
MINUTES = 10.0


class Machine:
    """Trains nothing, and takes its time for it.

    Args:
        slowness: How many times as long as was timed a step takes, by the name of a study.
    """

    def __init__(self, slowness):
        self.slowness, self.clock, self.runs, self.rows, self.reached = slowness, 0.0, [], {}, {}

    def train(self, study, told):
        """Every run of a study, from where it was stopped before."""
        self.rows[study.name] = []
        for run in study.runs:
            self.run(study, run, told)
        return SimpleNamespace(rows=self.rows[study.name])

    def run(self, study, run, told):
        budget, began = run.budget, self.clock
        first = self.reached.get(study.name, 0)
        row = SimpleNamespace(
            **dict.fromkeys(("finished", "valid", "train_seconds", "history", "error", "best_point")),
            learning_rate=run.optimizer.lr,
            seed=run.seed,
            folder=run.slug,
            status=MISSING,
            seconds=0.0,
        )
        self.rows[study.name].append(row)
        self.runs.append((study.name, row, budget.steps))
        self.clock += START
        told({"event": "start", "steps": budget.steps})
        for step in range(first, budget.steps + 1):
            if step > first:
                self.clock += STEPS[run.architecture.name] * self.slowness(study.name)
            if step % budget.epoch_steps == 0 or step == budget.steps:
                self.clock += EVALUATION
                told({"event": "evaluation", "step": step})
                self.reached[study.name] = step
                told({"event": "checkpoint", "step": step})
            elif step % 5 == 0:
                told({"event": "step", "step": step})
        told({"event": "end"})
        row.valid = SimpleNamespace(bits_per_byte=2.0 - math.log10(budget.steps) / 10)
        row.best_point, row.history = SimpleNamespace(valid=row.valid), [SimpleNamespace(step=budget.steps)]
        row.finished, row.status = True, FINISHED
        row.seconds = self.clock - began - START
        row.train_seconds = STEPS[run.architecture.name] * self.slowness(study.name) * budget.steps


@pytest.fixture
def made(monkeypatch, tmp_path, tiny_corpus_file):
    """A choice on a machine, after preparations of so many seconds."""

    def make(slowness, prepared):
        machine = Machine(slowness)
        corpus = corpora.choose(str(tiny_corpus_file))
        request = fitting.Request(corpus=corpus, minutes=MINUTES, memory_bytes=None, seed=0, device=torch.device("cpu"))
        monkeypatch.setattr(Kept, "spent", property(lambda _: machine.clock))
        making = Choice(request, tmp_path, 0.0, Console(file=io.StringIO()))
        machine.clock = making.kept.prepared_seconds = prepared
        contenders = [each for each in SCALES[3].contenders[:3] if each.architecture.name in STEPS]
        paces = [Pace(step=STEPS[each.architecture.name], measuring=START + 2 * EVALUATION) for each in contenders]
        shortest = max(fitting._needed(pace) for pace in paces)
        making.kept.plan = list(rungs.plan((1 - rungs.FINAL_SHARE) * making.kept.left, len(contenders), shortest))
        search = Search(
            corpus=corpus,
            tokens=10**9,
            shared=Budget(threads=1, precision="fp32"),
            contenders=contenders,
            paces=paces,
            plan=making.kept.plan,
            seed=0,
        )
        monkeypatch.setattr(fitting, "planned", lambda *_: search)
        monkeypatch.setattr(Choice, "_train", lambda _, study, told: machine.train(study, told))
        monkeypatch.setattr(choice, "read_rows", lambda study: SimpleNamespace(rows=machine.rows[study.path.name]))
        monkeypatch.setattr(choice.StudyFolder, "undeclare", lambda _: None)
        monkeypatch.setattr(choice, "find_studies", lambda _: [])
        return machine, making, making.make()

    return make


@pytest.mark.parametrize("prepared", [20.0, 240.0])
@pytest.mark.parametrize("slowness", [0.5, 1.0, 1.3, 3.0])
def test_a_choice_is_over_in_time_and_half_of_it_is_the_last_runs(made, slowness, prepared):
    machine, making, found = made(lambda _: slowness, prepared)
    assert found.ended == FINISHED
    assert found.study == FINAL
    assert machine.clock + ANSWERING < 60 * MINUTES * (1 + OVER)
    began = machine.clock - found.row.seconds
    assert machine.clock - began > 0.5 * (60 * MINUTES - prepared)
    assert [name for name, *_ in machine.runs].count(FINAL) <= 3
    planned = [trials.steps for rung in making.kept.trials for trials in rung]
    assert [steps for name, _, steps in machine.runs if name.startswith("rung")] == [
        trials.steps for rung in making.kept.trials for trials in rung for _ in trials.rates
    ]
    assert min(planned) >= rungs.FEWEST_STEPS


def test_what_is_told_of_the_rungs_is_what_they_get(made):
    """Long preparations are no part of what they share."""
    _, making, found = made(lambda _: 1.0, 240.0)
    for rung, trials in zip(found.search.plan, making.kept.trials, strict=True):
        for each in trials:
            pace = STEPS[found.search.contenders[each.contender].architecture.name]
            assert each.steps * pace + START + 2 * EVALUATION == pytest.approx(rung.seconds, rel=0.1)


@pytest.mark.parametrize("slowness", [40.0, 80.0])
def test_trials_that_take_much_longer_than_they_were_timed_are_stopped_and_leave_the_last_run_its_half(made, slowness):
    machine, making, found = made(lambda name: 1.0 if name == FINAL else slowness, 20.0)
    assert machine.clock + ANSWERING < 60 * MINUTES * (1 + OVER)
    assert found.ended == FINISHED
    assert found.study == FINAL
    assert found.row.train_seconds > 100.0
    assert "takes too long and is stopped" in making.console.file.getvalue()


def test_trials_that_are_slow_leave_no_time_for_other_seeds_and_that_is_said(made):
    _, making, _ = made(lambda name: 8.0 if name.startswith("rung-") else 1.0, 20.0)
    assert making.kept.repeats == 0
    assert "there is no time for other seeds" in making.console.file.getvalue()


def test_without_a_rung_it_is_said_that_nothing_is_compared(made):
    _, making, found = made(lambda _: 1.0, 20.0)
    found.search.plan = ()
    told = list(fitting.told(making.request, found.search, making.kept))
    assert told[-2].startswith("there is no time to compare anything: GLR of ")
    assert told[-1].startswith("it is trained for about ")


def test_where_no_trial_is_complete_and_all_is_as_slow_the_last_run_has_the_steps_that_there_is_time_for(made):
    machine, _, found = made(lambda _: 60.0, 20.0)
    assert machine.clock + ANSWERING < 60 * MINUTES * (1 + OVER) + 60 * max(STEPS.values()) * 5
    assert found.search.winner == 0
    assert found.search.paces[0].step == pytest.approx(60 * STEPS["glr"])


@pytest.mark.parametrize("slowness", [4.0, 30.0])
@pytest.mark.parametrize("slow", ["seeds", "seeds-2"])
def test_repetitions_that_are_stopped_say_nothing_of_the_second(made, slow, slowness):
    _, _, found = made(lambda name: slowness if name.startswith(slow) else 1.0, 20.0)
    search = found.search
    assert search.plan[-1].repeated
    winner, second = search.left(len(search.plan))
    assert 0.0 < answer.better(search, second, SeedDeviation(bits=0.01, freedom=2)) <= 0.5
    assert search.winner == winner


def test_a_last_run_that_nothing_can_save_is_cut_off_in_time(made):
    machine, _, found = made(lambda name: 60.0 if name == FINAL else 1.0, 20.0)
    assert machine.clock < 60 * MINUTES * (1 + OVER) + 60 * max(STEPS.values()) * 5
    assert found.ended == CUT_OFF
    assert found.study != FINAL, "a trial is complete"
