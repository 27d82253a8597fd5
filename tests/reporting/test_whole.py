"""The words of whole reports: of one seed, of three of which one was lost, of missing runs, of a budget in steps."""

import pytest

import fakes
from bakeoff.analysis.answer import first_screen
from bakeoff.analysis.questions import findings
from bakeoff.reporting import protocol, table, text
from bakeoff.reporting.figures import curves, overlays
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


def test_a_report_of_a_budget_in_steps_speaks_of_steps_and_passes(tmp_path):
    """One run that overfits, and one that was disturbed and still falls; no word of epochs."""
    runs = {(1, "lstm", 1, "adam"): [4.6, 4.5, 4.56, 4.62], (2, "gpt1", 1, "adamw"): fakes.falling(4.7)}
    study = fakes.read_study(tmp_path, runs, gap={1: [0.1, 0.2, 0.4, 0.6]}, edit=fakes.in_steps)
    protocol_ = protocol.of(study, tmp_path)
    tables = table.tables(study)
    charts = [*curves.draw(study), *overlays.draw(study)]
    said = [told(study), protocol_["setting"], *protocol_["protocol"], *(fact for _, fact in protocol_["facts"])]
    said += [row.diagnosis_text for row in study.rows]
    said += [f"{chart.name}: {chart.title}. {chart.caption}" for chart in charts]
    said += [part for each in tables for part in (each["caption"], *(c["head"] for c in each["columns"]))]
    assert not [line for line in said if "epoch" in line.replace("-epochs", "")]
    golden("report-in-steps.txt", "\n".join(said) + "\n")


def test_text_of_test_that_stands_in_train_is_said_on_the_first_screen(tmp_path):
    def leaked(study):
        study["corpus"]["valid"] |= {"shared": {"tokens": 20, "share": 0.001}}
        study["corpus"]["test"] |= {"shared": {"tokens": 20, "share": 0.88}}

    study = fakes.read_study(tmp_path, {(1, "lstm", 1, "adam"): fakes.falling(4.5)}, edit=leaked)
    said = told(study)
    assert (
        "88 % of test stands word for word in train: what a model remembers counts as what it can do."
        in said.replace("\u00a0", " ")
    )
    facts = dict(protocol.of(study, tmp_path)["facts"])
    assert facts["Valid"].endswith("; 0.10\u00a0% of its runs of 20 tokens stand in train")
