"""Every optimizer of the catalog as the solver of an estimator."""

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.preprocessing import StandardScaler

from fastmlp import Dense, MLPClassifier, Network, _core

OPTIMIZERS = [row["name"] for row in _core.catalog()["optimizers"]]


@pytest.mark.parametrize("solver", OPTIMIZERS)
def test_every_solver_learns(solver):
    X, y = load_iris(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    rate = 0.1 if solver in ("sgd", "adagrad") else 0.01
    model = MLPClassifier(
        (16,), solver=solver, learning_rate_init=rate, max_iter=300, random_state=0
    )
    assert model.fit(X, y).score(X, y) > 0.95


def test_adamw_decays_by_rate_times_alpha():
    X, y = np.zeros((8, 3)), np.array([0, 1] * 4)  # no gradient reaches the first weights
    alpha, rate, epochs = 0.1, 0.01, 5
    start = np.arange(1.0, 7.0).reshape(3, 2)
    model = MLPClassifier(
        (2,),
        solver="adamw",
        alpha=alpha,
        learning_rate_init=rate,
        max_iter=epochs,
        dtype="float64",
        random_state=0,
        n_iter_no_change=epochs,
    )
    inits = [start, np.ones((2, 1))]
    with pytest.warns(match="Maximum iterations"):
        model.fit(X, y, coef_init=inits)
    np.testing.assert_allclose(model.coefs_[0], start * (1 - rate * alpha) ** epochs, rtol=1e-12)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_layer_level(optimizer):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(64, 3))
    net = Network([Dense(8, "tanh"), Dense(1)], n_features=3, random_state=0)
    history = net.fit(X, X[:, :1], loss="mse", optimizer=optimizer, epochs=30)
    assert history["loss"][-1] < history["loss"][0]
