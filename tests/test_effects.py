"""Which statements of a study file do more than to bind names: against what comes of them where they are executed."""

import ast
import itertools
import re
from pathlib import Path
from types import FunctionType

import pytest
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from bakeoff.effects import effects
from test_sources import told

FILE = """
import dataclasses
import functools
from bakeoff.optimizers import Adam

LOG = []
RULES = {}

def note(value):
    LOG.append(value)
    return value

def quiet(value):
    if isinstance(value, dict):
        raise ValueError(f"{value} is none")
    pair = [value, 1]
    return pair

def through(value):
    return note(value)

def kept(value, to=LOG):
    to.append(value)
    return value

def longer(those):
    those.append(9)
    return those

def ready():
    return {"adam": Adam(lr=0.1), "plain": Plain(1)}

class Plain:
    def __init__(self, value):
        self.value = value

class Noted(Plain):
    def __init__(self, value):
        super().__init__(value)
        LOG.append(value)

class Shared(Plain):
    every = []
    def __init__(self, value):
        self.every.append(value)

@dataclasses.dataclass(frozen=True)
class Sound:
    value: object
    def __post_init__(self):
        if self.value is None:
            raise ValueError("none")
        object.__setattr__(self, "value", [self.value])

@dataclasses.dataclass
class Rule:
    value: object
    def __post_init__(self):
        RULES[str(self.value)] = self.value

class Box(Plain):
    def __lshift__(self, other):
        LOG.append(other)
    def __getitem__(self, other):
        LOG.append(other)
        return other

class Asked:
    @property
    def all(self):
        LOG.append(0)
        return LOG
    def __class_getitem__(cls, value):
        LOG.append(value)
        return cls
    def __eq__(self, other):
        LOG.append(other)
        return True

def later(value):
    return value

if LOG is not None:
    def later(value):
        LOG.append(value)

class Named(Plain):
    def __set_name__(self, owner, name):
        RULES[name] = self.value

def mixin(value):
    LOG.append(value)
    return object

def made(value):
    class Made:
        size = value
    return Made

def fill():
    HELD.append(Box(2))

HELD = []
SAME = HELD
BOX = Box(0)
PLAIN = Plain(0)
"""
NET = """
class Net:
    def build(self):
        return LOG, RULES, vars_of(Plain), vars_of(Shared)
"""
EXPRESSIONS = [
    *(
        "{}",
        "{}",
        "[{}, 3]",
        '{{"a": {}}}',
        "({},)",
        "x0",
        "x1",
        "LOG",
        "RULES",
        "PLAIN",
        "str({})",
        'f"{{{}}}"',
        "-{}",
    ),
    *("note({})", "quiet({})", "through({})", "kept({})", "longer([{}])", "longer(LOG)", "LOG.append({})", "ready()"),
    *('RULES.setdefault("a", {})', 'dict.setdefault(RULES, "b", {})', "RULES.get({})", "LOG.copy()", "[*LOG]"),
    *(
        "list(map(note, [{}]))",
        "list(map(quiet, [{}]))",
        "list(map(LOG.append, [{}]))",
        "functools.partial(note, {})()",
    ),
    *("Plain({})", "Noted({})", "Shared({})", "Sound({})", "Rule({})", "Named({})", "Adam(lr={})", "Box({})"),
    *(
        "BOX << {}",
        "BOX[{}]",
        "Box(1) << {}",
        "[BOX][0] << {}",
        "PLAIN.value",
        "x0 << {}",
        "HELD[0] << {}",
        *("[Asked().all, {}]", "Asked().all and {}", "Asked[{}]", "Asked() == {}", "later({})", "[Asked()][0] == {}"),
        "SAME[0] << {}",
        "made({})",
        "made({})()",
    ),
    *(
        "(lambda v={}: v)",
        "(lambda v: note(v))({})",
        "(lambda v: v)({})",
        "[note(x) for x in [{}]]",
        "[x for x in [{}]]",
    ),
    *(
        "[x.append({}) for x in [LOG]]",
        "max([{}, 2], key=note)",
        "sorted([{}], key=note)",
        "dict(a={})",
        "sum([{}, 1])",
    ),
    *('setattr(Plain, "x", {})', 'getattr(LOG, "append")({})', "dataclasses.replace(Sound(1), value={})", "(x1 := {})"),
    *(
        "({} if LOG else 2)",
        "(LOG or [{}])",
        "LOG.__iadd__([{}])",
        "list.append(LOG, {})",
        "(note)({})",
        "{}.bit_length()",
    ),
]
STATEMENTS = [
    *(
        "x0 = {}",
        "x1 = {}",
        "x0: object = {}",
        "study = {}",
        "_ = {}",
        "{}",
        "assert [{}]",
        "x0, x1 = {}, {}",
        "x0, (x1, y) = {}, [{}, 1]",
        "x0, *x1 = {}, {}",
        "x0, LOG[0] = {}, {}",
        "x0, x1 = [note(v) for v in ({}, {})]",
        "LOG += [{}]",
    ),
    *(
        "def f(a={}): return a",
        "def f(*, a={}): return a",
        "def f(a: {}): return a",
        "def f() -> {}: return 1",
        "x0: {} = 1",
        "@note\ndef f(): return {}",
    ),
    *(
        "class K: v = {}",
        "class K(Plain): v = {}",
        "class K:\n    def f(self, a={}): return a",
        "class K(mixin({})): pass",
    ),
    *(
        "class K:\n    @note\n    def f(self): return {}",
        "class K:\n    LOG.append({})",
        "for x in [{}]:\n    LOG.append(x)",
    ),
    *("if LOG:\n    x0 = {}", "with open('/dev/null') as x1:\n    x0 = {}", "RULES[1] = {}", "Plain.x = {}", "del x0"),
    *("def note(value):\n    LOG.append(({}, value))", "Plain = Noted", "quiet = note", "x0 = note", "x1 = x0({})"),
    *("fill()", "fill()\nx0 = SAME[0] << {}", "x0 = HELD\nfill()\nx1 = x0[0] << {}", "SAME.append(Box({}))"),
]


