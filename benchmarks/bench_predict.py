"""Predictions of one row and of many by every contender."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from cases import Case
from contenders import NAMES
from tasks import INFERENCE


@pytest.mark.parametrize("contender", NAMES)
@pytest.mark.parametrize("task", INFERENCE)
def test_predict(
    benchmark: Any, case: Callable[[str, str], Case], task: str, contender: str
) -> None:
    benchmark(case(task, contender).call)
