"""A driver over many runs whose workers are stand-ins: what it takes, and that it may be killed."""

import random
import time
from types import SimpleNamespace

import pytest

from bakeoff.executors import Task, do, node, slurm
from bakeoff.run_folder import DIVERGED, RunFolder

AT_ONCE = 100


class Queue:
    """Does what is submitted, at each look a few of those at work; nothing of a run is there but its summary."""

    def __init__(self):
        self.random, self.done = random.Random(0), []  # noqa: S311 (no secret)

    def submit_array(self, jobs):
        return [self._job(job) for job in jobs]

    def _job(self, job):
        task = job.task
        names = "submission_file", "submitted_pickle", "result_pickle", "stdout", "stderr"
        absent = {name: task.folder / name for name in names}
        paths = SimpleNamespace(**absent, folder=task.folder)
        return SimpleNamespace(done=lambda: self._look(task, job.mark), state="COMPLETED", paths=paths)

    def _look(self, task, mark):
        node.say(task, {"event": "step", "step": 1} | mark)
        if over := self.random.random() < 0.05:
            self.done.append(task)
            RunFolder(task.folder).finish({"status": DIVERGED, "error": "a stand-in"})
            node.say(task, {"event": "end", "status": DIVERGED, "error": None} | mark)
        return over


@pytest.fixture
def driver(monkeypatch):
    """One over that queue, which notes the processor time of each look, without what the queue itself takes."""
    monkeypatch.setattr(slurm, "LOOK", 0.0)
    monkeypatch.setattr("os.fsync", lambda handle: None)  # the disk's time is not the driver's
    cluster, looks = slurm.Slurm(), []
    cluster.executor, poll, queue = Queue(), cluster.poll, Queue._look
    spent = [0.0]

    def looked():
        before, spent[0] = time.process_time(), 0.0
        said = poll()
        looks.append(time.process_time() - before - spent[0])
        return said

    def queued(self, *job):
        before = time.process_time()
        over = queue(self, *job)
        spent[0] += time.process_time() - before
        return over

    monkeypatch.setattr(Queue, "_look", queued)
    monkeypatch.setattr(cluster, "poll", looked)
    return SimpleNamespace(cluster=cluster, looks=looks)


@pytest.mark.parametrize("runs", [300, pytest.param(10_000, marks=pytest.mark.slow)])
def test_a_driver_of_many_runs_takes_a_hundredth_of_a_core_and_may_be_killed(tmp_path, driver, runs):
    tasks = [Task(tmp_path / f"{number:05d}", "") for number in range(runs)]

    def killed_half_way(_, message):
        if message["event"] == "end" and len(driver.cluster.executor.done) >= runs // 2:
            raise KeyboardInterrupt

    driver.cluster.cancel = driver.cluster.active.clear
    with pytest.raises(KeyboardInterrupt):
        do(tasks, driver.cluster, AT_ONCE, killed_half_way)
    missing = [task for task in tasks if not RunFolder(task.folder).ended]
    assert len(missing) < runs
    do(missing, driver.cluster, AT_ONCE, lambda *_: None)
    done = driver.cluster.executor.done
    assert len(done) == len(set(done)) == runs
    assert all(RunFolder(task.folder).summary["status"] == DIVERGED for task in tasks)
    # At a look a second, with a hundred runs at work, of which five end at each.
    assert sum(driver.looks) / len(driver.looks) < 0.01
