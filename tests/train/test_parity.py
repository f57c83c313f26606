"""Training in float64 follows scikit-learn's own trajectory, weight for weight."""

import inspect
import warnings
from functools import cache
from itertools import product

import numpy as np
import pytest
from loops import each
from numeric import assert_norm_close
from sklearn import neural_network
from sklearn.exceptions import ConvergenceWarning

from fastmlp import MLPClassifier, MLPRegressor

ROWS, FEATURES = 97, 7
PROBLEMS = ["binary", "multiclass", "multilabel", "regression", "multioutput"]
ACTIVATIONS = ["identity", "logistic", "tanh", "relu"]
COMMON = {
    "hidden_layer_sizes": (9, 5),
    "alpha": 0.01,
    "batch_size": 20,
    "shuffle": False,
    "max_iter": 20,
    "random_state": 5,
}
PATIENT = {"tol": 0.0, "n_iter_no_change": 1000}
RESTLESS = {"tol": 0.05, "n_iter_no_change": 1}  # so that the rate is cut several times
RULES = {
    "sgd": {"solver": "sgd", "momentum": 0.0, "learning_rate_init": 0.1},
    "momentum": {"solver": "sgd", "nesterovs_momentum": False, "learning_rate_init": 0.02},
    "nesterov": {"solver": "sgd", "momentum": 0.8, "learning_rate_init": 0.02},
    "adam": {"solver": "adam", "beta_1": 0.8, "learning_rate_init": 0.01},
}
SCHEDULES = {
    "constant": {"learning_rate": "constant", **PATIENT},
    "invscaling": {"learning_rate": "invscaling", "power_t": 0.3, **PATIENT},
    "adaptive": {"learning_rate": "adaptive", **RESTLESS},
}
SETTINGS = [
    (rule, schedule)
    for rule in RULES
    for schedule in SCHEDULES
    if RULES[rule]["solver"] == "sgd" or schedule == "constant"
]
WEIGHTED = "sample_weight" in inspect.signature(neural_network.MLPClassifier.fit).parameters

pytestmark = pytest.mark.usefixtures("use_target")


@cache
def data(problem):
    """Inputs, targets with some structure to learn, and weights."""
    rng = np.random.default_rng(8)
    x = rng.normal(size=(ROWS, FEATURES))
    score = x @ rng.normal(size=(FEATURES, 3)) + 0.5 * rng.normal(size=(ROWS, 3))
    y = {
        "binary": np.where(score[:, 0] > 0, "yes", "no"),
        "multiclass": score.argmax(axis=1) * 10,
        "multilabel": (score > 0).astype(int),
        "regression": score[:, 0],
        "multioutput": score,
    }[problem]
    return x, y, rng.integers(0, 4, ROWS).astype(float)


