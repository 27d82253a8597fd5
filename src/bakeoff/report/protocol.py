"""How the study was measured: the protocol in words, its facts, and the commands that repeat it."""

import shlex
from collections.abc import Iterable
from typing import Any

from bakeoff import words
from bakeoff.analysis.rows import StudyRows

Json = dict[str, Any]
#: What an environment is told by, in the order of the report.
VERSIONS = ("bakeoff", "python", "torch", "numpy", "tokenizers")
#: Seeds that `bakeoff run --seeds` counts from.
FIRST_SEED = 0


def sentences(study: StudyRows) -> list[str]:
    """The protocol, a paragraph each."""
    budget = study.study["budget"]
    measures = (
        "Perplexities are made of summed nats and counted tokens, divided once, and measured without dropout, with "
        f"matrix products in {words.PRECISIONS[budget['precision']]} as in training. Every token of a split but its "
        f"first is predicted exactly once, in sequences of {budget['sequence_length']} tokens between which no state "
        "is carried; train is measured on a fixed sample of whole documents, with the same weights as valid."
    )
    fairness = (
        "All experiments of the study share corpus, tokens, batch, sequence length, order of the data for a seed, "
        "schedule and clipping. The best epoch and all that is bold is chosen on valid; test is opened once, at the "
        "best epoch and at the end, and never selects."
    )
    clock = (
        "The training clock stands still during evaluation, warm-up, checkpoints and everything else. Memory is read "
        "during steady training, above what the process held before the model existed."
    )
    return [measures, fairness, clock]


def facts(study: StudyRows, environments: Iterable[Json]) -> list[tuple[str, str]]:
    """How it was measured, as pairs of a term and its description.

    Args:
        study: All rows.
        environments: What each run recorded of where it was computed.
    """
    told = list(environments)
    corpus, budget = study.study["corpus"], study.study["budget"]
    clip = f"gradients clipped to norm {budget['clip']:g}" if budget["clip"] else "no clipping"
    memory = sorted({row.memory["kind"] for row in study.rows if row.memory})
    return [
        ("Corpus", f"{corpus['name']}: {corpus['source']}"),
        ("Licence of the corpus", str(corpus["licence"])),
        ("SHA-256 of the corpus", str(corpus["sha256"])),
        *((split.capitalize(), _size(corpus[split])) for split in ("train", "valid", "test")),
        ("Tokenizer", f"{budget['tokenizer']}, {words.count(study.study['experiments'][0]['vocabulary'])} symbols"),
        ("Budget", f"{words.epochs(budget)}, {budget['schedule']} schedule, {clip}"),
        ("Seeds", ", ".join(map(str, study.study["seeds"]))),
        ("Machine", _machine(study, told)),
        ("Memory is", ", ".join(memory) or words.ABSENT),
        ("Versions", _versions(study, told)),
        ("Identity of the study", str(study.study["identity"])),
    ]


def commands(study: StudyRows, folder: str) -> list[str]:
    """What repeats the study and its report.

    Args:
        study: All rows.
        folder: The name of the study's folder.
    """
    declared = study.study
    run = ["bakeoff", "run", declared["source"] or declared["study"]]
    if declared["seeds"] == list(range(FIRST_SEED, FIRST_SEED + len(declared["seeds"]))) and len(declared["seeds"]) > 1:
        run += ["--seeds", str(len(declared["seeds"]))]
    # An option that changes what is computed names another folder, and the folder is all that keeps it.
    changed = "" if folder == declared["study"] else f"  # with the options that made the folder {folder}"
    return [f"{shlex.join(run)}{changed}", shlex.join(["bakeoff", "report", f"runs/{folder}"])]


def _size(split: dict[str, int]) -> str:
    return ", ".join(f"{words.count(split[unit])} {unit}" for unit in ("documents", "tokens", "words", "bytes"))


def _machine(study: StudyRows, environments: list[Json]) -> str:
    """Every machine that a run was computed on; one in a study that makes a claim about speed."""
    budget = study.study["budget"]
    machines = dict.fromkeys(_one_machine(environment) for environment in environments)
    return f"{'; '.join(machines) or words.ABSENT}; {words.plural(budget['threads'], 'thread')}, {budget['precision']}"


def _one_machine(environment: Json) -> str:
    device = environment.get("device_name") or environment.get("device") or ""
    processor = environment.get("processor")
    cores = f"{environment['cores']} cores" if environment.get("cores") else ""
    memory = f"{environment['memory_bytes'] / 1e9:.0f} GB" if environment.get("memory_bytes") else ""
    where = (device, processor if processor != device else "", cores, memory, environment.get("system"))
    return ", ".join(str(part) for part in where if part)


def _versions(study: StudyRows, environments: list[Json]) -> str:
    told = {name: dict.fromkeys(str(e[name]) for e in environments if e.get(name)) for name in VERSIONS}
    told["bakeoff"] = told["bakeoff"] or {study.study["bakeoff"]: None}
    return ", ".join(f"{name} {' and '.join(versions)}" for name, versions in told.items() if versions)
