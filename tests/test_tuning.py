import dataclasses
import json
import math
import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakeoff import cli, options, rates, runner, tuning, verbs
from bakeoff.errors import UserError
from bakeoff.experiments import STUDIES
from bakeoff.files import write_json
from bakeoff.identity import fits, identity
from bakeoff.metrics import Tally
from bakeoff.optimizers import OPTIMIZERS, Adam
from bakeoff.records import write_record
from bakeoff.shapes import CHECKSUM
from bakeoff.spec import Budget
from bakeoff.study_file import find_study
from bakeoff.study_folder import StudyFolder
from forked import STUDY as STUDY_FILE

#: Of studies whose trials are told, and which all come below it.
UNIGRAM = SimpleNamespace(valid=Tally(nats=1e9, tokens=100, words=50, bytes=400))


def rows_of(study, valid_loss):
    """What trials would find if the valid loss were that function of the experiment and its rate; None diverges."""

    def row(experiment):
        loss = valid_loss(experiment)
        tally = None if loss is None else Tally(nats=loss * 100, tokens=100, words=50, bytes=400)
        return SimpleNamespace(number=experiment.number, status="diverged" if loss is None else "finished", valid=tally)

    rows = [row(experiment) for experiment in study.experiments]
    return SimpleNamespace(rows=rows, unigram=UNIGRAM)


def searched(study, valid_loss):
    search = tuning.RateSearch(study)
    asked = []
    while (trials := search.next_round()) is not None:
        asked.append(trials)
        search.learn(rows_of(trials, valid_loss))
    return search, asked


def distance(best):
    return lambda experiment: abs(2 * math.log10(experiment.optimizer.lr / best)) + 1.0


@given(st.integers(-12, 6))
def test_rates_are_one_or_three_times_a_power_of_ten(place):
    assert tuning.half_decades(tuning.rate(place)) == place
    assert tuning.rate(place + 2) == pytest.approx(10 * tuning.rate(place))


@given(st.integers(-12, 6))
def test_a_rate_between_two_is_about_as_far_from_either(place):
    low, between, high = (tuning.rate(place + away) for away in (0, tuning.BETWEEN, 1))
    assert low * 1.6 < between < high / 1.6


def test_everyone_gets_seven_rates_around_its_centre_and_the_same_schedule(tiny_study):
    trials = tuning.RateSearch(tiny_study).next_round()
    assert len(trials.experiments) == 7 * len(tiny_study.experiments)
    assert trials.seeds == (tuning.SEED,)
    assert trials.trial
    assert trials.budget.epochs == 1
    lrs = [experiment.optimizer.lr for experiment in trials.experiments[:7]]
    assert lrs == [1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1]


@pytest.mark.parametrize(("declared", "expected"), [(None, 3), (2, 2)])
def test_a_trial_has_the_threads_that_the_study_declares_or_its_share(tiny_study, declared, expected):
    trials = tuning.RateSearch(tiny_study.with_shared(threads=declared), threads=3).next_round()
    assert trials.budget.threads == expected


def test_a_search_goes_on_with_the_threads_that_it_was_started_with(tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "usable_cores", lambda: 8)
    assert [tuning.threads(tmp_path, jobs) for jobs in (None, 1, 2, 16)] == [1, 8, 4, 1]
    begun = {"study": "round-1", "identity": "0", "budget": {"threads": 3}, "experiments": [], "seeds": []}
    (tmp_path / "round-1").mkdir(parents=True, exist_ok=True)
    write_json(tmp_path / "round-1" / "study.json", begun)
    assert [tuning.threads(tmp_path, jobs) for jobs in (None, 1, 2)] == [3, 3, 3]


def test_an_experiment_whose_every_trial_failed_is_named(tiny_study):
    search = tuning.RateSearch(tiny_study)
    trials = search.next_round()
    found = rows_of(trials, lambda experiment: 5.0 if experiment.number % 7 else None).rows
    for row in found:
        row.status = "failed" if row.number <= 7 or not row.valid else row.status
        row.valid = None if row.status == "failed" else row.valid
    search.learn(SimpleNamespace(rows=found, unigram=UNIGRAM))
    assert search.failed() == [tiny_study.experiments[0].slug]


