"""Activations by layer and by neuron, their variants, losses, and penalties that select."""

import numpy as np
import pytest
from reference import ACTIVATIONS, LOSSES

from fastmlp import Dense, MLPClassifier, Network

pytestmark = pytest.mark.usefixtures("use_target")


def test_activation_per_layer_and_per_neuron(rng):
    """y = f(x w + b) with an f for every layer, or for every neuron of one."""
    net = Network(
        [Dense(6, [("relu", 2), ("tanh", 4)]), Dense(3, "leaky_relu(0.2)"), Dense(2, "softmax")],
        n_features=5,
        random_state=0,
        dtype="float64",
    )
    zs, ys = net.forward(rng.normal(size=(7, 5)))
    np.testing.assert_allclose(ys[0][:, :2], np.maximum(zs[0][:, :2], 0))
    np.testing.assert_allclose(ys[0][:, 2:], np.tanh(zs[0][:, 2:]), rtol=1e-12)
    np.testing.assert_allclose(ys[1], np.where(zs[1] > 0, zs[1], 0.2 * zs[1]))
    np.testing.assert_allclose(ys[2].sum(axis=1), 1)


@pytest.mark.parametrize("name", list(ACTIVATIONS))
def test_every_activation_in_a_network(name, rng):
    net = Network([Dense(4, name)], n_features=4, random_state=0, dtype="float64")
    z, y = (arrays[0] for arrays in net.forward(rng.normal(size=(9, 4))))
    np.testing.assert_allclose(y, ACTIVATIONS[name].value(z), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", list(LOSSES))
def test_every_loss_of_a_network(name, rng):
    loss = LOSSES[name]
    units = 3 * loss.per_target
    net = Network([Dense(units, loss.link)], n_features=4, random_state=0, dtype="float64")
    x, t = rng.normal(size=(9, 4)), loss.targets(rng, (9, units))
    weight = rng.uniform(1, 2, 9)
    value, gradients = net.loss_and_gradients(x, t, name, weight)
    share = weight / weight.sum()
    z = net.forward(x)[0][0]
    assert value == pytest.approx((share * loss.logit_value(z, t)).sum(), rel=1e-12)
    dz = share[:, None] * loss.logit_gradient(z, t)
    np.testing.assert_allclose(gradients[0][0], x.T @ dz, atol=1e-12)


def selection(rng):
    """Twenty features, of which two matter."""
    x = rng.normal(size=(500, 20))
    return x, (x[:, 0] - 2 * x[:, 1] > 0).astype(int)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_l1_selects_and_l2_shrinks(rng):
    x, y = selection(rng)
    weights = {}
    for penalty in (None, "l2", "l1", "elasticnet"):
        model = MLPClassifier((), penalty=penalty, alpha=10, l1_ratio=0.5, random_state=0)
        model.set_params(learning_rate_init=0.01, max_iter=300, tol=0)
        weights[penalty] = model.fit(x, y).coefs_[0].ravel()
    zeros = {name: int((w == 0).sum()) for name, w in weights.items()}
    assert zeros[None] == zeros["l2"] == 0
    assert zeros["l1"] >= 15
    assert zeros["elasticnet"] > 0
    assert (weights["l1"][:2] != 0).all()
    assert np.linalg.norm(weights["l2"]) < 0.5 * np.linalg.norm(weights[None])


def test_penalties_of_one_layer(rng):
    """The lecture's R(w): |w| for L1, w^2 for L2, both for elastic net."""
    layers = [Dense(4, "tanh", l1=0.1, l2=0.3), Dense(1)]
    net = Network(layers, n_features=5, random_state=0, dtype="float64")
    bare = Network([Dense(4, "tanh"), Dense(1)], n_features=5, random_state=0, dtype="float64")
    bare.params = net.params
    x, t = rng.normal(size=(20, 5)), rng.normal(size=20)
    w = net.params[0][0]
    penalty = 0.1 * np.abs(w).sum() + 0.3 * (w**2).sum()
    with_penalty, without = (n.loss_and_gradients(x, t, "mse")[0] for n in (net, bare))
    assert with_penalty - without == pytest.approx(penalty, rel=1e-10)
