"""The process of the command line: closed streams, full disks, deaf libraries, and no home."""

import io
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import fakes
from bakeoff import data, process
from bakeoff.models import ngram
from bakeoff.study_file import find_study

BAKEOFF = [sys.executable, "-m", "bakeoff"]


@pytest.fixture(scope="module")
def one_run(tmp_path_factory):
    """A study whose report is soon made."""
    return fakes.write_study(tmp_path_factory.mktemp("one") / "fake", {(1, "lstm", 1, "adam"): fakes.falling(4.5)})


def bakeoff(*arguments, **options):
    return subprocess.run(
        [*BAKEOFF, *map(str, arguments)], text=True, check=False, **{"stderr": subprocess.PIPE} | options
    )


#: Something that computes for minutes and hears no signal, as libraries do that are not written in Python.
DEAF = """
import hashlib
from bakeoff import process
process.GRACE = 0.5
with process.interruptible(lambda: print("stopped", flush=True)):
    print("ready", flush=True)
    hashlib.pbkdf2_hmac("sha256", b"", b"", 10**9)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_a_library_that_hears_none(number):
    with subprocess.Popen([sys.executable, "-c", DEAF], stdout=subprocess.PIPE, text=True) as deaf:
        assert deaf.stdout.readline() == "ready\n"
        time.sleep(0.5)  # until it computes
        deaf.send_signal(number)
        assert deaf.stdout.read() == "stopped\n"
        assert deaf.wait() == process.INTERRUPTED


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_that_is_heard_is_handled_in_order(number):
    words = []
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt), process.interruptible(lambda: words.append("last")):
            os.kill(os.getpid(), number)
    assert words == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_stops_it_twice_ends_it_without_more_words(number):
    code = "import time; from bakeoff import process\nwith process.interruptible(print): print('in', flush=True)\n"
    code += "print('after', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as ending:
        assert [ending.stdout.readline() for _ in range(2)] == [b"in\n", b"after\n"]
        ending.send_signal(number)
        assert (ending.wait(), ending.stderr.read()) == (-number, b"")


class Dropping:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)


def test_an_interrupt_that_python_drops_is_heard_all_the_same():
    """As where it is met in the end of an object."""

    def computing():
        Dropping()
        for _ in range(100):
            time.sleep(0.01)

    with pytest.raises(KeyboardInterrupt), process.interruptible(lambda: None):
        computing()


def test_a_signal_that_somebody_else_handles_stops_nothing(monkeypatch):
    monkeypatch.setattr(process, "GRACE", 0.05)
    monkeypatch.setattr(process.os, "_exit", lambda status: pytest.fail("it was not told to stop"))
    heard, words = [], []
    before = signal.signal(signal.SIGUSR1, lambda *_: heard.append(1))
    try:
        with process.interruptible(lambda: words.append("last")):
            os.kill(os.getpid(), signal.SIGUSR1)
            time.sleep(0.3)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert (heard, words) == ([1], [])


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_standard_streams_may_be_closed(closed, one_run, tmp_path):
    command = " ".join([*BAKEOFF, "report", str(one_run.path), "--out", str(tmp_path), closed])
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    assert (tmp_path / one_run.path.name / "index.html").is_file()


def test_a_full_disk_is_named_where_it_is_standard_output(one_run):
    with Path("/dev/full").open("w") as full:
        done = bakeoff("status", one_run.path, stdout=full)
    assert done.returncode == 1
    assert done.stderr.startswith("bakeoff: standard output: No space left on device: free some space")
    assert done.stderr.count("\n") == 1


def test_of_a_reader_who_has_seen_enough_nothing_is_said(one_run):
    with subprocess.Popen([*BAKEOFF, "status", one_run.path], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as told:
        told.stdout.close()
        assert (told.wait(), told.stderr.read()) == (1, b"")


@pytest.mark.parametrize(("size", "name"), [(1_000, "study.json"), (15_000, "tokenizer.json")])
def test_a_file_that_cannot_be_written_is_named(size, name, tiny_corpus_file, tmp_path):
    """A limit on the size of files stands for a disk that is full, which takes more than a test may do."""
    program = """
