"""Wrong arguments of every kind end in an error that names them, before anything is trained."""

import re

import numpy as np
import pandas as pd
import pytest
from samples import SMALL, classes, labels, numbers
from sklearn.exceptions import NotFittedError
from sklearn.metrics import accuracy_score

from fastmlp import MLPClassifier, MLPRegressor, Perceptron, set_target
from fastmlp.callbacks import StopAt, TimeBudget

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

BOTH = pytest.mark.parametrize(
    ("kind", "data"),
    [pytest.param(MLPClassifier, classes, id="clf"), pytest.param(MLPRegressor, numbers, id="reg")],
)


@BOTH
@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("hidden_layer_sizes", (0,)),
        ("hidden_layer_sizes", -3),
        ("hidden_layer_sizes", (3, -1)),
        ("hidden_layer_sizes", (2.5,)),
        ("hidden_layer_sizes", "many"),
        ("hidden_layer_sizes", [[2, 3]]),
        ("activation", "swash"),
        ("activation", ["relu", "relu", "relu"]),
        ("activation", ["swash"]),
        ("activation", None),
        ("solver", "prayer"),
        ("alpha", -1),
        ("alpha", np.nan),
        ("alpha", "lots"),
        ("batch_size", 0),
        ("batch_size", -1),
        ("batch_size", "big"),
        ("batch_size", 2.5),
        ("learning_rate", "whenever"),
        ("learning_rate_init", 0),
        ("learning_rate_init", -1),
        ("max_iter", 0),
        ("max_iter", 2.5),
        ("tol", -1),
        ("momentum", 1.5),
        ("beta_1", 1.0),
        ("beta_2", -0.1),
        ("epsilon", 0),
        ("n_iter_no_change", 0),
        ("validation_fraction", 1.0),
        ("dropout", 1.0),
        ("dropout", -0.1),
        ("dropout", np.nan),
        ("dropout", [0.1, 0.1, 0.1]),
        ("dropout", [1.0]),
        ("dropout", "some"),
        ("dropout", ["some"]),
        ("dropout_input", 1.0),
        ("dropout_input", -1),
        ("dtype", "float16"),
        ("dtype", "int32"),
        ("n_jobs", 0),
        ("n_jobs", 1.5),
        ("n_jobs", "all"),
        ("random_state", "lucky"),
        ("shuffle", "maybe"),
    ],
)
def test_parameters(kind, data, parameter, value):
    model = kind(**SMALL | {parameter: value})
    with pytest.raises((ValueError, TypeError), match=parameter):
        model.fit(*data())
    assert not hasattr(model, "coefs_")


@BOTH
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_non_finite_numbers(kind, data, bad):
    x, y = data()
    model = kind(**SMALL).fit(x, y)
    for dtype in (np.float32, np.float64):
        for order in "CF":
            dirty = np.array(x, dtype, order=order)
            dirty[3, 2] = bad
            for call in (model.predict, lambda d: kind(**SMALL).fit(d, y)):
                with pytest.raises(ValueError, match=r"Input X contains (NaN|infinity)"):
                    call(dirty)


@BOTH
def test_numbers_too_large_for_the_dtype(kind, data):
    x, y = data()
    model = kind(**SMALL).fit(x, y)
    x[0, 0] = 1e39
    for call in (model.predict, lambda d: kind(**SMALL).fit(d, y)):
        with pytest.raises(ValueError, match=r"X.*float32"):
            call(x)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_non_finite_targets(bad):
    x, y = numbers()
    y[5] = bad
    with pytest.raises(ValueError, match=r"y contains (NaN|infinity)"):
        MLPRegressor(**SMALL).fit(x, y)


@BOTH
@pytest.mark.parametrize(
    ("weight", "match"),
    [
        (np.full(120, np.nan), "sample_weight contains NaN"),
        (np.ones(119), "sample_weight"),
        (np.ones((120, 2)), "[Ss]ample.weight"),
        (np.zeros(120), "[Ss]ample.weight"),
        (["heavy"] * 120, "heavy|float"),
    ],
)
def test_sample_weights(kind, data, weight, match):
    with pytest.raises(ValueError, match=match):
        kind(**SMALL).fit(*data(), sample_weight=weight)


