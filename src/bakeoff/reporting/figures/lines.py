"""Lines and points with labels beside the plot: what all figures consist of."""

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

from bakeoff import words
from bakeoff.analysis.rows import Row, StudyRows
from bakeoff.reporting.figures import style
from bakeoff.reporting.figures.style import HEIGHT, LEFT, QUIET, SIZE, Axis, Chart
from bakeoff.shapes import Json

Corner = tuple[float, float]
Box = tuple[float, float, float, float]
#: A letter of a label and one of a title, as wide as most are, and a line of labels, in pixels.
LETTER, TITLE, LINE = 5.6, 6.8, 12.0
#: From the plot to a label after a leader, and after a sample of its line; and the most that labels may take.
NEAR, FAR, WIDEST = 12, 32, 230
#: Half the size of a point, half the height of a note, and how far from its point a note may be, in pixels.
POINT, TALL, RINGS = 4.5, 4.5, (8.0, 18.0)


class Label(NamedTuple):
    """A label beside the plot: what it says, and where what it names is, in pixels from the top."""

    text: str
    y: float
    colour: str = QUIET
    dash: Sequence[int] = ()  # of the line of which a sample is before the text; else a leader comes from the plot

    @property
    def offset(self) -> int:
        """Pixels from the plot to the text."""
        return FAR if self.dash else NEAR


class Series(NamedTuple):
    """What belongs together: lines, points on them, a label beside the plot, and a note at the first point."""

    colour: str
    lines: Sequence[Sequence[Corner]] = ()
    points: Sequence[tuple[float, float, str]] = ()  # where, and what they tell whoever points at them
    label: str = ""
    end: float = 0.0  # the value that the label is beside
    note: str = ""
    name: str = ""  # such as `run-5`, by which the page finds what belongs to a run
    dash: Sequence[int] = style.DASHES[0]
    thick: float = 1.6
    shape: str = style.SHAPES[0]
    size: int = 14
    opacity: float = 1.0


def draw(series: Sequence[Series], x: Axis, y: Axis, floors: Sequence[Label] = (), **about: Any) -> Chart:  # noqa: ANN401
    """Draw a figure.

    Args:
        series: What it shows, from the back to the front.
        x: Its horizontal axis.
        y: Its vertical axis.
        floors: Floors: a line over the whole plot, and a label.
        about: What else `Chart` tells.
    """
    labels = [*floors, *(Label(s.label, y.height(s.end), s.colour, s.dash) for s in series if s.label)]
    right = max((label.offset + LETTER * len(label.text) + 12 for label in labels), default=NEAR)
    plot = SIZE[0] - LEFT - min(right, WIDEST)
    spec = {
        "title": shortened(about["title"], SIZE[0] - 16, TITLE),
        "plot": plot,
        "x": {"title": x.title, "numbers": _numbers(x, plot, lambda text: LETTER * len(text))},
        "y": {"title": y.title, "numbers": _numbers(y, HEIGHT, lambda _: LINE)},
        "floors": [floor.y for floor in floors],
        "series": [_drawn(s, x, y, plot) for s in series],
        "notes": _notes(series, x, y, plot),
        "labels": _beside(labels, plot),
    }
    return Chart(spec=spec, plot=plot, **about)


def shortened(text: str, limit: float, letter: float = LETTER) -> str:
    """A text that is at most so many pixels wide."""
    fitting = int(limit / letter)
    return text if len(text) <= fitting else f"{text[: fitting - 1]}…"


def _numbers(axis: Axis, length: float, size: Callable[[str], float]) -> list[tuple[float, str]]:
    """The numbers of an axis, in pixels from its low end, without those that would touch the one before."""
    kept: list[tuple[float, str]] = []
    for share, text in axis.numbers():
        if not kept or share * length - kept[-1][0] > (size(text) + size(kept[-1][1])) / 2:
            kept.append((share * length, text))
    return kept


def _drawn(s: Series, x: Axis, y: Axis, plot: float) -> Json:
    """A series in pixels from the plot's upper left corner."""

    def at(corner: float, value: float) -> tuple[float, float]:
        return plot * x.place(corner), HEIGHT * (1 - y.place(value))

    return {
        "name": s.name,
        "colour": s.colour,
        "opacity": s.opacity,
        "lines": [[at(*corner) for corner in line] for line in s.lines],
        "thick": s.thick,
        "dash": s.dash,
        "points": [(*at(corner, value), told) for corner, value, told in s.points],
        "shape": style.outline(s.shape, s.size),
    }


