"""Blocks that are not sound: the message says which, and nothing is lost."""

import copy
import warnings

import numpy as np
import pytest
from in_blocks import BLOCK, Listed, assert_same, budget, cut
from samples import SMALL, classes, numbers
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from fastmlp import MLPClassifier, MLPRegressor
from fastmlp.data import Arrays, Blocks

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
# What is refused

LITTLE, MUCH = budget(50, 6 * 8 + 16), 10**6


def broken(change, *, memory=LITTLE):
    """Blocks of which the third is changed."""
    x, y = classes()
    data = cut(x, y, np.ones(len(y)), memory=memory)
    data.parts[2] = change(*data.parts[2])
    return data


def with_nan(x, y, w):
    x = x.copy()
    x[3, 1] = np.nan
    return x, y, w


BROKEN = {
    "NaN": (with_nan, ValueError, "In block 2: Input X contains NaN"),
    "columns": (lambda x, y, w: (x[:, :4], y, w), ValueError, "In block 2: X has 4 features"),
    "rows": (lambda x, y, w: (x[:7], y, w), ValueError, "In block 2: .*inconsistent"),
    "label": (lambda x, y, w: (x, y[:, None] == y[:3], w), ValueError, "In block 2: "),
    "kind of label": (lambda x, y, w: (x, np.arange(len(y)), w), ValueError, "block 2: y has num"),
    "missing": (
        lambda x, y, w: (x, np.full(len(y), None), w),
        ValueError,
        "block 2: y has a missing",
    ),
    "weight": (lambda x, y, w: (x, y, -w), ValueError, "In block 2: sample_weight must not be neg"),
    "lengths": (lambda x, y, w: (x, y, w[:4]), ValueError, r"In block 2: sample_weight must have"),
    "no weights": (
        lambda x, y, w: (x, y),
        ValueError,
        "In block 2: Either all blocks have weights",
    ),
    "no tuple": (lambda x, y, w: x, TypeError, "must be a tuple"),
    "too much": (lambda x, y, w: (x, y, w, w), TypeError, "got 3 items"),
    "large": (lambda x, y, w: (x * 1e39, y, w), ValueError, "In block 2: "),
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("memory", [LITTLE, MUCH])
def test_a_block_that_is_not_sound(name, memory):
    """Whether it is found before training or in it, the message says which; nothing is lost."""
    change, kind, message = BROKEN[name]
    model = MLPClassifier(**SMALL)
    if memory == MUCH and name in ("NaN", "columns", "large"):  # found in the joined array
        message = {"columns": "In block 2: X is an array with rows of"}.get(name, "X")
    with pytest.raises(kind, match=message):
        model.fit(broken(change, memory=memory))
    with pytest.raises(NotFittedError):
        model.predict([[0.0] * 6])


def test_a_fitted_model_stays_what_it_was():
    x, y = classes()
    model = MLPClassifier(**SMALL).fit(x, y)
    before = copy.deepcopy(model)
    with pytest.raises(ValueError, match="In block 2: Input X contains NaN"):
        model.fit(broken(with_nan))
    assert_same(model, before)


def test_a_block_that_changes():
    x, y = classes()

    class Growing(Listed):
        def __getitem__(self, index):
            X, t = super().__getitem__(index)
            twice = len(self.read) > 12
            return (np.concatenate([X, X]), np.concatenate([t, t])) if twice else (X, t)

    data = cut(x, y, memory=budget(50, 6 * 8 + 8))
    with pytest.raises(ValueError, match=r"In block \d: It had 2\d rows"):
        MLPClassifier(**SMALL).fit(Growing(data.parts, memory=data.memory))


def test_an_error_of_the_users_own():
    class Unreadable(Listed):
        def __getitem__(self, index):
            if index == 3 and len(self.read) > 3:
                raise OSError("the disk is gone")
            return super().__getitem__(index)

    x, y = classes()
    data = cut(x, y, memory=budget(50, 6 * 8 + 8))
    with pytest.raises(OSError, match="the disk is gone") as caught:
        MLPClassifier(**SMALL).fit(Unreadable(data.parts, memory=data.memory))
    assert "This was block 3." in caught.value.__notes__


def test_too_little_memory():
    x, y = classes()
    with pytest.raises(ValueError, match=r"memory=1000 is too little for blocks of 25 rows.*take"):
        MLPClassifier(**SMALL).fit(cut(x, y, memory=1000))


@pytest.mark.parametrize("arguments", [{"y": np.ones(3)}, {"sample_weight": np.ones(3)}])
def test_targets_beside_blocks(arguments):
    x, y = classes()
    with pytest.raises(ValueError, match="Blocks hold y and sample_weight"):
        MLPClassifier(**SMALL).fit(cut(x, y), **arguments)


def test_groups_are_refused():
    x, y = classes()
    with pytest.raises(ValueError, match="groups are not for blocks"):
        MLPClassifier(**SMALL).fit(cut(x, y, memory=budget(50, 72)), groups=np.arange(len(y)))


def test_masked_entries_are_refused_wherever_they_are():
    x, y = numbers()
    masked = np.ma.masked_less(x[:BLOCK], 0)
    for memory in (2**30, budget(50, 6 * 8 + 8)):
        data = cut(x, y, memory=memory)
        data.parts[1] = (masked, y[:BLOCK])
        with pytest.raises(ValueError, match="In block 1: X has masked entries"):
            MLPRegressor(**SMALL).fit(data)


def test_nobody_reads_all_blocks_by_mistake():
    x, y = classes()
    model = MLPClassifier(**SMALL).fit(x, y)
    for call in (model.predict, np.asarray, lambda blocks: model.fit(x, blocks)):
        with pytest.raises((TypeError, ValueError), match="Blocks are for the fit"):
            call(cut(x, y))


def test_iteration_ends_with_the_last_block():
    """Also where a class of the user's never raises an IndexError."""

    class Endless(Blocks):
        def __len__(self):
            return 3

        def __getitem__(self, index):
            return np.full((2, 1), index), np.zeros(2)

    assert [int(X[0, 0]) for X, _ in Endless()] == [0, 1, 2]


def test_no_block():
    with pytest.raises(ValueError, match="at least one block"):
        MLPClassifier(**SMALL).fit(Listed([]))


@pytest.mark.parametrize("memory", [0, -1, 1.5, "1GB", True, None])
def test_memory_is_a_positive_int(memory):
    with pytest.raises(ValueError, match="memory must be a positive int"):
        Arrays(np.ones((3, 2)), np.ones(3), memory=memory)
    blocks = cut(*classes())
    blocks.memory = memory
    with pytest.raises(ValueError, match="memory must be a positive int"):
        MLPClassifier(**SMALL).fit(blocks)


def test_no_y():
    with pytest.raises(ValueError, match="requires y to be passed"):
        MLPClassifier(**SMALL).fit(np.ones((3, 2)))


def test_the_callers_data_stay():
    x, y = numbers()
    data = cut(x, y, np.ones(len(y)), memory=budget(50, 6 * 8 + 16))
    before = copy.deepcopy(data.parts)
    MLPRegressor(**SMALL).fit(data)
    for part, its in zip(data.parts, before, strict=True):
        for a, b in zip(part, its, strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_warning_names_what_is_missing():
    """A fit of blocks warns like any other."""
    x, y = numbers()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        MLPRegressor(**SMALL).fit(cut(x, y, memory=budget(50, 6 * 8 + 8)))
    assert [w.category for w in caught] == [ConvergenceWarning]
