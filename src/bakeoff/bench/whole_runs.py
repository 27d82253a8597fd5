"""Whole runs of `quick`, from the start of a process to its end: Bakeoff's own, and a peer's that does the same work.

The same text, batches, epochs and evaluations; importing, starting and compiling are in.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bakeoff import data
from bakeoff.bench import contenders
from bakeoff.bench.cases import CASES, ITSELF, Workload
from bakeoff.bench.rounds import entry
from bakeoff.bench.turns import OWN
from bakeoff.data import Tokens
from bakeoff.data.sequences import TokenStream
from bakeoff.experiments import QUICK
from bakeoff.job import Job
from bakeoff.machine import resolve_precision
from bakeoff.shapes import Json
from bakeoff.spec import Budget, Run
from bakeoff.threads import waiting
from bakeoff.training import token_nats

CPU = torch.device("cpu")
#: For each of the cases at the size of `quick`: the peer that has the most users.
PEERS = {0: "trainer", 1: "word-lm"}


def compare(index: int, threads: int, rounds: int, epochs: int, tell: Callable[[str], None]) -> list[Json]:
    """Time a case of `quick` from end to end: entries as `rounds.compete` gives, for Bakeoff itself and for a peer.

    Args:
        index: The case's place in `CASES`.
        threads: Of every process.
        rounds: Whole runs of each.
        epochs: Of every run.
        tell: Told what is under way.
    """
    case, peer = CASES[index], PEERS[index]
    own = _run(case, threads, epochs)
    tokens = data.prepare(own.corpus, own.budget)  # so that both find it in the cache
    trained = tokens.splits["train"].targets * epochs
    runs = {OWN: partial(_own, own), ITSELF: partial(_own, own), peer: partial(_peer, index, threads, epochs)}
    speeds: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds):
        for name, run in runs.items():
            tell(f"{case.name}, end to end: round {number + 1} of {rounds}, {name}")
            started = time.perf_counter()
            run()
            speeds[name].append(trained / (time.perf_counter() - started))
    title = f"{case.architecture.title}, quick, end to end"
    return [entry(title, speeds, name) | {"loss": None, "peer_loss": None} for name in (ITSELF, peer)]


def _run(case: Workload, threads: int, epochs: int) -> Run:
    study = QUICK.with_shared(epochs=epochs, threads=threads, precision=resolve_precision("auto", CPU))
    return next(run for run in study.runs if run.architecture == case.architecture)


def _own(run: Run) -> None:
    """A run as the runner starts it; its input stays open until it has ended."""
    with tempfile.TemporaryDirectory() as folder:
        job = Job(run=run, folder=Path(folder), device="cpu", alone=True)
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        command, environment = [sys.executable, "-P", "-m", "bakeoff.worker"], waiting() | os.environ
        with subprocess.Popen(command, text=True, env=environment, **pipes) as process:
            assert process.stdin is not None, "its input is a pipe"
            process.stdin.write(job.to_line() + "\n")
            process.stdin.flush()
            _require(process.wait(), "bakeoff.worker")


def _peer(index: int, threads: int, epochs: int) -> None:
    command = [sys.executable, "-m", "bakeoff.bench.whole_runs", str(index), str(threads), str(epochs)]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    _require(subprocess.run(command, capture_output=True, check=False, env=environment).returncode, command[2])


def _require(status: int, what: str) -> None:
    if status:
        raise RuntimeError(f"{what} ended with status {status}")


def main() -> None:
    """Be the peer in one whole run."""
    index, threads, epochs = map(int, sys.argv[1:])
    torch.set_num_threads(threads)
    run = _run(CASES[index], threads, epochs)
    tokens = data.prepare(run.corpus, run.budget)
    {"trainer": _trainer, "word-lm": _word_lm}[PEERS[index]](CASES[index], tokens, epochs)


def _trainer(case: Workload, tokens: Tokens, epochs: int) -> None:
    train, sample, valid = (
        contenders.examples(_rows(stream, case.length))
        for stream in (tokens.splits["train"], tokens.train_sample, tokens.splits["valid"])
    )
    settings = {"num_train_epochs": epochs, "eval_strategy": "epoch"}
    contenders.run_trainer(case, settings, train_dataset=train, eval_dataset=[*sample, *valid])


def _rows(stream: TokenStream, length: int) -> contenders.Tokens:
    """A stream's whole sequences."""
    whole = len(stream.tokens_N) // length * length
    return np.asarray(stream.tokens_N[:whole]).reshape(-1, length)


def _word_lm(case: Workload, tokens: Tokens, epochs: int) -> None:
    model = case.architecture.build(case.vocabulary, case.length)
    batches = _epochs(case, model, tokens, epochs)
    contenders.train(batches, lambda loss: None, model, contenders.log_softmax_loss(model))  # noqa: ARG005


def _epochs(case: Workload, model: nn.Module, tokens: Tokens, epochs: int) -> Iterator[tuple[Tensor, Tensor]]:
    """The batches of every epoch, each epoch measured at its end, as Bakeoff's are."""
    train = tokens.splits["train"]
    measured = Budget(sequence_length=case.length, precision="fp32")
    for _ in range(epochs):
        model.train()
        order = np.random.default_rng(contenders.SEED).permutation(train.sequences(case.length))
        for batch in train.batches(order, case.batch_size, case.length):
            yield torch.from_numpy(batch.inputs_BxL), torch.from_numpy(batch.targets_BxL)
        for stream in (tokens.train_sample, tokens.splits["valid"]):
            token_nats(model, stream, measured, CPU)


if __name__ == "__main__":
    main()
