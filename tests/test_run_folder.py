"""Run folders: history is appended, the summary comes last, and what is on disk decides what a run's status is."""

import json
import shutil

import pytest
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st

import damages
import fakes
from bakeoff.files import TEMPORARY, write_json
from bakeoff.records import DamagedError
from bakeoff.run_folder import DAMAGED, DIVERGED, FAILED, FINISHED, MISSING, RUNNING, STATUSES, RunFolder
from bakeoff.shapes import CHECKSUM

SUMS = {"nats": 5.5, "tokens": 10, "words": 6, "bytes": 30}
SECONDS = dict.fromkeys(("evaluation_seconds", "warmup_seconds", "other_seconds", "tokens_per_second"), 1.5)
MEMORY = {"average_bytes": 1, "peak_bytes": 2, "baseline_bytes": 3, "kind": "resident"}
ENDINGS = {
    FINISHED: {
        "epochs": 2,
        "test": {"best": SUMS, "last": SUMS},
        "with_counts": {"floor": "kn5+cache", "weight": 0.25, "valid": SUMS, "test": SUMS},
        "windows": {"half_stride": SUMS, "carried_state": SUMS},
        "memory": MEMORY,
        "alone": True,
        **SECONDS,
    },
    DIVERGED: {"epoch": 3, "error": "the loss was not finite"},
    FAILED: {"error": "out of memory"},
}
ENDINGS = {status: {"status": status} | ending for status, ending in ENDINGS.items()}
TEXTS = {"tokens": 40, "top_k": None, "temperature": 0.8, "seed": 0, "texts": [{"prompt": "a", "text": "b\x07"}]}
DOCUMENTS = {
    split: {"nats": [1.5, 4.0], "tokens": [3, 7], "words": [2, 4], "bytes": [9, 21]} for split in ("valid", "test")
}


def evaluation(epoch):
    measured = SUMS | {"deciles": {"nats": [0.5] * 10, "tokens": [1] * 10}}
    line = {"epoch": epoch, "step": 5 * epoch, "train_seconds": 0.5 * epoch, "train": measured, "valid": measured}
    line["sample"] = [{"step": 5 * epoch, "train_seconds": 0.5 * epoch, "nats": 2.5, "tokens": 5}]
    norm = {"median": 0.5, "p99": 0.75, "clipped": 0.25}
    return line | {"running": {"nats": 6.0, "tokens": 10}, "gradient_norm": norm} if epoch else line


