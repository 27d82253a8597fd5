"""What a token costs against the size of everything: `python tools/scaling.py FOLDER` draws it.

It measures Bakeoff's own loop and writes `scaling.svg`, `scaling.png` and the numbers, `scaling.json`.
"""

import contextlib
import dataclasses
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import vl_convert as vlc

from bakeoff.bench.cases import CASES, Workload
from bakeoff.bench.turns import OWN, Contestant
from bakeoff.files import write_json
from bakeoff.machine import usable_cores
from bakeoff.models import GPT1

#: Steps of a turn that warms up, and of each that counts; the median of these is taken.
WARMING_STEPS, STEPS, TURNS = 5, 20, 5
AXES: dict[str, tuple[int, ...]] = {
    "vocabulary": (1024, 2048, 4096, 8192, 16384),
    "width": (64, 128, 256, 512),
    "sequence length": (32, 64, 128, 256),
    "layers": (1, 2, 4),
}
CORES = "runs at a time x threads a run"
INK = "#444444"

Json = dict[str, Any]


def varied(case: Workload, axis: str, value: int) -> Workload:
    """The case with one size changed; attention heads stay as wide as they were."""
    spec = case.architecture
    if axis == "width":
        sizes = {"embedding": value, "hidden": value}
        if isinstance(spec, GPT1):
            sizes = {"width": value, "heads": value * spec.heads // spec.width}
        return dataclasses.replace(case, architecture=dataclasses.replace(spec, **sizes))
    if axis == "layers":
        return dataclasses.replace(case, architecture=dataclasses.replace(spec, layers=value))
    if axis == "vocabulary":
        return dataclasses.replace(case, vocabulary=value)
    return dataclasses.replace(case, length=value)


def microseconds(case: Workload, threads: int, runs: int = 1) -> float:
    """Median time of a token, with that many runs at once, each with that many threads."""
    with contextlib.ExitStack() as stack, ThreadPoolExecutor(runs) as pool:
        everyone = [stack.enter_context(Contestant(OWN, case, threads)) for _ in range(runs)]
        list(pool.map(lambda contestant: contestant.turn(WARMING_STEPS), everyone))
        rounds = [list(pool.map(lambda contestant: contestant.turn(STEPS), everyone)) for _ in range(TURNS)]
    slowest = sorted(max(float(answer["seconds"]) for answer in answers) for answers in rounds)
    return slowest[TURNS // 2] / (runs * STEPS * case.tokens) * 1e6


def measure() -> Iterator[Json]:
    """Every point: one size varied at a time, then threads and runs at a time."""
    cores = usable_cores()
    for case in CASES[:2]:
        model = case.architecture.title
        for axis, values in AXES.items():
            for value in values:
                cost = microseconds(varied(case, axis, value), cores)
                yield {"model": model, "axis": axis, "value": str(value), "microseconds": cost}
        for threads, runs in dict.fromkeys([(1, 1), (cores, 1), (1, cores)]):
            cost = microseconds(case, threads, runs)
            yield {"model": model, "axis": CORES, "value": f"{runs} x {threads}", "microseconds": cost}


def draw(points: list[Json], folder: Path) -> None:
    """A panel for each axis, a line for each model."""
    panels = [_panel([point for point in points if point["axis"] == axis], axis) for axis in (*AXES, CORES)]
    chart = {"concat": panels, "columns": 3, "config": {"font": "sans-serif", "background": "#ffffff"}}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "scaling.svg").write_text(vlc.vegalite_to_svg(chart), encoding="utf-8")
    (folder / "scaling.png").write_bytes(vlc.vegalite_to_png(chart, scale=2))


def _panel(points: list[Json], axis: str) -> Json:
    sizes = {"field": "value", "type": "ordinal", "sort": None, "title": axis}
    cost = {"field": "microseconds", "type": "quantitative", "title": "microseconds a token", "scale": {"zero": True}}
    return {
        "width": 240,
        "height": 170,
        "data": {"values": points},
        "mark": {"type": "line", "color": INK, "point": {"color": INK}},
        "encoding": {
            "x": sizes | {"axis": {"labelAngle": 0, "labelLimit": 120}},
            "y": cost,
            "strokeDash": {"field": "model", "type": "nominal", "title": None},
        },
    }


def main() -> None:
    """Measure, keep the numbers, draw."""
    folder = Path(sys.argv[1])
    points = list(measure())
    draw(points, folder)
    write_json(folder / "scaling.json", points)


if __name__ == "__main__":
    main()
