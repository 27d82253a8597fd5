"""What is missing is run, each in a process of its own; what is over stays."""

import contextlib
import dataclasses
import gc
import hashlib
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import torch
from huggingface_hub.errors import LocalEntryNotFoundError
from safetensors.torch import load_file

import fakes
from bakeoff import forkserver, runner
from bakeoff.data import hub
from bakeoff.errors import UserError
from bakeoff.executors import Task, local
from bakeoff.experiments import STUDIES
from bakeoff.files import write_json
from bakeoff.folders import ARRIVED
from bakeoff.identity import encode, identity
from bakeoff.models import GPT, GPT1
from bakeoff.models.decoder import DecoderModel
from bakeoff.optimizers import SGD, Muon
from bakeoff.run_folder import DIVERGED, FAILED, FINISHED
from bakeoff.runner import folder_name, open_session, open_undeclared, parse_jobs
from bakeoff.spec import Study
from bakeoff.study_folder import StudyFolder
from bakeoff.threads import waiting

CPU = torch.device("cpu")
ROOT = Path(__file__).parent.parent


def ignore(run, message):
    """An observer that looks away."""


def workers():
    """The processes that are at work on a run."""
    children = psutil.Process().children()
    return [child for child in children if any(file.path.endswith("run.lock") for file in child.open_files())]


def test_making_a_text_ready_gives_back_what_a_tokenizer_took_before_it_counts(tiny_study, monkeypatch):
    done = []
    monkeypatch.setattr(runner.costs, "require_room", lambda *_: done.append("room"))
    monkeypatch.setattr(runner.data, "prepare", lambda *_: done.append("tokens") or "tokens")
    monkeypatch.setattr(runner, "return_freed_memory", lambda _: done.append("given back"))
    monkeypatch.setattr(runner.ngram, "baselines", lambda *_: done.append("counted"))
    monkeypatch.setattr(runner.texts, "of_floor", lambda *_: done.append("went on"))
    assert runner.prepare(tiny_study.corpus, tiny_study.budget) == "tokens"
    assert done == ["room", "tokens", "given back", "counted", "went on"]


@pytest.fixture(scope="module")
def study(tiny_study):
    """Two experiments that finish and one that diverges."""
    wild = dataclasses.replace(tiny_study.experiments[0], number=3, optimizer=SGD(lr=1e38))
    return dataclasses.replace(tiny_study, experiments=(*tiny_study.experiments, wild)).with_shared(epochs=1, threads=1)


@pytest.fixture
def session(study, tmp_path):
    with open_session(study, tmp_path / study.name, CPU) as session:
        yield session


@pytest.fixture(scope="module")
def done(study, tmp_path_factory):
    """The study after `run`, with everything that was said on the way."""
    said = []
    with open_session(study, tmp_path_factory.mktemp("out") / study.name, CPU) as session:
        session.run(session.missing(), 1, lambda run, message: said.append((run.slug, message)))
    return session, said


def folders(session):
    return [session.folder.run(run.slug) for run in session.study.runs]


def set_status(session, run, status, lines=(), **summary):
    """As if that run were over."""
    folder = session.folder.run(run.slug)
    fakes.begin(folder, {"identity": runner.identity(run), "run": {}}, {})
    for line in lines:
        folder.append(line)
    folder.finish({"status": status, "error": "an old reason"} | summary)


def test_every_declared_run_is_done_and_what_diverged_is_a_result(done):
    session, _ = done
    assert [folder.status for folder in folders(session)] == [FINISHED, FINISHED, DIVERGED]
    assert not workers()


def test_one_run_at_a_time_is_alone(done):
    session, said = done
    order = [slug for slug, _ in said]
    assert order == sorted(order), "runs one after the other speak one after the other"
    assert all(folder.summary["alone"] for folder in folders(session)[:2])


def test_a_second_session_finds_nothing_to_do(done, study):
    session, _ = done
    with open_session(study, session.folder.path, CPU) as again:
        assert again.missing() == []
        assert again.study == session.study


