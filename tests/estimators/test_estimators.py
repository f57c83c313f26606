"""The estimators as objects: parameters, fitted attributes, what they add to scikit-learn's."""

import inspect

import numpy as np
import pytest
from reference import ACTIVATIONS, Mlp
from samples import KINDS, SMALL, as_numbers, classes, numbers
from sklearn import neural_network
from sklearn.base import clone, is_classifier, is_regressor

from fastmlp import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SOLVERS = ["lbfgs", "sgd", "adam"]


def weights(estimator):
    return [*estimator.coefs_, *estimator.intercepts_]


def same_weights(a, b):
    return all(np.array_equal(*pair) for pair in zip(weights(a), weights(b), strict=True))


# Parameters


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_scikit_learns_parameters_come_first_and_mean_the_same(kind):
    ours = inspect.signature(kind).parameters
    theirs = inspect.signature(getattr(neural_network, kind.__name__)).parameters
    assert {name: p.default for name, p in theirs.items()} == {
        name: ours[name].default for name in theirs
    }
    added = {"loss"} - theirs.keys()  # which scikit-learn's regressor has since version 1.7
    positional = [n for n, p in theirs.items() if p.kind is not inspect.Parameter.KEYWORD_ONLY]
    assert [name for name in ours if name not in added][: len(positional)] == positional
    shared = [name for name in ours if name not in added]
    assert shared[: len(theirs)] == list(theirs)
    assert all(ours[name].kind is p.kind for name, p in theirs.items())
    extra = [ours[name] for name in ours if name not in theirs and name not in added]
    assert all(p.kind is inspect.Parameter.KEYWORD_ONLY for p in extra)
    assert ours["dtype"].default == "float32"


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_methods_take_what_scikit_learns_take(kind):
    """In the same places; what is added has a default and goes by name. y of blocks is in them."""
    theirs = getattr(neural_network, kind.__name__)
    names = {name for name in dir(theirs) if callable(getattr(theirs, name)) and name[0] != "_"}
    assert {"fit", "partial_fit", "predict", "score"} <= names <= set(dir(kind))
    for name in names - {"set_fit_request"}:  # which has a keyword for each that fit takes by name
        ours, wanted = (
            list(inspect.signature(getattr(of, name)).parameters.values()) for of in (kind, theirs)
        )
        described = [(p.name, p.kind, p.default) for p in ours]
        weight = ("sample_weight", inspect.Parameter.POSITIONAL_OR_KEYWORD, None)
        if weight not in [(p.name, p.kind, p.default) for p in wanted]:  # before version 1.7
            described = [entry for entry in described if entry != weight]
        if name == "fit":
            described[2] = ("y", described[2][1], inspect.Parameter.empty)
        assert described[: len(wanted)] == [(p.name, p.kind, p.default) for p in wanted], name
        added = described[len(wanted) :]
        assert all(entry[1] is inspect.Parameter.KEYWORD_ONLY for entry in added), name


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_clone_and_params_round_trip(kind):
    estimator = kind(hidden_layer_sizes=(3, 4), dropout=0.2, activation=["relu", "tanh"], n_jobs=2)
    assert clone(estimator).get_params() == estimator.get_params()
    assert estimator.set_params(alpha=0.5).alpha == 0.5
    assert "dropout=0.2" in repr(estimator)
    assert is_classifier(estimator) == (kind is MLPClassifier)
    assert is_regressor(estimator) == (kind is MLPRegressor)


# Fitted attributes


