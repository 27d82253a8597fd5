"""The results that are kept in the project: whole, without weights, and what the documents quote of them."""

from pathlib import Path

import pytest

from bakeoff import words
from bakeoff.analysis.answer import first_screen
from bakeoff.analysis.questions import findings
from bakeoff.analysis.rows import read_rows
from bakeoff.records import find_studies
from bakeoff.report import table, text

ROOT = Path(__file__).parent.parent
STUDIES = find_studies(ROOT / "results")


def kept(name):
    return read_rows(next(folder for folder in STUDIES if folder.path.name.startswith(name)))


@pytest.mark.parametrize("folder", STUDIES, ids=lambda folder: folder.path.name)
def test_every_run_that_is_kept_is_whole(folder):
    study = read_rows(folder)
    rows = [row for row in study.rows if (folder.path / row.folder).is_dir()]
    assert rows
    for row in rows:
        assert row.finished
        assert [point.epoch for point in row.history] == list(range(study.study["budget"]["epochs"] + 1))
        assert row.history[0].valid.perplexity > study.baselines[0].valid.perplexity / 2, "it begins near uniform"


def test_the_documents_quote_the_first_point_as_it_was_measured():
    study = kept("seed-learned")
    told, row = (ROOT / "docs" / "seed.md").read_text(), study.rows[0]
    for point in row.history:
        values = (words.number(point.train.perplexity), words.number(point.valid.perplexity))
        assert f"| {point.epoch} | {' | '.join(values)} | {words.count(point.train_seconds)} |" in told
    for baseline in study.baselines:
        assert baseline.name == "uniform" or words.number(baseline.valid.perplexity) in told
    assert f"Test is at {words.number(row.test.perplexity)}." in told


def test_the_page_of_wikitext_2_shows_the_table_and_the_answer_of_its_report():
    study, told = kept("wikitext-2"), (ROOT / "docs" / "wikitext-2.md").read_text()
    assert all(row.finished for row in study.rows)
    assert len(study.rows) == 12
    assert table.markdown(table.tables(study)[:1]).strip() in told
    found = findings(study)
    assert text.answer(first_screen(study, found))["headline"] in told
    counting = next(text.finding(each)["text"] for each in found if each.name == "counting")
    assert counting[counting.index("Of twelve") :] in told
    assert f"trained for\n{sum(row.train_seconds for row in study.rows) / 60:.0f} minutes" in told
