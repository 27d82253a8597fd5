"""Studies that were never run: folders with curves, seeds, endings and documents of one's choice."""

import dataclasses
import math

import numpy as np

from bakeoff.analysis.noise import Deviation, Noise
from bakeoff.analysis.reading import read_rows
from bakeoff.files import write_json
from bakeoff.identity import encode, identity
from bakeoff.run_folder import RunFolder
from bakeoff.study_folder import StudyFolder

#: The floors, in nats per token of valid; train is the same.
FLOORS = {"uniform": math.log(300), "unigram": 5.2, "kn2": 5.0, "kn3": 4.8, "kn3+cache": 4.75}
#: Where every run begins.
START = math.log(300)
#: What another seed typically changes.
NOISE = Noise(
    study="quick",
    folder="quick",
    trained_tokens=1,
    deviations={
        "lstm": Deviation(nats=0.02, lowest=0.01, highest=0.06, experiments=6, seeds=3),
        "gpt1": Deviation(nats=0.005, lowest=0.002, highest=0.01, experiments=6, seeds=3),
    },
)
DOCUMENTS, PER_DOCUMENT = 20, 50
TOKENS = DOCUMENTS * PER_DOCUMENT

MODELS = {
    "lstm": ("LSTM", {"type": "LSTM", "hidden": 16}, {"attends": False, "recurrent": True, "post_norm": False}),
    "gpt1": ("GPT-1", {"type": "GPT1", "heads": 2}, {"attends": True, "recurrent": False, "post_norm": True}),
}
ADAM = {"decayed": "matrices", "betas": [0.9, 0.999], "eps": 1e-8}
#: Title, settings, rate, decay, traits.
OPTIMIZERS = {
    "adam": ("Adam", {"type": "Adam", **ADAM}, 0.01, 0.0, {"adaptive": True, "rule": "adam", "heavy_ball": False}),
    "adamw": ("AdamW", {"type": "AdamW", **ADAM}, 0.01, 0.1, {"adaptive": True, "rule": "adam", "heavy_ball": False}),
    "sgd": ("SGD", {"type": "SGD", "decayed": "matrices"}, 1.0, 0.0, {"adaptive": False, "rule": "sgd"}),
    "momentum": ("Momentum", {"type": "Momentum", "momentum": 0.9}, 0.1, 0.0, {"adaptive": False, "rule": "momentum"}),
}
MORE_TRAITS = {
    "adam": {"decoupled_decay": False, "step_scale": None},
    "adamw": {"decoupled_decay": True, "step_scale": None},
    "sgd": {"heavy_ball": False, "decoupled_decay": False, "step_scale": 1.0},
    "momentum": {"heavy_ball": True, "decoupled_decay": False, "step_scale": 10.0},
}
#: The twelve experiments of the built-in studies, written down once more: here without torch, and so that a test can
#: tell when a built-in study has others. And where their valid ends.
TWELVE = (
    (1, "lstm", 1, "adam"),
    (2, "lstm", 1, "adamw"),
    (3, "lstm", 1, "sgd"),
    (4, "lstm", 1, "momentum"),
    (5, "gpt1", 1, "adam"),
    (6, "gpt1", 1, "adamw"),
    (7, "gpt1", 1, "sgd"),
    (8, "gpt1", 1, "momentum"),
    (9, "lstm", 2, "adamw"),
    (10, "lstm", 4, "adamw"),
    (11, "gpt1", 2, "adamw"),
    (12, "gpt1", 4, "adamw"),
)
ENDS = dict(zip(range(1, 13), (4.60, 4.50, 4.95, 4.90, 4.62, 4.61, 4.99, 4.93, 4.55, 4.65, 4.63, 4.70), strict=True))


def begin(folder, spec, environment):
    """As if that run had begun, in a folder that an executor makes."""
    folder.path.mkdir(parents=True, exist_ok=True)
    folder.start(spec, environment)


