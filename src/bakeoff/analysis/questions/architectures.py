"""Architectures at equal budget: with nothing else changed, then the best of each, equal sizes and equal seconds."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import fmean
from typing import NamedTuple

from bakeoff.analysis import timing
from bakeoff.analysis.evaluations import Baseline
from bakeoff.analysis.questions.finding import Finding, evidence, link
from bakeoff.analysis.questions.pair import Pair, only_kinds_differ
from bakeoff.analysis.rows import Repeats, StudyRows
from bakeoff.analysis.statistics import ANSWERED, LEANING, NOT_MEASURED, SAME_WITHIN
from bakeoff.analysis.timing import EQUAL

#: Among the questions of a report.
PLACE = 50

#: What an architecture may have that another has not.
TRAITS = ("attends", "recurrent")
#: Why attention may gain with rare tokens where a recurrent model does with frequent ones.
LOOKED_UP = "looked up"


class AtEqualSeconds(NamedTuple):
    """Where the longer run stood when the shorter one ended: between two measurements; all are means over the seeds.

    Attributes:
        loss: The lowest of the shorter, in nats per token of valid.
        before: Seconds and the lowest loss of the longer at its last measurement by then, and `after` at its next.
    """

    short: Repeats
    long: Repeats
    loss: float
    before: tuple[float, float]
    after: tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Match(Pair):
    """An experiment of one architecture against one of another."""

    @property
    def sizes(self) -> tuple[int, int]:
        """Learnable parameters of both."""
        return self.first.rows[0].learnable_parameters, self.second.rows[0].learnable_parameters

    @property
    def same_size(self) -> bool:
        """Whether they train about as many."""
        return _equal(*self.sizes)

    @property
    def floors(self) -> tuple[tuple[Baseline | None, Baseline | None], ...]:
        """Of each side the lowest floor that it beats on valid, and the next that it does not beat."""
        floors = sorted(self.study.baselines, key=lambda floor: -floor.valid.loss)
        beaten = [sum(floor.valid.loss > side.loss for floor in floors) for side in self.sides]
        return tuple((floors[n - 1] if n else None, floors[n] if n < len(floors) else None) for n in beaten)

    @property
    def seconds(self) -> tuple[float, float] | None:
        """Of training, of both; None where a run was disturbed, shared the machine or was on one of another kind."""
        times = [(a.train_seconds or 0.0, b.train_seconds or 0.0) for a, b in self.runs]
        rows = [row for pair in self.runs for row in pair]
        timed = all(map(timing.is_timed, rows)) and len(set(map(timing.machine, rows))) == 1
        return (fmean(a for a, _ in times), fmean(b for _, b in times)) if timed else None

    @property
    def twice(self) -> timing.Twice | None:
        """How much their seconds and losses differ by themselves."""
        return timing.twice(self.sides)

    @property
    def at_equal_seconds(self) -> AtEqualSeconds | None:
        """Both when the shorter run ended; None where times are not exact, or about the same."""
        if not self.compared or not self.seconds or _equal(*self.seconds):
            return None
        turn = 1 if self.seconds[0] < self.seconds[1] else -1
        found = []
        for shorter, longer in (pair[::turn] for pair in self.runs):
            end = shorter.way_down[-1]
            after = next((moment for moment in longer.way_down if moment.by > end.by), longer.way_down[-1])
            before = [moment for moment in longer.way_down if moment.by <= end.by][-1]
            found.append((end.loss, before.by, before.loss, after.by, after.loss))
        loss, *measured = map(fmean, zip(*found, strict=True))
        short, long = self.sides[::turn]
        return AtEqualSeconds(short, long, loss, (measured[0], measured[1]), (measured[2], measured[3]))


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Two architectures, by two experiments that differ in nothing else (`alike`), or by the best of each.

    Attributes:
        titles: Of both.
        match: None where one of them has no result.
        matches: Every pair with a result whose depth and optimizer are alike.
        equal_size: For the best, where it differs in size: the lowest pair that does not.
    """

    titles: list[str]
    match: Match | None
    alike: bool
    matches: tuple[Match, ...] = ()
    equal_size: Match | None = None

    @property
    def others(self) -> tuple[Match, ...]:
        """The pairs that are alike, but for this one."""
        return tuple(match for match in self.matches if match != self.match)

    @property
    def contrary(self) -> tuple[Match, ...]:
        """Those of them with another result."""
        sign = self.match.compared.sign if self.match and self.match.compared else 0
        return tuple(other for other in self.others if other.compared and other.compared.sign != sign)

    @property
    def same_shape(self) -> tuple[Match, ...]:
        """Those that gain with frequent tokens and lose with rare ones as this one does, or the other way round."""
        shape = _shape(self.match) if self.match else None
        return tuple(other for other in self.others if _shape(other) == shape) if shape else ()

    @property
    def good_at(self) -> tuple[Repeats, Repeats] | None:
        """Which of the two clearly leads with frequent tokens, and which with rare ones; None where it is the same."""
        match = self.match
        if not match or not match.compared or not match.by_frequency or not _shape(match):
            return None
        if min(map(abs, match.by_frequency)) < LEANING * match.compared.deviation:
            return None
        return match.sides if match.by_frequency[0] > 0 else (match.second, match.first)

    @property
    def reason(self) -> str | None:
        """The trait that the better one has and the other has not, where nothing else differs: a conjecture.

        None where a pair that is alike too says the contrary. `LOOKED_UP` where attention gains with rare tokens alone.
        """
        if self.alike and self.match and self.good_at and self.good_at[1].traits.get("attends"):
            return LOOKED_UP if self.good_at[0].traits.get("recurrent") else None
        sign = self.match.compared.sign if self.alike and self.match and self.match.compared else 0
        if not self.match or not sign or any(m.compared and m.compared.sign == -sign for m in self.matches):
            return None
        better, worse = self.match.sides[::sign]
        found = (trait for trait in TRAITS if better.traits.get(trait) and worse.traits.get(trait) is False)
        return next(found, None)


def architectures(study: StudyRows) -> list[Finding]:
    """For every two architectures the first pair that differs in nothing else, then the best of each."""
    return [_finding(*found) for models in itertools.combinations(study.models, 2) for found in _facts(study, models)]


def _facts(study: StudyRows, models: tuple[str, ...]) -> Iterator[tuple[str, Facts]]:
    first, second = ([e for e in study.experiments if e.rows[0].model == model] for model in models)
    pairs = [Match(study=study, first=a, second=b) for a in sorted(first, key=lambda e: e.number) for b in second]
    alike = [pair for pair in pairs if only_kinds_differ(*pair.sides)]
    measured = tuple(pair for pair in alike if pair.compared)
    titles = [entry["title"] for model in models for entry in study.study["models"] if entry["name"] == model]
    if alike:
        name = link("-against-".join(str(side.number) for side in alike[0].sides))
        yield name, Facts(titles=titles, match=alike[0], alike=True, matches=measured)
    if len(pairs) > len(alike) or len(pairs) > 1:
        best = [next((e for e in study.ranked_of(model) if not e.failure), None) for model in models]
        match = Match(study=study, first=best[0], second=best[1]) if best[0] and best[1] else None
        others = [pair for pair in pairs if match and not match.same_size and pair.same_size and pair.compared]
        facts = Facts(
            titles=titles,
            match=match,
            alike=False,
            matches=measured,
            equal_size=min(others, key=lambda pair: pair.first.loss + pair.second.loss, default=None),
        )
        yield link(models[0], "against", models[1]), facts


def _finding(name: str, facts: Facts) -> Finding:
    sides = facts.match.sides if facts.match else ()
    verdict = facts.match.verdict if facts.match else NOT_MEASURED
    return Finding(
        name=name,
        template="architectures",
        verdict=ANSWERED if facts.match and facts.match.compared and facts.match.compared.sign else verdict,
        facts=facts,
        evidence=evidence(row for side in sides for row in side.rows),
        figures=(*(f"overlay-{side.rows[0].model}-epochs" for side in sides), "parameters"),
    )


def _shape(match: Match) -> tuple[bool, bool] | None:
    """Whether the first gains with frequent tokens and whether with rare ones, where it is not the same for both.

    None where one of the two is as small as what counts as the same.
    """
    if not match.by_frequency or min(map(abs, match.by_frequency)) <= SAME_WITHIN:
        return None
    common, rare = (gain > 0 for gain in match.by_frequency)
    return (common, rare) if common != rare else None


def _equal(a: float, b: float) -> bool:
    """Whether two sizes or times differ by no more than `EQUAL`."""
    return abs(a - b) <= EQUAL * max(a, b)
