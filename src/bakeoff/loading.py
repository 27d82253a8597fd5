"""A trained model back from a run's folder, a study's or an export's; and a study's floor as a model."""

import dataclasses
import hashlib
import os
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

from tokenizers import Tokenizer
from torch import nn

from bakeoff import checkpoints, data, sources
from bakeoff.analysis.reading import read_rows
from bakeoff.data import Told
from bakeoff.decisions import going_on
from bakeoff.errors import UserError, one_line
from bakeoff.files import is_regular, require_name
from bakeoff.identity import decode
from bakeoff.models import count_table
from bakeoff.models.count_table import CountTable
from bakeoff.models.ngram import TABLES, Floor
from bakeoff.records import DamagedError, read_json
from bakeoff.reporting import table
from bakeoff.run_folder import RunFolder
from bakeoff.shapes import Json
from bakeoff.spec import Architecture, Run
from bakeoff.study_file import BUILT_IN, decode_run, foreign_types
from bakeoff.study_folder import StudyFolder, only_study

Model = TypeVar("Model", nn.Module, CountTable)


class Loaded(NamedTuple, Generic[Model]):
    """A model, networks in evaluation mode and on the processor, and the tokenizer that it was trained with."""

    model: Model
    tokenizer: Tokenizer


class LoadedRun(Loaded[nn.Module]):
    """The same of a run; a notebook shows it as its line of the report's table, with the floors."""

    folder: RunFolder

    def _repr_html_(self) -> str:
        path = place_of(self.folder.path)
        folder = StudyFolder(path.parent.parent)
        study = read_rows(folder, folder.seeds)
        rows = tuple(row for row in study.rows if row.folder == f"{path.parent.name}/{path.name}")
        return table.html(dataclasses.replace(study, rows=rows))


class Trained(NamedTuple):
    """The same with what it is.

    Attributes:
        sequence_length: Tokens of the sequences that it was trained on.
    """

    architecture: Architecture
    sequence_length: int
    model: nn.Module
    tokenizer: Tokenizer


#: The files of an exported model that no library but Bakeoff reads, and what its configuration calls itself.
CONFIG, WEIGHTS, TOKENIZER = "config.json", "model.safetensors", "tokenizer.json"
MODEL_TYPE = "bakeoff"


def load(run_folder: str | Path, *, trust: bool = False) -> Loaded[nn.Module]:
    """Give a run's model, with the weights of its best epoch, and its tokenizer back.

    Nothing of the folder is executed, unless the model is one that a study file defines and `trust` says so.

    Args:
        run_folder: Such as `runs/quick/01-lstm-1-adam/seed-0`; or one that `bakeoff export` wrote for this.
        trust: Whether the study file that is kept with the study may be executed.

    Raises:
        UserError: As in `load_run`; or what was exported is damaged, or is another library's to load.
    """
    path = Path(run_folder)
    if (path / CONFIG).is_file():
        return _load_exported(path)
    trained = load_run(path, trust=trust)
    loaded = LoadedRun(trained.model, trained.tokenizer)
    loaded.folder = RunFolder(path)
    return loaded


