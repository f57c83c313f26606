"""Predictions over random dropout masks: the mean and the spread that they converge to."""

import itertools
import pickle

import numpy as np
import pytest
from samples import KINDS, SMALL, classes, numbers

from fastmlp import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

MANY = 10_000


def enumerate_masks(model, x, rates):
    """Mean and standard deviation of the outputs over all masks of input and hidden layer."""
    widths = [w.shape[0] for w in model.coefs_]
    rate = np.repeat(rates, widths)
    mean = square = 0
    for keep in itertools.product([0, 1], repeat=sum(widths)):
        p = np.prod(np.where(keep, 1 - rate, rate))
        on_input, on_hidden = np.split(keep / (1 - rate), widths[:1])
        h = np.tanh(x * on_input @ model.coefs_[0] + model.intercepts_[0])
        y = h * on_hidden @ model.coefs_[1] + model.intercepts_[1]
        if model.out_activation_ == "logistic":
            y = 1 / (1 + np.exp(-y))
        mean, square = mean + p * y, square + p * y**2
    return mean, np.sqrt(square - mean**2)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rates", [(0.0, 0.5), (0.25, 0.5)])
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_mean_and_spread_converge_to_the_expectation(kind, rates, dtype):
    x, y = classes(60, d=2, k=2) if kind is MLPClassifier else numbers(60, d=2)
    settings = SMALL | {"hidden_layer_sizes": (2,), "activation": "tanh", "dtype": dtype}
    model = kind(**settings, dropout_input=rates[0], dropout=rates[1]).fit(x, y)
    mean, std = enumerate_masks(model, x, rates)
    predict = model.predict_proba if kind is MLPClassifier else model.predict
    ours, spread = predict(x, dropout_samples=MANY, return_std=True)
    assert ours.dtype == spread.dtype == np.float64
    narrow = predict(x.astype(np.float32), dropout_samples=2)
    assert narrow.dtype == dtype
    if kind is MLPClassifier:
        np.testing.assert_allclose(ours.sum(axis=1), 1, rtol=1e-6)
        np.testing.assert_array_equal(spread[:, 0], spread[:, 1])
        ours, spread = ours[:, 1], spread[:, 1]
        labels = model.predict(x, dropout_samples=MANY)
        np.testing.assert_array_equal(labels, model.classes_[(ours > 0.5).astype(int)])
    # Five standard errors.
    mean, std = mean.ravel(), std.ravel()
    assert (np.abs(ours - mean) <= 5 * std / np.sqrt(MANY) + 1e-6).all()
    np.testing.assert_allclose(spread, std, rtol=0.1)


@pytest.mark.parametrize(("kind", "data"), KINDS)
def test_shapes_and_reproducibility(kind, data):
    x, y = data()
    models = [kind(**SMALL, dropout=0.5, n_jobs=n).fit(x, y) for n in (1, 1, 2)]
    models += [pickle.loads(pickle.dumps(models[0])), kind(**SMALL, dropout=0.5).fit(x, y)]
    models[-1].set_params(random_state=None)
    methods = ["predict"] if kind is MLPRegressor else ["predict", "predict_proba"]
    for method in methods:
        plain = getattr(models[0], method)(x)
        drawn = [getattr(model, method)(x, dropout_samples=5) for model in models]
        assert all(np.array_equal(drawn[0], other) for other in drawn)
        assert drawn[0].shape == plain.shape
        assert drawn[0].dtype == plain.dtype
    mean, std = getattr(models[0], methods[-1])(x, dropout_samples=5, return_std=True)
    np.testing.assert_array_equal(mean, drawn[0])
    assert std.shape == mean.shape
    assert (std > 0).any()
    _, zero = getattr(models[0], methods[-1])(x, dropout_samples=1, return_std=True)
    assert not zero.any()


def test_another_random_state_draws_other_masks():
    x, y = numbers()
    # Ones stay where they are in steps of 1e-30; zeros would move.
    start = {"coef_init": [np.ones((6, 12)), np.ones((12, 1))]}
    frozen = SMALL | {"learning_rate_init": 1e-30, "max_iter": 1}
    a, b = (
        MLPRegressor(**frozen | {"random_state": seed}, dropout=0.5).fit(
            x, y, **start, intercept_init=[np.ones(12), np.ones(1)]
        )
        for seed in (0, 1)
    )
    np.testing.assert_array_equal(a.predict(x), b.predict(x))
    assert (a.predict(x, dropout_samples=3) != b.predict(x, dropout_samples=3)).any()


def test_masks_follow_weights_set_by_hand_and_go_on_with_training():
    x, y = numbers()
    model = MLPRegressor(**SMALL, dropout=0.5).partial_fit(x, y)
    model.partial_fit(x, y)
    model.coefs_ = [np.zeros_like(w) for w in model.coefs_]
    model.intercepts_ = [np.zeros(12), np.array([42.0])]
    mean, std = model.predict(x, dropout_samples=3, return_std=True)
    np.testing.assert_array_equal(mean, np.full(len(x), 42.0))
    assert not std.any()


def test_without_dropout_all_masks_are_the_same():
    x, y = numbers(k=2)
    model = MLPRegressor(**SMALL, solver="lbfgs").fit(x, y)
    mean, std = model.predict(x, dropout_samples=4, return_std=True)
    np.testing.assert_allclose(mean, model.predict(x), rtol=1e-6)
    assert not std.any()


@pytest.mark.parametrize("samples", [0, -1, 2.5, "many", True])
def test_what_is_refused(samples):
    x, y = classes()
    model = MLPClassifier(**SMALL, dropout=0.5).fit(x, y)
    for method in (model.predict, model.predict_proba):
        with pytest.raises(ValueError, match=r"dropout_samples"):
            method(x, dropout_samples=samples)
    with pytest.raises(ValueError, match=r"return_std.*dropout_samples"):
        model.predict_proba(x, return_std=True)
