"""The compiled core. `tests/architecture/test_stub.py` holds this file against the module."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Self, TypedDict

import numpy as np
from numpy.typing import NDArray

class ParameterRow(TypedDict):
    name: str
    value: float  # unless it is given; where it is learned, at the start
    learned: bool

class ActivationRow(TypedDict):
    name: str
    doc: str
    keeps: str  # what the slope is computed from: "output", "input" or "row" (softmax)
    outputs: str  # the range of a row of outputs: "real", "non-negative", "unit", "simplex" ...
    parameter: ParameterRow | None

class LossRow(TypedDict):
    name: str
    doc: str
    link: str  # the output activation that the loss is fused with
    after: list[str]  # the output activations that it is a loss of, the link among them
    outputs: str  # the widest range of outputs that it takes, in words
    targets: str  # the range of targets, in words
    has_labels: bool  # whether targets are probabilities of classes, or of yes and no
    mean_over_outputs: bool
    has_pairs: bool  # whether a target has two outputs
    parameter: ParameterRow | None

class OptimizerRow(TypedDict):
    name: str
    doc: str
    slots: int
    hyperparameters: dict[str, float]  # in order, with their defaults

class TargetRow(TypedDict):
    name: str
    doc: str
    available: bool
    lanes: int  # float32 numbers in a vector

class Catalog(TypedDict):
    activations: list[ActivationRow]
    losses: list[LossRow]
    optimizers: list[OptimizerRow]
    targets: list[TargetRow]

class RunReport(TypedDict):
    stopped: str  # "max_epochs", "no_improvement", "rate_too_small", "callback" or "non_finite"
    epochs: int  # epochs completed by this run
    loss: list[float]
    val_loss: list[float]
    val_score: list[float]
    rate: list[float]
    seconds: list[float]
    step_loss: NDArray[np.float64]  # the loss of every step
    best_epoch: int  # 1-based within this run: whose weights are kept; 0 where none of it are
    kept: float  # the score of the weights that are kept; -inf where none are
    failed_epoch: int  # 1-based epoch and batch of the first non-finite loss, otherwise 0
    failed_batch: int

class EpochReport(TypedDict):
    epoch: int  # 1-based within this run
    loss: float
    val_loss: float  # NaN without a validation set
    val_score: float  # likewise
    rate: float
    seconds: float
    event: str  # what the stopping rule did: "", "no_improvement", "rate_cut" or "rate_too_small"

def catalog() -> Catalog: ...
def current_target() -> str: ...
def set_target(name: str) -> None: ...
def max_threads() -> int: ...
def limit_threads(most: int) -> None: ...
def machine_limits(n_threads: int = ...) -> tuple[float, float]: ...

class Backoff:
    def __init__(self) -> None: ...
    def threads(self, wanted: int, flops: float) -> int: ...
    @property
    def pause(self) -> float: ...
    @staticmethod
    def is_late(waited: float, phase: float) -> bool: ...
    def did(self, flops: float, threads: int, seconds: float, lost: float) -> None: ...

def allocation_count() -> int: ...
def first_outside(
    loss: str, t: NDArray[Any], skips_missing: bool = ...
) -> tuple[int, float] | None: ...

class GraphOpRow(TypedDict):
    name: str
    arity: int
    doc: str

class graph:  # noqa: N801 - a submodule, spelt as one
    """What computation graphs are made of."""
    @staticmethod
    def ops() -> list[GraphOpRow]: ...

class _GraphNode:
    def __init__(self, value: NDArray[Any], requires_grad: bool, name: str = ...) -> None: ...
    @staticmethod
    def apply(
        operation: str,
        inputs: Sequence[Any],  # nodes of the same class
        *,
        kind: str = ...,
        parameter: float | None = ...,  # the name of an activation or a loss
        on_logits: bool = ...,
        axis: int | None = ...,
        keep_dims: bool = ...,
        rate: float = ...,
        seed: int = ...,
    ) -> _GraphNode: ...
    def forward(self, training: bool = ..., n_threads: int = ...) -> None: ...
    def backward(self, gradient: Any = ..., n_threads: int = ...) -> None: ...
    def order(self) -> list[_GraphNode]: ...
    def describe(self) -> str: ...
    def set_value(self, value: NDArray[Any]) -> None: ...
    def set_name(self, name: str) -> None: ...
    @property
    def value(self) -> float | NDArray[Any] | None: ...
    @property
    def grad(self) -> float | NDArray[Any] | None: ...
    @property
    def name(self) -> str: ...
    @property
    def operation(self) -> str: ...
    @property
    def inputs(self) -> list[_GraphNode]: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def requires_grad(self) -> bool: ...

class GraphNodeFloat32(_GraphNode): ...
class GraphNodeFloat64(_GraphNode): ...

class _GraphOptimizer:
    def __init__(
        self,
        variables: Sequence[Any],
        optimizer: str,
        hyperparameters: Sequence[float],
        l1: float = ...,
        l2: float = ...,
    ) -> None: ...
    @property
    def steps(self) -> int: ...
    def step(self, rate: float, n_threads: int = ...) -> None: ...

class GraphOptimizerFloat32(_GraphOptimizer): ...
class GraphOptimizerFloat64(_GraphOptimizer): ...

class DenseSpec:
    """One dense layer, and what is done to its input."""
    def __init__(
        self,
        parts: Sequence[tuple[str, int, float | None]],
        *,
        input_dropout: float = ...,
        dropout_mode: str = ...,
        norm_epsilon: float = ...,
        l1: float = ...,
        l2: float = ...,
    ) -> None: ...
    @property
    def units(self) -> int: ...

# What a prediction gives: outputs, what the last activation takes, or probabilities, never 0.
GIVE_OUTPUTS: Final[int]
GIVE_LOGITS: Final[int]
GIVE_PROBABILITIES: Final[int]

class EncodingSpec:
    """What becomes of a column: 'scaled', 'bins', 'periodic', 'one_hot' or 'missing'."""

    def __init__(
        self,
        kind: str,
        column: int,
        *,
        first: Sequence[float] = ...,  # the edges of bins, or frequencies
        second: Sequence[float] = ...,  # phases
        codes: int = ...,  # of 'one_hot': how many
        scale: float = ...,  # of 'one_hot'
    ) -> None: ...
    @property
    def width(self) -> int: ...

class _Encoder:
    def __init__(
        self,
        n_columns: int,
        encodings: Sequence[EncodingSpec],
        *,
        learns_waves: bool = ...,
        scale_rate: float = ...,
    ) -> None: ...
    @property
    def width(self) -> int: ...

class EncoderFloat32(_Encoder): ...
class EncoderFloat64(_Encoder): ...

class _Network:
    def __init__(
        self, n_features: int, layers: Sequence[DenseSpec], encoder: _Encoder | None = ...
    ) -> None: ...
    @property
    def n_columns(self) -> int: ...
    def get_encoding(self) -> list[NDArray[Any]]: ...  # factors, frequencies, phases
    def set_encoding(self, arrays: Sequence[NDArray[Any]]) -> None: ...
    @property
    def n_features(self) -> int: ...
    @property
    def n_outputs(self) -> int: ...
    @property
    def n_params(self) -> int: ...
    @property
    def is_finite(self) -> bool: ...
    @property
    def target(self) -> str: ...
    def set_params(
        self,
        coefs: Sequence[NDArray[Any]],
        intercepts: Sequence[NDArray[Any]],
        slopes: Sequence[NDArray[Any]] | None = ...,
    ) -> None: ...
    def get_params(self) -> tuple[list[NDArray[Any]], list[NDArray[Any]], list[NDArray[Any]]]: ...
    def copy(self) -> Self: ...
    def predict(
        self, x: NDArray[Any], n_threads: int = ..., give: int = ..., like_x: bool = ...
    ) -> NDArray[Any]: ...
    def predict_plain(
        self, x: object, n_threads: int = ..., give: int = ..., like_x: bool = ...
    ) -> NDArray[Any] | None: ...
    def predict_masked(
        self, x: NDArray[Any], seed: int, sample: int, n_threads: int = ...
    ) -> NDArray[Any]: ...
    def forward(
        self, x: NDArray[Any], n_threads: int = ...
    ) -> tuple[list[NDArray[Any]], list[NDArray[Any]]]: ...
    def input_gradients(self, x: NDArray[Any], n_threads: int = ...) -> NDArray[Any]: ...
    def mean_loss(
        self,
        x: NDArray[Any],
        t: NDArray[Any],
        loss: str,
        sample_weight: NDArray[Any] | None = ...,
        loss_parameter: float | list[float] | None = ...,
        skips_missing: bool = ...,
        own_loss: Callable[..., Any] | None = ...,
        n_threads: int = ...,
    ) -> float: ...
    def loss_and_gradients(
        self,
        x: NDArray[Any],
        t: NDArray[Any],
        loss: str,
        sample_weight: NDArray[Any] | None = ...,
        loss_parameter: float | list[float] | None = ...,
        skips_missing: bool = ...,
        n_threads: int = ...,
    ) -> tuple[float, list[NDArray[Any]], list[NDArray[Any]], list[NDArray[Any]]]: ...

class NetworkFloat32(_Network): ...
class NetworkFloat64(_Network): ...

class _Trainer:
    def __init__(
        self,
        network: _Network,
        *,
        loss: str,
        optimizer: str,
        hyperparameters: Mapping[str, float] = ...,
        schedule: str = ...,
        monitor: str = ...,
        loss_parameter: float | list[float] | None = ...,
        skips_missing: bool = ...,
        label_smoothing: float = ...,
        own_loss: bool = ...,
        **settings: float,
    ) -> None: ...
    @property
    def steps(self) -> int: ...
    @property
    def rate(self) -> float: ...
    def copy_network(self) -> _Network: ...
    @property
    def report(self) -> RunReport: ...
    @property
    def fewest_threads(self) -> int: ...
    def run(
        self,
        x: NDArray[Any] | None = ...,
        t: NDArray[Any] | None = ...,
        sample_weight: NDArray[Any] | None = ...,
        *,
        epochs: int,
        x_val: NDArray[Any] | None = ...,
        t_val: NDArray[Any] | None = ...,
        sample_weight_val: NDArray[Any] | None = ...,
        rows: NDArray[Any] | None = ...,  # of x, t and their weights: those to train on
        rows_val: NDArray[Any] | None = ...,  # likewise, to validate on
        windows: Any = ...,  # in place of arrays: src/cpp/bindings/held_rows.h
        on_epoch_end: Callable[[EpochReport], bool] | None = ...,
        rate: Callable[[int], float] | None = ...,  # of an epoch of this run, from 0
        score: Callable[[], float] | None = ...,
        own_loss: Callable[..., Any] | None = ...,  # of outputs and targets
        shared: Any = ...,  # rows of several processes: src/cpp/bindings/python_exchange.h
        n_threads: int = ...,
    ) -> RunReport: ...
    def get_state(self) -> dict[str, Any]: ...
    def set_state(self, state: Mapping[str, Any]) -> None: ...

class TrainerFloat32(_Trainer): ...
class TrainerFloat64(_Trainer): ...

class Course:
    def __init__(self, *, schedule: str, **settings: float) -> None: ...
    @property
    def rate(self) -> float: ...
    def set_rate(self, rate: float) -> None: ...
    def count(self, score: float, epochs: int, rows: int) -> str: ...

class PackReport(RunReport, TypedDict):
    best_loss_epoch: int  # 1-based epoch of the least validation loss, otherwise 0

def is_cancelled() -> bool: ...  # whether the calls of this thread are to end

class Cancellation:
    def __init__(self) -> None: ...
    def cancel(self) -> None: ...
    def __enter__(self) -> None: ...
    def __exit__(self, kind: object, error: object, traceback: object) -> None: ...

class _Pack:
    def __init__(self) -> None: ...
    def add(
        self,
        trainer: _Trainer,
        x: NDArray[Any] | None,
        t: NDArray[Any] | None,
        sample_weight: NDArray[Any] | None,
        x_val: NDArray[Any],
        t_val: NDArray[Any],
        sample_weight_val: NDArray[Any] | None,
        *,
        rows: NDArray[Any] | None = ...,
        rows_val: NDArray[Any] | None = ...,
        windows: Any = ...,
        epochs: int,
        patience: int,
    ) -> None: ...
    def run(
        self,
        *,
        n_threads: int = ...,
        seconds: float = ...,
        # with the members finished, and the mean of their least validation losses
        on_poll: Callable[[int, float], object] | None = ...,
    ) -> list[PackReport | None]: ...
    def by_loss(self, member: int) -> _Network | None: ...

class PackFloat32(_Pack): ...
class PackFloat64(_Pack): ...

class Balance:
    def __init__(self, threads: int, fixed: bool) -> None: ...
    def part(self, rank: int) -> tuple[float, float]: ...
    def share(self, n: int, grain: int, rank: int) -> tuple[int, int]: ...
    def took(self, rank: int, work: float, seconds: float) -> None: ...
    def adjust(self) -> None: ...

class Rest:
    def offer(self, begin: int, end: int) -> None: ...
    def take_front(self, whole: int) -> tuple[int, int]: ...
    def take_back(self, whole: int) -> tuple[int, int]: ...

class TeamSize:
    def __init__(self, most: int, batch: int, fixed: bool) -> None: ...
    @property
    def threads(self) -> int: ...
    def rows_ahead(self, left: int) -> int: ...
    def took(self, rows: int, seconds: float) -> None: ...
    def resume(self, awake: bool) -> None: ...

class PerceptronReport(TypedDict):
    coef: NDArray[np.float64]  # (n_outputs, n_features)
    intercept: NDArray[np.float64]  # (n_outputs,)
    mistakes: list[int]  # per epoch, over all outputs
    failed_epoch: int  # 1-based epoch that left weights that are not finite, otherwise 0

def train_perceptron(
    x: Any,
    t: NDArray[Any] | None,
    coef: NDArray[Any],
    intercept: NDArray[Any],
    *,
    windows: Any = ...,  # in place of x and t
    eta0: float = ...,
    epochs: int,
    shuffle: bool = ...,
    seed: int = ...,
    first_epoch: int = ...,
) -> PerceptronReport: ...

class kernels:  # noqa: N801 - a submodule, spelt as one
    """Every kernel of every target by name, for the tests. Arrays are C-contiguous."""
    @staticmethod
    def dense_forward(
        target: str,
        activation: str,
        x: NDArray[Any],
        w: NDArray[Any],
        b: NDArray[Any],
        parameter: Any = ...,
    ) -> NDArray[Any]: ...
    @staticmethod
    def dense_backward_input(
        target: str,
        activation: str,
        dz: NDArray[Any],
        w: NDArray[Any],
        kept: NDArray[Any],
        parameter: Any = ...,
    ) -> NDArray[Any]: ...
    @staticmethod
    def dense_backward_weights(
        target: str, x: NDArray[Any], dz: NDArray[Any]
    ) -> tuple[NDArray[Any], NDArray[Any]]: ...
    @staticmethod
    def activation_forward(
        target: str,
        activation: str,
        z: NDArray[Any],
        parameter: Any = ...,
        columns: tuple[int, int] | None = ...,
    ) -> NDArray[Any]: ...
    @staticmethod
    def activation_backward(
        target: str,
        activation: str,
        kept: NDArray[Any],
        dy: NDArray[Any],
        parameter: Any = ...,
        columns: tuple[int, int] | None = ...,
    ) -> tuple[NDArray[Any], NDArray[Any]]: ...
    @staticmethod
    def loss(
        target: str,
        loss: str,
        on_logits: bool,
        y: NDArray[Any],
        t: NDArray[Any],
        row_weight: NDArray[Any],
        parameter: float | list[float] | None = ...,
        skips_missing: bool = ...,
    ) -> tuple[NDArray[Any], NDArray[Any]]: ...
    @staticmethod
    def optimizer_step(
        target: str,
        optimizer: str,
        w: NDArray[Any],
        g: NDArray[Any],
        slots: Sequence[NDArray[Any]],
        rate: float,
        hyperparameters: Mapping[str, float],
        step: int,
        l1: float,
        l2: float,
    ) -> tuple[NDArray[Any], list[NDArray[Any]], float]: ...
    @staticmethod
    def sum_parts(target: str, parts: NDArray[Any]) -> NDArray[Any]: ...
    @staticmethod
    def dropout(
        target: str,
        x: NDArray[Any],
        rate: float,
        scale: float,
        seed: int,
        layer: int,
        step: int,
    ) -> NDArray[Any]: ...
    @staticmethod
    def random_bits(target: str, seed: int, counter: Sequence[int]) -> NDArray[np.uint32]: ...

__compiler__: Final[str]
__version__: Final[str]
