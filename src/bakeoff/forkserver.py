"""Workers start at once: a server has imported all that a run needs, and forks a process for each.

Torch and its compiler take seconds to import. The server does that once for all runs of a command, and computes
nothing: threads and the state of a library that was used do not survive a fork. A worker's parent is the command, not
the server, whose end therefore costs no run; exit statuses come as of any child.

`multiprocessing` has such a server too. Its children are the server's own, and it gives them the command's import path,
with the user's folder in it.
"""

import atexit
import contextlib
import ctypes
import functools
import gc
import math
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import psutil
import torch

from bakeoff import provenance, worker
from bakeoff.executors.local import Child, started_anew

#: Of `prctl`, by linux/prctl.h: whose parent is gone becomes this process's child.
PR_SET_CHILD_SUBREAPER = 36
#: The longest messages: to the server, a folder; from it, a process's number.
FOLDER_BYTES, NUMBER_BYTES = 4096, 16
#: Seconds that a server may take to import and fork, and after which it is looked at in between.
PATIENCE, LOOK = 300.0, 1.0


class ForkServer:
    """The command's end: a server, once it is needed, and a new one where that has ended.

    Args:
        device: Where the runs compute. Only on Linux, and only where no GPU is used, are they forked.
    """

    def __init__(self, device: torch.device) -> None:
        self.forks = device.type == "cpu" and sys.platform == "linux" and _adopt_orphans()
        self.server: subprocess.Popen[bytes] | None = None
        self.started: Mapping[str, str] = {}

    def start(self, environment: Mapping[str, str], log: IO[str]) -> Child:
        """A worker in that environment and this process's folder, which writes whatever is printed into the log."""
        forked = self._fork(environment, log) if self.forks else None
        return forked or started_anew(environment, log)  # which tells in its log why no server could be had

    def close(self) -> None:
        """End the server; its workers go on."""
        if self.server is not None:
            self.control.close()
            self.server.kill()  # it may be importing, and has nothing to lose
            self.server.wait()
            self.server = None

    def _fork(self, environment: Mapping[str, str], log: IO[str]) -> Child | None:
        self._serve(environment, log)
        with contextlib.ExitStack() as theirs, contextlib.ExitStack() as ours:
            (to_read, stdin), (stdout, to_write) = os.pipe(), os.pipe()
            for stack, descriptor in ((theirs, to_read), (theirs, to_write), (ours, stdin), (ours, stdout)):
                stack.callback(os.close, descriptor)
            try:
                socket.send_fds(self.control, [os.fsencode(Path.cwd())], [to_read, to_write, log.fileno()])
                number = self._answer()
            except ConnectionError:
                number = b""
            if not number:  # it has ended, is stopped, or hangs
                self.close()
                return None
            ours.pop_all()
            return Child(process=psutil.Process(int(number)), stdin=os.fdopen(stdin, "w"), stdout=os.fdopen(stdout))

    def _answer(self) -> bytes:
        """The number of the worker that it forks; nothing if it is stopped, as somebody may a process, or hangs."""
        for _ in range(math.ceil(PATIENCE / LOOK)):  # looks, not seconds: this process may be suspended meanwhile
            with contextlib.suppress(TimeoutError):
                return self.control.recv(NUMBER_BYTES)
            if self.server is None or psutil.Process(self.server.pid).status() == psutil.STATUS_STOPPED:
                break
        return b""

    def _serve(self, environment: Mapping[str, str], log: IO[str]) -> None:
        """See that there is a server of that environment, as what it says of threads is read when torch is imported."""
        if self.server is not None and self.server.poll() is None and self.started == environment:
            return
        self.close()
        self.started = dict(environment)
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.settimeout(LOOK)
        with theirs:
            self.server = subprocess.Popen(
                [sys.executable, "-P", "-m", "bakeoff.forkserver", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )


@functools.cache
def shared_server(device: torch.device) -> ForkServer:
    """The server of all studies that this process runs one after the other; it ends with it."""
    server = ForkServer(device)
    atexit.register(server.close)
    return server


def _adopt_orphans() -> bool:
    """Become the parent of descendants whose parents end; whether the system can do that."""
    return bool(ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)


def main() -> None:
    """Be the server, until the command closes its end or dies; or, after a fork, the worker."""
    gc.disable()  # what is imported is kept, and looking for garbage among it takes a fifth of the time
    import torch._dynamo  # noqa: F401, PLC0415 (as building an optimizer does; the command may have nothing to run)

    control = socket.socket(fileno=int(sys.argv[1]))
    provenance.imported()
    gc.freeze()  # a collection would write to what is shared with the children
    gc.enable()
    while True:
        folder, descriptors, _, _ = socket.recv_fds(control, FOLDER_BYTES, 3)
        if not folder:
            return
        if _forked(control):
            break
        for descriptor in descriptors:
            os.close(descriptor)
    control.close()
    os.setsid()
    os.chdir(folder)
    for standard, descriptor in enumerate(descriptors):
        os.dup2(descriptor, standard)
        os.close(descriptor)
    worker.main()


def _forked(control: socket.socket) -> bool:
    """Fork a worker whose parent is the command, and tell that its number; whether this is the worker."""
    told, tell = os.pipe()
    if not (between := os.fork()):
        if not (number := os.fork()):
            os.close(told)
            os.close(tell)
            return True
        os.write(tell, b"%d" % number)
        os._exit(0)
    os.waitpid(between, 0)  # from now on the command is the worker's parent
    control.send(os.read(told, NUMBER_BYTES))
    os.close(told)
    os.close(tell)
    return False


if __name__ == "__main__":
    main()
