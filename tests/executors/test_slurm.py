"""Jobs of Slurm: submitit's own stand-in for it on one machine does a run; what Slurm says is a stand-in here."""

import importlib.util
import os
import signal
import sys
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from bakeoff import checkpoints, cli, options
from bakeoff.errors import UserError
from bakeoff.executors import Ended, Task, node, slurm
from bakeoff.executors.node import Progress
from bakeoff.job import Job
from bakeoff.run_folder import FAILED, FINISHED, RunFolder
from bakeoff.study_file import find_study
from bakeoff.worker import work

installed = pytest.mark.skipif(importlib.util.find_spec("submitit") is None, reason="submitit is not installed")

STUDY = """
from bakeoff import checkpoints
from bakeoff.data.corpora import choose
from bakeoff.models import LSTM
from bakeoff.optimizers import Adam
from bakeoff.spec import Budget, Study

checkpoints.INTERVAL, checkpoints.SHARE = 0.2, 1e9  # many, so that there is one early

class Recurrent(LSTM):
    name, title = "recurrent", "Recurrent"

study = Study.of(
    "queued",
    corpus=choose({corpus!r}),
    budget=Budget(epochs=3, batch_size=4, sequence_length=16, vocabulary=300, threads=1, precision="fp32"),
    contenders=[(Recurrent(embedding=16, hidden=16, dropout=0.2), Adam(lr=1e-2))],
)
"""
RUN = Path("queued/01-recurrent-1-adam/seed-0")


@pytest.fixture
def command(tmp_path, tiny_corpus_file, monkeypatch):
    """`bakeoff run` of one experiment, in this process: its exit status."""
    for name in ("INTERVAL", "SHARE"):  # which the study file changes
        monkeypatch.setattr(checkpoints, name, getattr(checkpoints, name))
    monkeypatch.setattr(slurm, "ENGINE", "local")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "queued.py").write_text(STUDY.format(corpus=str(tiny_corpus_file)))

    def command(*options):
        monkeypatch.setattr(sys, "argv", ["bakeoff", "run", "queued.py", "--no-report", *options])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return ended.value.code

    return command


@installed
@pytest.mark.slow  # `.ci/run` does it
def test_a_job_that_is_preempted_is_queued_again_and_ends_with_the_same_bits(command, tmp_path, monkeypatch, capsys):
    study, source = find_study("queued.py")
    calm = RunFolder(tmp_path / "calm")
    work(Job(run=study.runs[0], folder=calm.path, device="cpu", alone=True, source=source), lambda _: None)
    preempted, poll = [], slurm.Slurm.poll

    def preempting(self):
        said = poll(self)
        for submitted in self.active.values():
            if not preempted and (tmp_path / "there" / RUN / "checkpoint.safetensors").is_file():
                preempted.append(submitted)
                (job,) = psutil.Process(submitted.job._process.pid).children()
                job.send_signal(signal.SIGUSR2)  # as Slurm does
        return said

    monkeypatch.setattr(slurm.Slurm, "poll", preempting)
    assert command("--out", "there", "--executor", "slurm") == 0
    (submitted,) = preempted
    assert submitted.job._process.wait() == 0
    there = RunFolder(tmp_path / "there" / RUN)
    assert there.summary["resumed_at_step"]
    assert there.summary["alone"] is False
    assert there.best_weights.read_bytes() == calm.best_weights.read_bytes()
    assert [line["valid"] for line in there.history()] == [line["valid"] for line in calm.history()]
    assert capsys.readouterr().err.count("  on ") == 2  # the node, each time
    assert not (there.path / "progress.jsonl").exists()
    assert not (tmp_path / "there" / "queued" / "slurm").exists()


# --- what is told -----------------------------------------------------------------------------------------------------


def test_without_submitit_or_slurm_that_is_told(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(UserError, match=r"pip install 'bakeoff\[slurm\]'"):
        options.clustered("slurm", None)


@installed
def test_where_nothing_can_be_submitted_that_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="run the command where sbatch works"):
        slurm.Slurm().check(tmp_path, [], dict)
    with pytest.raises(UserError, match="--executor ray"):
        options.clustered("slurm", "10.0.0.1:6379")


@installed
@pytest.mark.parametrize(("name", "device"), [("auto", "cpu"), ("cpu", "cpu"), ("cuda", "cuda"), ("mps", None)])
def test_the_device_is_one_that_slurm_gives_out(name, device):
    if device:
        assert slurm.Slurm().device(name) == device
    else:
        with pytest.raises(UserError, match="--device cpu or cuda"):
            slurm.Slurm().device(name)


