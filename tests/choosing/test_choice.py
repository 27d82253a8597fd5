"""A whole choice over a tiny text, with contenders and a clock that cost seconds."""

import dataclasses
import io
import sys
from types import SimpleNamespace

import pytest
import torch
from rich.console import Console

from bakeoff import cli, runner
from bakeoff.choosing import choice, rungs
from bakeoff.choosing.deadline import EarlierError
from bakeoff.choosing.kept import FILE, Kept
from bakeoff.choosing.search import Pace, Schedule, Search
from bakeoff.data import corpora
from bakeoff.errors import UserError
from bakeoff.experiments import Scale
from bakeoff.records import DAMAGED, StudyFolder, find_studies
from bakeoff.spec import Budget

TINY = Scale(minutes=0, megabytes=0, vocabulary=300, layers=1, width=64, batch_size=4)


@pytest.fixture
def quickly(monkeypatch, tmp_path):
    """Tiny contenders of a told pace, and two seconds left at every look, for each minute that is asked for."""
    monkeypatch.setattr(choice, "SCALES", (TINY,))
    monkeypatch.setattr(choice, "LENGTH", 16)
    monkeypatch.setattr(choice, "ANSWERING", 0.2)
    monkeypatch.setattr(rungs, "FEWEST_STEPS", 2)
    monkeypatch.setattr(rungs, "LEAST_SHARE", -100.0)  # however slow the machine is, there is time for another seed
    monkeypatch.setattr(rungs, "MOST_REPEATS", 1)
    monkeypatch.setattr(Kept, "seconds", property(lambda kept: 2.0 * kept.minutes))
    monkeypatch.setattr(Kept, "left", Kept.seconds)
    paces = {0: Pace(step=0.016, measuring=0.003), 1: Pace(step=0.02, measuring=0.003)}
    monkeypatch.setattr(choice.Choice, "_time", lambda self, *_: self.kept.paces.update(paces))
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


def test_a_choice_trains_ordinary_studies_and_goes_on_where_it_was(quickly, choose, tiny_corpus_file, tmp_path):
    asked = tiny_corpus_file, "--minutes", "1", "--no-report", "--out", tmp_path / "runs"
    status, told, said = choose(*asked)
    assert (status, "Traceback" in said) == (0, False)
    assert "rung 1 of 2: two contenders" in said
    assert "rung 1: GLR of 1 layer with Muon and GPT of 1 layer with Muon" in said
    assert "the last run: G" in said
    assert "the best two with one other seed" in said
    assert said.count("finished  ") == said.count(" bits per byte of valid") == 11  # a line a run
    folder = tmp_path / "runs" / f"choose-{tiny_corpus_file.stem}"
    studies = {study.path.name for study in find_studies(folder)}
    rungs_, repeats = {"rung-1-1-glr", "rung-1-2-gpt", "rung-2-1-glr", "rung-2-2-gpt"}, {"seeds-1-glr", "seeds-2-gpt"}
    assert studies == {*rungs_, *repeats, "final"}
    final = next(run for *_, run in StudyFolder(folder / "final").declared_runs())
    assert final.status == "finished"
    assert str(final.path) in told
    assert told.count("Muon") >= 10  # a line a trial
    trained = {path: path.read_bytes() for path in folder.rglob("best.safetensors")}

    (final.path / "summary.json").unlink()  # as if it had been killed before its end
    again, repeated, _ = choose(*asked)
    assert (again, repeated.partition("\n\n")[0]) == (0, told.partition("\n\n")[0])
    assert {path: path.read_bytes() for path in folder.rglob("best.safetensors")} == trained

    status, _, said = choose(tiny_corpus_file, "--minutes", "2", "--no-report", "--out", tmp_path / "runs")
    assert (status, said.count("\n")) == (2, 1)
    assert "another text, time, memory or seed" in said


@pytest.mark.usefixtures("quickly")
@pytest.mark.parametrize(("minutes", "scale"), [(60, 1), (10, 0), (1, 0)])
def test_the_scale_follows_the_speed(monkeypatch, tiny_corpus_file, tmp_path, minutes, scale):
    """Where the last run of the faster contender would have few steps, or no rung has time, smaller ones are timed."""
    paces = {64: Pace(step=0.001, measuring=0.1), 128: Pace(step=0.05, measuring=0.1)}
    monkeypatch.setattr(choice, "SCALES", (TINY, dataclasses.replace(TINY, width=128)))
    timed = []

    def time(self, contenders, *_):
        timed.append(contenders[0].architecture.width)
        self.kept.paces |= {0: paces[timed[-1]], 1: dataclasses.replace(paces[timed[-1]], step=0.5)}

    monkeypatch.setattr(choice.Choice, "_time", time)
    console = Console(file=io.StringIO(), width=200)
    corpus = corpora.choose(str(tiny_corpus_file))
    request = choice.Request(corpus=corpus, minutes=minutes, memory_bytes=None, seed=0, device=torch.device("cpu"))
    making = choice.Choice(request, tmp_path, 0.0, console)
    making._plan(corpus, largest=1)
    assert (making.kept.scale, timed) == (scale, [128] if scale else [128, 64])
    assert console.file.getvalue().count("models of width 128 are too large or too slow") == 1 - scale
    assert Kept.read(tmp_path / FILE, request.asked, minutes, 0.0).scale == scale


