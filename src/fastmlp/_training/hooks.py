"""What is called behind each epoch: a user's callbacks, and the display."""

import math
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from fastmlp._checks.arrays import check_takes
from fastmlp._training.epoch_end import EpochEnd
from fastmlp._training.progress import Progress

if TYPE_CHECKING:
    from fastmlp._core import EpochReport

# Gets the core's report of an epoch, and returns whether to stop.
Hook = Callable[["EpochReport"], bool]


def begin_callbacks(callbacks: Any, stack: ExitStack) -> list[Callable[..., Any]]:
    """Return what is to be called in a fit that begins; the stack ends it.

    Raises
    ------
    ValueError
        If one can't be called.
    TypeError
        If one takes other arguments.
    """
    if callbacks is None:
        return []
    given = list(callbacks) if isinstance(callbacks, list | tuple) else [callbacks]
    for callback in given:
        if isinstance(callback, type):
            name = callback.__name__
            raise ValueError(f"callbacks holds the class {name}; give an instance, {name}(...).")
    each = []
    for callback in given:
        begun = callback.begin_fit() if hasattr(callback, "begin_fit") else callback
        if hasattr(begun, "end_fit"):
            stack.callback(begun.end_fit)
        each.append(begun)
    for callback in each:
        if not callable(callback):
            hint = " Callbacks of scikit-learn's go to set_callbacks."
            hint = hint if hasattr(callback, "on_fit_task_end") else ""
            raise ValueError(f"callbacks must hold callables; got {callback!r}.{hint}")
        check_takes("callbacks", callback, "an EpochEnd", None)
    return each


class Callbacks:
    """A user's callbacks as one hook of a run, whose clock starts when this is made.

    `snapshot` makes the fitted copies of the estimator that they may ask for, and `metrics` tells
    what else has been measured of the epoch.
    """

    def __init__(
        self,
        callbacks: Sequence[Callable[[EpochEnd], Any]],
        epochs_before: int,
        snapshot: Callable[..., Any],
        *,
        validated: bool,
        metrics: Callable[[], dict[str, float]],
    ) -> None:
        self.callbacks = callbacks
        self.epochs_before = epochs_before
        self.snapshot = snapshot
        self.validated = validated
        self.metrics = metrics
        self.start = time.perf_counter()

    def __call__(self, report: "EpochReport") -> bool:
        """Call them all; return whether one asks to stop."""
        rate = report["rate"]
        end = EpochEnd(
            epoch=self.epochs_before + report["epoch"],
            loss=report["loss"],
            val_loss=report["val_loss"] if self.validated else None,
            val_score=report["val_score"] if self.validated else None,
            learning_rate=None if math.isnan(rate) else rate,
            seconds=report["seconds"],
            elapsed=time.perf_counter() - self.start,
            metrics=self.metrics(),
        )
        end.__dict__["_make_snapshot"] = self.snapshot  # no field, so that records stay plain
        try:
            return any([bool(callback(end)) for callback in self.callbacks])
        finally:
            del end.__dict__["_make_snapshot"]


def join(hooks: Sequence[Hook], progress: Progress, epochs_before: int = 0) -> Hook | None:
    """Make one hook of several, the display coming last; None when there is nothing to do.

    They count the epochs from `epochs_before` on.
    """
    every: list[Hook] = [*hooks, progress] if progress else list(hooks)
    if not every:
        return None

    def hook(report: "EpochReport") -> bool:
        report["epoch"] += epochs_before
        return any([each(report) for each in every])

    return hook
