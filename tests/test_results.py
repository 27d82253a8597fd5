"""The results that are kept in the project: whole, without weights, and what the documents quote of them."""

import re
import statistics
from pathlib import Path

import pytest

import effects
import fair
import gains
from bakeoff import words
from bakeoff.analysis.answer import first_screen
from bakeoff.analysis.questions import findings
from bakeoff.analysis.reading import read_rows
from bakeoff.analysis.statistics import NO, YES
from bakeoff.reporting import table, text
from bakeoff.study_folder import find_studies

ROOT = Path(__file__).parent.parent
STUDIES = find_studies(ROOT / "results")


def kept(name):
    return read_rows(next(folder for folder in STUDIES if folder.path.name.startswith(name)))


def gained(study, number, window):
    """How many bits per byte test costs less in other windows, the mean over seeds."""
    rows = [row for row in study.rows if row.number == number and row.finished]
    return f"{statistics.fmean(row.test.bits_per_byte - row.windows[window].bits_per_byte for row in rows):.3f}"


@pytest.mark.parametrize("folder", STUDIES, ids=lambda folder: folder.path.name)
def test_every_run_that_is_kept_is_whole(folder):
    study = read_rows(folder)
    rows = [row for row in study.rows if (folder.path / row.folder).is_dir()]
    assert rows
    for row in rows:
        assert row.finished
        assert [point.epoch for point in row.history] == list(range(study.study["budget"]["epochs"] + 1))
        assert row.history[0].valid.perplexity > study.baselines[0].valid.perplexity / 2, "it begins near uniform"


def test_the_documents_quote_the_first_point_as_it_was_measured():
    study = kept("seed-learned")
    told, row = (ROOT / "docs" / "seed.md").read_text(), study.rows[0]
    for point in row.history:
        values = (words.number(point.train.perplexity), words.number(point.valid.perplexity))
        assert f"| {point.epoch} | {' | '.join(values)} | {words.count(point.train_seconds)} |" in told
    for baseline in study.baselines:
        assert baseline.name == "uniform" or words.number(baseline.valid.perplexity) in told
    assert f"Test is at {words.number(row.test.perplexity)}." in told


#: What the course report and its table say, with the questions that would answer, by how their names begin.
SAID = {
    "AdamW is best on validation in both architectures, and Adam on test.": ("adamw-2-against", "adamw-6-against"),
    "SGD and momentum are far behind Adam: their perplexities are four to fifteen times as high.": (
        *("adam-1-against-sgd", "adam-1-against-momentum", "adam-5-against-sgd", "adam-5-against-momentum"),
    ),
    "On GPT-1 momentum beats Adam.": ("adam-5-against-momentum",),
    "The LSTM did better than GPT-1 (experiments 1 and 5).": ("1-against-5",),
    "GPT-1 with two and four layers overfits.": ("depth-gpt1", "capacity-gpt1"),
    "The LSTMs do not overfit, however many layers they have.": ("overfitting", "capacity-lstm"),
    "SGD needs 0.9 GB less memory, as it keeps no state.": ("memory",),
}


def first_sentence(said):
    return re.split(r"(?<=\.) (?=[A-Z#])", said["text"])[0].strip()


def answers(study):
    """Every question of a study's report, its verdict, and how the answer begins, as lines of a table."""
    told = [text.finding(found) for found in findings(study)]
    lines = [f"| {said['question']} | {said['verdict']} | {first_sentence(said)} |" for said in told]
    return "\n".join(["| question | verdict | the answer begins |", "|---|---|---|", *lines])


def claims(study):
    """What the course report said beside what this study answers, as lines of a table without the last word on it."""
    told = {found.name: text.finding(found) for found in findings(study)}
    return {
        claim: f"| {claim} | "
        + " ".join(
            f"*{said['question']} {words.sentence(said['verdict'])}*: {first_sentence(said)}"
            for begins in asked
            for name, said in told.items()
            if name.startswith(begins)
        )
        for claim, asked in SAID.items()
    }


