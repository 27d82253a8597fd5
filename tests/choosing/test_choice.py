"""A whole choice over a tiny text, with contenders and a clock that cost seconds."""

import dataclasses
import io
import itertools
import json
import re
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from rich.console import Console

import bakeoff
import damages
import fakes
from bakeoff import cli, costs, runner, study_folder
from bakeoff.choosing import choice, fitting, kept, rungs
from bakeoff.choosing.deadline import OverdueError, RescheduledError
from bakeoff.choosing.kept import Kept
from bakeoff.choosing.search import Pace, Schedule, Search, Trials
from bakeoff.data import corpora
from bakeoff.decisions import CHOICE_FILE
from bakeoff.errors import UserError
from bakeoff.experiments import Scale
from bakeoff.metrics import Tally
from bakeoff.run_folder import DAMAGED, DIVERGED, FAILED, FINISHED
from bakeoff.spec import Budget
from bakeoff.stopwatch import Stopwatch
from bakeoff.study_folder import StudyFolder, find_studies


class OfTwo(Scale):
    """A scale of its first two contenders."""

    @property
    def contenders(self):
        return super().contenders[:2]


TINY = OfTwo(minutes=0, megabytes=0, vocabulary=300, layers=1, width=64, batch_size=4)


def timed(*seconds, memory=(0, 0)):
    """Instead of timing: what a step of each contender takes is told."""

    def time_steps(runs, *_):
        return [
            costs.StepCost(step=seconds[run.number], evaluated_token=0.0, memory_bytes=memory[run.number])
            for run in runs
        ]

    return time_steps


