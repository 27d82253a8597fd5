"""What verbs print: plain text in columns, the same on a terminal and in a pipe."""

import dataclasses
import shlex
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from bakeoff import at_work, words
from bakeoff.analysis.outlook import count_statuses, seconds_left, what_is_next
from bakeoff.analysis.reading import rows_of_other_seeds
from bakeoff.analysis.rows import Row, StudyRows
from bakeoff.analysis.statistics import LEVEL, SAME_WITHIN
from bakeoff.decisions import going_on, whole_of
from bakeoff.errors import plain
from bakeoff.metrics import perplexity
from bakeoff.run_folder import DAMAGED, DIVERGED, FAILED, FINISHED, RunFolder
from bakeoff.shapes import LARGEST, Json
from bakeoff.study_folder import StudyFolder

if TYPE_CHECKING:  # at run time each would bring along what other verbs do not need
    from bakeoff.analysis.looks import Look
    from bakeoff.analysis.probe import Probe
    from bakeoff.choosing.answer import Answer
    from bakeoff.choosing.choice import Chosen
    from bakeoff.data.corpora import BuiltIn, Text
    from bakeoff.judging import Judgement
    from bakeoff.measuring import Measurement
    from bakeoff.planning import Plan
    from bakeoff.tuning import RateSearch
    from bakeoff.verifying import Review, Verification


def status_json(folder: StudyFolder, rows: StudyRows) -> Json:
    """What `bakeoff status --json` says of one study."""
    kept = ("number", "model", "layers", "optimizer", "seed", "status", "epochs", "best_epoch", "error", "folder")
    return {
        "study": rows.study["study"],
        "folder": str(folder.path),
        "counts": count_statuses(rows),
        "seconds_left": seconds_left(rows, at_work.read(folder).places),
        "runs": [{name: getattr(row, name) for name in kept} for row in rows.rows],
        "other_seeds": [{name: getattr(row, name) for name in kept} for row in rows_of_other_seeds(folder)],
        "reported": [vars(run) for run in rows.reported],
    }


def status_text(folder: StudyFolder, rows: StudyRows) -> str:
    """A line a run, and one for the study."""
    counts = ", ".join(f"{count} {status}" for status, count in count_statuses(rows).items() if count)
    left = seconds_left(rows, at_work.read(folder).places)
    ending = f"{folder.path}: {counts}; left to run: {'nothing' if left == 0 else words.duration(left)}"
    ending += "".join(f"\n{plain(row.error or '')}" for row in rows.rows if row.status == DAMAGED)
    if whole_of(folder.path) == folder.path:
        ending += f"\nthe next `bakeoff run` will {what_is_next(rows)}"
    elif left != 0:
        ending += f"\n{going_on(folder.path)}"
    if others := rows_of_other_seeds(folder):
        ending += f"\n\nSeeds that only a comparison has (`bakeoff judge`):\n{_run_lines(rows, others)}"
    return f"{_run_lines(rows, rows.rows)}\n{ending}{_reported_text(rows)}"


def _run_lines(study: StudyRows, rows: Iterable[Row]) -> str:
    """A line a run."""
    lines = [
        [
            *(str(row.number), row.model_title, str(row.layers), row.optimizer_title, str(row.seed), row.status),
            *(f"{row.done}/{study.length}", words.number(row.valid.perplexity if row.valid else None)),
        ]
        for row in rows
    ]
    return columns(["#", "model", "layers", "optimizer", "seed", "status", f"{study.unit}s", "valid ppl"], lines)


def _reported_text(rows: StudyRows) -> str:
    """What other programs report of their runs, under a heading that says so; nothing where there is nothing."""
    if not rows.reported:
        return ""
    from bakeoff.analysis.questions.reported import facts
    from bakeoff.reporting import text

    found = facts(rows)
    head, *lines = text.grid("reported", found) or []
    return f"\n\n{text.say('reported', 'heading', found)}:\n{columns(head, lines)}"


