"""Which architecture does better, by experiments of each."""

import dataclasses

import pytest

import fakes
from bakeoff.analysis.evaluations import Parts
from bakeoff.analysis.questions.architectures import LOOKED_UP, architectures
from bakeoff.reporting import text
from golden import golden

LSTM, LSTM_W = (1, "lstm", 1, "adam"), (2, "lstm", 1, "adamw")
GPT, GPT_W, DEEP = (5, "gpt1", 1, "adam"), (6, "gpt1", 1, "adamw"), (7, "gpt1", 2, "adamw")


def study(path, ends, *, sizes=None, seconds=None, **options):
    """One run of each experiment; `sizes` in learnable parameters and `seconds` of training by number."""

    def edit(declared):
        for entry in declared["experiments"]:
            entry["learnable_parameters"] = (sizes or {}).get(entry["number"], entry["learnable_parameters"])

    curves = {key: end and fakes.falling(end) for key, end in ends.items()}
    found = fakes.read_study(path, curves, edit=edit, **options)
    rows = [_timed(row, (seconds or {}).get(row.number)) for row in found.rows]
    return dataclasses.replace(found, rows=tuple(rows))


def _timed(row, seconds):
    if seconds is None:
        return row
    points = [dataclasses.replace(p, train_seconds=p.train_seconds * seconds / row.train_seconds) for p in row.history]
    return dataclasses.replace(row, history=tuple(points), train_seconds=seconds)


def by_name(found):
    return {finding.name: finding for finding in architectures(found)}


def numbers(match):
    return (match.first.number, match.second.number)


def test_first_with_nothing_else_changed_then_the_best_of_each(tmp_path):
    alike, best = architectures(fakes.twelve(tmp_path))
    assert (alike.name, numbers(alike.facts.match), alike.facts.alike) == ("1-against-5", (1, 5), True)
    assert (best.name, numbers(best.facts.match), best.facts.alike) == ("lstm-against-gpt1", (2, 6), False)
    assert (alike.verdict, best.verdict) == ("cannot be told", "answered")
    assert [numbers(match) for match in best.facts.matches] == [(1, 5), (2, 6), (3, 7), (4, 8), (9, 11), (10, 12)]


def test_alike_are_depth_optimizer_and_its_settings_whatever_the_rate(tmp_path):
    def edit(declared):
        for entry, decay in zip(declared["experiments"], (0.1, 0.2), strict=True):
            entry["optimizer_settings"]["weight_decay"] = decay

    def rate(declared):
        declared["experiments"][0]["optimizer_settings"]["lr"] = 0.03

    curves = {LSTM_W: [4.5], GPT_W: [4.6]}
    assert list(by_name(fakes.read_study(tmp_path / "decay", curves, edit=edit))) == ["lstm-against-gpt1"]
    assert list(by_name(fakes.read_study(tmp_path / "rate", curves, edit=rate))) == ["2-against-6"]


def test_one_architecture_is_against_none(tmp_path):
    assert architectures(study(tmp_path, {LSTM: 4.5, LSTM_W: 4.6})) == []


def test_the_floors_on_either_side_are_named(tmp_path):
    match = by_name(study(tmp_path, {LSTM: 4.7, GPT: 4.9}))["1-against-5"].facts.match
    assert [tuple(floor and floor.name for floor in floors) for floors in match.floors] == [
        ("kn3+cache", None),
        ("kn2", "kn3"),
    ]


@pytest.mark.parametrize(("lstm", "gpt", "reason"), [(4.5, 4.8, "recurrent"), (4.8, 4.5, "attends"), (4.6, 4.6, None)])
def test_a_reason_is_what_the_better_one_has_and_the_other_has_not(tmp_path, lstm, gpt, reason):
    assert by_name(study(tmp_path, {LSTM: lstm, GPT: gpt}))["1-against-5"].facts.reason == reason


