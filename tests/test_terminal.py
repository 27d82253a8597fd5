import dataclasses
import math
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

import fakes
from bakeoff import terminal, tuning
from bakeoff.analysis.evaluations import Baseline
from bakeoff.analysis.reading import read_rows
from bakeoff.analysis.statistics import Interval
from bakeoff.choosing.answer import Answer, Outlook
from bakeoff.data.corpora import BuiltIn, Text
from bakeoff.decisions import Decisions
from bakeoff.declaration import describe
from bakeoff.metrics import Tally
from bakeoff.study_folder import StudyFolder


def test_columns_are_as_wide_as_their_content_and_numbers_stand_right():
    assert terminal.columns(["name", "n"], [["a", "1,000"], ["longer", "2"]]).splitlines() == [
        "name        n",
        "a       1,000",
        "longer      2",
    ]


def test_escapes_in_a_cell_are_shown_harmless():
    assert terminal.columns(["name"], [["a\x1b[2J\nb"]]) == "name\n" + r"a\x1b[2J\nb"


def test_status_tells_every_run_and_what_is_next(fake_study):
    lines = terminal.status_text(fake_study, read_rows(fake_study)).splitlines()
    assert len(lines) == 1 + 8 + 2
    assert "4 finished, 1 running, 1 diverged, 1 failed, 1 missing" in lines[-2]
    assert lines[-1] == "the next `bakeoff run` will start #5, try again #4"


def test_status_of_a_part_of_a_search_names_the_search(fake_study, tmp_path):
    study = StudyFolder(shutil.copytree(fake_study.path, tmp_path / "fake-tune" / "round-1"))
    Decisions(tmp_path / "fake-tune", lambda _: None)("round 1")
    assert terminal.status_text(study, read_rows(study)).splitlines()[-1] == "bakeoff tune goes on with it"


def test_status_says_what_mends_a_damaged_run(fake_study, tmp_path):
    study = StudyFolder(shutil.copytree(fake_study.path, tmp_path / "fake"))
    folder = study.path / "01-lstm-1-adam" / "seed-0"
    (folder / "summary.json").write_text("[]")
    lines = terminal.status_text(study, read_rows(study)).splitlines()
    assert lines[-2] == f"{folder}/summary.json is damaged (it is no object): remove it and repeat the command"
    assert (
        lines[-1]
        == "the next `bakeoff run` will go on with #6, start #5, try again #4; first mend what is damaged of #1"
    )


def test_status_shows_the_seeds_that_only_a_comparison_has(fake_study, tmp_path):
    study = StudyFolder(shutil.copytree(fake_study.path, tmp_path / "fake"))
    before = terminal.status_text(study, read_rows(study)).splitlines()
    fakes.write_run(study.run("01-lstm-1-adam/seed-7"), fakes.falling(4.4), ending={})
    (study.path / "01-lstm-1-adam" / "seed-x").mkdir()
    told = terminal.status_text(study, read_rows(study)).splitlines()
    assert told[: len(before)] == before, "they are none of the study's"
    assert told[len(before) : -2] == ["", "Seeds that only a comparison has (`bakeoff judge`):"]
    assert told[-2].split()[4:6] == ["seed", "status"]
    assert told[-1].split()[-4:-2] == ["7", "finished"]
    found = terminal.status_json(study, read_rows(study))
    assert [(run["number"], run["seed"]) for run in found["other_seeds"]] == [(1, 7)]
    assert sum(found["counts"].values()) == len(found["runs"]) == 8


def test_status_as_json_counts_every_run(fake_study):
    told = terminal.status_json(fake_study, read_rows(fake_study))
    assert sum(told["counts"].values()) == len(told["runs"]) == 8


def test_a_description_has_a_line_an_experiment_and_no_counts_of_a_corpus_that_is_not_here(tiny_study):
    lines = terminal.description_text(describe(tiny_study, None)).splitlines()
    described, memory = lines[: lines.index("")], lines[lines.index("") + 1 :]
    assert len(described) == 1 + 2 + 2
    assert "train —, valid —, test —" in described[-2]
    assert len(memory) == 1 + 2 + 1
    assert memory[0].split()[:3] == ["number", "weights", "gradients"]


def test_memory_that_is_not_known_is_a_dash(tiny_study):
    description = describe(tiny_study, None)
    description["experiments"][1]["memory"] = None
    assert terminal.description_text(description).splitlines()[-2].split() == ["2", *"—————"]


def test_a_search_says_where_no_rate_came_below_the_unigram(tiny_study):
    search = tuning.RateSearch(tiny_study)
    for number, trials in enumerate(search.trials.values()):
        for place in (-5, -4, -3):
            trials[place] = {"lr": 1.0, "status": "finished", "valid_loss": 5.0 - number, "valid_perplexity": 9.0}
    search.unigram = 4.5
    learned = [
        line.count("(nothing learned: no better than the unigram)")
        for line in terminal.tuning_text(search).splitlines()
    ]
    assert learned == [0, 1, 0]


