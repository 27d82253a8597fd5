"""Rows: what is on disk, one line a run."""

import math

import pytest

import fakes
from bakeoff.analysis.reading import read_rows

ROW = {
    "number",
    "model",
    "layers",
    "optimizer",
    "learning_rate",
    "seed",
    "status",
    "epochs",
    "best_epoch",
    "train",
    "valid",
    "test",
    "last",
    "train_running_perplexity",
    "parameters",
    "learnable_parameters",
    "memory",
    "train_seconds",
    "tokens_per_second",
    "alone",
    "device",
    "precision",
    "threads",
    "diagnosis",
}
MEASURED = {"nats", "tokens", "words", "bytes", "perplexity", "word_perplexity", "bits_per_byte"}


@pytest.fixture(scope="module")
def study(fake_study):
    return read_rows(fake_study)


@pytest.fixture(scope="module")
def rows(study):
    return {row.number: row for row in study.rows}


def test_every_row_has_the_keys_of_the_contract(study):
    for row in study.rows:
        data = row.as_json()
        assert set(data) >= ROW
        assert set(data["last"]) == {"train", "valid", "test"}
        for measured in (data["train"], data["valid"], data["test"], *data["last"].values()):
            assert measured is None or set(measured) >= MEASURED
        assert data["memory"] is None or set(data["memory"]) == {
            "average_bytes",
            "peak_bytes",
            "baseline_bytes",
            "kind",
        }


def test_rows_stand_by_architecture_layers_and_optimizer(study):
    assert [row.number for row in study.rows] == [1, 2, 7, 5, 3, 4, 6, 8]


def test_seeds_of_an_experiment_stand_together(tmp_path):
    curves = {(1, "lstm", 1, "adam"): [4.5], (2, "lstm", 1, "sgd"): None}
    rows = fakes.read_study(tmp_path, curves, seeds=(5, 2)).rows
    assert [(row.number, row.seed) for row in rows[:4]] == [(1, 2), (1, 5), (2, 2), (2, 5)]


def test_every_run_has_its_status(rows):
    statuses = {number: row.status for number, row in rows.items()}
    assert statuses == {
        1: "finished",
        2: "finished",
        3: "diverged",
        4: "failed",
        5: "missing",
        6: "running",
        7: "finished",
        8: "finished",
    }


def of_test(best, last):
    """The end of a run with these losses on test."""
    return {"test": {"best": fakes.sums(best), "last": fakes.sums(last)}}


def test_the_best_epoch_is_that_of_valid_though_train_and_test_say_otherwise(tmp_path):
    curves, below = {(1, "lstm", 1, "adam"): [4.5, 4.6]}, {1: [0.1, 0.6]}
    (row,) = fakes.read_study(tmp_path, curves, gap=below, endings={1: of_test(4.7, 4.65)}).rows
    assert (row.best_epoch, row.epochs) == (1, 2)
    assert (row.train.loss, row.valid.loss, row.test.loss) == pytest.approx((4.4, 4.5, 4.7))
    assert {split: tally.loss for split, tally in row.last.items()} == {
        "train": pytest.approx(4.0),
        "valid": pytest.approx(4.6),
        "test": pytest.approx(4.65),
    }
    assert row.train_running_perplexity == pytest.approx(math.exp(4.4))


def test_the_best_run_is_chosen_on_valid_and_never_on_test(tmp_path):
    curves = {(1, "lstm", 1, "adam"): [4.5], (2, "lstm", 1, "sgd"): [4.65], (3, "gpt1", 1, "adam"): [4.7]}
    study = fakes.read_study(tmp_path, curves, endings={2: of_test(4.0, 4.0), 3: of_test(3.9, 3.9)})
    assert study.ranked_of("lstm")[0].number == 1
    assert study.ranked_of("gpt1")[0].number == 3
    assert study.ranked[0].number == 1


def test_a_run_that_did_not_finish_is_never_the_best(tmp_path):
    curves = {(1, "lstm", 1, "adam"): [1.0], (2, "lstm", 1, "sgd"): [1.0], (3, "lstm", 1, "adamw"): [1.0]}
    endings = {1: None, 2: {"status": "diverged", "error": "…"}, 3: {"status": "failed", "error": "…"}}
    study = fakes.read_study(tmp_path, curves, endings=endings)
    assert (study.ranked_of("lstm"), study.ranked) == ([], ())


def test_a_diverged_run_keeps_what_it_reached_and_pads_nothing(rows):
    row = rows[3]
    assert (row.epochs, row.best_epoch, len(row.history), row.test) == (1, 1, 2, None)
    assert row.last["test"] is None
    assert "step 127" in row.error


def test_a_run_that_was_never_started_has_no_number_at_all(rows):
    row = rows[5]
    assert (row.epochs, row.best_epoch, row.train, row.valid, row.test) == (0, None, None, None, None)
    assert row.last == {"train": None, "valid": None, "test": None}
    assert (row.train_seconds, row.tokens_per_second, row.memory, row.alone) == (None, None, None, None)


def test_a_running_run_shows_its_whole_evaluations(rows):
    row = rows[6]
    assert (row.epochs, row.best_epoch, row.valid.loss, row.train_seconds) == (2, 2, 5.0, 4.0)


def test_a_killed_run_is_missing_whatever_it_left(tmp_path):
    folder = fakes.write_study(tmp_path, {(1, "lstm", 1, "adam"): [5.0]}, endings={1: None})
    (folder.run("01-lstm-1-adam/seed-0").path / "run.lock").touch()
    assert read_rows(folder).rows[0].status == "missing"


