"""Learning-rate schedules: functions of the step alone, so that there is no state to keep."""

from collections.abc import Callable

#: Share of the steps in which a schedule rises to the peak.
WARMUP = 0.05

#: From a step, counted from 0, to the share of the peak learning rate that it uses.
Schedule = Callable[[int], float]


def linear(steps: int) -> Schedule:
    """A warm-up over the first 5 % of the steps, then a linear decay that would reach zero one step after the last."""
    rising = max(1, round(WARMUP * steps))

    def multiplier(step: int) -> float:
        if step < rising:
            return (step + 1) / rising
        return max(0.0, (steps - step) / (steps - rising + 1))

    return multiplier


def warmup(steps: int) -> Schedule:
    """The warm-up of the linear schedule, then the peak."""
    rising = max(1, round(WARMUP * steps))
    return lambda step: min(1.0, (step + 1) / rising)


def constant(steps: int) -> Schedule:  # noqa: ARG001 (every schedule is made for a number of steps)
    """The peak learning rate at every step."""
    return lambda step: 1.0  # noqa: ARG005


#: From a budget's `schedule` to the function that makes it for a number of steps.
SCHEDULES: dict[str, Callable[[int], Schedule]] = {"linear": linear, "warmup": warmup, "constant": constant}
