"""What the command does with what Ray says; Ray itself is a stand-in here."""

import contextlib
import os
import signal
import socket
import sys
import threading
from types import SimpleNamespace

import pytest
import torch

from bakeoff import machine, options
from bakeoff.errors import UserError
from bakeoff.executors import Task, do, node, ray
from bakeoff.executors.local import SAME_BITS_ON_CUDA
from bakeoff.run_folder import FAILED, RunFolder

GB = 10**9


class LostError(Exception):
    """As Ray's own errors."""


class RaisedError(LostError):
    """As Ray's `RayTaskError`, of what a task raised."""


class FullError(LostError):
    """As Ray's `OutOfMemoryError`."""


def stand_in(nodes=(), **changed):
    """A module like Ray: cluster of nodes with those resources, the last of which has died."""
    alive = [{"Alive": True, "Resources": resources, "NodeManagerAddress": "10.0.0.1"} for resources in nodes]
    dead = {"Alive": False, "Resources": {"CPU": 64.0, "memory": 64.0 * GB, "GPU": 8.0}}
    exceptions = SimpleNamespace(RayError=LostError, OutOfMemoryError=FullError, RayTaskError=RaisedError)
    return SimpleNamespace(
        **{
            "init": lambda *_, **__: None,
            "shutdown": lambda: None,
            "is_initialized": lambda: False,
            "nodes": lambda: [*alive, dead],
            "remote": lambda **_: lambda function: function,
            "exceptions": exceptions,
        }
        | changed
    )


@pytest.fixture
def module(monkeypatch):
    """Installs a stand-in where Ray would be, and keeps the environment as it is."""
    monkeypatch.setattr(os, "environ", os.environ.copy())
    return lambda found: monkeypatch.setitem(sys.modules, "ray", found)


def refused(executor="ray", address=None):
    """The one line that a user is told."""
    with pytest.raises(UserError) as caught, options.clustered(executor, address):
        pass
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_an_executor_is_one_that_there_is_and_an_address_is_a_clusters():
    assert refused("pbs") == "unknown executor 'pbs': use local, ray or slurm"
    assert "--executor ray" in refused("local", "10.0.0.1:6379")


def test_without_ray_the_extra_is_named(module):
    module(None)
    assert "pip install 'bakeoff[cluster]'" in refused()


@pytest.mark.parametrize("said", [b"HTTP/1.0 505 HTTP Version Not Supported\r\n", b"", ray.SETTINGS_FRAME])
def test_an_address_where_something_else_listens_is_told_at_once(module, said):
    reached = []
    module(stand_in(init=lambda address, **_: reached.append(address)))

    def answer(server):
        caller, _ = server.accept()
        with caller:
            caller.recv(len(ray.GREETING))
            caller.sendall(said)

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=answer, args=(server,)).start()
        address = f"127.0.0.1:{server.getsockname()[1]}"
        if said == ray.SETTINGS_FRAME:
            with options.clustered("ray", address):
                assert reached == [address]
        else:
            assert "what listens there is no Ray cluster" in refused(address=address)
            assert not reached


def test_an_address_where_nothing_listens_is_told_at_once(module):
    module(stand_in(init=lambda *_, **__: pytest.fail("Ray would try for long")))
    with socket.socket() as bound:  # which nobody else gets, and which does not listen
        bound.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{bound.getsockname()[1]}"
        assert refused(address=address).startswith(f"no Ray cluster at {address}: Connection refused")
    assert "HOST:PORT" in refused(address="ray://10.0.0.1:10001")


def test_a_cluster_of_another_version_is_refused_in_one_line(module):
    def init(*_, **__):
        mismatch = RuntimeError("Version mismatch: the cluster was started with Ray 2.1\nThis process: 2.60")
        raise ConnectionError("Failed to connect to Ray cluster") from mismatch

    module(stand_in(init=init))
    assert refused().endswith("Version mismatch: the cluster was started with Ray 2.1 This process: 2.60")


@pytest.mark.parametrize("before", [False, True])
def test_a_cluster_that_was_connected_before_stays_so(module, before):
    ended = []
    module(stand_in(is_initialized=lambda: before, shutdown=lambda: ended.append("ended")))
    with ray.connected(None):
        assert not ended
    assert bool(ended) is not before


