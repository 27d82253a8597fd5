"""A reviewer's check: whoever changes a digit is found, and nobody else is accused."""

import dataclasses
import json
import os
import re
import shutil
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bakeoff import checkpoints, cli, decisions, runner
from bakeoff.errors import UserError
from bakeoff.files import sha256_of
from bakeoff.identity import decode
from bakeoff.job import Job
from bakeoff.models import LSTM
from bakeoff.optimizers import SGD
from bakeoff.records import read_json, write_record
from bakeoff.reporting import figures, pdf
from bakeoff.reporting.build import NO_FIGURES, build
from bakeoff.runner import open_session
from bakeoff.shapes import CHECKSUM as SEAL
from bakeoff.spec import Experiment
from bakeoff.study_file import BUILT_IN, find_study
from bakeoff.study_folder import StudyFolder
from bakeoff.terminal import CHECKED
from bakeoff.verifying import Review, Verification, measured, reported, verification
from bakeoff.worker import work

RUN, JUDGED = "01-lstm-1-adam/seed-0", "01-lstm-1-adam/seed-7"


def trained_here(session, runs, jobs, observer):
    """Train as a session does, in this process."""
    for run in runs:
        folder = session.folder.run(run.slug).path
        work(Job(run=run, folder=folder, device="cpu", alone=True, source=session.source), lambda message: None)


DRAW, PRINT = figures.draw, pdf.write


@pytest.fixture(scope="module", autouse=True)
def plain_reports():
    """Reports without pictures and print, which take most of their time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures, "draw", lambda *_: NO_FIGURES)
        patch.setattr(pdf, "write", lambda *_: None)
        yield


@pytest.fixture(scope="module")
def kept(tiny_study, tmp_path_factory, plain_reports):
    """A study with its report: two runs that finished, and one that diverged."""
    study = dataclasses.replace(
        tiny_study,
        experiments=(
            *tiny_study.experiments,
            Experiment(number=3, architecture=LSTM(embedding=16, hidden=16), optimizer=SGD(lr=1e30)),
        ),
    )
    with open_session(study, tmp_path_factory.mktemp("out") / study.name, torch.device("cpu")) as session:
        trained_here(session, session.study.runs, 1, None)
    build(session.folder)
    return session.folder.path


@pytest.fixture
def study(kept, tmp_path):
    """The same in a copy that may be changed."""
    return shutil.copytree(kept, tmp_path / kept.name)


@pytest.fixture
def judged(study):
    """The same with a run of a seed that it does not declare, as a comparison of two leaves it."""
    spec = read_json(study / RUN / "spec.json", {})["run"]
    run = dataclasses.replace(decode(spec, BUILT_IN), seed=7)
    work(Job(run=run, folder=study / JUDGED, device="cpu", alone=True), lambda message: None)
    return study


def verified(path, **options):
    """The review of a folder, without training unless a run is named."""
    check = Verification(path, **{"training": "whole" if "number" in options else "not"} | options)
    check.rebuild(lambda doing, share: None)
    if check.to_train:
        check.train(lambda run, message: None)
    return check.review


@pytest.fixture
def training(monkeypatch):
    monkeypatch.setattr(runner.Session, "run", trained_here)


def change_a_digit(path, after):
    """Change the first digit behind a point that follows some text."""
    content = path.read_bytes()
    place = re.compile(rb"[0-9]\.([0-9])").search(content, content.index(after.encode())).start(1)
    path.write_bytes(content[:place] + (b"1" if content[place : place + 1] == b"0" else b"0") + content[place + 1 :])


def reseal(path, change):
    """Change a record, and give it the checksum of what it then is, also where the summary has one."""
    record = json.loads(path.read_text())
    del record[SEAL]
    change(record)
    write_record(path, record)
    summary, name = path.with_name("summary.json"), f"{path.stem}_sha256"
    if summary.is_file() and name in json.loads(summary.read_text()):
        reseal(summary, lambda summary: summary.update({name: sha256_of(path)}))


def reseal_history(folder, change):
    """The same of a history, whose checksum the summary has."""
    history = folder / "history.jsonl"
    lines = [json.loads(line) for line in history.read_text().splitlines()]
    change(lines)
    history.write_text("".join(json.dumps(line) + "\n" for line in lines))
    reseal(folder / "summary.json", lambda summary: summary.update(history_sha256=sha256_of(history)))


# --- what is as it was ------------------------------------------------------------------------------------------------


def everything(folder):
    return {path: (path.stat().st_mtime_ns, path.is_file() and path.read_bytes()) for path in folder.rglob("*")}


@pytest.mark.parametrize("number", [1, 3])
def test_what_nobody_changed_is_found_the_same_to_the_bit_and_stays_as_it_is(kept, number, training):
    before = everything(kept)
    review = verified(kept, number=number)
    assert review.differences == []
    assert set(review.checked) == set(CHECKED)
    assert review.checked["records"] == 1 + 6 + 6 + 4 + 1, (
        "the study's, three runs', one of which has neither documents nor texts"
    )
    assert min(review.checked.values()) >= 1
    assert review.not_checked == [
        f"{kept / 'report'}: its PDF and its pictures in PNG, which show the same once more",
        "seconds and memory: they come out otherwise each time",
    ]
    assert everything(kept) == before


def test_a_report_with_its_pictures_is_the_same_again(study, monkeypatch):
    monkeypatch.setattr(figures, "draw", DRAW)
    monkeypatch.setattr(pdf, "write", PRINT)
    build(StudyFolder(study))
    before = verified(study)
    assert before.differences == []
    drawn = study / "report" / "figures" / "01-epochs.svg"
    drawn.write_text(drawn.read_text().replace("</svg>", "<text>9</text></svg>"))
    (found,) = verified(study).differences
    assert found.where.startswith(f"{drawn}, line ")


def test_a_report_of_a_part_of_a_whole_is_found_the_same(study, tmp_path):
    """Such as that of a choice's last run, which says `runs/choose-my/final`."""
    part = tmp_path / "choose-my" / "final"
    part.parent.mkdir()
    (part.parent / decisions.FILE).touch()
    build(StudyFolder(study.rename(part)))
    assert "runs/choose-my/final/" in (part / "report" / "index.html").read_text()
    assert verified(part).differences == []
    assert verified(shutil.copytree(part, tmp_path / "a copy")).differences == []


