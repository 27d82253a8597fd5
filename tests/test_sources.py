"""What the classes of a study file are made of, by its source and that of the modules beside it."""

import sys
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakeoff import sources

STUDY = '''\
"""A study."""
from dataclasses import dataclass
from helpers import scale
import math

WIDTH = 3
EPOCHS = 2
SEEN = []


class Net:
    """A model."""

    def build(self):
        return scale(WIDTH)  # as it was published


class Rule:
    def step(self):
        return math.pi


study = (Net, Rule, EPOCHS)
'''
HELPERS = '"""Help."""\nfrom inner.deep import power\n\n\ndef scale(x):\n    return power(x)\n'
DEEP = "from . import sibling\n\n\ndef power(x):\n    return x ** sibling.TWO\n"


@pytest.fixture
def path(tmp_path):
    (tmp_path / "inner").mkdir()
    files = {
        "mine.py": STUDY,
        "helpers.py": HELPERS,
        "inner/__init__.py": "",
        "inner/deep.py": DEEP,
        "inner/sibling.py": "TWO = 2\n",
        "unused.py": "ONE = 1\n",
        "math.py": "raise SystemExit\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    return tmp_path / "mine.py"


def kind(name, module=sources.MODULE):
    return SimpleNamespace(__name__=name.rpartition(".")[2], __qualname__=name, __module__=module)


def told(path, *names):
    return sources.fingerprint(path, map(kind, names))


def edited(path, old, new, name=None):
    file = path.parent / (name or path.name)
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_the_modules_beside_a_file_are_those_that_it_imports_and_no_import_finds_elsewhere(path):
    assert list(sources.beside(path)) == ["helpers", "inner", "inner.deep", "inner.sibling"]
    assert list(sources.read(path)) == [
        "mine.py",
        "helpers.py",
        "inner/__init__.py",
        "inner/deep.py",
        "inner/sibling.py",
    ]


def test_a_folder_that_is_called_like_an_installed_package_is_not_taken_for_it(path):
    path.with_name("torch").mkdir()
    edited(path, "import math", "import math, torch.nn, no_such_module")
    assert "torch" not in sources.beside(path)


def test_what_lies_where_python_was_started_is_not_taken_for_what_is_beside_the_file(path, monkeypatch, tmp_path):
    """As a worker does not find it."""
    started = tmp_path / "started"
    started.mkdir()
    (started / "helpers.py").write_text("raise SystemExit\n")
    monkeypatch.chdir(started)
    for place in ("", str(started)):
        monkeypatch.setattr(sys, "path", [place, *sys.path])
        assert "helpers" in sources.beside(path)


def test_what_is_imported_by_the_function_is_seen_too(path):
    edited(path, "study =", "UNUSED = __import__('unused')\nstudy =")
    assert "unused" in sources.beside(path)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("mine.py", "return math.pi", "import helpers; return helpers.scale(3)"),
        ("mine.py", "return math.pi", "from inner import sibling; return sibling.TWO"),
        ("inner/deep.py", "return x **", "from . import sibling; return x **"),
    ],
)
def test_what_lies_beside_the_file_is_imported_as_the_file_is_executed(path, name, old, new):
    sources.require_imports_at_the_top(path)
    edited(path, old, new, name)
    with pytest.raises(ValueError, match=f"{name.rpartition('/')[2]}, line .* in a function: import what lies beside"):
        sources.require_imports_at_the_top(path)


def test_what_python_says_as_it_starts_is_not_where_it_looks_for_modules(monkeypatch, tmp_path):
    (tmp_path / "sitecustomize.py").write_text("print('hello')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    sources._places_of_a_worker.cache_clear()
    assert str(tmp_path) in sources._places_of_a_worker()
    sources._places_of_a_worker.cache_clear()


def test_where_the_folder_is_on_the_path_the_modules_in_it_are_still_found(path, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(path.parent), *sys.path])
    assert "helpers" in sources.beside(path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  # as it was published", ""),
        ('    """A model."""\n', ""),
        ('"""A study."""', '"""Another\n\nday."""'),
        ("scale(WIDTH)", "scale(\n            WIDTH,\n        )"),
        ("study = (Net, Rule, EPOCHS)", "study = (Net, Rule, EPOCHS, Net)"),
        ("EPOCHS = 2", "EPOCHS = 3"),
        ("math.pi", "math.e"),
        ("study = (", "tried = [Rule() for _ in range(EPOCHS)]\nstudy = ("),
        ("study = (", "study = (scale(3), "),
        ("study = (", "noted = lambda: SEEN.append(1)\nstudy = ("),
        ("study = (", "root = math.sqrt(EPOCHS)\nstudy = ("),
        ("study = (", "noted = scale('a')\nstudy = ("),
        ("study = (", "class Noted:\n    size = scale(3)\nstudy = ("),
        ("study = (", "class Noted:\n    size = EPOCHS\n    root = math.sqrt(2)\nstudy = ("),
    ],
)
def test_what_does_not_change_a_class_does_not_change_what_it_is_made_of(path, old, new):
    before = told(path, "Net")
    edited(path, old, new)
    assert told(path, "Net") == before


