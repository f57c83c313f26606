"""Epochs of every training task by every contender; steps per epoch are in extra_info."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from cases import Case
from contenders import NAMES
from tasks import TASKS

ROUNDS = 9


@pytest.mark.parametrize("contender", NAMES)
@pytest.mark.parametrize("task", TASKS)
def test_train_step(
    benchmark: Any, case: Callable[[str, str], Case], task: str, contender: str
) -> None:
    made = case(task, contender)
    benchmark.pedantic(made.call, setup=made.prepare, rounds=ROUNDS)
