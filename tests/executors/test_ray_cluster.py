"""Runs on a real Ray cluster of this machine: a head without processors and two nodes of one. `.ci/run` does them."""

import importlib.util
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from bakeoff.run_folder import FAILED, FINISHED, RUNNING, RunFolder
from bakeoff.study_folder import StudyFolder

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed"),
    pytest.mark.skipif(sys.platform != "linux", reason="Ray's clusters of one machine are for Linux"),
]
#: Which processes are of this file's cluster: in the environment of each.
MARK = "BAKEOFF_TEST_CLUSTER"
#: Seconds: all starts slowly on a busy machine.
PATIENCE = 600

STUDY = """
import sys
from bakeoff import checkpoints
from bakeoff.data.corpora import choose
from bakeoff.executors import apart
from bakeoff.models import GPT1, LSTM
from bakeoff.optimizers import Adam, Momentum
from bakeoff.spec import Budget, Study

# Many, so that there is one early, and that it comes back.
checkpoints.INTERVAL, checkpoints.SHARE, apart.EVERY = 0.2, 1e9, 0.2

class Recurrent(LSTM):
    name, title = "recurrent", "Recurrent"

class Hungry(LSTM):
    name, title = "hungry", "Hungry"

    def module(self, *sizes):
        if sys.argv[0].endswith("worker.py"):
            raise MemoryError("no room")
        return super().module(*sizes)

study = Study.of(
    "spread",
    corpus=choose({corpus!r}),
    budget=Budget(epochs=16, batch_size=4, sequence_length=16, vocabulary=300, threads=1, precision="fp32"),
    contenders=[
        (Recurrent(embedding=16, hidden=16, dropout=0.2), Adam(lr=1e-2)),
        (GPT1(width=16, heads=2, dropout=0.2), Momentum(lr=0.1)),
        (Hungry(embedding=16, hidden=16), Adam(lr=1e-2)),
    ],
)
"""


def marked(mark, command=""):
    """Processes with that mark whose command line has that word."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark and command in " ".join(process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return [process for process in found if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


def eventually(holds):
    """What `holds` gives, once that is something."""
    for _ in range(PATIENCE * 10):
        if found := holds():
            return found
        time.sleep(0.1)
    pytest.fail("it did not happen")


#: Of a study that nodes do not see, where they can be kept from it: they have another file system there.
UNSEEN = "unseen"


def can_hide(folder):
    """Whether a process can be given a file system of its own, as only root may."""
    return subprocess.run([*hiding(folder), "true"], check=False, capture_output=True).returncode == 0


def hiding(folder):
    return ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none "$0" && exec "$@"', folder]


class Nodes:
    """The cluster, and commands on it."""

    def __init__(self, folder, corpus):
        self.folder, self.mark = folder, secrets.token_hex(8)
        (folder / UNSEEN).mkdir()
        self.hidden = can_hide(folder / UNSEEN)
        shutil.copy(corpus, folder / UNSEEN)
        (folder / UNSEEN / "spread.py").write_text(STUDY.format(corpus=f"{UNSEEN}/{corpus.name}"))
        shutil.copy(corpus, folder)
        (folder / "spread.py").write_text(STUDY.format(corpus=corpus.name))
        (folder / "home").mkdir()  # nodes are not started where the command is
        self.cache = Path(os.environ["BAKEOFF_CACHE"])
        self.environment = os.environ | {MARK: self.mark, "RAY_worker_niceness": "0", "RAY_USAGE_STATS_ENABLED": "0"}
        self.process = subprocess.Popen(
            [
                *(hiding(folder / UNSEEN) if self.hidden else []),
                sys.executable,
                Path(__file__).parents[1] / "ray_nodes.py",
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=self.environment,
            cwd=folder / "home",
        )
        self.address = self.process.stdout.readline().strip()

    def start(self, *options, study="spread.py"):
        """`bakeoff run`, begun."""
        command = [sys.executable, "-m", "bakeoff", "run", study, "--no-report", *options]
        return subprocess.Popen(command, cwd=self.folder, stderr=subprocess.PIPE, text=True, env=self.environment)

    def run(self, *options):
        """`bakeoff run` to its end: its status, and what it said."""
        process = self.start(*options)
        said = process.communicate(timeout=PATIENCE)[1]
        return process.returncode, said

    def workers(self):
        return marked(self.mark, "bakeoff.worker")

    def worker_of(self, folder):
        """The one at work on a run in that folder, or below it."""
        lock = re.compile(rf"{re.escape(str(folder))}/(.*/)?run\.lock")
        return next(w for w in self.workers() if any(lock.fullmatch(file.path) for file in w.open_files()))

    def kill_the_node_of(self, worker):
        self.process.stdin.write(f"{worker.pid}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline().strip() == "killed"

    def close(self):
        self.process.communicate(timeout=PATIENCE)
        for _ in range(100):
            if not (left := marked(self.mark)):
                break
            time.sleep(0.1)
        for process in left:
            process.kill()
        return left


@pytest.fixture(scope="module")
def nodes(tmp_path_factory, tiny_corpus_file):
    folder = tmp_path_factory.mktemp("cluster")
    nodes = Nodes(folder, tiny_corpus_file)
    try:
        yield nodes
    finally:
        left = nodes.close()
    assert left == [], "Ray's processes end"


def first(folder):
    return folder / "spread" / "01-recurrent-1-adam" / "seed-0"


def outcome(folder):
    """Bits of a run's weights and of what was measured of it."""
    return (folder / "best.safetensors").read_bytes(), [line["valid"] for line in RunFolder(folder).history()]


