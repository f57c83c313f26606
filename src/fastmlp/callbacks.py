"""What is called after every epoch of a fit: the record it gets, and some that are ready-made.

A callback is any callable that takes an `EpochEnd`; returning True ends the training. One that has
to remember something from epoch to epoch has a method `begin_fit` instead, which is called without
arguments at the beginning of each fit, and returns the callable for it. So those in here keep
nothing themselves, and one serves several fits, copies and threads. Where that callable has a
method `end_fit`, it is called when the fit ends, however it does.
"""

import csv
import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import Any

from fastmlp._checks.names import check_choice
from fastmlp._files.disk import FilePath, check_path
from fastmlp._files.trackers import MLflowLogger, TensorBoardLogger
from fastmlp._training.epoch_end import EpochEnd
from fastmlp.layers import check_positive_int
from fastmlp.persistence import save

__all__ = [
    "CSVLogger",
    "Checkpoint",
    "EarlyStopping",
    "EpochEnd",
    "MLflowLogger",
    "StopAt",
    "TensorBoardLogger",
    "TimeBudget",
]

# What can be watched, and whether more or less of it is better.
_SIGNS = {"loss": -1, "val_loss": -1, "val_score": 1}


def _goodness(end: EpochEnd, monitor: str, who: str) -> float:
    """Return what is watched, such that more is better.

    Raises
    ------
    ValueError
        If it needs a validation set, and there is none.
    """
    value = getattr(end, monitor)
    if value is None:
        raise ValueError(
            f"{who} needs a validation set: set early_stopping=True, or give X_val and y_val to "
            "fit."
        )
    return _SIGNS[monitor] * float(value)


@dataclass(frozen=True)
class EarlyStopping:
    """End training when something has not improved for a while.

    The estimators stop by themselves as `tol`, `n_iter_no_change` and `early_stopping` say; this is
    a rule beside theirs, for one quantity of your choice.

    Parameters
    ----------
    monitor : {'loss', 'val_loss', 'val_score'}, default='val_score'
        What is watched: the training loss, or the loss or the score on the validation set.
    patience : int, default=10
        The number of epochs in a row without an improvement that ends the training.
    min_delta : float, default=0.0
        By how much the best value so far must be exceeded to count as an improvement.

    Raises
    ------
    ValueError
        If an argument is not valid, or in a fit without a validation set for one of its quantities.
    """

    monitor: str = "val_score"
    patience: int = 10
    min_delta: float = 0.0

    def __post_init__(self) -> None:
        check_choice("monitor", self.monitor, _SIGNS)
        check_positive_int("patience", self.patience)
        if not isinstance(self.min_delta, Real) or not 0 <= self.min_delta < math.inf:
            raise ValueError(f"min_delta must be a finite number >= 0; got {self.min_delta!r}.")

    def begin_fit(self) -> Callable[[EpochEnd], bool]:
        """Begin a fit.

        Returns
        -------
        callback : callable
            What is called with each `EpochEnd` of this fit.
        """
        best, waited = -math.inf, 0

        def is_over(end: EpochEnd) -> bool:
            nonlocal best, waited
            value = _goodness(end, self.monitor, f"EarlyStopping(monitor={self.monitor!r})")
            best, waited = (value, 0) if value > best + self.min_delta else (best, waited + 1)
            return waited >= self.patience

        return is_over


