"""How much another seed changes, as it was measured of the kept studies, and what became of a ranking on a larger text.

Whoever compares two runs with one seed each compares their difference with what another seed would have changed.
"""

import json
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bakeoff.shapes import Json

#: Where `python tools/noise.py` keeps what it has measured.
KEPT = Path(__file__).with_name("noise.json")


@dataclass(frozen=True, kw_only=True)
class Deviation:
    """How much the best valid loss of a model typically differs from seed to seed.

    Attributes:
        nats: Standard deviation, in nats per token, of an experiment in the middle.
        lowest: Of the experiment that varied least, and `highest` of the one that varied most, as measured.
        experiments: How many these are.
        seeds: The fewest seeds that one of them was run with.
    """

    nats: float
    lowest: float
    highest: float
    experiments: int
    seeds: int


@dataclass(frozen=True, kw_only=True)
class Noise:
    """How much another seed changes in a study.

    Attributes:
        study: The study's name.
        folder: Its folder in the project's `results/`.
        trained_tokens: Tokens that each of its runs is trained on, repeated ones counted again.
        deviations: By the name of the architecture.
    """

    study: str
    folder: str
    trained_tokens: int
    deviations: Mapping[str, Deviation]

    def of(self, *models: str) -> float:
        """The largest deviation of those architectures, in nats per token; of all, where one was never measured."""
        names = models if all(model in self.deviations for model in models) else self.deviations
        return max(self.deviations[name].nats for name in names)


@dataclass(frozen=True, kw_only=True)
class Carried:
    """What became of a study's ranking on a larger corpus.

    Attributes:
        to: The larger study.
        tau: Kendall's rank correlation of the experiments' valid losses in both; 1 where the order is the same.
        experiments: How many these are.
        place_here: Where the best of the larger study is ranked in the smaller.
    """

    to: str
    tau: float
    experiments: int
    place_here: int


def kept() -> tuple[Noise, ...]:
    """What was measured of the studies that are kept."""
    return tuple(
        Noise(**entry | {"deviations": {model: Deviation(**found) for model, found in entry["deviations"].items()}})
        for entry in json.loads(KEPT.read_text(encoding="utf-8"))["studies"]
    )


def carried(study: str) -> Carried | None:
    """What became of a kept study's ranking in a larger one of the same experiments; None of others."""
    found = json.loads(KEPT.read_text(encoding="utf-8"))["carried"].get(study)
    return Carried(**found) if found else None


def typical_deviation(samples: Iterable[Sequence[float]]) -> float:
    """The standard deviation of a typical one among several samples, each of two numbers or more.

    The root of the median variance: the mean would be that of the one sample that varies most. Variances of few numbers
    are skewed: each is divided by the median of what it would be if the true one was 1, chi-squared by its degrees of
    freedom.
    """
    from scipy import special  # noqa: PLC0415 (importing it takes longer than most of what imports this module)

    variances = [
        statistics.variance(sample) * (free := len(sample) - 1) / (2 * float(special.gammaincinv(free / 2, 0.5)))
        for sample in samples
    ]
    return math.sqrt(statistics.median(variances))


def nearest(study: Json) -> Noise:
    """What was measured of the kept study whose runs are trained on the most similar number of tokens, as a ratio."""
    tokens = trained_tokens(study)
    return min(kept(), key=lambda known: abs(math.log(known.trained_tokens / tokens)))


def trained_tokens(study: Json) -> int:
    """Tokens that each run of a study is trained on, by its `study.json`; what is read again counts again."""
    budget, tokens = study["budget"], int(study["corpus"]["train"]["tokens"])
    if steps := budget.get("steps"):
        sequences = math.ceil((tokens - 1) / budget["sequence_length"])
        return int(steps * tokens / math.ceil(sequences / budget["batch_size"]))
    if steps := budget.get("epoch_steps"):
        tokens = min(tokens, steps * budget["batch_size"] * budget["sequence_length"])
    return int(budget["epochs"]) * tokens
