"""What captions say, from the numbers of their own runs."""

import dataclasses

import pytest

from bakeoff.analysis.measured import Deciles
from bakeoff.report import captions, comparisons
from bakeoff.report.curves import perplexity_axis
from bakeoff.report.style import PerplexityAxis


def row(study, number):
    return next(row for row in study.rows if row.number == number)


def test_the_curve_over_epochs_tells_best_gap_end_and_floors(built):
    assert built.named["01-epochs"].caption == (
        "1-layer LSTM, Adam on tiny & <b>: train (dashed, a fixed sample) and valid (solid) perplexity over epochs, "
        "with the same weights; grey lines are the floors on valid. "
        "Valid is lowest after epoch 1 (dot), at 90.02, where train is at 81.45, 0.10 nats per token below it. "
        "After epoch 2 valid is at 99.48, up 0.10 nats, and train at 54.60, 0.60 nats per token below it. "
        "Valid is first seen below unigram, kn2, kn3 and kn3+cache after epoch 1."
    )


def test_the_curve_over_time_tells_pace_crossings_and_what_the_rest_was_good_for(built):
    caption = built.named["01-time"].caption
    assert "An epoch takes 1.5 s of training (4,000 tokens a second). " in caption
    assert "Valid is first seen below unigram, kn2, kn3 and kn3+cache after 1.5 s." in caption
    assert caption.endswith(
        "Valid is lowest after 1.5 s, 50% of the training time; the 1.5 s after that do not lower it."
    )


def test_captions_of_runs_that_went_wrong_say_so(built):
    caption = built.named["02-epochs"].caption
    assert "Valid is never below unigram, kn2, kn3 or kn3+cache." in caption
    assert "That is the last epoch, and it still lowered valid by 0.05 nats." in caption
    assert "The run diverged: the loss was not finite at step 27" in built.named["03-epochs"].caption
    assert "The run is running." in built.named["06-epochs"].caption
    assert "measured beside other runs" in built.named["07-time"].caption
    assert "measured beside other runs" not in built.named["01-time"].caption


def test_a_run_that_training_made_worse_is_told_as_such(study):
    one = row(study, 1)
    spoiled = dataclasses.replace(
        one,
        history=tuple(
            dataclasses.replace(point, epoch=epoch) for epoch, point in enumerate((one.history[1], one.history[0]))
        ),
    )
    caption = captions.learning_curves(study, [spoiled], "epochs", perplexity_axis(study, "lstm"))
    assert "Valid is lowest before the first step, at 90.02: training made it worse." in caption


def test_of_several_seeds_the_range_and_the_best_are_told(study):
    one, worse = row(study, 1), row(study, 2)
    seeds = [dataclasses.replace(worse, seed=0), dataclasses.replace(one, seed=1)]
    caption = captions.learning_curves(study, seeds, "epochs", perplexity_axis(study, "lstm"))
    assert (
        "The lowest valid perplexity of its 2 seeds lies between 90.02 and 232.8, after epochs 1 to 2. "
        "Seed 1, the best of them: Valid is lowest after epoch 1 (dot), at 90.02"
    ) in caption
    assert caption.count("Valid is lowest") == 1


def test_a_seed_that_went_wrong_is_not_left_out(study):
    lost = dataclasses.replace(row(study, 3), seed=2)
    caption = captions.learning_curves(study, [row(study, 1), lost], "time", perplexity_axis(study, "lstm"))
    assert "Seed 2: The run diverged: the loss was not finite at step 27" in caption


@pytest.mark.parametrize(("high", "told"), [(250, True), (400, False)])
def test_what_the_axis_cuts_off_is_said(study, high, told):
    axis = PerplexityAxis(low=50, high=high, linear_high=high)
    caption = captions.learning_curves(study, [row(study, 1)], "time", axis)
    assert ("Cut off where it rises above the axis, up to 301.9." in caption) == told


def test_all_runs_of_an_architecture_are_summed_up(built):
    caption = built.named["overlay-lstm-time"].caption
    assert "The lowest is #1 at 90.02, the highest #2 at 232.8 (one seed)." in caption
    assert "2 of 3 runs came below kn3+cache, the lowest floor (115.6)." in caption
    assert "The first to be seen below it is #1, after 1.5 s of training." in caption


def test_a_front_names_its_runs_and_leaves_out_what_is_not_believed(built):
    caption = built.named["pareto-time"].caption
    assert "#1 (90.02 at 3.00 seconds)" in caption
    assert "not on the front: #7." in caption
    assert "#7" not in built.named["parameters"].caption


def test_the_largest_model_is_named_where_it_is_not_the_best(study):
    small, large = row(study, 1), dataclasses.replace(row(study, 8), learnable_parameters=9_000)
    what = comparisons.COSTS[2]
    said = captions.cost(study, what, [(2_345.0, small), (9_000.0, large)], [])
    assert "The lowest is #1 with 2,345, at 90.02; the largest, #8 with 9,000, comes to 110.5 (one seed)." in said
    assert "The largest, #1 with 2,345, is also the lowest" in captions.cost(study, what, [(2_345.0, small)], [])


def test_the_gap_is_told_by_depth(study):
    gaps = {("LSTM with Adam", 1): (0.1, 0.6), ("LSTM with Adam", 2): (0.2, 0.75)}
    caption = captions.gap_by_depth(study, gaps)
    assert "LSTM with Adam, 1 and 2 layers: 0.10 and 0.20 nats at the best epoch, 0.60 and 0.75 at the end." in caption


def test_deciles_tell_where_optimizers_are_furthest_apart(study):
    def costing(*losses):
        return Deciles(nats=losses, tokens=(1,) * len(losses))

    shown = [(row(study, 1), costing(2.0, 7.0)), (row(study, 2), costing(2.25, 8.5))]
    caption = captions.deciles(study, "LSTM", shown)
    assert "2.00 to 7.00 for Adam and 2.25 to 8.50 for SGD" in caption
    assert (
        "furthest apart in decile 2, where SGD pays 1.50 nats more than Adam, and closest in decile 1 (0.25)" in caption
    )
    assert "it rises from 2.00 to 7.00 for Adam" in captions.deciles(study, "LSTM", shown[:1])