@pytest.fixture
def folder(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    fakes.begin(folder, {"identity": "a", "run": {}}, {"device": "cpu"})
    return folder


def complete(folder, status=FINISHED):
    """All records of a run that is over."""
    for epoch in range(3):
        folder.append(evaluation(epoch))
    folder.write_documents(DOCUMENTS)
    folder.write_texts(TEXTS)
    folder.finish(ENDINGS[status])
    return folder


@pytest.mark.parametrize("status", [FINISHED, DIVERGED, FAILED])
def test_a_summary_means_that_the_run_is_over(folder, status):
    assert (folder.summary, folder.status) == (None, MISSING)
    complete(folder, status)
    assert folder.status == status


def test_a_run_is_running_while_somebody_holds_its_lock(folder):
    lock = FileLock(folder.path / "run.lock")
    with lock:
        assert folder.status == RUNNING
    assert folder.status == MISSING


def test_a_run_that_ends_while_it_is_read_is_not_missing(folder, monkeypatch):
    lock, history = FileLock(folder.path / "run.lock"), RunFolder.history

    def ends(read):
        if lock.is_locked:
            complete(folder)
            lock.release()
        return history(read)

    monkeypatch.setattr(RunFolder, "history", ends)
    lock.acquire()
    assert folder.status == RUNNING
    assert folder.status == FINISHED


def test_a_folder_that_is_not_there_is_a_missing_run(tmp_path):
    folder = RunFolder(tmp_path / "none")
    assert (folder.status, folder.spec, folder.summary, folder.environment, folder.history()) == (
        MISSING,
        None,
        None,
        {},
        [],
    )


def test_history_is_what_was_appended(folder):
    lines = [evaluation(epoch) | {"note": "line\u2028break\x85 \n ü"} for epoch in range(3)]
    for line in lines:
        folder.append(line)
    assert folder.history() == lines


@pytest.mark.parametrize("kept", range(1, len('{"epoch": 1}')))
def test_history_skips_a_last_line_that_was_cut_off(folder, kept):
    folder.append(evaluation(0))
    with (folder.path / "history.jsonl").open("a") as file:
        file.write('{"epoch": 1}'[:kept])
    assert folder.history() == [evaluation(0)]
    assert folder.status == MISSING


def test_starting_again_removes_what_an_earlier_try_left(folder):
    complete(folder, FAILED)
    for weights in (folder.best_weights, folder.earlier_weights, folder.checkpoint):
        weights.write_bytes(b"old")
    fakes.begin(folder, {"identity": "b", "run": {}}, {})
    assert folder.spec == {"identity": "b", "run": {}}
    assert (folder.summary, folder.history(), folder.documents) == (None, [], None)
    assert {path.name for path in folder.path.iterdir()} == {"spec.json", "environment.json"}


def test_a_summary_that_cannot_be_written_leaves_the_run_not_over(folder):
    with pytest.raises(ValueError, match="JSON"):
        folder.finish({"status": FINISHED, "seconds": float("nan")})
    assert folder.summary is None
    assert {path.name for path in folder.path.iterdir()} == {"spec.json", "environment.json"}


def test_what_a_killed_process_left_of_a_run_that_is_over_is_removed(folder):
    complete(folder)
    for path in (folder.checkpoint, folder.earlier_weights, folder.path / f"{TEMPORARY}1", folder.path / ".tmpa1B2c3"):
        path.write_bytes(b"left")
    folder.tidy()
    assert {path.name for path in folder.path.iterdir()} == {
        *("spec.json", "environment.json", "history.jsonl", "documents.json", "texts.json", "summary.json")
    }


# --- what is read back is checked -------------------------------------------------------------------------------------


def test_whole_records_are_not_damaged(folder):
    for status in (FINISHED, DIVERGED, FAILED):
        fakes.begin(folder, {"identity": "a", "run": {}}, {"device": "cpu"})
        assert complete(folder, status).status == status


@pytest.mark.parametrize("more", [None, {}, {"nats": [1.0]}])
def test_what_no_version_has_written_beside_documents_is_left_out(folder, more):
    write_json(folder.path / "documents.json", DOCUMENTS | {"other": more})
    assert folder.read().documents == DOCUMENTS


@pytest.mark.parametrize("name", ["spec", "environment", "documents", "summary"])
@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b"7", b"\xff\xfe", b"[" * 100_000, b'{"a": 1' + b"0" * 5000]
)
def test_a_damaged_record_names_the_one_file_to_remove_and_removing_it_is_enough(folder, name, content):
    path = complete(folder).path / f"{name}.json"
    path.write_bytes(content)
    assert folder.status == DAMAGED
    left = name in ("environment", "documents")
    assert folder.read().summary["error"].startswith(f"{path} is damaged (")
    advice = "remove the summary.json beside it" if left else "remove it"
    assert folder.read().summary["error"].endswith(f"): {advice} and repeat the command")
    assert "\n" not in folder.read().summary["error"][:200]
    (folder.path / "summary.json" if left else path).unlink()
    fakes.begin(folder, {"identity": "a", "run": {}}, {"device": "cpu"}) if left else None
    assert folder.status != DAMAGED


@pytest.mark.parametrize("status", [FINISHED, DIVERGED])
@pytest.mark.parametrize("name", ["environment.json", "documents.json", "texts.json", "history.jsonl"])
def test_a_record_that_was_there_when_the_run_was_over_and_is_gone_is_damaged(folder, name, status):
    (complete(folder, status).path / name).unlink()
    error = folder.read().summary["error"]
    assert (folder.status, error.startswith(f"{folder.path / name} is damaged (")) == (DAMAGED, True)
    assert error.endswith("): remove the summary.json beside it and repeat the command")
    (folder.path / "summary.json").unlink()
    assert folder.status == MISSING


def test_weights_and_what_a_run_never_left_may_be_away(folder):
    folder.best_weights.write_bytes(b"weights")
    complete(folder).best_weights.unlink()
    assert folder.status == FINISHED
    with pytest.raises(DamagedError, match=r"best\.safetensors is damaged \(it is not there\): remove the summary"):
        folder.require_left(folder.best_weights)
    for name in ("documents.json", "texts.json"):
        (folder.path / name).unlink()
    folder.finish(ENDINGS[FINISHED])
    assert (folder.status, folder.documents, folder.texts) == (FINISHED, None, None)


@pytest.mark.parametrize(
    "damage",
    [
        lambda lines: lines[:-1],
        lambda lines: lines[1:],
        lambda lines: [lines[0], lines[2]],
        lambda lines: [*lines, lines[-1]],
        lambda lines: ["{cut", *lines[1:]],
        lambda lines: ['{"epoch": 0}', *lines[1:]],
        lambda lines: [],
    ],
)
def test_a_history_that_is_not_what_the_summary_says_is_not_believed(folder, damage):
    path = complete(folder).path / "history.jsonl"
    path.write_text("".join(f"{line}\n" for line in damage(path.read_text().splitlines())))
    assert folder.status == DAMAGED
    assert folder.read().summary["error"].endswith("remove the summary.json beside it and repeat the command")
    with pytest.raises(DamagedError):
        folder.history()


