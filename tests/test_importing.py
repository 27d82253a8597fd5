"""What other programs report is shown with a study, marked, and decides nothing."""

import contextlib
import hashlib
import json
import math
import os
import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.plugins.scalar.summary_v2 import scalar_pb
from tensorboard.plugins.text.summary_v2 import text_pb
from tensorboard.summary.writer.event_file_writer import EventFileWriter
from tensorboardX import SummaryWriter

import fakes
from bakeoff import cli, importing, terminal
from bakeoff.analysis.questions import findings
from bakeoff.analysis.questions.reported import facts
from bakeoff.analysis.reading import read_rows
from bakeoff.errors import UserError
from bakeoff.importing import Told
from bakeoff.reporting import live
from bakeoff.reporting.build import build

RUNS = {(1, "lstm", 1, "adam"): fakes.falling(4.5), (2, "gpt1", 1, "adam"): fakes.falling(4.7)}
LOG = [
    {"loss": 5.0, "step": 50, "epoch": 0.5},
    {"eval_loss": 4.0, "step": 100, "epoch": 1.0},
    {"loss": 4.1, "step": 150, "epoch": 1.5},
    {"eval_loss": 3.5, "step": 200, "epoch": 2.0},
    {"train_runtime": 3.0, "step": 200, "epoch": 2.0},
]
VALID, TRAIN = [(100.0, 4.0), (200.0, 3.5)], [(50.0, 5.0), (150.0, 4.1)]


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "tiny.txt"
    path.write_text("a text")
    return path


@pytest.fixture
def study(tmp_path, corpus):
    sha256 = hashlib.sha256(corpus.read_bytes()).hexdigest()
    return fakes.write_study(tmp_path / "study", RUNS, edit=lambda study: study["corpus"].update(sha256=sha256))


def trainer(folder, log=LOG, **more):
    folder.mkdir(parents=True)
    (folder / "trainer_state.json").write_text(json.dumps({"global_step": 200, "log_history": log} | more))
    return folder


def read(folder, *told):
    return importing.read(folder, Told(*told))


def test_a_trainers_log_is_read_from_its_last_checkpoint(tmp_path):
    trainer(tmp_path / "out" / "checkpoint-100", LOG[:2], global_step=100)
    trainer(tmp_path / "out" / "checkpoint-200")
    assert read(tmp_path / "out") == ("Trainer of transformers", "step", VALID, TRAIN, None, None, None)


def test_event_files_are_read_and_what_was_written_twice_counts_once(tmp_path):
    for begin, losses in ((0, [4.2, 4.0, 3.0]), (200, [3.5])):
        with SummaryWriter(str(tmp_path / "events"), purge_step=begin, filename_suffix=str(begin)) as writer:
            for number, loss in enumerate(losses):
                writer.add_scalar("eval/loss", loss, begin + 100 * number)
    found = read(tmp_path / "events")
    assert (found.by, found.unit, found.train) == ("TensorBoard events", "step", [])
    assert found.valid == [(0.0, pytest.approx(4.2)), (100.0, 4.0), (200.0, 3.5)]


def test_event_files_of_tensorflow_are_read_whose_scalars_are_tensors(tmp_path):
    writer = EventFileWriter(str(tmp_path))
    for step, loss in ((0, 4.5), (1, 3.25)):
        writer.add_event(Event(step=step, wall_time=1.0, summary=scalar_pb("epoch_loss", loss)))
    writer.add_event(Event(step=2, wall_time=1.0, summary=text_pb("notes", "no loss")))
    writer.close()
    assert read(tmp_path, "epoch_loss").valid == [(0.0, 4.5), (1.0, 3.25)]
    with pytest.raises(UserError, match="it has step, epoch_loss"):
        read(tmp_path)


