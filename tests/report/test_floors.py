import itertools
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakeoff.report import curves, floors, style

AXIS = style.PerplexityAxis(low=50.0, high=50_000.0, linear_high=2_000.0)


def told(layers):
    return json.dumps([layer.to_dict(validate=False) for layer in layers])


def test_every_floor_that_the_axis_reaches_is_drawn_with_its_value(study):
    y = curves.perplexity_axis(study, "lstm")
    drawn = told(floors.layers(study, y))
    for label in ("uniform 300.0", "unigram 181.3", "kn2 148.4", "kn3 121.5", "kn3+cache 115.6"):
        assert label in drawn
    assert "uniform" not in told(floors.layers(study, y, linear=True))


def test_only_some_where_there_is_little_room(study):
    drawn = told(floors.layers(study, curves.perplexity_axis(study, "lstm"), floors.FEWER))
    assert "unigram" in drawn
    assert "kn2" not in drawn


def test_no_floor_in_reach_is_no_layer(study):
    assert floors.layers(study, curves.perplexity_axis(study, "lstm"), ("none",)) == []


@given(st.lists(st.floats(51, 1_999), min_size=1, max_size=5, unique=True), st.booleans())
def test_labels_never_touch_and_stay_inside(perplexities, linear):
    low, high = (0.0, AXIS.linear_high) if linear else (math.log(AXIS.low), math.log(AXIS.high))
    pixel = (high - low) / style.SIZE[1]
    places = floors._places(perplexities, AXIS, linear=linear)
    lines = [((place if linear else math.log(place)) - low) / pixel for place in places]
    lowest = min(perplexities)
    middles = sorted(
        line + floors.LABEL_OFFSET * (-1 if own == lowest else 1) for line, own in zip(lines, perplexities, strict=True)
    )
    assert all(two - one > 0.99 * floors.LABEL_HEIGHT for one, two in itertools.pairwise(middles))
    assert middles[0] > 0
    assert middles[-1] < style.SIZE[1]


def test_a_label_with_room_stands_at_its_own_line():
    assert floors._places([800.0, 140.0], AXIS, linear=False) == pytest.approx([800.0, 140.0])
