"""For someone's own training with the `Trainer` of `transformers`: a folder that `bakeoff import` reads.

trainer = Trainer(..., callbacks=[BakeoffCallback("my-run")])
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from bakeoff.files import write_json
from bakeoff.importing import CALLBACK
from bakeoff.shapes import Json, finite

#: What a label is that is not predicted.
IGNORED = -100


class BakeoffCallback(TrainerCallback):  # type: ignore[misc]  # the library is there on demand only
    """Writes a causal language model's losses as they are logged, and counts valid once.

    Args:
        folder: Where to; a run that is gone on with goes on there.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.counts: Json = {}

    def on_log(self, args: object, state: Any, control: object, **_: object) -> None:  # noqa: ANN401, ARG002
        """Write all that was logged so far."""
        log = [{key: value for key, value in entry.items() if finite(value)} for entry in state.log_history]
        if state.is_world_process_zero:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_json(self.folder / CALLBACK, {"log_history": log, "valid": self.counts})

    def on_evaluate(  # noqa: D102 (the library's)
        self,
        args: object,
        state: Any,  # noqa: ANN401
        control: object,
        eval_dataloader: Iterable[Mapping[str, Any]] = (),
        processing_class: Any = None,  # noqa: ANN401
        **_: object,
    ) -> None:
        if not self.counts:
            self.counts = _counts(eval_dataloader, processing_class)
        self.on_log(args, state, control)


def _counts(batches: Iterable[Mapping[str, Any]], tokenizer: Any) -> Json:  # noqa: ANN401
    """Predicted tokens of batches; with a tokenizer the bytes of their text, and those of them that are predicted.

    The first token of a sequence is not: nothing stands before it.
    """
    tokens = size = first = 0
    for batch in batches:
        labels_BxL = batch["labels"]
        tokens += int((labels_BxL[:, 1:] != IGNORED).sum())
        for labels_L in labels_BxL if tokenizer is not None else ():
            size += _bytes(tokenizer, labels_L[labels_L != IGNORED])
            first += _bytes(tokenizer, labels_L[:1][labels_L[:1] != IGNORED])
    return {"tokens": tokens} | ({"bytes": size, "predicted_bytes": max(1, size - first)} if size else {})


def _bytes(tokenizer: Any, tokens_L: Any) -> int:  # noqa: ANN401
    return len(tokenizer.decode(tokens_L, skip_special_tokens=True).encode())
