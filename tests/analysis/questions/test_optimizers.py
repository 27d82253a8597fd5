"""What each optimizer changes."""

import dataclasses
import math
import re

import pytest

import fakes
from bakeoff.analysis.evaluations import Parts
from bakeoff.analysis.questions.optimizers import optimizers, rate_ranges
from bakeoff.optimizers import SCHEDULES
from bakeoff.reporting import text
from bakeoff.spec import Budget
from golden import golden

ADAM, ADAMW, SGD, MOMENTUM = ((n, "lstm", 1, o) for n, o in enumerate(("adam", "adamw", "sgd", "momentum"), start=1))
#: A search of quick's: rates, and what came of a one-layer LSTM with Adam, then with AdamW.
RATES = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1)
WITHOUT = (6.544, 6.439, 5.763, 5.362, 4.998, 5.034, 5.606)
WITH = (6.545, 6.441, 5.764, 5.378, 5.006, 4.909, 5.160)


def four(path, *, seeds=(0,), own=0.002, ends=None, **options):
    """The first four of the twelve: one architecture, and all optimizers."""
    curves = fakes.twelve_curves(seeds=seeds, own=own, ends=ends)
    return fakes.read_study(path, {key: curve for key, curve in curves.items() if key[0] <= 4}, seeds=seeds, **options)


def by_name(study):
    return {finding.name: finding for finding in optimizers(study)}


def facts(study, name):
    return by_name(study)[name].facts


def entry(study, number):
    return next(e for e in study["experiments"] if e["number"] == number)


def searched(study, number, rates, losses):
    """Give an experiment the best rate of a search, and the search's trials."""
    best = min((loss, rate) for rate, loss in zip(rates, losses, strict=True) if loss)[1]
    found = entry(study, number)
    found["learning_rate"] = found["optimizer_settings"]["lr"] = best
    trials = [
        {"lr": rate, "status": "finished" if loss else "diverged", "valid_loss": loss}
        for rate, loss in zip(rates, losses, strict=True)
    ]
    study["tuning"]["rates"][found["slug"]] = {"lr": best, "trials": trials}


def as_quick(study):
    searched(study, 1, RATES, WITHOUT)
    searched(study, 2, RATES, WITH)


def with_deciles(study, rare):
    """The study with so much loss on the rarest tenth of the tokens, by number; 4 nats on all others."""
    rows = []
    for row in study.rows:
        nats = (*[400.0] * 9, 100.0 * rare.get(row.number, 4.0))
        history = [dataclasses.replace(p, valid_deciles=Parts(nats=nats, tokens=(100,) * 10)) for p in row.history]
        rows.append(dataclasses.replace(row, history=tuple(history)))
    return dataclasses.replace(study, rows=tuple(rows))


def with_train(study, losses):
    """The study with so much loss on train in the end, by number."""
    rows = []
    for row in study.rows:
        *before, last = row.history
        train = dataclasses.replace(last.train, nats=last.train.tokens * losses.get(row.number, last.train.loss))
        rows.append(dataclasses.replace(row, history=(*before, dataclasses.replace(last, train=train))))
    return dataclasses.replace(study, rows=tuple(rows))


def clipped(study, shares):
    rows = [dataclasses.replace(row, clipped=shares.get(row.number, 0.0)) for row in study.rows]
    return dataclasses.replace(study, rows=tuple(rows))


# --- the order -------------------------------------------------------------------------------------------------------


def order(study):
    return facts(study, "optimizers-1-layers")


def test_the_order_is_told_for_each_architecture_and_whether_it_is_the_same(tmp_path):
    found = order(fakes.twelve(tmp_path, ends={5: 4.70}))
    assert [[e.number for e in each.ranked] for each in found.orders] == [[2, 1, 4, 3], [6, 5, 8, 7]]
    assert (found.layers, found.optimizers, found.pairs, found.reversed, found.open) == (1, 4, 6, (), ())


def test_pairs_that_change_places_and_pairs_that_cannot_be_told_apart_are_named(tmp_path):
    study = fakes.twelve(tmp_path, ends={1: 4.52, 5: 4.70, 8: 4.65})
    found = order(study)
    assert found.reversed == (("Adam", "Momentum", ("GPT-1",)),)
    assert found.open == (("AdamW", "Adam", ("LSTM",)),)
    assert [(a.number, b.number) for a, b in found.orders[0].ties] == [(2, 1)]
    told = "The order seems not to be the same in both architectures: Adam and Momentum (not decided: GPT-1) change"
    assert told in text.finding(by_name(study)["optimizers-1-layers"])["text"]


