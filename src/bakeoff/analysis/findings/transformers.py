"""Whether models with attention behave as one expects of transformers."""

from dataclasses import dataclass

from bakeoff.analysis import words
from bakeoff.analysis.declared import declared
from bakeoff.analysis.findings.contrasts import Contrast, contrasts, optimizers
from bakeoff.analysis.findings.counting import against_floor
from bakeoff.analysis.findings.depth import depths, ladders
from bakeoff.analysis.findings.finding import (
    CONTRADICTED,
    FLOOR_TITLES,
    NOT_MEASURED,
    SUPPORTED,
    Conjecture,
    Finding,
    evidence,
    link,
)
from bakeoff.analysis.rows import Row, StudyRows

TOO_LITTLE_TEXT = Conjecture(
    text=(
        "Transformers are known from training on far more text: a model of the best size for its compute sees some "
        "twenty tokens a parameter, each once. With less, much of what attention could learn is not in the text."
    ),
    source="Hoffmann et al. 2022, Training Compute-Optimal Large Language Models",
    decided_by="the same configuration on ten times as much train text: it should gain more than the others do",
)
NO_WARMUP = Conjecture(
    text=(
        "With layer norm after each residual sum and the full rate from the first step, gradients near the output are "
        "so large that a deep transformer may never start to learn; a warm-up, or a smaller rate, mends that."
    ),
    source="Xiong et al. 2020, On Layer Normalization in the Transformer Architecture",
    decided_by="a few hundred steps of the run that failed with a tenth of its rate, against its own first steps",
)


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """Something that one expects of a transformer.

    Attributes:
        claim: It, in words.
        denial: The opposite.
        verdict: What the rows say of it.
    """

    claim: str
    denial: str
    verdict: str


def transformers(study: StudyRows) -> list[Finding]:
    """One finding for every architecture with attention heads."""
    models = dict.fromkeys(found.experiment.rows[0].model for found in declared(study) if found.attends)
    return [_finding(study, model) for model in models]


def _finding(study: StudyRows, model: str) -> Finding:
    rows = [row for row in study.rows if row.model == model]
    title = rows[0].model_title
    found = _expectations(study, model) if any(row.finished for row in rows) else []
    return Finding(
        name=link("as-expected", model),
        question=f"Are the results of {title} as one would expect of transformers?",
        verdict=_verdict(found),
        text=f"{_text(found)}{_tokens_per_parameter(study, rows)}" if found else "No run has finished.",
        evidence=evidence(rows, [study.lowest_floor.name]),
        figures=(f"overlay-{model}-epochs", f"deciles-{model}"),
        conjecture=_why(study, rows) if CONTRADICTED in {expected.verdict for expected in found} else None,
    )


def _expectations(study: StudyRows, model: str) -> list[Expectation]:
    return [_beats_counting(study, model), *_adaptive(study, model), *_deeper(study, model)]


def _beats_counting(study: StudyRows, model: str) -> Expectation:
    best = next(experiment for experiment in study.ranked if experiment.rows[0].model == model)
    title = FLOOR_TITLES[study.lowest_floor.name]
    return Expectation(
        claim=f"the best of them beats {title}",
        denial=f"the best of them does not beat {title}",
        verdict=against_floor(best, study.lowest_floor),
    )


def _adaptive(study: StudyRows, model: str) -> list[Expectation]:
    planned = [c for c in contrasts(study) if c.kind == "adaptive" and c.first.experiment.rows[0].model == model]
    verdicts = {finding.name: finding.verdict for finding in optimizers(study)}
    return [
        Expectation(
            claim=_ahead(contrast, "is ahead of"),
            denial=_ahead(contrast, "is not ahead of"),
            verdict=verdicts[contrast.name],
        )
        for contrast in planned
    ]


def _ahead(contrast: Contrast, verb: str) -> str:
    first, second = (found.experiment.rows[0] for found in (contrast.first, contrast.second))
    depth = words.counted(first.layers, "layer")
    return f"{first.optimizer_title} {verb} {second.optimizer_title} (#{first.number}, #{second.number}: {depth})"


def _deeper(study: StudyRows, model: str) -> list[Expectation]:
    found = zip(ladders(study), depths(study), strict=True)
    return [
        Expectation(
            claim=f"more layers help with {title}",
            denial=f"more layers do not help with {title}",
            verdict=finding.verdict,
        )
        for ladder, finding in found
        if ladder[0].experiment.rows[0].model == model
        for title in [ladder[0].experiment.rows[0].optimizer_title]
    ]


def _verdict(found: list[Expectation]) -> str:
    verdicts = [expected.verdict for expected in found]
    if CONTRADICTED in verdicts:
        return CONTRADICTED
    return SUPPORTED if verdicts and set(verdicts) == {SUPPORTED} else NOT_MEASURED


def _text(found: list[Expectation]) -> str:
    kept = [expected.claim for expected in found if expected.verdict == SUPPORTED]
    broken = [expected.denial for expected in found if expected.verdict == CONTRADICTED]
    undecided = [f"whether {expected.claim}" for expected in found if expected.verdict not in (SUPPORTED, CONTRADICTED)]
    parts = (("As expected: ", kept), ("Not as expected: ", broken), ("Left open here: ", undecided))
    return " ".join(f"{opening}{words.joined(claims)}." for opening, claims in parts if claims)


def _tokens_per_parameter(study: StudyRows, rows: list[Row]) -> str:
    tokens = study.study["corpus"]["train"]["tokens"]
    sizes = sorted({row.learnable_parameters for row in rows})
    shares = dict.fromkeys(_few_digits(tokens / size) for size in (sizes[-1], sizes[0]))
    budget = study.study["budget"]
    read = "" if budget.get("epoch_steps") else f", and was read {words.counted(budget['epochs'], 'time')}"
    return f" The train text has {tokens:,} tokens, {' to '.join(shares)} for every trained parameter{read}."


def _few_digits(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"  # noqa: PLR2004


def _why(study: StudyRows, rows: list[Row]) -> Conjecture:
    failed = any(row.diagnosis_rule in ("worse-than-unigram", "unigram-plateau", "below-context") for row in rows)
    return NO_WARMUP if failed and study.study["budget"]["schedule"] == "constant" else TOO_LITTLE_TEXT