def load_run(path: Path, *, trust: bool = False) -> Trained:
    """Build the run's model, with the weights of its best epoch, and its tokenizer.

    Args:
        path: The run's folder.
        trust: Whether the study file that is kept with the study may be executed, if the model is defined there.

    Raises:
        UserError: The folder is no run's, or another's than its study declares there, or the run has kept no weights,
            or they or the tokenizer are damaged, or its model needs a study file that is not trusted or is not what was
            kept.
    """
    require_name(path)  # safetensors reads no other, and would call it damaged
    place = place_of(path)
    study = StudyFolder(place.parent.parent)
    declared = study.study.get("runs") if study.exists else None
    folder = RunFolder(path, (declared or {}).get(f"{place.parent.name}/{place.name}"))
    mend = "put back what the run left there, or remove the summary.json beside it and run the study again"
    if folder.spec and study.exists:
        folder.require_declared()
        folder.require_left(folder.best_weights, mend)
    if folder.spec is None or not folder.best_weights.is_file() or not study.exists:
        raise UserError(f"{path} is no folder of a run with weights, such as runs/quick/01-lstm-1-adam/seed-0")
    run = folder.spec["run"]
    if place.name != f"seed-{run['seed']}" or not place.parent.name.startswith(f"{run['number']:02d}-"):
        raise UserError(f"{path} holds seed {run['seed']} of experiment {run['number']}: put it back to where it was")
    tokenizer = _tokenizer(study)
    symbols, length = tokenizer.get_vocab_size(), run["budget"]["sequence_length"]
    architecture = _architecture(run, study, trust=trust)
    try:
        model = architecture.rebuild(symbols, length, checkpoints.load(folder.best_weights).tensors)
    except (ValueError, RuntimeError) as error:
        raise DamagedError(folder.best_weights, one_line(error), mend) from error
    return Trained(architecture, length, model.eval(), tokenizer)


def place_of(path: Path) -> Path:
    """Where a run lies in its study: a link in a study is no other run's place, and one from elsewhere leads there."""
    place = Path(os.path.abspath(path))  # noqa: PTH100 (which follows no link)
    return place if StudyFolder(place.parent.parent).exists else path.resolve()


def _load_exported(path: Path) -> Loaded[nn.Module]:
    config = read_json(path / CONFIG)
    if config.get("model_type") != MODEL_TYPE:
        raise UserError(f"{path} is for transformers: AutoModelForCausalLM.from_pretrained loads it")
    if foreign := foreign_types(config.get("architecture")):
        raise UserError(f"{path} has a model that a study file defines, {min(foreign)}: load the run's own folder")
    try:
        architecture: Architecture = decode(config["architecture"], BUILT_IN)
        tokenizer = _checked_tokenizer(path / TOKENIZER, config.get("tokenizer_sha256"))
        weights = checkpoints.load(path / WEIGHTS).tensors
        model = architecture.rebuild(tokenizer.get_vocab_size(), config["sequence_length"], weights)
    except Exception as error:
        why = one_line(error)
        raise UserError(f"{path} is damaged ({why}): export the run again", status=1) from error
    return Loaded(model.eval(), tokenizer)


def load_floor(study_folder: str | Path, name: str | None = None, told: Told = lambda *_: None) -> Loaded[CountTable]:
    """Give a study's Kneser-Ney floor back as a model, and its tokenizer; its text is counted again for that.

    Args:
        study_folder: Such as `runs/quick`.
        name: Such as `kn5+cache`, as in the report's table; by default the floor that pays least on valid.
        told: Is told what is being done, where tokens are not in the cache and have to be made.

    Raises:
        UserError: The folder is no study's, or has no such floor, or no run of it was started, or its corpus is not
            there or has changed.
    """
    study = only_study(Path(study_folder))
    name = name or best_floor(study.path)
    weights = {name: floor.get("cache_weight") for name, floor in _tables(study).items()}
    if name not in weights:
        raise UserError(f"{study.path} has no floor {name!r} that is a model: use {', '.join(weights)}")
    spec = next((run.spec for _, _, run in study.declared_runs() if run.spec), None)
    if spec is None:
        raise UserError(f"no run of {study.path} was started, and they say what its text is: bakeoff run starts them")
    try:
        corpus, budget = (decode(spec["run"][part], BUILT_IN) for part in ("corpus", "budget"))
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{study.path} has a text or a budget that no study may have any more: {error}") from error
    tokens = data.prepare(corpus, budget, told)
    table = count_table.of_floor(Floor(name, weights[name]), tokens, budget.sequence_length)
    return Loaded(table, tokens.tokenizer)


