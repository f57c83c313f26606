"""`Perceptron.fit` of blocks: the rule over windows, with the rows and the order of arrays."""

import numpy as np
import pandas as pd
import pytest
from in_blocks import BLOCK, Listed, budget, cut
from samples import classes, labels
from sklearn.exceptions import ConvergenceWarning

from fastmlp import Perceptron

IGNORE = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
IN_WINDOWS = {"memory": budget(2 * BLOCK, 6 * 8 + 8)}  # of six columns, and class numbers


def apart(n=200, seed=0):
    """Rows of two classes that a hyperplane separates."""
    x = np.random.default_rng(seed).normal(size=(2 * n, 6))
    x = x[np.abs(x.sum(axis=1)) > 0.3][:n]
    return x, np.where(x.sum(axis=1) > 0, "above", "below")


DATA = [
    pytest.param(apart, id="binary"),
    pytest.param(lambda: classes(k=4), id="multiclass"),
    pytest.param(labels, id="multilabel"),
]


def assert_same(one, other):
    np.testing.assert_array_equal(one.coef_, other.coef_)
    np.testing.assert_array_equal(one.intercept_, other.intercept_)
    np.testing.assert_array_equal(one.classes_, other.classes_)
    assert one.mistakes_ == other.mistakes_
    assert one.n_features_in_ == other.n_features_in_


@IGNORE
@pytest.mark.parametrize("make", DATA)
def test_what_fits_has_the_bits_of_arrays(make):
    x, y = make()
    whole = Perceptron(max_iter=30, random_state=0).fit(x, y)
    assert_same(Perceptron(max_iter=30, random_state=0).fit(cut(x, y)), whole)


@IGNORE
@pytest.mark.parametrize("make", DATA)
def test_windows_in_order_have_the_bits_of_arrays(make):
    x, y = make()
    whole = Perceptron(max_iter=30, shuffle=False).fit(x, y)
    data = cut(x, y, **IN_WINDOWS)
    assert_same(Perceptron(max_iter=30, shuffle=False).fit(data), whole)
    assert len(data.read) > 2 * len(data)  # it was read once an epoch


def test_converges_in_windows():
    """Rows sorted by class, windows shuffled: an epoch without a mistake ends it."""
    x, y = apart()
    order = np.argsort(y, kind="stable")
    data = cut(x[order], y[order], **IN_WINDOWS)
    model = Perceptron(random_state=0).fit(data)
    assert model.converged_
    assert model.mistakes_[-1] == 0
    assert all(model.mistakes_[:-1])
    assert model.score(x, y) == 1
    assert_same(Perceptron(random_state=0).fit(data), model)
    other = Perceptron(random_state=1).fit(data)
    assert other.converged_
    assert other.mistakes_ != model.mistakes_


@IGNORE
def test_no_row_twice_an_epoch():
    """Each row has a feature of its own, whose weight counts its mistakes."""
    n = 90
    data = cut(np.eye(n), np.arange(n) % 2, memory=budget(2 * BLOCK, n * 8 + 8))
    model = Perceptron(max_iter=1, random_state=0).fit(data)
    assert set(np.abs(model.coef_[0])) == {0, 1}
    assert np.abs(model.coef_).sum() == model.mistakes_[0] > n / 3


def test_names_of_columns():
    x, y = apart()
    frame = pd.DataFrame(x, columns=list("abcdef"))
    parts = [(frame[i : i + BLOCK], y[i : i + BLOCK]) for i in range(0, len(y), BLOCK)]
    model = Perceptron(random_state=0).fit(Listed(parts, **IN_WINDOWS))
    assert model.feature_names_in_.tolist() == list("abcdef")
    assert (model.predict(frame) == y).all()
    with pytest.warns(UserWarning, match="valid feature names"):
        model.predict(x)


def test_a_limit_of_epochs_warns():
    x, _ = apart()
    y = np.random.default_rng(1).integers(0, 2, len(x))
    with pytest.warns(ConvergenceWarning, match="no hyperplane separates"):
        model = Perceptron(max_iter=3, random_state=0).fit(cut(x, y, **IN_WINDOWS))
    assert len(model.mistakes_) == model.n_iter_ == 3
    model.partial_fit(x, y)
    assert len(model.mistakes_) == 4


def refused():
    x, y = apart()
    first = x[:BLOCK], y[:BLOCK]
    narrow = [first, (x[:BLOCK, :5], y[:BLOCK])] * 4
    mixed = [first, (x[:BLOCK], np.arange(BLOCK))]
    gaps = [first, (np.full((BLOCK, 6), np.nan), y[:BLOCK])] * 4
    return [
        pytest.param(cut(x, y, np.ones(len(y))), "takes no sample_weight", id="weights"),
        pytest.param(cut(x, y, memory=100), "memory=100 is too little", id="memory"),
        pytest.param(cut(x, np.full(len(y), "a")), "greater than one; got 1 class", id="one class"),
        pytest.param(Listed(narrow, **IN_WINDOWS), r"In block \d: X has 5 features", id="columns"),
        pytest.param(Listed(mixed, **IN_WINDOWS), "In block 1: y has numbers", id="labels"),
        pytest.param(Listed(gaps, **IN_WINDOWS), r"In block \d: Input X contains NaN", id="gaps"),
    ]


@IGNORE
@pytest.mark.parametrize(("data", "message"), refused())
def test_what_is_refused_leaves_it_as_it_was(data, message):
    model = Perceptron(max_iter=3).fit(*labels())
    before = model.coef_
    with pytest.raises(ValueError, match=message):
        model.fit(data)
    assert model.coef_ is before
    assert model.n_features_in_ == 6


def test_where_blocks_are_not_taken():
    x, y = apart()
    with pytest.raises(ValueError, match="none must be given beside them"):
        Perceptron().fit(cut(x, y), y)
    with pytest.raises(ValueError, match="partial_fit takes one after the other"):
        Perceptron().partial_fit(cut(x, y), None)
    with pytest.raises(ValueError, match="requires y"):
        Perceptron().fit(x)
