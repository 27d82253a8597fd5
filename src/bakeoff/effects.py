"""Which statements of a study file may do more than to bind names, by reading them.

What is not seen to be harmless is taken to have an effect: a call of something of the file's own may note down what it
is given, so may an operator that one of its classes defines, and a decorator.
"""

import ast
import dataclasses
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

#: What finds others by a name that may be computed: where it is used anything in the file may be.
BY_NAME = {"globals", "locals", "vars", "eval", "exec", "__import__", "modules", "__globals__", "__subclasses__"}
#: What tells a class of its subclasses.
NOTING = ("__init_subclass__", "__subclasses__", "metaclass")
#: The methods that an operation on an instance calls and that are looked at, or that only say something of it.
LOOKED_AT, SAYING = {"__init__", "__post_init__"}, {"__repr__", "__str__"}
#: What computes something of what it is given, and changes nothing of it.
COMPUTING = {
    *("abs", "bool", "dict", "enumerate", "float", "frozenset", "hasattr", "int", "isinstance", "len", "list", "max"),
    *("min", "product", "range", "replace", "reversed", "round", "set", "sorted", "str", "sum", "tuple"),
    *("zip", "TypeError", "ValueError"),
}
#: The same, as methods of Python's own types.
ASKING = {"copy", "format", "get", "items", "keys", "lower", "split", "upper", "values"}
#: Of what the value of a name is made that nobody can change: numbers and text.
VALUES = (ast.Constant, ast.Name, ast.Load, ast.Tuple, ast.BinOp, ast.UnaryOp, ast.operator, ast.unaryop)

Function = ast.FunctionDef | ast.AsyncFunctionDef


def mentioned(*nodes: ast.AST) -> set[str]:
    """All names in them; what leads to others by name is one, also where it is an attribute, as of `sys`."""
    parts = [part for node in nodes for part in ast.walk(node)]
    attributes = [part for part in parts if isinstance(part, ast.Attribute)]
    by_name = {part.attr for part in attributes if part.attr.startswith("__") or ast.unparse(part) == "sys.modules"}
    imported = [alias for part in parts if isinstance(part, ast.Import) for alias in part.names]
    by_name |= {"modules" for alias in imported if alias.name == "sys" and alias.asname}
    return by_name & BY_NAME | {part.id for part in parts if isinstance(part, ast.Name)}


def bound(statement: ast.stmt) -> set[str] | None:
    """The names that a definition, an import or an assignment binds; None for any other statement."""
    match statement:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return {statement.name}
        case ast.Import() | ast.ImportFrom() if all(alias.name != "*" for alias in statement.names):
            return {(alias.asname or alias.name).partition(".")[0] for alias in statement.names}
        case ast.Assign(targets=targets, value=value) if all(_is_named(target, value) for target in targets):
            walrus = (node.target for node in ast.walk(statement.value) if isinstance(node, ast.NamedExpr))
            return stored(*statement.targets, *walrus)
        case ast.AnnAssign(target=ast.Name(id=name)):
            return {name}
    return None


def _is_named(target: ast.expr, value: ast.expr) -> bool:
    """Whether a value gets a name, or each of some that are written out gets one: nothing is asked for what it has."""
    match target, value:
        case ast.Name(), _:
            return True
        case ast.Tuple(elts=targets) | ast.List(elts=targets), ast.Tuple(elts=values) | ast.List(elts=values):
            return not any(isinstance(each, ast.Starred) for each in values) and (
                len(targets) == len(values) and all(map(_is_named, targets, values))
            )
    return False


def stored(*nodes: ast.AST) -> set[str]:
    """All names that are bound in them, those of loops, comprehensions and inner definitions too."""
    parts = [part for node in nodes for part in ast.walk(node)]
    defined = {part.name for part in parts if isinstance(part, Function | ast.ClassDef)}
    return defined | {part.id for part in parts if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)}


def effects(statements: list[ast.stmt], beside: list[list[ast.stmt]], own: set[str]) -> list[ast.stmt]:
    """The statements that may do more than to bind names.

    Args:
        statements: Those of a study file.
        beside: Those of each module beside it that it imports.
        own: The names that any of them binds, but for what is imported from elsewhere.
    """
    known = _Known.of([*beside, statements], own)
    for each in beside:  # they count as they are, but what they have changed is nothing plain any more
        known.effects(each)
    return known.effects(statements)


