"""How it was measured: paragraphs, facts, the scale of verdicts, and commands."""

import dataclasses

import pytest

import fakes
from bakeoff.reporting import protocol
from golden import golden

ENVIRONMENT = {
    "bakeoff": "0.1.0",
    "python": "3.11.7",
    "torch": "2.13.0",
    "device": "cpu",
    "device_name": "a processor",
} | {
    "processor": "a processor",
    "cores": 2,
    "memory_bytes": 8_000_000_000,
}
CURVES = {(1, "lstm", 1, "adam"): [4.5], (2, "lstm", 1, "sgd"): [4.9]}


def told(study, path, **environments):
    """What is told where runs recorded such environments, by the number of their experiment."""
    rows = [
        dataclasses.replace(row, environment=environments.get(f"run_{row.number}", row.environment))
        for row in study.rows
    ]
    return protocol.of(dataclasses.replace(study, rows=tuple(rows)), path)


def test_everything_that_is_said_of_a_search_and_a_machine(tmp_path):
    study = fakes.read_study(tmp_path, CURVES)
    said = told(study, tmp_path, run_1=ENVIRONMENT, run_2=ENVIRONMENT)
    facts = "".join(f"{term}: {text}\n" for term, text in said["facts"])
    golden("protocol.txt", "\n".join([said["setting"], *said["protocol"], facts, *said["scale"]]) + "\n")


def test_an_optimizer_that_asks_for_a_schedule_of_its_own_is_named(tmp_path):
    def edit(study):
        study["experiments"][1]["traits"]["schedule"] = "warmup"

    said = told(fakes.read_study(tmp_path, CURVES, edit=edit), tmp_path)
    assert "schedule (but SGD asks for its own: warmup) and clipping." in " ".join(said["protocol"])


def test_every_machine_and_version_is_named(tmp_path):
    study = fakes.read_study(tmp_path, CURVES)
    facts = dict(
        told(study, tmp_path, run_1={"device": "one", "torch": "1"}, run_2={"device": "two", "torch": "2"})["facts"]
    )
    assert facts["Machine"] == "one; two; 1 thread, fp32"
    assert facts["Versions"] == "torch 1 and 2"


def test_a_study_whose_runs_come_from_different_code_says_so(tmp_path):
    study = fakes.read_study(tmp_path, CURVES)
    same = {"bakeoff": "0.1.0", "commit": "0123456789abcdef", "sources": "fedcba9876543210"}
    said = told(study, tmp_path, run_1=same, run_2=same)
    assert dict(said["facts"])["Code"] == "bakeoff 0.1.0, commit 0123456789ab, sources fedcba987654"
    assert "same code" not in " ".join(said["protocol"])
    said = told(study, tmp_path, run_1=same, run_2=same | {"sources": "other"})
    assert said["protocol"][-1] == (
        "Not all runs come from the same code, so differences between them may be the code's: #1 from bakeoff 0.1.0, "
        "commit 0123456789ab, sources fedcba987654; #2 from bakeoff 0.1.0, commit 0123456789ab, sources other."
    )


def test_a_study_that_never_ran_has_a_protocol_all_the_same(tmp_path):
    study = fakes.read_study(tmp_path, dict.fromkeys(CURVES), tuning=None)
    said = protocol.of(study, tmp_path)
    facts = dict(said["facts"])
    assert (facts["Machine"], facts["Code"]) == ("1 thread, fp32", "bakeoff 0.1.0")
    assert "Versions" not in facts
    assert len(said["protocol"]) == 3
    assert said["load"] is None


def test_the_scale_is_that_of_so_many_seeds(tmp_path):
    _, judged = protocol.of(fakes.read_study(tmp_path, CURVES, seeds=(0, 1, 2)), tmp_path)["scale"]
    assert judged.replace("\N{NO-BREAK SPACE}", " ") == (
        "This study has 3 seeds, so the 95 % interval of the paired difference over seeds decides: two are the same "
        "where it lies within ±0.01 nats per token. It is 10 % wider than Student's, as few seeds seldom hold a bad "
        "one: so with up to fifteen seeds it misses in at most 5 % also where one of the two alone has bad seeds."
    )


@pytest.mark.parametrize(
    ("fields", "folder", "commands"),
    [
        ({}, "fake", ["bakeoff run fake", "bakeoff report runs/fake"]),
        ({"seeds": [0, 1, 2]}, "fake", ["bakeoff run fake --seeds 3", "bakeoff report runs/fake"]),
        ({"seeds": [42, 43]}, "fake", ["bakeoff run fake --seeds 2", "bakeoff report runs/fake"]),
        ({"seeds": [42]}, "fake", ["bakeoff run fake", "bakeoff report runs/fake"]),
        ({"source": "my study.py"}, "fake", ["bakeoff run 'my study.py'", "bakeoff report runs/fake"]),
        (
            {"options": {"--corpus": "my text.txt", "--epochs": "2"}, "seeds": [0, 1, 2]},
            "fake-x-123456",
            [
                "bakeoff run fake --corpus 'my text.txt' --epochs 2 --seeds 3",
                "bakeoff report runs/fake-x-123456",
            ],
        ),
        ({"options": None}, "final", ["bakeoff report runs/final"]),
    ],
)
def test_commands_repeat_the_study(tmp_path, fields, folder, commands):
    study = fakes.read_study(tmp_path / folder, dict.fromkeys(CURVES))
    changed = dataclasses.replace(study, study=study.study | fields)
    assert protocol.of(changed, tmp_path / folder)["commands"] == commands


def test_records_that_do_not_tell_with_which_options_a_study_was_made_say_so(tmp_path):
    study = fakes.read_study(tmp_path / "fake-x-123456", CURVES)
    del study.study["options"]
    assert protocol.of(study, tmp_path / "fake-x-123456")["commands"] == [
        "bakeoff run fake  # with the options that made the folder fake-x-123456",
        "bakeoff report runs/fake-x-123456",
    ]


def test_a_study_of_a_choice_is_named_with_the_folder_of_the_choice(tmp_path):
    folder = tmp_path / "choose-my" / "final"
    study = fakes.read_study(folder, CURVES, options=None)
    (tmp_path / "choose-my" / "decisions.txt").touch()
    (folder / "01-lstm-1-adam" / "seed-0" / "best.safetensors").touch()
    said = protocol.of(study, folder)
    assert said["commands"] == ["bakeoff report runs/choose-my/final"]
    assert said["load"] == 'bakeoff.load("runs/choose-my/final/01-lstm-1-adam/seed-0")'


def test_the_best_run_is_loaded_by_its_folder_where_its_weights_were_kept(tmp_path):
    study = fakes.read_study(tmp_path / "fake", CURVES)
    assert protocol.of(study, tmp_path / "fake")["load"] is None
    (tmp_path / "fake" / "01-lstm-1-adam" / "seed-0" / "best.safetensors").touch()
    assert protocol.of(study, tmp_path / "fake")["load"] == 'bakeoff.load("runs/fake/01-lstm-1-adam/seed-0")'
