"""What the classes of a study file are made of: its source and that of the modules beside it, without executing either.

Comments, docstrings and formatting do not count. Nor does what a class does not use of the study file, so that the file
may get another contender, and what was trained before is still what it was.
"""

import ast
import functools
import hashlib
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from importlib.machinery import PathFinder
from importlib.util import resolve_name
from itertools import accumulate
from pathlib import Path

#: What a study file is called while it is executed, and so the module of its classes.
MODULE = "bakeoff_study"
#: What finds others by a name that may be computed: where it is used anything in the file may be.
BY_NAME = {"globals", "locals", "vars", "eval", "exec", "__import__", "modules"}
#: What tells a class of its subclasses.
NOTING = (b"__init_subclass__", b"__subclasses__", b"metaclass")
#: The name of what is no part of any class: the study, which says with what each is tried.
DECLARED = "study"


def beside(path: Path) -> dict[str, Path]:
    """Names and files of the modules in a study file's folder that it imports, by themselves or by one another.

    Imports are read, not followed by running anything, so that one by a computed name is not seen.

    Raises:
        SyntaxError: The study file or one of them is no Python.
    """
    folder, found, waiting = path.resolve().parent, dict[str, Path](), [("", path)]
    while waiting:
        package, file = waiting.pop()
        for name in _imports(ast.parse(file.read_bytes(), file), package):
            place = folder.joinpath(*name.split("."))
            package_file, module_file = place / "__init__.py", place.with_suffix(".py")
            candidate = package_file if package_file.is_file() else module_file
            if name not in found and candidate.is_file() and not _is_elsewhere(name.partition(".")[0], folder):
                found[name] = candidate
                waiting.append((name if candidate == package_file else name.rpartition(".")[0], candidate))
    return dict(sorted(found.items()))


def _imports(tree: ast.Module, package: str) -> Iterator[str]:
    """Every name that may be that of a module, the packages around it first."""
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and (package or not node.level):
            base = resolve_name("." * node.level + (node.module or ""), package)
            names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        for name in names:
            yield from accumulate(name.split("."), "{}.{}".format)


def _is_elsewhere(name: str, folder: Path) -> bool:
    """Whether an import finds another module of that name, as the study's folder is the last that is searched."""
    others = [place for place in places() if Path(place).resolve() != folder]
    spec = PathFinder.find_spec(name, others)
    return name in sys.stdlib_module_names or (spec is not None and spec.loader is not None)


def places() -> list[str]:
    """Where a worker looks for modules: neither in the folder in which Python was started nor beside a script."""
    return sys.path if sys.flags.safe_path else list(_places_of_a_worker())


@functools.cache
def _places_of_a_worker() -> tuple[str, ...]:
    told = "import json, sys; print(json.dumps(sys.path))"
    said = subprocess.run([sys.executable, "-P", "-c", told], capture_output=True, text=True, check=True)
    return tuple(json.loads(said.stdout))


def read(path: Path) -> dict[str, bytes]:
    """A study file and the modules beside it that it imports, by their names from its folder on; it is the first.

    Raises:
        SyntaxError: One of them is no Python.
    """
    own = path.resolve()
    return {file.relative_to(own.parent).as_posix(): file.read_bytes() for file in (own, *beside(own).values())}


def checksums(path: Path) -> dict[str, str]:
    """The SHA-256 of each of those files."""
    return {name: hashlib.sha256(content).hexdigest() for name, content in read(path).items()}


