"""The same predictions in scikit-learn's estimators, and by ONNX."""

import sys

import numpy as np
import pandas as pd
import pytest
from reference import ACTIVATIONS
from samples import KINDS, SMALL, as_numbers, classes, labels, numbers
from sklearn import neural_network

import fastmlp
from fastmlp import Dense, Dropout, MLPClassifier, MLPRegressor, Network, Perceptron
from fastmlp._checks import names as catalog
from fastmlp._files import onnx_graph

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

THEIRS = {
    MLPClassifier: neural_network.MLPClassifier,
    MLPRegressor: neural_network.MLPRegressor,
}
# Of sums of some tens of products of numbers near 1.
ROUNDING = {"float32": 1e-5, "float64": 1e-13}


def assert_alike(a, b, x, tolerance):
    if hasattr(a, "classes_"):
        np.testing.assert_array_equal(a.classes_, b.classes_)
        np.testing.assert_array_equal(a.predict(x), b.predict(x))
        np.testing.assert_allclose(a.predict_proba(x), b.predict_proba(x), atol=tolerance, rtol=0)
    else:
        assert a.predict(x).shape == b.predict(x).shape
        np.testing.assert_allclose(a.predict(x), b.predict(x), atol=tolerance, rtol=tolerance)


# scikit-learn


@pytest.mark.parametrize(("kind", "data"), KINDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
def test_to_sklearn(kind, data, dtype, activation):
    x, y = data()
    model = kind(**SMALL, activation=[activation], dtype=dtype, dropout=0.1).fit(x, y)
    theirs = fastmlp.to_sklearn(model)
    assert type(theirs) is THEIRS[kind]
    assert theirs.activation == activation
    assert theirs.learning_rate_init == model.learning_rate_init
    assert theirs.loss_curve_ == model.loss_curve_
    assert_alike(model, theirs, x, ROUNDING[dtype])
    back = fastmlp.from_sklearn(theirs)
    assert type(back) is kind
    np.testing.assert_array_equal(model.predict(x), back.predict(x))


@pytest.mark.parametrize(("kind", "data"), KINDS)
@pytest.mark.parametrize("solver", ["adam", "lbfgs", "sgd"])
def test_from_sklearn(kind, data, solver):
    x, y = data()
    y = as_numbers(y)
    theirs = THEIRS[kind](**SMALL, solver=solver, early_stopping=True).fit(x, y)
    model = fastmlp.from_sklearn(theirs)
    assert model.dtype == "float64"
    assert_alike(theirs, model, x, ROUNDING["float64"])
    fresh = kind(**SMALL, solver=solver, early_stopping=True).fit(x, y)
    assert vars(model).keys() == vars(fresh).keys()
    assert_alike(model, fastmlp.to_sklearn(model), x, ROUNDING["float64"])


def test_records_of_early_stopping():
    x, y = classes()
    theirs = neural_network.MLPClassifier(**SMALL, early_stopping=True).fit(x, as_numbers(y))
    model = fastmlp.from_sklearn(theirs)
    assert model.validation_scores_ == theirs.validation_scores_
    assert model.validation_scores_[model.best_epoch_ - 1] == theirs.best_validation_score_
    assert model.best_loss_ is None
    assert {len(column) for column in model.history_.values()} == {theirs.n_iter_}
    assert model.stopped_ == "from_sklearn"


@pytest.mark.parametrize("convert", [fastmlp.to_sklearn, fastmlp.from_sklearn])
def test_training_goes_on(convert):
    x, y = classes()
    kind = MLPClassifier if convert is fastmlp.to_sklearn else neural_network.MLPClassifier
    model = kind(**SMALL, warm_start=True).fit(x, y)
    converted = convert(model)
    converted.partial_fit(x, y)
    converted.fit(x, y)
    assert len(converted.loss_curve_) > len(model.loss_curve_) + 1
    assert not np.array_equal(model.coefs_[0], converted.coefs_[0])


@pytest.mark.parametrize("sizes", [(), 7, [4, 5]])
def test_layers(sizes):
    x, y = numbers()
    model = MLPRegressor(hidden_layer_sizes=sizes, max_iter=3, random_state=0).fit(x, y)
    theirs = fastmlp.to_sklearn(model)
    assert theirs.hidden_layer_sizes == tuple(np.ravel(sizes).astype(int))
    assert_alike(model, theirs, x, ROUNDING["float32"])
    assert_alike(model, fastmlp.from_sklearn(theirs), x, 0)


def test_one_class():
    x, _ = numbers()
    model = MLPClassifier(max_iter=2).fit(x, ["a"] * len(x))
    assert_alike(model, fastmlp.to_sklearn(model), x, ROUNDING["float32"])


def test_feature_names():
    x, y = numbers(d=3)
    frame = pd.DataFrame(x, columns=["a", "b", "c"])
    model = MLPRegressor(**SMALL).fit(frame, y)
    for other in (fastmlp.to_sklearn(model), fastmlp.from_sklearn(fastmlp.to_sklearn(model))):
        other.predict(frame)
        with pytest.raises(ValueError, match="feature names"):
            other.predict(frame.rename(columns={"a": "z"}))


def test_poisson():
    x, y = numbers()
    theirs = neural_network.MLPRegressor(**SMALL)
    if "loss" not in theirs.get_params():
        pytest.skip("this scikit-learn has no loss='poisson'")
    theirs.set_params(loss="poisson").fit(x, np.exp(y / 3))
    model = fastmlp.from_sklearn(theirs)
    assert_alike(theirs, model, x, ROUNDING["float64"])
    assert_alike(model, fastmlp.to_sklearn(model), x, ROUNDING["float64"])


def test_no_penalty():
    x, y = numbers()
    model = MLPRegressor(**SMALL, penalty=None).fit(x, y)
    assert fastmlp.to_sklearn(model).alpha == 0


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        (MLPRegressor, {"activation": "gelu"}, "no activation='gelu'"),
        (MLPRegressor, {"activation": ["prelu"]}, "no activation='prelu'"),
        (MLPRegressor, {"activation": [[("relu", 4), ("tanh", 8)]]}, "no activation per unit"),
        (
            MLPRegressor,
            {"hidden_layer_sizes": (3, 3), "activation": ["relu", "tanh"]},
            "no activation per layer",
        ),
        (MLPRegressor, {"solver": "nadam"}, "'solver' parameter"),
        (MLPRegressor, {"alpha": [0.1, 0.1]}, "'alpha' parameter"),
        (MLPRegressor, {"batch_size": "full"}, "'batch_size' parameter"),
        (MLPRegressor, {"learning_rate": "cosine"}, "'learning_rate' parameter"),
        (MLPClassifier, {"loss": "hinge"}, "no loss='hinge'"),
    ],
)
def test_what_sklearn_lacks(kind, settings, message):
    x, y = numbers() if kind is MLPRegressor else classes()
    model = kind(**SMALL | settings).fit(x, y)
    with pytest.raises(ValueError, match=message):
        fastmlp.to_sklearn(model)


