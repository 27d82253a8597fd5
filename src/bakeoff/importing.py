"""What other programs wrote of their runs, brought into a study: as reported, not as measured.

Losses are taken to be what language models report: the mean negative log-likelihood of a token, in nats.
"""

import csv
import dataclasses
import itertools
import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bakeoff.data import corpora
from bakeoff.data.splits import SPLITS
from bakeoff.errors import UserError
from bakeoff.files import is_regular
from bakeoff.records import write_record
from bakeoff.shapes import Json
from bakeoff.spec import Budget, Corpus
from bakeoff.study_folder import StudyFolder

if TYPE_CHECKING:
    from bakeoff.measuring import Measurement

#: What trainers call the loss on valid and on train, as a key, a tag or a column.
VALID = ("eval_loss", "eval/loss", "valid_loss", "val_loss", "loss/valid", "valid/loss", "val/loss", "valid", "val")
TRAIN = ("loss", "train_loss", "train/loss", "loss/train", "train")
#: What they call a place, the best first.
PLACES = ("step", "global_step", "epoch")
#: The file of a folder that `BakeoffCallback` wrote, and that of transformers.
CALLBACK, STATE = "bakeoff.json", "trainer_state.json"
#: How much its count of bytes may differ from the corpus's, as a share: what is cut into blocks loses the last one.
TOLERANCE = 0.02
#: No loss in nats per token comes near it, and no step.
LARGEST, FARTHEST = 1e6, 1e15
#: Keys of a log that an error lists, and points of a curve that are kept, at most.
LISTED, MOST_POINTS = 20, 2000
#: Characters of one of them.
LONGEST = 40


class Told(NamedTuple):
    """What whoever imports a run says of it.

    Attributes:
        valid: What the loss on valid is called in what is read, None for any known name; `train` likewise.
        corpus: The study's own, where valid was that; without it the run compares with nothing.
        tokens: How many tokens valid has, by the run's own tokenizer.
        name: What the run is called here; by default as its folder.
    """

    valid: str | None = None
    train: str | None = None
    corpus: str | None = None
    tokens: int | None = None
    name: str | None = None


class Curves(NamedTuple):
    """What was read.

    Attributes:
        by: What wrote it.
        unit: What places are in.
        valid: Places and losses, and `train` likewise.
        tokens: Of valid, by its own tokenizer, where that is told; `bytes` likewise, and `predicted` those of them that
            were predicted.
    """

    by: str
    unit: str
    valid: list[tuple[float, float]]
    train: list[tuple[float, float]]
    tokens: int | None = None
    bytes: int | None = None
    predicted: int | None = None


def bring(folder: Path, into: StudyFolder, told: Told) -> str:
    """Keep what a folder, or a CSV file, reports with a study, in the place of what was kept under the same name.

    Returns:
        Its name.

    Raises:
        UserError: It is no run of any known kind, or valid was another text.
    """
    found, study = read(folder, told), into.declared
    counts = _counts(folder, found, study["corpus"], told) if told.corpus is not None else {}
    return _keep(into, folder, told.name, found._replace(tokens=None, bytes=None, predicted=None)._asdict() | counts)


def keep_measured(into: StudyFolder, found: "Measurement", name: str | None) -> str:
    """Keep with a study what a model that was trained elsewhere costs on its valid.

    Returns:
        What it is called there.
    """
    told = {"by": "measured here", "unit": "step", "valid": [(0, found.cost.loss)], "train": [], "checked": True}
    counts = {"tokens": found.cost.tokens, "bytes": found.cost.bytes, "words": found.cost.words}
    model = {"window": found.window, "parameters": found.parameters}
    return _keep(into, found.folder, name, told | counts | model)


def _keep(into: StudyFolder, folder: Path, name: str | None, record: Json) -> str:
    found = folder.resolve()
    called = re.sub(r"[^\w.-]+", "-", name or (found.stem if found.is_file() else found.name)).strip("-.") or "run"
    path = into.report_of(called)
    path.parent.mkdir(exist_ok=True)
    write_record(path, {key: value for key, value in record.items() if value is not None})
    return called


