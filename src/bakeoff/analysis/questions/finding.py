"""A finding: an answer as facts, its verdict, and the rows that it rests on; its words are a template."""

import itertools
import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bakeoff.analysis.rows import Repeats, Row, StudyRows
from bakeoff.analysis.statistics import FEWEST_SEEDS, SAME, Comparison

Evidence = tuple[dict[str, Any], ...]
#: Seeds to run where fewer than three cannot decide.
NEXT_SEEDS = 5
#: A difference that takes more than these to decide is too small to matter.
WORTH = 10


@dataclass(frozen=True, kw_only=True)
class Finding:
    """An answer.

    Attributes:
        name: Short, for links: letters, digits and hyphens.
        template: Whose words it has: a file of `reporting/text/` without its ending.
        verdict: One of the constants of `statistics`.
        facts: What the template is given: a dataclass of the question's module, or a mapping.
        evidence: The keys (`number`, `seed`) of the rows behind it, and the names of floors.
        figures: Names of the figures that show it.
    """

    name: str
    template: str
    verdict: str
    facts: Any
    evidence: Evidence
    figures: tuple[str, ...] = ()


def link(*parts: object) -> str:
    """A finding's name, made of what it is about: lower case, with hyphens between."""
    return re.sub(r"[^a-z0-9]+", "-", "-".join(map(str, parts)).lower())


def evidence(rows: Iterable[Row], floors: Iterable[str] = ()) -> Evidence:
    """The keys of rows, each once, then those of floors."""
    keys = dict.fromkeys((row.number, row.seed) for row in rows)
    return (
        *({"number": number, "seed": seed} for number, seed in keys),
        *({"baseline": name} for name in floors),
    )


def command(study: StudyRows, experiments: Iterable[Repeats], compared: Comparison | None) -> str | None:
    """What to type next to decide a comparison; None where it is decided, or nothing `WORTH` it would decide it.

    Args:
        study: All rows.
        experiments: That are compared.
        compared: What came of it; None where nothing did.
    """
    if compared is None or compared.decided or compared.by_rates or compared.verdict == SAME:
        return None
    numbers = ",".join(map(str, sorted(e.number for e in experiments)))
    seeds = NEXT_SEEDS if len(compared.gains) < FEWEST_SEEDS else compared.seeds_to_decide
    return (
        run(study, "--only", numbers, "--seeds", seeds) if seeds and seeds <= max(WORTH, len(compared.gains)) else None
    )


def probe(study: StudyRows, experiment: Repeats) -> str | None:
    """The command that probes an experiment; None where it was probed, or there is nothing to probe."""
    if experiment.probe or not study.suspect(experiment):
        return None
    return shlex.join(["bakeoff", "probe", f"runs/{study.folder}", str(experiment.number)])


def run(study: StudyRows, *options: object, verb: str = "run") -> str | None:
    """The command that runs a study, or does something else with it, with the options that made it and these.

    None where no command line names it: it is part of a choice or of a search, or a program made it.

    Args:
        study: All rows.
        options: Each followed by its value.
        verb: What is to be done.
    """
    declared = study.study
    made = declared.get("options", {})  # records of earlier versions do not tell
    if made is None:
        return None
    given = made | dict(zip(options[::2], options[1::2], strict=True))
    typed = map(str, itertools.chain(*given.items()))
    return shlex.join(["bakeoff", verb, declared["source"] or declared["study"], *typed])