def fit(library, problem, settings, weighted=False):
    kind = "MLPRegressor" if problem in ("regression", "multioutput") else "MLPClassifier"
    x, y, weight = data(problem)
    estimator = getattr(library, kind)(**COMMON | settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return estimator.fit(x, y, sample_weight=weight) if weighted else estimator.fit(x, y)


class Fastmlp:
    """fastmlp's estimators in float64."""

    @staticmethod
    def MLPClassifier(**settings):  # noqa: N802
        return MLPClassifier(dtype="float64", **settings)

    @staticmethod
    def MLPRegressor(**settings):  # noqa: N802
        return MLPRegressor(dtype="float64", **settings)


@cache
def sklearn_fit(problem, settings, weighted):
    return fit(neural_network, problem, dict(settings), weighted)


def compare(problem, settings, weighted=False, tolerance=1e-8):
    """Train both, compare every fitted number, return fastmlp's estimator."""
    theirs = sklearn_fit(problem, tuple(settings.items()), weighted)
    ours = fit(Fastmlp, problem, settings, weighted)
    assert ours.n_iter_ == theirs.n_iter_
    assert ours.t_ == theirs.t_
    assert ours.out_activation_ == theirs.out_activation_
    assert_norm_close(ours.loss_curve_, theirs.loss_curve_, tolerance, "loss_curve_")
    for name in ("coefs_", "intercepts_"):
        for i, pair in enumerate(zip(getattr(ours, name), getattr(theirs, name), strict=True)):
            assert_norm_close(*pair, tolerance, f"{name}[{i}]")
    x, _, _ = data(problem)
    if hasattr(theirs, "predict_proba"):
        assert_norm_close(ours.predict_proba(x), theirs.predict_proba(x), tolerance, "proba")
        np.testing.assert_array_equal(ours.predict(x), theirs.predict(x))
    else:
        assert_norm_close(ours.predict(x), theirs.predict(x), tolerance, "predict")
    return ours


@each(("problem", "activation", "setting"), product(PROBLEMS, ACTIVATIONS, SETTINGS), elsewhere=7)
def test_trajectory(problem, activation, setting):
    rule, schedule = setting
    compare(problem, {"activation": activation, **RULES[rule], **SCHEDULES[schedule]})


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("rule", ["nesterov", "adam"])
@pytest.mark.parametrize("weighted", [False, True] if WEIGHTED else [False])
def test_early_stopping(problem, rule, weighted):
    settings = {
        "early_stopping": True,
        "validation_fraction": 0.25,
        "max_iter": 60,
        "tol": 1e-3,
        "n_iter_no_change": 3,
    }
    ours = compare(problem, {**RULES[rule], **settings}, weighted)
    theirs = sklearn_fit(problem, tuple({**RULES[rule], **settings}.items()), weighted)
    assert_norm_close(ours.validation_scores_, theirs.validation_scores_, 1e-8)
    assert ours.best_validation_score_ == pytest.approx(theirs.best_validation_score_, rel=1e-8)


if WEIGHTED:

    @pytest.mark.parametrize("problem", PROBLEMS)
    @pytest.mark.parametrize("rule", list(RULES))
    def test_sample_weights(problem, rule):
        compare(problem, {"activation": "tanh", **RULES[rule], **PATIENT}, weighted=True)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_loss_that_stops_improving(problem):
    settings = {"max_iter": 300, "tol": 1e-2, "n_iter_no_change": 2, **RULES["adam"]}
    assert compare(problem, settings).n_iter_ < 300


@pytest.mark.parametrize("problem", PROBLEMS)
def test_batches_of_one_and_of_all(problem):
    for batch_size in (1, ROWS, "auto"):
        compare(problem, {"batch_size": batch_size, **RULES["nesterov"], **PATIENT})


@pytest.mark.parametrize("problem", PROBLEMS)
def test_no_penalty_and_no_hidden_layer(problem):
    compare(problem, {"alpha": 0.0, "hidden_layer_sizes": (), **RULES["adam"], **PATIENT})


@pytest.mark.parametrize("problem", [name for name in PROBLEMS if name != "multioutput"])
def test_lbfgs(problem):
    """Not several outputs: there scikit-learn's loss is a mean, its gradient that of a sum."""
    settings = {"solver": "lbfgs", "max_iter": 15}
    theirs, ours = (fit(library, problem, settings) for library in (neural_network, Fastmlp))
    assert ours.loss_ == pytest.approx(theirs.loss_, rel=1e-6)
    for pair in zip(ours.coefs_, theirs.coefs_, strict=True):
        assert_norm_close(*pair, 1e-5)


@pytest.mark.parametrize("problem", ["binary", "multiclass", "regression"])
def test_partial_fit(problem):
    x, y, _ = data(problem)
    kind = "MLPRegressor" if problem == "regression" else "MLPClassifier"
    ours, theirs = (
        getattr(library, kind)(**COMMON | RULES["adam"]) for library in (Fastmlp, neural_network)
    )
    for estimator in (ours, theirs):
        for i in range(6):
            first = {"classes": np.unique(y)} if i == 0 and problem != "regression" else {}
            estimator.partial_fit(x, y, **first)
    assert_norm_close(ours.loss_curve_, theirs.loss_curve_, 1e-8)
    for pair in zip(ours.coefs_, theirs.coefs_, strict=True):
        assert_norm_close(*pair, 1e-8)


@pytest.mark.parametrize("problem", ["multiclass", "regression"])
@pytest.mark.parametrize(("rule", "schedule"), SETTINGS)
def test_warm_start(problem, rule, schedule):
    x, y, _ = data(problem)
    kind = "MLPRegressor" if problem == "regression" else "MLPClassifier"
    settings = COMMON | RULES[rule] | SCHEDULES[schedule] | {"warm_start": True, "max_iter": 4}
    ours, theirs = (getattr(library, kind)(**settings) for library in (Fastmlp, neural_network))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for _ in range(3):
            ours.fit(x, y)
            theirs.fit(x, y)
    assert ours.n_iter_ == theirs.n_iter_
    assert ours.t_ == theirs.t_
    assert_norm_close(ours.loss_curve_, theirs.loss_curve_, 1e-8)
    for pair in zip(ours.coefs_, theirs.coefs_, strict=True):
        assert_norm_close(*pair, 1e-8)
