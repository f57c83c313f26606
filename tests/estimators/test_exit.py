"""A process ends in peace while daemon threads are at work."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
import threading, time
import numpy as np
from fastmlp import MLPRegressor, Network, Dense, graph

X = np.random.default_rng(0).normal(size=(2000, 20))
def squared(outputs, targets):
    return ((outputs - targets) ** 2).sum(axis=1), 2 * (outputs - targets)

def forever(call):
    while True:
        call()

endless = {"max_iter": 10**6, "tol": 0, "n_iter_no_change": np.inf, "random_state": 0}
model = MLPRegressor(hidden_layer_sizes=(64, 64), **endless)
fitted = MLPRegressor(hidden_layer_sizes=(64, 64), max_iter=1, random_state=0).fit(X, X[:, 0])
big = graph.variable(np.ones((300, 300), "float32"))
calls = {
    "fit": lambda: model.fit(X, X[:, 0]),
    "two threads": lambda: model.set_params(n_jobs=2).fit(X, X[:, 0]),
    "own loss": lambda: model.set_params(loss=squared).fit(X, X[:, 0]),
    "callback": lambda: model.set_params(callbacks=lambda end: False).fit(X, X[:, 0]),
    "predict": lambda: fitted.predict(X),
    "partial_fit": lambda: fitted.partial_fit(X, X[:, 0]),
    "input_gradients": lambda: fitted.input_gradients(X),
    "graph": lambda: graph.matmul(big, big).forward(),
}
for _ in range(2):
    threading.Thread(target=forever, args=[calls[%r]], daemon=True).start()
    if %r not in ("predict", "input_gradients", "graph"):
        break
time.sleep(0.3)
"""


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "call",
    [
        "fit",
        "two threads",
        "own loss",
        "callback",
        "predict",
        "partial_fit",
        "input_gradients",
        "graph",
    ],
)
def test_daemon_threads_end_with_the_process(call):
    script = SCRIPT % (call, call)
    environment = {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        env=dict(os.environ) | environment,
    )
    assert done.returncode == 0, done.stderr
