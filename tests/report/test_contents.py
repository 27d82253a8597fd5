"""What the report says, before anything shows it."""

import fakes
from bakeoff import words
from bakeoff.analysis import published
from bakeoff.report import contents


def test_every_rule_is_told_with_the_runs_that_it_fits(built, study):
    runs = {run["run"]: rule["key"] for rule in built.contents["rules"] for run in rule["runs"]}
    assert runs == {row.number: row.diagnosis_rule for row in study.rows if row.diagnosis_rule}
    assert runs[3] == "diverged"
    assert all(rule["sign"] and rule["means"] for rule in built.contents["rules"])


def test_findings_name_their_runs_floors_and_only_figures_that_exist(built):
    numbers = {figure.name: place for place, figure in enumerate(built.figures.numbered, start=1)}
    for finding in built.contents["findings"]:
        assert all(figure["number"] == numbers[figure["name"]] for figure in finding["figures"])
    counting = next(finding for finding in built.contents["findings"] if finding["name"] == "counting")
    assert 1 in counting["runs"]
    assert counting["floors"] == ["kn3+cache"]


def test_figures_are_numbered_in_the_order_in_which_they_are_shown(built):
    shown = [*built.contents["together"], *built.contents["alone"]]
    assert [figure["number"] for figure in shown] == list(range(1, len(built.named) + 1))


def test_every_experiment_has_a_name_and_its_optimizer_a_colour(built, study):
    runs = built.contents["runs"]
    assert [run["number"] for run in runs] == sorted({row.number for row in study.rows})
    assert {run["optimizer_title"] for run in runs} <= set(built.contents["hues"])


def test_the_published_table_stands_alone_where_the_study_does_not_repeat_it(study):
    said = contents.beside_published(study)
    assert not said["repeats"]
    assert len(said["runs"]) == 12
    assert said["runs"][0] == ["1 (1)", "LSTM", "1", "Adam", "81.06", "144.8", "148.9", "150.7", "156.4"]
    assert said["assumptions"][0].startswith("This study has another corpus")
    assert [entry["verdict"] for entry in said["conclusions"]] == list(published.CLAIMS.values())
    assert all(entry["claim"] and entry["text"] for entry in said["conclusions"])


def test_where_it_repeats_it_ours_stand_beside_under_both_definitions(tmp_path, monkeypatch):
    study = fakes.twelve(tmp_path)
    monkeypatch.setattr(published, "is_comparable", lambda rows: True)
    first = contents.beside_published(study)["runs"][0]
    ours = published.facts(study).runs[1]
    true, biased = (words.number(found["valid"]) for found in (ours.true, ours.biased))
    assert (len(first), first[9], first[11]) == (13, true, biased)
