"""One network of an ensemble: how it is made, trained, and kept."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from fastmlp import _core
from fastmlp._tabular.encoding import Encoding
from fastmlp._tabular.recipe import Recipe


@dataclass(frozen=True)
class Task:
    """What the networks of an ensemble are to learn: so many classes, or a number."""

    n_classes: int  # 0 for a number

    @property
    def n_outputs(self) -> int:
        """The units of the last layer."""
        return self.n_classes or 1

    @property
    def loss(self) -> str:
        """The core's name of the loss."""
        return "cross_entropy" if self.n_classes else "squared_error"

    @property
    def loss_factor(self) -> float:
        """What that loss is multiplied by: of errors the core squares half."""
        return 1.0 if self.n_classes else 2.0

    @property
    def output(self) -> str:
        """The activation of the last layer."""
        return "softmax" if self.n_classes else "identity"


@dataclass(frozen=True, eq=False)
class NetworkState:
    """All that a network is, as plain values: of a pickle, or a file.

    Parameters
    ----------
    recipe : Recipe
        Its settings.
    task : Task
        What it is to learn.
    n_columns : int
        The columns of a table that was read, with those of means of targets.
    encodings : list of Encoding
        What becomes of them.
    coefs, intercepts : list of ndarray of shape (fan_in, fan_out) and (fan_out,)
        Of its layers.
    learned : list of ndarray
        What the encoder learned: factors, frequencies and phases; empty where it learns nothing.
    """

    recipe: Recipe
    task: Task
    n_columns: int
    encodings: list[Encoding]
    coefs: list[NDArray[np.float32]]
    intercepts: list[NDArray[np.float32]]
    learned: list[NDArray[np.float32]]


class TableNetwork:
    """A core network behind encodings of a table's columns; it can be pickled.

    The arguments are those of its `NetworkState`.
    """

    def __init__(
        self, recipe: Recipe, task: Task, n_columns: int, encodings: list[Encoding]
    ) -> None:
        self.recipe, self.task = recipe, task
        self.n_columns, self.encodings = n_columns, encodings
        self.core: Any = self._build()

    @classmethod
    def of(cls, state: NetworkState) -> Self:
        """Make a network that is in this state.

        Raises
        ------
        ValueError
            If something in it doesn't go together.
        """
        _check_shapes(state)  # before there is memory for what they should be
        network = cls(state.recipe, state.task, state.n_columns, state.encodings)
        network.core.set_params(state.coefs, state.intercepts)
        if network.learns:
            network.core.set_encoding(state.learned)
        return network

    @property
    def state(self) -> NetworkState:
        """Copies of all that it is."""
        coefs, intercepts, _ = self.core.get_params()
        learned = self.core.get_encoding() if self.learns else []
        return NetworkState(
            self.recipe, self.task, self.n_columns, self.encodings, coefs, intercepts, learned
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return TableNetwork.of, (self.state,)

    def _build(self) -> _core.NetworkFloat32:
        recipe = self.recipe
        encoder = _core.EncoderFloat32(
            self.n_columns,
            [encoding.spec() for encoding in self.encodings],
            learns_waves=self.learns_waves,
            scale_rate=recipe.scale_rate,
        )
        layers = [
            _core.DenseSpec(
                [(activation, units, None)],
                input_dropout=recipe.dropout if i else 0.0,
                l2=recipe.decay / 2,
            )
            for i, (activation, units) in enumerate(layers_of(recipe, self.task))
        ]
        return _core.NetworkFloat32(encoder.width, layers, encoder)

    @property
    def learns_waves(self) -> bool:
        """Whether it has frequencies and phases, which it learns."""
        return any(encoding.kind == "periodic" for encoding in self.encodings)

    @property
    def learns(self) -> bool:
        """Whether its encoder learns anything."""
        return self.learns_waves or self.recipe.scale_rate > 0

    def start(self, random_state: np.random.Generator) -> None:
        """Set the weights that training begins with: Glorot and Bengio, 2010."""
        sizes = [self.core.n_features, *(units for _, units in layers_of(self.recipe, self.task))]
        weights, biases = [], []
        for fan_in, fan_out in pairwise(sizes):
            bound = np.sqrt(6 / (fan_in + fan_out))
            weights.append(random_state.uniform(-bound, bound, (fan_in, fan_out)))
            biases.append(random_state.uniform(-bound, bound, fan_out))
        self.core.set_params(weights, biases)

    def trainer(self, batch_size: int, seed: int) -> _core.TrainerFloat32:
        """Return what trains it."""
        return _core.TrainerFloat32(
            self.core,
            loss=self.task.loss,
            optimizer="adamw",
            monitor="accuracy" if self.task.n_classes else "val_loss",
            rate=self.recipe.rate,
            batch_size=batch_size,
            seed=seed,
            n_iter_no_change=-1,
        )

    def with_core(self, core: Any) -> "TableNetwork":
        """Return the same network with other weights."""
        other: TableNetwork = object.__new__(type(self))
        other.__dict__.update(self.__dict__, core=core)
        return other

    def predict(self, table: NDArray[np.float32], n_threads: int) -> NDArray[np.float64]:
        """Return probabilities or numbers, of shape (n_rows, n_outputs)."""
        return np.asarray(self.core.predict(table, n_threads), dtype=np.float64)


def _check_shapes(state: NetworkState) -> None:
    n_inputs = sum(encoding.spec().width for encoding in state.encodings)
    sizes = [n_inputs, *(units for _, units in layers_of(state.recipe, state.task))]
    shapes = [coef.shape for coef in state.coefs]
    if shapes != list(pairwise(sizes)):
        raise ValueError(f"the weights must have the shapes {list(pairwise(sizes))}; got {shapes}")


def layers_of(recipe: Recipe, task: Task) -> list[tuple[str, int]]:
    """Return activation and units of each layer."""
    hidden = [(recipe.activation, units) for units in recipe.hidden]
    return [*hidden, (task.output, task.n_outputs)]


@dataclass(frozen=True)
class Member:
    """A network that was trained on all folds but one.

    Parameters
    ----------
    recipe : int
        The number of its recipe in the preset.
    settings : Recipe
        That recipe.
    fold : int
        The fold that it was validated on.
    epochs : int
        How many it was trained for.
    score : float
        Of classes the highest accuracy on that fold; of numbers minus the least loss.
    loss : float
        The least log loss on that fold, or the least mean squared error of the standardised target.
    seconds : float
        How long training took.
    """

    recipe: int
    settings: Recipe
    fold: int
    epochs: int
    score: float
    loss: float
    seconds: float
