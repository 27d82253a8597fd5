"""What the report says, before anything shows it."""

import pytest

from bakeoff.analysis import published
from bakeoff.analysis.rows import read_rows
from bakeoff.report import contents, words


@pytest.fixture(scope="module")
def said(built):
    return built.contents


def test_numbers_of_experiments_become_links_and_other_numbers_stay(study):
    told = contents.Text(study)
    assert told("Use #1, not #99 (`bakeoff run`).") == [
        {"text": "Use ", "run": None, "code": False},
        {"text": "#1", "run": 1, "code": False},
        {"text": ", not #99 (", "run": None, "code": False},
        {"text": "bakeoff run", "run": None, "code": True},
        {"text": ").", "run": None, "code": False},
    ]
    assert told("") == []


def test_the_setting_is_one_line(said):
    assert (
        said["setting"]
        == "8 runs of 8 experiments on tiny & <b>, 2 epochs on 1,001 tokens, one seed, 1 thread, fp32, a processor"
    )


def test_groups_of_columns_cover_them_all(said):
    assert sum(group["span"] for group in said["groups"]) == len(said["columns"])
    assert {"title": "perplexity", "span": 3} in said["groups"]


def test_bars_are_shares_of_the_longest_among_runs(said):
    place = [column["key"] for column in said["columns"]].index("valid-perplexity")
    bars = {line["run"]: line["cells"][place]["bar"] for line in said["lines"] if line["run"]}
    assert max(bar for bar in bars.values() if bar is not None) == 1.0
    assert bars[5] is None
    assert all(line["cells"][place]["bar"] is None for line in said["lines"] if line["run"] is None)


def test_seeds_have_anchors_of_their_own(make_fake_study, tmp_path):
    rows = read_rows(make_fake_study(tmp_path / "fake", runs={(1, "lstm", 1, "adam"): ([], None)}, seeds=(4, 5)))
    lines = contents._table(rows, contents.Text(rows))["lines"]
    assert [line["anchor"] for line in lines if line["run"]] == ["run-1", "run-1-seed-4", "run-1-seed-5"]


def test_every_rule_is_told_with_the_runs_that_it_fits(said, study):
    runs = {run["run"]: rule["key"] for rule in said["rules"] for run in rule["runs"]}
    assert runs == {row.number: row.diagnosis_rule for row in study.rows if row.diagnosis_rule}
    assert runs[3] == "diverged"
    assert all(rule["sign"] for rule in said["rules"])


def test_findings_keep_their_verdict_and_link_only_to_figures_that_exist(said, built):
    assert said["findings"]
    for finding in said["findings"]:
        assert finding["verdict"]
        assert {figure["name"] for figure in finding["figures"]} <= set(built.named)
        numbers = {figure.name: place for place, figure in enumerate(built.figures.numbered, start=1)}
        assert all(figure["number"] == numbers[figure["name"]] for figure in finding["figures"])


def test_the_published_table_is_context_where_the_study_does_not_repeat_it(said):
    assert not said["published"]["repeats"]
    assert not said["published"]["open"]
    assert [run["number"] for run in said["published"]["runs"]] == list(range(1, 13))
    assert said["published"]["runs"][0]["printed"] == ["81.06", "144.8", "148.9"]
    assert said["published"]["runs"][0]["true"] == ["150.7", "156.4"]
    assert all(run["ours"] == ["—"] * 4 for run in said["published"]["runs"])
    assert said["published"]["conclusions"]
    links = [piece["run"] for entry in said["published"]["conclusions"] for piece in entry["claim"] + entry["text"]]
    assert set(links) == {None}


def test_where_it_repeats_it_ours_stand_beside_under_both_definitions(study, monkeypatch):
    monkeypatch.setattr(contents.published, "is_comparable", lambda rows: True)
    first = contents._published(study)["runs"][0]
    (ours, *_) = published.beside(study)
    expected = [ours.true["valid"], ours.true["test"], ours.biased["valid"], ours.biased["test"]]
    assert first["ours"] == [words.number(value) for value in expected]
    assert first["ours"][:2] == ["99.48", "104.6"]
