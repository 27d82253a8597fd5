import json

from bakeoff.report import curves, floors


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
