"""A report on disk: whole or not there, of whatever runs there are, in every form, without torch."""

import errno
import json
import shutil
import subprocess
import sys
import threading
from html import unescape
from pathlib import Path

import polars as pl
import pytest
from filelock import FileLock

import fakes
from bakeoff import costs
from bakeoff.errors import UserError
from bakeoff.reporting import build as building
from bakeoff.reporting import pdf
from bakeoff.reporting.build import build
from bakeoff.reporting.figures import pictures
from bakeoff.study_folder import StudyFolder
from forked import unseal

ONE = {(1, "lstm", 1, "adam"): fakes.falling(4.5)}
FILES = {"index.html", "report.pdf", "results.json", "results.csv", "table.md", "table.tex", "figures"}
OWN = {".files", ".kept.json", ".lock"}


@pytest.fixture
def one(tmp_path, plain_figures):
    return fakes.write_study(tmp_path / "fake", ONE)


def names(folder):
    return {path.name for path in folder.iterdir()}


def strict_json(path):
    def refuse(constant):
        raise AssertionError(constant)

    return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)


def test_a_report_takes_the_disk_that_is_allowed_for_it(built):
    size = sum(path.stat().st_size for path in built.folder.rglob("*") if path.is_file())
    assert costs.REPORT / 4 < size < costs.REPORT  # three seeds of twelve experiments take most of it


def test_a_report_has_all_its_files(built, fake_study):
    assert built.folder == fake_study.report
    assert names(built.folder) == FILES | OWN
    pictures = {
        f"{number:02d}-{axis}.{kind}"
        for number in (1, 2, 3, 6, 7, 8)
        for axis in ("epochs", "time")
        for kind in ("svg", "png")
    }
    assert pictures <= names(built.folder / "figures")


def test_results_are_strict_json_with_the_keys_of_the_contract(built):
    results = strict_json(built.folder / "results.json")
    assert set(results) >= {"study", "corpus", "rows", "baselines", "findings"}
    assert [row["number"] for row in results["rows"]] == [1, 2, 7, 5, 3, 4, 6, 8]
    assert {baseline["name"] for baseline in results["baselines"]} >= {"unigram", "kn2", "kn3", "kn3+cache"}
    assert results["rows"][0]["valid"]["perplexity"] == pytest.approx(90.0171)
    assert {"diagnosis", "diagnosis_rule", "diagnosis_text", "memory_parts"} <= set(results["rows"][0])
    verdicts = {"yes", "no", "leaning yes", "leaning no", "the same", "cannot be told", "not measured", "answered"}
    for finding in results["findings"]:
        assert set(finding) >= {"name", "question", "verdict", "text", "evidence", "figures", "conjecture"}
        assert finding["verdict"] in verdicts
    assert len({finding["name"] for finding in results["findings"]}) == len(results["findings"]) > 4


