"""Random kills of workers and of the command itself, and the results of an undisturbed study all the same."""

import contextlib
import os
import random
import subprocess
import sys
import time

import psutil
import pytest

from forked import leftovers, outcomes

STUDY = """
from bakeoff import checkpoints
from bakeoff.models import GPT1, LSTM
from bakeoff.optimizers import Adam, Momentum
from bakeoff.spec import Budget, Study
from bakeoff.data.corpora import choose

checkpoints.INTERVAL, checkpoints.SHARE = 0.05, 1e9  # about half of the time goes to writing them

# Workers execute this file, and so write checkpoints as it says, only for classes of its own.
class Recurrent(LSTM):
    name, title = "recurrent", "Recurrent"

class Attending(GPT1):
    name, title = "attending", "Attending"

study = Study.of(
    "storm",
    corpus=choose({corpus!r}),
    # Nothing is left to what a machine is found to gain by: two starts may find differently.
    budget=Budget(
        epochs=20,
        batch_size=2,
        sequence_length=16,
        vocabulary=300,
        threads=1,
        precision="fp32",
    ),
    contenders=[
        (Recurrent(layers=2, embedding=32, hidden=32, dropout=0.2), Adam(lr=1e-2)),
        (Attending(width=32, heads=2, dropout=0.2), Momentum(lr=0.1)),
    ],
)
"""


def start(folder, out):
    command = [sys.executable, "-m", "bakeoff", "run", "storm.py", "--no-report", "--out", out]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def workers_in(folder):
    """Workers, and the server that forks them."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(folder) and "bakeoff.forkserver" in process.cmdline():
                found.append(process)
        except psutil.Error:
            continue
    return found


def kill_one(folder, parent, chance):
    """Kill the command or one of its workers; whether there was anything to kill."""
    workers = workers_in(folder)
    victim = chance.choice([parent, *workers])
    if victim.poll() is None if victim is parent else victim.is_running():
        victim.kill()
        return True
    return False


def wait_for_work(out, parent, since):
    """Until a run is trained, which its checkpoints tell: importing takes longer than training may."""

    def trained():
        with contextlib.suppress(FileNotFoundError):  # it goes when its run ends
            return any(path.stat().st_mtime > since for path in out.rglob("checkpoint.safetensors"))
        return False

    while parent.poll() is None and not trained():
        time.sleep(0.05)


def storm(folder, out, kills, chance):
    """Repeat the command, killing at random moments, until all is finished; how many of the kills were not needed."""
    left = kills
    while True:
        parent, since = start(folder, out), time.time()
        while left and parent.poll() is None:
            if chance.random() < 0.9:  # else it may hit the command while it is starting
                wait_for_work(folder / out, parent, since)
            time.sleep(chance.uniform(0.0, 2.0))
            left -= kill_one(folder, parent, chance)
            since = time.time()
        if parent.wait() == 0:
            return left


@pytest.mark.slow
def test_a_hundred_kills_change_nothing(tmp_path, tiny_corpus_file):
    """As many storms as that many kills take, each over a study of its own."""
    (tmp_path / "storm.py").write_text(STUDY.format(corpus=str(tiny_corpus_file)))
    assert start(tmp_path, "calm").wait() == 0
    calm, chance, storms = outcomes(tmp_path / "calm" / "storm"), random.Random(1), 0  # noqa: S311 (no secret)
    assert len(calm) == 2
    kills = int(os.environ.get("BAKEOFF_KILLS", "100"))
    while kills:
        kills, storms = storm(tmp_path, f"storm-{storms}", kills, chance), storms + 1
    time.sleep(1)
    assert workers_in(tmp_path) == []
    for number in range(storms):
        stormy = tmp_path / f"storm-{number}" / "storm"
        assert leftovers(stormy) == []
        assert outcomes(stormy) == calm