def test_an_interrupt_kills_what_is_at_work_if_anything_is(tmp_path):
    killed, waited = [], []
    found = stand_in(
        [{"CPU": 2.0, "memory": 2.0 * GB}],
        cancel=lambda ref, force: killed.append((ref, force)),
        wait=lambda refs, **_: waited.append(refs),
    )
    cluster = ray.Ray(found)
    cluster.cancel()
    assert waited == []
    cluster.active = {"one": Task(tmp_path, "1"), "two": Task(tmp_path, "2")}
    cluster.cancel()
    assert killed == [("one", True), ("two", True)]
    assert waited == [["one", "two"]]


def test_being_told_to_stop_stays_ours(module):
    module(stand_in(init=lambda *_, **__: signal.signal(signal.SIGTERM, signal.SIG_IGN)))
    before = signal.getsignal(signal.SIGTERM)
    with ray.connected(None):
        assert signal.getsignal(signal.SIGTERM) is before
        assert ray.SETTINGS.items() <= os.environ.items()


@pytest.mark.parametrize(
    ("name", "gpus", "expected"), [("auto", 0, "cpu"), ("auto", 1, "cuda"), ("cpu", 1, "cpu"), ("cuda", 1, "cuda")]
)
def test_the_device_is_one_that_a_node_has(name, gpus, expected):
    assert ray.Ray(stand_in([{"CPU": 1.0}, {"CPU": 1.0, "GPU": float(gpus)}])).device(name) == expected


@pytest.mark.parametrize("name", ["cuda", "mps"])
def test_a_device_that_no_node_has_is_refused(name):
    with pytest.raises(UserError, match=f"no node of the cluster has the device {name}: use --device cpu"):
        ray.Ray(stand_in([{"CPU": 1.0}])).device(name)


def test_a_driver_without_a_gpu_cannot_tell_what_the_nodes_compute_in(monkeypatch):
    cluster = ray.Ray(stand_in([{"CPU": 1.0, "GPU": 1.0}]))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="use --precision bf16 or fp32"):
        options.device_of("auto", cluster, "auto")
    assert options.device_of("auto", cluster, "bf16") == torch.device("cuda")
    assert machine.resolve_precision("bf16", torch.device("cuda")) == "bf16"
    assert options.device_of("cpu", cluster, "auto") == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert options.device_of("auto", cluster, "auto") == torch.device("cuda")


@pytest.mark.parametrize(
    ("threads", "gigabytes", "device", "held"),
    [(1, 1, "cpu", 6), (2, 1, "cpu", 3), (1, 4, "cpu", 3), (2, 1, "cuda", 1)],
)
def test_nodes_hold_what_processors_memory_and_gpus_allow(threads, gigabytes, device, held):
    nodes = [{"memory": 9.0 * GB}, {"CPU": 4.0, "memory": 8.0 * GB, "GPU": 1.0}, {"CPU": 2.0, "memory": 5.0 * GB}]
    assert ray.Ray(stand_in(nodes)).reserve(threads, gigabytes * GB, device) == held


@pytest.mark.parametrize(("threads", "gigabytes"), [(8, 1), (1, 100)])
def test_a_run_that_no_node_holds_is_refused_before_it_waits_for_ever(threads, gigabytes):
    with pytest.raises(UserError, match=r"no node of the cluster has \d processors? and [\d,]+ MB of memory for a run"):
        ray.Ray(stand_in([{"CPU": 4.0, "memory": 8.0 * GB}])).reserve(threads, gigabytes * GB, "cpu")


def test_a_node_with_other_versions_is_named_with_what_mends_it_and_one_that_does_not_see_the_folder_is_found(tmp_path):
    ours, unseen = ray._look(tmp_path / "probe", [tmp_path])
    assert unseen == [str(tmp_path)]
    assert ray.difference(ours, ours) is None
    assert "has torch 1.0, and this machine" in ray.difference(ours, ours | {"torch": "1.0"})
    (tmp_path / "probe").write_text("another's")
    assert ray._look(tmp_path / "probe", [])[1] == [str(tmp_path)]
    (tmp_path / "probe").write_text("probe")
    assert ray._look(tmp_path / "probe", [tmp_path / "text.txt"])[1] == [str(tmp_path / "text.txt")]
    assert ray._look(tmp_path / "probe", [tmp_path])[1] == []


