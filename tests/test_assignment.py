"""The assignment that a teacher can hand out: its file is the twelve experiments, and runs as it is."""

import re
from pathlib import Path

import bakeoff
import fakes
from bakeoff.experiments import QUICK
from bakeoff.study_file import load_study

ROOT = Path(__file__).parents[1]
FILE = ROOT / "examples" / "assignment.py"
PAGE = (ROOT / "docs" / "assignment.md").read_text(encoding="utf-8")


def test_its_experiments_are_the_twelve_at_the_rates_that_were_found_on_its_text():
    study = load_study(FILE)
    told = [(e.number, e.architecture.name, e.architecture.layers, e.optimizer.name) for e in study.experiments]
    assert told == list(fakes.TWELVE)
    assert study.experiments == QUICK.experiments
    assert (study.corpus, study.budget, len(study.seeds)) == (QUICK.corpus, QUICK.budget, 3)


def test_the_page_has_a_line_for_each_of_them_and_a_hundred_points():
    lines = re.findall(r"^\| (\d+) \| (.+?) \| (.+?) \| (\d) \|", PAGE, re.MULTILINE)
    study = load_study(FILE)
    assert lines == [
        (str(e.number), e.architecture.title, e.optimizer.title, str(e.architecture.layers)) for e in study.experiments
    ]
    points = PAGE[PAGE.index("| points |") :]
    assert sum(map(int, re.findall(r"^\| (\d+) \|", points, re.MULTILINE))) == 100


def test_what_a_student_hands_in_is_made_of_a_text_of_ones_own(tiny_corpus_file, tmp_path):
    results = bakeoff.run(FILE, corpus=tiny_corpus_file, epochs=1, seeds=1, only=[1, 12], threads=1, out=tmp_path)
    assert results.failed == ()
    assert results.rows().filter(status="finished")["number"].to_list() == [1, 12]
    handed_in = {"index.html", "report.pdf", "results.json", "table.md"}
    assert handed_in <= {path.name for path in results.page.parent.iterdir()}
