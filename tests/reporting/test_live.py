"""The page that lies beside a study while its runs are at work."""

import json
import re
from collections import namedtuple
from types import SimpleNamespace

import pytest
from filelock import FileLock

import fakes
from bakeoff import at_work
from bakeoff.decisions import Decisions
from bakeoff.files import TEMPORARY
from bakeoff.records import write_record
from bakeoff.reporting import live
from bakeoff.study_folder import StudyFolder

RUNS = {(1, "lstm", 1, "adam"): [4.6, 4.5], (2, "lstm", 1, "sgd"): None}
EVALUATION, STEP, END, NOTE = ({"event": event} for event in ("evaluation", "step", "end", "note"))


@pytest.fixture
def study(tmp_path):
    return fakes.write_study(tmp_path / "fake", RUNS, endings={1: {"status": "diverged", "error": "</main><b>"}})


@pytest.fixture
def clock(monkeypatch):
    """Time that passes when it is told to, and a page that takes as long to draw as it is told to."""
    clock = SimpleNamespace(now=100.0, drawing=0.5, processor=0.0, drawn=[])

    def write(*_):
        clock.drawn.append(clock.now)
        clock.processor += clock.drawing

    monkeypatch.setattr(live.time, "monotonic", lambda: clock.now)
    monkeypatch.setattr(live.time, "thread_time", lambda: clock.processor)
    monkeypatch.setattr(live, "write", write)
    monkeypatch.setattr(at_work.Teller, "write", lambda _: None)
    return clock


@pytest.fixture
def curves(clock, monkeypatch):
    """When curves were drawn, where that takes as long as it is told to."""
    clock.curves, clock.drawing = [], 0.06

    def draw(study):
        clock.curves.append(clock.now)
        clock.processor += clock.drawing
        return [f"of {clock.now:.0f}"]

    monkeypatch.setattr(live.overlays, "draw", draw)
    monkeypatch.setattr(live, "_inline", list)
    return clock


def test_it_has_everything_in_it_and_fetches_nothing(study):
    live.write(study)
    text = (study.path / live.NAME).read_text()
    assert (text.count("<tr>"), text.count("<svg"), text.count("<main")) == (3, 2, 1)
    assert "<b>#1 diverged</b>: &lt;/main&gt;&lt;b&gt;" in text
    assert re.findall(r"https?://[^\"]*", text) == ["http://www.w3.org/2000/svg"] * 2
    assert not re.search(r'(?:src|href)="', text)
    assert [path.name for path in study.path.glob(f"{TEMPORARY}*")] == []


def test_it_leads_to_the_report_once_that_is_there(study):
    study.report.mkdir()
    (study.report / "index.html").write_text("")
    live.write(study)
    assert '<a href="report/index.html">report</a>' in (study.path / live.NAME).read_text()


def test_the_page_of_a_part_lies_with_the_whole_and_shows_what_was_decided(study):
    whole = study.path.parent
    Decisions(whole, str)("rung 1: <GLR>")
    study.report.mkdir()
    (study.report / "index.html").write_text("")
    live.write(study)
    assert not (study.path / live.NAME).exists()
    text = (whole / live.NAME).read_text()
    assert "<li>rung 1: &lt;GLR&gt;</li>" in text
    assert f"<h1>{whole.name}: fake on" in text
    assert '<a href="fake/report/index.html">report</a>' in text


def test_of_a_part_with_other_seeds_it_shows_that_alone(study):
    part = at_work.Part(numbers=[1], seeds=(0, 7))
    live.Page(study, pytest.fail, part).draw()
    text = (study.path / live.NAME).read_text()
    assert re.findall(r"<tr><td>(\d+)</td>.*\n.*</td><td>(\d+)</td><td class=\"text\">(\w+)<", text) == [
        ("1", "0", "diverged"),
        ("1", "7", "missing"),
    ]


def test_whoever_looks_sees_what_is_at_work_and_how_far_it_is_while_it_is(study, monkeypatch):
    run, now = namedtuple("Run", "number seed")(1, 7), SimpleNamespace(seconds=0.0)  # noqa: PYI024 (of a moment)
    folder = study.path / "01-lstm-1-adam" / "seed-7"
    folder.mkdir()
    monkeypatch.setattr(live.at_work.time, "monotonic", lambda: now.seconds)

    def shown():
        text = live.of(study)
        return re.findall(r"<tr><td>(\d+)</td>.*\n.*</td><td>(\d+)</td><td class=\"text\">([^<]+)<", text)

    def at_work_now():
        (line,) = re.findall(r"<li>at work: ([^<]+)</li>", live.of(study))
        return line

    with FileLock(study.path / ".lock"), FileLock(folder / "run.lock"):
        with live.Page(study, pytest.fail, at_work.Part(numbers=[1], seeds=[0, 7])) as page:
            page(run, {"event": "start", "steps": 560})
            assert shown() == [("1", "0", "diverged"), ("1", "7", "running")]
            for step in (10, 134):
                page(run, {"event": "step", "step": step, "loss": 1.0})
                page.draw()
                assert f"), step {step} of 560" in at_work_now()
                now.seconds += 248
            assert at_work_now() == "#1, seed 7 (LSTM, Adam), step 134 of 560, 14 min 12 s left"
            assert at_work_now() in (study.path / live.NAME).read_text()
            page(run, {"event": "step", "step": 200, "loss": 1.0})
            assert "step 200" in at_work_now(), "also between two drawings"
            page(run, {"event": "end", "status": "finished"})
            page.draw()
            assert shown()[1][2] == "running", "its summary is not there yet"
            assert at_work_now() == "#1, seed 7 (LSTM, Adam)"
        assert [line[1:] for line in shown()] == [("0", "diverged"), ("7", "running")], (
            "the part stays, not how far it is"
        )
        with live.Page(study, pytest.fail, at_work.Part(numbers=[1, 2], seeds=[0])):
            assert [line[0] for line in shown()] == []
        assert not (study.path / at_work.FILE).exists(), "the whole study was at work"


