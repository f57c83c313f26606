"""Forward propagation: o = s_L(b_L + W_L^T s_L-1(... s_1(b_1 + W_1^T x))), written out."""

import numpy as np
import pytest
from builders import random_params
from numeric import assert_norm_close
from reference import ACTIVATIONS, LOSSES

from fastmlp import Activation, Dense, MLPClassifier, MLPRegressor, Network

pytestmark = pytest.mark.usefixtures("use_target")

TOLERANCE = {"float32": 1e-6, "float64": 1e-14}


def network(activations, params, dtype="float64"):
    """A network with these activations and parameters."""
    layers = [Dense(len(b), name) for name, (_, b) in zip(activations, params, strict=True)]
    net = Network(layers, len(params[0][0]), dtype=dtype)
    net.params = params
    return net


def test_three_layers_written_out(dtype, rng):
    (w1, b1), (w2, b2), (w3, b3) = params = random_params(rng, (4, 6, 5, 3))
    x = rng.normal(size=4)
    a1 = np.tanh(b1 + w1.T @ x)
    a2 = np.maximum(0, b2 + w2.T @ a1)
    z3 = b3 + w3.T @ a2
    o = np.exp(z3) / np.exp(z3).sum()
    net = network(("tanh", "relu", "softmax"), params, dtype)
    zs, ys = net.forward(x[None])
    expected = [b1 + w1.T @ x, b2 + w2.T @ a1, z3]
    for actual, exact in zip([*zs, *ys], [*expected, a1, a2, o], strict=True):
        assert actual.dtype == dtype
        assert_norm_close(actual[0], exact, 10 * TOLERANCE[dtype])
    np.testing.assert_array_equal(net(x[None]), ys[-1])


def test_one_neuron_at_a_time(dtype, rng):
    """z_j = b_j + sum_i W_ij a_i and a_j = s_j(z_j), for every neuron of every layer."""
    names = ("logistic", "tanh", "identity")
    params, x = random_params(rng, (3, 4, 4, 2)), rng.normal(size=(7, 3))
    zs, ys = network(names, params, dtype).forward(x)
    a = x
    for name, (w, b), z, y in zip(names, params, zs, ys, strict=True):
        exact = np.zeros((len(x), len(b)))
        for j in range(len(b)):
            exact[:, j] = b[j] + sum(w[i, j] * a[:, i] for i in range(len(w)))
        a = ACTIVATIONS[name].value(exact)
        assert_norm_close(z, exact, 10 * TOLERANCE[dtype])
        assert_norm_close(y, a, 10 * TOLERANCE[dtype])


@pytest.mark.parametrize("hidden", ["identity", "tanh", "relu"])
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_estimators_compute_the_same(hidden, kind, rng):
    """coefs_ and intercepts_ are the W and b of the formula, forward its z and a."""
    x, y = rng.normal(size=(40, 3)), rng.integers(0, 3, 40)
    how = {"hidden_layer_sizes": (5, 4), "activation": hidden, "max_iter": 3}
    model = kind(**how, dtype="float64", random_state=0)
    with pytest.warns(match="Maximum iterations"):
        model.fit(x, y)
    (w1, w2, w3), (b1, b2, b3) = model.coefs_, model.intercepts_
    s, out = ACTIVATIONS[hidden].value, ACTIVATIONS[model.out_activation_].value
    z3 = b3 + s(b2 + s(b1 + x @ w1) @ w2) @ w3
    zs, ys = model.forward(x)
    assert_norm_close(zs[-1], z3, 1e-13)
    assert_norm_close(ys[-1], out(z3), 1e-13)
    prediction = model.predict_proba(x) if kind is MLPClassifier else model.predict(x)[:, None]
    assert_norm_close(prediction, out(z3), 1e-13)


def test_the_cost_comes_from_the_outputs(dtype, rng):
    params, x, t = random_params(rng, (3, 5, 4)), rng.normal(size=(8, 3)), rng.integers(0, 4, 8)
    net = network(("tanh", "softmax"), params, dtype)
    exact = -np.log(net(x).astype(float)[np.arange(8), t]).mean()
    loss, _ = net.loss_and_gradients(x, t, "cross_entropy")
    assert loss == pytest.approx(exact, rel=10 * TOLERANCE[dtype])
    value = LOSSES["cross_entropy"].value(net(x).astype(float), np.eye(4)[t]).mean()
    assert loss == pytest.approx(value, rel=10 * TOLERANCE[dtype])


def test_without_nonlinearity_depth_adds_nothing(dtype, rng):
    """Linear layers collapse into one: W = W1 W2 W3, b = b1 W2 W3 + b2 W3 + b3."""
    (w1, b1), (w2, b2), (w3, b3) = params = random_params(rng, (4, 9, 6, 2))
    x = rng.normal(size=(30, 4))
    deep = network(("identity",) * 3, params, dtype)
    flat = network(("identity",), [(w1 @ w2 @ w3, b1 @ w2 @ w3 + b2 @ w3 + b3)], dtype)
    assert_norm_close(deep(x), flat(x), 10 * TOLERANCE[dtype])
    bent = network(("tanh", "tanh", "identity"), params, dtype)
    assert np.abs(bent(x) - flat(x)).max() > 0.1


def test_an_activation_may_stand_by_itself(rng):
    params, x = random_params(rng, (4, 6, 2)), rng.normal(size=(5, 4))
    joined = network(("relu", "softmax"), params)
    layers = [Dense(6), Activation("relu"), Dense(2), Activation("softmax")]
    apart = Network(layers, 4, dtype="float64")
    apart.params = params
    np.testing.assert_array_equal(apart(x), joined(x))
