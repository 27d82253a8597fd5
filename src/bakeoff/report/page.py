"""The page: one HTML file that holds everything and fetches nothing."""

import base64
from collections import Counter

import jinja2
from markupsafe import Markup

from bakeoff.analysis.findings import findings
from bakeoff.analysis.rows import Row, StudyRows
from bakeoff.metrics import Tally
from bakeoff.report import tables, words
from bakeoff.report.style import Figure


def render(study: StudyRows, figures: list[Figure]) -> str:
    """The whole page as text."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("bakeoff.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["count"] = words.count
    return environment.get_template("index.html").render(
        study=study.study,
        findings=findings(study),
        summary=_summary(study),
        warnings=_warnings(study),
        columns=tables.COLUMNS,
        lines=tables.lines(study),
        caption=Markup(tables.html_caption(study)),  # noqa: S704 (made of our own words and numbers)
        curves=[_embedded(figure) for figure in figures if not figure.name.startswith("rates")],
        sensitivity=[_embedded(figure) for figure in figures if figure.name.startswith("rates")],
        facts=_facts(study),
    )


def _summary(study: StudyRows) -> list[str]:
    """The best run of each architecture, by valid."""
    best = [row for model in study.study["models"] if (row := study.best(model["name"]))]
    praised = [_praise(row, row.valid, row.test) for row in best if row.valid and row.test]
    return praised or ["No run has finished yet."]


def _praise(row: Row, valid: Tally, test: Tally) -> str:
    return (
        f"Best {row.model_title}: #{row.number}, {row.name} (learning rate {words.rate(row.learning_rate)}, seed "
        f"{row.seed}), with a perplexity of {words.number(valid.perplexity)} on valid and "
        f"{words.number(test.perplexity)} on test, or {words.small(valid.bits_per_byte)} and "
        f"{words.small(test.bits_per_byte)} bits per byte."
    )


def _warnings(study: StudyRows) -> list[str]:
    """What went wrong or is not there, before anything else is believed."""
    statuses = Counter(row.status for row in study.rows)
    unfinished = [f"{count} {status}" for status, count in statuses.items() if status != "finished"]
    warnings = [f"Of {len(study.rows)} runs, {', '.join(unfinished)}."] if unfinished else []
    worse = [f"#{row.number}" for row in study.rows if row.diagnosis == "worse than unigram"]
    if worse:
        warnings.append(f"Worse than the unigram, so nothing was learned about context: {', '.join(worse)}.")
    if any(row.alone is False for row in study.rows):
        warnings.append("Some runs shared the machine: their times (†) are no basis for a claim about speed.")
    if len(study.study["seeds"]) == 1:
        warnings.append("One seed: no claim here says how much of a difference is chance.")
    if not (study.study["tuning"] or {}).get("fits"):
        warnings.append(tables.rates(study))
    return warnings


def _facts(study: StudyRows) -> list[tuple[str, str]]:
    """How it was measured, as pairs of a term and its description."""
    corpus, budget = study.study["corpus"], study.study["budget"]
    clip = f"gradients clipped to norm {budget['clip']:g}" if budget["clip"] else "no clipping"
    devices = sorted({row.device for row in study.rows if row.device})
    memory = sorted({row.memory["kind"] for row in study.rows if row.memory})
    return [
        ("Corpus", f"{corpus['name']}: {corpus['source']}; licence: {corpus['licence']}; sha256 {corpus['sha256']}"),
        *((split.capitalize(), _size(corpus[split])) for split in tables.SPLITS),
        ("Tokenizer", f"{budget['tokenizer']}, {words.count(study.study['experiments'][0]['vocabulary'])} symbols"),
        ("Budget", f"{budget['epochs']} epochs, {budget['schedule']} schedule, {clip}"),
        ("Machine", f"{', '.join(devices) or words.ABSENT}, {budget['threads']} threads, {budget['precision']}"),
        ("Memory", ", ".join(memory) or words.ABSENT),
        ("Bakeoff", study.study["bakeoff"]),
    ]


def _size(split: dict[str, int]) -> str:
    return ", ".join(f"{words.count(split[unit])} {unit}" for unit in ("documents", "tokens", "words", "bytes"))


def _embedded(figure: Figure) -> dict[str, str]:
    """A figure with its picture as a data URI, so that the page needs no other file."""
    source = "data:image/svg+xml;base64," + base64.b64encode(figure.svg.encode()).decode()
    return {"name": figure.name, "title": figure.title, "caption": figure.caption, "source": source}