PLACES = re.compile(" at 0x[0-9a-f]+")


def vars_of(kind):
    return {name: value for name, value in vars(kind).items() if name in {"x", "every"}}


def plainly(value):
    """What can be told of a value without where it lies."""
    if isinstance(value, list | tuple):
        return [plainly(each) for each in value]
    if isinstance(value, dict):
        return {PLACES.sub("", str(name)): plainly(each) for name, each in value.items()}
    if isinstance(value, FunctionType):
        return value.__name__, plainly(value.__defaults__), value.__code__.co_consts
    if isinstance(value, int | str | type(None)):
        return PLACES.sub("", str(value))
    kind = value if isinstance(value, type) else type(value)
    return kind.__name__, plainly(vars(kind).get("size"))


def seen(source):
    """What the class sees once the file was executed; None where that fails."""
    names = {"vars_of": vars_of, "__name__": "mine"}
    try:
        exec(compile(source, "mine.py", "exec"), names)  # noqa: S102 (this is what a study file is)
        return plainly(names["Net"]().build())
    except Exception:  # noqa: BLE001 (whatever it is)
        return None


@st.composite
def bodies(draw):
    """Some lines in which § stands for a number."""

    def filled(pattern, depth):
        parts = pattern.split("{}")
        deeper = [depth and draw(st.booleans()) for _ in parts[1:]]
        inside = [filled(draw(st.sampled_from(EXPRESSIONS)), depth - 1) if each else "§" for each in deeper]
        whole = "".join(itertools.chain(*itertools.zip_longest(parts, inside, fillvalue="")))
        return whole.replace("{{", "{").replace("}}", "}")

    return "\n".join(filled(draw(st.sampled_from(STATEMENTS)), 2) for _ in range(draw(st.integers(1, 3))))