def test_the_run_is_drawn_among_all_anew_each_time(kept, monkeypatch):
    offered = []
    monkeypatch.setattr(verification.secrets, "choice", lambda runs: offered.extend(runs) or runs[-1])
    assert Verification(kept).again.number == 3
    assert [run.number for run in offered] == [1, 2, 3]
    assert Verification(kept, number=2).again.number == 2


def test_records_alone_are_checked_as_far_as_they_reach_and_the_rest_is_said(study):
    (study / "tokenizer.json").unlink()
    shutil.rmtree(study / "report")
    for weights in study.rglob("*.safetensors"):
        weights.unlink()
    for record in study.rglob("*.json"):
        told = json.loads(record.read_text())
        kept = [key for key in told if key != SEAL and (key == "history_sha256" or not key.endswith("_sha256"))]
        record.write_text(json.dumps({key: told[key] for key in kept}))
    review = verified(study)
    assert review.differences == []
    assert set(review.checked) == {"records", "sums", "corpus", "tokens", "experiments", "floors", "texts"}
    told = "\n".join(review.not_checked)
    assert "whether 14 records are what was written" in told
    assert f"{study}: a report" in told
    assert "the best weights of 3 runs: not there" in told


@pytest.mark.parametrize("path", ["results/wikitext-2", "results/quick"])
def test_the_sums_of_the_studies_that_are_kept_in_the_project_come_out(path, monkeypatch):
    monkeypatch.setattr(measured, "prepare", lambda *_: (_ for _ in ()).throw(UserError("no text here")))
    monkeypatch.setattr(measured.corpora, "load", lambda corpus: (_ for _ in ()).throw(UserError("no text here")))
    review = verified(Path(__file__).parents[2] / path)
    assert review.differences == []
    assert review.checked["sums"] > 500
    assert any("what rests on its text: no text here" in line for line in review.not_checked)


