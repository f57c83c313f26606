"""The weights of samples: what is allowed, and what the core gets."""

from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array

from fastmlp._checks.content import refuse_unfit

# Only their ratios count for the loss, but penalties are divided by their sum. Where the largest is
# out of these bounds, which no data need, it is divided out, so that no penalty vanishes or rules.
_LARGEST = (1e-12, 1e12)


def check_weights(
    argument: str, given: Any, n_rows: int, *, may_vanish: bool = False
) -> NDArray[Any] | None:
    """Return the weights of samples as an array; None for None, and one number for all of them.

    Raises
    ------
    ValueError
        If they are not as many finite numbers of at least 0, or all are 0, which only those of a
        part of the samples may be, with `may_vanish`.
    """
    if given is None:
        return None
    if isinstance(given, Real):
        given = np.full(n_rows, given, dtype=np.float64)
    refuse_unfit(argument, given)
    try:
        weight: NDArray[Any] = check_array(
            given, dtype=[np.float64, np.float32], ensure_2d=False, input_name=argument
        )
    except (TypeError, ValueError) as error:
        if argument in str(error):
            raise
        raise ValueError(f"{argument} must hold numbers: {error}.") from error
    if weight.shape != (n_rows,):
        raise ValueError(f"{argument} must have shape ({n_rows},); got {weight.shape}.")
    if (weight < 0).any():
        row = int(np.argmax(weight < 0))
        raise ValueError(
            f"{argument} must not be negative: a loss with negative weights has no minimum. Got "
            f"{weight[row]:g} in row {row}."
        )
    if not (may_vanish or weight.any()):
        raise ValueError(f"{argument}: Sample weights must contain at least one non-zero number.")
    return weight


def scale_weights(argument: str, weight: NDArray[Any] | None, dtype: str) -> NDArray[Any] | None:
    """Return the weights of a network of that type, with the largest near 1 if it is extreme.

    Raises
    ------
    ValueError
        If their sum is zero or infinite in this type.
    """
    if weight is None:
        return None
    with np.errstate(over="ignore"):
        total = float(weight.sum(dtype=np.float64))
    divisor = divisor_of_weights(argument, total, float(weight.max()), dtype)
    if divisor == 1:
        return weight
    scaled: NDArray[Any] = weight.astype(np.float64) / divisor
    return scaled


def divisor_of_weights(argument: str, total: float, largest: float, dtype: str) -> float:
    """Return what weights of that sum are to be divided by: the largest if it is extreme, or 1.

    Raises
    ------
    ValueError
        If their sum is zero or infinite in this type.
    """
    limits = np.finfo(dtype)
    if not float(limits.tiny) <= total <= float(limits.max):
        raise ValueError(
            f"{argument}: the sum of the weights is {total:.3g}, which is out of the range of "
            f"dtype={dtype!r} ({limits.tiny:.3g} to {limits.max:.3g}). Only their ratios matter: "
            "divide them by the largest."
        )
    low, high = _LARGEST
    return 1.0 if low <= largest <= high else largest
