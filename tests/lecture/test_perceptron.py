"""The perceptron: its rule step by step, what it can learn and what not, beside scikit-learn's."""

import pickle
import signal
import time

import numpy as np
import pytest
import sklearn.linear_model
from samples import classes, labels
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.utils.estimator_checks import parametrize_with_checks

from fastmlp import Perceptron

PAIRS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
XOR = [0, 1, 1, 0]
IGNORE = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def separable(rng, n=60, d=3, margin=0.3):
    """Points at least `margin` away from a random hyperplane, and their sides."""
    normal = rng.normal(size=d)
    normal /= np.linalg.norm(normal)
    offset = 0.2
    x = rng.uniform(-2, 2, size=(20 * n, d))
    x = x[np.abs(x @ normal + offset) >= margin][:n]
    assert len(x) == n
    return x, np.sign(x @ normal + offset).astype(int), np.append(normal, offset)


def step(model, x, y):
    """One sample through partial_fit; returns weights and bias as plain lists."""
    model.partial_fit([x], [y], classes=[-1, 1])
    return model.coef_[0].tolist(), model.intercept_[0].item(), model.mistakes_[-1]


def test_rule_step_by_step():
    model = Perceptron()
    # Zero weights are on neither side, so the first sample moves them: w = y x, b = y.
    assert step(model, [2, 1], 1) == ([2, 1], 1, 1)
    # 2*1 + 1*1 + 1 > 0: right, unchanged.
    assert step(model, [1, 1], 1) == ([2, 1], 1, 0)
    assert model.converged_
    # 2*1 - 1 + 1 > 0 where -1 is true: wrong, w -= x, b -= 1.
    assert step(model, [1, -1], -1) == ([1, 2], 0, 1)
    assert not model.converged_
    # 1*2 + 2*(-1) + 0 = 0: on the hyperplane, adjusted.
    assert step(model, [2, -1], -1) == ([-1, 3], -1, 1)
    assert step(model, [2, -1], -1) == ([-1, 3], -1, 0)
    assert model.mistakes_ == [1, 0, 1, 1, 0]
    assert model.n_iter_ == 1


def test_zero_start():
    """The first mistake alone leaves y x, whatever was fitted before."""
    model = Perceptron(shuffle=False).fit([[5.0, 5.0], [-5.0, 4.0]], [0, 1])
    model.set_params(max_iter=1)
    with pytest.warns(ConvergenceWarning):
        model.fit([[3.0, 0.0], [-1.0, 0.0]], ["b", "a"])
    assert model.coef_.tolist() == [[3.0, 0.0]]
    assert model.intercept_.tolist() == [1.0]
    assert model.mistakes_ == [1]


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("gate", [[0, 0, 0, 1], [0, 1, 1, 1], [1, 1, 0, 0], [1, 1, 1, 0]])
def test_learns_every_separable_gate(gate, shuffle):
    model = Perceptron(shuffle=shuffle, random_state=0).fit(PAIRS, gate)
    assert model.converged_
    assert model.mistakes_[-1] == 0
    assert all(model.mistakes_[:-1])
    assert model.n_iter_ == len(model.mistakes_)
    np.testing.assert_array_equal(model.predict(PAIRS), gate)


def test_xor_warns():
    with pytest.warns(ConvergenceWarning, match="no hyperplane separates") as record:
        model = Perceptron(max_iter=50, random_state=0).fit(PAIRS, XOR)
    assert record[0].filename == __file__
    assert not model.converged_
    assert model.n_iter_ == 50
    assert all(model.mistakes_)
    assert model.score(PAIRS, XOR) < 1


@pytest.mark.parametrize("seed", range(20))
def test_mistake_bound(seed):
    """Novikoff: at most (R / gamma)^2 mistakes, with the bias as the weight of a constant 1."""
    rng = np.random.default_rng(seed)
    x, y, hyperplane = separable(rng)
    model = Perceptron(random_state=seed).fit(x, y)
    extended = np.column_stack([x, np.ones(len(x))])
    radius = np.linalg.norm(extended, axis=1).max()
    gamma = (y * (extended @ hyperplane)).min() / np.linalg.norm(hyperplane)
    assert model.converged_
    assert 0 < sum(model.mistakes_) <= (radius / gamma) ** 2
    np.testing.assert_array_equal(model.predict(x), y)