def text_of(into: StudyFolder, asked: str) -> Corpus:
    """The text of a study, which is asked for as for a run: as many documents of it as the study has.

    Raises:
        UserError: The study's is another.
    """
    declared = into.declared["corpus"]
    chosen, documents = _chosen(declared, asked), tuple(declared[split].get("documents") for split in SPLITS)
    return chosen if None in documents else dataclasses.replace(chosen, documents=documents)


def counting_of(into: StudyFolder) -> Budget:
    """The tokens and windows in which a study's floors were counted."""
    told = into.declared["budget"]
    return Budget(**{name: told[name] for name in ("tokenizer", "vocabulary", "sequence_length")})


def _chosen(declared: Json, asked: str) -> Corpus:
    chosen = corpora.choose(asked)
    if chosen.name != declared["name"] or chosen.sha256 not in (None, declared["sha256"]):
        raise UserError(f"the study's corpus is {declared['name']}, and {asked} another: losses would not compare")
    return chosen


def _counts(folder: Path, found: Curves, corpus: Json, told: Told) -> Json:
    """What makes bits per byte of its losses, if it can be what it is said to be."""
    _chosen(corpus, told.corpus or "")
    whole = corpus["valid"]["bytes"]
    if found.bytes is not None and abs(found.bytes - whole) > TOLERANCE * whole:
        raise UserError(
            f"{folder} was measured on {found.bytes:,} bytes, and valid of {told.corpus} has {whole:,}: another text"
        )
    tokens, size = told.tokens or found.tokens, found.predicted or found.bytes or whole
    if tokens is None:
        raise UserError(f"{folder} does not tell how many tokens valid has by its own tokenizer: say it with --tokens")
    if tokens > size:
        raise UserError(f"valid has {size:,} bytes, too few for {tokens:,} tokens")
    return {"tokens": tokens, "bytes": size, "checked": found.bytes is not None}


def read(folder: Path, told: Told) -> Curves:
    """Read what a trainer wrote, of whichever kind it is.

    Raises:
        UserError: It is of none, or lacks what is needed.
    """
    if not folder.exists():
        raise UserError(f"there is no {folder}")
    if (path := folder / CALLBACK).is_file():
        return _log(path, "BakeoffCallback", told)
    if states := [*folder.glob(STATE), *folder.glob(f"checkpoint-*/{STATE}")]:
        return _log(
            max(states, key=lambda path: _count(_json(path), "global_step") or 0), "Trainer of transformers", told
        )
    if any(folder.glob("*.tfevents.*")):
        return _events(folder, told)
    inside = [folder] if folder.is_file() else sorted(folder.iterdir())
    tables = [path for path in inside if path.suffix.lower() == ".csv"]
    if len(tables) == 1:
        return _table(tables[0], told)
    if tables:
        raise UserError(f"{folder} holds several CSV files: name one of {', '.join(path.name for path in tables)}")
    if below := sorted({str(path.parent) for path in folder.glob("*/**/*.tfevents.*")}):
        raise UserError(f"{folder} has event files in folders below it: name one, such as {below[0]}")
    raise UserError(
        f"{folder} is no run of a known kind: it holds no {STATE}, no event files of TensorBoard, no CSV file, and "
        "nothing of BakeoffCallback"
    )


def _log(path: Path, by: str, told: Told) -> Curves:
    """A log of `transformers`: a list of entries, each with some of the keys."""
    state = _json(path)
    log = state.get("log_history")
    if not isinstance(log, list) or not all(isinstance(entry, dict) for entry in log):
        raise UserError(f"{path} has no log_history")
    tokens, size, predicted = (_count(state.get("valid"), key) for key in ("tokens", "bytes", "predicted_bytes"))
    return _curves(path, by, log, told)._replace(tokens=tokens, bytes=size, predicted=predicted)


def _count(found: object, key: str) -> int | None:
    """A number of some object, if it is there and one that counts."""
    count = found.get(key) if isinstance(found, dict) else None
    return count if type(count) is int and count > 0 else None


