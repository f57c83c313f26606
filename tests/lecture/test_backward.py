"""Backward propagation: the chain rule written out, finite differences of every parameter, and the
same gradients from a graph of single operations."""

from itertools import product

import numpy as np
import pytest
from builders import random_params, targets_for
from loops import each
from numeric import assert_norm_close, gradient
from reference import ACTIVATIONS, LOSSES

from fastmlp import Dense, Network, graph

pytestmark = pytest.mark.usefixtures("use_target")

WIDTHS = (3, 5, 4, 2)
HIDDEN = ["identity", "logistic", "tanh", "relu", "leaky_relu", "elu", "softplus"]
LOSSES_OF_THE_LECTURE = ["cross_entropy", "binary_cross_entropy", "mse", "mae", "squared_error"]
PENALTIES = [{}, {"l1": 0.03}, {"l2": 0.05}, {"l1": 0.02, "l2": 0.01}]
ROUNDING = {"float32": 5e-6, "float64": 1e-13}


def problem(rng, hidden, loss, *, dtype="float64", l1=0.0, l2=0.0):
    """A network of three layers, and a few samples far from every kink."""
    names = (hidden, hidden, LOSSES[loss].link)
    net = Network(
        [Dense(n, name, l1=l1, l2=l2) for n, name in zip(WIDTHS[1:], names, strict=True)],
        WIDTHS[0],
        dtype=dtype,
    )
    # Weights far from zero, where |w| has a kink.
    net.params = [(w + 0.1 * np.sign(w), b) for w, b in random_params(rng, WIDTHS)]
    x, t = rng.normal(size=(300, WIDTHS[0])), targets_for(loss, rng, 300, WIDTHS[-1])
    zs, ys = net.forward(x)
    margin = np.min([np.abs(a).min(axis=1) for a in (*zs, ys[-1] - t)], axis=0)
    rows = margin.argsort()[-6:]
    assert margin[rows].min() > 0.05
    return net, names, x[rows], t[rows]


def chain_rule(net, names, x, t, loss):
    """The analytical way: dz of the last layer, then layer by layer towards the inputs."""
    params = [(w.astype(float), b.astype(float)) for w, b in net.params]
    ys, zs = [x], []
    for name, (w, b) in zip(names, params, strict=True):
        zs.append(ys[-1] @ w + b)
        ys.append(ACTIVATIONS[name].value(zs[-1]))
    dy = LOSSES[loss].gradient(ys[-1], t) / len(x)
    gradients = []
    for name, (w, _), z, y in zip(
        reversed(names), reversed(params), reversed(zs), reversed(ys[:-1]), strict=True
    ):
        dz = ACTIVATIONS[name].backward(z, dy)
        gradients.insert(0, (y.T @ dz, dz.sum(axis=0)))
        dy = dz @ w.T
    return gradients


@each(("hidden", "loss", "penalty"), product(HIDDEN, LOSSES_OF_THE_LECTURE, PENALTIES), elsewhere=9)
def test_every_parameter_against_finite_differences(hidden, loss, penalty, rng):
    net, _, x, t = problem(rng, hidden, loss, **penalty)
    params = net.params
    _, gradients = net.loss_and_gradients(x, t, loss)
    for layer, pair in enumerate(gradients):
        for place, analytic in enumerate(pair):

            def objective(value, layer=layer, place=place):
                changed = [list(pair) for pair in params]
                changed[layer][place] = value
                net.params = changed
                return net.loss_and_gradients(x, t, loss)[0]

            differences = gradient(objective, params[layer][place].copy())
            # Differences of fourth order with h = 1e-3: about 1e-12 of truncation (for the fourth
            # derivative times h^4) and as much of rounding, eps / h, per element.
            np.testing.assert_allclose(analytic, differences, rtol=1e-8, atol=1e-9)


@each("hidden", HIDDEN)
@each("loss", LOSSES_OF_THE_LECTURE)
def test_the_chain_rule_written_out(hidden, loss, dtype, rng):
    net, names, x, t = problem(rng, hidden, loss, dtype=dtype)
    _, gradients = net.loss_and_gradients(x, t, loss)
    expected = chain_rule(net, names, x, t, loss)
    for (dw, db), (exact_dw, exact_db) in zip(gradients, expected, strict=True):
        assert_norm_close(dw, exact_dw, ROUNDING[dtype], "dw")
        assert_norm_close(db, exact_db, ROUNDING[dtype], "db")


def modules(net, names, x, t, loss):
    """The cost as a graph in which every node is a single operation."""
    params = [(graph.variable(w, "w"), graph.variable(b, "b")) for w, b in net.params]
    a = graph.constant(x, "x", dtype=net.dtype)
    for name, (w, b) in zip(names, params, strict=True):
        a = getattr(graph, name)(a @ w + b)
    n, k = t.shape
    cost = {
        "cross_entropy": lambda: -graph.sum(t * graph.log(a)) / n,
        "binary_cross_entropy": lambda: (
            -graph.sum(t * graph.log(a) + (1 - t) * graph.log(1 - a)) / n
        ),
        "mse": lambda: graph.mean((a - t) ** 2),
        "mae": lambda: graph.sum(((a - t) ** 2) ** 0.5) / (n * k),
        "squared_error": lambda: graph.sum((a - t) ** 2) / (2 * n),
    }[loss]()
    return cost, params


@each("hidden", HIDDEN)
@each("loss", LOSSES_OF_THE_LECTURE)
def test_three_ways_to_one_gradient(hidden, loss, dtype, rng):
    """Analytical, layer level and graph: the same cost and gradients, to rounding."""
    net, names, x, t = problem(rng, hidden, loss, dtype=dtype)
    value, gradients = net.loss_and_gradients(x, t, loss)
    cost, params = modules(net, names, x, t, loss)
    cost.forward().backward()
    assert cost.value == pytest.approx(value, rel=ROUNDING[dtype])
    expected = chain_rule(net, names, x, t, loss)
    for (w, b), (dw, db), (exact_dw, exact_db) in zip(params, gradients, expected, strict=True):
        for by_graph, by_layers, exact in [(w.grad, dw, exact_dw), (b.grad, db, exact_db)]:
            assert_norm_close(by_graph, exact, ROUNDING[dtype])
            assert_norm_close(by_layers, exact, ROUNDING[dtype])


@pytest.mark.parametrize("loss", LOSSES_OF_THE_LECTURE)
def test_a_step_goes_against_the_gradient(loss, dtype, rng):
    """theta <- theta - eta g, by the formula, by the network and by the graph."""
    net, names, x, t = problem(rng, "tanh", loss, dtype=dtype)
    _, gradients = net.loss_and_gradients(x, t, loss)
    before = net.params
    cost, params = modules(net, names, x, t, loss)
    cost.forward().backward()
    graph.Optimizer([node for pair in params for node in pair], "sgd", 0.1).step()
    net.fit(x, t, loss=loss, optimizer="sgd", learning_rate=0.1, batch_size="full", epochs=1)
    for old, slope, new, nodes in zip(before, gradients, net.params, params, strict=True):
        for theta, g, stepped, node in zip(old, slope, new, nodes, strict=True):
            expected = theta.astype(float) - 0.1 * g.astype(float)
            assert_norm_close(stepped, expected, ROUNDING[dtype])
            assert_norm_close(node.value, expected, ROUNDING[dtype])
