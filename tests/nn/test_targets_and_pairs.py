"""Targets have a domain and losses an output activation: whatever else would be nonsense."""

import numpy as np
import pytest
import reference
from loops import each

from fastmlp import Dense, MLPRegressor, Network, _core, graph

LOSSES = {row["name"]: row for row in _core.catalog()["losses"]}
ACTIVATIONS = [row["name"] for row in _core.catalog()["activations"]]
X = np.random.default_rng(0).normal(size=(50, 3))

# Targets that a loss takes, and some that it doesn't.
UNIT = ([0.0, 1.0, 0.25], [-1.0, 255.0, 1.0001, -1e-9])
DOMAINS = {
    "cross_entropy": UNIT,
    "binary_cross_entropy": UNIT,
    "nll": UNIT,
    "focal": UNIT,
    "binary_focal": UNIT,
    "hinge": ([0.0, 1.0], [0.5, 2.0, -2.0, 255.0]),
    "poisson": ([0.0, 3.5, 1e3], [-1e-9, -4.0]),
    "squared_error": ([-1e3, 0.0, 7.5], []),
    "mse": ([-1e3, 0.0, 7.5], []),
    "mae": ([-1e3, 0.0, 7.5], []),
    "huber": ([-1e3, 0.0, 7.5], []),
    "quantile": ([-1e3, 0.0, 7.5], []),
    "gaussian": ([-1e3, 0.0, 7.5], []),
}


def network(loss, units=2, dtype="float32"):
    units *= 2 if LOSSES[loss]["has_pairs"] else 1
    return Network([Dense(units, LOSSES[loss]["link"])], 3, random_state=0, dtype=dtype)


def test_every_loss_has_its_domain_here():
    assert DOMAINS.keys() == LOSSES.keys()


@pytest.mark.parametrize("loss", list(DOMAINS))
def test_targets_inside(loss, dtype):
    good, _ = DOMAINS[loss]
    t = np.resize(good, (50, 2))
    net = network(loss, dtype=dtype)
    assert net.loss_and_gradients(X, t, loss)[0] >= 0
    history = net.fit(X, t, loss=loss, epochs=20, learning_rate=0.05, validation_data=(X, t))
    assert min(history["loss"] + history["val_loss"]) >= 0
    y = graph.constant(net(X).astype(np.float64))
    assert getattr(graph, loss)(y, t).forward().value >= 0


@pytest.mark.parametrize(("loss", "bad"), [(k, v) for k, (_, vs) in DOMAINS.items() for v in vs])
def test_targets_outside(loss, bad):
    good = np.resize(DOMAINS[loss][0], (50, 2))
    t = good.copy()
    t[7, 1] = bad
    net, before = network(loss), network(loss).params
    named = rf"t must hold .* for loss='{loss}'; got {bad:g} in row 7"
    for call in (
        lambda: net.loss_and_gradients(X, t, loss),
        lambda: net.fit(X, t, loss=loss),
        lambda: net.fit(X, t.astype(np.float32), loss=loss),
        lambda: net.fit(X, good, loss=loss, validation_data=(X, t)),
    ):
        with pytest.raises(ValueError, match=named):
            call()
    for (w, b), (v, c) in zip(before, net.params, strict=True):
        np.testing.assert_array_equal(w, v)
        np.testing.assert_array_equal(b, c)
    with pytest.raises(ValueError, match=r"In validation_data"):
        net.fit(X, good, loss=loss, validation_data=(X, t))
    f = getattr(graph, loss)(graph.variable(net(X).astype(np.float64)), t)
    with pytest.raises(ValueError, match=rf"{loss} .*targets t must hold .*got {bad:g} in row 7"):
        f.forward()
    with pytest.raises(RuntimeError, match="no value"):
        _ = f.value


def test_hinge_takes_both_ways_of_writing_sides():
    side = np.where(X[:, 0] > 0, 1.0, -1.0)
    net = network("hinge", 1, "float64")
    exact = np.maximum(0, 1 - side * net(X)[:, 0]).mean()
    for t in (side, (side + 1) / 2, side.astype(int), side > 0):
        value, gradients = net.loss_and_gradients(X, t, loss="hinge")
        assert value == pytest.approx(exact, rel=1e-14)
        assert np.isfinite(gradients[0][0]).all()
    with pytest.raises(ValueError, match=r"t must hold 0 and 1, or -1 and 1 for loss='hinge'"):
        net.loss_and_gradients(X, np.sign(np.arange(50) - 25), loss="hinge")


