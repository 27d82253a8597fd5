"""What experiments are called in tables and figures, so that no two are called alike."""

from collections.abc import Mapping

from bakeoff.shapes import Json


def titles_of(study: Json) -> dict[int, tuple[str, str]]:
    """What each experiment's architecture and optimizer are called, with whatever sets them apart from others so named.

    The batch is part of every optimizer's title where that is not the same for all. A learning rate is part of it only
    where two experiments differ in nothing else.
    """
    entries = study["experiments"]
    titles = {kind: {e["name"]: e["title"] for e in study[kind]} for kind in ("models", "optimizers")}
    models = _distinct(titles["models"], [(e["model"], e["architecture"]) for e in entries], without=("layers",))
    optimizers = _distinct(
        titles["optimizers"], [(e["optimizer"], e["optimizer_settings"]) for e in entries], without=("lr",)
    )
    if len({e["batch_size"] for e in entries}) > 1:
        optimizers = [f"{title} (batch {e['batch_size']})" for title, e in zip(optimizers, entries, strict=True)]
    found = list(zip(models, optimizers, strict=True))
    kinds = [(model, entry["layers"], optimizer) for (model, optimizer), entry in zip(found, entries, strict=True)]
    return {
        entry["number"]: (model, f"{optimizer} (lr {entry['learning_rate']:g})" if kinds.count(kind) > 1 else optimizer)
        for entry, (model, optimizer), kind in zip(entries, found, kinds, strict=True)
    }


def _distinct(titles: Mapping[str, str], specs: list[tuple[str, Json]], without: tuple[str, ...]) -> list[str]:
    """The title of each spec, with those of its settings in which specs of its name differ."""
    told = []
    for name, settings in specs:
        others = [other for named, other in specs if named == name]
        differing = [key for key in settings if key not in without and any(o.get(key) != settings[key] for o in others)]
        listed = ", ".join(_setting(key.replace("_", " "), settings[key]) for key in differing)
        told.append(f"{titles[name]} ({listed})" if listed else titles[name])
    return told


def _setting(name: str, value: object) -> str:
    """Such as `hidden 256`, `dropout 0.1`, `post norm` or `no post norm`."""
    if isinstance(value, bool):
        return name if value else f"no {name}"
    return f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
