"""What a run costs on a Ray cluster beside what it costs here.

`python tests/overhead.py` runs the same tiny study both ways, one run at a time, and prints the processor seconds of
each kind of process, which other programs change little. It looks at the processes five times a second, so each may
have taken a fifth of a second more.

`python tests/overhead.py nodes` prints how long a study of runs of some fifteen seconds takes here, on a cluster of one
node and on one of two, each with a processor; two turns each.
"""

import contextlib
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import psutil
from ray.cluster_utils import Cluster

#: Runs of a study, and how often each way has its turn; passes over the text of one that takes some fifteen seconds.
RUNS, TURNS, EPOCHS = 4, 2, 100
STUDY = """
from bakeoff.data.corpora import choose
from bakeoff.models import LSTM
from bakeoff.optimizers import Adam
from bakeoff.spec import Budget, Study

study = Study.of(
    "tiny",
    corpus=choose("text.txt"),
    budget=Budget(epochs={epochs}, batch_size=32, sequence_length=16, vocabulary=256, threads=1, precision="fp32"),
    contenders=[(LSTM(embedding=16, hidden=16), Adam(lr=1e-2))],
)
"""
#: By what stands in its command line when it is first seen.
KINDS = {"bakeoff.worker": "workers", "bakeoff.forkserver": "workers and their server", "bakeoff run": "the command"}


def kind(command):
    return next((kind for mark, kind in KINDS.items() if mark in command), "Ray" if "ray" in command else "others")


def begun(folder, epochs, *options):
    """The command, at work on the study."""
    (folder / "tiny.py").write_text(STUDY.format(epochs=epochs), encoding="utf-8")
    command = [sys.executable, "-m", "bakeoff", "run", "tiny.py", "--no-report", "--seeds", str(RUNS), *options]
    return psutil.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def taken(folder, *options):
    """Processor seconds of each process, by its kind."""
    started = begun(folder, 1, *options)
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


def wall_clock(folder, *options):
    """Seconds from the command to its end."""
    began = time.monotonic()
    assert begun(folder, EPOCHS, *options).wait() == 0
    return time.monotonic() - began


@contextlib.contextmanager
def nodes(count):
    """The address of a cluster of so many nodes of one processor."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    try:
        for _ in range(count):
            cluster.add_node(num_cpus=1)
        yield cluster.address
    finally:
        cluster.shutdown()


def spread(folder):
    """Tell how long the study takes here and on nodes."""
    for turn in range(TURNS):
        print(f"here, one run at a time   {wall_clock(folder, '--out', f'here-{turn}', '--threads', '1'):6.1f} s")  # noqa: T201 (it is what the command is for)
        for count in (1, 2):
            with nodes(count) as address:
                options = "--out", f"{count}-{turn}", "--executor", "ray", "--address", address
                print(f"nodes of one processor: {count} {wall_clock(folder, *options):6.1f} s")  # noqa: T201 (likewise)


def main():
    with tempfile.TemporaryDirectory() as given:
        folder = Path(given)
        text = "\n\n".join(f"The {n} cats sat on {n * n} mats, and {n + 1} dogs ran home." for n in range(400))
        (folder / "text.txt").write_text(text, encoding="utf-8")
        if sys.argv[1:] == ["nodes"]:
            return spread(folder)
        for options in (("--out", "here"), ("--out", "there", "--executor", "ray", "--jobs", "1")):
            print(f"{RUNS} runs, {' '.join(options)}")  # noqa: T201 (likewise)
            for name, used in taken(folder, *options).items():
                print(f"  {name:25} {len(used):3} processes {sum(used):7.1f} s")  # noqa: T201 (likewise)
        return None


if __name__ == "__main__":
    main()
