"""The words: templates that say what findings found. A sentence that does not apply leaves no trace."""

from collections import Counter
from collections.abc import Iterable

import jinja2

from bakeoff import templating, words
from bakeoff.analysis import answer as answers
from bakeoff.analysis.noise import Noise
from bakeoff.analysis.questions.finding import Finding
from bakeoff.analysis.rows import Repeats, Row
from bakeoff.analysis.statistics import ANSWERED, Comparison
from bakeoff.shapes import Json

#: The parts of an answer that a template may define besides `question` and `text`; what comes out empty is left out.
OPTIONAL = ("conjecture", "source", "decided_by", "command", "brief")


def finding(found: Finding) -> Json:
    """A finding in words, as `results.json` has it and the page shows it."""
    said = {part: say(found.template, part, found.facts) for part in ("question", "text", *OPTIONAL)}
    why = {"text": said["conjecture"], "source": said["source"], "decided_by": said["decided_by"]}
    return {
        "name": found.name,
        "question": said["question"],
        "verdict": found.verdict,
        "brief": said["brief"] or (None if found.verdict == ANSWERED else words.sentence(found.verdict)),
        "text": said["text"],
        "evidence": list(found.evidence),
        "figures": list(found.figures),
        "table": grid(found.template, found.facts),
        "conjecture": why if why["text"] else None,
        "command": said["command"] or None,
    }


#: What the first screen shows side by side, and the sentences under it, the gravest first.
TILES = ("quality", "time", "memory", "parameters", "trouble")
NOTES = ("unfinished", "leaked", "falling", "budgets", "carried", "seeds", "clocks", "rates")


def answer(facts: answers.Facts) -> Json:
    """The first screen in words: a headline, tiles with a number each, and what must not be overlooked."""
    first = {
        "quality": facts.best,
        "time": facts.clock.races[0].arrivals[0].experiment if facts.clock.races else None,
        "memory": facts.memory.least if facts.memory else None,
        "parameters": facts.parameters.least if facts.parameters else None,
    }
    parts = ("label", "value", "unit", "text")
    return {
        "headline": say("answer", "headline", facts),
        "tiles": [
            {
                "run": found.number if (found := first.get(kind)) else None,
                "warns": kind == "trouble" and bool(facts.wrong),
            }
            | {part: say("answer", f"{kind}_{part}", facts) for part in parts}
            for kind in TILES
        ],
        "notes": [said for note in NOTES if (said := say("answer", f"note_{note}", facts))],
    }


def say(template: str, part: str, facts: object) -> str:
    """What one macro of a template says of some facts, white space folded; empty where it has no such macro."""
    macro = getattr(_ENVIRONMENT.get_template(f"{template}.j2").module, part, None)
    return templating.folded(macro(facts)) if macro else ""


def grid(template: str, facts: object) -> list[list[str]] | None:
    """The small table that a macro `table` says: a line a row, the head first, `|` between cells; None without one."""
    macro = getattr(_ENVIRONMENT.get_template(f"{template}.j2").module, "table", None)
    lines = [line for line in macro(facts).splitlines() if line.strip()] if macro else []
    return [[templating.folded(cell) for cell in line.split("|")] for line in lines] or None


def named(what: Repeats | Row) -> str:
    """Number and name: `#2 (1-layer LSTM, AdamW)`."""
    return f"#{what.number} ({what.name})"


def numbers(found: Iterable[Repeats | Row | int], last: str = "and") -> str:
    """Numbers alone: `#3, #4 and #7`; each once, in order."""
    return words.numbers((each if isinstance(each, int) else each.number for each in found), last)


def runs(rows: Iterable[Row], seeds: int) -> str:
    """The same of runs, with how many of their seeds where it is not all: `#3 and #4 (2 of 3 seeds)`."""
    counts = sorted(Counter(row.number for row in rows).items())
    return words.joined(f"#{number}{f' ({n} of {seeds} seeds)' if n < seeds else ''}" for number, n in counts)


def deviations(noise: Noise) -> str:
    """The typical deviations between seeds, the smallest and the largest: `0.006 to 0.014`."""
    return words.joined(
        dict.fromkeys(map(words.small, sorted(found.nats for found in noise.deviations.values()))), "to"
    )


def interval(compared: Comparison) -> str:
    """The interval of a difference, over seeds or else over documents, turned so that the better one leads."""
    over, sign = compared.over_seeds or compared.over_documents, 1 if compared.gain >= 0 else -1
    assert over is not None, "asked for only where there is one"
    return words.spread(*sorted((sign * over.low, sign * over.high)))


def times(factor: float) -> str:
    """How many times as much: `2.1 times`, `30 times`."""
    return f"{factor:.1f} times" if factor < 10 else f"{factor:,.0f} times"  # noqa: PLR2004


_ENVIRONMENT = templating.environment(jinja2.PackageLoader("bakeoff.reporting", "text"))
_ENVIRONMENT.filters |= {
    function.__name__: function for function in (named, numbers, runs, deviations, interval, times)
}
