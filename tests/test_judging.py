"""`bakeoff judge`: looks and verdicts over runs that were never trained, and the command over some that were."""

import dataclasses
import functools
import inspect
import json
import math
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import fakes
from bakeoff import cli, costs, judging, provenance, runner, terminal, verbs
from bakeoff.analysis.statistics import SAME, SAME_WITHIN, UNDECIDED
from bakeoff.errors import UserError
from bakeoff.experiments import STUDIES
from bakeoff.identity import purpose
from bakeoff.optimizers import Adam, AdamW
from bakeoff.spec import Study
from bakeoff.study_folder import StudyFolder
from forked import STUDY as STUDY_FILE

CPU = torch.device("cpu")
ROOT = Path(__file__).parents[1]
REMEDY = "`bakeoff tune tiny` searches for both alike, and this command then judges with what it finds"
#: Nats per token of valid of the baseline, by seed; far below the unigram's.
BASELINE = [3.0, 3.02, 2.99, 3.01, 3.0, 2.98, 3.03, 3.0]


def search(study, *losses):
    """A search for the study's rates, each in the middle of as many as there are losses."""
    found = [fakes.trials(e.optimizer.lr, *losses) for e in study.experiments]
    rates = dict(zip([e.slug for e in study.experiments], found, strict=True))
    return {"study": study.name, "for": purpose(study), "corpus": study.corpus.name, "epochs": 1, "rates": rates}


@pytest.fixture
def study(tiny_study):
    return tiny_study.tuned(search(tiny_study))


@pytest.fixture
def session(study, tmp_path):
    with runner.open_session(study, tmp_path / "tiny", CPU) as session:
        yield session


def end(session, run, loss, sources="now", ending=None):
    """Let a run end with that loss on valid, an infinite one by divergence."""
    folder = session.folder.run(run.slug)
    records = {"spec": fakes.spec(run), "environment": fakes.ENVIRONMENT | {"sources": sources}}
    if math.isinf(loss):
        fakes.write_run(folder, [4.0], ending={"status": "diverged", "error": "at step 7", "epoch": 1}, **records)
        (folder.path / "history.jsonl").write_text((folder.path / "history.jsonl").read_text().splitlines(True)[0])
        folder.finish({"status": "diverged", "error": "the loss was not finite at step 7, in epoch 1", "epoch": 1})
    else:
        fakes.write_run(folder, fakes.falling(loss, epochs=2), ending={"epochs": 2} | (ending or {}), **records)


@pytest.fixture
def judged(session, monkeypatch):
    """Ask a question and do whatever runs it needs, with those gains of the candidate by seed."""
    monkeypatch.setattr(provenance, "code", lambda: {"sources": "now"})

    return functools.partial(ask, session)


def ask(session, gains, *, looks=(3, 5, 8), margin=SAME_WITHIN, baseline=1, candidate=2, losses=BASELINE):
    study = session.declared
    question = judging.Question(study=study, baseline=baseline, candidate=candidate, looks=looks, margin=margin)
    judge = judging.Judge(question, session, REMEDY)
    while (part := judge.next_look()) is not None:
        for run in part.missing():
            gain = gains[run.seed] if run.number == 2 else 0.0
            end(session, run, losses[run.seed] - gain)
        judge.learn()
    return judge.judgement()


# --- questions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"baseline": 9}, r"--baseline takes a number of an experiment; study tiny has 1, 2"),
        ({"candidate": 0}, r"--candidate takes a number of an experiment; study tiny has 1, 2"),
        ({"candidate": 1}, r"a comparison takes two experiments, not 1 twice"),
        ({"margin": -0.1}, r"--margin takes nats per token from 0 on, not -0.1"),
        ({"margin": math.nan}, r"--margin takes nats per token from 0 on, not nan"),
        ({"margin": math.inf}, r"--margin takes nats per token from 0 on, not inf"),
    ],
)
def test_what_is_no_question_is_refused(study, fields, says):
    with pytest.raises(UserError, match=says):
        judging.Question(**{"study": study, "baseline": 1, "candidate": 2, "looks": (3, 5)} | fields)


