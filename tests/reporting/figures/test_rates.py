"""The search for learning rates."""

import fakes
from bakeoff.reporting.figures import rates


def test_every_search_has_a_line_and_what_diverged_a_cross(drawn):
    svg = drawn.named["rates-lstm"].svg
    for label in ("#1 Adam", "#2 AdamW", "#3 SGD", "#4 AdamW ×2"):  # noqa: RUF001
        assert f">{label}</text>" in svg
    assert 'aria-label="#3 SGD, lr 3: diverged"' in svg
    assert 'aria-label="#3 SGD, lr 0.3: ∞"' in svg
    assert "a cross a trial that diverged" in drawn.named["rates-lstm"].caption
    assert "a cross" not in drawn.named["rates-gpt1"].caption


def test_the_unigram_is_shown_only_where_the_search_was_on_this_very_text(drawn, tmp_path):
    assert "unigram" in drawn.named["rates-lstm"].svg

    def edit(study):
        study["tuning"]["fits"] = False

    other = fakes.read_study(tmp_path / "study", {(1, "lstm", 1, "adam"): None}, edit=edit)
    (chart,) = rates.draw(other)
    assert "unigram" not in str(chart.spec)


def test_rates_chosen_by_hand_or_a_search_without_a_result_have_no_figure(tmp_path):
    keys = {(1, "lstm", 1, "adam"): None}
    assert list(rates.draw(fakes.read_study(tmp_path / "hand", keys, tuning=None))) == []

    def edit(study):
        study["tuning"]["rates"] = {"01-lstm-1-adam": fakes.trials(0.01, (None, None, None))}

    assert list(rates.draw(fakes.read_study(tmp_path / "lost", keys, edit=edit))) == []
