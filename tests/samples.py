"""Data sets of the estimator tests, small enough to fit in milliseconds."""

import numpy as np
import pytest

from fastmlp import MLPClassifier, MLPRegressor

SMALL = {
    "hidden_layer_sizes": (12,),
    "max_iter": 15,
    "learning_rate_init": 0.02,
    "random_state": 0,
}


def classes(n=120, d=6, k=3, seed=0):
    """Inputs and one of k string labels per row."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d))
    return x, np.array(["ant", "bee", "cow", "dog"])[(x @ rng.normal(size=(d, k))).argmax(axis=1)]


def labels(n=120, d=6, k=3, seed=0):
    """Inputs and k yes-or-no labels per row."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d))
    return x, (x @ rng.normal(size=(d, k)) > 0).astype(int)


def numbers(n=120, d=6, k=1, seed=0):
    """Inputs and k numbers per row (a vector for k = 1)."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d))
    y = x @ rng.normal(size=(d, k)) + 0.1 * rng.normal(size=(n, k))
    return x, (y.ravel() if k == 1 else y)


def as_numbers(y):
    """Labels as numbers: with text, the networks of scikit-learn 1.6 can't stop early."""
    return np.unique(y, return_inverse=True)[1] if y.dtype.kind == "U" else y


# Each estimator with data of a kind that it is for.
KINDS = [
    pytest.param(MLPClassifier, lambda: classes(k=2), id="binary"),
    pytest.param(MLPClassifier, classes, id="multiclass"),
    pytest.param(MLPClassifier, labels, id="multilabel"),
    pytest.param(MLPRegressor, numbers, id="regression"),
    pytest.param(MLPRegressor, lambda: numbers(k=3), id="multioutput"),
]