@dataclass
class _Known:
    """What is known of the names of a study file and of the modules beside it.

    Attributes:
        own: Those that are bound in them.
        definitions: Functions and classes of which nothing else has the name.
        methods: The names of all functions, those of classes among them.
        properties: Those that an attribute calls.
        near: Names that can be reached from one: those that it is bound by, and the other way where it may be the same.
        modules: The names that stand for modules beside the file.
        ours: Those of Bakeoff's, which takes no note of anything.
        noting: Whether a class is told of its subclasses, or asked for them.
        values: Those of numbers and text.
        touched: Those of what an effect may have changed.
        quiet: What was found of definitions, for a statement.
        outside: The same without the names of a body; None where it is that.
    """

    own: set[str]
    definitions: dict[str, Function | ast.ClassDef]
    methods: set[str]
    properties: set[str]
    near: dict[str, set[str]]
    modules: set[str]
    ours: set[str]
    noting: bool
    values: set[str] = field(default_factory=set)
    touched: set[str] = field(default_factory=set)
    quiet: dict[str, bool] = field(default_factory=dict)
    outside: "_Known | None" = None

    @classmethod
    def of(cls, files: list[list[ast.stmt]], own: set[str]) -> "_Known":
        """All that can be said before anything is executed."""
        statements = [statement for file in files for statement in file]
        imports = [s for s in statements if isinstance(s, ast.Import | ast.ImportFrom)]
        others = [s for s in statements if s not in imports]
        renamed = [alias.asname for s in imports for alias in s.names if alias.asname]
        counted = Counter([*renamed, *(name for s in others for name in bound(s) or stored(s))])
        nodes = [node for s in statements for node in ast.walk(s)]
        functions = [node for node in nodes if isinstance(node, Function)]
        source = "\n".join(map(ast.unparse, statements))
        return cls(
            own=own,
            definitions={s.name: s for s in others if isinstance(s, Function | ast.ClassDef) and counted[s.name] == 1},
            methods={node.name for node in functions},
            properties={
                node.name for node in functions if any("property" in ast.unparse(d) for d in node.decorator_list)
            },
            near=_near(others),
            modules={name for s in imports if isinstance(s, ast.Import) for name in bound(s) or ()} & own,
            ours={name for s in imports if _is_of_bakeoff(s) for name in bound(s) or ()} - own,
            noting=any(hook in source for hook in NOTING),
        )

    def effects(self, statements: Iterable[ast.stmt]) -> list[ast.stmt]:
        """Those of a file that may do more than to bind names, one after the other."""
        found: list[ast.stmt] = []
        for statement in statements:
            self.quiet.clear()  # it rests on what was touched, and on what names are bound to
            plain = self.binds_only(statement)
            self.values -= (names := bound(statement) or stored(statement))
            if not plain:
                found.append(statement)
                self._touch(mentioned(statement) | names)
            elif isinstance(statement, ast.Assign) and self._is_value(statement.value):
                self.values |= names
        return found

    def _touch(self, names: set[str]) -> None:
        """Take note that all that can be reached from those names may be another now."""
        while names := names & self.own - self.values - self.touched:
            self.touched |= names
            names = set[str]().union(*(self.near.get(name, ()) for name in names))

    def binds_only(self, statement: ast.stmt) -> bool:
        """Whether nothing comes of it but its names."""
        match statement:
            case ast.Pass() | ast.Expr(value=ast.Constant()):
                return True
            case ast.Import() | ast.ImportFrom():
                return bound(statement) is not None
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                told = statement.returns is None or self.is_plain(statement.returns)
                return told and not mentioned(*statement.decorator_list) & self.own and self.is_plain(statement.args)
            case ast.ClassDef():
                given = [*statement.bases, *(keyword.value for keyword in statement.keywords)]
                inside = self.within(*statement.body)
                return not (mentioned(*statement.decorator_list) & self.own or (self.noting and given)) and (
                    all(map(self.is_plain, given)) and all(map(inside.binds_only, statement.body))
                )
            case ast.Assign() | ast.AnnAssign():
                return bound(statement) is not None and all(map(self.is_plain, ast.iter_child_nodes(statement)))
        return False

    def is_plain(self, node: ast.AST) -> bool:
        """Whether to compute it leaves everything as it was."""
        match node:
            case ast.Name(id=name):
                return name not in BY_NAME
            case ast.Lambda():
                return self.is_plain(node.args)
            case ast.Call():
                given = [*node.args, *(keyword.value for keyword in node.keywords)]
                return all(map(self.is_plain, given)) and self._is_harmless(node, given)
            case ast.Attribute(attr=name) | ast.Subscript(value=ast.Name(id=name)) if name in (
                self.properties if isinstance(node, ast.Attribute) else self.definitions
            ):
                return False
            case ast.Await() | ast.Yield() | ast.YieldFrom():
                return False
        plain = isinstance(node, ast.List | ast.Tuple | ast.Dict | ast.Set | ast.arguments | ast.arg)
        inside = self.within(given=stored(node)) if hasattr(node, "generators") else self
        return (plain or not mentioned(node) & (self.touched | BY_NAME)) and all(
            map(inside.is_plain, ast.iter_child_nodes(node))
        )

    def _is_harmless(self, call: ast.Call, given: list[ast.expr]) -> bool:
        """Whether what is called takes no note of what it is given, and changes nothing of it."""
        called, with_key = call.func, any(keyword.arg in {"key", None} for keyword in call.keywords)
        match called:
            case ast.Name(id=name) if name in self.definitions:
                return not mentioned(call) & self.touched and self.is_quiet(name)
            case ast.Attribute(value=ast.Name(id=module), attr=name) if module in self.modules:
                return name in self.definitions and not {name, *mentioned(call)} & self.touched and self.is_quiet(name)
            case ast.Name(id=name) | ast.Attribute(value=ast.Name(id=name)) if name in self.ours:
                return not mentioned(called) & BY_NAME
            case ast.Name(id=name) | ast.Attribute(value=ast.Name(), attr=name) if (
                name in COMPUTING and not mentioned(called) & self.own and not with_key
            ):
                return not mentioned(*given) & self.touched
            case ast.Attribute(value=value, attr=name) if name in ASKING - self.methods:
                return self.is_plain(value) and not mentioned(call) & self.touched
        return not mentioned(call) & ((self.own - self.values) | BY_NAME)

    def is_quiet(self, name: str) -> bool:
        """Whether a call of a function, or the making of an instance of a class, leaves everything as it was."""
        if name not in self.quiet:
            self.quiet[name] = False  # while it is looked at: which calls itself is not
            self.quiet[name] = (self.outside or self).looks_quiet(self.definitions[name])
        return self.quiet[name]

    def looks_quiet(self, definition: Function | ast.ClassDef) -> bool:
        """The same, by looking at it."""
        if mentioned(*definition.decorator_list) & self.own:
            return False
        if isinstance(definition, Function):
            return not definition.decorator_list and self.leaves_all(definition)
        methods = [part for part in definition.body if isinstance(part, Function)]
        special = [part for part in methods if part.name.startswith("__") and part.name not in SAYING]
        return all(part.name in LOOKED_AT and self.leaves_all(part) for part in special) and all(
            self.is_quiet(base.id)
            if isinstance(base, ast.Name) and base.id in self.definitions
            else not mentioned(base) & self.own
            for base in definition.bases
        )

    def leaves_all(self, function: Function) -> bool:
        """Whether what a function does changes nothing but what it has made, and the instance that it makes."""
        given = {arg.arg for arg in ast.walk(function.args) if isinstance(arg, ast.arg)}
        inside = self.within(*function.body, given=given)
        itself = function.args.args[0].arg if function.name in LOOKED_AT and function.args.args else None
        return all(inside.leaves(statement, itself) for statement in function.body)

    def leaves(self, statement: ast.stmt, itself: str | None) -> bool:
        """Whether a statement of such a function does."""
        match statement:
            case ast.If(test=test, body=body, orelse=orelse):
                return self.is_plain(test) and all(self.leaves(each, itself) for each in [*body, *orelse])
            case ast.Return(value=value) | ast.Raise(exc=value, cause=None) | ast.Assert(test=value):
                return value is None or self.is_plain(value)
            case ast.Assign(targets=[ast.Attribute(value=ast.Name(id=name))], value=value) if name == itself:
                return self.is_plain(value)
            case ast.Expr(value=ast.Call(func=called, args=args, keywords=keywords)):
                given = [*args, *(keyword.value for keyword in keywords)]
                return self._hands_on(called, args, itself) and all(map(self.is_plain, given))
        makes = isinstance(statement, Function | ast.ClassDef)  # a class that a function makes is what it was given
        return not makes and self.binds_only(statement)

    @staticmethod
    def _hands_on(called: ast.expr, args: list[ast.expr], itself: str | None) -> bool:
        """Whether it is `super().__init__(...)` or the like, or gives a frozen instance one of its values."""
        match called:
            case ast.Attribute(value=ast.Call(func=ast.Name(id="super")), attr=name):
                return name in LOOKED_AT
            case ast.Attribute(value=ast.Name(id="object"), attr="__setattr__"):
                return itself is not None and isinstance(args[0], ast.Name) and args[0].id == itself
        return False

    def within(self, *body: ast.stmt, given: Iterable[str] = ()) -> "_Known":
        """The same where a body has names of its own, of which nothing is known."""
        local = set(given).union(*((bound(s) or set()) | stored(s) for s in body))
        definitions = {name: each for name, each in self.definitions.items() if name not in local}
        return dataclasses.replace(
            self,
            own=self.own | local,
            definitions=definitions,
            values=self.values - local,
            ours=self.ours - local,
            modules=self.modules - local,
            outside=self.outside or self,
        )

    def _is_value(self, node: ast.expr) -> bool:
        """Whether it is a number or a text, or several, as nobody can change them."""
        parts = list(ast.walk(node))
        return all(isinstance(part, VALUES) for part in parts) and mentioned(node) <= self.values


def _near(statements: list[ast.stmt]) -> dict[str, set[str]]:
    """For each name those that its binding mentions, and where it is assigned, the other way round as well."""
    near = defaultdict[str, set[str]](set)
    for statement in statements:
        names = bound(statement) or stored(statement)
        for name in names:
            near[name] |= mentioned(statement)
        for name in mentioned(statement) if not isinstance(statement, Function | ast.ClassDef) else ():
            near[name] |= names
    return near


def _is_of_bakeoff(statement: ast.stmt) -> bool:
    ours = __name__.partition(".")[0]
    match statement:
        case ast.Import():
            return all(alias.name.partition(".")[0] == ours for alias in statement.names)
        case ast.ImportFrom(module=module, level=0):
            return (module or "").partition(".")[0] == ours
    return False
