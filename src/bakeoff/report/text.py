"""The words: templates that say what findings found. A sentence that does not apply leaves no trace."""

from typing import Any

import jinja2

from bakeoff import words
from bakeoff.analysis.questions.finding import Finding
from bakeoff.analysis.rows import Repeats, Row
from bakeoff.analysis.statistics import Comparison

Json = dict[str, Any]
#: The parts of an answer that a template may define besides `question` and `text`; what comes out empty is left out.
OPTIONAL = ("conjecture", "source", "decided_by", "command")


def finding(found: Finding) -> Json:
    """A finding in words, as `results.json` has it and the page shows it."""
    said = {part: say(found.template, part, found.facts) for part in ("question", "text", *OPTIONAL)}
    why = {"text": said["conjecture"], "source": said["source"], "decided_by": said["decided_by"]}
    return {
        "name": found.name,
        "question": said["question"],
        "verdict": found.verdict,
        "text": said["text"],
        "evidence": list(found.evidence),
        "figures": list(found.figures),
        "conjecture": why if why["text"] else None,
        "command": said["command"] or None,
    }


def say(template: str, part: str, facts: object) -> str:
    """What one macro of a template says of some facts, white space folded; empty where it has no such macro."""
    macro = getattr(_ENVIRONMENT.get_template(f"{template}.j2").module, part, None)
    return words.folded(macro(facts)) if macro else ""


def named(what: Repeats | Row) -> str:
    """Number and name: `#2 (1-layer LSTM, AdamW)`."""
    return f"#{what.number} ({what.name})"


def numbers(found: list[Repeats | Row | int]) -> str:
    """Numbers alone: `#3, #4 and #7`; each once, in order."""
    return words.numbers(each if isinstance(each, int) else each.number for each in found)


def interval(compared: Comparison) -> str:
    """The interval of a difference over seeds, turned so that the better one's lead is positive."""
    over, sign = compared.over_seeds, 1 if compared.gain >= 0 else -1
    assert over is not None, "asked for only where there is one"
    return words.spread(*sorted((sign * over.low, sign * over.high)))


def times(factor: float) -> str:
    """How many times as much: `2.1 times`, `30 times`."""
    return f"{factor:.1f} times" if factor < 10 else f"{factor:,.0f} times"  # noqa: PLR2004


_ENVIRONMENT = words.environment(jinja2.PackageLoader("bakeoff.report", "text"))
_ENVIRONMENT.filters |= {function.__name__: function for function in (named, numbers, interval, times)}
