"""What became of a run: the first of an ordered list of rules that its evaluations match.

A run that lost to counting is never called over- or underfitting: what it shows is a failure to learn, whatever the gap
between its curves. All thresholds are in nats per token.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bakeoff import templating
from bakeoff.analysis.evaluations import Baseline, Point, gap_at_equal_mix

Floors = Mapping[str, Baseline]
#: Less than this is not seen as a change. It is 2 % of a perplexity, about what another seed changes.
FLAT = 0.02
#: As near as this to uniform or to the unigram, a run has learned no more than they know: 10 % of a perplexity.
NEAR = 0.1
#: A rise of train that no noise explains: its sample is fixed.
RISE = 3 * FLAT
#: From here on valid costs a third more perplexity than train, which is known by heart in part; up to the other one a
#: tenth more, and train itself is what is hard.
LARGE_GAP, SMALL_GAP = 0.3, 0.1
#: In so many evaluations in a row valid must be above its lowest; one alone may be noise.
RISEN_EVALUATIONS = 2
#: Whether a run still learns is read from this last part of it. Where the learning rate decays to zero the last epoch
#: alone says little: of eight, it has 1.6 % of the sum of all rates; the last quarter has 6 %.
LATE = 0.25
_LATE = "the last evaluation before the run's last quarter"
#: How bad a diagnosis is. Bad: nothing was learned about context. What is bad or a warning has gone wrong.
BAD, WARN, NOTE, GOOD = "bad", "warn", "note", "good"


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is known of a run.

    Attributes:
        history: Its evaluations; at least one unless it diverged.
        floors: By name, on the same tokens.
        diverged: How it diverged, if it did.
        smaller: The lowest loss on valid of a smaller sibling: same architecture, optimizer and seed, fewer parameters.
    """

    history: tuple[Point, ...]
    floors: Floors
    diverged: str | None = None
    smaller: float | None = None

    @property
    def best(self) -> Point:
        """The evaluation that is lowest on valid."""
        return min(self.history, key=lambda point: point.valid.nats)

    @property
    def off_unigram(self) -> tuple[float, float]:
        """By how much train and valid at the best evaluation are above the unigram; negative below it."""
        unigram = self.floors["unigram"]
        return self.best.train.loss - unigram.train.loss, self.best.valid.loss - unigram.valid.loss

    @property
    def gap(self) -> float:
        """The generalization gap in the end."""
        return gap_of(self.history[-1], self.floors["unigram"].valid.loss - self.floors["unigram"].train.loss)

    @property
    def late(self) -> Point:
        """The last evaluation before the run's last quarter; the very last one where there is none."""
        *before, last = self.history
        return next((point for point in reversed(before) if point.step <= (1 - LATE) * last.step), last)

    @property
    def falls(self) -> tuple[float, float]:
        """By how much train and valid fell from there to the end."""
        late, last = self.late, self.history[-1]
        return late.train.loss - last.train.loss, late.valid.loss - last.valid.loss

    @property
    def falling(self) -> bool:
        """Whether both still fell."""
        return min(self.falls) > FLAT

    @property
    def memorizes(self) -> bool:
        """Whether the gap is large, and what was still learned about train hardly carried over to valid."""
        return self.gap > LARGE_GAP and self.falls[1] <= max(FLAT, self.falls[0] / 2)

    @property
    def rises(self) -> tuple[float, float]:
        """How far train and valid ended above their lowest."""
        train, last = min(point.train.loss for point in self.history), self.history[-1]
        return last.train.loss - train, last.valid.loss - self.best.valid.loss

    @property
    def outdone(self) -> bool:
        """Whether a smaller sibling is better, so that size is not what this one lacks."""
        return self.smaller is not None and self.smaller < self.best.valid.loss - FLAT

    @property
    def overfits(self) -> bool:
        """Whether the last evaluations of valid are all above its lowest, and train ended below what it was there."""
        best = self.best
        risen = [point.valid.loss - best.valid.loss >= FLAT for point in self.history if point.epoch > best.epoch]
        in_the_end = risen[-RISEN_EVALUATIONS:]
        return (
            len(in_the_end) == RISEN_EVALUATIONS and all(in_the_end) and self.history[-1].train.loss < best.train.loss
        )

    @property
    def valid_falls(self) -> bool:
        """Whether valid fell since the last evaluation before the run's last quarter."""
        return self.falls[1] > FLAT


