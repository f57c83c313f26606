"""What `scoring` makes of an epoch: a user's score of the network in training."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sklearn.metrics import get_scorer

from fastmlp._training import Data
from fastmlp._validation import check_takes

if TYPE_CHECKING:
    from fastmlp._fitting import TrainedEstimator


def score_hook(estimator: "TrainedEstimator", validation: Data | None) -> Callable[[], float]:
    """Return the user's score of the weights as they are at the moment of the call.

    Raises
    ------
    TypeError
        If a function given as `scoring` doesn't take what it has to.
    """
    assert validation is not None
    scoring: Any = estimator.scoring
    y = estimator._decode(validation.t)
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
        check_takes("scoring", scorer, wanted, estimator, validation.x, y, **extra)
    # A fitted estimator as far as predictions go, whose network is the one in training.
    probe = object.__new__(type(estimator))
    probe.__dict__.update(vars(estimator), coefs_=[], intercepts_=[], slopes_=[], _packed=())

    def score() -> float:
        try:
            value = scorer(probe, validation.x, y, **extra)
        except Exception as error:
            error.add_note(f"This was scoring={scoring!r} on the validation set.")
            raise
        try:
            return float(value)
        except (TypeError, ValueError) as error:
            raise ValueError(f"scoring must return a number; got {value!r}.") from error

    return score
