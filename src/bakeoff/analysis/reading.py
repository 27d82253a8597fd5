"""How rows are read: each run's records, checked, become one row."""

import dataclasses
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bakeoff import decisions
from bakeoff.analysis import diagnosis, evaluations, noise
from bakeoff.analysis.evaluations import Baseline
from bakeoff.analysis.probe import Probe, probe
from bakeoff.analysis.reported import reported
from bakeoff.analysis.rows import Row, StudyRows, budget_unit, mean, smaller_than, valid_loss
from bakeoff.analysis.titles import titles_of
from bakeoff.errors import UserError, plain
from bakeoff.metrics import Tally
from bakeoff.run_folder import DAMAGED, DIVERGED, FINISHED, RunFolder
from bakeoff.shapes import Json
from bakeoff.study_folder import StudyFolder

#: Stands for the end of a line in a text that is shown.
END_OF_LINE = "¶"
#: Rows of runs that are over, by their folders, and which files these held then.
Known = dict[Path, tuple["Held", Row]]
#: The names of files, when they were last changed, and their sizes; None where one is just going.
Held = set[tuple[str, int, int]] | None


def read_rows(folder: StudyFolder, seeds: Sequence[int] = (), known: Known | None = None) -> StudyRows:
    """Reduce every declared run of a study to a row.

    Args:
        folder: Of the study.
        seeds: Instead of those that are declared: runs with others may be there as well.
        known: Where rows of runs that are over are kept for whoever reads the same study again and again; with it no
            row is diagnosed.

    Raises:
        DamagedError: `study.json` is not what was written, or was written by a version that declared other things.
    """
    declared = folder.declared
    declared["seeds"] = list(seeds or declared["seeds"])
    study = _shown(declared)
    baselines = tuple(evaluations.baseline(entry) for entry in study["baselines"])
    titles = titles_of(study)
    kept = {} if known is None else known
    rows = [_known_row(kept, study, titles, entry, seed, run) for entry, seed, run in folder.runs(declared)]
    if known is None:
        floors = {baseline.name: baseline for baseline in baselines}
        rows = [_diagnosed(row, floors, rows) for row in rows]
    models, optimizers = ([entry["name"] for entry in study[kind]] for kind in ("models", "optimizers"))
    rows.sort(key=lambda r: (models.index(r.model), r.layers, optimizers.index(r.optimizer), r.number, r.seed))
    return StudyRows(
        study=study,
        folder=decisions.place(folder.path),
        rows=tuple(rows),
        baselines=baselines,
        noise=noise.nearest(study),
        texts=_texts(declared.get("texts")),
        reported=tuple(reported(name, _shown(record)) for name, record in folder.reported),
    )


def rows_of_other_seeds(folder: StudyFolder) -> list[Row]:
    """Runs with seeds that a study does not declare: a comparison of two has trained them.

    Raises:
        DamagedError: As `read_rows`.
    """
    there = {f"{slug}/seed-{seed}" for slug, seeds in folder.other_seeds().items() for seed in seeds}
    seeds = sorted({int(run.rpartition("-")[2]) for run in there})
    return [row for row in read_rows(folder, seeds).rows if row.folder in there] if there else []


def require_undamaged(rows: Iterable[Row]) -> None:
    """See that nothing is chosen among runs of which one's records are not what was written.

    Raises:
        UserError: One's are not.
    """
    for row in rows:
        if row.status == DAMAGED:
            raise UserError(row.error or "", status=1)


def _known_row(  # noqa: PLR0913, PLR0917 (those of a row, and where it is kept)
    known: Known, study: Json, titles: Mapping[int, tuple[str, str]], entry: Json, seed: int, run: RunFolder
) -> Row:
    """The row of a run, read once where it is over and nothing of it has changed since."""
    try:
        files = list(os.scandir(run.path))
        held: Held = {(file.name, file.stat().st_mtime_ns, file.stat().st_size) for file in files}
    except OSError:
        held = None
    before, row = known.get(run.path, (None, None))
    if row is None or held is None or before != held:
        row = _row(study, titles, entry, seed, run)
        if row.status in (FINISHED, DIVERGED):
            known[run.path] = held, row
    return row


