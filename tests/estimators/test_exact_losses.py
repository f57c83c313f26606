"""Validation losses and log-probabilities at logits of any size: exact to rounding, by the formulas
on logits in float64, where probabilities have long rounded to 0 or 1."""

import json
import warnings

import numpy as np
import pytest
from scipy.special import expit, log_expit, log_softmax, softmax, xlogy
from sklearn.metrics import log_loss

from fastmlp import Dense, MLPClassifier, MLPRegressor, Network, graph
from fastmlp.callbacks import StopAt

SIZES = [0.3, 20.0, 200.0, 1000.0]
STILL = {
    "hidden_layer_sizes": (),
    "max_iter": 1,
    "learning_rate_init": 1e-30,
    "alpha": 0,
    "batch_size": "full",
}
X = np.zeros((4, 1))
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def softplus(z):
    return -log_expit(-z)


def one_binary(loss, z, t):
    """Loss of each logit against 0 or 1."""
    right = np.where(t == 1, z, -z)
    if loss == "hinge":
        return np.maximum(0, 1 - right)
    surprise = softplus(-right)
    return surprise if loss == "log_loss" else expit(-right) ** 2 * surprise


def one_softmax(loss, z, t):
    log_p = log_softmax(z, axis=1)[np.arange(len(t)), t]
    if loss == "hinge":
        side = np.where(np.eye(z.shape[1])[t] == 1, 1.0, -1.0)
        return np.maximum(0, 1 - side * z).sum(axis=1)
    return -log_p if loss == "log_loss" else -((1 - np.exp(log_p)) ** 2) * log_p


def fit(kind, bias, y, dtype, **settings):
    """A network that gives these logits for every row, which training leaves as they are."""
    model = kind(**STILL, dtype=dtype, **settings)
    start = {"coef_init": [np.zeros((1, len(bias)))], "intercept_init": [bias]}
    return model.fit(X, y, X_val=X, y_val=y, **start)