def test_two_at_a_time_compute_the_same_bits_but_are_not_alone(done, session):
    both = session.study.runs[:2]
    session.run(both, 2, ignore)
    for mine, theirs in zip(folders(session)[:2], folders(done[0])[:2], strict=True):
        one, other = load_file(mine.best_weights), load_file(theirs.best_weights)
        assert all(torch.equal(one[name], other[name]) for name in one)
        assert mine.summary["alone"] is False
        assert mine.history()[-1]["valid"] == theirs.history()[-1]["valid"]


def test_finished_and_diverged_stay_while_failed_and_cut_off_ones_are_tried_again(session):
    first, second, third = session.study.runs
    set_status(session, first, DIVERGED)
    set_status(session, second, DIVERGED)
    set_status(session, third, FAILED)
    assert session.missing() == [third]
    (session.folder.run(first.slug).path / "summary.json").unlink()
    assert session.missing() == [first, third]


def test_only_limits_what_is_missing(session):
    assert [run.number for run in session.missing([3, 1])] == [1, 3]


def test_seeds_come_one_after_the_other(study, tmp_path):
    twice = dataclasses.replace(study, seeds=(0, 1))
    with open_session(twice, tmp_path / study.name, CPU) as session:
        order = [(run.seed, run.number) for run in session.missing()]
    assert order == [*((0, 1), (0, 2), (0, 3)), *((1, 1), (1, 2), (1, 3))]


def test_more_seeds_join_those_that_are_there(study, tmp_path):
    for seeds, expected in (((0,), (0,)), ((1, 2), (0, 1, 2)), ((0,), (0, 1, 2))):
        with open_session(dataclasses.replace(study, seeds=seeds), tmp_path / study.name, CPU) as session:
            assert session.study.seeds == expected
            assert session.folder.study["seeds"] == list(expected)


def test_a_killed_worker_has_failed_and_the_others_go_on(session):
    first, second, _ = session.study.runs
    ends = {}

    def kill_the_first(run, message):
        if message["event"] == "start" and run == first:
            workers()[0].kill()
        if message["event"] == "end":
            ends[run.slug] = message["status"]

    session.run([first, second], 1, kill_the_first)
    killed = session.folder.run(first.slug)
    assert killed.status == FAILED
    assert killed.summary["error"] == "killed by signal 9 (out of memory?)"
    assert ends == {first.slug: FAILED, second.slug: FINISHED}
    assert first in session.missing()


