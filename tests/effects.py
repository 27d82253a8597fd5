"""Five effects that textbooks tell of: what came of them in two studies, beside what was expected before they were run.

`python tests/effects.py results/textbook.json` prints the tables of `docs/textbook.md`; with the folders of the two
studies after it, the losses that they are computed from are kept there first, beside those that are there.
"""

import json
import math
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import fmean, stdev

from bakeoff.analysis.optimum import optimum
from bakeoff.analysis.reading import read_rows
from bakeoff.analysis.rows import Row
from bakeoff.run_folder import DIVERGED, FINISHED
from bakeoff.study_folder import StudyFolder

#: How far above its lowest loss an optimizer may be, in nats per token, at a rate that it tolerates.
TOLERATED = 0.1
#: The rates at which a longer warm-up is expected to help.
WARMED = (0.001, 0.003)
TITLES = {"lstm": "LSTM", "gpt1": "GPT-1"}


def told(row: Row, study: str) -> dict[str, object]:
    """What is kept of a run: what it was, its lowest loss on valid, and the losses on train by frequency of token."""
    point = row.best_point
    parts = point.train_deciles if point else None
    return {
        "study": study,
        "arm": arm(row),
        "rate": row.learning_rate,
        "seed": row.seed,
        "status": row.status,
        "loss": row.valid.loss if row.valid else None,
        "frequent": parts.nats[0] / parts.tokens[0] if parts else None,
        "rare": parts.nats[-1] / parts.tokens[-1] if parts else None,
    }


def arm(row: Row) -> str:
    """A model with an optimizer: `lstm-1-adam`, `gpt1-4-adamw-pre`."""
    before = "-pre" if row.entry["architecture"].get("post_norm") is False else ""
    return f"{row.model}-{row.layers}-{row.optimizer}{before}"


@dataclass(frozen=True)
class Grid:
    """Means over seeds of an arm, by learning rate."""

    name: str
    runs: tuple[dict, ...]

    def mean(self, what: str) -> dict[float, float]:
        """By rate, in order; infinite where a run did not finish."""
        found: dict[float, list[float]] = {}
        for run in self.runs:
            found.setdefault(run["rate"], []).append(run[what] if run["status"] == "finished" else math.inf)
        return {rate: fmean(found[rate]) for rate in sorted(found)}

    @property
    def losses(self) -> dict[float, float]:
        return self.mean("loss")

    @property
    def lowest(self) -> float:
        """The rate of the grid with the lowest mean loss."""
        return min(self.losses, key=self.losses.__getitem__)

    @property
    def best_rate(self) -> float:
        """Where a parabola is lowest; at an edge of the grid that edge."""
        found = optimum(self.losses)
        return 10 ** (found.place / 2) if found else self.lowest

    @property
    def width(self) -> float:
        """Decades of rates at which the loss is tolerable, by straight lines between the points of the grid."""
        limit, wide = self.losses[self.lowest] + TOLERATED, 0.0
        for (low, before), (high, after) in pairwise(self.losses.items()):
            decades, least, most = math.log10(high / low), min(before, after), max(before, after)
            share = 1.0 if most <= limit else 0.0 if least > limit else (limit - least) / (most - least)
            wide += decades * share
        return wide

    @property
    def seeds(self) -> list[int]:
        return sorted({run["seed"] for run in self.runs})

    def of(self, seed: int) -> "Grid":
        """The runs of one seed alone."""
        return Grid(self.name, tuple(run for run in self.runs if run["seed"] == seed))

    def at(self, rate: float, what: str) -> dict[int, float]:
        """By seed, at a rate of the grid."""
        return {run["seed"]: run[what] for run in self.runs if run["rate"] == rate}


def grids(runs: Iterable[dict], study: str) -> dict[str, Grid]:
    """All arms of a study by name."""
    found: dict[str, list[dict]] = {}
    for run in runs:
        if run["study"] == study:
            found.setdefault(run["arm"], []).append(run)
    return {name: Grid(name, tuple(each)) for name, each in found.items()}


def over_seeds(values: Iterable[float]) -> str:
    """Their mean, and what they differ by."""
    found = list(values)
    return f"{fmean(found):+.3f} (±{stdev(found):.3f})"


def rare(arms: dict[str, Grid], model: str) -> str:
    """Adam's lead over SGD by frequency of token, on train."""
    sgd, adam = arms[f"{model}-1-sgd"], arms[f"{model}-1-adam"]
    leads = {
        what: [sgd.at(sgd.lowest, what)[seed] - nats for seed, nats in sorted(adam.at(adam.lowest, what).items())]
        for what in ("frequent", "rare")
    }
    yes = fmean(leads["rare"]) > fmean(leads["frequent"])
    return f"{TITLES[model]} | {over_seeds(leads['frequent'])} | {over_seeds(leads['rare'])} | {verdict(yes)}"


def widths(arms: dict[str, Grid], model: str) -> str:
    """How wide a range of rates each optimizer tolerates, in decades."""
    wide = {optimizer: arms[f"{model}-1-{optimizer}"].width for optimizer in ("adam", "adamw", "momentum", "sgd")}
    yes = min(wide["adam"], wide["adamw"]) > max(wide["momentum"], wide["sgd"])
    return f"{TITLES[model]} | {' | '.join(f'{each:.2f}' for each in wide.values())} | {verdict(yes)}"


