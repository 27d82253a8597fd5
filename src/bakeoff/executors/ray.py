"""Tasks on the nodes of a Ray cluster, which share the study's folder.

A Ray task is one run: on its node it starts the worker that would run here, and comes back with how that ended, nothing
else. What the worker says meanwhile goes into a file of the run's folder, which the driver reads on. So a driver that
is killed loses nothing: whoever repeats the command goes on from what the nodes have written. Ray tries a run that was
lost with its node on another one, where it goes on from its checkpoint.
"""

import contextlib
import importlib
import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bakeoff import words
from bakeoff.errors import UserError, one_line
from bakeoff.executors import Cluster, Ended, Task
from bakeoff.executors.node import LOOK, Progress, difference, unseen, versions, work
from bakeoff.files import TEMPORARY
from bakeoff.shapes import Json

#: Seconds that an address may take to answer, that every node may, and that cancelled tasks may take to end.
REACHED, ANSWERED, STOPPED = 5.0, 120.0, 10.0
#: How often a run that was lost with its node is begun on another one.
RETRIES = 2
#: What clients of HTTP/2, gRPC's among them, say first; a server's first frame is of the same type (RFC 9113, 3.4).
SETTINGS_FRAME = bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + SETTINGS_FRAME
#: What Ray reads when it is imported. A run that needs more memory than there is has a result, and is not tried for
#: ever; how the command was started (`uv run`) says nothing of how the nodes start; nobody is told that Ray was used;
#: on a cluster that is started here, runs give way to other programs no more than they do without one.
SETTINGS = {
    "RAY_worker_niceness": "0",
    "RAY_task_oom_retries": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


@contextlib.contextmanager
def connected(address: str | None, *, shared: bool = True) -> Iterator["Ray"]:
    """A Ray cluster: that at the address, or one that runs on this machine, or else one that is started here.

    Args:
        address: As `HOST:PORT`.
        shared: Whether its nodes may share the study's folder.

    Raises:
        UserError: Ray is not installed, or there is no such cluster, or one of another version.
    """
    os.environ.update({name: value for name, value in SETTINGS.items() if name not in os.environ})
    try:
        ray = importlib.import_module("ray")
    except ImportError as error:
        raise UserError(f"--executor ray needs Ray: pip install 'bakeoff[cluster]' ({error})") from error
    ours, before = signal.getsignal(signal.SIGTERM), ray.is_initialized()
    try:
        _require_reachable(address)
        # Its own log.txt has what a run printed; Ray would drop lines of it.
        ray.init(address, include_dashboard=False, log_to_driver=False, logging_level="ERROR", ignore_reinit_error=True)
    except Exception as error:  # Ray raises plain ones, too, and behind its own what is wrong
        why = one_line(error.__cause__ or error)
        raise UserError(f"no Ray cluster at {address or 'this machine'}: {why}", status=1) from error
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, ours)  # Ray takes it over, and would leave runs behind
    try:
        yield Ray(ray, shared=shared)
    finally:
        if not before:
            ray.shutdown()


