"""Update rules against NumPy, for every row of the catalog."""

import numpy as np
import pytest
from loops import each
from reference import penalised_step

from fastmlp import _core
from fastmlp._core import kernels

ROWS = {row["name"]: row for row in _core.catalog()["optimizers"]}
CASES = [(name, {}) for name in ROWS] + [
    ("sgd", {"momentum": 0.9}),
    ("sgd", {"momentum": 0.9, "nesterov": 1.0}),
    ("adam", {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3}),
]


def steps(target, name, hyper, w, gradients, rate, l1=0.0, l2=0.0):
    """The kernel's path and the reference's, from the same start."""
    hyper = ROWS[name]["hyperparameters"] | hyper
    slots = [np.zeros_like(w) for _ in range(ROWS[name]["slots"])]
    exact, exact_slots = w.astype(float), [slot.astype(float) for slot in slots]
    for i, g in enumerate(gradients, start=1):
        w, slots, _ = kernels.optimizer_step(target, name, w, g, slots, rate, hyper, i, l1, l2)
        exact, exact_slots = penalised_step(name, exact, g, exact_slots, rate, hyper, i, l1, l2)
    return (w, *slots), (exact, *exact_slots)


@each(("name", "hyper"), CASES)
@each("size", [1, 7, 8, 9, 16, 17, 33, 64, 65, 130])
@each(("l1", "l2"), [(0.0, 0.0), (0.01, 0.0), (0.0, 0.02), (0.01, 0.02)])
def test_steps(target, dtype, name, hyper, size, l1, l2, rng):
    w = rng.normal(size=size).astype(dtype)
    gradients = rng.normal(size=(5, size)).astype(dtype)
    actual, exact = steps(target, name, hyper, w, gradients, 0.01, l1, l2)
    eps = np.finfo(dtype).eps
    for a, e in zip(actual, exact, strict=True):
        assert a.dtype == dtype
        np.testing.assert_allclose(a, e, rtol=64 * eps, atol=64 * eps)


@pytest.mark.parametrize("name", list(ROWS))
def test_l1_leaves_zero_weights_alone(target, dtype, name):
    w = np.zeros(19, dtype)
    actual, _ = steps(target, name, {}, w, np.zeros((1, 19), dtype), 0.1, l1=1.0)
    np.testing.assert_array_equal(actual[0], w)


@pytest.mark.parametrize("name", list(ROWS))
def test_l1_brings_weights_to_zero_that_the_loss_wants_small(target, dtype, name, rng):
    """The minimum of (w - goal)^2 / 2 + l1 |w| is goal shrunk by l1: zeros are exact."""
    goal = rng.choice([-2.0, -0.3, 0.1, 1.5], 40).astype(dtype)
    w = rng.normal(size=40).astype(dtype)
    slots = [np.zeros_like(w) for _ in range(ROWS[name]["slots"])]
    hyper = ROWS[name]["hyperparameters"]
    rate = 0.5 if name == "adagrad" else 0.01
    for i in range(1, 2001):
        args = (slots, rate, hyper, i, 0.5, 0.0)
        w, slots, _ = kernels.optimizer_step(target, name, w, w - goal, *args)
    small = np.abs(goal) < 0.5
    if name != "adamw":  # whose decoupled step weighs l1 against the rate, not the gradient
        assert (w[small] == 0).all()
        np.testing.assert_allclose(w[~small], goal[~small] - 0.5 * np.sign(goal[~small]), atol=0.05)
    assert (w[~small] != 0).all()


@pytest.mark.parametrize("name", list(ROWS))
def test_without_a_gradient_nothing_moves(target, dtype, name, rng):
    w = rng.normal(size=33).astype(dtype)
    actual, _ = steps(target, name, {}, w, np.zeros((3, 33), dtype), 0.1)
    np.testing.assert_array_equal(actual[0], w)


@each("name", [name for name in ROWS if name != "sgd"])
@each("exponent", [-140, -126, -70, -63, -40, 40, 63, 70, 120])
def test_steps_of_any_scale(target, dtype, name, exponent, rng):
    """The first step is as long for any gradient, until squares are subnormal or infinite."""
    w = np.zeros(33, dtype)
    g = (rng.choice([-1.0, 1.0], 33) * (1 + rng.random(33))).astype(dtype)
    g = np.ldexp(g, exponent).astype(dtype)
    hyper = {"epsilon": 1e-300} if dtype == "float64" else {}
    with np.errstate(over="ignore"):
        (w, *_), (exact, *_) = steps(target, name, hyper, w, g[None], 0.01)
    assert np.isfinite(w).all()
    if exponent < 63 or dtype == "float64":
        np.testing.assert_allclose(w, exact, rtol=1e-5, atol=1e-12)


@pytest.mark.parametrize("name", list(ROWS))
def test_penalty_is_that_of_the_weights_before_the_step(target, dtype, name, rng):
    w = rng.normal(size=67).astype(dtype)
    slots = [np.zeros_like(w) for _ in range(ROWS[name]["slots"])]
    hyper = ROWS[name]["hyperparameters"]
    g = np.ones_like(w)
    *_, penalty = kernels.optimizer_step(target, name, w, g, slots, 0.1, hyper, 1, 0.3, 0.7)
    exact = 0.3 * np.abs(w, dtype=float).sum() + 0.7 * (w.astype(float) ** 2).sum()
    assert penalty == pytest.approx(exact, rel=1e-5)


@pytest.mark.parametrize(("name", "hyper"), CASES)
def test_the_minimum_of_a_parabola_is_reached(target, dtype, name, hyper, rng):
    goal = rng.normal(size=21).astype(dtype)
    w = np.zeros_like(goal)
    slots = [np.zeros_like(w) for _ in range(ROWS[name]["slots"])]
    hyper = ROWS[name]["hyperparameters"] | hyper
    rate = 0.5 if name == "adagrad" else 0.01  # its steps shrink by themselves
    for i in range(1, 2001):
        args = (slots, rate, hyper, i, 0.0, 0.0)
        w, slots, _ = kernels.optimizer_step(target, name, w, w - goal, *args)
    # At a constant rate Adam hovers, and no step of RMSprop is longer than rate / sqrt(1 - rho).
    np.testing.assert_allclose(w, goal, atol=0.01 if name != "rmsprop" else 0.01 / np.sqrt(0.1))


@each("count", [1, 2, 3, 7])
@each("size", [1, 8, 16, 17, 130])
def test_parts_of_a_gradient_are_added_in_their_order(target, dtype, count, size, rng):
    parts = (rng.normal(size=(count, size)) * 10.0 ** rng.integers(-3, 4, (count, 1))).astype(dtype)
    exact = parts[0].copy()
    for part in parts[1:]:
        exact += part
    np.testing.assert_array_equal(kernels.sum_parts(target, parts), exact)
