"""What is sent to nodes that share no folder, and what becomes of what comes back; Ray is a stand-in here."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from bakeoff import options
from bakeoff.errors import UserError
from bakeoff.executors import Task, apart, do
from bakeoff.executors.ray import RETRIES
from bakeoff.locks import is_locked
from bakeoff.records import write_record
from bakeoff.run_folder import FAILED, FINISHED, RunFolder


class LostError(Exception):
    """As Ray's own errors."""


class FullError(LostError):
    """As Ray's `OutOfMemoryError`."""


#: A spec and a checkpoint, as they come back in between.
SO_FAR = {"spec.json": b"{}", "checkpoint.safetensors": b"a checkpoint"}


@pytest.fixture
def cluster(tmp_path):
    """A cluster whose nodes say what they are given to say, a try after the other, and what each was sent."""
    tries, sent = [], []

    def get(said):
        if isinstance(said, Exception):
            raise said
        return said

    def remote(*given):
        sent.append(given[4])
        return iter(tries.pop(0))

    module = SimpleNamespace(
        put=lambda files: files,
        get=get,
        wait=lambda streams, **_: (streams, []),
        cancel=lambda *_, **__: None,
        remote=lambda **_: lambda work: SimpleNamespace(options=lambda **_: SimpleNamespace(remote=remote)),
        exceptions=SimpleNamespace(RayError=LostError, OutOfMemoryError=FullError),
    )
    made = apart.Apart(module, {"text/mine.txt": b"a text"}, {"num_cpus": 1, "memory": 1, "num_gpus": 0})
    made.said, made.sent = tries, sent
    return made


def files(**found):
    return {"event": "files", "files": found}


def finished(tmp_path):
    """What comes back of a run that is over."""
    folder = RunFolder(tmp_path / "there")
    folder.path.mkdir()
    write_record(folder.path / "spec.json", {"identity": "0", "run": {}})
    write_record(folder.path / "summary.json", {"status": "diverged", "error": "a reason"})
    return apart.read(folder.path)


def test_what_comes_back_is_the_runs_folder_and_it_is_at_work_until_then(cluster, tmp_path):
    folder, told = tmp_path / "run", []
    over = finished(tmp_path)
    cluster.said.append(
        [{"event": "note", "text": "on a node"}, files(**SO_FAR), files(**over), {"event": "end", "status": "diverged"}]
    )

    def tell(_, message):
        assert (folder / "run.claim").is_file() == (message["event"] != "end"), "for where locks do not hold"
        names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("run."))
        told.append((message["event"], names, is_locked(folder / "run.lock")))

    do([Task(folder, "{}")], cluster, 1, tell)
    assert told == [("note", [], True), ("end", ["spec.json", "summary.json"], False)]
    assert apart.read(folder) == over


def test_a_study_that_is_moved_meanwhile_is_not_made_again(cluster, tmp_path):
    study = tmp_path / "study"
    study.mkdir()
    cluster.said.append([{"event": "note", "text": "at work"}, files(**SO_FAR), {"event": "end", "status": "finished"}])
    with pytest.raises(UserError, match="is gone: repeat the command where it was moved to"):
        do([Task(study / "01-a" / "seed-0", "{}")], cluster, 1, lambda *_: study.rename(tmp_path / "moved"))
    assert not study.exists()


def test_what_is_lost_is_begun_again_with_what_had_come_back_but_not_for_ever(cluster, tmp_path):
    folder, told = tmp_path / "run", []
    cluster.said += [[files(**SO_FAR), LostError("a node\ndied")]] + [[LostError("gone")]] * RETRIES
    do([Task(folder, "{}")], cluster, 1, lambda _, message: told.append(message))
    assert cluster.sent == [{}] + [SO_FAR] * RETRIES
    again = [
        {"event": "note", "text": f"begun again on another node: lost on the cluster: {why}"}
        for why in ("died", "gone")
    ]
    assert told[:-1] == again
    assert told[-1] == {"event": "end", "status": FAILED, "error": "lost on the cluster: gone"}
    assert (folder / "checkpoint.safetensors").read_bytes() == b"a checkpoint", "the next command goes on from it"


def test_what_needs_more_memory_than_a_node_has_is_a_result_and_not_tried_again(cluster, tmp_path):
    told = []
    cluster.said.append([FullError("node memory")])
    do([Task(tmp_path / "run", "{}")], cluster, 1, lambda _, message: told.append(message))
    assert [message["event"] for message in told] == ["end"]
    assert told[0]["error"].startswith("out of memory: ")


def test_whoever_stops_the_command_lets_go_of_its_runs(cluster, tmp_path):
    task = Task(tmp_path / "run", "{}")
    for _ in range(2):  # as in a notebook, where the first is still there
        cluster.said.append([{"event": "note", "text": "at work"}])
        with pytest.raises(KeyboardInterrupt):
            do([task], cluster, 1, interrupt)
        assert not is_locked(task.folder / "run.lock")


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_what_comes_back_takes_its_place_only_when_all_of_it_is_on_the_disk(tmp_path, monkeypatch, error):
    before = SO_FAR | {"best.safetensors": b"weights"}
    apart.write(tmp_path, before)
    real, synchronized = os.fsync, []

    def fsync(handle):
        synchronized.append(handle)
        if len(synchronized) == 3:
            raise error
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(type(error)):
        apart.write(tmp_path, dict.fromkeys(before, b"new"))
    assert apart.read(tmp_path) == before
    assert len(list(tmp_path.iterdir())) == len(before), "nothing half-written stays"


