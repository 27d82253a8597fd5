"""A text that is large against the memory: making it ready takes what is looked for before, and training starts."""

import os
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest

from bakeoff import costs
from bakeoff.run_folder import FINISHED
from bakeoff.study_folder import StudyFolder

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="it reads Linux's measures")]
#: What the command does before anything is trained, and the most memory that this takes above the process's own.
PREPARING = """
import resource, sys
import psutil
from bakeoff import runner
from bakeoff.data import corpora
from bakeoff.experiments import QUICK
study, before = QUICK.with_shared(corpus=corpora.choose(sys.argv[1])), psutil.Process().memory_info().rss
runner.prepare(study.corpus, study.budget)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before)
"""
STUDY = """
from bakeoff.data import corpora
from bakeoff.models import LSTM
from bakeoff.optimizers import Adam
from bakeoff.spec import Budget, Study

budget = Budget(epochs=1, epoch_steps=20, batch_size=16, sequence_length=32, vocabulary=2048)
study = Study.of("large", corpus=corpora.choose("large.txt"), budget=budget,
                 contenders=[(LSTM(hidden=16), Adam(lr=1e-3))])
"""
WORDS = 1 << 17


def write_text(path, size):
    """Words of which, as in languages, few are frequent and short, and every part of the text has new ones."""
    generator = np.random.default_rng(0)
    with path.open("w") as file:
        while file.tell() < size:
            ranks, places = np.unique(generator.zipf(1.2, WORDS) % (1 << 40), return_inverse=True)
            words = np.array([word(rank + 100) for rank in ranks.tolist()])[places]
            file.writelines(" ".join(words[first : first + 80]) + "\n\n" for first in range(0, WORDS, 80))
    return path


def word(rank):
    letters = []
    while rank:
        rank, letter = divmod(rank, 20)
        letters.append("etaoinshrdlcumwfgypb"[letter])
    return "".join(letters)


def test_memory_and_disk_are_what_is_looked_for_before(tmp_path):
    text, cache = write_text(tmp_path / "text.txt", 3_000_000), tmp_path / "cache"
    memory, disk = costs.room(text.stat().st_size)
    environment = os.environ | {"BAKEOFF_CACHE": str(cache)}
    told = subprocess.run([sys.executable, "-c", PREPARING, text], env=environment, capture_output=True, check=True)
    assert int(told.stdout) == pytest.approx(memory, rel=1 / 3)
    assert sum(path.stat().st_size for path in cache.rglob("*") if path.is_file()) == pytest.approx(disk, rel=1 / 3)


def test_a_large_text_is_trained_on_in_bounded_memory(tmp_path):
    """All processes together, a page that several have counted once."""
    write_text(tmp_path / "large.txt", 60_000_000)
    (tmp_path / "study.py").write_text(STUDY)
    command = [sys.executable, "-m", "bakeoff", "run", "study.py", "--no-report"]
    environment = os.environ | {"BAKEOFF_CACHE": str(tmp_path / "cache")}
    most = 0
    with subprocess.Popen(command, cwd=tmp_path, env=environment) as running:
        while running.poll() is None:
            most = max(most, held(running.pid))
            time.sleep(0.1)
    (study,) = (StudyFolder(path.parent) for path in tmp_path.rglob("study.json"))
    (run,) = (run for *_, run in study.declared_runs())
    assert run.status == FINISHED
    assert most < 1_600_000_000


def held(pid):
    """Bytes of memory that a process and all that it started hold."""
    together = 0
    for process in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
        try:
            together += process.memory_full_info().pss
        except psutil.Error:  # it has ended
            continue
    return together
