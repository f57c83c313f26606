"""What becomes of a fitted estimator: copies, weights set by hand, further training, bad ends."""

import copy
import pickle
import signal
import time

import joblib
import numpy as np
import pytest
from samples import KINDS, SMALL, classes, numbers
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastmlp import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SOLVERS = ["lbfgs", "sgd", "adam"]


def weights(estimator):
    return [*estimator.coefs_, *estimator.intercepts_]


def same_weights(a, b):
    return all(np.array_equal(*pair) for pair in zip(weights(a), weights(b), strict=True))


# Copies


@pytest.mark.parametrize(("kind", "data"), KINDS)
@pytest.mark.parametrize("solver", SOLVERS)
def test_copies_predict_the_same(kind, data, solver, tmp_path):
    x, y = data()
    model = kind(**SMALL, solver=solver).fit(x, y)
    joblib.dump(model, tmp_path / "model.joblib")
    for other in (
        pickle.loads(pickle.dumps(model)),
        copy.deepcopy(model),
        copy.copy(model),
        joblib.load(tmp_path / "model.joblib"),
        joblib.load(tmp_path / "model.joblib", mmap_mode="r"),
    ):
        assert same_weights(model, other)
        np.testing.assert_array_equal(other.predict(x), model.predict(x))


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_unfitted_estimators_pickle(kind):
    model = pickle.loads(pickle.dumps(kind(alpha=0.25)))
    assert model.get_params() == kind(alpha=0.25).get_params()


def test_a_copy_is_independent():
    x, y = classes()
    model = MLPClassifier(**SMALL).partial_fit(x, y, classes=np.unique(y))
    before = [array.copy() for array in weights(model)]
    copy.deepcopy(model).partial_fit(x, y)
    assert all(np.array_equal(a, b) for a, b in zip(weights(model), before, strict=True))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(x), model.predict(x))


def test_processes_of_joblib():
    x, y = classes()
    search = GridSearchCV(
        make_pipeline(StandardScaler(), MLPClassifier(**SMALL)),
        {"mlpclassifier__alpha": [1e-4, 1e-1]},
        cv=3,
        n_jobs=2,
        error_score="raise",
    )
    assert search.fit(x, y).best_score_ > 0.5


# Weights by hand


def test_coefs_cannot_be_changed_unnoticed():
    x, y = numbers()
    model = MLPRegressor(**SMALL).fit(x, y)
    for array in weights(model):
        with pytest.raises(ValueError, match=r"read-only"):
            array[...] = 0


def test_replaced_coefs_are_used():
    x, y = numbers()
    model = MLPRegressor(**SMALL).fit(x, y)
    model.coefs_ = [np.zeros_like(w) for w in model.coefs_]
    model.intercepts_[-1] = np.array([42.0])
    np.testing.assert_allclose(model.predict(x), 42)
    other = pickle.loads(pickle.dumps(model))
    np.testing.assert_allclose(other.predict(x), 42)
    np.testing.assert_allclose(model.forward(x)[1][-1], 42)
    model.partial_fit(x, y)
    assert np.abs(model.predict(x) - 42).max() < 1


# Going on


@pytest.mark.parametrize(("kind", "data"), KINDS)
def test_warm_start_goes_on(kind, data):
    x, y = data()
    model = kind(**SMALL, warm_start=True).fit(x, y)
    first = model.loss_
    model.fit(x, y)
    assert len(model.loss_curve_) == 2 * SMALL["max_iter"]
    assert model.loss_ < first
    cold = kind(**SMALL).fit(x, y)
    cold.fit(x, y)
    assert len(cold.loss_curve_) == SMALL["max_iter"]


@pytest.mark.parametrize(("kind", "data"), KINDS)
@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_partial_fit_goes_on(kind, data, solver):
    x, y = data()
    model = kind(**SMALL, solver=solver)
    first = {"classes": np.unique(y)} if kind is MLPClassifier and y.ndim == 1 else {}
    if kind is MLPClassifier and y.ndim == 2:
        first = {"classes": np.arange(y.shape[1])}
    model.partial_fit(x, y, **first)
    for _ in range(9):
        model.partial_fit(x, y)
    assert len(model.loss_curve_) == 10
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    assert model.t_ == 10 * len(x)


def test_partial_fit_knows_classes_that_come_later():
    x, y = classes()
    model = MLPClassifier(**SMALL)
    for name in ("ant", "bee", "cow"):
        model.partial_fit(x[y == name], y[y == name], classes=["ant", "bee", "cow"])
    assert model.predict_proba(x).shape == (len(x), 3)


def test_partial_fit_is_for_stochastic_solvers():
    assert not hasattr(MLPClassifier(solver="lbfgs"), "partial_fit")
    assert hasattr(MLPClassifier(), "partial_fit")


# Ends that are not the planned one


def test_interrupted_fit_keeps_what_it_has_learnt():
    x, y = numbers(n=200)
    handler = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        model = MLPRegressor(max_iter=50_000, n_iter_no_change=np.inf, random_state=0)
        start = time.perf_counter()
        with pytest.warns(UserWarning, match=r"interrupted"):
            model.fit(x, y)
        assert time.perf_counter() - start < 1.3
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
    assert model.stopped_ == "interrupted"
    assert model.n_iter_ == len(model.loss_curve_) > 0
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    assert np.isfinite(model.predict(x)).all()


def test_divergence_names_epoch_and_batch():
    x, y = numbers()
    model = MLPRegressor(**SMALL | {"solver": "sgd", "learning_rate_init": 1e10})
    with pytest.raises(ValueError, match=r"epoch \d+, batch \d+"):
        model.fit(x, y)
    assert not hasattr(model, "coefs_")


def test_failed_fit_leaves_the_estimator_as_it_was():
    x, y = numbers()
    model = MLPRegressor(**SMALL).fit(x, y)
    before, state = model.predict(x), set(vars(model))
    model.set_params(solver="sgd", learning_rate_init=1e10)
    with pytest.raises(ValueError, match=r"epoch"):
        model.fit(x, y)
    assert set(vars(model)) == state
    np.testing.assert_array_equal(model.predict(x), before)
    with pytest.raises(ValueError, match=r"NaN"):
        model.fit(x * np.nan, y)
    np.testing.assert_array_equal(model.predict(x), before)