def description_text(description: Json) -> str:
    """What `bakeoff describe` prints."""
    from bakeoff.data.splits import SPLITS

    corpus, budget = description["corpus"], description["budget"]
    batch_sizes = sorted({entry["batch_size"] for entry in description["experiments"]})
    names = (
        *("number", "model", "layers", "optimizer", "learning_rate", "weight_decay"),
        *(["batch_size"] if len(batch_sizes) > 1 else []),
        *("parameters", "learnable_parameters"),
    )
    formats = {"parameters": words.count, "learnable_parameters": words.count, "learning_rate": words.rate}
    lines = [[formats.get(name, str)(entry[name]) for name in names] for entry in description["experiments"]]
    tokens = ", ".join(f"{split} {words.count(corpus[split]['tokens'])}" for split in SPLITS)
    shared = (
        f"{words.epochs(budget)}, batches of {words.joined(map(str, batch_sizes), 'or')} sequences of "
        f"{budget['sequence_length']} tokens, {budget['schedule']} schedule, "
        f"seeds {', '.join(map(str, description['seeds']))}"
    )
    table = columns([name.replace("_", " ") for name in names], lines)
    about = f"corpus {corpus['name']}; tokens: {tokens}; vocabulary {budget['vocabulary']:,}\n{shared}"
    return f"{table}\n{about}\n\n{_memory_text(description)}"


def _memory_text(description: Json) -> str:
    """What each experiment keeps in memory while it takes a step."""
    parts = ("weights", "gradients", "optimizer_state", "activations", "logits")
    known = [(entry["number"], entry["memory"] or dict.fromkeys(parts)) for entry in description["experiments"]]
    lines = [[str(number), *(words.in_megabytes(memory[part]) for part in parts)] for number, memory in known]
    precision = words.PRECISIONS.get(description["budget"]["precision"], words.PRECISIONS["fp32"])
    table = columns(["number", *(part.replace("_", " ") for part in parts)], lines)
    return f"{table}\nmemory of a training step in MB, in {precision} on a processor, computed"


def tuning_text(search: "RateSearch") -> str:
    """For each experiment the rate that was chosen, and the valid perplexity of every rate that was tried."""
    found = search.result()["rates"]
    lines = [
        [
            slug,
            words.rate(entry["lr"]) + _remarks(search, slug),
            "  ".join(f"{words.rate(t['lr'])}: {words.number(t['valid_perplexity'])}" for t in entry["trials"]),
        ]
        for slug, entry in found.items()
    ]
    return columns(["experiment", "rate", "valid perplexity of each rate"], lines)


def round_text(search: "RateSearch") -> str:
    """What a search has come to with its last round."""
    found = search.result()["rates"]
    chosen = (f"{slug} {words.rate(found[slug]['lr'])}{_remarks(search, slug)}" for slug in found)
    return f"the best rates after round {search.rounds}: {', '.join(chosen)}"


def _remarks(search: "RateSearch", slug: str) -> str:
    """What is to be known of a rate: that a better one may lie beyond, or that none was good for anything."""
    edge = " (edge)" if search.on_edge(slug) else ""
    return edge + ("" if search.has_learned(slug) else " (nothing learned: no better than the unigram)")


def plan_text(plan: "Plan") -> str:
    """What a study costs, how much another seed changes, and what more seeds cost and can see."""
    told, study = plan.as_json(), plan.study
    judge = told["judge"]
    lines = [
        [
            *(str(n["seeds"]), words.duration(n["seconds"]), words.small(n["smallest_effect"])),
            words.percent(perplexity(n["smallest_effect"], 1) - 1),
        ]
        for n in told["seeds"]
    ]
    experiments, seeds = words.plural(plan.experiments, "experiment"), words.plural(plan.seeds, "seed")
    threads = words.plural(study.budget.threads or 1, "thread")
    return (
        f"{study.name}: {experiments} with {seeds} each on {plan.device.type}, {threads} a run, "
        f"{study.budget.precision}: about {words.duration(told['seconds'])}, "
        f"{words.megabytes(told['memory_bytes'])} of memory, {words.megabytes(told['disk_bytes'])} of disk\n"
        f"From seed to seed the difference of two deviates by {words.small(plan.paired.nats)} nats per token: "
        f"{told['deviation_from']}.\n\n"
        f"{columns(['seeds', 'time', 'smallest difference', 'in perplexity'], lines)}\n"
        "The smallest difference, in nats per token, that so many seeds find clear in four of five studies: the "
        f"{words.percent(LEVEL)} interval does not hold zero, and the two are not the same within {SAME_WITHIN:g}. "
        f"`bakeoff judge`, which may stop after {words.joined(map(str, judge['looks']), 'or')} seeds, finds "
        f"{words.small(judge['smallest_effect'])} ({words.percent(perplexity(judge['smallest_effect'], 1) - 1)}).\n"
        "Models that vary more from seed to seed need more seeds: `--only` plans for the experiments that it names."
    )


