"""One network of an ensemble: how it is made, trained, and kept."""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

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
    def output(self) -> str:
        """The activation of the last layer."""
        return "softmax" if self.n_classes else "identity"


class TableNetwork:
    """A core network behind encodings of a table's columns; it can be pickled.

    Parameters
    ----------
    recipe : Recipe
        Its settings.
    task : Task
        What it is to learn.
    n_columns : int
        The columns of a table that was read, with those of means of targets.
    encodings : list of dict
        What becomes of them.
    """

    def __init__(
        self, recipe: Recipe, task: Task, n_columns: int, encodings: list[Encoding]
    ) -> None:
        self.recipe, self.task = recipe, task
        self.n_columns, self.encodings = n_columns, encodings
        self.core = self._build()

    def _build(self) -> _core.NetworkFloat32:
        recipe = self.recipe
        encoder = _core.EncoderFloat32(
            self.n_columns,
            [_core.EncodingSpec(**encoding) for encoding in self.encodings],
            learns_waves=self.learns_waves,
            scale_rate=recipe.scale_rate,
        )
        hidden = [(recipe.activation, units) for units in recipe.hidden]
        layers = [
            _core.DenseSpec(
                [(activation, units, None)],
                input_dropout=recipe.dropout if i else 0.0,
                l2=recipe.decay / 2,
            )
            for i, (activation, units) in enumerate(
                [*hidden, (self.task.output, self.task.n_outputs)]
            )
        ]
        return _core.NetworkFloat32(encoder.width, layers, encoder)

    @property
    def learns_waves(self) -> bool:
        """Whether it has frequencies and phases, which it learns."""
        return any(encoding["kind"] == "periodic" for encoding in self.encodings)

    def start(self, random_state: np.random.Generator) -> None:
        """Set the weights that training begins with: Glorot and Bengio, 2010."""
        sizes = [self.core.n_features, *self.recipe.hidden, self.task.n_outputs]
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

    def __getstate__(self) -> dict[str, Any]:
        weights, biases, _ = self.core.get_params()
        learned = (weights, biases, self.core.get_encoding())
        return self.__dict__ | {"core": learned}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        weights, biases, encoding = state["core"]
        self.core = self._build()
        self.core.set_params(weights, biases)
        if self.learns_waves or self.recipe.scale_rate:
            self.core.set_encoding(encoding)


@dataclass(frozen=True, eq=False)
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
        The least loss on that fold.
    seconds : float
        How long training took.
    networks : list of TableNetwork
        With the weights of the least loss and, of classes, with those of the highest accuracy.
    """

    recipe: int
    settings: Recipe
    fold: int
    epochs: int
    score: float
    loss: float
    seconds: float
    networks: list[TableNetwork] = field(repr=False)

    def predict(
        self, table: NDArray[np.float32], which: int, n_threads: int
    ) -> NDArray[np.float64]:
        """Return probabilities or numbers, of shape (n_rows, n_outputs), by one of `networks`."""
        core = self.networks[which].core
        return np.asarray(core.predict(table, n_threads), dtype=np.float64)
