"""The three products of a dense layer. Small integers sum exactly, so equality is exact too."""

import numpy as np
import pytest
from numeric import gemm_shapes, small_integers

from fastmlp._core import kernels

SHAPES = gemm_shapes()


def unequal(compare, rng, dtype):
    """Shapes for which `compare(x, w, b, dz)` says that results differ."""
    failed = []
    for batch, n_in, n_out in SHAPES:
        x = small_integers(rng, (batch, n_in), dtype)
        w = small_integers(rng, (n_in, n_out), dtype)
        b = small_integers(rng, (n_out,), dtype)
        dz = small_integers(rng, (batch, n_out), dtype)
        if not compare(x, w, b, dz):
            failed.append((batch, n_in, n_out))
    return failed


def same(actual, expected, dtype):
    return actual.dtype == dtype and np.array_equal(actual, expected)


def test_forward_is_exact(target, dtype, rng):
    def compare(x, w, b, dz):
        return same(kernels.dense_forward(target, "identity", x, w, b), x @ w + b, dtype)

    assert unequal(compare, rng, dtype) == []


def test_forward_relu_is_exact(target, dtype, rng):
    def compare(x, w, b, dz):
        expected = np.maximum(x @ w + b, 0)
        return same(kernels.dense_forward(target, "relu", x, w, b), expected, dtype)

    assert unequal(compare, rng, dtype) == []


def test_backward_input_is_exact(target, dtype, rng):
    def compare(x, w, b, dz):
        actual = kernels.dense_backward_input(target, "identity", dz, w, x)
        return same(actual, dz @ w.T, dtype)

    assert unequal(compare, rng, dtype) == []


def test_backward_input_with_relu_is_exact(target, dtype, rng):
    def compare(x, w, b, dz):
        kept = np.maximum(x, 0)
        actual = kernels.dense_backward_input(target, "relu", dz, w, kept)
        return same(actual, (dz @ w.T) * (kept > 0), dtype)

    assert unequal(compare, rng, dtype) == []


def test_backward_weights_is_exact(target, dtype, rng):
    def compare(x, w, b, dz):
        dw, db = kernels.dense_backward_weights(target, x, dz)
        return same(dw, x.T @ dz, dtype) and same(db, dz.sum(axis=0), dtype)

    assert unequal(compare, rng, dtype) == []


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("shape", [(14, 17, 33), (49, 65, 130)])
def test_non_finite_numbers_stay_in_their_row(target, dtype, rng, bad, shape):
    batch, n_in, n_out = shape
    x = small_integers(rng, (batch, n_in), dtype)
    w = small_integers(rng, (n_in, n_out), dtype) + 0.5  # no zeros: inf * 0 would be a NaN
    b = small_integers(rng, (n_out,), dtype)
    clean = kernels.dense_forward(target, "identity", x, w, b)
    for row in range(batch):
        dirty = x.copy()
        dirty[row, row % n_in] = bad
        y = kernels.dense_forward(target, "identity", dirty, w, b)
        assert not np.isfinite(y[row]).any()
        np.testing.assert_array_equal(np.delete(y, row, axis=0), np.delete(clean, row, axis=0))


def test_non_finite_gradients_stay_in_their_row_and_column(target, dtype, rng):
    x = small_integers(rng, (25, 17), dtype) + 0.5
    w = small_integers(rng, (17, 33), dtype) + 0.5
    dz = small_integers(rng, (25, 33), dtype)
    dz[7, 20] = np.nan
    dw, db = kernels.dense_backward_weights(target, x, dz)
    dx = kernels.dense_backward_input(target, "identity", dz, w, x)
    np.testing.assert_array_equal(np.isnan(dw).any(axis=0), np.arange(33) == 20)
    np.testing.assert_array_equal(np.isnan(db), np.arange(33) == 20)
    np.testing.assert_array_equal(np.isnan(dx).any(axis=1), np.arange(25) == 7)


def test_products_accept_read_only_arrays(target, dtype, rng):
    x, w = small_integers(rng, (5, 3), dtype), small_integers(rng, (3, 9), dtype)
    b = small_integers(rng, (9,), dtype)
    for array in (x, w, b):
        array.flags.writeable = False
    np.testing.assert_array_equal(kernels.dense_forward(target, "identity", x, w, b), x @ w + b)
