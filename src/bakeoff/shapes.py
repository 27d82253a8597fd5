"""What records must look like, as data, and where a value departs from that."""

from collections.abc import Callable
from typing import Any

#: The member of a record that holds the checksum of the others.
CHECKSUM = "checksum"
#: No measurement comes near it, and a float holds it.
LARGEST = 1e300

Json = dict[str, Any]
#: What a record must look like: an object with the shapes of its members ("?" ends the name of one that may be missing
#: or null, "*" names all), a list of one shape, or of as many as it has to have, or whether a value will do.
Shape = dict[str, "Shape"] | list["Shape"] | Callable[[object], bool]


def _text(value: object) -> bool:
    return isinstance(value, str)


def _flag(value: object) -> bool:
    return isinstance(value, bool)


def finite(value: object) -> bool:
    """Whether it is a number that a record may hold."""
    return type(value) in (int, float) and -LARGEST < value < LARGEST  # type: ignore[operator]


def _count(value: object) -> bool:
    return type(value) is int and 0 <= value < 2**63


def _positive(value: object) -> bool:
    return _count(value) and value != 0


def _rate(value: object) -> bool:
    return finite(value) and value > 0  # type: ignore[operator]


SPEC: dict[str, Shape] = {"identity": _text, "run": {}}
ENVIRONMENT: dict[str, Shape] = {"device?": _text}
SUMS: dict[str, Shape] = {"nats": finite, "tokens": _positive, "words": _positive, "bytes": _positive}
MEASURED: Shape = {**SUMS, "deciles?": {"nats": [finite] * 10, "tokens": [_count] * 10}}
SAMPLE: Shape = {"step": _count, "train_seconds": finite, "nats": finite, "tokens": _positive}
EVALUATION: Shape = {
    "epoch": _count,
    "step": _count,
    "train_seconds": finite,
    "processor_seconds?": finite,
    "unix_seconds?": finite,
    "train": MEASURED,
    "valid": MEASURED,
    "running?": {"nats": finite, "tokens": _positive},
    "gradient_norm?": {"clipped": finite},
    "sample?": [SAMPLE],
}
#: What a summary says of a run that finished, beside that it did; of one that diverged; and of one that failed.
FINISHED: dict[str, Shape] = {
    "epochs?": _count,
    "test": {"best": SUMS, "last": SUMS},
    "averaged?": {"valid": SUMS, "test": SUMS},
    "with_counts?": {"floor": _text, "weight": finite, "valid": SUMS, "test": SUMS},
    "windows?": {"half_stride": SUMS, "carried_state?": SUMS},
    "memory": {
        **dict.fromkeys(("average_bytes", "peak_bytes", "baseline_bytes"), finite),
        **dict.fromkeys(("resting_bytes?", "process_bytes?"), finite),
        "kind": _text,
    },
    "alone": _flag,
    "processor_seconds?": finite,
    **dict.fromkeys(("evaluation_seconds", "warmup_seconds", "other_seconds", "tokens_per_second"), finite),
}
DIVERGED: dict[str, Shape] = {"error": _text, "epoch?": _count, "sample?": [SAMPLE]}
FAILED: dict[str, Shape] = {"error": _text}
BY_DOCUMENT: dict[str, Shape] = {"nats": [finite], "tokens": [_count], "words": [_count], "bytes": [_count]}
DOCUMENTS: dict[str, Shape] = {"valid": BY_DOCUMENT, "test": BY_DOCUMENT}
#: How a model goes on after some prompts: as many tokens, drawn so.
TEXTS: dict[str, Shape] = {
    **dict.fromkeys(("tokens", "top_k?"), _positive),
    "temperature": finite,
    "seed": _count,
    "texts": [{"prompt": _text, "text": _text}],
}
STUDY: dict[str, Shape] = {
    "study": _text,
    "identity": _text,
    "tokenizer_sha256?": _text,
    "budget": {"threads?": _positive, "precision?": _text, "compile?": _flag},
    "experiments": [{"number": _count, "slug": _text}],
    "seeds": [_count],
    "runs?": {"*": _text},
}
#: What a search for learning rates found, and by which code where that is not Bakeoff's own.
RATES: dict[str, Shape] = {
    "for": _text,
    "code?": {"*": _text},
    "rates": {"*": {"lr": _rate, "trials": [{"lr": _rate, "status": _text, "valid_loss?": finite}]}},
}
#: What a choice has decided so far.
CHOICE: dict[str, Shape] = {
    CHECKSUM: _text,
    "asked": _text,
    "minutes": _rate,
    **dict.fromkeys(("spent_seconds", "prepared_seconds"), finite),
    "threads": _positive,
    "precision": _text,
    "scale": _count,
    "paces": {"*": {"step": _rate, "measuring": finite}},
    "left_out": {"*": _text},
    "plan": [{"contenders": _positive, "rates": _positive, "seconds": _rate, "repeated": _count}],
    "trials": [[{"contender": _count, "steps": _positive, "rates": [_rate]}]],
    "repeats?": _count,
    "winner?": {"contender": _count, "lr": _rate},
    "final?": dict.fromkeys(("steps", "epoch_steps", "warmup_steps", "decay_steps"), _positive),
}
#: What a command tells of the runs that it has at work.
AT_WORK: dict[str, Shape] = {
    CHECKSUM: _text,
    "part?": {"numbers": [_count], "seeds": [_count]},
    "runs": [{"number": _count, "seed": _count, "step": _count, "steps": _positive, "seconds_left?": finite}],
}
#: The looks of a comparison, as often as they were declared, and the runs that were over before that.
LOOKS: dict[str, Shape] = {
    CHECKSUM: _text,
    "declared": [{"looks": [_positive], "margin": finite, "over": [_text]}],
}
#: A complete short schedule: the lowest loss on valid, missing where it diverged.
START: Shape = {"learning_rate": _rate, "valid?": SUMS}
#: What counter-experiments to a run came to: its own start, and the same with one thing changed; that of a smaller
#: model that did better, and that one's number.
PROBE: dict[str, Shape] = {
    CHECKSUM: _text,
    "identity?": _text,
    "steps": _positive,
    "own": START,
    "changed": {"tenth": START, "hundredth": START, "warm-up": START, "pre-norm?": START},
    "smaller?": {"number": _count, "start": START},
}
#: What another program reports of a run: where it was, and its loss there, in nats per token of its own; or what a
#: model of another program was measured to cost here, in windows of so many tokens.
REPORTED: dict[str, Shape] = {
    CHECKSUM: _text,
    **dict.fromkeys(("by", "unit"), _text),
    "valid": [[finite] * 2],
    "train": [[finite] * 2],
    **dict.fromkeys(("tokens?", "bytes?", "window?", "parameters?"), _positive),
    "words?": _count,
    "checked?": _flag,
}
TITLES: Shape = [{"name": _text, "title": _text}]
SPLIT: Shape = {
    "documents?": _count,
    "tokens": _positive,
    "words": _positive,
    "bytes": _positive,
    "shared?": {"tokens": _positive, "share": finite},
}
#: What `study.json` has for a report beside what a command goes on from.
DECLARED: Shape = STUDY | {
    "corpus": {
        **dict.fromkeys(("name", "licence", "source", "sha256"), _text),
        **dict.fromkeys(("lossy?", "newline_is_word?"), _flag),
        **dict.fromkeys(("train", "valid", "test"), SPLIT),
    },
    "budget": {
        **dict.fromkeys(("epochs", "batch_size", "sequence_length", "threads", "vocabulary"), _positive),
        **dict.fromkeys(("tokenizer", "schedule", "precision"), _text),
        **dict.fromkeys(("epoch_steps?", "steps?", "warmup_steps?", "decay_steps?"), _positive),
        **dict.fromkeys(("clip?", "average?"), finite),
    },
    "experiments": [
        {
            **dict.fromkeys(("slug", "model", "optimizer"), _text),
            **dict.fromkeys(("number", "layers", "parameters", "learnable_parameters", "vocabulary"), _count),
            "batch_size": _positive,
            **dict.fromkeys(("learning_rate", "weight_decay"), finite),
            "architecture": {},
            "optimizer_settings": {},
            "traits?": {},
            "memory?": {"*": _count},
        }
    ],
    "source?": _text,
    "options?": {"*": _text},
    "code?": {"*": _text},
    "models": TITLES,
    "optimizers": TITLES,
    "tuning?": RATES | {"fits": _flag},
    "texts?": TEXTS | {"floor": _text, "counted": _positive},
    "baselines": [
        {"name": _text, "seconds": finite, "cache_weight?": finite, "train": SUMS, "valid": SUMS, "test": SUMS}
    ],
}


def fault(value: object, shape: Shape, name: str = "it") -> str | None:
    """Where a value departs from its shape; None where it does not."""
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            return f"{name} is no object"
        if lacking := [key for key in shape if key[-1] not in "?*" and key not in value]:
            return f"{name} lacks {lacking[0]}"
        parts = [(item, shape["*"], key) for key, item in value.items()] if "*" in shape else []
        parts += [
            (value.get(key.rstrip("?")), part, key.rstrip("?"))
            for key, part in shape.items()
            if not (key == "*" or (key.endswith("?") and value.get(key[:-1]) is None))
        ]
    elif isinstance(shape, list):
        if not isinstance(value, list) or len(shape) not in (1, len(value)):
            return f"{name} is no such list"
        parts = [(item, shape[0], f"an item of {name}") for item in value]
    else:
        return None if shape(value) else f"{name} is {str(value)[:40]!r}"
    return next((found for part in parts if (found := fault(*part))), None)
