"""Fixtures shared by all tests: the SIMD target under test, the number type, random numbers.

A `target` test runs once for each target in the catalog; where this CPU lacks one, it is skipped
by name.
"""

from collections.abc import Iterator

import numpy as np
import pytest
from loops import fresh_rng

import fastmlp
from fastmlp import _core

TARGETS = {row["name"]: row for row in _core.catalog()["targets"]}


@pytest.fixture(params=list(TARGETS))
def target(request: pytest.FixtureRequest) -> str:
    """Name of a SIMD target that this CPU can run."""
    if not TARGETS[request.param]["available"]:
        pytest.skip(f"this CPU does not support target {request.param!r}")
    return request.param


@pytest.fixture
def use_target(target: str) -> Iterator[str]:
    """Make `target` the current one for the test."""
    before = _core.current_target()
    fastmlp.set_target(target)
    yield target
    fastmlp.set_target(before)


@pytest.fixture(params=["float32", "float64"])
def dtype(request: pytest.FixtureRequest) -> str:
    """Number type of the arithmetic."""
    return request.param


@pytest.fixture
def rng() -> np.random.Generator:
    """Fresh generator with a fixed seed."""
    return fresh_rng()
