"""Whole fits by fastmlp's estimators and scikit-learn's at the same default settings.

Held-out scores and epochs are in extra_info.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from cases import Case
from tasks import FITS

ROUNDS = 5


@pytest.mark.parametrize("contender", ["fastmlp", "sklearn"])
@pytest.mark.parametrize("name", FITS)
def test_fit(benchmark: Any, case: Callable[[str, str], Case], name: str, contender: str) -> None:
    benchmark.pedantic(case(f"fit {name}", contender).call, rounds=ROUNDS)
