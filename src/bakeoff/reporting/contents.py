"""What a report says, as plain data: the page and the PDF are two ways to show it."""

from collections.abc import Sequence
from pathlib import Path

from bakeoff import words
from bakeoff.analysis import diagnosis, published
from bakeoff.analysis.questions.finding import run
from bakeoff.analysis.rows import StudyRows
from bakeoff.analysis.statistics import FEWEST_SEEDS
from bakeoff.reporting import protocol, table
from bakeoff.reporting.figures import Figures, style
from bakeoff.reporting.figures.style import Figure
from bakeoff.reporting.table import SIGNS
from bakeoff.reporting.text import say
from bakeoff.shapes import Json

#: Runs whose texts stand side by side, at most.
MOST_TEXTS = 3


def of(study: StudyRows, screen: Json, findings: Sequence[Json], figures: Figures, folder: Path) -> Json:
    """Everything that the report says.

    Args:
        study: All rows.
        screen: The first screen, in words.
        findings: The answers, in words.
        figures: What was drawn.
        folder: Of the study.
    """
    numbers = {figure.name: place for place, figure in enumerate(figures.numbered, start=1)}
    return {
        "study": study.study["study"],
        "corpus": study.study["corpus"]["name"],
        "several": study.seeds > 1,
        "unit": study.unit,
        "screen": screen | {"command": _next(study, findings)},
        "findings": _findings(findings, numbers),
        "tables": table.tables(study),
        "texts": _texts(study),
        "rules": [_rule(study, rule) for rule in diagnosis.RULES],
        **_figures(study, figures, numbers),
        **protocol.of(study, folder),
    }


def _next(study: StudyRows, findings: Sequence[Json]) -> str | None:
    """What to type next: more seeds where there are few, as every answer gains by them; else what an open one wants."""
    if study.seeds < FEWEST_SEEDS:
        return run(study, "--seeds", FEWEST_SEEDS)
    return next((each["command"] for each in findings if each["command"]), None)


def _findings(findings: Sequence[Json], numbers: dict[str, int]) -> list[Json]:
    """The answers with links to what they rest on; a conjecture that several share stands beside the first of them."""
    told: list[Json] = []
    for finding in findings:
        keys, why = finding["evidence"], finding["conjecture"]
        about = {
            "runs": sorted({key["number"] for key in keys if "number" in key}),
            "floors": [key["baseline"] for key in keys if "baseline" in key],
            "figures": [{"name": name, "number": numbers[name]} for name in finding["figures"] if name in numbers],
            "conjecture": None if any(why == before["conjecture"] for before in told) else why,
        }
        told.append(finding | about)
    return told


def _figures(study: StudyRows, figures: Figures, numbers: dict[str, int]) -> Json:
    def shown(figure: Figure) -> Json:
        about = {name: getattr(figure, name) for name in ("name", "title", "caption", "experiment")}
        return about | {"number": numbers[figure.name]}

    runs = {row.number: row for row in reversed(study.rows)}
    small = dict.fromkeys(panel.experiment for panel in figures.panels if panel.experiment)
    models = {model["title"]: [n for n in small if runs[n].model == model["name"]] for model in study.study["models"]}
    return {
        "together": [shown(figure) for figure in (*figures.overlays, *figures.study)],
        "alone": [shown(figure) for figure in figures.alone],
        "panels": [{"title": title, "runs": found} for title, found in models.items() if found],
        "runs": [
            {name: getattr(runs[number], name) for name in ("number", "name", "layers", "optimizer_title")}
            for number in sorted(runs)
        ],
        "hues": {title: style.COLOURS.index(colour) for title, colour in style.colours(study).items()},
    }


def _texts(study: StudyRows) -> Json | None:
    """How the best runs go on after some prompts, and a floor beside them; None where it is not known of both."""
    told, prompts = study.study.get("texts"), list(study.texts)
    runs = [row for experiment in study.ranked[:MOST_TEXTS] if list((row := experiment.best).texts) == prompts]
    if not (told and runs):
        return None
    sources = [(f"#{row.number}, {row.name}", row.texts) for row in runs]
    sources.append((words.sentence(study.floors[told["floor"]].title), study.texts))
    return {
        "table": [
            ["prompt", *(head for head, _ in sources)],
            *([prompt, *(texts[prompt] for _, texts in sources)] for prompt in prompts),
        ],
        "caption": say("texts", "caption", {"told": told, "study": study}),
    }


def _rule(study: StudyRows, rule: diagnosis.Rule) -> Json:
    """A rule, with the runs that it fits and what led to it."""
    fitting = [row for row in study.rows if row.diagnosis_rule == rule.key]
    return {
        "key": rule.key,
        "name": rule.key.replace("-", " "),
        "means": rule.means,
        "severity": rule.severity,
        "sign": SIGNS[rule.severity],
        "runs": [
            {
                "run": row.number,
                "seed": row.seed if study.seeds > 1 else None,
                "text": " ".join(filter(None, (row.diagnosis_text, say("shared", "probed", row.probe)))),
            }
            for row in fitting
        ],
    }


def beside_published(study: StudyRows) -> Json:
    """The published table with its conclusions, and beside it ours where this study repeats it."""
    facts = published.facts(study)
    titles = {named["name"]: named["title"] for kind in ("models", "optimizers") for named in study.study[kind]}
    splits = ("valid", "test")
    runs = []
    for beside in facts.runs.values():
        run = beside.published
        ours = [form.get(split) for form in (beside.true, beside.biased) for split in splits] if facts.repeats else []
        values = (run.train, run.valid, run.test, *map(run.true, splits), *ours)
        name = (f"{run.number} ({run.printed_as})", titles.get(run.model, run.model), str(run.layers))
        runs.append([*name, titles.get(run.optimizer, run.optimizer), *map(words.number, values)])
    assumptions = (say("published", part, facts) for part in ("other_study", "biased", "tokens", "train"))
    return {
        "repeats": facts.repeats,
        "assumptions": [sentence for sentence in assumptions if sentence],
        "runs": runs,
        "conclusions": [
            {"claim": say("published", f"{key}_claim", facts), "verdict": verdict, "text": say("published", key, facts)}
            for key, verdict in published.CLAIMS.items()
        ],
    }
