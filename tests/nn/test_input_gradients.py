"""Gradients of outputs by inputs against finite differences and the computation graph."""

import pickle

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.feature_selection import SelectFromModel

from fastmlp import Dense, Dropout, MLPClassifier, MLPRegressor, Network
from fastmlp._checks.names import ACTIVATIONS

pytestmark = [
    pytest.mark.usefixtures("use_target"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]
rng = np.random.default_rng(0)
X = rng.normal(size=(60, 5))
SMALL = {"hidden_layer_sizes": (9, 6), "max_iter": 10, "random_state": 0, "dtype": "float64"}


def differences(f, x, step=1e-6):
    """The gradient of f(x) of shape (n, m) by x of shape (n, d): (n, m, d)."""
    columns = []
    for j in range(x.shape[1]):
        move = np.zeros(x.shape[1])
        move[j] = step
        columns.append((f(x + move) - f(x - move)) / (2 * step))
    return np.stack(columns, axis=-1)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation(activation):
    network = Network(
        [Dense(7, activation), Dense(3, activation)], 5, dtype="float64", random_state=1
    )
    np.testing.assert_allclose(
        network.input_gradients(X), differences(network, X), rtol=1e-5, atol=1e-7
    )


def test_layers_of_every_kind():
    layers = [
        Dropout(0.3, mode="classic"),
        Dense(8, [("tanh", 5), ("silu", 3)]),
        Dropout(0.5),
        Dense(6, "prelu"),
        Dropout(0.2, mode="classic"),
        Dense(4, "softmax"),
    ]
    network = Network(layers, 5, dtype="float64", random_state=0)
    found = network.input_gradients(X)
    assert found.shape == (60, 4, 5)
    np.testing.assert_allclose(found, differences(network, X), rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize(
    "model",
    [
        MLPClassifier(**SMALL, activation="tanh"),
        MLPClassifier(**SMALL, activation="prelu", dropout=0.4, dropout_input=0.2),
        MLPClassifier(**SMALL, activation="silu", loss="hinge"),
    ],
    ids=str,
)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_classifiers(model, n_classes):
    y = np.arange(60) % n_classes
    model.fit(X, y)
    of = model.decision_function if model.loss == "hinge" else model.predict_proba
    expected = differences(lambda x: of(x).reshape(len(x), -1)[:, -n_classes:], X)
    expected = expected if n_classes > 2 else expected[:, -1]
    np.testing.assert_allclose(model.input_gradients(X), expected, rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("loss", ["squared_error", "poisson"])
def test_regressors(loss, n_outputs):
    y = abs(X[:, :n_outputs]) if n_outputs > 1 else abs(X[:, 0])
    model = MLPRegressor(**SMALL, activation="tanh", loss=loss).fit(X, y)
    expected = differences(lambda x: model.predict(x).reshape(len(x), -1), X)
    expected = expected if n_outputs > 1 else expected[:, 0]
    found = model.input_gradients(X)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-8)
    sparse = csr_array(np.where(abs(X) < 1, 0, X))
    assert np.array_equal(model.input_gradients(sparse), model.input_gradients(sparse.toarray()))


@pytest.mark.parametrize("n_features", [1, 5, 64, 300])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_many_rows_on_any_number_of_threads(n_features, dtype):
    x = rng.normal(size=(1000, n_features)).astype(dtype)
    network = Network([Dense(70, "tanh"), Dense(2)], n_features, dtype=dtype, random_state=0)
    weights = [w.astype(float) for w, _ in network.params]
    ys = network.forward(x)[1]
    expected = np.einsum("ih,nh,hk->nki", weights[0], 1 - ys[0].astype(float) ** 2, weights[1])
    found = []
    for n_jobs in (1, 2, 4, None):
        network.n_jobs = n_jobs
        found.append(network.input_gradients(x))
    assert found[0].dtype == dtype
    scale = abs(expected).max()
    np.testing.assert_allclose(
        found[0] / scale, expected / scale, atol=1e-5 if dtype == "float32" else 1e-13
    )
    assert all(np.array_equal(found[0], others) for others in found[1:])


def test_the_inputs_are_checked_and_left_alone():
    model = MLPRegressor(**SMALL)
    with pytest.raises(ValueError, match="not fitted"):
        model.input_gradients(X)
    model.fit(X, X[:, 0])
    before = X.copy()
    model.input_gradients(X)
    assert np.array_equal(X, before)
    with pytest.raises(ValueError, match="5 features"):
        model.input_gradients(X[:, :3])
    with pytest.raises(ValueError, match="NaN"):
        model.input_gradients(np.where(X > 2, np.nan, X))


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_importances_find_what_counts(kind):
    x = rng.normal(size=(500, 8))
    y = 3 * x[:, 2] - 2 * x[:, 5] ** 2
    model = kind(hidden_layer_sizes=(20,), max_iter=150, random_state=0, learning_rate_init=0.01)
    model.fit(x, y > np.median(y) if kind is MLPClassifier else y)
    importances = model.feature_importances_
    assert importances.shape == (8,)
    assert importances.sum() == pytest.approx(1)
    assert set(np.argsort(importances)[-2:]) == {2, 5}
    assert np.array_equal(importances, model.feature_importances_)
    selected = SelectFromModel(model, max_features=2, threshold=-np.inf, prefit=True)
    assert set(np.flatnonzero(selected.get_support())) == {2, 5}
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(importances, again.feature_importances_)


def test_importances_are_of_fitted_estimators():
    assert not hasattr(MLPRegressor(), "feature_importances_")
    constant = MLPRegressor(hidden_layer_sizes=(3,), max_iter=1).fit(X, X[:, 0])
    constant.coefs_ = [np.zeros_like(w) for w in constant.coefs_]
    assert constant.feature_importances_.tolist() == [0.0] * 5


def test_looking_at_all_attributes_never_fails():
    model = MLPRegressor(**SMALL | {"max_iter": 1}, loss="poisson").fit(X, abs(X[:, 0]))
    model.coefs_ = [w * 1e200 for w in model.coefs_]
    assert not hasattr(model, "feature_importances_")
    assert "MLPRegressor" in model._repr_html_()
    for name in ("feature_importances_", "history_", "loss_curve_", "validation_scores_"):
        with pytest.raises(AttributeError, match=name):
            getattr(MLPRegressor(), name)