def test_runs_that_are_over_are_diagnosed(rows):
    diagnoses = {number: row.diagnosis for number, row in rows.items() if row.diagnosis}
    assert diagnoses == {
        1: "late instability",
        2: "worse than a unigram",
        3: "diverged",
        7: "undertrained",
        8: "undertrained",
    }


@pytest.mark.parametrize(
    ("loss", "diagnosis"),
    [(5.2, "worse than a unigram"), (5.1999, "on the unigram plateau"), (5.05, "worse than a bigram")],
)
def test_as_good_as_the_unigram_is_not_better(tmp_path, loss, diagnosis):
    curve = {(1, "lstm", 1, "adam"): [loss]}
    assert fakes.read_study(tmp_path, curve, gap=0).rows[0].diagnosis == diagnosis


def test_quotients_are_made_of_the_sums_on_disk_and_not_read_from_it(study):
    assert study.unigram.valid.perplexity == pytest.approx(math.exp(5.2))
    assert study.uniform.valid.perplexity == pytest.approx(300)
    assert study.lowest_floor.name == "kn3+cache"


def test_a_row_names_itself_and_its_folder(rows):
    assert (rows[5].name, rows[5].folder) == ("2-layer LSTM, AdamW", "05-lstm-2-adamw/seed-0")


def test_a_run_beside_which_another_seed_was_lucky_is_not_the_best(tmp_path):
    """The best experiment is best in the mean; of that one the best run is shown."""
    curves = {
        (1, "lstm", 1, "adam"): lambda seed: [4.9, (4.3, 4.9, 4.9)[seed]],
        (2, "lstm", 1, "sgd"): lambda seed: [4.9, (4.52, 4.50, 4.51)[seed]],
    }
    best = fakes.read_study(tmp_path, curves, seeds=(0, 1, 2)).ranked[0]
    assert (best.number, best.best.seed) == (2, 1)


@pytest.mark.parametrize("status", ["diverged", "failed"])
def test_an_experiment_that_lost_a_run_comes_after_those_that_did_not(tmp_path, status):
    curves = {(1, "lstm", 1, "adam"): [4.5], (2, "lstm", 1, "sgd"): [4.9]}
    kept = fakes.read_study(tmp_path / "kept", curves, seeds=(0, 1, 2))
    lost = fakes.read_study(
        tmp_path / "lost", curves, seeds=(0, 1, 2), endings={(1, 2): {"status": status, "error": "…"}}
    )
    assert [e.number for e in kept.ranked] == [1, 2]
    assert [e.number for e in lost.ranked] == [2, 1]
    assert lost.ties(lost.ranked[0], lost.ranked) == ()


def test_ties_are_what_cannot_be_told_from_the_best(tmp_path):
    def curve(*ends):
        return lambda seed: [4.9, ends[seed]]

    curves = {
        (1, "lstm", 1, "adam"): curve(4.50, 4.61, 4.52),
        (2, "lstm", 1, "adamw"): curve(4.60, 4.52, 4.53),
        (3, "lstm", 1, "sgd"): curve(4.80, 4.84, 4.83),
    }
    study = fakes.read_study(tmp_path, curves, seeds=(0, 1, 2))
    assert [e.number for e in study.ties(study.ranked[0], study.ranked)] == [2 if study.ranked[0].number == 1 else 1]


def test_one_seed_is_judged_by_what_another_seed_typically_changes(tmp_path):
    study = fakes.read_study(
        tmp_path, {(1, "gpt1", 1, "adam"): [4.5], (2, "gpt1", 1, "sgd"): [4.5001], (3, "gpt1", 1, "adamw"): [4.9]}
    )
    deviation = study.noise.of("gpt1")
    compared = study.compare(*study.ranked[:2])
    assert (compared.deviation, compared.verdict) == (deviation, "cannot be told")
    assert [e.number for e in study.ties(study.ranked[0], study.ranked)] == [2]


def test_a_comparison_is_paired_by_seed_and_by_document(tmp_path):
    curves = {
        (1, "lstm", 1, "adam"): lambda seed: [4.5 + seed / 10],
        (2, "lstm", 1, "sgd"): lambda seed: None if seed == 2 else [4.7 + seed / 10],
    }
    study = fakes.read_study(tmp_path, curves, seeds=(0, 1, 2))
    compared = study.compare(*study.experiments)
    assert compared.gains == pytest.approx((0.2, 0.2))
    assert (compared.first_loss, compared.second_loss) == pytest.approx((4.55, 4.75))
    assert compared.documents == 20
    assert compared.over_documents.mean == pytest.approx(0.2)
    assert study.compare(*study.experiments) is compared


def test_a_rate_is_interior_only_where_lower_and_higher_ones_were_tried(tmp_path):
    def edit(study):
        study["tuning"]["rates"]["02-lstm-1-sgd"]["trials"].pop()
        del study["tuning"]["rates"]["03-gpt1-1-adam"]

    curves = {(1, "lstm", 1, "adam"): [4.5], (2, "lstm", 1, "sgd"): [4.5], (3, "gpt1", 1, "adam"): [4.5]}
    study = fakes.read_study(tmp_path, curves, edit=edit)
    found = {e.number: (study.has_interior_rate(e), len(study.trials(e))) for e in study.experiments}
    assert found == {1: (True, 3), 2: (False, 2), 3: (False, 0)}


def test_deciles_and_documents_are_read_and_stay_out_of_the_json(tmp_path):
    row = fakes.read_study(tmp_path, {(1, "lstm", 1, "adam"): [4.5]}).rows[0]
    assert row.history[1].valid_deciles.losses[-1] == pytest.approx(5.4)
    assert sum(row.documents["valid"].tokens) == 1000
    assert {"history", "documents", "entry"} & set(row.as_json()) == set()
    assert row.as_json()["diagnosis_text"]
