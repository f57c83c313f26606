"""Activations against NumPy, on their own and fused into the products, for every catalog row."""

import numpy as np
import pytest
from loops import AVAILABLE, each
from numeric import WIDE, small_integers, ulp_distance
from reference import ACTIVATION_VARIANTS, ACTIVATIONS, RowActivation

from fastmlp import _core
from fastmlp._core import kernels

ROWS = {row["name"]: row for row in _core.catalog()["activations"]}
ELEMENTWISE = [name for name in ROWS if not isinstance(ACTIVATIONS[name], RowActivation)]
BY_ROW = [name for name in ROWS if name not in ELEMENTWISE]
MIXABLE = [
    name
    for name in ELEMENTWISE
    if not (ROWS[name]["parameter"] and ROWS[name]["parameter"]["learned"])
]


def what_it_keeps(name, z):
    """The array that the backward pass reads: the output, or the input."""
    return z if ROWS[name]["keeps"] == "input" else ACTIVATIONS[name].value(z)


def sweep(dtype):
    """Dense over [-20, 20], with tiny numbers, zeros, and saturating ones, in a shuffled 2-D array.

    Tiny ends above the smallest normal number: kernels may flush subnormal results.
    """
    tiny = np.geomspace(1e-35, 1, 5000)
    large = np.geomspace(20, 1e4, 1000)
    points = np.concatenate([np.linspace(0, 20, 100_000), tiny, large])
    points = np.concatenate([points, -points]).astype(dtype)
    return np.random.default_rng(1).permutation(points)[: len(points) // 61 * 61].reshape(-1, 61)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_value_within_its_ulp(dtype, name):
    z = sweep(dtype)
    z = np.maximum(z, -80 if dtype == "float32" else -700)  # below, exp is subnormal
    with np.errstate(over="ignore"):
        exact = ACTIVATIONS[name].value(z.astype(WIDE))
    z = np.where(exact < np.finfo(dtype).max / 4, z, 0)  # beyond, kernels stay finite
    exact = ACTIVATIONS[name].value(z.astype(WIDE))
    subnormal = np.abs(exact) < np.finfo(dtype).tiny
    for target in AVAILABLE:  # which share what is exact: it takes longest
        actual = kernels.activation_forward(target, name, z)
        assert (np.abs(actual[subnormal]) <= np.finfo(dtype).tiny).all(), target
        distance = np.where(subnormal, 0, ulp_distance(actual, exact))
        worst = np.unravel_index(distance.argmax(), z.shape)
        how_far = f"{target}: {distance.max():.1f} ULP at {z[worst]!r}"
        assert distance.max() <= ACTIVATIONS[name].max_ulp, how_far


@each("name", ELEMENTWISE)
@each("size", [1e4, "max", np.inf])
def test_extreme_values_saturate(target, dtype, name, size):
    size = np.finfo(dtype).max if size == "max" else size
    z = np.full((3, 21), size, dtype)
    z[:, ::2] *= -1
    with np.errstate(all="ignore"):  # the formula of some gives inf / inf or inf * 0
        expected = ACTIVATIONS[name].value(z.astype(np.float64)).astype(dtype)
    actual = kernels.activation_forward(target, name, z)
    overflow = np.isinf(expected)
    assert (np.abs(actual[overflow]) > np.finfo(dtype).max / 4).all()
    defined = np.isfinite(expected)
    np.testing.assert_allclose(actual[defined], expected[defined], atol=4 * np.finfo(dtype).tiny)


@each("name", ELEMENTWISE)
def test_nan_propagates_alone(target, dtype, name, rng):
    z = rng.normal(size=(1, 37)).astype(dtype)
    clean = kernels.activation_forward(target, name, z)
    for column in range(z.shape[1]):
        dirty = z.copy()
        dirty[0, column] = np.nan
        expected = clean.copy()
        expected[0, column] = np.nan
        actual = kernels.activation_forward(target, name, dirty)
        np.testing.assert_array_equal(actual, expected)


@each("name", list(ROWS))
@each("columns", [1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 64, 65, 130])
def test_backward(target, dtype, name, columns, rng):
    z, dy = 3 * rng.normal(size=(2, 5, columns))
    expected = ACTIVATIONS[name].backward(z, dy)
    kept = what_it_keeps(name, z).astype(dtype)
    actual, _ = kernels.activation_backward(target, name, kept, dy.astype(dtype))
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(actual, expected, rtol=32 * eps, atol=32 * eps)


@each("name", list(ROWS))
def test_slope_at_zero(target, dtype, name):
    z = np.zeros((2, 19))
    dy = np.arange(38.0).reshape(2, 19)
    kept = what_it_keeps(name, z).astype(dtype)
    actual, _ = kernels.activation_backward(target, name, kept, dy.astype(dtype))
    eps = np.finfo(dtype).eps
    expected = ACTIVATIONS[name].backward(z, dy)
    np.testing.assert_allclose(actual, expected, rtol=8 * eps, atol=8 * eps * dy.max())


@each("name", list(ROWS))
@each("shape", [(1, 1, 1), (7, 9, 33), (13, 64, 65), (6, 17, 130)])
def test_fused_forward(target, dtype, name, shape, rng):
    batch, n_in, n_out = shape
    x = small_integers(rng, (batch, n_in), dtype) / 4
    w = small_integers(rng, (n_in, n_out), dtype) / 8
    b = small_integers(rng, (n_out,), dtype) / 8
    actual = kernels.dense_forward(target, name, x, w, b)
    expected = ACTIVATIONS[name].value((x @ w + b).astype(np.float64))
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(actual, expected, rtol=16 * eps, atol=eps)


@each("name", ELEMENTWISE)
@each("shape", [(1, 1, 1), (7, 9, 33), (13, 64, 65), (6, 130, 17)])
def test_fused_backward(target, dtype, name, shape, rng):
    batch, n_in, n_out = shape
    z = rng.normal(size=(batch, n_in)).astype(dtype)
    dz = small_integers(rng, (batch, n_out), dtype)
    w = small_integers(rng, (n_in, n_out), dtype)
    kept = what_it_keeps(name, z.astype(np.float64)).astype(dtype)
    actual = kernels.dense_backward_input(target, name, dz, w, kept)
    dy = (dz @ w.T).astype(np.float64)
    expected = ACTIVATIONS[name].backward(z.astype(np.float64), dy)
    atol = 16 * np.finfo(dtype).eps * np.abs(dy).max()
    np.testing.assert_allclose(actual, expected, rtol=0, atol=atol)


@each("name", BY_ROW)
@each("columns", [1, 2, 3, 7, 8, 9, 16, 17, 33, 64, 65, 100, 1000])
@each("scale", [1, 1e4])
def test_rows(target, dtype, name, columns, scale, rng):
    z = (rng.integers(-256, 257, size=(21, columns)) / 64 * scale).astype(dtype)
    actual = kernels.activation_forward(target, name, z)
    eps = np.finfo(dtype).eps
    if name == "softmax":
        assert (actual >= 0).all()
        np.testing.assert_allclose(actual.sum(axis=1, dtype=np.float64), 1, rtol=16 * eps)
    expected = ACTIVATIONS[name].value(z.astype(np.float64))
    rtol = ACTIVATIONS[name].max_ulp * eps
    # A logarithm near 0 is a difference of numbers near the largest input.
    atol = 4 * np.finfo(dtype).tiny if name == "softmax" else rtol
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=atol)


