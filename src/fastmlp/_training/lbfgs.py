"""Full-batch training by SciPy's L-BFGS-B on the loss and gradients of the core."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.optimize
from numpy.typing import NDArray
from sklearn.utils.optimize import _check_optimize_result

from fastmlp._checks.threads import one_blas_thread
from fastmlp._checks.warn import warn
from fastmlp._core import GIVE_LOGITS
from fastmlp._data.rows import Data
from fastmlp._model.architecture import Architecture, LayerPlan, Params
from fastmlp._training.hooks import Hook, join
from fastmlp._training.progress import Progress
from fastmlp._training.record import new_report
from fastmlp._training.settings import CoreLoss

if TYPE_CHECKING:
    from fastmlp._core import EpochReport, RunReport, _Network


class Objective:
    """Data loss plus l2 / weight sum * |w|^2 per layer as a function of one packed vector.

    It works in float64: the line search compares losses that differ by less than float32 can tell.
    `reported` is the last value with the data loss multiplied by the loss's `scale`.
    """

    def __init__(
        self,
        architecture: Architecture,
        data: Data,
        *,
        loss: CoreLoss,
        n_threads: int,
        windows: Any = None,
    ) -> None:
        layers = tuple(replace(layer, l1=0.0, l2=0.0) for layer in architecture.layers)
        self.shapes = [
            *architecture.coef_shapes,
            *architecture.intercept_shapes,
            *architecture.slope_shapes,
        ]
        self.network = replace(architecture, layers=layers, dtype="float64").empty()
        self.architecture = architecture
        self.data = data
        self.windows = windows
        self._passes = 0
        self.loss = loss
        self.weight_sum = data.weight_sum()
        self.decays = [2 * layer.l2 / self.weight_sum for layer in architecture.layers]
        self.n_threads = n_threads
        self.reported = np.nan

    def loss_of(self, network: "_Network") -> float:
        """Return the value with the weights of a network of another type, from its own outputs."""
        last = self.architecture.layers[-1]
        outputs = Architecture(last.units, (LayerPlan(last.units, last.activation),), "float64")
        no_bias, no_slope = np.zeros(last.units), np.empty(0)
        identity = outputs.pack([np.eye(last.units)], [no_bias], [no_slope])

        def loss_of(data: Data) -> NDArray[np.float64]:
            z = network.predict(data.x, self.n_threads, GIVE_LOGITS).astype(np.float64)
            return np.array([self.loss.mean_on(identity, replace(data, x=z), self.n_threads)])

        data_loss = float(self._mean(loss_of)[0])
        coefs = [w.astype(np.float64) for w in network.get_params()[0]]
        return self.loss.scale * data_loss + self._penalty(coefs)

    def _penalty(self, coefs: Sequence[NDArray[Any]]) -> float:
        return 0.5 * sum(
            decay * float(np.vdot(w, w)) for decay, w in zip(self.decays, coefs, strict=True)
        )

    def unpack(self, packed: NDArray[np.float64]) -> Params:
        """Split the vector into weights, biases and learned parameters of activations."""
        ends = np.cumsum([np.prod(shape, dtype=int) for shape in self.shapes])
        arrays = [
            part.reshape(shape)
            for part, shape in zip(np.split(packed, ends[:-1]), self.shapes, strict=True)
        ]
        n = len(arrays) // 3
        return arrays[:n], arrays[n : 2 * n], arrays[2 * n :]

    def __call__(self, packed: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Return the value and the gradient."""
        coefs, intercepts, slopes = self.unpack(packed)
        self.network.set_params(coefs, intercepts, slopes)
        found = self._mean(self._loss_and_gradient)
        data_loss = float(found[0])
        penalty = self._penalty(coefs)
        self.reported = self.loss.scale * data_loss + penalty
        dw, db, da = self.unpack(found[1:])
        dw = [d + decay * w for decay, d, w in zip(self.decays, dw, coefs, strict=True)]
        return data_loss + penalty, pack_vector(dw, db, da)

    def _loss_and_gradient(self, data: Data) -> NDArray[np.float64]:
        loss, *gradients = self.network.loss_and_gradients(
            data.x,
            data.t,
            self.loss.name,
            data.sample_weight,
            loss_parameter=self.loss.parameter,
            skips_missing=self.loss.skips_missing,
            n_threads=self.n_threads,
        )
        return pack_vector([np.array([loss])], *gradients)

    def _mean(self, measure: Callable[[Data], NDArray[np.float64]]) -> NDArray[np.float64]:
        """Return what is a weighted mean over samples, over all of them."""
        data = self.data
        if self.windows is not None:
            return self._mean_of_windows(measure)
        if data.shares is None:
            return measure(data)
        means = []
        for shard, held in data.shares.own_shards():
            weight = None if data.sample_weight is None else data.sample_weight[shard]
            means.append(self._weighed(measure, Data(data.x[held], data.t[shard], weight)))
        return data.shares.total(means)

    def _mean_of_windows(
        self, measure: Callable[[Data], NDArray[np.float64]]
    ) -> NDArray[np.float64]:
        total: NDArray[np.float64] = np.zeros(1)
        for number in range(len(self.windows.plan(self._passes))):
            window = self.windows.window(self._passes, number)
            total = total + self._weighed(measure, Data(*window))
        self._passes += 1
        return total

    def _weighed(
        self, measure: Callable[[Data], NDArray[np.float64]], part: Data
    ) -> NDArray[np.float64]:
        """Return the mean over a part, times its share of the weights."""
        share = part.weight_sum() / self.weight_sum
        weightless = replace(part, sample_weight=None)  # whose mean is there, and counts for 0
        weighed: NDArray[np.float64] = share * measure(part if share > 0 else weightless)
        return weighed