def numbered(body, changed=None):
    """The lines with numbers in them, one of which may be another."""
    parts = body.split("§")
    numbers = [str(10 + at + 100 * (at == changed)) for at in range(len(parts) - 1)]
    return FILE + "".join(itertools.chain(*itertools.zip_longest(parts, numbers, fillvalue=""))) + "\n" + NET


@settings(max_examples=300)
@given(bodies(), st.integers(0, 5))
def test_what_changes_what_a_class_sees_changes_what_it_is_made_of(tmp_path_factory, body, at):
    assume("§" in body)
    before, after = numbered(body), numbered(body, at % body.count("§"))
    saw, sees = seen(before), seen(after)
    if None in (saw, sees):
        return
    event("sees another" if saw != sees else "sees the same")
    path = tmp_path_factory.getbasetemp() / "effects.py"
    path.write_text(before)
    was = told(path, "Net")
    path.write_text(after)
    assert (saw == sees) or told(path, "Net") != was


HARMLESS = [
    *("x = {}", "x: int = {}", "x = [{}, LOG]", "x = quiet({})", "x = Plain({})", "x = Sound({})", "x = Adam(lr={})"),
    *("x = [(Plain(1), Adam(lr=v)) for v in [{}]]", "x = ready()", "x = HELD.copy()", "x = list(zip([{}], [1]))"),
    *("x = ready().values()", "x = dataclasses.replace(Sound(1), value={})", "def f(a={}): return LOG.append(a)"),
    *(
        "x = lambda: note({})",
        "class K(Plain): v = {}",
        "class K:\n    def f(self): return note({})",
        "x = made",
        "x = note",
    ),
    *("@dataclasses.dataclass\nclass K:\n    v: int = dataclasses.field(default={})", "study = [Plain({}), x]"),
    *(
        "@functools.cache\ndef f(): return note({})",
        "x = -{}\ny = functools.reduce(max, [x])",
        "x = 'a b'.split()[{}:]",
    ),
    *("x, y = {}, Plain(1)", "[x, (y, f)] = {}, (1, quiet(2))", "class K(Plain):\n    name, title = 'k', {}"),
]


@pytest.mark.parametrize("lines", ["x, y = PLAIN", "x, y = LOG[0]", "x, *y = 7, 8", "x, (y, f) = 7, PLAIN"])
def test_what_is_taken_apart_is_asked_for_its_parts(lines):
    assert len(effects_of(lines)) == 1


def effects_of(lines):
    statements, own = (
        ast.parse(FILE.replace("BOX = Box(0)\n", "")).body,
        {"LOG", "RULES", "BOX", "PLAIN", "x", "y", "K", "f", "study"},
    )
    added = ast.parse(lines).body
    own |= {each.name for each in statements if hasattr(each, "name")}
    found = effects([*statements, *added], [], own)
    return [ast.unparse(each) for each in found if each in added]


@pytest.mark.parametrize("lines", HARMLESS)
def test_what_only_binds_names_has_no_effect(lines):
    assert effects_of(lines.format(7)) == []


def test_the_study_of_the_documentation_has_no_effect():
    (source,) = re.findall("```python\n(.*?)```", Path("docs/own.md").read_text(encoding="utf-8"), re.DOTALL)
    statements = ast.parse(source).body
    assert effects(statements, [], {"Signs", "SignSGD", "contenders", "study"}) == []


def test_functions_that_call_others_twice_are_each_looked_at_once():
    chain = "".join(f"def f{n + 1}(x):\n    return f{n}(x) + f{n}(x)\n" for n in range(40))
    statements = ast.parse(f"def f0(x):\n    return x\n{chain}x = f40(1)\n").body
    assert effects(statements, [], {f"f{n}" for n in range(41)} | {"x"}) == []


def test_what_an_effect_may_have_changed_is_nothing_plain_any_more():
    lines = "for each in [LOG]:\n    Plain.__lshift__ = each.append\nx = PLAIN\ny = Plain(1) << 3\n"
    assert effects_of(lines)[1:] == ["y = Plain(1) << 3"]
    assert effects_of("x = note\ny = x(1)") == ["y = x(1)"]
