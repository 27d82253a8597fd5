"""The process of a run: its job, its messages, its locks and its end."""

import dataclasses
import fcntl
import json
import os
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest
from filelock import FileLock

from bakeoff import locks, worker
from bakeoff.job import Job
from bakeoff.locks import lease_at
from bakeoff.optimizers import Momentum
from bakeoff.run_folder import DIVERGED, FAILED, FINISHED, RunFolder
from bakeoff.study_file import load_study
from bakeoff.worker import Messages, work


@pytest.fixture(scope="module")
def run(tiny_study):
    """The study's first run, resolved as the runner would, of an LSTM that soon learns the text by heart."""
    study = tiny_study.with_shared(precision="fp32", threads=1, epochs=4)
    return dataclasses.replace(study.runs[0], optimizer=Momentum(lr=1.0), seed=3)


def test_a_worker_ends_at_once_when_its_parent_is_gone(run, tmp_path):
    long = dataclasses.replace(run.budget, epochs=100_000)
    job = Job(run=dataclasses.replace(run, budget=long), folder=tmp_path, device="cpu", alone=True)
    command = [sys.executable, "-m", "bakeoff.worker"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        process.stdin.write(job.to_line() + "\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["event"] == "start"
        process.stdin.close()
        process.stdout.read()
        assert process.wait(10) != 0
    assert RunFolder(tmp_path).summary is None
    assert RunFolder(tmp_path).status == "missing"


ASKING = """
from bakeoff.data.corpora import choose
from bakeoff.models import LSTM
from bakeoff.optimizers import Adam
from bakeoff.spec import Budget, Study

class Asking(LSTM):
    name, title = "asking", "Asking"

    def build(self, vocabulary, sequence_length):
        ASKED

budget = Budget(sequence_length=16, vocabulary=300)
study = Study.of("asking", corpus=choose("CORPUS"), budget=budget, contenders=[(Asking(), Adam())])
"""


@pytest.mark.parametrize(
    ("asked", "reason"), [("input()", "EOFError: EOF when reading"), ("breakpoint()", "BdbQuit: ")]
)
def test_what_a_model_asks_has_no_answer_and_ends_the_run(asked, reason, tiny_corpus_file, tmp_path):
    path, folder = tmp_path / "asking.py", tmp_path / "run"
    path.write_text(ASKING.replace("ASKED", asked).replace("CORPUS", str(tiny_corpus_file)))
    folder.mkdir()
    run = load_study(path).with_shared(precision="fp32", threads=1).runs[0]
    line = Job(run=run, folder=folder, device="cpu", alone=True, source=path).to_line()
    command = [sys.executable, "-m", "bakeoff.worker"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        process.stdin.write(f"{line}\n".encode())
        process.stdin.flush()
        assert process.wait(120) == 0
        process.stdin.close()
    assert RunFolder(folder).summary["error"].startswith(reason)


def test_a_worker_looks_for_its_parent_when_it_has_its_job(monkeypatch):
    """Whoever forked it may be gone before, and its number be nobody's."""
    gone = subprocess.Popen(["true"])
    gone.wait()
    parents = [gone.pid]
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(readline=lambda: parents.append(os.getpid()) or "no job"))
    monkeypatch.setattr(os, "getppid", lambda: parents[-1])
    monkeypatch.setattr(os, "dup2", lambda *descriptors: None)
    monkeypatch.setattr(worker, "_end_with_parent", lambda pipe: None)
    with pytest.raises(json.JSONDecodeError):
        worker.main()


def test_a_worker_whose_folder_was_moved_before_it_began_makes_none(tiny_study, tmp_path):
    folder = tmp_path / "study" / "run"
    line = Job(run=tiny_study.runs[0], folder=folder, device="cpu", alone=True).to_line()
    command = [sys.executable, "-P", "-m", "bakeoff.worker"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdin.write(f"{line}\n")
        process.stdin.flush()
        told = process.stderr.read()  # its standard input stays open till then: once that is closed, it ends at once
        assert (process.wait(120), told.splitlines()[-1]) == (1, f"{folder} is gone")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def pipe():
    """Both ends of a pipe that takes a few thousand bytes, and what is spoken into it."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    messages = Messages(writer)
    with os.fdopen(reader, "rb", buffering=0) as reading, os.fdopen(writer, "wb"):
        yield reading, messages


def test_a_reader_that_has_stopped_reading_stops_nobody_and_gets_whole_lines_later(pipe):
    reading, messages = pipe
    for number in range(1000):
        messages({"event": "step", "step": number, "text": "x" * 100})
    told = reading.read(4096).decode()
    messages({"event": "step", "step": 1000})
    messages({"event": "step", "step": 1001})
    told += reading.read(4096).decode()
    steps = [json.loads(line)["step"] for line in told.splitlines()]
    assert steps[:3] == [0, 1, 2]
    assert steps[-1] == 1001
    assert len(steps) < 50


def test_a_line_that_is_longer_than_the_pipe_arrives_whole(pipe):
    reading, messages = pipe
    messages({"text": "x" * 10_000})
    told = b""
    while not told.endswith(b"\n"):
        told += reading.read(4096)
        messages({"text": "dropped"})
    assert len(json.loads(told.splitlines()[0])["text"]) == 10_000


def test_a_reader_that_is_gone_is_no_error():
    reader, writer = os.pipe()
    os.close(reader)
    Messages(writer)({"event": "step"})
    os.close(writer)


def test_while_the_parent_is_suspended_nothing_is_said_and_nobody_goes_on(pipe, monkeypatch):
    reading, messages = pipe
    states = ["stopped", "stopped", "sleeping"]
    messages.parent = SimpleNamespace(status=lambda: states.pop(0))
    slept = []
    monkeypatch.setattr(worker.time, "sleep", slept.append)
    messages({"event": "step"})
    assert (states, len(slept)) == ([], 2)
    assert reading.read(4096) == b'{"event": "step"}\n'


def test_a_run_whose_folder_another_process_holds_waits_and_says_so(run, tmp_path, monkeypatch):
    monkeypatch.setattr(worker, "PATIENCE", 0.05)
    lock, messages = FileLock(tmp_path / "run.lock"), []

    def let_go(message):
        messages.append(message)
        lock.release()

    with lock:
        work(
            Job(run=run, folder=tmp_path, device="nowhere", alone=True),
            let_go,
        )
    assert messages[0]["event"] == "note"
    assert str(tmp_path / "run.lock") in messages[0]["text"]
    assert RunFolder(tmp_path).status == FAILED


def test_a_run_that_another_machine_claims_waits_and_is_not_done_twice(run, tmp_path, monkeypatch):
    """Where the locks of a shared file system do not hold: two drivers on one study."""
    monkeypatch.setattr(worker, "PATIENCE", 0.05)
    claim, messages = lease_at(tmp_path / "run.claim"), []
    claim.acquire()

    def finish(message):
        messages.append(message["text"])
        RunFolder(tmp_path).finish({"status": DIVERGED, "error": "by the other driver"})
        claim.release()

    job = Job(run=run, folder=tmp_path, device="nowhere", alone=True)
    work(job, finish)
    assert len(messages) == 1
    assert str(tmp_path / "run.claim") in messages[0]
    assert RunFolder(tmp_path).summary["error"] == "by the other driver"
    assert not (tmp_path / "run.claim").exists()


def test_two_workers_that_no_lock_holds_apart_train_a_run_once(run, tmp_path):
    """As two drivers on two machines would start them."""
    line = Job(run=run, folder=tmp_path, device="cpu", alone=True).to_line()
    own_lock = "w.lock_at = lambda path: w.lease_at(path.with_name(f'{w.os.getpid()}.lock'))"
    command = [sys.executable, "-c", f"import bakeoff.worker as w; {own_lock}; w.main()"]
    both = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for each in both:
        each.stdin.write(line + "\n")
        each.stdin.flush()
    said = [each.stdout.read() for each in both]
    for each in both:
        each.stdin.close()
        each.stdout.close()
        assert each.wait() == 0
    assert sorted('"event": "start"' in lines for lines in said) == [False, True]
    assert RunFolder(tmp_path).status == FINISHED


def test_a_worker_whose_claim_another_has_taken_ends(tmp_path, monkeypatch, capsys):
    """As of a machine that stood still for longer than a claim holds."""
    ended = threading.Event()
    monkeypatch.setattr(locks.os, "_exit", lambda status: ended.set())
    monkeypatch.setattr(locks, "LEASE", 0.3)
    with lease_at(tmp_path / "run.claim"):
        (tmp_path / "run.claim").unlink()
        assert ended.wait(60)
    assert "run.claim was taken over or removed, or could not be renewed: repeat the command" in capsys.readouterr().out
