"""Going on with a fit that was cut off, as if it had not been: what a checkpoint holds for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._checks.arrays import require
from fastmlp._data.codec import TargetCodec
from fastmlp._model.architecture import Architecture, Params
from fastmlp._model.exclusive import as_it_is
from fastmlp._training.record import History, history_of, new_history, new_report

if TYPE_CHECKING:
    from fastmlp._core import RunReport

# Parameters that may be others than those that the checkpoint was made with.
_FREE = {"max_iter", "callbacks", "eval_metrics", "verbose", "n_jobs", "random_state"}
_GENERATOR = ("position", "has_gauss", "gauss")
_COUNTS = ("epochs", "steps", "rows_seen", "no_improvement", "position", "has_gauss")
_REALS = ("rate", "best", "kept", "gauss")


@dataclass(frozen=True, eq=False)
class Resumption:
    """Where a fit stands behind an epoch: what neither weights nor record tell of it.

    Parameters
    ----------
    numbers : dict of float
        The trainer's progress, and the rest of the state of the random generator at the beginning
        of the fit.
    generator : ndarray of uint32 of shape (624,)
        That generator's Mersenne twister.
    slots : ndarray of shape (n_slots * n_parameters,)
        The optimizer's memory.
    kept_params : ndarray of shape (n_parameters,) or (0,)
        The weights of the best epoch, where one is kept; both of the dtype of the network.
    """

    numbers: dict[str, float]
    generator: NDArray[np.uint32]
    slots: NDArray[Any]
    kept_params: NDArray[Any]

    @classmethod
    def of(cls, state: Mapping[str, Any], generator: Mapping[str, Any], dtype: str) -> "Resumption":
        """Make it of a trainer's state, and of that of the generator at the beginning.

        Raises
        ------
        ValueError
            If the generator is not the one that `np.random.RandomState` has by itself.
        """
        if generator["bit_generator"] != "MT19937":
            raise ValueError(
                "A fit can only be resumed if random_state is a number, None or a RandomState with "
                f"the generator MT19937; got one with {generator['bit_generator']}."
            )
        twister = generator["state"]
        numbers = {name: state[name] for name in (*_COUNTS, *_REALS) if name in state}
        numbers |= {"position": twister["pos"], **{k: generator[k] for k in _GENERATOR[1:]}}
        kept = state.get("kept_params")
        return cls(
            numbers,
            np.array(twister["key"], np.uint32),
            _join(state["slots"], dtype),
            _join([kept] if kept else [], dtype),
        )

    def check(self, n_epochs: int) -> None:
        """Refuse what no `of` makes behind so many epochs.

        Raises
        ------
        ValueError
            If it is not sound.
        """
        names = {*_COUNTS, *_REALS}
        require(self.numbers.keys() == names, f"numbers must be {sorted(names)}")
        numbers = self.numbers
        sound = all(type(numbers[name]) is int and 0 <= numbers[name] < 2**63 for name in _COUNTS)
        sound &= all(type(numbers[name]) is float for name in _REALS)
        sound &= numbers["position"] <= 624 and numbers["has_gauss"] <= 1
        require(sound and 0 <= numbers["rate"] < np.inf, "a number is not sound")
        require(numbers["epochs"] == n_epochs, f"there must be {n_epochs} epochs")
        require(self.generator.shape == (624,), "the generator needs 624 numbers")

    def random_state(self) -> np.random.RandomState:
        """Return a generator that draws what that of the fit drew."""
        state = np.random.RandomState()
        position, has_gauss, gauss = (self.numbers[name] for name in _GENERATOR)
        state.set_state(("MT19937", self.generator, int(position), int(has_gauss), gauss))
        return state

    def state(self, plan: Architecture) -> dict[str, Any]:
        """Return what a trainer of the network goes on with.

        Raises
        ------
        ValueError
            If it is that of another network.
        """
        state: dict[str, Any] = {k: v for k, v in self.numbers.items() if k not in _GENERATOR}
        state["slots"] = _split(self.slots, plan)
        if self.kept_params.size:
            (state["kept_params"],) = _split(self.kept_params, plan)
        return state


def _join(groups: Sequence[Params], dtype: str) -> NDArray[Any]:
    """Return all numbers in one vector."""
    arrays = [np.ravel(array) for group in groups for arrays in group for array in arrays]
    return np.concatenate([np.empty(0, dtype), *arrays])


def _split(joined: NDArray[Any], plan: Architecture) -> list[Params]:
    """Return the groups that `_join` was given, each of the network's weights, biases, slopes."""
    shapes = [*plan.coef_shapes, *plan.intercept_shapes, *plan.slope_shapes]
    sizes = [int(np.prod(shape)) for shape in shapes]
    sound = joined.size % sum(sizes) == 0 and joined.dtype == plan.dtype
    require(sound, "resume_from is of another network.")
    groups = []
    for part in joined.reshape(-1, sum(sizes)):
        pieces = np.split(part, np.cumsum(sizes)[:-1])
        arrays = [piece.reshape(shape) for piece, shape in zip(pieces, shapes, strict=True)]
        n = len(arrays) // 3
        groups.append((arrays[:n], arrays[n : 2 * n], arrays[2 * n :]))
    return groups


