"""The house's own rules that no linter knows: short functions, no optimizer by name, perplexity in one place."""

import ast
import re
from pathlib import Path

import pytest

from bakeoff.models import ARCHITECTURES
from bakeoff.optimizers import OPTIMIZERS

SOURCE = Path(__file__).parents[1] / "src" / "bakeoff"
MODULES = sorted(SOURCE.rglob("*.py"))
LONGEST = 60


def short(path):
    return path.relative_to(SOURCE).as_posix()


def functions():
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{short(path)}: {node.name}", node.end_lineno - node.lineno + 1


def test_functions_are_short():
    assert {name: length for name, length in functions() if length > LONGEST} == {}


def exponentials(tree):
    """Where a tree calls something named `exp`, or imports it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in {"exp", "exp2", "expm1"}:
            yield node.lineno
        if isinstance(node, ast.ImportFrom) and any(alias.name.startswith("exp") for alias in node.names):
            yield from [node.lineno] if node.module in {"math", "numpy", "torch", "polars"} else []


#: Where losses become perplexities, and where they become the probabilities that a mixture is made of.
EXPONENTIALS = {"metrics.py", "models/mixture.py"}


@pytest.mark.parametrize("path", MODULES, ids=short)
def test_losses_become_perplexities_in_one_place(path):
    found = list(exponentials(ast.parse(path.read_text(encoding="utf-8"))))
    assert bool(found) == (short(path) in EXPONENTIALS), found


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.j2")), ids=short)
def test_templates_have_no_exponentials(path):
    assert not re.search(r"\bexp\s*\(\s*(?!nats)|\|\s*exp\b|\*\*", path.read_text(encoding="utf-8"))


def compared_strings(tree):
    """Constants on either side of a comparison, in a `match`, or as keys that something is looked up by."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare | ast.MatchValue):
            yield from (leaf.value for leaf in ast.walk(node) if isinstance(leaf, ast.Constant))


@pytest.mark.parametrize("path", MODULES, ids=short)
def test_nothing_is_decided_by_the_name_of_an_optimizer_or_a_model(path):
    names = {*OPTIMIZERS, *ARCHITECTURES} | {kind.title for kind in (*OPTIMIZERS.values(), *ARCHITECTURES.values())}
    # The name of a kind of embeddings or of a tokenizer is no model's, though GPT-1 gave it.
    allowed = {"gpt1"} if short(path).startswith(("models/", "data/")) else set()
    if not short(path).startswith("optimizers/"):
        assert (names - allowed) & set(compared_strings(ast.parse(path.read_text(encoding="utf-8")))) == set()
