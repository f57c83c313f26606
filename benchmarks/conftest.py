"""Shared by the pytest benchmarks: the option `--threads`, checked cases, the machine."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import machine
import pytest
from cases import Case, case_of
from contenders import UnsupportedError


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--threads`; the variable FASTMLP_BENCH_THREADS gives its default."""
    parser.addoption(
        "--threads",
        type=int,
        default=os.environ.get("FASTMLP_BENCH_THREADS"),
        help="threads of every contender; by default all that they can use",
    )


def pytest_benchmark_update_machine_info(
    config: pytest.Config, machine_info: dict[str, Any]
) -> None:
    """Save processor, versions and threads with the results."""
    machine_info.update(machine.describe(), threads=config.getoption("--threads"))


@pytest.fixture
def case(request: pytest.FixtureRequest, benchmark: Any) -> Callable[[str, str], Case]:
    """Make a checked case and label the benchmark with it; skip what a contender cannot do."""

    def make(task: str, contender: str) -> Case:
        try:
            made = case_of(task, contender, request.config.getoption("--threads"))
        except UnsupportedError as reason:
            pytest.skip(str(reason))
        benchmark.group = made.group
        benchmark.extra_info.update(made.info)
        made.prepare()
        return made

    return make
