"""Dropout masks: rate, scale, and that a mask depends on (seed, layer, step, row, column) alone."""

import numpy as np
import pytest

from fastmlp._core import kernels


def mask(target, rows, columns, rate=0.5, seed=3, layer=0, step=0, dtype="float32"):
    """Which entries are kept."""
    ones = np.ones((rows, columns), dtype)
    return kernels.dropout(target, ones, rate, 1.0, seed, layer, step) == 1


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.5, 0.8, 0.99])
def test_keep_rate_is_binomial(target, dtype, rate):
    n = 400 * 251
    kept = mask(target, 400, 251, rate, dtype=dtype).sum()
    assert abs(kept - n * (1 - rate)) < 5 * np.sqrt(n * rate * (1 - rate))


def test_every_column_and_row_is_hit(target, dtype):
    kept = mask(target, 300, 300, 0.3, dtype=dtype)
    bound = 6 * np.sqrt(300 * 0.3 * 0.7)
    for axis in (0, 1):
        assert (np.abs(kept.sum(axis=axis) - 210) < bound).all()


def test_scale_is_exact(target, dtype, rng):
    x = rng.normal(size=(23, 37)).astype(dtype)
    y = kernels.dropout(target, x, 0.4, 1 / 0.6, 1, 2, 3)
    kept = mask(target, 23, 37, 0.4, 1, 2, 3, dtype)
    np.testing.assert_array_equal(y, np.where(kept, x * np.dtype(dtype).type(1 / 0.6), 0))


def test_rate_zero_keeps_all(target, dtype, rng):
    x = rng.normal(size=(5, 21)).astype(dtype)
    np.testing.assert_array_equal(kernels.dropout(target, x, 0.0, 1.0, 1, 2, 3), x)


@pytest.mark.parametrize("columns", [1, 3, 4, 5, 15, 16, 17, 33, 100])
def test_mask_does_not_depend_on_the_shape(target, dtype, columns):
    large = mask(target, 60, 130, dtype=dtype)
    for rows in (1, 6, 7, 59):
        small = mask(target, rows, columns, dtype=dtype)
        np.testing.assert_array_equal(small, large[:rows, :columns])


def test_mask_is_the_same_on_every_target(target, dtype):
    np.testing.assert_array_equal(
        mask(target, 40, 77, 0.3, dtype=dtype), mask("base", 40, 77, 0.3, dtype=dtype)
    )


@pytest.mark.parametrize("other", [{"seed": 4}, {"layer": 1}, {"step": 1}, {"seed": 3 + 2**32}])
def test_masks_of_other_keys_are_independent(target, other):
    same = (mask(target, 200, 250) == mask(target, 200, 250, **other)).sum()
    assert abs(same - 25_000) < 5 * np.sqrt(50_000 * 0.25)
