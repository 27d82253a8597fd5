"""Curves that other programs report: in bits per byte beside the floors where counts are known, or else alone."""

import itertools
from collections.abc import Iterator

from bakeoff import words
from bakeoff.analysis.reported import Reported
from bakeoff.analysis.rows import StudyRows
from bakeoff.reporting import text
from bakeoff.reporting.figures import lines, style
from bakeoff.reporting.figures.lines import Label, Series
from bakeoff.reporting.figures.style import Axis, Chart

#: What is above and below of what is drawn, as a share of it.
MARGIN = 0.05


def draw(study: StudyRows) -> Iterator[Chart]:
    """Draw the runs that compare with the floors, and the others, as far as there are any; a model has no curve."""
    runs = [run for run in study.reported if run.valid and not run.window]
    for bits in (True, False):
        shown = [run for run in runs if run.comparable == bits]
        if shown:
            yield _figure(study, shown, bits=bits)


def _figure(study: StudyRows, runs: list[Reported], *, bits: bool) -> Chart:
    ways = [[(100 * at / (run.valid[-1][0] or 1), _height(run, loss)) for at, loss in run.valid] for run in runs]
    floors = {name: study.floors[name].valid.bits_per_byte for name in lines.few(study)} if bits else {}
    # Where training begins is far above everything else, as in the other figures.
    lowest = min(*(height for way in ways for _, height in way), *floors.values(), ways[0][-1][1])
    highest = max(*(way[len(way) // 3][1] for way in ways), *floors.values(), ways[0][-1][1])
    room = MARGIN * (highest - lowest) or MARGIN
    y = Axis(
        low=lowest - room, high=highest + room, title="bits per byte" if bits else "loss, nats per token of its own"
    )
    series = [
        Series(
            colour,
            [way],
            [
                (x, height, f"{run.name}, reported: {run.unit} {at:,g}: {words.small(height)}")
                for (x, height), (at, _) in zip(way, run.valid, strict=True)
            ],
            label=f"{run.name} {words.small(min(height for _, height in way))}",
            end=way[-1][1],
            dash=dash,
        )
        for run, way, (dash, colour) in zip(runs, ways, itertools.product(style.DASHES, style.COLOURS), strict=False)
    ]
    marks = [Label(f"{name} {words.small(height)}", y.height(height)) for name, height in floors.items()]
    return lines.draw(
        series,
        Axis(low=0, high=102, title="its training, %"),
        y,
        marks,
        name="reported-bits" if bits else "reported-losses",
        title=f"Reported elsewhere: {'bits per byte' if bits else 'loss'} of valid",
        caption=text.say("reported", "caption", {"bits": bits}),
    )


def _height(run: Reported, loss: float) -> float:
    bits = run.bits_per_byte(loss)
    return loss if bits is None else bits