def write_study(
    path, curves, *, seeds=(0,), gap=0.1, endings=None, samples=0, probes=None, edit=lambda study: None, **fields
):
    """Write a study's folder.

    Args:
        path: Of the folder.
        curves: By (number, model, layers, optimizer): nats per token of valid after each epoch, or a function from a
            seed to them; None for a run that was never started.
        seeds: Of the study.
        gap: How far train is below valid; by number where it is a dictionary, by epoch where it is a list.
        endings: By number or by (number, seed): fields to change in `summary.json`; None for a run that is not over.
        samples: How many samples of valid lie between two evaluations; 0 for a history without any.
        probes: By number: the arguments of `probe_record`.
        edit: Changes the declaration before it is written.
        fields: Of the declaration.
    """
    folder, curves = StudyFolder(path), dict(curves)
    study = declaration(list(curves), seeds) | fields
    edit(study)
    path.mkdir(parents=True, exist_ok=True)
    write_json(path / "study.json", study)
    by_number = {key[0]: curve for key, curve in curves.items()}
    endings = endings or {}
    for entry, seed, run in folder.declared_runs():
        number = entry["number"]
        curve = by_number[number]
        curve = curve(seed) if callable(curve) else curve
        ending = endings.get((number, seed), endings.get(number, {}))
        if curve is not None:
            below = gap.get(number, 0.1) if isinstance(gap, dict) else gap
            write_run(run, curve, gap=below, ending=ending, samples=samples)
        if number in (probes or {}):
            run.write_probe(probe_record(*probes[number]))
    return folder


def read_study(path, curves, **options):
    """Write a study's folder and read its rows, with a noise that does not change with what was measured since."""
    return dataclasses.replace(read_rows(write_study(path, curves, **options)), noise=NOISE, folder="fake")


def twelve(path, *, seeds=(0,), own=0.002, ends=None, **options):
    """The rows of the twelve experiments; seeds move all runs alike, but for a little of their own.

    Args:
        path: Of the folder.
        seeds: Of the study.
        own: Standard deviation of what a seed does to each run by itself, in nats per token.
        ends: Other ends than `ENDS`, by number.
        options: Of `write_study`.
    """
    return read_study(path, twelve_curves(seeds=seeds, own=own, ends=ends), seeds=seeds, **options)


def twelve_curves(*, seeds=(0,), own=0.002, ends=None):
    """What `twelve` writes."""

    def curve(number):
        wave = np.random.default_rng(number)
        noise = {seed: 0.05 * math.sin(seed) + own * wave.standard_normal() for seed in seeds}
        return lambda seed: falling((ENDS | (ends or {}))[number] + noise[seed])

    return {key: curve(key[0]) for key in TWELVE}


def falling(end, epochs=4):
    """A curve that comes down to `end` and stays there."""
    return [end + 0.4 / 3**epoch for epoch in range(epochs - 1)] + [end]


def declaration(keys, seeds=(0,)):
    """`study.json` of a study with those experiments, each with a rate that was found inside of what was searched."""
    experiments = [experiment(*key) for key in keys]
    splits = {s: {"documents": DOCUMENTS, "tokens": TOKENS + 1, "words": 600, "bytes": 3000} for s in SPLITS}
    named = {"lstm": MODELS["lstm"][0], "gpt1": MODELS["gpt1"][0]}
    return {
        "study": "fake",
        "identity": "0123456789ab",
        "bakeoff": "0.1.0",
        "source": None,
        "options": {},
        "code": None,
        "tokenizer_sha256": "0" * 64,
        "corpus": {"name": "tiny", "licence": "none", "source": "a file", "sha256": "00", **splits}
        | {"lossy": False, "newline_is_word": False},
        "budget": {
            "type": "Budget",
            "epochs": 4,
            "batch_size": 4,
            "sequence_length": 16,
            "tokenizer": "bpe",
            "vocabulary": 300,
            "epoch_steps": None,
            **dict.fromkeys(("steps", "warmup_steps", "decay_steps", "average")),
            "schedule": "linear",
            "clip": 1.0,
            "precision": "fp32",
            "threads": 1,
            "compile": False,
        },
        "experiments": experiments,
        "seeds": list(seeds),
        "models": [{"name": name, "title": title} for name, title in named.items()],
        "optimizers": [{"name": name, "title": found[0]} for name, found in OPTIMIZERS.items()],
        "tuning": {
            "study": "fake",
            "for": "0",
            "corpus": "tiny",
            "epochs": 1,
            "epoch_steps": None,
            "seed": 1000,
            "rates": {e["slug"]: trials(e["learning_rate"]) for e in experiments},
            "fits": True,
        },
        "baselines": [
            {"name": name, "seconds": 0.5}
            | ({"cache_weight": 0.1} if name == "kn3+cache" else {})
            | {split: sums(loss) | quotients(loss) for split in SPLITS}
            for name, loss in FLOORS.items()
        ],
    }


