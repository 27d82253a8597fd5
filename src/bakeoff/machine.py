"""What the machine tells: time by purpose, what may be used of it, and the environment of a run."""

import contextlib
import ctypes
import gc
import hashlib
import os
import platform
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
import torch

from bakeoff import provenance
from bakeoff.errors import UserError

DEVICES = ("auto", "cpu", "cuda", "mps")
#: What a processor with instructions for products in bfloat16 has one of, in `torch.cpu.get_capabilities`: AVX-512 and
#: AMX on x86, `bf16` on ARM.
BF16_CAPABILITIES = ("avx512_bf16", "amx_bf16", "bf16")
#: Systems on which torch does not multiply by them, whatever the processor has: macOS's library is for float32.
WITHOUT_BF16 = ("Darwin",)
#: What of an environment tells the hardware, as far as times depend on it, and which machine it was.
HARDWARE = ("machine", "processor", "device_name")
#: Which control groups this process is in, and where Linux shows them.
PROCESS_GROUPS, CONTROL_GROUPS = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")
#: An identifier of its own that a Linux system has since it was installed.
MACHINE_ID = Path("/etc/machine-id")
#: Options of glibc's `mallopt` with their numbers in malloc.h: no mapping of its own for a large block, nothing given
#: back below 2 GiB, and 64 MiB asked for at a time.
GLIBC_MMAP_MAX, GLIBC_TRIM_THRESHOLD, GLIBC_TOP_PAD = (-4, 0), (-1, 2**31 - 1), (-2, 2**26)


def resolve_device(name: str) -> torch.device:
    """The device of that name; `auto` takes a GPU where there is one.

    Raises:
        UserError: There is no such device here.
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(device for device, here in available.items() if here))
    if name not in available:
        raise UserError(f"unknown device {name!r}: use one of {', '.join(DEVICES)}")
    if not available[name]:
        raise UserError(f"device {name} is not available here: use --device auto")
    return torch.device(name)


def resolve_precision(precision: str, device: torch.device) -> str:
    """`auto` as `fp32` or `bf16`: bfloat16 on GPUs and processors that compute in it, as they say; nothing is timed.

    Raises:
        UserError: bf16 is asked for on a GPU that lacks it.
    """
    here = device.type == "cuda" and torch.cuda.is_available()  # those of a cluster may all be elsewhere
    supported = not here or torch.cuda.is_bf16_supported(including_emulation=False)
    if precision == "bf16" and not supported:
        raise UserError("this GPU does not compute in bfloat16: use --precision fp32")
    if precision != "auto":
        return precision
    if device.type == "cpu":
        return processor_precision(torch.cpu.get_capabilities(), platform.system())
    return "bf16" if device.type == "cuda" and supported else "fp32"


def processor_precision(capabilities: Mapping[str, object], system: str) -> str:
    """The precision for a processor with those capabilities, by the names that torch gives them, under that system."""
    native = system not in WITHOUT_BF16 and any(capabilities.get(name) for name in BF16_CAPABILITIES)
    return "bf16" if native else "fp32"


def require_precision(precision: str, device: torch.device) -> None:
    """Have nothing trained in a precision that this processor lacks: emulated, a step would take many times as long.

    Raises:
        UserError: It does; an LSTM could not be computed at all.
    """
    if device.type == "cpu" and precision == "bf16" and resolve_precision("auto", device) != "bf16":
        raise UserError(
            "the study is in bfloat16, in which this processor does not compute: train it where one does, or as "
            "another study with --precision fp32"
        )


def in_precision(precision: str, device: torch.device) -> torch.autocast:
    """Matrix products inside are in that precision, `fp32` or `bf16`."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")


def compute_in_float32() -> None:
    """Have float32 be float32 on GPUs too: cuDNN's recurrent layers would round it to the ten bits of TF32."""
    torch.backends.cudnn.allow_tf32 = False


def keep_freed_memory() -> None:
    """Have the C library keep the memory of large tensors that are freed, for the next step's tensors of the same size.

    By default glibc gives it back to the system, which then clears every page anew, many times a step. Elsewhere this
    does nothing.
    """
    for option, value in (GLIBC_MMAP_MAX, GLIBC_TRIM_THRESHOLD, GLIBC_TOP_PAD):
        _in_glibc("mallopt", option, value)


def gpus() -> list[str]:
    """What names each GPU that this process may use, in `CUDA_VISIBLE_DEVICES` of another one."""
    count, visible = torch.cuda.device_count(), os.environ.get("CUDA_VISIBLE_DEVICES")
    return (visible.split(",") if visible else [*map(str, range(count))])[:count]


def return_freed_memory(device: torch.device) -> None:
    """Give back what was kept of freed tensors: to the system, as far as the C library is glibc, and to the GPU."""
    gc.collect()
    _in_glibc("malloc_trim", 0)
    if device.type == "cuda":
        torch.cuda.empty_cache()