@each("name", BY_ROW)
@each("columns", [1, 2, 8, 9, 15, 16, 17])
def test_a_row_has_the_same_bits_alone_and_among_others(target, dtype, name, columns, rng):
    z = (3 * rng.normal(size=(37, columns))).astype(dtype)
    together = kernels.activation_forward(target, name, z)
    alone = [kernels.activation_forward(target, name, row[None]) for row in z]
    np.testing.assert_array_equal(together, np.concatenate(alone))


@each("name", BY_ROW)
@each("shape", [(4, 19), (20, 11)])
def test_nan_stays_in_its_row(target, dtype, name, shape, rng):
    z = rng.normal(size=shape).astype(dtype)
    clean = kernels.activation_forward(target, name, z)
    for column in range(z.shape[1]):
        dirty = z.copy()
        dirty[2, column] = np.nan
        actual = kernels.activation_forward(target, name, dirty)
        assert np.isnan(actual[2]).all()
        np.testing.assert_array_equal(np.delete(actual, 2, 0), np.delete(clean, 2, 0))


@each(("name", "parameter"), list(ACTIVATION_VARIANTS))
@each("columns", [1, 9, 33, 130])
def test_parameters(target, dtype, name, parameter, columns, rng):
    z, dy = 3 * rng.normal(size=(2, 5, columns))
    activation = ACTIVATION_VARIANTS[name, parameter]
    learned = ROWS[name]["parameter"]["learned"]
    given = np.full(columns, parameter, dtype) if learned else parameter
    eps = np.finfo(dtype).eps
    value = kernels.activation_forward(target, name, z.astype(dtype), given)
    np.testing.assert_allclose(value, activation.value(z), rtol=8 * eps, atol=8 * eps)
    kept = (z if ROWS[name]["keeps"] == "input" else activation.value(z)).astype(dtype)
    dz, _ = kernels.activation_backward(target, name, kept, dy.astype(dtype), given)
    np.testing.assert_allclose(dz, activation.backward(z, dy), rtol=32 * eps, atol=32 * eps)


def test_learned_slopes_have_a_gradient_per_row(target, dtype, rng):
    z, dy = rng.normal(size=(2, 7, 21)).astype(dtype)
    slopes = rng.uniform(size=21).astype(dtype)
    value = kernels.activation_forward(target, "prelu", z, slopes)
    np.testing.assert_array_equal(value, np.where(z > 0, z, slopes * z))
    dz, parts = kernels.activation_backward(target, "prelu", z, dy, slopes)
    np.testing.assert_array_equal(dz, np.where(z > 0, dy, dy * slopes))
    np.testing.assert_array_equal(parts, np.where(z > 0, 0, dy * z))


@each("name", MIXABLE)
@each(
    "columns", [(0, 1), (3, 4), (0, 16), (16, 32), (5, 37), (17, 40), (31, 70), (64, 70), (1, 69)]
)
def test_some_columns_alone(target, dtype, name, columns, rng):
    z, dy = rng.normal(size=(2, 5, 70)).astype(dtype)
    inside = np.zeros(70, bool)
    inside[slice(*columns)] = True
    whole = kernels.activation_forward(target, name, z)
    part = kernels.activation_forward(target, name, z, columns=columns)
    np.testing.assert_array_equal(part, np.where(inside, whole, z))
    kept = what_it_keeps(name, z.astype(np.float64)).astype(dtype)
    whole, _ = kernels.activation_backward(target, name, kept, dy)
    part, _ = kernels.activation_backward(target, name, kept, dy, columns=columns)
    np.testing.assert_array_equal(part, np.where(inside, whole, dy))
