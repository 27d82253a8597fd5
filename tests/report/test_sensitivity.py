import pytest

from bakeoff.analysis.rows import read_rows
from bakeoff.report import sensitivity


def trial(lr, perplexity):
    status = "diverged" if perplexity is None else "finished"
    return {"lr": lr, "status": status, "valid_loss": None, "valid_perplexity": perplexity}


TUNING = {
    "study": "fake",
    "for": "",
    "fits": True,
    "corpus": "other",
    "epochs": 1,
    "seed": 1000,
    "rates": {
        "01-lstm-1-adam": {"lr": 0.1, "trials": [trial(0.01, 90.0), trial(0.1, 50.0), trial(1.0, None)]},
        "02-lstm-1-sgd": {"lr": 1.0, "trials": [trial(1.0, 70.0), trial(10.0, 1e30)]},
    },
}


@pytest.fixture
def drawn(make_fake_study, tmp_path):
    study = read_rows(make_fake_study(tmp_path / "fake", tuning=TUNING))
    return list(sensitivity.draw(study, tmp_path))


def test_an_architecture_with_trials_has_a_figure_and_no_other(drawn, tmp_path):
    assert [figure.name for figure in drawn] == ["rates-lstm"]
    assert {path.name for path in tmp_path.glob("rates-*")} == {"rates-lstm.svg", "rates-lstm.png"}


def test_the_caption_names_the_search_and_the_best(drawn):
    caption = drawn[0].caption
    assert "after 1 epoch on other (seed 1000, study fake)" in caption
    assert "The best of all is Adam with 1 layer at 0.1, at 50.00." in caption


def test_rates_chosen_by_hand_have_no_figure(fake_study, tmp_path):
    assert list(sensitivity.draw(read_rows(fake_study), tmp_path)) == []


def test_what_is_worse_than_uniform_is_drawn_there_and_what_diverged_is_left_out(make_fake_study, tmp_path):
    study = read_rows(make_fake_study(tmp_path / "fake", tuning=TUNING))
    trials = list(sensitivity._trials(study, "lstm"))
    assert [(t["optimizer"], t["rate"], t["chosen"]) for t in trials] == [
        ("Adam", 0.01, False),
        ("Adam", 0.1, True),
        ("SGD", 1.0, True),
        ("SGD", 10.0, False),
    ]
    assert "1e+30" not in str(sensitivity._chart(study, trials).to_dict(validate=False))
