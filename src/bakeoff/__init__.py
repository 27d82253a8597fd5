"""Which small language model, trained by which optimizer, on your text and machine, and how sure can you be?"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

    from bakeoff.loading import Loaded
    from bakeoff.models.count_table import CountTable


def load(run_folder: str | Path, *, trust: bool = False) -> "Loaded[nn.Module]":
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


def load_floor(study_folder: str | Path, name: str | None = None) -> "Loaded[CountTable]":
    """Give a study's Kneser-Ney floor back as a model, and its tokenizer; its text is counted again for that.

    Args:
        study_folder: Such as `runs/quick`.
        name: Such as `kn5+cache`; by default the floor that pays least on valid.

    Raises:
        UserError: The folder has no study, no such floor, or no run yet, or the study's corpus is not there any more.
    """
    from bakeoff import loading  # noqa: PLC0415 (importing bakeoff must not import torch)

    path = Path(study_folder)
    return loading.load_floor(path, name or loading.best_floor(path))
