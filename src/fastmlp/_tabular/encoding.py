"""From what was learnt of a table's columns to the core's encodings of them."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import KFold
from sklearn.preprocessing import TargetEncoder

from fastmlp import _core
from fastmlp._data.table import OTHER, Number, TableReader
from fastmlp._tabular.recipe import Recipe

_FEWEST_LEVELS = 8  # of a category, for the means of its targets to say more than a code
_FEWEST_ROWS = 6  # for folds of them to have means
_MOST_CLASSES = 10  # each has a mean of its own
MISSING = OTHER - 1
_CROSS_FOLDS = 5


@dataclass(frozen=True)
class Encoding:
    """What becomes of a column of a table that was read.

    Parameters
    ----------
    kind : {'scaled', 'bins', 'periodic', 'one_hot', 'missing'}
        As in the core, where the formulas are.
    column : int
        The column.
    first, second : tuple of float
        The edges of bins; frequencies and phases of cosines.
    codes : int
        Of one-hot encoding, how many codes have an input.
    scale : float
        What that input is.
    """

    kind: str
    column: int
    first: tuple[float, ...] = ()
    second: tuple[float, ...] = ()
    codes: int = 0
    scale: float = 1.0

    def spec(self) -> _core.EncodingSpec:
        """Return it for the core."""
        return _core.EncodingSpec(**asdict(self))


@dataclass(frozen=True, eq=False)
class TargetMeans:
    """The mean target of each category, of the rows of a fold.

    Parameters
    ----------
    columns : list of int
        The columns of codes in a table that was read.
    tables : list of ndarray of shape (n_levels + 2, n_means)
        For each of these what a code counts for, from `MISSING` on; unit variance.
    """

    columns: list[int]
    tables: list[NDArray[np.float32]]

    @classmethod
    def none(cls) -> "TargetMeans":
        """Return those of no column."""
        return cls([], [])

    @staticmethod
    def columns_of(reader: TableReader, n_classes: int, n_rows: int) -> list[int]:
        """Return the columns of codes that means are learned of."""
        if n_classes > _MOST_CLASSES or n_rows < _FEWEST_ROWS:
            return []
        first = 2 * len(reader.numbers)
        levels = [len(category.levels) for category in reader.categories]
        return [first + j for j, count in enumerate(levels) if count >= _FEWEST_LEVELS]

    @classmethod
    def learn(
        cls,
        reader: TableReader,
        columns: list[int],
        codes: NDArray[np.float32],
        t: NDArray[Any],
        n_classes: int,
        seed: int,
    ) -> tuple["TargetMeans", NDArray[np.float32]]:
        """Learn from the rows to train on; return their own means, too, from other rows each.

        A row's own target would tell the network the answer, so the means of the rows that are
        trained on are taken across folds of them. Where a class is too rare for all of these,
        there are none.
        """
        kind = "continuous" if n_classes == 0 else "binary" if n_classes == 2 else "multiclass"
        splitter = KFold(min(_CROSS_FOLDS, len(codes)), shuffle=True, random_state=seed)
        folds = list(splitter.split(codes))
        if n_classes and any(len(np.unique(t[others])) < n_classes for others, _ in folds):
            return cls.none(), np.empty((len(codes), 0), dtype=np.float32)
        encoder = TargetEncoder(target_type=kind).fit(codes, t)
        means = np.empty_like(encoder.transform(codes))
        for others, own in folds:
            fitted = TargetEncoder(target_type=kind).fit(codes[others], t[others])
            means[own] = fitted.transform(codes[own])
        per_column = means.shape[1] // len(columns)
        spread = means.std(axis=0)
        spread[spread == 0] = 1.0
        middle = np.broadcast_to(np.asarray(encoder.target_mean_, dtype=float), per_column)
        middle = np.tile(middle, len(columns))
        tables = []
        for i, column in enumerate(columns):
            its = slice(i * per_column, (i + 1) * per_column)
            category = reader.categories[column - 2 * len(reader.numbers)]
            whole = np.tile(middle[its], (cls.rows_for(len(category.levels)), 1))
            at = encoder.categories_[i].astype(int) - MISSING
            whole[at] = np.array(encoder.encodings_[its]).T
            tables.append(((whole - middle[its]) / spread[its]).astype(np.float32))
        return cls(columns, tables), ((means - middle) / spread).astype(np.float32)

    def __call__(self, table: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the means for the rows of a table that was read."""
        if not self.columns:
            return np.empty((len(table), 0), dtype=np.float32)
        codes = codes_of(table[:, self.columns]).astype(int) - MISSING
        return np.hstack([means[code] for means, code in zip(self.tables, codes.T, strict=True)])

    def beside(self, table: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return a table that was read with the means behind its columns."""
        return np.hstack([table, self(table)]) if self.columns else table

    @staticmethod
    def rows_for(n_levels: int) -> int:
        """Return the rows of a table: missing, any other, and each level."""
        return n_levels - MISSING

    @property
    def width(self) -> int:
        """The number of columns that they make."""
        return sum(means.shape[1] for means in self.tables)


def codes_of(columns: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return codes with one for what is missing."""
    return np.where(np.isnan(columns), np.float32(MISSING), columns)


def encodings_of(
    recipe: Recipe, reader: TableReader, n_means: int, random_state: np.random.Generator
) -> list[Encoding]:
    """Return the core's encodings of a table that was read, with means of targets behind it."""
    specs: list[Encoding] = []
    count = len(reader.numbers)
    for j, number in enumerate(reader.numbers):
        specs += _number(recipe, number, j, count + j, random_state)
    for j, category in enumerate(reader.categories, 2 * count):
        n_levels = len(category.levels)
        scale = min(1.0, (3 / n_levels) ** 0.75)  # of many, each says little
        specs.append(Encoding("one_hot", j, codes=n_levels, scale=scale))
        if category.has_gaps:
            specs.append(Encoding("missing", j))
    specs += [Encoding("scaled", reader.width + j) for j in range(n_means)]
    # Where no column is of use, one that is never missing: the network learns a constant.
    return specs or [Encoding("missing", 0)]


def _number(
    recipe: Recipe, number: Number, scaled: int, scores: int, random_state: np.random.Generator
) -> list[Encoding]:
    specs = [Encoding("scaled", scaled)]
    if number.has_gaps:
        specs.append(Encoding("missing", scaled))
    if number.is_binary:
        return specs
    if recipe.numbers == "bins":
        quantiles = np.linspace(0, len(number.edges) - 1, recipe.bins + 1).astype(int)
        edges = np.unique(number.edges[quantiles].astype(np.float32))
        if len(edges) > 2:
            specs.append(Encoding("bins", scaled, tuple(edges.tolist())))
    else:
        frequencies = random_state.normal(0, recipe.sigma, recipe.waves)
        phases = random_state.random(recipe.waves)
        waves = (tuple(frequencies.tolist()), tuple(phases.tolist()))
        specs += [Encoding("scaled", scores), Encoding("periodic", scores, *waves)]
    return specs