@pytest.mark.parametrize(("epochs", "limit", "expected"), [(10, None, (5, 140)), (3, None, (1, 700)), (20, 9, (10, 9))])
def test_a_trial_is_half_as_long_as_the_study_and_no_longer_than_its_limit(tiny_study, epochs, limit, expected):
    search = tuning.RateSearch(tiny_study.with_shared(epochs=epochs, epoch_steps=limit))
    trials = search.next_round()
    search.learn(rows_of(trials, distance(1e-2)))
    budget = trials.budget
    assert (budget.epochs, budget.epoch_steps) == expected
    assert budget.epochs * budget.epoch_steps <= tuning.STEPS
    told = search.result()
    assert (told["epochs"], told["epoch_steps"]) == expected


@pytest.mark.parametrize(
    ("whole", "expected"),
    [((400, 100, None, 80), (200, 50, None, 40)), ((7000, 1000, 10, 1400), (700, 100, 1, 140)), ((1, 1, 1, None),) * 2],
)
def test_a_trial_of_a_study_in_steps_is_the_same_schedule_with_fewer(tiny_study, whole, expected):
    names = ("steps", "epoch_steps", "warmup_steps", "decay_steps")
    budget = Budget(batch_size=4, sequence_length=16, **dict(zip(names, whole, strict=True)))
    search = tuning.RateSearch(dataclasses.replace(tiny_study, budget=budget))
    trials = search.next_round()
    search.learn(rows_of(trials, distance(1e-2)))
    assert tuple(getattr(trials.budget, name) for name in names) == expected
    assert (search.result()["steps"], search.result()["epoch_steps"]) == expected[:2]


def test_a_trial_has_its_experiments_batches_and_as_many_tokens_as_the_others(tiny_study):
    first, second = tiny_study.experiments
    study = dataclasses.replace(tiny_study, experiments=(first, dataclasses.replace(second, batch_size=16)))
    budgets = {run.number > 7: run.budget for run in tuning.RateSearch(study).next_round().runs}
    assert {budget.batch_size for budget in budgets.values()} == {study.budget.batch_size, 16}
    tokens = {budget.batch_size * budget.epoch_steps for budget in budgets.values()}
    assert max(tokens) - min(tokens) < 16


def test_the_trials_of_an_experiment_are_known_in_every_round(tiny_study):
    search = tuning.RateSearch(tiny_study)
    trials = search.next_round()
    assert search.trials_of([]) == []
    first, second = (search.trials_of([number]) for number in tiny_study.numbers[:2])
    assert (first, second) == (list(range(1, 8)), list(range(8, 15)))
    search.learn(rows_of(trials, lambda e: 1.0 if e.number <= 7 and e.optimizer.lr == 1e-2 else 2.0 + e.optimizer.lr))
    for expected in ([1, 2], [3, 4]), ([], [1, 2]):  # the one looks between the rates, the other beyond them
        trials = search.next_round()
        assert (search.trials_of(tiny_study.numbers[:1]), search.trials_of(tiny_study.numbers[1:2])) == expected
        search.learn(rows_of(trials, lambda e: 2.0 + e.optimizer.lr))


def test_sgd_and_momentum_can_reach_thirty():
    for name in ("sgd", "momentum"):
        centre = tuning.half_decades(OPTIMIZERS[name]().lr)
        assert tuning.rate(centre + tuning.REACH + 1) >= 30 or tuning.rate(centre + tuning.REACH) >= 30


def test_an_inner_winner_ends_the_search(tiny_study):
    search, _ = searched(tiny_study, distance(1e-2))
    adam = tiny_study.experiments[0].slug
    assert search.result()["rates"][adam]["lr"] == 1e-2
    assert not search.on_edge(adam)


