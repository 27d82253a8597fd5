"""What a worker is asked to do, as one line of JSON."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from bakeoff.data import corpora
from bakeoff.identity import decode, encode
from bakeoff.spec import Corpus, Run
from bakeoff.study_file import BUILT_IN, decode_run


@dataclass(frozen=True, kw_only=True)
class Job:
    """What a worker is asked to do.

    Attributes:
        run: The run.
        folder: Where it is recorded.
        device: A device that is here.
        alone: Whether it has the machine to itself, so that its times mean something.
        trial: Whether it only helps to choose what to train.
        source: The user's study file, if the run's specs are defined in one.
        text: Where the corpus lies here, if not where the run says.
    """

    run: Run
    folder: Path
    device: str
    alone: bool
    trial: bool = False
    source: Path | None = None
    text: Path | None = None

    def to_line(self) -> str:
        """The job as a line of JSON."""
        return json.dumps(vars(self) | {"run": encode(self.run)}, default=str)  # paths as text

    @classmethod
    def from_line(cls, line: str) -> "Job":
        """The inverse of `to_line`; executes the study file first, so that what it defines is known."""
        job = json.loads(line)
        job |= {name: job[name] and Path(job[name]) for name in ("folder", "source", "text")}
        with corpora.standing_in(decode(job["run"]["corpus"], BUILT_IN)):
            run = decode_run(job["run"], job["source"])
        return cls(**job | {"run": run})

    @property
    def corpus(self) -> Corpus:
        """The run's, as it can be read here."""
        return dataclasses.replace(self.run.corpus, path=str(self.text)) if self.text else self.run.corpus