def gap_of(point: Point, intrinsic: float) -> float:
    """The generalization gap: token frequencies matched or, without deciles, less `intrinsic`, the unigram's gap."""
    if point.train_deciles and point.valid_deciles:
        gap = gap_at_equal_mix(point.train_deciles, point.valid_deciles)
        if gap is not None:
            return gap
    return point.valid.loss - point.train.loss - intrinsic


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A rule, and all that is said of it.

    Attributes:
        key: Stable, for links and data.
        name: In a few words; a template of the case, `c`.
        when: Whether it holds, whatever the rules before it say.
        means: The same for the reader.
        severity: `bad`, `warn`, `note` or `good`.
        says: What led to it, with its numbers; a template as well.
    """

    key: str
    name: str
    when: Callable[[Case], bool]
    means: str
    severity: str
    says: str


_PHRASES = """
{% macro at_best() %}At its best ({{ c.best.when }}) it has a perplexity of {{ c.best.valid.loss|perplexity }} on
    valid{% endmacro %}
{% macro gap() %}the generalization gap is {{ c.gap|signed }} nats (token frequencies matched){% endmacro %}
{% macro late() %}since {{ c.late.when }} train {{ moved(c.falls[0]) }} and valid {{ moved(c.falls[1]) }} nats
    {% endmacro %}
{% macro moved(fall) %}{{ "fell" if fall >= 0 else "rose" }} by {{ fall|nats }}{% endmacro %}
{% macro rose() %}{% if c.rises[1] > FLAT %} Valid ended {{ c.rises[1]|nats }} nats above its lowest ({{
    c.best.when }}), which does not meet the rule for overfitting.{% endif %}{% endmacro %}
{% macro outdone() %}{% if c.outdone %} A smaller model of the kind reaches {{ c.smaller|perplexity }} on valid:
    optimization is suspect here, not size.{% endif %}{% endmacro %}