@pytest.fixture
def quickly(monkeypatch, tmp_path):
    """Tiny contenders of a told pace, and three seconds left at every look, for each minute that is asked for."""
    monkeypatch.setattr(fitting, "SCALES", (TINY,))
    monkeypatch.setattr(fitting, "LENGTH", 16)
    monkeypatch.setattr(kept, "ANSWERING", 0.2)
    monkeypatch.setattr(choice, "STARTING", 0.0)
    monkeypatch.setattr(rungs, "FEWEST_STEPS", 2)
    monkeypatch.setattr(rungs, "LEAST_SHARE", -100.0)  # however slow the machine is, there is time for another seed
    monkeypatch.setattr(rungs, "MOST_REPEATS", 1)
    monkeypatch.setattr(Kept, "seconds", property(lambda kept: 3.0 * kept.minutes))
    monkeypatch.setattr(Kept, "spent", 0.0)
    monkeypatch.setattr(fitting, "STARTING", 0.003)
    monkeypatch.setattr(costs, "time_steps", timed(0.008, 0.01))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def choose(monkeypatch, capsys):
    """The command: its exit status, standard output and standard error."""

    def choose(*arguments):
        monkeypatch.setattr(sys, "argv", ["bakeoff", "choose", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return ended.value.code, *capsys.readouterr()

    return choose


@pytest.fixture
def untrained(monkeypatch):
    """One rung of runs that are over at once: the names of studies that were done, and of those to be killed once.

    Of these, what they were declared to be.
    """
    told = SimpleNamespace(done=[], killed=set(), begun={})

    def run(self, runs, _jobs, observer):
        name = self.folder.path.name
        if name in told.killed:
            told.killed.remove(name)
            told.begun[name] = self.folder.study["identity"]
            raise KeyboardInterrupt
        told.done.append(name)
        for each in runs:
            observer(each, {"event": "start", "steps": 1})
            folder = self.folder.run(each.slug)
            fakes.write_run(folder, [4.0 + each.optimizer.lr], ending={}, spec=fakes.spec(each))

    monkeypatch.setattr(runner.Session, "run", run)
    monkeypatch.setattr(rungs, "MOST_RUNGS", 1)
    return told


@pytest.fixture
def folder(tiny_corpus_file, tmp_path):
    return tmp_path / "runs" / f"choose-{tiny_corpus_file.stem}"


@pytest.fixture
def asked(tiny_corpus_file, tmp_path):
    return tiny_corpus_file, "--minutes", "60", "--no-report", "--out", tmp_path / "runs"


STUDIES = ["rung-1-1-glr", "rung-1-2-gpt", "seeds-1-glr", "seeds-2-gpt", "final"]


def test_a_choice_trains_ordinary_studies_and_goes_on_where_it_was(quickly, choose, tiny_corpus_file, tmp_path):
    asked = tiny_corpus_file, "--minutes", "1", "--no-report", "--out", tmp_path / "runs"
    status, told, said = choose(*asked)
    assert (status, "Traceback" in said) == (0, False)
    assert "rung 1 of 2: GLR of 1 layer with Muon and GPT of 1 layer with Muon, " in said
    assert "rung 1: GLR of 1 layer with Muon and GPT of 1 layer with Muon" in said
    assert "the last run: G" in said
    assert "the best two with one other seed" in said
    assert said.count("finished  ") == said.count(" bits per byte of valid") == 9  # a line a run
    folder = tmp_path / "runs" / f"choose-{tiny_corpus_file.stem}"
    studies = {study.path.name for study in find_studies(folder)}
    rungs_, repeats = {"rung-1-1-glr", "rung-1-2-gpt", "rung-2-1-glr", "rung-2-2-gpt"}, {"seeds-1-glr", "seeds-2-gpt"}
    assert studies == {*rungs_, *repeats, "final"}
    *decided, answered = (folder / "decisions.txt").read_text().splitlines()
    assert answered.removeprefix("the answer: ").startswith("Use ")
    assert "all is decided" in (folder / "live.html").read_text()
    assert [line for line in decided if line in said] == decided
    reached = next(line for line in decided if line.startswith("rung 1, bits per byte: "))
    assert re.search(r": G\w+ of 1 layer with Muon \d\.\d+ and G\w+ of 1 layer with Muon \d\.\d+$", reached)
    assert [path.parent for path in folder.rglob("live.html")] == [folder], "one page for the whole"
    final = next(run for *_, run in StudyFolder(folder / "final").declared_runs())
    assert final.status == "finished"
    assert str(final.path) in told
    assert final.texts
    assert final.summary["windows"]
    trials = [run for name in (*rungs_, *repeats) for *_, run in StudyFolder(folder / name).declared_runs()]
    assert {(run.texts, run.summary["windows"]) for run in trials} == {(None, None)}
    assert told.count("Muon") >= 8  # a line a trial
    trained = {path: path.read_bytes() for path in folder.rglob("best.safetensors")}

    (final.path / "summary.json").unlink()  # as if it had been killed before its end
    again, repeated, _ = choose(*asked)
    assert (again, repeated.partition("\n\n")[0]) == (0, told.partition("\n\n")[0])
    assert {path: path.read_bytes() for path in folder.rglob("best.safetensors")} == trained

    found = json.loads(choose(*asked, "--json")[1])
    assert found["network"]["run"] == str(final.path)
    assert found["use"] in ({"floor": found["floor"]["name"]}, found["network"])
    reached = min(Tally.of(line["valid"]).bits_per_byte for line in final.history())
    assert found["bits_per_byte"]["network"]["valid"] == reached
    assert (found["minutes"], found["study"], found["report"]) == (1, str(folder / "final"), None)

    status, _, said = choose(tiny_corpus_file, "--minutes", "2", "--no-report", "--out", tmp_path / "runs")
    assert (status, said.count("\n")) == (2, 1)
    assert "another text, time, memory, seed or device" in said


@pytest.mark.usefixtures("quickly", "untrained")
def test_a_choice_among_other_contenders_is_not_gone_on_with(choose, asked, folder, monkeypatch):
    assert choose(*asked)[0] == 0
    before = (folder / "choice.json").read_text()
    monkeypatch.setattr(fitting, "SCALES", (dataclasses.replace(TINY, width=2 * TINY.width),))
    status, _, said = choose(*asked)
    assert (status, said.count("\n")) == (2, 1)
    assert "by a version of Bakeoff with other contenders" in said
    assert (folder / "choice.json").read_text() == before


@pytest.mark.usefixtures("quickly", "untrained")
def test_in_python_a_choice_is_advice_that_shows_itself(tiny_corpus_file, folder):
    advice = bakeoff.choose(tiny_corpus_file, minutes=60, out=folder.parent, write_report=False)
    assert (advice.folder, advice.page, advice.failed) == (folder / "final", None, ())
    assert str(advice) == advice.text
    assert str(advice.answer.folder) in advice.text
    assert advice._repr_html_().startswith("<pre>")
    assert advice.rows()["status"].to_list() == ["finished"]


@pytest.mark.usefixtures("quickly")
@pytest.mark.parametrize(("minutes", "scale"), [(60, 2), (10, 0), (1, 0)])
def test_the_scale_follows_the_speed(monkeypatch, tiny_corpus_file, tmp_path, minutes, scale):
    """Where the last run of the first would have few steps, much smaller ones are timed, and no others of these."""
    paces = {64: Pace(step=0.001, measuring=0.1), 128: Pace(step=0.05, measuring=0.1)}
    monkeypatch.setattr(fitting, "SCALES", tuple(dataclasses.replace(TINY, width=width) for width in (64, 120, 128)))
    found = []

    def measured(_request, kept, scale, runs, *_):
        width = scale.contenders[0].architecture.width
        found.append((width, [run.number for run in runs]))
        kept.paces = {run.number: paces[width] for run in runs}
        return list(kept.paces.values())

    monkeypatch.setattr(fitting, "measured", measured)
    console = Console(file=io.StringIO(), width=200)
    corpus = corpora.choose(str(tiny_corpus_file))
    request = fitting.Request(corpus=corpus, minutes=minutes, memory_bytes=None, seed=0, device=torch.device("cpu"))
    making = choice.Choice(request, tmp_path, 0.0, console)
    fitting.make_plan(request, making.kept, corpus, 2, console)
    assert making.kept.scale == scale
    assert found == ([(128, [0]), (128, [0, 1])] if scale else [(128, [0]), (64, [0]), (64, [0, 1])])
    assert console.file.getvalue().count("width 128 are too slow here: their last run would have") == (scale == 0)
    assert choice.Choice(request, tmp_path, 0.0, console).kept.scale == scale


@pytest.mark.usefixtures("quickly")
def test_of_a_small_text_the_trials_have_what_the_last_run_does_not_need(tiny_corpus_file, tmp_path):
    corpus = corpora.choose(str(tiny_corpus_file))
    request = fitting.Request(corpus=corpus, minutes=60, memory_bytes=None, seed=0, device=torch.device("cpu"))
    making = choice.Choice(request, tmp_path, 0.0, Console(file=io.StringIO()))
    fitting.make_plan(request, making.kept, corpus, 0, making.console)
    search = fitting.planned(request, making.kept, making.console)
    assert search.longest < 0.4 * making.kept.left
    planned = sum(rung.all_seconds for rung in search.plan)
    assert planned <= making.kept.left - search.longest
    assert len(search.plan) > 1
    assert search.plan[-1].seconds == pytest.approx(search.longest), "no trial reads the text more often than helps"
    for contender in search.left(0):
        assert search.planned(0, contender, 1e6).steps == search.most_steps(contender)


@pytest.mark.parametrize(
    ("longest", "tried"),
    [((27.0, 28.0, 40.0, 30.0), 2), ((27.0, 28.0, 28.0, 28.0), 2), ((27.0, 50.0, 50.0, 50.0), 1), ((80.0,) * 4, 0)],
)
def test_a_slow_contender_that_is_not_tried_takes_no_time_of_those_that_are(longest, tried):
    plan = fitting._plan(83.0, longest, (22.4,) * 4)
    assert sum(rung.contenders for rung in plan[:1]) == tried
    assert sum(rung.all_seconds for rung in plan) <= 83.0 - min(rungs.FINAL_SHARE * 83.0, max(longest[: tried or 4]))


def test_a_text_that_is_too_short_is_told_which_split_is_and_how_much_would_do(choose, tmp_path):
    folder, alike = tmp_path / "texts", tmp_path / "alike.txt"
    folder.mkdir()
    for split, text in {"train": "brief", "valid": "a b c\n\n" * 900, "test": "a b c\n\n" * 900}.items():
        (folder / f"{split}.txt").write_text(text)
    alike.write_text("the same once more\n\n" * 50_000)
    _, _, said = choose(folder, "--out", tmp_path / "runs")
    assert "texts is too small to choose for: train has 5 bytes and needs 500; of less text" in said
    _, _, said = choose(alike, "--out", tmp_path / "runs")
    assert " has 0 bytes and needs 500: give 20 kB, of which not all paragraphs are the same; of less" in said


@pytest.mark.usefixtures("quickly")
@pytest.mark.parametrize(
    ("more", "why"), [(30, "its steps are slower than before"), (200, "its steps are faster than before")]
)
def test_a_last_run_that_ends_elsewhere_is_declared_so_and_gone_on_with(
    monkeypatch, tiny_corpus_file, tmp_path, more, why
):
    corpus = corpora.choose(str(tiny_corpus_file))
    request = fitting.Request(corpus=corpus, minutes=1, memory_bytes=None, seed=0, device=torch.device("cpu"))
    making = choice.Choice(request, tmp_path, 0.0, Console(file=io.StringIO()))
    shared = Budget(batch_size=4, sequence_length=16, vocabulary=300, threads=1, precision="fp32")
    paces = [Pace(step=0.01, measuring=0.1)]
    search = Search(
        corpus=corpus,
        tokens=10**6,
        shared=shared,
        contenders=TINY.contenders[:1],
        paces=paces,
        plan=(),
        seed=0,
    )
    planned, trained = Schedule.of(100, evaluations=5), []

    def run(self, runs, *_):
        trained.append(runs[0].budget.steps)
        if len(trained) == 1:
            raise RescheduledError(planned.ending(40, more))
        if len(trained) == 4:  # it was over before it was stopped
            fakes.write_run(self.folder.run(runs[0].slug), [2.0], ending={}, spec=fakes.spec(runs[0]))
            raise RescheduledError(planned.ending(20, 10))

    monkeypatch.setattr(runner.Session, "run", run)
    making._last(search, planned)
    other = planned.ending(40, more)
    assert trained == [100, 40 + more]
    kept = choice.Choice(request, tmp_path, 0.0, making.console).kept
    assert kept.final == making.kept.final == other
    falls = other.steps - other.decay_steps
    assert f"{why}: the learning rate falls from step {falls} on" in making.console.file.getvalue()
    making._last(search, kept.final)
    assert trained == [100, other.steps, other.steps]
    assert making._last(search, kept.final).rows[0].finished
    assert trained == [100, other.steps, other.steps, other.steps]
    assert not (tmp_path / "earlier").exists()


def test_what_the_memory_holds_alone_and_not_beside_others_takes_part(
    quickly, choose, tiny_corpus_file, tmp_path, monkeypatch
):
    steps = timed(0.05, 0.05)
    monkeypatch.setattr(costs, "time_steps", lambda runs, *_: steps(runs) if len(runs) == 1 else [None] * len(runs))
    status, told, said = choose(tiny_corpus_file, "--minutes", "1", "--no-report", "--out", tmp_path / "runs")
    assert status == 0
    assert "left out" not in said + told.lower()


def test_where_the_memory_holds_no_contender_any_more_it_is_said_in_a_line(
    quickly, choose, tiny_corpus_file, tmp_path, monkeypatch
):
    first = iter(timed(0.05, 0.05)([SimpleNamespace(number=0)]))
    monkeypatch.setattr(costs, "time_steps", lambda runs, *_: [next(first, None) for _ in runs])
    status, told, said = choose(tiny_corpus_file, "--minutes", "1", "--out", tmp_path / "runs")
    assert (status, told) == (2, "")
    assert "no contender fits: GLR of 1 layer with Muon needs more than is free, or fails and GPT" in said
    assert said.rstrip().endswith("; close other programs")


def test_what_the_memory_does_not_hold_is_named_and_left_out(quickly, choose, tiny_corpus_file, tmp_path, monkeypatch):
    monkeypatch.setattr(costs, "time_steps", timed(0.05, 0.05, memory=(9e6, 7e6)))
    options = "--minutes", "1", "--memory", "8MB", "--no-report", "--out", tmp_path / "runs"
    status, told, said = choose(tiny_corpus_file, *options)
    assert status == 0
    assert "left out: GLR of 1 layer with Muon needs 9.0 MB of memory" in said
    assert "GPT of 1 layer with Muon" in told
    assert (tmp_path / "runs" / f"choose-{tiny_corpus_file.stem}" / CHOICE_FILE).is_file()


@pytest.mark.usefixtures("quickly")
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--minutes", "0"), "minutes must be a finite number above 0.05 and below 10081, not 0.0"),
        (("--minutes", "nan"), "minutes must be a finite number above 0.05 and below 10081, not nan"),
        (("--minutes", "0.0000001"), "minutes must be a finite number above 0.05 and below 10081, not 1e-07"),
        (("--minutes", "99999999"), "minutes must be a finite number above 0.05 and below 10081, not 99999999.0"),
        (("--memory", "9" * 400), "memory bytes must be a finite number above 0 and below 1000000000000000, not inf"),
        (("--seed", "-1"), "seed must be a whole number from 0 to 4,294,967,295, not -1"),
        (("--seed", "4294967296"), "seed must be a whole number from 0 to 4,294,967,295, not 4294967296"),
        (("--memory", "much"), "--memory takes a size such as 2GB"),
        (("--memory", "0GB"), "--memory takes a size such as 2GB"),
        (("--minutes", "0.07"), "minutes are too few for any contender: give at least"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(choose, tiny_corpus_file, tmp_path, arguments, expected):
    status, told, said = choose(tiny_corpus_file, *arguments, "--out", tmp_path / "runs")
    assert (status, told, said.count("\n")) == (2, "", 1)
    assert expected in said


def test_a_trial_whose_records_are_damaged_is_not_left_out_but_said():
    rows = SimpleNamespace(rows=[SimpleNamespace(status=DAMAGED, error="summary.json is damaged: remove it")])
    making = SimpleNamespace(_reserve=lambda *_: 0.0, _train=lambda *_: rows)
    with pytest.raises(UserError, match=r"\Asummary\.json is damaged: remove it\Z"):
        choice.Choice._tried(making, None, SimpleNamespace(name="rung-1"), 0, 0)


@pytest.mark.parametrize(("steps", "says"), [(0, "is not begun"), (2, "takes too long and is stopped")])
def test_a_trial_that_there_is_no_time_for_is_not_said_to_take_long(monkeypatch, steps, says):
    def train(_study, observe):
        observe({"event": "start"})
        for step in range(steps):
            observe({"event": "step", "step": step})
        raise OverdueError

    said = []
    monkeypatch.setattr(choice, "read_rows", lambda _: SimpleNamespace(rows=[]))
    kept = SimpleNamespace(left=1.0)
    making = SimpleNamespace(_reserve=lambda *_: 0.0, _train=train, kept=kept, decide=said.append, folder=Path())
    search = SimpleNamespace(slowed=lambda *_: None)
    assert choice.Choice._tried(making, search, SimpleNamespace(name="rung-1"), 0, 0) == []
    assert said == [f"rung-1 {says}: what is left of the time is the last run's"]


def test_what_a_trial_took_besides_its_steps_is_learned_from_it():
    told = {"status": FINISHED, "finished": True, "learning_rate": 0.1, "seed": 0, "folder": "one"}
    measured = {"history": [SimpleNamespace(step=9)], "valid": SimpleNamespace(bits_per_byte=2.0)}
    rows = SimpleNamespace(rows=[SimpleNamespace(**told, **measured, train_seconds=3.0, seconds=5.0)])
    making = SimpleNamespace(_reserve=lambda *_: 0.0, _train=lambda *_: rows)
    (found,) = choice.Choice._tried(making, None, SimpleNamespace(name="rung-1"), 0, 0)
    assert (found.steps, found.seconds, found.measuring) == (9, 3.0, choice.STARTING + 2.0)


def test_a_folder_of_something_else_is_left_alone(choose, tiny_corpus_file, tmp_path):
    mine = tmp_path / "runs" / f"choose-{tiny_corpus_file.stem}" / "mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    status, _, said = choose(tiny_corpus_file, "--out", tmp_path / "runs")
    assert status == 2
    assert "holds files, and no choice.json" in said


@pytest.mark.usefixtures("quickly")
def test_wherever_it_is_killed_the_same_command_goes_on(choose, asked, folder, untrained, monkeypatch):
    """With a clock that runs, so that what is decided twice would be decided otherwise; the machine changes, too."""

    starts = itertools.count(step=5)

    def seconds(clock):
        if not hasattr(clock, "looks"):
            clock.looks = next(starts)
        clock.looks += 1
        return 0.2 * clock.looks

    monkeypatch.setattr(Stopwatch, "seconds", property(seconds))
    monkeypatch.setattr(Kept, "spent", property(lambda kept: kept.spent_seconds + kept.clock.seconds))
    cores, precisions = itertools.cycle([1, 2]), itertools.cycle(["fp32", "bf16"])
    monkeypatch.setattr(choice, "usable_cores", lambda: next(cores))
    monkeypatch.setattr(choice, "resolve_precision", lambda *_: next(precisions))
    untrained.killed = set(STUDIES)
    folder.mkdir(parents=True)
    (folder / ".unfinished-0.json").touch()
    assert [choose(*asked)[0] for _ in range(6)] == [130] * 5 + [0]
    assert sorted(untrained.done) == sorted(STUDIES)
    declared = {study.path.name: study.study for study in find_studies(folder)}
    assert {name: study["identity"] for name, study in declared.items()} == untrained.begun
    budgets = [study["budget"] for study in declared.values()]
    assert {(budget["threads"], budget["precision"]) for budget in budgets} == {(1, "fp32")}
    assert not list(folder.glob(".unfinished*"))


@pytest.mark.usefixtures("quickly")
def test_what_was_spent_until_it_was_killed_is_kept(choose, asked, folder, monkeypatch):
    spent = [0.0]

    def run(self, runs, _jobs, observer):
        spent[0] += 7.5
        raise KeyboardInterrupt

    monkeypatch.setattr(Kept, "spent", property(lambda kept: kept.spent_seconds + spent[0]))
    monkeypatch.setattr(runner.Session, "run", run)
    assert choose(*asked)[0] == 130
    assert json.loads((folder / CHOICE_FILE).read_text())["spent_seconds"] == 7.5


@pytest.mark.usefixtures("quickly")
def test_whatever_is_changed_in_its_file_is_said_in_a_line(tiny_corpus_file, tmp_path):
    corpus = corpora.choose(str(tiny_corpus_file))
    request = fitting.Request(corpus=corpus, minutes=60, memory_bytes=None, seed=0, device=torch.device("cpu"))
    console = Console(file=io.StringIO())
    making = choice.Choice(request, tmp_path, 0.0, console)
    fitting.make_plan(request, making.kept, corpus, 0, console)
    making.kept.trials = [[Trials(contender=0, steps=9, rates=[0.5])]]
    making.kept.repeats, making.kept.final = 1, Schedule.of(100, evaluations=1)
    making.kept.write()
    path, kept = tmp_path / CHOICE_FILE, json.loads((tmp_path / CHOICE_FILE).read_text())
    assert choice.Choice(request, tmp_path, 0.0, console).kept.final == making.kept.final
    others = (
        damages.changed(kept, place, other)
        for place in damages.places(kept, most=1)
        for other in (*damages.OTHERS, 99, ...)
    )
    for other in (*others, kept | {"more": 1}, []):
        path.write_text(json.dumps(other))
        if json.dumps(other) != json.dumps(kept):
            with pytest.raises(UserError, match=r"choice.json is damaged \(.*\): remove it and repeat the command$"):
                pytest.fail(f"{choice.Choice(request, tmp_path, 0.0, console).kept}")


@pytest.mark.usefixtures("quickly")
def test_where_its_file_is_gone_a_choice_is_begun_anew_and_puts_aside_what_is_another(
    choose, asked, folder, untrained, monkeypatch
):
    _, told, _ = choose(*asked)
    (folder / CHOICE_FILE).write_text("{")
    status, _, said = choose(*asked)
    assert (status, said.count("\n")) == (1, 1)
    assert said.endswith("remove it and repeat the command\n")
    (folder / CHOICE_FILE).unlink()
    assert choose(*asked)[:2] == (0, told)
    assert untrained.done == STUDIES  # once

    (folder / CHOICE_FILE).unlink()
    shutil.copytree(folder / "rung-1-2-gpt", folder / "rung-1-3-gpt")
    shutil.copytree(folder / "rung-1-2-gpt", folder / "mine")
    monkeypatch.setattr(rungs, "MOST_PASSES", 5)  # so that trials are others
    others = (*STUDIES[:2], "rung-1-3-gpt", "final")
    before = {name: StudyFolder(folder / name).study["identity"] for name in others}
    untrained.killed = set(STUDIES[:2])
    tries = [choose(*asked) for _ in range(3)]
    assert [status for status, *_ in tries] == [130, 130, 0]
    assert untrained.done == [*STUDIES, *STUDIES[:2], "final"]
    assert {study.path.name for study in find_studies(folder)} == {*STUDIES, "mine"}
    earlier = find_studies(folder / "earlier")
    assert {study.path.name[:-2]: study.study["identity"] for study in earlier} == before
    assert all(run.status == "finished" for study in earlier for *_, run in study.declared_runs())
    said = "".join(said for *_, said in tries)
    for study in earlier:
        assert said.count(f"{study.path.name[:-2]} is an earlier choice's: moved to {study.path}\n") == 1


@pytest.mark.usefixtures("quickly")
def test_a_trial_that_is_done_again_moves_nothing_that_was_planned_after_it(
    choose, asked, folder, untrained, monkeypatch
):
    monkeypatch.setattr(rungs, "MOST_RUNGS", 2)
    assert choose(*asked)[0] == 0
    done, tried = list(untrained.done), choice.Choice._tried
    assert "rung-2-1-glr" in done
    next(run for *_, run in StudyFolder(folder / "rung-1-1-glr").declared_runs()).reopen()

    def slower(*arguments):
        return [dataclasses.replace(found, seconds=3 * found.seconds) for found in tried(*arguments)]

    monkeypatch.setattr(choice.Choice, "_tried", slower)
    status, _, said = choose(*asked)
    assert (status, untrained.done) == (0, [*done, "rung-1-1-glr"])
    assert "moved to" not in said


@pytest.mark.usefixtures("quickly", "untrained")
def test_how_much_of_a_text_is_read_and_who_is_not_tried_is_said(choose, asked, monkeypatch):
    monkeypatch.setattr(fitting, "TRAINED", 60)  # of bytes, a minute
    monkeypatch.setattr(fitting, "fitted", fitting.fitted.__wrapped__)  # which remembers what it said of this text
    monkeypatch.setattr(rungs, "plan", lambda *_: (rungs.Rung(contenders=1, rates=2, seconds=1.0),))
    status, told, said = choose(*asked)
    assert status == 0
    assert re.search(r"only the first \d+ % of train's documents are read: there is no time for more\n", said)
    assert "no time to try: GPT of 1 layer with Muon\n" in said
    assert "There was no time to try GPT of 1 layer with Muon.\n" in told


@pytest.mark.usefixtures("quickly")
def test_a_trial_that_failed_and_works_later_turns_no_winner_over_whose_run_is_planned(
    choose, asked, folder, monkeypatch
):
    monkeypatch.setattr(rungs, "MOST_RUNGS", 1)
    happens = {"rung-1-1-glr": "fails", "final": "is killed"}

    def run(self, runs, _jobs, observer):
        name = self.folder.path.name
        happening = happens.pop(name, None)
        if happening == "is killed":
            raise KeyboardInterrupt
        ending = {"status": FAILED, "error": "killed by signal 9"} if happening else {}
        for each in runs:
            observer(each, {"event": "start", "steps": 1})
            loss = 3.0 if name == "rung-1-1-glr" else 4.0  # it would be the best, were it not for that
            fakes.write_run(self.folder.run(each.slug), [loss], ending=ending, spec=fakes.spec(each))

    monkeypatch.setattr(runner.Session, "run", run)
    assert choose(*asked)[0] == 130
    before = StudyFolder(folder / "final").study["identity"]
    assert [experiment["model"] for experiment in StudyFolder(folder / "final").study["experiments"]] == ["gpt"]
    status, _, said = choose(*asked)
    assert status == 0
    assert StudyFolder(folder / "final").study["identity"] == before
    assert "moved to" not in said


def test_of_two_commands_the_second_says_so_and_changes_nothing(choose, asked, folder, monkeypatch):
    monkeypatch.setattr(study_folder, "GLANCE", 0.0)
    with StudyFolder(folder).acquire():
        status, told, said = choose(*asked)
    assert (status, told, said) == (
        *(1, ""),
        f"bakeoff: another command is at work on {folder}: wait until it has ended\n",
    )
    assert [path.name for path in folder.iterdir()] == [".lock"]


def last_run(monkeypatch, ending):
    """Let the last run, after an evaluation that was better than any trial's, end so."""
    train = runner.Session.run

    def run(self, runs, *others):
        train(self, runs, *others)
        if self.folder.path.name == "final":
            fakes.write_run(self.folder.run(runs[0].slug), [2.0], ending=ending, spec=fakes.spec(runs[0]))

    monkeypatch.setattr(runner.Session, "run", run)


DIVERGES = {"status": DIVERGED, "error": "the loss was not finite at step 150", "epoch": 2}


@pytest.mark.usefixtures("quickly", "untrained")
@pytest.mark.parametrize("ending", [DIVERGES, {"status": FAILED, "error": "out of memory: 9 GB"}])
def test_where_the_last_run_is_lost_the_answer_is_the_best_complete_trial(choose, asked, folder, monkeypatch, ending):
    last_run(monkeypatch, ending)
    status, told, _ = choose(*asked)
    assert status == (ending["status"] == FAILED)
    assert f"The last run {ending['status']}: {ending['error']}." in told
    assert f"{folder}/final" not in told
    assert f": {folder}/rung-1-" in told
    assert ("Second came" in told or "Of the networks" in told) == (ending["status"] == FAILED)
    assert f"What another time would change cannot be told: the last run {ending['status']}." in told
    reached = min(line.split()[-1] for line in told.splitlines() if line.split()[:1] == ["1"])
    assert f"{reached} bits per byte of valid" in told or f"reached {reached}." in told


@pytest.mark.usefixtures("quickly", "untrained")
def test_where_a_trial_is_better_than_the_last_run_it_is_the_answer(choose, asked, folder, monkeypatch):
    """As on a small text, which the last run has read too often."""
    train = runner.Session.run

    def run(self, runs, *others):
        train(self, runs, *others)
        if self.folder.path.name == "final":
            fakes.write_run(self.folder.run(runs[0].slug), [9.0], ending={}, spec=fakes.spec(runs[0]))

    monkeypatch.setattr(runner.Session, "run", run)
    status, told, _ = choose(*asked)
    assert status == 0
    assert f"{folder}/final" not in told
    assert f": {folder}/rung-1-" in told
    assert "a trial came lower than the last run, so longer training does not help on this text" in told


@pytest.mark.usefixtures("quickly", "untrained")
def test_where_every_trial_is_lost_the_answer_is_the_count_table(choose, asked, folder, monkeypatch):
    def run(self, runs, *_):
        for each in runs:
            fakes.write_run(self.folder.run(each.slug), [4.0], ending=DIVERGES, spec=fakes.spec(each))

    monkeypatch.setattr(runner.Session, "run", run)
    status, told, _ = choose(*asked)
    assert status == 1
    assert "Use the count table, " in told
    advice = "Nothing else was trained; to try again, give other minutes, another --seed and another --out."
    assert f"every trial failed or diverged: {DIVERGES['error']}. {advice}" in told
    assert "Second came" not in told
    assert not (folder / "final").exists()


@pytest.mark.usefixtures("quickly", "untrained")
def test_where_the_last_run_is_lost_and_there_is_no_trial_the_answer_is_the_count_table(
    choose, asked, folder, monkeypatch
):
    monkeypatch.setattr(rungs, "plan", lambda *_: ())
    last_run(monkeypatch, DIVERGES)
    status, told, _ = choose(*asked)
    assert status == 0
    assert told.startswith("Use the count table, ")
    assert f"The last run {DIVERGED}: {DIVERGES['error']}. Nothing else was trained" in told
    assert told.count(str(folder)) == 2  # of the count table


@pytest.mark.usefixtures("quickly")
def test_where_the_time_is_up_before_the_last_run_is_better_the_answer_is_the_best_trial(
    choose, asked, folder, untrained, monkeypatch
):
    monkeypatch.setattr(Kept, "left", property(lambda kept: -100.0 if kept.final else kept.seconds))
    status, told, _ = choose(*asked)
    assert (status, untrained.done) == (0, STUDIES)
    assert f"model: {folder}/rung-1-" in told or f"the network: {folder}/rung-1-" in told
    assert "The time was up before the end of the last run, and this is the best until then" in told
    assert choose(*asked)[:2] == (0, told)
    run = next(run for *_, run in StudyFolder(folder / "final").declared_runs())
    fakes.write_run(run, [2.0], spec={"identity": run.declared, "run": {}})  # as far as it came
    assert f": {run.path}\n" in choose(*asked)[1]


@pytest.mark.usefixtures("quickly", "untrained")
def test_where_the_time_is_up_and_nothing_was_trained_it_is_said_how_much_is_needed(choose, asked, folder, monkeypatch):
    monkeypatch.setattr(rungs, "plan", lambda *_: ())
    monkeypatch.setattr(Kept, "left", property(lambda kept: -100.0 if kept.final else kept.seconds))
    status, told, said = choose(*asked)
    assert (status, told) == (2, "")
    assert "the time was up before the last run: give at least" in said.splitlines()[-1]
    run = next(run for *_, run in StudyFolder(folder / "final").declared_runs())
    fakes.write_run(run, [], spec={"identity": run.declared, "run": {}})  # evaluated before its first step
    assert choose(*asked)[:2] == (2, "")


@pytest.mark.usefixtures("quickly", "untrained")
def test_a_disk_that_is_too_small_is_said_before_the_first_run(choose, asked, folder, monkeypatch):
    monkeypatch.setattr(costs.shutil, "disk_usage", lambda _: SimpleNamespace(free=5_000_000))
    status, _, said = choose(*asked)
    assert (status, said.count("\n")) == (1, 1)
    assert f"of disk, and 5.0 MB are free in {folder}" in said
    assert [path.name for path in folder.iterdir()] == [".lock"]
