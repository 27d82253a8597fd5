"""The words of whole reports: one seed, three seeds of which one was lost, and a study in which runs are missing."""

import pytest

import fakes
from bakeoff.analysis.answer import first_screen
from bakeoff.analysis.questions import findings
from bakeoff.report import text
from golden import golden

DIVERGED = {"status": "diverged", "error": "the loss was not finite at step 27, in epoch 1", "epoch": 5}
STUDIES = {
    "one-seed": {"samples": 3},
    "three-seeds": {"seeds": (0, 1, 2), "endings": {(10, 1): DIVERGED}, "own": 0.01},
    "missing-runs": {"endings": {6: None, 11: {"status": "failed", "error": "out of memory: no room"}, 12: None}},
    "no-runs": {"endings": dict.fromkeys(range(1, 13))},
}


def told(study):
    """Everything that is said in sentences, a line each."""
    found = findings(study)
    screen = text.answer(first_screen(study, found))
    lines = [screen["headline"]]
    lines += [" | ".join(tile[part] for part in ("label", "value", "unit", "text")) for tile in screen["tiles"]]
    lines += screen["notes"]
    for said in map(text.finding, found):
        lines += ["", f"## {said['question']}", f"{said['verdict'].upper()}. {said['text']}"]
        lines += [" | ".join(row) for row in said["table"] or []]
        lines += [f"{name}: {words}" for name, words in (said["conjecture"] or {}).items() if words]
        lines += [f"$ {said['command']}"] if said["command"] else []
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("name", STUDIES)
def test_what_a_report_says(tmp_path, name):
    golden(f"report-{name}.txt", told(fakes.twelve(tmp_path, **STUDIES[name])))


def test_a_study_of_one_run_compares_it_with_counting_alone(tmp_path):
    golden("report-one-run.txt", told(fakes.read_study(tmp_path, {(1, "lstm", 1, "adam"): fakes.falling(4.5)})))
