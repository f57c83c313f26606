"""What runs of training tell: the fitted attributes beside the weights."""

import os
import threading
from collections.abc import Mapping
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


def history_of(report: "RunReport") -> History:
    """Return the history of a run."""
    return {name: list(report[column]) for name, column in _COLUMNS.items()}


def new_report(stopped: str = "max_epochs") -> "RunReport":
    """Return the core's report of a run without epochs."""
    return {
        "stopped": stopped,
        "epochs": 0,
        "loss": [],
        "val_loss": [],
        "val_score": [],
        "rate": [],
        "seconds": [],
        "step_loss": np.empty(0),
        "best_epoch": 0,
        "kept": -np.inf,
        "failed_epoch": 0,
        "failed_batch": 0,
    }


_growing = threading.Lock()


def _begin_anew() -> None:
    """After a fork: whoever held the lock may not be there any more."""
    global _growing
    _growing = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)


@dataclass(frozen=True, eq=False)
class Log:
    """The history of so many epochs: the beginning of columns that grow behind it.

    An epoch more takes the same time however many there were. Who goes on from a beginning that
    others have gone on from, as the copy of an estimator may, gets columns of its own.

    Parameters
    ----------
    columns : dict of list
        As in a history; at least so many epochs.
    n_epochs : int
        The number that count.
    """

    columns: History
    n_epochs: int

    @classmethod
    def of(cls, history: History) -> "Log":
        """Return the log of a history."""
        return cls({name: list(column) for name, column in history.items()}, len(history["loss"]))

    def column(self, name: str) -> list[float]:
        """Return a column as a list of the caller's own."""
        return self.columns[name][: self.n_epochs]

    def history(self) -> History:
        """Return all columns as lists of the caller's own."""
        return {name: self.column(name) for name in self.columns}

    def after(self, report: "RunReport", metrics: Mapping[str, list[float]] | None = None) -> "Log":
        """Return the log with the epochs of a run, and with what else was measured in them."""
        metrics = metrics or {}
        with _growing:
            columns = self.columns
            if any(len(column) != self.n_epochs for column in columns.values()) or (
                not metrics.keys() <= columns.keys()
            ):
                columns = self.history()
                for name in metrics:
                    columns.setdefault(name, [np.nan] * self.n_epochs)
            for name, column in columns.items():
                if name in _COLUMNS:
                    column += report[_COLUMNS[name]]
                else:
                    column += metrics.get(name, [np.nan] * report["epochs"])
        return Log(columns, self.n_epochs + report["epochs"])


@dataclass(frozen=True)
class Record:
    """All that is known of the training of an estimator since its first epoch.

    Fitted attributes are taken from it, under the names that `attributes` gives.
    """

    log: Log = field(default_factory=lambda: Log.of(new_history()))
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
            log=estimator._log,
            n_seen=estimator.t_,
            best_loss=estimator.best_loss_,
            best_epoch=estimator.best_epoch_,
        )

    def after(
        self,
        report: "RunReport",
        n_rows: int,
        *,
        validated: bool,
        stops_by_score: bool,
        metrics: Mapping[str, list[float]],
    ) -> "Record":
        """Return the record with a run added; nothing in here can fail."""
        log = self.log.after(report, metrics)
        best_score, best_epoch = self._kept(report) if validated else (None, None)
        best_loss = None
        if not (validated and stops_by_score):
            before = np.inf if self.best_loss is None else self.best_loss
            best_loss = min([before, *report["loss"]])
        return replace(
            self,
            log=log,
            n_iter=report["epochs"],
            n_seen=self.n_seen + report["epochs"] * n_rows,
            stopped=report["stopped"],
            loss=log.columns["loss"][log.n_epochs - 1] if log.n_epochs else np.nan,
            best_loss=best_loss,
            validated=validated,
            best_score=best_score,
            best_epoch=best_epoch,
            step_losses=report["step_loss"],
        )

    def after_epoch(self, report: "RunReport", n_rows: int) -> "Record":
        """Return the record with an epoch of a stream added: `after`, in a tenth of its time."""
        loss = report["loss"][-1]
        before = np.inf if self.best_loss is None else self.best_loss
        return Record(
            log=self.log.after(report),
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
            return report["kept"], self.log.n_epochs + report["best_epoch"]
        return report["kept"], self.best_epoch

    def attributes(self) -> dict[str, Any]:
        """Return the fitted attributes, but those that come from the log."""
        return {
            "_log": self.log,
            "_is_validated": self.validated,
            "n_iter_": self.n_iter,
            "t_": self.n_seen,
            "stopped_": self.stopped,
            "loss_": self.loss,
            "best_loss_": self.best_loss,
            "best_validation_score_": self.best_score,
            "best_epoch_": self.best_epoch,
            "step_losses_": self.step_losses,
        }
