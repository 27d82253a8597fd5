"""All runs of an architecture in one figure."""

import re


def test_every_run_has_a_line_that_the_page_can_find_and_a_label(drawn):
    svg = drawn.named["overlay-lstm-epochs"].svg
    assert set(re.findall(r'class="run-(\d+)"', svg)) == {"1", "2", "3", "4"}
    for label in ("#1 99.48 Adam", "#2 90.02 AdamW", "#3 300.0↑ SGD", "#4 121.5 AdamW ×2"):  # noqa: RUF001
        assert f">{label}</text>" in svg
    assert "#5" not in svg


def test_depths_differ_in_their_dash(drawn):
    svg = drawn.named["overlay-lstm-epochs"].svg
    assert re.search(r'class="run-4"[^#]*stroke="#D55E00"[^>]*stroke-dasharray="6,2"', svg)


def test_who_was_below_the_lowest_floor_by_when_is_told_over_time_alone(drawn):
    times = "2 of 3 are seen below kn3+cache, the lowest floor (115.6): #1 after 3.2 s, #2 after 4.5 s"
    assert times in drawn.named["overlay-lstm-time"].caption
    assert "2 of 3 are seen below kn3+cache, the lowest floor (115.6)." in drawn.named["overlay-lstm-epochs"].caption
    assert "Wholly above the axis: #3." in drawn.named["overlay-lstm-epochs"].caption
