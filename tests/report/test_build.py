"""A report on disk: whatever runs there are, in every form, without torch."""

import json
import subprocess
import sys

import polars as pl
import pytest

from bakeoff import report


def strict_json(path):
    def refuse(constant):
        raise AssertionError(constant)

    return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)


def test_a_report_has_all_its_files(built, fake_study):
    assert built.folder == fake_study.report
    names = {path.name for path in built.folder.iterdir()}
    files = {"index.html", "report.pdf", "results.json", "results.csv", "table.md", "table.tex", "figures"}
    assert names == files
    assert {f"{n:02d}-{a}.{k}" for n in (1, 2, 3, 6, 7, 8) for a in ("epochs", "time") for k in ("svg", "png")} <= {
        path.name for path in (built.folder / "figures").iterdir()
    }


def test_results_are_strict_json_with_the_keys_of_the_contract(built):
    results = strict_json(built.folder / "results.json")
    assert set(results) >= {"study", "corpus", "rows", "baselines", "findings"}
    assert [row["number"] for row in results["rows"]] == [1, 2, 7, 5, 3, 4, 6, 8]
    assert {baseline["name"] for baseline in results["baselines"]} >= {"unigram", "kn2", "kn3", "kn3+cache"}
    assert results["rows"][0]["valid"]["perplexity"] == pytest.approx(90.0171)
    assert {"diagnosis", "diagnosis_rule", "diagnosis_text", "memory_parts"} <= set(results["rows"][0])
    assert results["findings"]
    for finding in results["findings"]:
        assert set(finding) >= {"name", "question", "verdict", "text", "evidence", "figures", "conjecture"}
        assert finding["verdict"] in {"supported", "contradicted", "not distinguishable", "not measured"}


def test_results_can_be_read_as_a_flat_table(built):
    table = pl.read_csv(built.folder / "results.csv")
    assert table["number"].to_list() == [1, 2, 7, 5, 3, 4, 6, 8]
    valid = dict(zip(table["number"], table["valid_nats"], strict=True))
    assert (valid[1], valid[5]) == (4500.0, None)
    columns = {"test_bits_per_byte", "last_test_perplexity", "memory_peak_bytes", "memory_parts_weights", "diagnosis"}
    assert columns <= set(table.columns)


def test_a_study_with_no_run_has_a_report_and_figures_of_gone_runs_go(make_fake_study, tmp_path):
    folder = make_fake_study(tmp_path / "fake", runs={(1, "lstm", 1, "adam"): ([], None)})
    stale = folder.report / "figures" / "99-epochs.svg"
    stale.parent.mkdir(parents=True)
    stale.touch()
    page = report.build(folder)
    assert page.is_file()
    assert (folder.report / "report.pdf").read_bytes().startswith(b"%PDF")
    assert not stale.exists()
    assert strict_json(folder.report / "results.json")["rows"][0]["status"] == "missing"


def test_losses_beyond_what_a_float_can_exponentiate_are_reported(make_fake_study, tmp_path):
    def line(epoch, nats):
        sums = {"nats": nats, "tokens": 1000, "words": 600, "bytes": 3000}
        return {"epoch": epoch, "step": epoch, "train_seconds": 1.0, "train": sums, "valid": sums}

    runs = {
        (1, "lstm", 1, "sgd"): ([line(0, 5700.0), line(1, 9e6)], {"status": "diverged", "error": "the loss"}),
        (2, "gpt1", 1, "sgd"): ([line(0, 9e6)], None),
    }
    folder = make_fake_study(tmp_path / "fake", runs=runs)
    assert report.build(folder).is_file()
    rows = strict_json(folder.report / "results.json")["rows"]
    assert rows[0]["last"]["valid"]["perplexity"] is None
    assert rows[1]["valid"]["perplexity"] is None


def test_building_reaches_no_torch(make_fake_study, tmp_path):
    folder = make_fake_study(tmp_path / "fake", runs={(1, "lstm", 1, "adam"): ([], None)})
    code = (
        "import sys, pathlib; from bakeoff import report, records; "
        f"report.build(records.StudyFolder(pathlib.Path({str(folder.path)!r}))); "
        "assert 'torch' not in sys.modules and 'tokenizers' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
