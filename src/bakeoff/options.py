"""What a command is asked for: which study, with which options, of which experiments, done where.

Mistakes are raised as `UserError`.
"""

import contextlib
import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypedDict, Unpack

import torch

from bakeoff import by_folders, tuning
from bakeoff.data import corpora
from bakeoff.errors import UserError
from bakeoff.executors import Cluster
from bakeoff.executors.ray import connected
from bakeoff.executors.slurm import Slurm
from bakeoff.machine import resolve_device
from bakeoff.runner import folder_name, parse_jobs
from bakeoff.spec import Study
from bakeoff.study_file import find_study

#: One of two that are judged: the number of an experiment, or the folder of one or of a run of it.
Asked = int | str | Path


class Options(TypedDict, total=False):
    """What a verb may change of a study, each None or `auto` where it does not."""

    corpus: str | Path | None
    epochs: int | None
    precision: str
    threads: int | None
    seeds: int | None


class Located(NamedTuple):
    """A study as it is to be run: with a verb's options, and the rates that were found for it; and where it lies."""

    study: Study
    folder: Path
    built_in: Study
    source: Path | None


def find(study: str | Path | Study, out: Path, **options: Unpack[Options]) -> Located:
    """The study that is asked for, whose folder is in `out`.

    Raises:
        UserError: There is no such study, or it cannot have these options.
    """
    built_in, source = find_study(study)
    named = with_options(built_in, **options)
    if isinstance(study, Study):
        named = dataclasses.replace(named, options=None)
    declared = tuning.apply(out, named, built_in, source)
    return Located(declared, out / folder_name(declared, built_in), built_in, source)


def with_options(study: Study, **options: Unpack[Options]) -> Study:
    """The study with a verb's options in it.

    Raises:
        UserError: It cannot have them.
    """
    corpus, seeds = options.get("corpus"), options.get("seeds")
    budget: dict[str, Any] = {name: options.get(name) for name in ("epochs", "precision", "threads")}
    asked = {name: value for name, value in budget.items() if value not in (None, "auto")}
    try:
        changed = study.with_shared(corpus=corpora.choose(str(corpus)) if corpus is not None else None, **asked)
        typed = ({"corpus": corpus} if corpus is not None else {}) | asked
        changed = dataclasses.replace(changed, options={f"--{name}": str(value) for name, value in typed.items()})
        return changed.with_seeds(seeds) if seeds is not None else changed
    except ValueError as error:
        raise UserError(str(error)) from error


def numbers(option: str, given: str | int | Sequence[int] | None, study: Study) -> list[int] | None:
    """Numbers of a study's experiments, in a list or as they are typed: `1,5`."""
    if given is None:
        return None
    given = str(given) if isinstance(given, int) else given
    parts = [part.strip() for part in given.split(",")] if isinstance(given, str) else list(map(str, given))
    if not all(part in map(str, study.numbers) for part in parts):
        known = ", ".join(map(str, study.numbers))
        raise UserError(f"{option} takes experiment numbers such as 1,5; study {study.name} has {known}; not {given!r}")
    return [int(part) for part in parts]


#: What may be judged.
PAIRS = (
    "--baseline and --candidate take two numbers of a study, as in `bakeoff judge quick --baseline 1 --candidate 2`, "
    "or two folders and no study, as in `bakeoff judge --baseline runs/quick/02-lstm-1-adamw --candidate "
    "runs/mine/01-glr-1-adam`"
)


def contest_of(
    study: str | Path | None,
    pair: tuple[Asked, Asked],
    out: Path,
    options: Options,
    *,
    seeds: int,
    trust: bool,
) -> by_folders.Contest:
    """The study in which two are compared, and their numbers there; a new one has so many seeds.

    Raises:
        UserError: They are neither two numbers of a study nor two folders that can be compared.
    """
    counted = [re.fullmatch("-?[0-9]{1,9}", str(each)) is not None for each in pair]
    if len({*counted, study is not None}) > 1:
        raise UserError(PAIRS)
    if study is None:
        if given := [f"--{name}" for name, value in options.items() if value not in (None, "auto")]:
            raise UserError(f"the two folders say what their text and their budget are: leave out {given[0]}")
        return by_folders.contest(str(pair[0]), str(pair[1]), out, seeds=seeds, trust=trust)
    found, (baseline, candidate) = find(study, out, **options), (int(str(each)) for each in pair)
    searching = tuning.command(out, found.study, found.built_in, found.source)
    remedy = f"`{searching}` searches for both alike, and this command then judges with what it finds"
    return by_folders.Contest(found.study, found.folder, found.source, baseline, candidate, remedy)


def clustered(
    executor: str, address: str | None, *, shared: bool = True
) -> contextlib.AbstractContextManager[Cluster | None]:
    """The cluster that is asked for; None for this machine.

    Raises:
        UserError: There is no such executor; the errors of the cluster come when it is entered.
    """
    if executor == "ray":
        return connected(address, shared=shared)
    if not shared:
        raise UserError("--no-shared-folder is for the nodes of a Ray cluster: use it with --executor ray")
    if address is not None:
        raise UserError("--address is that of a Ray cluster: use it with --executor ray")
    if executor == "slurm":
        return contextlib.nullcontext(Slurm())
    if executor != "local":
        raise UserError(f"unknown executor {executor!r}: use local, ray or slurm")
    return contextlib.nullcontext()


def device_of(name: str, cluster: Cluster | None, precision: str) -> torch.device:
    """The device of that name, here or on a cluster's nodes.

    Raises:
        UserError: There is none, or it is not here and the precision is for it to decide.
    """
    if cluster is None:
        return resolve_device(name)
    device = torch.device(cluster.device(name))
    if precision == "auto" and not is_here(device):
        raise UserError("this machine has no GPU that tells what the nodes' compute in: use --precision bf16 or fp32")
    return device


def is_here(device: torch.device) -> bool:
    """Whether it can compute in this process."""
    return device.type != "cuda" or torch.cuda.is_available()


def at_once_of(jobs: str | int | None, executor: str) -> int | None:
    """How many runs at a time: by default one here, where times are measured, and on a cluster what its nodes hold."""
    return parse_jobs(str(("1" if executor == "local" else "auto") if jobs is None else jobs))


def bytes_of(given: str | None) -> float | None:
    """A size such as `2GB` or `500MB` in bytes."""
    if given is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)B?", given.strip().upper())
    if not found or not float(found[1]):
        raise UserError(f"--memory takes a size such as 2GB or 500MB, not {given!r}")
    return float(found[1]) * 1000.0 ** " KMGT".index(found[2] or " ")
