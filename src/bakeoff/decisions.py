"""What a command that trains in several parts has decided so far, in the words in which it said so.

A text of a line each lies where all its parts do: in the folder of a choice, of a search for learning rates, or of a
study that is judged. Pages show it while the command is at work, and it can be read afterwards.
"""

from collections.abc import Callable
from pathlib import Path

from bakeoff.errors import plain
from bakeoff.files import written_atomically

#: The text's name, and how its last line begins once all is decided.
FILE, ANSWER = "decisions.txt", "the answer: "
#: What lies beside it where the whole is a choice.
CHOICE_FILE = "choice.json"


class Decisions:
    """Says each decision, and keeps it.

    Args:
        folder: Where the text lies, locked by this command, which says again what an earlier one has left there.
        say: Shows a line.
    """

    def __init__(self, folder: Path, say: Callable[[str], object]) -> None:
        self.path, self.say = folder / FILE, say
        self.lines: list[str] = []
        self.path.unlink(missing_ok=True)

    def __call__(self, decision: str) -> None:
        """Say it, and keep it."""
        self.say(decision)
        self._keep(decision)

    def end(self, answer: str) -> None:
        """Keep what it all came to, which whoever asked is told otherwise."""
        self._keep(f"{ANSWER}{answer}")

    def _keep(self, decision: str) -> None:
        self.lines.append(plain(" ".join(decision.split())))
        with written_atomically(self.path) as temporary:
            temporary.write_text("".join(f"{line}\n" for line in self.lines), encoding="utf-8")


def forget(study: Path) -> None:
    """What was decided between some of a study's experiments is of interest no more, as all of it is at work."""
    (study / FILE).unlink(missing_ok=True)


def whole_of(study: Path) -> Path:
    """The folder of the choice or the search that a study is a part of; without one, its own."""
    return study.parent if (study.parent / FILE).is_file() else study


def place(study: Path) -> str:
    """Where a study lies in the folder of all: `quick`, or `choose-my/final` as a part of a whole."""
    path = study.resolve()
    return path.relative_to(whole_of(path).parent).as_posix()


def over(decided: list[str]) -> bool:
    """Whether these are all decisions."""
    return bool(decided) and decided[-1].startswith(ANSWER)


def going_on(study: Path) -> str:
    """Which command goes on with a study, in words."""
    whole = whole_of(study)
    if whole == study:
        return "bakeoff run goes on with it"
    if not (whole / CHOICE_FILE).is_file():
        return "bakeoff tune goes on with it"
    if over(read(study)):
        return "the choice that it is of is over: give bakeoff choose more minutes, and another --out"
    return "bakeoff choose goes on with it"


def read(study: Path) -> list[str]:
    """What was decided so far of a study, or of the whole that it is a part of."""
    path = whole_of(study) / FILE
    return path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []
