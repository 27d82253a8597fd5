"""The answer first: what to use, under which goal, by how much, how sure; and what must not be overlooked."""

from dataclasses import dataclass

from bakeoff.analysis.rows import Row, StudyRows


@dataclass(frozen=True, kw_only=True)
class Goal:
    """What is best under one goal.

    Attributes:
        name: `quality`, `time`, `memory`, `parameters` or `trouble`.
        value: A short number, such as "66.1".
        unit: What it counts.
        row: The run, if there is one.
        text: One or two sentences: by how much, and how sure.
    """

    name: str
    value: str
    unit: str
    row: Row | None
    text: str


def headline(study: StudyRows) -> str:
    """One sentence that answers the question which model and optimizer to use here."""
    best = study.best_of_all
    return f"Best on valid: #{best.number} ({best.name})." if best else "No run has finished yet."


def goals(study: StudyRows) -> list[Goal]:
    """The best run under each goal, and what went wrong."""
    best = study.best_of_all
    value = f"{best.valid.perplexity:.4g}" if best and best.valid else "none"
    return [Goal(name="quality", value=value, unit="valid perplexity", row=best, text="")]


def caveats(study: StudyRows) -> list[str]:
    """What keeps the reader from believing too much."""
    return ["One seed."] if len(study.study["seeds"]) == 1 else []
