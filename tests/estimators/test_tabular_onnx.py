"""Estimators for tables in ONNX: one file that takes raw rows, and predicts the same."""

import numpy as np
import pandas as pd
import pytest

import fastmlp
from fastmlp import TabularClassifier, TabularRegressor

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

N = 200
RNG = np.random.default_rng(0)
FAST = {"preset": "fast", "random_state": 0}
ALWAYS = {"rtol": 1e-5, "atol": 1e-5}


def frame():
    """Columns of every kind that is used, with gaps."""
    seconds = RNG.integers(-(2**32), 2**32, N)
    X = pd.DataFrame(
        {
            "number": RNG.normal(size=N),
            "count": RNG.poisson(2, N),
            "large": 1e12 + 1e9 * RNG.normal(size=N),
            "truth": RNG.random(N) > 0.5,
            "kind": RNG.choice(["x", "y", "", "nan", "1"], N),
            "many": RNG.integers(0, 40, N).astype(str),
            "since": pd.to_datetime(seconds, unit="s"),
            "constant": 1,
            "name": [f"name {i}" for i in range(N)],
        }
    )
    X.loc[::7, "number"] = np.nan
    X.loc[::9, "many"] = None
    X.loc[3::9, "since"] = pd.NaT
    return X


X = frame()
Y = np.where((X["number"] > 0) == (X["kind"] == "x"), "yes", "no")


def session(model):
    content = fastmlp.to_onnx(model).SerializeToString()
    return onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])


def feed(runtime, X):
    """The columns of a frame as the inputs of a model want them."""
    inputs = {}
    for each in runtime.get_inputs():
        column = X[each.name]
        if each.type == "tensor(string)":
            column = column.astype(int) if column.dtype.kind == "b" else column  # 1 is not True
            values = column.astype(object).where(column.notna(), "").astype(str).to_numpy(object)
        elif column.dtype.kind == "M":
            values = ((column - pd.Timestamp(0)) / pd.Timedelta(seconds=1)).to_numpy(float)
        else:
            values = column.to_numpy(float)
        inputs[each.name] = values[:, None]
    return inputs


def strange(X):
    """Values that were not there in training."""
    X = X.astype({"count": float, "truth": float})
    X.loc[1, ["number", "count", "truth"]] = [np.inf, np.nan, np.nan]
    X.loc[2, ["number", "large", "kind"]] = [-1e300, np.nan, "never seen"]
    X.loc[3, ["number", "count"]] = [-np.inf, 1e9]
    X.loc[4, "since"] = pd.Timestamp("1700-02-28 23:59:59")
    X.loc[5, "since"] = pd.Timestamp("2000-02-29")
    X.loc[7:12, "kind"] = ["1.0", "True", "NaN", "None", "X", " x"]
    X.loc[6, "since"] = pd.Timestamp("2262-01-01 12:30")
    return X


@pytest.mark.parametrize("preset", ["fast", "balanced"])
@pytest.mark.parametrize("change", [lambda X: X, strange, lambda X: X[:1], lambda X: X[:0]])
def test_a_classifier(preset, change):
    model = TabularClassifier(preset=preset, random_state=0).fit(X, Y)
    runtime, rows = session(model), change(X)
    label, shares = runtime.run(None, feed(runtime, rows))
    assert shares.shape == (len(rows), 2)
    if not len(rows):
        return
    np.testing.assert_allclose(shares, model.predict_proba(rows), **ALWAYS)
    np.testing.assert_array_equal(label, model.predict(rows))


@pytest.mark.parametrize("change", [lambda X: X, strange])
def test_a_regressor(change):
    y = 1e6 + X["number"].fillna(0) + X["since"].dt.month.fillna(0)
    model = TabularRegressor(**FAST).fit(X, y)
    runtime, rows = session(model), change(X)
    (output,) = runtime.run(["output"], feed(runtime, rows))
    assert output.shape == (N,)
    scale = np.ptp(y)
    np.testing.assert_allclose(output / scale, model.predict(rows) / scale, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "y",
    [RNG.integers(0, 5, N), np.zeros(N, dtype=int), RNG.random(N) > 0.5, RNG.integers(0, 12, N)],
)
def test_labels(y):
    model = TabularClassifier(**FAST, categorical_features=["truth", "count"]).fit(X, y)
    runtime = session(model)
    label, shares = runtime.run(["label", "probabilities"], feed(runtime, X))
    np.testing.assert_allclose(shares, model.predict_proba(X), **ALWAYS)
    np.testing.assert_array_equal(label, model.predict(X))


def test_inputs_are_the_columns_that_are_used():
    inputs = session(TabularClassifier(**FAST).fit(X, Y)).get_inputs()
    assert [each.name for each in inputs] == list(X.columns[:7])
    texts = [each.name for each in inputs if each.type == "tensor(string)"]
    assert texts == ["kind", "many"]
    assert {tuple(each.shape) for each in inputs} == {("n_samples", 1)}


def test_names_that_an_output_has_and_none():
    columns = [
        "label",
        "probabilities",
        "",
        "constant_3",
        "Gather_5",
        "a b\n",
        "part_0_0",
        "c",
        "d",
    ]
    model = TabularClassifier(**FAST).fit(X.set_axis(columns, axis=1), Y)
    runtime = session(model)
    names = [each.name for each in runtime.get_inputs()]
    assert names == ["label_", "probabilities_", "_", *columns[3:7]]
    fed = feed(session(TabularClassifier(**FAST).fit(X, Y)), X)
    _, shares = runtime.run(None, dict(zip(names, fed.values(), strict=True)))
    np.testing.assert_allclose(shares, model.predict_proba(X.set_axis(columns, axis=1)), **ALWAYS)


def test_an_array_has_numbers_for_names():
    numbers = RNG.normal(size=(N, 3))
    numbers[::5, 1] = np.nan
    model = TabularRegressor(**FAST).fit(numbers, numbers[:, 0])
    runtime = session(model)
    (output,) = runtime.run(None, {str(j): numbers[:, [j]] for j in range(3)})
    np.testing.assert_allclose(output, model.predict(numbers), **ALWAYS)


def test_days_of_four_centuries():
    days = pd.Series(np.arange("1800-01-01", "2200-01-01", 17, dtype="datetime64[D]"))
    table = pd.DataFrame({"day": days.astype("datetime64[s]")})
    model = TabularRegressor(**FAST).fit(table, days.dt.day + 40 * days.dt.month)
    runtime = session(model)
    (output,) = runtime.run(None, feed(runtime, table))
    np.testing.assert_allclose(output, model.predict(table), rtol=1e-4)


def test_no_column_of_use():
    model = TabularRegressor(**FAST).fit(np.ones((N, 2)), np.arange(N))
    with pytest.raises(ValueError, match="No column was of use"):
        fastmlp.to_onnx(model)


def test_not_fitted():
    with pytest.raises(ValueError, match="not fitted"):
        fastmlp.to_onnx(TabularClassifier())
