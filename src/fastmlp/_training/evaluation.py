"""What is measured behind each epoch beside the core's own: metrics, and further data sets."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.metrics import get_scorer_names

from fastmlp._checks.names import check_choice
from fastmlp._checks.threads import resolve_n_jobs
from fastmlp._data.codec import TargetCodec
from fastmlp._data.rows import Data
from fastmlp._training.record import History, new_history
from fastmlp._training.resuming import Begun
from fastmlp._training.scoring import Score
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
        named = dict(metrics)
        names = list(named)
    else:
        given = [metrics] if isinstance(metrics, str) or callable(metrics) else list(metrics or ())
        names = [m if isinstance(m, str) else getattr(m, "__name__", "") for m in given]
        named = dict(zip(names, given, strict=True))
    if len(named) < len(names) or not all(isinstance(name, str) and name for name in names):
        raise ValueError(
            "eval_metrics must hold names of scorers, and functions by different names, or be a "
            f"dict with a name for each; got {metrics!r}."
        )
    for metric in named.values():
        if not callable(metric):
            check_choice("eval_metrics", metric, get_scorer_names())
    return named


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
    begun : Begun
        What was trained and measured before the fit was cut off.

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
        begun: Begun,
    ) -> None:
        metrics = name_metrics(estimator.eval_metrics)
        if metrics and not sets:
            raise ValueError(
                "eval_metrics need a validation set: set early_stopping=True, or give X_val and "
                "y_val to fit."
            )
        self.others = dict(list(sets.items())[1:])
        measured = sets if metrics else self.others
        names = [f"{name}_loss" for name in self.others]
        names += [f"{name}_{metric}" for name in measured for metric in metrics]
        columns = [*new_history(), *names]
        if twice := {name for name in names if columns.count(name) > 1}:
            raise ValueError(
                f"history_ would have {sorted(twice)} twice: give the metric or the validation set "
                "another name."
            )
        self.scores = {
            f"{name}_{metric}": Score("eval_metrics", scoring, estimator, data, codec)
            for name, data in measured.items()
            for metric, scoring in metrics.items()
        }
        self.loss = loss
        self.snapshot = snapshot
        self.columns = begun.metrics(names)

    def __call__(self, report: "EpochReport") -> bool:
        """Measure the epoch that ends; training goes on."""
        estimator = self.snapshot()
        for name, data in self.others.items():
            n_threads = resolve_n_jobs(estimator.n_jobs)
            loss = self.loss.mean_on(estimator._model.network, data, n_threads)
            self.columns[f"{name}_loss"].append(self.loss.scale * loss)
        for name, score in self.scores.items():
            self.columns[name].append(score(estimator))
        return False

    def __bool__(self) -> bool:
        """Whether there is anything to measure."""
        return bool(self.columns)

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
