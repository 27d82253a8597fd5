"""What a worker is asked to do, there and back."""

import dataclasses

import pytest

from bakeoff.data import corpora
from bakeoff.errors import UserError
from bakeoff.job import Job
from bakeoff.optimizers import Momentum
from bakeoff.study_file import load_study


@pytest.fixture(scope="module")
def run(tiny_study):
    """The study's first run, resolved as the runner would, of an LSTM that soon learns the text by heart."""
    study = tiny_study.with_shared(precision="fp32", threads=1, epochs=4)
    return dataclasses.replace(study.runs[0], optimizer=Momentum(lr=1.0), seed=3)


@pytest.mark.parametrize("source", [True, False])
def test_a_job_survives_its_line(run, tmp_path, source):
    study_file = tmp_path / "study.py"
    study_file.write_text("from bakeoff.experiments import QUICK as study\n")
    job = Job(
        run=run,
        folder=tmp_path / "ä b",
        device="cpu",
        alone=False,
        trial=source,
        source=study_file if source else None,
    )
    assert "\n" not in job.to_line()
    assert Job.from_line(job.to_line()) == job


OWN = """
from bakeoff.data.corpora import choose
from bakeoff.models import LSTM
from bakeoff.optimizers import Adam
from bakeoff.spec import Budget, Study

class Mine(LSTM):
    name, title = "mine", "Mine"

study = Study.of("mine", corpus=choose("mine.txt"), budget=Budget(), contenders=[(Mine(), Adam())])
"""


def test_a_study_file_is_executed_where_its_text_is_not(tmp_path, monkeypatch):
    """As on a node, where the command's folder is not the working folder."""
    (tmp_path / "mine.txt").write_text("a text\n")
    (tmp_path / "study.py").write_text(OWN)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    run = load_study(tmp_path / "study.py").runs[0]
    line = Job(run=run, folder=tmp_path, device="cpu", alone=False, source=tmp_path / "study.py").to_line()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert Job.from_line(line).run.slug == run.slug
    assert Job.from_line(line).corpus.path == str(tmp_path / "mine.txt")
    with pytest.raises(UserError, match="no corpus"):
        corpora.choose("mine.txt")