def test_a_run_that_diverged_in_an_epoch_has_the_evaluations_before_it(folder):
    for epoch in range(2):
        folder.append(evaluation(epoch))
    folder.finish(ENDINGS[DIVERGED])
    assert folder.status == DAMAGED
    folder.finish(ENDINGS[DIVERGED] | {"epoch": 2})
    assert folder.status == DIVERGED


def test_a_damaged_history_of_a_run_that_is_not_over_is_begun_anew_by_the_command(folder):
    (folder.path / "history.jsonl").write_text("{cut\n")
    assert folder.status == DAMAGED
    assert folder.read().summary["error"].endswith("it is begun anew by repeating the command")
    assert not folder.ended


def test_going_on_cuts_off_what_the_checkpoint_does_not_know(folder):
    for epoch in range(3):
        folder.append(evaluation(epoch))
    folder.finish(ENDINGS[FAILED])
    folder.go_on({"identity": "a", "run": {"path": "moved"}}, {"device": "cpu"}, 2, None)
    assert folder.history() == [evaluation(0), evaluation(1)]
    assert (folder.summary, folder.spec["run"]) == (None, {"path": "moved"})


def test_going_on_without_all_evaluations_is_refused_and_changes_nothing(folder):
    folder.append(evaluation(0))
    with pytest.raises(ValueError, match="its history has 1 evaluations of 2"):
        folder.go_on({"identity": "a", "run": {}}, {"device": "cpu"}, 2, None)
    assert folder.history() == [evaluation(0)]


def test_going_on_is_refused_where_an_evaluation_is_another_than_the_checkpoint_knew(folder):
    folder.append(evaluation(0))
    known = folder.history_sha256
    folder.append(evaluation(1))
    folder.go_on({"identity": "a", "run": {}}, {"device": "cpu"}, 1, known)
    assert (folder.history(), folder.history_sha256) == ([evaluation(0)], known)
    (folder.path / "history.jsonl").write_text(json.dumps(evaluation(0) | {"train_seconds": 0.25}) + "\n")
    with pytest.raises(ValueError, match="its history is not what it was when the checkpoint was taken"):
        folder.go_on({"identity": "a", "run": {}}, {"device": "cpu"}, 1, known)


RECORDS = {
    "spec.json": {"identity": "a", "run": {}},
    "environment.json": {"device": "cpu"},
    "documents.json": DOCUMENTS,
    **{f"summary.json {status}": ending for status, ending in ENDINGS.items()},
    "history.jsonl": evaluation(2),
}


@given(st.data())
def test_no_changed_key_of_any_record_leads_to_another_error(tmp_path_factory, data):
    kind = data.draw(st.sampled_from(sorted(RECORDS)))
    name, _, status = kind.partition(" ")
    record = damages.changed(
        RECORDS[kind],
        data.draw(st.sampled_from(list(damages.places(RECORDS[kind])))),
        data.draw(st.sampled_from([*damages.OTHERS, ...])),
    )
    folder = RunFolder(tmp_path_factory.mktemp("fuzz"))
    fakes.begin(folder, {"identity": "a", "run": {}}, {"device": "cpu"})
    path = complete(folder, status or FINISHED).path / name
    before = "".join(path.read_text().splitlines(keepends=True)[:-1]) if name == "history.jsonl" else ""
    path.write_text(f"{before}{json.dumps(record)}\n")
    records = folder.read()
    assert records.status in STATUSES
    if records.status != DAMAGED:
        assert [line["valid"]["nats"] / line["valid"]["tokens"] for line in records.history]
        assert records.status == records.summary["status"] == (status or FINISHED)


def test_a_record_of_which_a_digit_was_changed_is_damaged_and_an_unsealed_one_of_an_earlier_version_is_read(folder):
    complete(folder)
    for name in ("spec.json", "environment.json", "documents.json", "summary.json", "history.jsonl"):
        path = folder.path / name
        whole = path.read_text()
        path.write_text(whole.replace("5", "6", 1).replace('"a"', '"b"', 1).replace("cpu", "cpv", 1))
        assert path.read_text() != whole
        assert folder.status == DAMAGED, name
        assert f"{path} is damaged (its checksum is another): remove" in folder.read().summary["error"]
        path.write_text(whole)
    for name in ("spec.json", "summary.json"):
        record = json.loads((folder.path / name).read_text())
        (folder.path / name).write_text(
            json.dumps({k: v for k, v in record.items() if k not in ("checksum", "history_sha256")})
        )
    assert folder.status == FINISHED