STUDY = """
from dataclasses import dataclass
from typing import ClassVar

from bakeoff.models import LSTM
from bakeoff.optimizers import Adam
from bakeoff.spec import Budget, Corpus, Study


@dataclass(frozen=True, kw_only=True)
class Slow(Adam):
    name: ClassVar[str] = "slow"
    title: ClassVar[str] = "Slow Adam"


study = Study.of(
    "own",
    corpus=Corpus(name="tiny", path=CORPUS),
    budget=Budget(epochs=1, batch_size=16, sequence_length=16, vocabulary=300, precision="fp32", threads=1),
    contenders=[(LSTM(embedding=8, hidden=8), Slow())],
)
"""


def test_a_study_files_classes_are_checked_where_they_are_trusted(tmp_path, tiny_corpus_file, training):
    (tmp_path / "mine.py").write_text(STUDY.replace("CORPUS", repr(str(tiny_corpus_file))))
    declared, source = find_study(str(tmp_path / "mine.py"))
    with open_session(declared, tmp_path / "own", torch.device("cpu"), source) as session:
        trained_here(session, session.study.runs, 1, None)
    assert Verification(tmp_path / "own").again is None
    review = verified(tmp_path / "own")
    assert review.differences == []
    assert "weights" not in review.checked
    assert any("mine.py defines bakeoff_study.Slow: read it" in line for line in review.not_checked)
    review = verified(tmp_path / "own", number=1, trust=True)
    assert review.differences == []
    assert {"weights", "trained"} <= set(review.checked)
    kept = tmp_path / "own" / "code" / "mine.py"
    kept.write_text(kept.read_text() + "evil = True\n")
    review = verified(tmp_path / "own", trust=True)
    assert [found.where for found in review.differences] == [str(kept)]
    assert any("not what was kept" in line for line in review.not_checked)


def test_a_named_run_that_cannot_be_trained_is_no_success(tmp_path, tiny_corpus_file, training, monkeypatch, capsys):
    (tmp_path / "mine.py").write_text(STUDY.replace("CORPUS", repr(str(tiny_corpus_file))))
    declared, source = find_study(str(tmp_path / "mine.py"))
    with open_session(declared, tmp_path / "own", torch.device("cpu"), source) as session:
        trained_here(session, session.study.runs, 1, None)
    for options, status in ((["--no-training"], 0), (["--run", "1"], 1), (["--run", "1", "--trust"], 0)):
        monkeypatch.setattr(sys, "argv", ["bakeoff", "verify", str(tmp_path / "own"), *options])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert ended.value.code == status, capsys.readouterr()


def test_an_own_class_in_two_experiments_is_one_class(tmp_path, tiny_corpus_file, training):
    text = STUDY.replace("CORPUS", repr(str(tiny_corpus_file)))
    (tmp_path / "mine.py").write_text(text.replace("Slow())]", "Slow()), (LSTM(embedding=8, hidden=8), Slow(lr=0.1))]"))
    declared, source = find_study(str(tmp_path / "mine.py"))
    with open_session(declared, tmp_path / "own", torch.device("cpu"), source) as session:
        trained_here(session, session.study.runs, 1, None)
    review = verified(tmp_path / "own", number=2, trust=True)
    assert review.differences == []
    assert {"weights", "trained"} <= set(review.checked)


