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
from numpy.typing import NDArray
from sklearn.base import is_classifier

from fastmlp._blocks.arrays import BLOCK_BYTES, Arrays
from fastmlp._blocks.blocks import Blocks, naming, take
from fastmlp._blocks.gather import join
from fastmlp._blocks.rows import SetAside
from fastmlp._blocks.survey import Survey
from fastmlp._blocks.windows import Form, Part, Windows
from fastmlp._data.frames import check_table, count_rows, take_rows
from fastmlp._data.table import TableReader
from fastmlp._data.weights import check_weights
from fastmlp._tabular.encoding import TargetMeans, codes_of
from fastmlp._tabular.ensemble import Fold, Rows, with_a_column
from fastmlp._tabular.member import Task
from fastmlp._tabular.targets import NumberTargets, Targets

_MOST_OF_SAMPLE = 0.2  # of the rows
_SHARE_OF_SAMPLE = 8  # of the memory, one part in so many is for it, as it was given
_OBJECT_BYTES = 64  # of a value that is an object
_BLOCKS_OF_A_WINDOW = 50  # at least: from all over the data
_FEWEST_ROWS = 256  # of a window: those of a batch


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

        survey = Survey.of(blocks, read, by_weight=True)
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
        first = self.survey.filled[0]
        with naming(first):
            return table_bytes(self.read(first, reset=True)[0])

    def aside(self, row_bytes: float, seed: int) -> SetAside:
        """Return which rows are set aside: a fifth, or fewer where the memory is for no more."""
        most = self.blocks.memory / _SHARE_OF_SAMPLE / row_bytes
        return SetAside(self.survey.counts, min(_MOST_OF_SAMPLE, most / self.survey.n_rows), seed)

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
        weighing = [part for part in parts if len(part[1])]
        if sum(len(y) for _, y, _ in weighing) < 2:
            raise ValueError(
                "sample_weight and class_weight leave no two rows with a weight among those that "
                "are set aside: give the blocks more memory."
            )
        tables, targets, weights = zip(*weighing, strict=True)
        return join(tables), join(targets), None if weights[0] is None else join(weights)


class Encoded:
    """Rows in files, as the networks of an ensemble take them.

    Parameters
    ----------
    folder : Path
        Where the files lie.
    width : int
        The columns of the encoded table.
    """

    def __init__(self, folder: Path, width: int) -> None:
        self.folder, self.width, self.n_rows = folder, width, 0
        self._dtypes: dict[str, np.dtype[Any]] = {}

    def add(self, **arrays: NDArray[Any]) -> None:
        """Write rows of each array behind those before."""
        for name, array in arrays.items():
            self._dtypes[name] = array.dtype
            with (self.folder / name).open("ab") as file:  # of which a full disk is an error
                file.write(np.ascontiguousarray(array).data)
        self.n_rows += len(next(iter(arrays.values())))

    def blocks(self, most: int) -> Arrays:
        """Return the rows in blocks that are read at once, at most so many in each."""
        shapes = {"table": (self.n_rows, self.width)}
        maps = [
            np.memmap(self.folder / name, dtype, "r", shape=shapes.get(name, (self.n_rows,)))
            for name, dtype in self._dtypes.items()
        ]
        return Arrays(*maps, block_rows=max(1, min(most, BLOCK_BYTES // (4 * self.width))))


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


class StreamedRows:
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

    def for_core(self, task: Task, seed: int, n_of_all: int) -> dict[str, Any]:
        """Return what the core is told of them, for one of so many networks.

        Raises
        ------
        ValueError
            If the memory is too little.
        """
        each = 2 * (4 * self.width + 16) + 8
        most = self.memory // n_of_all // each
        if most < _FEWEST_ROWS:
            raise ValueError(
                f"The blocks' memory is too little: windows of the {n_of_all} networks would have "
                f"{most} rows. Give them {2 * _FEWEST_ROWS * each * n_of_all} bytes."
            )
        reader = _Reader(self.encoded.blocks(max(most // _BLOCKS_OF_A_WINDOW, 1)))
        form = Form(min(most, len(self)), np.dtype(np.float32))
        windows = Windows(reader, form=form, seed=seed, shuffles=True)
        return {"x": None, "t": None, "sample_weight": None, "windows": windows}


def _as_core(task: Task, t: NDArray[Any]) -> NDArray[Any]:
    return t.astype(np.int64 if task.n_classes else np.float32)


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
        encoded = Encoded(Path(folder), max(table.shape[1], 1))
        for block in data.survey.filled:
            with naming(block):
                X, y, its_weight = data.read(block)
                rest = np.delete(np.arange(len(y)), aside.of(block))
                if its_weight is not None:
                    rest = rest[its_weight[rest] > 0]
                if not len(rest):
                    continue
                its = means.beside(reader.read(take_rows(X, rest)))
                arrays = {"table": with_a_column(its), "t": _as_core(task, targets.encode(y[rest]))}
                if its_weight is not None:
                    arrays["weight"] = its_weight[rest].astype(np.float64)
                encoded.add(**arrays)
        training = StreamedRows(encoded, data.blocks.memory // 2)
        place = np.empty(0, np.intp)
        yield reader, targets, Fold(means, training, Rows(table, t, weight), place)
