"""What blocks are read from: the rows of it, whatever it is."""

import sys

import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.sparse

from fastmlp import MLPClassifier, MLPRegressor
from fastmlp.data import CSV, Arrays, Blocks, Dask, NumpyFiles, Parquet

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
N, ROWS = 230, 50
rng = np.random.default_rng(0)
X = rng.normal(size=(N, 3)).astype(np.float32)
Y = np.array(["no", "yes"])[(X[:, 0] > X[:, 1]).astype(int)]
W = rng.uniform(0.5, 2, size=N).round(3)
FRAME = pd.DataFrame(X, columns=["a", "b", "c"]).assign(y=Y, w=W)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with the rows in files of every kind."""
    monkeypatch.chdir(tmp_path)
    for i, begin in enumerate(range(0, N, ROWS)):
        rows = slice(begin, begin + ROWS)
        for name, array in {"X": X, "y": Y, "w": W}.items():
            np.save(f"{name}{i}.npy", array[rows])
        FRAME[rows].to_csv(f"part{i}.csv", index=False)
    table = pa.Table.from_pandas(FRAME)
    pq.write_table(table[:100], "one.parquet", row_group_size=ROWS)
    pq.write_table(table[100:], "two.parquet", row_group_size=ROWS)
    return tmp_path


SOURCES = {
    "arrays": lambda: Arrays(X, Y, W, block_rows=ROWS),
    "memory maps": lambda: NumpyFiles("X?.npy", "y?.npy", "w?.npy"),
    "folders of them": lambda: NumpyFiles(
        [f"X{i}.npy" for i in range(5)], [f"y{i}.npy" for i in range(5)], "w*.npy", block_rows=ROWS
    ),
    "CSV": lambda: CSV("part*.csv", target="y", sample_weight="w", dtype={"a": "f4", "b": "f4"}),
    "Parquet": lambda: Parquet("*.parquet", target="y", sample_weight="w"),
    "a folder of Parquet": lambda: Parquet(".", target="y", sample_weight="w"),
    "dask arrays": lambda: Dask(
        da.from_array(X, chunks=(ROWS, 2)), da.from_array(Y, chunks=70), da.from_array(W, chunks=N)
    ),
    "dask frames": lambda: Dask(_dask_frame(), "y", "w"),
    "dask series": lambda: Dask(*(_dask_frame()[part] for part in (["a", "b", "c"], "y", "w"))),
    "mapped": lambda: Arrays(X - 1, Y, W, block_rows=ROWS).map(lambda x: x + 1),
}  # fmt: skip


def _dask_frame():
    return dd.concat(
        [dd.from_pandas(FRAME[i : i + ROWS], npartitions=1) for i in range(0, N, ROWS)]
    )


@pytest.mark.parametrize("source", SOURCES)
def test_rows(folder, source):
    blocks = SOURCES[source]()
    assert len(blocks) == 5
    parts = [blocks[i] for i in range(5)]
    x, y, w = (np.concatenate([np.asarray(part[j]) for part in parts]) for j in range(3))
    np.testing.assert_allclose(x.astype(np.float32), X, atol=1e-6)
    assert y.astype(str).tolist() == Y.tolist()
    np.testing.assert_array_equal(w, W)
    for i, part in enumerate(parts):
        targets, weights = blocks.targets(i)
        np.testing.assert_array_equal(np.asarray(targets), np.asarray(part[1]))
        np.testing.assert_array_equal(np.asarray(weights), np.asarray(part[2]))


@pytest.mark.parametrize("source", [name for name in SOURCES if name not in ("CSV", "mapped")])
@pytest.mark.parametrize("memory", [2**30, 5000])
def test_same_network(folder, source, memory):
    """Whatever the rows are read from, the network is that of the arrays."""
    settings = {"hidden_layer_sizes": (5,), "max_iter": 4, "random_state": 0}
    blocks, plain = SOURCES[source](), SOURCES["arrays"]()
    blocks.memory = plain.memory = memory
    found, expected = MLPClassifier(**settings).fit(blocks), MLPClassifier(**settings).fit(plain)
    for a, b in zip(found.coefs_, expected.coefs_, strict=True):
        np.testing.assert_array_equal(a, b)
    if hasattr(found, "feature_names_in_"):
        assert found.feature_names_in_.tolist() == ["a", "b", "c"]


def test_columns_of_files(folder):
    for blocks in (
        Parquet("one.parquet", target=["a", "b"], columns=["c"]),
        CSV("part0.csv", target=["a", "b"], columns=["c"]),
    ):
        x, y = blocks[0]
        assert list(x.columns) == ["c"]
        assert list(y.columns) == ["a", "b"]
        model = MLPRegressor(hidden_layer_sizes=(3,), max_iter=2, random_state=0).fit(blocks)
        assert model.predict(FRAME[["c"]]).shape == (N, 2)


def test_sparse_rows():
    x = scipy.sparse.random_array((N, 40), density=0.1, format="csr", random_state=0)
    settings = {"hidden_layer_sizes": (5,), "max_iter": 4, "random_state": 0}
    whole = MLPClassifier(**settings).fit(x, Y)
    blocks = MLPClassifier(**settings).fit(Arrays(x, Y, block_rows=ROWS))
    for a, b in zip(whole.coefs_, blocks.coefs_, strict=True):
        np.testing.assert_array_equal(a, b)


def test_targets_of_parquet_are_read_alone(folder):
    blocks = Parquet("*.parquet", target="y")
    read = blocks._read
    columns = []
    blocks._read = lambda index, names: columns.append(names) or read(index, names)
    blocks.targets(1)
    assert columns == [["y"]]


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("index", [5, 99])
def test_behind_the_last_block(folder, source, index):
    with pytest.raises(IndexError):
        SOURCES[source]()[index]


def test_the_length_of_blocks_without_a_number():
    assert len(Arrays(X, Y)) == 1
    wide = np.lib.stride_tricks.as_strided(np.zeros(1000), (5000, 1000), (0, 8))
    assert len(Arrays(wide, np.zeros(5000))) == 10


REFUSED = {
    "no file": (lambda: Parquet("none*.parquet", target="y"), FileNotFoundError, "none"),
    "no CSV": (lambda: CSV("none.csv", target="y"), FileNotFoundError, "none"),
    "no map": (lambda: NumpyFiles("X0.npy", "z.npy"), FileNotFoundError, "y: there is no file"),
    "nothing": (lambda: NumpyFiles([], []), FileNotFoundError, "no file is given"),
    "no column": (lambda: Parquet("one.parquet", target="z"), ValueError, r"no columns \['z'\]"),
    "no column of CSV": (lambda: CSV("part*.csv", target="z")[0], ValueError, r"columns \['z'\]"),
    "files": (lambda: NumpyFiles("X*.npy", "y0.npy"), ValueError, "as many files of each"),
    "rows of files": (lambda: NumpyFiles("X0.npy", "y4.npy"), ValueError, "as many rows"),
    "rows": (lambda: Arrays(X, Y[:9]), ValueError, r"X and y must have as many rows; got \[230, 9"),
    "weights": (lambda: Arrays(X, Y, W[:9]), ValueError, "sample_weight must have as many rows"),
    "no rows": (lambda: Arrays(X[:0], Y[:0]), ValueError, "at least one row"),
    "lists": (lambda: Arrays([[1]], [1]), TypeError, "X must have a shape"),
    "block_rows": (lambda: Arrays(X, Y, block_rows=0), ValueError, "block_rows must be a positive"),
    "no dask": (lambda: Dask(X, Y), TypeError, "X must be a dask array or dataframe"),
    "y of dask": (lambda: Dask(da.from_array(X), Y), TypeError, "y must be a dask array where"),
    "w of dask": (lambda: Dask(_dask_frame(), "y", W), TypeError, "sample_weight must be a dask"),
    "dask rows": (
        lambda: Dask(da.from_array(X), da.from_array(Y[:9])), ValueError, "as many rows"
    ),
    "partitions": (
        lambda: Dask(_dask_frame()[["a"]], dd.from_pandas(FRAME["y"], npartitions=2)),
        ValueError,
        "as many partitions",
    ),
    "map": (lambda: Arrays(X, Y).map(2), TypeError, "transform must be callable"),
    "nothing to read": (lambda: Blocks(), TypeError, "abstract"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused(folder, name):
    make, kind, message = REFUSED[name]
    with pytest.raises(kind, match=message):
        make()


@pytest.mark.parametrize("library", ["pyarrow.parquet", "pandas"])
def test_a_library_that_is_missing(folder, monkeypatch, library):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ImportError, match=r"fastmlp\[data\]"):
        Parquet("one.parquet", target="y")
    if library == "pandas":
        with pytest.raises(ImportError, match=r"fastmlp\[data\]"):
            CSV("part*.csv", target="y")[0]
