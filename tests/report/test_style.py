import altair as alt
import pytest

from bakeoff.report import style


def test_ticks_are_one_two_and_five_times_powers_of_ten_inside_the_axis():
    axis = style.perplexity_axis(33, 2560).to_dict()["axis"]
    assert axis["values"] == [50, 100, 200, 500, 1000, 2000]


def test_colours_follow_the_registrys_order_and_differ():
    titles = ["Adam", "AdamW", "SGD", "Momentum"]
    colours = style.colours({"optimizers": [{"title": title} for title in titles]})
    assert list(colours.values()) == list(style.COLOURS[:4])
    assert len(set(style.COLOURS)) == len(style.COLOURS)


def test_more_optimizers_than_colours_begin_again():
    colours = style.colours({"optimizers": [{"title": str(place)} for place in range(9)]})
    assert colours["7"] == colours["0"]


@pytest.mark.parametrize("kind", ["svg", "png"])
def test_a_figure_is_written_as_svg_and_png(kind, tmp_path):
    chart = alt.layer(alt.Chart(alt.InlineData(values=[{"x": 1}])).mark_point().encode(x="x:Q"))
    figure = style.write(chart, tmp_path, name="one", title="One", caption="A point.")
    assert (tmp_path / f"one.{kind}").stat().st_size > 100
    assert "One" in figure.svg
