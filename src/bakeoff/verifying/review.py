"""What a check has found so far."""

import contextlib
import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from bakeoff.errors import UserError
from bakeoff.records import DamagedError
from bakeoff.shapes import Json

#: Stands for a file's content where that is not what was written.
WRITTEN = "what was written"
#: Sums of the same numbers in another order, as a share.
ROUNDING = 1e-9
#: What is measured anew with every training.
MEASURED = re.compile(r".*seconds|memory|alone|tokens_per_second|resumed_at_step|(history|environment)_sha256")


class Difference(NamedTuple):
    """What stands somewhere, in a file and at a place in it, and what should, by that of which it was made."""

    where: str
    recorded: Any
    rebuilt: Any


@dataclass(frozen=True)
class Review:
    """What was found.

    Attributes:
        checked: How many numbers, or files, of each kind were compared, whatever came out.
        differences: Those that are not what they should be.
        not_checked: What could not be compared, and why.
    """

    checked: Counter[str] = field(default_factory=Counter)
    differences: list[Difference] = field(default_factory=list)
    not_checked: list[str] = field(default_factory=list)

    def compare(
        self,
        what: str,
        where: Path | str,
        recorded: Any,  # noqa: ANN401 (plain data)
        rebuilt: Any,  # noqa: ANN401
        share: float = 0.0,
    ) -> None:
        """Compare all that both have; numbers may differ by a share of the larger one."""
        for place, old, new in _both(recorded, rebuilt):
            self.checked[what] += 1
            numbers = isinstance(old, int | float) and isinstance(new, int | float)
            if old != new and not (numbers and math.isclose(old, new, rel_tol=share)):
                self.differences.append(Difference(": ".join(filter(None, (str(where), place))), old, new))

    @contextlib.contextmanager
    def attempting(self, what: str) -> Iterator[None]:
        """Around what may fail, as it rests on records that anyone may have changed: then it was not checked."""
        try:
            yield
        except (Exception, SystemExit) as error:  # noqa: BLE001 (whatever they, or a model of one's own, lead to)
            why = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
            if (told := f"{what}: {why}") not in self.not_checked:
                self.not_checked.append(told)

    def note_damage(self, error: DamagedError) -> None:
        """Take note, once, of a file that is not what was written."""
        found = Difference(str(error.path), WRITTEN, error.what)
        if found not in self.differences:
            self.differences.append(found)

    def as_json(self) -> Json:
        """What `bakeoff verify --json` prints."""
        differences = [difference._asdict() for difference in self.differences]
        return {"checked": dict(+self.checked), "differences": differences, "not_checked": self.not_checked}


def _both(recorded: Any, rebuilt: Any, place: str = "") -> Iterator[tuple[str, Any, Any]]:  # noqa: ANN401
    """Each place that both have, with what they have there; of lists that are not equally long, their lengths."""
    if recorded is None:  # by an earlier version, or as it could not be measured: nothing is claimed
        return
    if isinstance(recorded, dict) and isinstance(rebuilt, dict):
        for key in recorded:
            if key in rebuilt and not MEASURED.fullmatch(str(key)):
                yield from _both(recorded[key], rebuilt[key], f"{place}.{key}".lstrip("."))
    elif isinstance(recorded, list) and isinstance(rebuilt, list):
        if len(recorded) == len(rebuilt):
            for number, pair in enumerate(zip(recorded, rebuilt, strict=True)):
                yield from _both(*pair, f"{place}[{number}]")
        else:
            yield place, f"{len(recorded)} items", f"{len(rebuilt)} items"
    else:
        yield place, recorded, rebuilt