@pytest.fixture(scope="module")
def calm(nodes):
    """The folder of a run that was done locally, undisturbed."""
    assert nodes.run("--out", "calm", "--only", "1")[0] == 0
    return first(nodes.folder / "calm")


def in_the_middle(folder, command=None, other=None):
    """Wait until a run has a checkpoint, and not that other one; which it is. Until then its command is at work."""
    checkpoint = folder / "checkpoint.safetensors"

    def written():
        assert command is None or command.poll() is None, command.communicate()[1]
        found = checkpoint.stat().st_mtime_ns if checkpoint.is_file() else None
        return found if found != other else None

    return eventually(written)


def stop(nodes, command, number):
    """Stop a command by that signal; no worker of it stays."""
    command.send_signal(number)
    command.communicate(timeout=PATIENCE)
    eventually(lambda: not nodes.workers())
    return command.returncode


def test_a_cluster_computes_the_same_bits_though_it_is_stopped_and_loses_a_node_and_what_finds_no_room_is_a_result(
    nodes, calm
):
    folder = first(nodes.folder / "lost")
    options = "--out", "lost", "--only", "1,3", "--executor", "ray", "--address", nodes.address
    command = nodes.start(*options)
    in_the_middle(folder, command)
    assert stop(nodes, command, signal.SIGINT) == 130
    left = in_the_middle(folder)
    command = nodes.start(*options)
    in_the_middle(folder, command, other=left)
    nodes.kill_the_node_of(nodes.worker_of(folder))
    said = command.communicate(timeout=PATIENCE)[1]
    assert command.returncode == 1, said
    assert "2 at a time" in said
    assert "out of memory: no room" in said
    records = {each["number"]: run.read() for each, _, run in StudyFolder(nodes.folder / "lost/spread").declared_runs()}
    assert [records[number].status for number in (1, 3)] == [FINISHED, FAILED]
    assert said.count("01-recurrent-1-adam/seed-0  on ") == 2
    assert len(records[1].summary["resumed_at_step"]) == 2
    assert records[1].summary["alone"] is False
    assert outcome(folder) == outcome(calm)
    assert not list((nodes.folder / "lost").rglob("progress.jsonl"))


def test_nodes_that_share_no_folder_are_sent_what_runs_read_and_what_was_lost_goes_on_from_what_came_back(nodes, calm):
    folder = first(nodes.folder / UNSEEN)
    options = [] if nodes.hidden else ["--no-shared-folder"]  # or it is found out
    given = "--out", UNSEEN, "--only", "1", "--executor", "ray", "--address", nodes.address, *options
    command = nodes.start(*given, study=f"{UNSEEN}/spread.py")
    in_the_middle(folder, command)
    assert RunFolder(folder).status == RUNNING
    nodes.kill_the_node_of(nodes.worker_of(nodes.cache / "apart"))
    said = command.communicate(timeout=PATIENCE)[1]
    assert command.returncode == 0, said
    assert f"the nodes do not share {folder.parents[1]}: what runs read is sent to them" in said
    assert "begun again on another node" in said
    assert RunFolder(folder).summary["resumed_at_step"]
    assert outcome(folder) == outcome(calm)
    assert RunFolder(folder).identity == RunFolder(calm).identity
    assert RunFolder(folder).spec["run"]["corpus"]["path"] == str(nodes.folder / UNSEEN / "tiny.txt")
    assert not list((nodes.folder / UNSEEN).rglob("checkpoint*"))


def test_a_command_that_is_killed_leaves_no_worker_and_the_next_goes_on(nodes, calm):
    options = "--out", "killed", "--only", "1", "--executor", "ray", "--address", nodes.address
    command = nodes.start(*options)
    in_the_middle(first(nodes.folder / "killed"), command)
    assert stop(nodes, command, signal.SIGKILL) == -signal.SIGKILL
    status, said = nodes.run(*options)
    assert status == 0, said
    assert outcome(first(nodes.folder / "killed")) == outcome(calm)
