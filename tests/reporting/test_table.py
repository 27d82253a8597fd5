"""The two tables: every run, then every floor."""

import dataclasses
import re

import pytest

import fakes
from bakeoff.reporting import table
from golden import golden

FLOORS = ["uniform", "unigram", "kn2", "kn3", "kn3+cache"]


def lines(study, name="results"):
    """The lines of a table by its heads."""
    found = next(each for each in table.tables(study) if each["name"] == name)
    heads = [column["head"] for column in found["columns"]]
    return [line | dict(zip(heads, [cell["text"] for cell in line["cells"]], strict=True)) for line in found["lines"]]


def test_every_run_and_floor_has_a_line_in_the_order_of_the_rows(study):
    for name, head in (("results", "model"), ("details", "run")):
        found = lines(study, name)
        assert [line["#"] for line in found[: len(study.rows)]] == [str(row.number) for row in study.rows]
        assert [line[head] for line in found[len(study.rows) :]] == FLOORS
        assert [line["begins"] for line in found] == [n in (0, 4, 8) for n in range(13)]


def test_cells_are_the_measured_numbers(study):
    (first, *_), (details, *_) = lines(study), lines(study, "details")
    expected = {
        "lr": "0.01",
        "decay": "0",
        "train ppl": "81.45",
        "valid ppl": "90.02",
        "test ppl": "99.48",
        "bpb": "2.164",
        "word ppl": "1,808",
        "gap, nats": "0.10",
        "best epoch": "2/4",
        "params, M": "0.0100",
        "memory, MB": "5.0",
        "train s": "8.0",
    }
    assert {head: first[head] for head in expected} == expected
    expected = {
        "run": "1-layer LSTM, Adam",
        "good lr": "0.003 to 0.01",
        "clipped": "10 %",
        "valid loss": "4.500",
        "tokens/s": "4,000",
        "peak, MB": "8.0",
        "optimizer state, MB": "0.1",
    }
    assert {head: details[head] for head in expected} == expected


def test_what_became_of_a_run_stands_in_its_line_with_a_sign(study):
    found = {line["run"]: line for line in lines(study) if line["run"]}
    assert {number: found[number]["diagnosis"] for number in (3, 4, 5, 6)} == {
        3: "diverged",
        4: "failed",
        5: "missing",
        6: "running",
    }
    assert {number: found[number]["sign"] for number in (2, 3, 5)} == {2: "✕", 3: "✕", 5: "◆"}
    assert found[3]["rule"] == "diverged"
    assert found[5]["rule"] is None


def test_what_was_not_measured_is_a_dash(study):
    missing = next(line for line in lines(study) if line["#"] == "5")
    assert missing["params, M"] == "0.0200"
    for head in ("train ppl", "valid ppl", "test ppl", "bpb", "gap, nats", "best epoch", "memory, MB", "train s"):
        assert missing[head] == "—"


def test_times_and_speeds_beside_other_runs_are_marked(study):
    for name, head in (("results", "train s"), ("details", "tokens/s")):
        assert [line["#"] for line in lines(study, name) if "†" in line[head]] == ["7"]


def test_processor_seconds_have_a_column_where_they_were_recorded(study, tmp_path):
    assert all("processor s" not in line for line in lines(study, "details"))
    told = dataclasses.replace(
        study, rows=(dataclasses.replace(study.rows[0], processor_seconds=41.26), *study.rows[1:])
    )
    first, second, *_ = lines(told, "details")
    assert (first["processor s"], second["processor s"]) == ("41.3", "—")


def test_a_moving_average_has_columns_where_one_was_measured(study, tmp_path):
    assert all("averaged valid ppl" not in line for line in lines(study))
    sums = {"valid": fakes.sums(4.4), "test": fakes.sums(4.5)}
    runs = {(1, "lstm", 1, "adam"): [4.5], (2, "lstm", 1, "sgd"): [4.6]}
    first, second, *_ = lines(fakes.read_study(tmp_path, runs, endings={1: {"averaged": sums}}))
    assert (first["valid ppl"], first["averaged valid ppl"], first["averaged test ppl"]) == ("90.02", "81.45", "90.02")
    assert (second["averaged valid ppl"], second["averaged test ppl"]) == ("—", "—")


def test_runs_mixed_with_counts_have_columns_where_they_were_measured(study, tmp_path):
    heads = ("with counts", "bpb with counts")
    assert all(head not in line for line in lines(study) for head in heads)
    mixed = {"floor": "kn5+cache", "weight": 0.25, "valid": fakes.sums(4.3), "test": fakes.sums(4.4)}
    curves = {(1, "lstm", 1, "adam"): [4.5], (2, "lstm", 1, "sgd"): [4.9]}
    found = fakes.read_study(tmp_path, curves, endings={1: {"with_counts": mixed}})
    first, second, *floors = lines(found)
    assert [(first[head], second[head]) for head in heads] == [("73.70", "—"), ("2.068", "—")]
    assert (first["valid ppl"], {floor[head] for floor in floors for head in heads}) == ("90.02", {""})
    first, *_ = lines(found, "details")
    assert (first["counts' share"], first["test with counts"]) == ("25 %", "81.45")
    (row, _), expected = (row.as_json() for row in found.rows), mixed["valid"]["nats"]
    assert (row["with_counts"]["weight"], row["with_counts"]["valid"]["nats"]) == (0.25, expected)


