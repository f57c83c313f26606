"""The safetensors format as `save` and `load` have it: what the package of that name reads and
writes, and files of the first version."""

import json
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from samples import SMALL, classes, numbers
from stored import split

import fastmlp
from fastmlp import Dense, MLPClassifier, MLPRegressor, Network, Perceptron
from fastmlp._files.safetensors import read_arrays, read_header, to_pieces

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

DTYPES = ["bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]
DTYPES += ["float16", "float32", "float64"]
ARRAYS = {
    **{f"{dtype} é": np.arange(6).reshape(2, 3).astype(dtype) for dtype in DTYPES},
    **{f"of no {dtype}": np.empty((0, 3), dtype) for dtype in DTYPES},
    "one": np.array(3.5),
}
OLD = Path(__file__).with_name("written_by_0_1_0")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


def make(kind):
    if kind is Network:
        return Network([Dense(3, "prelu"), Dense(1)], 4, random_state=0)
    settings = {} if kind is Perceptron else SMALL
    x, y = numbers() if kind is MLPRegressor else classes(k=2)
    return kind(**settings).fit(x, np.unique(y, return_inverse=True)[1])


def same(arrays, others):
    return arrays.keys() == others.keys() and all(
        array.dtype == others[name].dtype and np.array_equal(array, others[name])
        for name, array in arrays.items()
    )


# The package


def test_the_package_reads_ours(path):
    path.write_bytes(b"".join(to_pieces(ARRAYS, {"a": '"\n', "b": "é"})))
    assert same(ARRAYS, safetensors.numpy.load_file(path))
    with safetensors.safe_open(path, "numpy") as file:
        assert file.metadata() == {"a": '"\n', "b": "é"}


def test_we_read_the_packages(path):
    safetensors.numpy.save_file(ARRAYS, path, {"a": '"\n', "b": "é"})
    with path.open("rb") as file:
        metadata, layouts = read_header(file, path.stat().st_size)
        arrays = read_arrays(file, layouts)
    assert metadata == {"a": '"\n', "b": "é"}
    assert same(ARRAYS, arrays)
    assert all(array.dtype.isnative for array in arrays.values())


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor, Network, Perceptron])
def test_one_content_either_way(path, kind):
    fastmlp.save(make(kind), path)
    content = path.read_bytes()
    arrays = safetensors.numpy.load_file(path)
    with safetensors.safe_open(path, "numpy") as file:
        metadata = file.metadata()
    safetensors.numpy.save_file(arrays, path, metadata)
    fastmlp.save(fastmlp.load(path), path)
    assert path.read_bytes() == content


def test_arrays_are_aligned(path):
    fastmlp.save(make(MLPClassifier), path)
    content = path.read_bytes()
    header, _ = split(content)
    begin = 8 + int.from_bytes(content[:8], "little")
    assert header.pop("__metadata__").keys() == {"fastmlp"}
    for fields in header.values():
        width = int(fields["dtype"][1:]) // 8
        assert (begin + fields["data_offsets"][0]) % width == 0


def test_too_much_beside_the_arrays(path, monkeypatch):
    model = make(Perceptron)
    fastmlp.save(model, path)
    before = path.read_bytes()
    monkeypatch.setattr("fastmlp._files.safetensors._LONGEST_HEADER", 100)
    with pytest.raises(ValueError, match="100 are allowed"):
        fastmlp.save(model, path)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


# The first version

X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
XOR = np.array([-0.5, 0.5, 0.5, -0.5])


@pytest.mark.parametrize("name", ["classifier", "network", "perceptron", "regressor"])
def test_files_of_the_first_version_load(name, path):
    old = OLD / f"{name}.safetensors"
    model = fastmlp.load(old)
    if name == "classifier":
        assert model.predict(X).tolist() == ["even", "odd", "odd", "even"]
        assert model.class_weight == {"odd": 2.0}
    elif name == "perceptron":
        assert model.predict(X).tolist() == [3, 3, 3, 7]
    else:
        outputs = model(X) if name == "network" else model.predict(X)
        np.testing.assert_array_equal(outputs.ravel(), XOR)
    fastmlp.save(model, path)
    (header, data), (ours, our_data) = split(old.read_bytes()), split(path.read_bytes())
    assert data == our_data
    texts = [json.loads(each.pop("__metadata__")["fastmlp"]) for each in (header, ours)]
    assert header == ours
    for text in texts:
        assert len(text.pop("sha256")) == 64
        assert text.pop("fastmlp_version")
    then, now = (text.pop("params", {}) for text in texts)
    assert texts[0] == texts[1]
    defaults = {} if name == "network" else type(model)().get_params()
    assert now == {key: then.get(key, defaults.get(key)) for key in now}  # some came later
    assert then.keys() <= now.keys()
