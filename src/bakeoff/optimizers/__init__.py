"""The optimizers that can be compared, and learning-rate schedules.

To add an optimizer of torch's: a class of a few lines in `of_torch.py`, and an entry in `OPTIMIZERS`. Any other has a
file of its own.
"""

from bakeoff.optimizers.lion import Lion
from bakeoff.optimizers.muon import Muon
from bakeoff.optimizers.of_torch import SGD, Adam, AdamW, Momentum, NAdam, TorchOptimizer
from bakeoff.optimizers.schedule_free import ScheduleFreeAdamW
from bakeoff.optimizers.schedules import SCHEDULES, Schedule
from bakeoff.optimizers.soap import SOAP
from bakeoff.spec import Optimizer

#: In the order in which tables and figures show them.
OPTIMIZERS: dict[str, type[Optimizer]] = {
    optimizer.name: optimizer for optimizer in (Adam, AdamW, SGD, Momentum, Muon, SOAP, Lion, NAdam, ScheduleFreeAdamW)
}

__all__ = [
    "OPTIMIZERS",
    "SCHEDULES",
    "SGD",
    "SOAP",
    "Adam",
    "AdamW",
    "Lion",
    "Momentum",
    "Muon",
    "NAdam",
    "Schedule",
    "ScheduleFreeAdamW",
    "TorchOptimizer",
]