def test_the_last_round_tries_a_quarter_decade_to_either_side_and_takes_the_lowest_point_between(tiny_study):
    only_adam = dataclasses.replace(tiny_study, experiments=tiny_study.experiments[:1])
    search, asked = searched(only_adam, lambda e: 2.0 + 0.3 * (2 * math.log10(e.optimizer.lr / 0.0123)) ** 2)
    assert [len(study.experiments) for study in asked] == [7, 2]
    assert [e.optimizer.lr for e in asked[1].experiments] == [0.0056, 0.018]
    found = search.result()["rates"][tiny_study.experiments[0].slug]
    assert found["lr"] == 0.012
    assert len(found["trials"]) == 9


@pytest.mark.parametrize(("best", "rounds"), [(3e-3, 2), (0.3, 3), (1.0, 4), (10.0, 5)])
def test_a_winner_on_the_edge_widens_the_search_on_its_side(tiny_study, best, rounds):
    only_adam = dataclasses.replace(tiny_study, experiments=tiny_study.experiments[:1])
    search, asked = searched(only_adam, distance(best))
    assert len(asked) == rounds
    assert search.result()["rates"][only_adam.experiments[0].slug]["lr"] == pytest.approx(best, rel=0.05)


@dataclass(frozen=True, kw_only=True)
class Bounded(Adam):
    """An optimizer that takes some rates alone, and has a field without a default."""

    low: float
    high: float

    def __post_init__(self):
        super().__post_init__()
        if not self.low < self.lr < self.high:
            raise ValueError("lr is out of bounds")


def bounded(study, low, high):
    optimizer = Bounded(low=low, high=high, lr=math.sqrt(low * high))
    return dataclasses.replace(study, experiments=(dataclasses.replace(study.experiments[0], optimizer=optimizer),))


@pytest.mark.parametrize(
    ("bounds", "best", "asked", "found"),
    [
        ((1e-5, 0.02), 1.0, [[1e-4, 3e-4, 1e-3, 3e-3, 1e-2], [0.0056, 0.018]], 0.018),  # it ends above
        ((2e-3, 0.9), 1e-5, [[3e-3, 1e-2, 3e-2, 1e-1], [0.0056]], 3e-3),  # below, where not even a quarter is left
        ((2e-4, 0.5), 1.0, [[3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1], [0.3], [0.18]], 0.3),
        ((1e-5, 0.9), 1e-2, [[1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1], [0.0056, 0.018]], 1e-2),
    ],
)
def test_where_an_optimizer_refuses_a_rate_the_search_ends_on_that_side(tiny_study, bounds, best, asked, found):
    study = bounded(tiny_study, *bounds)
    search, rounds = searched(study, distance(best))
    assert [[e.optimizer.lr for e in trials.experiments] for trials in rounds] == asked
    assert search.result()["rates"][study.experiments[0].slug]["lr"] == pytest.approx(found, rel=0.05)
    assert fits(search.result(), study)  # though it would not take the rate that stands for any
    assert study.tuned(search.result())


def test_an_optimizer_that_takes_none_of_the_first_rates_is_named(tiny_study):
    with pytest.raises(UserError, match=r"\A#1 takes none of the rates from 0\.0001 to 0\.1 that a search tries first"):
        tuning.RateSearch(bounded(tiny_study, 2.0, 3.0)).next_round()


def test_a_winner_that_never_lies_inside_is_said_to_be_on_the_edge(tiny_study):
    search, asked = searched(tiny_study, distance(1e9))
    assert len(asked) == tuning.ROUNDS
    assert all(search.on_edge(experiment.slug) for experiment in tiny_study.experiments)


def test_a_diverged_trial_never_wins(tiny_study):
    search, _ = searched(tiny_study, lambda e: None if e.optimizer.lr > 1e-2 else distance(1e-1)(e))
    adam = search.result()["rates"][tiny_study.experiments[0].slug]
    assert adam["lr"] == 1e-2
    assert {trial["status"] for trial in adam["trials"]} == {"finished", "diverged"}


