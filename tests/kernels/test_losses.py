"""Losses against NumPy, on outputs and (link folded in) on logits, for every catalog row."""

import numpy as np
import pytest
from loops import each
from numeric import gradient
from reference import ACTIVATIONS, LOSS_VARIANTS, LOSSES

from fastmlp import _core
from fastmlp._core import kernels

ROWS = {row["name"]: row for row in _core.catalog()["losses"]}
COLUMNS = [1, 2, 3, 7, 8, 9, 10, 16, 17, 33, 64, 65, 100]


ALL = {(name, None): LOSSES[name] for name in ROWS} | LOSS_VARIANTS


def targets(loss, rng, shape, dtype):
    return loss.targets(rng, shape).astype(dtype)


def outputs(loss, rng, shape, dtype):
    shape = (shape[0], shape[1] * loss.per_target)
    return ACTIVATIONS[loss.link].value(rng.normal(size=shape)).astype(dtype)


def check(actual, expected, dtype):
    rtol = 64 * np.finfo(dtype).eps
    for a, e in zip(actual, expected, strict=True):
        assert (a.dtype, a.shape) == (dtype, e.shape)
        np.testing.assert_allclose(a, e, rtol=rtol, atol=rtol)


def wide(*arrays):
    return [array.astype(np.float64) for array in arrays]


@each(("name", "parameter"), list(ALL))
@each("columns", COLUMNS)
def test_on_outputs(target, dtype, name, parameter, columns, rng):
    loss = ALL[name, parameter]
    y = outputs(loss, rng, (7, columns), dtype)
    if loss.probability:
        y = np.clip(y, 0.01, 0.99)
    t = targets(loss, rng, y.shape, dtype)
    actual = kernels.loss(target, name, False, y, t, np.ones(7, dtype), parameter)
    y, t = wide(y, t)
    check(actual, (loss.value(y, t), loss.gradient(y, t)), dtype)


@each(("name", "parameter"), list(ALL))
@each("columns", COLUMNS)
def test_on_logits(target, dtype, name, parameter, columns, rng):
    loss = ALL[name, parameter]
    z = (3 * rng.normal(size=(21, columns * loss.per_target))).astype(dtype)
    t = targets(loss, rng, z.shape, dtype)
    actual = kernels.loss(target, name, True, z, t, np.ones(21, dtype), parameter)
    z, t = wide(z, t)
    check(actual, (loss.logit_value(z, t), loss.logit_gradient(z, t)), dtype)


@each("name", list(ROWS))
@each("on_logits", [False, True])
@each("columns", [1, 2, 8, 9, 15, 16, 17])
def test_a_row_has_the_same_bits_alone_and_among_others(
    target, dtype, name, on_logits, columns, rng
):
    y = outputs(LOSSES[name], rng, (37, columns), dtype)
    t = targets(LOSSES[name], rng, y.shape, dtype)
    weight = rng.random(37).astype(dtype)
    together = kernels.loss(target, name, on_logits, y, t, weight)
    rows = [slice(i, i + 1) for i in range(37)]
    alone = [kernels.loss(target, name, on_logits, y[i], t[i], weight[i]) for i in rows]
    for a, parts in zip(together, zip(*alone, strict=True), strict=True):
        np.testing.assert_array_equal(a, np.concatenate(parts))


@each("name", list(ROWS))
@each("on_logits", [False, True])
def test_row_weights(target, dtype, name, on_logits, rng):
    y = outputs(LOSSES[name], rng, (9, 5), dtype)
    t = targets(LOSSES[name], rng, y.shape, dtype)
    ones = np.ones(9, dtype)
    weight = rng.integers(0, 5, 9).astype(dtype)
    value, slope = kernels.loss(target, name, on_logits, y, t, ones)
    weighted_value, weighted_slope = kernels.loss(target, name, on_logits, y, t, weight)
    check((weighted_value, weighted_slope), (weight * value, weight[:, None] * slope), dtype)


@pytest.mark.parametrize("name", [name for name in ROWS if LOSSES[name].probability])
@pytest.mark.parametrize("size", [100, 1e4])
def test_extreme_logits_are_finite(target, dtype, name, size, rng):
    z = (size * rng.choice([-1.0, 1.0], size=(16, 9))).astype(dtype)
    t = np.eye(9)[rng.integers(0, 9, 16)].astype(dtype)
    value, slope = kernels.loss(target, name, True, z, t, np.ones(16, dtype))
    assert np.isfinite(value).all()
    assert (np.abs(slope) <= (2 if "focal" in name else 1)).all()
    np.testing.assert_allclose(slope, LOSSES[name].logit_gradient(*wide(z, t)), atol=1e-6)


