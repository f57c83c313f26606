"""Ctrl-C in every call that may take long: it ends soon, and what it leaves is of use.

Half a second is meant; there is room for a machine that is busy, and without a look at signals on
the way each of these calls would take many seconds.
"""

import _thread
import threading
import time
import warnings

import numpy as np
import pytest

from fastmlp import Dense, MLPClassifier, MLPRegressor, Network, find_learning_rate, graph

rng = np.random.default_rng(0)
LONG = 600_000  # rows that a network of many units takes several seconds for
UNITS = (700, 700)
SOON = 2.0  # seconds; 0.5 is meant, on a machine that has nothing else to do


@pytest.fixture(scope="module")
def data():
    x = rng.normal(size=(30_000, 300)).astype(np.float32)
    return x, x[:, 0] - x[:, 1]


@pytest.fixture(scope="module")
def many_rows(data):
    return np.lib.stride_tricks.as_strided(data[0], (LONG, 300), (0, 4), writeable=False)


@pytest.fixture(scope="module")
def fitted(data):
    x, y = data
    model = MLPClassifier(UNITS, max_iter=1, dropout=0.2, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(x[:400], y[:400] > 0)


class Interrupt:
    """Presses Ctrl-C after a time, and tells how long it took from there to the end."""

    def __init__(self, after=0.4):
        self.after = after

    def __enter__(self):
        self.timer = threading.Timer(self.after, self._press)
        self.timer.start()
        return self

    def _press(self):
        self.pressed = time.perf_counter()
        _thread.interrupt_main()

    def __exit__(self, *error):
        self.seconds = time.perf_counter() - self.pressed
        self.timer.join()


CALLS = {
    "predict": lambda model, x, t: model.predict(x),
    "predict_proba": lambda model, x, t: model.predict_proba(x),
    "predict_log_proba": lambda model, x, t: model.predict_log_proba(x),
    "predict over masks": lambda model, x, t: model.predict(x, dropout_samples=3),
    "partial_fit": lambda model, x, t: model.partial_fit(x, t > 0),
    "score": lambda model, x, t: model.score(x, t > 0),
}


@pytest.mark.parametrize("call", list(CALLS))
def test_calls_of_a_classifier(call, fitted, many_rows):
    before, t = fitted.predict_proba(many_rows[:5]), np.resize([-1.0, 1.0], LONG)
    with pytest.raises(KeyboardInterrupt), Interrupt() as interrupt:
        CALLS[call](fitted, many_rows, t)
    assert interrupt.seconds < SOON
    np.testing.assert_array_equal(fitted.predict_proba(many_rows[:5]), before)


def networks_calls(data, many_rows):
    x = data[0]
    net = Network([Dense(u, "relu") for u in UNITS] + [Dense(1)], 300, random_state=0)
    long_t = np.zeros((LONG, 1), np.float32)

    def product(rows):
        w, v = (np.full(shape, 0.01, np.float32) for shape in ((300, 4000), (4000, 4000)))
        hidden = graph.matmul(graph.constant(rows), graph.variable(w))
        return graph.sum(graph.matmul(hidden, graph.variable(v)))

    def backward():
        ready = product(x[:1000]).forward()
        for _ in range(150):
            ready.backward()

    return {
        "network": lambda: net(many_rows),
        "forward": lambda: [net.forward(x) for _ in range(50)],
        "loss and gradients": lambda: net.loss_and_gradients(many_rows, long_t, "mse"),
        "graph, forward": lambda: product(x).forward(),
        "graph, backward": backward,
    }


@pytest.mark.parametrize(
    "call", ["network", "forward", "loss and gradients", "graph, forward", "graph, backward"]
)
def test_calls_below_the_estimators(call, data, many_rows):
    calls = networks_calls(data, many_rows)
    with pytest.raises(KeyboardInterrupt), Interrupt(0.6) as interrupt:
        calls[call]()
    assert interrupt.seconds < SOON
    x = graph.variable(3.0)
    (x * x).forward().backward()
    assert x.grad == 6.0


def test_a_graph_that_was_left_is_computed_anew():
    x = graph.variable(np.ones((6000, 4000), np.float32))
    w = graph.variable(np.full((4000, 4000), 0.01, np.float32))
    f = graph.sum(graph.matmul(graph.matmul(graph.matmul(x, w), w), w))
    try:
        with Interrupt(0.2):
            f.forward()
    except KeyboardInterrupt:
        with pytest.raises(RuntimeError, match="no value"):
            _ = f.value
    x.value, w.value = np.eye(2, dtype=np.float32), 3 * np.eye(2, dtype=np.float32)
    f.forward().backward()
    assert f.value == 54.0
    np.testing.assert_array_equal(
        w.grad, np.full((2, 2), 27.0) * np.eye(2) + 27.0 * (1 - np.eye(2))
    )


FITS = {
    "full batch": {"batch_size": "full"},
    "mini-batches": {},
    "L-BFGS": {"solver": "lbfgs"},
    "clipped": {"batch_size": "full", "clip_norm": 1.0},
    "wide": {"batch_size": 3000, "hidden_layer_sizes": (3000, 3000)},
    "validation": {"batch_size": 64},
}


@pytest.mark.parametrize("name", list(FITS))
def test_fits(name, data, many_rows):
    """Weights are those of whole steps, and the model predicts."""
    x, y = data
    settings = {"hidden_layer_sizes": UNITS, "max_iter": 10_000, "random_state": 0}
    model = MLPRegressor(**settings | FITS[name])
    extra = {}
    if name == "validation":
        x, y = x[:64], y[:64]
        extra = {"X_val": many_rows, "y_val": np.zeros(LONG)}
    with pytest.warns(UserWarning, match="interrupted"), Interrupt(0.8) as interrupt:
        model.fit(x, y, **extra)
    assert interrupt.seconds < SOON
    assert model.stopped_ == "interrupted"
    assert np.isfinite(model.predict(x[:10])).all()
    if name == "full batch" and model.n_iter_ == 0:
        first = MLPRegressor(**settings | FITS[name], learning_rate_init=1e-30).set_params(
            max_iter=1
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            first.fit(x[:9], y[:9])
        np.testing.assert_allclose(model.coefs_[0], first.coefs_[0], atol=1e-12)


def test_a_network_keeps_its_best_weights(data):
    x, y = data
    net = Network([Dense(u, "relu") for u in UNITS] + [Dense(1)], 300, random_state=0)
    how = {"loss": "mse", "epochs": 10_000, "batch_size": "full", "validation_data": (x, y)}
    with pytest.warns(UserWarning, match="interrupted"), Interrupt(3.0) as interrupt:
        history = net.fit(x, y, **how)
    assert interrupt.seconds < SOON
    if history["val_loss"]:
        value, _ = net.loss_and_gradients(x, y, "mse")
        assert value == pytest.approx(min(history["val_loss"]), rel=1e-4)


def test_loops_of_short_calls_are_left_at_once():
    """Ctrl-C ends the loop, and not only the call that it meets."""
    x = rng.normal(size=(3000, 100)).astype(np.float32)
    model = MLPRegressor(hidden_layer_sizes=(200,), random_state=0)
    calls = 0
    with pytest.raises(KeyboardInterrupt), Interrupt() as interrupt:  # noqa: PT012
        for _ in range(10**6):
            model.partial_fit(x, x[:, 0])
            calls += 1
    assert interrupt.seconds < SOON
    assert len(model.loss_curve_) in (calls, calls + 1)
    assert np.isfinite(model.partial_fit(x, x[:, 0]).loss_)


def test_a_range_test_is_left(data):
    x, y = data
    model = MLPRegressor(hidden_layer_sizes=UNITS, batch_size=5000, random_state=0)
    with pytest.raises(KeyboardInterrupt), Interrupt() as interrupt:
        find_learning_rate(model, x, y, steps=1000, low=1e-9, high=1e-8)
    assert interrupt.seconds < SOON
