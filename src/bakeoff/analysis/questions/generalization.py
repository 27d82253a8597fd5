"""Which run to take when only the loss on unseen text matters."""

import itertools
from dataclasses import dataclass
from math import copysign
from statistics import fmean
from typing import NamedTuple

from bakeoff.analysis.diagnosis import FLAT
from bakeoff.analysis.evaluations import Baseline
from bakeoff.analysis.questions.finding import Finding, command, evidence
from bakeoff.analysis.rows import Repeats, StudyRows
from bakeoff.analysis.statistics import ANSWERED, NOT_MEASURED, Comparison

#: Among the questions of a report.
PLACE = 30

#: With fewer experiments there is no order to speak of.
FEWEST_TO_ORDER = 3


class OnTest(NamedTuple):
    """The order of the experiments on test beside that on valid.

    Attributes:
        experiments: How many have all their runs.
        tau: Kendall's rank correlation; 1 where the order is the same.
        alike: How many of the first are the same, in the same order.
    """

    experiments: int
    tau: float
    alike: int


@dataclass(frozen=True, kw_only=True)
class Facts:
    """The lowest on valid, and what must be known of it.

    Attributes:
        best: Has the lowest validation perplexity of all; None where no run finished.
        next: The second, with how far it is behind; None where there is no other.
        tied: Those that cannot be told from the best.
        set_aside: Experiments with a lower mean, of which not every run finished.
        lower_on_test: Experiments that test would have put before the best.
        on_test: How far test puts the experiments in the same order; None with fewer than three.
        gap: Of the best in the end, in nats per token, and `plain_gap` without token frequencies matched.
        unigram: Tells how hard the text of each split is, where that is why the two differ; else None.
        smallest_gap: The experiment with the smallest gap, and that; None where it is not clearly smaller.
        command: What may tell the best from the next.
    """

    best: Repeats | None = None
    next: tuple[Repeats, Comparison] | None = None
    tied: tuple[Repeats, ...] = ()
    set_aside: tuple[Repeats, ...] = ()
    lower_on_test: tuple[Repeats, ...] = ()
    on_test: OnTest | None = None
    gap: float = 0.0
    plain_gap: float = 0.0
    unigram: Baseline | None = None
    smallest_gap: tuple[Repeats, float] | None = None
    command: str | None = None


def generalization(study: StudyRows) -> Finding:
    """The best experiment on valid, what it is on test, and whether others can be told from it."""
    if not study.ranked:
        return Finding(
            name="generalization", template="generalization", verdict=NOT_MEASURED, facts=Facts(), evidence=()
        )
    best, *rest = study.ranked
    gaps = {e: study.final_gap(e) for e in study.ranked}
    closest = min(study.ranked, key=lambda e: gaps[e])
    compared = study.compare(best, rest[0]) if rest else None
    plain = fmean(row.history[-1].valid.loss - row.history[-1].train.loss for row in best.finished)
    harder = study.unigram.train.loss - study.unigram.valid.loss  # how much harder the text of train is
    tied, test = study.ties(best, rest), best.test_loss
    facts = Facts(
        best=best,
        next=(rest[0], compared) if compared else None,
        tied=tied,
        set_aside=study.set_aside,
        lower_on_test=tuple(e for e in rest if test and e.test_loss and e.test_loss < test),
        on_test=_on_test(study),
        gap=gaps[best],
        plain_gap=plain,
        unigram=study.unigram if min(abs(harder), (gaps[best] - plain) * copysign(1, harder)) >= FLAT else None,
        smallest_gap=(closest, gaps[closest]) if gaps[best] - gaps[closest] >= FLAT else None,
        command=command(study, (best, *rest[:1]), compared),
    )
    return Finding(
        name="generalization",
        template="generalization",
        verdict=ANSWERED,
        facts=facts,
        evidence=evidence(row for e in (best, *rest[:1], *tied) for row in e.finished),
        figures=("pareto-time", f"overlay-{best.rows[0].model}-epochs"),
    )


def _on_test(study: StudyRows) -> OnTest | None:
    found = [(e.test_loss, e.number) for e in study.ranked if e.whole and e.test_loss is not None]
    if len(found) < FEWEST_TO_ORDER:
        return None
    alike = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(found, sorted(found), strict=True))
    signs = [1 if a < b else -1 for a, b in itertools.combinations(found, 2)]
    return OnTest(len(found), fmean(signs), len(list(alike)))