@installed
def test_sbatch_is_told_what_a_run_needs_and_begins_many_as_one_array(monkeypatch, tmp_path):
    """Slurm's commands are a stand-in that writes down what it is given."""
    for name in ("srun", "sbatch"):
        (tmp_path / name).write_text(f'#!/bin/sh\ncat "$1" > {tmp_path}/script\necho Submitted batch job 7\n')
        (tmp_path / name).chmod(0o755)
    (tmp_path / "sacct").write_text("#!/bin/sh\necho 'JobID|State|NodeList'\n")
    (tmp_path / "sacct").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(slurm, "LOOK", 0.0)
    cluster = slurm.Slurm()
    cluster.check(tmp_path / "study", [], dict)
    assert cluster.reserve(2, 10**9, "cuda") == slurm.MOST
    tasks = [Task(tmp_path / "study" / str(number), "") for number in range(3)]
    for task in tasks:
        task.folder.mkdir(parents=True)
        cluster.submit(task)
    assert cluster.poll() == []
    script = (tmp_path / "script").read_text()
    assert f"{sys.executable} -P -u -m submitit" in script
    for option in ("array=0-2", "cpus-per-task=2", "mem=2GB", "gpus-per-node=1", "time=240", "job-name=bakeoff"):
        assert f"#SBATCH --{option}" in script
    assert [submitted.job.job_id for submitted in cluster.active.values()] == ["7_0", "7_1", "7_2"]


@installed
def test_what_sbatch_refuses_is_one_line(monkeypatch, tmp_path):
    for name in ("srun", "sbatch"):
        (tmp_path / name).write_text("#!/bin/sh\necho 'sbatch: error: invalid partition specified: nope' >&2\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    cluster = slurm.Slurm()
    cluster.check(tmp_path / "study", [], dict)
    cluster.reserve(1, 10**9, "cpu")
    cluster.submit(Task(tmp_path / "study" / "run", ""))
    with pytest.raises(UserError, match=r"\ASlurm takes no job: [^\n]*invalid partition specified: nope[^\n]*\Z"):
        cluster.poll()


# --- how a job ends ---------------------------------------------------------------------------------------------------


MARK = {"job": "this"}


@pytest.fixture
def submitted(tmp_path):
    """A job that says whether it is done, with a log."""
    paths = {name: tmp_path / name for name in ("submission_file", "submitted_pickle", "result_pickle", "stdout")}
    (tmp_path / "stderr").write_text("first\nslurmstepd: error: Detected 1 oom_kill event\n")
    job = SimpleNamespace(
        done=lambda: job.over,
        over=False,
        job_id="7_0",
        state="OUT_OF_MEMORY",
        paths=SimpleNamespace(**paths, stderr=tmp_path / "stderr", folder=tmp_path),
    )
    return slurm._Submitted(job, Progress(tmp_path / "progress.jsonl"), MARK)


def test_a_job_has_ended_when_it_writes_so_however_late_that_is_seen(submitted, monkeypatch, tmp_path):
    task = Task(tmp_path, "")
    assert submitted.look() == []
    submitted.job.over = True
    assert submitted.look() == []  # a shared folder shows it later
    node.say(task, {"event": "end", "status": FAILED, "job": "an earlier one, which was cancelled"})
    node.say(task, {"event": "note", "text": "on a node"} | MARK)
    node.say(task, {"event": "end", "status": FINISHED} | MARK)
    assert [message["event"] for message in submitted.look()] == ["note", "end"]
    submitted.tidy(failed=False)
    assert not tmp_path.exists()


def test_a_job_that_is_suspended_is_not_lost(submitted, monkeypatch):
    monkeypatch.setattr(slurm, "SHOWN", 0.0)
    submitted.job.over, submitted.job.state = True, "SUSPENDED"  # submitit takes every state that it does not list so
    assert submitted.look() == []
    submitted.job.state = "FAILED"
    assert submitted.look()


def test_a_job_that_ended_without_a_word_is_lost_and_its_log_stays(submitted, monkeypatch, tmp_path):
    monkeypatch.setattr(slurm, "SHOWN", 0.0)
    submitted.job.over = True
    (ended,) = submitted.look()
    assert ended == Ended(
        "lost as job 7_0 of Slurm, which calls it OUT_OF_MEMORY: slurmstepd: error: Detected 1 oom_kill event"
    )
    submitted.tidy(failed=True)
    assert [path.name for path in tmp_path.iterdir()] == ["stderr"]


def test_a_node_that_is_not_as_this_machine_does_nothing_and_says_why(submitted, monkeypatch, tmp_path):
    monkeypatch.setattr(slurm, "work", lambda *_: pytest.fail("it trains"))
    other = slurm._Job(Task(tmp_path, ""), node.versions() | {"torch": "ours"}, [])
    other.mark = MARK
    other()
    (ended,) = submitted.look()
    assert ended.why.endswith(f"has torch {version('torch')}, and this machine ours: install the same on both")
    other.driver, other.read = node.versions(), [tmp_path / "text.txt"]
    other()
    (ended,) = submitted.look()
    assert f"does not see {tmp_path / 'text.txt'}" in ended.why


def test_whoever_stops_the_command_cancels_its_jobs_and_what_they_made_of_that_is_no_result(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "submitit", SimpleNamespace())
    monkeypatch.setattr(slurm, "LOOK", 0.0)
    cancelled, cluster, folder = [], slurm.Slurm(), RunFolder(tmp_path)

    def done():
        if not folder.ended:
            folder.finish({"status": FAILED, "error": "killed by signal 15"})  # as a node would
            return False
        return True

    job = SimpleNamespace(cancel=lambda **told: cancelled.append(told), done=done)
    cluster.active = {Task(tmp_path, ""): SimpleNamespace(job=job)}
    cluster.cancel()
    assert cancelled == [{"check": False}]
    assert not folder.ended
