"""The report of a study: what it says, its tables and figures, the page and the PDF."""

import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bakeoff.report.results import Results


class _Report(ModuleType):
    """This package, which has the name of a verb: called, it does what the verb does."""

    def __call__(
        self, folder: str | Path = "runs", out: str | Path | None = None, *, beside_published: bool = False
    ) -> "Results":
        """As `bakeoff.report.results.report`."""
        from bakeoff.report.results import report  # noqa: PLC0415 (importing bakeoff must stay light)

        return report(folder, out, beside_published=beside_published)


sys.modules[__name__].__class__ = _Report
