"""What a person sees while an ensemble is trained."""

from typing import Any, Self


class Bar:
    """A bar that counts the networks, with the validation loss; silent unless `verbose`.

    The core's losses are multiplied by `factor`.
    """

    def __init__(self, verbose: bool | int, total: int, factor: float) -> None:
        self._factor = factor
        self._bar: Any = None
        if verbose:
            from tqdm.auto import tqdm

            self._bar = tqdm(total=total, unit="network")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def show(self, finished: int, loss: float) -> None:
        """Tell how many networks are finished, and the mean of their losses on their folds."""
        if finished:
            self._bar.set_postfix_str(f"validation loss {self._factor * loss:.4g}", refresh=False)
        self._bar.update(finished - self._bar.n)

    def end(self, finished: int, score: float) -> None:
        """Tell the ensemble's validation score."""
        if self._bar is not None:
            self._bar.set_postfix_str(f"validation score of the ensemble {score:.4g}")
            self._bar.update(finished - self._bar.n)
