"""A record: a JSON object of a known shape, with a checksum, that is believed only where it is what was written."""

import hashlib
import json
from pathlib import Path
from typing import Any

from bakeoff.errors import UserError
from bakeoff.files import write_json
from bakeoff.shapes import CHECKSUM, Json, Shape, fault

#: How to go on without most of them.
MEND = "remove it and repeat the command"


class DamagedError(UserError):
    """A record that is not what was written; it damages its run alone.

    Attributes:
        path: The record.
        what: What is wrong with it.

    Args:
        path: The record.
        what: What is wrong with it.
        mend: How to go on.
    """

    def __init__(self, path: Path, what: str, mend: str = MEND) -> None:
        super().__init__(f"{path} is damaged ({what}): {mend}", status=1)
        self.path, self.what = path, what


def read_json(path: Path, shape: Shape | None = None, mend: str = MEND) -> Json:
    """Read a JSON object of some shape; of one with a checksum, see that it is what was written.

    Raises:
        DamagedError: It is none, or another; the error says how to go on.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DamagedError(path, str(error), mend) from error
    record = checked(data, shape or {}, path, mend)
    told = record.pop(CHECKSUM, None)
    if told is not None and told != _checksum(record):
        raise DamagedError(path, "its checksum is another", mend)
    return record


def write_record(path: Path, record: Json) -> None:
    """Write a JSON object that `read_json` knows again: atomically, with its checksum."""
    write_json(path, record | {CHECKSUM: _checksum(record)})


def _checksum(record: Json) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def checked(data: Any, shape: Shape, path: Path, mend: str = MEND) -> Json:  # noqa: ANN401 (from a file)
    """What a file held, if it is an object of that shape.

    Raises:
        DamagedError: It is not.
    """
    if found := fault(data, shape):
        raise DamagedError(path, found, mend)
    record: Json = data
    return record
