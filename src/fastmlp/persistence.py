"""Fitted estimators in files: one safetensors file each, without pickle.

The metadata of the file has one entry, `fastmlp`: a JSON object with the format's name and version,
the class, its parameters, the architecture, the fitted attributes, and a SHA-256 of all that and
of the arrays. The arrays are the weights, `coefs.0`, `intercepts.0` and so on, the numbers among
the class labels, and the losses of the steps. Of an estimator for tables the architecture is what
was learnt of the columns, and the networks with their weights, `ensemble.voters.0.network.coefs.0`
and so on.
"""

import hashlib
import os
from typing import Any

import numpy as np

from fastmlp._core import __version__
from fastmlp._files import json as _json
from fastmlp._files.disk import FilePath, open_regular, replace_file, size_of
from fastmlp._files.kinds import Storable, check_layouts, restore, store
from fastmlp._files.parts import Stored
from fastmlp._files.safetensors import Arrays, read_arrays, read_header, to_pieces

_FORMAT = "fastmlp"
_VERSION = 1
# What a reader meets in a file that nobody has written with `save`.
_UNSOUND = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    OverflowError,
    RecursionError,
)


def save(estimator: Storable, path: FilePath) -> None:
    """Write a fitted estimator to a file.

    The file is in the safetensors format, and other programs can read the weights from it. It is
    written in full beside its final place, as ``.fastmlp-`` and 16 more characters, and then moved
    there, so that a file of the same name is replaced either as a whole or not at all. The mode of
    that file is kept, and its owner where the system allows. A process that is killed meanwhile
    leaves what is beside, which can be deleted.

    Not stored are `callbacks`, `eval_metrics`, a `random_state` that is no int (it becomes None),
    and the state of the optimizer, with which training begins anew, but for a resumable
    `EpochEnd.snapshot`.

    Parameters
    ----------
    estimator : object
        A fitted MLPClassifier, MLPRegressor, Perceptron, TabularClassifier or TabularRegressor, or
        a Network. Labels must be numbers or strings.
    path : str, bytes or path-like
        The file to write. A link stays, and what it points to is replaced.

    Raises
    ------
    TypeError
        If `estimator` is of another class, as a subclass is, or `path` is no path.
    ValueError
        If it is not fitted, has a parameter that is neither a number nor a string nor made of
        them, such as a function as `scoring`, or has more than 100 MB beside the weights.
    OSError
        If the file can't be written, or `path` is a folder, a device, a FIFO or a socket.
    MemoryError
        If memory doesn't suffice: the weights of a `Network` are copied, those of others are not.

    See Also
    --------
    load : Read the file.

    Examples
    --------
    >>> import os, tempfile
    >>> import fastmlp
    >>> model = fastmlp.Perceptron().fit([[0.0], [1.0]], ["no", "yes"])
    >>> path = os.path.join(tempfile.mkdtemp(), "model.safetensors")
    >>> fastmlp.save(model, path)
    >>> fastmlp.load(path).predict([[1.0]])
    array(['yes'], dtype='<U3')
    """
    stored = store(estimator)
    # Little-endian, whatever this machine is, so that the digest is the same everywhere.
    arrays = {
        name: np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        for name, array in stored.arrays.items()
    }
    header = {
        "format": _FORMAT,
        "format_version": _VERSION,
        "fastmlp_version": __version__,
        "class": stored.kind,
        "params": stored.params,
        "architecture": stored.architecture,
        "attributes": stored.attributes,
    }
    header["sha256"] = _digest(header, arrays)
    replace_file(os.fsdecode(path), to_pieces(arrays, {_FORMAT: _json.dumps(header)}))


def load(path: FilePath) -> Any:
    """Read an estimator that `save` wrote.

    It predicts what the stored one predicted, bit for bit on the same SIMD target. Nothing in the
    file is executed, so that files of unknown origin may be read. Memory is taken only for arrays
    that go with the class and the architecture, and that the file has room for.

    Parameters
    ----------
    path : str, bytes or path-like
        The file to read.

    Returns
    -------
    estimator : object
        The fitted estimator, or the Network.

    Raises
    ------
    ValueError
        If the file is damaged, is not from `save`, is from a later version of the format, or
        changes meanwhile.
    OSError
        If the file can't be read, or `path` is a folder, a device, a FIFO or a socket.
    MemoryError
        If there is no memory for what is in the file.
    """
    file = os.fsdecode(path)
    try:
        header, arrays = _read(file)
        return restore(
            Stored(
                header["class"],
                header["params"],
                header["architecture"],
                header["attributes"],
                arrays,
            )
        )
    except _UNSOUND as error:
        raise ValueError(f"{file!r} can't be loaded: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    return f"it has no {error}" if isinstance(error, KeyError) else str(error)


def _read(file: str) -> tuple[dict[str, Any], Arrays]:
    """Return the header and the arrays of a file that is what `save` left."""
    with open(file, "rb", opener=open_regular) as content:
        metadata, layouts = read_header(content, size_of(content))
        header = _parse(metadata)
        check_layouts(header["class"], header["architecture"], layouts)
        arrays = read_arrays(content, layouts)
    if header.pop("sha256") != _digest(header, arrays):
        raise ValueError("it is damaged: its checksum is not that of its content.")
    return header, {
        name: array.astype(array.dtype.newbyteorder("="), copy=False)
        for name, array in arrays.items()
    }


def _parse(metadata: dict[str, str]) -> dict[str, Any]:
    """Return the header, which is of this version of the format."""
    if _FORMAT not in metadata:
        raise ValueError("it is a safetensors file, but not one of fastmlp.")
    header: dict[str, Any] = _json.loads(metadata[_FORMAT])
    version = header["format_version"]
    if header["format"] != _FORMAT or version != _VERSION:
        raise ValueError(
            f"it is of format {header['format']!r}, version {version!r}; this fastmlp "
            f"({__version__}) reads {_FORMAT!r}, version {_VERSION}."
        )
    return header


def _digest(header: dict[str, Any], arrays: Arrays) -> str:
    digest = hashlib.sha256(_json.dumps(header).encode())
    for name, array in sorted(arrays.items()):
        digest.update(_json.dumps([name, array.dtype.name, array.shape]).encode())
        digest.update(array.data)
    return digest.hexdigest()
