"""The one table: every run, then every floor."""

import dataclasses

import pytest

from bakeoff.analysis import diagnosis
from bakeoff.analysis.rows import Experiment, read_rows
from bakeoff.records import STATUSES
from bakeoff.report import latex, tables

FLOORS = ["uniform", "unigram", "kn2", "kn3", "kn3+cache"]


@pytest.fixture(scope="module")
def table(study):
    """The Markdown table as one dictionary a line."""
    lines = tables.markdown(study).split("\n\n")[0].splitlines()
    cells = [[cell.strip().replace("\\", "") for cell in line.strip("|").split("|")] for line in lines]
    return [dict(zip(cells[0], line, strict=True)) for line in cells[2:]]


def plain(line):
    return {head: cell.strip("*") for head, cell in line.items()}


def test_every_run_and_floor_has_a_line_in_the_order_of_the_rows(study, table):
    assert [plain(line)["#"] for line in table[: len(study.rows)]] == [str(row.number) for row in study.rows]
    assert [line["model"] for line in table[len(study.rows) :]] == FLOORS


def test_bold_is_the_run_with_the_lowest_valid_of_each_architecture_and_nothing_else(table):
    assert [plain(line)["#"] for line in table if any("**" in cell for cell in line.values())] == ["1", "8"]


def test_cells_are_the_measured_numbers(table):
    first = plain(table[0])
    expected = {
        "train ppl": "81.45",
        "valid ppl": "90.02",
        "test ppl": "109.9",
        "valid loss": "4.500",
        "word ppl": "1,808",
        "bpb": "2.164",
        "best epoch": "1/2",
        "params, M": "0.0123",
        "learnable, M": "0.00234",
        "memory, MB": "5",
        "peak, MB": "8",
        "train s": "3.0",
        "tokens/s": "4,000",
    }
    assert {head: first[head] for head in expected} == expected


def test_what_became_of_a_run_stands_in_its_line(table):
    remarks = {plain(line)["#"]: plain(line)["diagnosis"] for line in table if line["#"]}
    expected = {"2": "worse than a unigram", "3": "diverged", "4": "failed", "5": "missing", "6": "running"}
    assert {number: remarks[number] for number in expected} == expected
    assert all(remarks.values())


def test_every_rule_and_status_has_a_severity(study):
    known = {key for key, _ in diagnosis.RULES} | set(STATUSES) - {"finished"}
    assert known <= set(tables.SEVERITIES)
    severities = {row.number: tables.severity(row) for row in study.rows}
    assert (severities[2], severities[3], severities[5]) == ("bad", "bad", "note")
    assert len(set(tables.SIGNS.values())) == len(tables.SIGNS)


def test_times_beside_other_runs_are_marked(table):
    marked = {plain(line)["#"] for line in table if "†" in line["train s"]}
    assert marked == {plain(line)["#"] for line in table if "†" in line["tokens/s"]} == {"7"}


def test_what_was_not_measured_is_a_dash(table):
    missing = next(line for line in table if line["#"] == "5")
    assert missing["params, M"] == "0.0123"
    for head in ("train ppl", "valid ppl", "test ppl", "bpb", "best epoch", "memory, MB", "train s", "tokens/s"):
        assert missing[head] == "—"


def test_the_caption_explains_every_symbol_and_column_of_numbers(study):
    caption = tables.caption(study)
    for part in ("fake", "tiny & <b>", "One seed", "test never selects", "—", "chosen by hand", "share 0.1"):
        assert part in caption
    said = tables.markdown(study)
    assert "†: not alone or disturbed" in said
    assert all(f"*{head}*: {meaning}" in said for head, meaning in tables.meanings(study))


def test_several_seeds_are_said_and_have_a_column(make_fake_study, study, tmp_path):
    seeds = read_rows(make_fake_study(tmp_path / "fake", seeds=(0, 1)))
    assert "mean of its 2 seeds" in tables.caption(seeds)
    assert "One seed" not in tables.caption(seeds)
    assert "seed" in [column.key for column in tables.columns(seeds)]
    assert "seed" not in [column.key for column in tables.columns(study)]


