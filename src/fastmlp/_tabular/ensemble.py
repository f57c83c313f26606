"""What an ensemble is, the folds that its networks are trained on, and the choice among them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import (
    GroupKFold,
    GroupShuffleSplit,
    KFold,
    ShuffleSplit,
    StratifiedGroupKFold,
    StratifiedKFold,
    StratifiedShuffleSplit,
)

from fastmlp._data.split import count_groups
from fastmlp._data.table import TableReader
from fastmlp._tabular.encoding import TargetMeans, codes_of
from fastmlp._tabular.member import Member, TableNetwork, Task
from fastmlp._tabular.selection import select

_HOLD_OUT = 0.2


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of a table that was read, their targets and weights: all, or those of `index`."""

    table: NDArray[np.float32]
    t: NDArray[Any]  # class numbers, or standardised numbers
    weight: NDArray[np.float64] | None
    index: NDArray[Any] | None = None

    def at(self, index: NDArray[Any]) -> "Rows":
        """Return some of them, without a copy."""
        return Rows(self.table, self.t, self.weight, index)

    def take(self, rows: NDArray[Any]) -> "Rows":
        """Return some of them in arrays of their own."""
        weight = None if self.weight is None else self.weight[rows]
        return Rows(self.table[rows], self.t[rows], weight)

    @property
    def width(self) -> int:
        """The number of columns."""
        return int(self.table.shape[1])

    def for_core(self, task: Task, seed: int, n_of_all: int) -> dict[str, Any]:
        """Return what the core is told of them."""
        x, t, weight = self.arrays(task)
        return {"x": x, "t": t, "sample_weight": weight, "rows": self.index}

    def arrays(self, task: Task) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None]:
        """Return inputs, targets and weights for the core, of the whole table."""
        dtype = np.int64 if task.n_classes else np.float32
        t = self.t.astype(dtype, copy=False)
        return with_a_column(self.table), t if task.n_classes else t.reshape(-1, 1), self.weight

    @property
    def nbytes(self) -> int:
        """The bytes of its arrays."""
        arrays = (self.table, self.t, self.weight, self.index)
        return sum(array.nbytes for array in arrays if array is not None)

    def __len__(self) -> int:
        return len(self.t) if self.index is None else len(self.index)


class TrainingRows(Protocol):
    """Rows of a table that was read, in memory or not."""

    @property
    def width(self) -> int:
        """The number of their columns."""

    def __len__(self) -> int:
        """Return how many they are."""

    def for_core(self, task: Task, seed: int, n_of_all: int) -> dict[str, Any]:
        """Return what the core is told of them, for one of so many networks."""


@dataclass(frozen=True, eq=False)
class Fold:
    """What the networks of a fold are trained and validated on."""

    means: TargetMeans
    training: TrainingRows
    validation: Rows
    place: NDArray[Any]  # of the validation rows among all; empty where they are others

    def __sizeof__(self) -> int:
        """Return what it takes: engines that send it send once what is large."""
        parts = (self.training, self.validation, self.place)
        return object.__sizeof__(self) + sum(getattr(part, "nbytes", 0) for part in parts)