@pytest.mark.parametrize(("kind", "data"), KINDS)
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("early_stopping", [False, True])
def test_fitted_attributes_are_those_of_scikit_learn(kind, data, solver, early_stopping):
    x, y = data()
    y = as_numbers(y)
    settings = SMALL | {"solver": solver, "early_stopping": early_stopping}
    ours = kind(**settings).fit(x, y)
    theirs = getattr(neural_network, kind.__name__)(**settings).fit(x, y)
    public = {n for n in vars(theirs) if n.endswith("_") and not n.startswith("_")}
    if solver == "lbfgs":  # which scikit-learn gives no loss curve
        public -= {"loss_curve_"}
    assert public <= set(dir(ours))
    for name in ("n_layers_", "n_outputs_", "out_activation_", "n_features_in_"):
        assert getattr(ours, name) == getattr(theirs, name)
    for a, b in zip(weights(ours), weights(theirs), strict=True):
        assert a.shape == b.shape
        assert a.dtype == "float32"
    if kind is MLPClassifier:
        np.testing.assert_array_equal(ours.classes_, theirs.classes_)


@pytest.mark.parametrize(("kind", "data"), KINDS)
def test_outputs_have_the_shapes_and_types_of_scikit_learn(kind, data):
    x, y = data()
    ours = kind(**SMALL).fit(x, y)
    theirs = getattr(neural_network, kind.__name__)(**SMALL).fit(x, y)
    for method in ("predict", "predict_proba", "predict_log_proba"):
        if not hasattr(theirs, method):
            assert not hasattr(ours, method)
            continue
        a, b = getattr(ours, method)(x), getattr(theirs, method)(x)
        assert a.shape == b.shape
        assert a.dtype.kind == b.dtype.kind
    assert ours.predict(x[:1]).shape == theirs.predict(x[:1]).shape
    assert 0 < ours.score(x, y) <= 1


@pytest.mark.parametrize(("kind", "data"), KINDS)
def test_forward_gives_every_layer(kind, data):
    x, y = data()
    settings = {"hidden_layer_sizes": (9, 5), "activation": "tanh", "max_iter": 5}
    model = kind(**settings, dtype="float64").fit(x, y)
    mlp = Mlp(["tanh", "tanh", model.out_activation_])
    expected = mlp.forward(x, list(zip(model.coefs_, model.intercepts_, strict=True)))
    for a_list, e_list in zip(model.forward(x), expected, strict=True):
        for a, e in zip(a_list, e_list, strict=True):
            np.testing.assert_allclose(a, e, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("kind", "data"), KINDS)
@pytest.mark.parametrize("early_stopping", [False, True])
def test_history(kind, data, early_stopping):
    x, y = data()
    model = kind(**SMALL, early_stopping=early_stopping, n_iter_no_change=50).fit(x, y)
    assert model.n_iter_ == SMALL["max_iter"]
    assert model.history_["loss"] == model.loss_curve_
    assert all(len(model.history_[key]) == model.n_iter_ for key in ("loss", "lr", "seconds"))
    assert model.loss_ == model.loss_curve_[-1]
    assert model.stopped_ == "max_iter"
    if early_stopping:
        assert model.history_["val_score"] == model.validation_scores_
        assert model.best_validation_score_ == max(model.validation_scores_)
        best = int(np.argmax(model.validation_scores_))
        assert model.best_epoch_ == best + 1


def test_the_history_goes_on_over_solvers():
    x, y = numbers()
    model = MLPRegressor(**SMALL, warm_start=True, n_iter_no_change=50)
    held = {"X_val": x, "y_val": y}
    for solver, validation in (("adam", held), ("lbfgs", {}), ("sgd", held)):
        model.set_params(solver=solver).fit(x, y, **validation)
    assert {key: len(column) for key, column in model.history_.items()} == dict.fromkeys(
        ("loss", "val_loss", "val_score", "lr", "seconds"), 3 * SMALL["max_iter"]
    )
    for key in ("val_loss", "val_score", "lr"):
        known = np.isfinite(np.reshape(model.history_[key], (3, -1)))
        assert known.all(axis=1).tolist() == [True, False, True]
        assert not known[1].any()
    assert model.validation_scores_[model.best_epoch_ - 1] == model.best_validation_score_


# Text of labels, feature names, weights