# --- what was changed -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "after"),
    [
        ("history.jsonl", '"valid": {"nats"'),
        ("summary.json", '"last"'),
        ("documents.json", '"nats"'),
        ("spec.json", '"lr"'),
        ("environment.json", '"torch"'),
        ("../../study.json", '"baselines"'),
    ],
)
def test_a_digit_of_a_record_is_found_by_its_checksum(study, name, after):
    changed = (study / RUN / name).resolve()
    change_a_digit(changed, after)
    review = verified(study)
    assert [difference.where for difference in review.differences] == [str(changed)]
    assert review.differences[0].rebuilt == "its checksum is another"
    assert f"{study / 'report'}: it is made of records that are not what was written" in review.not_checked


@pytest.mark.parametrize("name", ["results.json", "results.csv", "table.md", "table.tex", "index.html"])
def test_a_digit_of_a_report_is_found_by_writing_it_again(study, name):
    change_a_digit(study / "report" / name, "\n" if name == "results.csv" else "LSTM")
    (found,) = verified(study).differences
    assert found.where.startswith(f"{study / 'report' / name}, line ")
    assert found.recorded != found.rebuilt
    assert len(found.recorded) == len(found.rebuilt) <= reported.SHOWN


def test_a_word_of_a_report_is_found_too_and_a_missing_file(study):
    page = study / "report" / "index.html"
    page.write_text(page.read_text().replace("Adam", "Eve"))
    (study / "report" / "table.md").unlink()
    with (study / "report" / "table.tex").open("a") as file:
        file.write("another line\n")
    review = verified(study)
    found = {difference.where: difference.recorded for difference in review.differences}
    assert found[str(study / "report" / "table.md")] == "no such file"
    assert found[str(study / "report" / "table.tex")].endswith(" lines")
    assert any(where.startswith(f"{page}, line ") for where in found)
    assert any("which version wrote it" in line for line in review.not_checked)
    assert not any("is newer" in line for line in review.not_checked)
    os.utime(page, (0, 0))
    assert f"`bakeoff report {study}` writes it anew" in " ".join(verified(study).not_checked)


def test_a_report_of_runs_that_are_gone_is_one_difference_a_run_and_no_accusation(study):
    """As an interrupted `run --again` leaves it."""
    StudyFolder(study).run(RUN).clear()
    review = verified(study)
    (found,) = review.differences
    assert found == (f"{study / 'report' / 'results.json'}, #1 seed 0", "finished", "missing")
    assert any(line.endswith(f"`bakeoff report {study}` writes it anew") for line in review.not_checked)
    (study / "report" / "results.json").write_text("[]")
    assert len(verified(study).differences) > 1


@pytest.mark.parametrize("name", ["best.safetensors", "../../tokenizer.json"])
def test_a_bit_of_weights_or_tokenizer_is_found(study, name):
    changed = (study / RUN / name).resolve()
    content = changed.read_bytes()
    changed.write_bytes(content[:-40] + bytes([content[-40] ^ 1]) + content[-39:])
    assert [difference.where for difference in verified(study).differences] == [str(changed)]


def test_a_spec_that_is_gone_is_said_and_a_run_that_diverged_before_it_began_is_no_trouble(study, training):
    (study / RUN / "spec.json").unlink()
    review = verified(study)
    assert [found.where for found in review.differences] == [str(study / RUN / "spec.json")]
    assert any("1 of 3 declared runs" in line for line in review.not_checked)
    diverged = study / "03-lstm-1-sgd" / "seed-0"
    reseal_history(diverged, lambda lines: lines.clear())
    reseal(diverged / "summary.json", lambda summary: summary.update(epoch=0))
    (diverged / "best.safetensors").unlink()
    told = [(found.where, found.recorded) for found in verified(study, number=3).differences]
    assert (str(diverged / "history.jsonl"), "0 items") in told


