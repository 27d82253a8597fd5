"""The clock, and what is asked of the machine."""

import contextlib
import getpass
import json
import platform
import re
import socket
import subprocess
import sys
import time
from importlib.metadata import version
from types import SimpleNamespace

import pytest
import torch

from bakeoff import machine
from bakeoff.errors import UserError
from bakeoff.machine import (
    Clock,
    available_memory,
    environment,
    keep_freed_memory,
    processor_precision,
    require_precision,
    resolve_device,
    resolve_precision,
    usable_cores,
)

CPU = torch.device("cpu")


class FakeTime:
    """A clock that a test moves."""

    def __init__(self):
        self.seconds = 0.0

    def __call__(self):
        return self.seconds


def test_the_clock_adds_up_each_purpose_and_calls_other_what_lies_between():
    now = FakeTime()
    clock = Clock(now=now)
    for purpose, inside, outside in (("training", 3, 100), ("evaluation", 5, 1), ("training", 4, 0)):
        with clock.measuring(purpose):
            now.seconds += inside
        now.seconds += outside
    assert clock.seconds == {"training": 7, "evaluation": 5, "other": 101}


def test_the_outer_purpose_stands_still_while_an_inner_one_is_measured():
    now = FakeTime()
    clock = Clock(now=now)
    with clock.measuring("training"):
        now.seconds += 2
        with clock.measuring("checkpoint"):
            now.seconds += 50
        now.seconds += 3
    assert (clock.seconds["training"], clock.seconds["checkpoint"]) == (5, 50)


def test_a_clock_that_is_set_back_takes_no_time_away():
    now = FakeTime()
    clock = Clock(now=now)
    with clock.measuring("training"):
        now.seconds += 2
    with clock.measuring("training"):
        now.seconds -= 100
    assert clock.seconds["training"] == 2


def test_the_clock_counts_a_block_that_fails():
    now = FakeTime()
    clock = Clock(now=now)

    def fail():
        with clock.measuring("training"):
            now.seconds += 2
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert clock.seconds["training"] == 2


def test_queued_work_is_paid_for_where_it_was_asked_for():
    now, queued = FakeTime(), []

    def synchronize():
        now.seconds += sum(queued)
        queued.clear()

    clock = Clock(synchronize, now)
    queued.append(50)  # from before
    with clock.measuring("training"):
        queued.append(7)
    assert clock.seconds["training"] == 7


def test_processor_seconds_are_counted_by_the_same_purposes():
    now, processor = FakeTime(), FakeTime()
    clock = Clock(now=now, processor=processor)
    for purpose, seconds, computed in (("training", 3, 5), ("evaluation", 4, 2), ("training", 10, 1)):
        with clock.measuring(purpose):
            now.seconds += seconds
            processor.seconds += computed
        processor.seconds += 0.5
    assert clock.processor_seconds == {"training": 6, "evaluation": 2, "other": 1.0}
    assert clock.seconds == {"training": 13, "evaluation": 4, "other": 0}


def test_a_process_that_sleeps_takes_no_processor_seconds():
    clock = Clock()
    with clock.measuring("training"):
        time.sleep(0.3)
    assert clock.processor_seconds["training"] < 0.2 < clock.seconds["training"]


def test_auto_takes_the_processor_where_there_is_no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert resolve_device("auto") == CPU