@pytest.mark.parametrize("loss", ["log_loss", "focal", "hinge"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
def test_classifier(loss, size, task, dtype):
    if task == "binary":
        bias, y = [size], np.array([0, 1, 1, 0])
        exact = one_binary(loss, np.full(4, size), y)
    elif task == "multiclass":
        bias, y = [size, 0.0, -size], np.array([0, 1, 2, 1])
        exact = one_softmax(loss, np.tile(bias, (4, 1)), y)
    else:
        bias, y = [size, -size], np.array([[1, 0], [0, 1], [1, 1], [0, 0]])
        exact = one_binary(loss, np.tile(bias, (4, 1)), y).sum(axis=1)
    rtol = 64 * np.finfo(dtype).eps
    model = fit(MLPClassifier, bias, y, dtype, loss=loss, scoring="loss")
    (val_loss,), (score,) = model.history_["val_loss"], model.history_["val_score"]
    np.testing.assert_allclose(val_loss, exact.mean(), rtol=rtol)
    np.testing.assert_allclose(val_loss, model.loss_, rtol=rtol)
    assert score == -val_loss == model.best_validation_score_


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber", "quantile"])
@pytest.mark.parametrize("size", SIZES)
def test_regressor(loss, size, dtype):
    y = np.array([-1.0, 0.5, 2.0, 7.0])
    r = np.abs(size - y)
    exact = {
        "squared_error": r**2 / 2,
        "absolute_error": r,
        "huber": np.where(r <= 1, r**2 / 2, r - 0.5),
        "quantile": r / 2,
    }[loss]
    model = fit(MLPRegressor, [size], y, dtype, loss=loss)
    rtol = 64 * np.finfo(dtype).eps
    np.testing.assert_allclose(model.history_["val_loss"][0], exact.mean(), rtol=rtol)
    np.testing.assert_allclose(model.loss_, exact.mean(), rtol=rtol)


@pytest.mark.parametrize("z", [-1000.0, -200.0, -20.0, 20.0, 80.0])
def test_poisson(z, dtype):
    y = np.array([0.0, 1.0, 2.0, 7.0])
    exact = (xlogy(y, y) - y - y * z + np.exp(z)).mean()
    model = fit(MLPRegressor, [z], y, dtype, loss="poisson")
    rtol = 128 * np.finfo(dtype).eps  # exp(80) magnifies the rounding of 80
    np.testing.assert_allclose(model.history_["val_loss"][0], exact, rtol=rtol)


@pytest.mark.parametrize(
    ("loss", "link", "t", "exact"),
    [
        ("cross_entropy", "softmax", [0, 1, 1], lambda z, t: -log_softmax(z)[t]),
        ("nll", "log_softmax", [0, 1, 1], lambda z, t: -log_softmax(z)[t]),
        ("focal", "softmax", [0, 1, 1], lambda z, t: one_softmax("focal", z[None], [t])[0]),
        ("binary_cross_entropy", "logistic", [[1, 0], [0, 1], [1, 1]], None),
        ("binary_focal", "logistic", [[1, 0], [0, 1], [1, 1]], None),
    ],
)
@pytest.mark.parametrize("size", SIZES)
def test_network(loss, link, t, exact, size, dtype):
    x, z = np.zeros((3, 1)), np.array([size, -size])
    if exact is None:
        name = "log_loss" if loss == "binary_cross_entropy" else "focal"
        wanted = one_binary(name, np.tile(z, (3, 1)), np.array(t)).sum(axis=1).mean()
    else:
        wanted = np.mean([exact(z, k) for k in t])
    net = Network([Dense(2, link)], 1, dtype=dtype)
    net.params = [(np.zeros((1, 2)), z)]
    history = net.fit(
        x, t, loss=loss, learning_rate=1e-30, epochs=1, validation_data=(x, t, [1.0, 1.0, 1.0])
    )
    rtol = 64 * np.finfo(dtype).eps
    np.testing.assert_allclose(history["val_loss"], wanted, rtol=rtol)
    np.testing.assert_allclose(net.loss_and_gradients(x, t, loss)[0], wanted, rtol=rtol)
    np.testing.assert_allclose(history["val_score"], -wanted, rtol=rtol)


def test_what_looks_at_the_validation_loss_sees_the_right_one():
    seen = []
    model = MLPClassifier(
        **STILL | {"max_iter": 3},
        callbacks=[lambda end: seen.append(end.val_loss), StopAt(val_loss=9.0)],
    )
    start = {"coef_init": [[[0.0]]], "intercept_init": [[20.0]]}
    model.fit(X, [0, 1, 0, 1], X_val=X, y_val=[0, 1, 0, 1], **start)
    assert model.stopped_ == "max_iter"  # 10 is not below 9, though half of 40 rounded to 0
    np.testing.assert_allclose(seen, 10.0, rtol=1e-6)


# Log-probabilities


def constant_logits(k, z, dtype):
    model = MLPClassifier((), max_iter=1, dtype=dtype, random_state=0)
    model.fit(np.random.default_rng(0).normal(size=(60, 3)), np.arange(60) % k)
    bias = np.zeros(len(model.intercepts_[0]))
    bias[0] = z
    model.coefs_, model.intercepts_ = [np.zeros((3, len(bias)))], [bias]
    return model


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("z", [-1000.0, -120.0, -15.0, 0.0, 15.0, 20.0, 120.0, 1000.0])
@pytest.mark.parametrize("given", [np.float32, np.float64])
def test_log_probabilities(k, z, given, dtype):
    model = constant_logits(k, z, dtype)
    exact = np.array([log_expit(-z), log_expit(z)]) if k == 2 else log_softmax([z, 0.0, 0.0])
    found = model.predict_log_proba(np.zeros((1, 3), given))[0]
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(found, exact, rtol=16 * eps, atol=eps)
    shares = model.predict_proba(np.zeros((1, 3), given))[0]
    assert (shares > 0).all()
    small = exact < 0.99 * np.log(np.finfo(shares.dtype).tiny)
    assert (shares[small] < 1e-37).all()
    np.testing.assert_allclose(np.log(shares[~small]), exact[~small], rtol=1e-4, atol=2e-7)


@pytest.mark.parametrize("z", [-20.0, 20.0, 120.0])
def test_log_probabilities_of_several_labels(z):
    rng = np.random.default_rng(0)
    model = MLPClassifier((), max_iter=1).fit(rng.normal(size=(60, 3)), rng.integers(0, 2, (60, 2)))
    model.coefs_, model.intercepts_ = [np.zeros((3, 2))], [np.array([z, -z])]
    found = model.predict_log_proba(np.zeros((1, 3)))[0]
    np.testing.assert_allclose(found, log_expit([z, -z]), rtol=1e-6)


@pytest.mark.parametrize("k", [2, 3])
def test_probabilities_are_numbers_for_everyone(k):
    """float64 where X is not float32: JSON takes them, and they add up to 1 as those should."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(90, 4)), np.arange(90) % k
    model = MLPClassifier((8,), max_iter=5, random_state=0).fit(X, y)
    shares = model.predict_proba(X)
    assert shares.dtype == np.float64
    assert model.coefs_[0].dtype == np.float32
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=4e-16)
    json.dumps({"share": shares[0, 1], "log": model.predict_log_proba(X)[0, 0]})
    json.dumps(MLPRegressor(hidden_layer_sizes=(8,), max_iter=5).fit(X, X[:, 0]).predict(X)[0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        log_loss(y, shares)
    narrow = model.predict_proba(X.astype(np.float32))
    assert narrow.dtype == np.float32
    np.testing.assert_allclose(narrow, shares, rtol=1e-5)
    for integers in (np.ones((2, 4), int), [[1, 2, 3, 4]]):
        assert model.predict_proba(integers).dtype == np.float64


# Graphs


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_a_loss_behind_its_activation_in_a_graph(size, kind):
    """Value and gradient come from the logits, as with logits=True; the activation's own value and
    gradient are there as well."""
    rows = np.array([[size, 0.0, -size], [-size, size, 0.0]])
    one_hot = np.array([[0.0, 1.0, 0.0], [0.0, 1.0, 0.0]])
    for activation, loss, slope in (
        (graph.softmax, graph.cross_entropy, (softmax(rows, axis=1) - one_hot) / 2),
        (graph.log_softmax, graph.nll, (softmax(rows, axis=1) - one_hot) / 2),
        (graph.logistic, graph.binary_cross_entropy, (expit(rows) - one_hot) / 2),
        (graph.softmax, graph.focal, None),
        (graph.logistic, graph.binary_focal, None),
    ):
        z = graph.variable(rows, dtype=kind)
        y = activation(z)
        f = loss(y, one_hot)
        f.forward().backward()
        w = graph.variable(rows, dtype=kind)
        g = loss(w, one_hot, logits=True)
        g.forward().backward()
        assert f.value == g.value
        np.testing.assert_array_equal(z.grad, w.grad)
        assert y.grad is not None
        if slope is not None:
            np.testing.assert_allclose(z.grad, slope, rtol=1e-5, atol=np.finfo(kind).eps)
    exact = -log_softmax(rows, axis=1)[:, 1].mean()
    f = graph.cross_entropy(graph.softmax(graph.variable(rows, dtype=kind)), one_hot).forward()
    np.testing.assert_allclose(f.value, exact, rtol=1e-6)


def test_an_activation_that_others_use_too():
    """Then its gradient is a sum, and goes through the activation's slope as ever."""
    rows, t = np.array([[0.3, -1.0], [2.0, 0.1]]), np.array([[1.0, 0.0], [0.0, 1.0]])
    z = graph.variable(rows)
    y = graph.softmax(z)
    (graph.cross_entropy(y, t) + graph.sum(y * y)).forward().backward()
    p = softmax(rows, axis=1)
    by_y = 2 * p
    exact = (p - t) / 2 + p * (by_y - (by_y * p).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(z.grad, exact, rtol=1e-12)


def test_poisson_behind_exp():
    z = graph.variable([[-300.0], [2.0]])
    f = graph.poisson(graph.exp(z), [[2.0], [1.0]])
    f.forward().backward()
    t = np.array([2.0, 1.0])
    exact = (xlogy(t, t) - t - t * [-300.0, 2.0] + np.exp([-300.0, 2.0])).mean()
    np.testing.assert_allclose(f.value, exact, rtol=1e-14)
    np.testing.assert_allclose(z.grad.ravel(), (np.exp([-300.0, 2.0]) - t) / 2, rtol=1e-14)


@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_an_activation_that_has_rounded_and_others_use_too(kind):
    """What others give goes through the slope, which is 0 there; the loss's own still comes."""
    rows, t = np.array([[1000.0, -1000.0], [20.0, -3.0]]), np.array([[0.0, 1.0], [1.0, 0.0]])
    for activation, loss, exact in (
        (graph.logistic, graph.binary_cross_entropy, (expit(rows) - t) / 2),
        (graph.softmax, graph.cross_entropy, (softmax(rows, axis=1) - t) / 2),
    ):
        z, u = graph.variable(rows, dtype=kind), graph.variable(rows, dtype=kind)
        y, x = activation(z), activation(u)
        (loss(y, t) + graph.mse(y, t) + loss(y, t)).forward().backward()
        graph.mse(x, t).forward().backward()
        others = u.grad
        np.testing.assert_allclose(
            z.grad, 2 * exact + others, rtol=1e-5, atol=8 * np.finfo(kind).eps
        )
        assert np.isfinite(y.grad).all()
        first = np.array(z.grad)
        (loss(y, t) + graph.mse(y, t) + loss(y, t)).forward().backward()
        np.testing.assert_array_equal(z.grad, first)


@pytest.mark.parametrize("k", [2, 3])
def test_predict_and_predict_proba_agree_where_outputs_are_nearly_the_same(k):
    rng = np.random.default_rng(0)
    for _ in range(60):
        bias = 1e-7 * rng.normal(size=1 if k == 2 else 3)
        model = fit_still(k, bias)
        shares = model.predict_proba(X)
        np.testing.assert_array_equal(model.predict(X), shares.argmax(axis=1))


def fit_still(k, bias):
    start = {"coef_init": [np.zeros((1, len(bias)))], "intercept_init": [bias]}
    return MLPClassifier(**STILL | {"solver": "sgd"}).fit(X, np.arange(4) % k, **start)


@pytest.mark.parametrize("link", ["softmax", "log_softmax"])
def test_accuracy_of_one_hot_targets_is_that_of_labels(link):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(100, 5))
    c = x[:, :3].argmax(axis=1)
    scores = []
    for t in (c, np.eye(3)[c]):
        net = Network([Dense(3, link)], 5, random_state=0)
        loss = "nll" if link == "log_softmax" else "cross_entropy"
        how = {"loss": loss, "epochs": 20, "learning_rate": 0.003, "monitor": "accuracy"}
        scores.append(net.fit(x, t, **how, validation_data=(x, t))["val_score"])
        assert max(scores[-1]) == pytest.approx((net(x).argmax(axis=1) == c).mean())
    assert scores[0] == scores[1]
