"""What a report need not make anew: files of the one before it, known by a hash of what they were made of."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bakeoff.files import write_json

#: For each file of a report that may be kept, the checksum of what it was made of and its own.
INDEX = ".kept.json"


class Reuse:
    """The files of a new report that are expensive to make, and the report before it, which may have the same."""

    def __init__(self, new: Path, before: Path) -> None:
        self._new, self._before = new, before
        self._index: dict[str, list[str]] = {}
        try:
            self._known = json.loads((before / INDEX).read_bytes())
        except (OSError, ValueError, RecursionError):
            self._known = {}

    def file(self, name: str, make: Callable[[], bytes], *made_of: Any) -> bytes:  # noqa: ANN401 (plain data)
        """Write a file of the new report: as it was, if it was made of the same and is unchanged, or else made anew.

        Args:
            name: Of the file, in the report's folder.
            make: Makes its content.
            made_of: Everything that the content depends on, as plain data.

        Returns:
            The content.
        """
        origin = _checksum(json.dumps(made_of, sort_keys=True).encode())
        content = self._content_before(name, origin)
        if content is None:
            content = make()
        self.write(name, content)
        self._index[name] = [origin, _checksum(content)]
        return content

    def write(self, name: str, content: bytes) -> None:
        """Write a file of the new report that is made every time."""
        (self._new / name).parent.mkdir(exist_ok=True)
        (self._new / name).write_bytes(content)

    def write_index(self) -> None:
        """Say what the files were made of, for the report that comes next."""
        write_json(self._new / INDEX, self._index)

    def _content_before(self, name: str, origin: str) -> bytes | None:
        try:
            content = (self._before / name).read_bytes()
            return content if self._known[name] == [origin, _checksum(content)] else None
        except (OSError, LookupError, TypeError):
            return None


def _checksum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
