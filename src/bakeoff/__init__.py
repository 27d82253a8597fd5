"""Which small language model, trained by which optimizer, on your text and machine, and how sure can you be?"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bakeoff.loading import Loaded


def load(run_folder: str | Path, *, trust: bool = False) -> "Loaded":
    """Give a run's model, with the weights of its best epoch, and its tokenizer back.

    Nothing of the folder is executed, unless the model is one that a study file defines and `trust` says so.

    Args:
        run_folder: Such as `runs/quick/01-lstm-1-adam/seed-0`; or one that `bakeoff export` wrote for this.
        trust: Whether the study file that is kept with the study may be executed.

    Raises:
        UserError: It is no folder of a run with weights, or its model needs a study file that may not be executed.
    """
    from bakeoff.loading import load  # noqa: PLC0415 (importing bakeoff must not import torch)

    return load(Path(run_folder), trust=trust)
