"""Two experiments that are judged by their folders: of one study, and of two; in this process."""

import json
import shutil
import sys
from pathlib import Path

import pytest
import torch

import bakeoff
import fakes
from bakeoff import by_folders, cli, costs, provenance, runner, worker
from bakeoff.errors import UserError
from bakeoff.identity import fits, identity, purpose
from bakeoff.job import Job
from bakeoff.records import read_json, write_record
from bakeoff.shapes import CHECKSUM
from bakeoff.study_file import find_study, load_study
from bakeoff.study_folder import StudyFolder
from forked import STUDY

ROOT = Path(__file__).parents[1]
CPU = torch.device("cpu")
SMALL = STUDY.replace("Adam(lr=1e-2))]", "Adam(lr=1e-2)), (LSTM(embedding=8, hidden=8), Adam(lr=1e-3))]")
#: The same text and budget, and a class of its own.
MINE = (
    STUDY.replace('"small",', '"mine",', 1)
    .replace(
        "study = ",
        """
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, kw_only=True)
class Mine(Adam):
    name: ClassVar[str] = "mine"
    title: ClassVar[str] = "My Adam"


study = """,
    )
    .replace("Adam(lr=1e-2))]", "Mine(lr=1e-2)), (LSTM(layers=2, embedding=8, hidden=8), Adam(lr=1e-2))]")
)
#: What runs are said to cost.
COST = costs.Cost(seconds=1.0, memory_bytes=1, kept_bytes=1, unfinished_bytes=1, runs=8)
FIRST, SECOND = "runs/small/01-lstm-1-adam", "runs/small/02-lstm-1-adam"
OWN, DEEP = "runs/mine/01-lstm-1-mine", "runs/mine/02-lstm-2-adam"


def ended(session, runs, jobs, observer):
    """Let runs end, as they were never trained: each with a loss of its own, so that looks decide."""
    environment = fakes.ENVIRONMENT | {"sources": provenance.code()["sources"]}
    for run in runs:
        curve = fakes.falling(
            4.0 + run.seed / 1000 + 0.1 * (run.optimizer.lr < 0.01) + 0.2 * run.architecture.layers, 2
        )
        folder = session.folder.run(run.slug)
        fakes.write_run(folder, curve, ending={"epochs": 2}, spec=fakes.spec(run), environment=environment)


def train(path, seeds):
    declared, source = find_study(str(path))
    with runner.open_session(declared.with_seeds(seeds), path.parent / "runs" / path.stem, CPU, source) as session:
        ended(session, session.missing(), 1, None)


@pytest.fixture(scope="module")
def trained(tiny_corpus_file, tmp_path_factory):
    """A folder with two study files and their runs."""
    folder = tmp_path_factory.mktemp("trained")
    for name, text, seeds in (("small", SMALL, 4), ("mine", MINE, 1)):
        (folder / f"{name}.py").write_text(text.format(corpus=str(tiny_corpus_file)))
        train(folder / f"{name}.py", seeds)
    return folder


@pytest.fixture
def there(trained, tmp_path, monkeypatch):
    """A copy of it as the present folder, where a step is not timed."""
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(costs, "estimate", lambda *_, **__: COST)
    monkeypatch.setattr(runner.Session, "run", ended)
    return tmp_path


