"""What a study will cost, and what its seeds can see: from its own runs where there are enough of them."""

import pytest
import torch

import fakes
from bakeoff import costs, data, planning
from bakeoff.analysis import power
from bakeoff.analysis.reading import read_rows
from bakeoff.errors import UserError
from bakeoff.identity import identity
from bakeoff.records import write_record
from bakeoff.study_folder import StudyFolder

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def tokens(tiny_study):
    return data.prepare(tiny_study.corpus, tiny_study.budget)


@pytest.fixture
def plan(tiny_study, tokens, monkeypatch):
    """A plan of the tiny study, each of whose runs costs the same each time."""
    cost = costs.Cost(seconds=20.0, memory_bytes=300, kept_bytes=costs.REPORT + 50, unfinished_bytes=70, runs=2)
    monkeypatch.setattr(costs, "estimate", lambda runs, tokens, device: cost)

    def made(path, seeds=1, numbers=(1, 2)):
        return planning.plan(tiny_study.with_seeds(seeds), tokens, StudyFolder(path), CPU, numbers)

    return made


def repeated(path, study, seeds):
    """The folder of that study, as if it had been run with those seeds."""
    curves = {
        (1, "lstm", 1, "adam"): lambda seed: [4.5 + 0.01 * seed],
        (2, "gpt1", 1, "sgd"): lambda seed: [4.6 - 0.01 * (seed == 1)],
    }
    return fakes.write_study(path, curves, seeds=seeds, identity=identity(study))


def test_every_seed_costs_the_same_and_the_report_is_there_once(plan, tmp_path):
    told = plan(tmp_path / "tiny", seeds=4).as_json()
    assert (told["seconds"], told["memory_bytes"]) == (80.0, 300)
    assert told["disk_bytes"] == costs.REPORT + 4 * 50 + 70
    assert {entry["seeds"]: entry["seconds"] for entry in told["seeds"]} == {n: 20.0 * n for n in (3, 4, 5, 8, 10, 20)}


def test_the_cost_is_what_run_says_of_all_its_runs(tiny_study, tokens, tmp_path, monkeypatch):
    cost = costs.estimate(tiny_study.runs, tokens, CPU)  # once: another time it would take another time
    monkeypatch.setattr(costs, "estimate", lambda runs, *rest: {tiny_study.runs: cost}[tuple(runs)])
    planned = planning.plan(tiny_study, tokens, StudyFolder(tmp_path / "tiny"), CPU, (1, 2)).as_json()
    assert planned["disk_bytes"] == cost.disk_bytes(1)
    assert planned["seconds"] == pytest.approx(cost.seconds)


def test_a_study_that_was_never_run_has_the_kept_noise_of_the_nearest(plan, tmp_path):
    planned = plan(tmp_path / "tiny")
    assert planned.paired_from.startswith("kept noise of quick, ")
    assert not (tmp_path / "tiny").exists()


def test_three_seeds_of_its_own_say_how_much_another_changes(plan, tiny_study, tmp_path):
    folder = repeated(tmp_path / "tiny", tiny_study, (0, 1, 2))
    planned = plan(folder.path)
    assert planned.paired == power.measured(read_rows(folder), (1, 2))
    assert planned.paired_from == (
        f"{folder.path}, 1 pair of experiments with at least 3 seeds in common, so few that this is rough"
    )
    assert planned.seeds == 3
    told = planned.as_json()
    assert told["deviation"] == planned.paired.nats
    by_eight = next(entry["smallest_effect"] for entry in told["seeds"] if entry["seeds"] == 8)
    assert told["judge"]["looks"] == [3, 5, 8]
    assert by_eight < told["judge"]["smallest_effect"] < 1.4 * by_eight
    assert plan(folder.path, numbers=(1,)).paired_from.startswith("kept noise")


def test_seeds_that_a_judge_trained_count_too(plan, tiny_study, tmp_path):
    folder = repeated(tmp_path / "tiny", tiny_study, (0, 1, 2))
    everything = plan(folder.path).paired
    write_record(folder.path / "study.json", folder.study | {"seeds": [0]})
    assert plan(folder.path).paired == everything


def test_two_seeds_are_too_few(plan, tiny_study, tmp_path):
    folder = repeated(tmp_path / "tiny", tiny_study, (0, 1))
    assert plan(folder.path).paired_from.startswith("kept noise")


def test_a_folder_of_another_study_is_refused(plan, tmp_path):
    folder = fakes.write_study(tmp_path / "tiny", {(1, "lstm", 1, "adam"): [4.5]})
    with pytest.raises(UserError, match="holds another study than tiny"):
        plan(folder.path)
