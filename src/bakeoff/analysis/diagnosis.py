"""What became of a run: the first of an ordered list of rules that its evaluations match.

A run that lost to counting is never called over- or underfitting: what it shows is a failure to learn, whatever the gap
between its curves. All thresholds are in nats per token.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bakeoff import words
from bakeoff.analysis.evaluations import Baseline, Point, gap_at_equal_mix

#: Diagnoses of runs that learned no context: they say something about their settings, nothing about their kind.
UNLEARNED = ("diverged", "dead", "worse-than-unigram", "unigram-plateau")
#: Less than this is not seen as a change. It is 2 % of a perplexity, about what another seed changes.
FLAT = 0.02
#: As near as this to uniform or to the unigram, a run has learned no more than they know: 10 % of a perplexity.
NEAR = 0.1
#: A rise of train that no noise explains: the sample is fixed, and three times what counts as flat.
RISE = 3 * FLAT
#: From here on valid costs a third more perplexity than train at equal mix: the model knows train by heart in part.
LARGE_GAP = 0.3
#: Up to here train itself is what is hard: 10 % of a perplexity.
SMALL_GAP = 0.1
#: How many evaluations in a row valid must be above its lowest; one alone may be noise.
RISEN_EVALUATIONS = 2


@dataclass(frozen=True, kw_only=True)
class Floors:
    """What the floors pay, in nats per token."""

    uniform: float
    unigram_train: float
    unigram_valid: float
    kn2_valid: float


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is known of a run.

    Attributes:
        history: Its evaluations; at least one unless it diverged.
        floors: On the same tokens.
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
    def last(self) -> Point:
        """The last evaluation."""
        return self.history[-1]

    @property
    def gap(self) -> float:
        """How much more valid costs than train in the end, at equal mix of frequent and rare tokens.

        Without deciles: after what the unigram pays for either has been taken off.
        """
        return gap_of(self.last, self.floors.unigram_valid - self.floors.unigram_train)

    @property
    def falls(self) -> tuple[float, float]:
        """By how much train and valid fell in the last epoch; zero where there is nothing to compare with."""
        if len(self.history) < 2:  # noqa: PLR2004
            return 0.0, 0.0
        before, last = self.history[-2:]
        return before.train.loss - last.train.loss, before.valid.loss - last.valid.loss


def gap_of(point: Point, intrinsic: float) -> float:
    """The gap between valid and train at one evaluation, corrected for valid being easier or harder by itself.

    Args:
        point: The evaluation.
        intrinsic: The unigram's loss on valid less that on train, for evaluations without deciles.
    """
    if point.train_deciles and point.valid_deciles:
        gap = gap_at_equal_mix(point.train_deciles, point.valid_deciles)
        if gap is not None:
            return gap
    return point.valid.loss - point.train.loss - intrinsic


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """What became of a run.

    Attributes:
        rule: The key of the rule that matched.
        name: In a few words.
        text: A sentence with the numbers that led to it.
    """

    rule: str
    name: str
    text: str


@dataclass(frozen=True, kw_only=True)
class _Rule:
    """A rule: what it means, and the sentence with its numbers where it matches."""

    key: str
    meaning: str
    sentence: Callable[[Case], str | None]
    name: Callable[[Case], str]


def diagnose(
    history: Sequence[Point],
    floors: Mapping[str, Baseline],
    *,
    diverged: str | None = None,
    smaller: float | None = None,
    schedule: str = "linear",  # noqa: ARG001
) -> Diagnosis:
    """What became of a run: the first rule that matches; the last one always does.

    Args:
        history: Its evaluations; at least one unless it diverged.
        floors: By name, on the same tokens.
        diverged: How it diverged, if it did.
        smaller: The lowest loss on valid of a smaller sibling: same architecture, optimizer and seed, fewer parameters.
        schedule: Of its learning rate: under `linear` the last epoch's rate decays to zero.
    """
    unigram = floors["unigram"]
    known = Floors(
        uniform=floors["uniform"].valid.loss,
        unigram_train=unigram.train.loss,
        unigram_valid=unigram.valid.loss,
        kn2_valid=floors["kn2"].valid.loss,
    )
    case = Case(history=tuple(history), floors=known, diverged=diverged, smaller=smaller)
    for rule in _RULES:
        text = rule.sentence(case)
        if text is not None:
            return Diagnosis(rule=rule.key, name=rule.name(case), text=text)
    raise AssertionError("the last rule matches everything")


def _diverged(case: Case) -> str | None:
    return f"{words.sentence(case.diverged)}." if case.diverged else None


def _dead(case: Case) -> str | None:
    loss, uniform = case.best.valid.loss, case.floors.uniform
    if abs(loss - uniform) >= NEAR:
        return None
    return f"Valid never got below {loss:.2f} nats per token; a uniform guess pays {uniform:.2f}."


def _worse_than_unigram(case: Case) -> str | None:
    best, floors = case.best, case.floors
    if best.valid.loss < floors.unigram_valid or best.train.loss < floors.unigram_train - NEAR:
        return None
    return (
        f"Even at its best{_epoch(best)} valid is at {_ppl(best.valid.loss)}, not below the unigram's "
        f"{_ppl(floors.unigram_valid)}, and train at {_ppl(best.train.loss)} against {_ppl(floors.unigram_train)}: "
        "it has learned nothing about context, and can neither over- nor underfit."
    )


def _unigram_plateau(case: Case) -> str | None:
    best, floors = case.best, case.floors
    off = abs(best.valid.loss - floors.unigram_valid), abs(best.train.loss - floors.unigram_train)
    if max(off) >= NEAR:
        return None
    return (
        f"Valid stays at {_ppl(best.valid.loss)} and train at {_ppl(best.train.loss)}, within "
        f"{words.nats(max(off))} nats of the unigram: it has learned how frequent tokens are, and no more."
    )


def _below_context(case: Case) -> str | None:
    best, floors = case.best, case.floors
    if not floors.kn2_valid <= best.valid.loss < floors.unigram_valid or case.gap > LARGE_GAP:
        return None
    falling = min(case.falls) > FLAT
    return (
        f"At its best{_epoch(best)} valid is at {_ppl(best.valid.loss)}: below the unigram's "
        f"{_ppl(floors.unigram_valid)}, but above the {_ppl(floors.kn2_valid)} of a bigram, which sees one token back."
        f"{' Both splits were still falling when the budget ended.' if falling else ''}"
    )


def _late_instability(case: Case) -> str | None:
    lowest = min(case.history, key=lambda point: point.train.loss)
    rise = case.last.train.loss - lowest.train.loss
    if rise <= RISE:
        return None
    return (
        f"Train was at {_ppl(lowest.train.loss)} after epoch {lowest.epoch} and ended {words.nats(rise)} nats higher, "
        f"at {_ppl(case.last.train.loss)}."
    )


def _overfitting(case: Case) -> str | None:
    best, last = case.best, case.last
    risen = [point.valid.loss - best.valid.loss >= FLAT for point in case.history if point.epoch > best.epoch]
    in_the_end = risen[-RISEN_EVALUATIONS:]
    if len(in_the_end) < RISEN_EVALUATIONS or not all(in_the_end) or last.train.loss >= best.train.loss:
        return None
    return (
        f"Valid was lowest after epoch {best.epoch}, at {_ppl(best.valid.loss)}, and rose by "
        f"{words.nats(last.valid.loss - best.valid.loss)} nats to {_ppl(last.valid.loss)}, while train went on falling "
        f"from {_ppl(best.train.loss)} to {_ppl(last.train.loss)}.{_even_so(case)}"
    )


def _memorizing(case: Case) -> str | None:
    if case.gap <= LARGE_GAP or case.falls[1] > FLAT:
        return None
    return (
        f"In the end valid costs {words.nats(case.gap)} nats more than train at equal mix of tokens, and has stopped "
        f"falling: what is still learned about train does not carry over.{_rose(case)}{_even_so(case)}"
    )


def _undertrained(case: Case) -> str | None:
    train, valid = case.falls
    if min(train, valid) <= FLAT:
        return None
    return (
        f"In the last epoch train still fell by {words.nats(train)} and valid by {words.nats(valid)} nats: "
        "the budget ended before learning did."
    )


def _outdone(case: Case) -> str | None:
    best, bigram = case.best, case.floors.kn2_valid
    if best.valid.loss < bigram:
        return None
    return (
        f"Even at its best{_epoch(best)} valid is at {_ppl(best.valid.loss)}, not below the bigram's {_ppl(bigram)}, "
        f"with train at {_ppl(best.train.loss)}: it has learned about train what does not carry over.{_rose(case)}"
    )


def _underfitting(case: Case) -> str | None:
    loss = case.best.valid.loss
    if case.gap >= SMALL_GAP or case.smaller is None or case.smaller >= loss - FLAT:
        return None
    return (
        f"Train and valid are {_apart(case.gap)} and no longer fall, and a smaller model of the kind reaches "
        f"{_ppl(case.smaller)} on valid where this one stays at {_ppl(loss)}: "
        f"its optimization is suspect, not its size.{_rose(case)}"
    )


def _capacity(case: Case) -> str | None:
    if case.gap >= SMALL_GAP:
        return None
    return (
        f"Train and valid are {_apart(case.gap)} and no longer fall: on this budget the model has learned what it can."
        f"{_rose(case)}"
    )


def _healthy(case: Case) -> str:
    return (
        f"Valid is at {_ppl(case.best.valid.loss)}{_epoch(case.best)}, below the bigram's "
        f"{_ppl(case.floors.kn2_valid)}; it costs {words.nats(case.gap)} nats more than train at equal mix in the end."
        f"{_rose(case)}"
    )


def _rose(case: Case) -> str:
    """That valid ended higher than it was, where it did: too late to be called a trend."""
    rise = case.last.valid.loss - case.best.valid.loss
    return f" Valid ended {words.nats(rise)} nats above its lowest, which may be noise." if rise > FLAT else ""


def _even_so(case: Case) -> str:
    """That a run which learned much about train is still no better than a bigram on valid, where that is so."""
    best, bigram = case.best.valid.loss, case.floors.kn2_valid
    return f" Even its best {_ppl(best)} on valid is not below the bigram's {_ppl(bigram)}." if best >= bigram else ""


def _epoch(point: Point) -> str:
    return f" (epoch {point.epoch})"


def _ppl(loss: float) -> str:
    """A loss as a perplexity, which is what tables and figures show."""
    return words.perplexity(loss)


def _apart(gap: float) -> str:
    return f"{words.nats(gap)} nats apart at equal mix of tokens"


def _always(name: str) -> Callable[[Case], str]:
    return lambda case: name  # noqa: ARG005


_RULES = (
    _Rule(
        key="diverged",
        name=_always("diverged"),
        sentence=_diverged,
        meaning="a loss, a gradient or a weight stopped being finite",
    ),
    _Rule(
        key="dead",
        name=_always("dead"),
        sentence=_dead,
        meaning=f"at its best within {NEAR} nats of a uniform guess, ln V: nothing was learned",
    ),
    _Rule(
        key="worse-than-unigram",
        name=_always("worse than unigram"),
        sentence=_worse_than_unigram,
        meaning=(
            f"not below the unigram on valid, even at its best, nor more than {NEAR} nats below it on train: nothing "
            "was learned about context"
        ),
    ),
    _Rule(
        key="unigram-plateau",
        name=_always("on the unigram plateau"),
        sentence=_unigram_plateau,
        meaning=f"within {NEAR} nats of the unigram on train and on valid: token frequencies and no more",
    ),
    _Rule(
        key="below-context",
        name=_always("below context"),
        sentence=_below_context,
        meaning=(
            "better than the unigram on valid, not better than the Kneser-Ney bigram, which sees a single token back, "
            f"and no more than {LARGE_GAP} nats better on train"
        ),
    ),
    _Rule(
        key="late-instability",
        name=_always("late instability"),
        sentence=_late_instability,
        meaning=f"train ended more than {RISE:.2g} nats above its own lowest",
    ),
    _Rule(
        key="overfitting",
        name=lambda case: f"overfitting since epoch {case.best.epoch}",
        sentence=_overfitting,
        meaning=(
            f"the last {RISEN_EVALUATIONS} evaluations of valid or more are at least {FLAT} nats above its lowest, "
            "and train went on falling"
        ),
    ),
    _Rule(
        key="memorizing",
        name=_always("memorizing"),
        sentence=_memorizing,
        meaning=f"a gap of more than {LARGE_GAP} nats between valid and train, and valid no longer falls",
    ),
    _Rule(
        key="undertrained",
        name=_always("undertrained"),
        sentence=_undertrained,
        meaning=f"train and valid both fell by more than {FLAT} nats in the last epoch",
    ),
    _Rule(
        key="outdone",
        name=_always("outdone by a bigram"),
        sentence=_outdone,
        meaning="not better than the Kneser-Ney bigram on valid, though better on train",
    ),
    _Rule(
        key="underfitting",
        name=_always("underfitting"),
        sentence=_underfitting,
        meaning=(
            f"a gap below {SMALL_GAP} nats, flat, and more than {FLAT} nats worse than a smaller model of the same "
            "kind, optimizer and seed: optimization is suspected"
        ),
    ),
    _Rule(
        key="capacity",
        name=_always("limited by capacity"),
        sentence=_capacity,
        meaning=f"a gap below {SMALL_GAP} nats, flat, and no smaller model of the kind is better",
    ),
    _Rule(key="healthy", name=_always("healthy"), sentence=_healthy, meaning="none of the above"),
)

#: For the reader: each rule's key and what it means, in the order in which they are tried.
RULES = tuple((rule.key, rule.meaning) for rule in _RULES)
