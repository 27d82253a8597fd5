"""The command that an answer ends with does what it says of the study that was reported, not of another."""

import fakes
from bakeoff.analysis.questions.finding import run

CURVES = {(1, "lstm", 1, "adam"): [4.0, 3.0], (5, "gpt1", 1, "adam"): [4.0, 3.1]}
MADE = {"--corpus": "my text.txt", "--epochs": "2"}


def test_a_command_has_the_options_that_made_the_study(tmp_path):
    study = fakes.read_study(tmp_path, CURVES, options=MADE)
    assert run(study, "--only", "1,5") == "bakeoff run fake --corpus 'my text.txt' --epochs 2 --only 1,5"
    assert run(study, verb="tune") == "bakeoff tune fake --corpus 'my text.txt' --epochs 2"


def test_an_option_that_is_to_change_has_its_new_value_alone(tmp_path):
    study = fakes.read_study(tmp_path, CURVES, options=MADE)
    assert run(study, "--epochs", 4) == "bakeoff run fake --corpus 'my text.txt' --epochs 4"
    assert run(study, "--corpus", "FILE") == "bakeoff run fake --corpus FILE --epochs 2"


def test_records_that_do_not_tell_give_the_plain_command(tmp_path):
    study = fakes.read_study(tmp_path, CURVES)
    del study.study["options"]
    assert run(study, "--seeds", 3) == "bakeoff run fake --seeds 3"


def test_there_is_none_for_a_study_that_no_command_line_names(tmp_path):
    assert run(fakes.read_study(tmp_path, CURVES, options=None), "--seeds", 3) is None
