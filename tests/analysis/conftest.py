"""Studies with curves, seeds and documents of one's choice."""

import math

import numpy as np
import pytest
from hypothesis import settings

from bakeoff.analysis.rows import read_rows
from bakeoff.files import write_json
from bakeoff.records import RunFolder, StudyFolder

# A busy machine is slow, not wrong.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

SETTINGS = {
    "adam": {"type": "Adam", "decayed": "matrices", "betas": [0.9, 0.999], "eps": 1e-8},
    "adamw": {"type": "AdamW", "decayed": "matrices", "betas": [0.9, 0.999], "eps": 1e-8},
    "sgd": {"type": "SGD", "decayed": "matrices"},
    "momentum": {"type": "Momentum", "decayed": "matrices", "momentum": 0.9},
}
SIZES = {"lstm": {"type": "LSTM", "hidden": 16}, "gpt1": {"type": "GPT1", "heads": 2}}
RATES = {"adam": 0.01, "adamw": 0.01, "sgd": 1.0, "momentum": 0.1}
DECAYS = {"adamw": 0.1}
#: The floors of the shared fake study, in nats per token: unigram 5.2, kn2 5.0, kn3 4.8, kn3+cache 4.75.
START = math.log(300)
DOCUMENTS, PER_DOCUMENT = 20, 50
TOKENS = DOCUMENTS * PER_DOCUMENT


@pytest.fixture
def build(make_fake_study, tmp_path_factory):
    """Write a study from valid curves and read its rows.

    A curve is a list of nats per token after each epoch, or a function from a seed to one; train is `gap` below it.
    """

    def build(curves, *, seeds=(0,), gap=0.1, edit=lambda study: None, **fields):
        folder = make_fake_study(
            tmp_path_factory.mktemp("built") / "study",
            runs=dict.fromkeys(curves, ([], None)),
            seeds=seeds,
        )
        study = folder.study | fields
        for experiment in study["experiments"]:
            _declare(experiment)
        study["tuning"] = _tuning(study["experiments"])
        edit(study)
        write_json(folder.path / "study.json", study)
        by_number = {key[0]: curve for key, curve in curves.items()}
        for experiment, seed, run in folder.declared_runs():
            _write(run, by_number[experiment["number"]], seed, gap)
        return read_rows(folder)

    return build


def _declare(experiment):
    optimizer = experiment["optimizer"]
    rate, decay = RATES.get(optimizer, 0.01), DECAYS.get(optimizer, 0.0)
    experiment |= {
        "learning_rate": rate,
        "weight_decay": decay,
        "parameters": 10_000 * experiment["layers"],
        "learnable_parameters": 10_000 * experiment["layers"],
        "architecture": SIZES.get(experiment["model"], {}) | {"layers": experiment["layers"]},
        "optimizer_settings": SETTINGS.get(optimizer, {"type": optimizer}) | {"lr": rate, "weight_decay": decay},
    }


def _tuning(experiments):
    def found(rate):
        trials = [
            {"lr": rate * factor, "status": "finished", "valid_loss": 5.0, "valid_perplexity": 150.0}
            for factor in (0.3, 1, 3)
        ]
        return {"lr": rate, "trials": trials}

    rates = {e["slug"]: found(e["learning_rate"]) for e in experiments}
    return {"study": "fake", "for": "0", "corpus": "tiny", "epochs": 1, "seed": 1000, "rates": rates, "fits": True}


def sums(loss):
    return {"nats": loss * TOKENS, "tokens": TOKENS, "words": 600, "bytes": 3000}


def deciles(loss):
    """Rare tokens cost more; the mean is `loss`."""
    losses = loss + np.linspace(-0.9, 0.9, 10)
    return {"nats": (losses * TOKENS / 10).tolist(), "tokens": [TOKENS // 10] * 10}


def line(epoch, train, valid):
    found = {
        "epoch": epoch,
        "step": 100 * epoch,
        "train_seconds": 2.0 * epoch,
        "train": sums(train) | {"deciles": deciles(train)},
        "valid": sums(valid) | {"deciles": deciles(valid)},
    }
    norm = {"median": 0.5, "p99": 1.0, "clipped": 0.1}
    return found | {"running": {"nats": train * TOKENS, "tokens": TOKENS}, "gradient_norm": norm} if epoch else found


def _write(run: RunFolder, curve, seed, gap):
    curve = curve(seed) if callable(curve) else curve
    if not curve:
        return
    run.path.mkdir(parents=True, exist_ok=True)
    run.start({"identity": "0" * 12, "run": {"seed": seed}}, {"device": "cpu"})
    run.append(line(0, START, START))
    for epoch, valid in enumerate(curve, start=1):
        run.append(line(epoch, valid - gap, valid))
    run.finish(ending(min(curve), curve[-1]))
    run.write_documents({split: documents(min(curve)) for split in ("valid", "test")})


def documents(loss):
    """Documents that differ a little in how hard they are, the same for every run but for a tenth of the difference."""
    hardness = np.linspace(-0.5, 0.5, DOCUMENTS) * (1 + loss / 10)
    return {
        "nats": ((loss + hardness) * PER_DOCUMENT).tolist(),
        "tokens": [PER_DOCUMENT] * DOCUMENTS,
        "words": [30] * DOCUMENTS,
        "bytes": [150] * DOCUMENTS,
    }


def ending(best, last, **fields):
    times = {"evaluation_seconds": 0.5, "warmup_seconds": 0.25, "other_seconds": 0.75, "tokens_per_second": 4000.0}
    memory = {"average_bytes": 5_000_000, "peak_bytes": 8_000_000, "baseline_bytes": 90_000_000, "kind": "resident"}
    test = {"best": sums(best + 0.1), "last": sums(last + 0.1)}
    return {"status": "finished", "test": test, "memory": memory, "alone": True} | times | fields


@pytest.fixture
def finish():
    """End a run of a study another way, and read the rows again."""

    def finish(study_folder: StudyFolder, slug, summary):
        RunFolder(study_folder.path / slug).finish(summary)
        return read_rows(study_folder)

    return finish


#: The twelve experiments of the built-in studies.
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


def falling(end, epochs=4):
    """A curve that comes down to `end` and stays there."""
    return [end + 0.4 / 3**epoch for epoch in range(epochs - 1)] + [end]


@pytest.fixture
def twelve(build):
    """The twelve experiments, their ends on valid, and seeds that all runs feel alike but for a little of their own."""

    def twelve(*, seeds=(0,), own=0.002, ends=None, **fields):
        def curve(number):
            wave = np.random.default_rng(number)
            noise = {seed: 0.05 * math.sin(seed) + own * wave.standard_normal() for seed in seeds}
            return lambda seed: falling((ENDS | (ends or {}))[number] + noise[seed])

        return build({key: curve(key[0]) for key in TWELVE}, seeds=seeds, **fields)

    return twelve
