"""All runs of an architecture in one figure."""

import re


def test_every_architecture_has_both_figures_with_either_scale(built):
    names = [figure.name for figure in built.figures.overlays]
    assert names == [f"overlay-{model}-{axis}" for model in ("lstm", "gpt1") for axis in ("epochs", "time")]
    assert all(figure.linear and figure.linear != figure.svg for figure in built.figures.overlays)


def test_every_run_has_a_line_that_the_page_can_find_and_a_label(built):
    svg = built.named["overlay-lstm-epochs"].svg
    assert set(re.findall(r"run_(\d+)_marks", svg)) == {"1", "2", "7"}
    for label in ("#1 Adam 90.02", "#2 SGD 232.8", "#7 Momentum 104.6"):
        assert label in svg
    assert "#8 AdamW \N{MULTIPLICATION SIGN}4 110.5" in built.named["overlay-gpt1-epochs"].svg


def test_points_tell_their_values(built):
    assert 'aria-label="#1 1-layer LSTM, Adam: epoch 1, 1.5 s: valid 90.02, train 81.45"' in (
        built.named["overlay-lstm-epochs"].svg
    )
