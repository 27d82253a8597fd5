"""What a page costs is measured on runs that are trained for it, and nothing of them stays."""

import pytest

import drawing
from bakeoff.run_folder import RunFolder

STUDY = """
from bakeoff.data.corpora import choose
from bakeoff.models import LSTM
from bakeoff.optimizers import Adam
from bakeoff.spec import Budget, Study

study = Study.of(
    "drawn",
    corpus=choose({corpus!r}),
    budget=Budget(
        epochs=1, epoch_steps=20, batch_size=4, sequence_length=16, vocabulary=300, threads=1, precision="fp32"
    ),
    contenders=[(LSTM(embedding=8, hidden=8), Adam(lr=rate)) for rate in (1e-2, 3e-2)],
)
"""


def test_what_drawing_takes_is_told_as_a_share_of_what_training_takes(tmp_path, tiny_corpus_file, monkeypatch, capsys):
    monkeypatch.setattr(drawing.tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    (tmp_path / "drawn.py").write_text(STUDY.format(corpus=str(tiny_corpus_file)))
    took, whole = {"train_seconds": 2.0, "processor_seconds": 4.0}, RunFolder.summary.fget
    monkeypatch.setattr(RunFolder, "summary", property(lambda folder: (its := whole(folder)) and its | took))
    monkeypatch.setattr("sys.argv", ["drawing", str(tmp_path / "drawn.py"), "2"])
    drawing.main()
    head, _, line = (
        [cell.strip() for cell in line.strip("|\n ").split("|")] for line in capsys.readouterr().out.splitlines()
    )
    assert head == drawing.HEAD
    told = dict(zip(head, line, strict=True))
    assert (told["study"], told["runs"]) == ("drawn", "1")
    assert int(told["drawings"]) >= 2, "before and after"
    drawn = float(told["processor seconds of drawing"])
    assert drawn > 0
    assert told["of training"] == "4"
    assert float(told["share"].rstrip("%")) == pytest.approx(100 * drawn / 4, abs=0.14)  # of seconds with two digits
    assert float(told["of training's seconds"].rstrip("%")) == pytest.approx(100 * drawn / 2, abs=0.27)
    assert list((tmp_path / "temporary").rglob("study.json")) == []