def check_settings(estimator: Any, plan: Architecture) -> None:
    """Refuse what a solver without steps, or without gradients at kinks, can't do.

    Raises
    ------
    ValueError
        If the estimator has dropout, a penalty with L1, clipping, label smoothing or a loss of the
        user's own.
    """
    if any(layer.input_dropout for layer in plan.layers):
        raise ValueError("dropout needs a first-order solver; got solver='lbfgs'.")
    if estimator.eval_metrics:
        raise ValueError("eval_metrics need a first-order solver; got solver='lbfgs'.")
    if callable(estimator.loss):
        raise ValueError("A function as loss needs a first-order solver; got solver='lbfgs'.")
    if any(layer.l1 for layer in plan.layers):
        raise ValueError(
            f"penalty={estimator.penalty!r} needs a first-order solver; got solver='lbfgs', which "
            "can't minimise an objective with kinks."
        )
    if estimator.clip_norm is not None or estimator.label_smoothing:
        raise ValueError(
            "clip_norm and label_smoothing need a first-order solver; got solver='lbfgs'."
        )


def pack_vector(*lists: Sequence[NDArray[Any]]) -> NDArray[np.float64]:
    """Join all weights, then all biases, then all slopes, in one float64 vector."""
    return np.concatenate([np.ravel(a) for a in chain(*lists)]).astype(np.float64)


class _StoppedError(Exception):
    """Leaves the minimiser from within."""


class Trace:
    """What is kept of the iterations; the minimiser calls `end_iteration` behind each."""

    def __init__(self, objective: Objective, start: Params) -> None:
        self.x = pack_vector(*start)
        self.objective = objective
        self.hook: Hook | None = None
        self.losses: list[float] = []
        self.seconds: list[float] = []
        self._clock = time.perf_counter()

    def end_iteration(self, intermediate_result: Any) -> None:
        """Keep the iteration, and tell the hook."""
        now = time.perf_counter()
        self.x = np.array(intermediate_result.x)
        self.losses.append(self.objective.reported)
        self.seconds.append(now - self._clock)
        self._clock = now
        if self.hook is None:
            return
        report: EpochReport = {
            "epoch": len(self.losses),
            "loss": self.losses[-1],
            "val_loss": np.nan,
            "val_score": np.nan,
            "rate": np.nan,
            "seconds": self.seconds[-1],
            "event": "",
        }
        if self.hook(report):
            raise _StoppedError

    @property
    def params(self) -> Params:
        """The parameters behind the last iteration."""
        return self.objective.unpack(self.x)

    def report(self, stopped: str) -> "RunReport":
        """Return a report like the core's."""
        report, unknown = new_report(stopped), [np.nan] * len(self.losses)
        report["epochs"], report["loss"], report["seconds"] = (
            len(self.losses),
            self.losses,
            self.seconds,
        )
        report["val_loss"] = report["val_score"] = report["rate"] = unknown
        return report


def minimize(
    trace: Trace,
    *,
    max_iter: int,
    max_fun: int,
    tol: float,
    verbose: int,
    hooks: Sequence[Hook] = (),
) -> tuple[Params, "RunReport", float]:
    """Minimise the objective of `trace` from where that begins.

    Returns the parameters, a report like the core's, and the loss.

    Warns with a ConvergenceWarning when it ends before it has converged. Ctrl-C ends it with a
    warning and the parameters of the last iteration, and so, without a warning, does a hook that
    returns True.

    BLAS gets one thread: SciPy needs no more for its vectors, and more of them would keep the cores
    from the core's own threads for as long as they wait for work.
    """
    with Progress(verbose, max_iter) as progress, one_blas_thread():
        trace.hook = join(hooks, progress)
        try:
            result = scipy.optimize.minimize(
                trace.objective,
                trace.x,
                method="L-BFGS-B",
                jac=True,
                options={"maxfun": max_fun, "maxiter": max_iter, "gtol": tol},
                callback=trace.end_iteration,
            )
            _check_optimize_result("lbfgs", result, max_iter)
            trace.x = result.x
            stopped = {0: "converged", 1: "max_iter"}.get(result.status, "line_search_failed")
        except _StoppedError:
            stopped = "callback"
        except KeyboardInterrupt:
            if trace.objective.data.shares is not None:
                trace.objective.data.shares.group.forget_interrupt()
            if trace.objective.windows is not None:
                trace.objective.windows.abandon()
            warn("Training interrupted by user.")
            stopped = "interrupted"

    if stopped != "interrupted":  # when there is no time for another pass
        trace.objective(trace.x)
    return trace.params, trace.report(stopped), float(trace.objective.reported)
