"""A process that has threads at work may fork, and both sides go on with all that there is."""

import os
import signal
import threading

import numpy as np
import pytest

from fastmlp import Dense, MLPRegressor, Network, graph

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # forking a process with threads
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]
SETTINGS = {"hidden_layer_sizes": (128, 64), "max_iter": 3, "n_jobs": 2, "random_state": 0}
X = np.random.default_rng(0).normal(size=(400, 64)).astype("float32")


def in_child(call):
    """Whether the call returns something true in a forked child, within 20 seconds."""
    child = os.fork()
    if child == 0:
        signal.alarm(20)  # a child that hangs is ended by this, and seen as such
        code = 1
        try:
            code = 0 if call() else 2
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) == 0


def test_the_child_of_a_fork_trains_and_predicts():
    model = MLPRegressor(**SETTINGS).fit(X, X[:, 0])
    expected = model.predict(X)
    assert in_child(
        lambda: np.array_equal(MLPRegressor(**SETTINGS).fit(X, X[:, 0]).predict(X), expected)
    )
    assert np.array_equal(model.predict(X), expected)


def small_graph():
    """A graph of the child's own, with its value and gradient."""
    x, y, z = graph.variable(3.0), graph.variable(4.0), graph.variable(2.0)
    f = x**2 * y / z
    f.forward().backward()
    return (f.value, x.grad, y.grad, z.grad) == (18.0, 12.0, 4.5, -9.0)


big = np.ones((700, 700), "float32")
model = MLPRegressor(**SETTINGS).partial_fit(X, X[:, 0])
net = Network([Dense(64, "tanh"), Dense(1)], 64, random_state=0, n_jobs=2)
BUSY = {
    "graph": lambda: graph.matmul(graph.variable(big), big).forward(),
    "graph, backward": lambda: (
        graph.sum(graph.matmul(graph.variable(big[:300]), big).forward()).forward().backward()
    ),
    "fit": lambda: model.fit(X, X[:, 0]),
    "partial_fit": lambda: model.partial_fit(X, X[:, 0]),
    "predict": lambda: model.predict(X),
    "network": lambda: net.fit(X, X[:, :1], loss="mse", epochs=2),
}


@pytest.mark.parametrize("busy", list(BUSY))
def test_forks_while_another_thread_is_at_work(busy):
    """The child has the whole old model, trains it, and graphs of its own."""
    done = threading.Event()

    def work():
        while not done.is_set():
            BUSY[busy]()

    def use():
        y = model.predict(X)
        fresh = MLPRegressor(**SETTINGS).fit(X, X[:, 0])
        trains = model.partial_fit(X, X[:, 0]).n_iter_ == 1
        learns = np.isfinite(net.fit(X, X[:, :1], loss="mse", epochs=1)["loss"]).all()
        whole = np.isfinite(y).all() and np.isfinite(fresh.predict(X)).all()
        return small_graph() and trains and learns and whole

    thread = threading.Thread(target=work)
    thread.start()
    try:
        assert all([in_child(use) for _ in range(6)])
    finally:
        done.set()
        thread.join()
    assert small_graph()


def test_more_threads_than_anyone_has():
    x = np.random.default_rng(0).normal(size=(256, 32))
    many = MLPRegressor(hidden_layer_sizes=(64,), n_jobs=100_000, max_iter=2, random_state=0, tol=0)
    assert many.fit(x, x[:, 0]).predict(x).shape == (256,)