def _row(study: Json, titles: Mapping[int, tuple[str, str]], entry: Json, seed: int, run: RunFolder) -> Row:
    status, summary, environment, documents, texts, lines, probed = run.read()
    summary, environment = _shown(summary), _shown(environment)
    history = tuple(evaluations.point(line, budget_unit(study)) for line in lines)
    best = min(history, key=lambda point: point.valid.nats, default=None)
    last, test, averaged = history[-1] if history else None, summary.get("test"), summary.get("averaged")
    declared = ("number", "model", "layers", "optimizer", "learning_rate", "weight_decay")
    told = ("error", "memory", "evaluation_seconds", "warmup_seconds", "other_seconds", "tokens_per_second", "alone")
    fields: Json = {name: entry[name] for name in (*declared, "parameters", "learnable_parameters")}
    fields |= {name: summary.get(name) for name in (*told, "processor_seconds")}
    if fields["memory"] and not fields["memory"]["peak_bytes"]:
        fields["memory"] = None
    model_title, optimizer_title = titles[entry["number"]]
    return Row(
        **fields,
        model_title=model_title,
        optimizer_title=optimizer_title,
        seed=seed,
        status=status,
        epochs=last.epoch if last else 0,
        best_epoch=best.epoch if best else None,
        train=best.train if best else None,
        valid=best.valid if best else None,
        test=Tally.of(test["best"]) if test else None,
        last={
            "train": last.train if last else None,
            "valid": last.valid if last else None,
            "test": Tally.of(test["last"]) if test else None,
        },
        averaged={split: Tally.of(sums) for split, sums in averaged.items()} if averaged else None,
        with_counts=evaluations.with_counts(mixed) if (mixed := summary.get("with_counts")) else None,
        windows={name: Tally.of(sums) for name, sums in (summary.get("windows") or {}).items() if sums},
        train_running_perplexity=best.running_perplexity if best else None,
        clipped=mean([point.clipped for point in history]),
        train_seconds=last.train_seconds if last else None,
        device=environment.get("device"),
        precision=study["budget"]["precision"],
        threads=study["budget"]["threads"],
        memory_parts=entry.get("memory"),
        diagnosis=None,
        diagnosis_rule=None,
        diagnosis_text=None,
        folder=f"{run.path.parent.name}/{run.path.name}",
        entry=entry,
        environment=environment,
        history=history,
        documents={split: evaluations.parts(entry) for split, entry in (documents or {}).items()},
        texts=_texts(texts),
        probe=_probe(study, entry, probed) if probed else None,
    )


def _shown(data: Any) -> Any:  # noqa: ANN401 (plain data of any shape)
    """The same with text that is harmless wherever it will be shown."""
    if isinstance(data, dict):
        return {_shown(key): _shown(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_shown(value) for value in data]
    return plain(data) if isinstance(data, str) else data


def _texts(found: Json | None) -> dict[str, str]:
    """Texts by their prompts, each harmless and in one line; a sign of its own stands for the end of a line."""
    parts = ("prompt", "text")
    texts = (found or {}).get("texts", ())
    return dict([plain(each[part].replace("\n", END_OF_LINE)) for part in parts] for each in texts)


def _probe(study: Json, entry: Json, record: Json) -> Probe:
    unigram = next(evaluations.baseline(floor) for floor in study["baselines"] if floor["name"] == "unigram")
    return probe(record, entry["number"], unigram.valid.loss, noise.nearest(study).of(entry["model"]))


def _diagnosed(row: Row, floors: Mapping[str, Baseline], rows: list[Row]) -> Row:
    """The row with what became of it, if it is over."""
    if not (row.status == DIVERGED or row.finished):
        return row
    diverged = (row.error or "diverged") if row.status == DIVERGED else None
    try:
        smaller = min(map(valid_loss, smaller_than(row, rows)), default=None)
        found = diagnosis.diagnose(row.history, floors, diverged=diverged, smaller=smaller)
    except Exception as error:  # noqa: BLE001 (one run that a rule cannot judge must not cost the study its report)
        return dataclasses.replace(row, diagnosis="not diagnosed", diagnosis_text=f"A rule failed: {error!r}.")
    return dataclasses.replace(row, diagnosis=found.name, diagnosis_rule=found.rule, diagnosis_text=found.text)
