"""A study by name, or from a user's file whose errors name their line."""

import pytest

from bakeoff.errors import UserError
from bakeoff.experiments import STUDIES
from bakeoff.identity import identity
from bakeoff.models import count_parameters
from bakeoff.study_file import find_study

STUDY = """\
from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from bakeoff.optimizers import Adam
from bakeoff.spec import Architecture, Budget, Corpus, Study


@dataclass(frozen=True, kw_only=True)
class Bag(Architecture):
    name: ClassVar[str] = "bag"
    title: ClassVar[str] = "Bag of nothing"

    def build(self, vocabulary, sequence_length):
        return nn.Embedding(vocabulary, 2)


study = Study.of(
    "mine", corpus=Corpus(name="vital-articles"), budget=Budget(), contenders=[(Bag(), Adam()), (Bag(layers=2), Adam())]
)
"""


@pytest.mark.parametrize("name", ["quick", "wikitext-2", "seed"])
def test_built_in_studies_go_by_their_names(name):
    assert find_study(name) == (STUDIES[name], None)


def test_a_users_file_defines_models_that_can_be_built(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(STUDY)
    monkeypatch.chdir(tmp_path)
    study, source = find_study("mine.py")
    assert source == tmp_path / "mine.py"
    assert [experiment.slug for experiment in study.experiments] == ["01-bag-1-adam", "02-bag-2-adam"]
    assert count_parameters(study.experiments[0].architecture, 300, 8) == (600, 600)


@pytest.mark.parametrize("directory", ["relative", "absolute"])
@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("study = Stdy.of(1)", "NameError"),
        ("study = = 1", "SyntaxError"),
        ("from bakeoff.spec import Budget; Budget(epochs=0)", "epochs must be a whole number from 1"),
        ("import no_such_module", "no_such_module"),
    ],
)
def test_an_error_in_a_file_is_one_line_that_names_the_line(tmp_path, monkeypatch, line, says, directory):
    path = tmp_path / "mine.py"
    path.write_text(f"import math\n\n{line}\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as caught:
        find_study("mine.py" if directory == "relative" else str(path))
    message = str(caught.value)
    assert "mine.py:3: " in message
    assert says in message
    assert line in message
    assert "\n" not in message


def test_an_edited_text_is_another_corpus(tmp_path):
    text, path = tmp_path / "own.txt", tmp_path / "mine.py"
    path.write_text(
        f"""from bakeoff.experiments import QUICK
from bakeoff.spec import Corpus
study = QUICK.with_shared(corpus=Corpus(name="own", path={str(text)!r}))
"""
    )
    identities = set()
    for content in ("one", "two"):
        text.write_text(content)
        identities.add(identity(find_study(str(path))[0]))
    assert len(identities) == 2


@pytest.mark.parametrize("text", ["", "study = 1\n"])
def test_a_file_without_a_study_is_told_so(tmp_path, text):
    (tmp_path / "mine.py").write_text(text)
    with pytest.raises(UserError, match=r"\A[^\n]*defines no study[^\n]*\Z"):
        find_study(str(tmp_path / "mine.py"))


@pytest.mark.parametrize(("name", "says"), [("qick", "quick"), ("none.py", "no study file")])
def test_what_is_no_study_is_told_in_one_line(name, says):
    with pytest.raises(UserError, match=rf"\A[^\n]*{says}[^\n]*\Z"):
        find_study(name)