def test_no_reason_where_a_pair_that_is_alike_says_the_contrary(tmp_path):
    facts = by_name(study(tmp_path, {LSTM: 4.8, LSTM_W: 4.4, GPT: 4.5, GPT_W: 4.7}))["1-against-5"].facts
    assert (facts.reason, list(map(numbers, facts.contrary))) == (None, [(2, 6)])
    facts = by_name(study(tmp_path / "open", {LSTM: 4.8, LSTM_W: 4.7, GPT: 4.5, GPT_W: 4.7}))["1-against-5"].facts
    assert (facts.reason, list(map(numbers, facts.contrary))) == ("attends", [(2, 6)])


def test_pairs_are_of_one_shape_where_one_leads_with_frequent_tokens_and_the_other_with_rare_ones(tmp_path):
    found = study(tmp_path, dict.fromkeys((LSTM, LSTM_W, GPT, GPT_W), 4.5))
    assert by_name(found)["1-against-5"].facts.same_shape == ()
    turned = {1: (3.0, 6.0), 2: (3.5, 5.0), 5: (4.0, 4.0), 6: (4.0, 4.0)}
    facts = by_name(_with_deciles(found, turned))["1-against-5"].facts
    assert (facts.match.by_frequency, list(map(numbers, facts.same_shape))) == ((1.0, -2.0), [(2, 6)])
    told = "In the other pair, too, the LSTM is ahead on frequent tokens and the GPT-1 on rare ones."
    assert told in text.finding(by_name(_with_deciles(found, turned))["1-against-5"])["text"]
    facts = by_name(_with_deciles(found, turned | {2: (3.99, 5.0)}))["1-against-5"].facts  # next to nothing is no lead
    assert facts.same_shape == ()
    facts = by_name(_with_deciles(found, turned | {2: (5.0, 3.0)}))["1-against-5"].facts
    assert facts.same_shape == ()


def _with_deciles(found, ends):
    """The study with so much loss on the most frequent and on the rarest tenth of the tokens, by number."""
    rows = []
    for row in found.rows:
        common, rare = ends[row.number]
        deciles = Parts(nats=(100 * common, *[400.0] * 8, 100 * rare), tokens=(100,) * 10)
        history = tuple(dataclasses.replace(point, valid_deciles=deciles) for point in row.history)
        rows.append(dataclasses.replace(row, history=history))
    return dataclasses.replace(found, rows=tuple(rows))


def test_attention_that_gains_with_rare_tokens_alone_may_look_them_up(tmp_path):
    found = study(tmp_path, {LSTM: 4.5, GPT: 4.5})
    facts = by_name(_with_deciles(found, {1: (3.0, 6.0), 5: (4.0, 4.0)}))["1-against-5"].facts
    assert ([e.number for e in facts.good_at], facts.reason) == ([1, 5], LOOKED_UP)
    said = text.finding(by_name(_with_deciles(found, {1: (3.0, 6.0), 5: (4.0, 4.0)}))["1-against-5"])["text"]
    assert "different tokens, the LSTM at frequent ones and the GPT-1 at rare ones, which about cancels." in said
    turned = by_name(_with_deciles(found, {1: (4.0, 4.0), 5: (3.0, 6.0)}))["1-against-5"].facts
    assert ([e.number for e in turned.good_at], turned.reason) == ([5, 1], None)
    little = by_name(_with_deciles(found, {1: (3.99, 6.0), 5: (4.0, 4.0)}))["1-against-5"].facts
    assert (little.good_at, little.reason) == (None, None)


def test_a_list_of_answers_says_who_did_better(tmp_path):
    found = map(text.finding, architectures(study(tmp_path, {LSTM: 4.6, GPT: 4.55, LSTM_W: 4.0})))
    assert [said["brief"] for said in found] == ["Leaning #5", "LSTM"]
    found = text.finding(by_name(study(tmp_path / "open", {LSTM: 4.6, GPT: 4.6}))["1-against-5"])
    assert found["brief"] == "Cannot be told"


def test_no_reason_without_traits(tmp_path):
    def edit(declared):
        for entry in declared["experiments"]:
            entry["traits"] = {}

    found = fakes.read_study(tmp_path, {LSTM: [4.5], GPT: [4.9]}, edit=edit)
    assert by_name(found)["1-against-5"].facts.reason is None


