"""Faults that are planted in experiments, each beside a sound one, get the right verdict."""

import math
from pathlib import Path

import pytest
import torch

from bakeoff import judging, runner
from bakeoff.analysis.rows import read_rows
from bakeoff.analysis.statistics import SAME, UNDECIDED
from bakeoff.study_file import find_study
from bakeoff.verbs import with_options

FILE = Path(__file__).parents[1] / "examples" / "faults.py"
CPU = torch.device("cpu")
SOUND, TOO_HIGH, SHIFTED, DEAD, BLIND, TWIN, FLATTERED = range(1, 8)


def opened(text, folder, **options):
    """The study on a small text, which a few steps are enough for."""
    study = with_options(find_study(str(FILE))[0], corpus=text, epochs=8, precision="fp32", threads=1, **options)
    return runner.open_session(study.with_shared(batch_size=4), folder / "faults", CPU, FILE)


def test_who_learns_nothing_is_told_why(tiny_corpus_file, tmp_path):
    with opened(tiny_corpus_file, tmp_path) as session:
        session.run(session.missing([SOUND, TOO_HIGH, SHIFTED, DEAD, BLIND]), 1, lambda run, message: None)
        rows = {row.number: row for row in read_rows(session.folder).rows}
    assert not rows[SOUND].unlearned
    assert rows[TOO_HIGH].unlearned or rows[TOO_HIGH].valid.loss > rows[SOUND].valid.loss + 0.5
    assert rows[SHIFTED].unlearned
    assert rows[DEAD].diagnosis_rule == "dead"
    assert rows[BLIND].diagnosis_rule in ("unigram-plateau", "worse-than-a-unigram")


@pytest.mark.slow
def test_twins_are_not_told_apart_and_two_percent_are_found_with_the_planned_seeds(tiny_corpus_file, tmp_path):
    for candidate, verdicts in ((TWIN, (SAME, UNDECIDED)), (FLATTERED, ("better",))):
        with opened(tiny_corpus_file, tmp_path) as session:
            question = judging.Question(study=session.study, baseline=SOUND, candidate=candidate, looks=(3, 8, 20))
            judge = judging.Judge(question, session, "bakeoff tune")
            while (part := judge.next_look()) is not None:
                part.run(part.missing(), 2, lambda run, message: None)
                judge.learn()
            judgement = judge.judgement()
        assert judgement.last.verdict in verdicts
        assert math.isfinite(judgement.last.interval.mean)
