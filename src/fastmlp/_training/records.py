"""What an estimator keeps of its training: the fitted attributes beside the weights."""

from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from fastmlp._model.exclusive import as_it_is
from fastmlp._model.packed import PackedEstimator
from fastmlp._training.run import extend_history
from fastmlp._training.sklearn_task import TRANSIENT

if TYPE_CHECKING:
    from fastmlp._core import RunReport, _Network


class RecordedEstimator(PackedEstimator):
    """An estimator with the records of its training."""

    best_epoch_: int | None
    best_loss_: float | None
    best_validation_score_: float | None
    history_: dict[str, list[float]]
    early_stopping: bool
    step_losses_: NDArray[np.float64]
    t_: int
    validation_scores_: list[float] | None
    n_iter_: int
    stopped_: str
    loss_: float
    loss_curve_: list[float]

    def _record(self, report: "RunReport", n_rows: int, *, validated: bool) -> None:
        """Add the epochs of a run to the records; nothing in here can fail."""
        epochs_before = len(self.history_["loss"])
        extend_history(self.history_, report)
        self.n_iter_ = report["epochs"]
        self.t_ += report["epochs"] * n_rows
        self.stopped_ = report["stopped"]
        self.step_losses_ = report["step_loss"]
        self.loss_curve_ = self.history_["loss"]
        self.loss_ = self.loss_curve_[-1] if self.loss_curve_ else np.nan
        self.validation_scores_ = self.history_["val_score"] if validated else None
        if not validated or report["kept"] == -np.inf:
            self.best_validation_score_ = self.best_epoch_ = None
        else:  # the weights kept may be those that a warm start began with
            self.best_validation_score_ = report["kept"]
            if report["best_epoch"]:
                self.best_epoch_ = epochs_before + report["best_epoch"]
        if validated and self.early_stopping:
            self.best_loss_ = None
        else:
            best = np.inf if self.best_loss_ is None else self.best_loss_
            self.best_loss_ = min([best, *report["loss"]])

    def _snapshot(
        self, network: "_Network", report: "RunReport", n_rows: int, *, validated: bool
    ) -> Self:
        """Return a fitted copy with that network, as if a callback had ended the run now."""
        history = {name: list(values) for name, values in self.history_.items()}
        copy = as_it_is(self, vars(self) | {"history_": history, "_trainer": None})
        for name in TRANSIENT:
            copy.__dict__.pop(name, None)
        copy._take_network(network)
        copy._record({**report, "stopped": "callback"}, n_rows, validated=validated)
        return copy
