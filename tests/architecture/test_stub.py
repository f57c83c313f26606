"""_core.pyi says exactly what the compiled module holds: names, arguments, rows of the catalog."""

import ast
from pathlib import Path

import pytest

from fastmlp import _core

STUB = ast.parse((Path(__file__).parents[2] / "src" / "fastmlp" / "_core.pyi").read_text())
CLASSES = {node.name: node for node in STUB.body if isinstance(node, ast.ClassDef)}
CONSTANTS = {
    node.target.id
    for node in STUB.body
    if isinstance(node, ast.AnnAssign) and not node.target.id.startswith("_")
}
FUNCTIONS = {node.name: node for node in STUB.body if isinstance(node, ast.FunctionDef)}
ROWS = {
    "ActivationRow": "activations",
    "LossRow": "losses",
    "OptimizerRow": "optimizers",
    "TargetRow": "targets",
}


def is_typed_dict(node):
    return any(isinstance(base, ast.Name) and base.id == "TypedDict" for base in node.bases)


def members(node):
    """Functions of a class in the stub, those of its bases included."""
    inherited = {}
    for base in node.bases:
        if isinstance(base, ast.Name) and base.id in CLASSES:
            inherited |= members(CLASSES[base.id])
    return inherited | {item.name: item for item in node.body if isinstance(item, ast.FunctionDef)}


def decorators(function):
    return {d.id for d in function.decorator_list if isinstance(d, ast.Name)}


def arguments(function):
    """Names in order, `*` before the keyword-only ones, `=` after those with a default; no self."""
    a = function.args
    defaults = [None] * (len(a.args) - len(a.defaults)) + a.defaults
    names = [p.arg + ("=" if d else "") for p, d in zip(a.args, defaults, strict=True)]
    if a.kwonlyargs:
        names.append("*")
        names += [
            p.arg + ("=" if d else "") for p, d in zip(a.kwonlyargs, a.kw_defaults, strict=True)
        ]
    names += ["**kwargs"] if a.kwarg else []
    return [n for n in names if n != "self"]


def signature(docstring):
    """The same of a pybind11 function, from the first line of its docstring."""
    line = docstring.splitlines()[0]
    inside = line[line.index("(") + 1 : line.rindex(")", 0, line.rfind("->"))]
    names, depth, current = [], 0, ""
    for character in inside + ",":
        if character == "," and depth == 0:
            names.append(current.strip())
            current = ""
            continue
        depth += (character in "([{") - (character in ")]}")
        current += character
    names = [n.split(":")[0].strip() + ("=" if has_default(n) else "") for n in names if n]
    return [n for n in names if n != "self"]


def has_default(parameter):
    """Whether there is a = outside of brackets."""
    depth = 0
    for character in parameter:
        depth += (character in "([{") - (character in ")]}")
        if character == "=" and depth == 0:
            return True
    return False


def public(names):
    return {n for n in names if not n.startswith("_")}


def test_module_has_the_names_of_the_stub_and_no_others():
    promised = (
        set(FUNCTIONS) | CONSTANTS | {n for n, node in CLASSES.items() if not is_typed_dict(node)}
    )
    assert public(promised) == public(dir(_core))
    assert isinstance(_core.__version__, str)


@pytest.mark.parametrize("name", list(FUNCTIONS))
def test_function(name):
    assert arguments(FUNCTIONS[name]) == signature(getattr(_core, name).__doc__)


@pytest.mark.parametrize(
    "name", [n for n, node in CLASSES.items() if not is_typed_dict(node) and not n.startswith("_")]
)
def test_class(name):
    promised, actual = members(CLASSES[name]), getattr(_core, name)
    assert public(promised) == public(dir(actual))
    for member, function in promised.items():
        held = getattr(actual, member)
        if "property" in decorators(function):
            assert isinstance(held, property), member
        else:
            assert arguments(function) == signature(held.__doc__), member


@pytest.mark.parametrize("name", list(ROWS))
def test_catalog_row(name):
    fields = {item.target.id for item in CLASSES[name].body if isinstance(item, ast.AnnAssign)}
    for row in _core.catalog()[ROWS[name]]:
        assert set(row) == fields
