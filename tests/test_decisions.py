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


def test_what_goes_on_with_a_study_is_the_command_that_made_it(tmp_path):
    alone, searched, chosen = (tmp_path / name for name in ("quick", "quick-tune/round-1", "choose-my/final"))
    for study in (alone, searched, chosen):
        study.mkdir(parents=True)
    Decisions(searched.parent, lambda _: None)("round 1")
    decide = Decisions(chosen.parent, lambda _: None)
    decide("rung 1")
    (chosen.parent / decisions.CHOICE_FILE).touch()
    told = [decisions.going_on(study).split(" goes")[0] for study in (alone, searched, chosen)]
    assert told == ["bakeoff run", "bakeoff tune", "bakeoff choose"]
    decide.end("Use a count table.")
    assert decisions.going_on(chosen).endswith("is over: give bakeoff choose more minutes, and another --out")
