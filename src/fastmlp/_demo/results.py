"""What a demo shows in the end: a row of numbers for each model that was fitted."""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Literal

HELD_OUT = 0.25

Task = Literal["classification", "regression"]


class DataError(ValueError):
    """A table that cannot be trained on; the message is one line for the person who chose it."""


@dataclass(frozen=True)
class Result:
    """A row: the name of a model, and its numbers, in the order of the columns' names."""

    name: str
    numbers: list[float]


def seconds_of(call: Callable[[], Any]) -> float:
    """Return how long a call takes."""
    begin = perf_counter()
    call()
    return perf_counter() - begin


def print_results(names: list[str], formats: list[str], results: list[Result]) -> None:
    """Print a table; rows with fewer numbers end early."""
    width = max(len(result.name) for result in results)
    print(f"\n{'':{width}}" + "".join(f"  {name:>8}" for name in names))
    for result in results:
        numbers = zip(result.numbers, formats, names, strict=False)
        cells = (f"  {number:{max(len(name), 8)}{form}}" for number, form, name in numbers)
        print(f"{result.name:{width}}" + "".join(cells))