def probe_json(folder: RunFolder, probe: "Probe") -> Json:
    """What `bakeoff probe --json` says: what was kept with the run, and what it says."""
    from bakeoff.reporting import text

    said = text.say("shared", "probed", probe)
    return {"number": probe.number, "folder": str(folder.path), "verdict": probe.found, "text": said} | (
        folder.probe or {}
    )


def probe_text(probe: "Probe") -> str:
    """A line for each start of a probe, the run's own first, and what they say together."""
    from bakeoff.reporting import text

    named = [("as it is", probe.own)]
    named += [(f"#{probe.smaller[0]} as it is", probe.smaller[1])] if probe.smaller else []
    named += [(text.say("shared", "recipe", start), start) for start in probe.changed]
    lines = [
        [name, words.rate(start.learning_rate), "diverged" if start.diverged else words.perplexity(start.loss)]
        for name, start in named
    ]
    table = columns(
        [f"#{probe.number}", "learning rate", f"valid ppl after {words.plural(probe.steps, 'step')}"], lines
    )
    return f"{table}\n{text.say('shared', 'probed', probe)}"


def bench_text(measured: Json) -> str:
    """A line for each case and peer: both speeds, the ratio with its rounds' range, the share of the limit."""
    lines = [
        [
            *(entry["name"], words.count(entry["tokens_per_second"]), entry["peer"]),
            *(words.count(entry["peer_tokens_per_second"]), f"{entry['ratio']:.2f}"),
            f"{entry['ratio_low']:.2f} to {entry['ratio_high']:.2f}",
            words.ABSENT if entry["limit_fraction"] is None else f"{entry['limit_fraction']:.0%}",
        ]
        for entry in measured["cases"]
        if "failed" not in entry
    ]
    failed = "".join(
        f"\n{plain(entry['name'])}: {plain(entry['failed'])}" for entry in measured["cases"] if "failed" in entry
    )
    machine = measured["machine"]
    head = ["case", "tokens/s", "peer", "its tokens/s", "ratio", "of the rounds", "of the limit"]
    return (
        f"{columns(head, lines)}{failed}\n{machine['processor']}, {machine['threads']} threads, "
        f"{machine['precision']}, torch {machine['torch']}; medians of {measured['rounds']} rounds. "
        "The limit is the time that a step's matrix products take alone, at their own shapes. Itself is Bakeoff once "
        "more: as far as its ratio is from 1, the others' may be by chance."
    )


def busy_text(measured: Json) -> str:
    """A line for each contender: milliseconds of a step, alone and beside busy programs, by both clocks."""
    lines = [
        [
            *(entry["name"], entry["who"]),
            *(f"{1000 * seconds:.1f}" for key in ("seconds", "processor_seconds") for seconds in entry[key]),
            f"{entry['slowdown']:.2f}",
            f"{entry['slowdown_low']:.2f} to {entry['slowdown_high']:.2f}",
        ]
        for entry in measured["cases"]
    ]
    machine = measured["machine"]
    head = ["case", "who", "alone, ms", "beside, ms", "processor ms", "beside", "slowdown", "of the rounds"]
    return (
        f"{columns(head, lines)}\n{machine['processor']}, {machine['threads']} threads, {machine['precision']}, "
        f"torch {machine['torch']}; medians of {measured['rounds']} rounds. "
        "Beside: a busy program on each core. A step's processor time is that of all threads."
    )


def corpus_text(corpus: "BuiltIn", text: "Text | None") -> str:
    """A built-in corpus's licence and source, and if it is here its sizes and what its splits share with train."""
    from bakeoff.data.splits import SPLITS

    facts = [corpus.name, f"  {corpus.source}", f"  licence: {corpus.licence}"]
    if text is None:
        return "\n".join([*facts, f"  not here yet: fetch it with `bakeoff data {corpus.name}`"])
    return "\n".join([*facts, f"  verified: {corpus.place()}", *(_split_line(text, split) for split in SPLITS)])


def _split_line(text: "Text", split: str) -> str:
    from bakeoff.data import overlap

    documents = text.splits[split]
    counted, size = map(sum, zip(*map(text.count, documents), strict=True))
    line = f"  {split}: {len(documents):,} documents, {counted:,} words, {size:,} bytes"
    if split == "train":
        return line
    shared = overlap.shared_ngrams(documents, text.splits["train"])
    return f"{line}; {shared:.2%} of its runs of {overlap.LENGTH} words are in train"