def test_run_uses_what_was_found_for_just_this_study(tiny_study, tmp_path):
    search, _ = searched(tiny_study, distance(1e-3))
    folder = tuning.folder(tmp_path, tiny_study, tiny_study)
    folder.mkdir()
    write_json(folder / tuning.FILE, search.result())
    applied = tuning.apply(tmp_path, tiny_study, tiny_study)
    assert applied.experiments[0].optimizer.lr == 1e-3
    longer = tiny_study.with_shared(epochs=3)
    assert tuning.apply(tmp_path, longer, longer).experiments == longer.experiments


def test_rates_with_another_digit_are_refused_and_older_ones_without_a_checksum_are_taken(tiny_study, tmp_path):
    search, _ = searched(tiny_study, distance(1e-2))
    path = tuning.folder(tmp_path, tiny_study, tiny_study) / tuning.FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    write_record(path, search.result())
    assert tuning.apply(tmp_path, tiny_study, tiny_study).tuning == search.result()
    path.write_text(path.read_text().replace('"lr": 0.01,', '"lr": 0.81,'))
    with pytest.raises(UserError, match=r"rates\.json is damaged \(its checksum is another\): repeat `bakeoff tune"):
        tuning.apply(tmp_path, tiny_study, tiny_study)


def with_code(study, *codes):
    experiments = zip(study.experiments, codes, strict=True)
    return dataclasses.replace(study, experiments=tuple(dataclasses.replace(e, code=code) for e, code in experiments))


def test_rates_that_other_code_led_to_are_refused_and_an_earlier_versions_do_not_tell(tiny_study, tmp_path):
    before, now = with_code(tiny_study, None, "a" * 12), with_code(tiny_study, None, "b" * 12)
    search, _ = searched(before, distance(1e-3))
    path = tuning.folder(tmp_path, now, now) / tuning.FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    write_record(path, search.result())
    assert tuning.apply(tmp_path, before, before).tuning == search.result()
    with pytest.raises(
        UserError, match=r"rates of 2 by other code than own\.py has now: `bakeoff tune own\.py .*--again 2`"
    ):
        tuning.apply(tmp_path, now, now, Path("own.py"))
    write_record(path, {key: value for key, value in search.result().items() if key != "code"})
    assert tuning.apply(tmp_path, now, now).tuning["rates"] == search.result()["rates"]


def test_the_experiments_of_trials_are_known(tiny_study):
    search = tuning.RateSearch(tiny_study)
    search.next_round()
    assert (search.experiments_of([1, 7]), search.experiments_of([7, 8])) == ([1], [1, 2])


def test_a_later_round_that_follows_from_other_results_is_put_aside_and_the_first_is_not(tiny_study, tmp_path):
    search = tuning.RateSearch(tiny_study)
    first = search.next_round()
    search.learn(rows_of(first, distance(1.0)))
    second = search.next_round()
    for name in (first.name, second.name) * 2:
        begun = {"study": name, "identity": "0", "budget": {}, "experiments": [], "seeds": []}
        (tmp_path / name).mkdir(parents=True, exist_ok=True)
        write_json(tmp_path / name / "study.json", begun)
        assert tuning.put_aside(tmp_path, first) is None
        moved = tuning.put_aside(tmp_path, second)
        assert (moved is not None) == (name == second.name)
    assert {path.name for path in (tmp_path / "earlier").iterdir()} == {"round-2-1", "round-2-2"}
    (tmp_path / second.name).mkdir(parents=True, exist_ok=True)
    write_json(tmp_path / second.name / "study.json", begun | {"identity": identity(second)})
    assert tuning.put_aside(tmp_path, second) is None