def test_every_node_that_does_runs_is_looked_at_before_anything_is_trained(tmp_path, monkeypatch):
    def affinity(node, *, soft):
        return node

    def asked(look):
        return SimpleNamespace(
            options=lambda scheduling_strategy: SimpleNamespace(remote=lambda *_: scheduling_strategy)
        )

    def get(node, timeout):
        if node == "bare":
            raise RaisedError("Traceback\nModuleNotFoundError: No module named 'bakeoff'")
        if node in ("silent", "lost"):
            raise LostError("it died")
        return ray.versions() | ({"torch": "1.0"} if node == "old" else {}), ["text.txt"] if node == "far" else []

    def node(name, **resources):
        return {"Alive": True, "Resources": resources, "NodeID": name, "NodeManagerAddress": f"that-is-{name}"}

    module = SimpleNamespace(NodeAffinitySchedulingStrategy=affinity)
    monkeypatch.setitem(sys.modules, "ray.util.scheduling_strategies", module)
    for names, told in (
        (["good"], None),
        (["good", "old"], "node that-is-old has torch 1.0, and this machine .*: install the same on both"),
        (["bare", "good"], "node that-is-bare does not answer .Module.*bakeoff.*: install Bakeoff there"),
        (["silent", "good"], "node that-is-silent does not answer .it died.: start Ray there anew"),
        (["lost", "good"], None),
    ):
        nodes = [*(node(name, CPU=1.0) for name in names), node("old")]  # the last, a head, does no runs
        cluster = ray.Ray(stand_in(nodes=(), get=get, remote=lambda **_: asked))
        seen = iter([nodes])
        there = [each for each in nodes if each["NodeID"] != "lost"]  # as is noticed only once it was asked
        cluster._nodes = lambda seen=seen, there=there: next(seen, there)
        with pytest.raises(UserError, match=told) if told else contextlib.nullcontext():
            assert cluster.check(tmp_path, [], pytest.fail) is cluster
        assert list(tmp_path.iterdir()) == []

    for names, shared in ((["good", "far"], True), (["good"], False)):
        module = stand_in(nodes=(), get=get, remote=lambda **_: asked, put=dict)
        cluster = ray.Ray(module, shared=shared)
        cluster._nodes = lambda names=names: [node(name, CPU=1.0) for name in names]
        there = cluster.check(tmp_path, [], lambda: {"text/text.txt": b"a text"})
        assert (cluster.sends, there.sends) == (False, True)
        assert there.packed == [{"text/text.txt": b"a text"}]
        cluster.share["memory"] = 7
        assert there.share == {"memory": 7}, "what is reserved for one study of a command is for all"


@pytest.mark.parametrize(
    ("error", "why"), [(FullError("node memory\nfull"), "out of memory: "), (LostError("a\nit died"), "lost on the")]
)
def test_what_ray_gives_up_has_failed_and_why_is_kept(tmp_path, error, why):
    def get(_):
        raise error

    lost = stand_in([{"CPU": 1.0, "memory": 2.0 * GB}], get=get, wait=lambda refs, **_: (refs, []))
    cluster, said = ray.Ray(lost), []
    cluster.task = SimpleNamespace(options=lambda **_: SimpleNamespace(remote=lambda *_: "reference"))
    cluster.reserve(1, GB, "cpu")
    do([Task(tmp_path / "run", "")], cluster, 1, lambda _, message: said.append(message))
    assert said == [{"event": "end", "status": FAILED, "error": said[0]["error"]}]
    assert said[0]["error"].startswith(why)
    assert RunFolder(tmp_path / "run").status == FAILED


def test_a_node_does_a_run_as_this_machine_would_and_says_the_end_itself(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "environ", os.environ | {"OMP_NUM_THREADS": "1"})
    given = []

    def start(environment, log):
        given.append(dict(environment))
        raise KeyboardInterrupt

    monkeypatch.setattr(node, "started_anew", start)
    RunFolder(tmp_path / "run").progress.mkdir(parents=True)  # what cannot be written is not told
    with pytest.raises(KeyboardInterrupt):
        node.work(Task(tmp_path / "run", ""), {"CUDA_VISIBLE_DEVICES": ""})
    assert "OMP_NUM_THREADS" not in given[0], "Ray's own"
    assert given[0]["CUDA_VISIBLE_DEVICES"] == ""
    assert SAME_BITS_ON_CUDA.items() <= given[0].items()


def test_messages_are_read_on_once_they_are_whole(tmp_path):
    progress = node.Progress(tmp_path / "progress.jsonl")
    assert list(progress) == []
    for written, read in (
        ('{"a": 1}\n{"a"', [{"a": 1}]),
        (": 2}", []),
        ('\n{"a": 3}\n', [{"a": 2}, {"a": 3}]),
        ("", []),
        ('{"a": {"a": 4}\n{"a": 5}\n', [{"a": 5}]),  # one that a lost node began, and another went on with
    ):
        with progress.path.open("a", encoding="utf-8") as file:
            file.write(written)
        assert list(progress) == read
