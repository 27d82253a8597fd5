"""The memory of a run: what its model and its optimizer take in steady training, above a baseline before them.

Where the C library is glibc, that is what `malloc` has given out and not taken back, read after every operation of a
few whole steps: the same steps need the same bytes, whatever else the process keeps. Elsewhere it is sampled.
"""

import contextlib
import ctypes
import functools
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psutil
import torch
from torch.utils._python_dispatch import TorchDispatchMode

#: Seconds between two samples of the memory, at least, and the most of a core's time that they may take.
SAMPLING_INTERVAL, SAMPLING_SHARE = 0.1, 0.01
#: The kind of what `live_bytes` reads.
LIVE = "live bytes of malloc"


class _Mallinfo2(ctypes.Structure):
    """What glibc's malloc tells of all its arenas together, by malloc.h (since 2.33)."""

    names = ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")
    _fields_ = tuple((name, ctypes.c_size_t) for name in names)


def live_bytes() -> int:
    """Bytes that were allocated and not freed, in arenas and in mappings of their own; it takes microseconds.

    Raises:
        AttributeError: The C library does not tell.
    """
    told = _mallinfo2()()
    return int(told.uordblks + told.hblkhd)


@functools.cache
def _mallinfo2() -> Callable[[], Any]:
    function = ctypes.CDLL(None).mallinfo2
    function.restype = _Mallinfo2
    return function


def unique_set_size() -> int:
    """Bytes that would be free if this process ended; it takes milliseconds."""
    return int(psutil.Process().memory_full_info().uss)


@dataclass
class Readings:
    """Readings of the memory above the baseline, in bytes: no list of them, as a run may be long.

    Attributes:
        resting: The sum of what was held before a watched step, between two steps.
    """

    count: int = 0
    total: int = 0
    highest: int = 0
    resting: int = 0

    def add(self, reading: int) -> None:
        """Take note of one."""
        self.count, self.total = self.count + 1, self.total + reading
        self.note_peak(reading)

    def note_peak(self, reading: int) -> None:
        """Take note of one that says nothing about the average."""
        self.highest = max(self.highest, reading)

    def as_json(self) -> dict[str, int]:
        """Their average and the highest."""
        return {
            "average_bytes": self.total // self.count if self.count else 0,
            "peak_bytes": self.highest,
            "samples": self.count,
        }


class LiveMeter:
    """Live bytes of whole steps: average and peak over their operations, and what is held between steps."""

    def __init__(self) -> None:
        with _AfterEveryOperation():  # the first one in a process imports torch's compiler
            torch.empty(0)
        self.baseline = live_bytes()
        self.readings = Readings()

    def window(self) -> contextlib.AbstractContextManager[None]:
        """Nothing: only what is watched is read."""
        return contextlib.nullcontext()

    @contextlib.contextmanager
    def watch(self) -> Iterator[None]:
        """Read the memory after every operation of the block, a step; its average counts as one reading."""
        resting = live_bytes()
        with _AfterEveryOperation() as watched:
            yield
        if watched.count:
            self.readings.add(watched.total // watched.count - self.baseline)
            self.readings.note_peak(watched.highest - self.baseline)
            self.readings.resting += resting - self.baseline

    def as_json(self) -> dict[str, Any]:
        """Average, peak and what is held between steps, without the baseline; the baseline; the process's own size."""
        readings = self.readings
        resting = readings.resting // readings.count if readings.count else 0
        facts = _facts(LIVE, self.baseline, unique_set_size())
        return readings.as_json() | {"resting_bytes": resting} | facts


class _AfterEveryOperation(TorchDispatchMode):
    """Sums up the live bytes after each operation while it is entered; what is computed stays the same."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.count = self.total = self.highest = 0

    def __torch_dispatch__(self, op: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # noqa: ANN401
        results = op(*args, **(kwargs or {}))
        reading = live_bytes()
        self.count, self.total, self.highest = self.count + 1, self.total + reading, max(self.highest, reading)
        return results


class SamplingMeter:
    """Average and peak memory over steady training, above a baseline taken when the meter is made.

    A thread reads the memory while a window is open. On a processor that is the process's unique set size (memory that
    would be freed if it ended), in which memory counts that was freed and kept; on CUDA what torch has allocated,
    beside what the driver counts for the process.

    Args:
        device: Where the run computes.
        interval: Seconds between two readings, at least.
        share: The most of a core's time that reading may take: a large process takes long to read.
    """

    def __init__(
        self, device: torch.device, interval: float = SAMPLING_INTERVAL, share: float = SAMPLING_SHARE
    ) -> None:
        self.device = device
        self.interval, self.share = interval, share
        self.kind, self._read = _memory_reader(device)
        self.baseline = self._read()
        self.readings = Readings()

    @contextlib.contextmanager
    def window(self) -> Iterator[None]:
        """Read the memory until the block ends, and once more at its end."""
        closed = threading.Event()
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        sampler = threading.Thread(target=self._sample_until, args=(closed,), daemon=True)
        sampler.start()
        try:
            yield
        finally:
            closed.set()
            sampler.join()
            self._add()
            if self.device.type == "cuda":
                self.readings.note_peak(torch.cuda.max_memory_allocated(self.device) - self.baseline)

    def watch(self) -> contextlib.AbstractContextManager[None]:
        """Nothing: no step is watched more closely than others."""
        return contextlib.nullcontext()

    def as_json(self) -> dict[str, Any]:
        """Average, peak and baseline in bytes; the first two without the baseline."""
        process = _nvml_process_bytes() if self.device.type == "cuda" else None
        return self.readings.as_json() | _facts(self.kind, self.baseline, process)

    def _add(self) -> None:
        self.readings.add(self._read() - self.baseline)

    def _sample_until(self, closed: threading.Event) -> None:
        pause = self.interval
        while not closed.wait(pause):
            started = time.perf_counter()
            self._add()
            pause = max(self.interval, (time.perf_counter() - started) / self.share)


def meter(device: torch.device, *, compiled: bool) -> LiveMeter | SamplingMeter:
    """What measures a run here; a compiled model would run uncompiled where its operations are watched."""
    tells = sys.platform == "linux" and hasattr(ctypes.CDLL(None), "mallinfo2")
    return LiveMeter() if device.type == "cpu" and tells and not compiled else SamplingMeter(device)


def _facts(kind: str, baseline: int, process_bytes: int | None) -> dict[str, Any]:
    return {"baseline_bytes": baseline, "kind": kind, "process_bytes": process_bytes}


def _memory_reader(device: torch.device) -> tuple[str, Callable[[], int]]:
    if device.type == "cuda":
        return "CUDA memory allocated by torch", lambda: torch.cuda.memory_allocated(device)
    if device.type == "mps":
        return "MPS memory allocated by torch", torch.mps.current_allocated_memory
    return "unique set size of the process", unique_set_size


def _nvml_process_bytes() -> int | None:
    """What the driver counts for this process on all GPUs, as nvidia-smi shows it; None where it does not tell."""
    import pynvml  # noqa: PLC0415 (only where there is a GPU)

    try:
        pynvml.nvmlInit()
        handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
        processes = [process for handle in handles for process in pynvml.nvmlDeviceGetComputeRunningProcesses(handle)]
    except pynvml.NVMLError:
        return None
    own = [process.usedGpuMemory for process in processes if process.pid == os.getpid()]
    return sum(own) if own and None not in own else None