@pytest.mark.parametrize(
    "given", ["3", "", "3,", "5,3", "3,3", "2,4", "3,101", "a,b", "3,5.5", "-3,5", "3," + "9" * 5000]
)
def test_looks_that_are_none_are_refused(given):
    with pytest.raises(UserError, match=r"--looks takes two or more numbers of seeds that rise, from 3 to 100"):
        judging.parse_looks(given)


def test_looks_are_read_as_they_are_written_and_the_usual_ones_are_the_commands():
    assert judging.parse_looks("3, 6,10") == (3, 6, 10)
    options = inspect.signature(cli.judge).parameters
    assert (options["looks"].default, options["margin"].default) == (judging.USUAL, SAME_WITHIN)


# --- verdicts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gains", "verdict", "seeds"),
    [
        ([0.1, 0.11, 0.105], "better", 3),
        ([-0.1, -0.11, -0.105], "worse", 3),
        ([0.001, -0.001, 0.0], SAME, 3),
        ([0.0, 0.1, 0.05, 0.06, 0.055], UNDECIDED, 8),
        ([0.1, 0.2, 0.15, 0.14, 0.16], "better", 5),
    ],
)
def test_it_stops_as_soon_as_the_answer_is_known(judged, session, gains, verdict, seeds):
    wild = [*gains, -0.1, 0.2, -0.15]
    judgement = judged(wild)
    assert (judgement.last.verdict, judgement.last.seeds) == (verdict, seeds)
    assert [look.seeds for look in judgement.looks] == [each for each in (3, 5, 8) if each <= seeds]
    assert judgement.gains == pytest.approx(wild[:seeds])
    assert len(list(session.folder.path.glob("0*/seed-*"))) == 2 * seeds
    assert judgement.reservations == ()


def test_the_other_way_round_it_says_the_opposite(judged):
    assert judged([0.1, 0.11, 0.105]).last.verdict == "better"
    turned = judged([0.1, 0.11, 0.105], baseline=2, candidate=1)
    assert (turned.last.verdict, turned.gains) == ("worse", pytest.approx([-0.1, -0.11, -0.105]))


def test_the_json_is_what_is_promised(judged):
    judgement = judged([0.1, 0.2, 0.15, 0.14, 0.16])
    told = json.loads(json.dumps(judgement.as_json()))
    assert set(told) == {
        *("verdict", "difference", "low", "high", "seeds", "looks", "margin", "smallest_effect", "reservations"),
        *("study", "baseline", "candidate", "gains"),
    }
    valid = {side: told[side]["valid"] for side in ("baseline", "candidate")}
    assert told["gains"] == pytest.approx([a - b for a, b in zip(*valid.values(), strict=True)])
    assert (told["study"], told["baseline"]["number"], told["candidate"]["number"]) == ("tiny", 1, 2)
    assert told["candidate"]["experiment"] == "#2 (1-layer GPT-1, SGD, learning rate 0.1)"
    assert told["baseline"]["test"] == pytest.approx(3.104, abs=0.001)
    assert told["looks"][-1] == {"seeds": 5, "level": 0.0199, "low": told["low"], "high": told["high"]}
    assert told["low"] < told["difference"] < told["high"]
    assert told["difference"] == pytest.approx(0.15)
    assert (told["verdict"], told["seeds"], told["margin"], told["reservations"]) == ("better", 5, SAME_WITHIN, [])
    assert told["smallest_effect"] > 0


def test_more_seeds_than_the_study_declares_change_nothing_for_its_report(judged, session):
    before = (session.folder.path / "study.json").read_bytes()
    judged([0.02, 0.1, 0.06, 0.05, 0.07])
    assert (session.folder.path / "study.json").read_bytes() == before


