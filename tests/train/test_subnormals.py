"""Numbers below the smallest normal one are zero while a call computes, and only then."""

import numpy as np
import pytest

from fastmlp import Dense, Network

pytestmark = pytest.mark.usefixtures("use_target")

WIDE = 256  # wide enough for four threads


def network(dtype, n_jobs, weight, **penalty):
    net = Network([Dense(WIDE, **penalty)], n_features=WIDE, dtype=dtype, n_jobs=n_jobs)
    net.params = [(np.full((WIDE, WIDE), weight), np.zeros(WIDE))]
    return net


def assert_subnormals_here(dtype):
    assert (np.full(4, np.finfo(dtype).tiny, dtype) / np.full(4, 4.0, dtype) > 0).all()


@pytest.mark.parametrize("n_jobs", [1, 2, 4])
def test_predictions(dtype, n_jobs):
    tiny = float(np.finfo(dtype).tiny)
    x = np.full((400, WIDE), tiny, dtype)
    assert (network(dtype, n_jobs, 1.0)(x) > 0).all()
    assert (network(dtype, n_jobs, 2.0**-12)(x) == 0).all()  # every product, and their sum too
    assert_subnormals_here(dtype)


@pytest.mark.parametrize("n_jobs", [1, 2, 4])
def test_training(dtype, n_jobs):
    tiny = float(np.finfo(dtype).tiny)
    x = np.zeros((400, WIDE), dtype)
    for weight, left in ((4 * tiny, -2 * tiny), (tiny, 0.0)):  # a step of 1.5 times the weight
        net = network(dtype, n_jobs, weight, l2=0.75)
        net.fit(
            x,
            x,
            loss="squared_error",
            optimizer="sgd",
            momentum=0.0,
            learning_rate=1.0,
            batch_size=400,
            epochs=1,
        )
        assert (net.params[0][0] == left).all()
    assert_subnormals_here(dtype)