def test_other_values_can_be_set_before():
    x, y = numbers()
    model = MLPRegressor(**SMALL, solver="nadam").fit(x, y)
    assert_alike(model, fastmlp.to_sklearn(model.set_params(solver="adam")), x, ROUNDING["float32"])


@pytest.mark.parametrize("convert", [fastmlp.to_sklearn, fastmlp.from_sklearn, fastmlp.to_onnx])
def test_other_objects(convert):
    pytest.importorskip("onnx")
    with pytest.raises(TypeError, match=r"estimator must be.*fastmlp\.Perceptron|Perceptron\(\)"):
        convert(Perceptron())
    kind = neural_network.MLPRegressor if convert is fastmlp.from_sklearn else MLPRegressor
    with pytest.raises(ValueError, match="not fitted"):
        convert(kind())


# ONNX


def run(estimator, x):
    """The outputs of the ONNX model, by name."""
    runtime = pytest.importorskip("onnxruntime")
    model = fastmlp.to_onnx(estimator)
    session = runtime.InferenceSession(model.SerializeToString())
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"X": x}), strict=True))


def test_table_has_the_whole_catalog():
    assert set(onnx_graph.ACTIVATIONS) == set(catalog.ACTIVATIONS) == set(ACTIVATIONS)


@pytest.mark.parametrize("name", catalog.ACTIVATIONS)
def test_activation(name, dtype):
    # Far beyond where exp overflows, but for what overflows by itself.
    z = np.concatenate([np.linspace(-9, 9, 91), [] if name == "exp" else [-1e4, -99, 99, 1e4]])
    network = Network([Dense(3, name)], 3, dtype=dtype)
    slopes = (np.array([0.1, 0.5, 2.0]),) if name in catalog.LEARNED_ACTIVATIONS else ()
    network.params = [(np.eye(3), np.zeros(3), *slopes)]
    x = np.stack([z, z[::-1], z / 2], axis=1).astype(dtype)
    output = run(network, x)["output"]
    assert output.dtype == dtype
    np.testing.assert_allclose(output, network(x), rtol=1e-5, atol=1e-6)
    if not slopes:
        np.testing.assert_allclose(output, ACTIVATIONS[name].value(x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("text", ["leaky_relu(0.2)", "leaky_relu(1.5)", "elu(alpha=0.5)"])
def test_parameters_of_activations(text, rng):
    network = Network([Dense(5, text)], 4, random_state=0)
    x = rng.normal(size=(30, 4)).astype(np.float32)
    np.testing.assert_allclose(run(network, x)["output"], network(x), atol=1e-6)


def test_network(dtype, rng):
    layers = [
        Dense(9, [("relu", 4), ("leaky_relu(0.3)", 2), ("tanh", 3)]),
        Dropout(0.4, mode="classic"),
        Dense(8, "prelu"),
        Dropout(0.4),
        Dense(3, "softmax"),
    ]
    network = Network(layers, 5, dtype=dtype, random_state=0)
    x = rng.normal(size=(40, 5)).astype(dtype)
    np.testing.assert_allclose(run(network, x)["output"], network(x), atol=1e-6)


@pytest.mark.parametrize(("kind", "data"), KINDS)
def test_onnx(kind, data, dtype):
    x, y = data()
    x = x.astype(dtype)
    model = kind(**SMALL, dtype=dtype, dropout=0.1).fit(x, y)
    outputs = run(model, x)
    if kind is MLPRegressor:
        assert list(outputs) == ["output"]
        assert outputs["output"].shape == model.predict(x).shape
        np.testing.assert_allclose(outputs["output"], model.predict(x), rtol=1e-5, atol=1e-5)
    else:
        assert list(outputs) == ["label", "probabilities"]
        np.testing.assert_array_equal(outputs["label"], model.predict(x))
        assert outputs["probabilities"].dtype == dtype
        np.testing.assert_allclose(outputs["probabilities"], model.predict_proba(x), atol=1e-5)


@pytest.mark.parametrize("names", [["no", "ja"], [7, -1], [1.0, 2.0], [False, True]])
def test_onnx_labels(names):
    x, y = labels(k=1)
    x = x.astype(np.float32)
    model = MLPClassifier(max_iter=5).fit(x, np.array(names)[y.ravel()])
    np.testing.assert_array_equal(run(model, x)["label"], model.predict(x))


def test_onnx_one_class():
    x = np.eye(4, dtype=np.float32)
    model = MLPClassifier(max_iter=2).fit(x, ["a"] * 4)
    np.testing.assert_array_equal(run(model, x)["label"], model.predict(x))


@pytest.mark.parametrize("data", [classes, lambda: classes(k=2), labels])
def test_onnx_margins(data):
    x, y = data()
    x = x.astype(np.float32)
    model = MLPClassifier(**SMALL, loss="hinge").fit(x, y)
    outputs = run(model, x)
    np.testing.assert_array_equal(outputs["label"], model.predict(x))
    np.testing.assert_allclose(outputs["margins"], model.forward(x)[1][-1], rtol=1e-5, atol=1e-5)


def test_onnx_of_weights_set_by_hand():
    x, y = numbers()
    x = x.astype(np.float32)
    model = MLPRegressor(**SMALL).fit(x, y)
    model.coefs_ = [2 * w for w in model.coefs_]
    np.testing.assert_allclose(run(model, x)["output"], model.predict(x), rtol=1e-5, atol=1e-5)


def test_without_onnx(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match="to_onnx needs onnx"):
        fastmlp.to_onnx(MLPRegressor())


@pytest.mark.parametrize(
    "settings", [{"loss": "gaussian"}, {"loss": "quantile", "quantiles": [0.5]}]
)
def test_what_scikit_learn_has_no_outputs_for(settings):
    x = np.arange(20.0).reshape(-1, 1)
    model = MLPRegressor(**settings, max_iter=3000, tol=1).fit(x, x.ravel())
    model.set_params(loss="squared_error")
    with pytest.raises(ValueError, match="neither several quantiles at once nor loss='gaussian'"):
        fastmlp.to_sklearn(model)