@pytest.mark.usefixtures("quickly")
def test_a_last_run_that_decays_earlier_is_declared_so_and_gone_on_with(monkeypatch, tiny_corpus_file, tmp_path):
    corpus = corpora.choose(str(tiny_corpus_file))
    request = choice.Request(corpus=corpus, minutes=1, memory_bytes=None, seed=0, device=torch.device("cpu"))
    making = choice.Choice(request, tmp_path, 0.0, Console(file=io.StringIO()))
    shared = Budget(batch_size=4, sequence_length=16, vocabulary=300, threads=1, precision="fp32")
    paces = [Pace(step=0.01, measuring=0.1)]
    search = Search(corpus=corpus, shared=shared, contenders=TINY.contenders[:1], paces=paces, plan=(), seed=0)
    planned, trained = Schedule.of(100, evaluations=5), []

    def train(self, study, told):
        trained.append(study.budget.steps)
        with runner.open_session(study, self.folder / study.name, self.request.device):
            if len(trained) == 1:
                raise EarlierError(planned.ending(40, 30))
        return "rows"

    monkeypatch.setattr(choice.Choice, "_train", train)
    assert making._last(search, planned) == "rows"
    assert trained == [100, 70]
    kept = Kept.read(tmp_path / FILE, request.asked, 1, 0.0)
    assert kept.final == making.kept.final == planned.ending(40, 30)
    assert "falls from step 40 on, and the last run ends after 70 steps" in making.console.file.getvalue()
    assert making._last(search, kept.final) == "rows"


def test_what_the_memory_does_not_hold_is_named_and_left_out(quickly, choose, tiny_corpus_file, tmp_path, monkeypatch):
    def time(self, contenders, *_):
        self.kept.paces[1] = Pace(step=0.05, measuring=0.01)
        self.kept.left_out[0] = f"{contenders[0].title} needs 9 MB of memory"

    monkeypatch.setattr(choice.Choice, "_time", time)
    status, told, said = choose(tiny_corpus_file, "--minutes", "1", "--no-report", "--out", tmp_path / "runs")
    assert status == 0
    assert "left out: GLR of 1 layer with Muon needs 9 MB of memory" in said
    assert "GPT of 1 layer with Muon" in told
    assert (tmp_path / "runs" / f"choose-{tiny_corpus_file.stem}" / FILE).is_file()


@pytest.mark.usefixtures("quickly")
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--minutes", "0"), "--minutes must be above 0"),
        (("--minutes", "nan"), "--minutes must be above 0"),
        (("--minutes", "99999999"), "--minutes must be above 0 and at most 10,080, a week"),
        (("--memory", "much"), "--memory takes a size such as 2GB"),
        (("--memory", "0GB"), "--memory takes a size such as 2GB"),
        (("--minutes", "0.1"), "minutes are too few for any contender: give at least"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(choose, tiny_corpus_file, tmp_path, arguments, expected):
    status, told, said = choose(tiny_corpus_file, *arguments, "--out", tmp_path / "runs")
    assert (status, told, said.count("\n")) == (2, "", 1)
    assert expected in said


def test_a_trial_whose_records_are_damaged_is_not_left_out_but_said():
    rows = SimpleNamespace(rows=[SimpleNamespace(status=DAMAGED, error="summary.json is damaged: remove it")])
    with pytest.raises(UserError, match=r"\Asummary\.json is damaged: remove it\Z"):
        choice.Choice._tried(SimpleNamespace(_train=lambda study: rows), SimpleNamespace(name="rung-1"), 0, 0)


def test_a_folder_of_something_else_is_left_alone(choose, tiny_corpus_file, tmp_path):
    mine = tmp_path / "runs" / f"choose-{tiny_corpus_file.stem}" / "mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    status, _, said = choose(tiny_corpus_file, "--out", tmp_path / "runs")
    assert status == 2
    assert "holds files, and no choice.json" in said
