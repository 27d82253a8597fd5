"""Two experiments against each other, and what must be known of both before their difference is believed."""

from dataclasses import dataclass
from statistics import fmean

from bakeoff.analysis.questions.finding import command, probe, run
from bakeoff.analysis.rows import Repeats, Row, StudyRows
from bakeoff.analysis.statistics import NOT_MEASURED, Comparison
from bakeoff.run_folder import DIVERGED, FINISHED

#: Whether both learning rates come from a search on this corpus and budget that tried lower and higher ones too, from
#: such a search on another, or not both from a search.
SEARCHED, ELSEWHERE, UNSEARCHED = "searched", "elsewhere", "unsearched"


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two experiments of a study, of which it is asked whether the first is better than the second."""

    study: StudyRows
    first: Repeats
    second: Repeats

    @property
    def sides(self) -> tuple[Repeats, Repeats]:
        """Both."""
        return self.first, self.second

    @property
    def lost(self) -> tuple[Row, ...]:
        """Of each side a run that was lost or learned nothing about context: such a pair says nothing about a kind."""
        return tuple(failure for side in self.sides if (failure := side.failure))

    @property
    def compared(self) -> Comparison | None:
        """The difference; None where nothing can be said of it."""
        return None if self.lost else self.study.compare(self.first, self.second)

    @property
    def verdict(self) -> str:
        """Whether the first is better."""
        return self.compared.verdict if self.compared else NOT_MEASURED

    @property
    def runs(self) -> tuple[tuple[Row, Row], ...]:
        """The finished runs of both, by seed."""
        return tuple((a, b) for a in self.first.finished for b in self.second.finished if a.seed == b.seed)

    @property
    def train_gain(self) -> float:
        """How much less the first pays on train in the end, in nats per token, where both finished a seed."""
        return fmean(b.history[-1].train.loss - a.history[-1].train.loss for a, b in self.runs)

    @property
    def by_frequency(self) -> tuple[float, float] | None:
        """What the first gains on the most frequent tenth of the tokens and on the rarest; None if not recorded."""
        deciles = [(a.best_point.valid_deciles, b.best_point.valid_deciles) for a, b in self.runs]
        losses = [zip(a.losses, b.losses, strict=True) for a, b in deciles if a and b]
        gains = [[y - x for x, y in pairs if x is not None and y is not None] for pairs in losses]
        return (fmean(gain[0] for gain in gains), fmean(gain[-1] for gain in gains)) if gains else None

    @property
    def rates(self) -> str:
        """Where the learning rates come from: `SEARCHED`, `ELSEWHERE` or `UNSEARCHED`."""
        if not all(self.study.has_interior_rate(side) for side in self.sides):
            return UNSEARCHED
        return SEARCHED if self.study.study["tuning"]["fits"] else ELSEWHERE

    @property
    def command(self) -> str | None:
        """What to type next to decide it; None where it is decided, or nothing would decide it."""
        if any(row.status not in (FINISHED, DIVERGED) for side in self.sides for row in side.rows):
            return run(self.study, "--only", ",".join(map(str, sorted(side.number for side in self.sides))))
        coarse = self.compared is not None and self.compared.by_rates and any(map(self.study.is_coarse, self.sides))
        if self.rates != SEARCHED or coarse:
            return run(self.study, verb="tune")
        probes = (probe(self.study, side) for side in self.sides if side.failure)
        return next(filter(None, probes), None) or command(self.study, self.sides, self.compared)


def only_kinds_differ(a: Repeats, b: Repeats) -> bool:
    """Whether two experiments differ in the architecture alone (and in what rate suits it)."""
    alike = [(e.rows[0].layers, e.rows[0].optimizer, e.settings) for e in (a, b)]
    return alike[0] == alike[1] and a.rows[0].model != b.rows[0].model