def test_what_a_killed_command_told_is_shown_no_more_and_what_cannot_be_read_is_nothing(study):
    told = {"part": {"numbers": [1], "seeds": [3]}, "runs": [{"number": 1, "seed": 3, "step": 7, "steps": 9}]}
    write_record(study.path / at_work.FILE, told)
    assert at_work.read(study) == (([1], [3]), {})
    with FileLock(study.path / ".lock"):
        assert at_work.read(study).places == {(1, 3): (7, 9, None)}
    (study.path / at_work.FILE).write_text("{")
    assert at_work.read(study) == (None, {})


def test_once_all_is_decided_nothing_is_left_to_do(study, monkeypatch):
    decisions = Decisions(study.path, str)
    decisions("rung 1: this and that")
    assert "left to run: " in live.of(study)
    with monkeypatch.context() as patch:
        patch.setattr(live, "seconds_left", lambda *_: 0.0)
        assert "; next: what these runs decide." in live.of(study)
    decisions.end("use the\ncount table")
    assert "left to run" not in live.of(study)
    assert "all is decided" in live.of(study)
    assert "<li>the answer: use the count table</li>" in live.of(study)


def test_it_is_drawn_at_both_ends_and_between_only_for_news_and_never_when_a_run_ends(clock, tmp_path):
    clock.drawing = 0.001
    with live.Page(StudyFolder(tmp_path), print) as page:
        told = [(1, EVALUATION), (1, NOTE), (1, NOTE), (9, NOTE), (1, END), (1, NOTE), (1, NOTE), (3, STEP)]
        for seconds, message in told:
            clock.now += seconds
            page(None, message)
    assert clock.drawn == [100, 103, 114, 118, 118]
    assert page.drawings == 5


@pytest.mark.parametrize("drawing", [0.001, 0.1, 2.0])
def test_the_longer_it_takes_the_more_rarely_it_is_drawn(clock, drawing, tmp_path):
    clock.drawing = drawing
    with live.Page(StudyFolder(tmp_path), print) as page:
        while clock.now < 2_500:
            clock.now += 0.25
            page(None, EVALUATION)
        while_at_work = page.seconds - drawing
    assert while_at_work / 2_400 < 0.005
    assert max(after - before for before, after in zip(clock.drawn, clock.drawn[1:], strict=False)) <= max(
        live.INTERVAL + 0.25, drawing / live.SHARE + 0.25
    )


def study_of(epochs):
    return SimpleNamespace(
        rows=[SimpleNamespace(folder="a", status="running", history=[0] * epochs, train_seconds=float(epochs))]
    )


def test_curves_are_kept_until_they_changed_and_their_share_of_the_time_has_passed(curves):
    kept = live.Drawn()
    assert kept.drawn(study_of(0)) == ["of 100"]
    assert kept.due == 100, "the first one, before anything is trained, holds up no other"
    epochs = 1
    while curves.now < 1_100:
        curves.now += 5
        epochs += 1
        kept.drawn(study_of(epochs))
        assert kept.drawn(study_of(epochs)) == [f"of {curves.curves[-1]:.0f}"]
        assert kept.seconds == 0.0, "they are as they were"
    assert 0.06 * len(curves.curves) / 1_000 < 1.1 * live.CURVES_SHARE
    assert len(curves.curves) >= 20
    kept.due = 0.0
    assert kept.drawn(study_of(epochs + 1)) == [f"of {curves.now:.0f}"], "in the end they are whole"


def test_what_curves_take_holds_up_nothing_else(clock, tmp_path):
    with live.Page(StudyFolder(tmp_path), print) as page:
        clock.drawing = 0.06
        for _ in range(400):
            page.kept.seconds = 0.05
            clock.now += 0.25
            page(None, EVALUATION)
    assert max(after - before for before, after in zip(clock.drawn, clock.drawn[1:], strict=False)) <= 4.25
    assert page.kept.due == 0.0


def test_of_a_study_that_was_moved_meanwhile_it_says_nothing(study, tmp_path):
    said = []
    with live.Page(study, said.append) as page:
        study.path.rename(tmp_path / "moved")
        page(None, EVALUATION)
    assert said == []
    assert not study.path.exists()


def test_what_goes_wrong_with_it_is_said_once_and_disturbs_nothing(study):
    (study.path / live.NAME).mkdir()
    said = []
    with live.Page(study, said.append) as page:
        page(None, EVALUATION)
        (study.path / "study.json").write_text("{")
    assert len(said) == 1
    assert said[0].startswith(f"{study.path / live.NAME} could not be drawn: ")
    assert len(said[0].splitlines()) == 1
    assert list(study.path.glob(f"{TEMPORARY}*")) == []


def test_an_interrupt_is_no_failure(study, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(live, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        live.Page(study, print).draw()


def test_it_follows_what_is_written(study):
    with live.Page(study, print):
        run = next(study.path.glob("01-*/seed-0/history.jsonl"))
        line = json.loads(run.read_text().splitlines()[-1])
        (run.parent / "summary.json").unlink()
        with run.open("a") as file:
            file.write(json.dumps(line | {"epoch": 3, "step": 300}) + "\n")
        assert 'value="2"' in (study.path / live.NAME).read_text()
    assert 'value="3"' in (study.path / live.NAME).read_text()
