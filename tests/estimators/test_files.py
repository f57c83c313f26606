"""`save` and `load` on a disk: special files, permissions, links and kinds of paths."""

import os
import socket
import stat
import sys
from pathlib import Path

import numpy as np
import pytest
from samples import SMALL, numbers
from stored import perceptron, run

import fastmlp
from fastmlp import MLPRegressor
from fastmlp.callbacks import Checkpoint, CSVLogger

posix = pytest.mark.skipif(sys.platform == "win32", reason="files of POSIX")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


# What is no regular file


def special(folder, kind):
    """The path of a special file; the null device is one of our own, which may be overwritten."""
    file = folder / kind
    if kind == "fifo":
        os.mkfifo(file)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(kind)  # a short path
    else:
        try:
            os.mknod(file, stat.S_IFCHR | 0o666, os.makedev(1, 3))
        except OSError:
            pytest.skip("devices are for root to make")
    return file


@posix
@pytest.mark.parametrize("kind", ["fifo", "socket", "device"])
def test_special_files_are_refused(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    file = special(tmp_path, kind)
    (tmp_path / "link").symlink_to(file)
    before = file.stat()
    for name in (file, tmp_path / "link"):
        with pytest.raises(OSError, match=rf"Not a regular file: '.*{name.name}'"):
            fastmlp.load(name)
        with pytest.raises(OSError, match=rf"Not a regular file: '.*{name.name}'"):
            fastmlp.save(perceptron(), name)
    assert os.path.samestat(file.stat(), before)
    assert sorted(os.listdir(tmp_path)) == sorted([kind, "link"])


@posix
def test_the_null_device_is_not_read():
    with pytest.raises(OSError, match="Not a regular file: '/dev/null'"):
        fastmlp.load("/dev/null")


@posix
def test_a_fifo_that_takes_the_place_of_a_file_is_not_waited_for(tmp_path):
    said = run(
        """
model = Perceptron().fit([[0.0], [1.0]], [0, 1])
fastmlp.save(model, path)
status = os.stat(path)
os.unlink(path)
os.mkfifo(path)
os.stat = lambda path: status
try:
    fastmlp.load(path)
except OSError as error:
    print(error.strerror)
""",
        tmp_path / "file",
    )
    assert " ".join(said) == "Not a regular file"


def test_a_folder_is_refused(tmp_path):
    for function in (fastmlp.load, lambda path: fastmlp.save(perceptron(), path)):
        with pytest.raises(IsADirectoryError):
            function(tmp_path)
    assert os.listdir(tmp_path) == []


# Permissions


@posix
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444, 0o666])
def test_the_mode_is_kept_and_never_wider(path, monkeypatch, mode):
    fastmlp.save(perceptron(), path)
    path.chmod(mode)
    seen = []

    def watch(function):
        def watched(descriptor, *arguments):
            status = os.fstat(descriptor)
            if stat.S_ISREG(status.st_mode):
                seen.append((function.__name__, stat.S_IMODE(status.st_mode), status.st_size))
            return function(descriptor, *arguments)

        return watched

    for function in (os.fchmod, os.fsync):
        monkeypatch.setattr(os, function.__name__, watch(function))
    before = path.stat()
    fastmlp.save(perceptron(), path)
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert path.stat().st_ino != before.st_ino
    assert seen == [("fchmod", 0o600, 0), ("fsync", mode, path.stat().st_size)]


@posix
def test_the_owner_is_kept_or_the_group_gets_no_more_than_all(path, monkeypatch):
    fastmlp.save(perceptron(), path)
    try:
        os.chown(path, 12345, 23456)
    except OSError:
        pytest.skip("owners are for root to change")
    path.chmod(0o664)
    fastmlp.save(perceptron(), path)
    status = path.stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (12345, 23456, 0o664)

    def refuse(*arguments):
        raise PermissionError

    monkeypatch.setattr(os, "fchown", refuse)
    fastmlp.save(perceptron(), path)
    status = path.stat()
    assert status.st_gid != 23456
    assert stat.S_IMODE(status.st_mode) == 0o644


# Links and paths


@posix
def test_links_stay(tmp_path):
    (tmp_path / "folder").mkdir()
    links = [tmp_path / "a", tmp_path / "b", tmp_path / "folder" / "c"]
    for link, target in zip(links, ["b", "folder/c", "model"], strict=True):
        link.symlink_to(target)
    for _ in range(2):  # at first there is nothing at the end of the links
        fastmlp.save(perceptron(), links[0])
        assert all(link.is_symlink() for link in links)
        assert (tmp_path / "folder" / "model").is_file()
    fastmlp.load(links[0])


@posix
def test_a_loop_of_links_is_an_os_error(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    for name in ("a", "a/file"):
        with pytest.raises(OSError, match=r"symbolic links"):
            fastmlp.load(tmp_path / name)
        with pytest.raises(OSError, match=r"symbolic links"):
            fastmlp.save(perceptron(), tmp_path / name)
    assert (tmp_path / "a").is_symlink()


class Named(os.PathLike):
    """A path-like thing whose path is bytes."""

    def __init__(self, name):
        self.name = name

    def __fspath__(self):
        return os.fsencode(self.name)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("kind", [os.fspath, os.fsencode, Path, Named])
def test_kinds_of_paths(tmp_path, kind):
    file = tmp_path / "müller {epoch}"
    fastmlp.save(perceptron(), kind(file))
    np.testing.assert_array_equal(fastmlp.load(kind(file)).coef_, perceptron().coef_)
    file.write_bytes(b"")
    with pytest.raises(ValueError, match=r"müller.* can't be loaded: it ends too early"):
        fastmlp.load(kind(file))
    callbacks = [Checkpoint(kind(file), every=2), CSVLogger(kind(tmp_path / "log"))]
    MLPRegressor(**SMALL | {"max_iter": 4, "tol": 0}, callbacks=callbacks).fit(*numbers())
    assert {"müller 2", "müller 4", "log"} <= set(os.listdir(tmp_path))


def test_what_is_no_path():
    for path in (3, None, ["model"]):
        with pytest.raises(TypeError, match=r"expected str, bytes or os\.PathLike"):
            fastmlp.load(path)
        with pytest.raises(TypeError, match=r"expected str, bytes or os\.PathLike"):
            fastmlp.save(perceptron(), path)