def in_steps(study):
    """Let the budget of a declaration be in steps, and that of its search: 4 evaluations, a pass takes 16 steps."""
    study["budget"] |= {"epochs": 10, "steps": 400, "epoch_steps": 100, "decay_steps": 80, "warmup_steps": None}
    study["tuning"] |= {"epochs": 10, "steps": 200, "epoch_steps": 50}
    for entry in study["experiments"]:
        entry["steps"] = entry.pop("epochs") * 100


def in_batches(sizes):
    """Lets the experiments of a declaration, by number, have batches of those sizes."""

    def edit(study):
        for entry in study["experiments"]:
            entry["batch_size"] = sizes[entry["number"]]

    return edit


SPLITS = ("train", "valid", "test")


def experiment(number, model, layers, optimizer):
    """An entry of `study.json`."""
    _, architecture, attends = MODELS[model]
    _, settings, rate, decay, traits = OPTIMIZERS[optimizer]
    parameters = 10_000 * layers + (500 if model == "gpt1" else 0)
    state = {"adam": 8, "adamw": 8, "momentum": 4}.get(optimizer, 0)
    parts = {"weights": 4, "gradients": 4, "optimizer_state": state, "activations": 100, "logits": 50}
    return {
        "number": number,
        "slug": f"{number:02d}-{model}-{layers}-{optimizer}",
        "model": model,
        "layers": layers,
        "optimizer": optimizer,
        "learning_rate": rate,
        "weight_decay": decay,
        "parameters": parameters,
        "learnable_parameters": parameters,
        "vocabulary": 300,
        "sequence_length": 16,
        "batch_size": 4,
        "epochs": 4,
        "memory": {part: each * parameters for part, each in parts.items()},
        "architecture": architecture | {"layers": layers},
        "optimizer_settings": settings | {"lr": rate, "weight_decay": decay},
        "traits": attends | traits | MORE_TRAITS[optimizer] | {"schedule": None},
    }


