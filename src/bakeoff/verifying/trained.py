"""A run beside what came of training it again."""

from bakeoff import words
from bakeoff.errors import UserError
from bakeoff.run_folder import DIVERGED, FINISHED, MISSING, Records, RunFolder
from bakeoff.shapes import Json
from bakeoff.spec import Run
from bakeoff.verifying.recorded import Over, sha256_there
from bakeoff.verifying.review import Review

#: What losses of a run that is trained again may differ by, as a share, where the same bits are not promised: as much
#: as another seed changes them.
TRAINED = 0.005
#: What of an environment has to be the same for a run to have the same bits again.
PLACE = ("sources", "python", "torch", "numpy", "processor", "device", "device_name")


def compare(review: Review, over: Over, run: Run, again: RunFolder, *, whole: bool) -> None:
    """Compare a run with what came of training it again, or of its beginning where that was stopped on purpose."""
    records, made, path = over.records, again.read(), over.folder.path
    beginning = not whole and len(made.history) > 1  # also of a run that was over before it could be stopped
    if made.status not in (FINISHED, DIVERGED) and not beginning:
        raise UserError(made.summary.get("error", made.status))
    why = _not_to_the_bit(over, run, made.environment)
    if beginning:
        review.not_checked.append(f"{path}, trained again past its first epoch: that was not asked for")
        records, made = (
            each._replace(status=MISSING, summary={}, documents={}, texts={}, history=each.history[:2])
            for each in (records, made)
        )
    if not why:
        review.compare("trained", path / "history.jsonl", records.history, made.history)
        review.compare("trained", path / "summary.json", records.summary, made.summary)
        review.compare("trained", path / "documents.json", records.documents, made.documents)
        review.compare("trained", path / "texts.json", records.texts, made.texts)
        if not beginning and over.folder.best_weights.is_file():
            kept, made_again = sha256_there(over.folder.best_weights), sha256_there(again.best_weights)
            review.compare("trained", over.folder.best_weights, kept, made_again)
        return
    review.not_checked.append(
        f"{path}, trained again to the bit: {words.joined(why)}; its losses may differ by {words.percent(TRAINED)}"
    )
    review.compare("trained", path / "summary.json", {"status": records.status}, {"status": made.status})
    review.compare("trained", path / "history.jsonl", _losses(records), _losses(made), share=TRAINED)


def _not_to_the_bit(over: Over, run: Run, here: Json) -> list[str]:
    """Why a run may have other bits than before."""
    there = over.records.environment
    told = {key: (there.get(key, "not recorded"), here[key]) for key in PLACE}
    why = [f"{key} was {before} and is {now}" for key, (before, now) in told.items() if before != now]
    if run.budget.compiles(run.architecture):
        why.append("it is compiled")
    if here["device"] != "cpu":
        why.append(f"it is computed on {here['device']}")
    return why


def _losses(records: Records) -> Json:
    """What a run reached, in nats per token."""
    splits = {
        f"epoch {line['epoch']}": {split: line[split] for split in ("train", "valid")} for line in records.history
    }
    found = splits | {"test": records.summary.get("test") or {}}
    return {
        place: {name: sums["nats"] / sums["tokens"] for name, sums in each.items()} for place, each in found.items()
    }
