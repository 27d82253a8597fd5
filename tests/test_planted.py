"""Faults that are planted in experiments and in their text, beside a sound one, get the right verdict."""

import re
import runpy
from pathlib import Path

import pytest
import torch

from bakeoff import judging, planning, runner
from bakeoff.analysis import looks
from bakeoff.analysis.reading import read_rows
from bakeoff.analysis.statistics import SAME
from bakeoff.data import corpora
from bakeoff.options import with_options
from bakeoff.reporting import build
from bakeoff.study_file import find_study

FILE = Path(__file__).parents[1] / "examples" / "faults.py"
CPU = torch.device("cpu")
SOUND, TOO_HIGH, SHIFTED, DEAD, BLIND, TWIN, FLATTERED = range(1, 8)
#: By how much the flattered one's losses are told too low, in nats per token: 2 %.
PLANTED = 0.02


@pytest.fixture(scope="module")
def leaked(tiny_corpus_file, tmp_path_factory):
    """A small text, which a few steps are enough for, with test in train."""
    folder = tmp_path_factory.mktemp("text") / "leaked"
    text = corpora.load(corpora.choose(str(tiny_corpus_file))).splits
    runpy.run_path(str(FILE))["leak"](text, folder)
    return folder


@pytest.fixture
def opened(leaked, tmp_path):
    study = with_options(find_study(str(FILE))[0], corpus=leaked, epochs=8, precision="fp32", threads=1)
    with runner.open_session(study.with_shared(batch_size=4), tmp_path / "faults", CPU, FILE) as session:
        yield session


def judged(session, candidate, taken, margin=0.01):
    """The last look at a candidate beside the sound one, and its reservations."""
    question = judging.Question(study=session.study, baseline=SOUND, candidate=candidate, looks=taken, margin=margin)
    judge = judging.Judge(question, session, "bakeoff tune")
    while (part := judge.next_look()) is not None:
        part.run(part.missing(), 2, lambda run, message: None)
        judge.learn()
    judgement = judge.judgement()
    return judgement.last, judgement.reservations


@pytest.mark.slow
def test_a_report_tells_who_learns_nothing_and_why_and_that_test_leaked_into_train(opened):
    opened.run(opened.missing([SOUND, TOO_HIGH, SHIFTED, DEAD, BLIND]), 1, lambda run, message: None)
    rows = {row.number: row for row in read_rows(opened.folder).rows}
    assert {number for number, row in rows.items() if row.unlearned} == {TOO_HIGH, SHIFTED, DEAD, BLIND}
    assert rows[DEAD].diagnosis_rule == "dead"
    assert {rows[number].diagnosis_rule for number in (SHIFTED, BLIND)} <= {"unigram-plateau", "worse-than-a-unigram"}
    page = build.build(opened.folder).page.read_text(encoding="utf-8")
    assert re.search(r"100\s%\s*of test stands word for word in train", page)


@pytest.mark.slow
@pytest.mark.parametrize("candidate", [TOO_HIGH, SHIFTED, DEAD, BLIND])
def test_judge_finds_who_learns_nothing_worse_and_says_that_this_is_no_verdict_on_its_kind(opened, candidate):
    last, reservations = judged(opened, candidate, (3, 5, 8))
    assert (last.seeds, last.verdict) == (3, looks.WORSE)
    assert any(f"#{candidate} learned nothing about context" in reservation for reservation in reservations)


@pytest.mark.slow
def test_twins_are_the_same_and_two_percent_are_found_with_the_planned_seeds(opened):
    twins, _ = judged(opened, TWIN, (3, 20), margin=PLANTED)
    assert twins.verdict == SAME
    planned = planning.plan(opened.study, opened.tokens, opened.folder, CPU, (SOUND, TWIN)).as_json()["seeds"]
    enough = next(each["seeds"] for each in planned if each["smallest_effect"] <= PLANTED)
    found, _ = judged(opened, FLATTERED, (3, max(5, enough)))
    assert found.verdict == looks.BETTER
    assert found.interval.low < PLANTED < found.interval.high
