"""Whether the last run will be over in time, where other programs take of it; and if not, when its rate is to fall."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bakeoff.choosing.search import Schedule


class OverdueError(Exception):
    """The time is up and the last run is not over, as other programs have taken of it."""


class EarlierError(Exception):
    """The last run would be too late, and is to go on with a schedule that ends earlier.

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
        late: The seconds by which it may be late.
        restarting: Seconds that it takes to stop it, go on and measure it in the end.
        began: The step of the first evaluation or checkpoint that was told, and the seconds left then.
    """

    schedule: Schedule
    left: Callable[[], float]
    late: float
    restarting: float
    began: tuple[int, float] | None = field(default=None, init=False)

    def __call__(self, message: dict[str, Any]) -> None:
        """Take note of a message.

        Raises:
            OverdueError: There is no time left.
            EarlierError: There will be none when the run ends. A checkpoint is there that it can go on from.
        """
        left = self.left()
        if left < -self.late:
            raise OverdueError
        if message["event"] in ("evaluation", "checkpoint"):
            self.began = self.began or (message["step"], left)
        if message["event"] == "checkpoint":
            self._foresee(message["step"], left)

    def _foresee(self, step: int, left: float) -> None:
        """See at a checkpoint whether the run will be over in time, at its pace so far."""
        first, before = self.began or (step, left)
        steps, seconds = step - first, before - left
        ahead = self.schedule.steps - step
        if steps and seconds * ahead / steps > left + self.late and self.schedule.undecayed(step):
            affordable = int((left - self.restarting) * steps / seconds)
            if affordable > 0:
                raise EarlierError(self.schedule.ending(step, affordable))