def test_the_page_of_quick_shows_the_table_and_the_answers_of_its_report():
    study, told = kept("quick"), (ROOT / "docs" / "quick.md").read_text(encoding="utf-8")
    assert len(study.rows) == 12 * 5
    assert all(row.finished for row in study.rows)
    found = findings(study)
    assert text.answer(first_screen(study, found))["headline"] in told
    assert table.markdown(table.tables(study)[:1]).strip() in told
    counting = next(text.finding(each)["text"] for each in found if each.name == "counting")
    assert counting[counting.index("Of 60") :] in told
    half, others = (gained(study, number, "half_stride") for number in (2, 6))
    carried = gained(study, 2, "carried_state")
    assert f"costs {half} bits per byte less for #2 and {others} less for #6; where #2 carries" in told
    assert f"carries its state over, {carried} less." in told
    assert answers(study) in told
    assert all(line in told for line in claims(study).values())
    optimizers = [each.verdict for each in found if re.match(r"(adam|adamw|momentum)-\d+-against-", each.name)]
    assert (len(optimizers), sum(verdict in (YES, NO) for verdict in optimizers)) == (8, 5)
    assert "five of eight comparisons of optimizers are decided" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_page_of_modern_shows_the_means_and_the_answers_of_its_report():
    study, told = kept("modern"), (ROOT / "docs" / "modern.md").read_text(encoding="utf-8")
    assert len(study.rows) == 16 * 3
    assert all(row.finished for row in study.rows)
    found = findings(study)
    assert text.answer(first_screen(study, found))["headline"] in told
    assert next(text.finding(each)["text"] for each in found if each.name == "counting") in told
    lines = table.markdown(table.tables(study)[:1]).splitlines()
    means = [line for line in lines[: lines.index("")] if line.split("|")[7].strip() not in ("0", "1", "2")]
    assert sum("| 3 of 3 |" in line for line in means) == 16
    assert "\n".join(means) in told
    assert answers(study) in told
    losses = {(row.model, row.optimizer): [] for row in study.rows}
    for row in study.rows:
        losses[row.model, row.optimizer].append(row.valid.loss)
    mean = {arm: statistics.fmean(found) for arm, found in losses.items()}
    assert all(mean[model, "muon"] < mean[model, "adamw"] for model, _ in mean)
    assert all(
        mean[m, "muon"] < mean[m, "schedulefree"] < mean[m, "adamw"] < mean[m, "lion"] for m in ("lstm", "gpt", "glr")
    )
    for optimizer, *ranked in (("muon", "glr", "gpt", "gru"), ("adamw", "glr", "gru", "gpt")):
        first, second, third, *last = (mean[model, optimizer] for model in (*ranked, "lstm", "gpt1"))
        assert first < second < third < min(last)


def test_the_page_of_wikitext_2_shows_the_table_and_the_answer_of_its_report():
    study, told = kept("wikitext-2"), (ROOT / "docs" / "wikitext-2.md").read_text()
    assert all(row.finished for row in study.rows)
    assert len(study.rows) == 12
    assert table.markdown(table.tables(study)[:1]).strip() in told
    found = findings(study)
    assert text.answer(first_screen(study, found))["headline"] in told
    counting = next(text.finding(each)["text"] for each in found if each.name == "counting")
    assert counting[counting.index("Of twelve") :] in told
    seeds = kept("wikitext-2-seeds")
    half, others, carried = (
        gained(seeds, 2, "half_stride"),
        gained(seeds, 6, "half_stride"),
        gained(seeds, 2, "carried_state"),
    )
    told = " ".join(told.split())
    assert (
        f"costs {half} bits per byte less for #2 and {others} less for #6, and {carried} less where #2 carries" in told
    )
    floor = seeds.lowest_floor
    assert f"{floor.title} reaches {floor.valid.perplexity:.2f}, in {floor.seconds:.0f} seconds" in told
    assert {f"{row.with_counts.valid.bits_per_byte:.2f}" for row in seeds.rows if row.with_counts} == {"1.41"}
    assert f"trained for {sum(row.train_seconds for row in study.rows) / 60:.0f} minutes" in told


def test_the_page_of_textbook_effects_shows_what_came_of_the_runs_that_are_kept():
    told, runs = (ROOT / "docs" / "textbook.md").read_text(), effects.read(ROOT / "results" / "textbook.json")
    assert {run["status"] for run in runs} == {"finished"}
    assert {run["seed"] for run in runs} == {0, 1, 2}
    assert len(runs) == 3 * (65 + 30)
    assert effects.tables(runs) in told


def test_the_page_of_fair_questions_shows_what_came_of_the_runs_that_are_kept():
    told, runs = (ROOT / "docs" / "fair.md").read_text(), effects.read(ROOT / "results" / "fair.json")
    assert {run["status"] for run in runs} == {"finished"}
    assert len(runs) == 33 + 2 * 11 + 4 * (3 + 2)
    assert fair.tables(runs, effects.read(ROOT / "results" / "textbook.json")) in told


def test_the_page_of_options_shows_what_came_of_the_runs_that_are_kept():
    told, runs = (ROOT / "docs" / "options.md").read_text(encoding="utf-8"), effects.read(ROOT / "results/options.json")
    assert {run["status"] for run in runs} == {"finished"}
    assert gains.tables(runs) in told


def test_the_pages_of_choosing_and_of_the_ladder_quote_the_runs_that_are_kept():
    runs = effects.read(ROOT / "results" / "choices.json")
    ladder, choosing = ((ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("ladder.md", "choose.md"))
    whole = [run for run in runs if run["what"] == "all of the time"]
    assert len(whole) == 6
    for run in whole:
        title = f"{run['model'].upper()} of {run['layers']} layers with Muon, {run['steps']:,} steps"
        cells = (
            f"{run['parameters']:,} | {run['train_seconds'] / 60:.1f} | {run['valid']:.4f} | {run['valid_mixed']:.4f}"
        )
        assert f"| {title}, learning rate {run['learning_rate']:g} | {cells} |" in ladder
    for run in (run for run in runs if run["study"] == "final" and "128" not in run["what"]):
        line = next(line for line in choosing.splitlines() if f" {run['steps']:,} steps |" in line)
        found = (run[name] for name in ("valid", "floor_valid", "valid_mixed", "test", "floor_test"))
        network, floor, mixed, test, floor_test = (f"{bits:.3f}" for bits in found)
        assert f"| {network} | {floor} | {mixed} | {test}, {floor_test} |" in line