def test_the_text_has_every_number_of_the_verdict_and_tells_test_with_it(judged):
    text = terminal.judgement_text(judged([0.1, 0.2, 0.15, 0.14, 0.16]))
    assert text.splitlines()[0].startswith("Better: #2 (1-layer GPT-1, SGD, learning rate 0.1) against #1 (")
    assert "on valid after five seeds." in text
    assert "It pays 0.150 nats per token less: the 98 % interval of its gain, which each look has, is 0." in text
    assert ". Within 0.01 to either side the two would be the same." in text
    assert "\n  after three seeds: undecided, with a gain of −0.0" in text  # noqa: RUF001 (the sign of minus)
    assert "On test, which decided nothing: 2.954 nats per token against 3.104." in text
    assert "reservation" not in text


def test_an_undecided_one_says_what_it_could_have_seen(judged):
    judgement = judged([0.0, 0.1, 0.05, 0.06, 0.055, -0.1, 0.2, -0.15])
    assert f"A difference of {judgement.smallest_effect:.3f} would have been found" in terminal.judgement_text(
        judgement
    )


@pytest.mark.parametrize(
    ("gains", "verdict"),
    [([-math.inf, *[0.3 + seed / 100 for seed in range(7)]], UNDECIDED), ([-math.inf] * 8, "worse")],
)
def test_a_candidate_that_diverges_is_not_better_and_worse_once_that_is_no_chance(judged, gains, verdict):
    judgement = judged(gains)
    assert (judgement.last.verdict, judgement.last.seeds) == (verdict, 8)
    told = judgement.as_json()
    assert (told["difference"], told["low"], told["high"], told["smallest_effect"], told["gains"]) == (None,) * 5
    assert told["candidate"]["test"] is None
    text = terminal.judgement_text(judgement)
    assert "#2 diverged with seed 0, so there is no mean, and ranks decide, which takes more than six seeds." in text
    assert "On test" not in text


# --- what is refused, and what speaks against a verdict ---------------------------------------------------------------


def test_looks_that_are_declared_when_runs_were_seen_carry_that_for_good(judged, session):
    undecided = [0.0, 0.1, 0.05, 0.06, 0.055, -0.1, 0.2, -0.15]
    assert judged(undecided).reservations == ()
    (reservation,) = judged(undecided, looks=(3, 4)).reservations
    assert reservation.startswith("runs of seeds 0, 1, 2 and 3 were over before these looks were declared: ")
    assert len(judged(undecided, margin=0.02).reservations) == 1
    assert judged(undecided).reservations == ()  # these were declared first
    assert judged(undecided, baseline=2, candidate=1).reservations == ()  # and are the pair's
    (session.folder.path / "judge-1-2.json").unlink()
    assert len(judged(undecided).reservations) == 1


def test_runs_of_ordinary_commands_are_used_and_said_to_have_been_seen(judged, session):
    for run in session.study.runs:
        end(session, run, BASELINE[0] - 0.1 * (run.number == 2))
    judgement = judged([0.1, 0.11, 0.105])
    assert judgement.last.verdict == "better"
    assert "seed 0 were over before" in judgement.reservations[0]


@pytest.mark.parametrize(("gain", "told"), [(-0.2, True), (0.2, False)])
def test_who_loses_to_its_own_special_case_is_said_to_lose_by_its_settings(
    tiny_study, tmp_path, monkeypatch, gain, told
):
    monkeypatch.setattr(provenance, "code", lambda: {"sources": "now"})
    model = tiny_study.experiments[0].architecture
    pair = Study.of(
        "tiny",
        corpus=tiny_study.corpus,
        budget=tiny_study.budget,
        contenders=[(model, Adam(lr=1e-2)), (model, AdamW(lr=1e-2, weight_decay=0.1))],
    )
    with runner.open_session(pair.tuned(search(pair)), tmp_path / "tiny", CPU) as session:
        judgement = ask(session, [gain + each / 1000 for each in range(3)])
    said = [each for each in judgement.reservations if each.startswith("#2 lost to its own special case")]
    assert (judgement.last.verdict, bool(said)) == ("worse" if told else "better", told)


