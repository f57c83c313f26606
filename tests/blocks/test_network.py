"""`Network.fit` of blocks: in memory as arrays, and in windows with the state of the optimizer."""

import numpy as np
import pytest
from in_blocks import BLOCK, Listed, budget, cut

from fastmlp import Dense, Dropout, Network

N = 300
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, 4)).astype(np.float32)
CLASSES = (X[:, 0] > X[:, 1]).astype(int) + (X[:, 2] > 0)
NUMBERS = (X[:, :2] * X[:, 2:]).astype(np.float32)
WEIGHT = np.linspace(0, 2, N)
IN_WINDOWS = {"memory": budget(3 * BLOCK, 4 * 4 + 8 + 8)}
HOW = {"epochs": 4, "batch_size": 16, "learning_rate": 0.01}


def network(task="classes", **settings):
    out = [Dense(3, "softmax")] if task == "classes" else [Dense(2)]
    hidden = [Dense(8, "relu"), Dropout(0.2)]
    return Network([*hidden, *out], 4, random_state=0, **settings)


def params(net):
    return [array for layer in net.params for array in layer]


def assert_same(one, other):
    for a, b in zip(params(one), params(other), strict=True):
        np.testing.assert_array_equal(a, b)


TASKS = [
    pytest.param("classes", CLASSES, "cross_entropy", id="class numbers"),
    pytest.param("classes", np.eye(3)[CLASSES], "cross_entropy", id="one-hot"),
    pytest.param("numbers", NUMBERS, "squared_error", id="numbers"),
]


@pytest.mark.parametrize(("task", "t", "loss"), TASKS)
@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_what_fits_has_the_bits_of_arrays(task, t, loss, weight):
    whole, blocks = network(task), network(task)
    history = whole.fit(X, t, loss=loss, sample_weight=weight, **HOW)
    arrays = (X, t) if weight is None else (X, t, weight)
    found = blocks.fit(cut(*arrays), loss=loss, **HOW)
    assert found["loss"] == history["loss"]
    assert_same(blocks, whole)


@pytest.mark.parametrize(("task", "t", "loss"), TASKS)
@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_windows_in_order_have_the_bits_of_arrays(task, t, loss, weight):
    """Windows of whole batches, so that these are the same."""
    how = HOW | {"batch_size": BLOCK, "shuffle": False}
    whole, blocks = network(task), network(task)
    whole.fit(X, t, loss=loss, sample_weight=weight, **how)
    data = cut(*((X, t) if weight is None else (X, t, weight)), **IN_WINDOWS)
    blocks.fit(data, loss=loss, **how)
    assert len(data.read) > 3 * len(data)
    assert_same(blocks, whole)


def test_a_second_call_goes_on():
    data = cut(X, CLASSES, **IN_WINDOWS)
    once, twice = network(), network()
    history = once.fit(data, loss="cross_entropy", **HOW | {"epochs": 8})
    first = twice.fit(data, loss="cross_entropy", **HOW)
    second = twice.fit(data, loss="cross_entropy", **HOW)
    assert first["loss"] + second["loss"] == history["loss"]
    assert_same(once, twice)


def test_same_bits_for_any_threads():
    found = [network(n_jobs=n_jobs) for n_jobs in (1, 2, 4)]
    for net in found:
        net.fit(cut(X, CLASSES, **IN_WINDOWS), loss="cross_entropy", **HOW)
    assert_same(found[0], found[1])
    assert_same(found[0], found[2])


def test_it_learns_from_windows_and_is_validated():
    net = network()
    rows = RNG.normal(size=(N, 4)).astype(np.float32)
    t = (rows[:, 0] > rows[:, 1]).astype(int) + (rows[:, 2] > 0)
    how = HOW | {"epochs": 40, "validation_data": (rows, t), "monitor": "accuracy"}
    history = net.fit(cut(X, CLASSES, **IN_WINDOWS), loss="cross_entropy", **how)
    assert max(history["val_score"]) > 0.85
    assert (net(rows).argmax(axis=1) == t).mean() == pytest.approx(max(history["val_score"]))
    net.fit(cut(X, CLASSES, **IN_WINDOWS), loss="cross_entropy", batch_size="full", epochs=2)
    assert len(net.step_losses) > 2  # a window is the largest batch


def test_float64_rows_of_a_float32_network():
    how = HOW | {"batch_size": BLOCK, "shuffle": False, "loss": "cross_entropy"}
    wide, narrow = network(), network()
    wide.fit(cut(X.astype(np.float64), CLASSES, memory=2 * IN_WINDOWS["memory"]), **how)
    narrow.fit(X, CLASSES, **how)
    assert_same(wide, narrow)


def refused():
    first = X[:BLOCK], CLASSES[:BLOCK]
    narrow = [first, (X[:BLOCK, :3], CLASSES[:BLOCK])] * 6
    short = [first, (X[:BLOCK], CLASSES[: BLOCK - 1])] * 6
    label = [first, (X[:BLOCK], CLASSES[:BLOCK] + 1)] * 6
    huge = [first, (X[:BLOCK].astype(float) * 1e60, CLASSES[:BLOCK])] * 6
    weightless = [first, (*first, np.ones(BLOCK))]
    return [
        pytest.param(narrow, r"In block \d+: X has 3 features", id="columns"),
        pytest.param(short, r"In block \d+: .*24", id="rows"),
        pytest.param(label, "In block 1: t must hold class labels from 0 to 2", id="labels"),
        pytest.param(huge, r"In block \d+: X holds the magnitude", id="range"),
        pytest.param(weightless, "Either all blocks have weights, or none", id="weights"),
    ]


@pytest.mark.parametrize(("parts", "message"), refused())
def test_what_is_refused_leaves_it_as_it_was(parts, message):
    net = network()
    net.fit(X, CLASSES, loss="cross_entropy", **HOW)
    before = params(net)
    with pytest.raises(ValueError, match=message):
        net.fit(Listed(parts, **IN_WINDOWS), loss="cross_entropy", **HOW)
    for a, b in zip(params(net), before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_targets_beside_blocks_are_refused():
    with pytest.raises(ValueError, match="none must be given beside them"):
        network().fit(cut(X, CLASSES), CLASSES, loss="cross_entropy")
    with pytest.raises(ValueError, match="t must be given with X"):
        network().fit(X, loss="cross_entropy")