@pytest.mark.parametrize(
    ("changes", "source"),
    [
        ({}, None),
        ({"epochs": 3, "corpus": "wikitext-2", "threads": 1, "precision": "fp32"}, Path("my study.py")),
    ],
)
def test_damaged_rates_name_the_command_that_writes_them_anew(changes, source, tmp_path, monkeypatch):
    built_in, _ = find_study("quick")
    declared = options.with_options(
        built_in, **{"corpus": None, "epochs": None, "precision": "auto", "threads": None} | changes
    )
    damaged = tuning.folder(tmp_path, declared, built_in) / tuning.FILE
    damaged.parent.mkdir()
    damaged.write_text("{")
    with pytest.raises(UserError) as refused:
        tuning.apply(tmp_path, declared, built_in, source)
    typed = shlex.split(re.search("repeat `bakeoff tune (.*)`", str(refused.value))[1])
    given = {}
    monkeypatch.setattr("bakeoff.verbs.find_study", lambda study: given.update(study=study) or (built_in, source))

    def stopped(out, declared, built_in):
        given.update(folder=folder(out, declared, built_in))
        raise UserError("stopped")

    folder = tuning.folder
    monkeypatch.setattr("bakeoff.runner.prepare", lambda *_: None)
    monkeypatch.setattr(tuning, "folder", stopped)
    monkeypatch.setattr(sys, "argv", ["bakeoff", "tune", *typed])
    with pytest.raises(SystemExit):
        cli.main()
    assert given == {"study": str(source or "quick"), "folder": damaged.parent}


def test_rates_that_are_kept_are_read_as_a_search_wrote_them(tiny_study, tmp_path, monkeypatch):
    search, _ = searched(tiny_study, distance(1e-2))
    monkeypatch.setattr(rates, "__file__", str(tmp_path / "__init__.py"))
    write_record(tmp_path / "mine.json", search.result())
    assert rates.chosen("mine") == search.result()


@pytest.fixture
def tune(tiny_corpus_file, tmp_path, monkeypatch, capsys):
    """The command with three trials, in this process: its exit status and standard error."""
    study = STUDY_FILE.format(corpus=str(tiny_corpus_file))
    (tmp_path / "small.py").write_text(study)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tuning, "REACH", 1)
    monkeypatch.setattr(tuning, "ROUNDS", 1)
    monkeypatch.setattr(sys, "argv", ["bakeoff", "tune", "small.py"])

    def tune():
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return ended.value.code, capsys.readouterr().err

    return tune


def test_a_damaged_trial_stops_the_search_before_anything_is_chosen(tune, tmp_path):
    assert tune()[0] == 0
    folder = tmp_path / "runs" / "small-tune"
    found, leftover = (folder / "rates.json").read_bytes(), folder / ".unfinished-1.json"
    assert CHECKSUM in json.loads(found)
    first, last, answer = (folder / "decisions.txt").read_text().splitlines()
    assert first == "round 1: 3 trials"
    assert re.fullmatch(r"the best rates after round 1: 01-lstm-1-adam 0\.\d+ \(edge\) \(nothing learned: .*\)", last)
    assert answer == "the answer: the learning rates in rates.json"
    page = (folder / "live.html").read_text()
    assert f"<li>{last}</li>" in page
    assert "all is decided" in page
    (_, _, run), *_ = StudyFolder(folder / "round-1").declared_runs()
    summary = run.path / "summary.json"
    whole = summary.read_text()
    summary.write_text(whole.replace('"nats": ', '"nats": 1', 1))
    status, said = tune()
    assert status == 1
    assert said.splitlines()[-1] == (
        f"bakeoff: {summary.relative_to(tmp_path)} is damaged (its checksum is another): "
        "remove it and repeat the command"
    )
    assert (folder / "rates.json").read_bytes() == found
    summary.write_text(whole)
    leftover.write_text("half")
    assert tune()[0] == 0
    assert not leftover.exists()
    assert (folder / "rates.json").read_bytes() == found


def test_rates_that_were_chosen_without_a_trial_that_failed_are_no_success(tune, tmp_path, monkeypatch):
    assert tune()[0] == 0
    found = tmp_path / "runs" / "small-tune" / "rates.json"
    whole = json.loads(found.read_text())["rates"]
    (_, _, run), *_ = StudyFolder(found.parent / "round-1").declared_runs()
    run.clear()
    run.finish({"status": "failed", "error": "killed by signal 9"})
    with monkeypatch.context() as patch:
        patch.setattr(verbs, "do", lambda *_, **__: [])
        status, said = tune()
    assert status == 1
    assert said.splitlines()[-1] == (
        "bakeoff: 1 trial failed, and the rates were chosen without: repeat the command to try again"
    )
    assert json.loads(found.read_text())["rates"] != whole
    assert tune()[0] == 0
    assert json.loads(found.read_text())["rates"] == whole


