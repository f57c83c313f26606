"""Data sets that are larger than memory, in blocks of rows, for the `fit` of every estimator."""

from fastmlp._blocks.arrays import Arrays, NumpyFiles
from fastmlp._blocks.blocks import Blocks
from fastmlp._blocks.lazy import Dask
from fastmlp._blocks.tables import CSV, Parquet

__all__ = ["CSV", "Arrays", "Blocks", "Dask", "NumpyFiles", "Parquet"]
