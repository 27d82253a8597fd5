"""What became of a study, for Python: its rows as a frame, its table in a notebook, its report."""

from dataclasses import dataclass
from html import escape
from pathlib import Path

import polars as pl

from bakeoff.analysis.reading import read_rows
from bakeoff.folders import require_ours
from bakeoff.reporting import table
from bakeoff.reporting.build import PAGE, build, flat
from bakeoff.study_folder import StudyFolder, find_studies, only_study


@dataclass(frozen=True, kw_only=True)
class Results:
    """What `bakeoff.run` and `bakeoff.report` give; a notebook shows it as the report's table.

    Attributes:
        folder: Of the study.
        page: The report's page; None where no report was asked for.
        failed: A line for everything that went wrong: runs, records, parts of the report. Empty if all is well.
    """

    folder: Path
    page: Path | None
    failed: tuple[str, ...] = ()

    def rows(self) -> pl.DataFrame:
        """A line a run, as `bakeoff.rows` gives them."""
        return rows(self.folder)

    def _repr_html_(self) -> str:
        failed = "".join(f"<p>{escape(line)}</p>" for line in self.failed)
        link = escape(self.page.as_posix()) if self.page else ""
        report = f'<p>report: <a href="{link}">{link}</a></p>' if link else ""
        return table.html(read_rows(StudyFolder(self.folder))) + failed + report


def report(folder: str | Path = "runs", out: str | Path | None = None, *, beside_published: bool = False) -> Results:
    """Rebuild a study's report from its run folders; this never trains.

    Args:
        folder: The study's, such as `runs/quick`, or one with that study alone.
        out: Write it into this folder, not into the study's: one folder a study.
        beside_published: Show the course report's table too, as in the study `seed`.

    Raises:
        UserError: There is no study, or there are several; or `out` holds files that no report made.
        DamagedError: What the study declares is not what was written.
    """
    study = only_study(Path(folder))
    into = Path(out) / study.path.resolve().name if out else None
    if into:
        require_ours(into, PAGE)
    built = build(study, into, beside_published=beside_published)
    failed = tuple(f"{built.page}: {reason}" for reason in built.failed)
    return Results(folder=study.path, page=built.page, failed=failed)


def rows(folder: str | Path = "runs") -> pl.DataFrame:
    """A line for every declared run of a study, or of the studies in a folder.

    Its columns are `study` and those of a row in `results.json`; a value inside another has the names of both with `_`
    between them, such as `valid_perplexity` or `last_test_nats`. What a run has not reached is null. With the extra
    `pandas` installed `.to_pandas()` gives its frame.

    Raises:
        UserError: There is no study.
        DamagedError: What a study declares is not what was written.
    """
    studies = map(read_rows, find_studies(Path(folder)))
    frames = [flat(study).select(pl.lit(study.study["study"]).alias("study"), pl.all()) for study in studies]
    return pl.concat(frames, how="diagonal_relaxed")
