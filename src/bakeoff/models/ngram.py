"""Models that only count: the floors under every table.

They predict the tokens that the networks predict, from the context that the networks see: what stands before the token
in its own sequence, and nothing of the sequence before.
"""

import hashlib
import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bakeoff.data import Tokens, Told, frequencies
from bakeoff.data.cache import entry
from bakeoff.data.sequences import TokenStream
from bakeoff.metrics import Tally
from bakeoff.models import kneser_ney
from bakeoff.models.kneser_ney import Discounting, Questions, estimated, textbook
from bakeoff.shapes import Json

#: Added to every symbol's count by the unigram, so that none has probability zero.
SMOOTHING = 0.1
#: The orders of Kneser-Ney. A discount of 0.75 gives bigram and trigram the figures that others have published.
ORDERS: dict[int, Discounting] = {2: textbook, 3: textbook, 4: estimated, 5: estimated}
#: Those that are also mixed with a cache.
CACHED = (3, 5)
#: By the names of these floors, the orders that answer: after little context the lower ones.
TABLES = {
    f"kn{order}{mixed}": {lower: ORDERS[lower] for lower in ORDERS if lower <= order}
    for order in ORDERS
    for mixed in (("", "+cache") if order in CACHED else ("",))
}
#: The cache alone; it gives many targets no probability at all.
CACHE = "cache"
#: The probabilities that these give to every target of these splits, one after the other, are kept in files of their
#: own, as numbers of four bytes.
KEPT, KEPT_OF, SUFFIX = (*(f"kn{order}" for order in CACHED), CACHE), ("valid", "test"), ".float32"
#: The file with what all floors cost.
FLOORS = "floors.json"
#: Shares of the cache that are tried on valid.
CACHE_WEIGHTS = tuple(weight / 100 for weight in (0, 1, 2, 5, 8, 10, 12, 15, 20, 25, 30, 40, 50))
#: Sequences whose cache is counted at once.
SEQUENCES_AT_ONCE = 64
#: Targets for which the text is counted at once; with more of them it is counted several times.
TARGETS_AT_ONCE = 10_000_000

Floats = npt.NDArray[np.float64]


class Floor(NamedTuple):
    """A floor, and the share of the cache in it, if it has one."""

    name: str
    cache_weight: float | None = None


class BestFloor(NamedTuple):
    """A floor, and the nats that every target of valid and of test costs under it."""

    name: str
    nats: dict[str, Floats]


class Part(NamedTuple):
    """Targets of a split, from a sequence's first one to before another's."""

    split: str
    first: int
    end: int


def baselines(tokens: Tokens, length: int, told: Told = lambda *_: None) -> list[Json]:
    """Each floor's name, the seconds it took, and what it pays for the train sample, valid and test.

    What was counted before comes from the cache.

    Args:
        tokens: The corpus.
        length: Targets of a sequence, as the networks are given.
        told: Is told how far it is.
    """
    made: list[Json] = json.loads((counted(tokens, length, told) / FLOORS).read_bytes())
    return made


def best(tokens: Tokens, length: int) -> BestFloor:
    """The floor with a cache that is lowest on valid; what was counted before comes from the cache."""
    folder = counted(tokens, length)
    floors = [floor for floor in json.loads((folder / FLOORS).read_bytes()) if "cache_weight" in floor]
    floor = min(floors, key=lambda floor: floor["valid"]["nats"])
    names, weight = (floor["name"].removesuffix(f"+{CACHE}"), CACHE), floor["cache_weight"]
    kept = [np.memmap(folder / f"{name}{SUFFIX}", np.float32, "r") for name in names]
    nats, first = {}, 0
    for split in KEPT_OF:
        part = slice(first, first := first + tokens.splits[split].targets)
        model_T, shares_T = (kept_T[part].astype(np.float64) for kept_T in kept)
        nats[split] = -np.log((1 - weight) * model_T + weight * shares_T)
    return BestFloor(floor["name"], nats)


def counted(tokens: Tokens, length: int, told: Told = lambda *_: None) -> Path:
    """The folder with what is kept of the floors, counted now unless the cache has it."""
    sources = [Path(path).read_bytes() for path in (__file__, kneser_ney.__file__)]
    key = hashlib.sha256(b"".join([f"{tokens.key} {length} ".encode(), *sources])).hexdigest()[:24]

    def make(folder: Path) -> None:
        (folder / FLOORS).write_text(json.dumps(measure(tokens, length, folder, told)), encoding="utf-8")

    return entry(f"floors/{key}", make)


def measure(tokens: Tokens, length: int, folder: Path, told: Told = lambda *_: None) -> list[Json]:
    """What `baselines` gives, counted now; a floor's seconds are those until it was known, as it needs those before.

    The probabilities that are kept go into the folder, which has none of them yet.
    """
    streams = {"train": tokens.train_sample, "valid": tokens.splits["valid"], "test": tokens.splits["test"]}
    nats: dict[Floor, dict[str, float]] = {}
    seconds: defaultdict[str, float] = defaultdict(float)
    batches = _batches(streams, length)
    for number, batch in enumerate(batches):

        def tell(share: float, done: int = number) -> None:
            told(f"{tokens.text.name}: counting n-grams", (done + share) / len(batches))

        begun = time.perf_counter()
        ends = np.cumsum([part.end - part.first for part in batch])
        last: dict[str, float] = {}
        for floor, probabilities_T in answers(tokens, [(streams[part.split], part) for part in batch], length, tell):
            if floor.name in KEPT:
                _keep(folder, floor.name, zip(batch, np.split(probabilities_T, ends[:-1]), strict=True))
            if floor.name == CACHE:
                continue
            pieces = np.split(-np.log(probabilities_T), ends[:-1])
            paid = nats.setdefault(floor, dict.fromkeys(streams, 0.0))
            for part, nats_T in zip(batch, pieces, strict=True):
                paid[part.split] += float(nats_T.sum())
            last[floor.name] = time.perf_counter() - begun
        for name, until in last.items():
            seconds[name] += until
    return [
        {
            "name": floor.name,
            **{split: _tally(stream, nats[floor][split]).as_json() for split, stream in streams.items()},
            "seconds": seconds[floor.name],
        }
        | ({} if floor.cache_weight is None else {"cache_weight": floor.cache_weight})
        for floor in _best_weights(nats)
    ]


