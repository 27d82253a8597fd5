"""What a probe of a run says."""

import pytest

import fakes
from bakeoff.analysis.diagnosis import FLAT, NEAR
from bakeoff.analysis.probe import LATER, NO_CHANGE, PARTLY, RECIPE, probe
from bakeoff.reporting import text

UNIGRAM = fakes.FLOORS["unigram"]
#: Just clear, by five typical deviations.
CLEAR = 0.11


def asked(own, changed, smaller=None, deviation=0.02):
    return probe(fakes.probe_record(own, changed, smaller), 12, UNIGRAM, deviation)


@pytest.mark.parametrize(
    ("own", "changed", "smaller", "found", "reaching"),
    [
        (5.3, (5.0, 5.3, 5.3), None, RECIPE, ["tenth"]),
        (None, (5.3, 4.9, 5.0), None, RECIPE, ["hundredth", "warm-up"]),
        (9.0, (5.3, 5.15, None), None, PARTLY, []),  # not clearly below the unigram
        (5.11, (5.09, 5.11, 5.12), None, NO_CHANGE, []),  # below by enough, but only by chance
        (5.3, (5.3, None, 5.31), None, NO_CHANGE, []),
        (None, (None, None, None), None, NO_CHANGE, []),
        (5.0, (4.5, 4.5, 4.5), None, LATER, []),
        (4.9, (4.6, 4.7, 4.9), 4.59, RECIPE, ["tenth"]),  # the smaller one's, to a flat difference
        (4.9, (4.7, 4.7, 4.9), 4.59, PARTLY, []),
        (4.9, (4.88, 4.9, 4.9), 4.59, NO_CHANGE, []),
        (4.6, (4.3, 4.9, 4.9), 4.59, LATER, []),
    ],
)
def test_what_is_found_is_read_against_its_own_start_and_what_it_should_have_reached(
    own, changed, smaller, found, reaching
):
    read = asked(own, changed, smaller)
    assert read.found == found
    assert found == LATER or [start.change for start in read.reaching] == reaching


def test_a_smaller_one_that_learned_nothing_in_so_few_steps_sets_no_goal():
    assert asked(5.3, (5.2, 5.2, 5.2), 5.4).goal == UNIGRAM - NEAR
    assert asked(5.3, (5.2, 5.2, 5.2), 4.0).goal == 4.0 + FLAT


@pytest.mark.parametrize(("deviation", "found"), [(0.01, RECIPE), (0.03, NO_CHANGE)])
def test_what_another_seed_changes_is_no_help(deviation, found):
    assert asked(5.15, (5.15 - CLEAR, 5.3, 5.3), deviation=deviation).found == found


def test_every_finding_is_one_plain_sentence_or_two():
    def said(*arguments):
        return text.say("shared", "probed", asked(*arguments))

    assert said(5.3, (4.9, 5.0, 5.3)) == (
        "That #12 learned nothing about context is not a matter of capacity: at a tenth of the rate it reaches a "
        "validation perplexity of 134.3 in 400 steps and at a hundredth of the rate 148.4; its own start stays at "
        "200.3 (unigram: 181.3)."
    )
    assert said(None, (4.9, 5.3, 5.3), 4.95).startswith(
        "That #12 is behind #6 is not a matter of capacity: at a tenth of the rate it reaches a validation perplexity "
        "of 134.3 in 400 steps; its own start diverged (#6: 141.2 in as many steps)"
    )
    assert said(4.9, (4.7, 4.7, 4.9), 4.59) == (
        "The recipe of #12 is a part of why it is behind #6: at a tenth of the rate it reaches a validation perplexity "
        "of 109.9 in 400 steps, where its own start stays at 134.3. But that is behind #6 still (#6: 98.49 in as many "
        "steps), so capacity may be another part."
    )
    assert said(5.3, (5.3, None, 5.25)) == (
        "None of three changes helps #12: in 400 steps its own start comes to 200.3, and the best of them, with a "
        "warm-up four times as long, comes to 190.6 (unigram: 181.3). So whether it lacks capacity stays open."
    )
    assert said(5.0, (4.5, 4.5, 4.5)) == (
        "In 400 steps of a short schedule #12 does not fail: its own start comes to 148.4 (unigram: 181.3). What goes "
        "wrong comes later than a probe sees."
    )
    assert text.say("shared", "probed", None) == ""
