"""A study of everything that figures have to show, drawn once."""

from types import SimpleNamespace

import pytest

import fakes
from bakeoff.reporting import figures
from bakeoff.reporting.reuse import Reuse

#: More nats per token than any perplexity can be written with.
HUGE = 8471.0
CURVES = {
    (1, "lstm", 1, "adam"): lambda seed: [4.9, 4.6 + 0.02 * seed, 4.7],
    (2, "lstm", 1, "adamw"): lambda seed: [5.0, 4.8, 4.5 + 0.02 * seed],
    (3, "lstm", 1, "sgd"): [HUGE, HUGE],
    (4, "lstm", 2, "adamw"): [5.1, 4.9, 4.8],
    (5, "gpt1", 1, "adam"): [4.95, 4.85, 4.6],
    (6, "gpt1", 1, "adamw"): [4.95, 4.8],
}
ENDINGS = {
    3: {"status": "diverged", "error": "the loss was not finite at step 27"},
    (4, 0): {"alone": False},
    (6, 1): None,
}


def search(study):
    """A search with a trial that diverged and one that is worse than any guess."""
    found = study["tuning"]["rates"]["03-lstm-1-sgd"] = fakes.trials(1.0, (9.0, 5.1, None))
    found["trials"][0] |= {"valid_loss": HUGE, "valid_perplexity": None}


@pytest.fixture(scope="session")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("figures") / "study"
    return fakes.read_study(folder, CURVES, seeds=(0, 1), endings=ENDINGS, samples=3, edit=search)


@pytest.fixture(scope="session")
def drawn(study, tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn")
    found = figures.draw(study, Reuse(folder, folder))
    return SimpleNamespace(
        folder=folder / "figures", figures=found, named={figure.name: figure for figure in found.numbered}
    )
