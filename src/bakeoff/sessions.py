"""A session of a study as a command does it: it is prepared, what it costs is said, its runs are done and reported.

Progress is shown on standard error, or in a notebook's cell.
"""

import contextlib
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import torch
from rich.console import Console

from bakeoff import at_work, costs, decisions, progress, words
from bakeoff.by_folders import Contest
from bakeoff.executors import Cluster
from bakeoff.folders import require_ours
from bakeoff.machine import require_precision
from bakeoff.options import Located, device_of, is_here
from bakeoff.reporting import live
from bakeoff.reporting.results import Results, report
from bakeoff.run_folder import FAILED
from bakeoff.runner import Session, open_undeclared
from bakeoff.spec import Run
from bakeoff.study_folder import StudyFolder


@contextlib.contextmanager
def opened(
    asked: Located | Contest,
    device: str,
    at_once: int | None,
    console: Console,
    again: Collection[int],
    *,
    cluster: Cluster | None,
) -> Iterator[Session]:
    """The session of a study, once its text is ready; nothing of the study is declared yet."""
    study, folder, source = asked.study, asked.folder, asked.source
    require_ours(folder, "study.json", "*/seed-*/spec.json")  # a damaged study.json may have been removed
    progress.prepare(study.corpus, study.budget, console)
    with contextlib.ExitStack() as stack:
        with console.status(f"preparing {study.corpus.name}"):
            where = device_of(device, cluster, study.budget.precision)
            session = stack.enter_context(open_undeclared(study, folder, where, source, at_once, again)).on(cluster)
        say_where(session, console)
        yield session


def say_where(session: Session, console: Console) -> None:
    """Say where runs have their files meanwhile, if that is not the study's folder."""
    if session.cluster and session.cluster.sends:
        told = "what runs read is sent to them, and the runs' folders come back"
        progress.say(console, f"the nodes do not share {session.folder.path}: {told}")


def do(
    session: Session,
    missing: Sequence[Run],
    at_once: int | None,
    console: Console,
    *also: progress.Display,
    again: Collection[int] = (),
) -> list[str]:
    """Do the missing runs, and say before what that will cost; a line for each that failed.

    Where the disk or the cluster has no room for them, whatever there is stays as it is.
    """
    jobs = say_cost(session, missing, at_once, console) if missing else 1
    session.forget(again)
    session.declare()
    decisions.forget(session.folder.path)
    if missing:
        return train(session, missing, jobs, console, *also)
    with progress.following(*also):  # what they show of runs that are over
        return []


def say_cost(
    session: Session, missing: Sequence[Run], at_once: int | None, console: Console, about: str | None = None
) -> int:
    """Say what the missing runs will cost, and how many are done at a time: by default what the machine holds.

    They are those of the session, or what it is `about`, with runs of others that are like it.
    """
    study = session.study
    if not session.cluster:
        require_precision(study.budget.precision, session.device)
    with console.status("timing a few steps of each model"):
        here = session.device if is_here(session.device) else torch.device("cpu")
        cost = costs.estimate(missing, session.tokens, here, trial=study.trial)
    for line in () if session.cluster else costs.too_large(missing, session.tokens.vocabulary, here):
        progress.say(console, line)
    held = session.holds(cost.memory_bytes)
    jobs = min(at_once or held, len(missing))
    disk = cost.disk_bytes(jobs)
    costs.require_disk(f"what is to do of {study.name} takes about", disk, session.folder.path, "choose another --out")
    threads = words.plural(study.budget.threads or 1, "thread")
    progress.say(
        console,
        f"{about or f'{study.name}: {len(missing)} of {len(study.runs)} runs'} to do on {session.device.type}, "
        f"{threads} a run, {study.budget.precision}, {jobs} at a time: about "
        f"{words.duration(cost.wait(min(jobs, held if session.cluster else session.side_by_side)))}, "
        f"{words.megabytes(cost.memory_bytes * jobs)} of memory, {words.megabytes(disk)} of disk",
    )
    return jobs


def train(session: Session, missing: Sequence[Run], jobs: int, console: Console, *also: progress.Display) -> list[str]:
    """Do the missing runs, `jobs` at a time; a line for each that failed.

    Progress and the study's page are told what they say, and whoever else is named.
    """
    progress.say(console, f"as it goes on: {live.path(session.folder)}")
    displays = progress.display(missing, console), progress.page(session.folder, console, session.study)
    with progress.following(*displays, *also) as observer:
        session.run(missing, jobs, observer)
    records = {run.slug: session.folder.run(run.slug).read() for run in missing}
    return [f"{slug} failed: {kept.summary['error']}" for slug, kept in records.items() if kept.status == FAILED]


def reported(folder: Path, console: Console) -> Results:
    """The results of a study, once its report is written, to which its page leads then."""
    with console.status("writing the report"):
        results = report(folder)
    at_work.forget(StudyFolder(folder))
    progress.page(StudyFolder(folder), console).draw()
    return results