def test_with_three_seeds_bold_is_what_they_cannot_tell_from_the_best(make_fake_study, tmp_path):
    seeds = read_rows(make_fake_study(tmp_path / "fake", seeds=(0, 1, 2)))
    assert "the seeds cannot tell from it" in tables.caption(seeds)
    assert "spread" in [column.key for column in tables.columns(seeds)]
    best = [(line.kind, line.run.number) for line in tables.lines(seeds) if line.best]
    assert sorted(best) == [("mean", 1), ("mean", 8), *[("seed", 1)] * 3, *[("seed", 8)] * 3]


@pytest.mark.parametrize(
    ("diagnoses", "told"),
    [
        ([("overfitting", "overfitting since epoch 2")] * 2, "overfitting since epoch 2"),
        ([("overfitting", "overfitting since epoch 2"), ("overfitting", "overfitting since epoch 3")], "overfitting"),
        ([("overfitting", "overfitting since epoch 2"), ("healthy", "healthy")], "1 overfitting, 1 healthy"),
    ],
)
def test_a_mean_tells_what_became_of_its_seeds_in_as_few_words_as_it_can(study, diagnoses, told):
    rows = tuple(
        dataclasses.replace(study.rows[0], seed=seed, diagnosis_rule=rule, diagnosis=name)
        for seed, (rule, name) in enumerate(diagnoses)
    )
    assert tables.mean(Experiment(rows=rows)).diagnosis == told


def test_several_seeds_have_a_line_with_their_mean(study):
    one, other = study.rows[0], dataclasses.replace(study.rows[0], seed=1, train_seconds=5.0)
    other = dataclasses.replace(other, valid=dataclasses.replace(other.valid, nats=4700.0))
    mean = tables.mean(Experiment(rows=(one, other)))
    assert mean.valid.loss == pytest.approx(4.6)
    assert mean.train_seconds == pytest.approx(4.0)
    assert mean.memory == {"average_bytes": 5_000_000, "peak_bytes": 8_000_000}
    assert mean.diagnosis == one.diagnosis
    kinds = [line.kind for line in tables.lines(dataclasses.replace(study, study=study.study | {"seeds": [0, 1]}))]
    assert kinds[:2] == ["mean", "seed"]


def test_a_lost_run_leaves_no_mean_and_is_named(study):
    lost = next(row for row in study.rows if row.number == 3)
    mean = tables.mean(Experiment(rows=(study.rows[0], dataclasses.replace(lost, number=1))))
    assert (mean.valid, mean.memory, mean.train_seconds) == (None, None, None)
    assert "1 diverged" in mean.diagnosis
    assert tables.severity(mean) == "bad"


def test_a_name_with_a_bar_in_it_is_no_new_cell(study):
    odd = dataclasses.replace(study, rows=(dataclasses.replace(study.rows[0], optimizer_title="a|b*c"),))
    (line,) = [line for line in tables.markdown(odd).splitlines() if "a" + chr(92) + "|b" in line]
    assert chr(92) + "*c" in line


@pytest.mark.parametrize("fits", [True, False])
def test_the_search_for_rates_is_described_and_whether_it_was_for_this_study(make_fake_study, tmp_path, fits):
    trials = [{"lr": lr, "valid_perplexity": 9.0} for lr in (0.1, 0.3, 1.0)]
    found = {"01-lstm-1-adam": {"lr": 0.3, "trials": trials}}
    tuning = {"study": "quick", "corpus": "a corpus", "epochs": 5, "seed": 1000, "rates": found, "fits": fits}
    said = tables.rates(read_rows(make_fake_study(tmp_path / "fake", tuning=tuning)))
    assert all(part in said for part in ("quick", "a corpus", "3 rates", "5 epochs", "seed 1000", "chosen on valid"))
    assert ("another corpus or budget" in said) == (not fits)


@pytest.mark.parametrize("lossy", [True, False])
def test_bits_per_byte_of_a_lossy_tokenizer_are_marked(study, lossy):
    told = study.study | {"corpus": study.study["corpus"] | {"lossy": lossy}}
    study = dataclasses.replace(study, study=told)
    assert ("‡: this study's tokenizer is lossy" in tables.caption(study)) == lossy
    marked = {column.key for column in tables.columns(study) if "‡" in column.head and "‡" in column.short}
    assert marked == (set(tables.PER_TEXT) if lossy else set())
    assert (r"\ddag{}" in latex.table(study)) == lossy
