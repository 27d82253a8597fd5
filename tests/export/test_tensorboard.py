"""Event files, read back by TensorBoard itself."""

import sys
from types import SimpleNamespace

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata

import fakes
from bakeoff.analysis.reading import read_rows
from bakeoff.errors import UserError
from bakeoff.export import tensorboard
from bakeoff.run_folder import RunFolder

BEGAN = 1.7e9


@pytest.fixture
def study(tmp_path):
    """A run that finished and kept the times of its evaluations, one that diverged, one that was never begun."""
    curves = {
        (1, "lstm", 1, "adam"): fakes.falling(4.5),
        (2, "gpt1", 1, "sgd"): [5.6],
        (3, "lstm", 2, "adam"): None,
    }
    folder = fakes.write_study(
        tmp_path / "fake", curves, endings={2: {"status": "diverged", "error": "nan"}}, samples=3
    )
    first = folder.run("01-lstm-1-adam/seed-0")
    timed = [line | {"unix_seconds": BEGAN + 3 * line["train_seconds"]} for line in first.history()]
    (first.path / "history.jsonl").unlink()
    for line in timed:
        first.append(line)
    first.finish(first.summary)
    return folder


def read(folder):
    found = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    found.Reload()
    return found


def test_every_point_is_there_at_its_step_and_time(study, tmp_path):
    tensorboard.export(study.path, tmp_path / "events")
    rows = [row for row in read_rows(study).rows if row.history]
    assert len(rows) == 2
    folders = {path.relative_to(tmp_path / "events").as_posix() for path in (tmp_path / "events").glob("*/*")}
    assert folders == {row.folder for row in rows}
    for row in rows:
        found, expected = read(tmp_path / "events" / row.folder), {}
        for scalar in (*tensorboard.curves(row.history), *tensorboard.finals(row)):
            expected.setdefault(scalar.tag, []).append((scalar.step, scalar.when, scalar.value))
        assert set(found.Tags()["scalars"]) == set(expected)
        for tag, points in expected.items():
            steps, times, values = zip(*points, strict=True)
            events = found.Scalars(tag)
            assert tuple(event.step for event in events) == steps
            assert [event.wall_time for event in events] == pytest.approx(times)
            assert [event.value for event in events] == pytest.approx(values)


def test_a_seed_that_only_a_comparison_has_is_exported_too(study, tmp_path):
    fakes.write_run(study.run("01-lstm-1-adam/seed-7"), fakes.falling(4.4), ending={})
    for what in (study.path, study.path / "01-lstm-1-adam" / "seed-7"):
        tensorboard.export(what, tmp_path / "events" / what.name)
        assert (tmp_path / "events" / what.name / "01-lstm-1-adam" / "seed-7").is_dir()


def test_the_curves_are_the_histories(study, tmp_path):
    tensorboard.export(study.path / "01-lstm-1-adam" / "seed-0", tmp_path / "events")
    (folder,) = (tmp_path / "events").glob("*/*")
    found, history = read(folder), RunFolder(study.path / "01-lstm-1-adam" / "seed-0").history()
    events = found.Scalars("loss/valid")
    assert [event.step for event in events] == [line["step"] for line in history] == [0, 100, 200, 300, 400]
    assert [event.wall_time for event in events] == [line["unix_seconds"] for line in history]
    assert [event.value for event in events] == pytest.approx(
        [line["valid"]["nats"] / line["valid"]["tokens"] for line in history]
    )
    samples = found.Scalars("loss/valid_sample")
    assert [event.step for event in samples] == [25 * place for place in range(1, 17)]
    assert [event.wall_time for event in samples] == pytest.approx([BEGAN + 1.5 * place for place in range(1, 17)])
    (end,) = found.Scalars("final/test_perplexity")
    row = next(row for row in read_rows(study).rows if row.number == 1)
    assert (end.step, end.value) == (400, pytest.approx(row.test.perplexity))


def test_settings_stand_beside_the_final_figures(study, tmp_path):
    tensorboard.export(study.path, tmp_path / "events")
    found = {}
    for folder in (tmp_path / "events").glob("*/*"):
        contents = read(folder).summary_metadata
        assert {"_hparams_/experiment", "_hparams_/session_start_info", "_hparams_/session_end_info"} <= set(contents)
        plugin = {tag: contents[tag].plugin_data.content for tag in contents if tag.startswith("_hparams_")}
        given = metadata.parse_session_start_info_plugin_data(plugin["_hparams_/session_start_info"]).hparams
        told = metadata.parse_experiment_plugin_data(plugin["_hparams_/experiment"])
        found[folder.parent.name] = given, {info.name.tag for info in told.metric_infos}
    settings, figures = found["01-lstm-1-adam"]
    assert settings["model.hidden"].number_value == 16
    assert settings["optimizer.type"].string_value == "Adam"
    assert settings["optimizer.betas"].string_value == "[0.9, 0.999]"
    assert (settings["seed"].number_value, settings["device"].string_value) == (0, "cpu")
    assert {"final/valid_perplexity", "final/test_bits_per_byte"} <= figures
    assert found["02-gpt1-1-sgd"][1] == set()


