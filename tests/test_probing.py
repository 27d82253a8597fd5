"""Probes of runs whose recipe was spoiled on purpose, and of one that no recipe helps; in this process."""

import dataclasses
import json
import shutil
import sys

import pytest
import torch

from bakeoff import cli, probing, runner
from bakeoff.analysis.reading import read_rows
from bakeoff.errors import UserError
from bakeoff.job import Job
from bakeoff.models import GPT, GPT1, LSTM
from bakeoff.optimizers import Adam
from bakeoff.records import read_json, write_record
from bakeoff.reporting import contents
from bakeoff.reporting.build import NO_FIGURES
from bakeoff.shapes import CHECKSUM
from bakeoff.spec import Budget
from bakeoff.study_file import find_study
from bakeoff.study_folder import StudyFolder
from bakeoff.worker import work

#: 1 has a rate a hundred times too high; 2 is hopeless, as its weights hardly move; 3 learns; 4 is deeper and worse; 5
#: is never run.
STUDY = """
from dataclasses import dataclass
from typing import ClassVar

from bakeoff.models import LSTM
from bakeoff.optimizers import Adam
from bakeoff.spec import Budget, Corpus, Study


@dataclass(frozen=True, kw_only=True)
class Mine(Adam):
    name: ClassVar[str] = "mine"
    title: ClassVar[str] = "My Adam"


def lstm(layers=1):
    return LSTM(layers=layers, embedding=16, hidden=16)


study = Study.of(
    "planted",
    corpus=Corpus(name="tiny", path={corpus!r}),
    budget=Budget(
        steps=240, epoch_steps=120, batch_size=8, sequence_length=16, vocabulary=300, precision="fp32", threads=1
    ),
    contenders=[
        (lstm(), Mine(lr=3.0)),
        (lstm(), Adam(lr=1e-9)),
        (lstm(), Adam(lr=3e-2)),
        (lstm(2), Adam(lr=0.3)),
        (lstm(3), Adam(lr=1e-2)),
    ],
)
"""


def in_process(session, runs, jobs, observer):
    """Do runs as workers do, without starting any."""
    for run in runs:
        folder = session.folder.run(run.slug)
        folder.path.mkdir(parents=True, exist_ok=True)
        folder.reopen()
        work(Job(run=run, folder=folder.path, device="cpu", alone=False, source=session.source), lambda _: None)


@pytest.fixture(scope="module")
def trained(tiny_corpus_file, tmp_path_factory):
    """A folder with the study's file and its runs."""
    folder = tmp_path_factory.mktemp("trained")
    path = folder / "planted.py"
    path.write_text(STUDY.format(corpus=str(tiny_corpus_file)))
    study, source = find_study(str(path))
    with runner.open_session(study, folder / "runs" / "planted", torch.device("cpu"), source) as session:
        in_process(session, session.missing([1, 2, 3, 4]), 1, None)
    return folder


@pytest.fixture
def there(trained, tmp_path, monkeypatch):
    """A copy of it as the present folder, whose study file has gone."""
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    (tmp_path / "planted.py").unlink()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runner.Session, "run", in_process)
    return StudyFolder(tmp_path / "runs" / "planted")


