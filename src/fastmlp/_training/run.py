"""Running a trainer of the core: what is done behind each epoch, Ctrl-C, and a loss that is no
longer finite."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from numpy.typing import NDArray

from fastmlp._checks.arrays import NON_FINITE_WEIGHTS, NonFiniteError
from fastmlp._checks.warn import warn
from fastmlp._training.epoch_end import EpochEnd
from fastmlp._training.progress import Progress

if TYPE_CHECKING:
    from fastmlp._core import EpochReport, RunReport, _Trainer

    Hook = Callable[[EpochReport], bool]

# The columns of a history, and what the core calls them.
_COLUMNS: dict[str, Literal["loss", "val_loss", "val_score", "rate", "seconds"]] = {
    "loss": "loss",
    "val_loss": "val_loss",
    "val_score": "val_score",
    "lr": "rate",
    "seconds": "seconds",
}


@dataclass(frozen=True)
class Data:
    """Inputs, targets and weights of the rows to train or to validate on."""

    x: NDArray[Any]
    t: NDArray[Any]
    sample_weight: NDArray[Any] | None = None
    frame: Any = None  # the inputs as the user gave them, where their columns have names

    @property
    def n_rows(self) -> int:
        """The number of samples; a sparse matrix has no length."""
        return int(self.x.shape[0])


class Callbacks:
    """A user's callbacks as one hook of a run, whose clock starts when this is made.

    `snapshot` makes the fitted copies of the estimator that they may ask for.
    """

    def __init__(
        self,
        callbacks: Sequence[Callable[[EpochEnd], Any]],
        epochs_before: int,
        snapshot: Callable[[], Any],
        *,
        validated: bool,
    ) -> None:
        self.callbacks = callbacks
        self.epochs_before = epochs_before
        self.snapshot = snapshot
        self.validated = validated
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
        )
        end.__dict__["_make_snapshot"] = self.snapshot  # no field, so that records stay plain
        try:
            return any([bool(callback(end)) for callback in self.callbacks])
        finally:
            del end.__dict__["_make_snapshot"]


def join(hooks: Sequence["Hook"], progress: Progress) -> "Hook | None":
    """Make one hook of several, the display coming last; None when there is nothing to do."""
    every: list[Hook] = [*hooks, progress] if progress else list(hooks)
    if not every:
        return None
    return lambda report: any([hook(report) for hook in every])


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
    ends_by_interrupt: bool = True,
) -> "RunReport":
    """Train, show the epochs as they finish, and return the core's report.

    Ctrl-C ends the run with a warning and the report of the epochs that were finished, whose
    `stopped` is then 'interrupted'; unless `ends_by_interrupt` is False: then it is raised.
    """
    with Progress(verbose, epochs) as progress:
        try:
            report = trainer.run(
                data.x,
                data.t,
                data.sample_weight,
                epochs=epochs,
                x_val=validation.x if validation else None,
                t_val=validation.t if validation else None,
                sample_weight_val=validation.sample_weight if validation else None,
                on_epoch_end=join(hooks, progress),
                rate=rate,
                score=score,
                n_threads=n_threads,
            )
        except KeyboardInterrupt:
            if not ends_by_interrupt:
                raise
            warn("Training interrupted by user.")
            report = {**trainer.report, "stopped": "interrupted"}
    if validation and report["epochs"] and report["kept"] == -math.inf:
        warn(
            "The score on the validation set was NaN or -infinity in every epoch, so that none was "
            "the best: the weights are those of the last one."
        )
    return report


def non_finite_error(report: "RunReport", rate_name: str, rate: float) -> NonFiniteError:
    """Make the error for a run that had no finite loss, or weights, any more."""
    return NonFiniteError(
        f"{NON_FINITE_WEIGHTS} The loss became NaN or infinite in epoch {report['failed_epoch']}, "
        f"batch {report['failed_batch']}. Scale the inputs (and the targets of a regression) to "
        f"about unit size, or lower {rate_name}={rate:g}."
    )


def new_history() -> dict[str, list[float]]:
    """Return a history without epochs."""
    return {name: [] for name in _COLUMNS}


def extend_history(history: dict[str, list[float]], report: "RunReport") -> None:
    """Append the epochs of a run."""
    for name, column in _COLUMNS.items():
        history[name] += report[column]