from bakeoff.models import LSTM
from bakeoff.optimizers import Adam
from bakeoff.spec import Budget, Corpus, Study
study = Study.of(
    "mine",
    corpus=Corpus(name="text", path=CORPUS),
    budget=Budget(epochs=1, batch_size=8, sequence_length=16, vocabulary=1500, threads=1),
    contenders=[(LSTM(embedding=8, hidden=8), Adam(lr=1e-2))],
)
""".replace("CORPUS", repr(str(tiny_corpus_file)))
    (tmp_path / "mine.py").write_text(program)
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))\n"
    study, _ = find_study(str(tmp_path / "mine.py"))
    tokens = data.prepare(study.corpus, study.budget)
    ngram.baselines(tokens, study.budget.sequence_length)  # from here on both are in the cache
    done = subprocess.run(
        [sys.executable, "-c", f"{limit}from bakeoff.cli import main; main()", "run", "mine.py", "--out", "out"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"bakeoff: out/mine/{name}: File too large: a limit")
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.rglob(".unfinished-*"))


@pytest.mark.parametrize(
    ("number", "mend"),
    [
        (28, "free some space there"),
        (13, "BAKEOFF_CACHE"),
        (21, "remove it"),
        (2, "was its folder moved?"),
        (5, "error"),
        (24, "ulimit -n"),
        (27, "ulimit -f"),
    ],
)
def test_what_the_system_refuses_is_told_with_the_file_and_the_way_out(number, mend):
    told = process.what_was_refused(OSError(number, os.strerror(number), "some/file"))
    assert told.startswith(f"some/file: {os.strerror(number)}")
    assert mend in told


#: As for a user whom the system does not know: a home cannot be found.
HOMELESS = """
import pwd
def unknown(*_): raise KeyError("uid not found")
pwd.getpwuid = unknown
from bakeoff.cli import main
main()
"""


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["status", "STUDY"], 0, ""),
        (["report", "STUDY", "--out", "mine"], 0, ""),
        (
            ["data", "vital-articles"],
            1,
            "Not a directory: choose another folder with --out, or for the cache with BAKE",
        ),
    ],
)
def test_without_a_home_only_what_needs_one_asks_for_it(arguments, status, says, one_run, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", HOMELESS, *[str(one_run.path) if word == "STUDY" else word for word in arguments]],
        env={name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status
    assert says in done.stderr
    assert done.stderr.count("\n") == status
    assert [path.name for path in tmp_path.iterdir()] == (["mine"] if "mine" in arguments else [])


def test_a_folder_that_is_gone_is_told(tmp_path):
    gone = f"mkdir {tmp_path}/gone && cd {tmp_path}/gone && rmdir {tmp_path}/gone && {shlex.join(BAKEOFF)} status"
    done = subprocess.run(["sh", "-c", gone], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "bakeoff: the folder that this command was started in is gone: go to another one\n"


def test_an_optimizing_interpreter_does_the_same(one_run, tmp_path):
    """Optimized twice, it is the same as optimized once, as docstrings are needed."""
    environment = os.environ | {"PYTHONOPTIMIZE": "2"}
    done = bakeoff("report", one_run.path, "--out", tmp_path, env=environment, stdout=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Run what is missing" in bakeoff("--help", env=environment, stdout=subprocess.PIPE).stdout


def test_escapes_never_reach_the_terminal(capsys):
    process.say("no \x1b[31mred\x07 file\u202e")
    assert capsys.readouterr().err == "bakeoff: no \\x1b[31mred\\x07 file\\u202e\n"


class Terminal:
    def isatty(self):
        return True


def test_only_a_terminal_that_can_move_its_cursor_is_one(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert not process.console().is_terminal
    monkeypatch.setattr(sys, "stderr", Terminal())
    for term, moves in (("xterm", True), ("dumb", False)):
        monkeypatch.setenv("TERM", term)
        assert process.console().is_terminal == moves


class Full(io.StringIO):
    """A stream on a full disk."""

    def write(self, text):
        raise OSError(28, "No space left on device")

    def flush(self):
        self.write("")


class Gone(io.StringIO):
    """A stream that nobody reads any more."""

    def write(self, text):
        raise BrokenPipeError


def test_progress_that_cannot_be_written_stops_nothing(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Full())
    process.console().print("a line")
    process.say("a line")
    monkeypatch.setattr(sys, "stderr", Gone())
    with pytest.raises(BrokenPipeError):
        process.say("a line")
