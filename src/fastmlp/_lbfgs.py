"""Full-batch training by SciPy's L-BFGS-B on the loss and gradients of the core."""

import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.optimize
from numpy.typing import NDArray
from sklearn.utils.optimize import _check_optimize_result

from fastmlp._architecture import Architecture, Params
from fastmlp._progress import Progress
from fastmlp._training import Data

if TYPE_CHECKING:
    from fastmlp._core import RunReport


class Objective:
    """Data loss plus alpha / (2 * weight sum) * |w|^2 as a function of one packed vector.

    It works in float64: the line search compares losses that differ by less than float32 can tell.
    `reported` is the last value with the data loss multiplied by `loss_scale`.
    """

    def __init__(
        self,
        architecture: Architecture,
        data: Data,
        *,
        loss: str,
        alpha: float,
        loss_scale: float,
        n_threads: int,
    ) -> None:
        layers = tuple(replace(layer, l1=0.0, l2=0.0) for layer in architecture.layers)
        self.shapes = architecture.coef_shapes + architecture.intercept_shapes
        zeros = [np.zeros(shape) for shape in self.shapes]
        n_layers = len(layers)
        self.network = replace(architecture, layers=layers, dtype="float64").pack(
            zeros[:n_layers], zeros[n_layers:]
        )
        self.data = data
        self.loss = loss
        weight = data.sample_weight
        self.decay = alpha / float(len(data.x) if weight is None else weight.sum())
        self.loss_scale = loss_scale
        self.n_threads = n_threads
        self.reported = np.nan

    def unpack(self, packed: NDArray[np.float64]) -> Params:
        """Split the vector into weights and biases."""
        ends = np.cumsum([np.prod(shape, dtype=int) for shape in self.shapes])
        arrays = [
            part.reshape(shape)
            for part, shape in zip(np.split(packed, ends[:-1]), self.shapes, strict=True)
        ]
        half = len(arrays) // 2
        return arrays[:half], arrays[half:]

    def __call__(self, packed: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Return the value and the gradient."""
        coefs, intercepts = self.unpack(packed)
        self.network.set_params(coefs, intercepts)
        data_loss, dw, db = self.network.loss_and_gradients(
            self.data.x, self.data.t, self.loss, self.data.sample_weight, self.n_threads
        )
        penalty = 0.5 * self.decay * sum(float(np.vdot(w, w)) for w in coefs)
        self.reported = self.loss_scale * data_loss + penalty
        slopes = [d + self.decay * w for d, w in zip(dw, coefs, strict=True)]
        return data_loss + penalty, pack_vector(slopes, db)


def pack_vector(
    coefs: Sequence[NDArray[Any]], intercepts: Sequence[NDArray[Any]]
) -> NDArray[np.float64]:
    """Join all weights, then all biases, in one float64 vector."""
    return np.concatenate([np.ravel(a) for a in (*coefs, *intercepts)]).astype(np.float64)


@dataclass
class Trace:
    """What was seen of the iterations so far."""

    x: NDArray[np.float64]
    losses: list[float]
    seconds: list[float]


def minimize(
    objective: Objective,
    start: Params,
    *,
    max_iter: int,
    max_fun: int,
    tol: float,
    verbose: int,
) -> tuple[Params, "RunReport", float]:
    """Minimise `objective` from `start`; return parameters, a report like the core's, and the loss.

    Warns with a ConvergenceWarning when it ends before it has converged. Ctrl-C ends it with a
    warning and the parameters of the last iteration.
    """
    trace = Trace(pack_vector(*start), [], [])
    clock = time.perf_counter()

    with Progress(verbose, max_iter) as progress:

        def end_iteration(intermediate_result: Any) -> None:
            nonlocal clock
            now = time.perf_counter()
            trace.x = np.array(intermediate_result.x)
            trace.losses.append(objective.reported)
            trace.seconds.append(now - clock)
            clock = now
            if progress:
                progress(
                    {
                        "epoch": len(trace.losses),
                        "loss": objective.reported,
                        "val_score": np.nan,
                        "rate": np.nan,
                        "seconds": trace.seconds[-1],
                        "event": "",
                    }
                )

        try:
            result = scipy.optimize.minimize(
                objective,
                trace.x,
                method="L-BFGS-B",
                jac=True,
                options={"maxfun": max_fun, "maxiter": max_iter, "gtol": tol},
                callback=end_iteration,
            )
            _check_optimize_result("lbfgs", result, max_iter)
            trace.x = result.x
            stopped = {0: "converged", 1: "max_iter"}.get(result.status, "line_search_failed")
        except KeyboardInterrupt:
            warnings.warn("Training interrupted by user.", stacklevel=2)
            stopped = "interrupted"

    objective(trace.x)
    report: RunReport = {
        "stopped": stopped,
        "epochs": len(trace.losses),
        "loss": trace.losses,
        "val_score": [],
        "rate": [],
        "seconds": trace.seconds,
        "best_epoch": 0,
        "failed_epoch": 0,
        "failed_batch": 0,
    }
    return objective.unpack(trace.x), report, float(objective.reported)
