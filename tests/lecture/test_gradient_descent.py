"""Batch, stochastic and mini-batch gradient descent: which samples a step sees, and the counts."""

import math

import numpy as np
import pytest
from numeric import assert_norm_close
from samples import classes, numbers

from fastmlp import Dense, MLPClassifier, MLPRegressor, Network

pytestmark = [
    pytest.mark.usefixtures("use_target"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]

ROWS = 23
# As many samples per step as the name says; 5 leaves a last batch of 3.
BATCHES = [pytest.param("full", id="batch"), 1, 5, ROWS]
ROUNDING = {"float32": 1e-5, "float64": 1e-12}


def network(dtype="float64"):
    return Network([Dense(7, "tanh"), Dense(1)], 6, random_state=0, dtype=dtype)


def descend(net, x, t, size, rate, epochs):
    """theta <- theta - eta g for batch after batch, g the mean gradient over the batch."""
    steps = 0
    for _ in range(epochs):
        for start in range(0, len(x), size):
            rows = slice(start, start + size)
            _, gradients = net.loss_and_gradients(x[rows], t[rows], "squared_error")
            net.params = [
                (w - rate * dw, b - rate * db)
                for (w, b), (dw, db) in zip(net.params, gradients, strict=True)
            ]
            steps += 1
    return steps


@pytest.mark.parametrize("batch_size", BATCHES)
def test_an_epoch_is_the_update_rule(batch_size, dtype):
    x, t = numbers(ROWS)
    size = ROWS if batch_size == "full" else batch_size
    ours, by_hand = network(dtype), network(dtype)
    ours.fit(
        x,
        t,
        loss="squared_error",
        optimizer="sgd",
        learning_rate=0.05,
        batch_size=batch_size,
        epochs=3,
        shuffle=False,
    )
    steps = descend(by_hand, x, t, size, 0.05, 3)
    assert steps == 3 * math.ceil(ROWS / size)
    for pair, exact in zip(ours.params, by_hand.params, strict=True):
        for a, e in zip(pair, exact, strict=True):
            assert_norm_close(a, e, ROUNDING[dtype])


@pytest.mark.parametrize("batch_size", BATCHES)
def test_estimators_take_the_same_steps(batch_size):
    x, t = numbers(ROWS)
    size = ROWS if batch_size == "full" else batch_size
    by_hand = network()
    (w1, b1), (w2, b2) = by_hand.params
    model = MLPRegressor(
        hidden_layer_sizes=(7,),
        activation="tanh",
        solver="sgd",
        momentum=0.0,
        alpha=0.0,
        learning_rate_init=0.05,
        batch_size=batch_size,
        shuffle=False,
        max_iter=3,
        dtype="float64",
    ).fit(x, t, coef_init=[w1, w2], intercept_init=[b1, b2])
    descend(by_hand, x, t, size, 0.05, 3)
    pairs = zip(model.coefs_, model.intercepts_, strict=True)
    for pair, exact in zip(pairs, by_hand.params, strict=True):
        for a, e in zip(pair, exact, strict=True):
            assert_norm_close(a, e, 1e-12)


@pytest.mark.parametrize("batch_size", [*BATCHES, "auto"])
@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_epochs_and_samples_are_counted(batch_size, solver):
    x, y = classes(ROWS)
    model = MLPClassifier((4,), solver=solver, batch_size=batch_size, max_iter=6, random_state=0)
    model.fit(x, y)
    assert model.n_iter_ == 6
    assert model.t_ == 6 * ROWS
    assert len(model.loss_curve_) == len(model.history_["seconds"]) == 6
    model.partial_fit(x, y)
    assert model.t_ == 7 * ROWS


def test_an_epoch_stops_where_the_rule_says():
    """With no demand on the improvement all epochs are run; with an impossible one, one and then
    as many as are put up with."""
    x, y = classes(ROWS)
    how = {"hidden_layer_sizes": (4,), "batch_size": "full", "max_iter": 40, "random_state": 0}
    patient = MLPClassifier(**how, n_iter_no_change=np.inf).fit(x, y)
    assert (patient.n_iter_, patient.t_, patient.stopped_) == (40, 40 * ROWS, "max_iter")
    hasty = MLPClassifier(**how, tol=1e3, n_iter_no_change=5).fit(x, y)
    assert hasty.stopped_ == "no_improvement"
    assert hasty.n_iter_ == 7
    assert hasty.t_ == 7 * ROWS


@pytest.mark.parametrize("shuffle", [False, True])
def test_full_is_a_batch_of_all_samples(shuffle, dtype):
    x, y = classes(ROWS)
    models = [
        MLPClassifier(
            (4,), batch_size=size, shuffle=shuffle, max_iter=5, dtype=dtype, random_state=0
        ).fit(x, y)
        for size in ("full", ROWS)
    ]
    for a, b in zip(models[0].coefs_, models[1].coefs_, strict=True):
        np.testing.assert_array_equal(a, b)
    assert models[0].loss_curve_ == models[1].loss_curve_


def flat(gradients):
    return np.concatenate([array.ravel() for pair in gradients for array in pair])


@pytest.mark.parametrize("size", [1, 2, 5, 10])
def test_small_batches_estimate_the_gradient_without_bias(size):
    """Over a partition of the samples into batches of one size, the mean is the batch gradient."""
    x, t = numbers(20)
    net = network()
    _, exact = net.loss_and_gradients(x, t, "mse")
    batches = np.random.default_rng(1).permutation(20).reshape(-1, size)
    estimates = [flat(net.loss_and_gradients(x[b], t[b], "mse")[1]) for b in batches]
    assert_norm_close(np.mean(estimates, axis=0), flat(exact), 1e-13)


def test_larger_batches_estimate_better():
    """The spread of the estimate falls like 1 / sqrt(batch size), for samples drawn at random."""
    x, t = numbers(400)
    net, rng = network(), np.random.default_rng(0)
    spread = {}
    for size in (1, 4, 16):
        draws = [rng.integers(0, 400, size) for _ in range(600)]
        estimates = [flat(net.loss_and_gradients(x[b], t[b], "mse")[1]) for b in draws]
        spread[size] = np.sqrt(np.var(estimates, axis=0).sum())
    # 600 draws: the ratio of two spreads is within some 10 % of the factor 2.
    assert spread[1] / spread[4] == pytest.approx(2, rel=0.25)
    assert spread[4] / spread[16] == pytest.approx(2, rel=0.25)


def test_batch_descends_gently_and_stochastic_bounces():
    x, t = numbers(60)
    curves = {}
    for batch_size in ("full", 1):
        net = network()
        curves[batch_size] = []
        for _ in range(60):
            net.fit(
                x,
                t,
                loss="mse",
                optimizer="sgd",
                learning_rate=0.05,
                batch_size=batch_size,
                epochs=1,
            )
            curves[batch_size].append(net.loss_and_gradients(x, t, "mse")[0])
    change = {size: np.diff(curve) for size, curve in curves.items()}
    assert (change["full"] < 0).all()
    assert (change[1] > 0).any()
    assert curves[1][-1] < curves[1][0] / 2


def test_every_epoch_has_every_sample_once():
    """With one weight per sample, an epoch of single steps moves each weight exactly once."""
    x, t = np.eye(ROWS), np.ones(ROWS)
    for batch_size in (1, 5, "full"):
        net = Network([Dense(1)], ROWS, dtype="float64", random_state=0)
        net.params = [(np.zeros((ROWS, 1)), np.zeros(1))]
        size = ROWS if batch_size == "full" else batch_size
        net.fit(
            x,
            t,
            loss="squared_error",
            optimizer="sgd",
            learning_rate=1e-6,
            batch_size=batch_size,
            epochs=1,
        )
        (w, _), *_ = net.params
        steps = np.sort(np.full(ROWS, 1e-6) / np.minimum(size, ROWS))
        last = ROWS % size or size
        steps[-last:] = 1e-6 / last
        np.testing.assert_allclose(np.sort(w[:, 0]), np.sort(steps), rtol=1e-4)
