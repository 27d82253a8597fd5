"""A trained model back from its run folder."""

from pathlib import Path
from typing import NamedTuple

from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import nn

from bakeoff.errors import UserError
from bakeoff.records import RunFolder, StudyFolder
from bakeoff.study_file import decode_run


class Loaded(NamedTuple):
    """A model in evaluation mode, on the processor, and the tokenizer that it was trained with."""

    model: nn.Module
    tokenizer: Tokenizer


def load_run(path: Path) -> Loaded:
    """Build the run's model, with the weights of its best epoch, and its tokenizer.

    Raises:
        UserError: The folder is no run's, or the run has kept no weights.
    """
    folder, study = RunFolder(path), StudyFolder(path.resolve().parent.parent)
    if folder.spec is None or not folder.best_weights.is_file() or not study.exists:
        raise UserError(f"{path} is no folder of a run with weights, such as runs/quick/01-lstm-1-adam/seed-0")
    source = study.study["source"]
    run = decode_run(folder.spec["run"], Path(source) if source else None)
    tokenizer = Tokenizer.from_file(str(study.tokenizer))
    symbols, length = tokenizer.get_vocab_size(), run.budget.sequence_length
    model = run.architecture.rebuild(symbols, length, load_file(folder.best_weights))
    return Loaded(model.eval(), tokenizer)
