"""A user's score of the network in training, as `scoring` and `eval_metrics` name it."""

from collections.abc import Callable
from typing import Any

from sklearn.metrics import get_scorer

from fastmlp._checks.arrays import check_takes
from fastmlp._data.codec import TargetCodec
from fastmlp._data.rows import Data


class Score:
    """A scorer on a validation set.

    It sees a fitted copy of the estimator, and the inputs as the user gave them where their columns
    have names.

    Parameters
    ----------
    argument : str
        What the user knows it by.
    scoring : str or callable
        The name of a scorer of scikit-learn, or a function of (estimator, X, y), which takes
        `sample_weight` too where the samples have weights.
    estimator : object
        The one that is fitted.
    validation : Data
        The set.
    codec : TargetCodec
        Turns targets back into those of the user.

    Raises
    ------
    TypeError
        If a function doesn't take what it has to.
    """

    def __init__(
        self, argument: str, scoring: Any, estimator: Any, validation: Data, codec: TargetCodec
    ) -> None:
        own = validation.on_its_own()
        self.name = f"{argument}={scoring!r}"
        self.argument = argument
        self.X = own.x if own.frame is None else own.frame
        self.y = codec.decode(own.t)
        weight = own.sample_weight
        self.extra = {} if weight is None else {"sample_weight": weight}
        if isinstance(scoring, str):
            self.scorer: Callable[..., Any] = get_scorer(scoring)
            return
        self.scorer = scoring
        wanted = "(estimator, X, y)"
        if self.extra:
            wanted = (
                "(estimator, X, y, sample_weight=), for the samples of the validation set have "
                "weights"
            )
        check_takes(argument, scoring, wanted, estimator, self.X, self.y, **self.extra)

    def of(self, snapshot: Callable[[], Any]) -> Callable[[], float]:
        """Return what scores the copy that `snapshot` makes at the moment of the call."""
        return lambda: self(snapshot())

    def __call__(self, estimator: Any) -> float:
        """Return the score of a fitted copy."""
        try:
            value = self.scorer(estimator, self.X, self.y, **self.extra)
        except Exception as error:
            error.add_note(f"This was {self.name} on the validation set.")
            raise
        try:
            return float(value)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{self.argument} must return a number; got {value!r}.") from error
