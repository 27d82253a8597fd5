"""How sure one may be, from the kept results: `python tools/noise.py results/quick results/wikitext-2`.

How much another seed changes, from runs that were repeated; and what became of a small study's ranking in a larger one
of the same experiments. Both take the place of what is in `noise.json`, by which reports judge.
"""

import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from scipy.stats import kendalltau

from bakeoff.analysis import noise
from bakeoff.analysis.noise import Carried, Deviation, Noise
from bakeoff.files import write_json
from bakeoff.metrics import Tally
from bakeoff.run_folder import FINISHED
from bakeoff.study_folder import StudyFolder

Json = dict[str, Any]


def measured(folder: StudyFolder) -> Noise:
    """How much the best valid loss of a model's experiments typically deviates between an experiment's seeds.

    This is the deviation of a single run; that of the difference of two is larger by a factor of sqrt 2 unless what a
    seed does to both is alike. A run that does not get below the unigram has not learned, and says nothing of how those
    vary that have.
    """
    study = folder.study
    samples: dict[str, list[list[float]]] = {}
    for experiment in study["experiments"]:
        losses = list(_losses(folder, experiment))
        if len(losses) > 1:
            samples.setdefault(experiment["model"], []).append(losses)
    deviations = {
        model: Deviation(
            nats=noise.typical_deviation(found),
            lowest=min(map(stdev, found)),
            highest=max(map(stdev, found)),
            experiments=len(found),
            seeds=min(map(len, found)),
        )
        for model, found in samples.items()
    }
    tokens = noise.trained_tokens(study)
    return Noise(study=study["study"], folder=folder.path.name, trained_tokens=tokens, deviations=deviations)


def carried(small: StudyFolder, large: StudyFolder) -> Carried | None:
    """What became of the small study's ranking in the large one; None where their experiments are not the same."""
    here, there = (_means(folder) for folder in (small, large))
    if here.keys() != there.keys() or noise.trained_tokens(small.study) >= noise.trained_tokens(large.study):
        return None
    tau = float(kendalltau(list(here.values()), [there[slug] for slug in here]).statistic)
    place = sorted(here, key=lambda slug: here[slug]).index(min(there, key=lambda slug: there[slug])) + 1
    return Carried(to=large.study["study"], tau=tau, experiments=len(here), place_here=place)


def _means(folder: StudyFolder) -> dict[str, float]:
    """The mean best valid loss of each experiment that has learned, by its slug."""
    found = {e["slug"]: list(_losses(folder, e)) for e in folder.study["experiments"]}
    return {slug: fmean(losses) for slug, losses in found.items() if losses}


def _losses(folder: StudyFolder, experiment: Json) -> Iterator[float]:
    """The lowest valid loss of each finished run of an experiment that got below the unigram, in nats per token."""
    study = folder.study
    unigram = next(Tally.of(baseline["valid"]).loss for baseline in study["baselines"] if baseline["name"] == "unigram")
    for seed in study["seeds"]:
        run = folder.run(f"{experiment['slug']}/seed-{seed}")
        if run.status == FINISHED:
            loss = min(Tally.of(line["valid"]).loss for line in run.history())
            if loss < unigram:
                yield loss


def main() -> None:
    """Measure the named folders and keep what they say."""
    folders = [StudyFolder(Path(argument)) for argument in sys.argv[1:]]
    studies = [asdict(found) for folder in folders if (found := measured(folder)).deviations]
    pairs = [(a.study["study"], kept) for a in folders for b in folders if (kept := carried(a, b))]
    write_json(noise.KEPT, {"studies": studies, "carried": {study: asdict(kept) for study, kept in pairs}})


if __name__ == "__main__":
    main()
