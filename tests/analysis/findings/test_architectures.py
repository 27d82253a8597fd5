"""Two configurations at equal budget."""

import pytest

from bakeoff.analysis.findings.architectures import architectures


def test_the_best_of_each_are_compared_and_nothing_is_said_of_classes(twelve):
    (finding,) = architectures(twelve())
    assert finding.name == "lstm-against-gpt1"
    assert finding.verdict == "not measured"
    assert finding.text.startswith("These two configurations, the best of each on valid: in one run of each, #2")
    assert "the LSTM is ahead in all six pairs; #1 and #5 come to 99.55 and 101.3." in finding.text


def test_three_seeds_decide_for_either(twelve):
    (lstm,), (gpt,) = architectures(twelve(seeds=(0, 1, 2))), architectures(twelve(seeds=(0, 1, 2), ends={6: 4.2}))
    assert (lstm.verdict, gpt.verdict) == ("supported", "supported")
    assert "#2" in lstm.text.split(" comes to")[0]
    assert "#6" in gpt.text.split(" comes to")[0]
    assert "recurrent" in lstm.conjecture.text
    assert "Khandelwal" in gpt.conjecture.source


def test_unequal_sizes_make_it_no_comparison_of_kinds(twelve):
    def edit(study):
        study["experiments"][5]["learnable_parameters"] = 99_000

    (finding,) = architectures(twelve(edit=edit))
    assert "They train 10,000 and 99,000 parameters, so this compares two configurations" in finding.text


def test_an_architecture_that_did_not_learn_is_not_compared(build):
    (finding,) = architectures(build({(1, "lstm", 1, "adam"): [4.6], (2, "gpt1", 1, "adam"): [5.5]}))
    assert (finding.verdict, finding.conjecture) == ("not measured", None)


def test_why_nothing_is_claimed_is_said(twelve):
    study = twelve(seeds=(0, 1, 2), ends={5: 5.5, 6: 5.5, 7: 5.5, 8: 5.5, 11: 5.5, 12: 5.5})
    (finding,) = architectures(study)
    assert finding.verdict == "not measured"
    assert "is worse than unigram: where no context was learned, nothing is said about a kind of model." in finding.text
    assert "With equal layers and optimizer" not in finding.text


def test_one_pair_is_told_as_one(build):
    (finding,) = architectures(build({(1, "lstm", 1, "adam"): [4.5], (2, "gpt1", 1, "adam"): [4.6]}))
    assert "the LSTM is ahead in the one pair; #1 and #2 come to 90.02 and 99.48." in finding.text


@pytest.mark.parametrize("curves", [{(1, "lstm", 1, "adam"): [4.6]}, {(1, "gpt1", 4, "sgd"): [4.6]}])
def test_one_architecture_alone_is_compared_with_nothing(build, curves):
    assert architectures(build(curves)) == []


def test_an_architecture_without_a_finished_run_is_named(build):
    (finding,) = architectures(build({(1, "lstm", 1, "adam"): [4.6], (2, "gpt1", 1, "adam"): []}))
    assert finding.text == "No GPT-1 has finished."
