"""How the study was measured: the protocol and its facts, the scale of verdicts, and the commands that repeat it."""

import json
import shlex
from pathlib import Path

from bakeoff import words
from bakeoff.analysis import optimum, statistics
from bakeoff.analysis.questions.finding import run
from bakeoff.analysis.rows import Row, StudyRows
from bakeoff.decisions import place
from bakeoff.reporting.text import say
from bakeoff.run_folder import RunFolder
from bakeoff.shapes import Json

#: Paragraphs of the protocol: macros of `text/protocol.j2`. Here and below, what comes out empty is left out.
PARAGRAPHS = ("measures", "fairness", "clock", "search", "mixed")
#: Paragraphs of the scale of verdicts.
SCALE = ("verdicts", "judged")
#: The terms of its facts, and their macros.
FACTS = {
    "Corpus": "corpus",
    "Licence of the corpus": "licence",
    "SHA-256 of the corpus": "sha256",
    "Train": "train",
    "Valid": "valid",
    "Test": "test",
    "Tokenizer": "tokenizer",
    "Budget": "budget",
    "Seeds": "seeds",
    "Machine": "machine",
    "Memory is": "memory",
    "Code": "code",
    "Versions": "versions",
    "Identity of the study": "identity",
}
#: What an environment is told by besides the code, in this order.
VERSIONS = ("python", "torch", "numpy", "tokenizers")


def of(study: StudyRows, folder: Path) -> Json:
    """The protocol as the report shows it.

    Args:
        study: All rows.
        folder: Of the study.

    Returns:
        `setting`, one line; `protocol`, its paragraphs; `scale`, what the verdicts mean; `facts`, pairs of a term and
        its description; `commands`, what repeats the study and its report; and `load`, what loads the best model, None
        where its weights were not kept.
    """
    facts = _facts(study)
    said = {macro: say("protocol", macro, facts) for macro in ("setting", *PARAGRAPHS, *SCALE, *FACTS.values())}
    return {
        "setting": said["setting"],
        "protocol": [said[macro] for macro in PARAGRAPHS if said[macro]],
        "scale": [said[macro] for macro in SCALE],
        "facts": [(term, said[macro]) for term, macro in FACTS.items() if said[macro]],
        "commands": _commands(study, place(folder)),
        "load": _load(study, folder),
    }


def _commands(study: StudyRows, folder: str) -> list[str]:
    declared, seeds = study.study, study.study["seeds"]
    command = run(study, "--seeds", len(seeds)) if len(seeds) > 1 else run(study)
    # An option that changes what is computed names another folder; records of earlier versions have no other trace.
    told = "options" in declared or folder == declared["study"]
    changed = "" if told else f"  # with the options that made the folder {folder}"
    repeat = [f"{command}{changed}"] if command else []
    return [*repeat, shlex.join(["bakeoff", "report", f"runs/{folder}"])]


def _load(study: StudyRows, folder: Path) -> str | None:
    best = study.ranked[0].best.folder if study.ranked else None
    kept = best and RunFolder(folder / best).best_weights.is_file()
    return f"bakeoff.load({json.dumps(f'runs/{place(folder)}/{best}')})" if kept else None


def _facts(study: StudyRows) -> Json:
    """What the templates of the protocol and its facts are made of; runs that never began tell nothing."""
    begun = [row for row in study.rows if row.environment]
    codes: dict[str, list[int]] = {}
    for row in begun:
        codes.setdefault(_code(row), []).append(row.number)
    versions = {name: [str(row.environment[name]) for row in begun if row.environment.get(name)] for name in VERSIONS}
    return {
        "study": study,
        "constants": statistics,
        "placed": optimum.within,
        "declared": study.study,
        "machines": list(dict.fromkeys(say("protocol", "environment", row.environment) for row in begun)),
        "kinds": sorted({row.memory["kind"] for row in study.rows if row.memory}),
        "codes": codes,
        "own_schedules": {
            experiment.rows[0].optimizer_title: schedule
            for experiment in study.experiments
            if (schedule := experiment.traits.get("schedule"))
        },
        "versions": {name: list(dict.fromkeys(found)) for name, found in versions.items()},
        "devices": sorted({row.device for row in study.rows if row.device}),
        "trials": sum(len(study.trials(experiment)) for experiment in study.experiments),
        "steps": sum(row.history[-1].step for row in study.rows if row.history),
    }


def _code(row: Row) -> str:
    """What computed a run: version, commit where there is one, checksum of the sources where it was recorded."""
    told = {name: row.environment.get(name) for name in ("bakeoff", "commit", "sources")}
    return ", ".join(f"{name} {str(value)[:12]}" for name, value in told.items() if value) or words.ABSENT
