"""What a step may do besides: clip the gradient, smooth labels, report its loss; sparse rows."""

import numpy as np
import pytest
import scipy.sparse as sp
from builders import WIDTHS, bits, build, problem, random_params, trainer
from numeric import assert_norm_close
from reference import Mlp

pytestmark = pytest.mark.usefixtures("use_target")


def gradient_of(network, x, t):
    """All gradients of a batch as one step of plain descent with rate 1 shows them."""
    before = network.get_params()
    trainer(network, rate=1.0, batch_size=len(x), shuffle=False).run(x, t, epochs=1)
    after = network.get_params()
    return np.concatenate(
        [(b - a).ravel() for bs, as_ in zip(before, after) for b, a in zip(bs, as_)]  # noqa: B905
    )


@pytest.mark.parametrize("clip", [0.01, 0.5, 1e6])
def test_the_norm_of_a_step_is_clipped(rng, clip):
    params = random_params(rng, WIDTHS)
    x, t = rng.normal(size=(20, WIDTHS[0])), rng.normal(size=(20, WIDTHS[-1]))
    full, clipped = (build("float64", WIDTHS, Mlp(("tanh", "identity")), params) for _ in range(2))
    gradient = gradient_of(full, x, t)
    norm = np.linalg.norm(gradient)
    trainer(clipped, rate=1.0, batch_size=20, shuffle=False, clip_norm=clip).run(x, t, epochs=1)
    start = [w for w, _ in params], [b for _, b in params]
    moved = np.concatenate(
        [
            (b - a).ravel()
            for before, after in zip(start, clipped.get_params()[:2], strict=True)
            for b, a in zip(before, after, strict=True)
        ]
    )
    assert_norm_close(moved, gradient * min(1.0, clip / norm), 1e-12)


def test_a_norm_that_is_never_reached_changes_nothing(rng, dtype):
    networks = [problem(np.random.default_rng(3), dtype)[0] for _ in range(2)]
    x, t = rng.normal(size=(90, WIDTHS[0])), rng.normal(size=(90, WIDTHS[-1]))
    for network, clip in zip(networks, (0.0, 1e9), strict=True):
        trainer(network, optimizer="adam", clip_norm=clip).run(x, t, epochs=3)
    assert bits(networks[0]) == bits(networks[1])


@pytest.mark.parametrize("n_threads", [2, 4])
def test_clipping_is_alike_on_any_number_of_threads(rng, n_threads):
    x, t = rng.normal(size=(600, 40)), rng.normal(size=(600, 30))
    results = []
    for threads in (1, n_threads):
        params = random_params(np.random.default_rng(0), (40, 200, 30))
        network = build("float32", (40, 200, 30), Mlp(("tanh", "identity")), params)
        trainer(network, batch_size=200, clip_norm=0.1).run(x, t, epochs=3, n_threads=threads)
        results.append(bits(network))
    assert results[0] == results[1]


@pytest.mark.parametrize(
    ("loss", "output", "shift"),
    [("cross_entropy", "softmax", 1 / 4), ("binary_cross_entropy", "logistic", 1 / 2)],
)
def test_smoothed_labels_are_targets_nearer_the_middle(rng, loss, output, shift):
    x = rng.normal(size=(30, WIDTHS[0]))
    t = np.eye(WIDTHS[-1])[rng.integers(0, WIDTHS[-1], 30)]
    params = random_params(rng, WIDTHS)
    trained = []
    for smoothing, targets in ((0.2, t), (0.0, 0.8 * t + 0.2 * shift)):
        network = build("float64", WIDTHS, Mlp(("tanh", output)), params)
        report = trainer(network, loss=loss, label_smoothing=smoothing).run(x, targets, epochs=4)
        trained.append((np.concatenate([w.ravel() for w in network.get_params()[0]]), report))
    np.testing.assert_allclose(trained[0][0], trained[1][0], rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(trained[0][1]["loss"], trained[1][1]["loss"], rtol=1e-11)


def test_every_step_reports_its_loss(rng, dtype):
    network, _, _, x, t = problem(rng, dtype)
    report = trainer(network, batch_size=20).run(x, t, epochs=3)
    losses = report["step_loss"].reshape(3, -1)
    rows = np.array([20, 20, len(x) - 40])
    assert losses.shape == (3, 3)
    np.testing.assert_allclose(losses @ rows / len(x), report["loss"], rtol=1e-12)


@pytest.mark.parametrize("settings", [{"clip_norm": -1.0}, {"clip_norm": np.inf}])
def test_bad_clip_norm(rng, settings):
    with pytest.raises(ValueError, match=r"clip_norm"):
        trainer(problem(rng)[0], **settings)


@pytest.mark.parametrize("smoothing", [-0.1, 1.0, np.nan])
def test_bad_label_smoothing(rng, smoothing):
    with pytest.raises(ValueError, match=r"label_smoothing"):
        trainer(problem(rng)[0], label_smoothing=smoothing)


# Sparse rows


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("values", [np.float32, np.float64, np.int8])
def test_sparse_rows_are_dense_rows(rng, dtype, index, values):
    x = (rng.normal(size=(150, WIDTHS[0])) * 3 * (rng.uniform(size=(150, 6)) < 0.3)).astype(values)
    sparse = sp.csr_array(x)
    sparse.indices, sparse.indptr = sparse.indices.astype(index), sparse.indptr.astype(index)
    t = rng.normal(size=(150, WIDTHS[-1]))
    networks = [problem(np.random.default_rng(3), dtype)[0] for _ in range(2)]
    for network, rows in zip(networks, (x, sparse), strict=True):
        trainer(network).run(rows, t, epochs=2, x_val=rows, t_val=t)
    assert bits(networks[0]) == bits(networks[1])
    np.testing.assert_array_equal(networks[0].predict(x), networks[0].predict(sparse))


def test_numbers_in_the_same_place_add_up(rng):
    network = problem(rng)[0]
    twice = sp.csr_array((np.array([1.0, 2.0, 4.0]), [1, 1, 3], [0, 3]), shape=(1, WIDTHS[0]))
    np.testing.assert_array_equal(network.predict(twice), network.predict(twice.toarray()))


@pytest.mark.parametrize(
    ("indices", "indptr"),
    [([0, 6], [0, 1, 2]), ([0, -1], [0, 1, 2]), ([0, 1], [0, 3, 2]), ([0, 1], [-1, 1, 2])],
)
def test_bad_sparse_indices(rng, indices, indptr):
    network = problem(rng)[0]
    x = sp.csr_array((2, WIDTHS[0]))
    x.data, x.indices, x.indptr = np.ones(2), np.array(indices, "i4"), np.array(indptr, "i4")
    with pytest.raises(ValueError, match=r"x has CSR indices out of range"):
        network.predict(x)


def test_other_sparse_formats_are_refused(rng):
    with pytest.raises(ValueError, match=r"CSR"):
        problem(rng)[0].predict(sp.csc_array(np.ones((3, WIDTHS[0]))))