def test_runs_by_different_code_are_not_compared(judged, session, monkeypatch):
    judged([0.1, 0.11, 0.105])
    assert judged([0.1, 0.11, 0.105]).last.seeds == 3
    monkeypatch.setattr(provenance, "code", lambda: {"sources": "later"})
    assert judged([0.1, 0.11, 0.105]).last.seeds == 3  # nothing is to be done by this code
    refusal = r"tiny has runs of 1,2 that different code computed, .* --again 1,2 trains them anew, and another --out"
    end(session, next(iter(session.study.runs)), 3.0, sources="earlier")
    with pytest.raises(UserError, match=refusal) as refused:
        judged([0.1, 0.11, 0.105])
    assert refused.value.status == 1
    end(session, next(iter(session.study.runs)), 3.0)
    shutil.rmtree(session.folder.path / "02-gpt1-1-sgd" / "seed-2")
    with pytest.raises(UserError, match=refusal):
        judged([0.1, 0.11, 0.105])


def test_a_damaged_run_stops_it(judged, session):
    judged([0.1, 0.11, 0.105])
    summary = session.folder.path / "02-gpt1-1-sgd" / "seed-2" / "summary.json"
    summary.write_text("{")
    with pytest.raises(UserError, match=r"summary\.json is damaged"):
        judged([0.1, 0.11, 0.105])


def reservations(session, tuned, **options):
    """Of a comparison in a study whose rates come from that search."""
    study = dataclasses.replace(session.study, tuning=tuned)
    with runner.open_session(study, session.folder.path.parent / "other", CPU) as other:
        question = judging.Question(study=study, baseline=1, candidate=2, looks=(3, 5), **options)
        judge = judging.Judge(question, other, REMEDY)
        for run in judge.next_look().missing():
            end(other, run, 3.0 - 0.1 * run.number - 0.001 * run.seed)
        judge.learn()
        return judge.judgement().reservations


def unlike(tuned):
    """The search with more rates for one."""
    slug = max(tuned["rates"])
    rates = tuned["rates"] | {slug: fakes.trials(0.1, (5.1, 5.05, 5.0, 5.05, 5.1))}
    return tuned | {"rates": rates}


def on_the_edge(tuned):
    """The search with one whose best rate is its lowest."""
    slug = max(tuned["rates"])
    lowest = {"lr": 0.1, "trials": tuned["rates"][slug]["trials"][1:]}
    return tuned | {"rates": tuned["rates"] | {slug: lowest}}


def steep(tuned):
    """The search with rates beside the best that cost 0.4 nats, for both."""
    return tuned | {
        "rates": {slug: fakes.trials(found["lr"], (5.4, 5.0, 5.4)) for slug, found in tuned["rates"].items()}
    }


STEEP = (
    "the search has not looked closely enough around the learning rate of #1 to rule out that a better one makes up "
    "for it: the verdict is of the two at theirs"
)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda tuned: tuned, []),
        (
            lambda tuned: None,
            [f"the learning rate of #1 and #2 is not what a search found between lower and higher ones: {REMEDY}"],
        ),
        (
            on_the_edge,
            [f"the learning rate of #2 is not what a search found between lower and higher ones: {REMEDY}"],
        ),
        (
            lambda tuned: tuned | {"for": "another"},
            [f"the learning rates were found for another text or another budget: {REMEDY}"],
        ),
        (
            unlike,
            ["the search tried 3 for #1 and 5 for #2, as it goes on where the best rate is on the edge"],
        ),
        (
            steep,
            [STEEP],
        ),
    ],
)
def test_both_sides_must_have_been_tuned_alike(session, study, change, expected):
    assert list(reservations(session, change(study.tuning))) == expected


def test_a_side_that_has_learned_nothing_is_named(judged):
    uniform = [math.log(300)] * 8
    (reservation,) = judged([0.1, 0.11, 0.105], losses=uniform).reservations[:1]
    assert reservation.startswith("#1 learned nothing about context with seeds 0, 1 and 2: ")