def test_who_changes_places_beyond_doubt_does_so_without_a_word_of_doubt(tmp_path):
    study = fakes.twelve(tmp_path, ends={1: 4.52, 5: 4.9, 8: 4.2})
    found = order(study)
    assert found.reversed == (("AdamW", "Momentum", ()), ("Adam", "Momentum", ()))
    told = "The order is not the same in both architectures: AdamW and Momentum, Adam and Momentum change places."
    assert told in text.finding(by_name(study)["optimizers-1-layers"])["text"]


def test_who_did_not_learn_or_was_lost_has_no_place_in_the_order(tmp_path):
    endings = {4: {"status": "diverged", "error": "loss was nan"}}
    found = order(fakes.twelve(tmp_path, ends={3: 5.4}, endings=endings))
    assert [e.number for e in found.orders[0].ranked] == [2, 1]
    assert [row.number for row in found.orders[0].lost] == [3, 4]
    assert found.pairs == 1


def test_who_lost_to_its_own_special_case_has_no_place_in_the_order_either(tmp_path):
    study = four(tmp_path, ends={2: 4.75})  # AdamW, where Adam has 4.60
    found = order(study)
    assert [e.number for e in found.orders[0].ranked] == [1, 4, 3]
    assert [(c.first.number, c.second.number) for c in found.orders[0].undertuned] == [(2, 1)]
    said = text.finding(by_name(study)["optimizers-1-layers"])["text"]
    assert "Not ranked, as it is under-tuned: #2 (1-layer LSTM, AdamW), which loses to its own special case #1." in said
    said = text.finding(by_name(study)["adamw-2-against-adam-1"])["text"]
    assert "AdamW with no decay is Adam, so tuned as well it could not lose to it beyond noise" in said


def test_who_is_not_better_than_the_bigram_is_told(tmp_path):
    assert [e.number for e in order(fakes.twelve(tmp_path, ends={3: 5.05})).outdone] == [3]


def test_one_architecture_has_no_order_to_be_the_same_as(tmp_path):
    study = fakes.read_study(tmp_path, {ADAM: [4.6], SGD: [4.9]})
    assert order(study).pairs is None
    assert by_name(study)["optimizers-1-layers"].verdict == "answered"


def test_nothing_finished_is_not_measured(tmp_path):
    found = by_name(fakes.read_study(tmp_path, {ADAM: None, SGD: None}))
    assert {finding.verdict for finding in found.values()} == {"not measured"}


# --- learning rates --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("losses", "found"),
    [
        ((5.3, 5.04, 5.0, 5.2), (0.2, 0.3, 0.3, 0.04, 0.2)),
        ((5.0, 5.04, 5.3, 5.2), (0.1, 0.2, 0.1, None, 0.04)),
        ((5.02, 5.3, 5.04, 5.0), (0.3, 0.4, 0.4, 0.04, None)),
        ((None, 5.0, None, 5.0), (0.2, 0.2, 0.2, math.inf, math.inf)),
    ],
)
def test_rates_near_the_best_are_a_range_around_it(tmp_path, losses, found):
    edit = lambda study: searched(study, 1, (0.1, 0.2, 0.3, 0.4), losses)  # noqa: E731
    assert rate_ranges(fakes.read_study(tmp_path, {ADAM: [4.6]}, edit=edit))[1] == pytest.approx(found)


def test_the_rate_matters_most_where_the_worse_of_its_neighbours_costs_most(tmp_path):
    def edit(study):
        searched(study, 1, (0.1, 0.2, 0.3), (5.3, 5.0, 5.1))
        searched(study, 2, (0.1, 0.2, 0.3), (5.2, 5.0, 5.2))
        searched(study, 3, (0.1, 0.2, 0.3), (5.0, 5.9, 6.0))  # nothing below its best was tried
        searched(study, 4, (0.1, 0.2, 0.3), (5.0, 4.9, None))

    most, least = order(four(tmp_path, edit=edit)).orders[0].sensitive
    assert (most.number, least.number) == (4, 2)
    assert order(four(tmp_path / "alike")).orders[0].sensitive is None
    assert order(four(tmp_path / "none", tuning=None)).orders[0].sensitive is None


def test_without_a_search_there_is_no_range(tmp_path):
    assert rate_ranges(fakes.read_study(tmp_path, {ADAM: [4.6]}, tuning=None)) == {}
    failed = lambda study: study["tuning"]["rates"].update({"01-lstm-1-adam": fakes.trials(0.01, [None])})  # noqa: E731
    assert rate_ranges(fakes.read_study(tmp_path / "failed", {ADAM: [4.6]}, edit=failed)) == {}