@pytest.fixture
def command(there, monkeypatch, capsys):
    """`bakeoff …`: its exit status, standard output and standard error."""

    def command(*arguments):
        monkeypatch.setattr(sys, "argv", ["bakeoff", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return ended.value.code, *capsys.readouterr()

    return command


@pytest.fixture
def judge(command):
    """`bakeoff judge` of two folders, with two looks."""
    return lambda one, other, *more: command("judge", "--baseline", one, "--candidate", other, "--looks", "3,4", *more)


def edit(path, **changed):
    """Change members of a record, as if it had been written so."""
    write_record(path, {name: value for name, value in read_json(path).items() if name != CHECKSUM} | changed)


# --- one study --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [(FIRST, SECOND), (f"{SECOND}/seed-3", f"{FIRST}/seed-0/")])
def test_of_one_study_it_is_the_comparison_of_their_numbers(judge, command, trained, monkeypatch, given):
    monkeypatch.setattr(runner.Session, "run", lambda *_: pytest.fail("it trains"))
    before = Path("runs/small/study.json").read_bytes()
    status, by_folders, err = judge(*given, "--json")
    assert (status, "runs to do" in err) == (0, False), err
    assert Path("runs/small/study.json").read_bytes() == before
    Path("runs/small/judge-1-2.json").unlink()
    pair = ["--baseline", Path(given[0]).parts[2][1], "--candidate", Path(given[1]).parts[2][1]]
    status, by_numbers, err = command("judge", trained / "small.py", *pair, "--looks", "3,4", "--json")
    assert status == 0, err
    told, asked = json.loads(by_folders), json.loads(by_numbers)
    *others, unsearched = told.pop("reservations")
    assert others == asked.pop("reservations")[:-1]
    assert told == asked
    search = f"{trained / 'small.py'} --out runs"
    assert unsearched.endswith(
        f"ones: `bakeoff tune {search}` searches for both alike, and `bakeoff judge {search} {' '.join(pair)}` then "
        "judges with what it finds"
    )
    assert {path.name for path in Path("runs").iterdir()} == {"mine", "small"}


def test_what_lacks_is_trained_in_the_studys_folder(judge, there, monkeypatch):
    monkeypatch.setattr(runner.Session, "run", lambda *_: pytest.fail("it trains"))
    assert judge(FIRST, SECOND)[0] == 0
    monkeypatch.setattr(runner.Session, "run", ended)
    for seed in (1, 3):
        shutil.rmtree(there / SECOND / f"seed-{seed}")
    status, _, err = judge(FIRST, SECOND, "--looks", "4,5")
    assert (status, "small: 4 of 10 runs to do on cpu" in err) == (0, True), err
    assert (there / SECOND / "seed-3/summary.json").is_file()


def test_a_study_with_classes_of_its_own_is_given_back_where_its_file_is_trusted(trained, there):
    (there / "mine.py").write_text("raise SystemExit('it was executed')")
    with pytest.raises(UserError, match=r"runs/mine/code/mine\.py defines bakeoff_study\.Mine: read it, then"):
        by_folders.contest(OWN, DEEP, Path("runs"), seeds=3)
    found = by_folders.contest(OWN, DEEP, Path("runs"), seeds=3, trust=True)
    kept = StudyFolder(there / "runs/mine")
    assert identity(found.study) == kept.study["identity"]
    assert {run.slug: identity(run) for run in found.study.runs} == kept.study["runs"]
    assert found.source == kept.code / "mine.py"
    # Where nothing of it is executed, it stays what it was said to come from, unless that has changed since.
    assert by_folders.contest(FIRST, SECOND, Path("runs"), seeds=3).source == trained / "small.py"
    edit(there / "runs/small/study.json", source=str(there / "mine.py"))
    assert by_folders.contest(FIRST, SECOND, Path("runs"), seeds=3).source == there / "runs/small/code/small.py"


def test_every_kept_study_is_given_back_by_its_records():
    for path in (ROOT / "results" / "quick", ROOT / "results" / "wikitext-2"):
        one, other, *_ = sorted(path.glob("0*/seed-0"))
        found = by_folders.contest(one, other, Path("runs"), seeds=3)
        assert (identity(found.study), found.source) == (StudyFolder(path).study["identity"], None)
        declared = read_json(path / "study.json")["tuning"]
        assert {**found.study.tuning, "fits": fits(found.study.tuning, found.study)} == declared
        assert found.remedy.startswith(f"`bakeoff tune {path.name} --out ")


# --- two studies ------------------------------------------------------------------------------------------------------

PAIR = "runs/01-lstm-1-adam-against-02-lstm-2-adam"


def test_of_two_studies_a_new_one_is_trained_that_goes_on_after_an_interrupt(
    judge, command, trained, there, monkeypatch
):
    def interrupted(session, runs, jobs, observer):
        ended(session, runs[:3], jobs, observer)
        raise KeyboardInterrupt

    monkeypatch.setattr(runner.Session, "run", interrupted)
    status, out, err = judge(FIRST, DEEP, "--json")
    assert (status, out) == (130, "")
    assert "01-lstm-1-adam-against-02-lstm-2-adam: 8 of 8 runs to do on cpu" in err
    monkeypatch.setattr(runner.Session, "run", ended)
    status, out, err = judge(FIRST, DEEP, "--json")
    assert status == 0, err
    assert ": 5 of 8 runs to do on cpu" in err
    told = json.loads(out)
    assert told["reservations"][0].startswith("runs of seeds 0, 1 and 2 were over before these looks")
    tune, run = (
        " and ".join(f"`bakeoff {verb} {trained / name} --out runs`" for name in ("small.py", "mine.py"))
        for verb in ("tune", "run")
    )
    assert told["reservations"][-1].endswith(
        f"ones: search with {tune}, train with {run} what was found, and judge the folders that these then name"
    )
    assert Path(PAIR, "live.html").is_file()
    assert Path(PAIR, "decisions.txt").read_text().startswith("#2 against #1 after three seeds: ")
    again = judge(FIRST, DEEP, "--json")
    assert (again[:2], "runs to do" in again[2]) == ((0, out), False)
    monkeypatch.setattr(runner.Session, "run", lambda *_: pytest.fail("it trains"))
    python = bakeoff.judge(baseline=Path(FIRST), candidate=f"{DEEP}/seed-0", looks="3,4")
    assert python.as_json() == told
    status, out, _ = command("status", PAIR)
    assert (status, out.count("finished") >= 6) == (0, True)
    assert command("report", PAIR)[0] == 0
    # Each run is what it was in its own study, but for its number.
    theirs, here = (StudyFolder(Path(path)).run("02-lstm-2-adam/seed-0") for path in ("runs/mine", PAIR))
    assert here.identity == theirs.identity


def test_a_class_of_ones_own_keeps_its_source(judge, there, monkeypatch):
    def trained(session, runs, jobs, observer):
        """The first as a worker trains it, from its job alone."""
        ended(session, runs[1:], jobs, observer)
        path = session.folder.run(runs[0].slug).path
        path.mkdir(parents=True)
        job = Job(run=runs[0], folder=path, device="cpu", alone=False, source=session.source)
        worker.work(Job.from_line(job.to_line()), lambda _: None)

    monkeypatch.setattr(runner.Session, "run", trained)
    status, _, err = judge(OWN, FIRST)
    assert (status, err.count("\n"), "say --trust" in err) == (2, 1, True)
    status, _, err = judge(OWN, FIRST, "--trust")
    assert status == 0, err
    pair = StudyFolder(there / "runs/01-lstm-1-mine-against-01-lstm-1-adam")
    assert (pair.code / "mine.py").read_bytes() == (there / "runs/mine/code/mine.py").read_bytes()
    assert pair.run("01-lstm-1-mine/seed-2").spec["run"]["code"]
    assert pair.run("01-lstm-1-mine/seed-0").status == "finished"


def test_both_may_be_of_one_study_file_whatever_it_got_since(there, tiny_corpus_file):
    more = MINE.replace("Adam(lr=1e-2))]", "Adam(lr=1e-2)), (LSTM(embedding=8, hidden=8), Mine(lr=1e-3))]")
    (there / "more.py").write_text(more.replace('"mine",', '"more",', 1).format(corpus=str(tiny_corpus_file)))
    train(there / "more.py", 1)
    found = by_folders.contest(OWN, "runs/more/03-lstm-1-mine", Path("runs"), seeds=3, trust=True)
    assert [type(e.optimizer).__name__ for e in found.study.experiments] == ["Mine", "Mine"]
    assert found.source.name == "mine.py"
    other = more.replace('title: ClassVar[str] = "My Adam"', 'title: ClassVar[str] = "My other"')
    (there / "other.py").write_text(other.replace('"mine",', '"other",', 1).format(corpus=str(tiny_corpus_file)))
    train(there / "other.py", 1)
    with pytest.raises(UserError, match=r"define a class each for one of the two: put both into one study file"):
        by_folders.contest(OWN, "runs/other/03-lstm-1-mine", Path("runs"), seeds=3, trust=True)


def searched(path, *numbers, **changed):
    """Let a study's record say that rates of some of its experiments were searched."""
    study, rates = load_study(Path(f"{path.name}.py")), {}
    for entry in read_json(path / "study.json")["experiments"]:
        if entry["number"] in numbers:
            rates[entry["slug"]] = fakes.trials(entry["learning_rate"])
    found = {"study": study.name, "for": "it", "corpus": "small", "epochs": 1, "rates": rates, "fits": True}
    edit(path / "study.json", tuning=found | changed)


def test_rates_that_each_study_has_searched_are_as_good_as_if_one_had(trained, there):
    for name in ("small", "mine"):
        searched(there / "runs" / name, 1, 2)
    found = by_folders.contest(FIRST, DEEP, Path("runs"), seeds=3).study
    assert fits(found.tuning, found)
    assert found.tuning["for"] == purpose(found)
    assert {slug: its["lr"] for slug, its in found.tuning["rates"].items()} == {
        "01-lstm-1-adam": 0.01,
        "02-lstm-2-adam": 0.01,
    }
    searched(there / "runs/mine", 2, fits=False)
    found = by_folders.contest(FIRST, DEEP, Path("runs"), seeds=3)
    assert not fits(found.study.tuning, found.study)
    assert found.remedy.startswith(
        f"search with `bakeoff tune {trained / 'mine.py'} --out runs`, train with `bakeoff run "
    )
    searched(there / "runs/mine", 1)
    found = by_folders.contest(FIRST, DEEP, Path("runs"), seeds=3)
    assert list(found.study.tuning["rates"]) == ["01-lstm-1-adam"]
    assert found.remedy.startswith(
        f"search with `bakeoff tune {trained / 'mine.py'} --out runs`, train with `bakeoff run "
    )


def test_the_command_that_searches_has_the_options_that_made_the_folder(trained, there, tiny_corpus_file):
    (there / "runs/mine").rename(there / "runs/mine-small-abc123")
    found = by_folders.contest(FIRST, DEEP.replace("mine", "mine-small-abc123", 1), Path("runs"), seeds=3)
    options = f"--out runs --corpus {tiny_corpus_file} --epochs 2 --precision fp32 --threads 1"
    assert f"`bakeoff tune {trained / 'mine.py'} {options}`" in found.remedy
    edit(there / "runs/mine-small-abc123/study.json", source=None)
    found = by_folders.contest(FIRST, DEEP.replace("mine", "mine-small-abc123", 1), Path("runs"), seeds=3)
    assert found.remedy == "in one study file with both, `bakeoff tune` searches for them alike"


# --- what is refused --------------------------------------------------------------------------------------------------

USAGE = "--baseline and --candidate take two numbers of a study, as in `bakeoff judge quick --baseline 1 --candidate 2`"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--baseline", "1", "--candidate", "2"], USAGE),
        (["--baseline", "1", "--candidate", DEEP], USAGE),
        (["small.py", "--baseline", FIRST, "--candidate", "2"], USAGE),
        (["small.py", "--baseline", FIRST, "--candidate", DEEP], USAGE),
        (["--baseline", FIRST, "--candidate", DEEP, "--epochs", "3"], "leave out --epochs"),
        (["--baseline", FIRST, "--candidate", DEEP, "--precision", "bf16"], "leave out --precision"),
        (["--baseline", FIRST, "--candidate", f"{FIRST}/seed-0"], f"takes two experiments, not {FIRST} twice"),
        (["--baseline", "runs/small", "--candidate", DEEP], "--baseline: runs/small is no folder of an experiment or"),
        (["--baseline", FIRST, "--candidate", "absent"], "--candidate: absent is no folder of an experiment or of a"),
        (["--baseline", FIRST, "--candidate", f"{DEEP}/seed-9"], f"--candidate: no run of {DEEP} was started"),
        (["--baseline", FIRST, "--candidate", ""], "--candidate: is no folder"),
        (["--baseline", FIRST, "--candidate", "runs/copy/01-lstm-1-adam"], "compute the same: a comparison takes two"),
        (
            ["--baseline", FIRST, "--candidate", "runs/other/02-lstm-2-adam"],
            "the text (small with other content), epochs 2 against 3 and precision fp32 against bf16; run both with",
        ),
    ],
)
def test_what_cannot_be_compared_is_one_line(command, there, arguments, says):
    shutil.copytree(there / "runs/small", there / "runs/copy")
    shutil.copytree(there / "runs/mine", there / "runs/other")
    path = there / "runs/other/02-lstm-2-adam/seed-0"
    spec = read_json(path / "spec.json")
    spec["run"]["budget"] |= {"epochs": 3, "precision": "bf16"}
    spec["run"]["corpus"]["sha256"] = "another"
    edit(path / "spec.json", **spec)
    status, out, err = command("judge", *arguments)
    assert (status, out, err.count("\n")) == (2, "", 1), err
    assert says in err


