"""What a run costs on a Ray cluster beside what it costs here, in processor seconds: other programs change them little.

`python tests/overhead.py` runs the same tiny study both ways, one run at a time, and prints a line for each kind of
process. It looks at the processes five times a second, so each may have taken a fifth of a second more.
"""

import contextlib
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import psutil

RUNS = 4
STUDY = """
from bakeoff.data.corpora import choose
from bakeoff.models import LSTM
from bakeoff.optimizers import Adam
from bakeoff.spec import Budget, Study

study = Study.of(
    "tiny",
    corpus=choose("text.txt"),
    budget=Budget(epochs=1, batch_size=32, sequence_length=16, vocabulary=256, threads=1, precision="fp32"),
    contenders=[(LSTM(embedding=16, hidden=16), Adam(lr=1e-2))],
)
"""
#: By what stands in its command line when it is first seen.
KINDS = {"bakeoff.worker": "workers", "bakeoff.forkserver": "workers and their server", "bakeoff run": "the command"}


def kind(command):
    return next((kind for mark, kind in KINDS.items() if mark in command), "Ray" if "ray" in command else "others")


def taken(folder, *options):
    """Processor seconds of each process, by its kind."""
    command = [sys.executable, "-m", "bakeoff", "run", "tiny.py", "--no-report", "--seeds", str(RUNS), *options]
    started = psutil.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seconds, kinds = {}, {}
    while started.poll() is None:
        for process in (started, *started.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                each, used = (process.pid, process.create_time()), process.cpu_times()
                kinds.setdefault(each, kind(" ".join(process.cmdline())))  # which is gone when it has ended
                seconds[each] = used.user + used.system
        time.sleep(0.2)
    assert started.returncode == 0
    by_kind = defaultdict(list)
    for each, used in seconds.items():
        by_kind[kinds[each]].append(used)
    return by_kind


def main():
    with tempfile.TemporaryDirectory() as folder:
        text = "\n\n".join(f"The {n} cats sat on {n * n} mats, and {n + 1} dogs ran home." for n in range(400))
        (Path(folder) / "text.txt").write_text(text, encoding="utf-8")
        (Path(folder) / "tiny.py").write_text(STUDY, encoding="utf-8")
        for options in (("--out", "here"), ("--out", "there", "--executor", "ray", "--jobs", "1")):
            print(f"{RUNS} runs, {' '.join(options)}")  # noqa: T201 (it is what the command is for)
            for name, used in taken(folder, *options).items():
                print(f"  {name:25} {len(used):3} processes {sum(used):7.1f} s")  # noqa: T201 (likewise)


if __name__ == "__main__":
    main()
