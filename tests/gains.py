"""What options gain: dropout by the number of passes, and the others after eight; means of three seeds.

`python tests/gains.py results/options.json` prints the tables of `docs/options.md`; with the folders of the studies
`options-...` after it, what came of their runs is kept there first.
"""

import json
import sys
from pathlib import Path
from statistics import fmean, stdev

from bakeoff.analysis.reading import read_rows
from bakeoff.analysis.rows import Row
from bakeoff.study_folder import StudyFolder
from effects import over_seeds, read, table

PASSES, USUAL = (5, 8, 10, 20), 8
TITLES = {"glr": "GLR", "gpt": "GPT", "lstm": "LSTM"}
OPTIMIZERS = {"muon": "Muon", "adamw": "AdamW", "adam": "Adam", "nadam": "NAdam"}
PLAIN = "GLR with Muon", "GPT with Muon", "LSTM with AdamW"
SHARES = (0.0, 0.1, 0.2, 0.3)


def told(row: Row, passes: int) -> dict[str, object]:
    """What is kept of a run: what it was, and its bits per byte of valid, those of the averaged weights too."""
    architecture, optimizer = row.entry["architecture"], row.entry["optimizer_settings"]
    return {
        "passes": passes,
        "model": row.model,
        "optimizer": row.optimizer,
        "dropout": architecture["dropout"],
        "locked": architecture.get("locked_dropout", False),
        "weight_drop": architecture.get("weight_drop", 0.0),
        "share": optimizer.get("adamw_share"),
        "seed": row.seed,
        "status": row.status,
        "bits": row.valid.bits_per_byte if row.valid else None,
        "last": row.history[-1].valid.bits_per_byte,
        "averaged": row.averaged["valid"].bits_per_byte if row.averaged else None,
    }


def arm(run: dict) -> str:
    """Such as `LSTM with AdamW, dropout 0.2, locked`."""
    parts = [f"{TITLES[run['model']]} with {OPTIMIZERS[run['optimizer']]}"]
    parts += [f"dropout {run['dropout']:g}{', locked' if run['locked'] else ''}"] if run["dropout"] else []
    parts += [f"weight drop {run['weight_drop']:g}"] if run["weight_drop"] else []
    parts += [f"AdamW's rate {run['share']:g} of it"] if run["share"] not in (None, 0.5) else []
    return ", ".join(parts)


def arms(runs: list[dict], passes: int) -> dict[str, list[dict]]:
    """The runs after so many passes by what they are, each in the order of its seeds."""
    found: dict[str, list[dict]] = {}
    for run in sorted((run for run in runs if run["passes"] == passes), key=lambda run: run["seed"]):
        found.setdefault(arm(run), []).append(run)
    return found


def bits(runs: list[dict]) -> str:
    values = [run["bits"] for run in runs]
    return f"{fmean(values):.3f} (±{stdev(values):.3f})"


def gains(runs: list[dict], plain: list[dict]) -> list[float]:
    """How many bits per byte lower they are, seed by seed."""
    return [one["bits"] - other["bits"] for one, other in zip(plain, runs, strict=True)]


def dropout(runs: list[dict]) -> list[str]:
    """A line a number of passes and model: bits per byte by how much is dropped."""
    lines = []
    for passes in PASSES:
        found = arms(runs, passes)
        for plain in filter(found.get, PLAIN):
            cells = [found.get(f"{plain}, dropout {share:g}" if share else plain) for share in SHARES]
            lines.append(f"{passes} | {plain} | {' | '.join(bits(cell) if cell else '' for cell in cells)}")
    return lines


def others(runs: list[dict]) -> list[str]:
    """A line an option of the LSTM or of Muon after the usual passes, beside the same without it."""
    found, lines = arms(runs, USUAL), []
    for name, option in found.items():
        plain = next(plain for plain in PLAIN if plain.startswith(TITLES[option[0]["model"]]))
        if name.startswith("LSTM") or option[0]["share"] not in (None, 0.5):
            gained = over_seeds(gains(option, found[plain])) if name != plain else ""
            lines.append(f"{name} | {bits(option)} | {gained}")
    return lines


def averages(runs: list[dict]) -> list[str]:
    """What averaged weights gain over the last ones and over the best ones, where nothing is dropped."""
    lines = []
    for passes in PASSES:
        found = arms(runs, passes)
        for plain in filter(found.get, PLAIN):
            cells = (over_seeds(run[what] - run["averaged"] for run in found[plain]) for what in ("last", "bits"))
            lines.append(f"{passes} | {plain} | {' | '.join(cells)}")
    return lines


def tables(runs: list[dict]) -> str:
    """Everything, in Markdown."""
    return "\n\n".join(
        [
            table(["passes", "dropout", "none", "0.1", "0.2", "0.3"], dropout(runs)),
            table(["after eight passes", "bits per byte", "it gains"], others(runs)),
            table(["passes", "averaged weights gain", "over the last", "over those of the best epoch"], averages(runs)),
        ]
    )


def main() -> None:
    kept, *folders = map(Path, sys.argv[1:])
    if folders:
        found = [
            json.dumps(told(row, study.study["budget"]["epochs"]))
            for study in map(StudyFolder, folders)
            for row in read_rows(study).rows
        ]
        kept.write_text("[\n" + ",\n".join(found) + "\n]\n", encoding="utf-8")
    sys.stdout.write(f"{tables(read(kept))}\n")


if __name__ == "__main__":
    main()
