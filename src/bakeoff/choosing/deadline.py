"""Whether the last run will be over when the time is, at its own pace; and if not, when its rate is to fall."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bakeoff.choosing.search import Schedule

#: What share of all its steps a run must have time for besides, to be stopped and to go on with more.
WORTH = 0.05


class OverdueError(Exception):
    """The time of a run is up and it is not over: it is slower than it was timed, or other programs take of it."""


class RescheduledError(Exception):
    """The last run would be too late, or leave time unused, and is to go on with a schedule that ends as it should.

    Args:
        schedule: The same as the run's so far.
    """

    def __init__(self, schedule: Schedule) -> None:
        super().__init__()
        self.schedule = schedule


@dataclass(kw_only=True)
class Deadline:
    """Told of everything that the last run says.

    Attributes:
        schedule: The run's.
        left: Seconds left until the run has to be over.
        late: Seconds by which it may be foreseen to be late before it is to end earlier.
        lost: Seconds by which it may come to be late before it is stopped.
        restarting: Seconds that it takes to stop it, go on and measure it in the end.
        most: Steps that it may have.
        began: The step of the first evaluation or checkpoint that was told, and the seconds left then.
    """

    schedule: Schedule
    left: Callable[[], float]
    late: float
    lost: float
    restarting: float
    most: int
    began: tuple[int, float] | None = field(default=None, init=False)

    def __call__(self, message: dict[str, Any]) -> None:
        """Take note of a message.

        Raises:
            OverdueError: There is no time left.
            RescheduledError: There will be none when the run ends, or much. A checkpoint is there to go on from.
        """
        left = self.left()
        if left < -self.lost and message["event"] != "end":
            raise OverdueError
        if message["event"] in ("evaluation", "checkpoint"):
            self.began = self.began or (message["step"], left)
        if message["event"] == "checkpoint" and self.schedule.undecayed(message["step"]):
            self._foresee(message["step"], left)

    def _foresee(self, step: int, left: float) -> None:
        """See at a checkpoint whether the run will be over in time, at its pace so far."""
        first, before = self.began or (step, left)
        steps, seconds = step - first, before - left
        if not (steps and seconds):
            return
        ahead, pace = self.schedule.steps - step, steps / seconds
        late = ahead / pace > left + self.late
        # One that would be early is not stopped to be late: it keeps a reserve.
        affordable = min(int((left - self.restarting * (1 if late else 2)) * pace), self.most - step)
        if affordable > 0 and (late or affordable - ahead > WORTH * self.schedule.steps):
            raise RescheduledError(self.schedule.ending(step, affordable))