def test_kept_results_are_judged_without_training(tmp_path):
    """An LSTM with AdamW, and the same with SGD, which is behind by more than any seed changes."""
    shutil.copytree(ROOT / "results" / "quick", tmp_path / "quick")
    folder, study = StudyFolder(tmp_path / "quick"), STUDIES["quick"]
    resolved = runner.resolve(study, folder, CPU)
    session = runner.Session(study=resolved, declared=study, folder=folder, tokens=None, device=CPU, source=None)
    question = judging.Question(study=study, baseline=2, candidate=3, looks=(3, 5))
    judge = judging.Judge(question, session, REMEDY)
    assert judge.next_look().missing() == []
    assert judge.learn().verdict == "worse"
    assert judge.next_look() is None
    (seen,) = judge.judgement().reservations  # the search has looked closely around both
    assert seen.startswith("runs of seeds 0, 1 and 2 were over before")


def test_what_is_to_be_done_again_is_forgotten_once_nothing_speaks_against_a_verdict(judged, session, study):
    judged([0.1, 0.11, 0.105])
    question = judging.Question(study=study, baseline=1, candidate=2, looks=(3, 5))
    judge = judging.Judge(question, session, REMEDY)
    summaries = {path: path.read_bytes() for path in session.folder.path.glob("*/seed-*/summary.json")}
    end(session, next(iter(session.study.runs)), 3.0, sources="earlier")
    other = session.folder.path / "01-lstm-1-adam" / "seed-0" / "summary.json"
    with pytest.raises(UserError, match=r"runs of 1,2 that different code computed"):
        judge.begin([2])
    assert all(path.is_file() for path in summaries)
    judge.begin([1])
    assert {path.parent.parent.name for path in summaries if not path.is_file()} == {other.parent.parent.name}
    *_, declared = json.loads(next(session.folder.path.glob("judge-*.json")).read_text())["declared"]
    assert len(declared["over"]) == len(summaries), "those as well that are trained anew"


@pytest.mark.parametrize("look", ["next_look", "missing"])
def test_seeds_of_other_code_are_named_with_the_command_that_trains_them_anew(session, study, monkeypatch, look):
    def of_other_code(self, only=None, again=()):
        raise runner.OtherCodeError(self.folder.path, [2], None)

    judge = judging.Judge(judging.Question(study=study, baseline=1, candidate=2, looks=(3, 5)), session, REMEDY)
    monkeypatch.setattr(runner.Session, "missing", of_other_code)
    with pytest.raises(runner.OtherCodeError, match="bakeoff judge with --again 2 trains anew"):
        judge.next_look() if look == "next_look" else judge.missing(judge.first)


# --- the command ------------------------------------------------------------------------------------------------------

TWO = STUDY_FILE.replace("Adam(lr=1e-2))]", "Adam(lr=1e-2)), (LSTM(embedding=8, hidden=8), Adam(lr=1e-3))]")


@pytest.fixture
def judge(tiny_corpus_file, tmp_path, monkeypatch, capsys):
    """The command in this process: its exit status, standard output and standard error."""
    (tmp_path / "small.py").write_text(TWO.format(corpus=str(tiny_corpus_file)))
    monkeypatch.chdir(tmp_path)

    def judge(*options):
        command = ["bakeoff", "judge", "small.py", "--baseline", "1", "--candidate", "2", "--looks", "3,4", *options]
        monkeypatch.setattr(sys, "argv", command)
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return ended.value.code, *capsys.readouterr()

    return judge


