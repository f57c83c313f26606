"""Tables that are larger than memory: what is learnt of rows in memory, and the others in files.

Some rows of every block are set aside. Columns and means of targets are learnt from these, and the
networks are validated on them. All others are encoded once, into files, which the networks read in
windows, each of its own.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import narwhals as nw
import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from sklearn.base import is_classifier

from fastmlp._blocks.arrays import Arrays
from fastmlp._blocks.blocks import Blocks, naming, take
from fastmlp._blocks.gather import join
from fastmlp._blocks.rows import SetAside
from fastmlp._blocks.survey import Survey
from fastmlp._blocks.windows import Part, Windows
from fastmlp._data.frames import check_table, count_rows, take_rows
from fastmlp._data.table import TableReader
from fastmlp._data.weights import check_weights
from fastmlp._tabular.encoding import TargetMeans, codes_of
from fastmlp._tabular.ensemble import Fold, Rows, Streamed, with_a_column
from fastmlp._tabular.member import Task
from fastmlp._tabular.targets import NumberTargets, Targets

_MOST_ASIDE = 0.2  # of the rows
_SHARE_ASIDE = 8  # of the memory, one in so many parts is for what is set aside, as it was given
_OBJECT_BYTES = 64  # of a value that is an object
_BLOCKS_OF_A_WINDOW = 50  # at least: from all over the data


def table_bytes(X: Any) -> float:
    """Return about how many bytes a row of a table takes."""
    if isinstance(X, np.ndarray):
        size = X.size * (_OBJECT_BYTES if X.dtype.kind == "O" else X.dtype.itemsize)
    else:
        size = int(nw.from_native(X, eager_only=True).estimated_size())
    return max(size / count_rows(X), 1.0)


@dataclass(frozen=True, eq=False)
class TableBlocks:
    """The blocks of a table as an estimator reads them.

    Parameters
    ----------
    estimator : BaseTabular
        Whose checks they have to pass.
    blocks : Blocks
        The user's data.
    survey : Survey
        What is known of their targets.
    class_weight : object
        That of the estimator, in dicts; None where classes don't weigh.
    """

    estimator: Any
    blocks: Blocks
    survey: Survey
    class_weight: Any

    @classmethod
    def of(cls, estimator: Any, blocks: Blocks) -> "TableBlocks":
        """Look at all targets."""

        def read(y: Any) -> NDArray[Any]:
            targets: NDArray[Any] = estimator._read_targets("y", y, len(y))
            return targets if is_classifier(estimator) else targets.reshape(-1, 1)

        survey = Survey.of(blocks, read)
        class_weight = survey.class_weight(getattr(estimator, "class_weight", None))
        return cls(estimator, blocks, survey, class_weight)

    def read(self, block: int, *, reset: bool = False) -> tuple[Any, NDArray[Any], Any]:
        """Return the table, the targets and the weights, or None, of a block."""
        X, y, given = take(self.blocks, block)
        X = check_table(self.estimator, X, reset=reset)
        y = self.estimator._read_targets("y", y, count_rows(X))
        weight = check_weights("sample_weight", given, len(y), may_vanish=True)
        if self.class_weight is not None:
            factors = self.survey.factors(self.class_weight, y)
            weight = factors if weight is None else weight * factors
        return X, y, weight

    def learn_targets(self, y: NDArray[Any]) -> Targets:
        """Learn from some what all are; labels are known already."""
        learn = self.estimator._learn_targets
        if is_classifier(self.estimator):
            targets: Targets = learn(self.survey.y)
            return targets
        numbers: NumberTargets = learn(y)
        return numbers.within(float(self.survey.low.min()), float(self.survey.high.max()))

    def learn_columns(self) -> float:
        """Let the estimator learn the columns from the first block; return the bytes of a row."""
        with naming(0):
            return table_bytes(self.read(0, reset=True)[0])

    def aside(self, row_bytes: float, seed: int) -> SetAside:
        """Return which rows are set aside: a fifth, or fewer where the memory is for no more."""
        most = self.blocks.memory / _SHARE_ASIDE / row_bytes
        return SetAside(self.survey.counts, min(_MOST_ASIDE, most / self.survey.n_rows), seed)

    def sample(self, aside: SetAside) -> tuple[Any, NDArray[Any], Any]:
        """Return the rows that are set aside, those without weight left out."""
        parts = []
        for block, size in enumerate(aside.sizes):
            if not size:
                continue
            with naming(block):
                X, y, weight = self.read(block)
                rows = aside.of(block)
                if weight is not None:
                    rows = rows[weight[rows] > 0]
                parts.append(
                    (take_rows(X, rows), y[rows], None if weight is None else weight[rows])
                )
        tables, targets, weights = zip(*(part for part in parts if len(part[1])), strict=True)
        return join(tables), join(targets), None if weights[0] is None else join(weights)


class Encoded:
    """Rows in files, as the networks of an ensemble take them.

    Parameters
    ----------
    folder : Path
        Where the files lie.
    n_rows : int
        How many there will be.
    width : int
        The columns of the encoded table.
    dtype : type
        Of the targets.
    weighs : bool
        Whether they have weights.
    """

    def __init__(self, folder: Path, n_rows: int, width: int, dtype: Any, *, weighs: bool) -> None:
        self.n_rows, self.width = n_rows, width
        self._table = open_memmap(folder / "table.npy", "w+", np.float32, (n_rows, width))
        self._t = open_memmap(folder / "t.npy", "w+", dtype, (n_rows,))
        self._weight = (
            open_memmap(folder / "weight.npy", "w+", float, (n_rows,)) if weighs else None
        )
        self._filled = 0

    def add(self, table: NDArray[np.float32], t: NDArray[Any], weight: Any) -> None:
        """Write rows behind those before."""
        place = slice(self._filled, self._filled + len(t))
        self._table[place], self._t[place] = table, t
        if self._weight is not None:
            self._weight[place] = weight
        self._filled = place.stop

    def blocks(self, most: int) -> Arrays:
        """Return the rows in blocks that are read at once, at most so many in each."""
        blocks = Arrays(self._table, self._t, self._weight)
        blocks.block_rows = min(blocks.block_rows, most)
        return blocks


class _Reader:
    """Blocks of encoded rows as parts of windows."""

    def __init__(self, blocks: Arrays) -> None:
        self.blocks = blocks
        ends = [*range(0, blocks.n_rows, blocks.block_rows), blocks.n_rows]
        self.sizes: Sequence[int] = np.diff(ends).tolist()

    def read(self, block: int) -> Part:
        table, t, *weight = self.blocks[block]
        t = t if t.dtype.kind == "i" else t.reshape(-1, 1)
        return Part(table, t, weight[0] if weight else None)


class StreamedRows(Streamed):
    """Encoded rows, of which each network has windows of its own.

    Parameters
    ----------
    encoded : Encoded
        The rows.
    memory : int
        The bytes that are for all windows.
    """

    def __init__(self, encoded: Encoded, memory: int) -> None:
        self.encoded, self.memory = encoded, memory

    @property
    def width(self) -> int:
        """The columns of the encoded table."""
        return self.encoded.width

    def __len__(self) -> int:
        return self.encoded.n_rows

    def for_core(self, task: Task, seed: int, n_at_once: int) -> dict[str, Any]:
        """Return what the core is told of them, for one of so many networks at a time."""
        each = 2 * (4 * self.width + 16) + 8
        most = max(self.memory // n_at_once // each, 1)
        reader = _Reader(self.encoded.blocks(max(most // _BLOCKS_OF_A_WINDOW, 1)))
        windows = Windows(reader, dtype="float32", most=most, seed=seed, shuffles=True)
        return {"x": None, "t": None, "sample_weight": None, "windows": windows}


@contextmanager
def stream(
    data: TableBlocks, aside: SetAside, categorical: NDArray[np.bool_], seed: int
) -> Iterator[tuple[TableReader, Targets, Fold]]:
    """Learn columns and targets, encode all rows, and give these while the files are there."""
    X, y, weight = data.sample(aside)
    targets = data.learn_targets(y)
    task = targets.task
    reader = TableReader.learn(X, categorical)
    table, t = reader.read(X), targets.encode(y)
    del X
    means = TargetMeans.none()
    columns = TargetMeans.columns_of(reader, task.n_classes, len(t))
    if columns:
        codes = codes_of(table[:, columns])
        numbers = t if task.n_classes else t.astype(np.float64)
        means, of_rows = TargetMeans.learn(reader, columns, codes, numbers, task.n_classes, seed)
        table = np.hstack([table, of_rows])
    with TemporaryDirectory(prefix="fastmlp-") as folder:
        n_rows = data.survey.n_rows - sum(aside.sizes)
        width = max(table.shape[1], 1)
        dtype = np.int64 if task.n_classes else np.float32
        encoded = Encoded(Path(folder), n_rows, width, dtype, weighs=weight is not None)
        for block, count in enumerate(data.survey.counts):
            with naming(block):
                X, y, its_weight = data.read(block)
                rest = np.delete(np.arange(count), aside.of(block))
                its = means.beside(reader.read(take_rows(X, rest)))
                own = None if its_weight is None else its_weight[rest]
                encoded.add(with_a_column(its), targets.encode(y[rest]), own)
        training = StreamedRows(encoded, data.blocks.memory // 2)
        place = np.empty(0, np.intp)
        yield reader, targets, Fold(means, training, Rows(table, t, weight), place)