def depth(arms: dict[str, Grid], longer: dict[str, Grid]) -> list[str]:
    """The best rates of four layers, and what a longer warm-up gains at two of them, once that was run."""
    names = {"post-norm": "gpt1-4-adamw", "pre-norm": "gpt1-4-adamw-pre"}
    best = {title: arms[name].best_rate for title, name in names.items()}
    lines = [f"{title} | {rate:.2g}" for title, rate in best.items()]
    asked = [verdict(best["post-norm"] < best["pre-norm"])]
    if longer:
        gains = {
            title: [arms[name].losses[rate] - longer[name].losses[rate] for rate in WARMED]
            for title, name in names.items()
        }
        for place, (title, name) in enumerate(names.items()):
            gained = " | ".join(f"{gain:+.3f}" for gain in [*gains[title], fmean(gains[title])])
            lines[place] += f" | {longer[name].best_rate:.2g} | {gained}"
        asked += ["", "", "", verdict(fmean(gains["post-norm"]) > fmean(gains["pre-norm"]))]
    return [*lines, f"as expected? | {' | '.join(asked)}"]


def near(arms: dict[str, Grid]) -> str:
    """The best of each model."""
    best = {
        model: min(
            (grid for name, grid in arms.items() if name.startswith(f"{model}-1-")), key=lambda g: g.losses[g.lowest]
        )
        for model in TITLES
    }
    losses = {model: grid.losses[grid.lowest] for model, grid in best.items()}
    apart = math.exp(abs(losses["lstm"] - losses["gpt1"])) - 1
    told = (f"{best[m].name.rpartition('-')[2]} at {best[m].lowest:g}: {math.exp(losses[m]):.1f}" for m in TITLES)
    return f"{' | '.join(told)} | {apart:.0%} | {verdict(apart < 0.05)}"


def decay(arms: dict[str, Grid], model: str) -> str:
    """AdamW against Adam, at equal rates."""
    adam, adamw = arms[f"{model}-1-adam"], arms[f"{model}-1-adamw"]
    gains = {rate: loss - adamw.losses[rate] for rate, loss in adam.losses.items()}
    below = fmean(abs(gain) for rate, gain in gains.items() if rate <= adam.lowest)
    above = next((gain for rate, gain in gains.items() if rate > adam.lowest), math.nan)
    higher = verdict(adamw.best_rate > adam.best_rate)
    if not all(adamw.of(seed).best_rate > adam.of(seed).best_rate for seed in adam.seeds) and higher == "yes":
        higher = "not with every seed"
    told = f"{below:.3f} | {above:+.3f} | {adam.best_rate:.3g} | {adamw.best_rate:.3g}"
    return f"{TITLES[model]} | {told} | {verdict(below <= 0.03)}, {verdict(above > 0)}, {higher}"


def verdict(yes: bool) -> str:
    return "yes" if yes else "no"


def tables(runs: list[dict]) -> str:
    """Everything, in Markdown."""
    arms, longer = grids(runs, "textbook"), grids(runs, "warmup")
    return "\n\n".join(
        [
            table(
                ["Adam's lead over SGD on train, nats", "most frequent tenth", "rarest tenth", "larger on rare ones?"],
                [rare(arms, model) for model in TITLES],
            ),
            table(
                [
                    "GPT-1 of four layers",
                    "best rate",
                    *(["with a longer warm-up", "it gains at 0.001", "at 0.003", "on the average"] if longer else []),
                ],
                depth(arms, longer),
            ),
            table(
                ["decades within 0.1 nats", "Adam", "AdamW", "momentum", "SGD", "both of Adam wider?"],
                [widths(arms, model) for model in TITLES],
            ),
            table(["best LSTM", "best GPT-1", "apart", "within 5 %?"], [near(arms)]),
            table(
                [
                    "Adam and AdamW",
                    "apart up to Adam's best rate",
                    "AdamW ahead above it",
                    "best rate of Adam",
                    "of AdamW",
                    "as expected?",
                ],
                [decay(arms, model) for model in TITLES],
            ),
        ]
    )


def table(head: list[str], lines: list[str]) -> str:
    rows = [" | ".join(head), "|".join(["---", *["--:"] * (len(head) - 1)]), *lines]
    return "\n".join(f"| {row.removesuffix('|').strip()} |" for row in rows)


def key(run: dict) -> tuple[object, ...]:
    """What there is one of."""
    return run["study"], run["arm"], run["rate"], run["seed"]


def read(path: Path) -> list[dict]:
    """What is kept of the runs of both studies."""
    return json.loads(path.read_text(encoding="utf-8"))


def main() -> None:
    kept, *folders = map(Path, sys.argv[1:])
    if folders:
        runs = {key(run): run for run in read(kept)}
        for study in map(StudyFolder, folders):
            for row in read_rows(study).rows:
                if row.status in (FINISHED, DIVERGED):
                    runs |= {key(run): run for run in [told(row, study.study["study"])]}
        lines = ",\n".join(map(json.dumps, runs.values()))
        kept.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    sys.stdout.write(f"{tables(read(kept))}\n")


if __name__ == "__main__":
    main()