@pytest.mark.parametrize(
    "change",
    [
        lambda run: reseal(run / "spec.json", lambda s: s.update(run={})),
        lambda run: reseal(run / "spec.json", lambda s: s["run"]["architecture"].update(type="Unheard", layers=1)),
        lambda run: reseal(run / "spec.json", lambda s: s["run"].update(architecture=5)),
        lambda run: reseal(run / "spec.json", lambda s: s["run"]["budget"].update(batch_size=-1)),
        lambda run: reseal(run.parents[1] / "study.json", lambda s: s["budget"].update(type="Study")),
    ],
)
def test_what_cannot_be_read_back_is_said_and_the_report_is_checked_all_the_same(study, change):
    change(study / RUN)
    review = verified(study)
    assert review.checked["report"]
    assert any(re.match(f"{study}[^ ]*, (all but its records|what rests on its text): ", n) for n in review.not_checked)


def worse(lines):
    """A better best epoch, in all that its line tells."""
    best = lines[-1]["valid"]
    best["nats"] -= 10.0
    best["deciles"]["nats"][0] -= 10.0


def exchange(documents):
    nats = documents["valid"]["nats"]
    nats[0], nats[1] = nats[1], nats[0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda run: reseal_history(run, worse),
            ["documents.json: recorded what was written, rebuilt its nats of valid"],
        ),
        (
            lambda run: reseal(run / "summary.json", lambda s: s["test"]["best"].update(nats=1.0)),
            ["its nats of test add up"],
        ),
        (lambda run: reseal(run / "summary.json", lambda s: s["windows"]["half_stride"].update(nats=1.0)), ["windows"]),
        (lambda run: reseal(run / "documents.json", exchange), ["documents.json: valid.nats[0]"]),
        (lambda run: reseal(run / "documents.json", lambda d: d["test"]["words"].reverse()), ["test.words[0]"]),
        (
            lambda run: reseal(run / "spec.json", lambda s: s["run"]["optimizer"].update(lr=0.02)),
            ["spec.json: identity"],
        ),
        (lambda run: reseal(run / "spec.json", lambda s: s["run"].update(seed=7)), ["spec.json: seed"]),
        (
            lambda run: reseal(run.parents[1] / "study.json", lambda s: s["experiments"][0].update(parameters=9)),
            ["experiments.1.parameters: recorded 9"],
        ),
        (
            lambda run: reseal(run.parents[1] / "study.json", lambda s: s["corpus"]["train"].update(tokens=9)),
            ["corpus.train.tokens: recorded 9"],
        ),
        (
            lambda run: reseal(run.parents[1] / "study.json", lambda s: s["baselines"][1]["valid"].update(nats=9.5)),
            ["baselines.unigram.valid.nats: recorded 9.5"],
        ),
    ],
)
def test_who_mends_the_checksums_too_is_found_by_what_contradicts_it(study, change, said):
    change(study / RUN)
    told = "\n".join(
        f"{found.where}: recorded {found.recorded}, rebuilt {found.rebuilt}" for found in verified(study).differences
    )
    for part in said:
        assert part in told


def test_other_weights_with_a_checksum_of_theirs_cost_other_nats(study):
    path = study / RUN / "best.safetensors"
    state = checkpoints.load(path)
    state.tensors["projection.weight"][0, 0] += 0.5
    checkpoints.save(path, state.tensors, state.facts)
    found = verified(study).differences
    assert {"test.best.nats", "valid.nats"} <= {difference.where.rpartition(": ")[2] for difference in found}
    checkpoints.save(path, {name: tensor[:1] for name, tensor in state.tensors.items()}, state.facts)
    assert [difference.where for difference in verified(study).differences] == [str(path)]


def flatter(lines):
    """Another middle of the curve, in all that its line tells."""
    lines[1]["valid"]["nats"] += 10.0
    lines[1]["valid"]["deciles"]["nats"][0] += 10.0


