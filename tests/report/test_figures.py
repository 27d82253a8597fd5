"""All figures, as SVG and PNG."""

import xml.etree.ElementTree as ET

from bakeoff.analysis.rows import read_rows
from bakeoff.report import figures

WITH_HISTORY = (1, 2, 3, 6, 7, 8)


def test_every_run_with_an_evaluation_has_two_figures_and_no_other_has_one(built):
    names = {f"{number:02d}-{axis}" for number in WITH_HISTORY for axis in ("epochs", "time")}
    assert {figure.name for figure in built.figures.alone} == names


def test_study_wide_figures_have_the_names_that_findings_use(built):
    assert [figure.name for figure in built.figures.study] == ["pareto-time", "pareto-memory", "parameters"]


def test_every_figure_is_on_disk_as_svg_and_png(built):
    folder = built.folder / "figures"
    assert {path.name for path in folder.iterdir()} == {f"{n}.{kind}" for n in built.named for kind in ("svg", "png")}
    for name, figure in built.named.items():
        assert (folder / f"{name}.svg").read_text(encoding="utf-8") == figure.svg
        assert ET.fromstring(figure.svg).tag.endswith("svg")  # noqa: S314 (we wrote it)
        assert (folder / f"{name}.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


def test_seeds_of_an_experiment_share_a_figure(make_fake_study, tmp_path):
    sums = {"nats": 5000.0, "tokens": 1000, "words": 600, "bytes": 3000}
    line = {"epoch": 0, "step": 0, "train_seconds": 0.0, "train": sums, "valid": sums}
    study = make_fake_study(tmp_path / "fake", runs={(1, "lstm", 1, "adam"): ([line], None)}, seeds=(3, 4))
    drawn = figures.draw(read_rows(study), tmp_path / "figures")
    assert [figure.name for figure in drawn.alone] == ["01-epochs", "01-time"]
    assert "lowest valid perplexity of its 2 seeds" in drawn.alone[0].caption
    assert "Seed 4: " in drawn.alone[0].caption


def test_a_study_without_an_evaluation_has_no_figure(make_fake_study, tmp_path):
    study = make_fake_study(tmp_path / "fake", runs={(1, "lstm", 1, "adam"): ([], None)})
    assert figures.draw(read_rows(study), tmp_path / "figures").numbered == ()
