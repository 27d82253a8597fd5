"""A study by name, or from a user's file whose errors name their line."""

import dataclasses
import json
import random
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from bakeoff import study_file
from bakeoff.data import corpora
from bakeoff.errors import UserError
from bakeoff.experiments import STUDIES
from bakeoff.identity import encode, identity
from bakeoff.models import Transformers, count_parameters
from bakeoff.optimizers import Adam
from bakeoff.spec import Architecture
from bakeoff.study_file import decode_run, find_study, load_study

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


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (
            "Bag.__module__, Bag.__qualname__ = Adam.__module__, 'Adam'",
            "says that it is of bakeoff.optimizers.of_torch",
        ),
        ("Bag.__module__ = 'bakeoff.mine'", "says that it is of bakeoff.mine"),
        ("Adam.build = lambda self, model: None", "it changes Adam, a class of Bakeoff's"),
        ("Architecture.layers = 2", "it changes Architecture, a class of Bakeoff's"),
    ],
)
def test_no_class_passes_for_bakeoffs_and_none_of_bakeoffs_is_changed(tmp_path, monkeypatch, lines, says):
    """Else runs would be of other code than is recorded."""
    for kind, name in ((Adam, "build"), (Architecture, "layers")):
        monkeypatch.setattr(kind, name, getattr(kind, name))  # which is put back
    (tmp_path / "mine.py").write_text(STUDY.replace("\n\nstudy =", f"\n\n{lines}\nstudy ="))
    with pytest.raises(UserError, match=says):
        find_study(tmp_path / "mine.py")


