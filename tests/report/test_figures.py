"""Two figures an experiment, as SVG and PNG."""

import xml.etree.ElementTree as ET

import pytest

from bakeoff.analysis.rows import read_rows
from bakeoff.report import figures

WITH_HISTORY = (1, 2, 3, 6, 7, 8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("figures")


@pytest.fixture(scope="module")
def drawn(fake_study, folder):
    return {figure.name: figure for figure in figures.draw(read_rows(fake_study), folder)}


def test_every_run_with_an_evaluation_has_two_figures_and_no_other_has_one(drawn):
    names = {f"{number:02d}-{axis}" for number in WITH_HISTORY for axis in ("epochs", "time")}
    assert {name for name in drawn if name[0].isdigit()} == names


def test_every_figure_is_on_disk_as_svg_and_png(drawn, folder):
    assert {path.name for path in folder.iterdir()} == {f"{name}.{kind}" for name in drawn for kind in ("svg", "png")}
    for name, figure in drawn.items():
        assert (folder / f"{name}.svg").read_text(encoding="utf-8") == figure.svg
        assert ET.fromstring(figure.svg).tag.endswith("svg")  # noqa: S314 (we wrote it)
        assert (folder / f"{name}.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


def test_seeds_of_an_experiment_share_a_figure(make_fake_study, tmp_path, folder):
    sums = {"nats": 5000.0, "tokens": 1000, "words": 600, "bytes": 3000}
    line = {"epoch": 0, "step": 0, "train_seconds": 0.0, "train": sums, "valid": sums}
    study = make_fake_study(tmp_path / "fake", runs={(1, "lstm", 1, "adam"): ([line], None)}, seeds=(3, 4))
    drawn = figures.draw(read_rows(study), tmp_path / "figures")
    assert [figure.name for figure in drawn if figure.name[0].isdigit()] == ["01-epochs", "01-time"]
    assert "Seed 3: " in drawn[0].caption
    assert "Seed 4: " in drawn[0].caption


def test_a_study_without_an_evaluation_has_no_learning_curve(make_fake_study, tmp_path):
    study = make_fake_study(tmp_path / "fake", runs={(1, "lstm", 1, "adam"): ([], None)})
    assert figures.draw(read_rows(study), tmp_path / "figures") == []
