"""Fitted estimators in files: one safetensors file each, without pickle.

The metadata of the file has one entry, `fastmlp`: a JSON object with the format's name and version,
the class, its parameters, the architecture, the fitted attributes, and a SHA-256 of all that and
of the arrays. The arrays are the weights, `coefs.0`, `intercepts.0` and so on, the numbers among
the class labels, and the losses of the steps.
"""

import contextlib
import errno
import hashlib
import os
import secrets
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
from safetensors import SafetensorError
from safetensors.numpy import save as to_bytes

from fastmlp import _json
from fastmlp._core import __version__
from fastmlp._stored import Storable, restore, store
from fastmlp._stored_parts import Arrays, Stored

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
    SafetensorError,
)


def save(estimator: Storable, path: str | os.PathLike[str]) -> None:
    """Write a fitted estimator to a file.

    The file is in the safetensors format, and other programs can read the weights from it. It is
    written in full beside its final place and then moved there, so that a file of the same name
    is replaced either as a whole or not at all.

    Not stored are `callbacks`, a `random_state` that is no int (it becomes None), and the state of
    the optimizer, with which training begins anew.

    Parameters
    ----------
    estimator : MLPClassifier, MLPRegressor, Perceptron or Network
        What to store. Labels must be numbers or strings.
    path : str or path-like
        The file to write.

    Raises
    ------
    TypeError
        If `estimator` is of another class; a subclass is.
    ValueError
        If it is not fitted, or has a parameter that is neither a number nor a string nor made of
        them, such as a function as `scoring`.
    OSError
        If the file can't be written.

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
    _replace(Path(path), to_bytes(arrays, {_FORMAT: _json.dumps(header)}))


def load(path: str | os.PathLike[str]) -> Any:
    """Read an estimator that `save` wrote.

    It predicts what the stored one predicted, bit for bit on the same SIMD target. Nothing in the
    file is executed, so that files of unknown origin may be read.

    Parameters
    ----------
    path : str or path-like
        The file to read.

    Returns
    -------
    estimator : MLPClassifier, MLPRegressor, Perceptron or Network
        The fitted estimator.

    Raises
    ------
    ValueError
        If the file is damaged, is not from `save`, or is from a later version of the format.
    OSError
        If the file can't be read.
    """
    file = os.fspath(path)
    if os.path.isdir(file):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), file)
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
    if os.path.getsize(file) == 0:  # an empty file has nothing to map
        raise ValueError("it is empty.")
    with safetensors.safe_open(file, framework="numpy") as content:
        text = (content.metadata() or {}).get(_FORMAT)
        if text is None:
            raise ValueError("it is a safetensors file, but not one of fastmlp.")
        header = _json.loads(text)
        version = header["format_version"]
        if header["format"] != _FORMAT or version != _VERSION:
            raise ValueError(
                f"it is of format {header['format']!r}, version {version!r}; this fastmlp "
                f"({__version__}) reads {_FORMAT!r}, version {_VERSION}."
            )
        arrays = {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118
    if header.pop("sha256") != _digest(header, arrays):
        raise ValueError("it is damaged: its checksum is not that of its content.")
    return header, arrays


def _digest(header: dict[str, Any], arrays: Arrays) -> str:
    digest = hashlib.sha256(_json.dumps(header).encode())
    for name, array in sorted(arrays.items()):
        digest.update(_json.dumps([name, array.dtype.name, array.shape]).encode())
        digest.update(array.data)
    return digest.hexdigest()


def _replace(path: Path, content: bytes) -> None:
    """Write a file so that, whatever happens meanwhile, `path` is the old one or the new one."""
    path = path.resolve()  # a link stays, and what it points to is replaced
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "There is no such folder", str(path.parent))
    beside = path.with_name(f".fastmlp-{secrets.token_hex(8)}")
    try:
        with beside.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Make the new name last beyond a power failure, where the system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
