"""Same seed, same bits: for any number of threads, after pickling, and epoch by epoch."""

import pickle
import warnings
from itertools import product

import numpy as np
import pytest
from builders import bits, build, random_params, trainer
from loops import each
from reference import Mlp
from sklearn.exceptions import ConvergenceWarning

from fastmlp import MLPClassifier, MLPRegressor, _core

pytestmark = [
    pytest.mark.usefixtures("use_target"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]

# widths, batch size, rows: small and wide networks, batches that tiles do and do not divide
SHAPES = [
    ((5, 3, 2), 7, 40),
    ((20, 64, 33, 10), 100, 250),
    ((40, 2, 100, 1), 64, 250),  # layers of few outputs, whose weights lie transposed
    ((300, 700, 250, 2), 32, 100),
    ((64, 200, 130, 10), 256, 300),
    ((784, 256, 128, 10), 128, 300),
    ((33, 600, 500, 3), 32, 100),
    ((100, 1000, 10), 1, 4),
    ((300, 1030, 5), 260, 300),  # gradients of more than 1 MiB: longer tasks
]
SEVERAL = [1, 2, 3, 4]


def run(dtype, widths, batch_size, rows, n_threads, optimizer="adam"):
    """Bits of the weights, and the losses, after two epochs."""
    rng = np.random.default_rng(1)
    hidden = ["relu", "tanh", "logistic"][: len(widths) - 2]
    params = random_params(rng, widths)
    network = build(dtype, widths, Mlp([*hidden, "softmax"]), params, input_dropout=0.2)
    x = rng.normal(size=(rows, widths[0]))
    labels = rng.integers(0, widths[-1], rows)
    settings = {"loss": "cross_entropy", "optimizer": optimizer, "rate": 0.003, "seed": 7}
    teacher = trainer(network, batch_size=batch_size, **settings)
    report = teacher.run(x, labels, epochs=2, n_threads=n_threads)
    return bits(network), report["loss"], network.predict(x, n_threads).tobytes()


@each(("shape", "optimizer"), product(SHAPES, ["sgd", "adam"]), elsewhere=3)
def test_threads_do_not_change_bits(dtype, shape, optimizer, several):
    alone = run(dtype, *shape, 1, optimizer)
    for n_threads in (*several[1:], 0):
        assert run(dtype, *shape, n_threads, optimizer) == alone, n_threads


@each("rows", [1, 17, 33, 64, 200, 385, 800, 3001])
def test_threads_do_not_change_predictions(dtype, rng, rows):
    widths = (20, 64, 33, 10)
    mlp = Mlp(["relu", "tanh", "softmax"])
    params = random_params(rng, widths)
    network = build(dtype, widths, mlp, params)
    x = rng.normal(size=(rows, widths[0]))
    alone = network.predict(x, 1)
    tolerance = 1e-5 if alone.dtype == np.float32 else 1e-12
    np.testing.assert_allclose(alone, mlp.forward(x, params)[1][-1], rtol=tolerance, atol=tolerance)
    for n_threads in (*SEVERAL[1:], 7):
        assert network.predict(x, n_threads).tobytes() == alone.tobytes(), n_threads


@pytest.mark.parametrize(
    ("widths", "rows"), [((30, 100, 5), 500), ((784, 256, 128, 10), 500), ((30, 100, 5), 9000)]
)
def test_threads_do_not_change_gradients(dtype, rng, widths, rows):
    mlp = Mlp(["tanh"] * (len(widths) - 1))
    network = build(dtype, widths, mlp, random_params(rng, widths))
    x, t = rng.normal(size=(rows, widths[0])), rng.normal(size=(rows, widths[-1]))

    def flat(n_threads):
        value, *gradients = network.loss_and_gradients(x, t, "mse", n_threads=n_threads)
        return value, [array.tobytes() for arrays in gradients for array in arrays]

    assert flat(1) == flat(2) == flat(4) == flat(0)


def state(estimator):
    arrays = [*estimator.coefs_, *estimator.intercepts_, np.array(estimator.loss_curve_)]
    return [array.tobytes() for array in arrays]


def settings(dtype, **more):
    return {
        "hidden_layer_sizes": (60, 40),
        "dropout": 0.3,
        "dropout_input": 0.1,
        "batch_size": 64,
        "max_iter": 4,
        "random_state": 3,
        "dtype": dtype,
    } | more


def data(rng):
    x = rng.normal(size=(300, 50))
    return x, (x @ rng.normal(size=(50, 4))).argmax(axis=1)


@pytest.mark.parametrize("more", [{}, {"early_stopping": True}, {"solver": "sgd"}])
def test_estimators_do_not_depend_on_n_jobs(dtype, rng, more):
    x, y = data(rng)
    for kind in (MLPClassifier, MLPRegressor):
        fitted = [kind(n_jobs=n, **settings(dtype, **more)).fit(x, y) for n in (*SEVERAL, None)]
        assert all(state(other) == state(fitted[0]) for other in fitted)
        assert all((other.predict(x) == fitted[0].predict(x)).all() for other in fitted)


def test_another_seed_gives_other_bits(dtype, rng):
    x, y = data(rng)
    first, second = (MLPClassifier(**settings(dtype, random_state=i)).fit(x, y) for i in (0, 1))
    assert state(first) != state(second)


def test_a_pickled_estimator_goes_on_with_the_same_bits(dtype, rng):
    x, y = data(rng)
    ours = MLPClassifier(**settings(dtype)).partial_fit(x, y, classes=np.unique(y))
    ours.partial_fit(x, y)
    other = pickle.loads(pickle.dumps(ours))
    assert state(other) == state(ours)
    np.testing.assert_array_equal(other.predict_proba(x), ours.predict_proba(x))
    for estimator in (ours, other):
        estimator.partial_fit(x, y).partial_fit(x, y)
    assert state(other) == state(ours)


def test_partial_fit_n_times_is_fit_with_n_epochs(dtype, rng):
    x, y = data(rng)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        whole = MLPClassifier(**settings(dtype)).fit(x, y)
    for n_jobs in SEVERAL:
        parts = MLPClassifier(n_jobs=n_jobs, **settings(dtype))
        for _ in range(4):
            parts.partial_fit(x, y, classes=np.unique(y))
        assert state(parts) == state(whole)


def test_a_trainers_state_carries_over(dtype, rng):
    widths, mlp = (12, 30, 3), Mlp(("tanh", "identity"))
    params = random_params(rng, widths)
    x, t = rng.normal(size=(90, 12)), rng.normal(size=(90, 3))
    how = {"optimizer": "adam", "schedule": "invscaling", "seed": 11}

    whole = build(dtype, widths, mlp, params, input_dropout=0.2)
    trainer(whole, **how).run(x, t, epochs=6)

    half = build(dtype, widths, mlp, params, input_dropout=0.2)
    first = trainer(half, **how)
    first.run(x, t, epochs=2)
    saved = pickle.loads(pickle.dumps(first.get_state()))
    resumed = build(dtype, widths, mlp, params, input_dropout=0.2)
    resumed.set_params(*half.get_params())
    second = trainer(resumed, **how)
    second.set_state(saved)
    assert second.steps == first.steps
    assert second.rate == first.rate
    second.run(x, t, epochs=4)
    assert bits(resumed) == bits(whole)


def test_shuffling_is_a_permutation_that_changes(rng):
    """Where nothing is learnt, the loss of an epoch is that of all rows, in whatever order."""
    x, t = rng.normal(size=(64, 3)), rng.normal(size=(64, 1))
    params = random_params(rng, (3, 1))
    curves = {}
    for shuffle in (False, True):
        network = build("float64", (3, 1), Mlp(("identity",)), params)
        report = trainer(network, rate=0.01, batch_size=8, shuffle=shuffle, seed=1).run(
            x, t, epochs=1
        )
        curves[shuffle] = report["loss"], bits(network)
    assert curves[False] != curves[True]
    assert curves[False][0] == pytest.approx(curves[True][0], rel=0.05)
    network = build("float64", (3, 1), Mlp(("identity",)), params)
    frozen = trainer(network, rate=1e-300, batch_size=8, seed=1).run(x, t, epochs=3)
    expected = network.loss_and_gradients(x, t, "squared_error")[0]
    assert frozen["loss"] == pytest.approx([expected] * 3, rel=1e-12)


def test_max_threads_is_a_positive_number():
    assert _core.max_threads() >= 1