def _beside(labels: Sequence[Label], plot: float) -> list[Json]:
    """Labels beside the plot, each as near to what it names as the others allow, after a leader or a sample."""
    places = spread([label.y for label in labels], distance=LINE, low=LINE / 2, high=HEIGHT)
    return [
        {**label._asdict(), "place": place, "x": plot + label.offset}
        | {"text": shortened(label.text, SIZE[0] - LEFT - plot - label.offset)}
        for label, place in zip(labels, places, strict=True)
    ]


def spread(places: Sequence[float], *, distance: float, low: float, high: float) -> list[float]:
    """Move labels until they are a distance apart, in order, and between `low` and `high`; none further than needed."""
    last = max(1, len(places) - 1)
    distance = min(distance, (high - low) / last)
    order = sorted(range(len(places)), key=places.__getitem__)
    ordered = [places[place] for place in order]
    # Half-way between pushing all that overlap down, and pushing all up.
    down = accumulate(ordered, lambda above, place: max(place, above + distance))
    up = reversed([*accumulate(reversed(ordered), lambda below, place: min(place, below - distance))])
    middles = [(one + other) / 2 for one, other in zip(down, up, strict=True)]
    kept = [max(low + k * distance, min(m, high - (last - k) * distance)) for k, m in enumerate(middles)]
    return [kept[order.index(place)] for place in range(len(places))]


def _notes(series: Sequence[Series], x: Axis, y: Axis, plot: float) -> list[tuple[float, float, str]]:
    """The note of each series where it covers no point and no other note: its middle, and what it says."""
    places = [[(plot * x.share(at), y.height(value)) for at, value, _ in s.points] for s in series]
    taken = [(at - POINT, high - POINT, at + POINT, high + POINT) for found in places for at, high in found]
    notes = []
    for s, found in zip(series, places, strict=True):
        if s.note:
            boxes = list(around(*found[0], LETTER * len(s.note)))
            inside = [box for box in boxes if box[0] >= 0 <= box[1] and box[2] <= plot and box[3] <= HEIGHT]
            box = min(inside or boxes, key=lambda box: covered(box, taken))
            taken.append(box)
            notes.append(((box[0] + box[2]) / 2, (box[1] + box[3]) / 2, s.note))
    return notes


def around(x: float, y: float, size: float) -> Iterator[Box]:
    """Places for a text of some width around a point, the best first: above, beside and below, further away."""
    for ring in RINGS:
        for dx, dy in ((0, -1), (1, 0), (-1, 0), (0, 1), (1, -1), (1, 1), (-1, -1), (-1, 1)):
            left, middle = x + dx * ring + (dx - 1) * size / 2, y + dy * (ring + 3)
            yield (left, middle - TALL, left + size, middle + TALL)


def covered(box: Box, taken: Sequence[Box]) -> float:
    """How much a box covers of others."""
    sides = ((min(box[2], o[2]) - max(box[0], o[0]), min(box[3], o[3]) - max(box[1], o[1])) for o in taken)
    return sum(wide * tall for wide, tall in sides if wide > 0 and tall > 0)


def few(study: StudyRows) -> tuple[str, ...]:
    """The floors that stay readable beside many runs: the unigram, the best without a cache, and the best."""
    without = min((f for f in study.baselines if f.cache_weight is None), key=lambda floor: floor.valid.nats)
    return "unigram", without.name, study.lowest_floor.name


def floors(study: StudyRows, y: Axis, names: Sequence[str] = ()) -> list[Label]:
    """The floors on valid that an axis reaches: those of some names, or all."""
    shown = [f for f in study.baselines if (not names or f.name in names) and y.low < f.valid.loss < y.high]
    return [Label(f"{f.name} {words.number(f.valid.perplexity)}", y.height(f.valid.loss)) for f in shown]


def deep(row: Row) -> str:
    """What a label adds for a model of several layers."""
    return f" \N{MULTIPLICATION SIGN}{row.layers}" if row.layers > 1 else ""