def columns(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their content, numbers to the right; no line is wrapped, so that a pipe gets them whole."""
    lines = [list(map(plain, line)) for line in lines]
    widths = [max(map(len, column)) for column in zip(head, *lines, strict=True)]
    numeric = [not any(map(str.isalpha, cell)) for cell in lines[0]]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, numeric, strict=True)
        ).rstrip()
        for line in [head, *lines]
    )


def choice_text(answer: "Answer") -> str:
    """What `bakeoff choose` says in the end."""
    table = [_trials(answer.made), ""] if answer.made.search.found else []
    return "\n".join([*table, answer_text(answer), *_outlook(answer), *_model(answer)])


def choice_json(answer: "Answer") -> Json:
    """What `bakeoff choose --json` says: what to use, which is the network or a floor, and how sure that is."""
    made, floor, unseen = answer.made, answer.floor, answer.unseen
    row = made.row
    network = row and {
        "title": answer.chosen,
        **{name: row.entry[name] for name in ("model", "optimizer", "learning_rate", "weight_decay", "batch_size")},
        **{name: row.entry[name] for name in ("sequence_length", "vocabulary", "parameters")},
        **{name: row.entry[name] for name in ("architecture", "optimizer_settings")},
        "steps": row.history[-1].step,
        "run": str(answer.folder),
    }
    return {
        "corpus": made.rows.study["corpus"]["name"],
        "minutes": made.kept.minutes,
        "use": {"floor": floor.name} if answer.count_table else network,
        "network": network,
        "floor": {"name": floor.name},
        "bits_per_byte": {
            "network": row and {"valid": answer.valid, "test": row.test.bits_per_byte if row.test else None},
            "floor": {"valid": floor.valid.bits_per_byte, "test": floor.test.bits_per_byte},
            "mixed": {"valid": answer.mixed},
            "unseen": unseen and {**dataclasses.asdict(unseen), "what": answer.kind},  # of what is to be used
        },
        "other_probability_better": answer.other_better,
        "untried": answer.untried,
        "left_out": list(made.kept.left_out.values()),
        "runner_up": answer.runner_up and {"title": answer.runner_up, "probability_better": answer.runner_up_better},
        "by_minutes": [
            {
                "minutes": told.minutes,
                "bits_per_byte": dataclasses.asdict(told.expected),
                "runner_up_probability_better": told.runner_up_better,
            }
            for told in answer.outlook
        ],
        "withheld": answer.withheld,
        "ended": made.ended,
        "error": made.error,
        "seconds": made.kept.spent,
        "study": str(answer.study),
    }


def answer_text(answer: "Answer") -> str:
    """What to use, what to expect of it, and what could not be done: a line each."""
    from bakeoff.choosing.choice import CUT_OFF

    small, floor, row, ended = words.small, answer.floor, answer.made.row, answer.made.ended
    counted = f"{floor.title}: {small(floor.valid.bits_per_byte)}"
    if answer.count_table or row is None:
        other = f"; {answer.chosen} reached {small(answer.valid)}" if row else ""
        said = [f"Use the count table, {counted} bits per byte of valid{other}."]
    else:
        settings = (
            f"{words.count(row.entry['parameters'])} parameters, learning rate {words.rate(row.learning_rate)}, "
            f"{row.entry['batch_size']} sequences of {row.entry['sequence_length']} tokens a step, "
            f"{words.count(row.history[-1].step)} steps"
        )
        said = [f"Use {answer.chosen}, {settings}: {small(answer.valid)} bits per byte of valid ({counted})."]
    if answer.mixed:
        said.append(
            f"The network and the count table, mixed, reach {small(answer.mixed)}: measured, but no model to load."
        )
    said += _expectation(answer)
    if answer.other_better is not None:
        other = "the network" if answer.count_table else "the count table"
        said.append(f"The probability that {other} is better there is {words.percent(answer.other_better)}.")
    said += _second(answer)
    if left_out := answer.made.kept.left_out:
        said.append(f"Left out: {words.joined(left_out.values())}.")
    if answer.untried:
        said.append(f"There was no time to try {words.joined(answer.untried)}.")
    if ended == CUT_OFF:
        said.append(
            "The time was up before the end of the last run, and this is the best until then: give it more minutes "
            "and another --out."
        )
    elif ended != FINISHED:
        best = "What stands here is the best complete trial" if row else "Nothing else was trained"
        again = FAILED in (ended, *(found.ended for found in answer.made.search.found)) and ended != DIVERGED
        mend = "repeat the command" if again else "give other minutes, another --seed and another --out"
        said.append(f"The last run {ended}: {answer.made.error}. {best}; to try again, {mend}.")
    return "\n".join(said)


def _expectation(answer: "Answer") -> list[str]:
    """What to expect on other text."""
    from bakeoff.analysis.statistics import FEWEST_DOCUMENTS

    small, unseen, row = words.small, answer.unseen, answer.made.row
    if unseen is not None:
        reach = f"{small(unseen.low)} to {small(unseen.high)} with 95 % probability"
        seeds = "" if answer.count_table else ": another seed included"
        return [f"{words.sentence(answer.kind)} expect {small(unseen.mean)} bits per byte, {reach}{seeds}."]
    if answer.count_table or row is None:
        reached = small(answer.floor.test.bits_per_byte)
        uncached = answer.floor.cache_weight is None
        why = "that is known of count tables with a cache alone" if uncached else "test has too few documents"
        return [
            f"On test, which decided nothing, the count table has {reached}. How sure that is cannot be told: {why}."
        ]
    if row.test is None:
        return ["What to expect on other text was not measured: the last run was cut off before."]
    few = words.counted(len(row.documents["test"].nats) if "test" in row.documents else 0, "document")
    return [f"What to expect on other text cannot be told: test has {few}, and {FEWEST_DOCUMENTS} are needed."]


def _second(answer: "Answer") -> list[str]:
    """Which contender came second."""
    if not answer.runner_up:
        return []
    chance = words.percent(answer.runner_up_better or 0.0)
    if answer.count_table:
        best = f"Of the networks {answer.chosen} was better than {answer.runner_up}"
        return [f"{best}; the probability that it is the other way round is {chance}."]
    return [f"Second came {answer.runner_up}; the probability that it is the better one is {chance}."]


def _outlook(answer: "Answer") -> list[str]:
    """What another time would change."""
    if answer.withheld:
        return [f"What another time would change cannot be told: {answer.withheld}."]
    small, reached = words.small, answer.valid or 0.0
    network = "the network" if answer.count_table else "the same model"
    lines = [f"In another time {network} would reach, in bits per byte of valid, if it goes on learning as it did:"]
    for told in answer.outlook:
        mean, low, high = (small(value) for value in (told.expected.mean, told.expected.low, told.expected.high))
        change = f"{small(abs(reached - told.expected.mean))} {'less' if told.expected.mean < reached else 'more'}"
        line = f"  {words.duration(60 * told.minutes)}: {mean} ({change}), {low} to {high} with 95 % probability"
        if told.runner_up_better is not None:
            line += f"; the probability that {answer.runner_up} is better is {words.percent(told.runner_up_better)}"
        lines.append(line)
    return lines


def _model(answer: "Answer") -> list[str]:
    """Where the answer's model is; a count table is counted again when it is asked for."""
    folder, option, load = answer.folder, "", "load"
    network = [f"the network: {answer.folder}"] if answer.count_table and answer.folder else []
    if answer.count_table or folder is None:
        folder, option, load = answer.study, " --floor best", "load_floor"
    return [
        *([] if option else [f"model: {folder}"]),
        f"text from it: bakeoff sample {shlex.quote(str(folder))}{option}",
        f"in Python: bakeoff.{load}({str(folder)!r})",
        *network,
    ]


def measurement_text(measured: "Measurement") -> str:
    """What `bakeoff measure` prints."""
    floor, cost = measured.floor
    lines = [
        [
            *(name, words.small(tally.bits_per_byte)),
            words.number(tally.word_perplexity) if tally.has_words else "-",
            *(words.number(tally.perplexity), words.count(tally.tokens)),
        ]
        for name, tally in ((measured.folder.resolve().name, measured.cost), (f"floor: {floor}", cost))
    ]
    heads = ["", "bits/byte", "word ppl", "ppl", "tokens"]
    about = (
        f"{measured.kind}, {words.count(measured.parameters)} parameters, windows of {words.count(measured.window)} "
        f"tokens, {words.PRECISIONS[measured.precision]}; {measured.split} of {measured.corpus}, "
        f"{words.count(measured.cost.bytes)} bytes"
    )
    return f"{columns(heads, lines)}\n{about}\nPerplexity per token compares under one tokenizer only."


def look_text(look: "Look") -> str:
    """What one look has seen."""
    gain = f", with a gain of {words.spread(look.interval.low, look.interval.high)}" if look.interval else ""
    return f"after {words.counted(look.seeds, 'seed')}: {look.verdict}{gain}"


def judgement_text(judgement: "Judgement") -> str:
    """What `bakeoff judge` says in the end: the verdict, its numbers, what test says, what speaks against it."""
    from bakeoff.analysis.statistics import UNDECIDED

    last, baseline, candidate = judgement.last, judgement.baseline, judgement.candidate
    after = f"on valid after {words.counted(last.seeds, 'seed')}"
    said = [f"{words.sentence(last.verdict)}: {candidate.described} against {baseline.described}, {after}."]
    if last.interval:
        side = "less" if last.interval.mean >= 0 else "more"
        said.append(
            f"It pays {words.small(abs(last.interval.mean))} nats per token {side}: the "
            f"{words.percent(1 - last.level)} interval of its gain, which each look has, is "
            f"{words.spread(last.interval.low, last.interval.high)}. "
            f"Within {judgement.question.margin:g} to either side the two would be the same."
        )
    lost = [row for side in (baseline, candidate) for row in side.rows if row.lost]
    said += [
        f"#{row.number} diverged with seed {row.seed}, so there is no mean, and ranks decide, which takes more than "
        "six seeds."
        for row in lost
    ]
    if last.verdict == UNDECIDED and judgement.smallest_effect is not None:
        effect = words.small(judgement.smallest_effect)
        said.append(f"A difference of {effect} would have been found in four of five such comparisons.")
    said += [f"  {look_text(look)}" for look in judgement.looks[:-1]]
    if not lost:
        test = words.small(baseline.test_loss), words.small(candidate.test_loss)
        said.append(f"On test, which decided nothing: {test[1]} nats per token against {test[0]}.")
    return "\n".join([*said, *(f"reservation: {reservation}" for reservation in judgement.reservations)])


def _trials(chosen: "Chosen") -> str:
    """Every trial of a choice."""
    search = chosen.search
    return columns(
        ["rung", "contender", "learning rate", "seed", "steps", "seconds", "bits per byte"],
        [
            [
                *(str(found.rung + 1), search.contenders[found.contender].title, words.rate(found.lr)),
                *(str(found.seed), words.count(found.steps), words.count(found.seconds)),
                words.small(found.valid) if found.valid < LARGEST else found.ended,
            ]
            for found in search.found
        ],
    )


#: Differences that a terminal shows; there may be thousands.
MOST = 20
#: What `bakeoff verify` counts.
CHECKED = {
    "records": "files that have the checksum they were written with",
    "sums": "numbers that records tell twice, in parts and as a whole",
    "report": "numbers of the report, written again from the records",
    "corpus": "facts of the text, read again",
    "tokenizer": "tokenizers, made again of the text",
    "tokens": "counts of documents, made again of the text",
    "experiments": "facts of the experiments, their specs and sizes",
    "floors": "numbers of the floors, counted again",
    "texts": "facts of the texts that a floor makes, made again",
    "weights": "numbers of the best weights, measured again",
    "trained": "numbers of a run, trained again",
}


def verification_plan(check: "Verification") -> str:
    """What a check will do, and how long its training will take."""
    folders = words.joined(str(study.path) for study in check.studies)
    done = f"verifying {words.plural(len(check.over), 'run')} of {folders}: records, text, floors, report, best weights"
    if not check.again:
        return f"{done}; none is trained again"
    again, epochs = check.again, len(check.again.records.history) - 1
    how_far, share = ("again for one epoch", 1 / max(epochs, 1)) if check.training == "first epoch" else ("again", 1.0)
    took = f"took about {words.duration(share * again.seconds)} where it was computed"
    return f"{done}; then trains {again.folder.path} {how_far}, which {took} (--run {again.number} --seed {again.seed})"


def review_text(review: "Review") -> str:
    """What `bakeoff verify` found."""
    lines = [f"checked: {review.checked[what]:,} {told}" for what, told in CHECKED.items() if review.checked[what]]
    for where, recorded, rebuilt in review.differences[:MOST]:
        lines.append(f"differs: {where}: recorded {recorded}, rebuilt {rebuilt}")
    if len(review.differences) > MOST:
        lines.append(f"differs: {len(review.differences) - MOST:,} more; --json tells all")
    lines += [f"not checked: {what}" for what in review.not_checked]
    found = (
        words.plural(len(review.differences), "difference")
        if review.differences
        else "nothing that was checked differs"
    )
    return "\n".join(map(plain, [*lines, found]))
