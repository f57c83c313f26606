"""What callbacks are told of an epoch. Users find it in `fastmlp.callbacks`."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class EpochEnd:
    """What a callback is told about the epoch that has just ended.

    Parameters
    ----------
    epoch : int
        The epoch's number, from 1; a warm start and `partial_fit` go on counting. An iteration of
        'lbfgs' counts as an epoch.
    loss : float
        The training loss, with the penalty.
    val_loss : float or None
        The loss on the validation set, on the scale of `loss` but without the penalty; None without
        such a set.
    val_score : float or None
        The score on the validation set; None without one.
    learning_rate : float or None
        The learning rate of the epoch; None for 'lbfgs'.
    seconds : float
        How long the epoch took.
    elapsed : float
        The seconds since training began in this call of `fit`, callbacks included.
    metrics : dict of float
        What else `history_` has of the epoch, by the same names: `eval_metrics`, and the losses on
        further validation sets.
    """

    epoch: int
    loss: float
    val_loss: float | None
    val_score: float | None
    learning_rate: float | None
    seconds: float
    elapsed: float
    metrics: dict[str, float]

    def numbers(self) -> dict[str, Any]:
        """Return all that is told, `metrics` among the rest by their own names.

        Returns
        -------
        numbers : dict
            The attributes by name; what is None stays so.
        """
        told = asdict(self)
        metrics: dict[str, Any] = told.pop("metrics")
        return told | metrics

    def snapshot(self, *, resumable: bool = False) -> Any:
        """Return a fitted copy of the estimator, as if this epoch had been the last.

        Its weights are those behind this epoch, also where there is a validation set and an earlier
        epoch was better. The copy lacks the state of the optimizer.

        Parameters
        ----------
        resumable : bool, default=False
            Whether the copy is to hold all that the argument `resume_from` of `fit` needs, to go on
            with this training from here.

        Returns
        -------
        estimator : object
            The fitted estimator, which training goes on without.

        Raises
        ------
        RuntimeError
            If the callback has returned: training has gone on since.
        ValueError
            If it is to be resumable, and is not a call of `fit` with a first-order solver, or draws
            from a generator of another kind than NumPy's MT19937.
        """
        make = self.__dict__.get("_make_snapshot")
        if make is None:
            raise RuntimeError("snapshot() works only while the callback runs.")
        return make(resumable=resumable)
