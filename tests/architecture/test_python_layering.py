"""The rooms of src/fastmlp: a module imports its own room and lower floors only, and no circle."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from loops import each

import fastmlp

PACKAGE = Path(__file__).parents[2] / "src" / "fastmlp"
FLOORS = {
    "_core": 0,
    "_affinity": 0,
    "_checks": 1,
    "_processes": 1,
    "_model": 2,
    "_data": 3,
    "_blocks": 4,
    "_training": 4,
    "_estimator": 5,
    "_tabular": 5,
    "layers": 5,
    "_dask": 6,
    "graph": 6,
    "classifier": 6,
    "regressor": 6,
    "tabular": 6,
    "network": 6,
    "perceptron": 6,
    "neuron": 6,
    "pack": 6,
    "dask": 7,
    "data": 7,
    "_files": 7,
    "display": 7,
    "conversion": 8,
    "distributed": 8,
    "learning_rate": 8,
    "persistence": 8,
    "callbacks": 9,
    "__init__": 10,
    "_demo": 11,
    "__main__": 12,
}


def module(path: Path) -> str:
    """Name of a file's module without the package: '_data.rows', or '_data' for its __init__."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


FILES = {module(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imported(nodes):
    """Names of what these nodes import of the package."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("fastmlp"))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("fastmlp"):
            for alias in node.names:
                yield f"{node.module}.{alias.name}"


def modules_of(names):
    """The modules that such names are of, or are."""
    for name in names:
        parts = name.split(".")[1:]
        while parts and ".".join(parts) not in FILES and parts != ["_core"]:
            parts.pop()
        yield ".".join(parts) or "__init__"


def imports_of(name):
    tree = ast.parse(FILES[name].read_text())
    return {found for found in modules_of(imported(ast.walk(tree))) if found != name}


def room(name):
    return name.split(".")[0]


@each("name", FILES)
def test_imports_go_down(name):
    own = room(name)
    for other in imports_of(name):
        floor = FLOORS[room(other)]
        beside = floor == FLOORS[own] and not other.startswith("_")
        assert room(other) == own or floor < FLOORS[own] or beside, other


def test_there_is_no_circle():
    graph = {name: imports_of(name) - {"_core"} for name in FILES if name != "__init__"}
    assert len(list(TopologicalSorter(graph).static_order())) >= len(graph)


@each("name", FILES)
def test_no_import_hides_in_a_function(name):
    """Heavy libraries may wait until they are needed; modules of our own may not."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
    for function in ast.walk(ast.parse(FILES[name].read_text())):
        if isinstance(function, functions):
            assert not list(imported(ast.walk(function)))


@each("name", FILES)
def test_every_module_says_what_it_is(name):
    assert ast.get_docstring(ast.parse(FILES[name].read_text()))


@pytest.mark.parametrize("kind", ["MLPClassifier", "MLPRegressor"])
def test_estimators_have_two_levels_of_our_own(kind):

    ours = [
        base for base in getattr(fastmlp, kind).__mro__ if base.__module__.startswith("fastmlp")
    ]
    assert len(ours) == 2