def answers(
    tokens: Tokens, parts: Sequence[tuple[TokenStream, Part]], length: int, told: Callable[[float], object]
) -> Iterator[tuple[Floor, Floats]]:
    """Each floor's probability of every target of some parts of streams, one part after the other; overwritten later.

    The cache alone, which is none of them, is there as well.

    Args:
        tokens: What is counted: its train split, as one stream.
        parts: What is asked, each with the stream that it is of.
        length: Targets of a sequence.
        told: Is told the share that is done.
    """
    questions = _questions(parts, length)
    targets_T, train = questions.columns[0], tokens.splits["train"]
    counts_V = frequencies.counts(train.tokens_N, tokens.vocabulary) + SMOOTHING
    yield Floor("uniform"), np.full(len(targets_T), 1 / tokens.vocabulary)
    yield Floor("unigram"), (counts_V / counts_V.sum())[targets_T]
    models = kneser_ney.probabilities(train.tokens_N, tokens.vocabulary, questions, ORDERS, told)
    for order, probabilities_T in models:
        yield Floor(f"kn{order}"), probabilities_T
        if order == min(CACHED):
            shares_T = np.concatenate([_cache(stream, part, length) for stream, part in parts])
            yield Floor(CACHE, 1.0), shares_T
        if order in CACHED:
            for weight in CACHE_WEIGHTS:
                yield Floor(f"kn{order}+cache", weight), (1 - weight) * probabilities_T + weight * shares_T


def _questions(parts: Sequence[tuple[TokenStream, Part]], length: int) -> Questions:
    """Targets with what stands before them in their sequence, as far as the highest order looks."""
    furthest, columns, known = max(ORDERS) - 1, [], []
    for stream, part in parts:
        tokens_N = np.asarray(stream.tokens_N[part.first : part.end + 1])
        places = np.arange(1, len(tokens_N))
        columns.append([tokens_N[np.maximum(places - lag, 0)] for lag in range(furthest + 1)])
        known.append(np.minimum((places - 1) % length + 1, furthest).astype(np.uint8))
    return Questions(columns=list(map(np.concatenate, zip(*columns, strict=True))), known_T=np.concatenate(known))


def _cache(stream: TokenStream, part: Part, length: int) -> Floats:
    """Share of each target among the tokens before it in its sequence (Kuhn & De Mori 1990)."""
    earlier_or_same, seen_L = np.tri(length, dtype=bool), np.arange(1, length + 1)
    shares = []
    last = -(-part.end // length)
    for first in range(part.first // length, last, SEQUENCES_AT_ONCE):
        batch = stream.batch(np.arange(first, min(first + SEQUENCES_AT_ONCE, last)), length)
        size = batch.inputs_BxL.shape[1]
        equal = batch.targets_BxL[:, :, None] == batch.inputs_BxL[:, None, :]
        shares_BxL = (equal & earlier_or_same[:size, :size]).sum(axis=2) / seen_L[:size]
        shares.append(shares_BxL[batch.targets_BxL >= 0])
    return np.concatenate(shares)


def _keep(folder: Path, name: str, pieces: Iterable[tuple[Part, Floats]]) -> None:
    with (folder / f"{name}{SUFFIX}").open("ab") as file:
        for part, probabilities_T in pieces:
            if part.split in KEPT_OF:
                file.write(probabilities_T.astype(np.float32).tobytes())


def _batches(streams: Mapping[str, TokenStream], length: int) -> list[list[Part]]:
    """All targets of all streams, in whole sequences, so many at a time as are asked at once."""
    most = max(1, TARGETS_AT_ONCE // length) * length
    batches: list[list[Part]] = [[]]
    room = most
    for split, stream in streams.items():
        first = 0
        while first < stream.targets:
            end = min(first + room, stream.targets)
            batches[-1].append(Part(split, first, end))
            room -= -(-(end - first) // length) * length
            if not room:
                batches.append([])
                room = most
            first = end
    return [batch for batch in batches if batch]


def _best_weights(nats: Mapping[Floor, Mapping[str, float]]) -> list[Floor]:
    """The floors in their order, those with a cache with the share of it with which valid costs the least."""
    best: dict[str, Floor] = {}
    for floor in nats:
        if floor.name not in best or nats[floor]["valid"] < nats[best[floor.name]]["valid"]:
            best[floor.name] = floor
    return list(best.values())


def _tally(stream: TokenStream, nats: float) -> Tally:
    return Tally(nats=nats, tokens=stream.targets, words=stream.words, bytes=stream.bytes)
