"""What is called behind every epoch of a fit: the record it gets, and some that are ready-made.

A callback is any callable that takes an `EpochEnd`; returning True ends the training. Those in here
keep nothing between calls, so that one serves several fits, copies and threads.
"""

import csv
from dataclasses import asdict, dataclass, fields
from numbers import Real
from os import PathLike

__all__ = ["CSVLogger", "EpochEnd", "StopAt", "TimeBudget"]


@dataclass(frozen=True)
class EpochEnd:
    """What a callback is told about the epoch that has just ended.

    Parameters
    ----------
    epoch : int
        The epoch's number, from 1; a warm start and `partial_fit` go on counting. An iteration of
        'lbfgs' counts as an epoch.
    loss : float
        The training loss, with the penalty.
    val_score : float or None
        The score on the validation set; None without one.
    learning_rate : float or None
        The learning rate of the epoch; None for 'lbfgs'.
    seconds : float
        How long the epoch took.
    elapsed : float
        The seconds since training began in this call of `fit`, callbacks included.
    """

    epoch: int
    loss: float
    val_score: float | None
    learning_rate: float | None
    seconds: float
    elapsed: float


@dataclass(frozen=True)
class TimeBudget:
    """End training behind the first epoch that exceeds a time.

    Parameters
    ----------
    seconds : float
        How long a call of `fit` may train; the epoch in which it runs out is finished.

    Raises
    ------
    ValueError
        If `seconds` is not positive.
    """

    seconds: float

    def __post_init__(self) -> None:
        if not isinstance(self.seconds, Real) or not self.seconds > 0:
            raise ValueError(f"seconds must be a positive number; got {self.seconds!r}.")

    def __call__(self, end: EpochEnd) -> bool:
        """Return whether the time is over."""
        return end.elapsed >= self.seconds


@dataclass(frozen=True)
class CSVLogger:
    """Write a line per epoch to a CSV file, which can be read while training goes on.

    The columns are the attributes of `EpochEnd`; what is None is left empty. The first epoch of a
    network begins the file anew, and a warm start appends to it.

    Parameters
    ----------
    path : str or path-like
        The file; its folder must exist.
    """

    path: str | PathLike[str]

    def __call__(self, end: EpochEnd) -> bool:
        """Write the epoch's line; return False, which lets training go on."""
        first = end.epoch == 1
        with open(self.path, "w" if first else "a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            if first:
                writer.writerow(field.name for field in fields(end))
            writer.writerow(asdict(end).values())
        return False


@dataclass(frozen=True)
class StopAt:
    """End training as soon as it is good enough.

    Parameters
    ----------
    loss : float, default=None
        The training loss to get down to.
    val_score : float, default=None
        The validation score to get up to. Of the two, the first that is reached ends the training.

    Raises
    ------
    ValueError
        If neither is given, or when called with `val_score` in a fit without a validation set.
    """

    loss: float | None = None
    val_score: float | None = None

    def __post_init__(self) -> None:
        if self.loss is None and self.val_score is None:
            raise ValueError("StopAt needs loss or val_score; got neither.")

    def __call__(self, end: EpochEnd) -> bool:
        """Return whether one of them is reached."""
        if self.loss is not None and end.loss <= self.loss:
            return True
        if self.val_score is None:
            return False
        if end.val_score is None:
            raise ValueError(
                "StopAt(val_score=...) needs a validation set: set early_stopping=True, or give "
                "X_val and y_val to fit."
            )
        return end.val_score >= self.val_score