def test_targets_that_change_are_looked_at_again():
    t = graph.constant([[1.0], [0.0]])
    f = graph.binary_cross_entropy(graph.variable([[0.4], [9.0]]), t, logits=True)
    assert f.forward().value > 0
    t.value = [[255.0], [0.0]]
    with pytest.raises(ValueError, match=r"binary_cross_entropy .* numbers from 0 to 1; got 255"):
        f.forward()
    t.value = [[1.0], [1.0]]
    assert f.forward().value > 0


@pytest.mark.parametrize("settings", [{}, {"solver": "lbfgs"}, {"early_stopping": True}])
def test_poisson_of_the_regressor(settings):
    y = np.abs(X[:, 0])
    bad = y.copy()
    bad[4] = -0.25
    model = MLPRegressor("poisson", (6,), max_iter=5, **settings)
    named = r"y must hold numbers of at least 0 for loss='poisson'; got -0.25 in row 4"
    with pytest.raises(ValueError, match=named):
        model.fit(X, bad)
    if "solver" not in settings:
        with pytest.raises(ValueError, match=named):
            model.fit(X, y, X_val=X, y_val=bad)
        with pytest.raises(ValueError, match=named):
            model.partial_fit(X, bad)


# Pairs


def sensible(loss, activation):
    """Whether the outputs of the activation are such that the loss is one, by hand."""
    unit = {"logistic", "hard_sigmoid", "softmax"}
    asked = {
        "cross_entropy": {"softmax"},
        "focal": {"softmax", "logistic"},  # of sides, which the core calls otherwise
        "nll": {"log_softmax"},
        "binary_cross_entropy": unit,
        "binary_focal": unit,
        "poisson": unit | {name for name, row in reference.ACTIVATIONS.items() if row.positive},
    }
    return activation in asked.get(loss, {activation})


@each("activation", ACTIVATIONS)
@each("loss", list(LOSSES))
def test_pairs(loss, activation):
    t = np.resize(DOMAINS[loss][0], (50, 2))
    units = 4 if LOSSES[loss]["has_pairs"] else 2
    net = Network([Dense(units, activation)], 3, random_state=0)
    calls = (lambda: net.fit(X, t, loss=loss, epochs=1), lambda: net.loss_and_gradients(X, t, loss))
    for call in calls:
        if sensible(loss, activation):
            call()
        else:
            named = rf"loss='{loss}' .*'{LOSSES[loss]['link']}'.*got '{activation}'"
            with pytest.raises(ValueError, match=named):
                call()


def test_pairs_of_a_mixed_layer():
    t = np.resize([0.0, 1.0], (50, 2))
    good = Network([Dense(2, [("logistic", 1), ("hard_sigmoid", 1)])], 3)
    assert np.isfinite(good.fit(X, t, loss="binary_cross_entropy", epochs=1)["loss"]).all()
    bad = Network([Dense(2, [("logistic", 1), ("tanh", 1)])], 3)
    with pytest.raises(ValueError, match=r"binary_cross_entropy.*got 'tanh'"):
        bad.fit(X, t, loss="binary_cross_entropy")


def test_pairs_of_a_graph():
    z, t = graph.variable([[0.5, -1.0]]), np.array([[1.0, 0.0]])
    for activation, loss in (
        (graph.softmax, graph.nll),
        (graph.identity, graph.cross_entropy),
        (graph.log_softmax, graph.cross_entropy),
        (graph.tanh, graph.binary_cross_entropy),
        (graph.tanh, graph.poisson),
    ):
        with pytest.raises(ValueError, match=r"the loss '.*' takes .*; got those of '"):
            loss(activation(z), t)
    with pytest.raises(ValueError, match=r"outputs y must hold .*got -1 .*logits=True"):
        graph.binary_cross_entropy(z, t).forward()
    with pytest.raises(ValueError, match=r"outputs y must hold .*at most 0; got 0.5"):
        graph.nll(z, t).forward()


@pytest.mark.parametrize("loss", ["mse", "hinge", "poisson", "huber"])
def test_only_labels_are_smoothed(loss):
    t = np.resize(DOMAINS[loss][0], (50, 2))
    with pytest.raises(ValueError, match=rf"label_smoothing is not for loss='{loss}'"):
        network(loss).fit(X, t, loss=loss, label_smoothing=0.1)