@pytest.fixture
def command(there, monkeypatch, capsys):
    """`bakeoff probe --trust runs/planted …`: its exit status, standard output and standard error."""

    def command(*arguments, trust=("--trust",)):
        monkeypatch.setattr(sys, "argv", ["bakeoff", "probe", *trust, "runs/planted", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return ended.value.code, *capsys.readouterr()

    return command


def test_a_rate_a_hundred_times_too_high_is_found_not_to_be_a_matter_of_capacity(there, command, monkeypatch):
    status, said, told = command(1)
    assert status == 0, told
    assert "the probe of #1: 4 of 4 runs to do on cpu" in told
    table, sentence = said.splitlines()[:5], said.splitlines()[5]
    assert [line.split("  ")[0] for line in table[1:]] == [
        *("as it is", "at a tenth of the rate", "at a hundredth of the rate", "with a warm-up four times as long")
    ]
    assert sentence.startswith("That #1 learned nothing about context is not a matter of capacity: at a ")
    rows = read_rows(there)
    assert rows.experiment(1).probe.found == "recipe"
    rules = contents.of(rows, {}, [], NO_FIGURES, there.path)["rules"]
    assert any(sentence in run["text"] for rule in rules for run in rule["runs"])
    # The run was no longer than a probe's starts, so its own start is the very run.
    folder = there.path.with_name("planted-probe")
    assert {path.name for path in folder.iterdir()} == {"01-start", "01-warm-up"}
    slug = "01-lstm-1-mine/seed-0"
    assert StudyFolder(folder / "01-start").run(slug).history()[-1]["valid"] == there.run(slug).history()[-1]["valid"]
    # Repeated, it trains nothing and says the same.
    monkeypatch.setattr(runner.Session, "run", lambda *_: pytest.fail("it trains again"))
    status, document, told = command(1, "--json")
    assert (status, "to do" in told) == (0, False)
    found = json.loads(document)
    assert (found["number"], found["verdict"], found["text"], found["steps"]) == (1, "recipe", sentence, 240)
    assert {*found["changed"]} == {"tenth", "hundredth", "warm-up"}
    assert found["changed"]["tenth"]["learning_rate"] == pytest.approx(0.3)


def test_a_hopeless_run_is_not_cleared_and_its_probe_is_kept_with_it_alone(there, command, monkeypatch):
    done, run = [], there.run("02-lstm-1-adam/seed-0")
    monkeypatch.setattr(probing, "STEPS", 30)

    def one(session, runs, jobs, observer):
        done.append(len(runs))
        in_process(session, runs[: 1 if len(done) == 1 else None], jobs, observer)
        if len(done) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(runner.Session, "run", one)
    assert (command(2)[0], run.probe) == (130, None)
    status, said, _ = command(2)
    assert (status, done) == (0, [3, 2, 1])
    assert "None of three changes helps #2" in said
    assert read_rows(there).experiment(2).probe.found == "no change"
    # A digit is changed, the record is another run's, and the run trained anew.
    path, kept = run.path / "probe.json", run.probe
    path.write_text(path.read_text().replace('"nats": ', '"nats": 1', 1))
    row = read_rows(there).experiment(2).rows[0]
    assert (row.status, row.probe) == ("damaged", None)
    assert "probe.json is damaged (its checksum is another)" in row.error
    run.write_probe(kept | {"identity": "another's"})
    assert "probe.json is damaged (it is of another run than" in read_rows(there).experiment(2).rows[0].error
    run.start(run.spec, run.environment)
    assert run.probe is None


def test_who_is_behind_a_smaller_one_is_compared_with_that_ones_start(there, command, monkeypatch):
    monkeypatch.setattr(probing, "STEPS", 30)
    status, said, _ = command(4)
    assert (status, said.splitlines()[2].split("  ")[0]) == (0, "#3 as it is")
    probe = read_rows(there).experiment(4).probe
    assert probe.smaller[0] == 3
    assert probe.smaller[1].learning_rate == 0.03
    # What an earlier probe left there does not stand in the way of one that asks something else.
    monkeypatch.setattr(probing, "STEPS", 20)
    assert (command(4)[0], read_rows(there).experiment(4).probe.steps) == (0, 20)


def test_a_start_that_fails_is_no_finding(command, there, monkeypatch):
    def fail(session, runs, jobs, observer):
        for run in runs:
            session.folder.run(run.slug).path.mkdir(parents=True)
            session.folder.run(run.slug).finish({"status": "failed", "error": "out of memory"})

    monkeypatch.setattr(runner.Session, "run", fail)
    status, said, told = command(2)
    assert (status, said) == (1, "")
    assert told.count("failed: out of memory") == 4
    assert there.run("02-lstm-1-adam/seed-0").probe is None


def test_bad_input_is_one_line(there, command):
    def refused(number):
        status, said, told = command(number)
        assert (said, told.count("\n")) == ("", 1)
        return status, told

    assert refused(9) == (2, "bakeoff: runs/planted has no experiment 9: it has 1, 2, 3, 4, 5\n")
    assert refused(3)[1].endswith(
        "#3 has learned, and no smaller model of its kind does better: there is nothing to probe\n"
    )
    assert "05-lstm-3-adam/seed-0 is missing: a run can be probed once it is over" in refused(5)[1]
    for status, says in (("failed", "failed, which says nothing about the model (no room)"), (None, "is missing")):
        run = there.run("02-lstm-1-adam/seed-0")
        run.reopen()
        if status:
            run.finish({"status": status, "error": "no room"})
        assert says in refused(2)[1]
    assert command("one")[0] == 2


def test_nothing_is_executed_but_what_was_kept_and_that_only_where_it_is_trusted(there, command, tmp_path):
    def refused(trust):
        status, said, told = command(1, trust=trust)
        assert (status, said, told.count("\n")) == (2, "", 1)
        return told

    kept, evil = there.code / "planted.py", there.code / "evil.py"
    evil.write_text(f"open({str(tmp_path / 'executed')!r}, 'w')\n{kept.read_text()}")
    write_record(there.path / "study.json", read_json(there.path / "study.json") | {"source": str(evil)})
    assert f"{kept.relative_to(tmp_path)} defines bakeoff_study.Mine: read it, then say --trust" in refused(())
    suspect = probing.find(there, 1, trust=True)
    assert (type(suspect.run.optimizer).__name__, suspect.source) == ("Mine", kept)
    kept.write_text(evil.read_text())
    assert "is not what was kept with the study, so it is not executed" in refused(("--trust",))
    assert probing.find(there, 2).source is None  # all of it is Bakeoff's own
    assert not (tmp_path / "executed").exists()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fast(Adam):
    def __post_init__(self):
        if self.lr < 0.1:
            raise ValueError("lr must be at least 0.1")


def test_a_rate_that_the_optimizer_refuses_is_said(there):
    suspect = probing.find(there, 2)
    fast = dataclasses.replace(suspect, run=dataclasses.replace(suspect.run, optimizer=Fast(lr=0.5)))
    with pytest.raises(UserError, match=r"#2 cannot be tried at a tenth of its rate: lr must be at least 0\.1"):
        fast.starts()


def test_what_this_version_cannot_read_and_a_text_that_is_away_are_told(there, tmp_path):
    path = there.run("04-lstm-2-adam/seed-0").path / "spec.json"
    spec = json.loads(path.read_text())
    del spec[CHECKSUM]
    gone = spec | {"run": spec["run"] | {"corpus": spec["run"]["corpus"] | {"path": "gone.txt"}}}
    path.write_text(json.dumps(gone))
    suspect = probing.find(there, 4)
    with pytest.raises(UserError, match=r"gone\.txt"):
        runner.prepare(suspect.run.corpus, suspect.run.budget)
    path.write_text(json.dumps(spec | {"run": spec["run"] | {"dropped": 1}}))
    with pytest.raises(UserError, match="#4 is of other code than is here, which cannot read it"):
        probing.find(there, 4)
    path.unlink()
    with pytest.raises(UserError, match=r"has no spec\.json"):
        probing.find(there, 4)


@pytest.mark.parametrize(
    ("budget", "whole", "own", "warmer"),
    [
        (Budget(epochs=10), 5000, (400, None, None, "linear"), (400, 80, None, "linear")),
        (Budget(epochs=1, epoch_steps=50), 50, (50, None, None, "linear"), (50, 8, None, "linear")),
        (Budget(epochs=10, schedule="constant"), 5000, (400, None, None, "constant"), (400, 80, None, "warmup")),
        (
            Budget(steps=4000, epoch_steps=500, warmup_steps=1000, decay_steps=800),
            *(4000, (400, 100, 80, "linear"), (400, 320, 80, "linear")),  # there is no room for more
        ),
    ],
)
def test_a_start_is_the_whole_schedule_made_shorter(budget, whole, own, warmer):
    short = probing._short(budget, whole)
    names = ("steps", "warmup_steps", "decay_steps", "schedule")
    assert tuple(getattr(short, name) for name in names) == own
    assert tuple(getattr(probing._warmer(short), name) for name in names) == warmer
    assert short.epoch_steps == short.steps  # measured at its end
    assert short.rising(short.steps) * whole == pytest.approx(budget.rising(whole) * short.steps, rel=0.3)


def test_pre_norm_is_tried_where_it_is_an_option():
    assert probing.pre_norm(GPT1(layers=2)) == GPT1(layers=2, post_norm=False)
    assert [probing.pre_norm(other) for other in (GPT1(post_norm=False), GPT(), LSTM())] == [None] * 3


def test_a_post_norm_model_has_a_start_with_pre_norm(there, tiny_study):
    suspect = probing.find(there, 2)
    starts = dataclasses.replace(
        suspect, run=dataclasses.replace(suspect.run, architecture=GPT1(width=16, heads=2), optimizer=Adam(lr=0.3))
    ).starts()
    assert [*starts] == ["own", "tenth", "hundredth", "pre-norm"]
    assert starts["pre-norm"].architecture == GPT1(width=16, heads=2, post_norm=False)
    assert [starts[change].optimizer.lr for change in starts] == pytest.approx([0.3, 0.03, 0.003, 0.3])
