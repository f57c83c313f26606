"""Where other processes want the cores, teams shrink and grow in the middle of calls: bits are the
same, and threads of the system end with those that they helped."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import joblib
import numpy as np
import pytest

from fastmlp import Dense, MLPClassifier, MLPRegressor, Network, fit_pack, graph

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
rng = np.random.default_rng(0)
X = rng.normal(size=(1500, 64)).astype("float32")
Y = X[:, :10].argmax(axis=1)
WAYS = {  # of sharing a step, by the network's shape
    "chunks": {"hidden_layer_sizes": (50,), "batch_size": 500},
    "rows": {"hidden_layer_sizes": (128, 128), "batch_size": 300, "dropout": 0.2},
    "columns": {"hidden_layer_sizes": (300, 300), "batch_size": 100},
    "whole": {"hidden_layer_sizes": (60, 60), "batch_size": 500, "clip_norm": 0.5},
}


@pytest.fixture(scope="module", autouse=True)
def _busy():
    """As many busy processes as there are cores, and one more."""
    spin = [sys.executable, "-c", "while True: pass"]
    others = [subprocess.Popen(spin) for _ in range(joblib.cpu_count() + 1)]
    yield
    for other in others:
        other.kill()
        other.wait()


@pytest.mark.parametrize("way", WAYS)
def test_fits_have_the_bits_of_one_thread(way):
    settings = WAYS[way] | {"max_iter": 12, "random_state": 0}
    one = MLPClassifier(**settings, n_jobs=1).fit(X, Y)
    for _ in range(4):
        model = MLPClassifier(**settings).fit(X, Y)
        assert model.loss_curve_ == one.loss_curve_
        assert all(np.array_equal(a, b) for a, b in zip(model.coefs_, one.coefs_, strict=True))
        assert np.array_equal(model.predict_proba(X), one.predict_proba(X))


def test_other_calls_have_the_bits_of_one_thread():
    def results(n_jobs):
        settings = {"hidden_layer_sizes": (40,), "max_iter": 10, "random_state": 0}
        lbfgs = MLPRegressor(**settings, solver="lbfgs", n_jobs=n_jobs)
        net = Network([Dense(256, "relu"), Dense(1)], 64, random_state=0, n_jobs=n_jobs)
        losses = net.fit(X, X[:, :1], loss="mse", epochs=2)["loss"]
        product = graph.sum(graph.matmul(graph.variable(X), X.T[:, :700]) ** 2)
        product.forward(n_jobs=n_jobs).backward(n_jobs=n_jobs)
        return [lbfgs.fit(X, X[:, 0]).predict(X), losses, net(X), np.float64(product.value)]

    one = results(1)
    for _ in range(5):
        for a, b in zip(one, results(None), strict=True):
            assert np.array_equal(a, b)


def test_a_pack_has_the_bits_of_fits():
    models = [MLPClassifier((20,), max_iter=5, random_state=seed) for seed in range(6)]
    alone = [MLPClassifier((20,), max_iter=5, random_state=seed).fit(X, Y) for seed in range(6)]
    for a, b in zip(fit_pack(models, X, Y), alone, strict=True):
        assert np.array_equal(a.predict_proba(X), b.predict_proba(X))


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads as Linux shows them")
def test_threads_end_with_the_one_that_they_helped():
    def count():
        return len(list(Path("/proc/self/task").iterdir()))

    def work():
        MLPClassifier((50,), max_iter=2, n_jobs=3, random_state=0).fit(X, Y).predict(X)

    work()
    before = count()
    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    deadline = time.monotonic() + 30
    while count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert count() <= before
