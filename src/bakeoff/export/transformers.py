"""A finished run as a folder for Hugging Face's `transformers`: weights, configuration, tokenizer, model card.

A model that no class of the library equals has Bakeoff's own configuration, and `bakeoff.load` builds it again.
"""

import errno
from pathlib import Path
from typing import Any

import jinja2
import torch
from safetensors import SafetensorError

from bakeoff import checkpoints, loading, templating, words
from bakeoff.analysis.reading import read_rows
from bakeoff.decisions import going_on
from bakeoff.errors import UserError
from bakeoff.files import keep_mode, sha256_of
from bakeoff.folders import new_folder
from bakeoff.identity import encode
from bakeoff.loading import Trained, place_of
from bakeoff.models.transformers import of_library
from bakeoff.records import write_record
from bakeoff.study_file import foreign_types
from bakeoff.study_folder import StudyFolder

#: How far logits may be from the run's own, as a share of the largest: more than rounding does, less than a formula.
TOLERANCE = 1e-4


def export(run: Path, folder: Path, *, trust: bool = False) -> str | None:
    """Write a finished run's model into a folder, which is there whole or not at all.

    Args:
        run: The run's folder.
        folder: A new or an empty one.
        trust: Whether the study file that is kept with the study may be executed, if the model is defined there.

    Returns:
        The class of the library that loads it; None where Bakeoff alone does.

    Raises:
        UserError: The folder holds something; the library is missing, or does not compute what the run's model does;
            the run has not finished, or cannot be loaded.
    """
    trained = loading.load_run(run, trust=trust)
    facts = _facts(run)
    tokenizer, theirs = _tokenizer(trained), _theirs(trained)
    loaded_by = type(theirs).__name__ if theirs else None
    try:
        with new_folder(folder) as new:
            tokenizer.save_pretrained(new)
            if theirs:
                theirs.save_pretrained(new)
            else:
                _write_own(trained, new)
            foreign = min(foreign_types(encode(trained.architecture)), default=None)
            card = _CARD.render(facts, folder=folder.resolve().name, theirs=loaded_by, foreign=foreign)
            (new / "README.md").write_text(card, encoding="utf-8")
            for written in new.iterdir():
                keep_mode(written, (new / "README.md").stat().st_mode)
    except SafetensorError as error:  # what it says of a full disk names no file
        raise OSError(errno.EIO, str(error), str(folder)) from error
    return loaded_by


def _facts(run: Path) -> dict[str, Any]:
    """What the card says, all of it from the records."""
    place = place_of(run)
    folder = StudyFolder(place.parent.parent)
    study = read_rows(folder, folder.seeds)
    rows = [row for row in study.rows if folder.path / row.folder == place and row.finished]
    if not rows:
        raise UserError(f"{run} has not finished, so nothing is known of its model: {going_on(folder.path)}")
    return {
        "row": rows[0],
        "corpus": study.study["corpus"],
        "budget": study.study["budget"] | {"batch_size": rows[0].entry["batch_size"]},
        "precision": words.PRECISIONS[rows[0].precision],
        "floor": min(study.baselines, key=lambda floor: floor.valid.nats),
    }


@torch.no_grad()
def _theirs(trained: Trained) -> Any:  # noqa: ANN401 (the library is there on demand only)
    """The library's own model, if it has one that computes the same; whatever the mapping says, logits are compared."""
    counterpart = trained.architecture.to_transformers(trained.model)
    if counterpart is None:
        return None
    theirs = of_library(counterpart.config).eval()
    from transformers.utils.logging import disable_progress_bar  # noqa: PLC0415 (as where a model of it is made)

    disable_progress_bar()  # one for each file that it writes
    theirs.base_model.load_state_dict(counterpart.weights)
    tokens_1xL = torch.arange(trained.sequence_length)[None] % trained.tokenizer.get_vocab_size()
    ours, expected = trained.model(tokens_1xL), theirs(tokens_1xL).logits
    difference, largest = ((ours - expected).abs().max().item(), ours.abs().max().item())
    if difference > TOLERANCE * max(1.0, largest):
        raise UserError(
            f"{type(theirs).__name__} of transformers computes other logits than this model, by up to {difference:.2g}:"
            " install another version of it, or mend the architecture's to_transformers",
            status=1,
        )
    return theirs


def _tokenizer(trained: Trained) -> Any:  # noqa: ANN401
    try:
        from transformers import PreTrainedTokenizerFast  # noqa: PLC0415 (not everyone has it)
    except ImportError as error:
        raise UserError("exporting needs a package: pip install 'bakeoff[transformers]'") from error
    return PreTrainedTokenizerFast(
        tokenizer_object=trained.tokenizer,
        model_max_length=trained.sequence_length,
        unk_token=trained.tokenizer.model.unk_token,
    )


def _write_own(trained: Trained, folder: Path) -> None:
    """A model that no class of the library equals, for `bakeoff.load`."""
    config = {
        "model_type": loading.MODEL_TYPE,
        "architecture": encode(trained.architecture),
        "sequence_length": trained.sequence_length,
        "tokenizer_sha256": sha256_of(folder / loading.TOKENIZER),
    }
    write_record(folder / loading.CONFIG, config)
    checkpoints.save(folder / loading.WEIGHTS, trained.model.state_dict(), {})


_CARD = templating.environment(jinja2.PackageLoader("bakeoff.export", "")).get_template("card.md.j2")