def end_otherwise(run):
    reseal(run / "summary.json", lambda summary: summary["test"]["last"].update(nats=1.0))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda run: reseal_history(run, flatter), "history.jsonl: [1].valid.nats"),
        (end_otherwise, "test.last.nats"),
    ],
)
def test_what_only_training_can_tell_is_found_by_training_the_run_again(study, training, change, said):
    change(study / RUN)
    build(StudyFolder(study))
    assert verified(study).differences == []
    assert said in "\n".join(found.where for found in verified(study, number=1).differences)


def test_no_more_than_the_first_epoch_is_compared_of_a_run_that_was_over_before_it_could_be_stopped(study, training):
    end_otherwise(study / RUN)
    build(StudyFolder(study))
    assert verified(study, number=1, training="first epoch").differences == []


def test_a_run_that_a_judge_trained_is_one_like_any_other(judged, training):
    write_record(StudyFolder(judged).looks_of(1, 2), {"declared": []})
    review = verified(judged, number=1, seed=7)
    assert (review.differences, review.checked["trained"] > 0) == ([], True)
    assert any("judge-1-2.json: when its looks were declared" in line for line in review.not_checked)
    assert not any("declared runs" in line for line in review.not_checked)
    change_a_digit(judged / JUDGED / "history.jsonl", '"valid"')
    assert [Path(found.where).parent.name for found in verified(judged).differences] == ["seed-7"]


def test_a_digit_of_what_a_judge_declared_is_found(study):
    looks = StudyFolder(study).looks_of(1, 2)
    write_record(looks, {"declared": [{"looks": [3, 5], "margin": 0.01, "over": []}]})
    assert verified(study).differences == []
    change_a_digit(looks, '"margin"')
    assert [found.where for found in verified(study).differences] == [str(looks)]


def test_a_copy_under_another_name_has_the_same_report(study):
    assert f"runs/{study.name}/" in (study / "report" / "index.html").read_text()
    assert verified(study.rename(study.with_name("a-copy"))).differences == []


@pytest.mark.parametrize("share", [0.003, 0.01])
def test_a_run_by_other_code_is_compared_within_what_is_said(study, training, share):
    def change(lines):
        del lines[1]["valid"]["deciles"]
        lines[1]["valid"]["nats"] *= 1 + share

    reseal(study / RUN / "environment.json", lambda told: told.update(sources="0" * 12))
    reseal_history(study / RUN, change)
    build(StudyFolder(study))
    review = verified(study, number=1)
    assert [f.where for f in review.differences] == [f"{study / RUN / 'history.jsonl'}: epoch 1.valid"] * (
        share > 0.005
    )
    assert any("sources was 000000000000 and is" in line and "0.50 %" in line for line in review.not_checked)


def test_another_text_is_found_and_what_rests_on_it_is_not_checked(study, tiny_corpus_file):
    text = tiny_corpus_file.read_text()
    try:
        tiny_corpus_file.write_text(text.replace("a", "b", 1))
        review = verified(study)
        tiny_corpus_file.rename(tiny_corpus_file.with_suffix(".moved"))
        gone = verified(study)
    finally:
        tiny_corpus_file.with_suffix(".moved").unlink(missing_ok=True)
        tiny_corpus_file.write_text(text)
    assert [found.where for found in review.differences] == [f"{study / 'study.json'}: corpus.sha256"]
    assert any("has changed since its study was started" in line for line in review.not_checked)
    assert gone.differences == []
    assert any("is missing: put it there" in line for line in gone.not_checked)


NUMBERS = st.floats(1e-3, 1e6)


@given(st.dictionaries(st.sampled_from("abcd"), st.lists(NUMBERS, min_size=1), min_size=1), st.data())
def test_a_number_anywhere_may_differ_by_the_share_and_no_more(recorded, data):
    key = data.draw(st.sampled_from(sorted(recorded)))
    place = data.draw(st.integers(0, len(recorded[key]) - 1))
    share = data.draw(st.sampled_from([1e-9, 1e-5, 1e-3]))
    for factor, found in ((0.9, []), (1.1, [f"file: {key}[{place}]"])):
        review, rebuilt = Review(), {name: list(values) for name, values in recorded.items()}
        rebuilt[key][place] *= 1 + factor * share
        review.compare("x", "file", recorded, rebuilt, share)
        assert [difference.where for difference in review.differences] == found
        assert review.checked["x"] == sum(map(len, recorded.values()))