def test_equal_sizes_are_compared_where_the_best_differ_in_size(tmp_path):
    ends = {LSTM: 4.6, LSTM_W: 4.5, GPT: 4.8, DEEP: 4.4}
    best = by_name(study(tmp_path / "unlike", ends))["lstm-against-gpt1"].facts
    assert (numbers(best.match), best.match.same_size, numbers(best.equal_size)) == ((2, 7), False, (2, 5))
    best = by_name(study(tmp_path / "like", ends, sizes={7: 10_999}))["lstm-against-gpt1"].facts
    assert (best.match.same_size, best.equal_size) == (True, None)
    best = by_name(study(tmp_path / "none", ends, sizes={5: 12_000}))["lstm-against-gpt1"].facts
    assert (best.match.same_size, best.equal_size) == (False, None)


def test_equal_seconds_are_those_of_the_shorter_run_and_the_best_so_far_counts(tmp_path):
    found = study(tmp_path, {LSTM: 4.5, GPT: 4.3}, seconds={1: 10.0, 5: 20.0})
    match = by_name(found)["1-against-5"].facts.match
    half_way = fakes.falling(4.3)[1]  # two of four epochs
    assert (match.seconds, match.at_equal_seconds.short.number, match.at_equal_seconds.long.number) == (
        (10.0, 20.0),
        1,
        5,
    )
    assert match.at_equal_seconds.loss == pytest.approx(4.5)
    assert match.at_equal_seconds.before == pytest.approx((10.0, half_way))


def test_at_equal_seconds_the_longer_run_is_between_two_measurements(tmp_path):
    found = study(tmp_path, {LSTM: 4.3, GPT: 4.5}, seconds={1: 20.0, 5: 8.0})
    at_equal = by_name(found)["1-against-5"].facts.match.at_equal_seconds
    losses = fakes.falling(4.3)
    assert (at_equal.short.number, at_equal.loss) == (5, pytest.approx(4.5))
    assert (*at_equal.before, *at_equal.after) == pytest.approx((5.0, losses[0], 10.0, losses[1]))


@pytest.mark.parametrize(("seconds", "endings"), [({1: 8.0, 5: 8.5}, {}), ({1: 8.0, 5: 16.0}, {5: {"alone": False}})])
def test_equal_seconds_say_nothing_where_times_are_alike_or_not_exact(tmp_path, seconds, endings):
    found = study(tmp_path, {LSTM: 4.5, GPT: 4.3}, seconds=seconds, endings=endings)
    assert by_name(found)["1-against-5"].facts.match.at_equal_seconds is None


def test_a_run_that_did_not_learn_says_nothing_about_an_architecture(tmp_path):
    found = by_name(study(tmp_path, {LSTM: 5.4, LSTM_W: 4.6, GPT: 4.6}))
    assert found["1-against-5"].verdict == "not measured"
    assert numbers(found["lstm-against-gpt1"].facts.match) == (2, 5)
    found = by_name(study(tmp_path / "none", {LSTM: None, LSTM_W: 5.4, GPT: 4.6}))["lstm-against-gpt1"]
    assert (found.verdict, found.facts.match) == ("not measured", None)


def test_the_words(tmp_path):
    ends = {LSTM: 4.6, LSTM_W: 4.5, GPT: 4.9, DEEP: 4.4}
    timed = {1: 8.0, 2: 8.0, 5: 8.1, 7: 16.0}
    studies = {
        "one seed": study(tmp_path / "one", ends, seconds=timed),
        "three seeds": fakes.twelve(tmp_path / "three", seeds=(0, 1, 2), own=0.03),
        "a run beside others, rates by hand": study(
            tmp_path / "beside", {LSTM: 4.6, GPT: 4.61}, endings={1: {"alone": False}}, tuning=None
        ),
        "a run that did not learn": study(tmp_path / "unlearned", ends | {LSTM: 5.4}, seconds=timed),
        "nothing finished": study(tmp_path / "none", dict.fromkeys(ends)),
    }
    told = []
    for name, found in studies.items():
        told.append(f"=== {name}")
        for said in map(text.finding, architectures(found)):
            why = said["conjecture"] or {}
            parts = [said["question"], f"{said['verdict']}. {said['text']}", *why.values(), f"$ {said['command']}"]
            told.append("\n".join(parts))
    golden("architectures.txt", "\n\n".join(told) + "\n")
