"""What the core makes of an estimator's parameters of training."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastmlp._checks.arrays import LARGEST_COUNT, check_representable, check_takes
from fastmlp._checks.names import OPTIMIZERS, check_hyperparameters
from fastmlp._checks.warn import warn
from fastmlp._data.rows import Data
from fastmlp._model.settings import OwnLoss, TrainerSettings

if TYPE_CHECKING:
    from fastmlp._core import _Network

# Schedules that look at how training goes, and the core's names of them. Those that scikit-learn
# has are for 'sgd' alone, as there.
BY_PROGRESS = {"invscaling": "invscaling", "adaptive": "adaptive", "plateau": "adaptive"}


class CoreLoss(NamedTuple):
    """A loss by the core's name, its parameter, and the factor on it as it is reported.

    There may be a parameter for each output; targets that are NaN may count for nothing. A function
    of the user's own takes its place; the name still says what outputs and targets are.
    """

    name: str
    parameter: float | list[float] | None = None
    scale: float = 1.0
    skips_missing: bool = False
    own: Callable[..., Any] | None = None

    @classmethod
    def of_users(
        cls, name: str, function: Callable[..., Any], *, skips_missing: bool = False
    ) -> "CoreLoss":
        """Return a loss of the user's own.

        Raises
        ------
        TypeError
            If it can't be called with outputs and targets.
        """
        check_takes("loss", function, "outputs and targets", None, None)
        return cls(name, own=function, skips_missing=skips_missing)

    def mean_on(self, network: "_Network", data: Data, n_threads: int) -> float:
        """Return its weighted mean on a data set, without the penalty and the factor."""
        return network.mean_loss(
            data.x,
            data.t,
            self.name,
            data.sample_weight,
            loss_parameter=self.parameter,
            skips_missing=self.skips_missing,
            own_loss=self.own,
            n_threads=n_threads,
        )


def resolve_batch_size(batch_size: Any, n_rows: int) -> int:
    """Return the number of rows in a mini-batch of so many rows."""
    return min(_most_rows(batch_size, n_rows), n_rows)


def _most_rows(batch_size: Any, n_rows: int) -> int:
    """Return how many rows a mini-batch has where there are as many; warn when there are not."""
    if batch_size == "full":
        return LARGEST_COUNT
    if batch_size == "auto":
        return 200
    if batch_size > n_rows:
        warn("Got `batch_size` less than 1 or larger than sample size. It is going to be clipped")
    return int(batch_size)


def _hyperparameters(estimator: Any, dtype: str) -> dict[str, float]:
    """Return what the estimator says of its optimizer; the rest keeps the optimizer's default."""
    if estimator.solver == "sgd":
        return {
            "momentum": float(estimator.momentum),
            "nesterov": float(estimator.nesterovs_momentum),
        }
    names = {"beta_1", "beta_2", "epsilon"} & set(OPTIMIZERS[estimator.solver])
    given = {name: float(getattr(estimator, name)) for name in names}
    return check_hyperparameters(estimator.solver, given, dtype)


def trainer_settings(
    estimator: Any,
    n_rows: int,
    dtype: str,
    *,
    loss: CoreLoss,
    monitor: str,
    stops_by_score: bool,
    seed: int,
) -> TrainerSettings:
    """Translate the parameters of a first-order solver, for a network of that type.

    The decay of 'adamw' is decoupled from the loss, so that no number of samples divides it.
    """
    check_representable("learning_rate_init", float(estimator.learning_rate_init), dtype)
    if estimator.clip_norm is not None:
        check_representable("clip_norm", float(estimator.clip_norm), dtype)
    patience = estimator.n_iter_no_change
    schedule = "constant"
    if isinstance(estimator.learning_rate, str) and (
        estimator.solver == "sgd" or estimator.learning_rate == "plateau"
    ):
        schedule = BY_PROGRESS.get(estimator.learning_rate, "constant")
    return TrainerSettings(
        loss=loss.name,
        optimizer=estimator.solver,
        hyperparameters=_hyperparameters(estimator, dtype),
        rate=float(estimator.learning_rate_init),
        batch_size=_most_rows(estimator.batch_size, n_rows),  # the core has no more than there are
        seed=seed,
        monitor=monitor,
        stops_by_score=stops_by_score,
        own_loss=None if loss.own is None else OwnLoss(loss.own),
        others={
            "schedule": schedule,
            "power_t": float(estimator.power_t),
            "shuffle": bool(estimator.shuffle),
            "tol": float(estimator.tol),
            "n_iter_no_change": -1 if patience == np.inf else int(patience),
            "penalty_per_sample": estimator.solver != "adamw",
            "loss_parameter": loss.parameter,
            "loss_scale": loss.scale,
            "skips_missing": loss.skips_missing,
            "label_smoothing": float(estimator.label_smoothing),
            "clip_norm": 0.0 if estimator.clip_norm is None else float(estimator.clip_norm),
        },
    )
