"""Four fair questions: what came of them, each side at the best of its own grid.

`python tests/fair.py results/fair.json results/textbook.json` prints the tables of `docs/fair.md`; with the folders of
the studies `fair` and `vocabulary-...` after these, the losses of their runs are kept in the first of them before.
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from statistics import fmean, stdev

from bakeoff.analysis.reading import read_rows
from bakeoff.analysis.rows import Row
from bakeoff.run_folder import DIVERGED, FINISHED
from bakeoff.study_folder import StudyFolder
from effects import Grid, grids, over_seeds, read, table, verdict

MUON, ADAMW = "muon", "adamw"
BATCHES = (4, 8, 16, 32)
BATCH = 16
TITLES = {"glr": "recurrence (GLR)", "gpt": "attention (GPT)"}
NORMS = {"post-norm": "", "pre-norm": "-pre"}
DEPTHS = (1, 2, 4)
VOCABULARIES = (2048, 4096, 8192, 16384)
#: What was expected of Muon's lead and of the recurrence's, in nats per token, and of vocabularies, in bits per byte.
LEAD, FROM, TO, NEAR = 0.05, 0.01, 0.05, 0.05


def told(row: Row, study: str, vocabulary: int) -> dict[str, object]:
    """What is kept of a run: what it was, its lowest loss on valid, and at which share of its steps it came how far."""
    shifted = "-shift" if row.entry["architecture"]["token_shift"] else ""
    steps = row.history[-1].step
    return {
        "study": "vocabulary" if study.startswith("vocabulary") else study,
        "arm": str(vocabulary)
        if study.startswith("vocabulary")
        else arm(row.model + shifted, row.optimizer, row.entry["batch_size"]),
        "rate": row.learning_rate,
        "seed": row.seed,
        "status": row.status,
        "loss": row.valid.loss if row.valid else None,
        "bits": row.valid.bits_per_byte if row.valid else None,
        "parameters": row.parameters,
        "seconds": row.processor_seconds,
        "way": [[round(point.step / steps, 4), round(point.valid.loss, 4)] for point in row.history],
    }


def arm(model: str, optimizer: str, batch: int) -> str:
    """Such as `glr-shift-muon-16`."""
    return f"{model}-{optimizer}-{batch}"


def best_rate(grid: Grid) -> float:
    """The rate with the lowest mean loss, of those that were run with all seeds: with the others the first one lost."""
    seeds = {rate: len(grid.at(rate, "loss")) for rate in grid.losses}
    return min((rate for rate in seeds if seeds[rate] == max(seeds.values())), key=grid.losses.__getitem__)


def best(grid: Grid, what: str = "loss") -> list[float]:
    """The runs at the best rate of a grid, seed by seed."""
    return [value for _, value in sorted(grid.at(best_rate(grid), what).items())]


def differences(ours: Grid, theirs: Grid) -> list[float]:
    """How much lower our loss is, seed by seed."""
    return [their - our for our, their in zip(best(ours), best(theirs), strict=True)]


def plain(values: Iterable[float], digits: int = 3) -> str:
    found = list(values)
    return f"{fmean(found):.{digits}f} (±{stdev(found):.{digits}f})"


def rate(grid: Grid) -> str:
    """The best of the grid, and whether it is at its edge."""
    edge = " (edge)" if best_rate(grid) in (min(grid.losses), max(grid.losses)) else ""
    return f"{best_rate(grid):g}{edge}"


def batches(arms: dict[str, Grid]) -> list[str]:
    """A line an optimizer and batch."""
    lines = []
    for optimizer, title in ((MUON, "Muon"), (ADAMW, "AdamW")):
        for batch in BATCHES:
            grid = arms[arm("glr-shift", optimizer, batch)]
            lines.append(f"{title} | {batch} | {rate(grid)} | {plain(best(grid))} | {plain(best(grid, 'seconds'), 0)}")
    return lines


def leader(arms: dict[str, Grid], optimizer: str) -> tuple[int, Grid]:
    """The best batch of an optimizer."""
    found = {batch: arms[arm("glr-shift", optimizer, batch)] for batch in BATCHES}
    batch = min(found, key=lambda size: fmean(best(found[size])))
    return batch, found[batch]


def reached(grid: Grid, loss: float) -> list[float | None]:
    """Seconds of processor time until an evaluation was as low, by straight lines between them, seed by seed."""
    seconds: list[float | None] = []
    for run in sorted((run for run in grid.runs if run["rate"] == best_rate(grid)), key=lambda run: run["seed"]):
        found, before = None, (0.0, float("inf"))
        for share, at in run["way"]:
            if at <= loss:
                part = (before[1] - loss) / (before[1] - at) if before[1] != float("inf") else 1.0
                found = (before[0] + part * (share - before[0])) * run["seconds"]
                break
            before = (share, at)
        seconds.append(found)
    return seconds


def muon(arms: dict[str, Grid]) -> list[str]:
    """The two optimizers, each at its best: by tokens and by seconds."""
    (large, ours), (small, theirs) = leader(arms, MUON), leader(arms, ADAMW)
    gained, takes, takes_them = differences(ours, theirs), reached(ours, fmean(best(theirs))), best(theirs, "seconds")
    sooner = None not in takes and fmean(s for s in takes if s is not None) < fmean(takes_them)
    told = "never" if None in takes else f"{plain([s for s in takes if s is not None], 0)} of {fmean(takes_them):.0f}"
    asked = verdict(fmean(gained) >= LEAD), verdict(sooner), verdict(large >= small)
    return [f"{large} and {small} | {over_seeds(gained)} | {told} | {', '.join(asked)}"]


def mixers(arms: dict[str, Grid]) -> list[str]:
    """Recurrence and attention, with the token shift and without."""
    found = {(model, shift): arms[arm(model + shift, MUON, BATCH)] for model in TITLES for shift in ("-shift", "")}
    lines, gains = [], {}
    for model, title in TITLES.items():
        with_shift, without = found[model, "-shift"], found[model, ""]
        gains[model] = differences(with_shift, without)
        cells = rate(with_shift), plain(best(with_shift)), rate(without), plain(best(without)), over_seeds(gains[model])
        lines.append(f"{title} | {' | '.join(cells)}")
    leads = [differences(found["glr", shift], found["gpt", shift]) for shift in ("-shift", "")]
    lines.append(f"recurrence is better by | | {over_seeds(leads[0])} | | {over_seeds(leads[1])} | ")
    asked = verdict(FROM <= fmean(leads[0]) <= TO), verdict(fmean(gains["gpt"]) > fmean(gains["glr"]))
    return [*lines, f"as expected? | | {asked[0]} | | | {asked[1]}"]


def norms(short: dict[str, Grid], long: dict[str, Grid]) -> list[str]:
    """Post-norm and pre-norm at each depth, with each warm-up."""
    lines, leads, gains = [], {}, {}
    for layers in DEPTHS:
        pair = [[arms[f"gpt1-{layers}-adamw{norm}"] for norm in NORMS.values()] for arms in (short, long)]
        for place, title in enumerate(NORMS):
            brief, longer = pair[0][place], pair[1][place]
            gains[title, layers] = differences(longer, brief)
            cells = rate(brief), plain(best(brief)), rate(longer), plain(best(longer)), over_seeds(gains[title, layers])
            lines.append(f"{layers}, {title} | {' | '.join(cells)}")
        leads[layers] = [differences(before, after) for after, before in pair]
        lines.append(
            f"{layers}, pre-norm is better by | | {over_seeds(leads[layers][0])} | | {over_seeds(leads[layers][1])} | "
        )
    deeper = fmean(leads[4][0]) > max(0.0, fmean(leads[1][0]))
    gained = {(title, layers): fmean(gain) for (title, layers), gain in gains.items()}
    warmed = gained["post-norm", 4] > max(gained["post-norm", 1], gained["pre-norm", 4])
    return [*lines, f"as expected? | | {verdict(deeper)} | | | {verdict(warmed)}"]


def vocabularies(sizes: dict[str, Grid]) -> list[str]:
    """A line a vocabulary, in bits per byte."""
    lines, bits = [], {}
    for size in VOCABULARIES:
        grid = sizes[str(size)]
        bits[size] = fmean(best(grid, "bits"))
        parameters = f"{grid.runs[0]['parameters'] / 1e6:.2f}"
        cells = parameters, rate(grid), plain(best(grid, "bits")), plain(best(grid, "seconds"), 0)
        lines.append(f"{size:,} | {' | '.join(cells)}")
    asked = verdict(min(bits, key=bits.__getitem__) == 4096), verdict(max(bits[2048], bits[8192]) - bits[4096] <= NEAR)
    return [*lines, f"as expected? | | | {', '.join(asked)} | "]


def tables(runs: list[dict], textbook: list[dict]) -> str:
    """Everything, in Markdown."""
    arms = grids(runs, "fair")
    return "\n\n".join(
        [
            table(["`GLR` with", "batch", "best rate", "loss", "processor time, s"], batches(arms)),
            table(
                ["best batches of Muon, AdamW", "Muon's loss is lower by", "it takes, s", "as expected?"],
                muon(arms),
            ),
            table(
                ["Muon, batch 16", "best rate", "loss, token shift", "best rate", "loss without", "the shift gains"],
                mixers(arms),
            ),
            table(
                [
                    "layers of GPT-1",
                    "best rate",
                    "loss, short warm-up",
                    "best rate",
                    "loss, long warm-up",
                    "the long one gains",
                ],
                norms(grids(textbook, "textbook"), grids(textbook, "warmup")),
            ),
            table(
                ["symbols", "parameters, M", "best rate", "bits per byte", "processor time, s"],
                vocabularies(grids(runs, "vocabulary")),
            ),
        ]
    )


def main() -> None:
    kept, textbook, *folders = map(Path, sys.argv[1:])
    if folders:
        lines = []
        for study in map(StudyFolder, folders):
            vocabulary = study.study["budget"]["vocabulary"]
            over = [row for row in read_rows(study).rows if row.status in (FINISHED, DIVERGED)]
            lines += [json.dumps(told(row, study.study["study"], vocabulary)) for row in over]
        kept.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")
    sys.stdout.write(f"{tables(read(kept), read(textbook))}\n")


if __name__ == "__main__":
    main()
