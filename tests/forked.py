# ruff: noqa: PLC0415, T201 (it serves as a program)
"""The command line in forks of one process that has imported everything: a command takes a second, not ten.

In such a process, or in a worker that it starts, one operation that changes a file can fail, or be the last
(`faults.c`). Run as a program, this is that process.
"""

import contextlib
import ctypes
import errno
import functools
import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bakeoff.files import SAFETENSORS_TEMPORARY, TEMPORARY, write_json
from bakeoff.shapes import CHECKSUM

#: What a fault can be, by what `faults.c` takes for it.
FAULTS = {"disk full": errno.ENOSPC, "I/O error": errno.EIO, "killed before": -1, "killed after": -2}
#: Seconds after which a command is taken to hang.
PATIENCE = 120

STUDY = """
from bakeoff.models import LSTM
from bakeoff.optimizers import Adam
from bakeoff.spec import Budget, Corpus, Study

study = Study.of(
    "small",
    corpus=Corpus(name="small", path={corpus!r}),
    budget=Budget(
        epochs=2, epoch_steps=2, batch_size=2, sequence_length=16, vocabulary=260,
        threads=1, precision="fp32", compile=False,
    ),
    contenders=[(LSTM(embedding=8, hidden=8, dropout=0.2), Adam(lr=1e-2))],
)
"""


@dataclass(frozen=True, kw_only=True)
class Done:
    """How a command ended.

    Attributes:
        status: Its exit status; where a signal ended it, that signal's number below 0.
        said: What it printed, on both streams.
        operations: How many changes of files it and its workers made or tried.
        fault: The one that failed; empty where there were fewer.
    """

    status: int
    said: str
    operations: int
    fault: str


class Commands:
    """Runs commands; in a folder, with a cache and runs of the folder's own, where alone operations are counted."""

    def __init__(self, library: Path) -> None:
        environment = os.environ | {"LD_PRELOAD": str(library)}
        environment |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        self.process = subprocess.Popen(
            [sys.executable, __file__, str(library)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def __call__(self, folder: Path, *arguments: str, fault: str = "disk full", at: int = 0) -> Done:
        request = {"folder": str(folder), "arguments": arguments, "fault": FAULTS[fault], "at": at}
        print(json.dumps(request), file=self.process.stdin, flush=True)
        return Done(**json.loads(self.process.stdout.readline()))

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def library(folder: Path) -> Path | None:
    """`faults.c` as a library in that folder; None where that cannot be."""
    compiler, made = shutil.which("cc"), folder / "faults.so"
    if compiler is None or sys.platform != "linux":
        return None
    source = Path(__file__).with_name("faults.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", made, source, "-ldl"], check=True)
    return made


def outcomes(study: Path) -> dict:
    """What each run found, without its seconds, where it was computed, and the bytes of its weights."""
    passing = (CHECKSUM, "commit")  # which changes while somebody works here
    found = {}
    for run in sorted(study.glob("*/seed-*")):
        lines = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
        for measured in (part for line in lines for part in (line, *line["sample"])):
            for key in [key for key in measured if key.endswith("seconds")]:
                del measured[key]
        summary = json.loads((run / "summary.json").read_text())
        assert summary["status"] == "finished"
        measured = summary["test"], summary["with_counts"], summary["windows"], summary["best_epoch"]
        records = [json.loads((run / f"{name}.json").read_text()) for name in ("documents", "texts", "environment")]
        beside = [{key: record[key] for key in record if key not in passing} for record in records]
        found[run.parent.name] = lines, measured, beside, (run / "best.safetensors").read_bytes()
    return found


def leftovers(folder: Path) -> list[Path]:
    """What no command that has ended may leave."""
    patterns = (f"{TEMPORARY}*", f"{SAFETENSORS_TEMPORARY}*", "checkpoint*", "earlier*")
    return [path for pattern in patterns for path in folder.rglob(pattern)]


def unseal(study: Path) -> None:
    """Leave checksums out of the records, so that what they say is judged by itself, as an earlier version's is."""
    for path in study.rglob("*.json"):
        record = json.loads(path.read_text())
        write_json(path, {key: record[key] for key in record if key != CHECKSUM and not key.endswith("_sha256")})


# --- the process ------------------------------------------------------------------------------------------------------


def serve(library: ctypes.CDLL) -> None:
    """Do the commands that standard input names, each in a fork."""
    import torch._dynamo  # noqa: F401 (torch imports it, for seconds, when a module is first built on no device)

    from bakeoff import checkpoints, cli, costs, runner, tuning, worker  # noqa: F401 (forks find them imported)
    from bakeoff.reporting import build  # noqa: F401

    checkpoints.INTERVAL, checkpoints.SHARE = 0.0, 1e9  # one at every step
    costs.keep_freed_memory = worker.keep_freed_memory = lambda: None  # a fork in threads must not change the allocator
    subprocess.Popen = Forked
    library.what.restype = ctypes.c_char_p
    for line in sys.stdin:
        print(json.dumps(_done(library, json.loads(line))), flush=True)


def _done(library: ctypes.CDLL, request: dict) -> dict:
    with tempfile.TemporaryFile("w+") as output:
        if (child := os.fork()) == 0:
            _leave(functools.partial(_command, library, request, output.fileno()))
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        output.seek(0)
        return {
            "status": status,
            "said": output.read(),
            "operations": library.counted(),
            "fault": library.what().decode(),
        }


def _command(library: ctypes.CDLL, request: dict, output: int) -> None:
    from bakeoff import cli

    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output, 1), os.dup2(output, 2)
    signal.alarm(PATIENCE)
    os.chdir(request["folder"])
    os.environ["BAKEOFF_CACHE"] = f"{request['folder']}/disk/cache"
    sys.argv = ["bakeoff", *request["arguments"]]
    library.arm(f"{request['folder']}/disk".encode(), request["fault"], ctypes.c_long(request["at"]))
    cli.main()


def _leave(do) -> None:
    """Do it and end this process, as an interpreter would, without returning to what it was forked from."""
    status = 1
    try:
        do()
        status = 0
    except SystemExit as error:
        status = error.code
    except BaseException:  # noqa: BLE001 (as the interpreter would show it)
        sys.excepthook(*sys.exc_info())
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


class Forked(subprocess.Popen):
    """A process of Bakeoff's own modules, such as a worker, is forked; whatever else is started is started."""

    def _execute_child(self, arguments, *others):
        if "-m" not in arguments or not arguments[3].startswith("bakeoff."):
            super()._execute_child(arguments, *others)
            return
        passed, pipes = others[3], others[9:15]  # by the order of what the interpreter's own method takes
        self.pid = os.fork()
        if not self.pid:
            _leave(functools.partial(_module, arguments[3:], (pipes[0], pipes[3], pipes[5]), passed))
        self._child_created = True
        self._close_pipe_fds(*pipes)


def _module(arguments: list[str], streams: tuple[int, int, int], passed: tuple[int, ...]) -> None:
    os.setsid()
    for standard, handle in enumerate(streams):
        os.dup2(handle, standard)
    for handle in {*range(3, 256)} - {*passed}:
        with contextlib.suppress(OSError):  # most are not open
            os.close(handle)
    sys.argv, sys.stdin = arguments, open(0, closefd=False)  # noqa: SIM115 (stays open)
    importlib.import_module(arguments[0]).main()


if __name__ == "__main__":
    serve(ctypes.CDLL(sys.argv[1]))