# --- one against another ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seeds", "sgd", "verdict"),
    [
        ((0,), 4.95, "yes"),
        ((0,), 4.65, "leaning yes"),
        ((0,), 4.61, "cannot be told"),
        ((0,), 4.40, "no"),
        ((0, 1, 2), 4.95, "yes"),
        ((0, 1, 2), 4.60, "the same"),
        ((0, 1, 2), 4.40, "no"),
    ],
)
def test_the_scale_decides_each_contrast(tmp_path, seeds, sgd, verdict):
    study = four(tmp_path, seeds=seeds, own=0.0001, ends={3: sgd})
    assert by_name(study)["adam-1-against-sgd-3"].verdict == verdict


def test_six_seeds_bring_p_values_that_are_corrected_over_all_contrasts(tmp_path):
    study = four(tmp_path, seeds=range(6), own=0.0001)
    assert facts(study, "adam-1-against-sgd-3").contrast.compared.p == 2 / 2**6
    assert facts(study, "adam-1-against-sgd-3").adjusted == 4 * 2 / 2**6
    assert facts(four(tmp_path / "five", seeds=range(5)), "adam-1-against-sgd-3").adjusted is None


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"ends": {3: 5.4}}, "A run of #3 (1-layer LSTM, SGD) learned nothing about context"),
        ({"endings": {3: {"status": "diverged", "error": "nan"}}}, "A run of #3 (1-layer LSTM, SGD) diverged"),
        ({"endings": {3: {"status": "failed", "error": "memory"}}}, "A run of #3 (1-layer LSTM, SGD) failed"),
    ],
)
def test_nothing_about_an_optimizer_follows_from_a_run_that_learned_nothing(tmp_path, options, said):
    found = by_name(four(tmp_path, **options))["adam-1-against-sgd-3"]
    told = text.finding(found)
    assert (found.verdict, told["conjecture"]) == ("not measured", None)
    assert told["text"].startswith(said)
    assert told["text"].endswith("says something about its settings, and nothing about the optimizer.")


def test_a_lost_run_is_not_averaged_away(tmp_path):
    study = four(tmp_path, seeds=(0, 1, 2), endings={(3, 2): {"status": "diverged", "error": "nan"}})
    assert by_name(study)["adam-1-against-sgd-3"].verdict == "not measured"


def test_what_has_not_finished_is_named(tmp_path):
    told = text.finding(by_name(fakes.read_study(tmp_path, {ADAM: [4.6], SGD: None}))["adam-1-against-sgd-3"])
    assert (told["text"], told["command"]) == ("#3 has not finished.", "bakeoff run fake --only 1,3")


def test_rare_tokens_are_the_reason_only_where_the_difference_lies_there_and_on_train(tmp_path):
    study = four(tmp_path)
    assert facts(with_deciles(study, {3: 5.5}), "adam-1-against-sgd-3").contrast.by_frequency == (0.0, 1.5)
    assert facts(with_deciles(study, {3: 5.5}), "adam-1-against-sgd-3").reason == "rare"
    assert facts(with_deciles(study, {4: 5.5}), "adam-1-against-momentum-4").reason == "rare"
    assert facts(with_deciles(study, {1: 5.5}), "adam-1-against-sgd-3").reason is None
    turned = four(tmp_path / "turned", ends={3: 4.4})
    assert facts(with_deciles(turned, {3: 5.5}), "adam-1-against-sgd-3").reason is None


def test_momentum_is_told_with_the_length_of_its_steps(tmp_path):
    study = clipped(four(tmp_path), {3: 0.2, 4: 0.4})
    found = facts(study, "momentum-4-against-sgd-3")
    assert (found.lengths, found.clipped, found.reason) == ((1.0, 1.0), (0.4, 0.2), "large steps")


@pytest.mark.parametrize(
    ("losses", "as_long", "reason"),
    [
        ((5.05, 5.0, 5.1), None, "longer steps"),
        ((5.05, 5.0, 5.1, 5.2, 5.3), pytest.approx(0.3), "large steps"),
        ((5.05, 5.0, 5.1, 5.2, None), math.inf, "large steps"),
    ],
)
def test_longer_steps_are_no_reason_where_the_search_tried_them_without_momentum(tmp_path, losses, as_long, reason):
    rates = (0.03, 0.1, 0.3, 0.5, 1.0)[: len(losses)]
    study = four(tmp_path, edit=lambda study: searched(study, 3, rates, losses))
    found = facts(study, "momentum-4-against-sgd-3")
    assert (found.lengths, found.as_long, found.reason) == ((1.0, 0.1), as_long, reason)


