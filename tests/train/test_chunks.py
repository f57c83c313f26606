"""Small networks go by chunks of a batch's rows, each to a gradient of its own; where chunks are
few, every thread updates weights of its own."""

import signal
from itertools import product

import numpy as np
import pytest
from builders import bits, build, random_params, trainer
from loops import each
from numeric import assert_norm_close
from reference import Mlp

from fastmlp import Dense, Dropout, Network

pytestmark = pytest.mark.usefixtures("use_target")

ROWS = 4701  # nine chunks of 471 rows and a short one
# Two chunks of 66 and 65 rows, three and six, with replicas; eight and ten without. With dropout
# they are multiples of 8 rows.
BATCHES = [131, 301, 700, 1024, ROWS]


def network_and_data(dtype, n_jobs=1, dropout=0.0):
    layers = [Dense(20, "tanh", l2=0.01), Dropout(dropout), Dense(9, "prelu"), Dense(3, "softmax")]
    network = Network(layers, n_features=7, random_state=0, dtype=dtype, n_jobs=n_jobs)
    rng = np.random.default_rng(1)
    return network, rng.normal(size=(ROWS, 7)), rng.integers(0, 3, ROWS), rng.random(ROWS)


def flat(params):
    return np.concatenate([array.ravel() for arrays in params for array in arrays])


@each("rows", BATCHES)
@each("weighted", [False, True])
def test_a_step_goes_along_the_gradient_of_the_whole_batch(dtype, weighted, rows):
    network, x, t, weight = network_and_data(dtype, n_jobs=2)
    x, t, weight = x[:rows], t[:rows], weight[:rows] if weighted else None
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
    # Sums in another order: rounding grows like the square root of the number of rows.
    bound = np.sqrt(rows) * float(np.finfo(dtype).eps)
    assert_norm_close(before - flat(network.params), flat(gradients), 10 * bound)
    assert history["loss"][0] == pytest.approx(loss, rel=bound)


@each(
    ("clip_norm", "batch_size", "dropout"),
    product([None, 0.01], BATCHES, [0.0, 0.3]),
    elsewhere=3,
)
def test_threads_do_not_change_bits(dtype, clip_norm, batch_size, dropout, several):
    results = []
    for n_jobs in several:
        network, x, t, weight = network_and_data(dtype, n_jobs, dropout)
        history = network.fit(
            x,
            t,
            loss="cross_entropy",
            batch_size=batch_size,
            epochs=3,
            sample_weight=weight,
            clip_norm=clip_norm,
        )
        results.append((flat(network.params).tobytes(), history["loss"]))
    assert all(result == results[0] for result in results)


@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("n_features", [7, 80])  # 80 inputs of 3 units: a narrow layer
def test_rows_read_in_place_train_like_gathered_ones(dtype, n_features, dropout, rng):
    x = rng.normal(size=(500, n_features)).astype(dtype)
    t = rng.integers(0, 2, 500)
    wide = np.full((500, n_features + 5), np.nan, dtype)
    wide[:, :n_features] = x
    tables = [x, wide[:, :n_features], np.asfortranarray(x), x[::-1].copy()[::-1]]
    if dtype == np.float32:
        tables.append(x.astype(np.float64))
    results = []
    for first in tables:
        network = Network(
            [Dropout(dropout), Dense(3, "relu"), Dense(1, "logistic")],
            n_features=n_features,
            random_state=0,
            dtype=np.dtype(dtype).name,
            n_jobs=2,
        )
        # The second call's rows lie elsewhere, for the same trainer.
        for table in (first, np.asfortranarray(x), first):
            network.fit(table, t, loss="binary_cross_entropy", batch_size=200, shuffle=False)
        results.append(flat(network.params).tobytes())
    assert all(result == results[0] for result in results)


def regression(rng, rows):
    """A core network of 4-24-2 with batches of 130 rows, and data."""
    widths, mlp = (4, 24, 2), Mlp(("tanh", "identity"))
    network = build("float32", widths, mlp, random_params(rng, widths))
    x = np.tile(rng.normal(size=(1000, 4)).astype("float32"), (rows // 1000, 1))
    return network, trainer(network, batch_size=130, shuffle=False), x, x[:, :2] * x[:, 2:]


@pytest.mark.parametrize("n_threads", [1, 2, 3])
@pytest.mark.parametrize("bad_row", [0, 129, 130 * 5, 130 * 5 + 100, 999])
def test_a_loss_that_is_not_finite_stops_all_threads_at_its_step(rng, n_threads, bad_row):
    network, teacher, x, t = regression(rng, 1000)
    before = bits(network)
    t[bad_row, 1] = np.nan
    report = teacher.run(x, t, epochs=3, n_threads=n_threads)
    assert report["stopped"] == "non_finite"
    assert (report["failed_epoch"], report["failed_batch"]) == (1, bad_row // 130 + 1)
    assert bits(network) == before


@pytest.mark.parametrize("n_threads", [1, 2])
def test_an_interrupted_epoch_has_made_whole_steps(rng, n_threads):
    state = rng.bit_generator.state
    network, teacher, x, t = regression(rng, 6_000_000)
    handler = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        with pytest.raises(KeyboardInterrupt):
            teacher.run(x, t, epochs=100, n_threads=n_threads)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
    assert teacher.report["epochs"] == 0
    rows = 130 * teacher.steps
    rng.bit_generator.state = state
    other, other_teacher, *_ = regression(rng, 1000)
    other_teacher.run(x[:rows], t[:rows], epochs=1, n_threads=1)
    assert bits(network) == bits(other)


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
