"""What verbs print: plain text in columns, the same on a terminal and in a pipe."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bakeoff import words
from bakeoff.analysis.outlook import count_statuses, seconds_left, what_is_next
from bakeoff.analysis.rows import StudyRows
from bakeoff.errors import plain
from bakeoff.records import DAMAGED, StudyFolder

if TYPE_CHECKING:  # at run time each would bring along what other verbs do not need
    from bakeoff.data.corpora import BuiltIn, Text
    from bakeoff.tuning import Search

Json = dict[str, Any]


def status_json(folder: StudyFolder, rows: StudyRows) -> Json:
    """What `bakeoff status --json` says of one study."""
    kept = ("number", "model", "layers", "optimizer", "seed", "status", "epochs", "best_epoch", "error", "folder")
    return {
        "study": rows.study["study"],
        "folder": str(folder.path),
        "counts": count_statuses(rows),
        "seconds_left": seconds_left(rows),
        "runs": [{name: getattr(row, name) for name in kept} for row in rows.rows],
    }


def status_text(folder: StudyFolder, rows: StudyRows) -> str:
    """A line a run, and one for the study."""
    lines = [
        [
            *(str(row.number), row.model_title, str(row.layers), row.optimizer_title, str(row.seed), row.status),
            *(f"{row.done}/{rows.length}", words.number(row.valid.perplexity if row.valid else None)),
        ]
        for row in rows.rows
    ]
    counts = ", ".join(f"{count} {status}" for status, count in count_statuses(rows).items() if count)
    left = seconds_left(rows)
    ending = f"{folder.path}: {counts}; left to run: {'nothing' if left == 0 else words.duration(left)}"
    ending += "".join(f"\n{plain(row.error or '')}" for row in rows.rows if row.status == DAMAGED)
    ending += f"\nthe next `bakeoff run` will {what_is_next(rows)}"
    heads = ["#", "model", "layers", "optimizer", "seed", "status", f"{rows.unit}s", "valid ppl"]
    return f"{columns(heads, lines)}\n{ending}"


def description_text(description: Json) -> str:
    """What `bakeoff describe` prints."""
    from bakeoff.data.splits import SPLITS

    corpus, budget = description["corpus"], description["budget"]
    names = (
        *("number", "model", "layers", "optimizer", "learning_rate", "weight_decay"),
        *("parameters", "learnable_parameters"),
    )
    formats = {"parameters": words.count, "learnable_parameters": words.count, "learning_rate": words.rate}
    lines = [[formats.get(name, str)(entry[name]) for name in names] for entry in description["experiments"]]
    tokens = ", ".join(f"{split} {words.count(corpus[split]['tokens'])}" for split in SPLITS)
    shared = (
        f"{words.epochs(budget)}, batches of {budget['batch_size']} sequences of {budget['sequence_length']} "
        f"tokens, {budget['schedule']} schedule, seeds {', '.join(map(str, description['seeds']))}"
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


def tuning_text(search: "Search") -> str:
    """For each experiment the rate that was chosen, and the valid perplexity of every rate that was tried."""
    found = search.result()["rates"]
    lines = [
        [
            slug,
            words.rate(entry["lr"]) + (" (edge)" if search.on_edge(slug) else ""),
            "  ".join(f"{words.rate(t['lr'])}: {words.number(t['valid_perplexity'])}" for t in entry["trials"]),
        ]
        for slug, entry in found.items()
    ]
    return columns(["experiment", "rate", "valid perplexity of each rate"], lines)


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
    ]
    machine = measured["machine"]
    head = ["case", "tokens/s", "peer", "its tokens/s", "ratio", "of the rounds", "of the limit"]
    return (
        f"{columns(head, lines)}\n{machine['processor']}, {machine['threads']} threads, {machine['precision']}, "
        f"torch {machine['torch']}; medians of {measured['rounds']} rounds. The limit is the time that a step's matrix "
        "products take alone, at their own shapes."
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


def corpus_text(name: str, corpus: "BuiltIn", text: "Text | None") -> str:
    """A built-in corpus's licence and source, and if it is here its sizes and what its splits share with train."""
    from bakeoff.data.splits import SPLITS

    facts = [name, f"  {corpus.source}", f"  licence: {corpus.licence}"]
    if text is None:
        return "\n".join([*facts, f"  not here yet: fetch it with `bakeoff data {name}`"])
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
