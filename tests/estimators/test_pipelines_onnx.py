"""Pipelines and the like in ONNX: raw columns in, what they predict out."""

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.ensemble import BaggingClassifier, BaggingRegressor, StackingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor

pytest.importorskip("skl2onnx")
runtime = pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
rng = np.random.default_rng(0)
X = rng.normal(size=(200, 4))
FRAME = pd.DataFrame(
    {
        "size": rng.normal(50, 10, 200),
        "rooms": rng.integers(1, 6, 200),
        "town": rng.choice(["Ulm", "Köln", "Rom"], 200),
        "heating": rng.choice(["gas", "oil"], 200),
    }
)
FRAME.loc[::7, "size"] = np.nan
PRICE = FRAME["rooms"] * 2 + (FRAME["town"] == "Rom") + np.nan_to_num(FRAME["size"]) / 50
SMALL = {"hidden_layer_sizes": (12,), "max_iter": 40, "random_state": 0}


def run(model, inputs):
    session = runtime.InferenceSession(model.SerializeToString())
    return dict(
        zip([o.name for o in session.get_outputs()], session.run(None, inputs), strict=True)
    )


def columns(frame, numbers="float32"):
    return {
        name: frame[[name]].to_numpy(object if frame[name].dtype.kind in "OT" else numbers)
        for name in frame
    }


def prepared():
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    return make_column_transformer(
        (numbers, ["size", "rooms"]),
        (OneHotEncoder(handle_unknown="ignore"), ["town"]),
        (OrdinalEncoder(), ["heating"]),
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_raw_columns(dtype):
    pipeline = make_pipeline(prepared(), MLPRegressor(**SMALL, dtype=dtype)).fit(FRAME, PRICE)
    model = fastmlp.to_onnx(pipeline)
    assert [i.name for i in model.graph.input] == list(FRAME)
    found = run(model, columns(FRAME))["output"]
    np.testing.assert_allclose(found, pipeline.predict(FRAME), rtol=1e-5, atol=1e-5)


def test_types_by_a_sample():
    y = np.where(PRICE.median() < PRICE, "dear", "cheap")
    pipeline = make_pipeline(prepared(), MLPClassifier(**SMALL, dtype="float64")).fit(FRAME, y)
    inputs = columns(FRAME) | {"rooms": FRAME[["rooms"]].to_numpy()}  # int64, as it is
    found = run(fastmlp.to_onnx(pipeline, FRAME), inputs)
    assert np.array_equal(found["label"], pipeline.predict(FRAME))
    np.testing.assert_allclose(found["probabilities"], pipeline.predict_proba(FRAME), atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("steps", [[StandardScaler()], [StandardScaler(), PCA(3)], []], ids=len)
def test_arrays(steps, dtype):
    y = np.arange(200) % 3
    pipeline = make_pipeline(*steps, MLPClassifier(**SMALL, dtype=dtype)).fit(X, y)
    model = fastmlp.to_onnx(pipeline)
    x = X.astype("float32" if steps else dtype)
    found = run(model, {"X": x})
    np.testing.assert_allclose(found["probabilities"], pipeline.predict_proba(x), atol=1e-5)
    given = run(fastmlp.to_onnx(pipeline, X), {"X": x})
    np.testing.assert_allclose(given["probabilities"], pipeline.predict_proba(X), atol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "settings",
    [{}, {"loss": "gaussian"}, {"loss": "quantile", "quantiles": [0.1, 0.9]}],
    ids=["mean", "normal", "quantiles"],
)
@pytest.mark.parametrize("k", [1, 2])
def test_regressors(k, settings, dtype):
    y = np.squeeze(X[:, :k] + X[:, 2:])
    pipeline = make_pipeline(StandardScaler(), MLPRegressor(**SMALL, **settings, dtype=dtype))
    found = run(fastmlp.to_onnx(pipeline.fit(X, y)), {"X": X.astype("float32")})
    assert found["output"].dtype == dtype
    np.testing.assert_allclose(found["output"], pipeline.predict(X), rtol=1e-5, atol=1e-5)
    if "loss" in settings and "quantiles" not in settings:
        _, std = pipeline.predict(X, return_std=True)
        np.testing.assert_allclose(found["std"], std, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("labels", ["numbers", "strings", "truths"])
def test_labels(labels, dtype):
    y = {"numbers": np.arange(200) % 3, "strings": np.array(["a", "b", "c"])[np.arange(200) % 3]}
    y["truths"] = X[:, 0] > 0
    pipeline = make_pipeline(StandardScaler(), MLPClassifier(**SMALL, dtype=dtype))
    found = run(fastmlp.to_onnx(pipeline.fit(X, y[labels])), {"X": X.astype("float32")})
    assert np.array_equal(found["label"], pipeline.predict(X))
    np.testing.assert_allclose(found["probabilities"], pipeline.predict_proba(X), atol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("k", [2, 3])
def test_networks_anywhere(k, dtype):
    """Whatever of scikit-learn's has them inside, as far as skl2onnx writes it."""
    y, x = np.arange(200) % k, X.astype("float32")
    how = {**SMALL, "dtype": dtype}
    for model in (
        CalibratedClassifierCV(MLPClassifier(**how), cv=2),
        BaggingClassifier(MLPClassifier(**how), n_estimators=2),
        GridSearchCV(MLPClassifier(**how), {"alpha": [0.1, 1]}, cv=2),
        make_pipeline(StandardScaler(), BaggingClassifier(MLPClassifier(**how), n_estimators=2)),
    ):
        found = run(fastmlp.to_onnx(model.fit(X, y)), {"X": x})
        assert np.array_equal(found["label"], model.predict(x))
        np.testing.assert_allclose(found["probabilities"], model.predict_proba(x), atol=1e-5)
    for model in (
        StackingRegressor([("net", MLPRegressor(**how)), ("line", Ridge())]),
        BaggingRegressor(MLPRegressor(**how), n_estimators=2),
    ):
        (found,) = run(fastmlp.to_onnx(model.fit(X, X[:, 0])), {"X": x}).values()
        np.testing.assert_allclose(found.ravel(), model.predict(x), rtol=1e-4, atol=1e-5)


def test_what_is_refused():
    with pytest.raises(TypeError, match="estimator must be one of MLPClassifier"):
        fastmlp.to_onnx("a network")
    with pytest.raises(ValueError, match="not fitted"):
        fastmlp.to_onnx(Pipeline([("scale", StandardScaler()), ("net", MLPRegressor())]))


def test_margins_are_no_probabilities():
    model = CalibratedClassifierCV(MLPClassifier(**SMALL, loss="hinge"), cv=2)
    with pytest.raises(ValueError, match="loss='hinge' has no probabilities"):
        fastmlp.to_onnx(model.fit(X, X[:, 0] > 0))
    with pytest.raises(TypeError, match="estimator must be one of"):
        fastmlp.to_onnx(fastmlp.Perceptron().fit(X, X[:, 0] > 0))


@pytest.mark.parametrize("loss", ["squared_error", "gaussian"])
def test_pipelines_inside(loss):
    inner = make_pipeline(StandardScaler(), MLPRegressor(loss, **SMALL))
    model = StackingRegressor([("net", inner), ("line", Ridge())]).fit(X, X[:, 0])
    (found,) = run(fastmlp.to_onnx(model), {"X": X.astype("float32")}).values()
    np.testing.assert_allclose(found.ravel(), model.predict(X), rtol=1e-4, atol=1e-4)
