"""Running a trainer of the core: Ctrl-C, and a loss that is no longer finite."""

import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from fastmlp._checks.arrays import NON_FINITE_WEIGHTS, NonFiniteError
from fastmlp._checks.warn import warn
from fastmlp._data.rows import Data
from fastmlp._processes.group import ALONE
from fastmlp._training.hooks import Hook, join
from fastmlp._training.progress import Progress

if TYPE_CHECKING:
    from fastmlp._core import RunReport, _Trainer


def run(
    trainer: "_Trainer",
    data: Data,
    validation: Data | None,
    *,
    epochs: int,
    verbose: int,
    n_threads: int,
    hooks: Sequence["Hook"] = (),
    rate: Callable[[int], float] | None = None,
    score: Callable[[], float] | None = None,
    windows: Any = None,
    own_loss: Callable[..., Any] | None = None,
    ends_by_interrupt: bool = True,
    epochs_before: int = 0,
) -> "RunReport":
    """Train, show the epochs as they finish, and return the core's report.

    Ctrl-C ends the run with a warning and the report of the epochs that were finished, whose
    `stopped` is then 'interrupted'; unless `ends_by_interrupt` is False: then it is raised. Hooks
    count epochs from `epochs_before` on. Rows that are streamed come by their `windows`.
    """
    shares, weight = data.shares, data.sample_weight
    own = slice(None) if shares is None else shares.own
    group = ALONE if shares is None else shares.group
    with Progress(verbose, epochs_before + epochs) as progress:
        try:
            with group.together(), windows or nullcontext():
                report = trainer.run(
                    None if windows else data.x,
                    None if windows else data.t[own],
                    None if windows or weight is None else weight[own],
                    windows=windows,
                    epochs=epochs,
                    x_val=validation.x if validation else None,
                    t_val=validation.t if validation else None,
                    sample_weight_val=validation.sample_weight if validation else None,
                    rows=data.rows if shares is None else None,
                    rows_val=validation.rows if validation else None,
                    on_epoch_end=join(hooks, progress, epochs_before),
                    rate=rate,
                    score=score,
                    own_loss=own_loss,
                    shared=None if shares is None else shares.for_core(data.rows, weight),
                    n_threads=n_threads,
                )
        except KeyboardInterrupt:
            group.forget_interrupt()
            if not ends_by_interrupt:
                raise
            warn("Training interrupted by user.")
            report = {**trainer.report, "stopped": "interrupted"}
    if validation:
        warn_without_best(report)
    return report


def warn_without_best(report: "RunReport") -> None:
    """Warn where no epoch with a validation set has a score."""
    if report["epochs"] and report["kept"] == -math.inf:
        warn(
            "The score on the validation set was NaN or -infinity in every epoch, so that none was "
            "the best: the weights are those of the last one."
        )


def non_finite_error(
    report: "RunReport", rate_name: str, rate: float, *, own_loss: bool = False
) -> NonFiniteError:
    """Make the error for a run that had no finite loss, or weights, any more."""
    blame = " Or what loss(outputs, targets) returned was NaN or infinite." if own_loss else ""
    return NonFiniteError(
        f"{NON_FINITE_WEIGHTS} The loss became NaN or infinite in epoch {report['failed_epoch']}, "
        f"batch {report['failed_batch']}. Scale the inputs (and the targets of a regression) to "
        f"about unit size, or lower {rate_name}={rate:g}.{blame}"
    )
