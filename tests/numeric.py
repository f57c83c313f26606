"""Numerical tools: derivatives by differences, distances in ULP, shapes around tile edges."""

from collections.abc import Callable, Iterator, Sequence
from itertools import product

import numpy as np
from numpy.typing import DTypeLike, NDArray

WIDE = np.longdouble  # for references that must be better than float64, where the platform has it


def directional_derivative(f: Callable[[float], float], h: float = 1e-3) -> float:
    """Derivative of f at 0 by the central difference of fourth order (error of order h**4)."""
    return (8 * (f(h) - f(-h)) - (f(2 * h) - f(-2 * h))) / (12 * h)


def gradient(f: Callable[[NDArray], float], x: NDArray, h: float = 1e-3) -> NDArray:
    """Gradient of a scalar function, one element of x at a time."""
    result = np.empty_like(x)
    for index in np.ndindex(x.shape):
        unit = np.zeros_like(x)
        unit[index] = 1
        result[index] = directional_derivative(lambda s, unit=unit: f(x + s * unit), h)
    return result


def ulp_distance(actual: NDArray, exact: NDArray) -> NDArray:
    """|actual - exact| in units of the spacing of actual's type there; 0 where both round alike."""
    rounded = exact.astype(actual.dtype)
    with np.errstate(invalid="ignore"):
        distance = np.abs(actual.astype(WIDE) - exact) / np.spacing(np.abs(rounded))
    same = (actual == rounded) | (np.isnan(actual) & np.isnan(exact))
    return np.where(same, 0, distance).astype(float)


def assert_norm_close(actual: NDArray, expected: NDArray, tolerance: float, what: str = "") -> None:
    """|actual - expected| <= tolerance * |expected| in the Euclidean norm."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape, what
    scale = np.linalg.norm(expected)
    error = np.linalg.norm(actual - expected) / (scale if scale else 1.0)
    assert error <= tolerance, f"{what}: relative error {error:.2e} > {tolerance:.0e}"


def small_integers(rng: np.random.Generator, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray:
    """Integers in -4..4: products of them sum exactly in float32 up to a depth of a million."""
    return rng.integers(-4, 5, shape).astype(dtype)


BATCH = (1, 2, 3, 5, 6, 7, 8, 11, 12, 13, 14, 24, 25, 47, 48, 49, 64, 97, 130)
IN = (1, 3, 7, 8, 16, 17, 54, 63, 64, 65, 129)
OUT = (1, 2, 7, 8, 9, 10, 15, 16, 17, 31, 32, 33, 47, 48, 63, 64, 65, 100, 130)
DEEP = (
    (7, 513, 65),
    (13, 769, 33),
    (6, 1100, 64),
    (25, 1024, 17),
    (1, 2050, 10),
    (49, 2050, 65),
    (513, 7, 33),
    (1100, 65, 9),
    (2050, 17, 65),
    (14, 33, 513),
    (7, 65, 1100),
    (3, 10, 2050),
    (13, 1100, 250),  # weights of more than a megabyte are fetched ahead of their use
    (33, 300, 1000),
    (9, 17000, 10),
    *((18, 300, out) for out in (1, 2, 3, 4, 5)),  # so few that their weights lie transposed
    (5, 40_000, 7),
    (13, 1100, 513),
    (5, 3, 100_000),
    (197, 2800, 260),  # several blocks of rows go through all panels one after the other
    (96, 2800, 260),
    (97, 2800, 261),
    (900, 300, 257),
    # around a depth of 128, from where on full panels are multiplied four steps at a time: of the
    # inputs, the outputs, and the batch
    *((rows, 126 + rows, 64) for rows in range(1, 8)),
    *((rows, 65, 126 + rows) for rows in range(1, 8)),
    *((126 + rows, rows, 128) for rows in range(1, 8)),
)


def covering(
    *sizes: Sequence[int], fixed: Sequence[int], n_random: int
) -> Iterator[tuple[int, ...]]:
    """Every pair of two dimensions with the third one fixed, then random triples."""
    for held, value in enumerate(fixed):
        axes = [(value,) if i == held else axis for i, axis in enumerate(sizes)]
        yield from product(*axes)
    rng = np.random.default_rng(0)
    for _ in range(n_random):
        yield tuple(int(rng.choice(axis)) for axis in sizes)


def gemm_shapes() -> list[tuple[int, int, int]]:
    """(batch, in, out) around the edges of tiles, plus shapes deep enough to cross cache blocks."""
    shapes = dict.fromkeys(covering(BATCH, IN, OUT, fixed=(13, 17, 33), n_random=100))
    return [*shapes, *DEEP]
