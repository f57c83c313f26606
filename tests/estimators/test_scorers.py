"""What a scorer and a callback see behind an epoch: the model as it is, and the user's frame."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.metrics import accuracy_score

from fastmlp import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
rng = np.random.default_rng(0)
X = rng.normal(size=(120, 3))
Y = (X[:, 0] > 0).astype(int)
NAMES = ["a", "b", "c"]
FRAMES = {
    "pandas": lambda x: pd.DataFrame(x, columns=NAMES, index=np.arange(len(x)) * 7 + 3),
    "polars": lambda x: pl.DataFrame({name: x[:, i] for i, name in enumerate(NAMES)}),
}


def test_the_weights_are_those_behind_the_epoch():
    shapes, weights = [], []

    def score(model, x, y):
        shapes.append([w.shape for w in model.coefs_] + [b.shape for b in model.intercepts_])
        weights.append(model.coefs_[0].copy())
        assert model.score(x, y) == accuracy_score(y, model.predict(x))
        assert len(model.loss_curve_) == model.n_iter_ == len(weights)
        return model.score(x, y)

    seen = []
    model = MLPClassifier(
        (5,),
        max_iter=3,
        scoring=score,
        random_state=0,
        callbacks=lambda end: seen.append(end.snapshot().coefs_[0]),
    )
    model.fit(X, Y, X_val=X[:50], y_val=Y[:50])
    assert shapes == [[(3, 5), (5, 1), (5,), (1,)]] * 3
    for at_scorer, at_callback in zip(weights, seen, strict=True):
        np.testing.assert_array_equal(at_scorer, at_callback)
    assert (weights[0] != weights[1]).any()
    assert model.history_["val_score"] == model.validation_scores_


@pytest.mark.parametrize("frame", list(FRAMES))
@pytest.mark.parametrize("scoring", ["roc_auc", "neg_log_loss", "accuracy"])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_named_scorers_warn_of_nothing(frame, scoring, early_stopping):
    make = FRAMES[frame]
    model = MLPClassifier(
        (5,), max_iter=3, early_stopping=early_stopping, scoring=scoring, random_state=0
    )
    given = {} if early_stopping else {"X_val": make(X[:40]), "y_val": Y[:40]}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(make(X), Y, **given)
    assert [str(w.message)[:10] for w in caught] == ["Stochastic"]
    plain = MLPClassifier(**model.get_params())
    plain.fit(X, Y, **({} if early_stopping else {"X_val": X[:40], "y_val": Y[:40]}))
    assert model.validation_scores_ == plain.validation_scores_


@pytest.mark.parametrize("frame", list(FRAMES))
def test_a_function_gets_the_frame(frame):
    make, seen = FRAMES[frame], []

    def score(model, x, y, sample_weight=None):
        seen.append((x, list(model.feature_names_in_), len(y)))
        return model.score(x, y, sample_weight)

    model = MLPClassifier((5,), max_iter=2, scoring=score)
    given = make(X[:50])
    model.fit(make(X), Y, X_val=given, y_val=Y[:50], sample_weight_val=np.ones(50))
    assert [(x is given, names, n) for x, names, n in seen] == [(True, NAMES, 50)] * 2

    seen.clear()
    model.set_params(early_stopping=True, random_state=0).fit(make(X), Y)
    for x, names, n in seen:
        assert type(x) is type(given)
        assert (list(x.columns), names, x.shape) == (NAMES, NAMES, (n, 3))
    rows = np.asarray(seen[0][0])
    assert all((row == X).all(axis=1).any() for row in rows), "rows of the frame, whole"


def test_arrays_stay_arrays():
    seen = []
    model = MLPRegressor(
        hidden_layer_sizes=(5,), max_iter=1, scoring=lambda m, x, y: seen.append(x) or 1.0
    )
    model.fit(X, X[:, 0], X_val=X[:9], y_val=X[:9, 0])
    assert type(seen[0]) is np.ndarray


@pytest.mark.parametrize("early_stopping", [False, True])
def test_an_exception_of_a_scorer_leaves_the_estimator_as_it_was(early_stopping):
    def fail(model, x, y):
        raise RuntimeError("enough")

    model = MLPClassifier((5,), max_iter=3, random_state=0).fit(X, Y)
    before = dict(vars(model))
    model.set_params(scoring=fail, early_stopping=early_stopping)
    given = {} if early_stopping else {"X_val": X, "y_val": Y}
    with pytest.raises(RuntimeError, match="enough"):
        model.fit(X, Y, **given)
    now = vars(model) | {"scoring": None, "early_stopping": False}
    assert now.keys() == before.keys()
    assert all(now[name] is before[name] for name in ("coefs_", "_log", "_model"))


def test_weights_that_an_epoch_made_infinite_are_not_scored():
    """The best epoch before is kept, as where the loss shows it."""
    rates = [1e-3, 1e-3, 1e38]
    model = MLPRegressor(
        hidden_layer_sizes=(),
        solver="sgd",
        batch_size="full",
        max_iter=3,
        scoring="neg_mean_absolute_error",
        learning_rate=lambda epoch: rates[epoch],
        random_state=0,
    )
    x = 1e3 * X
    with pytest.warns(match="weights of the best epoch are kept"):
        model.fit(x, 1e3 * X[:, 0], X_val=x, y_val=1e3 * X[:, 0])
    assert model.stopped_ == "non_finite"
    assert np.isfinite(model.coefs_[0]).all()