def test_batch_sizes_have_a_column_where_they_differ(study, tmp_path):
    assert all("batch" not in line for line in lines(study))
    curves = {(1, "lstm", 1, "adam"): [4.5], (2, "lstm", 1, "adam"): [4.6]}
    found = fakes.read_study(tmp_path, curves, edit=fakes.in_batches({1: 4, 2: 8}))
    assert {line["#"]: line["batch"] for line in lines(found)} == {"1": "4", "2": "8", "": ""}
    assert "in batches of 4 or 8 sequences of 16 tokens" in table.tables(found)[0]["caption"]


def test_other_windows_have_columns_of_their_own_where_they_were_measured(study, tmp_path):
    heads = ("test ppl, half stride", "test ppl, carried state")
    assert all(head not in line for line in lines(study, "details") for head in heads)
    measured = {"half_stride": fakes.sums(4.4), "carried_state": fakes.sums(4.3)}
    endings = {1: {"windows": measured}, 2: {"windows": {"half_stride": fakes.sums(4.5)}}}
    curves = {(number, "lstm", 1, name): [4.5] for number, name in ((1, "adam"), (2, "sgd"), (3, "momentum"))}
    found = fakes.read_study(tmp_path, curves, endings=endings)
    shown = [tuple(line[head] for head in heads) for line in lines(found, "details")]
    by_number = dict(zip((line["#"] for line in lines(found, "details")), shown, strict=True))
    assert by_number == {"1": ("81.45", "73.70"), "2": ("90.02", "—"), "3": ("—", "—"), "": ("", "")}
    (first, *_) = (row.as_json() for row in found.rows)
    assert first["windows"]["carried_state"]["nats"] == measured["carried_state"]["nats"]
    assert first["test"] != first["windows"]["half_stride"]


def test_bold_is_the_lowest_validation_perplexity_of_each_architecture_and_what_cannot_be_told_from_it(tmp_path):
    study = fakes.twelve(tmp_path / "one", ends={1: 4.51, 2: 4.5})
    bold = {line["run"] for line in lines(study) for cell in line["cells"] if cell["bold"]}
    assert {1, 2} <= bold
    assert 3 not in bold
    lost = fakes.twelve(tmp_path / "lost", endings={2: {"status": "diverged", "error": "…"}})
    assert 2 not in {line["run"] for line in lines(lost) for cell in line["cells"] if cell["bold"]}


def test_bars_are_shares_of_the_longest_among_runs(study):
    found = next(each for each in table.tables(study) if each["name"] == "results")
    place = [column["head"] for column in found["columns"]].index("train s")
    bars = {line["run"]: line["cells"][place]["bar"] for line in found["lines"]}
    assert (max(bar for bar in bars.values() if bar is not None), bars[5], bars[None]) == (1.0, None, None)


def test_several_seeds_have_a_line_with_their_mean(tmp_path):
    curves = {(1, "lstm", 1, "adam"): lambda seed: [4.5 + seed / 10], (2, "lstm", 1, "sgd"): [5.1]}
    endings = {(1, 2): {"alone": False}, (2, 0): {"status": "diverged", "error": "…"}}
    found = lines(fakes.read_study(tmp_path, curves, seeds=(0, 1, 2), endings=endings))
    assert [line["kind"] for line in found[:8]] == ["mean", *["seed"] * 3] * 2
    assert [line["anchor"] for line in found[:2]] == ["run-1", "run-1-seed-0"]
    mean, *single, lost = found[:5]
    # The mean is of losses: 4.6 nats.
    assert (mean["seed"], mean["valid ppl"], mean["±, nats"], mean["train s"]) == ("3 of 3", "99.48", "0.273", "2.0†")
    assert ([line["seed"] for line in single], single[0]["±, nats"]) == (["0", "1", "2"], "")
    assert [line["train s"] for line in single] == ["2.0", "2.0", "2.0†"]
    assert (lost["valid ppl"], lost["±, nats"], lost["severity"]) == ("—", "—", "bad")
    assert lost["diagnosis"].startswith("1 diverged, 2 ")


def test_a_mean_is_of_those_that_finished_where_none_was_lost(tmp_path):
    curves = {(1, "lstm", 1, "adam"): lambda seed: [4.5 + seed / 10] if seed < 2 else None}
    (mean, *_) = lines(fakes.read_study(tmp_path, curves, seeds=(0, 1, 2)))
    assert (mean["seed"], mean["valid ppl"]) == ("2 of 3", "94.63")
    assert mean["diagnosis"].endswith("1 missing")