def test_of_many_keys_some_are_listed_and_of_many_points_some_are_kept(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(",".join(f"key{number}" for number in range(300)) + "\n" + ",".join(["1"] * 300) + "\n")
    with pytest.raises(UserError, match=r"key19 and 280 others\Z"):
        read(path)
    path.write_text(f"{'k' * 100_000}\n1\n")
    with pytest.raises(UserError, match=r"k{40}\Z") as caught:
        read(path)
    assert len(str(caught.value)) < 500
    losses = [5.0 + math.sin(step) for step in range(10_001)]
    path.write_text("step,valid_loss\n" + "".join(f"{step},{loss}\n" for step, loss in enumerate(losses)))
    kept = read(path).valid
    assert len(kept) <= importing.MOST_POINTS + 2
    assert kept[0][0] == 0.0
    assert kept[-1][0] == 10_000.0
    assert min(loss for _, loss in kept) == min(losses)


def test_event_files_below_a_folder_are_named(tmp_path):
    for name in ("b", "a"):
        with SummaryWriter(str(tmp_path / "runs" / name)) as writer:
            writer.add_scalar("valid/loss", 1.0, 1)
    with pytest.raises(UserError, match=re.escape(f"name one, such as {tmp_path / 'runs' / 'a'}")):
        read(tmp_path)


def test_bits_per_byte_are_of_the_bytes_that_were_predicted(study, tmp_path, corpus):
    (tmp_path / "run").mkdir()
    valid = {"tokens": 900, "bytes": 3000, "predicted_bytes": 2800}
    (tmp_path / "run" / "bakeoff.json").write_text(json.dumps({"log_history": LOG, "valid": valid}))
    importing.bring(tmp_path / "run", study, Told(corpus=str(corpus)))
    (run,) = read_rows(study).reported
    assert run.checked
    assert run.bits_per_byte(2.0) == pytest.approx(2.0 * 900 / (2800 * math.log(2)))


def test_a_table_is_read_by_its_columns(tmp_path):
    path = tmp_path / "run.CSV"
    path.write_text("epoch,val_loss,mine,train_loss\n1,4.0,9,4.5\n2,,9,4.2\n3,3.5,9,\n4,nan,9,\n")
    expected = [(1.0, 4.0), (3.0, 3.5)], [(1.0, 4.5), (2.0, 4.2)]
    assert read(path) == read(tmp_path) == ("a CSV file", "epoch", *expected, None, None, None)
    assert read(path, "mine").valid[-1] == (4.0, 9.0)


@given(st.lists(st.tuples(st.integers(0, 10**6), st.floats(0.01, 20)), min_size=1, unique_by=lambda pair: pair[0]))
def test_whatever_order_lines_have_a_curve_has_that_of_its_places(tmp_path_factory, pairs):
    path = tmp_path_factory.mktemp("table") / "run.csv"
    path.write_text("step,valid_loss\n" + "".join(f"{step},{loss!r}\n" for step, loss in pairs))
    assert read(path).valid == sorted((float(step), loss) for step, loss in pairs)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["eval_loss", "step", "1", ""]),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["eval_loss", "loss", "step", "epoch"]), inner),
    max_leaves=12,
)


@given(VALUES, VALUES, VALUES)
def test_whatever_a_state_holds_is_read_or_refused(tmp_path_factory, log, step, counts):
    folder = tmp_path_factory.mktemp("any")
    for name in ("trainer_state.json", "bakeoff.json"):
        state = {"log_history": log, "global_step": step, "valid": counts}
        (folder / name).write_text(json.dumps(state))
        with contextlib.suppress(UserError):
            found = read(folder)
            assert found.valid == sorted(found.valid)
        (folder / name).unlink()


def test_with_counts_a_loss_becomes_bits_per_byte_beside_the_floors(study, tmp_path, corpus):
    trainer(tmp_path / "my run")
    assert importing.bring(tmp_path / "my run", study, Told(corpus=str(corpus), tokens=1100)) == "my-run"
    rows = read_rows(study)
    (line,) = facts(rows).lines
    assert line.run.bits_per_byte(3.5) == pytest.approx(3.5 * 1100 / 3000 / math.log(2))
    assert (line.run.best, line.run.rise, line.run.checked) == ((200.0, 3.5), 0.0, False)
    assert line.below + line.above == sorted(rows.baselines[1:], key=lambda floor: -floor.valid.nats)
    below = [floor.valid.bits_per_byte > line.run.bits_per_byte(3.5) for floor in rows.baselines[1:]]
    assert len(line.below) == sum(below)


@pytest.mark.parametrize(("folder", "name"), [("Qwen2.5-0.5B", "Qwen2.5-0.5B"), ("a table.csv", "a-table")])
def test_a_dot_in_a_folders_name_is_no_ending(study, tmp_path, folder, name):
    if folder.endswith(".csv"):
        (tmp_path / folder).write_text("step,valid_loss\n1,3.0\n")
    else:
        trainer(tmp_path / folder)
    assert importing.bring(tmp_path / folder, study, Told()) == name


def test_what_is_reported_is_shown_with_its_mark_and_decides_nothing(study, tmp_path, corpus):
    before, rows = findings(read_rows(study)), read_rows(study)
    importing.bring(trainer(tmp_path / "one"), study, Told(corpus=str(corpus), tokens=1000))
    importing.bring(trainer(tmp_path / "two"), study, Told())
    after = read_rows(study)
    assert (after.rows, after.ranked[0].number) == (rows.rows, rows.ranked[0].number)
    *others, found = findings(after)
    assert [(each.name, each.verdict, each.evidence) for each in others] == [
        (each.name, each.verdict, each.evidence) for each in before
    ]
    assert (found.name, found.verdict) == ("reported", "reported, not measured here")
    told = terminal.status_text(study, after)
    assert "\n\nReported, not measured here:\nrun" in told
    assert "not comparable" in told
    live.write(study)
    shown = (study.path / live.NAME).read_text()
    assert "<h2>Reported, not measured here</h2>" in shown
    assert shown.count("<svg") == 6
    built = build(study)
    page = built.page.read_text()
    assert built.failed == ()
    assert '<b class="verdict">Reported, not measured here.</b>' in page
    assert all(f'id="figure-reported-{kind}"' in page for kind in ("bits", "losses"))
    assert "3.500" not in (built.page.parent / "results.csv").read_text()


