"""What a choice decides before it trains: how much of the text, models of which size, how the time is divided."""

import dataclasses
import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from rich.console import Console

from bakeoff import costs, progress, words
from bakeoff.analysis.statistics import FEWEST_DOCUMENTS
from bakeoff.choosing import rungs
from bakeoff.choosing.kept import ANSWERING, Kept
from bakeoff.choosing.rungs import Rung
from bakeoff.choosing.search import Pace, Search
from bakeoff.data import Tokens, corpora
from bakeoff.errors import UserError
from bakeoff.experiments import SCALES, Contender, Scale
from bakeoff.identity import identity
from bakeoff.spec import LARGEST_SEED, Budget, Corpus, Run, real, whole

#: Tokens of a sequence.
LENGTH = 128
#: Bytes of text that are trained on for each minute, at most, and that are measured, each of valid and test: more of it
#: could not be read once, and measuring it would take the time that is for training.
TRAINED, MEASURED = 8_000_000, 10_000
#: The least and the most that are measured, and how many times as much where few documents are that long.
FEWEST_MEASURED, MOST_MEASURED, LONGER = 40_000, 1_000_000, 3
#: Bytes that each of them needs, so that it has a sequence whatever the tokenizer.
SHORTEST = 500
#: From so many passes over the text on, so much dropout. After five passes over 139 kB a GLR was better without it, by
#: 0.04 bits per byte; after eight better with it, by 0.03 (`docs/options.md`).
DROPOUT = ((8.0, 0.1), (0.0, 0.0))
#: Seconds from a run's start to its first step.
STARTING = 1.5
#: What a choice may take: three seconds to a week, and no more bytes than any machine has.
LEAST_MINUTES, MOST_MINUTES, MOST_BYTES = 0.05, 10_081, 10**15


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked.

    Attributes:
        corpus: The text.
        minutes: From the command's start to the answer.
        memory_bytes: What a run may take; None for what is free.
        seed: Of the winner's run.
        device: Where to train.

    Raises:
        ValueError: A number is out of its bounds.
    """

    corpus: Corpus
    minutes: float
    memory_bytes: float | None
    seed: int
    device: torch.device

    def __post_init__(self) -> None:
        real(self, "minutes", above=LEAST_MINUTES, below=MOST_MINUTES)
        if self.memory_bytes is not None:
            real(self, "memory_bytes", above=0, below=MOST_BYTES)
        whole(self, "seed", 0, LARGEST_SEED)

    @property
    def asked(self) -> str:
        """What a choice has in common with an earlier one that it can go on with: the contenders, too."""
        contenders = [scale.contenders for scale in SCALES]
        return identity([self.corpus, self.minutes, self.memory_bytes, self.seed, self.device.type, contenders])


def planned(request: Request, kept: Kept, console: Console) -> Search:
    """The search by the plan that is kept, which is made where there is none yet.

    Raises:
        UserError: The time, the memory or the disk is too short for any contender, or the text cannot be used.
    """
    largest, corpus, _ = fitted(request.corpus, request.minutes)
    if kept.plan is None:
        make_plan(request, kept, corpus, largest, console)
    scale = SCALES[kept.scale]
    budget = shared(scale, kept)
    train = progress.prepare(corpus, budget, console).splits["train"]
    return Search(
        corpus=corpus,
        tokens=len(train.tokens_N),
        shared=budget,
        contenders=[
            regularized(scale.contenders[place], kept, place, len(train.tokens_N)) for place in sorted(kept.paces)
        ],
        paces=[kept.paces[place] for place in sorted(kept.paces)],
        plan=kept.plan or [],
        seed=request.seed,
        settled=kept.winner,
    )


def told(request: Request, search: Search, kept: Kept) -> Iterator[str]:
    """The plan, a line each of its parts."""
    if (share := fitted(request.corpus, request.minutes).share) < 1:
        yield f"only the first {words.percent(share)} of train's documents are read: there is no time for more"
    for why in kept.left_out.values():
        yield f"left out: {why}"
    if search.untried:
        yield f"no time to try: {words.joined(search.untried)}"
    for number, rung in enumerate(search.plan, start=1):
        first = words.joined(contender.title for contender in search.contenders[: rung.contenders])
        who = first if number == 1 else f"the best {words.spelled(rung.contenders)} of them"
        yield (
            f"rung {number} of {len(search.plan)}: {who}, "
            f"{words.counted(rung.rates, 'learning rate')} each, {words.duration(rung.seconds)} a trial"
        )
    if search.plan and search.plan[-1].repeated:
        yield f"the best {words.spelled(rungs.FINALISTS)} of them once more, with another seed"
    if not search.plan:
        yield f"there is no time to compare anything: {search.contenders[0].title} is taken, at its usual rate"
    rest = min(kept.trained - sum(rung.all_seconds for rung in search.plan), search.longest)
    yield f"{'then the best of them' if search.plan else 'it is trained'} for about {words.duration(rest)}"


class Fitted(NamedTuple):
    """What fits a time and a text.

    Attributes:
        scale: The place of the largest scale.
        corpus: As much of the text as the time is enough for: of train its beginning, of the others their first
            documents.
        share: Of train's documents.
    """

    scale: int
    corpus: Corpus
    share: float


@functools.lru_cache(maxsize=1)
def fitted(corpus: Corpus, minutes: float) -> Fitted:
    """The largest scale for the time and the text, and what of the text is used.

    Raises:
        UserError: The text cannot be used.
    """
    measured = min(max(MEASURED * minutes, FEWEST_MEASURED), MOST_MEASURED)
    limits = {"train": TRAINED * minutes, "valid": measured, "test": measured}
    text = corpora.load(corpus)
    fewest = {"train": 1, "valid": FEWEST_DOCUMENTS, "test": FEWEST_DOCUMENTS}
    kept = {split: _first(text.splits[split], most, fewest[split]) for split, most in limits.items()}
    size, split = min((size, split) for split, (_, size) in kept.items())
    if size < SHORTEST:
        alone = Path(corpus.path or "").is_file()
        enough = ": give 20 kB, of which not all paragraphs are the same" if alone else ""
        raise UserError(
            f"corpus {corpus.name} is too small to choose for: {split} has {words.count(size)} bytes and needs "
            f"{SHORTEST}{enough}; of less text a count table learns more than a network"
        )
    megabytes = kept["train"][1] / 1e6
    largest = max(p for p, scale in enumerate(SCALES) if scale.minutes <= minutes and scale.megabytes <= megabytes)
    counts = kept["train"][0], kept["valid"][0], kept["test"][0]
    share = kept["train"][0] / len(text.splits["train"])
    return Fitted(scale=largest, corpus=dataclasses.replace(corpus, documents=counts), share=share)


def _first(documents: Sequence[str], most: float, fewest: int) -> tuple[int, int]:
    """How many of the first documents have no more bytes than that, one at least, and how many these are.

    Of long documents there are so many at the least, as far as a few times the bytes go.
    """
    count = size = 0
    for document in documents:
        longer = size + len(document.encode())
        if count and longer > most * (LONGER if count < fewest else 1):
            break
        count, size = count + 1, longer
    return count, size


def make_plan(request: Request, kept: Kept, corpus: Corpus, largest: int, console: Console) -> None:
    """Find the largest scale that is fast enough here, and divide the time among its contenders.

    A scale is as fast as the first of its contenders that the memory holds, in which it is believed best. Where that
    one is fast enough all are timed, beside each other. Where the memory holds none, the scale is too large as well.
    """
    place = largest
    while True:
        scale = SCALES[place]
        tokens = progress.prepare(corpus, shared(scale, kept), console)
        kept.paces, kept.left_out = {}, {}
        runs = _runs(request, kept, scale, corpus)
        with console.status("timing a few steps of each contender"):
            first = next((pace for run in runs for pace in measured(request, kept, scale, [run], tokens)), None)
            final = rungs.steps(rungs.FINAL_SHARE * kept.left, first.step, first.measuring) if first else 0
            if first and (final >= rungs.ENOUGH_STEPS or place == 0):
                able = [run for run in runs if run.number not in kept.left_out]
                if paces := measured(request, kept, scale, able, tokens):
                    break
                first = None
        if place == 0:
            mend = "allow more --memory" if request.memory_bytes else "close other programs"
            raise UserError(f"no contender fits: {_left_out(kept)}; {mend}")
        why = f"slow here: their last run would have {final:,} steps" if first else f"large: {_left_out(kept)}"
        progress.say(console, f"models of width {scale.width} are too {why}; smaller ones are timed")
        enough = (p for p in range(place - 1, 0, -1) if final * scale.work >= rungs.ENOUGH_STEPS * SCALES[p].work)
        place = next(enough, 0) if first else place - 1
    kept.scale, kept.prepared_seconds = place, kept.spent
    train_tokens = len(tokens.splits["train"].tokens_N)
    longest = [
        pace.seconds(rungs.most_steps(train_tokens, scale.contenders[number].batch_size * LENGTH))
        for number, pace in kept.paces.items()
    ]
    kept.plan = _plan(kept.left, longest, [_needed(pace) for pace in paces])
    if kept.left < _needed(first):
        few = f"{request.minutes:g} minutes are too few for any contender"
        raise UserError(f"{few}: give at least {least_minutes(kept, first):g}")
    _require_disk(kept, [run for run in runs if run.number in kept.paces], tokens)
    kept.write()


def _plan(left: float, longest: Sequence[float], shortest: Sequence[float]) -> list[Rung]:
    """The rungs with as many contenders as can be tried.

    Args:
        left: Seconds for them and for the last run.
        longest: Of the longest last run of each contender that helps.
        shortest: Of its shortest trial that tells something.
    """
    for many in range(len(longest), 0, -1):
        last = min(rungs.FINAL_SHARE * left, needed := max(longest[:many]))
        plan = rungs.plan(left - last, many, max(shortest[:many]), needed if needed == last else math.inf)
        if plan and plan[0].contenders == many:
            return list(plan)
    return []


def measured(request: Request, kept: Kept, scale: Scale, runs: Sequence[Run], tokens: Tokens) -> list[Pace]:
    """How fast contenders are here, timed beside each other; takes note of it, and of those that do not fit."""
    valid, test = (tokens.splits[split].targets for split in ("valid", "test"))
    evaluated = 2 * (tokens.train_sample.targets + valid) + valid + test
    kept.paces = {}
    for run, each in zip(runs, costs.time_steps(runs, tokens, request.device), strict=True):
        # The memory may hold a run alone, and not beside all others.
        cost = each or (costs.time_steps([run], tokens, request.device)[0] if len(runs) > 1 else None)
        if cost is None or (request.memory_bytes and cost.memory_bytes > request.memory_bytes):
            needs = f"{words.megabytes(cost.memory_bytes)} of memory" if cost else "more than is free, or fails"
            kept.left_out[run.number] = f"{scale.contenders[run.number].title} needs {needs}"
            continue
        kept.paces[run.number] = Pace(
            step=cost.step,
            measuring=STARTING + evaluated * cost.evaluated_token,
        )
    return list(kept.paces.values())


def _left_out(kept: Kept) -> str:
    return words.joined(kept.left_out.values())


def least_minutes(kept: Kept, pace: Pace) -> float:
    """The minutes that would have been enough for a last run after what is done so far, to half a minute."""
    return math.ceil((kept.spent + _needed(pace) + ANSWERING) / 30 + 0.5) / 2


def _needed(pace: Pace) -> float:
    """Seconds of the shortest run that tells something."""
    return pace.seconds(rungs.FEWEST_STEPS)


def _require_disk(kept: Kept, runs: Sequence[Run], tokens: Tokens) -> None:
    """See that the disk has room for all that is planned, were every run the largest."""
    count = 1 + sum(rung.trials for rung in kept.plan or []) + rungs.FINALISTS * rungs.MOST_REPEATS
    finished, unfinished = map(max, zip(*(costs.files(run, tokens) for run in runs), strict=True))
    needed = costs.REPORT + count * finished + unfinished
    about = f"choosing for {runs[0].corpus.name} takes about"
    costs.require_disk(about, needed, kept.path.parent, "choose another --out")


def _runs(request: Request, kept: Kept, scale: Scale, corpus: Corpus) -> list[Run]:
    """A run of each contender, with the contender's place as its number."""
    return [
        Run(
            number=place,
            corpus=corpus,
            architecture=contender.architecture,
            optimizer=contender.optimizer,
            budget=dataclasses.replace(shared(scale, kept), batch_size=contender.batch_size),
            seed=request.seed,
        )
        for place, contender in enumerate(scale.contenders)
    ]


def shared(scale: Scale, kept: Kept) -> Budget:
    """What all runs have in common."""
    return Budget(sequence_length=LENGTH, vocabulary=scale.vocabulary, threads=kept.threads, precision=kept.precision)


def regularized(contender: Contender, kept: Kept, place: int, train_tokens: int) -> Contender:
    """The contender with the dropout for as many passes as the last run will make over the text."""
    steps = rungs.FINAL_SHARE * kept.trained / kept.paces[place].step
    passes = steps * contender.batch_size * LENGTH / train_tokens
    dropout = next(share for least, share in DROPOUT if passes >= least)
    return dataclasses.replace(contender, architecture=dataclasses.replace(contender.architecture, dropout=dropout))
