"""Regressors whose outputs stay within bounds."""

import numpy as np
import pytest
from sklearn.base import clone

import fastmlp
from fastmlp import Dense, MLPRegressor, Network

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
rng = np.random.default_rng(0)
X = rng.normal(size=(200, 4))
SHARE = 1 / (1 + np.exp(-X[:, 0] + X[:, 1]))
SMALL = {"hidden_layer_sizes": (8,), "max_iter": 60, "random_state": 0, "dtype": "float64"}
SMALL |= {"learning_rate_init": 0.02, "batch_size": 50}
FAR = 1000 * rng.normal(size=(50, 4))


@pytest.mark.parametrize(
    ("activation", "low", "high"),
    [
        ("logistic", 0, 1),
        ("tanh", -1, 1),
        ("softplus", 0, np.inf),
        ("hard_sigmoid", 0, 1),
        ("exp", 0, np.inf),
    ],
)
@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber(0.1)"])
def test_predictions_keep_to_bounds(activation, low, high, loss):
    model = MLPRegressor(**SMALL, loss=loss, out_activation=activation).fit(X, SHARE)
    assert model.out_activation_ == activation
    assert model.score(X, SHARE) > 0.5
    found = model.predict(FAR if activation != "exp" else X)
    assert (found >= low).all()
    assert (found <= high).all()


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_the_loss_is_that_of_the_outputs(solver):
    model = MLPRegressor(**SMALL, solver=solver, out_activation="logistic", alpha=0)
    weights = rng.uniform(0.5, 2, 200)
    model.fit(X, SHARE, sample_weight=weights)
    network = Network([Dense(8, "relu"), Dense(1, "logistic")], 4, dtype="float64")
    network.params = list(zip(model.coefs_, model.intercepts_, strict=True))
    assert np.array_equal(network(X)[:, 0], model.predict(X))
    error = np.average((model.predict(X) - SHARE) ** 2, weights=weights) / 2
    if solver != "lbfgs":  # a step on all samples tells the loss of the weights before it
        model.set_params(batch_size="full").partial_fit(X, SHARE, sample_weight=weights)
    assert model.loss_ == pytest.approx(error, rel=1e-12)


def test_it_goes_everywhere(tmp_path):
    y = np.column_stack([SHARE, 1 - SHARE])
    model = MLPRegressor(**SMALL, out_activation="logistic", early_stopping=True).fit(X, y)
    expected = model.predict(X)
    fastmlp.save(model, tmp_path / "model")
    loaded = fastmlp.load(tmp_path / "model")
    assert np.array_equal(loaded.predict(X), expected)
    assert loaded.out_activation == "logistic"
    assert clone(model).out_activation == "logistic"
    np.testing.assert_allclose(fastmlp.to_sklearn(model).predict(X), expected, rtol=1e-12)
    assert "model_logistic" in fastmlp.to_c(model)
    stream = MLPRegressor(**SMALL, out_activation="logistic")
    for _ in range(30):
        stream.partial_fit(X, y)
    assert (abs(stream.predict(FAR) - 0.5) <= 0.5).all()
    with pytest.raises(ValueError, match="no out_activation='relu6'"):
        fastmlp.to_sklearn(MLPRegressor(**SMALL, out_activation="relu6").fit(X, SHARE))


def test_onnx():
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    model = MLPRegressor(**SMALL, out_activation="softplus").fit(X, SHARE)
    session = runtime.InferenceSession(fastmlp.to_onnx(model).SerializeToString())
    np.testing.assert_allclose(session.run(None, {"X": X})[0], model.predict(X), rtol=1e-10)


@pytest.mark.parametrize("activation", ["sigmoid", "softmax", "prelu", "", "logistic(2)", 3, None])
def test_names_that_are_none(activation):
    with pytest.raises(ValueError, match="out_activation"):
        MLPRegressor(**SMALL, out_activation=activation).fit(X, SHARE)


def test_outputs_that_the_loss_is_not_made_for():
    with pytest.raises(ValueError, match="poisson"):
        MLPRegressor(**SMALL, loss="poisson", out_activation="identity").fit(X, SHARE)
    positive = MLPRegressor(**SMALL, loss="poisson", out_activation="softplus").fit(X, SHARE)
    assert (positive.predict(FAR) >= 0).all()
