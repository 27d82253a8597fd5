"""Workers that are forked from a server: as any child is, and as any other worker computes."""

import os
import signal
import sys
from pathlib import Path

import psutil
import pytest
import torch
from safetensors.torch import load_file

from bakeoff import forkserver, runner
from bakeoff.executors import local
from bakeoff.forkserver import ForkServer, shared_server
from bakeoff.run_folder import FINISHED
from bakeoff.runner import open_session

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere workers start anew")
CPU = torch.device("cpu")


@pytest.fixture
def log(tmp_path):
    with (tmp_path / "log.txt").open("w") as log:
        yield log


@pytest.fixture(scope="module")
def server():
    """For all that only ask it for workers: it imports torch once, and anew after a test that ends it."""
    server = ForkServer(CPU)
    yield server
    server.close()


@pytest.fixture(scope="module")
def environment():
    """As the tests' other workers have it: pytest writes the name of each test into this process's."""
    return local.worker_environment()


def session_of(tiny_study, folder):
    return open_session(tiny_study.with_shared(epochs=1, threads=1, compile=False), folder / "tiny", CPU)


#: Seconds; a worker that starts anew imports torch, which takes long on a busy machine.
PATIENCE = 120
PASSIVE = {"OMP_WAIT_POLICY": "PASSIVE"}


def ends(child):
    """Its exit status, once it is left without a job."""
    child.close()
    return child.process.wait(PATIENCE)


def test_a_forked_worker_is_the_commands_own_child_and_has_nobodys_terminal(server, log, environment):
    child = server.start(environment, log)
    assert child.process.ppid() == os.getpid()
    assert child.process.pid != server.server.pid
    assert os.getsid(child.process.pid) == child.process.pid
    assert ends(child) == 1


def test_a_worker_holds_no_others_pipes(server, log, environment):
    first = server.start(environment, log)
    second = server.start(environment, log)
    assert ends(first) == 1, "its standard input has closed"
    assert second.process.is_running()
    assert ends(second) == 1


def test_a_server_serves_its_environment_and_another_gets_another(server, log, environment):
    asked = environment, environment, environment | PASSIVE
    first, second, third = (server.start(each, log) for each in asked)
    told = [child.process.environ().get("OMP_WAIT_POLICY") for child in (first, second, third)]
    assert told == [environment.get("OMP_WAIT_POLICY")] * 2 + ["PASSIVE"]
    assert [ends(child) for child in (first, second, third)] == [1, 1, 1], "the end of a server ends no worker"


def test_a_server_ends_with_its_command(server, log, environment):
    ends(server.start(environment | PASSIVE, log))  # the server that the test before has left
    server.control.close()
    assert server.server.wait(PATIENCE) == 0


def test_where_no_server_can_be_had_a_worker_starts_anew(log, monkeypatch):
    server = ForkServer(CPU)
    monkeypatch.setattr(forkserver, "LOOK", 0.01)
    monkeypatch.setattr(forkserver, "PATIENCE", 0.01)  # it has not imported anything by then
    child = server.start(os.environ, log)
    assert isinstance(child.process, psutil.Popen), "not forked"
    assert server.server is None
    assert ends(child) == 1


def test_a_stopped_server_is_not_waited_for(server, log, environment):
    ends(server.start(environment, log))
    stopped = server.server
    stopped.send_signal(signal.SIGSTOP)
    child = server.start(environment, log)
    assert isinstance(child.process, psutil.Popen), "not forked"
    assert stopped.poll() == -signal.SIGKILL, "nobody would end it"
    assert ends(child) == 1


def test_where_a_gpu_is_used_nothing_is_forked():
    assert not ForkServer(torch.device("cuda")).forks


def test_a_forked_worker_and_one_that_started_anew_end_with_the_same_bits(tiny_study, tmp_path, monkeypatch):
    found = []
    for way in ("forked", "anew"):
        if way == "anew":
            monkeypatch.setattr(forkserver, "_adopt_orphans", lambda: False)
            monkeypatch.setattr(runner, "shared_server", ForkServer)
        with session_of(tiny_study, tmp_path / way) as session:
            session.run(session.study.runs[:1], 1, lambda run, message: None)
            folders = [session.folder.run(run.slug) for run in session.study.runs[:1]]
        weights = [load_file(folder.best_weights) for folder in folders]
        nats = [[line["valid"]["nats"] for line in folder.history()] for folder in folders]
        found.append((weights, nats, [folder.summary["test"] for folder in folders]))
    (forked, *told), (anew, *others) = found
    assert told == others
    for one, other in zip(forked, anew, strict=True):
        assert all(torch.equal(one[name], other[name]) for name in one | other)


def test_studies_share_a_server_and_each_worker_begins_in_the_folder_of_then(tiny_study, tmp_path, monkeypatch):
    servers = []
    for name in ("one", "another"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        with session_of(tiny_study, Path("runs")) as session:
            session.run(session.study.runs[:1], 1, lambda run, message: None)
            assert session.folder.run(session.study.runs[0].slug).status == FINISHED
        servers.append(shared_server(CPU).server.pid)
    assert servers[0] == servers[1]
    assert len([*tmp_path.glob("*/runs/tiny/*/*/summary.json")]) == 2


def test_a_killed_server_costs_no_run_and_nothing_is_left_open(tiny_study, tmp_path, monkeypatch):
    def kill_the_server(run, message):
        if message["event"] == "start":
            server = min({*psutil.Process().children()} - before, key=lambda child: child.create_time())
            assert server.pid not in killed
            server.kill()
            killed.append(server.pid)

    server = ForkServer(CPU)
    monkeypatch.setattr(runner, "shared_server", lambda device: server)
    killed, before = [], {*psutil.Process().children()}  # those that other tests have left to this process
    with session_of(tiny_study, tmp_path) as session:
        files = psutil.Process().num_fds()
        session.run(session.study.runs, 1, kill_the_server)
        server.close()
        assert psutil.Process().num_fds() == files
        assert [session.folder.run(run.slug).status for run in session.study.runs] == [FINISHED] * 2
    assert len(killed) == 2
    assert {*psutil.Process().children()} <= before
