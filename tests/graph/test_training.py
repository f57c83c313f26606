"""Optimizers on graphs: the steps of the catalog, and architectures that `Network` can't have."""

import threading

import numpy as np
import pytest
from numeric import assert_norm_close
from reference import OPTIMIZERS

from fastmlp import _core, graph

DEFAULTS = {row["name"]: row["hyperparameters"] for row in _core.catalog()["optimizers"]}
SLOTS = {row["name"]: row["slots"] for row in _core.catalog()["optimizers"]}


@pytest.mark.parametrize("name", list(DEFAULTS))
@pytest.mark.parametrize("shape", [(), (5,), (3, 40)])
def test_steps_are_those_of_the_catalog(name, shape, dtype, rng):
    w = np.asarray(rng.normal(size=shape))
    node = graph.variable(w, dtype=dtype)
    factor = rng.normal(size=shape)
    f = graph.sum(node * node * factor)
    optimizer = graph.Optimizer([node], name, learning_rate=0.03)
    slots = [np.zeros(shape)] * SLOTS[name]
    for step in range(1, 6):
        f.forward().backward()
        optimizer.step()
        w, slots = OPTIMIZERS[name](w, 2 * w * factor, slots, 0.03, DEFAULTS[name], step)
        assert_norm_close(node.value, w, 1e-5 if dtype == "float32" else 1e-12)


def test_rate_and_hyperparameters_reach_the_kernel():
    x = graph.variable(1.0)
    f = x * 2
    optimizer = graph.Optimizer([x], "sgd", learning_rate=0.1, momentum=0.5)
    f.forward().backward()
    optimizer.step()
    assert x.value == pytest.approx(0.8)
    optimizer.learning_rate = 0.0
    f.forward().backward()
    optimizer.step()
    assert x.value == pytest.approx(0.7)


def test_penalties():
    x = graph.variable(np.array([2.0, -3.0]))
    f = graph.sum(x * 0.5)
    optimizer = graph.Optimizer([x], "sgd", learning_rate=0.1, l1=0.2, l2=0.4)
    f.forward().backward()
    optimizer.step()
    slope = 0.5 + 0.8 * np.array([2, -3])
    expected = np.array([2, -3]) - 0.1 * slope - 0.1 * 0.2 * np.array([1, -1])
    np.testing.assert_allclose(x.value, expected, rtol=1e-14)


def weights(rng, *shape):
    return graph.variable(rng.normal(size=shape) / np.sqrt(shape[0]))


def train(f, variables, steps, **settings):
    optimizer = graph.Optimizer(variables, **settings)
    first = f.forward().value
    for _ in range(steps):
        f.forward().backward()
        optimizer.step()
    return first, f.forward().value


def test_skip_connection(rng):
    x = rng.uniform(-1, 1, (200, 1))
    w1, b1, w2, b2 = weights(rng, 1, 16), weights(rng, 16), weights(rng, 16, 16), weights(rng, 16)
    w3, b3 = weights(rng, 16, 1), weights(rng, 1)
    h = graph.tanh(graph.dense(x, w1, b1))
    h = h + graph.relu(graph.dense(h, w2, b2))
    f = graph.mse(graph.dense(h, w3, b3), np.sin(3 * x))
    first, last = train(f, [w1, b1, w2, b2, w3, b3], 400, learning_rate=0.01)
    assert last < 0.01 * first


def test_two_inputs_and_a_loss_of_ones_own(rng):
    """A bilinear form of two encodings, with an asymmetric loss and a penalty."""
    left, right = rng.normal(size=(150, 3)), rng.normal(size=(150, 2))
    target = np.tanh(left[:, :1] - right[:, 1:])
    wl, wr, out = weights(rng, 3, 8), weights(rng, 2, 8), weights(rng, 8)
    y = graph.sum(graph.tanh(left @ wl + right @ wr) * out, axis=1, keepdims=True)
    error = y - target
    penalty = sum((graph.sum(w**2) for w in (wl, wr, out)), start=graph.constant(0.0))
    f = graph.mean(graph.relu(error) * 3 + graph.relu(-error)) + 1e-5 * penalty
    first, last = train(f, [wl, wr, out], 500, optimizer="adam", learning_rate=0.02)
    assert last < 0.15 * first


def test_mini_batches_by_assignment(rng):
    data = rng.normal(size=(100, 4))
    labels = (data.sum(axis=1) > 0).astype(int)
    x, t = graph.constant(data[:30]), graph.constant(np.eye(2)[labels[:30]])
    w, b = weights(rng, 4, 2), weights(rng, 2)
    f = graph.cross_entropy(graph.dense(x, w, b), t, logits=True)
    optimizer = graph.Optimizer([w, b], "sgd", learning_rate=0.5)
    for _ in range(20):
        for start in range(0, 100, 30):  # the last batch is smaller
            x.value = data[start : start + 30]
            t.value = np.eye(2)[labels[start : start + 30]]
            f.forward().backward()
            optimizer.step()
    assert f.value < 0.2


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda x: graph.Optimizer([x, x]), ValueError, "'x' is given twice"),
        (lambda x: graph.Optimizer([]), ValueError, "at least one variable"),
        (lambda x: graph.Optimizer([x * 2]), ValueError, "multiply of 'x' .* is no variable"),
        (lambda x: graph.Optimizer([graph.constant(1.0)]), ValueError, "is no variable"),
        (lambda x: graph.Optimizer([1.0]), TypeError, "must hold nodes"),
        (lambda x: graph.Optimizer([x], "newton"), ValueError, "optimizer must be one of"),
        (lambda x: graph.Optimizer([x], "sgd", beta_1=0.5), TypeError, "no hyperparameter"),
        (lambda x: graph.Optimizer([x], l2=-0.1), ValueError, "l2 must be a finite number"),
        (lambda x: graph.Optimizer([x], learning_rate=-1), ValueError, "learning_rate must be"),
        (
            lambda x: graph.Optimizer([x, graph.variable(1.0, dtype="float32")]),
            TypeError,
            "differ in type",
        ),
    ],
)
def test_bad_optimizers(make, error, message):
    with pytest.raises(error, match=message):
        make(graph.variable(1.0, "x"))


def test_a_step_needs_gradients():
    x, y = graph.variable(1.0, "x"), graph.variable(2.0, "y")
    optimizer = graph.Optimizer([x, y])
    (x * 2).forward().backward()
    with pytest.raises(RuntimeError, match=r"'y' has no gradient; call backward\(\) first"):
        optimizer.step()
    assert x.value == 1, "nothing has moved"
    f = x * y
    f.forward().backward()
    x.value = [1.0, 2.0]
    with pytest.raises(RuntimeError, match=r"'x' had shape \(\) when"):
        optimizer.step()


def test_threads_of_python_take_turns(rng):
    x = graph.constant(rng.normal(size=(300, 200)))
    w = graph.variable(rng.normal(size=(200, 300)))
    f = graph.mean(graph.tanh(x @ w))
    expected = f.forward().value
    failures = []

    def work():
        try:
            for _ in range(10):
                w.value = w.value
                f.forward(n_jobs=1)
                assert f.value == expected
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
