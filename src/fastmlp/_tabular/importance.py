"""How much the loss on rows that were left out grows when a column is shuffled.

L. Breiman, "Random Forests", Machine Learning 45, 2001.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._data.table import TableReader
from fastmlp._tabular.ensemble import Ensemble, Fold, Rows, joined, with_a_column

_MOST_ROWS = 2000
_MOST_VALUES = 200_000  # rows times columns, for wide tables

Loss = Callable[[NDArray[np.float64]], float]


def importances(
    ensemble: Ensemble,
    folds: dict[int, Fold],
    loss_of: Callable[[NDArray[Any], Any], Loss],
    n_columns: int,
    seed: int,
    n_threads: int,
) -> NDArray[np.float64]:
    """Return the share of each column of the table, of shape (n_columns,); their sum is 1 or 0."""
    rng = np.random.default_rng([seed, 3])
    count = min(_MOST_ROWS, _MOST_VALUES // n_columns) // len(folds) + 1
    samples = [_sample(fold, count, rng) for fold in folds.values()]
    loss = loss_of(*joined(samples))
    made_of = _columns_of(ensemble.reader, n_columns)
    before = loss(_predict(ensemble, folds, samples, n_threads))
    growth = np.zeros(n_columns)
    for column, its in enumerate(made_of):
        if not its:
            continue
        shuffled = [Rows(s.table.copy(), s.t, s.weight) for s in samples]
        for sample in shuffled:
            sample.table[:, its] = sample.table[rng.permutation(len(sample))][:, its]
        growth[column] = max(loss(_predict(ensemble, folds, shuffled, n_threads)) - before, 0.0)
    total = growth.sum()
    return growth / total if np.isfinite(total) and total > 0 else np.zeros(n_columns)


def _sample(fold: Fold, count: int, rng: np.random.Generator) -> Rows:
    """Some rows of a fold that were left out, without the means of targets."""
    rows = rng.permutation(len(fold.validation))[:count]
    sample = fold.validation.take(rows)
    width = sample.table.shape[1] - fold.means.width
    return Rows(np.ascontiguousarray(sample.table[:, :width]), sample.t, sample.weight)


def _columns_of(reader: TableReader, n_columns: int) -> list[list[int]]:
    """Which columns of a table that was read each column of the table was made into."""
    made_of: list[list[int]] = [[] for _ in range(n_columns)]
    count = len(reader.numbers)
    for j, number in enumerate(reader.numbers):
        made_of[number.source] += [j, count + j]
    for j, category in enumerate(reader.categories, 2 * count):
        made_of[category.source].append(j)
    return made_of


def _predict(
    ensemble: Ensemble, folds: dict[int, Fold], samples: list[Rows], n_threads: int
) -> NDArray[np.float64]:
    """What the networks of each fold say of its rows."""
    outputs = []
    for number, (fold, sample) in zip(
        folds, zip(folds.values(), samples, strict=True), strict=True
    ):
        table = with_a_column(fold.means.beside(sample.table))
        total = np.zeros((len(sample), ensemble.task.n_outputs))
        weight_of_all = 0.0
        for voter in ensemble.voters:
            if voter.fold == number:
                total += voter.weight * voter.network.predict(table, n_threads)
                weight_of_all += voter.weight
        outputs.append(total / weight_of_all)
    return np.concatenate(outputs)
