"""What the classes of a study file are made of: its source and that of the modules beside it, without executing either.

Comments, docstrings and formatting do not count. Nor does what a class does not use of the study file, so that another
contender may be mended, and what was trained before is still what it was.
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

from bakeoff.effects import BY_NAME, bound, effects, mentioned, stored

#: What a study file is called while it is executed, and so the module of its classes.
MODULE = "bakeoff_study"


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
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "__import__":
            names = [each.value for each in node.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
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
    return tuple(json.loads(said.stdout.splitlines()[-1]))  # something else may be said as Python starts


def read(path: Path) -> dict[str, bytes]:
    """A study file and the modules beside it that it imports, by their names from its folder on; it is the first.

    Raises:
        SyntaxError: One of them is no Python.
    """
    own = path.resolve()
    return {file.relative_to(own.parent).as_posix(): file.read_bytes() for file in (own, *beside(own).values())}


def require_imports_at_the_top(path: Path) -> None:
    """See that what lies beside a study file is imported when the file is executed, and not when a function is called.

    By then another study's module may have the name, or none.

    Raises:
        ValueError: It is not.
        SyntaxError: One of the files is no Python.
    """
    found = beside(path)
    for file in (path, *found.values()):
        for function in ast.walk(ast.parse(file.read_bytes(), file)):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            for node in (node for node in ast.walk(function) if isinstance(node, ast.Import | ast.ImportFrom)):
                near = found.keys() & set(_imports(ast.Module([node], []), ""))
                if near or (isinstance(node, ast.ImportFrom) and node.level):
                    what = f"{file.name}, line {node.lineno}: `{ast.unparse(node)}`"
                    raise ValueError(
                        f"{what} is in a function: import what lies beside the study at the top of the file"
                    )


def checksums(path: Path) -> dict[str, str]:
    """The SHA-256 of each of those files."""
    return {name: hashlib.sha256(content).hexdigest() for name, content in read(path).items()}


def fingerprint(path: Path, kinds: Iterable[type]) -> str:
    """Twelve hexadecimal digits of what classes of a study file, and of the modules beside it, are made of.

    Raises:
        SyntaxError: One of the files is no Python.
    """
    contents = [ast.parse(content).body for content in read(path).values()]
    statements, near = contents[0], contents[1:]
    everything = {name for statement in statements for name in bound(statement) or ()}
    names, noted = set[str](), effects(statements, near, _own(contents, path))
    for kind in kinds:
        told = {kind.__name__, kind.__qualname__.partition(".")[0]}
        # What makes a class whose name is nowhere bound may be anything in the file.
        names |= told if told & everything or kind.__module__ != MODULE else everything
    parts = [_normalized(_used(statements, names, noted))]
    parts += [f"{name}\n{_normalized(body)}" for name, body in zip(beside(path), near, strict=True)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def _own(contents: list[list[ast.stmt]], path: Path) -> set[str]:
    """The names that a study file or a module beside it binds, but for what is imported from elsewhere."""
    near = {name.partition(".")[0] for name in beside(path)}
    own: set[str] = set()
    for statement in (statement for statements in contents for statement in statements):
        parts = [statement] if bound(statement) is not None else list(ast.walk(statement))
        for part in (part for part in parts if isinstance(part, ast.stmt)):
            imported = {name.partition(".")[0] for name in _imports(ast.Module([part], []), "")}
            inside = isinstance(part, ast.ImportFrom) and part.level  # of the package of a module beside it
            if not isinstance(part, ast.Import | ast.ImportFrom) or imported & near or inside:
                own |= bound(part) or stored(part)
    return own


def _used(statements: list[ast.stmt], names: set[str], noted: list[ast.stmt]) -> list[ast.stmt]:
    """The statements that bind those names, or names that these use, and all that may do more than to bind names."""
    used: list[ast.stmt] = []
    while more := [s for s in statements if s not in used and (s in noted or (bound(s) or set()) & names)]:
        used += more
        names = names.union(*map(mentioned, more))
        if names & BY_NAME:
            return statements
    return [statement for statement in statements if statement in used]


def _normalized(statements: list[ast.stmt]) -> str:
    """Their source without comments and docstrings, formatted as Python itself would."""
    for node in ast.walk(ast.Module(body=statements, type_ignores=[])):
        if isinstance(body := getattr(node, "body", None), list):
            told = [s for s in body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
            body[:] = told or [ast.Pass()]
    return "\n".join(map(ast.unparse, statements))
