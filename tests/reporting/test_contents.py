"""What the report says, before anything shows it."""

import fakes
from bakeoff import words
from bakeoff.analysis import published
from bakeoff.analysis.reading import read_rows
from bakeoff.reporting import contents


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


PROMPTS = ("The house\n", "It")


def with_texts(path, *, counted=fakes.TOKENS + 1, prompts=PROMPTS):
    """A study of five runs, of which the first four, the last of them better than the others, go on after prompts."""
    floor = fakes.texts(*((prompt, f"trigram {prompt}") for prompt in prompts)) | {"floor": "kn3", "counted": counted}
    ends = {1: 4.5, 2: 4.6, 3: 4.7, 4: 4.4, 5: 4.3}
    curves = {(number, "lstm", number, "adam"): fakes.falling(end) for number, end in ends.items()}
    folder = fakes.write_study(path, curves, edit=lambda study: study.update(texts=floor))
    for entry, _, run in folder.declared_runs():
        if entry["number"] < 5:
            run.write_texts(fakes.texts(*((prompt, f"{entry['number']} {prompt}\x07") for prompt in PROMPTS)))
    return folder


def test_the_best_runs_go_on_after_the_prompts_beside_the_trigram(tmp_path):
    texts = contents._texts(read_rows(with_texts(tmp_path)))
    heads, *lines = texts["table"]
    assert heads == ["prompt", "#4, 4-layer LSTM, Adam", "#1, 1-layer LSTM, Adam", "The Kneser-Ney trigram"]
    assert lines[0] == ["The house¶", r"4 The house¶\x07", r"1 The house¶\x07", "trigram The house¶"]
    assert [line[0] for line in lines] == ["The house¶", "It"]
    assert texts["caption"] == (
        "After the beginnings of documents of valid: 40 tokens, drawn at temperature 0.8 with seed 0; ¶ ends a line. "
        "They illustrate what a loss means, and rank nothing."
    )


def test_where_the_trigram_has_counted_a_part_that_is_said(tmp_path):
    said = contents._texts(read_rows(with_texts(tmp_path, counted=100)))["caption"]
    assert "The trigram has counted the first 100 tokens of train for this." in said


def test_without_the_same_prompts_there_are_no_samples(built, tmp_path):
    assert built.contents["texts"] is None
    assert "Samples of text" not in built.html
    assert contents._texts(read_rows(with_texts(tmp_path, prompts=("other",)))) is None


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
