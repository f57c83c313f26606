"""Fixtures shared by all tests: the SIMD target under test, the number type, random numbers.

A `target` test runs once for each target in the catalog; where this CPU lacks one, it is skipped
by name.
"""

import signal
from collections.abc import Iterator

import numpy as np
import pytest
from loops import BEST, fresh_rng

import fastmlp
from fastmlp import _core

TARGETS = {row["name"]: row for row in _core.catalog()["targets"]}
# What shows in seconds whether things work at all: `pytest -m smoke`.
SMOKE = {
    "tests/architecture/test_python_layering.py",
    "tests/estimators/test_class_weight.py",
    "tests/estimators/test_estimators.py",
    "tests/lecture/test_forward.py",
    "tests/lecture/test_layers.py",
    "tests/lecture/test_neurons.py",
    "tests/lecture/test_perceptron.py",
    "tests/nn/test_layers.py",
}

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # by a shell, of what runs in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of the modules that `SMOKE` names."""
    for item in items:
        if item.nodeid.partition("::")[0] in SMOKE:
            item.add_marker("smoke")


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


@pytest.fixture
def several(target: str) -> tuple[int, ...]:
    """Numbers of threads to compare: one for each cut of the work on the target that users get, a
    pair on the others, whose kernels know nothing of threads."""
    return (1, 2, 3, 4) if target == BEST else (1, 3)


@pytest.fixture(params=["float32", "float64"])
def dtype(request: pytest.FixtureRequest) -> str:
    """Number type of the arithmetic."""
    return request.param


@pytest.fixture
def rng() -> np.random.Generator:
    """Fresh generator with a fixed seed."""
    return fresh_rng()