def test_a_damaged_report_is_said_and_takes_nothing_with_it(study, tmp_path):
    importing.bring(trainer(tmp_path / "one"), study, Told())
    study.report_of("one").write_text("{")
    rows = read_rows(study)
    assert "is damaged" in rows.reported[0].error
    assert "damaged: " in terminal.status_text(study, rows)
    assert build(study).failed == (rows.reported[0].error,)


def test_importing_again_takes_what_has_come_since(study, tmp_path):
    folder = trainer(tmp_path / "one", LOG[:2])
    importing.bring(folder, study, Told())
    (folder / "trainer_state.json").write_text(json.dumps({"log_history": LOG}))
    importing.bring(folder, study, Told())
    assert [run.valid for run in read_rows(study).reported] == [tuple(VALID)]


def test_that_one_of_the_same_name_takes_the_place_of_another_is_said(study, tmp_path, monkeypatch, capsys):
    said = []
    for folder in ("one/run", "two/run"):
        run = trainer(tmp_path / folder)
        monkeypatch.setattr(sys, "argv", ["bakeoff", "import", str(run), "--into", str(study.path)])
        with pytest.raises(SystemExit, match=r"^0$"):
            cli.main()
        said.append(capsys.readouterr().out)
    assert [line.startswith("run is shown with ") for line in said] == [True, True]
    assert ["in the place of what was called so" in line for line in said] == [False, True]
    assert len(study.reported) == 1


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("notes.txt", "", "is no run of a known kind: it holds no trainer_state.json, no event files"),
        ("trainer_state.json", "{", "trainer_state.json cannot be read"),
        ("trainer_state.json", "[]", "trainer_state.json is no object"),
        ("trainer_state.json", '{"log_history": 1}', "trainer_state.json has no log_history"),
        ("trainer_state.json", '{"log_history": [{"loss": 1, "step": 1}]}', r"names another\): it has loss, step$"),
        ("trainer_state.json", '{"log_history": [{"eval_loss": NaN, "step": 1}]}', "has no finite eval_loss"),
        (
            "a.csv",
            "time,valid_loss\n1,2\n",
            "has neither a step nor an epoch beside valid_loss: it has time, valid_loss",
        ),
        ("a.csv", "step,valid_loss\n1e301,2\n", "has no finite valid_loss"),
        ("a.csv", "step,valid_loss\n1,low\n", "step and valid_loss have to be numbers"),
        ("a.csv", "", "it has nothing"),
        ("bakeoff.json", "{}", "bakeoff.json has no log_history"),
    ],
)
def test_bad_input_is_one_line(tmp_path, name, content, says):
    (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=says) as error:
        read(tmp_path)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("name", ["trainer_state.json", "bakeoff.json", "a.csv", "events.out.tfevents.1"])
def test_what_never_ends_is_not_read(study, tmp_path, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(UserError, match=r"is no ordinary file|is no run of a known kind"):
        read(tmp_path)
    study.report_of("pipe").parent.mkdir(exist_ok=True)
    os.mkfifo(study.report_of("pipe"))
    study.report_of("two\nlines | and a bar").write_text("{}")
    assert read_rows(study).reported == ()


def test_events_without_the_loss_list_the_tags_that_are_there(tmp_path):
    with SummaryWriter(str(tmp_path)) as writer:
        writer.add_scalar("accuracy", 0.5, 1)
    with pytest.raises(UserError, match=r"it has step, accuracy$"):
        read(tmp_path)


def test_another_corpus_or_another_valid_is_refused(study, tmp_path, corpus):
    folder, other = trainer(tmp_path / "one"), tmp_path / "other.txt"
    other.write_text("another text")
    counted = trainer(tmp_path / "counted")
    log = {"log_history": LOG, "valid": {"tokens": 900, "bytes": 2000}}
    (counted / "bakeoff.json").write_text(json.dumps(log))
    for where, told, says in [
        (folder, Told(corpus=str(other), tokens=9), "the study's corpus is tiny, and .*other.txt another"),
        (folder, Told(corpus=str(corpus)), "does not tell how many tokens valid has"),
        (folder, Told(corpus=str(corpus), tokens=3001), "valid has 3,000 bytes, too few for 3,001 tokens"),
        (counted, Told(corpus=str(corpus)), "was measured on 2,000 bytes, and valid of .* has 3,000: another text"),
        (tmp_path / "nothing", Told(), "there is no "),
    ]:
        with pytest.raises(UserError, match=says):
            importing.bring(where, study, told)
    assert not study.report_of("x").parent.exists()


def test_counts_of_the_run_itself_are_checked_and_used(study, tmp_path, corpus):
    folder = trainer(tmp_path / "one")
    (folder / "bakeoff.json").write_text(json.dumps({"log_history": LOG, "valid": {"tokens": 900, "bytes": 2970}}))
    importing.bring(folder, study, Told(corpus=str(corpus)))
    (run,) = read_rows(study).reported
    assert (run.by, run.tokens, run.bytes, run.checked) == ("BakeoffCallback", 900, 2970, True)
