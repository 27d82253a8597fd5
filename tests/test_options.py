"""What a command is asked for."""

import pytest

from bakeoff import options
from bakeoff.errors import UserError
from bakeoff.identity import identity


@pytest.mark.parametrize("given", ["1, 2", [1, 2]])
def test_numbers_are_a_list_or_typed(tiny_study, given):
    assert options.numbers("--only", given, tiny_study) == [1, 2]
    assert options.numbers("--only", 2, tiny_study) == [2]


@pytest.mark.parametrize("given", ["1,x", [1, 3]])
def test_numbers_that_are_none_of_the_studys_are_a_mistake(tiny_study, given):
    with pytest.raises(UserError, match="study tiny has 1, 2; not"):
        options.numbers("--only", given, tiny_study)


def test_what_a_command_line_changes_of_a_study_is_kept_as_it_could_be_typed(tiny_study, tiny_corpus_file):
    changed = options.with_options(tiny_study, corpus=tiny_corpus_file, epochs=3, precision="auto", seeds=2)
    assert changed.options == {"--corpus": str(tiny_corpus_file), "--epochs": "3"}
    again = options.with_options(
        tiny_study, corpus=changed.options["--corpus"], epochs=int(changed.options["--epochs"])
    )
    assert identity(again) == identity(changed)
    assert options.with_options(tiny_study).options == {}


def test_a_study_that_a_program_made_has_no_command(tiny_study, tmp_path):
    assert tiny_study.options is None
    assert options.find(tiny_study, tmp_path).study.options is None
    assert options.find("quick", tmp_path, epochs=3).study.options == {"--epochs": "3"}
