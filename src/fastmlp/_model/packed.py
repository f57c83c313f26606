"""The fitted side of an estimator: its weights in the core, fast outputs, pickling."""

import operator
from collections.abc import Mapping
from itertools import chain
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from fastmlp._checks.arrays import (
    CORE_DTYPES,
    LARGEST_COUNT,
    NON_FINITE_WEIGHTS,
    NonFiniteError,
    check_arrays,
    check_range,
    is_clean,
    validate_data,
)
from fastmlp._checks.threads import resolve_n_jobs
from fastmlp._core import GIVE_OUTPUTS
from fastmlp._model.architecture import Architecture, Params, TrainerSettings
from fastmlp._model.exclusive import as_it_is, unchanged

if TYPE_CHECKING:
    from fastmlp._core import _Network, _Trainer


def plain_outputs(known: Mapping[str, Any], X: Any, give: int) -> NDArray[Any] | None:
    """Return what the core is to give of each row of a plain array; None for anything else.

    The array is checked on the way through the network, a block at a time. `known` are the
    attributes of an estimator as they are at one moment.
    """
    if "coefs_" not in known or "feature_names_in_" in known or not _is_packed(known):
        return None
    network: _Network = known["_network"]
    return network.predict_plain(X, resolve_n_jobs(known["n_jobs"]), give, True)


def _is_packed(known: Mapping[str, Any]) -> bool:
    """Whether the arrays of weights are those that the network was last seen with."""
    arrays = (*known["coefs_"], *known["intercepts_"], *known["slopes_"])
    packed = known["_packed"]
    return len(arrays) == len(packed) and all(map(operator.is_, arrays, packed))