@dataclass(frozen=True)
class Checkpoint:
    """Save the model to a file while it trains.

    The file is written by `fastmlp.save`, so that it is replaced as a whole or not at all, and
    `fastmlp.load` reads it. What it holds is `EpochEnd.snapshot`. A resumable one goes to the
    argument `resume_from` of `fit`, which then trains on as if it had never been cut off.

    Parameters
    ----------
    path : str, bytes or path-like
        The file. In it ``{epoch}`` stands for the number of the epoch, which makes a file for each.
    every : int, default=1
        Save behind each epoch whose number is a multiple of this.
    monitor : {'loss', 'val_loss', 'val_score'}, default=None
        Save only when this is better than each time before in the same fit; None always saves.
    resumable : bool, default=False
        Whether the file also has the state of the optimizer, the best weights so far, and what else
        it takes to resume the training: up to four times as many numbers. A function as `scoring`,
        `loss` or `learning_rate` can't be stored, so that such a fit can't be resumed.

    Raises
    ------
    ValueError
        If an argument is not valid, in a fit without a validation set for one of its quantities, or
        if the estimator has a parameter that can't be stored.
    TypeError
        If `path` is neither a str nor bytes nor path-like.
    """

    path: FilePath
    every: int = 1
    monitor: str | None = None
    resumable: bool = False

    def __post_init__(self) -> None:
        check_positive_int("every", self.every)
        check_path("path", self.path)
        if self.monitor is not None:
            check_choice("monitor", self.monitor, _SIGNS)

    def begin_fit(self) -> Callable[[EpochEnd], bool]:
        """Begin a fit.

        Returns
        -------
        callback : callable
            What is called with each `EpochEnd` of this fit.
        """
        best = -math.inf

        def save_if_due(end: EpochEnd) -> bool:
            nonlocal best
            if end.epoch % self.every:
                return False
            if self.monitor is not None:
                value = _goodness(end, self.monitor, f"Checkpoint(monitor={self.monitor!r})")
                if not value > best:  # NaN is not
                    return False
                best = value
            self._save(end)
            return False

        return save_if_due

    def _save(self, end: EpochEnd) -> None:
        file = os.fsdecode(self.path).replace("{epoch}", str(end.epoch))
        save(end.snapshot(resumable=self.resumable), file)


@dataclass(frozen=True)
class TimeBudget:
    """End training after the first epoch that exceeds a time limit.

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

    The columns are the attributes of `EpochEnd`, and its metrics by name; what is None is left
    empty. The first epoch of a network begins the file anew. A warm start, and a fit that resumes
    another, go on with it: behind the epochs before their first, with the columns of both.

    Parameters
    ----------
    path : str, bytes or path-like
        The file; its folder must exist.

    Raises
    ------
    TypeError
        If `path` is none of them.
    """

    path: FilePath

    def __post_init__(self) -> None:
        check_path("path", self.path)

    def begin_fit(self) -> Callable[[EpochEnd], bool]:
        """Begin a fit.

        Returns
        -------
        callback : callable
            What is called with each `EpochEnd` of this fit.
        """
        columns: list[str] = []

        def write(end: EpochEnd) -> bool:
            values = end.numbers()
            begins = not columns
            before = self._before(end.epoch) if begins else []
            if begins:
                columns.extend(dict.fromkeys([*(before[0] if before else ()), *values]))
            with open(self.path, "w" if begins else "a", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, columns)
                if begins:
                    writer.writeheader()
                writer.writerows([*before, values])
            return False

        return write

    def _before(self, epoch: int) -> list[dict[str, Any]]:
        """Return the rows of the epochs before, where this one goes on with others."""
        if epoch == 1 or not os.path.exists(self.path):
            return []
        with open(self.path, newline="", encoding="utf-8") as file:
            return [row for row in csv.DictReader(file) if int(row["epoch"]) < epoch]


@dataclass(frozen=True)
class StopAt:
    """End training as soon as it is good enough.

    Parameters
    ----------
    loss : float, default=None
        The training loss to get down to.
    val_score : float, default=None
        The score on the validation set to get up to.
    val_loss : float, default=None
        The loss on the validation set to get down to. What is reached first ends the training.

    Raises
    ------
    ValueError
        If none is given or one is no number, or in a fit without a validation set for one of its
        quantities.
    """

    loss: float | None = None
    val_score: float | None = None
    val_loss: float | None = None

    def __post_init__(self) -> None:
        if self.loss is self.val_score is self.val_loss is None:
            raise ValueError("StopAt needs loss, val_score or val_loss; got none.")
        for name in _SIGNS:
            if not isinstance(limit := getattr(self, name), Real | None):
                raise ValueError(f"{name} must be a number or None; got {limit!r}.")

    def __call__(self, end: EpochEnd) -> bool:
        """Return whether a value is reached."""
        limits = {name: getattr(self, name) for name in _SIGNS}
        return any(
            _goodness(end, name, f"StopAt({name}=...)") >= _SIGNS[name] * limit
            for name, limit in limits.items()
            if limit is not None
        )
