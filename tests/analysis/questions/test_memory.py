"""Memory, and why it is more or less."""

import pytest

import fakes
from bakeoff.analysis.questions.memory import memory
from bakeoff.reporting import text
from golden import golden


def measured(sizes):
    """Endings in which runs have measured so many megabytes, by number or by (number, seed)."""
    kind = {"peak_bytes": 9_000_000, "baseline_bytes": 90_000_000, "kind": "resident"}
    return {key: {"memory": {"average_bytes": int(1e6 * size), **kind}} for key, size in sizes.items()}


def parts(study):
    """What every experiment has to hold by computation, by number."""
    return {e.number: e.rows[0].memory_parts for e in study.experiments}


def test_all_parts_of_all_experiments_are_told(tmp_path):
    found = parts(fakes.twelve(tmp_path))
    assert sorted(found) == list(range(1, 13))
    assert set(found[1]) == {"weights", "gradients", "optimizer_state", "activations", "logits"}
    assert (found[1]["optimizer_state"], found[3]["optimizer_state"], found[4]["optimizer_state"]) == (
        80_000,
        0,
        40_000,
    )


def test_experiments_are_told_by_architecture_with_the_least_first(tmp_path):
    seeds = {(1, 0): 20, (1, 1): 40, (1, 2): 30}
    facts = memory(fakes.twelve(tmp_path, seeds=(0, 1, 2), endings=measured(seeds | {(5, 0): 3}))).facts
    lstm, gpt = facts.models
    assert lstm.needs[-1].experiment.number == 1
    assert lstm.needs[-1].measured == pytest.approx(30e6)
    assert gpt.needs[0].measured == pytest.approx((3e6 + 5e6 + 5e6) / 3)


def test_pairs_explain_a_footprint(tmp_path):
    facts = memory(fakes.twelve(tmp_path)).facts
    assert facts.states == [(0, "SGD"), (4, "Momentum"), (8, "Adam"), (8, "AdamW")]
    assert [(a.experiment.number, b.experiment.number) for a, b in facts.layers] == [(2, 10), (6, 12)]
    one, other = facts.kinds
    assert {one.experiment.number, other.experiment.number} == {3, 7}
    assert facts.logits == 4 * 4 * 16 * 300
    assert facts.known[-1].computed == 40_500 * (4 + 4 + 8 + 100 + 50)


@pytest.mark.parametrize(
    ("sizes", "spread", "blurred"),
    [
        ({1: 5, 2: 5}, 0, False),
        ({1: 5.01, 2: 5}, 10_000, False),
        ({1: 7, 2: 5}, 2_000_000, True),
    ],
)
def test_twins_show_what_the_instrument_cannot_tell(tmp_path, sizes, spread, blurred):
    finding = memory(fakes.twelve(tmp_path, endings=measured(sizes)))
    assert finding.facts.spread == spread
    assert finding.facts.smallest == 40_000
    assert ("cannot tell such differences apart" in text.finding(finding)["text"]) is blurred


def test_a_measurement_against_all_calculation_is_named(tmp_path):
    said = text.finding(memory(fakes.twelve(tmp_path, endings=measured({3: 9}))))
    assert "Of the LSTM #3 was measured highest, though by calculation it holds least." in said["text"]
    assert said["table"][1][:2] == ["#3", "9.0"]


def test_old_readings_that_had_not_settled_are_named_with_what_measures_anew(tmp_path):
    said = text.finding(
        memory(fakes.twelve(tmp_path, endings=measured(dict.fromkeys(range(1, 13), 8.9) | {3: 5, 7: 8})))
    )
    assert "In #3 and #7 the peak is 1.0 to 4.0 MB above the average: the readings had not settled." in said["text"]
    assert said["command"] == "bakeoff run fake --again 1,2,3,4,5,6,7,8,9,10,11,12 --jobs 1"


def test_runs_of_one_experiment_are_twins_as_well(tmp_path):
    facts = memory(fakes.twelve(tmp_path, seeds=(0, 1), endings=measured({(12, 0): 7, (12, 1): 9}))).facts
    assert ([n.experiment.number for n in facts.twins], facts.spread) == ([12], 2_000_000)


def test_a_correlation_is_told_of_enough_experiments_that_differ(tmp_path):
    computed = {n.experiment.number: n.computed / 1e6 for n in memory(fakes.twelve(tmp_path / "a")).facts.known}
    lstm, gpt = memory(fakes.twelve(tmp_path / "b", endings=measured(computed | {12: 1}))).facts.models
    assert lstm.correlation == pytest.approx(1)
    assert gpt.correlation < 0
    few = fakes.read_study(tmp_path / "c", {key: [4.5] for key in fakes.TWELVE[:3]}, endings=measured({1: 3, 2: 4}))
    assert [model.correlation for model in memory(few).facts.models] == [None]


def live(parts, kept):
    """Endings in which runs have measured live bytes: what they have to hold, and what is kept besides."""
    found = {}
    for number, part in parts.items():
        resting, most = part["weights"] + part["optimizer_state"] + kept, sum(part.values()) + kept
        told = {"average_bytes": (resting + most) // 2 + 100_000 * number, "peak_bytes": most - part["gradients"] // 2}
        found[number] = {
            "memory": {**told, "resting_bytes": resting, "baseline_bytes": 90_000_000, "kind": "live bytes of malloc"}
        }
    return found


def test_live_bytes_are_explained_by_parts_and_by_what_libraries_keep(tmp_path):
    computed = parts(fakes.twelve(tmp_path / "parts"))
    finding = memory(fakes.twelve(tmp_path / "live", endings=live(computed, 1_500_000)))
    assert finding.facts.live
    for needs in finding.facts.known:
        assert needs.kept == 1_500_000
        assert needs.unexplained == -needs.parts["gradients"] // 2
    said = text.finding(finding)
    assert "keep 1.5 MB more between steps with the LSTM" in said["text"]
    assert "#1 and #2 have to hold exactly the same, and were measured 0.1 MB apart" in said["text"]
    assert "cannot tell such differences apart" not in said["text"]


def test_old_and_new_measurements_together_are_told_as_old_ones(tmp_path):
    computed = parts(fakes.twelve(tmp_path / "parts"))
    few = {1: computed[1]}
    assert not memory(fakes.twelve(tmp_path / "mixed", endings=live(few, 0))).facts.live


def test_nothing_measured_is_nothing_answered(tmp_path):
    unmeasured = {number: {"memory": None} for number in range(1, 13)}
    finding = memory(fakes.twelve(tmp_path, endings=unmeasured))
    assert (finding.verdict, finding.evidence) == ("not measured", ())


def test_words(tmp_path):
    def untold(study):
        for experiment in study["experiments"]:
            experiment["memory"] = None

    sizes = {number: 3 + number / 2 for number in range(1, 13)}
    computed = parts(fakes.twelve(tmp_path / "parts"))
    studies = {
        "twelve": fakes.twelve(tmp_path / "twelve", endings=measured(sizes)),
        "live": fakes.twelve(tmp_path / "live", endings=live(computed, 1_500_000)),
        "one run": fakes.read_study(tmp_path / "one", {(1, "lstm", 1, "adam"): [4.5]}),
        "parts are not told": fakes.twelve(tmp_path / "untold", edit=untold),
        "nothing": fakes.read_study(tmp_path / "nothing", {(1, "lstm", 1, "adam"): None}),
    }
    said = {name: text.finding(memory(study)) for name, study in studies.items()}
    golden("memory.txt", "".join(f"{name}\n{s['verdict']}: {s['text']}\n{s['table']}\n\n" for name, s in said.items()))
