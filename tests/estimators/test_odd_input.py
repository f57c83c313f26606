"""Dates, masked entries and missing values are named; labels of any type that is meant for them are
taken, and sparse targets, too."""

import datetime

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from loops import each

from fastmlp import (
    Dense,
    McCullochPitts,
    MLPClassifier,
    MLPRegressor,
    Network,
    Perceptron,
    find_learning_rate,
    graph,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
rng = np.random.default_rng(0)
N = 60
X = rng.normal(size=(N, 2))
Y = (X[:, 0] > 0).astype(int)
DAYS = np.datetime64("2020-01-01") + np.arange(N)
SPANS = np.arange(N).astype("timedelta64[s]")
SMALL = {"hidden_layer_sizes": (4,), "max_iter": 3}


def trained(x, t, **more):
    Network([Dense(1)], 2).fit(x, t, loss="mse", epochs=1, **more)


FITS = {
    "MLPClassifier": lambda x, y: MLPClassifier(**SMALL).fit(x, y),
    "MLPRegressor": lambda x, y: MLPRegressor(**SMALL).fit(x, y),
    "lbfgs": lambda x, y: MLPRegressor(**SMALL, solver="lbfgs").fit(x, y),
    "partial_fit": lambda x, y: MLPRegressor(**SMALL).partial_fit(x, y),
    "Perceptron": lambda x, y: Perceptron(max_iter=3).fit(x, y),
    "X_val": lambda x, y: MLPRegressor(**SMALL).fit(X, Y, X_val=x, y_val=y),
    "Network": trained,
    "validation_data": lambda x, y: trained(X, Y, validation_data=(x, y)),
    "predict": lambda x, y: MLPRegressor(**SMALL).fit(X, Y).predict(x),
    "Network()": lambda x, y: Network([Dense(1)], 2)(x),
}
TIMES = {
    "days": (np.column_stack([DAYS, DAYS]), ""),
    "spans": (np.column_stack([SPANS, SPANS]), ""),
    "pandas": (pd.DataFrame({"a": DAYS, "b": DAYS}), r"'a' \(datetime64.*'b' \("),
    "pandas, mixed": (pd.DataFrame({"a": X[:, 0], "b": DAYS}), r"'b' \(datetime64"),
    "pandas, zone": (
        pd.DataFrame({"a": X[:, 0], "b": pd.date_range("2020", periods=N, tz="UTC")}),
        r"'b' \(datetime64",
    ),
    "pandas, spans": (pd.DataFrame({"a": X[:, 0], "b": SPANS}), r"'b' \(timedelta64"),
    "pandas, periods": (
        pd.DataFrame({"a": X[:, 0], "b": pd.period_range("2020", periods=N)}),
        r"'b' \(period",
    ),
    "polars, date": (pl.DataFrame({"a": X[:, 0], "b": DAYS}), r"'b' \(Date"),
    "polars, datetime": (
        pl.DataFrame({"a": X[:, 0], "b": DAYS.astype("datetime64[us]")}),
        r"'b' \(Datetime",
    ),
    "polars, duration": (
        pl.DataFrame({"a": X[:, 0], "b": SPANS.astype("timedelta64[us]")}),
        r"'b' \(Duration",
    ),
    "polars, time": (
        pl.DataFrame({"a": X[:, 0], "b": [datetime.time(i % 24) for i in range(N)]}),
        r"'b' \(Time",
    ),
    "list": ([[float(x), d] for x, d in zip(X[:, 0], DAYS.tolist(), strict=True)], ""),
    "list of days": ([[d, d] for d in DAYS], ""),
    "list of stamps": ([[pd.Timestamp(d), 1.0] for d in DAYS], ""),
    "objects": (np.array([[d, 1.0] for d in DAYS.tolist()], dtype=object), ""),
    "column of objects": (
        pd.DataFrame({"a": X[:, 0], "b": pd.Series(DAYS.tolist(), dtype=object)}),
        r"'b' \(date\)",
    ),
    "categories": (
        pd.DataFrame({"a": X[:, 0], "b": pd.Series(DAYS).astype("category")}),
        r"'b' \(category",
    ),
}


@each("call", list(FITS))
@each("times", list(TIMES))
def test_times_as_inputs(call, times):
    x, columns = TIMES[times]
    match = rf"X must hold numbers; there are dates, times or durations in .*{columns}.*days since"
    with pytest.raises(ValueError, match=match):
        FITS[call](x, Y)


@pytest.mark.parametrize("call", ["MLPRegressor", "lbfgs", "partial_fit", "X_val", "Network"])
@pytest.mark.parametrize(
    "y",
    [
        DAYS,
        SPANS,
        pd.Series(DAYS),
        pl.Series(DAYS),
        DAYS.tolist(),
        list(DAYS),
        [pd.Timestamp(d) for d in DAYS],
        pd.Series(DAYS).astype("category"),
        pd.Series(DAYS.tolist(), dtype=object),
    ],
    ids=[
        "days",
        "spans",
        "pandas",
        "polars",
        "list",
        "list of days",
        "stamps",
        "category",
        "object",
    ],
)
def test_times_as_targets(call, y):
    with pytest.raises(ValueError, match=r"\b[yt] must hold numbers; there are dates"):
        FITS[call](X, y)


def test_times_as_weights():
    for weight in (DAYS, pd.Series(SPANS), pl.Series(DAYS)):
        with pytest.raises(ValueError, match=r"sample_weight must hold numbers; there are dates"):
            MLPRegressor(**SMALL).fit(X, Y, sample_weight=weight)
        with pytest.raises(ValueError, match=r"sample_weight_val must hold numbers; there are"):
            MLPRegressor(**SMALL).fit(X, Y, X_val=X, y_val=Y, sample_weight_val=weight)
        with pytest.raises(ValueError, match=r"sample_weight must hold numbers; there are dates"):
            trained(X, Y, sample_weight=weight)


@pytest.mark.parametrize("call", list(FITS))
def test_masked_entries(call):
    x = np.ma.masked_array(X, mask=np.zeros_like(X, bool))
    FITS[call](x, Y)  # nothing is masked
    x.mask[3, 1] = True
    with pytest.raises(ValueError, match=r"X has masked entries.*filled"):
        FITS[call](x, Y)


def test_masked_targets_and_weights():
    y = np.ma.masked_array(Y.astype(float), mask=Y == 0)
    for call in ("MLPRegressor", "Network"):
        with pytest.raises(ValueError, match=r"[yt] has masked entries"):
            FITS[call](X, y)
    with pytest.raises(ValueError, match=r"sample_weight has masked entries"):
        MLPRegressor(**SMALL).fit(X, Y, sample_weight=y)
    start = np.ma.masked_array(np.ones((2, 4)), mask=np.eye(2, 4))
    with pytest.raises(ValueError, match=r"coef_init has masked entries"):
        MLPRegressor(**SMALL).fit(X, Y, coef_init=[start, np.ones((4, 1))])


# Missing values


@pytest.mark.parametrize("call", ["MLPClassifier", "MLPRegressor", "Perceptron", "Network"])
@pytest.mark.parametrize("kind", ["frame", "array"])
def test_missing_inputs_among_objects(call, kind):
    frame = pd.DataFrame(X, columns=["a", "b"]).astype(object)
    frame.iloc[3, 1] = pd.NA
    x, place = (frame, r"'b' \(row 3\)") if kind == "frame" else (frame.to_numpy(), "row 3")
    with pytest.raises(ValueError, match=rf"X has missing values .*{place}.*SimpleImputer"):
        FITS[call](x, Y)


@pytest.mark.parametrize("call", ["MLPClassifier", "Perceptron"])
@pytest.mark.parametrize("missing", [pd.NA, None, np.nan])
def test_missing_labels(call, missing):
    text = np.where(Y, "yes", "no").astype(object)
    text[3] = missing
    series = pd.Series(text, dtype="string")
    numbers = pd.Series(Y, dtype="Int64")
    numbers[3] = pd.NA
    for y in (text, pd.Series(text, dtype=object), series, numbers):
        with pytest.raises(ValueError, match=r"y has a missing value, .* in row 3.*leave out"):
            FITS[call](X, y)


@pytest.mark.parametrize("call", ["MLPRegressor", "lbfgs", "partial_fit", "X_val", "Network"])
@pytest.mark.parametrize("missing", [None, pd.NA, np.nan, pd.NaT])
def test_missing_targets_among_objects(call, missing):
    y = X[:, 0].astype(object)
    y[5] = missing
    for targets in (y, y.tolist(), pd.Series(y, dtype=object)):
        if missing is np.nan and isinstance(targets, list):
            continue  # a list of floats, in which scikit-learn finds it
        with pytest.raises(ValueError, match=r"\b[yt] has a missing value, .* in row 5"):
            FITS[call](X, targets)
    with pytest.raises(ValueError, match=r"\b[yt] holds a number that is too large"):
        FITS[call](X, [1.5, 10**400, *X[2:, 0]])


def test_numbers_among_objects():
    y = X[:, 0].astype(object)
    plain = MLPRegressor(**SMALL, random_state=0).fit(X, X[:, 0])
    np.testing.assert_array_equal(
        MLPRegressor(**SMALL, random_state=0).fit(X, y).coefs_[0], plain.coefs_[0]
    )


@pytest.mark.parametrize("weight", [["heavy"] * N, [None] * N, [pd.NA] * N, [1j] * N, [{}] * N])
def test_weights_that_are_no_numbers(weight):
    for call, name in (
        (lambda: MLPRegressor(**SMALL).fit(X, Y, weight), "sample_weight"),
        (
            lambda: MLPRegressor(**SMALL).fit(X, Y, X_val=X, y_val=Y, sample_weight_val=weight),
            "sample_weight_val",
        ),
        (lambda: trained(X, Y, sample_weight=weight), "sample_weight"),
    ):
        with pytest.raises(ValueError, match=name):
            call()


def test_class_weights_that_are_no_numbers_or_too_large():
    with pytest.raises(ValueError, match=r"class_weight=\{0: 'a'\}"):
        MLPClassifier(class_weight={0: "a"}).fit(X, Y)
    with pytest.raises(ValueError, match=r"^class_weight: the sum of the weights is"):
        MLPClassifier(class_weight={0: 1e300, 1: 1e300}).fit(X, Y)


def test_scores_of_labels_of_any_type():
    model = MLPClassifier((4,), random_state=0).fit(X, Y)
    expected = model.score(X, Y)
    for y in (Y.astype(object), pd.Series(Y, dtype="Int64"), Y.tolist(), pl.Series(Y)):
        assert model.score(X, y) == expected
    with pytest.raises(ValueError, match=r"y has a missing value, None, in row 2"):
        model.score(X, [0, 1, None, *Y[3:]])


def test_announced_classes():
    model = MLPClassifier((4,)).partial_fit(X, Y, classes=np.array([0, 1], dtype=object))
    assert model.classes_.tolist() == [0, 1]
    for kind in (MLPClassifier(), Perceptron()):
        with pytest.raises(ValueError, match=r"classes must hold numbers; there are dates"):
            kind.partial_fit(X, Y, classes=DAYS[:2])


def test_labels_of_objects_in_the_range_test():
    model = MLPClassifier((4,), random_state=0)
    search = find_learning_rate(model, X, Y.astype(object))
    np.testing.assert_array_equal(search.losses, find_learning_rate(model, X, Y).losses)


def test_neurons_and_graphs_take_numbers_only():
    neuron = McCullochPitts([1.0, 1.0], 1.0)
    for x in (np.column_stack([DAYS, DAYS]), pd.DataFrame({"a": DAYS, "b": DAYS})):
        with pytest.raises(ValueError, match=r"X must hold numbers; there are dates"):
            neuron.predict(x)
    masked = np.ma.masked_array([1.0, 2.0], mask=[True, False])
    with pytest.raises(ValueError, match=r"value has masked entries"):
        graph.variable(masked)
    with pytest.raises(ValueError, match=r"value must hold numbers; there are dates"):
        graph.constant(DAYS)
    with pytest.raises(ValueError, match=r"value holds the magnitude 1e\+300.*float32"):
        graph.constant(1e300, dtype="float32")


@pytest.mark.parametrize(
    ("weights", "match"),
    [
        (np.full((2, 4), "a"), r"coefs_ must hold arrays of numbers"),
        (np.zeros((2, 4), "m8[D]"), r"coefs_ must hold numbers; there are dates"),
        (np.zeros((2, 4), complex), r"coefs_ must hold arrays of real numbers"),
        (np.zeros((3, 4)), r"coefs_\[0\] must have shape \(2, 4\); got \(3, 4\)"),
        (np.full((2, 4), np.nan), r"coefs_\[0\] must be finite"),
        (np.full((2, 4), 1e39), r"coefs_\[0\] must be finite in float32"),
    ],
)
def test_weights_put_in_their_place(weights, match):
    model = MLPClassifier(**SMALL).fit(X, Y)
    model.coefs_ = [weights, model.coefs_[1]]
    for call in (model.predict, model.predict_proba, model.forward):
        with pytest.raises(ValueError, match=match):
            call(X)


# Labels of any type


@pytest.mark.parametrize(
    "labels",
    [
        pd.Series(Y, dtype=object),
        pd.Series(Y, dtype="Int64"),
        pd.Series(Y, dtype="Int8"),
        pd.Series(Y == 1, dtype="boolean"),
        pd.Series(Y == 1, dtype=object),
        Y.astype(object),
        pd.Series(np.where(Y, "yes", "no"), dtype="string"),
        pd.Series(np.where(Y, "yes", "no"), dtype="category"),
        pl.Series(Y),
        pl.Series(np.where(Y, "yes", "no").tolist()),
        Y.tolist(),
    ],
    ids=lambda labels: f"{type(labels).__module__}-{getattr(labels, 'dtype', 'list')}",
)
@pytest.mark.parametrize("kind", [MLPClassifier, Perceptron])
def test_labels_are_taken_as_what_they_are(kind, labels):
    model = kind(max_iter=3, random_state=0).fit(X, labels)
    plain = kind(max_iter=3, random_state=0).fit(X, Y)
    for _ in range(2):
        numbers = np.searchsorted(model.classes_, model.predict(X))
        np.testing.assert_array_equal(numbers, plain.predict(X))
        model.partial_fit(X, labels)
        plain.partial_fit(X, Y)


@pytest.mark.skipif(not hasattr(np.dtypes, "StringDType"), reason="this NumPy has no StringDType")
@pytest.mark.parametrize("kind", [MLPClassifier, Perceptron])
def test_strings_of_variable_length(kind):
    labels = np.array(["no", "yes"])[Y].astype(np.dtypes.StringDType())
    model = kind(max_iter=3).fit(X, labels)
    assert model.classes_.tolist() == ["no", "yes"]


@pytest.mark.parametrize(
    "t", [pd.Series(Y, dtype="Int64"), pd.Series(Y, dtype=object), Y.tolist(), Y.astype("uint8")]
)
def test_classes_of_a_network(t):
    net = Network([Dense(2, "softmax")], 2, random_state=0)
    plain = Network([Dense(2, "softmax")], 2, random_state=0)
    how = {"loss": "cross_entropy", "epochs": 2}
    assert net.fit(X, t, **how)["loss"] == plain.fit(X, Y, **how)["loss"]


# Sparse targets


@pytest.mark.parametrize("make", [sp.csr_matrix, sp.csc_array, sp.coo_array])
def test_sparse_targets(make):
    t = np.where(np.abs(X) > 0.5, X, 0.0)
    sparse = make(t)
    for settings in ({}, {"solver": "lbfgs"}):
        dense = MLPRegressor(**SMALL, **settings, random_state=0).fit(X, t)
        same = MLPRegressor(**SMALL, **settings, random_state=0).fit(X, sparse)
        np.testing.assert_array_equal(same.predict(X), dense.predict(X))
    model = MLPRegressor(**SMALL, random_state=0)
    model.fit(X, t, X_val=X, y_val=sparse)
    assert len(model.validation_scores_) == 3
    model.partial_fit(X, sparse)
    net = Network([Dense(2)], 2, random_state=0)
    value, _ = net.loss_and_gradients(X, sparse, "mse")
    assert value == net.loss_and_gradients(X, t, "mse")[0]
