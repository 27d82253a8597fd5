"""Every change of a file fails once, every record and file is damaged, and the same command ends as if nothing was."""

import itertools
import json
import random
import re
import shutil

import pytest

import damages
import forked
from bakeoff import checkpoints, tuning
from bakeoff.analysis.reading import read_rows
from bakeoff.data import cache
from bakeoff.errors import UserError
from bakeoff.identity import purpose
from bakeoff.reporting.build import MANIFEST, PAGE
from bakeoff.run_folder import DAMAGED, STATUSES
from bakeoff.study_file import find_study
from bakeoff.study_folder import StudyFolder
from forked import FAULTS, leftovers, outcomes, unseal

#: How many of all faults the normal suite tries, and in how many parts the others are.
SAMPLE, PARTS = 3, 10


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A study file and its text."""
    chance, folder = random.Random(0), tmp_path_factory.mktemp("small")  # noqa: S311 (no secret)
    words = ["".join(chance.choices("abcdefgh", k=chance.randint(2, 7))) for _ in range(60)]
    paragraphs = (" ".join(chance.choices(words, k=20)) for _ in range(120))
    (folder / "small.txt").write_text("\n\n".join(paragraphs))
    (folder / "small.py").write_text(forked.STUDY.format(corpus=str(folder / "small.txt")))
    return folder / "small.py"


@pytest.fixture(scope="module")
def commands(tmp_path_factory):
    library = forked.library(tmp_path_factory.mktemp("library"))
    if library is None:
        pytest.skip("needs Linux and a C compiler")
    commands = forked.Commands(library)
    yield commands
    commands.close()


class Case:
    """A folder of its own in which the study is run."""

    def __init__(self, commands, small, folder):
        self.commands, self.small, self.folder = commands, small, folder
        self.disk, self.study = folder / "disk", folder / "disk" / "runs" / "small"

    def run(self, **fault):
        return self.commands(
            self.folder, "run", str(self.small), "--no-report", "--out", str(self.study.parent), **fault
        )

    def tune(self, **fault):
        return self.commands(self.folder, "tune", str(self.small), "--out", str(self.study.parent), **fault)

    def rates(self):
        return json.loads((self.study.with_name("small-tune") / tuning.FILE).read_text())["rates"]

    def report(self, **fault):
        return self.commands(self.folder, "report", str(self.study), **fault)

    def report_files(self):
        folder = self.study / "report"
        return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}

    def ends_undisturbed(self, calm):
        """What is wrong with how the command ends now; None where nothing is."""
        done = self.run()
        if done.status or "Traceback" in done.said:
            return done
        if outcomes(self.study) != outcomes(calm.study):
            return "other results"
        return leftovers(self.disk) or None


@pytest.fixture(scope="module")
def new_case(commands, small, tmp_path_factory):
    return lambda: Case(commands, small, tmp_path_factory.mktemp("case"))


@pytest.fixture(scope="module")
def calm(new_case):
    """The study that nothing disturbs, and how many operations it takes."""
    case = new_case()
    case.done = case.run()
    assert (case.done.status, case.done.fault) == (0, "")
    assert leftovers(case.disk) == []
    return case


# --- every operation fails once ---------------------------------------------------------------------------------------


def wrong_after(case, calm, fault, at):
    """What is wrong after that operation failed, and after the command was repeated; None where nothing is."""
    first = case.run(fault=fault, at=at)
    if "Traceback" in first.said or first.status not in ((-9, 0, 1) if fault.startswith("killed") else (0, 1)):
        return first
    if first.status == 0 and outcomes(case.study) != outcomes(calm.study):
        return first, "success is told, and the results are others"
    told = case.commands(case.folder, "status", str(case.study))
    if "Traceback" in told.said or told.status not in (0, 2):
        return told
    wrong = case.ends_undisturbed(calm)
    shutil.rmtree(case.folder)
    return wrong and (first, wrong)


def survey(new_case, calm, faults):
    wrong = {(fault, at): wrong_after(new_case(), calm, fault, at) for fault, at in faults}
    assert {place: what for place, what in wrong.items() if what} == {}


def test_after_some_faults_the_same_command_ends_as_if_there_was_none(new_case, calm):
    chance = random.Random(1)  # noqa: S311 (no secret)
    kinds = [*FAULTS, "killed before", "disk full"]
    survey(new_case, calm, [(kinds[n], chance.randint(1, calm.done.operations)) for n in range(SAMPLE)])


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("fault", FAULTS)
def test_after_any_fault_the_same_command_ends_as_if_there_was_none(new_case, calm, fault, part):
    survey(new_case, calm, [(fault, at) for at in range(1 + part, calm.done.operations + 1, PARTS)])


@pytest.fixture(scope="module")
def reported(new_case, calm):
    """The study with a report that nothing disturbs, and how many operations that takes."""
    case = new_case()
    shutil.copytree(calm.disk, case.disk)
    case.done = case.report()
    assert case.done.status == 0
    return case


def wrong_after_a_report(case, reported, fault, at):
    """What is wrong with a report in which that operation failed, and with the next; None where nothing is."""
    shutil.copytree(reported.disk, case.disk)
    page = case.study / "report" / PAGE
    if at % 2:  # there may be an earlier one, which is replaced
        shutil.rmtree(page.parent)
    first = case.report(fault=fault, at=at)
    if "Traceback" in first.said or first.status not in (-9, 0, 1):
        return first
    if page.exists() and not {*(page.parent / MANIFEST).read_text().split()} <= case.report_files():
        return first, "half a report", case.report_files()
    again = case.report()
    wrong = again.status or case.report_files() != reported.report_files() or leftovers(case.disk)
    shutil.rmtree(case.folder)
    return (first, again, wrong) if wrong else None


def survey_reports(new_case, reported, places):
    kinds = list(FAULTS)
    wrong = {at: wrong_after_a_report(new_case(), reported, kinds[at % len(kinds)], at) for at in places}
    assert {at: what for at, what in wrong.items() if what} == {}


def test_after_some_faults_a_report_is_whole_or_not_there(new_case, reported):
    survey_reports(new_case, reported, [10, reported.done.operations - 9])


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_after_any_fault_a_report_is_whole_or_not_there(new_case, reported, part):
    survey_reports(new_case, reported, range(1 + part, reported.done.operations + 1, PARTS))


def wrong_after_a_search(case, found, fault, at):
    """What is wrong with a search in which that operation failed, and with the next; None where nothing is."""
    first = case.tune(fault=fault, at=at)
    if "Traceback" in first.said or first.status not in (-9, 0, 1):
        return first
    if first.status == 0 and case.rates() != found.rates():
        return first, "success is told, and the rates are others"
    again = case.tune()
    left = [path for path in leftovers(case.disk) if path.is_file()]
    wrong = again.status or case.rates() != found.rates() or left
    shutil.rmtree(case.folder)
    return (first, again, wrong) if wrong else None


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_after_some_faults_a_search_finds_the_same_rates_or_says_that_it_has_not(new_case, part):
    found = new_case()
    done = found.tune()
    assert (done.status, done.fault) == (0, "")
    kinds = list(FAULTS)
    # Each takes two whole searches: some eight places a part, and none of a part is one of another.
    places = range(1 + part, done.operations + 1, 8 * PARTS + 1)
    wrong = {at: wrong_after_a_search(new_case(), found, kinds[n % len(kinds)], at) for n, at in enumerate(places)}
    assert {at: what for at, what in wrong.items() if what} == {}


@pytest.fixture(scope="module")
def pair(small):
    """A study of two experiments."""
    other = "contenders=[(LSTM(embedding=8, hidden=8, dropout=0.2), Adam(lr=3e-2)), ("
    path = small.with_name("pair.py")
    path.write_text(small.read_text().replace("contenders=[(", other))
    return path


def judged(done):
    """What a comparison came to."""
    return json.loads(done.said[done.said.index("{\n") :])


def wrong_after_a_comparison(case, judge, calm, fault, at):
    """What is wrong with a comparison in which that operation failed, and with the next; None where nothing is."""
    first = judge(case, fault=fault, at=at)
    if "Traceback" in first.said or first.status not in (-9, 0, 1):
        return first
    if first.status == 0 and judged(first) != judged(calm):
        return first, "success is told, and the verdict is another"
    again = judge(case)
    wrong = again.status or judged(again) != judged(calm) or leftovers(case.disk)
    shutil.rmtree(case.folder)
    return (first, again, wrong) if wrong else None


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_after_some_faults_a_comparison_comes_to_the_same_or_to_nothing(new_case, pair, part):
    def judge(case, **fault):
        asked = ("--baseline", "1", "--candidate", "2", "--looks", "3,4", "--out", "disk/runs", "--json")
        return case.commands(case.folder, "judge", str(pair), *asked, **fault)

    calm = judge(new_case())
    assert (calm.status, calm.fault) == (0, "")
    kinds = list(FAULTS)
    places = range(1 + part, calm.operations + 1, 8 * PARTS + 1)
    wrong = {
        at: wrong_after_a_comparison(new_case(), judge, calm, kinds[n % len(kinds)], at) for n, at in enumerate(places)
    }
    assert {at: what for at, what in wrong.items() if what} == {}


# --- every record and every file is damaged ---------------------------------------------------------------------------


def variants(record):
    """The record with each of its keys changed to each other value, or missing."""
    for path in damages.places(record, most=1):
        for other in (*damages.OTHERS, ...):
            yield f"{path} {other!r:.20}", damages.changed(record, path, other)


@pytest.fixture
def copied(new_case, calm):
    case = new_case()
    shutil.copytree(calm.disk, case.disk)
    return case


RECORDS = ("summary.json", "spec.json", "environment.json", "history.jsonl", "documents.json", "texts.json")


@pytest.mark.parametrize("every", [pytest.param(1, marks=pytest.mark.slow), 4])
@pytest.mark.parametrize("name", ["study.json", *RECORDS])
def test_whatever_key_of_a_record_is_changed_status_works_and_names_one_file(copied, name, every):
    unseal(copied.study)
    path, run = next(copied.study.rglob(name)), next(copied.study.rglob("summary.json")).parent
    lines = path.read_text().splitlines() if name == "history.jsonl" else [path.read_text()]
    wrong = {}
    for what, record in itertools.islice(variants(json.loads(lines[-1])), None, None, every):
        path.write_text("".join(f"{line}\n" for line in (*lines[:-1], json.dumps(record))))
        try:
            status, said = _read(copied.study)
        except Exception as error:  # noqa: BLE001 (each is counted)
            wrong[what] = repr(error)
            continue
        mends = ("remove it and repeat", "remove the summary.json beside it and repeat")
        named = str(path) in said or str(run) in said  # of two records that contradict each other it may be the other
        if status not in STATUSES or (status == DAMAGED and not (named and said.count("remove") == 1)):
            wrong[what] = status, said
        if status == DAMAGED and not any(mend in said for mend in mends):
            wrong[what] = said
    assert wrong == {}


def _read(study):
    """What status tells of the only run, and of a damage what is said."""
    try:
        (row,) = read_rows(StudyFolder(study)).rows
    except UserError as error:
        return DAMAGED, str(error)
    return row.status, row.error or ""


def test_whatever_key_of_found_rates_is_changed_is_said_in_one_line(small, tmp_path):
    study, _ = find_study(str(small))
    path = tuning.folder(tmp_path, study, study) / tuning.FILE
    trials = [{"lr": rate, "status": "finished", "valid_loss": 1.0, "valid_perplexity": 2.7} for rate in (0.01, 0.03)]
    rates = {experiment.slug: {"lr": 0.01, "trials": trials} for experiment in study.experiments}
    found = {"for": purpose(study), "rates": rates}
    path.parent.mkdir()
    wrong = {}
    for what, record in variants(found):
        path.write_text(json.dumps(record))
        try:
            tuning.apply(tmp_path, study, study)
        except UserError as error:
            wrong |= {} if "): repeat `bakeoff tune " in str(error) else {what: str(error)}
        except Exception as error:  # noqa: BLE001 (each is counted)
            wrong[what] = repr(error)
    assert wrong == {}


def test_whatever_key_of_a_checkpoint_is_changed_it_is_not_believed(tmp_path):
    facts = {"step": 3, "samples": [{"step": 1, "nats": 2.5}], "kept": {"alone": True, "best": {"epoch": 0}}}
    path = tmp_path / "checkpoint.safetensors"
    checkpoints.save(path, {}, facts)
    inside = json.loads(json.loads(path.read_bytes()[8:])["__metadata__"]["bakeoff"])  # after the header's size
    for what, other in variants(inside):
        record = json.dumps({"__metadata__": {"bakeoff": json.dumps(other)}}).encode()
        path.write_bytes(len(record).to_bytes(8, "little") + record)
        if json.dumps(other) != json.dumps(inside):
            with pytest.raises(ValueError, match="damaged"):
                pytest.fail(f"{what} is believed: {checkpoints.load(path)}")


def test_whatever_key_of_a_caches_facts_is_changed_what_was_derived_is_whole(tmp_path, monkeypatch):
    monkeypatch.setenv("BAKEOFF_CACHE", str(tmp_path))

    def make(folder):
        (folder / "tokens").write_text("whole")

    path = cache.entry("tokens/a", make) / cache.CHECKSUMS
    facts = json.loads(path.read_text())
    for what, other in variants(facts):
        path.write_text(json.dumps(other))
        assert (cache.entry("tokens/a", make) / "tokens").read_text() == "whole", what
        (path.parent / "tokens").write_text("other")
        assert (cache.entry("tokens/a", make) / "tokens").read_text() == "whole", what


def flip(content):
    middle = len(content) // 2
    content = content or bytes(1)  # as of a claim that was being made
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def change_a_digit(content):
    """Of what was measured, in a record that tells of it: as good a number."""
    at = max(content.find(b'"valid"'), 0)
    return content[:at] + re.sub(rb"[1-8]", lambda digit: bytes([digit[0][0] + 1]), content[at:], count=1)


DAMAGES = {
    "gone": None,
    "empty": lambda content: b"",
    "cut": lambda content: content[: len(content) // 2],
    "flipped": flip,
    "another digit": change_a_digit,
}
#: What no command reads again; weights of a run that is over are checked when they are loaded.
NOT_READ = {"small.py", ".lock", "run.lock", "log.txt", "best.safetensors"}


def wrong_after_damage(case, calm, path):
    """What is wrong after a damage, and after the advice that was given was followed; None where nothing is."""
    told = case.commands(case.folder, "status", str(case.study))
    if "Traceback" in told.said or told.status not in (0, 1, 2):
        return told
    first = case.run()
    if "Traceback" in first.said:
        return first
    for name in re.findall(r"(\S+) is damaged \(.*\): remove it and repeat the command", first.said):
        (case.folder / name).unlink()
    for name in re.findall(r"(\S+)/\S+ is damaged .* remove the summary.json beside it", first.said):
        (case.folder / name / "summary.json").unlink()
    wrong = case.ends_undisturbed(calm)
    return wrong and (first, wrong)


def damaged_files(calm):
    files = [path.relative_to(calm.folder) for path in sorted(calm.disk.rglob("*")) if path.is_file()]
    return [path for path in files if path.name not in NOT_READ and path.suffix != ".lock"]


@pytest.fixture(scope="module")
def cut_off(new_case, calm):
    """The study in the middle of its run, which was killed as the command was: with a checkpoint and no summary."""
    case = new_case()
    case.run(fault="killed before", at=calm.done.operations * 3 // 4)
    (run,) = case.study.glob("*/seed-*")
    (run / "summary.json").unlink(missing_ok=True)
    assert (run / "checkpoint.safetensors").is_file()
    assert (run / "history.jsonl").is_file()
    return case


def survey_damages(new_case, calm, damages, before=None):
    """What is wrong after each damage of the study as it was before, by default as it ends undisturbed."""
    wrong = {}
    for path, damage in damages:
        case = new_case()
        shutil.copytree((before or calm).disk, case.disk)
        target = case.folder / path
        content = target.read_bytes()
        target.unlink() if DAMAGES[damage] is None else target.write_bytes(DAMAGES[damage](content))
        if what := wrong_after_damage(case, calm, target):
            wrong[str(path), damage] = what
        shutil.rmtree(case.folder)
    assert wrong == {}


def test_after_some_damages_the_command_ends_as_if_there_was_none(new_case, calm):
    chance = random.Random(2)  # noqa: S311 (no secret)
    files = damaged_files(calm)
    survey_damages(new_case, calm, [(chance.choice(files), damage) for damage in ("gone", "flipped")])


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGES)
def test_after_any_damage_the_command_ends_as_if_there_was_none(new_case, calm, damage):
    survey_damages(new_case, calm, [(path, damage) for path in damaged_files(calm)])


def test_after_a_damage_of_a_run_that_is_not_over_the_command_ends_as_if_there_was_none(new_case, calm, cut_off):
    (run,) = (path.relative_to(cut_off.folder) for path in cut_off.study.glob("*/seed-*"))
    damages = [(run / "history.jsonl", "another digit"), (run / "checkpoint.safetensors", "flipped")]
    survey_damages(new_case, calm, damages, cut_off)


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGES)
def test_after_any_damage_of_a_run_that_is_not_over_the_command_ends_as_if_there_was_none(
    new_case, calm, cut_off, damage
):
    weights = [path.relative_to(cut_off.folder) for path in cut_off.study.rglob("*.safetensors")]
    files = {*damaged_files(cut_off), *weights}
    survey_damages(new_case, calm, [(path, damage) for path in sorted(files)], cut_off)
