"""What a run's memory is measured to be, against sizes that are known."""

import contextlib
import dataclasses
import mmap
import platform
import threading
import time

import pytest
import torch

from bakeoff import memory
from bakeoff.memory import LIVE, LiveMeter, SamplingMeter, live_bytes
from bakeoff.models import GPT1, LSTM
from bakeoff.optimizers import SGD, Adam, AdamW
from bakeoff.runner import open_session
from bakeoff.spec import Study

CPU = torch.device("cpu")
MEGABYTE = 2**20

glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc tells")


@contextlib.contextmanager
def fresh(size):
    """Memory of the system's, which the process has not had before, as what `malloc` gives may be."""
    with mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as held:
        held.write(b"1" * size)
        yield


def wait_for_readings(meter, count):
    """However long that takes where the machine is busy."""
    while meter.readings.count < count:
        time.sleep(0.01)


def test_memory_of_a_known_size_is_seen_while_a_window_is_open():
    meter = SamplingMeter(CPU, interval=0.01, share=1.0)
    with meter.window():
        with fresh(64 * MEGABYTE):
            wait_for_readings(meter, 4)
        wait_for_readings(meter, 8)
    seen = meter.as_json()
    assert 60 * MEGABYTE < seen["peak_bytes"] < 80 * MEGABYTE
    assert 0.1 < seen["average_bytes"] / seen["peak_bytes"] < 0.95  # half of the readings saw none of it
    assert seen["samples"] >= 8
    assert seen["kind"] == "unique set size of the process"


def test_reading_the_memory_takes_no_more_than_its_share(monkeypatch):
    def slowly():
        time.sleep(0.02)
        return 0

    monkeypatch.setattr(memory, "_memory_reader", lambda device: ("memory", slowly))
    rare, often = (SamplingMeter(CPU, interval=0.0, share=share) for share in (0.1, 1.0))
    with rare.window():
        time.sleep(0.5)
    assert rare.as_json()["samples"] <= 4
    with often.window():
        wait_for_readings(often, 8)


def test_memory_outside_of_windows_is_not_counted():
    meter = SamplingMeter(CPU, interval=0.01, share=1.0)
    with fresh(64 * MEGABYTE):
        time.sleep(0.05)
    with meter.window():
        time.sleep(0.05)
    assert meter.as_json()["peak_bytes"] < 20 * MEGABYTE


def test_a_meter_without_a_window_says_that_it_took_no_sample():
    assert SamplingMeter(CPU).as_json()["samples"] == 0


@glibc
@pytest.mark.parametrize("megabytes", [0.25, 64])
def test_live_bytes_rise_by_what_is_allocated_and_fall_when_it_is_freed(megabytes):
    size, before = int(megabytes * MEGABYTE), live_bytes()
    held = torch.empty(size, dtype=torch.uint8)
    assert live_bytes() - before == pytest.approx(size, abs=8192)
    del held
    assert live_bytes() == pytest.approx(before, abs=8192)


@glibc
def test_live_bytes_are_those_of_all_threads():
    before, held = live_bytes(), []
    allocating = threading.Thread(target=lambda: held.extend(torch.empty(1000) for _ in range(2000)))
    allocating.start()
    allocating.join()
    assert live_bytes() - before == pytest.approx(2000 * 4000, rel=0.1)


@glibc
def test_a_watched_step_tells_peak_average_and_what_is_held_before_it():
    metered = LiveMeter()
    resting = torch.zeros(MEGABYTE)
    with metered.watch():
        large = torch.zeros(4 * MEGABYTE)
        large = large[:10].clone()
        for _ in range(8):
            large.add_(1)
    found = metered.as_json()
    assert found["kind"] == LIVE
    assert found["resting_bytes"] == pytest.approx(resting.nbytes, abs=65536)
    assert found["peak_bytes"] == pytest.approx(resting.nbytes + 16 * MEGABYTE, rel=0.01)
    assert resting.nbytes < found["average_bytes"] < 0.5 * found["peak_bytes"]
    assert found["process_bytes"] > found["peak_bytes"]


def test_where_malloc_does_not_tell_or_a_model_is_compiled_memory_is_sampled(monkeypatch):
    assert isinstance(memory.meter(CPU, compiled=True), SamplingMeter)
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: object())
    assert isinstance(memory.meter(CPU, compiled=False), SamplingMeter)


@glibc
def test_twins_agree_and_plain_sgd_lacks_their_state(tiny_study, tmp_path):
    """Whole runs in processes of their own, two threads at work, evaluations between."""
    models, optimizers = (LSTM(embedding=128, hidden=128), GPT1(width=128, heads=2)), (Adam(), AdamW(), SGD())
    budget = dataclasses.replace(tiny_study.budget, threads=2, epochs=2, epoch_steps=6, compile=False)
    contenders = [(model, optimizer) for model in models for optimizer in optimizers]
    study = Study.of("twins", corpus=tiny_study.corpus, budget=budget, contenders=contenders)
    with open_session(study, tmp_path / "twins", CPU) as session:
        session.run(session.study.runs, 2, lambda run, message: None)
        found = [session.folder.run(run.slug).summary["memory"] for run in session.study.runs]
    for model, (adam, adamw, sgd) in zip(models, (found[:3], found[3:]), strict=True):
        assert adam["samples"] == 2
        for key in ("average_bytes", "peak_bytes", "resting_bytes"):
            # Of so small a model 1 % is less than what libraries keep for each thread, which may come a step later.
            assert adamw[key] == pytest.approx(adam[key], rel=0.01, abs=2**19)
        state = 8 * sum(parameter.numel() for parameter in model.build(300, 16).parameters())
        assert state > 2**20
        assert adam["resting_bytes"] - sgd["resting_bytes"] == pytest.approx(state, abs=2**19)