def test_results_can_be_read_as_a_flat_table_without_a_formula_in_it(built, nasty_built):
    found = pl.read_csv(built.folder / "results.csv")
    assert found["number"].to_list() == [1, 2, 7, 5, 3, 4, 6, 8]
    valid = dict(zip(found["number"], found["valid_nats"], strict=True))
    assert (valid[1], valid[5]) == (pytest.approx(4500), None)
    columns = {"test_bits_per_byte", "last_test_perplexity", "memory_peak_bytes", "memory_parts_weights", "diagnosis"}
    assert columns <= set(found.columns)
    cells = pl.read_csv(nasty_built.folder / "results.csv").row(0, named=True)
    assert cells["optimizer_title"].startswith("'=1+1")
    assert not [cell for cell in cells.values() if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@"))]
    assert len((nasty_built.folder / "results.csv").read_text(encoding="utf-8").splitlines()) == 2


def test_a_study_with_no_run_has_a_report(tmp_path):
    folder = fakes.write_study(tmp_path / "fake", dict.fromkeys(ONE))
    page, _ = build(folder)
    assert (folder.report / "report.pdf").read_bytes().startswith(b"%PDF")
    assert strict_json(folder.report / "results.json")["rows"][0]["status"] == "missing"
    assert 'class="failed"' not in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("nats", [8_471.0, 9e6])
def test_losses_beyond_what_a_float_can_exponentiate_are_reported(tmp_path, nats):
    runs = {**ONE, (2, "lstm", 1, "sgd"): [nats], (3, "gpt1", 1, "sgd"): [nats], (4, "gpt1", 1, "adam"): [nats]}
    endings = {2: {"status": "diverged", "error": "the loss"}, 3: None}
    page, _ = build(fakes.write_study(tmp_path / "fake", runs, endings=endings))
    rows = strict_json(page.parent / "results.json")["rows"]
    assert [row["last"]["valid"]["perplexity"] for row in rows][1:] == [None] * 3
    assert 'class="failed"' not in page.read_text(encoding="utf-8")


def broken(*arguments):
    raise ZeroDivisionError("by <nothing>")


@pytest.mark.parametrize(
    ("room", "function", "said"),
    [
        ("figures", "draw", "Drawing failed: ZeroDivisionError: by &lt;nothing&gt;"),
        ("answer", "first_screen", "The first screen failed: ZeroDivisionError"),
        ("table", "markdown", "table.md failed: ZeroDivisionError"),
        ("pdf", "write", "report.pdf failed: ZeroDivisionError"),
    ],
)
def test_a_part_that_fails_is_said_to_have_failed_and_the_others_are_there(one, monkeypatch, room, function, said):
    monkeypatch.setattr(getattr(building, room), function, broken)
    built = build(one)
    html = built.page.read_text(encoding="utf-8")
    assert said in html
    assert [reason.startswith(unescape(said)) for reason in built.failed] == [True]
    assert len(FILES - names(one.report)) <= 1
    assert "finding-counting" in html


def test_a_question_that_fails_has_the_reason_for_an_answer(one, monkeypatch):
    monkeypatch.setattr(building, "QUESTIONS", (broken, *building.QUESTIONS))
    html = build(one).page.read_text(encoding="utf-8")
    failed, counting = strict_json(one.report / "results.json")["findings"][:2]
    assert (failed["name"], failed["question"], failed["verdict"]) == ("broken", "Broken", "not measured")
    assert failed["text"] == "The answer about broken failed: ZeroDivisionError: by <nothing>."
    assert counting["name"] == "counting"
    assert html.count("The answer about broken failed") == 2


def test_a_cell_that_fails_says_why_and_takes_no_other_with_it(one, monkeypatch):
    monkeypatch.setattr(building.table, "is_timed", broken)
    html = build(one).page.read_text(encoding="utf-8")
    assert "failed: ZeroDivisionError(&#39;by &lt;nothing&gt;&#39;)" in html
    assert "90.02" in html
    assert names(one.report) >= FILES


def test_a_report_replaces_the_files_of_the_one_before_and_leaves_what_a_user_put_beside_them(one):
    build(one)
    stale = one.report / "figures" / "99-epochs.svg"
    stale.touch()
    manifest = one.report / ".files"
    manifest.write_text(manifest.read_text() + "figures/99-epochs.svg\n")
    for mine in (one.report / "notes.md", one.report / "figures" / "mine.png"):
        mine.write_text("mine")
    (one.report / "index.html").write_text("old")
    build(one)
    assert not stale.exists()
    assert (one.report / "notes.md").read_text() == (one.report / "figures" / "mine.png").read_text() == "mine"
    assert (one.report / "index.html").read_text(encoding="utf-8") != "old"
    assert "99-epochs" not in manifest.read_text()


def test_a_report_of_the_same_runs_renders_nothing_and_is_the_same(fake_study, tmp_path, monkeypatch):
    """Only what changed is rendered when a run has; a report elsewhere keeps its own pictures."""
    study, elsewhere, calls = shutil.copytree(fake_study.path, tmp_path / "fake"), tmp_path / "elsewhere", []
    unseal(study)
    build(StudyFolder(study), elsewhere)
    before = contents_of(elsewhere)
    for module, name in ((pictures, "as_png"), (pdf.typst, "compile")):
        monkeypatch.setattr(module, name, counted(calls, getattr(module, name)))
    build(StudyFolder(study), elsewhere)
    assert calls == []
    assert contents_of(elsewhere) == before
    history = study / "08-gpt1-4-adamw" / "seed-0" / "history.jsonl"
    history.write_text(history.read_text(encoding="utf-8").replace('"train_seconds": 2.0', '"train_seconds": 2.1'))
    build(StudyFolder(study), elsewhere)
    after = contents_of(elsewhere)
    changed = {name for name in after if after[name] != before[name]}
    assert {"figures/08-time.svg", "figures/08-time.png", "figures/overlay-gpt1-time.svg", "report.pdf"} <= changed
    assert not {name for name in changed if name.startswith(("figures/0", "figures/deciles")) and "/08-" not in name}
    pictures_changed = len([name for name in changed if name.endswith(".svg")])
    assert calls.count("as_png") == pictures_changed
    assert calls.count("compile") == 1


def contents_of(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def counted(calls, function):
    def call(*arguments, **options):
        calls.append(function.__name__)
        return function(*arguments, **options)

    return call


def test_a_list_of_files_that_was_tampered_with_removes_nothing_elsewhere(one):
    build(one)
    (one.report / ".files").write_text("../study.json\n")
    build(one)
    assert (one.path / "study.json").is_file()


@pytest.mark.parametrize("listed", [b"figures\n\0\n", b"\xff\n", b"x" * 300 + b"\n"])
def test_what_a_report_keeps_for_the_next_and_cannot_be_read_is_not_there(one, listed):
    build(one)
    (one.report / ".files").write_bytes(listed)
    (one.report / ".kept.json").write_text("[" * 100_000)
    build(one)
    assert names(one.report) == FILES | OWN


def test_a_lock_that_is_a_link_is_replaced(one):
    one.report.mkdir()
    (one.report / ".lock").symlink_to(one.path / "study.json")
    before = (one.path / "study.json").read_bytes()
    build(one)
    assert not (one.report / ".lock").is_symlink()
    assert (one.path / "study.json").read_bytes() == before


def test_a_report_elsewhere_writes_nothing_in_the_study(one, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in one.path.rglob("*")}
    page, _ = build(one, tmp_path / "elsewhere" / "here")
    assert page == tmp_path / "elsewhere" / "here" / "index.html"
    assert names(page.parent) == FILES | OWN
    assert {path: path.stat().st_mtime_ns for path in one.path.rglob("*")} == before


def test_files_in_the_way_elsewhere_are_not_overwritten(one, tmp_path):
    (tmp_path / "site").mkdir()
    mine = tmp_path / "site" / "index.html"
    mine.write_text("mine")
    with pytest.raises(UserError, match=r"index\.html was not made by a report"):
        build(one, tmp_path / "site")
    assert (mine.read_text(), names(mine.parent)) == ("mine", {"index.html", ".lock"})


@pytest.mark.parametrize("name", [".files", ".kept.json", "index.html"])
def test_a_folder_in_the_way_is_named_and_nothing_is_changed(one, name):
    (one.report / name).mkdir(parents=True)
    with pytest.raises(UserError, match=rf"report/{name} is a folder where a report has a file: move it away, or"):
        build(one)
    assert names(one.report) == {name, ".lock"}


def test_a_report_that_is_not_whole_is_not_there(one, monkeypatch):
    build(one)
    before = {path: path.read_bytes() for path in one.report.rglob("*") if path.is_file()}
    monkeypatch.setattr(building.page, "render", broken)
    with pytest.raises(ZeroDivisionError):
        build(one)
    assert {path: path.read_bytes() for path in one.report.rglob("*") if path.is_file()} == before


def test_one_that_is_interrupted_while_it_is_put_into_place_has_no_page_and_the_next_mends_it(one, monkeypatch):
    build(one)
    replace = Path.replace

    def full(path, target):
        if path.name == "index.html":  # what comes last
            raise OSError(errno.ENOSPC, "No space left on device")
        return replace(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(building.page, "render", lambda *arguments: "half")
        patch.setattr(Path, "replace", full)
        with pytest.raises(OSError, match="No space"):
            build(one)
    assert not (one.report / "index.html").exists()
    leftover = one.report / ".unfinished-dead"
    leftover.mkdir()
    build(one)
    assert names(one.report) == FILES | OWN


def test_two_writers_at_once_leave_a_whole_report(one):
    failures = []

    def write():
        try:
            build(one)
        except Exception as error:  # noqa: BLE001 (whatever it was)
            failures.append(error)

    writers = [threading.Thread(target=write) for _ in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert failures == []
    assert names(one.report) == FILES | OWN
    made = (one.report / ".files").read_text().splitlines()
    assert all((one.report / name).is_file() for name in made)


def test_a_writer_that_never_ends_is_named(one, monkeypatch):
    monkeypatch.setattr(building, "PATIENCE", 0.05)
    one.report.mkdir()
    with FileLock(one.report / ".lock"), pytest.raises(UserError, match="another command is still writing"):
        build(one)


def test_the_published_report_is_beside_the_studies_that_repeat_it_and_where_it_is_asked_for(one, tmp_path):
    assert 'id="published"' not in build(one).page.read_text(encoding="utf-8")
    assert 'id="published"' in build(one, beside_published=True).page.read_text(encoding="utf-8")
    seed = fakes.write_study(tmp_path / "seed", ONE, study="seed-learned")
    assert 'id="published"' in build(seed).page.read_text(encoding="utf-8")


def test_building_reaches_no_torch(tmp_path):
    folder = fakes.write_study(tmp_path / "fake", dict.fromkeys(ONE))
    code = (
        "import sys, pathlib; from bakeoff import study_folder; from bakeoff.reporting.build import build; "
        f"build(study_folder.StudyFolder(pathlib.Path({str(folder.path)!r}))); "
        "assert 'torch' not in sys.modules and 'tokenizers' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
