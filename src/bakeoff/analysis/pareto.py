"""The Pareto front: runs for which nothing else is both better and cheaper."""

from collections.abc import Callable, Iterable

from bakeoff.analysis.rows import Row


def memory(row: Row) -> float | None:
    """Average memory in steady training, in bytes."""
    return row.memory["average_bytes"] if row.memory else None


def parameters(row: Row) -> float:
    """Parameters that are trained."""
    return row.learnable_parameters


def front(rows: Iterable[Row], cost: Callable[[Row], float | None]) -> tuple[Row, ...]:
    """The finished runs than which none is better on valid at the same or a smaller cost, the cheapest first.

    Args:
        rows: Any runs; those that are not finished, or have no cost, are left out.
        cost: What a run costs.
    """
    priced = [(price, row.valid.nats, row) for row in rows if row.finished and row.valid and (price := cost(row))]
    best, found = float("inf"), []
    for _, nats, row in sorted(priced, key=lambda entry: entry[:2]):
        if nats < best:
            best = nats
            found.append(row)
    return tuple(found)