# --- all records are of one run ---------------------------------------------------------------------------------------


@pytest.fixture
def other(tmp_path):
    """A whole run of another identity, which measured otherwise."""
    folder = RunFolder(tmp_path / "other")
    folder.path.mkdir()
    fakes.begin(folder, {"identity": "b", "run": {}}, {"device": "cpu", "python": "3"})
    folder.best_weights.write_bytes(b"other weights")
    folder.append(evaluation(0) | {"epoch": 0, "train_seconds": 0.25})
    for epoch in (1, 2):
        folder.append(evaluation(epoch))
    folder.write_documents({split: parts | {"nats": [1.25, 4.25]} for split, parts in DOCUMENTS.items()})
    folder.write_texts(TEXTS | {"seed": 1})
    folder.finish(ENDINGS[FINISHED])
    return folder


@pytest.mark.parametrize(
    "names",
    [
        *(["environment.json"], ["documents.json"], ["texts.json"], ["history.jsonl"]),
        *(["summary.json"], ["summary.json", "history.jsonl", "documents.json", "environment.json", "texts.json"]),
        ["spec.json"],
    ],
)
def test_whole_records_of_another_run_are_not_believed(folder, other, names):
    complete(folder)
    assert (folder.status, other.status) == (FINISHED, FINISHED)
    for name in names:
        shutil.copy(other.path / name, folder.path / name)
    assert folder.status == DAMAGED


def test_weights_of_another_run_are_refused_and_an_earlier_versions_summary_does_not_tell(folder, other):
    folder.best_weights.write_bytes(b"weights")
    complete(folder).require_left(folder.best_weights)
    shutil.copy(other.best_weights, folder.best_weights)
    with pytest.raises(DamagedError, match=r"best\.safetensors is damaged \(its checksum is another\): mend"):
        folder.require_left(folder.best_weights, "mend")
    unsealed(folder.path / "summary.json")
    folder.require_left(folder.best_weights)


def unsealed(path):
    """Leave out of a record what earlier versions did not write."""
    record = json.loads(path.read_text())
    write_json(path, {k: v for k, v in record.items() if k not in (CHECKSUM, "identity") and not k.endswith("_sha256")})


@pytest.mark.parametrize("split", ["valid", "test"])
@pytest.mark.parametrize("name", ["nats", "tokens", "words", "bytes"])
def test_documents_that_do_not_add_up_to_the_whole_are_not_believed_in_any_version(folder, split, name):
    unsealed(complete(folder).path / "summary.json")
    assert folder.status == FINISHED
    changed = DOCUMENTS | {split: DOCUMENTS[split] | {name: [DOCUMENTS[split][name][0], 9]}}
    write_json(folder.path / "documents.json", changed)
    assert folder.status == DAMAGED
    assert f"its {name} of {split} add up to others than were measured" in folder.read().summary["error"]


@pytest.mark.parametrize("status", [FINISHED, DIVERGED])
def test_a_whole_run_that_is_not_what_the_study_declares_is_damaged_and_its_folder_named(folder, status):
    complete(folder, status)
    assert RunFolder(folder.path, "a").status == status
    records = RunFolder(folder.path, "b").read()
    assert records.status == DAMAGED
    assert records.summary["error"].startswith(f"{folder.path} is damaged (it holds another run than study.json decl")
    assert (records.history, records.documents) == ([], {})


def test_a_run_without_a_spec_is_known_by_its_summary(folder):
    (complete(folder).path / "spec.json").unlink()
    assert (folder.identity, RunFolder(folder.path, "a").status) == ("a", FINISHED)
    assert RunFolder(folder.path, "b").read().summary["error"].startswith(f"{folder.path} is damaged (it holds another")
    folder.write_probe({})
    probe = folder.path / "probe.json"
    assert json.loads(probe.read_text())["identity"] == "a"
    probe.unlink()
    unsealed(folder.path / "summary.json")
    assert (folder.identity, RunFolder(folder.path, "b").status) == (None, FINISHED)


def test_of_a_run_that_is_to_be_done_anew_as_another_nothing_is_shown_but_how_it_ended(folder):
    folder.append(evaluation(0))
    assert RunFolder(folder.path, "b").read() == (MISSING, {}, {}, {}, {}, [], {})
    folder.finish(ENDINGS[FAILED])
    records = RunFolder(folder.path, "b").read()
    assert (records.status, records.summary["error"], records.history) == (FAILED, "out of memory", [])