def trials(rate, losses=(5.05, 5.0, 5.1)):
    """A search of rates half a decade apart around `rate`, and what each came to; None for one that diverged."""
    low = -(len(losses) // 2)
    found = [
        {"lr": float(f"{rate * 10 ** ((low + place) / 2):.1g}")}
        | ({"status": "finished", "valid_loss": loss, "valid_perplexity": math.exp(loss)} if loss else DIVERGED_TRIAL)
        for place, loss in enumerate(losses)
    ]
    return {"lr": rate, "trials": found}


DIVERGED_TRIAL = {"status": "diverged", "valid_loss": None, "valid_perplexity": None}


def sums(loss):
    return {"nats": loss * TOKENS, "tokens": TOKENS, "words": 600, "bytes": 3000}


def quotients(loss):
    """What a declaration tells beside the sums; whoever reads it makes them anew."""
    return dict.fromkeys(("perplexity", "word_perplexity", "bits_per_byte"), 1.0) | {"loss": loss}


def deciles(loss):
    """Rare tokens cost more; the mean is `loss`."""
    losses = loss + np.linspace(-0.9, 0.9, 10)
    return {"nats": (losses * TOKENS / 10).tolist(), "tokens": [TOKENS // 10] * 10}


def line(epoch, train, valid):
    """A line of a history: an epoch takes 100 steps and two seconds."""
    found = {
        "epoch": epoch,
        "step": 100 * epoch,
        "train_seconds": 2.0 * epoch,
        "train": sums(train) | {"deciles": deciles(train)},
        "valid": sums(valid) | {"deciles": deciles(valid)},
    }
    norm = {"median": 0.5, "p99": 1.0, "clipped": 0.1}
    return found | {"running": {"nats": train * TOKENS, "tokens": TOKENS}, "gradient_norm": norm} if epoch else found


#: Of a run whose study does not matter, and wherever it was computed.
SPEC, ENVIRONMENT = {"identity": "0" * 12, "run": {}}, {"device": "cpu", "bakeoff": "0.1.0"}


def spec(run):
    """Of a real run."""
    return {"identity": identity(run), "run": encode(run)}


def write_run(run: RunFolder, curve, *, gap=0.1, ending=None, samples=0, spec=SPEC, environment=ENVIRONMENT):
    """A run's folder: its history, and unless `ending` is None its documents and its summary."""
    run.path.mkdir(parents=True, exist_ok=True)
    run.start(spec, environment)
    points, gaps = [START, *curve], [0.0, *(gap if isinstance(gap, list) else [gap] * len(curve))]
    for epoch, valid in enumerate(points):
        told = line(epoch, valid - gaps[epoch], valid)
        run.append(told | ({"sample": sampled(points, epoch, samples)} if samples else {}))
    if ending is None:
        return
    if ending.get("status", "finished") == "finished":
        ending = finished(min(points), points[-1]) | ending
        test = ending["test"]["best"]["nats"] / TOKENS
        run.write_documents({"valid": documents(min(points)), "test": documents(test)})
    run.finish({"alone": True} | ending)


def probe_record(own, changed, smaller=None):
    """What a probe came to: the valid losses of 400 steps; None for one that diverged; `smaller` is that of #6."""

    def start(loss):
        return {"learning_rate": 0.01, "valid": None if loss is None else sums(loss)}

    return {
        "steps": 400,
        "own": start(own),
        "changed": dict(zip(("tenth", "hundredth", "warm-up"), map(start, changed), strict=True)),
        "smaller": None if smaller is None else {"number": 6, "start": start(smaller)},
    }


def sampled(points, epoch, count):
    """Samples between two evaluations, on a line between them; what they measure is 0.3 nats easier."""
    before, after = points[max(0, epoch - 1)], points[epoch]
    shares = [place / (count + 1) for place in range(1, count + 2)] if epoch else [1.0]
    return [
        {"step": round(100 * (epoch - 1 + share)), "train_seconds": 2.0 * (epoch - 1 + share)}
        | {"nats": (before + (after - before) * share - 0.3) * 100, "tokens": 100}
        for share in shares
    ]


def texts(*texts):
    """How something goes on after prompts, each with what follows."""
    told = [{"prompt": prompt, "text": text} for prompt, text in texts]
    return {"tokens": 40, "top_k": None, "temperature": 0.8, "seed": 0, "texts": told}


def documents(loss):
    """Documents that differ a little in how hard they are, the same for every run but for a tenth of the difference."""
    hardness = np.linspace(-0.5, 0.5, DOCUMENTS) * (1 + loss / 10)
    return {
        "nats": ((loss + hardness) * PER_DOCUMENT).tolist(),
        "tokens": [PER_DOCUMENT] * DOCUMENTS,
        "words": [30] * DOCUMENTS,
        "bytes": [150] * DOCUMENTS,
    }


def finished(best, last):
    """A summary of a run that finished."""
    times = {"evaluation_seconds": 0.5, "warmup_seconds": 0.25, "other_seconds": 0.75, "tokens_per_second": 4000.0}
    memory = {"average_bytes": 5_000_000, "peak_bytes": 8_000_000, "baseline_bytes": 90_000_000, "kind": "resident"}
    test = {"best": sums(best + 0.1), "last": sums(last + 0.1)}
    return {"status": "finished", "test": test, "memory": memory, "alone": True} | times
