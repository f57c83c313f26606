"""Targets of several columns of which some are missing: what is left out, and what is not."""

import numpy as np
import pandas as pd
import pytest
from samples import labels, numbers
from sklearn.metrics import r2_score

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, Y = numbers(n=300, k=3)
_, LABELS = labels(n=300, k=3)
rng = np.random.default_rng(1)
GAPS = rng.random(Y.shape) < 0.4
GAPS[7] = True  # a row without any
SMALL = {"hidden_layer_sizes": (9,), "max_iter": 10, "random_state": 0, "dtype": "float64"}
WEIGHTS = rng.uniform(0, 2, len(X)).round(1)


def with_gaps(y):
    return np.where(GAPS, np.nan, y)


def squared(outputs, targets):
    """Half the squared error of what is there, by hand."""
    error = np.where(np.isnan(targets), 0, outputs - targets)
    return (error**2).sum(axis=1) / 2, error


def log_loss(outputs, targets):
    known = ~np.isnan(targets)
    t = np.where(known, targets, 0)
    values = -(t * np.log(outputs) + (1 - t) * np.log1p(-outputs))
    slopes = (outputs - t) / (outputs * (1 - outputs))
    return np.where(known, values, 0).sum(axis=1), np.where(known, slopes, 0)


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
@pytest.mark.parametrize(
    ("kind", "y", "loss", "factor"),
    [(MLPRegressor, Y, squared, 3), (MLPClassifier, LABELS, log_loss, 1)],
)
def test_they_count_for_nothing(kind, y, loss, factor, weights):
    model = kind(**SMALL, alpha=0).fit(X, with_gaps(y), weights)
    by_hand = kind(**SMALL, alpha=0, loss=loss).fit(X, with_gaps(y), weights)
    np.testing.assert_allclose(
        np.multiply(model.loss_curve_, factor), by_hand.loss_curve_, rtol=1e-9
    )
    for a, b in zip(model.coefs_, by_hand.coefs_, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("settings", [{}, {"solver": "lbfgs"}, {"early_stopping": True}], ids=str)
def test_what_stands_in_a_gap_makes_no_difference(settings):
    """A network without hidden layers learns each column by its own rows."""
    how = {**SMALL, "hidden_layer_sizes": (), "max_iter": 40, "learning_rate_init": 0.1, **settings}
    model = MLPRegressor(**how).fit(X, with_gaps(Y))
    other = with_gaps(Y)
    other[:, 1] = np.where(GAPS[:, 1], np.nan, -5 * Y[:, 1])
    changed = MLPRegressor(**how).fit(X, other)
    if not settings:  # the others stop by what all columns have in common
        for column in (0, 2):
            np.testing.assert_array_equal(model.coefs_[0][:, column], changed.coefs_[0][:, column])
    assert model.score(X, Y) > 0.6


def test_scores_are_those_of_what_is_there():
    model = MLPRegressor(**SMALL).fit(X, with_gaps(Y), X_val=X, y_val=with_gaps(Y))
    predicted = model.predict(X)
    by_column = [
        r2_score(Y[known, column], predicted[known, column], sample_weight=WEIGHTS[known])
        for column, known in enumerate(~GAPS.T)
    ]
    assert model.score(X, with_gaps(Y), WEIGHTS) == pytest.approx(np.mean(by_column), rel=1e-12)
    plain = model.score(X, with_gaps(Y))
    assert model.best_validation_score_ == pytest.approx(plain, rel=1e-9)
    classifier = MLPClassifier(**SMALL).fit(X, with_gaps(LABELS), X_val=X, y_val=with_gaps(LABELS))
    some = ~GAPS.all(axis=1)
    right = ((classifier.predict(X) == LABELS) | GAPS).all(axis=1)[some]
    assert classifier.score(X, with_gaps(LABELS)) == right.mean()
    assert classifier.best_validation_score_ == right.mean()
    weighted = classifier.score(X, with_gaps(LABELS), WEIGHTS)
    assert weighted == pytest.approx(np.average(right, weights=WEIGHTS[some]), rel=1e-12)


@pytest.mark.parametrize("loss", ["poisson", "huber", "absolute_error", "quantile", "gaussian"])
def test_every_loss(loss):
    y = np.abs(with_gaps(Y))
    model = MLPRegressor(loss, **SMALL).fit(X, y)
    assert np.isfinite(model.loss_)
    assert model.predict(X).shape == Y.shape
    for kind in ("focal", "hinge"):
        assert np.isfinite(MLPClassifier(loss=kind, **SMALL).fit(X, with_gaps(LABELS)).loss_)


def test_several_quantiles():
    model = MLPRegressor("quantile", quantiles=[0.2, 0.8], **SMALL).fit(X, with_gaps(Y))
    assert model.predict(X).shape == (300, 3, 2)
    assert np.isfinite(model.score(X, with_gaps(Y)))


@pytest.mark.parametrize(
    "convert",
    [
        lambda y: y.tolist(),
        lambda y: pd.DataFrame(y),
        lambda y: pd.DataFrame(y).convert_dtypes(),
        lambda y: np.where(np.isnan(y), None, y.astype(object)),
        lambda y: y.astype(np.float32),
    ],
    ids=["list", "frame", "nullable", "None", "float32"],
)
@pytest.mark.parametrize(("kind", "y"), [(MLPRegressor, Y.round(3)), (MLPClassifier, LABELS)])
def test_however_they_are_missing(kind, y, convert):
    model, other = kind(**SMALL).fit(X, with_gaps(y)), kind(**SMALL).fit(X, convert(with_gaps(y)))
    np.testing.assert_allclose(other.coefs_[0], model.coefs_[0], rtol=1e-4, atol=1e-6)
    assert other.score(X, convert(with_gaps(y))) == pytest.approx(model.score(X, with_gaps(y)))


def test_streams_and_warm_starts():
    model = MLPRegressor(**SMALL)
    for begin in range(0, 300, 50):
        rows = slice(begin, begin + 50)
        model.partial_fit(X[rows], with_gaps(Y)[rows])
    model.partial_fit(X[7:8], with_gaps(Y)[7:8])  # nothing at all to learn from
    classifier = MLPClassifier(**SMALL)
    classifier.partial_fit(X, with_gaps(LABELS), classes=[0, 1, 2])
    classifier.partial_fit(X[:3], with_gaps(LABELS)[:3])
    assert MLPClassifier(**SMALL, warm_start=True).fit(X, with_gaps(LABELS)).fit(X, LABELS).n_iter_


def test_class_weights_count_what_is_there():
    balanced = MLPClassifier(**SMALL, class_weight="balanced").fit(X, with_gaps(LABELS))
    factors = np.ones(len(X))
    for column, known in zip(LABELS.T, ~GAPS.T, strict=True):
        shares = known.sum() / (2 * np.bincount(column[known]))
        factors *= np.where(known, shares[column], 1)
    weighted = MLPClassifier(**SMALL).fit(X, with_gaps(LABELS), factors)
    np.testing.assert_allclose(balanced.coefs_[0], weighted.coefs_[0], rtol=1e-9)


def test_where_nothing_may_be_missing():
    y = Y[:, 0].copy()
    y[3] = np.nan
    for target in (y, y[:, None]):
        with pytest.raises(ValueError, match="NaN"):
            MLPRegressor(**SMALL).fit(X, target)
    empty = with_gaps(Y)
    empty[:, 1] = np.nan
    with pytest.raises(ValueError, match="y has no value in column 1"):
        MLPRegressor(**SMALL).fit(X, empty)
    infinite = with_gaps(Y)
    infinite[0, 0] = np.inf
    with pytest.raises(ValueError, match="infinity"):
        MLPRegressor(**SMALL).fit(X, infinite)
    huge = with_gaps(Y)
    huge[0, 0] = 1e300
    with pytest.raises(ValueError, match="too large for dtype='float32'"):
        MLPRegressor(**{**SMALL, "dtype": "float32"}).fit(X, huge)
    negative = with_gaps(np.abs(Y))
    negative[5, 2] = -1
    with pytest.raises(ValueError, match="got -1 in row 5"):
        MLPRegressor("poisson", **SMALL).fit(X, negative)
    three = with_gaps(LABELS)
    three[0, 0] = 2
    with pytest.raises(ValueError, match="indicator matrix"):
        MLPClassifier(**SMALL).fit(X, three)
    model = MLPRegressor(**SMALL).fit(X, with_gaps(Y))
    with pytest.raises(ValueError, match="NaN"):
        model.partial_fit(np.where(X > 2, np.nan, X), Y)


def test_the_callers_targets_stay_as_they_are(tmp_path):
    y = with_gaps(Y)
    before = y.copy()
    y.flags.writeable = False
    model = MLPRegressor(**SMALL, early_stopping=True).fit(X, y)
    np.testing.assert_array_equal(y, before)
    fastmlp.save(model, tmp_path / "model")
    np.testing.assert_array_equal(fastmlp.load(tmp_path / "model").predict(X), model.predict(X))


def test_a_loss_of_ones_own_sees_them():
    def loss(outputs, targets):
        seen.append(np.isnan(targets).any())
        return squared(outputs, targets)

    seen = []
    MLPRegressor(loss, **SMALL).fit(X, with_gaps(Y))
    assert all(seen)


def test_rows_without_any_label_do_not_count():
    known = with_gaps(LABELS)
    empty = np.vstack([known, np.full((300, 3), np.nan)])
    both = np.vstack([X, X])
    model = MLPClassifier(**SMALL).fit(X, known, X_val=both, y_val=empty)
    assert model.score(both, empty) == pytest.approx(model.score(X, known), rel=1e-12)
    assert model.best_validation_score_ == pytest.approx(model.score(X, known), rel=1e-12)
    halves = np.where(GAPS, np.nan, 0.5)
    assert MLPClassifier(**SMALL).fit(X, known).score(X, halves) == 0


def test_only_where_they_can_be_left_out():
    with pytest.raises(ValueError, match="NaN"):
        fastmlp.Perceptron().fit(X, with_gaps(LABELS))
    nothing = np.full((4, 3), np.nan)
    plain = {"dtype": "float32", "solver": "sgd", "momentum": 0, "alpha": 0}  # moves by gradients
    model = MLPRegressor(**{**SMALL, **plain}).fit(X, with_gaps(Y))
    before = model.predict(X)
    model.partial_fit(X[:4], nothing)
    np.testing.assert_array_equal(model.predict(X), before)
    for kind, y in ((MLPClassifier, LABELS), (MLPRegressor, Y)):
        found = fastmlp.find_learning_rate(kind(**SMALL), X, with_gaps(y))
        assert 0 < found.suggestion < 10


def test_losses_of_whole_rows_have_no_missing_targets():
    network = fastmlp.Network([fastmlp.Dense(3, "softmax")], 6)._model.network
    for settings in ({"skips_missing": True}, {"loss_parameter": [1.0, 1.0, 1.0]}):
        with pytest.raises(ValueError, match="'focal'"):
            network.mean_loss(X, np.eye(3)[np.arange(300) % 3], "focal", **settings)


@pytest.mark.parametrize("dtype", [">f8", "f2", "longdouble"])
@pytest.mark.parametrize(("kind", "y"), [(MLPRegressor, Y), (MLPClassifier, LABELS)])
def test_odd_types(kind, y, dtype):
    model = kind(**SMALL).fit(X, with_gaps(y).astype(dtype))
    assert np.isfinite(model.score(X, with_gaps(y).astype(dtype)))


def test_columns_with_next_to_nothing():
    model = MLPRegressor(**SMALL).fit(X, with_gaps(Y))
    few = np.full((20, 3), np.nan)
    few[:, 0] = Y[:20, 0]
    few[3, 1] = Y[3, 1]
    plain = r2_score(Y[:20, 0], model.predict(X[:20])[:, 0])
    assert model.score(X[:20], few) == pytest.approx(plain / 2)
    weights = np.ones(20)
    weights[3] = 0
    kept = np.delete(np.arange(20), 3)
    weighted = r2_score(Y[kept, 0], model.predict(X[kept])[:, 0])
    assert model.score(X[:20], few, weights) == pytest.approx(weighted)