class PackedEstimator(BaseEstimator):
    """An estimator whose `coefs_`, `intercepts_` and `slopes_` also live in a network of the core.

    The arrays are read-only, so that they can't drift from the packed copy; putting other arrays
    in their place is noticed.
    """

    n_jobs: int | None
    n_features_in_: int
    coefs_: list[NDArray[Any]]
    intercepts_: list[NDArray[Any]]
    slopes_: list[NDArray[Any]]
    _architecture: Architecture
    _network: "_Network"
    _mask_seed: int  # of the masks that predictions average over
    _packed: tuple[NDArray[Any], ...]
    _trainer: "_Trainer | None"
    _trainer_settings: TrainerSettings

    def _take_network(self, network: "_Network") -> None:
        """Take over a network, and its weights, which must be finite.

        Raises
        ------
        ValueError
            If one of them is NaN or infinite.
        """
        if not network.is_finite:
            raise NonFiniteError(NON_FINITE_WEIGHTS)
        self._network = network
        self.coefs_, self.intercepts_, self.slopes_ = network.get_params()
        self._mark_packed()

    def _mark_packed(self) -> None:
        """Remember which arrays the network holds, and protect them from edits."""
        self._packed = self._arrays()
        for array in self._packed:
            array.flags.writeable = False

    def _arrays(self) -> tuple[NDArray[Any], ...]:
        return (*self.coefs_, *self.intercepts_, *self.slopes_)

    def _forget_training(self) -> None:
        """Let the next step begin with a new optimizer, from the weights as they are."""
        self._trainer = None

    def _holds(self, params: Params) -> bool:
        """Whether these arrays are those that the network was last seen with."""
        arrays = [*chain(*params)]
        return len(arrays) == len(self._packed) and all(map(operator.is_, arrays, self._packed))

    def _is_packed(self) -> bool:
        return _is_packed(vars(self))

    def _ready_network(self) -> "_Network":
        """Return a network with the present weights."""
        if self._is_packed():
            return self._network
        plan = self._architecture
        return plan.pack(
            check_arrays("coefs_", self.coefs_, plan.coef_shapes, plan.dtype),
            check_arrays("intercepts_", self.intercepts_, plan.intercept_shapes, plan.dtype),
            check_arrays("slopes_", self.slopes_, plan.slope_shapes, plan.dtype),
        )

    def _validate_inputs(self, X: Any) -> NDArray[Any]:
        """Return X as the core reads it; scikit-learn's checks, skipped for a clean array."""
        known = vars(self)
        if "coefs_" not in known:
            check_is_fitted(self)
        dtype = self._architecture.dtype
        if "feature_names_in_" not in known and is_clean(X, self.n_features_in_, dtype):
            return X
        checked: NDArray[Any] = validate_data(
            self, X, reset=False, accept_sparse="csr", dtype=CORE_DTYPES
        )
        check_range("X", checked, dtype)
        return checked

    def _outputs(self, X: Any, give: int = GIVE_OUTPUTS) -> NDArray[Any]:
        """Return what the core is to give of each row.

        The type is float32 only where both the network's and that of X are, and otherwise float64.
        """
        outputs = plain_outputs(vars(self), X, give)
        if outputs is not None:
            return outputs
        X = self._validate_inputs(X)
        n_threads = resolve_n_jobs(self.n_jobs)
        return self._ready_network().predict(X, n_threads, give, True)

    def _masked_outputs(
        self, X: Any, n_samples: Any
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return mean and standard deviation of the outputs over random dropout masks."""
        is_count = isinstance(n_samples, Integral) and not isinstance(n_samples, bool)
        if not is_count or not 1 <= n_samples <= LARGEST_COUNT:
            raise ValueError(
                f"dropout_samples must be None or an int >= 1 and < 2**63; got {n_samples!r}."
            )
        X = self._validate_inputs(X)
        network, n_threads = self._ready_network(), resolve_n_jobs(self.n_jobs)
        # Welford's update, which keeps no more than two arrays.
        mean = np.zeros((X.shape[0], network.n_outputs))
        squares = np.zeros_like(mean)
        for sample in range(int(n_samples)):
            change = network.predict_masked(X, self._mask_seed, sample, n_threads) - mean
            mean += change / (sample + 1)
            squares += change**2 * (sample / (sample + 1))
        return mean, np.sqrt(squares / int(n_samples))

    def _mask_averages(
        self, X: Any, dropout_samples: Any, return_std: bool
    ) -> tuple[NDArray[Any], NDArray[Any] | None] | None:
        """Return the mean of the outputs over masks, and their spread if asked for; None without
        masks."""
        if dropout_samples is None:
            if return_std:
                raise ValueError("return_std=True needs dropout_samples; got None.")
            return None
        mean, std = self._masked_outputs(X, dropout_samples)
        narrow = self._architecture.dtype == getattr(X, "dtype", None) == np.float32
        dtype = np.float32 if narrow else np.float64
        return mean.astype(dtype), std.astype(dtype) if return_std else None

    def forward(self, X: Any) -> tuple[list[NDArray[Any]], list[NDArray[Any]]]:
        """Compute every layer's values.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            The inputs.

        Returns
        -------
        zs : list of ndarray of shape (n_samples, units)
            The pre-activations ``x @ w + b`` of each layer, the output layer last.
        ys : list of ndarray of shape (n_samples, units)
            The activations of each layer, the output layer last.

        Raises
        ------
        ValueError
            If the estimator is not fitted, or `X` is not valid.
        """
        model = as_it_is(self)
        X = model._validate_inputs(X)
        return model._ready_network().forward(X, resolve_n_jobs(self.n_jobs))

    def __getstate__(self) -> dict[str, Any]:
        with unchanged(self, "pickle"):
            state = dict(super().__getstate__())
            state.pop("_network", None)
            state.pop("_packed", None)
            if state.get("_trainer") is not None:
                state["_trainer"] = state["_trainer"].get_state()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "coefs_" in state:
            dtype = self._architecture.dtype
            self.coefs_ = [np.asarray(w, dtype) for w in self.coefs_]
            self.intercepts_ = [np.asarray(b, dtype) for b in self.intercepts_]
            self.slopes_ = [np.asarray(a, dtype) for a in self.slopes_]
            self._mark_packed()
            self._network = self._architecture.pack(self.coefs_, self.intercepts_, self.slopes_)
            if state["_trainer"] is not None:
                self._trainer = self._trainer_settings.make(self._network.copy(), state["_trainer"])
