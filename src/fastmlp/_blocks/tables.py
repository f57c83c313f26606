"""Blocks of tables in files: the row groups of Parquet, and folders of CSV files."""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from fastmlp._blocks.blocks import MEMORY, Blocks
from fastmlp._blocks.paths import Paths, find_files

_NEEDS = "Parquet and CSV files need pandas and pyarrow: pip install 'fastmlp[data]'."


class _Columns:
    """Which columns of a table are targets and weights, and which inputs."""

    def __init__(
        self, target: str | Sequence[str], sample_weight: str | None, columns: Sequence[str] | None
    ) -> None:
        self.target, self.sample_weight = target, sample_weight
        self.columns = None if columns is None else list(columns)
        targets = [target] if isinstance(target, str) else list(target)
        self.of_targets = targets if sample_weight is None else [*targets, sample_weight]

    @property
    def all(self) -> list[str] | None:
        """All that are needed; None for all that there are."""
        return None if self.columns is None else [*self.columns, *self.of_targets]

    def require(self, names: Sequence[str], source: str) -> None:
        """Refuse a table that lacks one.

        Raises
        ------
        ValueError
            If it does.
        """
        lacking = sorted({*(self.columns or ()), *self.of_targets} - set(names))
        if lacking:
            raise ValueError(f"{source} has no columns {lacking}; it has {list(names)}.")

    def targets_of(self, frame: Any) -> tuple[Any, ...]:
        target = self.target if isinstance(self.target, str) else list(self.target)
        y = frame[target]
        return (y,) if self.sample_weight is None else (y, frame[self.sample_weight])

    def split(self, frame: Any) -> tuple[Any, ...]:
        inputs = self.columns
        X = frame.drop(columns=self.of_targets) if inputs is None else frame[inputs]
        return X, *self.targets_of(frame)


class Parquet(Blocks):
    """Blocks of Parquet files: their row groups, read by pyarrow as pandas' frames.

    Parameters
    ----------
    paths : str, path, or list of these
        The files: names, patterns such as ``"folder/*.parquet"``, or folders.
    target : str or list of str
        The column of the targets, or several.
    sample_weight : str, default=None
        The column of the weights; None weighs all rows the same.
    columns : list of str, default=None
        The columns of the inputs; None is all others.
    memory : int, default=1073741824
        The bytes that a fit may hold of the data.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ImportError
        If pyarrow or pandas is missing.
    ValueError
        If a file lacks a column, or there are no rows.

    Examples
    --------
    >>> from fastmlp import MLPClassifier
    >>> from fastmlp.data import Parquet
    >>> model = MLPClassifier().fit(Parquet("folder/*.parquet", target="y"))  # doctest: +SKIP
    """

    def __init__(
        self,
        paths: Paths,
        *,
        target: str | Sequence[str],
        sample_weight: str | None = None,
        columns: Sequence[str] | None = None,
        memory: int = MEMORY,
    ) -> None:
        super().__init__(memory=memory)
        self.files = find_files("paths", paths, ".parquet")
        self._columns = _Columns(target, sample_weight, columns)
        groups = [self._row_groups(file) for file in self.files]
        self._places = [(file, group) for file, count in groups for group in count]
        if not self._places:
            raise ValueError("The files have no rows.")

    def _row_groups(self, file: str) -> tuple[str, list[int]]:
        with _open(file) as opened:
            self._columns.require(opened.schema_arrow.names, file)
            metadata = opened.metadata
            rows = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
        return file, [group for group, count in enumerate(rows) if count]

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        return self._columns.split(self._read(index, self._columns.all))

    def targets(self, index: int) -> tuple[Any, ...]:
        return self._columns.targets_of(self._read(index, self._columns.of_targets))

    def _read(self, index: int, columns: list[str] | None) -> Any:
        file, group = self._places[index]
        with _open(file) as opened:
            return opened.read_row_group(group, columns=columns).to_pandas()


class CSV(Blocks):
    """Blocks of CSV files, one of each, read by pandas.

    For a large file of many blocks, convert it to Parquet once: a block of CSV has to be parsed
    whenever it is read.

    Parameters
    ----------
    paths : str, path, or list of these
        The files: names, patterns such as ``"folder/*.csv"``, or folders.
    target : str or list of str
        The column of the targets, or several.
    sample_weight : str, default=None
        The column of the weights; None weighs all rows the same.
    columns : list of str, default=None
        The columns of the inputs; None is all others.
    memory : int, default=1073741824
        The bytes that a fit may hold of the data.
    **options : object
        What `pandas.read_csv` takes beside the path, such as `sep` or `dtype`.

    Raises
    ------
    FileNotFoundError
        If there is no such file.

    Examples
    --------
    >>> from fastmlp import MLPRegressor
    >>> from fastmlp.data import CSV
    >>> model = MLPRegressor().fit(CSV("folder/*.csv", target="price"))  # doctest: +SKIP
    """

    def __init__(
        self,
        paths: Paths,
        *,
        target: str | Sequence[str],
        sample_weight: str | None = None,
        columns: Sequence[str] | None = None,
        memory: int = MEMORY,
        **options: Any,
    ) -> None:
        super().__init__(memory=memory)
        self.files = find_files("paths", paths, ".csv")
        self._columns, self.options = _Columns(target, sample_weight, columns), options

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        frame = self._read(index)
        self._columns.require(list(frame.columns), self.files[index])
        return self._columns.split(frame)

    def _read(self, index: int) -> Any:
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError(_NEEDS) from error
        return pd.read_csv(self.files[index], **self.options)


def _open(file: str) -> Any:
    """Open a Parquet file so that it keeps nothing that it has read."""
    try:
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        raise ImportError(_NEEDS) from error
    if find_spec("pandas") is None:  # whose frames it gives
        raise ImportError(_NEEDS)
    return ParquetFile(file, pre_buffer=False)