@BOTH
def test_shapes(kind, data):
    x, y = data()
    model = kind(**SMALL).fit(x, y)
    with pytest.raises(ValueError, match=r"inconsistent numbers of samples"):
        kind(**SMALL).fit(x, y[:-1])
    with pytest.raises(ValueError, match=r"5 features.*expecting 6"):
        model.predict(x[:, :5])
    with pytest.raises(ValueError, match=r"5 features.*expecting 6"):
        model.partial_fit(x[:, :5], y)
    for bad in (x[0], x[None], np.float64(3)):
        with pytest.raises(ValueError, match=r"2D|2 dim|dim 3"):
            model.predict(bad)
        with pytest.raises(ValueError, match=r"2D|2 dim|dim 3"):
            kind(**SMALL).fit(bad, y)


@BOTH
def test_emptiness(kind, data):
    x, y = data()
    model = kind(**SMALL).fit(x, y)
    for call in (lambda: kind().fit(x[:0], y[:0]), lambda: model.predict(x[:0])):
        with pytest.raises(ValueError, match=r"0 sample"):
            call()
    with pytest.raises(ValueError, match=r"0 feature"):
        kind().fit(x[:, :0], y)
    with pytest.raises(ValueError, match=r"y"):
        kind().fit(x, None)


@BOTH
def test_text_and_complex_numbers(kind, data):
    x, y = data()
    model = kind(**SMALL).fit(x, y)
    text = np.full(x.shape, "many")
    for call in (model.predict, lambda d: kind(**SMALL).fit(d, y)):
        with pytest.raises(ValueError, match=r"X must hold numbers.*many"):
            call(text)
        with pytest.raises(ValueError, match=r"[Cc]omplex"):
            call(x + 1j)


@pytest.mark.parametrize(
    ("kind", "y", "match"),
    [
        (MLPClassifier, numbers()[1], r"Unknown label type: continuous. y holds fractions"),
        (MLPClassifier, numbers(k=2)[1], r"continuous-multioutput. y holds fractions"),
        (MLPClassifier, np.arange(240).reshape(120, 2) % 7, r"\(120, 2\).*0 and 1 only"),
        (MLPClassifier, np.array([1, "ant"] * 60, object), r"Unknown label type.*int, str"),
        (MLPClassifier, np.array(["ant", None] * 60), r"missing value, None, in row 1.*fill in"),
        (MLPRegressor, classes()[1], r"y must hold numbers; got .*(ant|bee|cow)"),
        (MLPRegressor, classes()[1].astype(object), r"y must hold numbers; got '(ant|bee|cow)'"),
    ],
)
def test_targets_of_the_wrong_kind(kind, y, match):
    x, known = classes() if kind is MLPClassifier else numbers()
    announced = {"classes": np.unique(known)} if kind is MLPClassifier else {}
    model = kind(**SMALL)
    for call in (
        lambda: model.fit(x, y),
        lambda: model.partial_fit(x, y, **announced),
        lambda: model.fit(x, known, X_val=x, y_val=y),
    ):
        with pytest.raises(ValueError, match=match):
            call()
    with pytest.raises(ValueError, match=match):
        model.partial_fit(x, known, **announced).partial_fit(x, y)


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor, Perceptron])
@pytest.mark.parametrize(
    ("column", "dtype"),
    [
        (["red", "blue"] * 60, "str|object"),
        (["red", 1.0] * 60, "object"),
        (pd.Categorical(["red", "blue"] * 60), "category"),
    ],
)
def test_columns_that_are_no_numbers(kind, column, dtype):
    x, y = numbers()
    y = (y > 0).astype(int)
    frame = pd.DataFrame(x, columns=list("abcdef"))
    model = kind(max_iter=20).fit(frame, y)
    named = rf"X must hold numbers; these columns don't: 'c' \(.*({dtype}).*Encode"
    for call in (model.predict, lambda d: kind().fit(d, y)):
        with pytest.raises(ValueError, match=named):
            call(frame.assign(c=column))