# --- the command ------------------------------------------------------------------------------------------------------


def call(arguments, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["bakeoff", "verify", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return ended.value.code, *capsys.readouterr()


def test_the_command_trains_a_run_in_a_process_of_its_own_and_says_what_it_does_before(kept, monkeypatch, capsys):
    status, out, err = call([kept, "--run", "1", "--seed", "0"], monkeypatch, capsys)
    assert status == 0
    assert err.startswith(f"verifying 3 runs of {kept}: ")
    assert re.search(rf"then trains {kept / RUN} again, which took about [0-9.]+ s where it was computed", err)
    assert "01-lstm-1-adam/seed-0  finished" in err
    assert "numbers of a run, trained again" in out
    assert out.endswith("nothing that was checked differs\n")


@pytest.mark.parametrize(
    ("change", "found"), [(lambda run: reseal_history(run, flatter), True), (end_otherwise, False)]
)
def test_the_first_epoch_alone_is_trained_again_and_compared_where_that_is_asked(
    study, change, found, monkeypatch, capsys
):
    change(study / RUN)
    build(StudyFolder(study))
    status, out, err = call([study, "--run", "1", "--first-epoch"], monkeypatch, capsys)
    assert f"then trains {study / RUN} again for one epoch, which took about" in err
    assert re.search("[0-9]+ numbers of a run, trained again", out)
    assert f"not checked: {study / RUN}, trained again past its first epoch" in out
    assert ("history.jsonl: [1].valid.nats" in out, status) == (found, int(found))


def test_differences_are_the_status_and_stand_in_the_json(study, monkeypatch, capsys):
    change_a_digit(study / RUN / "summary.json", '"last"')
    status, out, _ = call([study.parent, "--no-training", "--json"], monkeypatch, capsys)
    told = json.loads(out)
    assert status == 1
    assert set(told) == {"checked", "differences", "not_checked"}
    assert told["checked"]["weights"] > 0
    assert [set(found) for found in told["differences"]] == [{"where", "recorded", "rebuilt"}]
    status, out, _ = call([study.parent, "--no-training"], monkeypatch, capsys)
    assert (status, out.splitlines()[-1]) == (1, "1 difference")
    assert f"differs: {study / RUN / 'summary.json'}: recorded what was written, rebuilt its checksum is another" in out


@pytest.fixture
def folders(study, monkeypatch):
    """A folder with the study, two of them in a folder, and one of which nothing is over."""
    monkeypatch.chdir(study.parent)
    for place in ("several/one", "several/two", "begun"):
        shutil.copytree(study, place)
    for summary in Path("begun").rglob("summary.json"):
        summary.unlink()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere"], "no study in .*nowhere"),
        (["tiny", "--run", "9"], r"no run of that number and seed is over and undamaged: choose among 1 \(seed 0\)"),
        (["tiny", "--seed", "9"], "no run of that number and seed is over"),
        (["tiny", "--run", "one"], "valid integer"),
        (["tiny", "--first-epoch", "--no-training"], "leave out --no-training"),
        (["tiny", "--run", "99", "--no-training"], "leave out --no-training"),
        (["several", "--run", "1"], "here are several: give the folder of one"),
        (["begun"], "no run in .*begun is over, so there is nothing to verify"),
    ],
)
def test_a_mistake_is_one_line(folders, arguments, says, monkeypatch, capsys):
    status, out, err = call(arguments, monkeypatch, capsys)
    assert (status, out) == (2, "")
    assert re.fullmatch(rf"bakeoff: [^\n]*{says}[^\n]*\n", err)
