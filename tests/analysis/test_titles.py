"""No two experiments are called alike."""

import fakes


def test_optimizers_that_differ_only_in_a_setting_are_told_apart(tmp_path):
    def edit(study):
        for entry, decay in zip(study["experiments"], (0.0, 0.1, 0.5), strict=True):
            entry["weight_decay"] = entry["optimizer_settings"]["weight_decay"] = decay

    curves = {(number, "lstm", 1, "adamw"): [4.5] for number in (1, 2, 3)}
    study = fakes.read_study(tmp_path, curves, edit=edit)
    assert study.optimizer_titles == ("AdamW (weight decay 0)", "AdamW (weight decay 0.1)", "AdamW (weight decay 0.5)")
    assert study.experiment(2).described == "#2 (1-layer LSTM, AdamW (weight decay 0.1), learning rate 0.01)"


def test_what_a_model_does_or_does_not_is_told_as_that(tmp_path):
    def edit(study):
        for entry, post in zip(study["experiments"], (True, False), strict=True):
            entry["architecture"]["post_norm"] = post

    study = fakes.read_study(tmp_path, {(1, "gpt1", 1, "adamw"): [4.5], (2, "gpt1", 1, "adamw"): [4.5]}, edit=edit)
    assert [row.model_title for row in study.rows] == ["GPT-1 (post norm)", "GPT-1 (no post norm)"]


def test_a_rate_is_part_of_the_title_only_where_nothing_else_differs(tmp_path):
    def edit(study):
        for entry, rate in zip(study["experiments"], (0.1, 0.2, 0.3), strict=True):
            entry["learning_rate"] = entry["optimizer_settings"]["lr"] = rate

    keys = [(1, "lstm", 1, "adamw"), (2, "lstm", 1, "adamw"), (3, "gpt1", 1, "adamw")]
    study = fakes.read_study(tmp_path, {key: [4.5] for key in keys}, edit=edit)
    assert [row.optimizer_title for row in study.rows] == ["AdamW (lr 0.1)", "AdamW (lr 0.2)", "AdamW"]
    assert [e.described for e in study.experiments] == [
        "#1 (1-layer LSTM, AdamW (lr 0.1), weight decay 0.1)",
        "#2 (1-layer LSTM, AdamW (lr 0.2), weight decay 0.1)",
        "#3 (1-layer GPT-1, AdamW, learning rate 0.3, weight decay 0.1)",
    ]


def test_batch_sizes_are_told_apart(tmp_path):
    curves = {(number, "lstm", 1, name): [4.5] for number, name in ((1, "adam"), (2, "adam"), (3, "adamw"))}
    study = fakes.read_study(tmp_path, curves, edit=fakes.in_batches({1: 8, 2: 4, 3: 4}))
    titles = {row.number: row.optimizer_title for row in study.rows}
    assert titles == {1: "Adam (batch 8)", 2: "Adam (batch 4)", 3: "AdamW (batch 4)"}
    assert study.batch_sizes == [4, 8]


def test_sizes_are_told_apart(tmp_path):
    def edit(study):
        study["experiments"][1]["architecture"]["hidden"] = 64

    study = fakes.read_study(tmp_path, {(1, "lstm", 1, "adam"): [4.5], (2, "lstm", 1, "adam"): [4.5]}, edit=edit)
    assert [row.name for row in study.rows] == ["1-layer LSTM (hidden 16), Adam", "1-layer LSTM (hidden 64), Adam"]