class Ray:
    """The driver's end of a cluster: starts tasks, reads on what they write, stops them.

    Args:
        ray: The module.
        shared: Whether its nodes may share the study's folder; they are asked.
    """

    sends = False

    def __init__(self, ray: Any, *, shared: bool = True) -> None:  # noqa: ANN401 (the module, which need not be installed)
        self.ray, self.shared = ray, shared
        self.active: dict[Any, Task] = {}
        self.progress: dict[Task, Progress] = {}
        self.looked = time.monotonic()
        self.task = ray.remote(max_calls=1, max_retries=RETRIES, scheduling_strategy="SPREAD")(work)
        self.share: Json = {}

    def device(self, name: str) -> str:
        """The device of that name; `auto` takes GPUs where a node has one.

        Raises:
            UserError: No node has such a device.
        """
        here = {"cpu", *(["cuda"] if any(node["Resources"].get("GPU") for node in self._nodes()) else [])}
        if name == "auto":
            return "cuda" if "cuda" in here else "cpu"
        if name not in here:
            raise UserError(f"no node of the cluster has the device {name}: use --device {' or '.join(sorted(here))}")
        return name

    def reserve(self, threads: int, memory_bytes: int, device: str) -> int:
        """How many runs the nodes hold at a time, if each gets so much, as from now on it does.

        Raises:
            UserError: No node has that much.
        """
        self.share.update(num_cpus=threads, memory=memory_bytes, num_gpus=int(device == "cuda"))
        sizes = {"CPU": threads, "memory": memory_bytes, "GPU": self.share["num_gpus"]}
        nodes = [node["Resources"] for node in self._nodes()]
        wanted = {name: size for name, size in sizes.items() if size}
        held = sum(min(int(node.get(name, 0) // size) for name, size in wanted.items()) for node in nodes)
        if not held:
            least = f"{words.plural(threads, 'processor')} and {words.megabytes(memory_bytes)} of memory"
            gpu = " and a GPU" if sizes["GPU"] else ""
            raise UserError(f"no node of the cluster has {least}{gpu} for a run: use fewer --threads, or larger nodes")
        return held

    def check(self, folder: Path, read: Sequence[Path], packed: Callable[[], Mapping[str, bytes]]) -> Cluster:
        """See that every node that is to do runs computes what this machine would.

        Args:
            folder: The study's.
            read: What runs read elsewhere.
            packed: Gives all of that, and more, as it is to be sent to nodes that do not see it.

        Returns:
            This; where a node does not see a file, or cannot write into the folder, what sends files there and back.

        Raises:
            UserError: One has other versions, or does not answer though it is there.
        """
        affinity = importlib.import_module("ray.util.scheduling_strategies").NodeAffinitySchedulingStrategy
        look = self.ray.remote(num_cpus=0, max_retries=0)(_look)
        probe = folder / f"{TEMPORARY}{secrets.token_hex(8)}"
        probe.write_text(probe.name, encoding="utf-8")
        try:
            asked: dict[Any, Json] = {}
            for node in [node for node in self._nodes() if node["Resources"].get("CPU")]:
                there = look.options(scheduling_strategy=affinity(node["NodeID"], soft=False))
                asked[there.remote(probe, read)] = node
            ours, shared = versions(), self.shared
            for answer, node in asked.items():
                try:
                    theirs, lacking = self.ray.get(answer, timeout=ANSWERED)
                    fault, shared = difference(ours, theirs), shared and not lacking
                except self.ray.exceptions.RayError as error:
                    if node["NodeID"] not in {other["NodeID"] for other in self._nodes()}:
                        continue  # it was lost already: a cluster takes some seconds to notice that
                    ran = isinstance(error, self.ray.exceptions.RayTaskError)
                    mend = (
                        "install Bakeoff there as it is here" if ran else "start Ray there anew, or repeat the command"
                    )
                    fault = f"does not answer ({_last_line(error)}): {mend}"
                if fault:
                    raise UserError(f"node {node['NodeManagerAddress']} {fault}", status=1)
        finally:
            probe.unlink(missing_ok=True)
        from bakeoff.executors.apart import Apart  # noqa: PLC0415 (it is made of this class)

        return self if shared else Apart(self.ray, packed(), self.share)

    @property
    def environment(self) -> dict[str, str]:
        """What is passed on to the nodes."""
        passed = {name: value for name, value in os.environ.items() if name.startswith("BAKEOFF_")}
        # Ray hides only those GPUs that are reserved for others.
        return passed if self.share["num_gpus"] else passed | {"CUDA_VISIBLE_DEVICES": ""}

    def submit(self, task: Task) -> None:
        """Have a node start a task as soon as it has room."""
        self.progress[task] = Progress.begun(task)
        self.active[self.task.options(**self.share).remote(task, self.environment)] = task

    def poll(self) -> list[tuple[Task, Json | Ended]]:
        """What was written since the last look, and how one ended, if one did."""
        ended, _ = self.ray.wait(list(self.active), timeout=LOOK)
        over = {ref: self.active[ref] for ref in ended}
        looked_at = over.values()
        if time.monotonic() - self.looked >= LOOK:
            self.looked, looked_at = time.monotonic(), self.active.values()
        said: list[tuple[Task, Json | Ended]] = [(task, line) for task in looked_at for line in self.progress[task]]
        for ref, task in over.items():
            said.append((task, self._said(ref)))
            self.active.pop(ref)
            self.progress.pop(task).path.unlink(missing_ok=True)
        return said

    def cancel(self) -> None:
        """Kill what is at work: a task that waits for its worker hears nothing else; a worker ends with its task."""
        for ref in self.active:
            self.ray.cancel(ref, force=True)
        if self.active:
            self.ray.wait(list(self.active), num_returns=len(self.active), timeout=STOPPED)

    def _said(self, ref: Any) -> Json | Ended:  # noqa: ANN401 (Ray's own)
        try:
            message: Json = self.ray.get(ref)
        except self.ray.exceptions.OutOfMemoryError:
            return Ended("out of memory: Ray killed it, as its node had hardly any left")
        except self.ray.exceptions.RayError as error:
            return Ended(f"lost on the cluster: {_last_line(error)}", for_good=False)
        return message

    def _nodes(self) -> list[Json]:
        return [node for node in self.ray.nodes() if node["Alive"]]


def _look(probe: Path, read: Sequence[Path]) -> tuple[Json, list[str]]:
    """This node's versions, and what it does not see or cannot write."""
    seen = probe.is_file() and probe.read_text(encoding="utf-8") == probe.name and os.access(probe.parent, os.W_OK)
    return versions(), [*([] if seen else [str(probe.parent)]), *unseen(read)]


def _require_reachable(address: str | None) -> None:
    """See at once whether anything like a cluster listens, where Ray would try for long."""
    host, _, port = (address or "").rpartition(":")
    if "://" in (address or ""):
        raise ValueError("run the command on one of its nodes, and give --address as HOST:PORT")
    if host and port.isdecimal():
        try:
            with socket.create_connection((host, int(port)), REACHED) as server:
                server.settimeout(REACHED)
                server.sendall(GREETING)
                answer = server.recv(len(SETTINGS_FRAME))
        except OSError as error:
            raise ConnectionError(f"{error.strerror or error}: start one with `ray start --head`") from None
        if answer[3:4] != SETTINGS_FRAME[3:4] and os.environ.get("RAY_USE_TLS") != "1":
            raise ConnectionError("what listens there is no Ray cluster: give the port of `ray start`, 6379 by default")


def _last_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()