def test_columns_are_there_where_they_say_something(tmp_path, study):
    def heads(found, place=0):
        return {column["head"] for column in table.tables(found)[place]["columns"]}

    assert not {"seed", "±, nats", "trained, M"} & heads(study)
    curves = {(1, "lstm", 1, "adam"): [4.5]}
    seeds = fakes.read_study(
        tmp_path / "seeds", curves, seeds=(0, 1), edit=lambda s: s["experiments"][0].update(learnable_parameters=7)
    )
    assert {"seed", "trained, M"} <= heads(seeds)
    assert "±, nats" not in heads(seeds)
    untuned = fakes.read_study(tmp_path / "untuned", curves, tuning=None)
    assert "good lr" not in heads(untuned, 1)


def test_a_text_without_words_has_no_perplexity_per_word_and_the_reason(tmp_path, study):
    def wordless(declared):
        declared["corpus"]["valid"] |= {"words": 59}

    found = fakes.read_study(tmp_path, {(1, "lstm", 1, "adam"): [4.5]}, edit=wordless)
    results, _ = table.tables(found)
    assert "word ppl" not in {column["head"] for column in results["columns"]}
    assert "on valid a word has 50.85 bytes" in results["caption"]
    assert "no perplexity per word" not in table.tables(study)[0]["caption"]


@pytest.mark.parametrize(
    ("declared", "said"),
    [({"newline_is_word": True}, "a line's end counts as one"), ({"newline_is_word": False}, "line ends do not count")],
)
def test_the_perplexity_per_word_says_whether_line_ends_count(tmp_path, declared, said):
    found = fakes.read_study(
        tmp_path, {(1, "lstm", 1, "adam"): [4.5]}, edit=lambda study: study["corpus"].update(declared)
    )
    assert said in dict(table.tables(found)[0]["meanings"])["word ppl"]


def test_numbers_stay_bounded_whatever_was_measured(tmp_path):
    curves = {(1, "lstm", 1, "sgd"): [9e6], (2, "lstm", 1, "adam"): [500.0]}
    edit = lambda study: study["baselines"][1].update(valid=fakes.sums(900.0))  # noqa: E731
    found = lines(fakes.read_study(tmp_path, curves, edit=edit, endings={1: {"status": "diverged", "error": "…"}}))
    assert max(len(cell["text"]) for line in found for cell in line["cells"]) < 30
    assert [line["valid ppl"] for line in found[2:4]] == ["300.0", "∞"]


def test_the_search_for_rates_is_described_and_whether_it_was_for_this_study(tmp_path):
    def edit(study):
        study["tuning"] |= {"fits": False}
        del study["tuning"]["rates"]["02-lstm-1-sgd"]

    curves = {(1, "lstm", 1, "adam"): [4.5], (2, "lstm", 1, "sgd"): [4.9]}
    caption = table.tables(fakes.read_study(tmp_path, curves, edit=edit))[0]["caption"]
    assert "3 rates an experiment" in caption
    assert "That was another corpus or budget than this" in caption
    assert "#2 was not searched for, and has its optimizer's default rate." in caption


def test_texts_around_the_tables(study, tmp_path):
    found = [study, fakes.twelve(tmp_path, seeds=(0, 1, 2), tuning=None)]
    golden(
        "tables.txt", "".join(f"{each['caption']}\n{each['meanings']}\n\n" for s in found for each in table.tables(s))
    )


def test_markdown_has_both_tables_whatever_is_in_a_name(nasty_built, nasty, study):
    said = table.markdown(table.tables(study))
    assert "| **90.02** |" in re.sub(" +", " ", said)
    written = (nasty_built.folder / "table.md").read_text(encoding="utf-8")
    rows = [line for line in written.splitlines() if line.startswith("|")]
    widths = [len(re.findall(r"(?<!\\)\|", row)) for row in rows]
    assert len(rows) == 2 * (2 + 1 + 5)
    assert widths == [widths[0]] * 8 + [widths[8]] * 8
    assert r"\|" in written
    assert "<script>" not in written.replace(r"\<", "")


def test_latex_has_both_tables_with_the_rules_of_booktabs(study, seeds_built):
    said = table.latex(table.tables(study), "fake")
    assert said.count(r"\toprule") == said.count(r"\bottomrule") == 2
    # Below the head, before GPT-1 and before the floors.
    assert said.count(r"\midrule") == 2 * 3
    assert r"\textbf{90.02}" in said
    assert r"tiny \& \ensuremath{<}b\ensuremath{>}" in said
    for shape, body in re.findall(r"\\begin\{tabular\}\{([lr]+)\}(.*?)\\end\{tabular\}", said, re.DOTALL):
        rows = [line for line in body.splitlines() if line.endswith(r"\\")]
        assert len(rows) == 1 + len(study.rows) + len(study.baselines)
        assert all(len(re.findall(r"(?<!\\)&", row)) == len(shape) - 1 for row in rows)
    seeds = (seeds_built.folder / "table.tex").read_text(encoding="utf-8")
    assert len(re.findall(r"^ *1 &", seeds, re.MULTILINE)) == 2


def test_latex_reads_no_name_as_a_command(nasty_built):
    written = (nasty_built.folder / "table.tex").read_text(encoding="utf-8")
    assert r"\input" not in written
    assert r"\textbackslash{}input\{y\}" in written
    assert r"\label{tab:-1-1--script" in written
