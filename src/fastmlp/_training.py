"""Running a trainer of the core: progress, Ctrl-C, and a loss that is no longer finite."""

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from fastmlp._progress import Progress

if TYPE_CHECKING:
    from fastmlp._core import RunReport, _Trainer


@dataclass(frozen=True)
class Data:
    """Inputs, targets and weights of the rows to train or to validate on."""

    x: NDArray[Any]
    t: NDArray[Any]
    sample_weight: NDArray[Any] | None = None


def run(
    trainer: "_Trainer",
    data: Data,
    validation: Data | None,
    *,
    epochs: int,
    verbose: int,
    n_threads: int,
) -> "RunReport":
    """Train for some epochs and return the core's report.

    Ctrl-C ends the run with a warning and the report of the epochs that were finished, whose
    `stopped` is then 'interrupted'.
    """
    with Progress(verbose, epochs) as progress:
        try:
            return trainer.run(
                data.x,
                data.t,
                data.sample_weight,
                epochs=epochs,
                x_val=validation.x if validation else None,
                t_val=validation.t if validation else None,
                sample_weight_val=validation.sample_weight if validation else None,
                on_epoch_end=progress if progress else None,
                n_threads=n_threads,
            )
        except KeyboardInterrupt:
            warnings.warn("Training interrupted by user.", stacklevel=2)
            return {**trainer.report, "stopped": "interrupted"}


def non_finite_error(report: "RunReport", rate_name: str, rate: float) -> ValueError:
    """Make the error for a run that had no finite loss any more."""
    return ValueError(
        f"The loss became NaN or infinite in epoch {report['failed_epoch']}, batch "
        f"{report['failed_batch']}. Scale the inputs (and the targets of a regression) to about "
        f"unit size, or lower {rate_name}={rate:g}."
    )


def new_history() -> dict[str, list[float]]:
    """Return a history without epochs."""
    return {"loss": [], "val_score": [], "lr": [], "seconds": []}


def extend_history(history: dict[str, list[float]], report: "RunReport") -> None:
    """Append the epochs of a run."""
    history["loss"] += report["loss"]
    history["val_score"] += report["val_score"]
    history["lr"] += report["rate"]
    history["seconds"] += report["seconds"]
