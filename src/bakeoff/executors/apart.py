"""Tasks on nodes of a Ray cluster that do not see the driver's files.

What all runs read (a text, its tokens, a study file) is sent to each node once. A run's folder goes with its task, as
far as the run has come, and comes back when it ends, and now and then before: so little is lost with a node, or with a
command that is stopped.
"""

import contextlib
import hashlib
import importlib
import json
import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from filelock import Timeout

from bakeoff.data.cache import cache_folder, remove_old_leftovers
from bakeoff.errors import UserError
from bakeoff.executors import Ended, Task, require_there
from bakeoff.executors import node as nodes
from bakeoff.executors.node import LOOK, Progress
from bakeoff.executors.ray import RETRIES, STOPPED, Ray
from bakeoff.files import TEMPORARY
from bakeoff.folders import new_folder, write_together
from bakeoff.locks import lease_at, lock_at
from bakeoff.run_folder import LEFT, LOG
from bakeoff.shapes import Json

#: Contents of files, by their paths in the folder that they are to lie in.
Files = Mapping[str, bytes]
#: The fewest seconds between two times that a run's folder comes back, which it does when there is a new checkpoint.
EVERY = 60.0
#: Where in a node's folder lies what a cache would have.
CACHE = Path("cache")
#: What of a run's folder is sent. A checkpoint is read before the weights that it speaks of, which stay until the next.
SENT = (
    *("checkpoint.safetensors", "best.safetensors", "earlier.safetensors", "spec.json"),
    *(*LEFT, LOG, "summary.json"),
)


class Apart(Ray):
    """The driver's end: sends what tasks need, and keeps what comes back.

    Args:
        ray: The module.
        files: What all runs read, by where they look for it.
        share: What each run gets of a node, which is the same for all studies on these nodes.
    """

    sends = True

    def __init__(self, ray: Any, files: Files, share: Json) -> None:  # noqa: ANN401 (the module, which need not be there)
        super().__init__(ray)
        self.share = share
        # What is lost is begun anew here, with what has come back of it.
        options = {"max_calls": 1, "max_retries": 0, "num_returns": "streaming", "scheduling_strategy": "SPREAD"}
        self.task = ray.remote(**options)(work)
        self.name = _checksum(files)
        self.packed = [ray.put(dict(files))]  # in a list, so that only a node that has not got them fetches them
        self.tries = Counter[Task]()
        #: Locks and claims of runs, held here for their workers: others see that they are at work, and leave them.
        self.held: dict[Task, contextlib.ExitStack] = {}

    def submit(self, task: Task) -> None:
        """Have a node start a task as soon as it has room, from where its folder is."""
        self.tries[task] += 1
        if task not in self.held:
            self.held[task] = _hold(task.folder)
        given = task.line, self.environment, self.name, self.packed, read(task.folder), EVERY
        self.active[self.task.options(**self.share).remote(*given)] = task

    def poll(self) -> list[tuple[Task, Json | Ended]]:
        """What the nodes have said since the last look; their files are kept."""
        self.ray.wait(list(self.active), timeout=LOOK)
        ready, _ = self.ray.wait(list(self.active), num_returns=len(self.active), timeout=0)
        said: list[tuple[Task, Json | Ended]] = []
        for stream in ready:
            task, message = self.active[stream], self._said(next(stream))
            require_there(task.folder)
            if not isinstance(message, Ended) and message["event"] == "files":
                write(task.folder, message["files"])
                continue
            if isinstance(message, Ended) and not message.for_good and self.tries[task] <= RETRIES:
                del self.active[stream]
                self.submit(task)
                message = {"event": "note", "text": f"begun again on another node: {message.why}"}
            elif isinstance(message, Ended) or message["event"] == "end":
                del self.active[stream]
                self.held.pop(task).close()
            said.append((task, message))
        return said

    def cancel(self) -> None:
        """Kill what is at work; what has come back of it stays, and others may go on with it."""
        super().cancel()
        for held in self.held.values():
            held.close()
        self.held.clear()
        self.active.clear()


def _hold(folder: Path) -> contextlib.ExitStack:
    """The lock of a run, and its claim for where locks do not hold, as its worker would have them.

    Raises:
        UserError: Another process has one.
    """
    with contextlib.ExitStack() as held:
        for each in (lock_at(folder / "run.lock"), lease_at(folder / "run.claim")):
            try:
                held.enter_context(each.acquire(timeout=STOPPED))
            except Timeout as error:
                raise UserError(f"another process is at work on {folder}: wait until it has ended", status=1) from error
        return held.pop_all()


def _checksum(files: Files) -> str:
    told = hashlib.sha256()
    for name, content in sorted(files.items()):
        told.update(f"{name} {hashlib.sha256(content).hexdigest()}\n".encode())
    return told.hexdigest()[:24]


def read(folder: Path) -> dict[str, bytes]:
    """What is sent of a run's folder, as far as it is there."""
    found = {}
    for name in SENT:
        if not (path := folder / name).is_symlink():
            with contextlib.suppress(FileNotFoundError):  # a run at work also removes some
                found[name] = path.read_bytes()
    return found


def write(folder: Path, files: Files) -> None:
    """Make a run's folder what was sent of another, so that a checkpoint is never beside others' weights.

    Only the names that are sent count; the summary comes last, as with it the run is over.
    """
    write_together(folder, files, SENT)


# --- on a node --------------------------------------------------------------------------------------------------------


def work(  # noqa: PLR0913, PLR0917 (what a node has to be told of)
    line: str, environment: dict[str, str], name: str, packed: Sequence[Any], files: Files, every: float
) -> Iterator[Json]:
    """Do a run, and say what it says; in between and in the end its files, and last how it ended.

    Args:
        line: What its worker is given, but for its folder.
        environment: What the worker's has beside this process's.
        name: Stands for what all runs read.
        packed: Ray's reference to it.
        files: Of the run's folder so far.
        every: The fewest seconds after which its files are said again, once there is a new checkpoint.
    """
    here = _unpacked(name, packed)
    os.chdir(here)
    with tempfile.TemporaryDirectory(prefix=TEMPORARY, dir=here) as given, ThreadPoolExecutor(1) as pool:
        folder = Path(given)
        write(folder, files)
        task = Task(folder, json.dumps(json.loads(line) | {"folder": given}))
        progress, sent = Progress.begun(task), time.monotonic()
        ending = pool.submit(nodes.work, task, environment | {"BAKEOFF_CACHE": str(here / CACHE)})
        fresh = False
        while not ending.done():
            wait([ending], LOOK)
            for message in progress:
                yield message
                fresh |= message["event"] == "checkpoint"
            if fresh and time.monotonic() - sent >= every:
                fresh, sent = False, time.monotonic()
                yield {"event": "files", "files": read(folder)}
        yield from progress
        yield {"event": "files", "files": read(folder)}
        yield ending.result()


def _unpacked(name: str, packed: Sequence[Any]) -> Path:
    """This node's folder with what all runs read, filled unless an earlier task has done that."""
    folder = cache_folder() / "apart" / name
    folder.parent.mkdir(parents=True, exist_ok=True)
    with lock_at(folder.with_name(f"{name}.lock")):
        if not folder.is_dir():
            remove_old_leftovers()
            with new_folder(folder) as new:
                for path, content in importlib.import_module("ray").get(packed[0]).items():
                    (new / path).parent.mkdir(parents=True, exist_ok=True)
                    (new / path).write_bytes(content)
    return folder