@pytest.mark.parametrize(
    ("old", "new", "name"),
    [
        ("WIDTH = 3", "WIDTH = 4", None),
        ("scale(WIDTH)", "scale(WIDTH + 1)", None),
        ("return power(x)", "return power(x) + 1", "helpers.py"),
        ("TWO = 2", "TWO = 3", "inner/sibling.py"),
        ("study =", "WIDTH += 1\nstudy =", None),
        ("study =", "for _ in range(2):\n    Net.width = 1\nstudy =", None),
        ("study =", "_ = Net.update(1)\nstudy =", None),
        ("WIDTH = 3", "_unused = (WIDTH := 4)", None),
        ("study =", "@scale\ndef noted(): ...\nstudy =", None),
        ("study =", "noted: object = SEEN.append(1)\nstudy =", None),
        ("study =", "noted = [SEEN[0].add(x) for x in range(2)]\nstudy =", None),
        ("study =", "def noted(x=SEEN.append(1)): ...\nstudy =", None),
        ("study =", "def noted(*, x=SEEN.append(1)): ...\nstudy =", None),
        ("study =", "class Noted:\n    SEEN[0] = 1\nstudy =", None),
        ("study =", "class Noted:\n    @scale\n    def noted(self): ...\nstudy =", None),
        ("study =", "noted = list(map(scale, [1]))\nstudy =", None),
    ],
)
def test_whatever_a_class_uses_changes_what_it_is_made_of(path, old, new, name):
    before = told(path, "Net")
    edited(path, old, new, name)
    assert told(path, "Net") != before


@pytest.mark.parametrize(
    "found",
    [
        "globals()['EPOCHS']",
        "sys.modules[__name__].EPOCHS",
        "system.modules[__name__].EPOCHS",
        "__import__(__name__).EPOCHS",
        "eval('EPOCHS')",
    ],
)
def test_where_a_class_finds_others_by_a_name_everything_counts(path, found):
    edited(path, "import math", "import math\nimport sys as system")
    edited(path, "WIDTH = 3", f"WIDTH = {found}")
    before = told(path, "Net")
    edited(path, "EPOCHS = 2", "EPOCHS = 3")
    assert told(path, "Net") != before


def test_each_class_is_told_by_itself_and_both_by_both(path):
    assert len({told(path, "Net"), told(path, "Rule"), told(path, "Net", "Rule")}) == 3


def test_a_class_that_a_function_makes_is_what_the_function_is(path):
    edited(path, "study =", "def make():\n    class Made: ...\n    return Made\nstudy =")
    before = told(path, "make.<locals>.Made")
    edited(path, "math.pi", "math.e")
    assert told(path, "make.<locals>.Made") == before
    edited(path, "class Made: ...", "class Made(Net): ...")
    assert told(path, "make.<locals>.Made") != before
    edited(path, "study =", "Mine = make(1)\nstudy =")
    before = told(path, "make.<locals>.Made")
    edited(path, "make(1)", "make(2)")
    assert told(path, "make.<locals>.Made") != before


def test_a_subclass_that_its_base_takes_note_of_is_part_of_what_uses_the_base(path):
    edited(path, "study =", "class Other(Net): ...\nstudy =")
    before = told(path, "Net")
    edited(path, "class Other(Net): ...", "class Other(Net): size = 1")
    assert told(path, "Net") == before
    edited(path, "class Other", "class Noting:\n    def __init_subclass__(cls): ...\nclass Other")
    before = told(path, "Net")
    edited(path, "size = 1", "size = 2")
    assert told(path, "Net") != before


def test_where_a_class_is_asked_for_its_subclasses_they_are_part_of_it(path):
    edited(path, "study =", "class Other(Net):\n    size = 1\nstudy =")
    edited(path, "return math.pi", "return Net.__subclasses__()[0].size")
    before = told(path, "Rule")
    edited(path, "size = 1", "size = 2")
    assert told(path, "Rule") != before


def test_where_nothing_says_what_makes_a_class_everything_counts(path):
    before = told(path, "Dynamic")
    edited(path, "EPOCHS = 2", "EPOCHS = 3")
    assert told(path, "Dynamic") != before
    assert sources.fingerprint(path, [kind("Scale", "helpers")]) == sources.fingerprint(
        path, [kind("Other", "helpers")]
    )


def test_checksums_are_of_the_very_bytes(path):
    before = sources.checksums(path)
    edited(path, "  # as it was published", "")
    after = sources.checksums(path)
    assert {name for name in before if before[name] != after[name]} == {"mine.py"}


NAMES = st.sampled_from("abcdef")
DEFINITIONS = st.dictionaries(NAMES, st.lists(NAMES, max_size=3), min_size=1)


@given(DEFINITIONS, NAMES)
def test_a_class_depends_on_what_can_be_reached_from_it(tmp_path_factory, uses, changed):
    """Against a search through the graph of who uses whom."""

    def source(marked):
        return "".join(
            f"def {name}():\n    return ({name == marked}, {', '.join(used)})\n" for name, used in uses.items()
        )

    path = tmp_path_factory.getbasetemp() / "graph.py"
    path.write_text(source(None))
    before = {name: told(path, name) for name in uses}
    path.write_text(source(changed))
    for name in uses:
        reached, waiting = set(), [name]
        while waiting:
            if (one := waiting.pop()) not in reached:
                reached.add(one)
                waiting += uses.get(one, [])
        assert (told(path, name) != before[name]) == (changed in reached & set(uses))