"""
#: In the order in which they are tried; the last one always holds.
RULES = (
    Rule(
        key="diverged",
        name="diverged",
        when=lambda c: c.diverged is not None,
        means="a loss, a gradient or a weight stopped being finite",
        severity=BAD,
        says="{{ c.diverged|sentence }}.",
    ),
    Rule(
        key="dead",
        name="dead",
        when=lambda c: abs(c.best.valid.loss - c.floors["uniform"].valid.loss) < NEAR,
        means=f"at its best less than {NEAR} nats from a uniform guess on valid: nothing was learned",
        severity=BAD,
        says="{{ at_best() }}; a uniform guess has {{ c.floors.uniform.valid.loss|perplexity }}.",
    ),
    Rule(
        key="worse-than-a-unigram",
        name="worse than a unigram",
        when=lambda c: c.off_unigram[1] >= 0 and c.off_unigram[0] >= -NEAR,
        means=f"at its best not below the unigram on valid, nor more than {NEAR} nats below it on train: nothing was "
        "learned about context",
        severity=BAD,
        says="{{ at_best() }} (unigram: {{ c.floors.unigram.valid.loss|perplexity }}), and of "
        "{{ c.best.train.loss|perplexity }} on train ({{ c.floors.unigram.train.loss|perplexity }}): it has learned "
        "nothing about context, and can neither over- nor underfit.",
    ),
    Rule(
        key="unigram-plateau",
        name="on the unigram plateau",
        when=lambda c: max(map(abs, c.off_unigram)) < NEAR,
        means=f"at its best less than {NEAR} nats from the unigram on train and on valid: token frequencies, no more",
        severity=BAD,
        says="{{ at_best() }}; there and on train it is within {{ c.off_unigram|map('abs')|max|nats }} nats of the "
        "unigram: it has learned how frequent tokens are, and no more.",
    ),
    Rule(
        key="worse-than-a-bigram",
        name="worse than a bigram",
        when=lambda c: c.best.valid.loss >= c.floors["kn2"].valid.loss,
        means="at its best not below the Kneser-Ney bigram on valid, which sees a single token back",
        severity=WARN,
        says="{{ at_best() }}, not below the {{ c.floors.kn2.valid.loss|perplexity }} of a Kneser-Ney bigram, which "
        "sees a single token back. {% if c.memorizes %}It has learned about train what does not carry over: "
        "{{ gap() }}{% if c.overfits %}, and valid has risen since {{ c.best.when }}{% endif %}."
        "{% elif c.falling %}{{ late()|sentence }}: the budget ended before learning did.{% endif %}{{ outdone() }}",
    ),
    Rule(
        key="late-instability",
        name="late instability",
        when=lambda c: c.rises[0] > RISE,
        means=f"train ended more than {RISE:.2g} nats above its own lowest",
        severity=WARN,
        says="Train ended {{ c.rises[0]|nats }} nats above its lowest, at {{ c.history[-1].train.loss|perplexity }}.",
    ),
    Rule(
        key="overfitting",
        name="overfitting since {{ c.best.when }}",
        when=lambda c: c.overfits,
        means=f"the last {RISEN_EVALUATIONS} evaluations of valid or more are at least {FLAT} nats above its lowest, "
        "and train ended below what it was there",
        severity=WARN,
        says="Valid was lowest after {{ c.best.when }}, at {{ c.best.valid.loss|perplexity }}, and rose by "
        "{{ c.rises[1]|nats }} nats to {{ c.history[-1].valid.loss|perplexity }}, while train went on falling from "
        "{{ c.best.train.loss|perplexity }} to {{ c.history[-1].train.loss|perplexity }}.",
    ),
    Rule(
        key="memorizing",
        name="memorizing",
        when=lambda c: c.memorizes,
        means=f"a generalization gap of more than {LARGE_GAP} nats in the end, while since {_LATE} valid fell by no "
        f"more than half as much as train, or by no more than {FLAT} nats",
        severity=NOTE,
        says="{{ gap()|sentence }}, and most of what is still learned does not carry over: {{ late() }}.{{ rose() }}",
    ),
    Rule(
        key="undertrained",
        name="undertrained",
        when=lambda c: c.falling,
        means=f"train and valid both fell by more than {FLAT} nats since {_LATE} (the last epoch alone says little "
        "where the learning rate decays to zero)",
        severity=NOTE,
        says="{{ late()|sentence }}: the budget ended before learning did.",
    ),
    Rule(
        key="underfitting",
        name="underfitting",
        when=lambda c: c.gap < SMALL_GAP and not c.falling and c.outdone,
        means=f"a generalization gap below {SMALL_GAP} nats, not undertrained, and more than {FLAT} nats worse on "
        "valid than a smaller model of the same kind, optimizer and seed",
        severity=WARN,
        says="{{ late()|sentence }}; {{ gap() }}.{{ outdone() }}{{ rose() }}",
    ),
    Rule(
        key="capacity",
        name="limited by capacity",
        when=lambda c: c.gap < SMALL_GAP and not c.falling and not c.outdone,
        means=f"a generalization gap below {SMALL_GAP} nats, not undertrained, and no smaller model that much better",
        severity=NOTE,
        says="{{ late()|sentence }}; {{ gap() }}: the model has learned what it can.{{ rose() }}",
    ),
    Rule(
        key="healthy",
        name="healthy",
        when=lambda c: True,  # noqa: ARG005
        means="none of the above",
        severity=GOOD,
        says="{{ at_best() }}, below the bigram's {{ c.floors.kn2.valid.loss|perplexity }}; {{ gap() }}.{{ rose() }}",
    ),
)
_SEVERITIES = {rule.key: rule.severity for rule in RULES} | {"failed": BAD, "damaged": BAD}
#: Runs that learned nothing about context say something about their settings, and nothing about their kind.
UNLEARNED = frozenset(rule.key for rule in RULES if rule.severity == BAD)
_ENVIRONMENT = templating.environment()
_ENVIRONMENT.globals |= {"FLAT": FLAT}
_template = functools.cache(_ENVIRONMENT.from_string)


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """What became of a run: the key of the rule that holds, and what its templates say of the run."""

    rule: str
    name: str
    text: str


def diagnose(history: Sequence[Point], floors: Floors, *, diverged: str | None, smaller: float | None) -> Diagnosis:
    """What became of a run, by the first rule that holds; the arguments are those of a `Case`."""
    case = Case(history=tuple(history), floors=floors, diverged=diverged, smaller=smaller)
    rule = next(rule for rule in RULES if rule.when(case))
    name, text = (templating.folded(_template(source).render(c=case)) for source in (rule.name, _PHRASES + rule.says))
    return Diagnosis(rule=rule.key, name=name, text=text)


def severity(kind: str | None) -> str:
    """How bad it is, by the key of the rule, or by the status of a run without a diagnosis."""
    return _SEVERITIES.get(kind or "", NOTE)