@pytest.mark.parametrize("name", ["bad\udcff.py", "bad\udcff.txt"])
def test_a_name_that_is_not_utf_8_is_named(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(STUDY.encode())
    with pytest.raises(UserError, match=r"bad\\udcff\.\w+ is not UTF-8: rename it"):
        find_study(path) if name.endswith(".py") else corpora.choose(str(path))


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


ADAM = """\
from dataclasses import dataclass
from typing import ClassVar

import bakeoff.optimizers
from bakeoff.experiments import QUICK
from bakeoff.models import LSTM
from bakeoff.optimizers import SGD
from bakeoff.spec import Study
from helpers import STEP


@dataclass(frozen=True, kw_only=True)
class Adam(SGD):
    name: ClassVar[str] = "my-adam"
    title: ClassVar[str] = "My Adam"
    factor: float = 2.0 * STEP


own, theirs = Adam(lr=0.5), bakeoff.optimizers.Adam(lr=0.5)
study = Study.of("both", corpus=QUICK.corpus, budget=QUICK.budget, contenders=[(LSTM(), own), (LSTM(), theirs)])
"""


@pytest.fixture
def adam(tmp_path):
    (tmp_path / "helpers.py").write_text("STEP = 1.0\n")
    (tmp_path / "mine.py").write_text(ADAM)
    return tmp_path / "mine.py"


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_class_called_as_one_of_bakeoffs_is_never_taken_for_it(adam):
    own, theirs = load_study(adam).runs
    assert type(theirs.optimizer) is Adam
    assert type(own.optimizer) is not Adam
    encoded = [json.loads(json.dumps(encode(run))) for run in (own, theirs)]
    assert [run["optimizer"]["type"] for run in encoded] == ["bakeoff_study.Adam", "Adam"]
    decoded = [decode_run(run, adam) for run in encoded]
    assert [identity(run) for run in decoded] == [identity(own), identity(theirs)]
    assert type(decoded[1].optimizer) is Adam
    assert decoded[0].optimizer.factor == 2.0


def test_what_is_bakeoffs_own_is_decoded_without_executing_anything(adam):
    theirs = encode(load_study(adam).runs[1])
    adam.write_text("raise SystemExit(7)\n")
    assert type(decode_run(theirs, adam).optimizer) is Adam


def test_mended_code_makes_other_runs_of_the_same_study(adam):
    before = load_study(adam)
    edit(adam.with_name("helpers.py"), "STEP = 1.0", "STEP = 3.0")
    after = load_study(adam)
    assert after.experiments[0].optimizer.factor == 6.0
    assert identity(after) == identity(before)
    assert identity(after.runs[0]) != identity(before.runs[0])
    assert identity(after.runs[1]) == identity(before.runs[1])


def test_a_run_is_not_computed_by_other_code_than_it_was_declared_with(adam):
    run = encode(load_study(adam).runs[0])
    edit(adam, "    factor:", "    another: int = 1\n    factor:")
    with pytest.raises(UserError, match=r"mine\.py has other code than this run was declared with"):
        decode_run(run, adam)


@pytest.mark.parametrize("source", ["mine.py", None])
def test_a_class_that_is_not_there_any_more_is_named(adam, source):
    run = encode(load_study(adam).runs[0])
    edit(adam, "class Adam", "class Madam")
    edit(adam, "own, theirs = Adam", "own, theirs = Madam")
    with pytest.raises(UserError, match=r"defines bakeoff_study\.Adam, which a run needs"):
        decode_run(run, source and adam)


#: Of a study file: what has a value that a record takes for another, and what cannot even be looked at.
ODD = """
import enum
class Sign(enum.StrEnum):
    OFF = "off"
class Raising:
    def __hash__(self):
        raise RuntimeError("not today")
"""


@pytest.mark.parametrize(
    ("field", "why"),
    [
        ("parts: list = field(default_factory=list)", "unhashable type: 'list'"),
        ("parts: object = print", "Object of type builtin_function_or_method is not JSON serializable"),
        ("parts: object = torch.float32", "Object of type dtype is not JSON serializable"),
        ("parts: float = float('inf')", "Out of range float values are not JSON compliant"),
        ("parts: object = (1.0, {2.0})", "unhashable type: 'set'"),
        ("parts: object = frozenset({1})", "Object of type frozenset is not JSON serializable"),
        ("parts: str = '\\ud800'", "surrogates not allowed"),
        ("parts: object = Raising()", "not today"),
    ],
)
def test_a_field_that_no_record_gives_back_is_refused_with_its_class_before_anything_is_written(adam, field, why):
    edit(adam, "    factor:", f"    {field}\n    factor:")
    edit(adam, "import dataclass\n", "import dataclass, field\n")
    edit(adam, "import bakeoff.optimizers", f"import bakeoff.optimizers\nimport torch\n{ODD}")
    with pytest.raises(
        UserError, match=rf"\AAdam has a field parts that cannot be kept in records \(.*{why}.*\): give"
    ):
        find_study(str(adam))


@pytest.mark.parametrize(
    ("trait", "why"),
    [
        ("rule = {1, 2}", "unhashable type: 'set'"),
        ("adaptive = object()", "not JSON serializable"),
        ("step_scale = float('nan')", "not JSON compliant"),
        ("step_scale = property(lambda self: 1 / 0)", "division by zero"),
    ],
)
def test_a_trait_that_no_record_can_hold_is_refused_as_well(adam, trait, why):
    edit(adam, "    factor:", f"    {trait}\n    factor:")
    with pytest.raises(UserError, match=rf"\AAdam has a field {trait.split()[0]} that cannot be kept .*{why}"):
        find_study(str(adam))


@pytest.mark.parametrize(
    "own",
    [
        "derived: int = field(default=1, init=False)",
        "type: str = 'a type'",
        "parts: object = Part()",
    ],
)
def test_what_cannot_be_built_of_its_record_is_refused(adam, own):
    part = "@dataclass(frozen=True)\nclass Part:\n    type: str = 'relu'\n"
    edit(adam, "    factor:", f"    {own}\n    factor:")
    edit(adam, "import dataclass\n", "import dataclass, field\n")
    edit(adam, "import bakeoff.optimizers", f"import bakeoff.optimizers\n{part}")
    with pytest.raises(UserError, match=r"\AAdam cannot be built again from its fields \("):
        find_study(str(adam))


def test_a_budget_of_ones_own_is_refused_as_no_run_would_know_of_its_code(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        STUDY.replace("budget=Budget()", "budget=Mine()").replace(
            "study =", "@dataclass(frozen=True, kw_only=True)\nclass Mine(Budget):\n    pass\n\n\nstudy ="
        )
    )
    with pytest.raises(UserError, match=r"\AMine is a class of its own: only models and optimizers can be, use Budget"):
        find_study(path)


KEEP = """
    def keep(self, value):
        object.__setattr__(self, "_kept", value)

    @functools.cached_property
    def twice(self):
        return 2 * self.factor

"""


@pytest.fixture
def keeping(adam):
    """The file with an optimizer that can hold something beside its fields, and has used one."""
    edit(adam, "    factor:", f"{KEEP}    factor:")
    edit(adam, "import bakeoff.optimizers", "import dataclasses\nimport functools\n\nimport bakeoff.optimizers")
    edit(adam, "study = ", "assert own.twice\nstudy = ")
    return adam


@pytest.mark.parametrize(
    ("made", "kept", "given"),
    [
        ("scale: dataclasses.InitVar[float] = 1.0\n    def __post_init__(self, scale):", "scale", "scale=3.0, "),
        ("def __post_init__(self):", "object()", ""),
        ("def __post_init__(self):", "__import__('numpy').arange(3)", ""),
    ],
)
def test_what_an_instance_holds_beside_its_fields_comes_back_too_or_is_refused(keeping, made, kept, given):
    edit(keeping, "    factor:", f"    {made}\n        self.keep({kept})\n\n    factor:")
    edit(keeping, "own, theirs = Adam(", f"own, theirs = Adam({given}")
    with pytest.raises(
        UserError, match=r"\AAdam has an attribute _kept, no field, that comes back from a record as an"
    ):
        find_study(keeping)


def test_what_is_computed_of_the_fields_and_kept_is_no_part_of_them(keeping):
    assert len(find_study(keeping)[0].experiments) == 2


@pytest.mark.parametrize(
    "own",
    [
        "parts: object = Sign.OFF",
        "parts: object = (0, Sign.OFF)",
        "parts: int = 3\n    def __post_init__(self):\n        object.__setattr__(self, 'parts', 2 * self.parts)",
    ],
)
def test_what_comes_back_from_its_record_as_another_is_refused(adam, own):
    edit(adam, "    factor:", f"    {own}\n    factor:")
    edit(adam, "import bakeoff.optimizers", f"import bakeoff.optimizers\n{ODD}")
    with pytest.raises(UserError, match=r"\AAdam has a field parts that comes back from a record as another value"):
        find_study(str(adam))


@pytest.mark.parametrize(
    "own", ["parts: object = (1, None, ('a', 0.5))", "parts: object = Part(3)", "parts: float = numpy.float64(0.1)"]
)
def test_parts_of_plain_values_are_taken(adam, own):
    part = "import numpy\n@dataclass(frozen=True)\nclass Part:\n    size: int = 2\n"
    edit(adam, "    factor:", f"    {own}\n    factor:")
    edit(adam, "import bakeoff.optimizers", f"import bakeoff.optimizers\n{part}")
    assert find_study(str(adam))[0].name


def test_a_model_of_the_library_is_taken():
    study = STUDIES["quick"]
    model = Transformers("llama", hidden_size=16, num_attention_heads=2, rope_parameters={"rope_theta": 10.0})
    experiment = dataclasses.replace(study.experiments[0], architecture=model)
    found, _ = find_study(dataclasses.replace(study, experiments=(experiment,)))
    assert found.experiments[0].architecture == model


def test_a_study_of_bakeoffs_own_classes_is_looked_at_as_well():
    study = STUDIES["quick"]
    adam = Adam()
    object.__setattr__(adam, "betas", [0.9, 0.99])
    experiment = dataclasses.replace(study.experiments[0], optimizer=adam)
    with pytest.raises(UserError, match="Adam has a field betas that cannot be kept in records"):
        find_study(dataclasses.replace(study, experiments=(experiment,)))


def test_loading_a_study_leaves_nothing_beside_it(adam):
    load_study(adam)
    assert {path.name for path in adam.parent.iterdir()} == {"mine.py", "helpers.py"}


@pytest.mark.parametrize(
    ("old", "new"), [('"my-adam"', '"adam"'), ('"my-adam"', '"sgd"'), ("(LSTM(), theirs)", "(LSTM(), SGD())")]
)
def test_an_own_class_cannot_have_a_name_of_bakeoffs(adam, old, new):
    edit(adam, old, new)
    if "SGD()" in new:
        edit(adam, '"my-adam"', '"sgd"')
    with pytest.raises(UserError, match="rename"):
        load_study(adam)


def test_two_classes_that_are_called_alike_are_refused(adam):
    edit(adam, "own, theirs = Adam(lr=0.5)", "First = Adam\n\n\n" + ADAM[ADAM.index("@") : ADAM.index("\n\n\nown")])
    edit(adam, "    factor: float = 2.0 * STEP\n\n\nFirst", "    factor: float = 1.0\n\n\nFirst")
    text = adam.read_text()
    head, tail = text.rsplit('"my-adam"', 1)
    adam.write_text(
        head + '"other"' + tail.replace(", bakeoff.optimizers.Adam(lr=0.5)", "\nown, theirs = Adam(), First()")
    )
    with pytest.raises(UserError, match=r"two classes are called bakeoff_study\.Adam"):
        load_study(adam)


@pytest.mark.parametrize("text", ["", "study = 1\n"])
def test_a_file_without_a_study_is_told_so(tmp_path, text):
    (tmp_path / "mine.py").write_text(text)
    with pytest.raises(UserError, match=r"\A[^\n]*defines no study[^\n]*\Z"):
        find_study(str(tmp_path / "mine.py"))


@pytest.mark.parametrize(("name", "says"), [("qick", "quick"), ("none.py", "no study file")])
def test_what_is_no_study_is_told_in_one_line(name, says):
    with pytest.raises(UserError, match=rf"\A[^\n]*{says}[^\n]*\Z"):
        find_study(name)


def test_a_module_beside_the_file_is_that_of_every_worker_wherever_python_was_started(tmp_path, monkeypatch):
    started = tmp_path / "started"
    started.mkdir()
    (started / "helpers.py").write_text("LAYERS = 5\n")
    (tmp_path / "helpers.py").write_text("LAYERS = 3\n")
    path = tmp_path / "mine.py"
    path.write_text(
        STUDY.replace("Bag(layers=2)", "Bag(layers=helpers.LAYERS)").replace("from torch", "import helpers\nfrom torch")
    )
    monkeypatch.chdir(started)
    monkeypatch.setattr(sys, "path", [str(started), *sys.path])
    assert load_study(path).experiments[1].architecture.layers == 3


def test_what_a_file_draws_is_the_same_each_time_and_changes_nothing_of_what_others_draw(tmp_path):
    path = tmp_path / "drawing.py"
    path.write_text(
        "import random\nimport numpy as np\nimport torch\nfrom bakeoff.experiments import QUICK as study\n"
        "DRAWN = random.random(), np.random.random(), torch.rand(()).item()\n"
    )

    def others():
        return random.random(), np.random.random(), torch.rand(()).item()  # noqa: NPY002, S311

    def seeded():
        for seed in (random.seed, np.random.seed, torch.manual_seed):
            seed(5)

    seeded()
    expected = others()
    seeded()
    drawn = study_file._executed(path)["DRAWN"]
    assert others() == expected
    assert study_file._executed(path)["DRAWN"] == drawn


def test_a_file_that_changes_the_working_folder_changes_nothing_for_the_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "mine.py"
    path.write_text(f"import os\nos.chdir('/')\n{STUDY}")
    load_study(path)
    assert Path.cwd() == tmp_path


def test_runs_that_are_read_one_after_another_are_of_the_same_classes_until_the_file_changes(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(STUDY)
    runs = [encode(run) for run in load_study(path).runs]
    one, other = (type(decode_run(run, path).architecture) for run in runs)
    assert one is other
    path.write_text(STUDY.replace("vocabulary, 2", "vocabulary, 3"))
    with pytest.raises(UserError, match="has other code than this run"):
        decode_run(runs[0], path)
    assert type(decode_run(encode(load_study(path).runs[0]), path).architecture) is not one
