"""The generalization gap by depth: whether deeper models fit train more than they gain on valid."""

from collections.abc import Iterator

from bakeoff import words
from bakeoff.analysis.rows import Repeats, StudyRows
from bakeoff.reporting import text
from bakeoff.reporting.figures import lines, style
from bakeoff.reporting.figures.lines import Series
from bakeoff.reporting.figures.style import Axis, Chart

#: The gaps in the end of experiments that differ in their depth alone, the shallowest first.
Gaps = list[tuple[Repeats, float]]


def draw(study: StudyRows) -> Iterator[Chart]:
    """Draw the figure where some architecture was trained at more than one depth with the same optimizer."""
    found = by_depth(study)
    if not found:
        return
    colours, shapes, series = style.colours(study), style.shapes(study), []
    dashes = style.dashes(gaps[0][0].rows[0].model_title for gaps in found.values())
    for title, gaps in found.items():
        first, runs = gaps[0][0].rows[0], [(row, study.gap(row.history[-1])) for e, _ in gaps for row in e.finished]
        points = [(row.layers, gap, f"#{row.number}, seed {row.seed}: {words.signed(gap)} nats") for row, gap in runs]
        line, model = [(e.rows[0].layers, gap) for e, gap in gaps], first.model_title
        look = Series(colours[first.optimizer_title], dash=dashes[model], shape=shapes[model], size=65)
        series.append(look._replace(lines=[line], points=points, label=title, end=line[-1][1]))
    depths, reached = zip(*((layers, gap) for each in series for layers, gap, _ in each.points), strict=True)
    x = Axis(low=min(depths) / 1.3, high=max(depths) * 1.3, title="layers", log=True, ticks=sorted(set(depths)))
    low, high = min(0.0, *reached) * 1.1, max(0.0, *reached) * 1.1
    y = Axis(low=low, high=high if high > low else 1.0, title="gap, nats per token")
    caption = text.say("captions", "depth", {"lines": found, "seeds": study.seeds})
    yield lines.draw(series, x, y, name="gap-by-depth", title="Generalization gap by depth", caption=caption)


def by_depth(study: StudyRows) -> dict[str, Gaps]:
    """Every architecture and optimizer with experiments at several depths that finished and lost no run."""
    groups: dict[str, Gaps] = {}
    for e in study.experiments:
        if e.finished and not e.spoiled:
            title = f"{e.rows[0].model_title}, {e.rows[0].optimizer_title}"
            groups.setdefault(title, []).append((e, study.final_gap(e)))
    return {title: gaps for title, gaps in groups.items() if len({e.rows[0].layers for e, _ in gaps}) > 1}
