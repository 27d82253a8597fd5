"""What `study.json` says of an experiment besides its row: its settings, and where its learning rate comes from."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bakeoff.analysis import words
from bakeoff.analysis.rows import Experiment, StudyRows

Json = dict[str, Any]

#: Mean of a schedule over a run, as a share of the peak: `linear` rises in 5 % of S steps to the peak and falls to zero
#: one step after the last, which sums to (S + 1) / 2 steps at the peak whatever the share of the rise.
MEAN_RATE = {"linear": 0.5, "constant": 1.0}
#: Settings of an optimizer that say how far it goes, not what it is.
_STRENGTHS = ("type", "lr", "weight_decay", "decayed")


@dataclass(frozen=True, kw_only=True)
class Declared:
    """An experiment with its entry in `study.json`."""

    experiment: Experiment
    entry: Json

    @property
    def size(self) -> Json:
        """What its models are built of, but for the number of layers."""
        return {name: value for name, value in self.entry["architecture"].items() if name != "layers"}

    @property
    def settings(self) -> Json:
        """What makes its optimizer what it is: every setting but learning rate and weight decay."""
        return {name: value for name, value in self.entry["optimizer_settings"].items() if name not in _STRENGTHS}

    @property
    def decay(self) -> float:
        """Its weight decay."""
        return float(self.entry["weight_decay"])

    @property
    def attends(self) -> bool:
        """Whether its models have attention heads."""
        return "heads" in self.entry["architecture"]

    @property
    def described(self) -> str:
        """Its number, what it is, and its settings."""
        rate, decay = words.rate(self.entry["learning_rate"]), self.decay
        decayed = f", weight decay {words.rate(decay)}" if decay else ""
        return f"#{self.experiment.number} ({self.experiment.name}, learning rate {rate}{decayed})"


def declared(study: StudyRows) -> tuple[Declared, ...]:
    """Every experiment in the order of the tables, with its entry."""
    entries = {entry["number"]: entry for entry in study.study["experiments"]}
    return tuple(Declared(experiment=e, entry=entries[e.number]) for e in study.experiments)


def describe(study: StudyRows, number: int) -> str:
    """An experiment's number, what it is, and its settings."""
    return next(found.described for found in declared(study) if found.experiment.number == number)


def has_interior_rate(study: StudyRows, entry: Json) -> bool:
    """Whether its learning rate was searched for, and lower and higher ones were tried as well."""
    found = ((study.study["tuning"] or {}).get("rates") or {}).get(entry["slug"])
    if not found:
        return False
    tried = [trial["lr"] for trial in found["trials"]]
    return bool(found["lr"] == entry["learning_rate"] and min(tried) < entry["learning_rate"] < max(tried))


def about_rates(study: StudyRows, compared: Iterable[Declared]) -> str:
    """What must be known of the learning rates before a comparison is believed, as a sentence; empty if all is well."""
    entries = [found.entry for found in compared]
    rates = {entry["learning_rate"] for entry in entries}
    if not all(has_interior_rate(study, entry) for entry in entries):
        alike = f"All trained at {words.rate(min(rates))}. " if len(rates) == 1 and len(entries) > 1 else ""
        return (
            f" {alike}Not every learning rate comes from a search that tried lower and higher ones: this compares them "
            "at these rates, not at their best."
        )
    if not study.study["tuning"]["fits"]:
        return " The learning rates were searched on another corpus or budget, and may not be the best ones here."
    return ""
