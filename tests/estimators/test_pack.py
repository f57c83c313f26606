"""Many estimators at once: each is what its own fit makes of it, and errors end all of them."""

import _thread
import threading
import time

import numpy as np
import pandas as pd
import pytest
import sklearn
from samples import classes
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression

from fastmlp import MLPClassifier, MLPRegressor, Perceptron, TabularClassifier, fit_pack

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = classes(d=5)
SETTINGS = [
    {"hidden_layer_sizes": (20,)},
    {"hidden_layer_sizes": (8, 30), "activation": "tanh", "dropout": 0.2},
    {"hidden_layer_sizes": (50, 50), "early_stopping": True},
    {"solver": "lbfgs"},
    {"batch_size": 16, "learning_rate": "cosine", "solver": "sgd"},
    {"n_jobs": 2, "dtype": "float64"},
]


def pack():
    return [MLPClassifier(max_iter=30, random_state=i, **s) for i, s in enumerate(SETTINGS)]


@pytest.mark.parametrize("n_jobs", [1, 2, 4, None])
def test_each_is_what_its_own_fit_makes_of_it(n_jobs):
    models = pack()
    assert fit_pack(iter(models), X, Y, n_jobs=n_jobs) == models
    for model, alone in zip(models, pack(), strict=True):
        alone.fit(X, Y)
        for ours, theirs in zip(model.coefs_, alone.coefs_, strict=True):
            np.testing.assert_array_equal(ours, theirs)
        assert model.history_["loss"] == alone.history_["loss"]
        assert model.get_params() == alone.get_params()


def test_estimators_of_all_kinds():
    models = [MLPClassifier(max_iter=5), Perceptron(), TabularClassifier(preset="fast")]
    table = pd.DataFrame(X, columns=list("abcde"))
    for model in fit_pack(models, table, Y):
        assert model.predict(table).shape == Y.shape
    assert fit_pack([], X, Y) == []


def test_arguments_of_fit():
    models = [MLPRegressor(max_iter=3, random_state=i) for i in range(3)]
    t, weight = X[:, 0], np.arange(len(X)) % 2
    fit_pack(models, X, t, sample_weight=weight, X_val=X, y_val=t)
    for i, model in enumerate(models):
        alone = MLPRegressor(max_iter=3, random_state=i)
        alone.fit(X, t, sample_weight=weight, X_val=X, y_val=t)
        assert model.history_["val_loss"] == alone.history_["val_loss"]


def test_scikit_learns_settings_hold_in_the_threads():
    class Sees(LogisticRegression):
        def fit(self, X, y):
            self.seen = sklearn.get_config()["transform_output"]
            return super().fit(X, y)

    with sklearn.config_context(transform_output="pandas"):
        assert fit_pack([Sees()], X, Y)[0].seen == "pandas"


def test_the_first_error_ends_all_and_nothing_is_lost():
    good = MLPClassifier(max_iter=5, random_state=0).fit(X, Y)
    expected = good.predict_proba(X)
    good.set_params(max_iter=10**7, n_iter_no_change=10**7)
    bad = MLPClassifier(alpha=-1.0)
    begin = time.perf_counter()
    with pytest.raises(ValueError, match="alpha"):
        fit_pack([good, bad, clone(good)], X, Y, n_jobs=2)
    assert time.perf_counter() - begin < 10
    np.testing.assert_array_equal(good.predict_proba(X), expected)


def test_an_error_of_a_callback_comes_out():
    def stop(estimator):
        raise KeyError("mine")

    models = [MLPClassifier(max_iter=10**7, n_iter_no_change=10**7) for _ in range(2)]
    with pytest.raises(KeyError, match="mine"):
        fit_pack([*models, MLPClassifier(callbacks=[stop])], X, Y, n_jobs=3)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_control_c_ends_all(solver):
    endless = {"max_iter": 10**7, "n_iter_no_change": 10**7, "tol": 0.0, "max_fun": 10**9}
    rng = np.random.default_rng(0)
    rows, noise = rng.normal(size=(2000, 50)), rng.integers(0, 2, 2000)
    models = [MLPClassifier((500, 500), solver=solver, random_state=i, **endless) for i in range(4)]
    timer = threading.Timer(0.5, _thread.interrupt_main)
    timer.start()
    begin = time.perf_counter()
    try:
        with pytest.raises(KeyboardInterrupt):
            fit_pack(models, rows, noise, n_jobs=2)
    finally:
        timer.join()
    assert time.perf_counter() - begin < 8
    assert not any(hasattr(model, "coefs_") for model in models)


def test_bad_arguments():
    model = MLPClassifier()
    with pytest.raises(ValueError, match="same one twice"):
        fit_pack([model, model], X, Y)
    with pytest.raises(TypeError, match="a method fit; got "):
        fit_pack(["model"], X, Y)
    with pytest.raises(ValueError, match="n_jobs must be"):
        fit_pack([model], X, Y, n_jobs=0)
