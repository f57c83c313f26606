"""A loop inside one case, where a case is a line: a test for each would take longer."""

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from fastmlp import _core

AVAILABLE = [row["name"] for row in _core.catalog()["targets"] if row["available"]]
BEST = AVAILABLE[-1]


def fresh_rng() -> np.random.Generator:
    """Generator with a fixed seed: that of the fixture `rng`."""
    return np.random.default_rng(20240229)


def each(
    names: str | tuple[str, ...], values: Iterable[Any], *, elsewhere: int = 1
) -> Callable[[Any], Any]:
    """Call a test for each of the values, as `pytest.mark.parametrize` would, in one case.

    Every call has a generator of its own. What fails says with what. On other targets than the best
    of this machine every `elsewhere`-th value is enough: kernels have tests of their own on each.
    """
    names = (names,) if isinstance(names, str) else names
    every = [value if len(names) > 1 else (value,) for value in values]

    def decorate(test: Any) -> Any:
        @functools.wraps(test)
        def looped(**fixtures: Any) -> None:
            rows = every if _core.current_target() == BEST else every[::elsewhere]
            for row in rows:
                given = dict(zip(names, row, strict=True))
                if "rng" in fixtures:
                    fixtures["rng"] = fresh_rng()
                try:
                    test(**fixtures, **given)
                except BaseException as error:
                    error.add_note(f"with {given}")
                    raise

        signature = inspect.signature(test)
        rest = [p for name, p in signature.parameters.items() if name not in names]
        looped.__signature__ = signature.replace(parameters=rest)
        return looped

    return decorate
