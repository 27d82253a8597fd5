"""Which run to take when only the loss on unseen text matters."""

from dataclasses import dataclass

from bakeoff.analysis.diagnosis import FLAT
from bakeoff.analysis.questions.finding import Finding, evidence
from bakeoff.analysis.rows import Repeats, StudyRows
from bakeoff.analysis.statistics import ANSWERED, NOT_MEASURED, Comparison


@dataclass(frozen=True, kw_only=True)
class Facts:
    """The lowest on valid, and what must be known of it.

    Attributes:
        best: Has the lowest validation perplexity of all; None where no run finished.
        next: The second, with how far it is behind; None where there is no other.
        tied: Those that cannot be told from the best.
        lower_on_test: Experiments that test would have put first.
        gap: Of the best in the end, in nats per token.
        smallest_gap: Another experiment with a clearly smaller gap, and that gap; None where there is none.
        noise: The study that the typical deviation between seeds is from.
    """

    best: Repeats | None
    next: tuple[Repeats, Comparison] | None = None
    tied: tuple[Repeats, ...] = ()
    lower_on_test: tuple[Repeats, ...] = ()
    gap: float = 0.0
    smallest_gap: tuple[Repeats, float] | None = None


def generalization(study: StudyRows) -> Finding:
    """The best experiment on valid, what it is on test, and whether others can be told from it."""
    if not study.ranked:
        return Finding(
            name="generalization", template="generalization", verdict=NOT_MEASURED, facts=Facts(best=None), evidence=()
        )
    best, *rest = study.ranked
    gaps = {e.number: study.gap(e.best.history[-1]) for e in study.ranked}
    closest = min(rest, key=lambda e: gaps[e.number], default=best)
    compared = study.compare(best, rest[0]) if rest else None
    test = best.test_loss
    facts = Facts(
        best=best,
        next=(rest[0], compared) if compared else None,
        tied=study.ties(best, rest),
        lower_on_test=tuple(e for e in rest if test and e.test_loss and e.test_loss < test),
        gap=gaps[best.number],
        smallest_gap=(closest, gaps[closest.number]) if gaps[best.number] - gaps[closest.number] >= FLAT else None,
    )
    shown = [best, *([rest[0]] if rest else []), *facts.tied]
    return Finding(
        name="generalization",
        template="generalization",
        verdict=ANSWERED,
        facts=facts,
        evidence=evidence(row for e in shown for row in e.finished),
        figures=("pareto-time", f"overlay-{best.rows[0].model}-epochs"),
    )
