"""What doesn't fit is refused by name and shape; and what a graph looks like on paper."""

import inspect
import re
from pathlib import Path

import numpy as np
import pytest

from fastmlp import _core, graph

CPP = Path(__file__).parents[2] / "src" / "cpp" / "graph"


def named(name, *shape):
    return graph.variable(np.ones(shape), name)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: named("x", 2, 3) + named("y", 4), "add of 'x' (2, 3) and 'y' (4,): the shapes"),
        (lambda: named("x", 2, 3) @ named("w", 4, 5), "matmul of 'x' (2, 3) and 'w' (4, 5): "),
        (lambda: named("x") @ named("w", 4, 5), "takes no scalars; use *"),
        (lambda: named("x", 3) @ named("w", 4), "matmul of 'x' (3,) and 'w' (4,)"),
        (
            lambda: graph.dense(named("x", 2, 3), named("w", 3, 5), named("b", 4)),
            "dense of 'x' (2, 3), 'w' (3, 5) and 'b' (4,): b must have shape (5,)",
        ),
        (
            lambda: graph.dense(named("x", 3), named("w", 3), named("b", 1)),
            "w must have shape (inputs, outputs)",
        ),
        (lambda: graph.sum(named("x", 3), axis=1), "there is no axis 1"),
        (lambda: graph.mean(named("x"), axis=0), "there is no axis 0"),
        (
            lambda: graph.mse(named("y", 2, 3), np.ones((2, 4))),
            "mse of 'y' (2, 3) and constant (2, 4): outputs and targets must have the same shape",
        ),
        (
            lambda: graph.mse(named("y", 2), named("t", 2)),
            "mse of 'y' (2,) and 't' (2,): the targets must not depend on a variable",
        ),
        (lambda: graph.dropout(named("x", 2), 1.0), "dropout rate must be in [0, 1)"),
        (lambda: graph.dropout(named("x", 2), 0.5, seed=-1), "seed must be"),
        (lambda: graph.variable(np.ones((2, 3, 4)), "x"), "x must be a number, a vector or"),
        (lambda: named("x", 2) * np.ones((2, 3, 4)), "of shape (2, 3, 4)"),
        (lambda: graph.variable([]), "must not be empty"),
        (
            lambda: graph.huber(named("y", 2), [0, 0], delta=0),
            "huber(delta=0): delta must be above",
        ),
        (lambda: graph.leaky_relu(named("x"), slope=-1), "slope must be a finite number >= 0"),
        (lambda: graph.Optimizer([named("x")], beta_2=1), "beta_2 must be a number in [0, 1)"),
    ],
)
def test_what_does_not_fit(make, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make()


@pytest.mark.parametrize(
    "make",
    [
        lambda: graph.variable("text"),
        lambda: graph.variable(1j),
        lambda: graph.variable(1.0, dtype="int32"),
        lambda: graph.variable(1.0) * graph.variable(1.0, dtype="float32"),
        lambda: graph.sum(graph.variable([1.0]), axis=0.5),
        lambda: graph.dropout(graph.variable([1.0]), 0.5, seed=1.5),
    ],
)
def test_wrong_types(make):
    with pytest.raises(TypeError):
        make()


def test_what_is_no_node():
    with pytest.raises(TypeError, match=r"variables must be a list of nodes, as in \[x\]"):
        graph.Optimizer(named("x"))
    with pytest.raises(TypeError, match=r"f must be a node of a graph; got 3"):
        graph.describe(3)


def test_new_data_that_do_not_fit_are_named():
    x, y = named("x", 2, 3), named("y", 3)
    f = graph.sum(x * y)
    f.name = "f"
    f.forward()
    y.value = np.ones(4)
    with pytest.raises(ValueError, match=re.escape("multiply of 'x' (2, 3) and 'y' (4,)")):
        f.forward()
    with pytest.raises(RuntimeError, match=r"'f' = sum of multiply .* has no value"):
        _ = f.value
    y.value = np.full(3, 2.0)
    assert f.forward().value == 12


def test_only_leaves_take_values():
    f = named("x") * 2
    with pytest.raises(ValueError, match="only variables and constants can be given a value"):
        f.value = 3.0
    with pytest.raises(RuntimeError, match=r"multiply of 'x' .* has no value; call forward"):
        _ = f.value
    with pytest.raises(RuntimeError, match=r"call forward\(\) first"):
        f.backward()


def test_description():
    x, y = graph.variable(3.0, "x"), graph.variable(np.array([1.0, 2.0]), "y")
    f = graph.sum(x**2 * y + np.arange(10.0).reshape(5, 2), axis=0)
    table = graph.describe(f)
    assert [m.name for m in table] == ["x", "square", "y", "multiply", "constant", "add", "sum"]
    assert table[-1].value is None
    f.forward().backward([1, 1])
    table = graph.describe(f)
    assert table[3].inputs == ("square", "y")
    assert table[0].gradient == 90
    assert str(table).splitlines()[0].split() == [
        "name", "operation", "inputs", "shape", "value", "gradient",
    ]  # fmt: skip
    assert "[9, 18]" in str(table)
    assert "0 .. 9" in str(table)
    assert repr(table) == str(table)


def test_nodes_without_names_are_numbered():
    f = graph.relu(graph.relu(graph.variable(1.0)) * 2.5)
    names = [m.name for m in graph.describe(f)]
    assert names == ["variable", "relu_1", "2.5", "multiply", "relu_2"]


def test_operations_are_those_of_the_source():
    rows = re.findall(r"^GRAPH_OP\((\w+),", (CPP / "ops.def").read_text(), re.MULTILINE)
    assert [row["name"] for row in _core.graph.ops()] == rows
    for row in _core.graph.ops():
        assert row["doc"].strip()


def test_functions_are_those_of_the_core():
    for row in _core.graph.ops():
        if hasattr(graph, row["name"]) and row["arity"] > 0:
            arguments = inspect.signature(getattr(graph, row["name"])).parameters.values()
            assert sum(p.default is p.empty for p in arguments) >= row["arity"]
    catalog = _core.catalog()
    operations = {row["name"] for row in _core.graph.ops()}
    for row in catalog["activations"] + catalog["losses"]:
        function = getattr(graph, row["name"])
        assert row["name"] in graph.__all__
        if row["name"] not in operations:  # which have a description of their own
            assert row["doc"] in function.__doc__
        assert function.__name__ == row["name"]
    assert len(set(graph.__all__)) == len(graph.__all__)
