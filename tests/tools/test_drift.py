import json
import math

import pytest

import drift
import fakes
from bakeoff.study_folder import StudyFolder


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Three whole runs of an experiment, at rates half a decade apart, and one of another that is alone."""
    trials = [{"lr": lr, "valid_loss": loss} for lr, loss in ((1e-3, 5.4), (1e-2, 5.0), (1e-1, 5.4))]
    searched = {"01-lstm-1-adam": {"trials": trials}, "02-gpt1-1-adam": {"trials": trials}}
    monkeypatch.setattr(drift.rates, "chosen", lambda study: {"rates": searched})
    runs = {(n, "lstm", 1, "adam"): fakes.falling(end) for n, end in enumerate((4.5, 4.4, 4.7), start=1)}

    def at_rates(study):
        for entry, lr in zip(study["experiments"], (1e-3, 1e-2, 1e-1, 1.0), strict=True):
            entry["learning_rate"] = lr

    fakes.write_study(tmp_path, runs | {(4, "gpt1", 1, "adam"): fakes.falling(4.5)}, edit=at_rates)
    return tmp_path


def test_the_lowest_point_of_whole_runs_is_compared_with_that_of_the_trials(folder, monkeypatch, capsys):
    (found,) = drift.drifts("quick", [StudyFolder(folder)])
    assert found.name == "lstm-1-adam"
    assert found.trials == pytest.approx(-4)
    steepness = (4.5 + 4.7 - 2 * 4.4) / 2 / 4
    assert found.runs == pytest.approx(-4 - 0.2 / (2 * 2 * 2 * steepness))
    assert found.cost == pytest.approx(steepness * (found.runs + 4) ** 2)
    assert math.isfinite(json.loads(json.dumps(found.cost)))