def _in_glibc(function: str, *numbers: int) -> None:
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError):  # another C library
            getattr(ctypes.CDLL(None), function)(*numbers)


def usable_cores() -> int:
    """Threads that compute at once for this process.

    No more than the machine has physical cores, or than affinity, the control group's quota or OMP_NUM_THREADS allow.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    asked = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]  # the rest is for threads inside of threads
    limits = [allowed, psutil.cpu_count(logical=False) or allowed, *_processor_quotas()]
    return max(1, min([*limits, int(asked)] if asked.isdecimal() and int(asked) else limits))


def available_memory() -> int:
    """Bytes that this process can still take without swapping: free here, and within its control group's limit."""
    left = [limit - used for limit, used in _memory_limits()]
    return max(0, min([int(psutil.virtual_memory().available), *left]))


def _processor_quotas() -> Iterator[int]:
    """Whole processors that each control group of this process may use."""
    told = [file.read_text() for file in _control_files("cpu", "cpu.max")]
    for file in _control_files("cpu", "cpu.cfs_quota_us"):
        told += [f"{file.read_text()} {file.with_name('cpu.cfs_period_us').read_text()}"]
    quotas = (line.split() for line in told)
    return (int(quota) // int(period) for quota, period in quotas if quota not in ("max", "-1"))


def _memory_limits() -> Iterator[tuple[int, int]]:
    """What each control group of this process may hold, and what it holds that cannot be dropped, in bytes."""
    for limit, used, cached in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        for file in _control_files("memory", limit):
            if (most := file.read_text().strip()) != "max":
                counts = dict(line.split() for line in file.with_name("memory.stat").read_text().splitlines())
                yield int(most), int(file.with_name(used).read_text()) - int(counts[cached])


def _control_files(controller: str, name: str) -> Iterator[Path]:
    """Files of that name in this process's control groups, of version 1 or 2, from its own to the outermost."""
    groups = PROCESS_GROUPS.read_text().splitlines() if PROCESS_GROUPS.is_file() else []
    for _, controllers, path in (line.split(":", 2) for line in groups):
        if not controllers or controller in controllers.split(","):
            mounted = CONTROL_GROUPS / controller if controllers else CONTROL_GROUPS
            group = mounted / path.strip("/")
            files = [folder / name for folder in (group, *group.parents) if folder.is_relative_to(mounted)]
            yield from (file for file in files if file.is_file())


def environment(device: torch.device) -> dict[str, Any]:
    """What a reader needs to judge a run's times; deliberately without host or user name."""
    return {
        **provenance.imported(),
        "machine": _machine(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": version("numpy"),
        "tokenizers": version("tokenizers"),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": _processor_name(),
        "cores": usable_cores(),
        "memory_bytes": psutil.virtual_memory().total,
        "device": device.type,
        "device_name": torch.cuda.get_device_name(device) if device.type == "cuda" else _processor_name(),
    }


def _machine() -> str:
    """Tells this machine from others: a hash of its name and of what it keeps to itself, as machine-id(5) asks for."""
    secret = MACHINE_ID.read_text() if MACHINE_ID.is_file() else ""
    return hashlib.sha256(f"bakeoff {secret} {platform.node()}".encode()).hexdigest()[:12]


def _processor_name() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def synchronizer(device: torch.device) -> Callable[[], None]:
    """A function that waits until the device has done all it was asked to."""
    if device.type == "cuda":
        return lambda: torch.cuda.synchronize(device)
    if device.type == "mps":
        return torch.mps.synchronize
    return lambda: None


class Clock:
    """Seconds by purpose, one purpose at a time; `other` whenever no purpose is being measured.

    Args:
        synchronize: Called whenever the purpose changes, so that queued work is paid for where it was asked for.
        now: A clock that never goes back, in seconds.
        processor: What this process's threads have computed so far, for themselves and in the system, in seconds.

    Attributes:
        seconds: What each purpose has taken so far, up to the last change of purpose.
        processor_seconds: The processor seconds of each, of all threads; other programs at work change them little.
    """

    def __init__(
        self,
        synchronize: Callable[[], None] = lambda: None,
        now: Callable[[], float] = time.perf_counter,
        processor: Callable[[], float] = time.process_time,
    ) -> None:
        self.synchronize = synchronize
        self.now, self.processor = now, processor
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.processor_seconds: defaultdict[str, float] = defaultdict(float)
        self._purpose, self._since, self._computed = "other", now(), processor()

    @contextlib.contextmanager
    def measuring(self, purpose: str) -> Iterator[None]:
        """Add what the block takes to a purpose; the purpose around it stands still meanwhile."""
        outer = self._purpose
        self._switch(purpose)
        try:
            yield
        finally:
            self._switch(outer)

    def _switch(self, purpose: str) -> None:
        self.synchronize()
        now, computed = self.now(), self.processor()
        self.seconds[self._purpose] += max(0.0, now - self._since)
        self.processor_seconds[self._purpose] += computed - self._computed
        self._purpose, self._since, self._computed = purpose, now, computed
