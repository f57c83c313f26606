"""What `scoring` makes of an epoch: a user's score of the network in training."""

from collections.abc import Callable
from typing import Any

from sklearn.metrics import get_scorer

from fastmlp._checks.arrays import check_takes
from fastmlp._data.codec import TargetCodec
from fastmlp._data.rows import Data


def score_hook(
    estimator: Any, snapshot: Callable[[], Any], validation: Data | None, codec: TargetCodec
) -> Callable[[], float]:
    """Return the user's score of the estimator as it is at the moment of the call.

    It sees a fitted copy, and the inputs as the user gave them where their columns have names.

    Raises
    ------
    TypeError
        If a function given as `scoring` doesn't take what it has to.
    """
    assert validation is not None
    validation = validation.on_its_own()
    scoring: Any = estimator.scoring
    X = validation.x if validation.frame is None else validation.frame
    y = codec.decode(validation.t)
    weight = validation.sample_weight
    extra = {} if weight is None else {"sample_weight": weight}
    if isinstance(scoring, str):
        scorer = get_scorer(scoring)
    else:
        scorer = scoring
        wanted = "(estimator, X, y)"
        if extra:
            wanted = (
                "(estimator, X, y, sample_weight=), for the samples of the validation set have "
                "weights"
            )
        check_takes("scoring", scorer, wanted, estimator, X, y, **extra)

    def score() -> float:
        try:
            value = scorer(snapshot(), X, y, **extra)
        except Exception as error:
            error.add_note(f"This was scoring={scoring!r} on the validation set.")
            raise
        try:
            return float(value)
        except (TypeError, ValueError) as error:
            raise ValueError(f"scoring must return a number; got {value!r}.") from error

    return score