SLUG = "01-lstm-1-adam/seed-0"
RUN = SimpleNamespace(slug=SLUG)
EVALUATION, END = {"event": "evaluation"}, {"event": "end"}


def points(folder):
    found = read(folder)
    return {
        tag: [(event.step, event.wall_time, event.value) for event in found.Scalars(tag)]
        for tag in found.Tags()["scalars"]
    }


def as_exported(study, folder):
    tensorboard.export(study.path, folder)
    return {path.parent.name: points(path) for path in folder.glob("*/*")}


def test_events_grow_while_runs_are_at_work_and_end_as_what_is_exported(study, tmp_path):
    run = study.run(SLUG)
    summary, lines = run.summary, run.history()
    run.reopen()
    (run.path / "history.jsonl").unlink()
    there = study.path / tensorboard.FOLDER / SLUG
    # The first command is interrupted after four evaluations; the second goes on from a checkpoint that knew two.
    with tensorboard.Growing(study, pytest.fail) as growing:
        for number, line in enumerate(lines[:4], start=1):
            run.append(line)
            growing(RUN, {"event": "step"})
            growing(RUN, EVALUATION)
            assert len(points(there)["loss/valid"]) == number
    with tensorboard.Growing(study, pytest.fail) as growing:
        assert len(points(there)["loss/valid"]) == 4
        run.go_on(run.spec, run.environment, 2, None)
        run.append(lines[2])
        growing(RUN, EVALUATION)
        assert [step for step, *_ in points(there)["loss/valid"]] == [0, 100, 200]
        run.append(lines[3])
        run.append(lines[4])
        run.finish(summary)
        growing(RUN, END)
    found = {path.parent.name: points(path) for path in (study.path / tensorboard.FOLDER).glob("*/*")}
    expected = as_exported(study, tmp_path / "events")
    assert set(found) == set(expected) == {"01-lstm-1-adam", "02-gpt1-1-sgd"}
    for name, tags in expected.items():
        assert {tag: sorted(of) for tag, of in found[name].items()} == {tag: sorted(of) for tag, of in tags.items()}


def test_a_reader_of_an_earlier_file_forgets_what_stood_there(study):
    with tensorboard.Growing(study, pytest.fail) as growing:
        reader = read(growing.folder / SLUG)
        growing(RUN, EVALUATION)
        reader.Reload()
        assert [event.step for event in reader.Scalars("loss/valid")] == [0, 100, 200, 300, 400]


def test_events_that_cannot_be_written_are_said_once_and_disturb_nothing(study):
    said = []
    (study.path / tensorboard.FOLDER).write_text("in the way")
    with tensorboard.Growing(study, said.append) as growing:
        growing(RUN, EVALUATION)
        growing(RUN, END)
    assert len(said) == 1
    assert said[0].startswith(f"{study.path / tensorboard.FOLDER} is not written any more: ")


def test_no_file_is_removed_where_a_link_leads(study, tmp_path):
    theirs, said = tmp_path / "theirs" / "events.out.tfevents.1", []
    theirs.parent.mkdir()
    theirs.touch()
    there = study.path / tensorboard.FOLDER / SLUG
    there.parent.mkdir(parents=True)
    there.symlink_to(theirs.parent)
    with tensorboard.Growing(study, said.append):
        assert theirs.exists()
    assert len(said) == 1
    assert "leads elsewhere" in said[0]


def test_what_cannot_be_exported_is_told(study, tmp_path, monkeypatch):
    with pytest.raises(UserError, match="is there and not empty"):
        tensorboard.export(study.path, study.path)
    nothing = fakes.write_study(tmp_path / "nothing", {(1, "lstm", 1, "adam"): None})
    with pytest.raises(UserError, match=r"no run in .* has been evaluated yet"):
        tensorboard.export(nothing.path, tmp_path / "events")
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(UserError, match=r"pip install 'bakeoff\[tensorboard\]'"):
        tensorboard.export(study.path, tmp_path / "events")
    assert not (tmp_path / "events").exists()