def _json(path: Path) -> Json:
    _require_regular(path)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise UserError(f"{path} is no object")
    return found


def _require_regular(path: Path) -> None:
    if not is_regular(path):
        raise UserError(f"{path} is no ordinary file: copy what is in it to one")


def _table(path: Path, told: Told) -> Curves:
    """A CSV file, whose first line names its columns."""
    _require_regular(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = list(csv.DictReader(file))
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    entries = [{key.strip(): cell for key, cell in line.items() if key and cell not in (None, "")} for line in lines]
    return _curves(path, "a CSV file", entries, told)


def _events(folder: Path, told: Told) -> Curves:
    """Event files, of which a run that was gone on with has several."""
    try:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # noqa: PLC0415
        from tensorboard.util.tensor_util import make_ndarray  # noqa: PLC0415
    except ImportError as error:
        raise UserError("reading event files needs a package: pip install 'bakeoff[tensorboard]'") from error
    for path in folder.glob("*.tfevents.*"):
        _require_regular(path)
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0})
    events.Reload()
    tags = events.Tags()
    entries = [{"step": event.step, tag: event.value} for tag in tags["scalars"] for event in events.Scalars(tag)]
    for tag in tags["tensors"]:  # as TensorFlow and Keras write scalars
        if events.SummaryMetadata(tag).plugin_data.plugin_name == "scalars":
            entries += [{"step": event.step, tag: make_ndarray(event.tensor_proto)} for event in events.Tensors(tag)]
    return _curves(folder, "TensorBoard events", entries, told)


def _curves(path: Path, by: str, entries: Iterable[Mapping[str, Any]], told: Told) -> Curves:
    """Both losses of entries, at the place that all with a loss of valid have.

    Raises:
        UserError: There is no such place, or no loss of valid; the keys that are there are listed.
    """
    entries = list(entries)
    keys = dict.fromkeys(key for entry in entries for key in entry)
    valid, train = _named(told.valid, VALID, keys), _named(told.train, TRAIN, keys)
    more = f" and {len(keys) - LISTED:,} others" if len(keys) > LISTED else ""
    listed = (", ".join(key[:LONGEST] for key in itertools.islice(keys, LISTED)) or "nothing") + more
    if valid is None:
        asked = told.valid or f"loss on valid ({', '.join(VALID[:4])}, …; --valid names another)"
        raise UserError(f"{path} has no {asked}: it has {listed}")
    measured = [entry for entry in entries if valid in entry]
    place = next((place for place in PLACES if all(place in entry for entry in measured)), None)
    if place is None:
        raise UserError(f"{path} has neither a step nor an epoch beside {valid}: it has {listed}")
    losses = _curve(path, entries, place, valid)
    if not losses:
        raise UserError(f"{path} has no finite {valid} from 0 to below {LARGEST:,.0f}")
    return Curves(
        by, "epoch" if place == "epoch" else "step", losses, _curve(path, entries, place, train) if train else []
    )


def _named(asked: str | None, known: Iterable[str], keys: Mapping[str, object]) -> str | None:
    return next((key for key in ([asked] if asked else known) if key in keys), None)


def _curve(path: Path, entries: Iterable[Mapping[str, Any]], place: str, key: str) -> list[tuple[float, float]]:
    """What is a loss of it, in the order of places; of a place that is there twice, what was written last.

    Of very many points some are left out, evenly, and never the lowest or the last: no figure shows more.
    """
    number: Callable[[Any], float] = float
    try:
        found = {number(entry[place]): number(entry[key]) for entry in entries if key in entry and place in entry}
    except (TypeError, ValueError, OverflowError) as error:
        raise UserError(f"{path}: {place} and {key} have to be numbers ({error})") from error
    losses = sorted((at, loss) for at, loss in found.items() if 0 <= at < FARTHEST and 0 <= loss < LARGEST)
    lowest, every = min(losses, key=lambda point: point[1], default=None), -(-len(losses) // MOST_POINTS)
    kept = (point for place, point in enumerate(losses) if place % every == 0 or point in (lowest, losses[-1]))
    return list(kept)
