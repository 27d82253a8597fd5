"""What a node of a cluster does: a run, in a process of its own, and what it writes for the driver meanwhile.

A node and its driver share the study's folder. Results are files there, and messages lines of a file beside them.
"""

import contextlib
import json
import os
import platform
import time
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path

from bakeoff import provenance
from bakeoff.executors import Task, do
from bakeoff.executors.local import Local, started_anew
from bakeoff.run_folder import RunFolder
from bakeoff.shapes import Json

#: Seconds between two looks at what the nodes have written, and between two steps that a node writes of.
LOOK = 1.0
#: What the results depend on, beside Python and the package itself.
PACKAGES = ("torch", "numpy", "tokenizers")


class Progress:
    """The messages in a file that another machine writes on: a line each, whole ones only."""

    def __init__(self, path: Path) -> None:
        self.path, self.read = path, 0

    def __iter__(self) -> Iterator[Json]:
        with contextlib.suppress(FileNotFoundError), self.path.open("rb") as file:  # opened anew, or a share shows old
            file.seek(self.read)
            for line in file:
                if line.endswith(b"\n"):
                    self.read += len(line)
                    with contextlib.suppress(ValueError):  # a node was lost while it wrote, and another wrote on
                        yield json.loads(line)

    @classmethod
    def begun(cls, task: Task) -> "Progress":
        """That of a task that is about to begin: nothing yet."""
        progress = cls(RunFolder(task.folder).progress)
        progress.path.unlink(missing_ok=True)
        return progress


def say(task: Task, message: Json) -> None:
    """Write a message for the driver; where that fails, nothing but what is shown is lost."""
    with contextlib.suppress(OSError), RunFolder(task.folder).progress.open("a", encoding="utf-8") as file:
        file.write(json.dumps(message) + "\n")


def work(task: Task, environment: dict[str, str], mark: Json | None = None) -> Json:
    """Do one task in a process of this node; how that ended.

    Args:
        task: What to do.
        environment: What its process has beside this one's.
        mark: Is added to each message.
    """
    os.environ.pop("OMP_NUM_THREADS", None)  # which the cluster has set; a run has its own threads
    os.environ.update(environment)
    ending, wrote = Json(), 0.0

    def tell(_: Task, message: Json) -> None:
        nonlocal wrote
        if message["event"] == "end":
            ending.update(message)
        elif message["event"] != "step" or time.monotonic() - wrote >= LOOK:
            wrote = time.monotonic()
            say(task, message | (mark or {}))

    tell(task, {"event": "note", "text": f"on {platform.node()}"})
    do([task], Local(started_anew), 1, tell)
    return ending


def unseen(paths: Iterable[Path]) -> list[str]:
    """Which of these this machine does not see."""
    return [str(path) for path in paths if not path.exists()]


def versions() -> Json:
    """What decides the bits that a machine computes, as far as software does."""
    code = {name: value for name, value in provenance.code().items() if name != "commit"}
    return {**code, "python": platform.python_version(), **{name: version(name) for name in PACKAGES}}


def difference(ours: Json, theirs: Json) -> str | None:
    """Why a node would not compute what this machine does, and what mends it; None if it would."""
    if others := [name for name in ours if theirs.get(name) != ours[name]]:
        name = others[0]
        return f"has {name} {theirs.get(name)}, and this machine {ours[name]}: install the same on both"
    return None