@BOTH
def test_numbers_of_other_types_are_fine(kind, data):
    x, y = data()
    frame = pd.DataFrame(x, columns=list("abcdef"))
    model = kind(**SMALL).fit(frame, y)
    for same in (frame.astype(object), frame.astype("Float64"), frame.astype(str)):
        np.testing.assert_array_equal(model.predict(same), model.predict(frame))
    missing = frame.astype("Float64")
    missing.iloc[3, 2] = pd.NA
    with pytest.raises(ValueError, match=r"Input X contains NaN"):
        model.predict(missing)
    with pytest.raises(ValueError, match=r"feature names.*\n.*unseen at fit time:\n- g"):
        model.predict(frame.assign(g="text"))


@BOTH
def test_not_fitted(kind, data):
    x, _ = data()
    for method in ("predict", "forward"):
        with pytest.raises(NotFittedError, match=r"not fitted"):
            getattr(kind(), method)(x)


def test_classes_of_partial_fit():
    x, y = classes()
    with pytest.raises(ValueError, match=r"classes"):
        MLPClassifier(**SMALL).partial_fit(x, y)
    with pytest.raises(ValueError, match=r"classes"):
        MLPClassifier(**SMALL).partial_fit(x, y, classes=["ant", "bee"])
    model = MLPClassifier(**SMALL).partial_fit(x, y, classes=np.unique(y))
    with pytest.raises(ValueError, match=r"classes"):
        model.partial_fit(x, y, classes=["ant", "bee", "dog"])
    with pytest.raises(ValueError, match=r"classes|dog"):
        model.partial_fit(x, np.full(len(x), "dog"))


@BOTH
def test_early_stopping_needs_rows_to_validate_on(kind, data):
    x, y = data()
    with pytest.raises(ValueError, match=r"validation set is too small"):
        kind(**SMALL, early_stopping=True, validation_fraction=0.001).fit(x, y)
    extra = {"classes": np.unique(y)} if kind is MLPClassifier else {}
    with pytest.raises(ValueError, match=r"partial_fit.*early_stopping"):
        kind(**SMALL, early_stopping=True).partial_fit(x, y, **extra)


@BOTH
@pytest.mark.parametrize(
    ("coefs", "match"),
    [
        ([np.zeros((6, 12))], "coef_init"),
        ([np.zeros((6, 12)), np.zeros((5, 1))], r"coef_init\[1\]"),
        ([np.full((6, 12), np.nan), np.zeros((12, 3))], r"coef_init\[0\]"),
        ([["a"], ["b"]], "coef_init must hold arrays of numbers"),
        (3, "coef_init must be a list of arrays, one per layer; got 3"),
    ],
)
def test_initial_weights(kind, data, coefs, match):
    with pytest.raises(ValueError, match=match):
        kind(**SMALL).fit(*data(), coef_init=coefs)


@BOTH
def test_warm_start_with_other_shapes(kind, data):
    x, y = data()
    model = kind(**SMALL, warm_start=True).fit(x, y)
    model.hidden_layer_sizes = (7,)
    with pytest.raises(ValueError, match=r"hidden_layer_sizes"):
        model.fit(x, y)


def test_batch_larger_than_the_data_warns():
    with pytest.warns(UserWarning, match=r"batch_size"):
        MLPRegressor(**SMALL, batch_size=1000).fit(*numbers())


def test_dropout_is_not_for_lbfgs():
    with pytest.raises(ValueError, match=r"dropout.*lbfgs"):
        MLPRegressor(**SMALL, solver="lbfgs", dropout=0.1).fit(*numbers())


def test_sparse_input_that_is_not_finite():
    sparse = pytest.importorskip("scipy.sparse")
    x, y = labels()
    x[3, 2] = np.nan
    with pytest.raises(ValueError, match=r"NaN"):
        MLPClassifier(**SMALL).fit(sparse.csr_matrix(x), y)
    x[3, 2] = 1e39
    with pytest.raises(ValueError, match=r"1e\+39.*float32"):
        MLPClassifier(**SMALL).fit(sparse.csr_matrix(x), y)


def test_unknown_target():
    with pytest.raises(ValueError, match=r"abacus.*base"):
        set_target("abacus")