@pytest.mark.parametrize(("best", "says"), [(1e-2, " 0.01 "), (1e9, "(edge)")])
def test_a_search_shows_what_it_chose_and_where_it_was_on_the_edge(tiny_study, best, says):
    search = tuning.RateSearch(tiny_study)
    for places in search.trials.values():
        for place in range(-8, -1):
            loss = (2 * math.log10(tuning.rate(place) / best)) ** 2 + 1.0
            places[place] = {"lr": tuning.rate(place), "valid_loss": loss, "valid_perplexity": loss * 10}
    assert says in terminal.tuning_text(search).splitlines()[1]


def test_a_corpus_tells_its_licence_its_sizes_and_what_its_splits_share():
    run = " ".join(f"w{number}" for number in range(13))
    built_in = BuiltIn(name="x", licence="free", source="here", sha256="", place=lambda: None, read=dict)
    splits = {"train": (run,), "valid": (run,), "test": ("a",)}
    text = Text(name="x", licence="free", source="here", sha256="", read=lambda: splits)
    told = terminal.corpus_text(built_in, text)
    assert "licence: free" in told
    assert "train: 1 documents, 13 words" in told
    assert "100.00% of its runs of 13 words are in train" in told
    assert "not here yet" in terminal.corpus_text(built_in, None)


def test_of_a_run_that_was_cut_off_before_test_was_measured_nothing_else_is_said_to_lack():
    made = SimpleNamespace(row=SimpleNamespace(test=None))
    told = terminal._expectation(SimpleNamespace(count_table=False, unseen=None, made=made))
    assert told == ["What to expect on other text was not measured: the last run was cut off before."]


def test_of_few_documents_it_is_said_how_many_there_are():
    row = SimpleNamespace(test=object(), documents={"test": SimpleNamespace(nats=(1.0,) * 8)})
    told = terminal._expectation(SimpleNamespace(count_table=False, unseen=None, made=SimpleNamespace(row=row)))
    assert told == ["What to expect on other text cannot be told: test has eight documents, and 10 are needed."]


def test_where_the_count_table_is_the_answer_it_is_the_model_that_is_handed_over():
    cost = Tally(nats=200.0, tokens=100, words=50, bytes=400)
    floor = Baseline(name="kn5", train=cost, valid=cost, test=cost, seconds=0.1, cache_weight=None)
    told = Answer(
        chosen="GLR of 1 layer with Muon",
        study=Path("runs/choose-my text/final"),
        folder=Path("runs/choose-my text/final/01-glr-1-muon/seed-0"),
        count_table=True,
        floor=floor,
        valid=1.0,
        mixed=0.625,
        unseen=None,
        other_better=0.25,
        kind="on unseen text of this kind",
        untried=("LSTM of 1 layer with AdamW",),
        runner_up=None,
        runner_up_better=None,
        outlook=(),
        withheld="too few rungs",
        made=SimpleNamespace(
            search=SimpleNamespace(found=()),
            row=object(),
            ended="finished",
            error=None,
            kept=SimpleNamespace(left_out={2: "GPT of 1 layer with Muon needs 9 MB of memory"}),
        ),
    )
    lines = terminal.choice_text(told).splitlines()
    assert lines[0].startswith("Use the count table")
    assert lines[1] == "The network and the count table, mixed, reach 0.625: measured, but no model to load."
    tested = "On test, which decided nothing, the count table has 0.721. How sure that is cannot be told: "
    assert lines[2] == f"{tested}that is known of count tables with a cache alone."
    cached = dataclasses.replace(told, floor=dataclasses.replace(floor, cache_weight=0.02))
    assert terminal.choice_text(cached).splitlines()[2] == f"{tested}test has too few documents."
    assert lines[3] == "The probability that the network is better there is 25 %."
    assert "Left out: GPT of 1 layer with Muon needs 9 MB of memory." in lines
    expected = dataclasses.replace(told, unseen=Interval(mean=0.7, low=0.65, high=0.75))
    lines = terminal.choice_text(expected).splitlines()
    assert lines[2] == "On unseen text of this kind expect 0.700 bits per byte, 0.650 to 0.750 with 95 % probability."
    then = Outlook(minutes=30, expected=Interval(mean=0.75, low=0.625, high=0.875), runner_up_better=0.125)
    looking = dataclasses.replace(told, outlook=(then,), withheld=None, runner_up="GPT of 1 layer with Muon")
    heading = "In another time the network would reach, in bits per byte of valid, if it goes on learning as it did:"
    assert heading in terminal.choice_text(looking).splitlines()
    line = "  30 min: 0.750 (0.250 less), 0.625 to 0.875 with 95 % probability"
    better = "; the probability that GPT of 1 layer with Muon is better is 12 %"
    assert line + better in terminal.choice_text(looking).splitlines()
    alone = dataclasses.replace(looking, outlook=(dataclasses.replace(then, runner_up_better=None),))
    assert line in terminal.choice_text(alone).splitlines()
    assert "There was no time to try LSTM of 1 layer with AdamW." in lines
    assert "text from it: bakeoff sample 'runs/choose-my text/final' --floor best" in lines
    assert "in Python: bakeoff.load_floor('runs/choose-my text/final')" in lines