def test_coef_and_intercept_are_the_hyperplane(rng):
    x, y, _ = separable(rng)
    model = Perceptron(random_state=0).fit(x, y)
    np.testing.assert_allclose(
        model.decision_function(x), x @ model.coef_[0] + model.intercept_[0], atol=1e-12
    )
    np.testing.assert_array_equal(np.sign(model.decision_function(x)), y)
    on_the_plane = -model.intercept_[0] * model.coef_[0] / (model.coef_[0] @ model.coef_[0])
    assert abs(model.decision_function([on_the_plane])[0]) < 1e-12


@IGNORE
@pytest.mark.parametrize("eta0", [1.0, 0.25])
@pytest.mark.parametrize("k", [2, 3, 5])
@pytest.mark.parametrize("max_iter", [1, 2, 30])
def test_weights_of_scikit_learn(k, max_iter, eta0):
    rng = np.random.default_rng(k)
    x = rng.integers(-4, 5, size=(80, 7)).astype(float)
    y = np.array(list("abcde"))[rng.integers(0, k, size=80)]
    ours = Perceptron(max_iter, eta0=eta0, shuffle=False).fit(x, y)
    theirs = sklearn.linear_model.Perceptron(
        max_iter=max_iter, eta0=eta0, shuffle=False, penalty=None, tol=None
    ).fit(x, y)
    np.testing.assert_array_equal(ours.coef_, theirs.coef_)
    np.testing.assert_array_equal(ours.intercept_, theirs.intercept_)
    np.testing.assert_array_equal(ours.predict(x), theirs.predict(x))
    np.testing.assert_array_equal(ours.decision_function(x), theirs.decision_function(x))


def test_weights_of_scikit_learn_where_it_converges(rng):
    x, y, _ = separable(rng, d=6)
    ours = Perceptron(shuffle=False).fit(x, y)
    theirs = sklearn.linear_model.Perceptron(shuffle=False, tol=None).fit(x, y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-12)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, rtol=1e-12)


def test_several_classes_are_one_against_the_rest():
    centers = np.array([[0, 9], [9, -9], [-9, -9], [12, 9]])
    rng = np.random.default_rng(3)
    y = rng.integers(0, 4, size=90)
    x = centers[y] + rng.integers(-2, 3, size=(90, 2))
    model = Perceptron(shuffle=False).fit(x, y)
    assert model.converged_
    assert model.coef_.shape == (4, 2)
    assert model.decision_function(x).shape == (90, 4)
    np.testing.assert_array_equal(model.predict(x), y)
    mistakes = np.zeros(len(model.mistakes_), dtype=int)
    for c in range(4):
        alone = Perceptron(shuffle=False).fit(x, y == c)
        np.testing.assert_array_equal(model.coef_[c], alone.coef_[0])
        np.testing.assert_array_equal(model.intercept_[c], alone.intercept_[0])
        mistakes[: alone.n_iter_] += alone.mistakes_
    assert model.mistakes_ == mistakes.tolist()


@IGNORE
def test_several_labels_are_outputs_that_stand_alone():
    x, y = labels()
    model = Perceptron(200, shuffle=False).fit(x, y)
    np.testing.assert_array_equal(model.predict(x), y)
    assert model.score(x, y) == 1.0
    for column, expected in enumerate(y.T):
        alone = Perceptron(200, shuffle=False).fit(x, expected)
        np.testing.assert_array_equal(model.coef_[column], alone.coef_[0])
    bit_by_bit = Perceptron(shuffle=False)
    for _ in range(model.n_iter_):
        bit_by_bit.partial_fit(x, y)
    np.testing.assert_array_equal(bit_by_bit.coef_, model.coef_)
    assert bit_by_bit.mistakes_ == model.mistakes_


@IGNORE
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int8, np.int64, np.uint16, bool])
def test_reads_every_type_and_layout(dtype):
    rng = np.random.default_rng(1)
    wide = rng.integers(0, 2 if dtype is bool else 9, size=(60, 10))
    y = rng.integers(0, 3, size=60)
    expected = Perceptron(20, random_state=0).fit(wide[:, ::2].astype(float), y)
    layouts = [
        wide.astype(dtype)[:, ::2],
        np.asfortranarray(wide[:, ::2].astype(dtype)),
        wide[:, ::2].astype(dtype)[::-1].copy()[::-1],
    ]
    for x in layouts:
        model = Perceptron(20, random_state=0).fit(x, y)
        np.testing.assert_array_equal(model.coef_, expected.coef_)
        np.testing.assert_array_equal(model.predict(x), expected.predict(x.astype(float)))


