"""Learning-rate schedules: functions of the step alone, so that there is no state to keep."""

from collections.abc import Callable

from bakeoff.spec import Budget

#: From a step, counted from 0, to the share of the peak learning rate that it uses.
Schedule = Callable[[int], float]


def linear(budget: Budget, steps: int) -> Schedule:
    """A warm-up, the peak, then a linear decay that would reach zero one step after the last.

    By default the decay begins where the warm-up ends. With fewer steps of decay it is the trapezoid of Zhai et al.
    2022, whose runs of all lengths have all that comes before their decay in common (Hägele et al. 2024).
    """
    rising, falling = budget.rising(steps), budget.falling(steps)
    return lambda step: max(0.0, min(1.0, (step + 1) / rising, (steps - step) / (falling + 1)))


def warmup(budget: Budget, steps: int) -> Schedule:
    """The warm-up of the linear schedule, then the peak."""
    rising = budget.rising(steps)
    return lambda step: min(1.0, (step + 1) / rising)


def constant(budget: Budget, steps: int) -> Schedule:  # noqa: ARG001 (every schedule is made for a budget and its steps)
    """The peak learning rate at every step."""
    return lambda step: 1.0  # noqa: ARG005


#: From a budget's `schedule` to the function that makes it for that budget, of that many steps.
SCHEDULES: dict[str, Callable[[Budget, int], Schedule]] = {"linear": linear, "warmup": warmup, "constant": constant}
