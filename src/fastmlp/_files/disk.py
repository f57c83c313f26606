"""Files on a disk: opened to be read only if they are regular, and replaced as a whole.

Folders, devices, FIFOs and sockets raise an OSError. None of them is waited for, and none is
replaced by a file.
"""

import contextlib
import errno
import io
import os
import secrets
import stat
import sys
from collections.abc import Iterable

FilePath = str | bytes | os.PathLike[str] | os.PathLike[bytes]

# A file larger than the first number must hold at least one byte on the disk for so many of its
# size; a hole, which is read as zeros, costs nothing on the disk and all of its size in memory.
_SMALL = 64 * 2**20
_MOST_SPARSE = 100


def check_path(argument: str, path: object) -> None:
    """Refuse what is no path; a number would be that of an open file.

    Raises
    ------
    TypeError
        If it is none.
    """
    if not isinstance(path, str | bytes | os.PathLike):
        raise TypeError(f"{argument} must be a str, bytes or path-like; got {path!r}.")


def open_regular(path: str, flags: int) -> int:
    """Open a regular file without waiting; an `opener` for Python's `open`.

    Raises
    ------
    OSError
        If it is not one.
    """
    # Before it is opened, since that alone can set a device going. Afterwards, since another file
    # may have taken its place meanwhile; a FIFO would then be waited for without O_NONBLOCK.
    _require_regular(os.stat(path), path)
    descriptor = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    try:
        _require_regular(os.fstat(descriptor), path)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def size_of(file: io.BufferedReader) -> int:
    """Return the size of a file in bytes.

    Raises
    ------
    ValueError
        If next to nothing of a large file is on the disk.
    """
    status = os.fstat(file.fileno())
    # Not every system counts the blocks, of 512 bytes; some then say 0.
    held = getattr(status, "st_blocks", 0) * 512
    if held and status.st_size > max(_SMALL, _MOST_SPARSE * held):
        raise ValueError(f"it claims {status.st_size} bytes, but holds {held} and a hole.")
    return status.st_size


def replace_file(path: str, pieces: Iterable[bytes | memoryview]) -> None:
    """Write a file so that, whatever happens meanwhile, `path` is the old one or the new one.

    A link stays, and what it points to is replaced.

    Raises
    ------
    OSError
        If it can't be written, or what is there is no regular file.
    """
    old = _status(path)
    path = os.path.realpath(path)
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        raise FileNotFoundError(errno.ENOENT, "There is no such folder", folder)
    beside = os.path.join(folder, f".fastmlp-{secrets.token_hex(8)}")
    try:
        with open(beside, "xb", opener=_open_privately if old else None) as file:
            if old:
                _keep_permissions(file.fileno(), old)
            for piece in pieces:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(beside)
        raise
    _sync_folder(folder)


def _status(path: str) -> os.stat_result | None:
    """Return the status of the regular file at `path`, or None where there is nothing."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    _require_regular(status, path)
    return status


def _require_regular(status: os.stat_result, path: str) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "Not a regular file", path)


def _open_privately(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _keep_permissions(descriptor: int, old: os.stat_result) -> None:
    """Give a file that nobody else can open the mode of another and, where allowed, its owner."""
    if sys.platform == "win32":
        return
    mode = old.st_mode & 0o777
    with contextlib.suppress(OSError):
        os.fchown(descriptor, -1, old.st_gid)
    if os.fstat(descriptor).st_gid != old.st_gid:
        mode &= 0o707 | (mode & 0o007) << 3  # another group may do what everybody may
    with contextlib.suppress(OSError):  # some file systems know no modes
        os.fchmod(descriptor, mode)
    with contextlib.suppress(OSError):  # last, as the mode is for the owner to change
        os.fchown(descriptor, old.st_uid, -1)


def _sync_folder(folder: str) -> None:
    """Make the new name last beyond a power failure, where the system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
