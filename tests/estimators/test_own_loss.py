"""A function as loss: what it is given, what becomes of what it returns, and what can go wrong."""

import gc
import pickle
import threading
import weakref

import numpy as np
import pytest
from samples import classes
from sklearn.base import clone

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor, load, save

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
rng = np.random.default_rng(0)
X = rng.normal(size=(230, 5))
Y = np.column_stack([X[:, 0] - X[:, 1], X[:, 2] * X[:, 3]])
WEIGHTS = rng.uniform(0, 2, len(X)).round(1)
SMALL = {"hidden_layer_sizes": (9, 6), "max_iter": 8, "random_state": 0, "batch_size": 50}


def squared(outputs, targets):
    error = outputs - targets
    return (error**2).sum(axis=1) / 2, error


def log_loss(outputs, targets):
    outputs = np.clip(outputs, 1e-12, None)
    return -(targets * np.log(outputs)).sum(axis=1), -targets / outputs


def fails(outputs, targets):
    raise KeyError("no such thing")


def assert_close(ours, theirs, rtol, factor=1):
    np.testing.assert_allclose(np.divide(ours.loss_curve_, factor), theirs.loss_curve_, rtol=rtol)
    for a, b in zip(ours.coefs_, theirs.coefs_, strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol)


SETTINGS = [
    {},
    {"solver": "sgd", "momentum": 0.5, "alpha": 0.1},
    {"dropout": 0.3, "activation": "tanh"},
    {"clip_norm": 0.05},
    {"early_stopping": True, "scoring": "loss"},
    {"penalty": "l1", "solver": "adamw", "learning_rate": "cosine"},
    {"batch_size": "full", "hidden_layer_sizes": (40, 300), "max_iter": 3},
    {"out_activation": "softplus", "activation": "prelu"},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("y", [Y, Y[:, 0]], ids=["two", "one"])
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
def test_it_trains_as_the_same_loss_of_the_core(settings, y, weights):
    n_outputs = 1 if y.ndim == 1 else 2
    if n_outputs == 2:  # the core reports the mean over the outputs, and not the sum that it takes
        settings = settings | {"alpha": 0}
    models = [
        MLPRegressor(**{**SMALL, "dtype": "float64", "loss": loss} | settings)
        for loss in (squared, "squared_error")
    ]
    for model in models:
        model.fit(X, y, sample_weight=weights)
    assert_close(*models, rtol=1e-6, factor=n_outputs)


@pytest.mark.parametrize("n_classes", [3, 4])
def test_classifiers(n_classes):
    x, y = classes(k=n_classes)
    settings = {**SMALL, "dtype": "float64"}
    ours, theirs = (
        MLPClassifier(**settings, loss=loss).fit(x, y) for loss in (log_loss, "log_loss")
    )
    assert_close(ours, theirs, rtol=1e-6)
    assert np.array_equal(ours.classes_, theirs.classes_)
    assert ours.predict_proba(x).sum(axis=1) == pytest.approx(1)
    validated = MLPClassifier(**settings, loss=log_loss, early_stopping=True).fit(x, y)
    assert 0 < validated.best_validation_score_ <= 1


def test_yes_and_no():
    def brier(outputs, targets):
        assert outputs.shape == targets.shape == (len(outputs), 1)
        assert set(np.unique(targets)) <= {0, 1}
        return ((outputs - targets) ** 2)[:, 0], 2 * (outputs - targets)

    y = np.where(X[:, 0] > 0, "yes", "no")
    model = MLPClassifier(**SMALL | {"max_iter": 60}, loss=brier, class_weight="balanced")
    assert model.fit(X, y).score(X, y) > 0.9


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_it_is_called_once_for_each_batch(dtype):
    seen = []

    def loss(outputs, targets):
        assert outputs.dtype == targets.dtype == dtype
        assert outputs.flags.owndata
        seen.append((outputs, targets, threading.get_ident()))
        return squared(outputs, targets)

    model = MLPRegressor(**SMALL | {"max_iter": 2, "shuffle": False}, loss=loss, dtype=dtype)
    model.fit(X, Y)
    assert [len(outputs) for outputs, *_ in seen] == [50, 50, 50, 50, 30] * 2
    assert {thread for *_, thread in seen} == {threading.get_ident()}
    np.testing.assert_array_equal(np.vstack([t for _, t, _ in seen[:5]]), Y.astype(dtype))


def test_bits_don_t_depend_on_threads():
    settings = SMALL | {"hidden_layer_sizes": (64, 64), "batch_size": 200}
    models = [MLPRegressor(**settings, loss=squared, n_jobs=n).fit(X, Y) for n in (1, 2, 4, None)]
    for model in models[1:]:
        assert model.loss_curve_ == models[0].loss_curve_
        assert all(map(np.array_equal, model.coefs_, models[0].coefs_))


def test_other_ways_to_train():
    stream = MLPRegressor(**SMALL, loss=squared)
    for _ in range(60):
        stream.partial_fit(X, Y[:, 0])
    assert stream.loss_curve_[-1] < 0.2 * stream.loss_curve_[0]
    warm = MLPRegressor(**SMALL, loss=squared, warm_start=True).fit(X, Y)
    assert warm.fit(X, Y).loss_ < warm.loss_curve_[0]
    given = MLPRegressor(**SMALL, loss=squared).fit(X, Y, X_val=X[:50], y_val=Y[:50])
    expected = squared(given.predict(X[:50]), Y[:50])[0].mean()
    assert min(given.history_["val_loss"]) <= expected * 1.01


def test_copies_and_files(tmp_path):
    model = MLPRegressor(**SMALL, loss=squared)
    assert clone(model).loss is squared
    again = pickle.loads(pickle.dumps(model.fit(X, Y)))
    assert again.loss is squared
    assert np.array_equal(again.predict(X), model.predict(X))
    with pytest.raises(ValueError, match="loss"):
        save(model, tmp_path / "model")
    save(model.set_params(loss="squared_error"), tmp_path / "model")
    assert np.array_equal(load(tmp_path / "model").predict(X), again.predict(X))
    assert "model_outputs" in fastmlp.to_c(again)


BAD = {
    "one array": (lambda y, t: y, TypeError, "must return a pair"),
    "three": (lambda y, t: (y, y, y), TypeError, "tuple of 3"),
    "a number": (lambda y, t: np.float64(1), TypeError, "must return a pair"),
    "none": (lambda y, t: None, TypeError, "must return a pair"),
    "loss of the batch": (lambda y, t: (0.5, y), ValueError, r"losses.*\(50,\)"),
    "column": (lambda y, t: (y[:, :1], y), ValueError, r"losses.*\(50,\).*\(50, 1\)"),
    "too few gradients": (lambda y, t: (y[:, 0], y[:, :1]), ValueError, r"gradients.*\(50, 2\)"),
    "texts": (lambda y, t: (y[:, 0], y.astype(str)), ValueError, "real numbers"),
    "complex": (lambda y, t: (y[:, 0] * 1j, y), ValueError, "real numbers"),
    "ragged": (lambda y, t: (y[:, 0], [[1], [2, 3]]), ValueError, "gradients"),
    "an error": (fails, KeyError, "no such thing"),
    "NaN": (lambda y, t: (y[:, 0] * np.nan, y), ValueError, r"loss\(outputs, targets\) returned"),
    "infinite gradients": (lambda y, t: (y[:, 0], y * np.inf), ValueError, "NaN"),
}


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_what_goes_wrong_leaves_the_estimator_as_it_was(bad, n_jobs):
    function, error, match = BAD[bad]
    model = MLPRegressor(**SMALL, loss=squared, n_jobs=n_jobs).fit(X, Y)
    before = model.predict(X)
    model.set_params(loss=function)
    for train in (model.fit, model.partial_fit):
        with pytest.raises(error, match=match):
            train(X, Y)
        assert np.array_equal(model.predict(X), before)
    assert np.isfinite(model.set_params(loss=squared).fit(X, Y).loss_)


def test_an_error_on_the_way():
    calls = []

    def loss(outputs, targets):
        calls.append(1)
        if len(calls) == 12:
            raise RuntimeError("enough")
        return squared(outputs, targets)

    with pytest.raises(RuntimeError, match="enough"):
        MLPRegressor(**SMALL, loss=loss).fit(X, Y)
    assert len(calls) == 12


def test_an_interrupt_ends_the_fit_with_what_there_is():
    calls = []

    def loss(outputs, targets):
        calls.append(1)
        if len(calls) == 12:
            raise KeyboardInterrupt
        return squared(outputs, targets)

    model = MLPRegressor(**SMALL, loss=loss)
    with pytest.warns(UserWarning, match="interrupted by user"):
        model.fit(X, Y)
    assert (model.stopped_, model.n_iter_) == ("interrupted", 2)
    whole = MLPRegressor(**SMALL | {"max_iter": 2}, loss=squared).fit(X, Y)
    assert model.loss_curve_ == whole.loss_curve_
    changes = [abs(a - b).max() for a, b in zip(model.coefs_, whole.coefs_, strict=True)]
    assert 0 < max(changes) < 0.01  # of the step behind the second epoch
    calls[:] = [1] * 8
    with pytest.raises(KeyboardInterrupt):
        model.partial_fit(X, Y)


def test_what_it_is_not_for():
    with pytest.raises(ValueError, match="lbfgs"):
        MLPRegressor(**SMALL | {"solver": "lbfgs"}, loss=squared).fit(X, Y)
    with pytest.raises(TypeError, match="outputs and targets"):
        MLPRegressor(**SMALL, loss=lambda outputs: outputs).fit(X, Y)


def test_the_arrays_it_changes_are_its_own():
    def loss(outputs, targets):
        losses, gradients = squared(outputs, targets)
        outputs[:] = targets[:] = np.nan
        return losses, gradients

    y = Y.copy()
    ours = MLPRegressor(**SMALL, loss=loss).fit(X, Y)
    assert np.array_equal(Y, y)
    assert ours.loss_curve_ == MLPRegressor(**SMALL, loss=squared).fit(X, Y).loss_curve_


def test_a_loss_that_knows_its_estimator_is_collected():
    class Task:
        def __init__(self):
            self.model = MLPRegressor(**SMALL | {"max_iter": 2}, loss=self.loss)

        def loss(self, outputs, targets):
            return squared(outputs, targets)

    task = Task()
    task.model.fit(X, Y)
    task.model.partial_fit(X, Y)
    assert task.model.history_["loss"][-1] < task.model.history_["loss"][0]
    seen = weakref.ref(task)
    del task
    gc.collect()
    assert seen() is None


def test_functions_are_compared_by_identity():
    class Weighted:
        def __init__(self, weights):
            self.weights = weights

        def __eq__(self, other):
            return self.weights == other.weights if type(other) is Weighted else NotImplemented

        __hash__ = None

        def __call__(self, outputs, targets):
            losses, gradients = squared(outputs, targets)
            return losses * self.weights[0], gradients * self.weights[0]

    model = MLPRegressor(**SMALL, loss=Weighted(np.ones(3))).fit(X, Y)
    model.set_params(loss=Weighted(np.full(3, 2.0))).partial_fit(X, Y)
    assert model.loss_ > 1.5 * model.loss_curve_[-2]


def test_rows_that_weigh_nothing_may_have_no_loss():
    def loss(outputs, targets):
        losses, gradients = squared(outputs, targets)
        absent = targets[:, 0] == 77
        losses[absent] = gradients[absent] = np.nan
        return losses, gradients

    y, weight = Y.copy(), np.ones(len(X))
    y[::3], weight[::3] = 77, 0
    model = MLPRegressor(**SMALL, loss=loss).fit(X, y, sample_weight=weight)
    same = MLPRegressor(**SMALL, loss=squared).fit(X, y, sample_weight=weight)
    assert model.loss_curve_ == same.loss_curve_


def test_a_validation_set_is_one_call_on_the_calling_thread():
    sizes, threads = [], set()

    def loss(outputs, targets):
        sizes.append(len(outputs))
        threads.add(threading.get_ident())
        assert np.float64(5e-324) > 0  # arithmetic as it is outside
        return squared(outputs, targets)

    x = rng.normal(size=(1000, 5))
    MLPRegressor(**SMALL | {"max_iter": 2}, loss=loss).fit(X, Y, X_val=x, y_val=x[:, :2])
    assert sizes == [50, 50, 50, 50, 30, 1000] * 2
    assert threads == {threading.get_ident()}
