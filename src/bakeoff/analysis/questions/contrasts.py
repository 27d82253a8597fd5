"""Which experiments to compare by their optimizers: planned from what a study declares, and from no name.

Compared are experiments that differ in the optimizer alone, by what the optimizers' traits say that they are.
"""

import json
from dataclasses import dataclass
from typing import Any

from bakeoff.analysis.questions.finding import link
from bakeoff.analysis.questions.pair import Pair
from bakeoff.analysis.rows import Repeats, StudyRows
from bakeoff.analysis.statistics import NO, unknown

#: What may set two optimizers apart: adaptive steps against plain ones or against momentum, momentum against none,
#: decay against none, or whatever it is.
ADAPTIVE, AGAINST_MOMENTUM, MOMENTUM, DECAY, OTHER = "adaptive", "against momentum", "momentum", "decay", "other"
#: Settings of an optimizer that act only where there is decay.
OF_DECAY = ("weight_decay", "decayed")

Group = list[Repeats]


@dataclass(frozen=True, kw_only=True)
class Contrast(Pair):
    """A planned comparison: the first has the thing in question, the second has not."""

    kind: str

    @property
    def name(self) -> str:
        """Short, for links."""
        return link("-against-".join(f"{side.rows[0].optimizer}-{side.number}" for side in self.sides))

    @property
    def undertuned(self) -> bool:
        """Whether the first loses beyond noise to its own special case, the second: itself without decay or momentum.

        Tuned as well it could not (Choi et al. 2019, On Empirical Comparisons of Optimizers for Deep Learning): it is
        the settings that lost.
        """
        special = self.kind == DECAY or (self.kind == MOMENTUM and decay(self.first) == decay(self.second))
        return special and self.compared is not None and self.compared.as_run == NO

    @property
    def verdict(self) -> str:
        """Whether the first is better; nothing is decided by settings that lost."""
        return unknown(len(self.compared.gains)) if self.compared and self.undertuned else super().verdict


def contrasts(study: StudyRows) -> list[Contrast]:
    """Every comparison that the study's declaration plans, in the order of its tables."""
    return [contrast for group in groups(study) for contrast in (*_in_batches(study, group), *_batches(study, group))]


def groups(study: StudyRows) -> list[Group]:
    """Experiments that differ in the optimizer and the batch size alone, in the order of the tables."""
    found: dict[str, Group] = {}
    for experiment in study.experiments:
        alike = json.dumps([experiment.entry["model"], experiment.entry["architecture"]], sort_keys=True)
        found.setdefault(alike, []).append(experiment)
    return [group for group in found.values() if len(group) > 1]


def _in_batches(study: StudyRows, group: Group) -> list[Contrast]:
    """What is planned among the optimizers of each batch size."""
    alike = [[e for e in group if e.entry["batch_size"] == size] for size in study.batch_sizes]
    return [contrast for part in alike if len(part) > 1 for contrast in _planned(study, part)]


def _batches(study: StudyRows, group: Group) -> list[Contrast]:
    """Larger batches against the smallest, with one optimizer."""
    found: dict[str, Group] = {}
    for e in sorted(group, key=lambda e: e.entry["batch_size"]):
        found.setdefault(json.dumps([e.rows[0].optimizer, e.settings | {"batch_size": None}]), []).append(e)
    return [
        Contrast(study=study, first=e, second=same[0], kind=OTHER)
        for same in found.values()
        for e in same
        if e.entry["batch_size"] > same[0].entry["batch_size"]
    ]


def _planned(study: StudyRows, group: Group) -> list[Contrast]:
    """Adaptive steps, momentum and decay each against none; what else there is against the first of its group."""
    plain = [e for e in group if (e.traits.get("adaptive"), e.traits.get("heavy_ball")) == (False, False)]
    heavy = [e for e in group if (e.traits.get("adaptive"), e.traits.get("heavy_ball")) == (False, True)]
    adaptive: dict[str, Repeats] = {}  # of each update rule the one with the least decay
    for e in sorted((e for e in group if e.traits.get("adaptive")), key=decay):
        adaptive.setdefault(e.traits.get("rule") or e.rows[0].optimizer, e)
    pairs = [
        *((first, plain, ADAPTIVE) for first in adaptive.values()),
        *((first, heavy, AGAINST_MOMENTUM) for first in adaptive.values()),
        *((first, plain, MOMENTUM) for first in heavy),
        *((first, _without_decay(first, group), DECAY) for first in group if decay(first)),
    ]
    found = [
        (first, min(others, key=lambda other: abs(decay(other) - decay(first))), kind)
        for first, others, kind in pairs
        if others
    ]
    left = [e for e in group if not any(e in pair for pair in found)]
    found += [(e, group[0], OTHER) for e in left if e is not group[0]]
    found += [(group[0], group[1], OTHER)] if left == group[:1] else []
    return [Contrast(study=study, first=first, second=second, kind=kind) for first, second, kind in found]


def _without_decay(decayed: Repeats, group: Group) -> Group:
    """Those without decay, but of the same update rule and the same settings."""

    def kept(e: Repeats) -> list[Any]:
        return [e.traits.get("rule"), {name: value for name, value in e.settings.items() if name not in OF_DECAY}]

    return [e for e in group if e.traits.get("rule") and not decay(e) and kept(e) == kept(decayed)]


def decay(experiment: Repeats) -> float:
    """Its weight decay."""
    return experiment.rows[0].weight_decay
