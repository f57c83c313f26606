"""Warnings and errors that scikit-learn's networks have are had in the same words."""

import warnings

import numpy as np
import pytest
from samples import SMALL, as_numbers, classes, numbers
from sklearn import neural_network

import fastmlp

X, NUMBERS = numbers()
LABELS = as_numbers(classes()[1])
BINARY = (X[:, 0] > 0).astype(int)


def outcome(act, package):
    """What the warnings and the error of an act say."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            act(package)
            error = None
        except (ValueError, TypeError, AttributeError) as raised:
            error = (type(raised).__name__, str(raised))
    # Newer versions of SciPy have something to say to older ones of scikit-learn.
    told = [(w.category, str(w.message)) for w in caught if w.category is not DeprecationWarning]
    return told, error


def fit(kind, x, y, **settings):
    """The act of fitting one of both packages' estimators with these settings."""
    return lambda package: getattr(package, kind)(**SMALL | settings).fit(x, y)


def partial_fit(*calls, **settings):
    """The act of calling partial_fit of a classifier with these labels and classes."""

    def act(package):
        model = package.MLPClassifier(**SMALL | settings)
        for y, known in calls:
            model.partial_fit(X, y, classes=known)

    return act


def predict(x):
    return lambda package: package.MLPClassifier(**SMALL).fit(X, LABELS).predict(x)


def fit_again(x, y):
    return lambda package: package.MLPClassifier(**SMALL, warm_start=True).fit(X, LABELS).fit(x, y)


def interrupted(package):
    model = package.MLPRegressor(**SMALL)
    method = "_update_no_improvement_count"  # which scikit-learn calls behind each epoch
    if package is fastmlp:
        model.set_params(callbacks=interrupt)
    else:
        setattr(model, method, interrupt)
    model.fit(X, NUMBERS)


def interrupt(*_):
    raise KeyboardInterrupt


WARNINGS = {
    "max_iter": fit("MLPRegressor", X, NUMBERS),
    "max_iter, early stopping": fit("MLPClassifier", X, LABELS, early_stopping=True),
    "max_iter of lbfgs": fit("MLPRegressor", X, NUMBERS, solver="lbfgs"),
    "batch_size": fit("MLPClassifier", X, LABELS, batch_size=1000),
    "column of labels": fit("MLPClassifier", X, BINARY[:, None]),
    "column of numbers": fit("MLPRegressor", X, NUMBERS[:, None]),
    "Ctrl-C": interrupted,
}
ERRORS = {
    "hidden_layer_sizes": fit("MLPClassifier", X, LABELS, hidden_layer_sizes=(3, -1)),
    "no hidden units": fit("MLPClassifier", X, LABELS, hidden_layer_sizes=0),
    "momentum": fit("MLPClassifier", X, LABELS, momentum=2),
    "max_iter": fit("MLPClassifier", X, LABELS, max_iter=0),
    "tol": fit("MLPRegressor", X, NUMBERS, tol=None),
    "shuffle": fit("MLPRegressor", X, NUMBERS, shuffle=1),
    "random_state": fit("MLPRegressor", X, NUMBERS, random_state="x"),
    "verbose": fit("MLPRegressor", X, NUMBERS, verbose=-1),
    "validation_fraction": fit(
        "MLPRegressor", X, NUMBERS, early_stopping=True, validation_fraction=0.001
    ),
    "few to stratify": fit("MLPClassifier", X[:4], [0, 1, 0, 1], early_stopping=True),
    "NaN": fit("MLPClassifier", np.full((4, 2), np.nan), [0, 1, 0, 1]),
    "NaN as target": fit("MLPRegressor", X, np.full(len(X), np.nan)),
    "complex": fit("MLPRegressor", X + 1j, NUMBERS),
    "no rows": fit("MLPRegressor", np.empty((0, 3)), []),
    "no y": fit("MLPClassifier", X, None),
    "lengths": fit("MLPClassifier", X, LABELS[:-1]),
    "not fitted": lambda package: package.MLPClassifier().predict(X),
    "features": predict(X[:, :2]),
    "a row": predict(X[0]),
    "other classes": fit_again(X, BINARY),
    "other features": fit_again(X[:, :3], LABELS),
    "partial_fit without classes": partial_fit((LABELS, None)),
    "partial_fit with other classes": partial_fit((LABELS, [0, 1, 2]), (LABELS, [0, 1])),
    "partial_fit with other labels": partial_fit((LABELS, [0, 1])),
    "partial_fit and early_stopping": partial_fit((LABELS, [0, 1, 2]), early_stopping=True),
    "partial_fit of lbfgs": partial_fit((LABELS, [0, 1, 2]), solver="lbfgs"),
}


@pytest.mark.parametrize("name", WARNINGS)
def test_warnings(name):
    ours, theirs = (outcome(WARNINGS[name], package) for package in (fastmlp, neural_network))
    assert ours == theirs
    assert ours[0]


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name):
    (_, ours), (_, theirs) = (
        outcome(ERRORS[name], package) for package in (fastmlp, neural_network)
    )
    assert ours is not None
    if theirs is None and name == "validation_fraction":
        pytest.skip("this scikit-learn has no such error")
    assert ours == theirs
