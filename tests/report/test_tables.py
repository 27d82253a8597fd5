"""The one table: every run, then every floor."""

import dataclasses

import pytest

from bakeoff.analysis.rows import read_rows
from bakeoff.report import latex, tables

FLOORS = ["uniform", "unigram", "kn2", "kn3", "kn3+cache"]


@pytest.fixture(scope="module")
def study(fake_study):
    return read_rows(fake_study)


@pytest.fixture(scope="module")
def table(study):
    """The Markdown table as one dictionary a line."""
    lines = tables.markdown(study).split("\n\n")[0].splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
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
        "best epoch": "1 of 2",
        "params": "12,345",
        "learnable": "2,345",
        "memory, MB": "5",
        "peak, MB": "8",
        "train s": "3.0",
        "tokens/s": "4,000",
        "remark": "",
    }
    assert {head: first[head] for head in expected} == expected


def test_what_went_wrong_stands_in_the_runs_line(table):
    remarks = {plain(line)["#"]: plain(line)["remark"] for line in table if line["#"]}
    expected = {"2": "worse than unigram", "3": "diverged", "4": "failed", "5": "missing", "6": "running"}
    assert {number: remark for number, remark in remarks.items() if remark} == expected


def test_times_beside_other_runs_are_marked(table):
    marked = {plain(line)["#"] for line in table if "†" in line["train s"]}
    assert marked == {plain(line)["#"] for line in table if "†" in line["tokens/s"]} == {"7"}


def test_what_was_not_measured_is_a_dash(table):
    missing = next(line for line in table if line["#"] == "5")
    assert missing["params"] == "12,345"
    for head in ("train ppl", "valid ppl", "test ppl", "bpb", "best epoch", "memory, MB", "train s", "tokens/s"):
        assert missing[head] == "—"


def test_the_caption_explains_every_symbol_and_column_of_numbers(study):
    caption = tables.caption(study)
    for part in ("fake", "tiny & <b>", "One seed", "test never selects", "†", "—", "chosen by hand", "share 0.1"):
        assert part in caption
    for column in tables.COLUMNS:
        assert not column.meaning or column.meaning in caption


def test_several_seeds_are_said(make_fake_study, tmp_path):
    caption = tables.caption(read_rows(make_fake_study(tmp_path / "fake", seeds=(0, 1))))
    assert "2 seeds" in caption
    assert "One seed" not in caption


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