@pytest.mark.parametrize(
    ("kind", "data", "parameter", "value", "message"),
    [
        (MLPClassifier, classes, "loss", "hinge()", "loss='hinge()': 'hinge' takes no parameter"),
        (MLPClassifier, classes, "loss", "log_loss(1)", "'log_loss' takes no parameter"),
        (MLPClassifier, classes, "loss", "focal()", "loss='focal()': gamma must be a finite"),
        (MLPClassifier, classes, "loss", "focal(2", "loss='focal(2': gamma must be a finite"),
        (MLPClassifier, classes, "loss", "cross_entropy(1)", "'log_loss', 'focal', 'hinge'; got"),
        (MLPRegressor, numbers, "loss", "huber()", "loss='huber()': delta must be above 0"),
        (MLPRegressor, numbers, "loss", "mae(1)", "'mae' takes no parameter"),
        (MLPRegressor, numbers, "loss", "mean(1)", "'mae', 'huber', 'quantile', 'gaussian'; got"),
        (MLPRegressor, numbers, "loss", "absolute_error(1)", "'absolute_error' takes no parame"),
        (MLPClassifier, classes, "activation", "elu()", "activation='elu()': alpha must be a fin"),
        (MLPClassifier, classes, "activation", ["relu", "tanh"], "(1); got 2: ['relu', 'tanh']"),
        (MLPClassifier, classes, "dropout", [0.1, 0.2], "hidden layer (1); got 2: [0.1, 0.2]"),
        (MLPClassifier, classes, "alpha", [0.1], "and the output layer (2); got 1: [0.1]"),
        (MLPClassifier, classes, "learning_rate", lambda epoch: "1", "(0) must be a finite numbe"),
        (MLPClassifier, classes, "learning_rate", lambda epoch: None, "number >= 0; got None"),
        (MLPClassifier, classes, "callbacks", TimeBudget, "give an instance, TimeBudget(...)"),
        (MLPClassifier, classes, "callbacks", [StopAt], "give an instance, StopAt(...)"),
        (MLPClassifier, classes, "class_weight", {"and": 2}, "no classes: ['and']; the classes"),
        (MLPClassifier, classes, "class_weight", [1, 2, 3], "must be 'balanced' or a dict"),
    ],
)
def test_messages(kind, data, parameter, value, message):
    """They name the parameter, its value, and what is allowed in the words of the public API."""
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        kind(**SMALL | {parameter: value}).fit(*data())
    assert parameter in str(caught.value)


def test_weights_of_classes_that_are_not_there():
    """All classes have a weight here, so that those of others are left over and not misspelt."""
    weight = {"ant": 1, "bee": 2, "cow": 3, "dog": 4}
    assert MLPClassifier(**SMALL, class_weight=weight).fit(*classes()).n_iter_


FUNCTIONS = {
    "no epoch": ({"callbacks": lambda: True}, r"callbacks must take an EpochEnd; got <function"),
    "more": ({"callbacks": [print, lambda end, more: True]}, r"callbacks must.*argument: 'more'"),
    "two of three": ({"scoring": lambda X, y: 1.0}, r"scoring must take \(estimator, X, y\); got"),
    "a metric": ({"scoring": accuracy_score}, r"scoring must take .*accuracy_score.*too many"),
    "no weights": (
        {"scoring": lambda model, X, y: 1.0, "class_weight": "balanced"},
        r"scoring must take \(estimator, X, y, sample_weight=\), for .* have weights; got",
    ),
    "no number": ({"learning_rate": lambda: 0.1}, r"learning_rate must take the number of epochs"),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_of_other_arguments(name):
    parameters, message = FUNCTIONS[name]
    with pytest.raises(TypeError, match=message):
        MLPClassifier(**SMALL | parameters, early_stopping=True).fit(*classes())


def test_functions_that_nothing_is_known_of_are_called():
    rates = dict.fromkeys(range(15), 0.01)
    assert MLPClassifier(**SMALL, learning_rate=rates.get, callbacks=print).fit(*classes()).n_iter_


def test_scores_that_are_no_numbers():
    model = MLPClassifier(**SMALL, early_stopping=True, scoring=lambda model, x, y: "good")
    with pytest.raises(ValueError, match=r"scoring must return a number; got 'good'"):
        model.fit(*classes())


def test_a_time_budget_is_a_number():
    with pytest.raises(ValueError, match=r"seconds must be a positive number; got '1h'"):
        TimeBudget("1h")
