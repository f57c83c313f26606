"""Whole fits by estimators at the same settings.

Held-out scores, training losses and epochs are in extra_info.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from cases import Case
from fits import FITS

ROUNDS = 3


@pytest.mark.parametrize("contender", ["fastmlp", "sklearn", "torch"])
@pytest.mark.parametrize("name", FITS)
def test_fit(benchmark: Any, case: Callable[[str, str], Case], name: str, contender: str) -> None:
    benchmark.pedantic(case(f"fit {name}", contender).call, rounds=ROUNDS)
