"""scikit-learn's own callbacks, from version 1.9 on: a fit as a task with a subtask for each epoch.

Before, there is no `set_callbacks`, and nothing in here is used.
"""

import abc
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:
    CallbackSupportMixin = abc.ABC  # a base class that adds nothing


if TYPE_CHECKING:
    from fastmlp._core import EpochReport

__all__ = ["TRANSIENT", "CallbackSupportMixin", "FitTask", "begin_task"]

# What scikit-learn keeps on an estimator while it is fitted.
TRANSIENT = ("_callback_fit_ctx", "_skl_callbacks_to_teardown")


class FitTask:
    """A call of fit as the callbacks see it; the trainer calls it after every epoch.

    They get `X`, `y` and `sample_weight` as the user gave them, so that scorers work on them.
    """

    def __init__(self, estimator: Any, X: Any, y: Any, sample_weight: Any, epochs: int) -> None:
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        self.told = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
        self.epochs = epochs
        self.context = estimator._init_callback_context(max_subtasks=epochs)
        self.context.call_on_fit_task_begin(**self.told)
        self.epoch: Any = None

    def begin(self, snapshot: Callable[[], Any]) -> None:
        """Begin with the epochs; `snapshot` makes a fitted copy of the estimator as it is."""
        self.told_of_epochs = self.told | {"reconstruction_attributes": lambda: snapshot().__dict__}
        self._begin_epoch()

    def _begin_epoch(self) -> None:
        self.epoch = self.context.subcontext(task_name="epoch")
        self.epoch.call_on_fit_task_begin(**self.told_of_epochs)

    def __call__(self, report: "EpochReport") -> bool:
        """End the epoch and begin the next; return whether a callback asks to stop."""
        stops = bool(self.epoch.call_on_fit_task_end(**self.told_of_epochs))
        self.epoch = None
        if not stops and report["epoch"] < self.epochs:
            self._begin_epoch()
        return stops

    def end(self) -> None:
        """End the fit, and before it an epoch that began and then wasn't needed."""
        if self.epoch is not None:
            self.epoch.call_on_fit_task_end(estimator=self.told["estimator"])
        self.context.call_on_fit_task_end(**self.told, reconstruction_attributes={})


def begin_task(estimator: Any, X: Any, y: Any, sample_weight: Any, epochs: int) -> FitTask | None:
    """Tell scikit-learn's callbacks that a fit begins; None without any."""
    if not getattr(estimator, "_skl_callbacks", None):
        return None
    return FitTask(estimator, X, y, sample_weight, epochs)