def test_a_second_search_of_the_same_study_says_so_and_changes_nothing(tune, tmp_path):
    assert tune()[0] == 0
    folder = tmp_path / "runs" / "small-tune"
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with StudyFolder(folder).acquire():
        status, said = tune()
    assert status == 1
    assert said.splitlines()[-1].startswith("bakeoff: another command is at work on runs/small-tune")
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


OWN = """

from dataclasses import dataclass
from typing import ClassVar
from bakeoff.spec import Study as _Study


@dataclass(frozen=True, kw_only=True)
class Own(Adam):
    name: ClassVar[str] = "own"
    title: ClassVar[str] = "Own"

    def build(self, model):
        return super().build(model)


contenders = [(study.experiments[0].architecture, Own())]
study = _Study.of("small", corpus=study.corpus, budget=study.budget, contenders=contenders)
"""


def test_a_search_after_mended_code_names_what_trains_its_trials_anew_and_then_goes_on(tune, tmp_path, monkeypatch):
    path = tmp_path / "small.py"
    path.write_text(path.read_text() + "\nfrom bakeoff.optimizers import Adam" + OWN)
    monkeypatch.setattr(tuning, "ROUNDS", 2)
    assert tune()[0] == 0
    path.write_text(
        path.read_text().replace("return super().build(model)", "optimizer = super().build(model); return optimizer")
    )
    status, said = tune()
    assert status == 1
    assert "has results of 1 by other code than " in said
    assert "bakeoff tune with --again 1 trains anew" in said
    # As if the first round had come out otherwise before.
    later = tmp_path / "runs" / "small-tune" / "round-2" / "study.json"
    begun = {"study": "round-2", "identity": "0", "budget": {}, "experiments": [], "seeds": []}
    write_json(later, begun)
    monkeypatch.setattr(tuning.RateSearch, "on_edge", lambda self, slug: True)
    monkeypatch.setattr(sys, "argv", ["bakeoff", "tune", "small.py", "--again", "1"])
    monkeypatch.setattr(tuning.RateSearch, "_best", lambda self, slug: max(self.trials[slug]))
    status, said = tune()
    assert status == 0, said
    assert "round-2 follows from other results than there are now: moved to " in said


def test_the_searchs_seed_is_no_studys():
    assert all(tuning.SEED not in study.seeds for study in STUDIES.values())


SEARCHED = ["quick", "modern", "wikitext-2"]


@pytest.mark.parametrize("name", SEARCHED)
def test_rates_in_use_were_searched_for_this_very_study(name):
    study, found = STUDIES[name], rates.chosen(name)
    assert fits(found, study), f"the study has changed: repeat `bakeoff tune {name}` and keep its rates.json"
    in_use = {e.slug: e.optimizer.lr for e in study.experiments}
    assert in_use.items() >= {slug: chosen["lr"] for slug, chosen in found["rates"].items()}.items()


@pytest.mark.parametrize(("name", "slug"), [(name, slug) for name in SEARCHED for slug in rates.chosen(name)["rates"]])
def test_no_rate_in_use_is_on_the_edge_of_what_was_searched(name, slug):
    found = rates.chosen(name)["rates"][slug]
    finished = {trial["lr"]: trial["valid_loss"] for trial in found["trials"] if trial["valid_loss"] is not None}
    lrs = [trial["lr"] for trial in found["trials"]]
    best = lrs.index(min(finished, key=finished.get))
    assert len(lrs) >= 7
    assert 0 < best < len(lrs) - 1
    assert lrs[best - 1] < found["lr"] < lrs[best + 1]
