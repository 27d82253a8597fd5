"""How much another seed changes: measured from run folders, kept with the rates, and found for a study of one's own."""

import itertools
import json
import math
import random
import statistics
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import noise
from bakeoff.analysis import noise as kept
from bakeoff.experiments import STUDIES
from bakeoff.study_folder import StudyFolder

RESULTS = Path(__file__).parents[2] / "results"


def tally(loss):
    return {"nats": 1000 * loss, "tokens": 1000, "words": 600, "bytes": 3000}


def write_run(folder, slug, seed, losses, status="finished"):
    path = folder / slug / f"seed-{seed}"
    path.mkdir(parents=True)
    lines = [
        {"epoch": e, "step": e, "train_seconds": e, "train": tally(loss), "valid": tally(loss)}
        for e, loss in enumerate(losses)
    ]
    (path / "history.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    memory = {"average_bytes": 1, "peak_bytes": 1, "baseline_bytes": 1, "kind": "resident"}
    times = dict.fromkeys(("evaluation_seconds", "warmup_seconds", "other_seconds", "tokens_per_second"), 1.0)
    test, epochs = {"best": tally(1), "last": tally(1)}, len(losses) - 1
    summary = {"status": status, "epochs": epochs, "test": test, "memory": memory, "alone": True, **times, "error": "-"}
    (path / "summary.json").write_text(json.dumps(summary))


@pytest.fixture
def folder(tmp_path):
    """Two LSTMs with three and two seeds, a GPT-1 with one that learned, and one that was run once."""
    entries = [("1-a", "lstm"), ("2-b", "lstm"), ("3-c", "gpt1"), ("4-d", "gpt1")]
    study = {
        "study": "own",
        "identity": "0" * 12,
        "corpus": {"train": {"tokens": 5000}},
        "budget": {"epochs": 3, "batch_size": 4, "sequence_length": 10, "epoch_steps": None},
        "experiments": [
            {"number": n, "slug": slug, "model": model} for n, (slug, model) in enumerate(entries, start=1)
        ],
        "seeds": [0, 1, 2],
        "baselines": [{"name": "unigram", "valid": tally(6.0)}],
    }
    (tmp_path / "study.json").write_text(json.dumps(study))
    for seed, loss in enumerate((4.0, 4.2, 4.4)):
        write_run(tmp_path, "1-a", seed, (7.0, loss, loss + 0.3))
    for seed, loss in enumerate((5.0, 5.1)):
        write_run(tmp_path, "2-b", seed, (7.0, loss))
    write_run(tmp_path, "2-b", 2, (7.0, 1.0), status="diverged")
    for seed, loss in enumerate((5.0, 6.0, 6.5)):
        write_run(tmp_path, "3-c", seed, (7.0, loss))
    write_run(tmp_path, "4-d", 0, (7.0, 5.5))
    return StudyFolder(tmp_path)


def test_variances_are_compared_over_the_experiments_that_learned_with_two_seeds(folder):
    found = noise.measured(folder)
    # Half of all squared normal deviates are below 0.4549, and of the means of two of them below log 2.
    three, two = statistics.variance((4.0, 4.2, 4.4)) / math.log(2), statistics.variance((5.0, 5.1)) / 0.45494
    assert set(found.deviations) == {"lstm"}
    assert found.deviations["lstm"].nats == pytest.approx(math.sqrt((three + two) / 2), rel=1e-4)
    assert (found.deviations["lstm"].experiments, found.deviations["lstm"].seeds) == (2, 2)
    assert (found.study, found.folder, found.trained_tokens) == ("own", folder.path.name, 15_000)


def test_the_deviation_is_found_again_though_one_experiment_hardly_trains(tmp_path, folder):
    generator, study = random.Random(0), folder.study  # noqa: S311 (no secret)
    slugs = [f"{number}-x" for number in range(200)]
    study["experiments"] = [{"number": 1, "slug": slug, "model": "lstm"} for slug in slugs]
    (tmp_path / "study.json").write_text(json.dumps(study))
    for slug in slugs:
        for seed in range(3):
            write_run(tmp_path, slug, seed, (7.0, generator.gauss(4.0, 0.3 if slug == "0-x" else 0.02)))
    assert noise.measured(folder).deviations["lstm"].nats == pytest.approx(0.02, rel=0.15)


def test_where_an_epoch_is_cut_short_only_what_it_reads_is_trained_on(folder):
    study = folder.study
    study["budget"]["epoch_steps"] = 7
    assert kept.trained_tokens(study) == 3 * 7 * 4 * 10
    study["budget"]["epoch_steps"] = 1000
    assert kept.trained_tokens(study) == 15_000


def test_what_is_measured_is_kept_and_read_again(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(kept, "KEPT", tmp_path / "noise.json")
    monkeypatch.setattr("sys.argv", ["", str(folder.path)])
    noise.main()
    assert kept.kept() == (noise.measured(folder),)
    assert kept.carried("own") is None


def test_what_became_of_a_ranking_is_what_the_results_say():
    quick, large = StudyFolder(RESULTS / "quick"), StudyFolder(RESULTS / "wikitext-2")
    assert kept.carried("quick") == noise.carried(quick, large), "repeat python tools/noise.py"
    assert kept.carried("wikitext-2") is None
    assert noise.carried(large, quick) is None
    assert noise.carried(quick, quick) is None


def test_kendalls_tau_counts_the_pairs_that_keep_their_order():
    quick, large = StudyFolder(RESULTS / "quick"), StudyFolder(RESULTS / "wikitext-2")
    means = [noise._means(folder) for folder in (quick, large)]
    pairs = list(itertools.combinations(means[0], 2))
    signs = [math.prod(math.copysign(1, mean[a] - mean[b]) for mean in means) for a, b in pairs]
    assert kept.carried("quick").tau == pytest.approx(sum(signs) / len(pairs))


@pytest.mark.parametrize("known", kept.kept(), ids=lambda known: known.study)
def test_what_is_kept_is_what_the_results_say(known):
    assert known == noise.measured(StudyFolder(RESULTS / known.folder)), "repeat python tools/noise.py"


def test_every_model_of_quick_has_been_repeated():
    quick = next(known for known in kept.kept() if known.study == "quick")
    assert set(quick.deviations) == {e.architecture.name for e in STUDIES["quick"].experiments}
    assert all(0 < found.nats < 0.1 and found.seeds >= 3 for found in quick.deviations.values())


@given(st.integers(1, 10**15))
def test_the_nearest_is_the_one_of_the_most_similar_size(tokens):
    def ratio(known):
        return max(known.trained_tokens / tokens, tokens / known.trained_tokens)

    nearest = kept.nearest({"budget": {"epochs": 1}, "corpus": {"train": {"tokens": tokens}}})
    assert ratio(nearest) == pytest.approx(min(map(ratio, kept.kept())))