def test_steps_of_unknown_length_are_not_argued_about(tmp_path):
    study = four(tmp_path, edit=lambda study: entry(study, 4)["traits"].update(step_scale=None))
    found = facts(study, "momentum-4-against-sgd-3")
    assert (found.lengths, found.as_long, found.reason) == (None, None, None)


@pytest.mark.parametrize(
    ("plain", "heavy", "found"),
    [  # of plain steps at rates 0.1 to 10 and of momentum, ten times as long, at a tenth of them; the unigram is at 5.2
        ((5.0, 4.9, 5.0, 5.3), (5.01, 4.9, 4.8, 4.85), ((1.0, 0.01), (3, 10), True, True)),
        ((5.0, 4.9, 4.8, 4.85), (5.0, 4.9, 4.8, 4.85), ((10.0, 0.0), (), False, False)),
        ((5.0, 4.9, 4.8, 5.2), (5.1, 4.8, 4.6, 5.15), (None, (0.3, 1, 3), True, False)),
        ((5.0, 5.2, 5.2, None), (5.0, 5.15, 5.2, 4.8), None),  # one length is left: the others teach nothing
    ],
)
def test_momentum_is_compared_at_steps_as_long_in_the_search(tmp_path, plain, heavy, found):
    def edit(study):
        searched(study, 3, (0.3, 1.0, 3.0, 10.0), plain)
        searched(study, 4, (0.03, 0.1, 0.3, 1.0), heavy)

    e = facts(four(tmp_path, edit=edit), "momentum-4-against-sgd-3").equal_lengths
    told = e and (e.short and pytest.approx(e.short), tuple(length for length, _ in e.gains), e.grows, e.longer)
    assert told == found


# --- weight decay ----------------------------------------------------------------------------------------------------


def test_decay_is_compared_at_equal_rates_in_the_search(tmp_path):
    found = facts(four(tmp_path, edit=as_quick), "adamw-2-against-adam-1")
    equal = found.equal_rates
    assert (equal.best, equal.usable) == ((0.03, 0.01), (0.1, 0.03))
    assert equal.at_most == pytest.approx(0.016)
    assert dict(equal.above) == pytest.approx({0.03: 0.125, 0.1: 0.446})
    assert (equal.noise, equal.higher, found.reason) == (True, True, "decay")


def test_decay_that_does_not_fit_better_may_regularize(tmp_path):
    study = with_train(four(tmp_path, edit=as_quick), {1: 4.3, 2: 4.4})
    found = facts(study, "adamw-2-against-adam-1")
    assert (found.contrast.train_gain, found.reason) == (pytest.approx(-0.1), None)


def test_decay_that_changed_nothing_explains_nothing(tmp_path):
    def edit(study):
        searched(study, 1, RATES, WITHOUT)
        searched(study, 2, RATES, [loss - 0.001 for loss in WITHOUT])

    found = facts(four(tmp_path, edit=edit), "adamw-2-against-adam-1")
    assert (found.equal_rates.noise, found.equal_rates.higher, found.reason) == (True, False, None)


def test_decay_that_helps_at_the_same_rate_is_no_noise(tmp_path):
    def edit(study):
        searched(study, 1, RATES, WITHOUT)
        searched(study, 2, RATES, [loss - 0.2 for loss in WITHOUT])

    assert not facts(four(tmp_path, edit=edit), "adamw-2-against-adam-1").equal_rates.noise


def test_trials_that_diverged_are_no_gain_and_no_usable_rate(tmp_path):
    def edit(study):
        searched(study, 1, RATES, (*WITHOUT[:5], None, None))
        searched(study, 2, RATES, WITH)

    equal = facts(four(tmp_path, edit=edit), "adamw-2-against-adam-1").equal_rates
    assert (equal.usable, equal.above, equal.beyond) == ((0.1, 0.01), (), ())


def test_gains_of_decay_at_rates_that_stay_far_behind_the_best_are_kept_apart(tmp_path):
    def edit(study):
        searched(study, 1, RATES, (*WITHOUT[:5], 5.5, 6.0))
        searched(study, 2, RATES, (*WITHOUT[:5], 5.49, 5.6))

    found = facts(four(tmp_path, edit=edit), "adamw-2-against-adam-1")
    assert (found.equal_rates.above, found.equal_rates.higher) == ((), False)
    assert found.equal_rates.beyond == ((0.1, pytest.approx(0.4)),)  # the gain of 0.01 at 0.03 is no more than noise


