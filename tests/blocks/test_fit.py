"""`fit` of blocks: the rows that a fit in memory has, within a budget, whatever reads them."""

from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse
from in_blocks import BLOCK, Listed, assert_same, budget, cut, flat, params
from samples import KINDS, SMALL, classes, labels, numbers

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor
from fastmlp.callbacks import Checkpoint
from fastmlp.data import Arrays

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


class Rows:
    """A loss that notes the targets of every batch: the numbers of the rows."""

    def __init__(self):
        self.batches = []

    def __call__(self, outputs, targets):
        self.batches.append(targets.ravel().astype(int).tolist())
        return np.ones(len(targets)), np.zeros_like(outputs)


def rows_trained(n=400, *, memory_rows=100, epochs=3, batch=10, rows=BLOCK, **settings):
    """The numbers of the rows in each epoch, batch by batch, of a regressor that learns nothing."""
    y = np.arange(n, dtype=np.float64)
    loss = Rows()
    model = MLPRegressor(
        hidden_layer_sizes=(2,),
        loss=loss,
        batch_size=batch,
        max_iter=epochs,
        n_iter_no_change=1000,
        **settings,
    )
    model.random_state = 0
    x = np.ones((n, 3), dtype=np.float32)
    data = cut(x, y, rows=rows, memory=budget(memory_rows, 3 * 4 + 8, block=rows))
    model.fit(data)
    per_epoch = len(loss.batches) // epochs
    return [loss.batches[i : i + per_epoch] for i in range(0, len(loss.batches), per_epoch)]


# What is read once


@pytest.mark.parametrize(("kind", "make"), KINDS)
@pytest.mark.parametrize("settings", [{}, {"early_stopping": True}, {"solver": "lbfgs"}])
def test_what_fits_has_the_bits_of_arrays(kind, make, settings):
    x, y = make()
    whole = kind(**SMALL | settings).fit(x, y)
    assert_same(kind(**SMALL | settings).fit(cut(x, y)), whole)
    assert_same(kind(**SMALL | settings).fit(Arrays(x, y)), whole)


def test_what_fits_is_read_once():
    x, y = classes()
    data = cut(x, y)
    MLPClassifier(**SMALL).fit(data)
    assert sorted(data.read) == sorted([0, *range(len(data))])  # the first one to know its size


def test_weights_of_blocks():
    x, y = classes()
    weight = np.linspace(0, 2, len(y))
    whole = MLPClassifier(**SMALL).fit(x, y, weight)
    assert_same(MLPClassifier(**SMALL).fit(cut(x, y, weight)), whole)


# Windows


def test_every_row_once_an_epoch():
    epochs = rows_trained()
    for batches in epochs:
        assert sorted(flat(batches)) == list(range(400))
        assert all(len(batch) == 10 for batch in batches)
    assert epochs[0] != epochs[1] != epochs[2]


