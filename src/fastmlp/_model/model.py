"""A network with its weights, and with the trainer that can go on with it.

The network of a `Model` is never changed once training has ended, so that whoever has got hold of
one may go on using it: the next call makes another one. It is the only place where weights and the
core's network are put together.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._checks.arrays import NON_FINITE_WEIGHTS, NonFiniteError
from fastmlp._model.architecture import Architecture, Params
from fastmlp._model.settings import TrainerSettings

if TYPE_CHECKING:
    from fastmlp._core import _Network, _Trainer


@dataclass(frozen=True, eq=False)
class Model:
    """The layers, a network of the core, and how it was trained.

    Parameters
    ----------
    architecture : Architecture
        The layers.
    network : _Network
        The core's network.
    params : Params or None
        Its weights, biases and learned parameters: one read-only array of each per layer. None
        where nobody has asked for them, as a copy of large ones takes its time.
    trainer : _Trainer or None
        What can go on training: it has a network of its own, with the same weights until it does.
    settings : TrainerSettings or None
        Those of the trainer.
    mask_seed : int
        Determines the dropout masks that predictions average over.
    made_with : tuple or None
        The values of the estimator's parameters that the trainer was made with, where all are
        plain: as long as they are the same objects, it goes on. None where that isn't known.
    """

    architecture: Architecture
    network: "_Network"
    params: Params | None = None
    trainer: "_Trainer | None" = None
    settings: TrainerSettings | None = None
    mask_seed: int = 0
    made_with: tuple[Any, ...] | None = None

    @classmethod
    def of(cls, architecture: Architecture, params: Params, mask_seed: int = 0) -> "Model":
        """Make the model of these weights.

        Raises
        ------
        NonFiniteError
            If one of them is NaN or infinite.
        """
        return cls(architecture, architecture.pack(*params), mask_seed=mask_seed)._checked()

    @classmethod
    def to_train(
        cls,
        architecture: Architecture,
        params: Params,
        settings: TrainerSettings,
        state: dict[str, Any] | None = None,
        mask_seed: int = 0,
    ) -> "Model":
        """Make one whose network is the trainer's own, which changes until `trained` is called.

        The trainer goes on from `state` if that is given.
        """
        network = architecture.pack(*params)
        trainer = settings.make(network, state)
        return cls(architecture, network, None, trainer, settings, mask_seed)

    def trained(self) -> "Model":
        """Return the model with the weights that the trainer has by now.

        Raises
        ------
        NonFiniteError
            If one of them is NaN or infinite.
        """
        assert self.trainer is not None
        return self._but(network=self.trainer.copy_network(), params=None)._checked()

    def with_trainer(self, settings: TrainerSettings) -> "Model":
        """Return the model with a new trainer."""
        trainer = settings.make(self.network.copy())
        return replace(self, trainer=trainer, settings=settings, made_with=None)

    def without_trainer(self) -> "Model":
        """Return the model as if nobody would go on training it."""
        return replace(self, trainer=None, settings=None, made_with=None)

    def _but(self, **changes: Any) -> "Model":
        """Return the model with other attributes, faster than `dataclasses.replace`."""
        return Model(**(vars(self) | changes))

    def _checked(self) -> "Model":
        if not self.network.is_finite:
            raise NonFiniteError(NON_FINITE_WEIGHTS)
        return self

    def with_params(self, params: Params | None = None) -> "Model":
        """Return the model with its `params`: those given, which are then read-only, or copies."""
        if params is None:
            params = self.network.get_params() if self.params is None else self.params
        for arrays in params:
            for array in arrays:
                array.flags.writeable = False
        return self._but(params=params)

    def holds(
        self,
        coefs: Sequence[NDArray[Any]],
        intercepts: Sequence[NDArray[Any]],
        slopes: Sequence[NDArray[Any]],
    ) -> bool:
        """Whether these lists hold the arrays of `params`, or equal ones of a single number.

        Python compares what lists hold by identity first, in a tenth of the time of a loop.
        """
        try:
            return (coefs, intercepts, slopes) == self.params
        except (ValueError, DeprecationWarning):  # other arrays have no single truth value
            return False

    def masked_outputs(
        self,
        X: NDArray[Any],
        n_samples: int,
        n_threads: int,
        read: Callable[[NDArray[Any]], NDArray[Any]] | None = None,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return mean and standard deviation of the outputs over random dropout masks, or of what
        `read` makes of them.

        By Welford's update, which keeps no more than two arrays.
        """
        mean: Any = 0.0
        squares: Any = 0.0
        for sample in range(n_samples):
            outputs = self.network.predict_masked(X, self.mask_seed, sample, n_threads)
            change = (outputs if read is None else read(outputs)) - mean
            mean = mean + change / (sample + 1)
            squares = squares + change**2 * (sample / (sample + 1))
        return mean, np.sqrt(squares / n_samples)

    def state(self) -> dict[str, Any]:
        """Return what is to be pickled beside the weights, in plain types."""
        return {
            "architecture": asdict(self.architecture),
            "settings": None if self.settings is None else self.settings.state(),
            "trainer": None if self.trainer is None else self.trainer.get_state(),
            "mask_seed": self.mask_seed,
        }

    @classmethod
    def restored(cls, state: Mapping[str, Any], params: Params) -> "Model":
        """Make the model of a `state` again; its trainer goes on as the other one would have.

        The weights are taken in the dtype of the network, and become its `params`.
        """
        architecture = Architecture.restored(**state["architecture"])
        coefs, intercepts, slopes = (
            [np.asarray(array, architecture.dtype) for array in arrays] for arrays in params
        )
        network = architecture.pack(coefs, intercepts, slopes)
        model = cls(architecture, network, mask_seed=state["mask_seed"])
        model = model.with_params((coefs, intercepts, slopes))
        if state["settings"] is None or state["trainer"] is None:
            return model
        settings = TrainerSettings.restored(**state["settings"])
        trainer = settings.make(network.copy(), state["trainer"])
        return replace(model, trainer=trainer, settings=settings)
