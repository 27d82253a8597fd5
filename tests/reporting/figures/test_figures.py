"""All figures of a study."""

import re
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor

import fakes
from bakeoff.reporting import figures
from bakeoff.reporting.figures import style
from bakeoff.reporting.reuse import Reuse
from golden import golden


def test_every_run_with_an_evaluation_has_two_figures_in_the_order_of_numbers(drawn):
    expected = [f"{number:02d}-{axis}" for number in range(1, 7) for axis in ("epochs", "time")]
    assert [figure.name for figure in drawn.figures.alone] == expected
    assert {(figure.experiment, figure.axis) for figure in drawn.figures.alone} == {
        (number, axis) for number in range(1, 7) for axis in ("epochs", "time")
    }


def test_figures_that_show_several_runs_have_the_names_that_findings_use(drawn):
    overlays = [f"overlay-{model}-{axis}" for model in ("lstm", "gpt1") for axis in ("epochs", "time")]
    assert [figure.name for figure in drawn.figures.overlays] == overlays
    assert [figure.name for figure in drawn.figures.study] == [
        *("pareto-time", "pareto-memory", "parameters", "gap-by-depth"),
        *("deciles-lstm", "deciles-gpt1", "rates-lstm", "rates-gpt1"),
    ]


def test_every_figure_is_on_disk_as_svg_and_png(drawn):
    assert {path.name for path in drawn.folder.iterdir()} == {
        f"{n}.{kind}" for n in drawn.named for kind in ("svg", "png")
    }
    for name, figure in drawn.named.items():
        assert (drawn.folder / f"{name}.svg").read_text(encoding="utf-8") == figure.svg
        assert ET.fromstring(figure.svg).tag.endswith("svg")  # noqa: S314 (we wrote it)
        assert (drawn.folder / f"{name}.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


def test_every_figure_has_the_same_size_and_no_coordinate_that_a_viewer_cannot_hold(drawn):
    for figure in drawn.figures.numbered:
        assert f'width="{style.SIZE[0]}" height="{style.SIZE[1]}"' in figure.svg
        assert not re.search(r"NaN|Infinity|\d{6,}\.", figure.svg)


def test_captions(drawn):
    told = "\n".join(f"{figure.name}: {figure.title}\n  {figure.caption}\n" for figure in drawn.figures.numbered)
    golden("captions.txt", told)


def test_a_study_without_an_evaluation_has_a_figure_of_its_search_alone(tmp_path):
    study = fakes.read_study(tmp_path / "study", {(1, "lstm", 1, "adam"): None})
    assert [figure.name for figure in figures.draw(study, Reuse(tmp_path, tmp_path)).numbered] == ["rates-lstm"]


def test_a_study_of_one_run_that_only_began_is_drawn(tmp_path):
    study = fakes.read_study(tmp_path / "study", {(1, "lstm", 1, "adam"): []}, endings={1: None}, tuning=None)
    drawn = figures.draw(study, Reuse(tmp_path, tmp_path)).numbered
    assert [figure.name for figure in drawn] == ["overlay-lstm-epochs", "overlay-lstm-time", "01-epochs", "01-time"]
    assert "Only the start was measured. The run was interrupted." in drawn[-1].caption


def test_optimizers_that_differ_in_their_decay_alone_are_told_apart(tmp_path):
    def edit(study):
        for entry, decay in zip(study["experiments"], (0.1, 0.01, 0.3), strict=True):
            entry["optimizer_settings"]["weight_decay"] = decay

    keys = [(number, "lstm", 1, "adamw") for number in (1, 2, 3)]
    curves = {key: fakes.falling(4.5 + key[0] / 10) for key in keys}
    study = fakes.read_study(tmp_path / "study", curves, edit=edit)
    colours = style.colours(study)
    assert list(colours) == [f"AdamW (weight decay {decay})" for decay in ("0.1", "0.01", "0.3")]
    assert len(set(colours.values())) == 3
    svg = {figure.name: figure.svg for figure in figures.draw(study, Reuse(tmp_path, tmp_path)).numbered}
    for number, (title, colour) in enumerate(colours.items(), start=1):
        assert title in svg["overlay-lstm-epochs"]
        assert title in svg["pareto-time"]
        assert f'stroke="{colour}"' in svg["overlay-lstm-epochs"]
        assert f'stroke="{colour}"' in svg[f"{number:02d}-epochs"]
    assert "AdamW (weight decay 0.3)" in svg["deciles-lstm"]


def test_several_threads_draw_at_once(tmp_path):
    """As reports of several studies are made from a notebook."""
    runs = {(1, "lstm", 1, "adam"): fakes.falling(4.5), (2, "lstm", 1, "sgd"): fakes.falling(4.6)}
    studies = [fakes.read_study(tmp_path / f"study-{n}", runs) for n in range(4)]
    with ThreadPoolExecutor(4) as pool:
        drawn = list(pool.map(lambda study: figures.draw(study, Reuse(tmp_path, tmp_path)), studies))
    assert [len(each.numbered) for each in drawn] == [len(drawn[0].numbered)] * 4
