"""Tasks that make shards: rows as the core reads them, what they tell of the whole, and targets.

They run on the workers, so that nothing but a few numbers of the data comes to the client.
Shards are tuples, whose size dask knows: what is taken for small would be sent around.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier

from fastmlp._checks.arrays import check_range
from fastmlp._data.codec import TargetCodec
from fastmlp._data.labels import check_labels
from fastmlp._data.rows import Data
from fastmlp._data.weights import check_weights, divisor_of_weights
from fastmlp._model.exclusive import as_it_is


class Read(NamedTuple):
    """The rows of a shard after all checks that need no others."""

    x: Any
    y: NDArray[Any]
    weight: NDArray[Any] | None
    noted: dict[str, Any]  # of the features, as scikit-learn notes them on an estimator


class Facts(NamedTuple):
    """What a shard tells of the whole."""

    noted: dict[str, Any]
    is_narrow: bool  # X is of float32
    probe: NDArray[Any]  # a few targets with all labels that there are
    counts: list[Counter[Any]]  # of the labels in each column
    known: NDArray[np.bool_]  # whether a column of y has a value


class Shard(NamedTuple):
    """Rows to train on and rows set aside, in the same arrays."""

    x: Any
    t: NDArray[Any]
    weight: NDArray[Any] | None
    train: NDArray[np.intp] | None  # None for all
    held: NDArray[np.intp] | None  # None for none

    def data(self) -> Data:
        """Return the rows to train on."""
        return Data(self.x, self.t, self.weight, rows=self.train)

    def validation(self) -> Data:
        """Return the rows that were set aside."""
        return Data(self.x, self.t, self.weight, rows=self.held)


class Size(NamedTuple):
    """Rows of a shard, what they weigh together, and the most that one of all weighs."""

    n_rows: int
    total: float
    n_held: int
    total_held: float
    largest: float


def read(estimator: Any, X: Any, y: Any, sample_weight: Any, argument: str) -> Read:
    """Check rows as `fit` of the estimator does, which is not changed.

    One that knows the features already takes these alone.
    """
    own = as_it_is(estimator, vars(estimator))
    x, targets = own._read_samples(X, y, reset=not hasattr(own, "n_features_in_"))
    weight = check_weights(argument, sample_weight, x.shape[0], may_vanish=True)
    names = ("n_features_in_", "feature_names_in_")
    noted = {name: value for name, value in vars(own).items() if name in names}
    return Read(x, targets, weight, noted)


def facts_of(estimator: Any, shard: Read) -> Facts:
    """Return what the shard tells of the whole."""
    y = shard.y
    columns = y.reshape(len(y), -1).T
    known = columns == columns  # no NaN
    probe = y[:0]
    counts: list[Counter[Any]] = []
    if is_classifier(estimator):
        for column, there in zip(columns, known, strict=True):
            labels, numbers = np.unique(column[there], return_counts=True)
            counts.append(Counter(dict(zip(labels.tolist(), numbers.tolist(), strict=True))))
        probe = np.unique(y) if y.ndim == 1 else np.array([[0], [1]]) * np.ones(y.shape[1], int)
    return Facts(shard.noted, shard.x.dtype == np.float32, probe, counts, known.any(axis=1))


def join_probes(probes: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Return the few targets of all shards, each label once.

    Raises
    ------
    ValueError
        If there are texts and numbers among the labels.
    """
    if probes[0].ndim == 2:
        return probes[0]
    if len({probe.dtype.kind in "OU" for probe in probes}) > 1:
        check_labels(np.array([label for probe in probes for label in probe.tolist()], object))
    labels: NDArray[Any] = np.unique(np.concatenate(probes))
    return labels


def class_weights(class_weight: Any, facts: Sequence[Facts]) -> Any:
    """Return the weights of classes for each shard: 'balanced' ones by the labels of all."""
    if not isinstance(class_weight, str):
        return class_weight
    every = zip(*(each.counts for each in facts), strict=True)
    columns: list[Counter[Any]] = [sum(counts, Counter()) for counts in every]
    balanced = [
        {label: counts.total() / (len(counts) * count) for label, count in counts.items()}
        for counts in columns
    ]
    return balanced[0] if facts[0].probe.ndim == 1 else balanced


def encode(
    estimator: Any,
    shard: Read,
    codec: TargetCodec,
    dtype: str,
    *,
    validates: bool = False,
    held: tuple[float, Sequence[int]] | None = None,
) -> Shard:
    """Make the shard of a network of that type: targets, weights, and rows set aside.

    With `validates` all rows are set aside, and class weights don't count; otherwise `held`
    has the share of those to set aside, and the seed to draw them by, None for none.
    """
    x, y, weight, _ = shard
    if validates:
        codec.check(y)
    t = codec.encode(y)
    check_range("X", x, dtype)
    check_range("y", t, dtype)
    factors = None if validates else estimator._row_factors(y, codec)
    if factors is not None:
        weight = factors if weight is None else weight * factors
    if validates:
        return Shard(x, t, weight, np.empty(0, np.intp), np.arange(len(y)))
    if held is None:
        return Shard(x, t, weight, None, None)
    labels = y if is_classifier(estimator) and y.ndim == 1 else None
    return Shard(x, t, weight, *_split(len(y), labels, *held))


def _split(
    n_rows: int, labels: NDArray[Any] | None, fraction: float, seed: Sequence[int]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the rows to train on and those set aside: of each class its share, give or take one.

    Every so many rows of a random order are set aside, in which each class stands together.
    """
    random = np.random.default_rng(seed)
    order = random.permutation(n_rows)
    if labels is not None:
        order = order[np.argsort(labels[order], kind="stable")]
    n_held = int(np.ceil(fraction * n_rows))
    places = ((np.arange(n_held) + random.random()) * (n_rows / max(n_held, 1))).astype(np.intp)
    is_held = np.zeros(n_rows, dtype=bool)
    is_held[order[places]] = True
    return np.flatnonzero(~is_held), np.flatnonzero(is_held)


def size_of(shard: Shard) -> Size:
    """Return what the shard has to say about rows and weights."""

    def total(data: Data) -> float:
        weight = data.weight()
        return float(data.n_rows if weight is None else weight.sum(dtype=np.float64))

    data, held = shard.data(), shard.validation()
    n_held, total_held = (0, 0.0) if shard.held is None else (held.n_rows, total(held))
    largest = 1.0 if shard.weight is None else float(shard.weight.max())
    return Size(data.n_rows, total(data), n_held, total_held, largest)


def divisor_of(argument: str, sizes: Sequence[Size], dtype: str) -> float:
    """Return what all weights are to be divided by, which is 1 unless they are extreme.

    Raises
    ------
    ValueError
        If their sum is zero or infinite in the type of the network.
    """
    total = sum(size.total + size.total_held for size in sizes)
    if not total > 0:
        raise ValueError(f"{argument}: Sample weights must contain at least one non-zero number.")
    return divisor_of_weights(argument, total, max(size.largest for size in sizes), dtype)


def divide(shard: Shard, divisor: float) -> Shard:
    """Return the shard with its weights divided."""
    assert shard.weight is not None
    return shard._replace(weight=shard.weight.astype(np.float64) / divisor)