def test_the_command_says_its_cost_goes_on_after_an_interrupt_and_answers_twice_the_same(judge, tmp_path, monkeypatch):
    whole = runner.Session.run

    def interrupted(session, runs, jobs, observer):
        whole(session, runs[:3], jobs, observer)
        raise KeyboardInterrupt

    monkeypatch.setattr(runner.Session, "run", interrupted)
    status, out, err = judge("--json")
    assert (status, out) == (130, "")
    assert "small: 8 of 8 runs to do on cpu" in err
    monkeypatch.setattr(runner.Session, "run", whole)
    status, out, err = judge("--json")
    assert status == 0
    assert "small: 5 of 8 runs to do on cpu" in err
    decided = (tmp_path / "runs" / "small" / "decisions.txt").read_text().splitlines()
    assert decided[0].startswith("#2 against #1 after three seeds: ")
    assert all(line in err for line in decided[:-1])
    assert decided[-1].startswith("the answer: #2 against #1: ")
    page = (tmp_path / "runs" / "small" / "live.html").read_text()
    assert f"<li>{decided[-1]}" in page
    assert page.count(">finished</td>") >= 6, "the seeds of the look, not the study's own"
    told = json.loads(out)
    assert told["verdict"] in ("better", "worse", "the same", "undecided")
    assert told["reservations"][-1] == (
        "the learning rate of #1 and #2 is not what a search found between lower and higher ones: "
        f"`bakeoff tune {tmp_path / 'small.py'} --out runs` searches for both alike, "
        "and this command then judges with what it finds"
    )
    assert not any("were over before" in reservation for reservation in told["reservations"])
    status, again, err = judge("--json")
    assert (status, again) == (0, out)
    assert "runs to do" not in err
    assert "reservation: runs of seeds 0, 1" in judge("--margin", "0")[1]

    def refused(*_):
        raise UserError("no disk holds that", status=1)

    kept = (tmp_path / "runs" / "small" / "decisions.txt").read_text()
    monkeypatch.setattr(verbs, "say_cost", refused)
    assert judge("--again", "2")[0] == 1
    assert (tmp_path / "runs" / "small" / "decisions.txt").read_text() == kept, "nothing new was decided"
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["bakeoff", "run", "small.py", "--no-report"])
    with pytest.raises(SystemExit):
        cli.main()
    assert not (tmp_path / "runs" / "small" / "decisions.txt").exists(), "it is the whole study again"


def test_a_run_that_fails_leaves_it_without_a_verdict(judge, tmp_path, monkeypatch):
    def failing(session, runs, jobs, observer):
        for run in runs:
            session.folder.run(run.slug).path.mkdir(parents=True, exist_ok=True)
            session.folder.run(run.slug).finish({"status": "failed", "error": "out of memory"})

    monkeypatch.setattr(runner.Session, "run", failing)
    status, out, err = judge()
    assert (status, out) == (1, "")
    assert "01-lstm-1-adam/seed-0 failed: out of memory" in err
    assert err.splitlines()[-1] == (
        "bakeoff: there is no verdict while a run has failed; repeat the command to try it again"
    )


def test_what_is_judged_anew_stays_where_the_disk_does_not_hold_it_and_may_be_damaged(judge, tmp_path, monkeypatch):
    """What is damaged is forgotten whole, so that it damages nothing else."""
    trained = []

    def ended(session, runs, jobs, observer):
        trained.extend(runs)
        for run in runs:
            end(session, run, 3.0 + run.seed / 100 - run.number / 1000)

    monkeypatch.setattr(provenance, "code", lambda: {"sources": "now"})
    monkeypatch.setattr(runner.Session, "run", ended)
    assert judge()[0] == 0
    summaries = {path: path.read_bytes() for path in tmp_path.rglob("summary.json")}
    (next(iter(sorted(summaries))).with_name("texts.json")).write_text("no record")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(costs.shutil, "disk_usage", lambda path: SimpleNamespace(free=10_000))
        assert judge("--again", "1,2")[0] != 0
    assert {path: path.read_bytes() for path in tmp_path.rglob("summary.json")} == summaries
    trained.clear()
    assert judge("--again", "1,2")[0] == 0
    assert len(trained) == len(summaries)
    assert not list(tmp_path.rglob("texts.json"))


def test_where_the_disk_does_not_hold_it_nothing_is_declared(judge, tmp_path, monkeypatch):
    monkeypatch.setattr(costs.shutil, "disk_usage", lambda path: SimpleNamespace(free=10_000))
    status, _, err = judge()
    assert (status, "of disk" in err) == (1, True)
    assert not list(tmp_path.rglob("*.json"))
