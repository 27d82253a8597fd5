"""Labels beside the plot, and notes in it."""

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakeoff.reporting.figures import lines, pictures
from bakeoff.reporting.figures.lines import Label, Series
from bakeoff.reporting.figures.style import Axis
from bakeoff.reporting.reuse import Reuse

AXIS = Axis(low=0, high=10, title="")


def draw(path, series, floors=()):
    chart = lines.draw(series, AXIS, AXIS, floors, name="one", title="One", caption="")
    return pictures.render(chart, Reuse(path, path)).svg


def test_labels_are_moved_as_little_as_keeps_them_apart():
    assert lines.spread([9.0, 5.0], distance=1, low=0, high=10) == [9.0, 5.0]
    assert lines.spread([5.0, 5.0, 9.9], distance=1, low=0, high=10) == pytest.approx([4.5, 5.5, 9.9])
    assert lines.spread([10.0] * 3, distance=1, low=0, high=10) == pytest.approx([8.0, 9.0, 10.0])
    assert lines.spread([0.0] * 3, distance=9, low=0, high=10) == pytest.approx([0.0, 5.0, 10.0])
    assert lines.spread([], distance=1, low=0, high=10) == []


@given(st.lists(st.floats(-5, 30), max_size=12))
def test_labels_never_touch_keep_their_order_and_stay_inside(places):
    moved = lines.spread(places, distance=2, low=0, high=24)
    assert sorted(range(len(places)), key=lambda k: moved[k]) == sorted(range(len(places)), key=lambda k: places[k])
    assert all(after - before > 1.999 for before, after in itertools.pairwise(sorted(moved)))
    assert all(-1e-9 <= place <= 24 + 1e-9 for place in moved)


def test_a_line_has_a_sample_and_its_label_in_its_colour(tmp_path):
    svg = draw(tmp_path, [Series("#0072B2", [[(0, 1), (9, 5)]], label="#1 Adam", end=5, name="run-1", dash=[6, 2])])
    assert re.search(r'<g class="run-1">\s*<path d="M\S+" fill="none" stroke="#0072B2"', svg)
    beside = svg.partition('<g class="around"')[2]
    assert 'fill="#0072B2">#1 Adam</text>' in beside
    assert 'stroke="#0072B2" stroke-width="1.6" stroke-dasharray="6,2"' in beside


def test_a_floor_has_a_line_over_the_whole_plot_and_a_leader_to_its_label(tmp_path):
    svg = draw(tmp_path, [], [Label("kn2 97.96", 50.0), Label("kn3 90.88", 52.0)])
    assert "kn2 97.96" in svg
    plot = lines.draw([], AXIS, AXIS, [Label("kn2 97.96", 50.0)], name="one", title="", caption="").plot
    assert re.findall(rf'd="M0,(\d+)H{plot:g}"', svg) == ["50", "52"]
    assert re.findall(rf'd="M{plot:g},(\d+)L', svg) == ["50", "52"]


def test_long_labels_leave_room_for_the_plot(tmp_path):
    short = lines.draw([Series("#000000", label="a")], AXIS, AXIS, name="a", title="", caption="")
    long = lines.draw([Series("#000000", label="a" * 500)], AXIS, AXIS, name="b", title="", caption="")
    assert short.plot > long.plot > 100
    assert "…" in pictures.render(long, Reuse(tmp_path, tmp_path)).svg


def test_a_title_that_is_too_long_ends_in_dots(tmp_path):
    chart = lines.draw([], AXIS, AXIS, name="one", title="a" * 500, caption="")
    assert re.search(r">a{50,70}…</text>", pictures.render(chart, Reuse(tmp_path, tmp_path)).svg)


def test_numbers_of_an_axis_do_not_touch(tmp_path):
    crowded = Axis(low=0, high=10, title="", ticks=[0, 1, 1.01, 5, 10])
    svg = pictures.render(
        lines.draw([], crowded, crowded, name="one", title="", caption=""), Reuse(tmp_path, tmp_path)
    ).svg
    assert re.findall(r">([\d.]+)</text>", svg) == ["0", "1", "5", "10"] * 2


def test_what_leaves_the_plot_is_drawn_on_and_cut_off_by_it(tmp_path):
    svg = draw(tmp_path, [Series("#000000", [[(0, 5), (5, 20)]])])
    inside = svg.partition('<g clip-path="url(#one-clip)">')[2]
    assert re.search(r'd="M0,112L[\d.]+,-224"', inside)


def test_points_tell_what_they_are(tmp_path):
    assert 'aria-label="told"' in draw(tmp_path, [Series("#000000", points=[(1, 1, "told")])])


def test_notes_stand_where_they_cover_no_point_and_no_other_note(tmp_path):
    series = [Series("#000000", points=[(5, 5 + k / 4, "")], note=f"#{k}") for k in range(3)]
    svg = draw(tmp_path, series)
    where = re.findall(r'<text x="([\d.]+)" y="([\d.]+)">#\d<', svg)
    assert len(where) == 3
    boxes = [(float(x) - 6, float(y) - 4, float(x) + 6, float(y) + 4) for x, y in where]
    assert all(lines.covered(one, [other]) == 0 for one, other in itertools.combinations(boxes, 2))


def test_the_first_place_around_a_point_is_above_it():
    left, top, right, bottom = next(lines.around(100.0, 100.0, 20.0))
    assert (left, right) == (90.0, 110.0)
    assert bottom < 100 - lines.POINT
    assert top < bottom
