"""What a command is asked for."""

import pytest

from bakeoff import asked
from bakeoff.errors import UserError


@pytest.mark.parametrize("given", ["1, 2", [1, 2]])
def test_numbers_are_a_list_or_typed(tiny_study, given):
    assert asked.numbers("--only", given, tiny_study) == [1, 2]


@pytest.mark.parametrize("given", ["1,x", [1, 3]])
def test_numbers_that_are_none_of_the_studys_are_a_mistake(tiny_study, given):
    with pytest.raises(UserError, match="study tiny has 1, 2; not"):
        asked.numbers("--only", given, tiny_study)