def best_floor(path: Path) -> str:
    """The name of a study's Kneser-Ney floor that pays least on valid.

    Raises:
        UserError: The folder is no study's, or holds several.
    """
    floors = _tables(only_study(path))
    return min(floors, key=lambda name: floors[name]["valid"]["nats"])


def best_run(path: Path) -> Path:
    """The folder itself if it is a run's; of a study's, the finished run with the lowest valid loss.

    Raises:
        UserError: It is neither, or holds several studies, or no run of the study has kept weights.
    """
    if RunFolder(path).spec is not None:
        return path
    study = only_study(path)
    rows = read_rows(study).rows
    losses = {study.path / row.folder: row.valid.loss for row in rows if row.finished and row.valid}
    kept = [folder for folder in losses if RunFolder(folder).best_weights.is_file()]
    if losses and not kept:
        raise UserError(
            f"{study.path} has no weights, only records: put back a run's best.safetensors, or remove a summary.json, "
            "so that bakeoff run trains that one anew"
        )
    if not kept:
        raise UserError(f"{study.path} has no finished run with weights: {going_on(study.path)}")
    return min(kept, key=lambda folder: losses[folder])


def _tokenizer(study: StudyFolder) -> Tokenizer:
    """A study's tokenizer; older folders do not say what its checksum is."""
    checksum = study.study.get("tokenizer_sha256")
    try:
        return _checked_tokenizer(study.tokenizer, checksum)
    except Exception as error:  # the library's own errors have no class of theirs
        mend = "repeat the command that trained the study, which writes it anew"
        raise DamagedError(study.tokenizer, one_line(error), mend) from error


def _checked_tokenizer(path: Path, checksum: str | None) -> Tokenizer:
    """A tokenizer from a file that is what was written, as far as that is known."""
    if not is_regular(path):
        raise ValueError("it is no regular file")
    content = path.read_bytes()
    if checksum not in (None, hashlib.sha256(content).hexdigest()):
        raise ValueError("its checksum is another")
    return Tokenizer.from_buffer(content)


def decoded_run(folder: RunFolder, study: StudyFolder, *, trust: bool = False) -> tuple[Run, Path | None]:
    """A run that was started, as its spec says, and the study file where that had to be executed for it.

    Raises:
        UserError: It needs a study file that is not trusted or is not what was kept.
    """
    encoded = (folder.spec or {})["run"]
    foreign = foreign_types(encoded)
    source = trusted(study, foreign, trust=trust) if foreign else None
    return decode_run(encoded, source), source


def _tables(study: StudyFolder) -> dict[str, Json]:
    """A study's floors that are Kneser-Ney models, by name."""
    return {floor["name"]: floor for floor in study.declared["baselines"] if floor["name"] in TABLES}


def _architecture(run: Json, study: StudyFolder, *, trust: bool) -> Architecture:
    """An encoded run's architecture; the study file is executed only where it defines that."""
    if foreign := foreign_types(run["architecture"]):
        return decode_run(run, trusted(study, foreign, trust=trust)).architecture
    architecture: Architecture = decode(run["architecture"], BUILT_IN)
    return architecture


def trusted(study: StudyFolder, foreign: set[str], *, trust: bool) -> Path | None:
    """The study file as it was kept with the study, if it may be executed; None if the study came from no file."""
    checksums: dict[str, str] | None = study.study.get("code")
    if not checksums:
        return None
    kept = study.code / next(iter(checksums))
    if not trust:
        raise UserError(
            f"{kept} defines {', '.join(sorted(foreign))}: read it, then say --trust, or trust=True in Python, which "
            "executes it"
        )
    try:
        same = sources.checksums(kept) == checksums
    except (OSError, SyntaxError) as error:
        raise UserError(f"{kept} cannot be read: {error}", status=1) from error
    if not same:
        raise UserError(f"{kept}, or a module beside it, is not what was kept with the study, so it is not executed")
    return kept
