"""What runs of training tell: the fitted attributes beside the weights."""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from fastmlp._core import RunReport

# The columns of a history, and what the core calls them.
_COLUMNS: dict[str, Literal["loss", "val_loss", "val_score", "rate", "seconds"]] = {
    "loss": "loss",
    "val_loss": "val_loss",
    "val_score": "val_score",
    "lr": "rate",
    "seconds": "seconds",
}

History = dict[str, list[float]]


def new_history() -> History:
    """Return a history without epochs."""
    return {name: [] for name in _COLUMNS}


def extended(history: History, report: "RunReport") -> History:
    """Return the history with the epochs of a run; the one given may be in use elsewhere."""
    return {name: [*history[name], *report[column]] for name, column in _COLUMNS.items()}


@dataclass(frozen=True)
class Record:
    """All that is known of the training of an estimator since its first epoch.

    Fitted attributes are taken from it, under the names that `attributes` gives.
    """

    history: History = field(default_factory=new_history)
    n_iter: int = 0
    n_seen: int = 0
    stopped: str = ""
    loss: float = np.nan
    best_loss: float | None = np.inf
    validated: bool = False
    best_score: float | None = None
    best_epoch: int | None = None
    step_losses: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))

    @classmethod
    def of(cls, estimator: Any) -> "Record":
        """Return what the training of a fitted estimator goes on with."""
        return cls(
            history=estimator.history_,
            n_seen=estimator.t_,
            best_loss=estimator.best_loss_,
            best_epoch=estimator.best_epoch_,
        )

    def after(
        self, report: "RunReport", n_rows: int, *, validated: bool, stops_by_score: bool
    ) -> "Record":
        """Return the record with a run added; nothing in here can fail."""
        history = extended(self.history, report)
        best_score, best_epoch = self._kept(report) if validated else (None, None)
        best_loss = None
        if not (validated and stops_by_score):
            before = np.inf if self.best_loss is None else self.best_loss
            best_loss = min([before, *report["loss"]])
        return replace(
            self,
            history=history,
            n_iter=report["epochs"],
            n_seen=self.n_seen + report["epochs"] * n_rows,
            stopped=report["stopped"],
            loss=history["loss"][-1] if history["loss"] else np.nan,
            best_loss=best_loss,
            validated=validated,
            best_score=best_score,
            best_epoch=best_epoch,
            step_losses=report["step_loss"],
        )

    def after_epoch(self, report: "RunReport", n_rows: int) -> "Record":
        """Return the record with an epoch of a stream added: `after`, in a tenth of its time."""
        history, loss = extended(self.history, report), report["loss"][-1]
        before = np.inf if self.best_loss is None else self.best_loss
        return Record(
            history=history,
            n_iter=report["epochs"],
            n_seen=self.n_seen + n_rows,
            stopped=report["stopped"],
            loss=loss,
            best_loss=min(before, loss),
            step_losses=report["step_loss"],
        )

    def _kept(self, report: "RunReport") -> tuple[float | None, int | None]:
        """Return score and epoch of the weights kept, which a warm start may have begun with."""
        if report["kept"] == -np.inf:
            return None, None
        if report["best_epoch"]:
            return report["kept"], len(self.history["loss"]) + report["best_epoch"]
        return report["kept"], self.best_epoch

    def attributes(self) -> dict[str, Any]:
        """Return the fitted attributes."""
        return {
            "history_": self.history,
            "loss_curve_": self.history["loss"],
            "validation_scores_": self.history["val_score"] if self.validated else None,
            "n_iter_": self.n_iter,
            "t_": self.n_seen,
            "stopped_": self.stopped,
            "loss_": self.loss,
            "best_loss_": self.best_loss,
            "best_validation_score_": self.best_score,
            "best_epoch_": self.best_epoch,
            "step_losses_": self.step_losses,
        }