def fake_worker(tmp_path, monkeypatch, code):
    """Let workers, each started anew, be this Python code."""
    monkeypatch.setattr(forkserver, "_adopt_orphans", lambda: False)
    monkeypatch.setattr(runner, "shared_server", forkserver.ForkServer)
    script = tmp_path / "worker"
    script.write_text(f"#!{sys.executable}\nimport json, os, signal, sys, time\n{code}\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))


def ending_of_one(session):
    said = []
    session.run(session.study.runs[:1], 1, lambda run, message: said.append(message))
    assert said[-1] == {"event": "end", "status": FAILED, "error": said[-1]["error"]}
    return said[-1]["error"]


def test_only_a_kill_is_suspected_to_be_for_want_of_memory(session, tmp_path, monkeypatch):
    fake_worker(tmp_path, monkeypatch, "os.kill(os.getpid(), signal.SIGTERM)")
    assert ending_of_one(session) == "killed by signal 15"


def test_a_worker_that_says_nothing_for_long_is_killed_and_that_is_the_reason(session, tmp_path, monkeypatch):
    monkeypatch.setattr(local, "PATIENCE", 0.05)
    monkeypatch.setattr(local, "LONGEST_SILENCE", 0.3)
    fake_worker(tmp_path, monkeypatch, "time.sleep(60)")
    assert ending_of_one(session) == "killed, as it had said nothing for 0 minutes or more"


def test_silence_does_not_count_while_the_worker_is_suspended(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(local.time, "monotonic", lambda: now[0])
    workers = local.Local(lambda environment, log: None)
    with psutil.Popen(["sleep", "60"]) as process:
        child = SimpleNamespace(process=process)
        workers.active[Task(Path("run"), "")] = worker = local._Worker(child=child, listener=None)

        def look():
            now[0] += local.PATIENCE
            workers._stop_silent()

        process.suspend()
        while process.status() != psutil.STATUS_STOPPED:
            pass
        for _ in range(int(2 * local.LONGEST_SILENCE / local.PATIENCE)):
            look()
        assert (worker.silence, worker.hung) == (0.0, False)
        process.resume()
        while process.status() == psutil.STATUS_STOPPED:
            pass
        look()
        assert worker.silence == local.PATIENCE
        process.kill()


def test_silence_does_not_count_while_the_command_is_suspended(monkeypatch):
    """A suspended command looks at its workers again after an hour."""
    now = [0.0]
    monkeypatch.setattr(local.time, "monotonic", lambda: now[0])
    workers = local.Local(lambda environment, log: None)
    process = SimpleNamespace(
        status=lambda: "sleeping", cpu_times=lambda: (0.0, 0.0), kill=lambda: pytest.fail("it was not silent")
    )
    child = SimpleNamespace(process=process)
    workers.active[Task(Path("run"), "")] = worker = local._Worker(child=child, listener=None)
    now[0] = 3600.0
    workers._stop_silent()
    assert worker.silence == local.PATIENCE


def test_silence_counts_little_while_the_worker_computes(monkeypatch):
    """As in an evaluation of a large text."""
    now, killed = [0.0], []
    monkeypatch.setattr(local.time, "monotonic", lambda: now[0])
    workers = local.Local(lambda environment, log: None)
    process = SimpleNamespace(
        status=lambda: "running", cpu_times=lambda: (now[0], 0.1), kill=lambda: killed.append(now[0])
    )
    workers.active[Task(Path("run"), "")] = local._Worker(child=SimpleNamespace(process=process), listener=None)
    while not killed:
        now[0] += local.PATIENCE
        workers._stop_silent()
    assert killed == [pytest.approx(local.LONGEST_SILENCE / local.COMPUTING, rel=0.01)]
    assert killed[0] > 4 * 3600, "hours, as a large text takes on a slow machine"


def test_a_worker_that_dies_at_once_has_failed_with_what_it_said_last(session, monkeypatch):
    monkeypatch.setattr(runner, "shared_server", forkserver.ForkServer)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    said = []
    session.run(session.study.runs[:2], 2, lambda run, message: said.append((run.slug, message["status"])))
    assert sorted(said) == [(run.slug, FAILED) for run in session.study.runs[:2]]
    assert [folder.summary["error"] for folder in folders(session)[:2]] == ["the worker ended without a word"] * 2


def test_the_workers_pipes_are_closed(session, monkeypatch):
    monkeypatch.setattr(runner, "shared_server", forkserver.ForkServer)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        session.run(session.study.runs[:1], 1, ignore)
        gc.collect()
    assert not [str(warning.message) for warning in caught]


def test_a_worker_that_dies_at_once_is_not_given_the_reason_of_an_earlier_try(session, monkeypatch):
    run = session.study.runs[0]
    set_status(session, run, FAILED)
    monkeypatch.setattr(runner, "shared_server", forkserver.ForkServer)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    session.run([run], 1, ignore)
    assert session.folder.run(run.slug).summary["error"] == "the worker ended without a word"


def test_a_log_that_is_a_link_is_replaced_and_what_it_names_is_left_alone(session, tmp_path, monkeypatch):
    precious, log = tmp_path / "precious", folders(session)[0].path / "log.txt"
    precious.write_text("precious")
    log.parent.mkdir(parents=True)
    log.symlink_to(precious)
    fake_worker(tmp_path, monkeypatch, "print('a word', file=sys.stderr)")
    assert ending_of_one(session) == "a word"
    assert (precious.read_text(), log.read_text()) == ("precious", "a word\n")


def test_an_interrupt_leaves_no_process_and_what_was_cut_off_is_missing(study, tmp_path):
    seen = []

    def interrupt(run, message):
        if message["event"] == "evaluation":
            seen.extend(workers())
            raise KeyboardInterrupt

    long = study.with_shared(epochs=100_000)
    with pytest.raises(KeyboardInterrupt), open_session(long, tmp_path / study.name, CPU) as session:
        session.run(session.missing(), 2, interrupt)
    assert seen
    assert not [process for process in seen if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
    with open_session(long, tmp_path / study.name, CPU) as session:
        assert len(session.missing()) == 3


def test_a_study_has_one_session_at_a_time_and_a_second_changes_nothing(session, study):
    before = (session.folder.path / "study.json").read_bytes()
    more = dataclasses.replace(study, seeds=(0, 1, 2))
    with (
        pytest.raises(UserError, match=r"\Aanother command is at work on [^\n]+\Z") as caught,
        open_session(more, session.folder.path, CPU),
    ):
        pass
    assert caught.value.status == 1
    assert (session.folder.path / "study.json").read_bytes() == before


def test_what_another_session_finished_meanwhile_is_found_finished(study, tmp_path, monkeypatch):
    """As of a command that was suspended while it was preparing its text."""
    path, prepare = tmp_path / study.name, runner.data.prepare

    def suspended(corpus, budget, told):
        monkeypatch.setattr(runner.data, "prepare", prepare)
        with open_session(dataclasses.replace(study, seeds=(0, 1)), path, CPU) as other:
            set_status(other, other.study.runs[0], DIVERGED)
        return prepare(corpus, budget, told)

    monkeypatch.setattr(runner.data, "prepare", suspended)
    with open_session(study, path, CPU) as session:
        assert session.study.seeds == (0, 1)
        assert session.study.runs[0] not in session.missing()
        assert session.folder.run(session.study.runs[0].slug).status == DIVERGED


def test_what_a_killed_command_left_half_written_goes(study, tmp_path):
    path = tmp_path / study.name
    with open_session(study, path, CPU) as session:
        over = session.study.runs[0]
        set_status(session, over, DIVERGED)
    folder = session.folder.run(over.slug)
    code = path / "code" / "beside"
    leftovers = [path / ".unfinished-1.json", code / ".unfinished-2.py", path / ".tmpa1B2c3"]
    leftovers += [folder.path / ".tmpa1B2c3", folder.checkpoint]
    code.mkdir(parents=True)
    for leftover in leftovers:
        leftover.write_bytes(b"half")
    with open_session(study, path, CPU) as session:
        assert over not in session.missing()
    assert not any(leftover.exists() for leftover in leftovers)


def test_an_optimizer_that_cannot_train_a_model_is_refused_before_there_is_a_folder(study, tmp_path, monkeypatch):
    monkeypatch.setattr(DecoderModel, "matrices", lambda model: {})
    contenders = [*((e.architecture, e.optimizer) for e in study.experiments), (GPT(width=16, heads=2), Muon())]
    declared = Study.of("tiny", corpus=study.corpus, budget=study.budget, contenders=contenders)
    with (
        pytest.raises(UserError, match=r"Muon has nothing to do in DecoderModel"),
        open_session(declared, tmp_path / "tiny", CPU),
    ):
        pass
    assert not (tmp_path / "tiny").exists()


def test_a_damaged_record_damages_one_run_and_is_said(session):
    first, second, third = session.study.runs
    for run in (first, second):
        set_status(session, run, DIVERGED)
    path = session.folder.run(first.slug).path / "summary.json"
    path.write_text("[]")
    assert session.missing() == [third]
    (said,) = session.damaged()
    assert said == f"{path} is damaged (it is no object): remove it and repeat the command"
    assert session.damaged([2]) == []
    path.unlink()
    assert session.missing() == [first, third]


@pytest.mark.parametrize(
    "name",
    [
        "summary.json",
        "spec.json",
        "history.jsonl",
        "log.txt",
        "progress.jsonl",
        "best.safetensors",
        "earlier.safetensors",
    ],
)
def test_a_folder_where_a_record_belongs_damages_one_run_before_anything_is_trained(session, name):
    first, second, third = session.study.runs
    set_status(session, second, DIVERGED)
    obstacle = session.folder.run(first.slug).path / name
    obstacle.mkdir(parents=True)
    session.declare()
    assert session.missing() == [third]
    assert session.missing(again=[1, 2]) == [second, third]
    mend = "move it away and repeat the command"
    assert session.damaged() == [f"{obstacle} is damaged (it is a folder, and no file): {mend}"]
    obstacle.rmdir()
    assert session.missing() == [first, third]
    folder = obstacle.parent
    folder.rmdir()
    folder.symlink_to("a disk that is gone")
    assert session.missing() == [third]
    assert session.damaged() == [f"{folder} is damaged (it is no folder): {mend}"]
    folder.unlink()
    folder.parent.rmdir()
    folder.parent.write_text("a file")
    assert session.missing() == [third]
    assert session.damaged() == [f"{folder.parent} is damaged (it is no folder): {mend}"]


def test_a_run_that_is_not_over_is_missing_however_damaged_its_records_are(session):
    folder = session.folder.run(session.study.runs[0].slug)
    fakes.begin(folder, {"identity": "0", "run": {}}, {})
    (folder.path / "spec.json").write_text("{")
    assert session.study.runs[0] in session.missing()
    assert session.damaged() == []


@pytest.mark.parametrize(("jobs", "threads"), [(1, 4), (2, 2), (3, 1), (8, 1), (None, 1)])
def test_runs_at_a_time_share_the_cores_of_a_study_that_is_started(study, tmp_path, monkeypatch, jobs, threads):
    monkeypatch.setattr(runner, "usable_cores", lambda: 4)
    with open_session(study.with_shared(threads=None), tmp_path / "tiny", CPU, jobs=jobs) as session:
        assert session.study.budget.threads == threads
        assert session.side_by_side == 4 // threads


def test_no_file_of_the_users_folder_stands_in_for_a_module(session, tmp_path, monkeypatch):
    (tmp_path / "random.py").write_text("raise SystemExit('mine')\n")
    monkeypatch.chdir(tmp_path)
    run = session.study.runs[0]
    session.run([run], 1, ignore)
    assert session.folder.run(run.slug).status == FINISHED


def test_a_folder_of_another_run_is_refused(session):
    folder = session.folder.run(session.study.runs[0].slug)
    fakes.begin(folder, {"identity": "0" * 12, "run": {}}, {})
    folder.finish({"status": DIVERGED, "error": "a reason"})
    with pytest.raises(UserError, match="holds another run"):
        session.missing()


def test_results_by_other_code_are_named_with_what_trains_them_anew(session):
    first, second, third = session.study.runs
    for run in (first, third):
        before = dataclasses.replace(run, code="0" * 12)
        folder = session.folder.run(run.slug)
        fakes.begin(folder, {"identity": identity(before), "run": encode(before)}, {})
        folder.finish({"status": DIVERGED, "error": "a reason"})
    with pytest.raises(UserError, match=r"has results of 1,3 by other code than .* --again 1,3 trains anew"):
        session.missing()
    assert session.missing([2]) == [second]
    with pytest.raises(UserError, match=r"has results of 3 by other code"):
        session.missing(again=[1])
    assert session.folder.run(first.slug).ended, "what was judged first is not lost"
    assert session.missing(again=[1, 3]) == [first, second, third]


def test_what_is_done_again_is_trained_from_its_beginning_and_goes_on_from_there(session):
    run = session.study.runs[0]
    set_status(session, run, FAILED)
    folder = session.folder.run(run.slug)
    folder.checkpoint.write_bytes(b"of an earlier try")
    (folder.path / "texts.json").write_text("damaged")
    assert run in session.missing(again=[1])
    assert folder.ended, "it is asked for, and not forgotten yet"
    session.forget([1])
    assert {path.name for path in folder.path.iterdir()} <= {"spec.json", "environment.json", "run.lock"}
    folder.checkpoint.write_bytes(b"of this one")
    session.forget([1])
    assert run in session.missing(again=[1])
    assert folder.checkpoint.exists(), "what was cut off goes on"


def test_what_has_ended_elsewhere_is_forgotten_though_it_has_not_taken_its_place(session):
    run = session.study.runs[0]
    set_status(session, run, DIVERGED)
    folder = session.folder.run(run.slug)
    (folder.path / ARRIVED).mkdir()
    (folder.path / "summary.json").rename(folder.path / ARRIVED / "00+summary.json")
    session.forget([1])
    assert not folder.ended
    assert not (folder.path / ARRIVED).exists()


def test_whoever_asks_again_means_it_whatever_was_asked_before(session):
    first, second, _ = session.study.runs
    for again in ([1, 2], [1], [1, 2]):
        for run in (first, second):
            set_status(session, run, DIVERGED)
        expected = [run for run in (first, second) if run.number in again]
        assert session.missing([1, 2], again=again) == expected
        session.forget(again)
        assert session.missing([1, 2]) == expected


def test_what_is_asked_again_may_be_of_any_code(session):
    """As where code was edited between an interrupt and the same command."""
    run = session.study.runs[0]
    before = dataclasses.replace(run, code="0" * 12)
    folder = session.folder.run(run.slug)
    fakes.begin(folder, {"identity": identity(before), "run": encode(before)}, {})
    folder.finish({"status": DIVERGED, "error": "a reason"})
    session.forget([1])
    fakes.begin(folder, {"identity": identity(before), "run": encode(before)}, {})
    folder.finish({"status": DIVERGED, "error": "done again, by code that was edited since"})
    assert run in session.missing(again=[1])


def with_code(study, code):
    return dataclasses.replace(study, experiments=tuple(dataclasses.replace(e, code=code) for e in study.experiments))


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.suffix == ".json"}


def test_a_study_of_other_code_is_refused_before_anything_of_it_is_written(study, tmp_path):
    path, before, after = tmp_path / study.name, with_code(study, "a" * 12), with_code(study, "b" * 12)
    with open_session(before, path, CPU) as session:
        run = session.study.runs[0]
        folder = session.folder.run(run.slug)
        fakes.begin(folder, {"identity": identity(run), "run": encode(run)}, {})
        folder.finish({"status": DIVERGED, "error": "a reason", "identity": identity(run)})
    kept = contents(path)
    with pytest.raises(UserError, match="has results of 1 by other code"), open_session(after, path, CPU):
        pass
    with open_undeclared(after, path, CPU, again=[1]) as session:
        assert session.missing(again=[1]) == list(session.study.runs)
        assert contents(path) == kept, "not before it is forgotten"
        session.forget([1])
        session.declare()
    assert contents(path) != kept
    assert not folder.ended


def test_where_specs_are_gone_other_code_is_refused_all_the_same(study, tmp_path):
    path, before, after = tmp_path / study.name, with_code(study, "a" * 12), with_code(study, "b" * 12)
    with open_session(before, path, CPU) as session:
        folders = [session.folder.run(run.slug) for run in session.study.runs[:2]]
        for run, folder in zip(session.study.runs, folders, strict=False):
            fakes.begin(folder, {"identity": identity(run), "run": encode(run)}, {})
            folder.finish({"status": DIVERGED, "error": "a reason"})
            (folder.path / "spec.json").unlink()
    kept = contents(path)
    with pytest.raises(UserError, match="has results of 1,2 by other code"), open_session(after, path, CPU):
        pass
    assert contents(path) == kept
    with open_session(before, path, CPU) as session:
        assert [folder.spec["identity"] for folder in folders] == [*map(identity, session.study.runs[:2])]
        assert {folder.status for folder in folders} == {DIVERGED}


def test_a_folder_of_another_study_is_refused_and_left_alone(tmp_path, study):
    path, other = tmp_path / study.name, study.with_shared(batch_size=2)
    with open_session(study, path, CPU):
        before = (path / "study.json").read_bytes()
    with pytest.raises(UserError, match="holds another study"), open_session(other, path, CPU):
        pass
    assert (path / "study.json").read_bytes() == before


def test_precision_and_threads_stay_as_they_were_when_the_study_was_started(study, tmp_path, monkeypatch):
    auto = study.with_shared(threads=None, precision="auto")
    for cores, precision in ((3, "fp32"), (8, "bf16")):
        monkeypatch.setattr(runner, "usable_cores", lambda cores=cores: cores)
        monkeypatch.setattr(runner, "resolve_precision", lambda asked, device, precision=precision: precision)
        with open_session(auto, tmp_path / auto.name, CPU) as session:
            budget = session.study.budget
        assert (budget.threads, budget.precision) == (3, "fp32")


def test_a_study_that_was_started_when_compiling_was_decided_by_trying_goes_on_as_it_is(study, tmp_path):
    path = tmp_path / study.name
    with open_session(study, path, CPU) as session:
        assert session.study.budget.compile is False
        write_json(path / "study.json", session.folder.study | {"budget": encode(study.budget) | {"compile": True}})
    with open_session(study, path, CPU) as session:
        assert session.study.budget.compile is True


@contextlib.contextmanager
def busy(programs):
    """That many programs that never wait, beside what the block does."""
    with contextlib.ExitStack() as stack:
        for _ in range(programs):
            program = stack.enter_context(subprocess.Popen([sys.executable, "-c", "while True: pass"]))
            stack.callback(program.kill)
        yield


def start(study, path, programs):
    """What a study's start decides and what its runs come to, beside that many busy programs."""
    with busy(programs), open_session(study, path, CPU) as session:
        session.run(session.missing(), 1, ignore)
        runs = folders(session)
        assert [folder.status for folder in runs] == [FINISHED] * len(runs)
        digests = [hashlib.sha256(folder.best_weights.read_bytes()).hexdigest() for folder in runs]
        return session.folder.study["budget"], digests, [folder.history()[-1]["valid"] for folder in runs]


@pytest.fixture
def undecided(tiny_study, monkeypatch):
    """A small study that leaves all to the machine, with operations large enough for two threads."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    gpt1 = dataclasses.replace(tiny_study.experiments[1], architecture=GPT1(width=64, heads=2))
    study = dataclasses.replace(tiny_study, experiments=(gpt1,))
    server = forkserver.ForkServer(CPU)  # the one of all tests would start anew for this environment, and again
    monkeypatch.setattr(runner, "shared_server", lambda device: server)
    yield study.with_shared(epochs=1, batch_size=16, precision="auto", threads=None)
    server.close()


def test_the_same_study_beside_a_busy_program_decides_the_same_and_ends_with_the_same_bits(undecided, tmp_path):
    assert start(undecided, tmp_path / "quiet", 0) == start(undecided, tmp_path / "busy", 1)


@pytest.mark.slow
def test_twenty_starts_half_of_them_beside_two_busy_programs_are_one(undecided, tmp_path):
    first, *others = (start(undecided, tmp_path / str(number), 2 * (number % 2)) for number in range(20))
    assert all(other == first for other in others)


def test_threads_wait_as_they_should_in_a_worker(session, monkeypatch):
    given = []
    real = forkserver.ForkServer.start
    monkeypatch.setattr(
        forkserver.ForkServer,
        "start",
        lambda server, environment, log: given.append(environment) or real(server, environment, log),
    )
    monkeypatch.setattr(runner, "shared_server", forkserver.ForkServer)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    session.run(session.study.runs[:1], 1, ignore)
    assert waiting().items() <= given[0].items()


@pytest.mark.parametrize("name", ["quick", "wikitext-2"])
def test_the_results_that_are_kept_are_finished_results_of_the_studies_as_they_are_declared(name):
    folder = StudyFolder(ROOT / "results" / name)
    session = runner.Session(
        study=runner.resolve(STUDIES[name], folder, CPU),
        declared=STUDIES[name],
        folder=folder,
        tokens=None,
        device=CPU,
        source=None,
    )
    assert folder.study["identity"] == identity(STUDIES[name])
    assert session.missing() == []


@pytest.mark.parametrize(
    ("device", "memory_bytes", "expected"), [("cpu", 1, 4), ("cpu", 30, 3), ("cpu", 1000, 1), ("cuda", 1, 1)]
)
def test_a_machine_holds_what_cores_and_memory_allow(session, monkeypatch, device, memory_bytes, expected):
    monkeypatch.setattr(runner, "usable_cores", lambda: 4 * session.study.budget.threads)
    monkeypatch.setattr(runner, "available_memory", lambda: 100)
    assert dataclasses.replace(session, device=torch.device(device)).holds(memory_bytes) == expected


def test_the_folders_name_tells_what_was_changed(study):
    assert folder_name(study, study) == "tiny"
    assert folder_name(dataclasses.replace(study, seeds=(0, 1, 2)), study) == "tiny"
    changed = folder_name(study.with_shared(epochs=9), study)
    assert changed.startswith(f"tiny-{study.corpus.name}-")
    assert len(changed.rpartition("-")[2]) == 6
    assert changed != folder_name(study.with_shared(epochs=8), study)


@pytest.mark.parametrize(("given", "jobs"), [("auto", None), ("1", 1), ("12", 12)])
def test_jobs_are_a_number_or_auto(given, jobs):
    assert parse_jobs(given) == jobs


@pytest.mark.parametrize("given", ["0", "-1", "x", "1.5", ""])
def test_other_jobs_are_refused(given):
    with pytest.raises(UserError, match="--jobs takes"):
        parse_jobs(given)


def test_a_study_whose_embeddings_are_missing_is_refused_before_anything_is_written(study, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise LocalEntryNotFoundError("no network")

    monkeypatch.setattr(hub, "hf_hub_download", refuse)
    first = study.experiments[0]
    frozen = dataclasses.replace(first, architecture=dataclasses.replace(first.architecture, embeddings="gpt1"))
    wanting = dataclasses.replace(study, experiments=(frozen, *study.experiments[1:]))
    with pytest.raises(UserError, match=r"\A[^\n]*no model\.safetensors in [^\n]*\Z") as error:
        open_session(wanting, tmp_path / wanting.name, CPU).__enter__()
    assert error.value.status == 1
    assert list(tmp_path.iterdir()) == []


def test_seeds_of_a_comparison_by_other_code_are_forgotten_with_what_is_done_again(session):
    session.declare()
    first, second, _ = session.study.runs
    others = {}
    for run, seed, code in ((first, 7, "old"), (first, 8, first.code), (second, 7, "old")):
        folder = session.folder.run(f"{run.slug.rpartition('/')[0]}/seed-{seed}")
        folder.path.mkdir(parents=True)
        fakes.begin(folder, {"identity": f"{seed}", "run": {"code": code}}, {})
        folder.finish({"status": FAILED, "error": "an old reason"})
        others[run.number, seed] = folder
    session.forget([first.number])
    assert [folder.ended for folder in others.values()] == [False, True, True]


@pytest.mark.parametrize(("before", "told"), [("another", "now, of another text: "), ("same", "declared now: ")])
def test_a_study_that_is_another_because_its_text_was_edited_is_told_as_such(tiny_study, tmp_path, before, told):
    declared = tiny_study.with_shared(corpus=dataclasses.replace(tiny_study.corpus, sha256="same"))
    folder = SimpleNamespace(exists=True, study={"identity": "else", "corpus": {"sha256": before}}, path=tmp_path)
    with pytest.raises(UserError, match=told):
        runner.resolve(declared, folder, torch.device("cpu"))
