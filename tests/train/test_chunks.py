"""Tall batches of small networks go by chunks of up to 512 rows, each to a gradient of its own."""

import numpy as np
import pytest
from numeric import assert_norm_close

from fastmlp import Dense, Dropout, Network

pytestmark = pytest.mark.usefixtures("use_target")

ROWS = 4700  # nine chunks of 472 rows and a short one


def network_and_data(dtype, n_jobs=1, dropout=0.0):
    layers = [Dense(20, "tanh", l2=0.01), Dropout(dropout), Dense(9, "prelu"), Dense(3, "softmax")]
    network = Network(layers, n_features=7, random_state=0, dtype=dtype, n_jobs=n_jobs)
    rng = np.random.default_rng(1)
    return network, rng.normal(size=(ROWS, 7)), rng.integers(0, 3, ROWS), rng.random(ROWS)


def flat(params):
    return np.concatenate([array.ravel() for arrays in params for array in arrays])


@pytest.mark.parametrize("weighted", [False, True])
def test_a_step_goes_along_the_gradient_of_the_whole_batch(dtype, weighted):
    network, x, t, weight = network_and_data(dtype)
    weight = weight if weighted else None
    loss, gradients = network.loss_and_gradients(x, t, sample_weight=weight)
    before = flat(network.params)
    history = network.fit(
        x,
        t,
        loss="cross_entropy",
        optimizer="sgd",
        momentum=0.0,
        learning_rate=1.0,
        batch_size="full",
        epochs=1,
        sample_weight=weight,
    )
    # Sums of 4700 rows in another order: rounding grows like the square root of their number.
    bound = 70 * float(np.finfo(dtype).eps)
    assert_norm_close(before - flat(network.params), flat(gradients), 10 * bound)
    assert history["loss"][0] == pytest.approx(loss, rel=bound)


@pytest.mark.parametrize("clip_norm", [None, 0.01])
def test_threads_do_not_change_bits(dtype, clip_norm):
    results = []
    for n_jobs in (1, 2, 4):
        network, x, t, weight = network_and_data(dtype, n_jobs, dropout=0.3)
        history = network.fit(
            x,
            t,
            loss="cross_entropy",
            batch_size="full",
            epochs=3,
            sample_weight=weight,
            clip_norm=clip_norm,
        )
        results.append((flat(network.params).tobytes(), history["loss"]))
    assert results[0] == results[1] == results[2]


def test_chunks_have_masks_of_their_own():
    layers = [Dropout(0.5), Dense(1, "identity")]
    network = Network(layers, n_features=1, random_state=0, dtype="float64")
    network.params = [(np.array([[1.0]]), np.array([0.0]))]
    # Each row's output is 0 or 2: the gradient of the mean tells how many are kept.
    x, t = np.ones((512 * 16, 1)), np.zeros((512 * 16, 1))
    network.fit(
        x,
        t,
        loss="mse",
        optimizer="sgd",
        momentum=0.0,
        learning_rate=0.125,
        epochs=1,
        batch_size="full",
    )
    kept = 512 * 16 * (1.0 - network.params[0][0].item()) / (0.125 * 2 * 4)
    assert kept == pytest.approx(round(kept), abs=1e-6)
    assert abs(kept - 4096) < 6 * np.sqrt(512 * 16 / 4)
    assert round(kept) % 16  # sixteen chunks with one mask would keep a multiple of sixteen
