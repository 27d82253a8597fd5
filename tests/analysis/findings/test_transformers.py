"""What one expects of transformers."""

from bakeoff.analysis.findings.transformers import transformers


def test_expectations_are_kept_broken_or_left_open(twelve):
    (finding,) = transformers(twelve())
    assert finding.name == "as-expected-gpt1"
    assert finding.text.startswith("As expected: the best of them beats the Kneser-Ney trigram with a unigram cache.")
    assert (
        "Left open here: whether Adam is ahead of SGD (#5, #7: one layer) and whether more layers help with AdamW."
    ) in finding.text
    assert "0.025 to 0.1 for every trained parameter, and was read two times." in finding.text
    assert finding.verdict == "not measured"


def test_three_seeds_can_break_one(twelve):
    (finding,) = transformers(twelve(seeds=(0, 1, 2)))
    assert finding.verdict == "contradicted"
    assert "Not as expected: more layers do not help with AdamW." in finding.text
    assert finding.conjecture is not None


def test_a_lucky_seed_beats_no_count_table(twelve):
    """The mean over seeds decides, here as for all architectures."""
    study = twelve(seeds=(0, 1, 2), own=0.0, ends=dict.fromkeys(range(1, 13), 4.72))
    (finding,) = transformers(study)
    assert study.best("gpt1").valid.nats < study.lowest_floor.valid.nats
    assert "whether the best of them beats the Kneser-Ney trigram with a unigram cache" in finding.text


def test_and_keep_them_all(twelve):
    (finding,) = transformers(twelve(seeds=(0, 1, 2), ends={11: 4.4, 12: 4.3}))
    assert finding.verdict == "supported"
    assert finding.conjecture is None


def test_losing_to_a_count_table_is_not_as_expected(twelve):
    (finding,) = transformers(twelve(ends={5: 4.9, 6: 4.9, 11: 4.9, 12: 4.9}))
    assert "does not beat the Kneser-Ney trigram" in finding.text
    assert "Hoffmann" in finding.conjecture.source


def test_failures_without_a_warm_up_have_their_own_reason(twelve):
    def edit(study):
        study["budget"]["schedule"] = "constant"

    (finding,) = transformers(twelve(ends={5: 4.9, 6: 4.9, 11: 4.9, 12: 5.5}, edit=edit))
    assert "Xiong" in finding.conjecture.source


def test_how_much_text_there_is_for_a_parameter_is_told(twelve):
    assert "1,001 tokens, 0.025 to 0.1 for every trained parameter" in transformers(twelve())[0].text


def test_models_without_attention_are_not_asked(build):
    assert transformers(build({(1, "lstm", 1, "adam"): [4.6]})) == []
