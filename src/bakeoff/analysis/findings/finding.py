"""A finding: an answer, its verdict, and the rows that it rests on."""

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from bakeoff.analysis import comparison, words
from bakeoff.analysis.rows import Row
from bakeoff.metrics import Tally
from bakeoff.records import DIVERGED, FAILED

SUPPORTED, CONTRADICTED = "supported", "contradicted"
NOT_DISTINGUISHABLE, NOT_MEASURED = "not distinguishable", "not measured"

#: From what a comparison says to the verdict on "the first is better".
VERDICTS = {
    comparison.YES: SUPPORTED,
    comparison.NO: CONTRADICTED,
    comparison.CHANCE: NOT_DISTINGUISHABLE,
    comparison.UNKNOWN: NOT_MEASURED,
}
#: Diagnoses of runs that learned no context: they say something about their settings, nothing about their kind.
UNLEARNED = ("diverged", "dead", "worse-than-unigram", "unigram-plateau")

#: What floors are called in sentences.
FLOOR_TITLES = {
    "uniform": "the uniform distribution",
    "unigram": "the unigram",
    "kn2": "the Kneser-Ney bigram",
    "kn3": "the Kneser-Ney trigram",
    "kn3+cache": "the Kneser-Ney trigram with a unigram cache",
}

Evidence = tuple[dict[str, Any], ...]


@dataclass(frozen=True, kw_only=True)
class Conjecture:
    """A reason or a remedy that the rows do not prove.

    Attributes:
        text: What may be so.
        source: Who says so, and where.
        decided_by: The run that would decide it here.
    """

    text: str
    source: str
    decided_by: str


@dataclass(frozen=True, kw_only=True)
class Finding:
    """An answer.

    Attributes:
        name: Short, for links: letters, digits and hyphens.
        question: What was asked.
        verdict: `supported`, `contradicted`, `not distinguishable` or `not measured`.
        text: The answer in words.
        evidence: The keys (`number`, `seed`) of the rows behind it, and the names of floors.
        figures: Names of the figures that show it.
        conjecture: Why it may be so, or what may help, where the question asks that.
    """

    name: str
    question: str
    verdict: str
    text: str
    evidence: Evidence
    figures: tuple[str, ...] = ()
    conjecture: Conjecture | None = None

    def as_json(self) -> dict[str, Any]:
        """The finding as plain data."""
        return asdict(self)


def link(*parts: str) -> str:
    """A finding's name, made of what it is about: lower case, with hyphens between."""
    return re.sub(r"[^a-z0-9]+", "-", "-".join(parts).lower())


def evidence(rows: Iterable[Row], floors: Iterable[str] = ()) -> Evidence:
    """The keys of rows, then those of floors."""
    return (
        *({"number": row.number, "seed": row.seed} for row in rows),
        *({"baseline": name} for name in floors),
    )


def unlearned(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Those of the rows that learned nothing about context."""
    return tuple(row for row in rows if row.diagnosis_rule in UNLEARNED)


def became(row: Row) -> str:
    """What became of a run, as a clause: `#3 diverged`, `#4 is worse than unigram`."""
    ended = row.status in (DIVERGED, FAILED)
    return f"#{row.number} {row.status if ended else f'is {row.diagnosis}'}"


def paid(tally: Tally, loss: float | None = None) -> str:
    """What was paid for a split, in the two units that a reader compares.

    Args:
        tally: Nats and counts.
        loss: Another loss in nats per token on the same split, such as a mean over seeds.
    """
    share = 1.0 if loss is None else loss / tally.loss
    return f"a perplexity of {words.perplexity(share * tally.loss)} ({share * tally.bits_per_byte:.3f} bits per byte)"
