"""One report of the fake study, built once; and one whose names try to be markup."""

from types import SimpleNamespace

import pytest

from bakeoff import report
from bakeoff.analysis.rows import read_rows

#: Would stop the typesetter, run in the page, or break a table, if anything read it as markup.
NASTY = r"""</script><script>alert('x')</script>" #panic("x") $x$ \input{y} @z `c` _u_ *b* [l](m) | & % ~ ^ <b> #1"""


@pytest.fixture(scope="session")
def nasty():
    return NASTY


@pytest.fixture(scope="session")
def study(fake_study):
    return read_rows(fake_study)


def build(folder):
    """Build a report and keep what it was made of."""
    seen = SimpleNamespace()

    def kept(name, function):
        def call(*arguments):
            setattr(seen, name, function(*arguments))
            return getattr(seen, name)

        return call

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report.figures, "draw", kept("figures", report.figures.draw))
        patch.setattr(report.contents, "of", kept("contents", report.contents.of))
        seen.page = report.build(folder)
    seen.folder = seen.page.parent
    seen.html = seen.page.read_text(encoding="utf-8")
    seen.named = {figure.name: figure for figure in seen.figures.numbered}
    return seen


@pytest.fixture(scope="session")
def built(fake_study):
    return build(fake_study)


@pytest.fixture(scope="session")
def seeds_built(make_fake_study, tmp_path_factory):
    """Two experiments with three seeds each."""
    sums = {"tokens": 1000, "words": 600, "bytes": 3000}
    history = [
        {"epoch": epoch, "step": epoch, "train_seconds": 1.5 * epoch}
        | {"train": {"nats": nats - 50.0, **sums}, "valid": {"nats": nats, **sums}}
        for epoch, nats in enumerate((5700.0, 5000.0, 4600.0))
    ]
    memory = {"average_bytes": 5_000_000, "peak_bytes": 8_000_000, "baseline_bytes": 90_000_000, "kind": "resident"}
    tested = {"nats": 4600.0, **sums}
    ending = {"status": "finished", "test": {"best": tested, "last": tested}, "memory": memory}
    times = {"alone": True, "tokens_per_second": 4000.0}
    runs = {(1, "lstm", 1, "adam"): (history, ending | times), (2, "lstm", 1, "sgd"): (history, ending | times)}
    return build(make_fake_study(tmp_path_factory.mktemp("seeds") / "fake", runs=runs, seeds=(0, 1, 2)))


@pytest.fixture(scope="session")
def nasty_built(make_fake_study, tmp_path_factory):
    """A study whose name, corpus, source and optimizer are all called so."""
    sums = {"nats": 5000.0, "tokens": 1000, "words": 600, "bytes": 3000}
    line = {"epoch": 0, "step": 0, "train_seconds": 0.0, "train": sums, "valid": sums}
    folder = make_fake_study(
        tmp_path_factory.mktemp("nasty") / "nasty",
        runs={(1, "lstm", 1, "adam"): ([line], {"status": "failed", "error": NASTY})},
        corpus=NASTY,
        study=NASTY,
        source=NASTY,
        optimizers=[{"name": "adam", "title": NASTY}],
    )
    return build(folder)
