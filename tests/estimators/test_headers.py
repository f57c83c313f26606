"""Headers of files made to do harm: each is refused by a ValueError that names the file."""

import json

import numpy as np
import pytest
import safetensors.numpy
from stored import frame, perceptron, split

import fastmlp
from fastmlp._files.json import decode
from fastmlp.persistence import _digest


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The content of a file: an array of float64 (1, 6), one of float64 (1,) and two labels."""
    file = tmp_path_factory.mktemp("whole") / "file"
    fastmlp.save(perceptron(6), file)
    return file.read_bytes()


def refuse(path, content, message="can't be loaded"):
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        fastmlp.load(path)
    assert str(caught.value).startswith(f"{str(path)!r} can't be loaded: ")


def test_the_untouched_header_is_fine(whole, path):
    path.write_bytes(frame(*split(whole)))
    fastmlp.load(path)


@pytest.mark.parametrize("length", [-1, 1, 10**8, 10**8 + 1, 2**63, 2**64 - 1])
def test_length_of_the_header(whole, path, length):
    length = length if length > 1 else len(whole) - 8 + length
    refuse(path, length.to_bytes(8, "little") + whole[8:])


@pytest.mark.parametrize("length", range(9))
def test_hardly_a_file(path, length):
    refuse(path, bytes(length), "ends too early" if length < 8 else "no JSON object")


@pytest.mark.parametrize(
    "text",
    [
        b"[]",
        b'"text"',
        b"3",
        b"null",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"a":' * 100 + b"{}" + b"}" * 100,
        b' {"__metadata__": {}}',
        b"{}",
        b"{} {}",
        b"{}\0",
        b"{",
        b'{"a": NaN}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"\xff": 1}',
        "{}".encode("utf-16"),
        b'\xef\xbb\xbf{"__metadata__": {}}',
    ],
    ids=lambda text: repr(text[:12]),
)
def test_headers_that_are_none(path, text):
    refuse(path, frame(text))


@pytest.mark.parametrize(
    "twice",
    [
        (b'{"__metadata__"', b'{"coef": 1, "__metadata__"'),
        (b'"shape"', b'"shape": [3], "shape"'),
        (b'{"fastmlp"', b'{"fastmlp": "", "fastmlp"'),
        (rb"{\"architecture\"", rb"{\"format\": \"fastmlp\", \"architecture\""),
    ],
)
def test_keys_that_stand_twice(whole, path, twice):
    header, data = split(whole)
    text = json.dumps(header).encode()
    assert twice[0] in text
    refuse(path, frame(text.replace(*twice), data), "a key twice")


FIELDS = [
    ("shape", value)
    for value in (
        [-1, -6],
        [1, -6],
        [2**62, 2**62],
        [1, 10**60],
        [1, 6.0],
        [True, 6],
        ["1", 6],
        [[1], 6],
        [1, None],
        [1] * 32 + [6],
        [1, 7],
        [1, 0],
        [0, 2**63],
        6,
        None,
        {"1": 6},
        "16",
    )
]
FIELDS += [
    ("data_offsets", value)
    for value in (
        [64, 16],
        [-16, 32],
        [0, 48],
        [17, 65],
        [16, 65],
        [24, 72],
        [16, 10**60],
        [2**64, 2**64 + 48],
        [16.0, 64.0],
        [True, 49],
        [16],
        [16, 64, 64],
        [16, None],
        None,
        "ab",
        {},
    )
]
FIELDS += [
    ("dtype", value)
    for value in ("F8", "f64", "", "C64", "BF16", "F32", "I64", None, 64, ["F64"], {})
]


@pytest.mark.parametrize(("field", "value"), FIELDS, ids=lambda value: str(value)[:30])
def test_fields_of_an_array(whole, path, field, value):
    header, data = split(whole)
    assert header["coef"] == {"dtype": "F64", "shape": [1, 6], "data_offsets": [16, 64]}
    header["coef"][field] = value
    refuse(path, frame(header, data))


@pytest.mark.parametrize("fields", [None, 3, [], "text", {}, {"dtype": "F64", "shape": [1, 6]}])
def test_arrays_that_are_none(whole, path, fields):
    header, data = split(whole)
    refuse(path, frame(header | {"coef": fields}, data), "'coef' must have a dtype")
    refuse(path, frame(header | {"coef": header["coef"] | {"more": 1}}, data), "must have a dtype")


@pytest.mark.parametrize("metadata", [None, 3, [], "text", {"fastmlp": 3}, {"fastmlp": None}])
def test_metadata_that_are_none(whole, path, metadata):
    header, data = split(whole)
    refuse(path, frame(header | {"__metadata__": metadata}, data), "metadata must be texts")


def test_holes_and_overlaps(whole, path):
    header, data = split(whole)
    assert header["intercept"]["data_offsets"] == [64, 72]
    for begin, content in ((72, data + bytes(8)), (56, data[:-8]), (0, data[:-8]), (16, data)):
        moved = header["intercept"] | {"data_offsets": [begin, begin + 8]}
        refuse(path, frame(header | {"intercept": moved}, content), "instead of")
    refuse(path, frame(header, data + b"x"), "take 72 bytes; there are 73")
    refuse(path, frame(header, data[:-1]), "take 72 bytes; there are 71")


def test_booleans_that_are_none(whole, path):
    header, data = split(whole)
    header["classes"] = {"dtype": "BOOL", "shape": [16], "data_offsets": [0, 16]}
    refuse(path, frame(header, b"\2" + data[1:]), "must hold booleans")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"more": {"dtype": "F64", "shape": [2], "data_offsets": [72, 88]}}, "no array 'more'"),
        ({"coef": {"dtype": "F32", "shape": [1, 12], "data_offsets": [16, 64]}}, "of float64"),
        ({"coef": {"dtype": "F64", "shape": [2, 3], "data_offsets": [16, 64]}}, r"shape \(2,\)"),
        ({"coef": {"dtype": "F64", "shape": [6], "data_offsets": [16, 64]}}, "coef has the shape"),
        ({"classes": {"dtype": "I64", "shape": [1, 2], "data_offsets": [0, 16]}}, r"shape \(2,\)"),
        ({"classes": None}, "begins at 16 instead of 0"),
        (
            {"coef": None, "classes": {"dtype": "I64", "shape": [8], "data_offsets": [0, 64]}},
            "coef",
        ),
    ],
)
def test_layouts_are_seen_before_arrays_are_read(whole, path, monkeypatch, change, message):
    header, data = split(whole)
    header = {name: fields for name, fields in (header | change).items() if fields is not None}
    monkeypatch.setattr("fastmlp.persistence.read_arrays", None)
    refuse(path, frame(header, data + bytes(16 if "more" in change else 0)), message)


# What stands in the metadata


def test_keys_made_to_collide():
    """Each look-up would take longer than the one before."""
    keys = [number * (2**61 - 1) for number in range(1, 2000)]
    with pytest.raises(ValueError, match="same hash"):
        decode({"$dict": [[key, 0] for key in keys]})
    assert len(decode({"$dict": [[key, 0] for key in range(2000)]})) == 2000


def test_labels_of_which_one_is_long(whole, path):
    """In an array of strings each takes as much as the longest: here 37 GiB."""
    labels = ["x" * 100_000] + ["y"] * 100_000
    model = perceptron(6)
    model.classes_ = np.array(labels, dtype=object)
    with pytest.raises(ValueError, match="length of the longest"):
        fastmlp.save(model, path)
    header, data = split(whole)
    ours = json.loads(header["__metadata__"]["fastmlp"])
    ours["attributes"]["classes_"] = labels
    del ours["sha256"]
    ours["sha256"] = _digest(ours, safetensors.numpy.load(whole))
    header["__metadata__"]["fastmlp"] = json.dumps(ours)
    refuse(path, frame(header, data), "length of the longest")
