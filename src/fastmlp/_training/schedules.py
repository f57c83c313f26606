"""Learning-rate schedules that are known before training begins: one rate per epoch."""

import math
from collections.abc import Callable
from typing import Any

from fastmlp._checks.arrays import check_takes, to_float

# Each takes the share of training that is over, from 0 at the first epoch to 1 at the last, and
# gives the share of `learning_rate_init` that is used.
SCHEDULES: dict[str, Callable[[float], float]] = {
    # Loshchilov and Hutter, 2017, without restarts; 1 % at the end.
    "cosine": lambda done: 0.01 + 0.99 * (1 + math.cos(math.pi * done)) / 2,
    # Smith and Topin, 2018: up for 30 % of the epochs, then down to almost nothing.
    "one_cycle": lambda done: (
        _cosine(0.04, 1.0, done / 0.3) if done < 0.3 else _cosine(1.0, 4e-6, (done - 0.3) / 0.7)
    ),
    "exponential": lambda done: 0.01**done,
    "step": lambda done: 1.0 if done < 0.5 else 0.1 if done < 0.75 else 0.01,
}


def _cosine(start: float, end: float, done: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * done)) / 2


def _checked(number: int, value: Any) -> float:
    """Return what a user's schedule gave for an epoch, if it is a rate."""
    if not 0 <= to_float(value) < math.inf:
        raise ValueError(f"learning_rate({number}) must be a finite number >= 0; got {value!r}.")
    return to_float(value)


def epoch_rates(
    schedule: Any, rate: float, first_epoch: int, max_iter: int
) -> Callable[[int], float] | None:
    """Return what gives the rate of an epoch, or None where the core finds it as it goes.

    Parameters
    ----------
    schedule : str or callable
        A name, or a function of the number of epochs before.
    rate : float
        `learning_rate_init`.
    first_epoch : int
        The epochs trained before; the function that is returned counts from there.
    max_iter : int
        The number of epochs that a schedule is laid out for; it ends there.

    Raises
    ------
    TypeError
        If it can't be called with a number alone.
    """
    if callable(schedule):
        check_takes("learning_rate", schedule, "the number of epochs before", 0)
        return lambda epoch: _checked(first_epoch + epoch, schedule(first_epoch + epoch))
    if schedule not in SCHEDULES:
        return None
    last = max(max_iter - 1, 1)
    return lambda epoch: rate * SCHEDULES[schedule](min((first_epoch + epoch) / last, 1.0))
