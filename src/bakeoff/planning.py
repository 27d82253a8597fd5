"""What a study costs here with so many seeds, and how small a difference they can see."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import torch

from bakeoff import costs, words
from bakeoff.analysis import looks, power
from bakeoff.analysis.noise import nearest
from bakeoff.analysis.power import Paired
from bakeoff.analysis.reading import read_rows
from bakeoff.analysis.statistics import SAME_WITHIN
from bakeoff.costs import Cost
from bakeoff.data import Tokens
from bakeoff.declaration import describe
from bakeoff.runner import resolve
from bakeoff.spec import Study
from bakeoff.study_folder import StudyFolder

#: Numbers of seeds that a plan speaks of, besides the study's own.
SEEDS = (3, 5, 8, 10, 20)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A study that might be run.

    Attributes:
        study: With precision, threads and seeds resolved.
        device: Where it would be run.
        experiments: How many of its experiments.
        cost: Of these with one seed.
        paired: How much the difference of two of them deviates from seed to seed.
        paired_from: What says so.
    """

    study: Study
    device: torch.device
    experiments: int
    cost: Cost
    paired: Paired
    paired_from: str

    @property
    def seeds(self) -> int:
        """How many the study has."""
        return len(self.study.seeds)

    def as_json(self) -> dict[str, Any]:
        """Seconds, bytes, and differences in nats per token."""
        whole = self.cost.repeated(self.seeds)
        return {
            "seconds": whole.seconds,
            "memory_bytes": whole.memory_bytes,
            "disk_bytes": whole.disk_bytes(at_once=1),
            "seeds": [
                {
                    "seeds": n,
                    "smallest_effect": power.smallest_effect(self.paired.nats, n),
                    "seconds": self.cost.repeated(n).seconds,
                }
                for n in sorted({*SEEDS, max(self.seeds, min(SEEDS))})
            ],
            "judge": {
                "looks": list(looks.USUAL),
                "smallest_effect": looks.smallest_effect(
                    looks.USUAL, looks.level(looks.USUAL), self.paired.nats, SAME_WITHIN
                ),
            },
            "deviation": self.paired.nats,
            "deviation_from": self.paired_from,
        }


def plan(declared: Study, tokens: Tokens, folder: StudyFolder, device: torch.device, numbers: Collection[int]) -> Plan:
    """Time a few steps of each model, and look up how much another seed changes; writes nothing.

    Args:
        declared: The study, with the options of the command line in it.
        tokens: Its corpus.
        folder: Where its runs would be, or are.
        device: Where they would compute.
        numbers: Of the experiments that are planned for.

    Raises:
        UserError: The folder holds another study, or is damaged.
    """
    study = resolve(declared, folder, device)
    chosen = [experiment for experiment in study.experiments if experiment.number in numbers]
    paired = power.measured(read_rows(folder, folder.seeds), numbers) if folder.exists else None
    if paired:
        pairs, few = words.plural(paired.pairs, "pair"), ", so few that this is rough" if paired.few else ""
        paired_from = f"{folder.path}, {pairs} of experiments with at least {paired.seeds} seeds in common{few}"
    else:
        noise = nearest(describe(study, tokens))
        paired = power.expected(noise, [experiment.architecture.name for experiment in chosen])
        paired_from = (
            f"kept noise of {noise.study}, the built-in study that trains on the most similar number of tokens"
        )
    return Plan(
        study=study,
        device=device,
        experiments=len(chosen),
        cost=costs.estimate([study.run(experiment, study.seeds[0]) for experiment in chosen], tokens, device),
        paired=paired,
        paired_from=paired_from,
    )
