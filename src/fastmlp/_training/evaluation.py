"""What is measured behind each epoch beside the core's own: metrics, and further data sets."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.metrics import check_scoring

from fastmlp._checks.threads import resolve_n_jobs
from fastmlp._data.codec import TargetCodec
from fastmlp._data.rows import Data
from fastmlp._training.record import History, new_history
from fastmlp._training.settings import CoreLoss

if TYPE_CHECKING:
    from fastmlp._core import EpochReport, RunReport


def name_metrics(metrics: Any) -> dict[str, Any]:
    """Return scorers, or scikit-learn's names of them, by the names that they go by in a history.

    Raises
    ------
    ValueError
        If one is neither a name nor a function, or two go by the same name.
    """
    if isinstance(metrics, Mapping):
        return dict(metrics)
    if isinstance(metrics, str) or callable(metrics):
        metrics = [metrics]
    given = list(metrics or ())
    names = [
        metric if isinstance(metric, str) else getattr(metric, "__name__", "") for metric in given
    ]
    if "" in names or len(set(names)) < len(names):
        raise ValueError(
            "eval_metrics must hold names of scorers, and functions by different names, or be a "
            f"dict with a name for each; got {metrics!r}."
        )
    return dict(zip(names, given, strict=True))


class Evaluation:
    """Measures every epoch, as one hook of a run.

    Parameters
    ----------
    estimator : BaseMLP
        The one that is fitted; its `eval_metrics` count.
    sets : dict of str to Data
        The validation sets by name. The core takes loss and score of the first one by itself.
    loss : CoreLoss
        What is minimised.
    codec : TargetCodec
        Turns targets back into those of the user.
    snapshot : callable
        Makes a fitted copy of the estimator as it is behind the epoch.

    Raises
    ------
    ValueError
        If `eval_metrics` is not valid, or there is no set to take them on.
    """

    def __init__(
        self,
        estimator: Any,
        sets: Mapping[str, Data],
        *,
        loss: CoreLoss,
        codec: TargetCodec,
        snapshot: Callable[[], Any],
    ) -> None:
        metrics = name_metrics(estimator.eval_metrics)
        if metrics and not sets:
            raise ValueError(
                "eval_metrics need a validation set: set early_stopping=True, or give X_val and "
                "y_val to fit."
            )
        self.scorer = check_scoring(estimator, scoring=metrics) if metrics else None
        self.others = list(sets)[1:]
        measured = sets if metrics else {name: sets[name] for name in self.others}
        names = [f"{name}_loss" for name in self.others]
        names += [f"{name}_{metric}" for name in measured for metric in metrics]
        columns = [*new_history(), *names]
        if twice := {name for name in names if columns.count(name) > 1}:
            raise ValueError(
                f"history_ would have {sorted(twice)} twice: give the metric or the validation set "
                "another name."
            )
        self.sets = {name: data.on_its_own() for name, data in measured.items()}
        self.loss = loss
        self.codec = codec
        self.snapshot = snapshot
        self.columns: History = {name: [] for name in names}

    def __call__(self, report: "EpochReport") -> bool:
        """Measure the epoch that ends; training goes on."""
        estimator = self.snapshot()
        for name, data in self.sets.items():
            if name in self.others:
                self._note(f"{name}_loss", self._loss_on(data, estimator))
            for metric, value in self._scores_on(data, estimator).items():
                self._note(f"{name}_{metric}", value)
        return False

    def __bool__(self) -> bool:
        """Whether there is anything to measure."""
        return bool(self.sets)

    def latest(self) -> dict[str, float]:
        """Return what was measured last."""
        return {name: column[-1] for name, column in self.columns.items() if column}

    def columns_of(self, report: "RunReport") -> History:
        """Return what was measured in the epochs of a report, NaN in one that was not."""
        n_epochs = report["epochs"]
        return {
            name: (column + [np.nan] * (n_epochs - len(column)))[:n_epochs]
            for name, column in self.columns.items()
        }

    def _note(self, name: str, value: float) -> None:
        self.columns[name].append(value)

    def _loss_on(self, data: Data, estimator: Any) -> float:
        """Return the loss, without the penalty, on the scale of the training loss."""
        network, n_threads = estimator._model.network, resolve_n_jobs(estimator.n_jobs)
        if self.loss.own is not None:
            losses, _ = self.loss.own(network.predict(data.x, n_threads), data.t)
            return float(np.average(losses, weights=data.sample_weight))
        value = network.mean_loss(
            data.x,
            data.t,
            self.loss.name,
            data.sample_weight,
            loss_parameter=self.loss.parameter,
            skips_missing=self.loss.skips_missing,
            n_threads=n_threads,
        )
        return float(self.loss.scale * value)

    def _scores_on(self, data: Data, estimator: Any) -> dict[str, float]:
        if self.scorer is None:
            return {}
        X = data.x if data.frame is None else data.frame
        weight = {} if data.sample_weight is None else {"sample_weight": data.sample_weight}
        try:
            scores = self.scorer(estimator, X, self.codec.decode(data.t), **weight)
            return {name: float(score) for name, score in scores.items()}
        except Exception as error:
            error.add_note("This was one of eval_metrics on a validation set.")
            raise
