"""The report, written again from the records and compared line by line."""

import json
import math
import re
import tempfile
from itertools import zip_longest
from pathlib import Path

from bakeoff import decisions
from bakeoff.reporting.build import MANIFEST, PAGE, RESULTS, build
from bakeoff.shapes import Json
from bakeoff.study_folder import StudyFolder
from bakeoff.verifying.review import ROUNDING, WRITTEN, Difference, Review

#: The parts of a report that are read line by line; the others show the same as pictures or in print.
READ = (".json", ".csv", ".md", ".tex", ".html", ".svg")
#: What a report calls its study's folder, which whoever has a copy may have renamed.
PLACED = re.compile(r"\bruns/([\w./-]+?)/\d\d+-[\w-]+/seed-")
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
#: Characters that are shown of a line that differs, and how many of them before the first difference.
SHOWN, BEFORE = 80, 20


def compare(review: Review, study: StudyFolder) -> None:
    """Write the report again, elsewhere, and compare it line by line."""
    recorded = study.report
    if not (recorded / PAGE).is_file():
        review.not_checked.append(f"{study.path}: a report; none was written there")
        return
    if any(found.recorded == WRITTEN and Path(found.where).is_relative_to(study.path) for found in review.differences):
        review.not_checked.append(f"{recorded}: it is made of records that are not what was written")
        return
    page, before = (recorded / PAGE).read_text(encoding="utf-8", errors="replace"), len(review.differences)
    with tempfile.TemporaryDirectory(prefix="bakeoff-verify-") as temporary:
        rebuilt, named = Path(temporary, "report"), _as_it_was_called(study, page, Path(temporary))
        built = build(named, rebuilt, beside_published='<section id="published"' in page)
        if changed := _ended_otherwise(recorded, rebuilt):
            review.differences.extend(changed)
            review.not_checked.append(
                f"{recorded}: its numbers, as it tells of runs that are no longer what they were: "
                f"`bakeoff report {study.path}` writes it anew"
            )
            return
        names = (rebuilt / MANIFEST).read_text(encoding="utf-8").splitlines()
        for name in sorted(names):
            if name[0] != "." and name.endswith(READ):
                _lines(review, recorded / name, rebuilt / name)
    review.not_checked.extend(f"{recorded}: {reason}" for reason in built.failed)
    review.not_checked.append(f"{recorded}: its PDF and its pictures in PNG, which show the same once more")
    if len(review.differences) > before:
        review.not_checked.append(f"{recorded}: which version wrote it; another may say the same in other words")
        written = (recorded / PAGE).stat().st_mtime
        records = (path for path in sorted(study.path.rglob("*.json")) if not path.is_relative_to(recorded))
        if newer := next((path for path in records if path.stat().st_mtime > written), None):
            review.not_checked.append(
                f"{recorded}: whether it was right when it was written, as {newer} is newer: "
                f"`bakeoff report {study.path}` writes it anew"
            )


def _as_it_was_called(study: StudyFolder, page: str, temporary: Path) -> StudyFolder:
    """The study below the name that its report has for it."""
    here = study.path.resolve()
    if (called := next(iter(PLACED.findall(page)), here.name)) == here.name:
        return study
    named = StudyFolder(temporary / "study" / called)
    named.path.mkdir(parents=True)
    if "/" in called:  # it is a part of a whole
        (named.path.parent / decisions.FILE).touch()
    for each in here.iterdir():
        (named.path / each.name).symlink_to(each)
    return named


def _ended_otherwise(recorded: Path, rebuilt: Path) -> list[Difference]:
    """Runs that a report tells to be over, or not, and that now are not, or are: all of its lines differ then."""
    where = recorded / RESULTS
    try:
        old, new = (_statuses(json.loads((path / RESULTS).read_bytes())) for path in (recorded, rebuilt))
    except (OSError, ValueError, LookupError, TypeError):
        return []  # read line by line that is told, too
    both = [run for run in new if run in old]
    return [Difference(f"{where}, #{n} seed {s}", old[n, s], new[n, s]) for n, s in both if old[n, s] != new[n, s]]


def _statuses(results: Json) -> dict[tuple[int, int], str]:
    return {(row["number"], row["seed"]): row["status"] for row in results["rows"]}


def _lines(review: Review, recorded: Path, rebuilt: Path) -> None:
    """Compare two texts; numbers may differ by rounding."""
    if not recorded.is_file():
        review.differences.append(Difference(str(recorded), "no such file", "a part of the report"))
        return
    old_text, new_text = (path.read_text(encoding="utf-8", errors="replace") for path in (recorded, rebuilt))
    review.checked["report"] += len(NUMBER.findall(new_text))
    old_lines, new_lines = old_text.splitlines(), new_text.splitlines()
    if len(old_lines) != len(new_lines):
        review.differences.append(Difference(str(recorded), f"{len(old_lines)} lines", f"{len(new_lines)} lines"))
        return
    for number, (old, new) in enumerate(zip(old_lines, new_lines, strict=True), start=1):
        if old != new and not _same_but_for_rounding(old, new):
            apart = next(place for place, (a, b) in enumerate(zip_longest(old, new)) if a != b)
            shown = slice(max(0, apart - BEFORE), max(0, apart - BEFORE) + SHOWN)
            review.differences.append(Difference(f"{recorded}, line {number}", old[shown], new[shown]))


def _same_but_for_rounding(old: str, new: str) -> bool:
    numbers = zip(NUMBER.findall(old), NUMBER.findall(new), strict=False)
    return NUMBER.split(old) == NUMBER.split(new) and all(
        math.isclose(float(a), float(b), rel_tol=ROUNDING) for a, b in numbers
    )