def test_a_damaged_run_and_runs_of_other_code_are_one_line(judge, there):
    def refused(one=FIRST, other=DEEP, *more):
        status, out, err = judge(one, other, *more)
        assert (out, err.count("\n")) == ("", 1), err
        return status, err

    edit(there / FIRST / "seed-2/spec.json", run=read_json(there / SECOND / "seed-2/spec.json")["run"])
    assert f"{FIRST} has runs of different settings or code: name the folder of one" in refused()[1]
    (there / FIRST / "seed-1/history.jsonl").write_text("{}\n")
    status, err = refused()
    assert (status, "seed-1/history.jsonl is damaged" in err) == (1, True)
    assert "seed-1/history.jsonl is damaged" in refused(other=SECOND)[1]
    (there / DEEP / "seed-0/spec.json").write_text("{")
    assert "seed-0/spec.json is damaged" in refused(f"{FIRST}/seed-0")[1]
    (there / "runs/mine/code/mine.py").write_text("study = None")
    assert "is not what was kept with the study, so it is not executed" in refused(f"{FIRST}/seed-0", OWN, "--trust")[1]


def test_what_this_version_cannot_read_is_told(judge, there):
    run = read_json(there / DEEP / "seed-0/spec.json")["run"]
    run["budget"]["patience"] = 3
    edit(there / DEEP / "seed-0/spec.json", run=run)
    status, _, err = judge(FIRST, DEEP)
    assert (status, "is of other code than is here, which cannot read it" in err) == (2, True)
    edit(there / "runs/small/study.json", identity="0" * 12)
    assert "which cannot tell from its records what it is" in judge(FIRST, SECOND)[2]


def test_another_study_of_that_name_is_not_touched(judge, there):
    assert judge(FIRST, DEEP)[0] == 0
    study = StudyFolder(there / PAIR)
    edit(study.path / "study.json", identity="0" * 12)
    before = {path: path.read_bytes() for path in study.path.rglob("*.json")}
    status, _, err = judge(FIRST, DEEP)
    assert (status, "choose another --out" in err) == (2, True), err
    assert {path: path.read_bytes() for path in study.path.rglob("*.json")} == before
