"""What `verbose` shows while a network trains: nothing, a bar, or a line per epoch."""

from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from fastmlp._core import EpochReport

_EVENTS = {
    "no_improvement": "No improvement by more than tol for n_iter_no_change epochs. Stopping.",
    "rate_cut": "No improvement by more than tol: the learning rate is divided by 5.",
    "rate_too_small": "No improvement, and the learning rate is too small. Stopping.",
}


class Progress:
    """Context of one run that shows its epochs.

    Parameters
    ----------
    verbose : int
        0: nothing. 1 (or True): a progress bar. 2 or more: one line per epoch on stdout.
    epochs : int
        The largest number of epochs that the run may take.
    """

    def __init__(self, verbose: int, epochs: int) -> None:
        self.verbose = int(verbose)
        self.epochs = epochs
        self._bar: Any = None

    def __enter__(self) -> Self:
        if self.verbose == 1:
            from tqdm.auto import tqdm

            self._bar = tqdm(total=self.epochs, unit="epoch")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def __bool__(self) -> bool:
        return self.verbose > 0

    def __call__(self, report: "EpochReport") -> bool:
        """Show one epoch; return False, which lets the run go on."""
        score = report["val_score"]
        scored = score == score  # NaN without a validation set
        if self._bar is not None:
            shown = {"loss": f"{report['loss']:.6g}"} | (
                {"score": f"{score:.4g}"} if scored else {}
            )
            self._bar.set_postfix(shown, refresh=False)
            self._bar.update()
        else:
            tail = f", validation score = {score:.6f}" if scored else ""
            print(f"Iteration {report['epoch']}, loss = {report['loss']:.8f}{tail}")
            if report["event"] in _EVENTS:
                print(_EVENTS[report["event"]])
        return False