@dataclass(frozen=True, eq=False)
class Voter:
    """A network that counts, how much, and the fold that it was not trained on."""

    fold: int
    weight: float
    network: TableNetwork


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Networks that were trained, and how much each counts.

    Parameters
    ----------
    reader : TableReader
        What was learnt of the table.
    task : Task
        What the networks were to learn.
    means : list of TargetMeans
        Of each fold.
    voters : list of Voter
        The networks whose weighted sum it predicts.
    """

    reader: TableReader
    task: Task
    means: list[TargetMeans]
    voters: list[Voter]

    def predict(self, table: NDArray[np.float32], n_threads: int) -> NDArray[np.float64]:
        """Return probabilities or numbers for a table that was read."""
        tables = [with_a_column(means.beside(table)) for means in self.means]
        total = np.zeros((len(table), self.task.n_outputs))
        for voter in self.voters:
            total += voter.weight * voter.network.predict(tables[voter.fold], n_threads)
        return total


def joined(folds: Sequence[Fold | Rows]) -> tuple[NDArray[Any], NDArray[np.float64] | None]:
    """Return targets and weights of the rows to validate on, fold after fold."""
    parts = [fold.validation if isinstance(fold, Fold) else fold for fold in folds]
    weights = [part.weight for part in parts if part.weight is not None]
    t = np.concatenate([part.t for part in parts])
    return t, np.concatenate(weights) if len(weights) == len(parts) else None


def split(
    rows: Rows, task: Task, n_folds: int, seed: int, groups: NDArray[Any] | None = None
) -> list[tuple[Any, Any]]:
    """Return the rows to train and to validate on of each fold, classes in their shares.

    No fold divides a group.
    """
    counts = np.bincount(rows.t, minlength=task.n_classes) if task.n_classes else np.zeros(1)
    least = int(counts[counts > 0].min()) if task.n_classes else 0
    kind: Any
    if groups is not None:
        n_groups = count_groups(groups)
        if n_folds == 1:
            splitter = GroupShuffleSplit(1, test_size=_HOLD_OUT, random_state=seed)
        else:
            n_folds = min(n_folds, n_groups)
            kind = StratifiedGroupKFold if least >= n_folds else GroupKFold
            splitter = kind(n_folds, shuffle=True, random_state=seed)
        parts = splitter.split(rows.table, rows.t, groups)
        return [(train, held) for train, held in parts if len(train) and len(held)]
    if n_folds == 1:
        if len(rows) < 2:
            return [(np.arange(len(rows)), np.arange(len(rows)))]
        kind = StratifiedShuffleSplit if least > 1 else ShuffleSplit
        splitter = kind(1, test_size=_HOLD_OUT, random_state=seed)
    else:
        kind = StratifiedKFold if least >= n_folds else KFold
        splitter = kind(n_folds, shuffle=True, random_state=seed)
    return list(splitter.split(rows.table, rows.t))


def make_fold(
    reader: TableReader, task: Task, rows: Rows, validation: Rows, place: NDArray[Any], seed: int
) -> Fold:
    """Return a fold's rows, with the means of their targets behind the columns if there are any."""
    columns = TargetMeans.columns_of(reader, task.n_classes, len(rows))
    if not columns:
        return Fold(TargetMeans.none(), rows, validation, place)
    own = rows if rows.index is None else rows.take(rows.index)
    t = own.t if task.n_classes else own.t.astype(np.float64)
    codes = codes_of(own.table[:, columns])
    means, of_rows = TargetMeans.learn(reader, columns, codes, t, task.n_classes, seed)
    training = Rows(np.hstack([own.table, of_rows]), own.t, own.weight)
    others = Rows(means.beside(validation.table), validation.t, validation.weight)
    return Fold(means, training, others, place)


@dataclass(frozen=True, eq=False)
class Trained:
    """A network of the least loss and, of classes, that of the highest accuracy."""

    member: Member
    networks: list[TableNetwork]


@dataclass(frozen=True, eq=False)
class Choice:
    """What counts of what was trained.

    Parameters
    ----------
    members : list of Member
        Those that there was a choice among.
    voters : list of Voter
        The networks that count.
    folds : list of int
        Whose rows they were not trained on: not all where the time was over before the first recipe
        had its networks.
    outputs : ndarray of shape (n_rows, n_outputs)
        What they predict for these rows, fold after fold.
    """

    members: list[Member]
    voters: list[Voter]
    folds: list[int]
    outputs: NDArray[np.float64]


def choose(
    trained: list[Trained],
    folds: list[Fold],
    loss: Callable[[NDArray[np.float64]], float],
    n_threads: int,
) -> Choice:
    """Weigh the networks by what they predict for the rows that they were not trained on.

    Recipes are weighed as a whole, each kind of their networks; only those that have all folds.
    """
    by_recipe: dict[int, list[Trained]] = {}
    for each in trained:
        by_recipe.setdefault(each.member.recipe, []).append(each)
    complete = [group for group in by_recipe.values() if len(group) == len(folds)]
    if not complete:
        first = by_recipe[min(by_recipe)]
        outputs = held_out(first, folds, 0, n_threads)
        members = [each.member for each in first]
        return Choice(members, _voters(first, 0, 1.0), [m.fold for m in members], outputs)
    kinds = range(len(trained[0].networks))
    candidates = [(group, which) for group in complete for which in kinds]
    predicted = [held_out(group, folds, which, n_threads) for group, which in candidates]
    weights = select(predicted, loss)
    voters = [
        voter
        for (group, which), weight in zip(candidates, weights, strict=True)
        if weight > 0
        for voter in _voters(group, which, float(weight))
    ]
    total: NDArray[np.float64] = np.tensordot(weights, np.array(predicted), axes=1)
    return Choice([each.member for each in trained], voters, list(range(len(folds))), total)


def _voters(group: list[Trained], which: int, weight: float) -> list[Voter]:
    return [Voter(t.member.fold, weight / len(group), t.networks[which]) for t in group]


def held_out(
    group: list[Trained], folds: list[Fold], which: int, n_threads: int
) -> NDArray[np.float64]:
    """Return what networks predict for the rows that they were not trained on, fold after fold."""
    return np.concatenate(
        [
            each.networks[which].predict(
                with_a_column(folds[each.member.fold].validation.table), n_threads
            )
            for each in group
        ]
    )


def with_a_column(table: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a table of which no column is of use with one, so that it has rows."""
    return table if table.shape[1] else np.zeros((len(table), 1), dtype=np.float32)