@dataclass(frozen=True, eq=False)
class Begun:
    """The part of a fit that was trained before it was cut off: nothing, unless it is resumed.

    Parameters
    ----------
    estimator : BaseMLP or None
        The checkpoint.
    """

    estimator: Any = None

    @classmethod
    def of(cls, estimator: Any, checkpoint: Any) -> "Begun":
        """Look at what was given as `resume_from` to the fit of an estimator.

        Raises
        ------
        TypeError
            If it is no estimator of the same class.
        ValueError
            If it is no resumable checkpoint, or was made with other parameters.
        """
        if checkpoint is None:
            return cls()
        kind = type(estimator)
        if type(checkpoint) is not kind:
            raise TypeError(
                f"resume_from must be an {kind.__name__} that fastmlp.load read from the file of a "
                f"Checkpoint; got {checkpoint!r}."
            )
        if "_resumption" not in vars(checkpoint):
            raise ValueError(
                "resume_from was not saved to be resumed: Checkpoint(path, resumable=True) does."
            )
        checkpoint = as_it_is(checkpoint)  # whatever becomes of it meanwhile
        if estimator.warm_start and "coefs_" in vars(estimator):
            raise ValueError("resume_from goes on with a fit, and warm_start=True with another.")
        theirs, ours = checkpoint.get_params(deep=False), estimator.get_params(deep=False)
        for name in ours:
            if name not in _FREE and not _are_same(theirs[name], ours[name]):
                raise ValueError(
                    f"resume_from was made with {name}={theirs[name]!r}; got {ours[name]!r}."
                )
        return cls(checkpoint)

    def __bool__(self) -> bool:
        return self.estimator is not None

    @property
    def resumption(self) -> Resumption:
        """What the checkpoint holds of it."""
        found: Resumption = self.estimator._resumption
        return found

    @property
    def n_epochs(self) -> int:
        """The number of its epochs."""
        return int(self.estimator.n_iter_) if self else 0

    @property
    def params(self) -> Params:
        """The weights behind it."""
        return self.estimator.coefs_, self.estimator.intercepts_, self.estimator.slopes_

    def state(
        self, plan: Architecture, codec: TargetCodec, n_rows: int, *, validated: bool
    ) -> dict[str, Any]:
        """Return what the trainer of a network goes on with, on so many samples.

        Raises
        ------
        ValueError
            If the network, the targets or the number of samples tell of other data, or there was a
            validation set and is none, or the other way round.
        """
        if validated != self.estimator._is_validated:
            raise ValueError(
                "resume_from was trained with a validation set, and there is none now, or the "
                "other way round."
            )
        theirs, ours = vars(self.estimator._codec), vars(codec)
        if not all(np.array_equal(theirs[name], ours[name]) for name in ours):
            raise ValueError("resume_from was trained on other targets.")
        if plan != self.estimator._model.architecture:
            raise ValueError("resume_from is of another network: other inputs, outputs or dtype.")
        if self.resumption.numbers["rows_seen"] != self.n_epochs * n_rows:
            raise ValueError(f"resume_from was trained on another number of samples than {n_rows}.")
        return self.resumption.state(plan)

    def report(self, stopped: str) -> "RunReport":
        """Return the report of a run that ended with it."""
        kept = self.estimator.best_validation_score_
        nothing = new_report(stopped)
        if kept is not None:
            nothing["kept"] = kept
        return self.joined(nothing)

    def joined(self, report: "RunReport") -> "RunReport":
        """Return the report of both parts as that of one run."""
        if not self:
            return report
        before, after = self.estimator.history_, history_of(report)
        columns = {name: before[name] + after[name] for name in new_history()}
        best = report["best_epoch"]
        return {
            **report,
            "epochs": self.n_epochs + report["epochs"],
            "loss": columns["loss"],
            "val_loss": columns["val_loss"],
            "val_score": columns["val_score"],
            "rate": columns["lr"],
            "seconds": columns["seconds"],
            "step_loss": np.concatenate([self.estimator.step_losses_, report["step_loss"]]),
            "best_epoch": self.n_epochs + best if best else self.estimator.best_epoch_ or 0,
            "failed_epoch": self.n_epochs + report["failed_epoch"] if report["failed_epoch"] else 0,
        }

    def metrics(self, names: Sequence[str]) -> History:
        """Return what was measured in it."""
        history = self.estimator.history_ if self else {}
        unknown = [np.nan] * self.n_epochs
        return {name: list(history.get(name, unknown)) for name in names}

    def finished(self, max_iter: int, patience: float, schedule: str) -> str:
        """Return why there is nothing left to train; '' where there is."""
        if not self:
            return ""
        if self.resumption.numbers["no_improvement"] > patience:
            return "rate_too_small" if schedule == "adaptive" else "no_improvement"
        return "max_epochs" if self.n_epochs >= max_iter else ""


def _are_same(a: Any, b: Any) -> bool:
    """Whether two values of a parameter are the same: a list or an array as good as a tuple."""
    if isinstance(a, list | tuple | np.ndarray) and isinstance(b, list | tuple | np.ndarray):
        return len(a) == len(b) and all(map(_are_same, a, b))
    return bool(a == b)