#: Has what came back written by processes each of which dies instead of another change of the disk; tells each outcome.
KILLED = """
import itertools, os, sys
from pathlib import Path
from bakeoff import executors
from bakeoff.executors import apart
from bakeoff.run_folder import RunFolder

left = 0
def count(event, _):
    global left
    if event in ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "open"):
        left -= 1
        if left == 0:
            os._exit(9)

before, after = map(eval, sys.argv[1:])
sys.addaudithook(count)
for place in itertools.count(1):
    folder = Path(str(place))
    apart.write(folder, before)
    if not os.fork():
        left = place
        apart.write(folder, after)
        os._exit(0)
    killed = os.wait()[1] != 0
    over, found = (folder / "summary.json").is_file(), apart.read(folder)
    executors._begin(RunFolder(folder))
    print((over, found, apart.read(folder), sorted(path.name for path in folder.iterdir())))
    if not killed:
        break
"""


@pytest.mark.parametrize("before", [SO_FAR | {"earlier.safetensors": b"old", "history.jsonl": b"old"}, {}])
def test_wherever_a_command_is_killed_a_runs_folder_is_as_it_was_or_what_came_back(tmp_path, before):
    after = dict.fromkeys(("checkpoint.safetensors", "best.safetensors", "spec.json"), b"new")
    after["summary.json"] = b'{"status": "diverged", "error": "a reason"}'
    command = [sys.executable, "-c", KILLED, repr(before), repr(after)]
    told = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    outcomes = [ast.literal_eval(line) for line in told.splitlines()]
    for over, found, settled, names in outcomes:
        assert found == after or not over, "a run that is over is whole"
        assert settled in (before, after)
        assert names == sorted(settled)
    assert {(over, settled == after) for over, _, settled, _ in outcomes} == {
        (False, False),
        (False, True),
        (True, True),
    }


def interrupt(*_):
    raise KeyboardInterrupt


def test_what_a_run_at_work_removes_meanwhile_is_not_sent(tmp_path, monkeypatch):
    apart.write(tmp_path, SO_FAR)
    real = Path.read_bytes

    def read_bytes(path):
        (tmp_path / "checkpoint.safetensors").unlink(missing_ok=True)
        return real(path)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    assert apart.read(tmp_path) == {"spec.json": b"{}"}


def test_only_what_a_run_leaves_is_taken_and_nothing_outside_of_its_folder(tmp_path):
    folder = tmp_path / "run"
    apart.write(folder, SO_FAR | {"../outside": b"", "run.lock": b"", "mine.txt": b""})
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["checkpoint.safetensors", "run", "spec.json"]
    apart.write(folder, {"spec.json": b"another"})
    assert apart.read(folder) == {"spec.json": b"another"}
    (folder / "log.txt").symlink_to(tmp_path / "secret")
    (tmp_path / "secret").write_text("secret")
    assert apart.read(folder) == {"spec.json": b"another"}


def test_a_node_fetches_what_all_runs_read_once_and_says_what_its_worker_says(tmp_path, monkeypatch):
    monkeypatch.setenv("BAKEOFF_CACHE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    fetched, given = [], []

    def get(reference):
        fetched.append(reference)
        return {"text/mine.txt": b"a text", "cache/tokens/1/a": b"1"}

    def work(task, environment):
        given.append((json.loads(task.line), environment, sorted(path.name for path in task.folder.iterdir())))
        apart.nodes.say(task, {"event": "note", "text": "a word"})
        (task.folder / "summary.json").write_bytes(b"{}")
        return {"event": "end", "status": FINISHED}

    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(get=get))
    monkeypatch.setattr(apart.nodes, "work", work)
    line = json.dumps({"folder": "/the/drivers", "text": "text/mine.txt"})
    for _ in range(2):
        *said, came_back, end = apart.work(line, {"A": "1"}, "name", ["reference"], SO_FAR, 60.0)
        assert said == [{"event": "note", "text": "a word"}]
        assert came_back == files(**SO_FAR, **{"summary.json": b"{}"})
        assert end == {"event": "end", "status": FINISHED}
    assert fetched == ["reference"]
    here = tmp_path / "apart" / "name"
    for job, environment, there in given:
        assert job["text"] == "text/mine.txt"
        assert job["folder"].startswith(str(here))
        assert environment == {"A": "1", "BAKEOFF_CACHE": str(here / "cache")}
        assert there == sorted(SO_FAR)
    assert sorted(path.name for path in here.iterdir()) == ["cache", "text"], "the runs' folders are gone"


def test_runs_come_back_only_from_ray():
    with pytest.raises(UserError, match="--no-shared-folder is for the nodes of a Ray cluster"):
        options.clustered("slurm", None, shared=False)
