import altair as alt
import pytest

from bakeoff.report import style


def test_ticks_are_one_two_and_five_times_powers_of_ten_inside_the_axis():
    axis = style.PerplexityAxis(low=33, high=2560, linear_high=700)
    assert style.as_json(axis.encoding())["axis"]["values"] == [50, 100, 200, 500, 1000, 2000]
    assert style.as_json(axis.encoding(linear=True))["scale"]["domain"] == [0, 700]


def test_a_short_axis_has_more_than_one_tick():
    assert style.ticks(255, 960) == [300, 400, 500, 600, 700, 800, 900]


@pytest.mark.parametrize(
    ("high", "whole", "places"),
    [(10, True, [0, 2, 4, 6, 8, 10]), (3, True, [0, 1, 2, 3]), (0.5, False, 6), (0, True, [0])],
)
def test_steps_are_round_and_few(high, whole, places):
    steps = style.steps(high, whole=whole)
    assert len(steps) == places if isinstance(places, int) else steps == places


def test_colours_follow_the_registrys_order_and_differ():
    titles = ["Adam", "AdamW", "SGD", "Momentum"]
    colours = style.colours({"optimizers": [{"title": title} for title in titles]})
    assert list(colours.values()) == list(style.COLOURS[:4])
    assert len(set(style.COLOURS)) == len(style.COLOURS) == len(style.DARK_COLOURS)


def test_more_optimizers_than_colours_begin_again():
    colours = style.colours({"optimizers": [{"title": str(place)} for place in range(9)]})
    assert colours["7"] == colours["0"]


def test_labels_are_moved_as_little_as_keeps_them_apart():
    assert style.spread({1: 5.0, 2: 9.0}, low=0, high=10, distance=1) == {1: 5.0, 2: 9.0}
    moved = style.spread({1: 5.0, 2: 5.0, 3: 9.9}, low=0, high=10, distance=1)
    assert moved == pytest.approx({1: 4.5, 2: 5.5, 3: 9.9})
    crowded = style.spread(dict.fromkeys(range(3), 10.0), low=0, high=10, distance=1)
    assert sorted(crowded.values()) == pytest.approx([8.0, 9.0, 10.0])


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn")
    mark = style.chart([{"x": 1 / 3, "perplexity": 5.0}, {"x": 2.0, "perplexity": float("inf")}]).mark_point(clip=True)
    y = style.PerplexityAxis(low=1, high=20, linear_high=10)
    chart = alt.layer(mark.encode(x=alt.X("x:Q"), y=y.encoding()))
    return folder, style.write(chart, folder, name="one", y=y, title="One & <two>", caption="A point.")


@pytest.mark.parametrize("kind", ["svg", "png"])
def test_a_figure_is_written_as_svg_and_png(kind, drawn):
    folder, figure = drawn
    assert (folder / f"one.{kind}").stat().st_size > 100
    assert "One &amp; &lt;two&gt;" in figure.svg


def test_pictures_of_one_page_do_not_share_names_and_have_short_coordinates(drawn):
    _, figure = drawn
    assert "url(#one-clip" in figure.svg
    assert "url(#one-linear-clip" in figure.linear
    assert "333333" not in figure.svg


def test_a_number_that_no_float_holds_is_a_gap():
    assert style.chart([{"x": float("inf")}]).data.values == '[{"x": null}]'


def test_a_picture_becomes_a_pdf(drawn):
    assert style.as_pdf(drawn[1].svg).startswith(b"%PDF")