def test_auto_prefers_cuda(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert resolve_device("auto") == torch.device("cuda")


@pytest.mark.parametrize(("name", "says"), [("cuda", "not available"), ("mps", "not available"), ("tpu", "unknown")])
def test_a_device_that_is_not_here_is_refused(name, says, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(UserError, match=says):
        resolve_device(name)


@pytest.mark.parametrize(
    ("asked", "device", "native", "expected"),
    [
        ("bf16", "cpu", False, "bf16"),
        ("auto", "cuda", True, "bf16"),
        ("auto", "cuda", False, "fp32"),
        ("fp32", "cuda", True, "fp32"),
    ],
)
def test_precision_follows_what_the_device_computes_in(asked, device, native, expected, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: native)
    assert resolve_precision(asked, torch.device(device)) == expected


def test_emulated_bfloat16_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    with pytest.raises(UserError, match="--precision fp32"):
        resolve_precision("bf16", torch.device("cuda"))


def test_the_environment_names_versions_and_hardware_but_nobody():
    found = environment(CPU)
    assert found["torch"] == torch.__version__
    assert found["bakeoff"] == version("bakeoff")
    assert found["device"] == "cpu"
    assert found["memory_bytes"] > 0
    values = [str(value) for value in found.values()]
    assert socket.gethostname() not in values
    assert getpass.getuser() not in values
    assert not {"host", "hostname", "user", "node"} & set(found)
    assert json.loads(json.dumps(found)) == found


def test_machines_are_told_apart_by_what_names_nobody(tmp_path, monkeypatch):
    def named(name, identifier):
        monkeypatch.setattr(machine.platform, "node", lambda: name)
        monkeypatch.setattr(machine, "MACHINE_ID", tmp_path / identifier)
        (tmp_path / identifier).write_text(identifier)
        return environment(CPU)["machine"]

    told = [named(name, identifier) for name in ("one", "other") for identifier in ("1", "2")]
    assert len(set(told)) == 4
    assert named("other", "2") == told[-1]
    assert all(re.fullmatch("[0-9a-f]{12}", each) for each in told)
    monkeypatch.setattr(machine, "MACHINE_ID", tmp_path / "none")
    assert environment(CPU)["machine"] not in told


@pytest.fixture
def host(tmp_path, monkeypatch):
    """A machine with 8 cores and 1000 bytes of free memory; writes the files of a control group in `groups`."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(8)), raising=False)
    monkeypatch.setattr(machine.psutil, "cpu_count", lambda logical: 8)
    monkeypatch.setattr(machine.psutil, "virtual_memory", lambda: SimpleNamespace(available=1000))
    monkeypatch.setattr(machine, "CONTROL_GROUPS", tmp_path)
    monkeypatch.setattr(machine, "PROCESS_GROUPS", tmp_path / "cgroup")

    def write(group, **files):
        (tmp_path / group).mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (tmp_path / group / name.replace("__", ".")).write_text(f"{text}\n")

    return write


def test_without_limits_all_that_the_machine_has_may_be_used(host):
    assert (usable_cores(), available_memory()) == (8, 1000)


def test_affinity_and_the_number_of_openmp_threads_are_limits(host, monkeypatch):
    for asked, expected in (("3", 3), ("2,4", 2), ("64", 8), ("0", 8), ("many", 8)):
        monkeypatch.setenv("OMP_NUM_THREADS", asked)
        assert usable_cores() == expected
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0}, raising=False)
    assert usable_cores() == 1


@pytest.mark.parametrize(
    ("quota", "expected"), [("max 100000", 8), ("200000 100000", 2), ("150000 100000", 1), ("50000 100000", 1)]
)
def test_a_quota_of_the_processor_is_a_limit(host, quota, expected):
    host(".", cgroup="0::/a/b")
    host("a/b", cpu__max=quota)
    assert usable_cores() == expected


def test_the_narrowest_of_all_groups_around_a_process_counts(host):
    host(".", cgroup="0::/a/b/c")
    host("a/b/c", cpu__max="max 100000", memory__max="max", memory__current="5", memory__stat="inactive_file 0")
    host("a/b", cpu__max="400000 100000", memory__max="900", memory__current="300", memory__stat="inactive_file 50")
    host("a", cpu__max="300000 100000", memory__max="2000", memory__current="100", memory__stat="inactive_file 0")
    assert usable_cores() == 3
    assert available_memory() == 900 - (300 - 50)


def test_groups_of_the_first_version_are_limits_too_also_where_their_path_is_the_hosts(host):
    host(".", cgroup="4:memory:/docker/1\n1:cpu,cpuacct:/docker/1\n0::/")
    host("cpu", cpu__cfs_quota_us="200000", cpu__cfs_period_us="100000")
    host("memory", memory__limit_in_bytes=500, memory__usage_in_bytes=200)
    host("memory", memory__stat="inactive_file 1\ntotal_inactive_file 100")
    assert usable_cores() == 2
    assert available_memory() == 400
    host("cpu", cpu__cfs_quota_us="-1")
    assert usable_cores() == 8


def test_a_group_that_is_full_leaves_no_memory(host):
    host(".", cgroup="0::/a")
    host("a", memory__max=500, memory__current=600, memory__stat="inactive_file 0")
    assert available_memory() == 0


@pytest.mark.parametrize(
    ("processor", "precision"),
    [
        (({"avx2": True, "avx512_bf16": False, "amx_bf16": False}, "Linux"), "fp32"),  # Zen 3
        (({"avx512_f": True, "avx512_vnni": True, "avx512_bf16": False}, "Linux"), "fp32"),  # Cascade Lake
        (({"avx2": True, "avx_ne_convert": True, "avx512_bf16": False}, "Windows"), "fp32"),  # converts, and no more
        (({"avx512_f": True, "avx512_bf16": True, "amx_bf16": False}, "Linux"), "bf16"),  # Zen 4
        (({"avx512_f": True, "avx512_bf16": True, "amx_bf16": True}, "Windows"), "bf16"),  # Sapphire Rapids
        (({"neon": True, "bf16": False}, "Linux"), "fp32"),  # Graviton 2
        (({"neon": True, "bf16": True, "sve": True}, "Linux"), "bf16"),  # Graviton 3
        (({"neon": True, "bf16": True}, "Darwin"), "fp32"),  # M2
        (({}, "Linux"), "fp32"),
    ],
)
@pytest.mark.parametrize("cores", [1, 2, 6])
def test_precision_and_threads_follow_from_what_the_processor_is_and_what_one_may_use(
    host, monkeypatch, processor, precision, cores
):
    has, system = processor
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: has)
    monkeypatch.setattr(machine.platform, "system", lambda: system)
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(cores)), raising=False)
    assert resolve_precision("auto", CPU) == processor_precision(has, system) == precision
    assert [resolve_precision(asked, CPU) for asked in ("fp32", "bf16")] == ["fp32", "bf16"]
    assert usable_cores() == cores
    require_precision("fp32", CPU)
    require_precision("bf16", torch.device("cuda"))
    with pytest.raises(UserError, match="with --precision fp32") if precision == "fp32" else contextlib.nullcontext():
        require_precision("bf16", CPU)


def test_the_capabilities_that_are_asked_for_are_called_so_by_torch():
    x86, arm = machine.BF16_CAPABILITIES[:2], machine.BF16_CAPABILITIES[2:]
    told = torch.cpu.get_capabilities()
    assert set(x86 if told["architecture"] == "x86_64" else arm) <= set(told)


def test_memory_that_is_freed_is_kept_where_the_c_library_can(monkeypatch):
    asked = []

    class Library:
        def mallopt(self, option, value):
            asked.append((option, value))

    monkeypatch.setattr(machine.ctypes, "CDLL", lambda name: Library())
    keep_freed_memory()
    assert machine.GLIBC_MMAP_MAX in asked
    assert len(asked) == 3
    monkeypatch.setattr(machine.ctypes, "CDLL", lambda name: object())
    keep_freed_memory()  # another C library: nothing to ask, and no error


#: Megabytes of the process with many freed tensors that were kept, and after they were given back.
FREED = """
import psutil, torch
from bakeoff.machine import keep_freed_memory, return_freed_memory
def megabytes():
    return psutil.Process().memory_full_info().uss // 2**20
keep_freed_memory()
tensors = [torch.ones(2**18) for _ in range(200)]
del tensors
print(megabytes())
return_freed_memory(torch.device("cpu"))
print(megabytes())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be asked")
def test_freed_memory_that_was_kept_goes_back_to_the_system_when_it_is_asked_for():
    told = subprocess.run([sys.executable, "-c", FREED], capture_output=True, text=True, check=True).stdout
    kept, returned = map(int, told.split())
    assert kept - returned > 150
