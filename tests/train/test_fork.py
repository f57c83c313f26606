"""A process that has trained on several threads may fork, and both sides go on."""

import os
import signal

import numpy as np
import pytest

from fastmlp import MLPRegressor


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # forking a process that has threads
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_child_of_a_fork_trains_and_predicts():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 64)).astype("float32")
    settings = {"hidden_layer_sizes": (128, 64), "max_iter": 3, "n_jobs": 2, "random_state": 0}
    model = MLPRegressor(**settings).fit(X, X[:, 0])
    child = os.fork()
    if child == 0:
        signal.alarm(20)  # a child that hangs is ended by this, and seen as such
        again = MLPRegressor(**settings).fit(X, X[:, 0])
        same = np.array_equal(again.predict(X), model.predict(X))
        os._exit(0 if same else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert np.isfinite(model.predict(X)).all()


def test_more_threads_than_anyone_has():
    X = np.random.default_rng(0).normal(size=(256, 32))
    model = MLPRegressor(
        hidden_layer_sizes=(64,), n_jobs=100_000, max_iter=2, random_state=0, tol=0
    )
    with pytest.warns(match="Maximum iterations"):
        model.fit(X, X[:, 0])
    assert model.predict(X).shape == (256,)