@pytest.mark.parametrize("values", [[False, True], [-1, 1], [0.0, 1.0], ["a", "b"], [7, 3, 5]])
def test_labels_of_any_kind_come_back(values):
    rng = np.random.default_rng(0)
    y = np.array(values)[np.arange(90) % len(values)]
    x = np.eye(len(values))[np.arange(90) % len(values)] + 0.01 * rng.normal(size=(90, len(values)))
    model = MLPClassifier(**SMALL | {"max_iter": 200}).fit(x, y)
    np.testing.assert_array_equal(model.predict(x), y)
    np.testing.assert_array_equal(model.classes_, np.unique(y))


def test_feature_names_are_kept_and_checked():
    pd = pytest.importorskip("pandas")
    x, y = classes()
    frame = pd.DataFrame(x, columns=list("abcdef"))
    model = MLPClassifier(**SMALL).fit(frame, y)
    assert list(model.feature_names_in_) == list("abcdef")
    with pytest.raises(ValueError, match=r"feature names"):
        model.predict(frame[list("fedcba")])


@pytest.mark.parametrize(("kind", "data"), KINDS)
def test_sample_weight_of_two_is_a_row_twice(kind, data):
    x, y = data()
    weight = np.arange(len(x)) % 3
    common = {"solver": "lbfgs", "max_iter": 8, "random_state": 0, "dtype": "float64"}
    weighted = kind(hidden_layer_sizes=(5,), **common).fit(x, y, sample_weight=weight)
    repeated = kind(hidden_layer_sizes=(5,), **common).fit(
        np.repeat(x, weight, axis=0), np.repeat(y, weight, axis=0)
    )
    for a, b in zip(weights(weighted), weights(repeated), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


# What fastmlp adds


def test_one_activation_per_layer():
    x, y = numbers()
    names = ["relu", "tanh", "logistic"]
    settings = {"hidden_layer_sizes": (8, 7, 6), "max_iter": 3, "dtype": "float64"}
    model = MLPRegressor(activation=names, **settings).fit(x, y)
    _, ys = model.forward(x)
    params = list(zip(model.coefs_, model.intercepts_, strict=True))
    expected = Mlp([*names, "identity"]).forward(x, params)[1]
    for a, e in zip(ys, expected, strict=True):
        np.testing.assert_allclose(a, e, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", [n for n in ACTIVATIONS if "softmax" not in n])
def test_every_activation_by_name(name):
    x, y = classes()
    assert MLPClassifier(**SMALL, activation=name).fit(x, y).score(x, y) > 0.4


@pytest.mark.parametrize("dropout", [0.5, [0.5, 0.2]])
def test_dropout_acts_in_training_only(dropout):
    x, y = classes()
    settings = SMALL | {"hidden_layer_sizes": (12, 8)}
    plain = MLPClassifier(**settings).fit(x, y)
    dropped = MLPClassifier(**settings, dropout=dropout, dropout_input=0.1).fit(x, y)
    assert not same_weights(plain, dropped)
    np.testing.assert_array_equal(dropped.predict_proba(x), dropped.predict_proba(x))


@pytest.mark.parametrize("x_type", ["float32", "float64", "int8"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "auto"])
def test_dtype(dtype, x_type):
    x, y = classes()
    x = (4 * x).astype(x_type)
    model = MLPClassifier(**SMALL, dtype=dtype).fit(x, y)
    expected = dtype if dtype != "auto" else "float32" if x_type == "float32" else "float64"
    assert {array.dtype for array in weights(model)} == {np.dtype(expected)}
    narrow = expected == x_type == "float32"
    assert model.predict_proba(x).dtype == (np.float32 if narrow else np.float64)


def test_batch_size_full_is_all_rows():
    x, y = numbers()
    full, given = (MLPRegressor(**SMALL, batch_size=size).fit(x, y) for size in ("full", len(x)))
    assert same_weights(full, given)


def test_fit_can_start_from_given_weights():
    x, y = numbers()
    first = MLPRegressor(**SMALL).fit(x, y)
    settings = SMALL | {"max_iter": 1, "learning_rate_init": 1e-30}
    second = MLPRegressor(**settings).fit(
        x, y, coef_init=first.coefs_, intercept_init=first.intercepts_
    )
    assert same_weights(first, second)