@IGNORE
def test_shuffle_is_reproducible():
    x, y = classes(k=4)
    fits = [Perceptron(5, random_state=seed).fit(x, y) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(fits[0].coef_, fits[1].coef_)
    assert (fits[0].coef_ != fits[2].coef_).any()
    assert (fits[0].coef_ != Perceptron(5, shuffle=False).fit(x, y).coef_).any()
    # Epochs have orders of their own, which partial_fit goes through as fit does.
    model = Perceptron(random_state=0)
    for _ in range(5):
        model = pickle.loads(pickle.dumps(model.partial_fit(x, y, classes=np.unique(y))))
    np.testing.assert_array_equal(model.coef_, fits[0].coef_)
    assert model.mistakes_ == fits[0].mistakes_


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("max_iter", 0),
        ("max_iter", 1.5),
        ("eta0", 0),
        ("eta0", np.nan),
        ("shuffle", "maybe"),
        ("random_state", "lucky"),
    ],
)
def test_wrong_parameters(parameter, value):
    with pytest.raises(ValueError, match=f"'{parameter}' parameter"):
        Perceptron(**{parameter: value}).fit(PAIRS, XOR)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([1, 1, 1, 1], "greater than one; got 1 class"),
        ([0.5, 1.5, 2.5, 3.5], "Unknown label type"),
        ([[0, 2], [2, 0], [0, 2], [2, 0]], "indicator matrix"),
        ([[0, 1], [2, 0], [3, 2], [2, 0]], "indicator matrix"),
        ([0, 1], "inconsistent numbers of samples"),
    ],
)
def test_wrong_labels(y, message):
    model = Perceptron()
    with pytest.raises(ValueError, match=message):
        model.fit(PAIRS, y)
    assert vars(model) == vars(Perceptron())


@pytest.mark.parametrize(
    ("y", "given", "message"),
    [
        (["a", "z", "a", "b"], None, "classes not in `self.classes_`"),
        (["a", "b", "a", "b"], ["a", "b"], "not the same as on last call"),
        ([[0, 1, 1]] * 4, None, "fitted with single-label input"),
    ],
)
def test_failed_partial_fit_changes_nothing(y, given, message):
    model = Perceptron()
    with pytest.raises(ValueError, match="classes must be passed"):
        model.partial_fit(PAIRS, list("abca"))
    model.partial_fit(PAIRS, list("abca"), classes=list("abc"))
    before = pickle.dumps(model)
    with pytest.raises(ValueError, match=message):
        model.partial_fit(PAIRS, y, classes=given)
    assert pickle.dumps(model) == before


def test_overflow_names_the_epoch():
    model = Perceptron(shuffle=False, eta0=1e300)
    with pytest.raises(ValueError, match="NaN or infinite in epoch 1"):
        model.fit(PAIRS * 1e200, XOR)
    with pytest.raises(NotFittedError):
        model.predict(PAIRS)


def test_control_c_ends_a_fit_and_changes_nothing():
    model = Perceptron(shuffle=False).fit(PAIRS, [0, 0, 0, 1])
    before = pickle.dumps(model.set_params(max_iter=1_000_000_000))
    handler = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        start = time.perf_counter()
        with pytest.raises(KeyboardInterrupt):
            model.fit(PAIRS, XOR)
        seconds = time.perf_counter() - start
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
    assert seconds < 1.2
    assert pickle.dumps(model) == before


@IGNORE
@parametrize_with_checks([Perceptron()])
def test_check(estimator, check):
    check(estimator)


@pytest.mark.parametrize("k", [2, 3])
@IGNORE
def test_decision_boundary_display(k):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from sklearn.inspection import DecisionBoundaryDisplay

    x, y = classes(d=2, k=k)
    model = Perceptron(random_state=0).fit(x, y)
    display = DecisionBoundaryDisplay.from_estimator(model, x, grid_resolution=10)
    assert display.response.shape[:2] == (10, 10)
    matplotlib.pyplot.close("all")