def test_rates_above_the_best_without_decay_say_nothing_by_themselves(tmp_path):
    def edit(study):
        searched(study, 1, (0.01, 0.03), (5.0, 5.1))
        searched(study, 2, (0.03, 0.1), (4.9, 5.0))

    assert facts(four(tmp_path, edit=edit), "adamw-2-against-adam-1").equal_rates is None


@pytest.mark.parametrize("tuning", [None, {"for": "", "fits": True, "rates": {}}])
def test_without_a_search_nothing_is_said_of_equal_rates(tmp_path, tuning):
    assert facts(four(tmp_path, tuning=tuning), "adamw-2-against-adam-1").equal_rates is None


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("rate", [0.03, 0.0001])
def test_the_shrinkage_is_the_product_over_all_steps(tmp_path, schedule, rate):
    def edit(study):
        study["budget"]["schedule"] = schedule
        entry(study, 2)["learning_rate"] = rate

    found = facts(four(tmp_path, edit=edit), "adamw-2-against-adam-1")
    multiplier = SCHEDULES[schedule](Budget(schedule=schedule), found.steps)
    kept = math.prod(1 - rate * 0.1 * multiplier(step) for step in range(found.steps))
    assert found.shrunk == pytest.approx(1 - kept, abs=2e-3)
    assert (1 - rate * 0.1) ** found.half_life == pytest.approx(0.5, abs=1e-3)


def test_the_published_decay_comes_to_what_is_known_of_it(tmp_path):
    def edit(study):
        study["budget"]["schedule"] = "constant"
        entry(study, 2).update(learning_rate=1e-3, weight_decay=5e-4)

    found = facts(four(tmp_path, edit=edit), "adamw-2-against-adam-1")
    assert found.shrunk * 5590 / found.steps == pytest.approx(0.0028, abs=5e-5)


def test_a_penalty_is_no_shrinkage(tmp_path):
    study = four(tmp_path, edit=lambda study: entry(study, 2)["traits"].update(decoupled_decay=False))
    found = facts(study, "adamw-2-against-adam-1")
    assert (found.half_life, found.shrunk, found.reason) == (None, None, None)


# --- words -----------------------------------------------------------------------------------------------------------


def test_the_words(tmp_path):
    def by_hand(study):
        study["tuning"] = None
        entry(study, 2).update(learning_rate=0.03, weight_decay=1.0)

    studies = {
        "one seed": fakes.twelve(tmp_path / "1", edit=as_quick),
        "three seeds": fakes.twelve(tmp_path / "3", seeds=(0, 1, 2), ends={1: 4.5, 3: 4.4}, own=0.03),
        "rates by hand, one run lost": four(tmp_path / "hand", ends={3: 5.3}, edit=by_hand),
        "nothing finished": fakes.read_study(tmp_path / "none", {ADAM: None, SGD: None}),
    }
    studies["clipped"] = clipped(four(tmp_path / "clipped"), {1: 0.9, 3: 0.2, 4: 0.5})
    told = []
    for name, study in studies.items():
        told += [f"=== {name}", *(_told(found) for found in optimizers(study) if not re.search(r"-[5-8]$", found.name))]
    golden("optimizers.txt", "\n\n".join(told) + "\n")


def _told(found):
    said = text.finding(found)
    why = said["conjecture"] or {}
    parts = [said["question"], f"{said['verdict']}. {said['text']}", *why.values(), f"$ {said['command']}"]
    return "\n".join(parts)


def test_optimizers_are_compared_in_batches_of_one_size_and_each_with_itself_in_others(tmp_path):
    kinds = ((1, "adam"), (2, "sgd"), (3, "adam"), (4, "sgd"), (5, "momentum"))
    curves = {(number, "lstm", 1, name): [4.5 + number / 10] for number, name in kinds}
    study = fakes.read_study(tmp_path, curves, edit=fakes.in_batches({1: 4, 2: 4, 3: 8, 4: 8, 5: 16}))
    found = by_name(study)
    pairs = ("adam-1-against-sgd-2", "adam-3-against-sgd-4", "adam-3-against-adam-1", "sgd-4-against-sgd-2")
    assert set(found) == {"optimizers-1-layers", *pairs}
    said = text.finding(found["optimizers-1-layers"])
    assert said["question"] == "At one layer, how do the optimizers and batch sizes differ?"
    said = text.finding(found["adam-3-against-adam-1"])
    assert said["question"] == "1-layer LSTM: is Adam (batch 8) better than Adam (batch 4)?"
