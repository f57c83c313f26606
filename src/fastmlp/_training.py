"""Running a trainer of the core: what is done behind each epoch, Ctrl-C, and a loss that is no
longer finite."""

import math
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from numpy.typing import NDArray

from fastmlp._epoch_end import EpochEnd
from fastmlp._progress import Progress
from fastmlp._validation import NonFiniteError

if TYPE_CHECKING:
    from fastmlp._architecture import TrainerSettings
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


class LossRule:
    """The stopping rule on the training loss, for a run that has a validation set.

    With a validation set the core's own rule looks at the score on it; `settings` must have
    switched that off for the trainer. The rule, and its part in the schedule 'adaptive', are the
    core's.
    """

    def __init__(self, trainer: "_Trainer", settings: "TrainerSettings") -> None:
        self.trainer = trainer
        self.settings = settings
        self.best = -math.inf
        self.no_improvement = 0
        self.event = ""

    def __call__(self, report: "EpochReport") -> bool:
        """Count the epoch, note in the report what the rule does, and return whether it stops."""
        score, settings = -report["loss"], self.settings
        improved = score >= self.best + settings.tol
        self.no_improvement = 0 if improved else self.no_improvement + 1
        self.best = max(self.best, score)
        if settings.n_iter_no_change < 0 or self.no_improvement <= settings.n_iter_no_change:
            self.event = ""
        elif settings.schedule != "adaptive":
            self.event = "no_improvement"
        elif self.trainer.rate <= 1e-6:
            self.event = "rate_too_small"
        else:
            self.event = "rate_cut"
            self.trainer.set_state({"rate": self.trainer.rate / 5})
            self.no_improvement = 0
        report["event"] = self.event
        return self.stops

    @property
    def stops(self) -> bool:
        """Whether the epoch counted last is to be the end."""
        return self.event in ("no_improvement", "rate_too_small")


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
    rates: Sequence[float] | None = None,
    score: "Callable[[], float] | None" = None,
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
                on_epoch_end=join(hooks, progress),
                rates=rates,
                score=score,
                n_threads=n_threads,
            )
        except KeyboardInterrupt:
            warnings.warn("Training interrupted by user.", stacklevel=2)
            return {**trainer.report, "stopped": "interrupted"}


def non_finite_error(report: "RunReport", rate_name: str, rate: float) -> NonFiniteError:
    """Make the error for a run that had no finite loss any more."""
    return NonFiniteError(
        f"The loss became NaN or infinite in epoch {report['failed_epoch']}, batch "
        f"{report['failed_batch']}. Scale the inputs (and the targets of a regression) to about "
        f"unit size, or lower {rate_name}={rate:g}."
    )


def new_history() -> dict[str, list[float]]:
    """Return a history without epochs."""
    return {name: [] for name in _COLUMNS}


def extend_history(history: dict[str, list[float]], report: "RunReport") -> None:
    """Append the epochs of a run."""
    for name, column in _COLUMNS.items():
        history[name] += report[column]
