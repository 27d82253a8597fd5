"""What makes two runs the same: specs as canonical JSON, and its hash."""

import dataclasses
import hashlib
import json
import sys
from collections.abc import Mapping
from typing import Any

from bakeoff.spec import MOST, Run, Study


def encode(spec: object, *, minimal: bool = False) -> Any:  # noqa: ANN401
    """A spec as plain JSON data, with the name of each dataclass under `type`.

    Args:
        spec: A dataclass of `spec`, or a value inside one.
        minimal: Leave out defaults and whatever is no part of an identity, so that a new option with a default
            changes no existing identity.
    """
    if dataclasses.is_dataclass(spec) and not isinstance(spec, type):
        kept = [f for f in dataclasses.fields(spec) if not minimal or _is_telling(f, spec)]
        return {"type": type_name(type(spec))} | {f.name: encode(getattr(spec, f.name), minimal=minimal) for f in kept}
    if isinstance(spec, tuple | list):
        return [encode(item, minimal=minimal) for item in spec]
    if isinstance(spec, Mapping):
        return {name: encode(value, minimal=minimal) for name, value in spec.items()}
    return spec


def type_name(kind: type) -> str:
    """A class of Bakeoff's by its name alone, any other with its module, so that two are never taken for each other."""
    return kind.__qualname__ if is_bakeoffs(kind) else f"{kind.__module__}.{kind.__qualname__}"


def is_bakeoffs(kind: type) -> bool:
    """Whether a class is Bakeoff's own, and not of a study file or of another package, whatever it calls itself."""
    ours = kind.__module__.partition(".")[0] == __name__.partition(".")[0]
    return ours and getattr(sys.modules.get(kind.__module__), kind.__qualname__, None) is kind


def types(spec: object) -> set[type]:
    """The dataclasses of a spec and of everything in it."""
    if dataclasses.is_dataclass(spec) and not isinstance(spec, type):
        return {type(spec)}.union(*(types(getattr(spec, f.name)) for f in dataclasses.fields(spec)))
    if isinstance(spec, Mapping):
        return set[type]().union(*map(types, spec.values()))
    return set[type]().union(*map(types, spec)) if isinstance(spec, tuple | list) else set()


def decode(data: Any, types: Mapping[str, type]) -> Any:  # noqa: ANN401
    """The inverse of `encode`; `types` maps the names under `type` to dataclasses."""
    if isinstance(data, dict):
        fields = {name: decode(value, types) for name, value in data.items() if name != "type"}
        return types[data["type"]](**fields) if "type" in data else fields
    if isinstance(data, list):
        return tuple(decode(item, types) for item in data)
    return data


def identity(spec: object) -> str:
    """Twelve hexadecimal digits of the SHA-256 of the spec's canonical JSON, without defaults."""
    return _digest(encode(spec, minimal=True))


def purpose(study: Study) -> str:
    """The identity of a study but for its learning rates: what a search for them is good for.

    They all count as 1, which not every optimizer takes. Experiments count in the order of their numbers, by which
    rates are found again.
    """
    ordered = tuple(sorted(study.experiments, key=lambda experiment: experiment.number))
    encoded = encode(dataclasses.replace(study, experiments=ordered), minimal=True)
    for experiment in encoded["experiments"]:
        experiment["optimizer"]["lr"] = 1.0
    return _digest(encoded)


def _digest(encoded: object) -> str:
    canonical = json.dumps(encoded, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def stem(run: Run) -> tuple[str, int] | None:
    """The identity of what a run has in common with others that decay elsewhere, and the step until which that is so.

    None where the run's schedule has no steps of decay.
    """
    budget = run.budget
    if budget.steps is None or budget.decay_steps is None or (run.optimizer.schedule or budget.schedule) != "linear":
        return None
    rising = budget.rising(budget.steps)
    common = dataclasses.replace(budget, steps=MOST, warmup_steps=rising, decay_steps=1)
    return identity(dataclasses.replace(run, budget=common)), budget.steps - budget.decay_steps


def fits(tuning: Mapping[str, Any], study: Study) -> bool:
    """Whether a search for rates was one for this study; experiments that were added since have none of its rates."""
    searched = tuple(experiment for experiment in study.experiments if experiment.slug in tuning["rates"])
    return bool(searched) and tuning["for"] == purpose(dataclasses.replace(study, experiments=searched))


def _is_telling(field: dataclasses.Field[Any], spec: object) -> bool:
    if not field.metadata.get("identity", True):
        return False
    value, default = getattr(spec, field.name), field.default
    other = value != default or isinstance(value, bool) != isinstance(default, bool)  # True equals 1
    return other or field.name in getattr(spec, "always_identity", ())
