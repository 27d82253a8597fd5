"""Contenders taking turns: each lives in a process of its own, and steps only when it is told to.

A process reads how many steps to do, does them, and answers with what they took; while it waits it uses no processor.
So all of them meet the same moods of the machine, and nobody pays for starting.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from typing import Self, TextIO

import torch

from bakeoff.bench import contenders, products
from bakeoff.bench.cases import ITSELF, Workload
from bakeoff.identity import decode, encode
from bakeoff.machine import resolve_precision
from bakeoff.models import ARCHITECTURES
from bakeoff.shapes import Json
from bakeoff.threads import waiting

OWN, LIMIT = "bakeoff", "limit"
#: Those whose threads wait as a run's do; the others are as their users start them.
AS_A_RUN = (OWN, LIMIT, ITSELF, "compiled", "linear-ce")
#: What a case on the command line is made of.
KINDS: dict[str, type] = {Workload.__name__: Workload} | {kind.__name__: kind for kind in ARCHITECTURES.values()}


class Turns:
    """Counts a contender's steps; at the end of each turn it answers, and waits for the next."""

    def __init__(self, orders: TextIO, answers: TextIO) -> None:
        self.orders, self.answers = orders, answers
        self.begin()

    def begin(self) -> None:
        """Wait for the next turn; where none comes any more the process ends here."""
        if not (order := self.orders.readline().strip()):
            os._exit(0)
        self.steps = self.left = int(order)
        self.losses = 0.0
        self.started, self.computed = time.perf_counter(), time.process_time()

    def stepped(self, loss: float) -> None:
        """Take note of one step."""
        self.left -= 1
        self.losses += loss
        if self.left == 0:
            self.answer(time.perf_counter() - self.started, self.losses / self.steps)
            self.begin()

    def answer(self, seconds: float, loss: float | None) -> None:
        """Say what the turn took, and the processor seconds of all threads."""
        told = {"seconds": seconds, "processor_seconds": time.process_time() - self.computed, "loss": loss}
        print(json.dumps(told), file=self.answers, flush=True)


class EndedError(RuntimeError):
    """A contender's process has ended when its turn was to come; the last line that it said is the reason."""


class Contestant:
    """A contender's process, seen from outside."""

    def __init__(self, name: str, case: Workload, threads: int) -> None:
        self.name = name
        as_a_run = waiting() if name in AS_A_RUN else {}
        self.said = tempfile.TemporaryFile()  # noqa: SIM115 (until it exits)
        environment = as_a_run | os.environ | {"OMP_NUM_THREADS": str(threads)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bakeoff.bench.turns", name, json.dumps(encode(case)), str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.said,
            text=True,
            env=environment,
        )

    def turn(self, steps: int) -> Json:
        """Have it do some steps; what they took.

        Raises:
            EndedError: It cannot do them.
        """
        assert self.process.stdin is not None, "its input is a pipe"
        assert self.process.stdout is not None, "its output is a pipe"
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(f"{steps}\n")
            self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            status = self.process.wait()
            self.said.seek(0)
            last = self.said.read().decode(errors="replace").strip().rpartition("\n")[2]
            raise EndedError(f"{self.name} ended with status {status}: {last}")
        answer: Json = json.loads(line)
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.process.kill()
        with self.said, contextlib.suppress(BrokenPipeError), self.process:
            self.process.wait()


def main() -> None:
    """Be the contender that the command line names."""
    name, case, threads = sys.argv[1], decode(json.loads(sys.argv[2]), KINDS), int(sys.argv[3])
    # Whatever a library prints goes to standard error; only answers go to the parent.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    torch.set_num_threads(threads)
    turns = Turns(sys.stdin, answers)
    if name == LIMIT:
        _be_the_limit(case, turns)
    contender = contenders.bakeoff if name == OWN else contenders.PEERS[name]
    contender(case, turns.stepped)


def _be_the_limit(case: Workload, turns: Turns) -> None:
    """Do nothing but the products of a step, each timed at its own shape."""
    precision = resolve_precision("auto", torch.device("cpu"))
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    while True:
        turns.answer(products.seconds(case, dtype) * turns.steps, None)
        turns.begin()


if __name__ == "__main__":
    main()
