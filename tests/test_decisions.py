"""What was decided is said, kept, and found again from each part of the whole."""

from bakeoff import decisions
from bakeoff.decisions import Decisions


def test_decisions_are_said_and_kept_in_their_order_a_line_each(tmp_path):
    said = []
    (tmp_path / "whole").mkdir()
    decide = Decisions(tmp_path / "whole", said.append)
    decide("first")
    decide("then\n\x1b[31mred")
    assert said == ["first", "then\n\x1b[31mred"]
    assert decisions.read(tmp_path / "whole" / "part") == ["first", r"then \x1b[31mred"]


def test_a_later_command_begins_without_what_an_earlier_one_has_decided(tmp_path):
    Decisions(tmp_path, lambda _: None)("earlier")
    later = Decisions(tmp_path, lambda _: None)
    assert decisions.read(tmp_path) == []
    later("later")
    assert (tmp_path / decisions.FILE).read_text() == "later\n"


def test_a_study_is_its_own_whole_unless_it_lies_in_one(tmp_path):
    part, alone = tmp_path / "choice" / "rung-1", tmp_path / "judged"
    part.mkdir(parents=True)
    alone.mkdir()
    Decisions(part.parent, lambda _: None)("a rung")
    Decisions(alone, lambda _: None)("a look")
    assert [decisions.whole_of(study) for study in (part, alone)] == [part.parent, alone]
    assert [decisions.read(study) for study in (part, alone, tmp_path)] == [["a rung"], ["a look"], []]
