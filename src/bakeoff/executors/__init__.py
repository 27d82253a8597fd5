"""Where runs are done: in processes of this machine, or on many. An executor starts a task, and passes on what it says.

A task is one missing run. Its results are files, so nothing else has to come back.
Nothing here imports torch: on the nodes of a cluster this is what starts the worker, which does.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bakeoff.errors import UserError
from bakeoff.folders import settle
from bakeoff.run_folder import FAILED, RunFolder
from bakeoff.shapes import Json


@dataclass(frozen=True)
class Task:
    """A run to do.

    Attributes:
        folder: Where it is recorded.
        line: What its worker is given on standard input.
    """

    folder: Path
    line: str


@dataclass(frozen=True)
class Ended:
    """A task is over.

    Attributes:
        why: What has to be said if it left no record of how.
        for_good: Whether it would end so again; it was lost otherwise.
    """

    why: str
    for_good: bool = True


class Executor(Protocol):
    """Does tasks, several at a time if it is given several."""

    def submit(self, task: Task) -> None:
        """Start a task, or have it start as soon as there is room."""

    def poll(self) -> Iterable[tuple[Task, Json | Ended]]:
        """What tasks have said since, in order; waits a while if that is nothing.

        The last of a task is `Ended`, or a message of the event "end" where its end has been recorded and told already.
        """

    def cancel(self) -> None:
        """Stop whatever is at work."""


class Cluster(Executor, Protocol):
    """An executor on other machines.

    Attributes:
        sends: Whether it sends files there and back, as they do not share the study's folder.
    """

    sends: bool

    def device(self, name: str) -> str:
        """The device of that name on its nodes; `auto` is for it to decide.

        Raises:
            UserError: No node has such a device.
        """

    def check(self, folder: Path, read: Sequence[Path], packed: Callable[[], Mapping[str, bytes]]) -> "Cluster":
        """See that tasks can be done there, as far as that can be seen before.

        Args:
            folder: The study's.
            read: What runs read elsewhere.
            packed: Gives the contents of all that they read, by the paths at which their workers look for it where it
                is sent to them.

        Returns:
            What does them: this, or what does them on the same machines without a shared folder.

        Raises:
            UserError: They cannot.
        """

    def reserve(self, threads: int, memory_bytes: int, device: str) -> int:
        """How many tasks can be begun at a time, if each gets so much, as from now on it does.

        Raises:
            UserError: No node has that much.
        """


def do(tasks: Sequence[Task], executor: Executor, at_once: int, tell: Callable[[Task, Json], None]) -> None:
    """Do tasks, so many at once; on an interrupt, stop them and leave what is unfinished to the next time.

    Args:
        tasks: To start in this order.
        executor: Does them.
        at_once: At the most.
        tell: Is told everything that their workers say, and last of each its end.
    """
    waiting, active = deque(tasks), set[Task]()
    try:
        while waiting or active:
            while waiting and len(active) < at_once:
                task = waiting.popleft()
                _begin(RunFolder(task.folder))
                executor.submit(task)
                active.add(task)
            for task, said in executor.poll():
                message = _ending(RunFolder(task.folder), said.why) if isinstance(said, Ended) else said
                if message["event"] == "end":
                    active.remove(task)
                tell(task, message)
    except BaseException:
        executor.cancel()
        raise


def require_there(folder: Path) -> None:
    """See that a folder has not been moved away while a command is at work in it.

    Raises:
        UserError: It is not there.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is gone: repeat the command where it was moved to, or to train it anew", status=1)


def _begin(folder: RunFolder) -> None:
    """Forget how an earlier try failed; what another command has finished meanwhile stays."""
    require_there(folder.path.parent.parent)  # the study's
    folder.path.mkdir(parents=True, exist_ok=True)
    settle(folder.path)
    if (folder.summary or {}).get("status") == FAILED:
        folder.reopen()


def _ending(folder: RunFolder, why: str) -> Json:
    """How a run ended; a worker that could not record that has failed."""
    require_there(folder.path)
    if not folder.ended:
        folder.finish({"status": FAILED, "error": why})
    summary = folder.summary or {}
    if summary["status"] != FAILED:
        folder.tidy()  # one that was killed after its last record left its checkpoint
    return {"event": "end", "status": summary["status"], "error": summary.get("error")}
