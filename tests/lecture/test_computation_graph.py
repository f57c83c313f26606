"""The computation graph of the slides: f = x^2 y / z module by module, and nodes used twice."""

import numpy as np
import pytest
from numeric import directional_derivative

from fastmlp import graph

pytestmark = pytest.mark.usefixtures("use_target")


def example(dtype, x=3.0, y=4.0, z=2.0):
    """The leaves x, y, z and the modules v = x^2, u = v y, f = u / z."""
    leaves = [graph.variable(n, s, dtype=dtype) for s, n in (("x", x), ("y", y), ("z", z))]
    v = leaves[0] ** 2
    u = v * leaves[1]
    f = u / leaves[2]
    v.name, u.name, f.name = "v", "u", "f"
    return (*leaves, v, u, f)


def test_forward(dtype):
    x, y, z, v, u, f = example(dtype)
    assert f.forward() is f
    assert [node.value for node in (x, y, z, v, u, f)] == [3, 4, 2, 9, 36, 18]


def test_backward_of_every_module(dtype):
    """From the end: the incoming gradient times the local slope."""
    x, y, z, v, u, f = example(dtype)
    f.forward().backward()
    assert f.grad == 1
    assert u.grad == f.grad / z.value == 0.5
    assert z.grad == f.grad * -u.value / z.value**2 == -9
    assert v.grad == u.grad * y.value == 2
    assert y.grad == u.grad * v.value == 4.5
    assert x.grad == v.grad * 2 * x.value == 12


def test_description(dtype):
    *_, f = example(dtype)
    f.forward().backward()
    rows = {row.name: row for row in graph.describe(f)}
    assert {name: (row.value, row.gradient) for name, row in rows.items()} == {
        "x": (3, 12),
        "y": (4, 4.5),
        "z": (2, -9),
        "v": (9, 2),
        "u": (36, 0.5),
        "f": (18, 1),
    }
    assert {name: (row.operation, row.inputs) for name, row in rows.items() if row.inputs} == {
        "v": ("square", ("x",)),
        "u": ("multiply", ("v", "y")),
        "f": ("divide", ("u", "z")),
    }
    assert list(rows)[-1] == "f"


@pytest.mark.parametrize("seed", range(5))
def test_analytic_gradients_at_other_points(seed):
    a, b, c = np.random.default_rng(seed).uniform(0.5, 3, size=3)
    x, y, z, *_, f = example("float64", a, b, c)
    f.forward().backward()
    assert f.value == pytest.approx(a**2 * b / c, rel=1e-14)
    assert x.grad == pytest.approx(2 * a * b / c, rel=1e-14)
    assert y.grad == pytest.approx(a**2 / c, rel=1e-14)
    assert z.grad == pytest.approx(-(a**2) * b / c**2, rel=1e-14)


def test_elementwise_on_arrays(dtype):
    """The same modules on 50 points at once; the gradients of the sum are those of each point."""
    points = np.random.default_rng(0).uniform(0.5, 3, size=(3, 50)).astype(dtype)
    x, y, z, *_, f = example(dtype, *points)
    f.forward().backward(np.ones(50))
    a, b, c = points.astype(float)
    rtol = 8 * np.finfo(dtype).eps
    np.testing.assert_allclose(f.value, a**2 * b / c, rtol=rtol)
    for node, exact in ((x, 2 * a * b / c), (y, a**2 / c), (z, -(a**2) * b / c**2)):
        np.testing.assert_allclose(node.grad, exact, rtol=rtol)


def test_a_node_used_twice_gets_both_gradients(dtype):
    """u = x + y goes two ways, f = u^2 * u: df/du = 2 u * u + u^2."""
    x, y = graph.variable(1.0, dtype=dtype), graph.variable(2.0, dtype=dtype)
    u = x + y
    f = u**2 * u
    f.forward().backward()
    assert (f.value, u.grad, x.grad, y.grad) == (27, 27, 27, 27)


def test_paths_add_up(dtype):
    """A diamond with three ways from x to f: through a, through b, and at once."""
    x = graph.variable(2.0, "x", dtype=dtype)
    a, b = x * 3.0, x**2
    f = a * b + x
    f.forward().backward()
    assert f.value == 26
    assert (a.grad, b.grad) == (4, 6)
    assert x.grad == a.grad * 3 + b.grad * 4 + 1 == 37


def test_a_skip_connection_against_differences(rng):
    """Two inputs; the output sees the first one through the hidden layer and past it."""
    x1, x2 = rng.normal(size=(8, 3)), rng.normal(size=(8, 2))
    t = rng.normal(size=(8, 1))
    weights = [rng.normal(size=shape) for shape in ((3, 4), (2, 4), (4, 1), (3, 1))]

    def cost(arrays):
        w1, w2, w3, skip = nodes = [graph.variable(w) for w in arrays]
        h = graph.tanh(graph.constant(x1) @ w1 + graph.constant(x2) @ w2)
        return graph.mse(h @ w3 + graph.constant(x1) @ skip, t).forward(), nodes

    f, nodes = cost(weights)
    f.backward()
    for place, node in enumerate(nodes):
        direction = rng.normal(size=node.shape)

        def along(s, place=place, direction=direction):
            moved = list(weights)
            moved[place] = moved[place] + s * direction
            return cost(moved)[0].value

        slope = (node.grad * direction).sum()
        assert directional_derivative(along) == pytest.approx(slope, rel=1e-8, abs=1e-10)


def test_gradient_descent_on_the_graph(dtype):
    """(x - 3)^2: every step with rate 1/4 halves the distance to the minimum."""
    x = graph.variable(11.0, dtype=dtype)
    f = (x - 3.0) ** 2
    optimizer = graph.Optimizer([x], "sgd", 0.25)
    for step in range(8):
        f.forward().backward()
        assert x.value == 3 + 8 / 2**step
        optimizer.step()