@pytest.mark.parametrize("name", [name for name in ROWS if LOSSES[name].probability])
def test_sure_outputs_are_finite(target, dtype, name):
    y = np.array([[0.0, 1.0], [1.0, 0.0]], dtype)
    t = np.array([[1.0, 0.0], [1.0, 0.0]], dtype)
    value, slope = kernels.loss(target, name, False, y, t, np.ones(2, dtype))
    assert np.isfinite(value).all()
    assert np.isfinite(slope).all()
    assert value[0] > 10
    assert abs(value[1]) < 1e-5


@each("name", list(ROWS))
@each("on_logits", [False, True])
def test_nan_reaches_the_loss_of_its_row(target, dtype, name, on_logits, rng):
    y = outputs(LOSSES[name], rng, (4, 11), dtype)
    t = targets(LOSSES[name], rng, y.shape, dtype)
    y[1, 3] = np.nan
    value, _ = kernels.loss(target, name, on_logits, y, t, np.ones(4, dtype))
    np.testing.assert_array_equal(np.isnan(value), [False, True, False, False])


@pytest.mark.parametrize(("name", "parameter"), list(ALL))
def test_reference_against_differences(name, parameter, rng):
    loss = ALL[name, parameter]
    y = np.clip(outputs(loss, rng, (1, 4), float), 0.1, 0.9)
    z = rng.normal(size=y.shape)
    t = targets(loss, rng, y.shape, float)
    on_outputs = gradient(lambda v: loss.value(v, t)[0], y, 1e-4)
    on_logits = gradient(lambda v: loss.logit_value(v, t)[0], z, 1e-4)
    np.testing.assert_allclose(loss.gradient(y, t), on_outputs, atol=1e-9)
    np.testing.assert_allclose(loss.logit_gradient(z, t), on_logits, atol=1e-9)
    linked = loss.value(ACTIVATIONS[loss.link].value(z), t)
    np.testing.assert_allclose(loss.logit_value(z, t), linked, rtol=1e-12)


ELEMENTWISE = [name for name in ROWS if not ROWS[name]["link"].endswith("softmax")]


@each("name", ELEMENTWISE)
@each("on_logits", [False, True])
@each("columns", [2, 9, 17])
def test_missing_targets_count_for_nothing(target, dtype, name, on_logits, columns, rng):
    loss = LOSSES[name]
    y = outputs(loss, rng, (7, columns), dtype)
    t = targets(loss, rng, y.shape, dtype)
    missing = rng.random(t.shape) < 0.5
    gaps = np.where(missing, np.nan, t).astype(dtype)
    value, slope = kernels.loss(target, name, on_logits, y, gaps, np.ones(7, dtype), None, True)
    _, all_slopes = kernels.loss(target, name, on_logits, y, t, np.ones(7, dtype))
    counts = np.tile(~missing, (1, loss.per_target))
    np.testing.assert_array_equal(slope, np.where(counts, all_slopes, 0))
    # What a row has: as the sum over its cells alone, each of which has the loss of a row of one.
    kernel = loss.logit_value if on_logits else loss.value
    y, t = wide(y, t)
    cells = [
        kernel(y[:, [c, *([c + columns] if loss.per_target == 2 else [])]], t[:, [c]])
        for c in range(columns)
    ]
    share = columns if ROWS[name]["mean_over_outputs"] else 1
    expected = np.where(missing, 0, np.stack(cells, axis=1)).sum(axis=1) / share
    np.testing.assert_allclose(value, expected, rtol=64 * np.finfo(dtype).eps, atol=1e-6)


@each("columns", [1, 5, 16, 33])
def test_a_parameter_for_each_output(target, dtype, columns, rng):
    y, t = (rng.normal(size=(7, columns)).astype(dtype) for _ in range(2))
    levels = rng.uniform(0.1, 0.9, columns).astype(dtype)
    found = kernels.loss(target, "quantile", True, y, t, np.ones(7, dtype), levels.tolist())
    each_alone = [
        kernels.loss(target, "quantile", True, y[:, [c]], t[:, [c]], np.ones(7, dtype), level)
        for c, level in enumerate(levels.tolist())
    ]
    value = np.mean([value for value, _ in each_alone], axis=0)
    slope = np.hstack([slope for _, slope in each_alone]) / columns
    check(found, (value.astype(float), slope.astype(float)), dtype)
    with pytest.raises(ValueError, match="a parameter for each of"):
        kernels.loss(target, "quantile", True, y, t, np.ones(7, dtype), [0.5] * (columns + 1))


def test_pairs_need_two_outputs_for_each_target(target):
    y, t = np.ones((2, 3), np.float32), np.ones((2, 1), np.float32)
    with pytest.raises(ValueError, match="'gaussian' needs two outputs for each target, got 3"):
        kernels.loss(target, "gaussian", True, y, t, np.ones(2, np.float32))