def test_windows_come_from_all_over_the_data():
    """Of four windows each has rows of every tenth of the data, and not of a block together."""
    for batches in rows_trained(n=4000, memory_rows=1000):
        numbers_ = flat(batches)
        for i in range(0, 4000, 1000):
            window = np.array(numbers_[i : i + 1000])
            tenths = np.bincount(window // 400, minlength=10)
            assert tenths.min() >= 50
            assert np.abs(np.diff(window)).mean() > 500


def test_without_shuffle_rows_keep_their_order():
    for batches in rows_trained(shuffle=False):
        assert flat(batches) == list(range(400))


def test_uneven_blocks():
    sizes = [1, 70, 3, 40, 90, 2, 2, 2, 60, 30]
    ends = np.cumsum([0, *sizes])
    y = np.arange(ends[-1], dtype=float)
    parts = [(np.ones((b - a, 2)), y[a:b]) for a, b in pairwise(ends)]
    loss = Rows()
    data = Listed(parts, memory=budget(95, 2 * 8 + 8, block=90))
    MLPRegressor(
        hidden_layer_sizes=(2,),
        loss=loss,
        batch_size=16,
        max_iter=4,
        n_iter_no_change=1000,
        random_state=0,
    ).fit(data)
    for epoch in np.split(np.array(flat(loss.batches)), 4):
        assert sorted(epoch) == list(range(len(y)))


@pytest.mark.parametrize(("kind", "make"), KINDS)
def test_same_bits_for_any_threads_and_delays(kind, make):
    x, y = make()
    memory = budget(50, 6 * 8 + 3 * 8)
    found = [
        kind(**SMALL, n_jobs=n_jobs).fit(cut(x, y, memory=memory, delay=delay))
        for n_jobs, delay in ((1, 0.0), (2, 0.001), (4, 0.0))
    ]
    assert_same(found[0], found[1])
    assert_same(found[0], found[2])


def test_a_window_is_within_the_budget():
    """At most two windows' rows are held; the first block is a window's if there is no more."""
    held = []

    class Counted(Listed):
        def __getitem__(self, index):
            part = super().__getitem__(index)
            held.append(len(part[1]))
            return part

    x, y = numbers(n=400)
    rows = [(x[i : i + BLOCK], y[i : i + BLOCK]) for i in range(0, 400, BLOCK)]
    seen = []
    blocks = Counted(rows, memory=budget(100, 6 * 4 + 8))
    model = MLPRegressor(**SMALL | {"max_iter": 1}, callbacks=lambda end: seen.append(sum(held)))
    model.fit(blocks)
    # An epoch, the first block once more, and the first window of the next epoch.
    assert seen[0] <= 400 + BLOCK + 100


def test_sorted_rows_are_learnt_as_others_are():
    x, y = classes(n=3000, k=4)
    order = np.argsort(y, kind="stable")
    settings = SMALL | {"max_iter": 8}
    memory = budget(300, 6 * 4 + 8)
    whole = MLPClassifier(**settings).fit(x, y)
    by_windows = MLPClassifier(**settings).fit(cut(x[order], y[order], memory=memory))
    assert by_windows.score(x, y) > whole.score(x, y) - 0.02


def test_sparse_rows():
    x, y = classes(n=300)
    x[np.abs(x) < 0.7] = 0
    memory = 3 * budget(100, 6 * 12 + 16)
    sparse = MLPClassifier(**SMALL).fit(cut(scipy.sparse.csr_matrix(x), y, memory=memory))
    assert sparse.score(x, y) > 0.8


def test_types_of_blocks():
    """Fractions behind a first block of small integers are not cut off."""
    x = np.repeat(np.linspace(0, 1, 200), 2).reshape(200, 2)
    parts = [(np.zeros((1, 2), dtype=np.int64), np.zeros(1)), *cut(x, x[:, 0]).parts]
    model = MLPRegressor(**SMALL | {"max_iter": 60}, n_iter_no_change=1000)
    model.fit(Listed(parts, memory=budget(80, 2 * 4 + 8)))
    assert model.score(x, x[:, 0]) > 0.99
    parts[0] = (np.zeros((1, 2), dtype=np.int8), np.zeros(1))  # which windows keep: they are small
    with pytest.raises(ValueError, match=r"In block 1: X has the type float64, .*Give all blocks"):
        model.fit(Listed(parts, memory=budget(80, 2 * 4 + 8)))


@pytest.mark.parametrize("settings", [{}, {"early_stopping": True}])
def test_blocks_without_rows_are_passed_over(settings):
    x, y = classes()
    for memory in (2**30, budget(50, 6 * 8 + 16, aside=2000)):
        data = cut(x, y, memory=memory)
        with_none = cut(x, y, memory=memory)
        with_none.parts[2:2] = [(x[:0], y[:0])]
        one = MLPClassifier(**SMALL | settings).fit(with_none)
        assert one.score(x, y) > 0.5
        if memory == 2**30:
            assert_same(one, MLPClassifier(**SMALL | settings).fit(data))


@pytest.mark.parametrize("n_blocks", [3, 98, 99, 100])
def test_windows_of_a_block_or_two(n_blocks):
    """However many windows it takes, none is empty."""
    loss = Rows()
    y = np.arange(60.0 * n_blocks)
    model = MLPRegressor(hidden_layer_sizes=(2,), loss=loss, max_iter=1, batch_size=100)
    x = np.ones((len(y), 3), dtype=np.float32)
    model.fit(cut(x, y, rows=60, memory=budget(100, 20, block=60)))
    assert sorted(flat(loss.batches)) == list(range(len(y)))


def test_a_large_block_among_small_ones():
    """It has a window to itself, and the small ones are not torn into many."""
    loss = Rows()
    sizes = [*[10] * 300, 1000, *[10] * 300]
    ends = np.cumsum([0, *sizes])
    y = np.arange(float(ends[-1]))
    x = np.ones((len(y), 3), dtype=np.float32)
    parts = [(x[a:b], y[a:b]) for a, b in pairwise(ends)]
    model = MLPRegressor(hidden_layer_sizes=(2,), loss=loss, max_iter=1, batch_size=100)
    model.fit(Listed(parts, memory=budget(1100, 20, block=1000)))
    assert sorted(flat(loss.batches)) == list(range(len(y)))
    assert len(loss.batches) < 100  # of which 70 are full


def test_blocks_that_use_their_arrays_again():
    x, y = numbers(n=400)

    class Reusing(Listed):
        room = np.empty((BLOCK, 6)), np.empty(BLOCK)

        def __getitem__(self, index):
            for to, part in zip(self.room, super().__getitem__(index), strict=True):
                to[:] = part
            return self.room

    parts = cut(x, y).parts
    for memory in (2**30, budget(100, 6 * 8 + 8)):
        plain = MLPRegressor(**SMALL).fit(Listed(parts, memory=memory))
        assert_same(MLPRegressor(**SMALL).fit(Reusing(parts, memory=memory)), plain)


def test_readers_have_the_settings_of_scikit_learn():
    import pandas as pd
    import sklearn
    from sklearn.preprocessing import StandardScaler

    x, y = numbers(n=300)
    frame = pd.DataFrame(x, columns=list("abcdef"))
    parts = [(frame[i : i + 30], y[i : i + 30]) for i in range(0, 300, 30)]
    data = Listed(parts, memory=budget(100, 6 * 8 + 8, block=30))
    with sklearn.config_context(transform_output="pandas"):
        scaler = StandardScaler().fit(frame)
        model = MLPRegressor(**SMALL)
        model.fit(data.map(lambda X: scaler.transform(X).drop(columns="a")))
    assert model.feature_names_in_.tolist() == list("bcdef")


# Solvers, weights, classes


@pytest.mark.parametrize(("kind", "make"), KINDS)
def test_lbfgs_sums_over_windows(kind, make):
    x, y = make()
    weight = np.random.default_rng(0).uniform(0, 2, len(y))
    settings = SMALL | {"solver": "lbfgs", "max_iter": 10, "dtype": "float64"}
    whole = kind(**settings).fit(x, y, weight)
    memory = budget(50, 6 * 8 + 3 * 8 + 8)
    by_windows = kind(**settings).fit(cut(x, y, weight, memory=memory))
    for a, b in zip(params(by_windows), params(whole), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)
    assert by_windows.loss_ == pytest.approx(whole.loss_, rel=1e-7)


@pytest.mark.parametrize("make", [classes, labels, lambda: classes(k=2)])
def test_class_weight_of_all_blocks(make):
    """'balanced' counts the labels of all blocks, and is what a fit in memory makes of it."""
    x, y = make()
    order = np.lexsort(np.atleast_2d(y.T))
    x, y = x[order], y[order]
    settings = SMALL | {"solver": "lbfgs", "max_iter": 10, "dtype": "float64"}
    whole = MLPClassifier(**settings, class_weight="balanced").fit(x, y)
    memory = budget(50, 6 * 8 + 3 * 8 + 8)
    by_windows = MLPClassifier(**settings, class_weight="balanced").fit(cut(x, y, memory=memory))
    for a, b in zip(params(by_windows), params(whole), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


def test_classes_that_not_every_block_has():
    x, y = classes(k=3)
    order = np.argsort(y)
    model = MLPClassifier(**SMALL).fit(cut(x[order], y[order], memory=budget(50, 6 * 4 + 16)))
    assert model.classes_.tolist() == sorted(set(y))


def test_rows_without_weight_count_for_nothing():
    x, y = numbers()
    weight = np.repeat([1.0, 0.0], 60)
    y[60:] = 1e6
    model = MLPRegressor(**SMALL).fit(cut(x, y, weight, memory=budget(50, 6 * 4 + 16)))
    assert model.loss_ < 100


# Early stopping


def test_rows_set_aside_are_not_trained_on():
    n, loss = 1000, Rows()
    y = np.arange(n, dtype=np.float64)
    scored = set()

    def scoring(estimator, X, y):
        scored.update(y.astype(int).tolist())
        return 0.0

    model = MLPRegressor(
        hidden_layer_sizes=(2,), loss=loss, batch_size=50, max_iter=2, n_iter_no_change=1000,
        early_stopping=True, validation_fraction=0.2, scoring=scoring,
    )  # fmt: skip
    model.fit(cut(np.ones((n, 3)), y, memory=budget(200, 32, aside=300 * 32)))
    assert len(scored) == 200
    trained = [batch for batch in loss.batches if not scored & set(batch)]
    assert all(set(batch) <= scored for batch in loss.batches if batch not in trained)
    rest = sorted(set(range(n)) - scored)
    assert sorted(flat(trained)) == sorted([*rest, *rest])
    assert np.bincount(np.array(sorted(scored)) // 100, minlength=10).min() >= 15


def test_little_memory_sets_fewer_rows_aside():
    x, y = numbers(n=2000)
    counted = []
    model = MLPRegressor(
        **SMALL, early_stopping=True, validation_fraction=0.5,
        scoring=lambda estimator, X, y: float(counted.append(len(y)) or 0),
    )  # fmt: skip
    row = 6 * 4 + 8
    model.fit(cut(x, y, memory=400 * row))
    assert counted[0] == 100


def test_names_of_features_reach_the_scorer():
    import pandas as pd

    x, y = numbers(n=300)
    frame = pd.DataFrame(x, columns=list("abcdef"))
    seen = []
    model = MLPRegressor(
        **SMALL, early_stopping=True,
        scoring=lambda estimator, X, y: seen.append(list(X.columns)) or estimator.score(X, y),
    )  # fmt: skip
    parts = [(frame[i : i + 30], y[i : i + 30]) for i in range(0, 300, 30)]
    model.fit(Listed(parts, memory=budget(100, 6 * 8 + 8, block=30, aside=2000)))
    assert seen[0] == list("abcdef")
    assert model.feature_names_in_.tolist() == list("abcdef")
    model.predict(frame)


def test_a_validation_set_of_the_users():
    x, y = classes(n=300)
    memory = budget(100, 6 * 4 + 16)
    model = MLPClassifier(**SMALL, early_stopping=True)
    model.fit(cut(x, y, memory=memory), X_val=x[:50], y_val=y[:50])
    assert len(model.validation_scores_) == model.n_iter_


# Going on


def test_resumed_bit_for_bit(tmp_path):
    x, y = classes(n=300)
    data = cut(x, y, memory=budget(100, 6 * 4 + 16))
    whole = MLPClassifier(**SMALL).fit(data)
    path = tmp_path / "checkpoint"
    cut_off = MLPClassifier(**SMALL | {"max_iter": 6}, callbacks=Checkpoint(path, resumable=True))
    cut_off.fit(data)
    assert_same(MLPClassifier(**SMALL).fit(data, resume_from=fastmlp.load(path)), whole)


def test_warm_start():
    x, y = classes(n=300)
    data = cut(x, y, memory=budget(100, 6 * 4 + 16))
    model = MLPClassifier(**SMALL, warm_start=True).fit(data)
    first = model.loss_
    assert model.fit(data).loss_ < first
    assert model.n_iter_ <= 2 * SMALL["max_iter"]
    with pytest.raises(ValueError, match="warm_start"):
        model.fit(cut(x, np.where(y == "ant", "eel", y), memory=data.memory))


def test_a_block_after_the_other_for_partial_fit():
    x, y = classes(n=300)
    model = MLPClassifier(**SMALL)
    for X, labels_ in cut(x, y):
        model.partial_fit(X, labels_, classes=np.unique(y))
    with pytest.raises(ValueError, match="partial_fit"):
        model.partial_fit(cut(x, y), None)