def fingerprint(path: Path, kinds: Iterable[type]) -> str:
    """Twelve hexadecimal digits of what classes of a study file, and of the modules beside it, are made of.

    Raises:
        SyntaxError: One of the files is no Python.
    """
    statements = ast.parse(path.read_bytes()).body
    bound = {name for statement in statements for name in _bound(statement) or ()}
    names, effects = set[str](), _effects(statements, path)
    for kind in kinds:
        told = {kind.__name__, kind.__qualname__.partition(".")[0]}
        # What makes a class whose name is nowhere bound may be anything in the file.
        names |= told if told & bound or kind.__module__ != MODULE else bound
        if "<locals>" in kind.__qualname__:  # what is given to the function that makes it
            effects += [s for s in statements if isinstance(s, ast.Assign | ast.AnnAssign) and _mentioned(s) & told]
    parts = [_normalized(_used(statements, names, effects))]
    parts += [f"{name}\n{_normalized(ast.parse(file.read_bytes()).body)}" for name, file in beside(path).items()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def _effects(statements: list[ast.stmt], path: Path) -> list[ast.stmt]:
    """The statements that do more than to bind names.

    Whatever of the file's own, or of a module beside it, is called may note down what it is given: a function, a
    decorator, a method of a list. So may a class its subclasses, where something asks for them. That an instance is
    made of a class changes nothing else.
    """
    contents = read(path).values()
    noting = any(hook in content for content in contents for hook in NOTING)
    made = {
        node.name for content in contents for node in ast.walk(ast.parse(content)) if isinstance(node, ast.ClassDef)
    }
    own = _own(statements, path)
    return [
        s
        for s in statements
        if (bound := _bound(s)) is None or (bound != {DECLARED} and _touched(s, made, bases=noting) & own)
    ]


def _own(statements: list[ast.stmt], path: Path) -> set[str]:
    """The names that the study file binds, but for what it imports from elsewhere than beside it."""
    near = {name.partition(".")[0] for name in beside(path)}
    own: set[str] = set()
    for statement in statements:
        if not isinstance(statement, ast.Import | ast.ImportFrom) or near & {
            name.partition(".")[0] for name in _imports(ast.Module(body=[statement], type_ignores=[]), "")
        }:
            own |= _bound(statement) or set()
    return own


def _used(statements: list[ast.stmt], names: set[str], effects: list[ast.stmt]) -> list[ast.stmt]:
    """The statements that bind those names, or names that these use, and all that do more than to bind names."""
    used: list[ast.stmt] = []
    while more := [s for s in statements if s not in used and (s in effects or (_bound(s) or set()) & names)]:
        used += more
        names = names.union(*map(_mentioned, more))
        if names & BY_NAME:
            return statements
    return [statement for statement in statements if statement in used]


def _touched(statement: ast.stmt, made: set[str], *, bases: bool) -> set[str]:
    """The names of what a statement calls while it is executed, as the body of a function is not.

    Args:
        statement: A definition or an assignment.
        made: The names of classes, of which instances may be made.
        bases: Whether those of a class, and its metaclass, are called.
    """
    match statement:
        case ast.ClassDef():
            given = [*statement.bases, *(keyword.value for keyword in statement.keywords)] if bases else []
            touched = set[str]().union(*map(_mentioned, [*statement.decorator_list, *given]))
            for part in statement.body:
                touched |= _mentioned(part) if _bound(part) is None else _touched(part, made, bases=bases)
            return touched
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            defaults = [*statement.args.defaults, *filter(None, statement.args.kw_defaults)]
            return set[str]().union(*map(_mentioned, statement.decorator_list), *(_called(d, made) for d in defaults))
    return _called(statement, made)


def _called(node: ast.AST, made: set[str]) -> set[str]:
    """The names of what an expression calls, or a method of which it does; of a lambda, what it is made with."""
    if isinstance(node, ast.Lambda):
        return _called(node.args, made)
    called = set[str]().union(*(_called(child, made) for child in ast.iter_child_nodes(node)))
    if isinstance(node, ast.Call) and not (isinstance(node.func, ast.Name) and node.func.id in made):
        called |= _mentioned(node.func)
    return called


def _mentioned(node: ast.AST) -> set[str]:
    """All names in it; `sys.modules` is `modules`, as where that is imported."""
    parts = list(ast.walk(node))
    found = {each.attr for each in parts if isinstance(each, ast.Attribute) and ast.unparse(each) == "sys.modules"}
    return found | {each.id for each in parts if isinstance(each, ast.Name)}


def _bound(statement: ast.stmt) -> set[str] | None:
    """The names that a definition, an import or an assignment binds; None for any other statement."""
    match statement:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return {statement.name}
        case ast.Import() | ast.ImportFrom() if all(alias.name != "*" for alias in statement.names):
            return {(alias.asname or alias.name).partition(".")[0] for alias in statement.names}
        case ast.Assign() if all(isinstance(target, ast.Name) for target in statement.targets):
            bound = {target.id for target in statement.targets if isinstance(target, ast.Name)}
            walrus = {node.target.id for node in ast.walk(statement.value) if isinstance(node, ast.NamedExpr)}
            return None if bound == {"_"} else bound | walrus  # what is thrown away was done for its effect
        case ast.AnnAssign(target=ast.Name(id=name)):
            return {name}
    return None


def _normalized(statements: list[ast.stmt]) -> str:
    """Their source without comments and docstrings, formatted as Python itself would."""
    for node in ast.walk(ast.Module(body=statements, type_ignores=[])):
        if isinstance(body := getattr(node, "body", None), list):
            told = [s for s in body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
            body[:] = told or [ast.Pass()]
    return "\n".join(map(ast.unparse, statements))
