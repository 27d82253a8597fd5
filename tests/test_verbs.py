"""The verbs in Python: the command line's work, with results to go on with."""

import dataclasses
import json
import subprocess
import sys
from dataclasses import dataclass

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import bakeoff
import fakes
from bakeoff import verbs
from bakeoff.errors import UserError
from bakeoff.models import LSTM
from bakeoff.run_folder import RunFolder
from bakeoff.study_folder import StudyFolder


@pytest.fixture(scope="module")
def results(tiny_study, tmp_path_factory):
    return bakeoff.run(tiny_study, out=tmp_path_factory.mktemp("runs"), epochs=1, tensorboard=True)


def test_a_study_is_run_and_reported(results):
    assert results.failed == ()
    assert results.folder.name.startswith("tiny-")
    assert results.page == results.folder / "report" / "index.html"
    assert results.page.is_file()
    assert results.rows()["status"].to_list() == ["finished", "finished"]


def test_event_files_have_grown_beside_its_runs(results):
    for run in results.folder.glob("*/seed-0"):
        found = EventAccumulator(str(results.folder / "tensorboard" / run.relative_to(results.folder)))
        found.Reload()
        steps = [line["step"] for line in RunFolder(run).history()]
        assert [event.step for event in found.Scalars("loss/valid")] == steps
        assert [event.step for event in found.Scalars("final/test_perplexity")] == steps[-1:]


def test_event_files_need_their_library_before_anything_is_done(tiny_study, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(UserError, match=r"pip install 'bakeoff\[tensorboard\]'"):
        bakeoff.run(tiny_study, out=tmp_path, tensorboard=True)
    assert list(tmp_path.iterdir()) == []


def test_again_it_does_only_what_is_missing(results, tiny_study, capfd):
    before = {path: path.read_bytes() for path in results.folder.glob("*/*/summary.json")}
    again = bakeoff.run(tiny_study, out=results.folder.parent, epochs=1, write_report=False)
    assert again == dataclasses.replace(results, page=None)
    assert {path: path.read_bytes() for path in results.folder.glob("*/*/summary.json")} == before
    assert capfd.readouterr() == ("", "")


def test_another_command_at_work_there_is_waited_for_by_no_one(results, tiny_study):
    with StudyFolder(results.folder).acquire(), pytest.raises(UserError, match="another command is at work"):
        bakeoff.run(tiny_study, out=results.folder.parent, epochs=1)


def test_rows_are_a_frame_of_the_numbers_in_the_results(results):
    frame = bakeoff.rows(results.folder)
    written = json.loads((results.page.parent / "results.json").read_text(encoding="utf-8"))["rows"]
    assert frame.columns[:3] == ["study", "number", "model"]
    assert frame["study"].unique().to_list() == ["tiny"]
    assert frame["valid_nats"].to_list() == [row["valid"]["nats"] for row in written]
    assert frame["last_test_bits_per_byte"].to_list() == [row["last"]["test"]["bits_per_byte"] for row in written]
    nested = {name for name, kind in frame.schema.items() if kind.is_nested()}
    assert nested == set()
    assert frame.to_pandas()["valid_nats"].tolist() == frame["valid_nats"].to_list()


def test_no_run_at_a_time_is_refused_as_by_the_command(tiny_study, tmp_path):
    with pytest.raises(UserError, match="from 1 to 999, not 0"):
        bakeoff.run(tiny_study, out=tmp_path, jobs=0)


def test_a_study_of_a_precision_that_the_processor_lacks_is_left_as_it_is(tiny_study, tmp_path, monkeypatch):
    monkeypatch.setattr("torch.cpu.get_capabilities", dict)
    with pytest.raises(UserError, match="the study is in bfloat16, in which this processor does not compute"):
        bakeoff.run(tiny_study, out=tmp_path, precision="bf16")
    assert not list(tmp_path.rglob("study.json"))


def test_rows_of_several_studies_stand_in_one_frame(tmp_path):
    fakes.write_study(tmp_path / "a", {(1, "lstm", 1, "adam"): [4.5]}, study="one")
    fakes.write_study(tmp_path / "b", {(1, "lstm", 1, "adam"): None, (2, "gpt1", 1, "sgd"): [4.7]}, study="two")
    frame = bakeoff.rows(tmp_path)
    assert frame.select("study", "number", "status").rows() == [
        ("one", 1, "finished"),
        ("two", 1, "missing"),
        ("two", 2, "finished"),
    ]
    assert frame["valid_perplexity"].null_count() == 1
    with pytest.raises(UserError, match="holds several studies: name one of a, b"):
        bakeoff.report(tmp_path)


def test_a_report_is_written_elsewhere_and_leaves_a_users_files_alone(fake_study, tmp_path):
    found = bakeoff.report(str(fake_study.path), str(tmp_path))
    assert (found.folder, found.page) == (fake_study.path, tmp_path / "fake" / "index.html")
    assert found.page.is_file()
    (tmp_path / "mine" / "fake").mkdir(parents=True)
    (tmp_path / "mine" / "fake" / "notes.txt").write_text("precious")
    with pytest.raises(UserError, match=r"holds files, and no index\.html"):
        bakeoff.report(fake_study.path, tmp_path / "mine")


def test_what_a_report_lacks_is_told(fake_study, tmp_path, monkeypatch):
    def broken(*arguments):
        raise ZeroDivisionError("no <room>")

    monkeypatch.setattr("bakeoff.reporting.pdf.write", broken)
    found = bakeoff.report(fake_study.path, tmp_path)
    assert found.failed == (f"{found.page}: report.pdf failed: ZeroDivisionError: no <room>",)
    assert "no &lt;room&gt;" in found._repr_html_()


def test_a_notebook_shows_results_as_the_reports_table(results):
    html = results._repr_html_()
    assert html.count("<tr>") == 1 + len(results.rows()) + len(
        json.loads((results.page.parent / "results.json").read_text())["baselines"]
    )
    assert f'<a href="{results.page}">' in html
    assert "<b>" in html


def test_a_notebook_shows_no_markup_of_a_users(tmp_path):
    def nasty(study):
        study["models"][0]["title"] = "<script>"

    folder = fakes.write_study(tmp_path / "fake", {(1, "lstm", 1, "adam"): [4.5]}, seeds=(0, 1), edit=nasty)
    html = verbs.Results(folder=folder.path, page=None)._repr_html_()
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert html.count("&lt;script&gt;") == 1  # the mean of two seeds
    assert "href" not in html


@dataclass(frozen=True, kw_only=True)
class Mine(LSTM):
    """Defined where no run's process finds it."""

    name = "mine"


def test_a_study_of_ones_own_classes_needs_a_file(tiny_study, tmp_path):
    first, *_ = tiny_study.experiments
    study = dataclasses.replace(tiny_study, experiments=(dataclasses.replace(first, architecture=Mine()),))
    with pytest.raises(UserError, match=r"do not know .*Mine: define it and `study` in a Python file"):
        bakeoff.run(study, out=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_importing_bakeoff_is_light_and_shows_what_there_is():
    check = """
import sys, bakeoff
assert set(bakeoff.__all__) <= set(dir(bakeoff))
assert not {"torch", "polars", "numpy", "rich", "typer"} & set(sys.modules)
assert callable(bakeoff.report) and callable(bakeoff.rows) and "torch" not in sys.modules
try:
    bakeoff.bake
except AttributeError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout == "module 'bakeoff' has no attribute 'bake'\n"
