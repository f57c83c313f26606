"""A multilayer perceptron as a graph, held against the layer level, and the number of threads."""

import numpy as np
import pytest
from builders import targets_for
from loops import each
from numeric import assert_norm_close

from fastmlp import Dense, Network, _core, graph

pytestmark = pytest.mark.usefixtures("use_target")

TOLERANCE = {"float32": 2e-6, "float64": 1e-12}
CASES = [
    ("cross_entropy", "softmax", True),
    ("cross_entropy", "softmax", False),
    ("binary_cross_entropy", "logistic", True),
    ("mse", "identity", False),
    ("mae", "tanh", False),
    ("squared_error", "relu", False),
]


def mlp(net, x, t, hidden, output, loss, logits):
    """The graph of a network's loss; its variables in the order of net.params."""
    params = [
        (graph.variable(w, f"w{i}"), graph.variable(b, f"b{i}"))
        for i, (w, b) in enumerate(net.params)
    ]
    h = graph.constant(x, "x", dtype=net.dtype)
    for w, b in params[:-1]:
        h = getattr(graph, hidden)(graph.dense(h, w, b))
    y = graph.dense(h, *params[-1])
    if not logits:
        y = getattr(graph, output)(y)
    return getattr(graph, loss)(y, t, logits=logits), params


@each("widths", [(5, 7, 3), (65, 130, 64, 10), (3, 1, 1)])
@each("hidden", ["relu", "tanh", "softmax"])
@each(("loss", "output", "logits"), CASES)
def test_gradients_are_those_of_the_layer_level(dtype, widths, hidden, loss, output, logits, rng):
    layers = [Dense(n, hidden) for n in widths[1:-1]] + [Dense(widths[-1], output)]
    net = Network(layers, widths[0], random_state=0, dtype=dtype)
    net.params = [(w, rng.normal(size=b.shape)) for w, b in net.params]
    x, t = rng.normal(size=(37, widths[0])), targets_for(loss, rng, 37, widths[-1])
    expected, gradients = net.loss_and_gradients(x, t, loss)
    f, params = mlp(net, x, t, hidden, output, loss, logits)
    f.forward().backward()
    assert f.value == pytest.approx(expected, rel=TOLERANCE[dtype])
    for (w, b), (dw, db) in zip(params, gradients, strict=True):
        assert_norm_close(w.grad, dw, TOLERANCE[dtype], w.name)
        assert_norm_close(b.grad, db, TOLERANCE[dtype], b.name)


def big_graph(dtype, rng):
    """Every kind of operation, large enough that threads share each of them."""
    x = graph.constant(rng.normal(size=(301, 90)), dtype=dtype)
    w = graph.variable(rng.normal(size=(90, 201)) / 9, "w", dtype=dtype)
    b = graph.variable(rng.normal(size=201), "b", dtype=dtype)
    u = graph.variable(rng.normal(size=201), "u", dtype=dtype)
    v = graph.variable(rng.uniform(size=(301, 1)), "v", dtype=dtype)
    s = graph.variable(1.5, "s", dtype=dtype)
    h = graph.dropout(graph.tanh(graph.dense(x, w, b)), 0.4, seed=1)
    h = graph.softmax(h * u + h / (v + 1) - graph.exp(h * s)) + graph.square(h)
    z = (h @ u) * graph.mean(h, axis=1) + graph.sum(h @ (w.value.T * 0.1), axis=1)
    f = graph.mse(z, np.zeros(301)) + graph.sum(w**2) + graph.mean(graph.sum(h, axis=0))
    return f, [w, b, u, v, s]


def test_results_do_not_depend_on_the_number_of_threads(dtype):
    results = []
    for n_jobs in (1, 2, 3, 5):
        f, variables = big_graph(dtype, np.random.default_rng(0))
        optimizer = graph.Optimizer(variables, learning_rate=0.01)
        for _ in range(3):
            f.forward(n_jobs=n_jobs).backward(n_jobs=n_jobs)
            optimizer.step(n_jobs=n_jobs)
        arrays = [f.value, *(v.value for v in variables), *(v.grad for v in variables)]
        assert all(np.isfinite(array).all() for array in arrays)
        results.append([np.asarray(array).tobytes() for array in arrays])
    assert all(result == results[0] for result in results)


def test_steps_allocate_nothing(dtype, rng):
    f, variables = big_graph(dtype, rng)
    optimizer = graph.Optimizer(variables)
    counts = []
    for _ in range(4):
        f.forward().backward()
        optimizer.step()
        counts.append(_core.allocation_count())
    assert counts[1] == counts[3]


def test_weights_are_packed_again_when_they_change(rng):
    x, w, b = (graph.variable(rng.normal(size=shape)) for shape in [(4, 3), (3, 2), (2,)])
    f = graph.dense(x, w, b)
    for node in (w, x, b, w):
        node.value = rng.normal(size=node.shape)
        expected = x.value @ w.value + b.value
        np.testing.assert_allclose(f.forward().value, expected, rtol=1e-13, atol=1e-14)
